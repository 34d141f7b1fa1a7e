/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ledger.h - what an emulated drive's controller knows of its chunks.
 *
 * OWNS      the chunk table of one drive, what is in flight in each chunk, how many are open and
 *           active, and the order in which they were opened.
 * PROMISES  rules.h applied to a whole drive, in constant time but for pausing (at most open_max).
 * IGNORES   data, completion, persistence.
 *
 * An operation is judged when it arrives and takes effect at once or fails at once; it stays in
 * flight (ledger_depart .. ledger_arrive) until it lands at the caller.
 *
 * INVARIANTS
 *   L1  open_count is the number of OPEN chunks, active_count of OPEN and PAUSED ones.
 *   L2  open_max != 0: opened[0 .. open_count) are the OPEN chunks, the longest open first. A drive
 *       that comes from elsewhere with more open chunks than its limit is not accepted.
 */
#ifndef HOSTFTL_MEDIA_LEDGER_H
#define HOSTFTL_MEDIA_LEDGER_H

#include "media/rules.h"

struct ledger_flight {
    uint32_t reads;
    uint32_t writes;
    uint32_t resets; /* a refused one too, until it landed */
    uint32_t finishes;
    bool broken; /* a queued write failed: those behind it fail too, through no fault of theirs */
};

struct ledger {
    const struct hftl_media_facts *facts;
    uint32_t chunk_count;
    uint32_t open_count;
    uint32_t active_count;
    struct hftl_chunk *chunks;
    struct ledger_flight *flights;
    uint32_t *opened; /* NULL when there is no open limit */
};

/* All chunks FREE, with the facts' capacity. MEMORY. */
HFTL_MUST_USE enum hftl_status ledger_create(struct ledger *ledger,
                                             const struct hftl_media_facts *facts);
void ledger_destroy(struct ledger *ledger);

/* After the owner filled chunks[] from elsewhere. False: more are open than the limit (L2). */
HFTL_MUST_USE bool ledger_recount(struct ledger *ledger);

/* The verdict; changes nothing. For any verb. */
HFTL_MUST_USE enum hftl_status ledger_judge(const struct ledger *ledger,
                                            const struct hftl_media_op *op);

/* Every op, refused ones too: between the two it is in flight. */
void ledger_depart(struct ledger *ledger, const struct hftl_media_op *op);
void ledger_arrive(struct ledger *ledger, const struct hftl_media_op *op);

/* The effects of an operation that was judged OK. A write may pause another chunk. */
void ledger_write(struct ledger *ledger, uint32_t chunk, uint32_t blocks);
void ledger_reset(struct ledger *ledger, uint32_t chunk);
void ledger_finish(struct ledger *ledger, uint32_t chunk);
/* A write judged OK that the medium could not do; the write pointer stays. */
void ledger_fail_write(struct ledger *ledger, uint32_t chunk);
/* The drive's own decision, READ_ONLY or OFFLINE (M7). */
void ledger_retire(struct ledger *ledger, uint32_t chunk, enum hftl_chunk_state state);

#endif
