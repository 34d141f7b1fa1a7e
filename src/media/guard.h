/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * guard.h - the wrapper that checks both sides of media.h, and stops the process at a breach.
 *
 * OWNS      the inner medium, and its own idea of every chunk: what must have happened, had both
 *           sides kept the contract.
 * PROMISES  must() on the first breach, by the caller (R1 to R7, judged by rules.h on what has
 *           landed) or by the medium (M1: once, from reap, not from submit; M3: the write pointer;
 *           M7; reports that do not fit what is known; a RULE_ status for a legal op).
 *           Otherwise invisible: same facts, same fd, same order.
 * IGNORES   data; durability (the power-cut tests see to that).
 *
 * WHAT IT KNOWS OF A CHUNK
 *   sure      the state (OPEN and PAUSED are one: a drive may pause) and exactly the write pointer
 *   unsure    a write, reset or finish did not land OK: the write pointer is between two values.
 *             The caller must let a REPORT land before it writes, resets or finishes (M3); what was
 *             readable stays readable.
 * A chunk that a report or a status shows READ_ONLY or OFFLINE stays so.
 *
 * Not seen: the chunk that a zoned drive pauses is not known, so the open limit of zoned drives is
 * not checked (the drive keeps it itself), only the active limit.
 */
#ifndef HOSTFTL_MEDIA_GUARD_H
#define HOSTFTL_MEDIA_GUARD_H

#include <hostftl/media.h>

struct guard_options {
    uint32_t size;          /* sizeof this struct */
    bool tolerate_reads;    /* reads of unreadable blocks pass; counted */
    bool tolerate_refusals; /* ops against the rules pass to the medium, which must refuse them */
};

struct guard_counts {
    uint64_t submitted[HFTL_MEDIA_VERB_COUNT];
    uint64_t failed[HFTL_MEDIA_VERB_COUNT]; /* landed with another status than OK */
    uint64_t blocks_read, blocks_written;   /* of what landed OK */
    uint64_t unreadable_reads;              /* passed because tolerated */
    uint64_t in_flight;
    uint64_t ops; /* submitted so far, of all verbs */
};

/* Reads all chunk states first (blocks for that). options may be NULL. MEMORY, IO; the inner medium
 * is then still the caller's. Close closes the inner medium. */
HFTL_MUST_USE enum hftl_status guard_open(struct hftl_media *inner,
                                          const struct guard_options *options,
                                          struct hftl_media **guard);

void guard_count(const struct hftl_media *guard, struct guard_counts *counts);
struct hftl_media *guard_inner(struct hftl_media *guard);
/* Frees the guard alone, ops in flight or not; the inner medium is the caller's again. */
struct hftl_media *guard_abandon(struct hftl_media *guard);

#endif
