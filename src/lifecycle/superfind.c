/* SPDX-License-Identifier: BSD-3-Clause */
#include "lifecycle/superfind.h"

#include "base/bytes.h"
#include "format/stamp.h"

#include <stdio.h>
#include <string.h>

/* One chunk being searched. */
struct search {
    const struct blocking *b;
    uint32_t chunk;
    int copy; /* 0, 1, or -1: not known yet */
    struct hftl_chunk state;
    uint8_t *bytes; /* a whole chunk */
    struct superblock record;
    enum hftl_status status;
};

static const struct hftl_media_facts *facts_of(const struct search *s)
{
    return &s->b->medium->facts;
}

static struct format_context context_of(const struct search *s)
{
    return (struct format_context){.block_bytes = facts_of(s)->block_bytes, .any_device = true};
}

/* Reads blocks of the chunk to their place in `bytes`. */
static enum hftl_status load_run(struct search *s, uint32_t offset, uint32_t blocks)
{
    size_t at = (size_t)offset * facts_of(s)->block_bytes;
    return blocking_read(
        s->b, (struct hftl_media_op){
                  .chunk = s->chunk, .offset = offset, .blocks = blocks, .data = s->bytes + at});
}

/* [offset, offset + blocks). A block that cannot be read does not hide its neighbours; it is left
 * as zeros, which are no record. */
static void load(struct search *s, uint32_t offset, uint32_t blocks)
{
    uint32_t block_bytes = facts_of(s)->block_bytes;
    if (load_run(s, offset, blocks) == HFTL_OK)
        return;
    for (uint32_t i = 0; i < blocks; i++) {
        enum hftl_status status = load_run(s, offset + i, 1);
        if (status == HFTL_OK || load_run(s, offset + i, 1) == HFTL_OK)
            continue;
        memset(s->bytes + (size_t)(offset + i) * block_bytes, 0, block_bytes);
        s->status = status;
    }
}

static uint32_t readable_blocks(const struct search *s)
{
    const struct hftl_media_facts *facts = facts_of(s);
    uint32_t low = 0;
    if (s->state.state == HFTL_CHUNK_FULL || s->state.state == HFTL_CHUNK_READ_ONLY)
        return min_u32(s->state.wp, facts->chunk_blocks);
    low = s->state.wp > facts->mw_cunits ? s->state.wp - facts->mw_cunits : 0;
    return s->state.state == HFTL_CHUNK_OPEN || s->state.state == HFTL_CHUNK_PAUSED ? low : 0;
}

static enum hftl_status try_copy(struct search *s, uint32_t offset, int copy)
{
    struct format_context ctx = context_of(s);
    struct format_place where = {.place = (uint32_t)copy, .position = offset};
    size_t at = (size_t)offset * ctx.block_bytes;
    size_t room = ((size_t)readable_blocks(s) - offset) * ctx.block_bytes;
    return superblock_decode(&ctx, &where, s->bytes + at, room, &s->record);
}

/* A record that starts at this offset? Its blocks are loaded from there on. */
static enum hftl_status try_offset(struct search *s, uint32_t offset)
{
    struct format_context ctx = context_of(s);
    uint32_t bytes;
    size_t at = (size_t)offset * ctx.block_bytes;
    enum hftl_status status = superblock_peek(&ctx, s->bytes + at, &bytes);
    if (status != HFTL_OK)
        return status;
    for (int copy = 0; copy < 2; copy++) {
        if (s->copy >= 0 && s->copy != copy)
            continue;
        status = try_copy(s, offset, copy);
        if (status == HFTL_OK) {
            s->copy = copy;
            return status;
        }
    }
    return status;
}

/* A record of another version is one only when its checksum says so: a flipped bit is none. */
static bool is_whole(struct search *s, uint32_t offset)
{
    struct format_context ctx = context_of(s);
    uint8_t *record = s->bytes + (size_t)offset * ctx.block_bytes;
    uint32_t bytes = get_u32(record + 56), crc = get_u32(record + 12);
    if (bytes < ctx.block_bytes || bytes % ctx.block_bytes != 0 ||
        bytes / ctx.block_bytes > readable_blocks(s) - offset)
        return false;
    stamp_seal(&ctx, STAMP_SUPERBLOCK, record, bytes);
    bool same = get_u32(record + 12) == crc;
    put_u32(record + 12, crc);
    return same;
}

/* The newest record is for another program than this: what lies below it is history. */
static bool is_not_for_us(struct search *s, uint32_t offset, enum hftl_status status)
{
    return status == HFTL_UNSUPPORTED || (status == HFTL_VERSION && is_whole(s, offset));
}

/* True: the search ends here, with s->status. */
static bool ends_at(struct search *s, uint32_t offset)
{
    enum hftl_status status = try_offset(s, offset);
    if (status == HFTL_OK || is_not_for_us(s, offset, status)) {
        s->status = status;
        return true;
    }
    if (status != HFTL_FOREIGN)
        s->status = HFTL_CORRUPT;
    return false;
}

/* The last valid record, from the end backwards; what else was seen is in status. */
static void search_backwards(struct search *s)
{
    uint32_t ws_min = facts_of(s)->ws_min;
    uint32_t step = max_u32(ws_min, 64u / ws_min * ws_min);
    uint32_t end = readable_blocks(s);
    uint32_t low = end;
    s->status = HFTL_FOREIGN;
    while (low > 0) {
        uint32_t high = low;
        low = high > step ? round_up_u32(high - step, ws_min) : 0;
        load(s, low, high - low);
        for (uint32_t at = high / ws_min * ws_min + ws_min; at >= low + ws_min; at -= ws_min)
            if (at - ws_min < high && ends_at(s, at - ws_min))
                return;
    }
}

/* A chunk that holds superblock records begins with one; users' blocks are never at offset 0, so no
 * user can write one that is found. */
static bool begins_with_record(struct search *s)
{
    load(s, 0, 1);
    enum hftl_status status = stamp_peek(s->bytes, STAMP_SUPERBLOCK);
    return status == HFTL_OK || status == HFTL_VERSION;
}

/* P2, and features, of a record that was found. */
static enum hftl_status check_record(const struct blocking *b, const struct superblock *record,
                                     struct why *why)
{
    char text[200];
    if (layout_check(&record->layout, &b->medium->facts, text, sizeof(text)) != HFTL_OK)
        return why_say(why, HFTL_GEOMETRY, "the superblock does not fit this drive: %s", text);
    return HFTL_OK;
}

static enum hftl_status start_search(const struct blocking *b, struct search *s)
{
    size_t bytes = (size_t)b->medium->facts.chunk_blocks * b->medium->facts.block_bytes;
    memset(s, 0, sizeof(*s));
    s->b = b;
    s->copy = -1;
    s->bytes = b->world->alloc(b->world->arg, bytes);
    return s->bytes == NULL ? HFTL_MEMORY : HFTL_OK;
}

static void end_search(struct search *s)
{
    size_t bytes = (size_t)facts_of(s)->chunk_blocks * facts_of(s)->block_bytes;
    s->b->world->release(s->b->world->arg, s->bytes, bytes);
}

static enum hftl_status keep(struct found *found, const struct search *s)
{
    const struct world *world = s->b->world;
    size_t at = (size_t)s->record.offset * facts_of(s)->block_bytes;
    if (found->bytes != NULL)
        superfind_free(s->b, found);
    found->record = s->record;
    found->bytes_size = s->record.bytes;
    found->bytes = world->alloc(world->arg, found->bytes_size);
    if (found->bytes == NULL)
        return HFTL_MEMORY;
    memcpy(found->bytes, s->bytes + at, found->bytes_size);
    return HFTL_OK;
}

static enum hftl_status search_copy(struct search *s, struct found *found, int copy)
{
    struct super_copy *mine = &found->copies[copy];
    uint8_t id[FORMAT_ID_BYTES];
    memcpy(id, found->record.id, sizeof(id));
    s->chunk = mine->chunk;
    s->copy = copy;
    enum hftl_status status = blocking_report(s->b, s->chunk, 1, &s->state);
    if (status != HFTL_OK)
        return status;
    mine->state = s->state;
    mine->newest = 0;
    mine->headless = readable_blocks(s) > 0 && !begins_with_record(s);
    search_backwards(s);
    if (s->status == HFTL_VERSION || s->status == HFTL_UNSUPPORTED)
        return s->status;
    if (s->status != HFTL_OK || memcmp(id, s->record.id, sizeof(id)) != 0) {
        /* Whatever is there is no record of ours: newest = 0, and it is reset before it is used. */
        return HFTL_OK;
    }
    mine->newest = s->record.number;
    found->newest_at[copy] = s->record.offset;
    return s->record.number > found->record.number || found->bytes == NULL ? keep(found, s)
                                                                           : HFTL_OK;
}

static enum hftl_status explain(enum hftl_status status, struct why *why)
{
    switch (status) {
    case HFTL_FOREIGN:
        return why_say(why, status, "no hostftl device there");
    case HFTL_VERSION:
        return why_say(why, status,
                       "the superblock was written by another version of the format (this is %u)",
                       FORMAT_VERSION);
    case HFTL_UNSUPPORTED:
        return why_say(why, status, "the superblock asks for features this version does not have");
    default:
        return why_say(why, status, "no superblock record can be read: %s",
                       hftl_status_text(status));
    }
}

/* ---- all devices of a drive ---- */

/* The newest record of both copies, from the one record that was met. */
static enum hftl_status resolve(struct search *s, struct instance *instance, struct why *why)
{
    struct found *found = &instance->found;
    found->record = s->record;
    enum hftl_status status = check_record(s->b, &s->record, why);
    if (status != HFTL_OK)
        return status;
    instance->placed = true;
    found->record.number = 0;
    for (int copy = 0; copy < 2; copy++)
        found->copies[copy].chunk = s->record.layout.superblock_chunk[copy];
    for (int copy = 0; copy < 2; copy++) {
        status = search_copy(s, found, copy);
        if (status != HFTL_OK)
            return explain(status, why);
    }
    if (found->bytes == NULL)
        return why_say(why, HFTL_CORRUPT, "a superblock record is not where it says it is");
    found->repair = found->copies[0].newest != found->copies[1].newest ||
                    found->copies[0].headless || found->copies[1].headless;
    return check_record(s->b, &found->record, why);
}

/* A copy of a device that is in the list. */
static bool is_known_copy(const struct instances *all, uint32_t chunk)
{
    for (uint32_t i = 0; i < all->count; i++) {
        const struct layout *layout = &all->list[i].found.record.layout;
        if (all->list[i].placed &&
            (layout->superblock_chunk[0] == chunk || layout->superblock_chunk[1] == chunk))
            return true;
    }
    return false;
}

static bool is_known_id(const struct instances *all, const uint8_t id[FORMAT_ID_BYTES])
{
    for (uint32_t i = 0; i < all->count; i++)
        if (memcmp(all->list[i].found.record.id, id, FORMAT_ID_BYTES) == 0)
            return true;
    return false;
}

static enum hftl_status add_instance(struct search *s, struct instances *all)
{
    if (is_known_id(all, s->record.id))
        return HFTL_OK;
    if (all->count == all->room) {
        all->crowded = true;
        return HFTL_OK;
    }
    struct instance *instance = &all->list[all->count++];
    instance->status = resolve(s, instance, &instance->why);
    return instance->status == HFTL_MEMORY || instance->status == HFTL_IO ? instance->status
                                                                          : HFTL_OK;
}

static void add_strange(struct instances *all, uint32_t chunk, enum hftl_status status, bool silent)
{
    all->strange[all->strange_count++] = (struct strange){chunk, status, silent};
}

/* What this chunk, which may be a superblock's, says. */
static enum hftl_status look_at(struct search *s, struct instances *all)
{
    s->copy = -1;
    s->status = HFTL_OK;
    if (!begins_with_record(s)) {
        if (s->status != HFTL_OK)
            add_strange(all, s->chunk, s->status, true);
        return HFTL_OK;
    }
    search_backwards(s);
    if (s->status == HFTL_OK)
        return add_instance(s, all);
    if (s->status != HFTL_FOREIGN)
        add_strange(all, s->chunk, s->status, false);
    return HFTL_OK;
}

/* The first good chunks of a PU. */
static enum hftl_status look_at_pu(struct search *s, uint32_t pu, struct instances *all)
{
    const struct hftl_media_facts *facts = facts_of(s);
    uint32_t good = 0;
    for (uint32_t i = 0; i < facts->chunks_per_pu && good < FORMAT_SUPERBLOCK_SEARCH_CHUNKS; i++) {
        s->chunk = pu * facts->chunks_per_pu + i;
        enum hftl_status status = blocking_report(s->b, s->chunk, 1, &s->state);
        if (status != HFTL_OK)
            return status;
        if (s->state.state == HFTL_CHUNK_OFFLINE)
            continue;
        /* As format counts; the others are looked at all the same. */
        good += s->state.state != HFTL_CHUNK_READ_ONLY && s->state.capacity == facts->chunk_blocks;
        if (s->state.state == HFTL_CHUNK_FREE || readable_blocks(s) == 0 ||
            is_known_copy(all, s->chunk) || all->strange_count == all->strange_room)
            continue;
        status = look_at(s, all);
        if (status != HFTL_OK)
            return status;
    }
    return HFTL_OK;
}

static bool is_in_known_pus(const struct instances *all, uint32_t pu)
{
    for (uint32_t i = 0; i < all->count; i++) {
        const struct layout *layout = &all->list[i].found.record.layout;
        if (all->list[i].placed && pu >= layout->pu_first &&
            pu - layout->pu_first < layout->pu_count)
            return true;
    }
    return false;
}

/* A copy that could not be read is not strange when the other one says whose it is; a chunk that
 * said nothing is not, when it is one of a known device's. */
static void drop_explained(const struct search *s, struct instances *all)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < all->strange_count; i++) {
        const struct strange *strange = &all->strange[i];
        uint32_t pu = strange->chunk / facts_of(s)->chunks_per_pu;
        if (!is_known_copy(all, strange->chunk) && !(strange->silent && is_in_known_pus(all, pu)))
            all->strange[kept++] = *strange;
    }
    all->strange_count = kept;
}

enum hftl_status superfind_all(const struct blocking *b, struct instances *all, struct why *why)
{
    const struct world *world = b->world;
    uint32_t pus = hftl_media_pus(&b->medium->facts);
    struct search s;
    memset(all, 0, sizeof(*all));
    all->room = pus;
    all->strange_room = min_u32(pus, UINT32_MAX / FORMAT_SUPERBLOCK_SEARCH_CHUNKS) *
                        FORMAT_SUPERBLOCK_SEARCH_CHUNKS;
    enum hftl_status status = start_search(b, &s);
    if (status != HFTL_OK)
        return why_say(why, status, "no memory to read a chunk");
    all->list = world->alloc(world->arg, all->room * sizeof(*all->list));
    all->strange = world->alloc(world->arg, all->strange_room * sizeof(*all->strange));
    if (all->list == NULL || all->strange == NULL)
        status = HFTL_MEMORY;
    for (uint32_t pu = 0; pu < pus && status == HFTL_OK; pu++)
        status = look_at_pu(&s, pu, all);
    drop_explained(&s, all);
    end_search(&s);
    if (status != HFTL_OK) {
        superfind_all_free(b, all);
        (void)explain(status, why);
    }
    return status;
}

void superfind_all_free(const struct blocking *b, struct instances *all)
{
    const struct world *world = b->world;
    for (uint32_t i = 0; i < all->count; i++)
        superfind_free(b, &all->list[i].found);
    if (all->list != NULL)
        world->release(world->arg, all->list, all->room * sizeof(*all->list));
    if (all->strange != NULL)
        world->release(world->arg, all->strange, all->strange_room * sizeof(*all->strange));
    memset(all, 0, sizeof(*all));
}

/* ---- one of them ---- */

/* "a, b and 3 more": as many names as there is room for. */
static void list_names(const struct instances *all, char *text, size_t bytes)
{
    size_t used = 0;
    for (uint32_t i = 0; i < all->count && used < bytes; i++) {
        const char *name = all->list[i].found.record.layout.name;
        const char *before = i == 0 ? "" : ", ";
        if (used + strlen(name) + sizeof(", and 4294967295 more") >= bytes) {
            (void)snprintf(text + used, bytes - used, " and %u more", all->count - i);
            return;
        }
        used += (size_t)snprintf(text + used, bytes - used, "%s%s", before, name);
    }
}

static enum hftl_status say_which(const struct instances *all, const char *name, struct why *why)
{
    char names[160] = "";
    list_names(all, names, sizeof(names));
    if (name != NULL && all->count > 0)
        return why_say(why, HFTL_ABSENT, "no device '%s' there; there is: %s", name, names);
    if (all->count > 0)
        return why_say(why, HFTL_INVALID,
                       "several devices share the drive, name one as DRIVE#NAME: %s%s", names,
                       all->strange_count > 0 ? ", and one that cannot be read" : "");
    const struct strange *silent = NULL;
    for (uint32_t i = all->strange_count; i > 0; i--) {
        if (!all->strange[i - 1].silent) /* the last is as good as any */
            return explain(all->strange[i - 1].status, why);
        silent = &all->strange[i - 1];
    }
    if (silent != NULL)
        return why_say(why, HFTL_FOREIGN,
                       "no hostftl device is found; chunk %u, which may be one's, cannot be read "
                       "(%s)",
                       silent->chunk, hftl_status_text(silent->status));
    return explain(HFTL_FOREIGN, why);
}

static bool is_foreign_version(const struct instances *all)
{
    for (uint32_t i = 0; i < all->strange_count; i++)
        if (all->strange[i].status == HFTL_VERSION || all->strange[i].status == HFTL_UNSUPPORTED)
            return true;
    return false;
}

/* Nobody formats like that, and two that write to one chunk would destroy each other. */
static const struct instance *find_overlapping(const struct instances *all,
                                               const struct instance *one)
{
    for (uint32_t i = 0; i < all->count; i++) {
        const struct instance *other = &all->list[i];
        if (other != one && other->placed &&
            layout_share_pus(&other->found.record.layout, &one->found.record.layout))
            return other;
    }
    return NULL;
}

static enum hftl_status choose(const struct instances *all, const char *name,
                               struct instance **chosen, struct why *why)
{
    uint32_t matches = 0;
    for (uint32_t i = 0; i < all->count; i++) {
        if (name != NULL && strcmp(all->list[i].found.record.layout.name, name) != 0)
            continue;
        *chosen = &all->list[i];
        matches++;
    }
    if (all->crowded)
        return why_say(why, HFTL_CORRUPT, "more devices than parallel units are on the drive");
    if (matches > 1 && name != NULL)
        return why_say(why, HFTL_CORRUPT, "%u devices on the drive are named '%s'", matches, name);
    if (matches != 1 || (name == NULL && is_foreign_version(all)))
        return say_which(all, name, why);
    if ((*chosen)->status != HFTL_OK) {
        *why = (*chosen)->why;
        return (*chosen)->status;
    }
    const struct instance *other = find_overlapping(all, *chosen);
    if (other != NULL)
        return why_say(why, HFTL_CORRUPT, "the devices '%s' and '%s' overlap",
                       (*chosen)->found.record.layout.name, other->found.record.layout.name);
    return HFTL_OK;
}

enum hftl_status superfind(const struct blocking *b, const char *name, struct found *found,
                           struct why *why)
{
    struct instances all;
    struct instance *chosen = NULL;
    memset(found, 0, sizeof(*found));
    enum hftl_status status = superfind_all(b, &all, why);
    if (status != HFTL_OK)
        return status;
    status = choose(&all, name, &chosen, why);
    if (status == HFTL_OK) {
        *found = chosen->found;
        chosen->found.bytes = NULL;
    }
    superfind_all_free(b, &all);
    return status;
}

void superfind_free(const struct blocking *b, struct found *found)
{
    if (found->bytes != NULL)
        b->world->release(b->world->arg, found->bytes, found->bytes_size);
    found->bytes = NULL;
}
