/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ring.h - a bounded queue of pointers from any number of threads to one, without a lock.
 *
 * The slots are the caller's memory. Places are numbered for ever (64 bits do not wrap); place p is
 * slot p mod capacity in its lap p / capacity. Each slot says whose turn it is:
 *
 *     turn == 2 * lap        free: the producer that claims the place may write
 *     turn == 2 * lap + 1    taken: the consumer may read
 *
 *            tail (consumer)                head (producers)
 *              |                              |
 *     lap L  [ x ][ x ][ claimed, not yet x ][   ][   ]
 *
 *     Q1  A ring of capacity N holds N pointers (N = 1 too).
 *     Q2  What one producer pushed comes out in its order; what `happened before` a push is visible
 *         after the pop.
 *     Q3  pop says "nothing" also while the next place is claimed by a producer that has not
 *         written it yet, though later places may be. So a producer wakes the consumer after each
 *         of its own pushes: then nothing stays behind.
 *     Q4  push fails only when the ring was full. Neither call waits for anybody.
 *
 * It knows nothing of sleeping and waking; that is its user's.
 */
#ifndef HOSTFTL_BASE_RING_H
#define HOSTFTL_BASE_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring_slot {
    _Atomic uint64_t turn;
    void *item;
};

/* Producers and the consumer each write a line of their own, or they would slow each other down. */
#define RING_LINE_BYTES 64

struct ring {
    struct ring_slot *slots;
    uint32_t mask;
    uint32_t lap_shift;
    char apart_1[RING_LINE_BYTES];
    _Atomic uint64_t head; /* next place to claim */
    char apart_2[RING_LINE_BYTES];
    uint64_t tail; /* next place to pop; the consumer's alone */
};

/* `slots`, of `capacity` (a power of two, 1 too), stay the caller's and must outlive the ring. */
void ring_init(struct ring *ring, struct ring_slot *slots, uint32_t capacity);

/* Any thread. False when the ring is full. */
bool ring_push(struct ring *ring, void *item);

/* The consumer. False when there is nothing (Q3); *item is then untouched. */
bool ring_pop(struct ring *ring, void **item);

#endif
