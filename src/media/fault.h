/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fault.h - the wrapper that makes a medium misbehave, as rules say.
 *
 * OWNS      the inner medium; the rules with their counts; which chunks were retired; operations
 *           that are held back.
 * PROMISES  the misbehaviour is one that media.h admits, so whoever stands above must cope: an
 *           operation fails with a status of the world (never a RULE_ one: that would accuse the
 *           caller), a chunk turns READ_ONLY or OFFLINE, a block is read back wrong, an operation
 *           takes for ever. The same rules, seed and operations give the same faults.
 * IGNORES   what it does to whom.
 *
 * A RULE counts the operations that it applies to (verb, chunks, blocks; with RETIRE the verb
 * alone), in the order of submission, and fires at the n-th, from the n-th on, or each time by
 * chance. The first rule that fires decides; all rules count.
 *
 *      deed     what happens
 *      -------- ---------------------------------------------------------------------------------
 *      FAIL     The op lands `status`. A read, reset, flush, finish or report has not reached the
 *               inner medium. Of a write its first `keep` blocks have (rounded down to ws_min), so
 *               that the write pointer moves by part of it (M3). CLOSED_EARLY finishes the chunk.
 *      FLIP     A read lands OK with one bit of its data turned, chosen by the seed.
 *      RETIRE   The rule's chunks, or without any the op's chunk, turn `state` before the op.
 *      HOLD     The op waits until `until` more ops were submitted, or for fault_release(). Writes
 *               behind it in its chunk wait with it.
 *
 * A chunk stays retired until the medium is closed: the inner medium knows nothing of it. What the
 * inner medium holds in a window (mw_cunits) behind the write pointer of a chunk that was retired
 * READ_ONLY cannot be read and lands IO. A partly written one is finished, where the medium can, so
 * that it holds no slot.
 */
#ifndef HOSTFTL_MEDIA_FAULT_H
#define HOSTFTL_MEDIA_FAULT_H

#include <hostftl/media.h>

#define FAULT_RULES_MAX 16u
#define FAULT_KEEP_ALL UINT32_MAX
#define FAULT_VERB(verb) (1u << (verb))

enum fault_deed { FAULT_FAIL, FAULT_FLIP, FAULT_RETIRE, FAULT_HOLD };

struct fault_rule {
    enum fault_deed deed;
    uint32_t verbs;                       /* FAULT_VERB of each; 0: all */
    uint32_t chunk_first, chunk_count;    /* count 0: all, and ops without a chunk */
    uint32_t offset_first, offset_blocks; /* blocks 0: all */
    uint64_t nth;                         /* 1: the first; 0: any, by chance */
    bool onwards;                         /* and all after it */
    uint32_t per_million;                 /* nth 0: the chance; 0: always */
    enum hftl_status status;              /* FAIL */
    uint32_t keep;                        /* FAIL of a write */
    enum hftl_chunk_state state;          /* RETIRE */
    uint64_t until;                       /* HOLD; 0: fault_release */
};

struct fault_options {
    uint32_t size; /* sizeof this struct */
    uint32_t rule_count;
    const struct fault_rule *rules; /* copied */
    uint64_t seed;
};

/* NULL, or a sentence on what is wrong with a rule for such a medium. Static text. */
const char *fault_rule_nonsense(const struct fault_rule *rule,
                                const struct hftl_media_facts *facts);

/* INVALID (a rule makes no sense), MEMORY, IO; the inner medium is then still the caller's. */
HFTL_MUST_USE enum hftl_status fault_open(struct hftl_media *inner,
                                          const struct fault_options *options,
                                          struct hftl_media **fault);
/* How often a rule has fired. */
uint64_t fault_fired(const struct hftl_media *fault, uint32_t rule);
/* What is held goes on; how many ops that were. Not from within reap. */
unsigned fault_release(struct hftl_media *fault);
/* Retires a chunk now. */
void fault_retire(struct hftl_media *fault, uint32_t chunk, enum hftl_chunk_state state);

#endif
