/* SPDX-License-Identifier: BSD-3-Clause */
#include "lifecycle/ahead.h"

#include "base/bytes.h"
#include "base/must.h"
#include "lifecycle/opening.h"

enum hftl_status ahead_start(struct opening *o)
{
    struct ahead *ahead = &o->ahead;
    size_t bytes = (size_t)AHEAD_BLOCKS * o->device->geometry.block_bytes;
    size_t oob_bytes = (size_t)AHEAD_BLOCKS * o->device->geometry.oob_bytes;
    ahead->at_once = o->b.medium->ops->fd(o->b.medium) < 0;
    ahead->batches = build_alloc(o->device, AHEAD_BATCHES * sizeof(struct ahead_batch));
    ahead->room = build_alloc(o->device, AHEAD_BATCHES * bytes);
    ahead->oob_room = build_alloc(o->device, AHEAD_BATCHES * oob_bytes + 1);
    if (ahead->batches == NULL || ahead->room == NULL || ahead->oob_room == NULL)
        return HFTL_MEMORY;
    for (uint32_t i = 0; i < AHEAD_BATCHES; i++) {
        struct ahead_batch *batch = &ahead->batches[AHEAD_BATCHES - 1 - i];
        batch->ahead = ahead;
        batch->room = ahead->room + i * bytes;
        batch->oob_room = ahead->oob_room + i * oob_bytes;
        ahead->idle[ahead->idle_count++] = batch;
    }
    o->b.under_way = &ahead->in_flight;
    return HFTL_OK;
}

static void land(struct hftl_media_op *op)
{
    struct ahead_batch *batch = op->owner;
    batch->left--;
    batch->ahead->in_flight--;
}

/* ---- a batch is sent ---- */

/* The operation that ends where the block is; a new one if there is none. */
static uint32_t op_for(struct ahead_batch *batch, const struct ahead_block *block, uint32_t most)
{
    uint32_t index = 0;
    for (; index < batch->op_count; index++) {
        const struct hftl_media_op *op = &batch->ops[index];
        if (op->chunk == block->chunk && op->offset + op->blocks == block->offset &&
            op->blocks < most && (op->oob != NULL) == block->with_oob)
            return index;
    }
    batch->ops[batch->op_count++] =
        (struct hftl_media_op){.verb = HFTL_MEDIA_READ,
                               .chunk = block->chunk,
                               .offset = block->offset,
                               .oob = block->with_oob ? batch->oob_room : NULL,
                               .land = land,
                               .owner = batch};
    return index;
}

/* Room for each operation, and for each of its blocks. */
static void place(struct ahead_batch *batch, const struct geometry *g)
{
    uint8_t *at = batch->room, *oob = batch->oob_room;
    for (uint32_t i = 0; i < batch->op_count; i++) {
        struct hftl_media_op *op = &batch->ops[i];
        op->data = at;
        at += (size_t)op->blocks * g->block_bytes;
        if (op->oob != NULL)
            op->oob = oob;
        oob += (size_t)op->blocks * g->oob_bytes;
    }
    for (uint32_t i = 0; i < batch->block_count; i++) {
        struct ahead_block *block = &batch->blocks[i];
        const struct hftl_media_op *op = &batch->ops[block->op];
        size_t index = block->offset - op->offset;
        block->data = (uint8_t *)op->data + index * g->block_bytes;
        block->oob = block->with_oob ? (uint8_t *)op->oob + index * g->oob_bytes : NULL;
    }
}

static void send(struct opening *o, struct ahead_batch *batch)
{
    struct hftl_media *medium = o->b.medium;
    batch->op_count = 0;
    for (uint32_t i = 0; i < batch->block_count; i++) {
        struct ahead_block *block = &batch->blocks[i];
        block->op = op_for(batch, block, medium->facts.transfer_blocks_max);
        batch->ops[block->op].blocks++;
    }
    place(batch, &o->device->geometry);
    batch->left = batch->op_count;
    o->ahead.in_flight += batch->op_count;
    for (uint32_t i = 0; i < batch->op_count; i++) {
        struct hftl_media_op *op = &batch->ops[i];
        medium->ops->submit(medium, &op, 1);
    }
}

/* ---- and taken ---- */

static void take_oldest(struct opening *o)
{
    struct ahead *ahead = &o->ahead;
    struct ahead_batch *batch = ahead->order[ahead->first];
    while (batch->left > 0)
        blocking_reap(&o->b, ahead->in_flight);
    for (uint32_t i = 0; i < batch->op_count; i++)
        if (batch->ops[i].status == HFTL_AGAIN)
            (void)blocking_run(&o->b, &batch->ops[i], 1); /* counts it */
        else
            blocking_note(&o->b, &batch->ops[i]);
    for (uint32_t i = 0; i < batch->block_count; i++) {
        struct ahead_block *block = &batch->blocks[i];
        block->status = batch->ops[block->op].status;
        block->take(o, block);
    }
    batch->block_count = 0;
    ahead->idle[ahead->idle_count++] = batch;
    ahead->first = (ahead->first + 1) % AHEAD_BATCHES;
    ahead->count--;
}

static void send_filled(struct opening *o)
{
    struct ahead *ahead = &o->ahead;
    struct ahead_batch *batch = ahead->idle[--ahead->idle_count];
    send(o, batch);
    ahead->order[(ahead->first + ahead->count++) % AHEAD_BATCHES] = batch;
    while (ahead->idle_count == 0 || (ahead->at_once && ahead->count > 0))
        take_oldest(o);
}

void ahead_ask(struct opening *o, const struct ahead_block *wanted)
{
    struct ahead_batch *batch = o->ahead.idle[o->ahead.idle_count - 1];
    batch->blocks[batch->block_count++] = *wanted;
    if (batch->block_count == AHEAD_BLOCKS)
        send_filled(o);
}

void ahead_send(struct opening *o)
{
    if (o->ahead.idle[o->ahead.idle_count - 1]->block_count > 0)
        send_filled(o);
}

void ahead_finish(struct opening *o)
{
    struct ahead *ahead = &o->ahead;
    ahead_send(o);
    while (ahead->count > 0)
        take_oldest(o);
}

void ahead_end(struct opening *o)
{
    struct ahead *ahead = &o->ahead;
    while (ahead->in_flight > 0)
        blocking_reap(&o->b, ahead->in_flight);
    o->b.under_way = NULL;
    build_free(o->device, ahead->batches);
    build_free(o->device, ahead->room);
    build_free(o->device, ahead->oob_room);
    *ahead = (struct ahead){.batches = NULL};
}
