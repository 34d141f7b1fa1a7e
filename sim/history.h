/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * history.h - is what was read linearizable, block by block? A second opinion beside the oracle.
 *
 * OWNS      of each block the zones of the values that a read may still return.
 * PROMISES  to refuse no history of one life that has an order of its operations which explains all
 *           answers, and to accept none without, but for zeros (below). It shares nothing with the
 *           oracle but the number that a block's contents name.
 * IGNORES   durability: a power cut ends what was in flight, and of the life before it only this is
 *           kept, that a block nobody wrote to since it was read reads the same (C6). Whether a
 *           block is whole. What is read once metadata was lost (oracle_forgive_old).
 *
 * ZONES (Gibbons and Korach, Testing Shared Memories, 1997)
 *   A write and the reads that returned what it wrote are a cluster. `f` is when the first of them
 *   ended, `s` when the last of them began.
 *
 *        f < s   forward    |--- the block holds this value all the time ---|
 *                           f                                               s
 *        s <= f  backward   all of them overlap: one point between s and f will do
 *
 *   With unique values there is an order exactly when
 *      Z1  no two forward zones overlap, and
 *      Z2  no backward zone lies in a forward zone.
 *   A write that was not answered never ends, so its zone lies in none until it is read: it
 *   happened or not. So it is with one that failed, but if that is ever read it had happened when
 *   it failed.
 *
 * WHILE IT RUNS
 *   A zone is looked at when an answer changes it, against the others of its block. A cluster is
 *   over, and dropped, when another one has its s behind both f and s of this one, and its f before
 *   any read in flight began: whoever reads it now is refused for that other one, and so is whoever
 *   would have been refused for it. So a block has a handful of zones, and an answer costs that
 *   many looks.
 *
 * ZEROS
 *   Trims and write-zeroes are versions that read alike. A read of zeros belongs to the one version
 *   of zeros that can explain it; if there are several it is a cluster of its own, which must not
 *   lie in another value's zone. Zones of zeros do not quarrel with each other. So two reads of
 *   zeros that each have an explanation, but not together, may pass: seldom, and the oracle, which
 *   judges otherwise, may have them.
 *
 * A LIFE'S BEGINNING
 *   What a block holds after a cut is unknown. The first read that returns no version of this life
 *   says it, and is believed; from then on it is a value as others, written before the life began.
 */
#ifndef HOSTFTL_SIM_HISTORY_H
#define HOSTFTL_SIM_HISTORY_H

#include "sim/failure.h"

#include <hostftl/hostftl.h>

/* What a block read as: the number of a version, or one of these. */
#define HISTORY_ZEROS 0u
#define HISTORY_FOREIGN UINT32_MAX

struct history;

struct history_request {
    enum hftl_verb verb;
    uint64_t lba, blocks;
    uint32_t number; /* that the first block's version has; the others follow. Rising, never 0 */
    uint32_t begin;  /* filled */
};

/* A new device: all zeros. */
struct history *history_create(uint64_t blocks);
void history_destroy(struct history *history);
/* The same knowledge, from now on apart. */
struct history *history_copy(const struct history *history);

void history_invoke(struct history *history, struct history_request *request);
/* `values`: of a READ that was answered OK, of each block. */
void history_answer(struct history *history, const struct history_request *request,
                    enum hftl_status status, const uint32_t *values, struct failure *failure);
/* Whatever was in flight is over. */
void history_cut(struct history *history);
/* Another device may be there, with all blocks unknown; versions up to `newest` were written. */
void history_forget(struct history *history, uint32_t newest);

/* Blocks that were read and judged. */
uint64_t history_judged(const struct history *history);
/* The most zones that one block had. */
uint32_t history_zones_max(const struct history *history);

#endif
