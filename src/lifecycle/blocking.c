/* SPDX-License-Identifier: BSD-3-Clause */
#include "lifecycle/blocking.h"

#include "base/bytes.h"
#include "core/stats.h"

/* Chunks asked for in one report. */
#define REPORT_MAX 256u
/* Times that a medium with nothing in flight may say that it has no room, against M8. */
#define AGAIN_TRIES_MAX 8u

/* Writes that wait are pads, and what is read is looked at for its identity. */
void blocking_note(const struct blocking *b, const struct hftl_media_op *op)
{
    if (b->stats != NULL)
        stats_count(b->stats, op, op->verb == HFTL_MEDIA_WRITE ? HFTL_IO_PAD : HFTL_IO_METADATA);
}

void blocking_reap(const struct blocking *b, unsigned most)
{
    if (b->medium->ops->reap(b->medium, most) == 0)
        b->world->wait(b->world->arg, b->medium);
}

static void land(struct hftl_media_op *op)
{
    unsigned *left = op->owner;
    (*left)--;
}

/* Returns when all of them have landed. */
static void run_all(const struct blocking *b, struct hftl_media_op *ops, unsigned count)
{
    unsigned left = count;
    for (unsigned i = 0; i < count; i++) {
        struct hftl_media_op *op = &ops[i];
        op->land = land;
        op->owner = &left;
        b->medium->ops->submit(b->medium, &op, 1);
    }
    while (left > 0)
        blocking_reap(b, count);
}

static void settle(const struct blocking *b)
{
    while (b->under_way != NULL && *b->under_way > 0)
        blocking_reap(b, *b->under_way);
}

enum hftl_status blocking_run(const struct blocking *b, struct hftl_media_op *ops, unsigned count)
{
    run_all(b, ops, count);
    for (unsigned i = 0; i < count; i++) /* with nothing else in flight there is room (M8) */
        for (unsigned tries = 0; ops[i].status == HFTL_AGAIN && tries < AGAIN_TRIES_MAX; tries++) {
            settle(b);
            run_all(b, &ops[i], 1);
        }
    for (unsigned i = 0; i < count; i++)
        blocking_note(b, &ops[i]);
    for (unsigned i = 0; i < count; i++)
        if (ops[i].status != HFTL_OK)
            return ops[i].status;
    return HFTL_OK;
}

enum hftl_status blocking_flush(const struct blocking *b)
{
    struct hftl_media_op op = {.verb = HFTL_MEDIA_FLUSH};
    return blocking_run(b, &op, 1);
}

enum hftl_status blocking_read(const struct blocking *b, struct hftl_media_op op)
{
    const struct hftl_media_facts *facts = &b->medium->facts;
    uint32_t left = op.blocks;
    op.verb = HFTL_MEDIA_READ;
    while (left > 0) {
        op.blocks = min_u32(left, facts->transfer_blocks_max);
        enum hftl_status status = blocking_run(b, &op, 1);
        if (status != HFTL_OK)
            return status;
        op.offset += op.blocks;
        op.data = (uint8_t *)op.data + (size_t)op.blocks * facts->block_bytes;
        if (op.oob != NULL)
            op.oob = (uint8_t *)op.oob + (size_t)op.blocks * facts->oob_bytes;
        left -= op.blocks;
    }
    return HFTL_OK;
}

enum hftl_status blocking_pad(const struct blocking *b, uint32_t chunk, uint32_t offset,
                              uint32_t blocks)
{
    const struct hftl_media_facts *facts = &b->medium->facts;
    uint32_t most =
        min_u32(facts->transfer_blocks_max, facts->ws_opt) / facts->ws_min * facts->ws_min;
    size_t bytes = (size_t)most * facts->block_bytes;
    void *zeros = b->world->alloc(b->world->arg, bytes);
    enum hftl_status status = zeros == NULL ? HFTL_MEMORY : HFTL_OK;
    while (blocks > 0 && status == HFTL_OK) {
        /* Not across a unit's boundary (O15). */
        uint32_t to_unit = facts->ws_opt - offset % facts->ws_opt;
        uint32_t now = min_u32(min_u32(blocks, most), to_unit);
        struct hftl_media_op op = {.verb = HFTL_MEDIA_WRITE,
                                   .chunk = chunk,
                                   .offset = offset,
                                   .blocks = now,
                                   .data = zeros};
        status = blocking_run(b, &op, 1);
        offset += now;
        blocks -= now;
    }
    if (zeros != NULL)
        b->world->release(b->world->arg, zeros, bytes);
    return status;
}

enum hftl_status blocking_report(const struct blocking *b, uint32_t first, uint32_t count,
                                 struct hftl_chunk *chunks)
{
    for (uint32_t at = 0; at < count; at += REPORT_MAX) {
        struct hftl_media_op op = {.verb = HFTL_MEDIA_REPORT,
                                   .chunk = first + at,
                                   .blocks = min_u32(REPORT_MAX, count - at),
                                   .out.report = chunks + at};
        enum hftl_status status = blocking_run(b, &op, 1);
        if (status != HFTL_OK)
            return status;
    }
    return HFTL_OK;
}

enum hftl_status blocking_chunk(const struct blocking *b, enum hftl_media_verb verb, uint32_t chunk)
{
    struct hftl_media_op op = {.verb = verb, .chunk = chunk};
    return blocking_run(b, &op, 1);
}
