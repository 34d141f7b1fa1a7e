/* SPDX-License-Identifier: BSD-3-Clause */
#include "test/lifecycle/outcome.h"

#include "base/bytes.h"

#include <stdlib.h>
#include <string.h>

static void *copy(const void *from, size_t bytes)
{
    void *to = malloc(bytes);
    assert_non_null(to);
    return memcpy(to, from, bytes);
}

struct outcome outcome_of(const struct stand *stand)
{
    const struct device *d = stand->device;
    const struct geometry *g = &d->geometry;
    struct outcome o = {
        .map = copy(d->map.pba.narrow, g->blocks * sizeof(uint32_t)),
        .pages = copy(d->map.page_pba.narrow, g->ranges * sizeof(uint32_t)),
        .crc = d->map.crc == NULL ? NULL : copy(d->map.crc, g->blocks * sizeof(uint32_t)),
        .valid = calloc(g->bands, sizeof(uint32_t)),
        .blocks = g->blocks,
        .mapped = d->map.mapped,
        .ranges = g->ranges,
        .bands = g->bands,
        .epoch = d->epoch,
    };
    assert_non_null(o.valid);
    for (uint32_t i = 0; i < g->bands; i++)
        o.valid[i] = d->bands[i].valid;
    return o;
}

void outcome_same(const struct outcome *a, const struct outcome *b)
{
    for (uint64_t lba = 0; lba < a->blocks; lba++) {
        assert_int_equal(a->map[lba], b->map[lba]);
        if (a->crc != NULL && a->map[lba] != UINT32_MAX)
            assert_int_equal(a->crc[lba], b->crc[lba]);
    }
    assert_memory_equal(a->pages, b->pages, a->ranges * sizeof(uint32_t));
    assert_memory_equal(a->valid, b->valid, a->bands * sizeof(uint32_t));
    assert_int_equal(a->mapped, b->mapped);
    assert_int_equal(a->epoch, b->epoch);
}

void outcome_drop(struct outcome *o)
{
    free(o->map);
    free(o->pages);
    free(o->crc);
    free(o->valid);
}

/* ---- a drive that takes its time ---- */

static struct queue *queue_of(const struct hftl_media *media)
{
    return (struct queue *)(uintptr_t)media;
}

static uint32_t count_chunks(const struct queue *queue)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < queue->waiting_count; i++) {
        bool is_new = queue->waiting[i]->verb == HFTL_MEDIA_READ;
        for (uint32_t k = 0; k < i && is_new; k++)
            is_new = queue->waiting[k]->chunk != queue->waiting[i]->chunk;
        count += is_new;
    }
    return count;
}

static void queue_submit(struct hftl_media *media, struct hftl_media_op **ops, unsigned count)
{
    struct queue *queue = queue_of(media);
    for (unsigned i = 0; i < count; i++) {
        assert_true(queue->waiting_count + queue->refused_count < QUEUE_MAX);
        if (queue->waiting_count < queue->room) {
            queue->waiting[queue->waiting_count++] = ops[i];
            continue;
        }
        ops[i]->status = HFTL_AGAIN;
        queue->refused[queue->refused_count++] = ops[i];
        queue->refusals++;
    }
    queue->most = max_u32(queue->most, queue->waiting_count);
    queue->chunks_most = max_u32(queue->chunks_most, count_chunks(queue));
}

static unsigned queue_reap(struct hftl_media *media, unsigned max)
{
    struct queue *queue = queue_of(media);
    struct hftl_media_op *op;
    if (max > 0 && queue->refused_count > 0) {
        op = queue->refused[--queue->refused_count];
        op->land(op);
        return 1;
    }
    if (max == 0 || queue->waiting_count == 0)
        return 0;
    uint32_t at = (uint32_t)prng_below(&queue->prng, queue->waiting_count);
    op = queue->waiting[at];
    queue->waiting[at] = queue->waiting[--queue->waiting_count];
    queue->inner->ops->submit(queue->inner, &op, 1);
    while (queue->inner->ops->reap(queue->inner, 1) == 0)
        ;
    return 1;
}

static int queue_fd(struct hftl_media *media)
{
    (void)media;
    return 0; /* not always ready; nobody polls it here */
}

static const struct hftl_media_ops queue_ops = {
    .name = "queue", .submit = queue_submit, .reap = queue_reap, .fd = queue_fd};

void queue_put(struct queue *queue, struct stand *stand, uint32_t room)
{
    memset(queue, 0, sizeof *queue);
    queue->media = (struct hftl_media){.ops = &queue_ops, .facts = stand->guard->facts};
    queue->inner = stand->guard;
    queue->room = room;
    prng_seed(&queue->prng, room);
    stand->guard = &queue->media;
}

void queue_take_away(struct queue *queue, struct stand *stand)
{
    stand->guard = queue->inner;
    assert_int_equal(queue->waiting_count + queue->refused_count, 0);
}
