/* SPDX-License-Identifier: BSD-3-Clause */
/* tails.c - the tail blocks of bands: asked for ahead, column by column, each judged by itself. */
#include "base/bitmap.h"
#include "base/bytes.h"
#include "format/tail.h"
#include "lifecycle/opening.h"

#define TRIES 2u

/* Where the first of a band's tail blocks is; the others follow. */
static struct tail_place place_of(const struct opening *o, const struct band *band)
{
    const struct geometry *g = &o->device->geometry;
    return (struct tail_place){.band = band->index,
                               .generation = band->generation,
                               .band_blocks = band->width * g->chunk_blocks,
                               .ws_min = g->ws_min};
}

static enum hftl_status read_alone(struct opening *o, const struct ahead_block *block,
                                   const struct tail_place *place, struct tail *tail)
{
    struct hftl_media_op op = {
        .chunk = block->chunk, .offset = block->offset, .blocks = 1, .data = block->data};
    enum hftl_status status = HFTL_IO;
    for (unsigned tries = 0; tries < TRIES && status != HFTL_OK; tries++) {
        status = blocking_read(&o->b, op);
        if (status == HFTL_OK)
            status = tail_decode(&o->device->format, place, op.data, tail);
    }
    return status;
}

/* What cannot be used is asked for alone before it is given up. */
static void take_block(struct opening *o, const struct ahead_block *block)
{
    struct tail_place place = place_of(o, block->band);
    struct tail tail;
    enum hftl_status status = block->status;
    place.index = block->number;
    if (status == HFTL_OK)
        status = tail_decode(&o->device->format, &place, block->data, &tail);
    if (status != HFTL_OK)
        status = read_alone(o, block, &place, &tail);
    if (status == HFTL_OK)
        o->tails.take(o, block->band, place.index, &tail);
    else
        o->tails.fail(o, status, block);
}

enum hftl_status tails_say(struct opening *o, enum hftl_status status,
                           const struct ahead_block *block)
{
    return why_say(o->why, status, "tail %u of band %u (chunk %u, block %u): %s", block->number,
                   block->band->index, block->chunk, block->offset, hftl_status_text(status));
}

static bool is_asked_for(const struct opening *o, const struct band *band, uint32_t index)
{
    uint32_t position = index * o->device->geometry.tail_max;
    return o->tails.only == NULL || bitmap_get(o->tails.only, tails_number(o, band, position));
}

void tails_ask(struct opening *o, struct band *band)
{
    const struct geometry *g = &o->device->geometry;
    struct tail_place place = place_of(o, band);
    uint32_t first = tail_first(&place, g->block_bytes);
    for (; first + place.index < place.band_blocks; place.index++) {
        struct hftl_media_op op = {.blocks = 1};
        if (tail_idents(&place, g->block_bytes) == 0)
            break; /* pads */
        if (!is_asked_for(o, band, place.index))
            continue;
        band_locate(o->device, band, first + place.index, &op);
        struct ahead_block block = {.band = band,
                                    .number = place.index,
                                    .chunk = op.chunk,
                                    .offset = op.offset,
                                    .take = take_block};
        if (!hftl_media_readable(&o->b.medium->facts, &o->chunks[op.chunk], op.offset)) {
            o->tails.fail(o, HFTL_CORRUPT, &block);
            return;
        }
        ahead_ask(o, &block);
    }
}
