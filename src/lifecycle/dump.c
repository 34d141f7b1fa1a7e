/* SPDX-License-Identifier: BSD-3-Clause */
#include "lifecycle/dump.h"

#include "base/bytes.h"
#include "format/head.h"
#include "format/lost.h"
#include "format/summary.h"
#include "format/trim_page.h"
#include "lifecycle/build.h"
#include "lifecycle/look.h"
#include "lifecycle/look_super.h"
#include "lifecycle/superfind.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TEXT_BYTES 4096u

struct dump {
    const struct hftl_dump_options *options;
    struct blocking b;
    struct found found;
    struct device *device;
    bool recovered; /* otherwise bands are what their heads say, and nothing is mapped */
    struct look look;
    const struct band *band; /* being shown */
    char text[TEXT_BYTES];
    size_t used;
    uint64_t shown; /* items */
};

/* ---- items ---- */

static void add(struct dump *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct dump *d, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(d->text + d->used, sizeof(d->text) - d->used, format, args);
    va_end(args);
    if (n > 0)
        d->used = min_u64(d->used + (size_t)n, sizeof(d->text) - 1);
}

/* The next piece is written here by an x_to_text function. */
static char *rest(struct dump *d)
{
    return d->text + d->used;
}

static void added(struct dump *d)
{
    d->used += strlen(rest(d));
}

static struct hftl_dump_item item_of(const char *what)
{
    return (struct hftl_dump_item){
        .what = what,
        .ok = true,
        .place = {HFTL_NOWHERE, HFTL_NOWHERE, HFTL_NOWHERE, HFTL_NOWHERE},
        .lba = HFTL_NO_LBA,
    };
}

/* Takes the text that was added. */
static void show(struct dump *d, struct hftl_dump_item *item)
{
    item->text = d->text;
    if (d->options->item != NULL)
        d->options->item(d->options->item_arg, item);
    d->used = 0;
    d->text[0] = 0;
    d->shown++;
}

/* ---- superblocks ---- */

static void show_verdicts(struct dump *d, const struct look_record *found)
{
    struct verdict_walk walk = verdict_walk_start(found->record, found->bytes);
    uint32_t accepted[FORMAT_COLUMNS_MAX];
    struct verdict verdict;
    while (verdict_next(&walk, &verdict, accepted)) {
        struct hftl_dump_item item = item_of("verdict");
        item.place.chunk = found->chunk;
        item.place.offset = found->offset;
        item.place.band = verdict.band;
        verdict_to_text(&verdict, rest(d), sizeof(d->text) - d->used);
        added(d);
        show(d, &item);
    }
}

static bool is_wanted_record(const struct dump *d, const struct look_record *found)
{
    const struct hftl_dump_options *o = d->options;
    return o->what != HFTL_DUMP_BLOCK || (o->chunk == found->chunk && o->offset >= found->offset &&
                                          o->offset < found->offset + found->blocks);
}

static void show_record(void *arg, const struct look_record *found)
{
    struct dump *d = arg;
    struct hftl_dump_item item = item_of("superblock");
    item.place.chunk = found->chunk;
    item.place.offset = found->offset;
    item.ok = found->status == HFTL_OK;
    if (!is_wanted_record(d, found))
        return;
    if (!item.ok) {
        add(d, "%u blocks of copy %c that are no record: %s", found->blocks,
            found->copy == 0 ? 'A' : 'B', hftl_status_text(found->status));
        show(d, &item);
        return;
    }
    superblock_to_text(found->record, rest(d), sizeof(d->text) - d->used);
    added(d);
    show(d, &item);
    show_verdicts(d, found);
}

static void show_superblocks(struct dump *d)
{
    for (uint32_t copy = 0; copy < 2; copy++) {
        enum hftl_status status = look_records(&d->b, &d->found.record, copy, show_record, d);
        struct hftl_dump_item item = item_of("superblock");
        item.ok = false;
        item.place.chunk = d->found.record.layout.superblock_chunk[copy];
        if (status == HFTL_OK)
            continue;
        add(d, "copy %c: %s", copy == 0 ? 'A' : 'B', hftl_status_text(status));
        show(d, &item);
    }
}

/* ---- blocks ---- */

static const char *const sources[] = {"nobody",   "OOB",      "a summary",
                                      "the tail", "recovery", "nobody"};

/* What is inside a metadata block that decodes; the judge has decoded it before. */
static void add_inside(struct dump *d, const struct look_block *block, const struct ident *ident)
{
    const struct format_context *format = &d->device->format;
    struct format_place where = {.place = d->band->index, .position = block->position};
    struct band_mark at = {d->band->index, block->position, d->band->generation};
    size_t room = sizeof(d->text) - d->used;
    uint32_t index;
    struct head head;
    struct summary summary;
    struct trim_page page;
    struct lost lost;
    struct tail tail;
    if (ident->kind == IDENT_HEAD && head_decode(format, &where, block->data, &head) == HFTL_OK)
        head_to_text(&head, rest(d), room);
    if (ident->kind == IDENT_SUMMARY &&
        summary_decode(format, &at, block->data, &summary) == HFTL_OK)
        summary_to_text(&summary, rest(d), room);
    if (ident->kind == IDENT_TRIM && trim_page_decode(format, ident, block->data, &page) == HFTL_OK)
        trim_page_to_text(&page, rest(d), room);
    if (ident->kind == IDENT_LOST && lost_decode(format, ident, block->data, &lost) == HFTL_OK)
        lost_to_text(&lost, rest(d), room);
    if (ident->kind == IDENT_TAIL && look_tail_index(&d->look, block->position, &index) &&
        look_tail_decode(&d->look, index, block->data, &tail) == HFTL_OK)
        tail_to_text(&tail, rest(d), room);
    added(d);
}

/* Whether readers get to this block. */
static void add_use(struct dump *d, const struct look_block *block, const struct ident *ident)
{
    hftl_pba pba = geometry_pba(&d->device->geometry, d->band->index, block->position);
    bool page = ident->kind == IDENT_TRIM;
    if (!d->recovered || (!page && ident->kind != IDENT_DATA && ident->kind != IDENT_LOST))
        return;
    add(d, "%s", map_holds(d->device, ident->lba, page, pba) ? ", current" : ", old");
}

static bool oob_differs(const struct dump *d, const struct look_block *block,
                        const struct look_verdict *verdict)
{
    const uint8_t *bytes = d->look.idents + (size_t)block->position * FORMAT_IDENT_BYTES;
    return block->oob != NULL && verdict->source == LOOK_TAIL &&
           memcmp(block->oob, bytes, FORMAT_IDENT_BYTES) != 0;
}

static void show_named(struct dump *d, const struct look_block *block,
                       const struct look_verdict *verdict, struct hftl_dump_item *item)
{
    if (verdict->ident.kind == IDENT_DATA || verdict->ident.kind == IDENT_LOST)
        item->lba = verdict->ident.lba;
    if (verdict->source == LOOK_NOBODY) {
        add(d, "tail, which names itself"); /* no OOB: its place and its checksum say so */
    } else {
        ident_to_text(&verdict->ident, rest(d), sizeof(d->text) - d->used);
        added(d);
        add(d, ", named by %s", sources[verdict->source]);
    }
    add_use(d, block, &verdict->ident);
    item->ok = verdict->status == HFTL_OK;
    if (!item->ok)
        add(d, "; it %s", verdict->wrong);
    if (item->ok && oob_differs(d, block, verdict)) {
        item->ok = false;
        add(d, "; OOB says something else");
    }
    if (block->data != NULL && verdict->ident.kind != IDENT_DATA &&
        verdict->ident.kind != IDENT_PAD) {
        add(d, "\n");
        add_inside(d, block, &verdict->ident);
    }
}

static bool is_zeros(const struct dump *d, const uint8_t *data)
{
    return data[0] == 0 && memcmp(data, data + 1, d->device->geometry.block_bytes - 1) == 0;
}

static bool is_wanted(const struct dump *d, const struct look_block *block,
                      const struct look_verdict *verdict)
{
    enum ident_kind kind = verdict->ident.kind;
    switch (d->options->what) {
    case HFTL_DUMP_BLOCK:
        return block->chunk == d->options->chunk && block->offset == d->options->offset;
    case HFTL_DUMP_LBA:
        return verdict->named && verdict->ident.lba == d->options->lba &&
               (kind == IDENT_DATA || kind == IDENT_LOST);
    case HFTL_DUMP_TRIMS:
        return verdict->named && kind == IDENT_TRIM;
    default:
        return true;
    }
}

static void show_block(void *arg, const struct look_block *block)
{
    struct dump *d = arg;
    struct look_verdict verdict = look_judge(&d->look, block);
    struct hftl_dump_item item = item_of(verdict.what);
    item.place = (struct hftl_place){block->chunk, block->offset, d->band->index, block->position};
    if (!is_wanted(d, block, &verdict))
        return;
    if (verdict.named) {
        show_named(d, block, &verdict, &item);
    } else if (block->data != NULL && is_zeros(d, block->data)) {
        item.what = "pad";
        add(d, "zeros that nobody names: a pad");
    } else {
        item.ok = false;
        add(d, "%s", block->read == HFTL_OK ? verdict.wrong : hftl_status_text(block->read));
    }
    show(d, &item);
}

/* ---- bands ---- */

static uint64_t count_written(const struct dump *d, const struct band *band)
{
    return look_count(&d->look, band);
}

static void show_band(struct dump *d, const struct band *band)
{
    struct hftl_dump_item item = item_of("band");
    struct head head;
    item.place.band = band->index;
    bool found = look_find_head(&d->look, band, &head);
    uint64_t written = count_written(d, band);
    item.ok = found || written == 0;
    add(d, "band %u: %s", band->index, d->recovered ? band_state_text(band->state) : "not judged");
    if (band->generation != 0)
        add(d, ", generation %" PRIu64 ".%" PRIu64, band->generation >> 32,
            band->generation & UINT32_MAX);
    if (found)
        add(d, ", %s stream", head.stream == STREAM_USER ? "user" : "relocation");
    add(d, ", %u chunks, %" PRIu64 " of %u blocks written", band->width, written,
        band->width * d->device->geometry.chunk_blocks);
    if (d->recovered)
        add(d, ", %u valid", band->valid);
    if (!item.ok)
        add(d, "; no head can be read");
    show(d, &item);
}

/* One block that a tail names, without reading the others. */
static void show_position(struct dump *d, uint32_t position)
{
    struct hftl_media_op op = {.blocks = 0};
    struct look_block block = {.position = position};
    band_locate(d->device, d->band, position, &op);
    block.chunk = op.chunk;
    block.offset = op.offset;
    (void)look_again(&d->look, &block);
    show_block(d, &block);
}

/* Of a band with a whole tail only what is wanted is read. */
static void show_chosen(struct dump *d)
{
    uint32_t tail = geometry_tail(&d->device->geometry, d->band->width);
    for (uint32_t position = 0; position < tail; position++) {
        struct look_block block = {.position = position};
        struct look_verdict verdict = {.named = true};
        const uint8_t *bytes = d->look.idents + (size_t)position * FORMAT_IDENT_BYTES;
        if (d->look.sources[position] == LOOK_TAIL &&
            ident_decode(bytes, &verdict.ident) == HFTL_OK && is_wanted(d, &block, &verdict))
            show_position(d, position);
    }
}

static void show_blocks(struct dump *d, const struct band *band)
{
    enum hftl_dump_what what = d->options->what;
    if (band->width == 0)
        return;
    d->band = band;
    look_begin(&d->look, band);
    bool whole = look_take_tail(&d->look, NULL, NULL);
    if (whole && (what == HFTL_DUMP_LBA || what == HFTL_DUMP_TRIMS)) {
        show_chosen(d);
        return;
    }
    if (!whole) {
        look_take_own(&d->look);
        (void)look_take_tail(&d->look, NULL, NULL); /* as far as it decodes it comes first */
    }
    look_walk(&d->look, show_block, d);
}

static void show_bands(struct dump *d, bool bands, bool blocks)
{
    for (uint32_t i = 0; i < d->device->geometry.bands; i++) {
        const struct band *band = &d->device->bands[i];
        if (bands)
            show_band(d, band);
        if (blocks)
            show_blocks(d, band);
    }
}

/* ---- one block ---- */

static const struct band *band_of_chunk(const struct dump *d, uint32_t chunk)
{
    for (uint32_t i = 0; i < d->device->geometry.bands; i++)
        for (uint32_t c = 0; c < d->device->bands[i].width; c++)
            if (d->device->bands[i].chunks[c] == chunk)
                return &d->device->bands[i];
    return NULL;
}

static void show_nothing(struct dump *d, const char *why)
{
    struct hftl_dump_item item = item_of("block");
    item.place.chunk = d->options->chunk;
    item.place.offset = d->options->offset;
    item.ok = false;
    add(d, "%s", why);
    show(d, &item);
}

static void show_one(struct dump *d)
{
    const struct layout *layout = &d->found.record.layout;
    uint32_t chunk = d->options->chunk;
    bool super = chunk == layout->superblock_chunk[0] || chunk == layout->superblock_chunk[1];
    const struct band *band = super ? NULL : band_of_chunk(d, chunk);
    if (super && d->shown > 0)
        return; /* shown before the device was opened */
    if (super)
        show_nothing(d, "no record of the superblock: a pad, or not written");
    else if (band == NULL)
        show_nothing(d, "this chunk is in no band");
    else if (d->options->offset >= look_readable(&d->look, chunk))
        show_nothing(d, "nothing is written there, or it cannot be read yet");
    else
        show_blocks(d, band);
}

/* ---- the whole ---- */

/* A head says what the device is, when no superblock does. */
static bool find_any_head(struct dump *d, struct why *why)
{
    const struct hftl_media_facts *facts = &d->b.medium->facts;
    struct format_context any = {.block_bytes = facts->block_bytes, .any_device = true};
    uint8_t *block = d->b.world->alloc(d->b.world->arg, facts->block_bytes);
    bool found = false;
    for (uint32_t chunk = 0; block != NULL && !found && chunk < hftl_media_chunks(facts); chunk++) {
        struct hftl_media_op op = {.chunk = chunk, .blocks = 1, .data = block};
        struct hftl_chunk state;
        struct head head;
        if (blocking_report(&d->b, chunk, 1, &state) != HFTL_OK ||
            !hftl_media_readable(facts, &state, 0) || blocking_read(&d->b, op) != HFTL_OK)
            continue;
        struct format_place where = {get_u32(block + 40), get_u32(block + 44)};
        found = head_decode(&any, &where, block, &head) == HFTL_OK &&
                layout_check(&head.layout, facts, why->text, sizeof(why->text)) == HFTL_OK;
        if (!found)
            continue;
        d->found.record.layout = head.layout;
        memcpy(d->found.record.id, head.id, sizeof(head.id));
    }
    if (block != NULL)
        d->b.world->release(d->b.world->arg, block, facts->block_bytes);
    return found;
}

static enum hftl_status find_device(struct dump *d, struct why *why)
{
    struct hftl_dump_item item = item_of("device");
    struct why ignored;
    enum hftl_status status = superfind(&d->b, NULL, &d->found, why);
    if (status == HFTL_OK || status == HFTL_MEMORY || status == HFTL_GEOMETRY)
        return status;
    memset(&d->found, 0, sizeof(d->found));
    if (!find_any_head(d, &ignored))
        return status;
    item.ok = false;
    add(d, "%s; a head says what the device is", why->text);
    show(d, &item);
    return HFTL_OK;
}

static void complete_nothing(void *arg, struct hftl_request *request)
{
    (void)arg;
    (void)request;
}

/* A device of which nothing is known but its layout. */
static enum hftl_status build_unrecovered(struct dump *d, const struct device_options *options)
{
    d->device = build_bare(d->b.medium, d->b.world);
    if (d->device == NULL)
        return HFTL_MEMORY;
    enum hftl_status status = build_super(d->device, &d->found.record.layout, d->found.record.id);
    if (status == HFTL_OK)
        status = build_rest(d->device, options);
    if (status == HFTL_OK)
        build_clear_map(d->device);
    return status;
}

static enum hftl_status open_device(struct dump *d, struct why *why)
{
    struct device_options options = {
        .world = *d->b.world, .complete = complete_nothing, .verify = HFTL_VERIFY_RELOCATION};
    struct hftl_dump_item item = item_of("device");
    enum hftl_status status =
        d->found.bytes == NULL ? HFTL_FOREIGN : device_open(d->b.medium, &options, &d->device, why);
    d->recovered = status == HFTL_OK;
    if (status == HFTL_OK || status == HFTL_MEMORY)
        return status;
    if (d->found.bytes != NULL) {
        item.ok = false;
        add(d, "it cannot be opened: %s; its bands are what their heads say", why->text);
        show(d, &item);
    }
    return build_unrecovered(d, &options);
}

static void take_heads(struct dump *d)
{
    for (uint32_t i = 0; !d->recovered && i < d->device->geometry.bands; i++) {
        struct head head;
        if (look_find_head(&d->look, &d->device->bands[i], &head))
            look_take_head(&d->look, &d->device->bands[i], &head);
    }
}

static enum hftl_status check_range(const struct dump *d, struct why *why)
{
    const struct hftl_dump_options *o = d->options;
    const struct layout *layout = &d->found.record.layout;
    const struct hftl_media_facts *facts = &d->b.medium->facts;
    if (o->what == HFTL_DUMP_BAND && o->band >= layout->bands)
        return why_say(why, HFTL_RANGE, "there are %u bands", layout->bands);
    if (o->what == HFTL_DUMP_LBA && o->lba >= layout->exported_blocks)
        return why_say(why, HFTL_RANGE, "there are %llu lbas",
                       (unsigned long long)layout->exported_blocks);
    if (o->what == HFTL_DUMP_BLOCK &&
        (o->chunk >= hftl_media_chunks(facts) || o->offset >= facts->chunk_blocks))
        return why_say(why, HFTL_RANGE, "there are %u chunks of %u blocks",
                       hftl_media_chunks(facts), facts->chunk_blocks);
    return HFTL_OK;
}

static void show_opened(struct dump *d)
{
    take_heads(d);
    switch (d->options->what) {
    case HFTL_DUMP_BANDS:
        show_bands(d, true, false);
        break;
    case HFTL_DUMP_BAND:
        show_band(d, &d->device->bands[d->options->band]);
        show_blocks(d, &d->device->bands[d->options->band]);
        break;
    case HFTL_DUMP_BLOCK:
        show_one(d);
        break;
    case HFTL_DUMP_LBA:
    case HFTL_DUMP_TRIMS:
        show_bands(d, false, true);
        break;
    default:
        show_bands(d, true, true);
        break;
    }
}

static enum hftl_status dump_device(struct dump *d, struct why *why)
{
    enum hftl_dump_what what = d->options->what;
    enum hftl_status status = check_range(d, why);
    if (status != HFTL_OK)
        return status;
    if (what == HFTL_DUMP_SUPERBLOCKS || what == HFTL_DUMP_ALL || what == HFTL_DUMP_BLOCK)
        show_superblocks(d); /* before recovery adds a record */
    if (what == HFTL_DUMP_SUPERBLOCKS)
        return HFTL_OK;
    status = open_device(d, why);
    if (status == HFTL_OK)
        status = look_start(&d->look, &d->b, d->device);
    if (status != HFTL_OK)
        return why_say(why, status, "%s", hftl_status_text(status));
    show_opened(d);
    return HFTL_OK;
}

enum hftl_status device_dump(struct hftl_media *medium, const struct world *world,
                             const struct hftl_dump_options *options, struct why *why)
{
    struct dump *d = world->alloc(world->arg, sizeof(*d));
    if (d == NULL)
        return why_say(why, HFTL_MEMORY, "no memory");
    d->options = options;
    d->b = (struct blocking){.medium = medium, .world = world};
    enum hftl_status status = find_device(d, why);
    if (status == HFTL_OK)
        status = dump_device(d, why);
    if (d->device != NULL)
        device_discard(d->device);
    superfind_free(&d->b, &d->found);
    world->release(world->arg, d, sizeof(*d));
    return status;
}
