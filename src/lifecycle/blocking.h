/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * blocking.h - media operations for procedures that happen once, and wait (world.wait).
 * Lifecycle's own; nothing of the core waits.
 */
#ifndef HOSTFTL_LIFECYCLE_BLOCKING_H
#define HOSTFTL_LIFECYCLE_BLOCKING_H

#include "core/world.h"

#include <hostftl/hostftl.h>

struct blocking {
    struct hftl_media *medium;
    const struct world *world;
    struct hftl_stats *stats; /* operations are counted here; NULL: nowhere */
    /* Operations of somebody else that are in flight beside these (ahead.h); NULL: there are none.
     * They may keep others out (M8). */
    const uint32_t *under_way;
};

/* Reaps, at most so many; waits for one when nothing is to be reaped. */
void blocking_reap(const struct blocking *b, unsigned most);
/* Counts one that has landed. */
void blocking_note(const struct blocking *b, const struct hftl_media_op *op);

/* Runs all of them; each has its status. The first failure, in order. */
enum hftl_status blocking_run(const struct blocking *b, struct hftl_media_op *ops, unsigned count);
enum hftl_status blocking_flush(const struct blocking *b);
/* Any number of blocks, in pieces the medium takes. oob may be NULL. */
enum hftl_status blocking_read(const struct blocking *b, struct hftl_media_op op);
/* Writes zeros from `offset`, the chunk's write pointer, on; `blocks` a multiple of ws_min. */
enum hftl_status blocking_pad(const struct blocking *b, uint32_t chunk, uint32_t offset,
                              uint32_t blocks);
/* The states of `count` chunks from `first` on. */
enum hftl_status blocking_report(const struct blocking *b, uint32_t first, uint32_t count,
                                 struct hftl_chunk *chunks);
enum hftl_status blocking_chunk(const struct blocking *b, enum hftl_media_verb verb,
                                uint32_t chunk);

#endif
