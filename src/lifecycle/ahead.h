/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ahead.h - blocks read ahead of those who look at them, in the order they were asked for.
 *
 * I own        AHEAD_BATCHES batches of AHEAD_BLOCKS blocks, their room and their operations.
 * I promise    each block that is asked for is taken once, by the function that was named for it,
 *              within a later ahead_ask, ahead_send or ahead_finish; never while anything else is
 *              waited for.
 * I ignore     what is read. A block that could not be read is taken as well, with its status. What
 *              the drive had no room for (M8) is no such block: it is asked for again.
 *
 *      asked, oldest first    | batch | batch | ... | batch |  being filled
 *                              under way, each              '-> sent when it is full, or at the end
 *                              '-> taken when it has landed: when no batch is idle, or at the end
 *
 * In a batch, neighbours of one chunk are one operation, whatever was asked for in between. So a
 * drive is asked for as much as its parallel units give, and works on while what has come is looked
 * at. Blocks are taken in order, so what is made of them is the same however fast the drive is.
 *
 * A medium that is always ready (no descriptor to wait for, so one in memory) has read a batch when
 * it is sent; there each is taken at once, and all go through the same room, which a cache holds.
 */
#ifndef HOSTFTL_LIFECYCLE_AHEAD_H
#define HOSTFTL_LIFECYCLE_AHEAD_H

#include <hostftl/media.h>

#define AHEAD_BLOCKS 64u
#define AHEAD_BATCHES 16u

struct band;
struct opening;

struct ahead_block {
    struct band *band; /* for `take`, like the next */
    uint32_t number;
    uint32_t chunk, offset;
    bool with_oob;
    void (*take)(struct opening *o, const struct ahead_block *block);
    /* what came of it */
    uint8_t *data, *oob; /* NULL: without */
    uint32_t op;         /* the batch's that reads it */
    enum hftl_status status;
};

struct ahead_batch {
    struct ahead_block blocks[AHEAD_BLOCKS];
    struct hftl_media_op ops[AHEAD_BLOCKS];
    uint32_t block_count, op_count, left; /* operations that have not landed */
    struct ahead *ahead;
    uint8_t *room, *oob_room;
};

struct ahead {
    struct ahead_batch *batches;
    struct ahead_batch *order[AHEAD_BATCHES]; /* those under way, a ring from `first` on */
    struct ahead_batch *idle[AHEAD_BATCHES];  /* the last of them is being filled */
    uint32_t first, count, idle_count;
    uint32_t in_flight; /* operations of all batches */
    uint8_t *room, *oob_room;
    bool at_once;
};

HFTL_MUST_USE enum hftl_status ahead_start(struct opening *o);
/* `wanted`: all before what came of it. Takes others when there is no room. Not for `take`. */
void ahead_ask(struct opening *o, const struct ahead_block *wanted);
/* What is asked for next is another batch's, and another operation's: what comes in runs of a batch
 * and less is not cut in two where one of them is short. Like ahead_ask. */
void ahead_send(struct opening *o);
/* Takes all that was asked for. */
void ahead_finish(struct opening *o);
/* Waits for what is under way, and takes none of it. */
void ahead_end(struct opening *o);

#endif
