/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pace.h - users pay for cleaning as they write, block by block. Otherwise they write what is free
 * at full speed, and then wait until whole bands were moved.
 *
 * SPACE is what users could still write when all cleaning that has begun has ended, in blocks:
 *
 *      free, emptied and erasing bands, less the reserve; one kept for users
 *      + what is left of the bands being written
 *      + of each victim its capacity, by the share of its valid blocks that was moved already
 *
 * where a band is taken to have the capacity of the victim in hand. A user's block takes one from
 * it. A block moved takes one as well, and gives capacity / valid of its victim: together it adds
 *
 *      gain = (capacity - valid) / valid
 *
 * So space stays as it is while users write `gain` blocks for each block moved: their share in what
 * is written is then what the victim has invalid. They get more while space is above its target and
 * less below:
 *
 *      users' blocks = moved * gain * space / (2 * target - space)
 *
 * which is no limit at 2 * target. Space of less than an eighth of that counts as an eighth: on a
 * device so full that cleaning gains nothing more, a seventh of `gain` still gets on (C12). The
 * target is PACE_TARGET_QUARTERS quarter bands: less, and users find no band to open when theirs is
 * full; more is spare space that is not used, and costs written blocks.
 *
 * THE END OF A BAND. Space is smooth, and bands are not: a good part of it is what is left of
 * relocation's band, and the victim that is moved halfway. So users may find no band at the end of
 * theirs, with space enough on its way; or find one a moment before relocation takes it from them.
 * Both can be foreseen. Were all victims like the one in hand, this is how many bands there are:
 *
 *      above the reserve   1        ______________            _________
 *                          0   ____|              |__________|         |____
 *                                victim ends,    relocation   the next       -> blocks moved
 *                                and is erased   opens one    victim
 *
 * Who is in the last part of his band (PACE_KEEP) when relocation would take the last one that
 * users get has it kept for him, and relocation takes from the reserve (stream.c). So it is enough
 * that there is one at some moment of that part. The rate is set so that users are in it before
 * relocation has taken one, by two batches, and at its end no earlier than there is another: after
 * the victim's end by what a flush and an erase take (PACE_DELAY, less when it is being erased).
 * They may write PACE_HURRY times what space gives them for that, and get PACE_SLOW_TENTHS of it at
 * least: less keeps all of them waiting, more of them find no band. Not where bands have few
 * batches, which are over before anything of this is of use, nor where little is spare: it keeps a
 * part of a band from being used, and of fewer than PACE_SPARE_BANDS spare ones that is felt in
 * written blocks. What is spare is reckoned by what the victim has invalid, times the bands.
 *
 * I own        the account: what was given and is not used, pace_burst() blocks at most.
 * I promise    nobody waits while cleaning has nothing under way; limits.h has why that suffices.
 * I ignore     the four limits: they hold beside this, and are what is left when relocation cannot
 *              keep up.
 *
 *   G1  0 <= account <= pace_burst().
 */
#ifndef HOSTFTL_CORE_PACE_H
#define HOSTFTL_CORE_PACE_H

#include "core/world.h"

#define PACE_ONE 1024 /* of the account: a block */
#define PACE_BURST_LEAST 64
#define PACE_BURST_COLUMN 12 /* blocks a column: what arrives in an erase, in which nothing moves */
#define PACE_TARGET_QUARTERS 5
#define PACE_LEAST 8
#define PACE_HURRY 2
#define PACE_SLOW_TENTHS 4
#define PACE_KEEP 2        /* half of a band: so much is left when the next is kept for them */
#define PACE_DELAY 3       /* a third of a band moved: until an emptied band is free */
#define PACE_BATCHES 10    /* of a band, at least */
#define PACE_SPARE_BANDS 8 /* of a device, at least, by what its victims have invalid */
#define PACE_EVENTS_MAX 32 /* that are looked ahead at */

struct device;

struct pace {
    int64_t account; /* G1, in PACE_ONE */
    int64_t a_move;  /* what a block moved adds to it: that of the batch being appended */
    bool open;       /* there is space enough: no account is kept */
};

void pace_init(struct device *device);
/* Blocks that users may have saved: more on drives that take more at once. */
int64_t pace_burst(const struct device *device);
/* A batch of a victim is going to be appended, that had so many of its blocks valid when it was
 * taken: what each of them will be worth. */
void pace_set(struct device *device, uint32_t valid, uint32_t capacity);
/* Relocation moved so many blocks. */
void pace_earn(struct device *device, uint32_t blocks);
/* Cleaning is at work and does not rest, and is needed. */
bool pace_is_in_force(const struct device *device);
/* How many blocks users may write, where it is in force. */
uint32_t pace_admit(const struct device *device);
/* They wrote so many of them. */
void pace_charge(struct device *device, uint32_t blocks);
/* Users come to the end of their band so soon that the last one that they would get is theirs. */
bool pace_keeps_a_band(const struct device *device);
/* G1. */
HFTL_MUST_USE enum hftl_status pace_check(const struct device *device, struct why *why);

#endif
