/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rules.h - the rules of the media (media.h, R1 to R7) as pure functions.
 *
 * OWNS      nothing. Given the facts, one chunk and what is in flight, it says whether an operation
 *           is legal, and what the chunk becomes when it takes effect. Every emulated medium, the
 *           guard and the simulator ask here, so there is one opinion on what is legal.
 * PROMISES  the status names the rule. RULE_... is a defect of the caller; OFFLINE and READ_ONLY
 *           are the world's doing (a chunk may turn so at any time).
 * IGNORES   time, data, other chunks except for their two counts.
 *
 * STATES    (hftl_chunk_state; OPEN and PAUSED only differ in holding an open slot)
 *
 *                  write            write to the end, FINISH
 *         FREE ------------> OPEN --------------------------> FULL
 *          ^ ^                | ^  write                       |
 *          | |          pause v |                              |
 *          | |               PAUSED --- FINISH --------------->|
 *          | '-- RESET ---- (OPEN, PAUSED: only CAN_RESET_OPEN)|
 *          '---- RESET ----------------------------------------'
 *         any -> READ_ONLY, OFFLINE: the drive's own decision; nothing leads back.
 *
 * INVARIANTS (rules_chunk_sane)
 *   U1  FREE has wp = 0; OPEN and PAUSED have 0 < wp < capacity.
 *   U2  wp <= capacity <= facts.chunk_blocks, both multiples of ws_min.
 */
#ifndef HOSTFTL_MEDIA_RULES_H
#define HOSTFTL_MEDIA_RULES_H

#include <hostftl/media.h>

/* Everything a verdict depends on besides the facts and the operation. */
struct rules_place {
    const struct hftl_chunk *chunk;
    uint32_t reads;  /* in flight in the chunk */
    uint32_t writes; /* in flight in the chunk: WRITE and APPEND */
    bool reset;      /* one is in flight */
    bool finish;     /* one is in flight */
    uint32_t open_count;
    uint32_t active_count; /* OPEN and PAUSED, all chunks */
};

/* True for the verbs that go to one chunk and are judged with its place. */
bool rules_concern_chunk(enum hftl_media_verb verb);

/* What can be said without looking at a chunk: numbers out of range, verbs the medium lacks. */
HFTL_MUST_USE enum hftl_status rules_judge_shape(const struct hftl_media_facts *facts,
                                                 const struct hftl_media_op *op);

/* Who may share a chunk with whom (R2, R5, R6): looks only at what is in flight in the place. */
HFTL_MUST_USE enum hftl_status rules_judge_flight(const struct hftl_media_facts *facts,
                                                  const struct rules_place *place,
                                                  enum hftl_media_verb verb);

/* The whole verdict on READ, WRITE, APPEND, RESET or FINISH whose shape is right. */
HFTL_MUST_USE enum hftl_status rules_judge(const struct hftl_media_facts *facts,
                                           const struct rules_place *place,
                                           const struct hftl_media_op *op);

/* A legal write to this place takes the open slot of another chunk, which the drive pauses. */
bool rules_write_pauses(const struct hftl_media_facts *facts, const struct rules_place *place);

/* What a chunk becomes. The operation was judged OK. */
void rules_apply_write(struct hftl_chunk *chunk, uint32_t blocks);
void rules_apply_reset(struct hftl_chunk *chunk);
void rules_apply_finish(struct hftl_chunk *chunk);
/* The drive lost power and has it again; chunk->wp says what is left of its writes. */
void rules_apply_power_up(const struct hftl_media_facts *facts, struct hftl_chunk *chunk);

/* U1, U2: can a medium of these facts report such a chunk? */
bool rules_chunk_sane(const struct hftl_media_facts *facts, const struct hftl_chunk *chunk);

const char *rules_verb_text(enum hftl_media_verb verb);
const char *rules_state_text(enum hftl_chunk_state state);

#endif
