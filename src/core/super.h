/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * super.h - the superblock's log: each record to copy A, medium flush, copy B, medium flush (O4).
 *
 * I own        where both copies are, how full they are, the record's number, the epoch's reserve.
 * I promise    the newest record is always whole in at least one copy, flushed (O5).
 *              A copy whose chunk fails is given up, said loudly, and the other goes on until it is
 *              full: alone it may not be reset.
 * I ignore     what the record means.
 *
 *   for each copy, the one that lacks the last record first:
 *                   [ when full, the other holds the newest: FILL to its end, RESET ] -> WRITE
 *                   (record, then pads until it can be read) -> SYNC
 */
#ifndef HOSTFTL_CORE_SUPER_H
#define HOSTFTL_CORE_SUPER_H

#include "core/errand.h"
#include "core/geometry.h"
#include "format/superblock.h"

struct super_copy {
    uint32_t chunk;
    struct hftl_chunk state; /* as last known */
    uint64_t newest;         /* number of its newest record; 0: none */
    bool dead;               /* takes no more records: the other copy goes on alone */
    bool headless;           /* begins with no record: nobody finds it without the other one */
};

struct super {
    struct errand errand;
    struct errand_op op;
    struct super_copy copies[2];
    struct superblock record; /* the newest; the next one is made from it */
    uint8_t *bytes;           /* encoded, with room for pads */
    size_t bytes_room;
    uint32_t record_blocks, run_blocks, written; /* of the copy being written */
    int copy;
    struct list waiters; /* errands: woken when the record is in both copies */
    enum hftl_status result;
    bool busy;
    /* Recovery's verdicts of bands that are still SEALED or EMPTIED. */
    struct verdict *verdicts;
    uint32_t verdict_count;
    uint32_t *accepted; /* zeros, for bands of which nothing is accepted */
};

void super_init(struct device *device);
/* Starts writing super.record, numbered and encoded here, to both copies. Not while one is under
 * way. */
void super_write(struct device *device);
/* Blocks a record run takes on the medium. */
uint32_t super_run_blocks(const struct geometry *g, uint64_t record_bytes);

#endif
