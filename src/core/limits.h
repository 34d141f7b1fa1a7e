/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * limits.h - how much of the write rate users get as free bands run out.
 *
 * I own        the four limits {bands_free, percent} and the account of the one in force.
 * I promise    users slow down before they stop, by blocks and not by a clock; a limit never stops
 *              anybody for whom cleaning can do nothing (C12).
 * I ignore     reads, trims, flushes, trim pages: only users' writes are limited; and the floor of
 *              BANDS_RESERVE, which no limit moves (stream_for).
 *
 *      free bands    above start   start .. low+1   low .. high+1   high .. critical+1   critical
 *      users get         all          start %           low %             high %        critical %
 *      cleaning        sealed only     runs              runs              runs             runs
 *
 * A band that is being erased counts as free here: it takes an erase, in which a drive may move
 * nothing, and users who can only save up as they are moved for would have to stop meanwhile.
 *
 * THE RATE. While a limit of p percent is in force, users' blocks are at most p percent of all
 * that users and relocation write:
 *
 *      users <= moved * p / (100 - p)
 *
 * counted in blocks since that limit came into force; of what they did not use at most
 * LIMITS_BURST_BLOCKS is kept for them. The account is in hundredths: each block moved adds p,
 * each block of a user takes 100 - p. At 100 percent there is no account, at 0 nothing is added.
 *
 * THE LIMIT IS LIFTED as long as cleaning has nothing under way: no mover has a victim or is about
 * to look for one, and no erase is at work (erase.h). Then nothing would raise the
 * number of free bands, and whoever waited would wait for ever. Otherwise something that ends by
 * itself is under way: a victim (DESIGN.md, "Why cleaning always goes on"), whose blocks add to
 * the account, or an erase, which frees a band. After it there is either a band more or nothing
 * under way. So each write goes on, at 0 percent too.
 *
 * INVARIANTS
 *   P1  0 <= account <= LIMITS_BURST_BLOCKS * (100 - p).
 *   P2  thresholds and percents rise from critical to start; start >= BANDS_RESERVE, because users
 *       get no band from there down, and cleaning must run before.
 */
#ifndef HOSTFTL_CORE_LIMITS_H
#define HOSTFTL_CORE_LIMITS_H

#include "core/world.h"

#include <hostftl/hostftl.h>

struct device;

/* What users may have saved: as much as a mover moves in one go, so that they find the account
 * filled while it reads. */
#define LIMITS_BURST_BLOCKS 64u

struct limits {
    struct hftl_limit level[HFTL_LIMIT_COUNT];
    enum hftl_limit_level at; /* whose account it is; HFTL_LIMIT_COUNT: above all of them */
    int64_t account;          /* hundredths of blocks; P1 */
};

/*
 * The defaults: critical 0, 0 %;  high 1, 20 %;  low 2, 50 %;  start 4, 100 %.
 * Cleaning starts one band above the reserve. From the reserve down users write what is left of the
 * band they have, and are slowed in that from the moment when relocation takes from the reserve.
 * Thresholds a band higher cost small devices a twentieth more written blocks; four bands higher
 * cost a hundredth on 1,000 bands, and nothing was smoother for it: users are paced (pace.h).
 */
void limits_init(struct device *device);
/* P2, percents of at most 100, thresholds below the number of bands. INVALID: says which. */
HFTL_MUST_USE enum hftl_status limits_validate(const struct device *device,
                                               const struct hftl_limits *limits, struct why *why);
/* Valid ones. */
void limits_set(struct device *device, const struct hftl_limits *limits);
/* The level of so many free bands; HFTL_LIMIT_COUNT: above all of them. */
enum hftl_limit_level limits_level(const struct limits *limits, uint32_t bands_free);
/* Something is under way that ends with more free bands, or with nothing under way. */
bool limits_cleaning_is_at_work(const struct device *device);
/* The level that slows users down now; HFTL_LIMIT_COUNT: none does. */
enum hftl_limit_level limits_in_force(const struct device *device);
/* How many blocks users may write, if that level is in force. */
uint32_t limits_admit(struct device *device, enum hftl_limit_level level);
/* They wrote so many of them. */
void limits_charge(struct device *device, enum hftl_limit_level level, uint32_t blocks);
/* Relocation moved so many blocks. */
void limits_earn(struct device *device, uint32_t blocks);
/* A band that was free is not any more. */
void limits_note_taken(struct device *device);
/* P1. */
HFTL_MUST_USE enum hftl_status limits_check(const struct device *device, struct why *why);

#endif
