/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * recorder.h - the last so many records of what happened, from one thread to any others that look.
 *
 * I own        a ring of records in memory that somebody lent, and a mask of what is wanted.
 * I promise    writing never waits and never fails: the oldest record is overwritten. A reader gets
 *              whole records in their order, and the number of those that it was too slow for.
 *              Readers neither wait nor make anybody wait.
 * I ignore     what a record means: five words.
 *
 * Records are numbered for ever; number n is in slot n mod capacity.
 *
 *      overwritten |  n = ended - capacity ... ended - 1  | begun: being written
 *                     ^ cursor.next
 *
 * R1  ended <= begun <= ended + 1. Slot n may change as soon as begun > n + capacity.
 * R2  A reader copies first and looks at `begun` afterwards: what may have been overwritten while
 *     it copied is dropped and counted as lost. The fences make the two looks at both ends mean
 *     what they seem to (the writer raises `begun` before it writes; the reader reads before it
 *     looks at `begun`); each word is atomic by itself, so that a torn record is only ever dropped.
 */
#ifndef HOSTFTL_BASE_RECORDER_H
#define HOSTFTL_BASE_RECORDER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORDER_WORDS 5u

struct recorder_slot {
    _Atomic uint64_t words[RECORDER_WORDS];
};

struct recorder {
    _Atomic uint64_t mask; /* what is wanted; what a bit means is the writer's */
    struct recorder_slot *slots;
    uint64_t capacity; /* a power of two; 0: nothing is kept */
    _Atomic uint64_t begun, ended;
};

struct recorder_cursor {
    uint64_t next; /* number of the next record to read; 0 at first: the oldest there is */
    uint64_t lost; /* records overwritten before they were read, so far */
};

/* `slots`, zeroed, stay the caller's and must outlive the recorder. */
void recorder_init(struct recorder *recorder, struct recorder_slot *slots, uint64_t capacity);

/* Any thread. */
void recorder_want(struct recorder *recorder, uint64_t mask);
static inline uint64_t recorder_wanted(const struct recorder *recorder)
{
    return atomic_load_explicit(&recorder->mask, memory_order_relaxed);
}

/* Any thread. How many records there ever were, and of these, how many are no longer kept. */
uint64_t recorder_count(const struct recorder *recorder, uint64_t *overwritten);

/* The writer's thread only. */
void recorder_add(struct recorder *recorder, const uint64_t words[RECORDER_WORDS]);

/* Any thread; each with a cursor of its own. Up to `count` records; returns how many. */
size_t recorder_read(const struct recorder *recorder, struct recorder_cursor *cursor,
                     uint64_t (*records)[RECORDER_WORDS], size_t count);

#endif
