/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flush.h - making durable what was acknowledged. One round at a time; who comes while one is under
 * way rides in the next (group commit).
 *
 *   START      take the waiting requests; note the clocks; end the user stream's run (and the
 *              relocation stream's, when an erase asked)
 *   SETTLE     until all of it has landed, and what is left of the bands that are being closed
 *   SYNC       the medium's flush                                                     (O11)
 *   PAGES      for each range trimmed before START: if no write to it is volatile, its trim page
 *              (O2); otherwise hold writes to those ranges and go round again from START
 *   SETTLE 2, SYNC 2
 *   DONE       user_durable, relocation_durable := the clocks of START; the witness; answer
 *
 * F1  user_durable never passes the clock of a write or trim that is not durable.
 * F2  a flush that failed fails all who ride, and every later one (C8), until the device is
 * reopened.
 */
#ifndef HOSTFTL_CORE_FLUSH_H
#define HOSTFTL_CORE_FLUSH_H

#include "base/list.h"
#include "core/errand.h"
#include "format/format.h"

struct hftl_request;
struct request;

struct flush {
    struct errand errand;
    struct errand_op op;
    struct list waiting, riding; /* requests */
    struct list done_waiters;    /* errands: woken at the end of each round */
    bool asked;                  /* by an erase or a close: a round with nobody riding */
    bool asked_relocation;       /* and it must cover the relocation stream */
    bool with_relocation;        /* this round does */
    bool holding;                /* writes to dirty ranges are held */
    bool paged;                  /* this round wrote trim pages */
    uint64_t user_target, relocation_target;
    uint64_t user_ticket, relocation_ticket;
    /* where each stream's run ended; then how far the bands being closed are covered */
    struct band_mark ended[2 * FORMAT_STREAMS_USED];
    uint64_t *snapshot; /* bitmap of ranges that were dirty at START */
    uint32_t next_range;
    uint64_t trace_id;
    uint64_t count;          /* rounds completed in this epoch */
    enum hftl_status failed; /* F2 */
};

void flush_init(struct device *device);
/* The request is completed when all that was acknowledged before is durable. */
void flush_join(struct device *device, struct request *request);
/* A round for the engine itself; done_waiters are woken after it. */
void flush_ask(struct device *device, bool with_relocation);
bool flush_is_idle(const struct device *device);
/* A round that covers the relocation stream is asked for or under way. */
bool flush_covers_relocation(const struct device *device);
/* All riders and waiters get this status. */
void flush_fail_all(struct device *device, enum hftl_status status);

#endif
