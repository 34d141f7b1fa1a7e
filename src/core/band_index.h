/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * band_index.h - where a band with a property is found without looking at all of them: the least
 * worn FREE one, EMPTIED ones that may be erased, and of the CLOSED ones the best victim.
 *
 *      FREE       a heap by wear, then index
 *      SEALED     a list, in the order of opening
 *      EMPTIED    three lists: what emptied it is durable; a user's write or trim is not yet;
 *                 only a relocation is not yet. The last two in order of the clock they wait for,
 *                 so that a flush takes them from the front
 *      CLOSED     by level, a heap by generation in each
 *      aside      CLOSED and SEALED ones that cannot be cleaned for now (L4)
 *      nowhere    OPEN, FULL, ERASING, RETIRED; a mover's victim; CLOSED without invalid blocks
 *
 * LEVELS. Of two bands that could hold as much and hold as much, every policy (victim.h) prefers
 * the one opened first. So it is enough to look at the eldest of each level: as many candidates as
 * there are levels, whatever the number of bands. A level is a share of the band's own capacity:
 *
 *      level = valid * levels / capacity,      levels = the capacity of a full band, at most 1024
 *
 * Bands that bad chunks made narrower have levels of their own, for each number of columns. Where a
 * full band holds at most 1024 blocks a level is one number of valid blocks, and what is found is
 * exactly what a walk over all bands finds, ties aside. In larger bands a candidate may hold 1/1024
 * of its capacity more than another one of its level that is younger.
 *
 * COST    a drop within a level: one comparison. One to another level, or a change of state: a few
 *         dozen instructions and the logarithm of the bands in a level. A choice: the levels.
 *
 * INVARIANTS
 *   D1  each band is exactly where its state, its valid blocks and its flags (band.h) put it.
 *   D2  EMPTIED bands in `ready` are durably empty; those in the others are not; each of these is
 *       in order of its mark.
 *   D3  occupied has a bit for each level that is not empty.
 */
#ifndef HOSTFTL_CORE_BAND_INDEX_H
#define HOSTFTL_CORE_BAND_INDEX_H

#include "base/heap.h"
#include "base/list.h"
#include "core/world.h"

#define BAND_LEVELS_MAX 1024u

struct device;
struct band;
struct geometry;

enum band_shelf {
    SHELF_NONE,
    SHELF_FREE,
    SHELF_SEALED,
    SHELF_READY,
    SHELF_USER_VOLATILE,
    SHELF_RELOCATION_VOLATILE,
    SHELF_LEVEL,
    SHELF_ASIDE
};

struct band_index {
    struct heap free;
    struct list sealed, ready, user_volatile, relocation_volatile, aside;
    uint32_t ready_count, volatile_count;
    uint64_t relocation_mark_max; /* no less than any of user_volatile, while that is not empty */
    uint32_t emptied_sealed;      /* EMPTIED bands that recovery sealed */
    uint32_t levels;              /* of each width */
    uint32_t slots;               /* levels * columns: of the narrowest bands first */
    struct heap *level;           /* one a slot */
    uint64_t *occupied;           /* D3, by slot */
    uint64_t looked;              /* candidates that a choice has looked at, since open */
};

/* level and occupied are allocated for that many. */
uint32_t band_index_slots(const struct geometry *g);
void band_index_init(struct device *device);
/* For band.c: the band has entered its state, or leaves it. */
void band_index_put(struct device *device, struct band *band);
void band_index_remove(struct device *device, struct band *band);
/* Opening only, when all bands were put: what the first choice of a free one would cost once. */
void band_index_warm(struct device *device);
/* One valid block less in a CLOSED band. */
void band_index_move(struct device *device, struct band *band);
/* user_durable or relocation_durable has grown. */
void band_index_settle(struct device *device);
/* A mover takes the band for its victim, and has it no more. */
void band_index_take(struct device *device, struct band *band);
void band_index_give_back(struct device *device, struct band *band, bool aside);
/* Those set aside are candidates again. False: there were none. */
bool band_index_forgive(struct device *device);
/* D1-D3. */
HFTL_MUST_USE enum hftl_status band_index_check(const struct device *device, struct why *why);

#endif
