/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * relocation.h - moving what is valid out of a victim, so that the band can be erased.
 *
 *   PICK     a sealed band first (9.4); otherwise, when free bands are at or below the start limit,
 *            what the victim policy chooses
 *   IDENTS   the next tail block of the victim (a sealed band's identities are in memory)
 *   READ     the blocks of it that the map still points to, some at a time
 *   APPEND   each that verifies and is still mapped here goes to the relocation stream with its own
 *            seq; one that does not verify becomes a lost block (O3)
 *   ...      until the victim's identities are used up
 *
 * L1  a copy carries the seq of its original.
 * L2  relocation never waits for user resources: its stream has units of its own, and bands are
 * kept
 *     back for it (stream_for).
 * L3  the map is looked at again after the read: an overwrite meanwhile wins.
 * L4  a victim that cannot be emptied (its tail cannot be read) is set aside and logged; relocation
 *     goes on with others, and comes back to it when nothing else is left, a few times.
 * L5  without anybody waiting only what gains more than its erase's flush may pad is cleaned: so
 *     cleaning ends on an idle device.
 * L6  with as many victims as there are bands and still no block accepted of the writes that wait,
 *     all that is left to clean is what cleaning padded: it rests, and either the bands it leaves
 *     free are enough or the device is full (C12).
 */
#ifndef HOSTFTL_CORE_RELOCATION_H
#define HOSTFTL_CORE_RELOCATION_H

#include "core/errand.h"
#include "format/ident.h"

struct band;

#define RELOCATION_BATCH 64u
#define RELOCATION_CHANCES_MAX 4u

struct moving {
    struct ident ident;
    uint32_t position;
    bool verified;
};

struct relocation {
    struct errand errand;
    struct band *victim;
    uint32_t tail_index;   /* CLOSED: next tail block. SEALED: next position */
    uint8_t *tail_block;   /* the one being worked on */
    uint32_t idents_count; /* in it */
    uint32_t ident_next;
    struct moving batch[RELOCATION_BATCH];
    uint32_t batch_count, batch_next;
    uint8_t *data, *oob; /* RELOCATION_BATCH blocks */
    struct errand_op ops[RELOCATION_BATCH];
    uint32_t op_count;
    bool retried, tail_retried;
    uint32_t second_chances;
    uint64_t user_clock; /* L6: device.user_clock when it was last seen to move */
    uint32_t in_vain;    /* victims since then, with a write waiting */
    uint64_t *set_aside; /* bitmap of bands: L4 */
};

void relocation_init(struct device *device);
/* Something changed that may make it worth to pick a victim. */
void relocation_consider(struct device *device);
/* Nothing else is left: forgets who was set aside. False: nobody was, or it was done too often. */
bool relocation_try_again(struct device *device);
bool relocation_is_idle(const struct device *device);

#endif
