/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * delay_units.h - parallel units in which reads suspend programs and erases (delay.h).
 *
 * OWNS      a queue of reads and one of work (programs, erases) for each unit, what each unit does
 *           now, and the flushes that wait for programs.
 * PROMISES  work of a unit is done in the order in which it came, and so are its reads. When things
 *           happen depends on what was added and when, and on nothing else.
 * IGNORES   channels; what a twin is for. Time comes from outside and never goes back.
 *
 * A UNIT
 *
 *      does         until                                              and then
 *      IDLE         a read comes, or the data of the next work do      READING, WORKING
 *      READING      read_ns are over                                   by READS FIRST
 *      WORKING      a program or the erase ends                        by READS FIRST
 *                   a read waits, and progress_ns are over             SUSPENDING
 *      SUSPENDING   suspend_ns are over                                READING
 *
 * READS FIRST, and how far. When work could begin or go on, the reads that wait at that moment go
 * before it. Those that come later wait until it has run for progress_ns or to the end of a program
 * (of a write of several units, each one); then it is suspended, which takes suspend_ns, unless it
 * would end within that. What was suspended goes on with what it had left. So work that takes L is
 * suspended no more than L / progress_ns times, each time for as many reads as were in flight; and
 * a read waits for no more than progress_ns, suspend_ns and the reads before it. A unit has one
 * work begun at most: programs wait behind a suspended erase.
 *
 * INVARIANTS
 *   U1  work is begun (left_ns counts down) only at the head of its queue.
 *   U2  IDLE: no read waits, and no work that has come.
 *   U3  a twin that was added has due_ns UNITS_PENDING until units_next returns it.
 */
#ifndef HOSTFTL_MEDIA_DELAY_UNITS_H
#define HOSTFTL_MEDIA_DELAY_UNITS_H

#include "media/wrap.h"

#define UNITS_PENDING UINT64_MAX

struct unit;

struct units_times {
    uint64_t read_ns, program_ns, flush_ns, suspend_ns, progress_ns; /* the last two not 0 */
};

struct units_queue {
    struct wrap_twin *first, *last;
};

struct units {
    struct units_times times;
    struct unit *unit;
    uint32_t count;
    uint32_t *soonest; /* a tree: [1] is the unit where something happens next */
    struct units_queue flushes, done;
    uint64_t programs; /* not ended */
    uint64_t suspensions;
};

/* MEMORY; units_free is to be called all the same. */
HFTL_MUST_USE enum hftl_status units_init(struct units *units, uint32_t count,
                                          const struct units_times *times);
void units_free(struct units *units);

/* `now` is not before what units_next was last asked for, and that was asked for all of it. */
void units_add_read(struct units *units, uint32_t unit, struct wrap_twin *twin, uint64_t now);
/* Its data come at twin->begun_ns; it takes twin->left_ns. */
void units_add_work(struct units *units, uint32_t unit, struct wrap_twin *twin, uint64_t now);
/* Ends flush_ns after the last program that was added before it. */
void units_add_flush(struct units *units, struct wrap_twin *twin, uint64_t now);

/* When something happens next that units_next can go on to; UINT64_MAX: never. */
uint64_t units_due(const struct units *units);
/* The next that has ended by `now`, at due_ns; NULL: none. */
struct wrap_twin *units_next(struct units *units, uint64_t now);

#endif
