/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * look.h - looking at what is on a medium, block by block: for check and dump.
 *
 * I own        scratch: one band's identities, a run of blocks, the chunks' states.
 * I promise    nothing but reads and one report go to the medium. A block that fails is read twice
 *              before it is called bad. Every statement on a block is made from its bytes and an
 *              identity found on the medium, never from the map.
 * I ignore     what a bad block means for users, and whether there is anything to say: the caller
 *              decides (examine.c), or prints it all (dump.c).
 *
 * A band is looked at in two passes, because identities may stand behind the blocks they name:
 *
 *      look_begin ---> look_take_own        summaries                first pass; no OOB only
 *                      look_take_tail       the tail                 its last blocks
 *                      look_take_believed   what recovery believed   no pass
 *                 ---> look_walk            each block, judged       second pass
 *
 * Later ones replace earlier ones; what nobody names is named by its OOB when it is judged.
 * Memory: 17 bytes a position of one band, 64 blocks with OOB.
 */
#ifndef HOSTFTL_LIFECYCLE_LOOK_H
#define HOSTFTL_LIFECYCLE_LOOK_H

#include "core/engine.h"
#include "format/tail.h"
#include "lifecycle/blocking.h"

/* Who names a block. REJECTED: recovery wants nothing of it (O12). */
enum look_source { LOOK_NOBODY, LOOK_OOB, LOOK_SUMMARY, LOOK_TAIL, LOOK_RECOVERY, LOOK_REJECTED };

struct look {
    struct blocking b;
    struct device *device;      /* for its geometry, layout and bands; it is never stepped */
    struct hftl_chunk *chunks;  /* all of the medium */
    const struct band *band;    /* being looked at */
    uint8_t *idents;            /* 16 bytes a position */
    uint8_t *sources;           /* enum look_source, a position */
    uint8_t *data, *oob;        /* a run */
    uint8_t *spare, *spare_oob; /* one block */
};

struct look_block {
    uint32_t chunk, offset, position;
    enum hftl_status read; /* not OK: it cannot be read, data and oob are NULL */
    const uint8_t *data, *oob;
};

/* What a block turned out to be. Nobody's: status ABSENT. */
struct look_verdict {
    enum hftl_status status; /* OK: it is what its identity says */
    enum look_source source;
    bool named; /* an identity that makes sense was found: */
    struct ident ident;
    const char *what;  /* "data", "head", ... or "block". Static */
    const char *wrong; /* a clause, when status is not OK. Static */
};

/* `device` lends the memory until it is discarded. MEMORY, or what the report failed with. */
HFTL_MUST_USE enum hftl_status look_start(struct look *look, const struct blocking *b,
                                          struct device *device);

/* How far a chunk can be read now. */
uint32_t look_readable(const struct look *look, uint32_t chunk);
/* Blocks of a band that look_walk will show. */
uint64_t look_count(const struct look *look, const struct band *band);

void look_begin(struct look *look, const struct band *band);
void look_take_own(struct look *look);
void look_take_believed(struct look *look);
/* `bad` (may be NULL) gets each tail block that does not decode. True: all are good. */
typedef void (*look_bad_fn)(void *arg, const struct look_block *block, enum hftl_status status);
bool look_take_tail(struct look *look, look_bad_fn bad, void *arg);

/* Every readable block of the band, chunk by chunk. */
typedef void (*look_fn)(void *arg, const struct look_block *block);
void look_walk(struct look *look, look_fn each, void *arg);

struct look_verdict look_judge(struct look *look, const struct look_block *block);
/* Reads the block once more, to other memory. False: it cannot be read. */
bool look_again(struct look *look, struct look_block *block);

/* The identities of a good summary are those of the band. False: one differs, at *position. */
bool look_summary_agrees(const struct look *look, const struct look_block *block,
                         uint32_t *position);
/* A tail block, by its place in the tail. */
HFTL_MUST_USE enum hftl_status look_tail_decode(const struct look *look, uint32_t index,
                                                const uint8_t *data, struct tail *tail);
/* Which tail block a position is; false: none, or a pad behind them. */
bool look_tail_index(const struct look *look, uint32_t position, uint32_t *index);

/* The head of a band's latest life. False: there is none that can be read. */
bool look_find_head(struct look *look, const struct band *band, struct head *head);
/* For a device that recovery refused: the band is what its head says. */
void look_take_head(struct look *look, struct band *band, const struct head *head);

#endif
