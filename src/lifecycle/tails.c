/* SPDX-License-Identifier: BSD-3-Clause */
/* tails.c - the tail blocks of bands: asked for many at a time, taken in order. */
#include "base/bitmap.h"
#include "base/bytes.h"
#include "format/tail.h"
#include "lifecycle/opening.h"

#define TRIES 2u

struct tail_read {
    struct band *band;
    struct tail_place place;
    struct hftl_media_op op; /* of this block alone */
};

enum hftl_status tails_start(struct opening *o)
{
    struct tails *tails = &o->tails;
    tails->reads = build_alloc(o->device, o->scratch_blocks * sizeof(struct tail_read));
    tails->ops = build_alloc(o->device, o->scratch_blocks * sizeof(struct hftl_media_op));
    return tails->reads == NULL || tails->ops == NULL ? HFTL_MEMORY : HFTL_OK;
}

void tails_end(struct opening *o)
{
    build_free(o->device, o->tails.reads);
    build_free(o->device, o->tails.ops);
}

enum hftl_status tails_say(struct opening *o, enum hftl_status status)
{
    const struct tail_read *read = &o->tails.reads[o->tails.failed];
    return why_say(o->why, status, "tail %u of band %u (chunk %u, block %u): %s", read->place.index,
                   read->band->index, read->op.chunk, read->op.offset, hftl_status_text(status));
}

static enum hftl_status read_alone(struct opening *o, const struct tail_read *read,
                                   struct tail *tail)
{
    enum hftl_status status = HFTL_IO;
    for (unsigned tries = 0; tries < TRIES && status != HFTL_OK; tries++) {
        status = blocking_read(&o->b, read->op);
        if (status == HFTL_OK)
            status = tail_decode(&o->device->format, &read->place, read->op.data, tail);
    }
    return status;
}

/* What cannot be used is asked for alone before it is given up. */
static enum hftl_status take(struct opening *o, uint32_t index, bool was_read)
{
    const struct tail_read *read = &o->tails.reads[index];
    struct tail tail;
    enum hftl_status status = HFTL_IO;
    if (was_read)
        status = tail_decode(&o->device->format, &read->place, read->op.data, &tail);
    if (status != HFTL_OK)
        status = read_alone(o, read, &tail);
    if (status == HFTL_OK && o->tails.take != NULL) {
        o->tails.take(o, read->band, read->place.index, &tail);
        o->tails.taken++;
    }
    o->tails.failed = index;
    return status;
}

/* Neighbours in one operation; returns how many operations there are. */
static uint32_t join(struct opening *o)
{
    uint32_t most = o->b.medium->facts.transfer_blocks_max, ops = 0;
    for (uint32_t i = 0; i < o->tails.count; i++) {
        const struct hftl_media_op *op = &o->tails.reads[i].op;
        struct hftl_media_op *last = ops == 0 ? NULL : &o->tails.ops[ops - 1];
        if (last != NULL && last->chunk == op->chunk && last->offset + last->blocks == op->offset &&
            last->blocks < most)
            last->blocks++;
        else
            o->tails.ops[ops++] = *op;
    }
    return ops;
}

enum hftl_status tails_take(struct opening *o)
{
    uint32_t ops = join(o), index = 0;
    enum hftl_status status = HFTL_OK;
    (void)blocking_run(&o->b, o->tails.ops, ops); /* each has its own status */
    for (uint32_t i = 0; i < ops; i++)
        for (uint32_t k = 0; k < o->tails.ops[i].blocks && status == HFTL_OK; k++)
            status = take(o, index++, o->tails.ops[i].status == HFTL_OK);
    o->tails.count = 0;
    return status;
}

static bool is_asked_for(const struct opening *o, const struct tail_place *place)
{
    uint32_t position = place->index * o->device->geometry.tail_max;
    return o->tails.only == NULL ||
           bitmap_get(o->tails.only, tails_number(o, &o->device->bands[place->band], position));
}

enum hftl_status tails_ask(struct opening *o, struct band *band)
{
    const struct geometry *g = &o->device->geometry;
    uint32_t blocks = band->width * g->chunk_blocks;
    struct tail_place place = {.band = band->index,
                               .generation = band->generation,
                               .band_blocks = blocks,
                               .ws_min = g->ws_min};
    uint32_t first = tail_first(&place, g->block_bytes);
    enum hftl_status status = HFTL_OK;
    for (; first + place.index < blocks && status == HFTL_OK; place.index++) {
        if (tail_idents(&place, g->block_bytes) == 0)
            break;
        if (!is_asked_for(o, &place))
            continue;
        struct tail_read *read = &o->tails.reads[o->tails.count];
        *read =
            (struct tail_read){.band = band,
                               .place = place,
                               .op = {.verb = HFTL_MEDIA_READ,
                                      .blocks = 1,
                                      .data = o->block + (size_t)o->tails.count * g->block_bytes}};
        band_locate(o->device, band, first + place.index, &read->op);
        o->tails.failed = o->tails.count++;
        if (!hftl_media_readable(&o->b.medium->facts, &o->chunks[read->op.chunk],
                                 read->op.offset)) {
            o->tails.count = 0;
            return HFTL_CORRUPT;
        }
        if (o->tails.count == o->scratch_blocks)
            status = tails_take(o);
    }
    return status;
}
