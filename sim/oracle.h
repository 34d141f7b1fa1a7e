/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * oracle.h - what a reader may see: the promises C1, C2, C4, C6, C9, C15 of the contract as a
 * judge.
 *
 * OWNS      for each lba the versions that a read may still return, now or after a crash.
 * PROMISES  to accept every history the contract allows and to refuse every other one it can tell
 *           apart. Trims and write-zeroes are versions too, all with the contents "zeros".
 * IGNORES   how a device works. It is told what was asked, what was answered and what was read.
 *
 * A VERSION'S LIFE
 *
 *      issue            answered OK             covered by a flush or FUA
 *      ------> FLYING -----------------> DONE ---------------------------> FIRM
 *                 |                        |                                 | a FIRM one began
 *                 | crash, error           | crash                           | after it ended
 *                 '-------> MAYBE <--------'          (any but FIRM) ------> GONE
 *                             | read after a crash: the one seen turns FIRM, the others GONE (C6)
 *
 *   Versions have an interval, [begin, end]: asked, answered. x is older than y when x.end <
 *   y.begin; otherwise the two overlapped and either may win. After a crash a block may hold any
 *   version for which no FIRM version exists that is newer (C2, C4). FLYING and DONE become MAYBE
 *   then: they may have happened or not, and firm nothing.
 *
 *   While the device runs a read may return x unless something newer than x was answered, or seen
 *   instead of x, before the read began (`hidden`).
 *
 * ERRORS
 *   An answer that is not OK needs a cause (enum oracle_cause), which whoever asks has to have seen
 *   outside of the device. The table in oracle.c says which cause is good for which status of which
 *   request; what is not in it is a violation whatever happened: BUSY, MEMORY, a broken rule.
 *
 * CONTENTS
 *   The first bytes of a block name lba, version and tag; the rest is chance seeded by them, so
 *   that a mix of two blocks, a shift or a foreign block never passes for one version.
 */
#ifndef HOSTFTL_SIM_ORACLE_H
#define HOSTFTL_SIM_ORACLE_H

#include "sim/failure.h"

#include <hostftl/hostftl.h>

struct oracle;

/* One request as the oracle knows it. */
struct oracle_ticket {
    enum hftl_verb verb;
    unsigned flags;
    uint64_t lba, blocks;
    uint32_t begin;
    uint32_t version; /* of the first block; the others follow */
};

/* All blocks are zeros, durably. The tag tells the blocks of one run from those of another. */
struct oracle *oracle_create(uint64_t blocks, uint32_t block_bytes, uint32_t tag);
void oracle_destroy(struct oracle *oracle);
/* The same knowledge, from now on apart. */
struct oracle *oracle_copy(const struct oracle *oracle);

uint64_t oracle_blocks(const struct oracle *oracle);
uint32_t oracle_block_bytes(const struct oracle *oracle);

/* A request is about to be handed to the device. Fills the ticket. */
void oracle_issue(struct oracle *oracle, struct oracle_ticket *ticket, enum hftl_verb verb,
                  unsigned flags, uint64_t lba, uint64_t blocks);
/* The contents that block `index` of a WRITE has to have. */
void oracle_fill(const struct oracle *oracle, const struct oracle_ticket *ticket, uint64_t index,
                 void *block);
/* What an answer that is not OK may come from (C9). */
enum oracle_cause {
    /* blocks may be gone for good: the medium failed two reads in one life, lost a chunk, or its
     * bytes are not those that were written; ever */
    ORACLE_HARMED = 1 << 0,
    /* this one may not be readable: it failed two reads since the request was handed over, or lost
     * a chunk, or has other bytes, ever */
    ORACLE_STRUCK = 1 << 1,
    /* it failed one that was no read since the device was opened, or lost a chunk */
    ORACLE_FAILED = 1 << 2,
    /* the device says that it is read-only, and why; the medium or the memory had failed it */
    ORACLE_READ_ONLY = 1 << 3,
    /* bands are short, and the drive is as full as that needs */
    ORACLE_NO_BANDS = 1 << 4,
};
/* The device answered. `data` is what a READ returned. `causes`: those there are. */
void oracle_answer(struct oracle *oracle, const struct oracle_ticket *ticket,
                   enum hftl_status status, const void *data, unsigned causes,
                   struct failure *failure);

/* Everything volatile is in doubt; what was in flight is over. */
void oracle_crash(struct oracle *oracle);
/* A clean close was answered OK: what was done is firm. Nothing may be in flight. */
void oracle_close(struct oracle *oracle);

/*
 * The device is being formatted again, having been closed: from here until it ends the drive holds
 * the old device with all it had, no device, or the new one, empty. Never something in between.
 */
void oracle_format_begins(struct oracle *oracle, const uint8_t id[16]);
bool oracle_is_formatting(const struct oracle *oracle);
/* A device was found, or made. One with another id than the old one's holds zeros; where
 * chunks went bad it may have fewer blocks: `blocks`, when not 0. */
void oracle_format_ends(struct oracle *oracle, const uint8_t id[16], uint64_t blocks);

/* What it knows of what a crash may show, as a number. Of an oracle without requests in flight. */
uint64_t oracle_hash(const struct oracle *oracle);

/* How many versions of this lba a crash could show. */
unsigned oracle_candidates(const struct oracle *oracle, uint64_t lba);
/* False: certainly zeros now, if read alone. */
bool oracle_may_be_written(const struct oracle *oracle, uint64_t lba);
/* Blocks that may be written now. */
uint64_t oracle_held(const struct oracle *oracle);
/* The block begins as a block that an oracle filled. */
bool oracle_wrote(const void *block);
/* The last version that was begun; 0: none. */
uint32_t oracle_newest(const struct oracle *oracle);
/* Which version of this lba it says it is: 0 for zeros, UINT32_MAX for none of this run. */
uint32_t oracle_number(const struct oracle *oracle, uint64_t lba, const void *block);
/* Where metadata is damaged an older version may be served silently (FORMAT.md, 12): that is
 * counted from now on, not refused. */
void oracle_forgive_old(struct oracle *oracle);
/* Everything was written anew since. */
void oracle_forgive_no_more(struct oracle *oracle);
bool oracle_forgives_old(const struct oracle *oracle);
uint64_t oracle_old(const struct oracle *oracle);
/* Reads judged so far, in blocks. */
uint64_t oracle_judged(const struct oracle *oracle);

#endif
