/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * delay.h - the wrapper that makes a medium as slow as a drive.
 *
 * OWNS      the inner medium; a model of when a drive's parallel units and channels are busy; the
 *           operations that the inner medium has finished and the drive would not have yet.
 * PROMISES  an operation lands when the inner medium has finished it and the model says so, never
 *           earlier; a PU works in the order in which operations were submitted, but where reads
 *           suspend. The contract of media.h holds because landing late is always allowed.
 * IGNORES   what is read and written; a drive's cache, error correction.
 *
 * THE MODEL. A PU does one thing at a time, a channel moves one thing at a time:
 *
 *      read     |== PU: read ==|- channel: blocks x transfer -|
 *      write    |- channel: blocks x transfer -|== PU: program, once a write unit (ws_opt) ==|
 *      reset    |== PU: erase ==|
 *      finish   |== PU: program, once ==|
 *      flush    |== after all writes submitted before it: flush ==|
 *      report, event: at once
 *
 * SUSPENSION (suspend_ns, 0: none). As most drives have it, a read that comes to a PU in a program
 * or an erase suspends it, and goes before programs and erases that have not begun:
 *
 *      program  |== PU: progress_ns at least ==|- suspend -|                  |== what is left ==|
 *      read               comes                            |== PU: read ==|
 *
 * Reads that come meanwhile are next to suspend: delay_units.h has the rules, and the bound on what
 * a program may wait. No read can overtake what it reads: that was written when its write landed
 * (M2), which is after its program; and nothing is in flight in a chunk that is erased (R5).
 *
 * A channel is shared by the PUs of a group. A zoned or flat medium has one PU to show; `units`
 * says how many it has inside, chunk % units each, a channel of its own.
 *
 * REAL TIME: fd() is readable when something is due (a timer), and reap never blocks.
 * VIRTUAL TIME (a clock hook): when all that is in flight waits for its time, reap moves the clock
 * forward to the next landing. So a caller that steps and reaps until nothing is left to do runs
 * through virtual time as fast as it can compute, and the same way each time. A caller that has
 * something to submit before time goes on moves the clock itself (advance_ns NULL), to
 * delay_due(); fd() then knows of what is due only.
 */
#ifndef HOSTFTL_MEDIA_DELAY_H
#define HOSTFTL_MEDIA_DELAY_H

#include <hostftl/media.h>

#include "media/clock.h"

struct delay_options {
    uint32_t size;  /* sizeof this struct */
    uint32_t units; /* 0: the PUs that the medium shows */
    uint64_t read_ns, program_ns, erase_ns, flush_ns;
    uint64_t transfer_ns; /* a block through the channel */
    /* 0: reads suspend nothing. What it takes, and for how long a program or an erase runs before;
     * that is not 0 then, or it would never end. */
    uint64_t suspend_ns, progress_ns;
    const struct media_clock *clock; /* NULL: real time */
};

/* Times of a drive with three bits a cell; no drive in particular. Reads suspend nothing. */
struct delay_options delay_plain(void);

/* MEMORY, IO; the inner medium is then still the caller's. */
HFTL_MUST_USE enum hftl_status delay_open(struct hftl_media *inner,
                                          const struct delay_options *options,
                                          struct hftl_media **delay);
/* When the next operation lands, or a read leaves its PU for the channel, or a PU goes on with
 * something else; now, if the inner medium has to be reaped first; UINT64_MAX: nothing is in
 * flight. */
uint64_t delay_due(const struct hftl_media *delay);
/* How often a program or an erase was suspended. */
uint64_t delay_suspensions(const struct hftl_media *delay);

#endif
