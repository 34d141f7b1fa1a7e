/* SPDX-License-Identifier: BSD-3-Clause */
#include "lifecycle/look_super.h"

#include "base/bytes.h"
#include "core/super.h"

#include <string.h>

/* One copy being looked through. */
struct search {
    const struct blocking *b;
    const struct superblock *newest;
    struct geometry geometry;
    struct format_context format;
    uint32_t copy, chunk, end; /* blocks that can be read */
    uint8_t *bytes;            /* the whole chunk */
    look_record_fn each;
    void *arg;
};

static uint32_t readable(const struct search *s, const struct hftl_chunk *c)
{
    uint32_t end = min_u32(c->wp, s->geometry.chunk_blocks);
    while (end > 0 && !hftl_media_readable(&s->b->medium->facts, c, end - 1))
        end--;
    return end;
}

static uint8_t *at(const struct search *s, uint32_t offset)
{
    return s->bytes + (size_t)offset * s->geometry.block_bytes;
}

/* What cannot be read stays zeros but for its first byte: neither a record nor a pad. */
static void load(struct search *s)
{
    for (uint32_t i = 0; i < s->end; i++) {
        struct hftl_media_op op = {.chunk = s->chunk, .offset = i, .blocks = 1, .data = at(s, i)};
        if (blocking_read(s->b, op) == HFTL_OK || blocking_read(s->b, op) == HFTL_OK)
            continue;
        memset(at(s, i), 0, s->geometry.block_bytes);
        *at(s, i) = 1;
    }
}

static bool is_pad(const struct search *s, uint32_t offset)
{
    const uint8_t *block = at(s, offset);
    return block[0] == 0 && memcmp(block, block + 1, s->geometry.block_bytes - 1) == 0;
}

static enum hftl_status decode(const struct search *s, uint32_t offset, struct superblock *record)
{
    struct format_place where = {.place = s->copy, .position = offset};
    size_t room = (size_t)(s->end - offset) * s->geometry.block_bytes;
    return superblock_decode(&s->format, &where, at(s, offset), room, record);
}

/* Blocks from `offset` on that are neither record nor pad; they are looked for where a record may
 * begin. */
static uint32_t count_damaged(const struct search *s, uint32_t offset)
{
    uint32_t end = offset;
    struct superblock record;
    while (end < s->end && !is_pad(s, end) &&
           (end == offset || end % s->geometry.ws_min != 0 || decode(s, end, &record) != HFTL_OK))
        end++;
    return end - offset;
}

/* How far the search goes on. Behind a record its pads are passed over whatever they hold: a cut
 * may have torn them, and nobody reads them. */
static uint32_t take(struct search *s, uint32_t offset)
{
    struct superblock record;
    struct look_record found = {.copy = s->copy, .chunk = s->chunk, .offset = offset};
    if (is_pad(s, offset))
        return 1;
    found.status = offset % s->geometry.ws_min == 0 ? decode(s, offset, &record) : HFTL_CORRUPT;
    if (found.status != HFTL_OK) {
        found.blocks = count_damaged(s, offset);
        s->each(s->arg, &found);
        return found.blocks;
    }
    found.blocks = record.bytes / s->geometry.block_bytes;
    found.record = &record;
    found.bytes = at(s, offset);
    s->each(s->arg, &found);
    return super_run_blocks(&s->geometry, record.bytes);
}

enum hftl_status look_records(const struct blocking *b, const struct superblock *newest,
                              uint32_t copy, look_record_fn each, void *arg)
{
    struct search s = {.b = b, .newest = newest, .copy = copy, .each = each, .arg = arg};
    struct hftl_chunk chunk;
    geometry_init(&s.geometry, &newest->layout);
    s.format.salt = newest->layout.salt;
    s.format.block_bytes = newest->layout.block_bytes;
    memcpy(s.format.id, newest->id, sizeof(s.format.id));
    s.chunk = newest->layout.superblock_chunk[copy];
    enum hftl_status status = blocking_report(b, s.chunk, 1, &chunk);
    if (status != HFTL_OK)
        return status;
    size_t bytes = (size_t)s.geometry.chunk_blocks * s.geometry.block_bytes;
    s.bytes = b->world->alloc(b->world->arg, bytes);
    if (s.bytes == NULL)
        return HFTL_MEMORY;
    s.end = readable(&s, &chunk);
    load(&s);
    for (uint32_t offset = 0; offset < s.end;)
        offset += take(&s, offset);
    b->world->release(b->world->arg, s.bytes, bytes);
    return HFTL_OK;
}
