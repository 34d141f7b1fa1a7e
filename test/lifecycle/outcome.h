/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * outcome.h - what opening made of a device, to be compared; and a drive that takes its time.
 *
 *      stand --> device --> queue --> guard
 *
 * OWNS      copies of the map and of what bands hold; the operations that wait in a queue.
 * PROMISES  an outcome outlives its device. A queue lands one operation at a time, whichever it
 *           likes by its seed, and refuses what it has no room for (M8).
 */
#ifndef HOSTFTL_TEST_LIFECYCLE_OUTCOME_H
#define HOSTFTL_TEST_LIFECYCLE_OUTCOME_H

#include "test/core/stand.h"

struct outcome {
    uint32_t *map, *pages, *crc, *valid;
    uint64_t blocks, mapped;
    uint32_t ranges, bands, epoch;
};

/* Of the device that is open. */
struct outcome outcome_of(const struct stand *stand);
void outcome_same(const struct outcome *a, const struct outcome *b);
void outcome_drop(struct outcome *outcome);

#define QUEUE_MAX 4096u

struct queue {
    struct hftl_media media;
    struct hftl_media *inner;
    struct prng prng;
    struct hftl_media_op *waiting[QUEUE_MAX], *refused[QUEUE_MAX];
    uint32_t waiting_count, refused_count, room;
    uint32_t most;        /* that waited at a time */
    uint32_t chunks_most; /* of which reads waited at a time */
    uint64_t refusals;
};

/* Around the stand's guard, until it is taken away; nothing is in flight then. */
void queue_put(struct queue *queue, struct stand *stand, uint32_t room);
void queue_take_away(struct queue *queue, struct stand *stand);

#endif
