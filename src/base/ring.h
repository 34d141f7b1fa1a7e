/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ring.h - a bounded queue of pointers from one thread to another, without a lock.
 *
 * The slots are the caller's memory. Places are numbered for ever (64 bits do not wrap); place p is
 * slot p mod capacity. A slot that is NULL is the producer's, any other the consumer's:
 *
 *            tail (consumer)                head (producer)
 *              |                              |
 *          [ x ][ x ][ x ][ x ][ x ][ x ][ x ][   ][   ]
 *
 *     Q1  A ring of capacity N holds N pointers (N = 1 too), none of them NULL.
 *     Q2  What was pushed comes out in its order; what `happened before` a push is visible after
 *         the pop.
 *     Q3  At a time one thread pushes and one pops; who takes over from another has to come after
 *         it (a lock, a join).
 *     Q4  push fails only when the ring was full. Neither call waits for anybody.
 *
 * Why not for several producers? Each channel has its own ring, and a place that nobody else can
 * claim costs no atomic exchange.
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
    _Atomic(void *) item;
};

/* Producer and consumer each write a line of their own, or they would slow each other down. */
#define RING_LINE_BYTES 64

struct ring {
    struct ring_slot *slots;
    uint32_t mask;
    char apart_1[RING_LINE_BYTES];
    uint64_t head; /* next place to push; the producer's alone */
    char apart_2[RING_LINE_BYTES];
    uint64_t tail; /* next place to pop; the consumer's alone */
};

/* `slots`, of `capacity` (a power of two, 1 too), stay the caller's and must outlive the ring. */
void ring_init(struct ring *ring, struct ring_slot *slots, uint32_t capacity);

/* The producer. False when the ring is full. */
static inline bool ring_push(struct ring *ring, void *item)
{
    struct ring_slot *slot = &ring->slots[ring->head & ring->mask];

    /* Acquire: the consumer is done with the item that was here a lap ago. */
    if (atomic_load_explicit(&slot->item, memory_order_acquire) != NULL)
        return false;
    ring->head++;
    atomic_store_explicit(&slot->item, item, memory_order_release); /* Q2 */
    return true;
}

/* The consumer. NULL when there is nothing. */
static inline void *ring_pop(struct ring *ring)
{
    struct ring_slot *slot = &ring->slots[ring->tail & ring->mask];
    void *item = atomic_load_explicit(&slot->item, memory_order_acquire);

    if (item == NULL)
        return NULL;
    ring->tail++;
    atomic_store_explicit(&slot->item, NULL, memory_order_release);
    return item;
}

#endif
