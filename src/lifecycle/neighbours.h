/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * neighbours.h - may a device be made here, beside or in place of those that are there?
 *
 * OWNS      the judgement only. Writes nothing.
 * PROMISES  that the PUs of two devices are disjoint and their names different, as long as whoever
 *           judges and then writes has these PUs, and the right to format, for itself alone
 *           (media.h, THE PROTOCOL).
 * IGNORES   where in its PUs a device puts what.
 *
 *                                         no force        force
 *   disjoint, another name                made            made
 *   disjoint, the same name               INVALID         INVALID
 *   overlaps, lies inside the new PUs     EXISTS          replaced
 *   overlaps, reaches outside             EXISTS          INVALID: no part of a device is destroyed
 *   strange (how far it reaches is not    EXISTS          replaced when all PUs of the drive are
 *     known: superfind.h)                                 given, else INVALID
 *   the same, and it cannot be read       IO              the same, else IO
 *   replaced, a copy in a read-only       GEOMETRY        GEOMETRY: it would be found again
 *     chunk
 */
#ifndef HOSTFTL_LIFECYCLE_NEIGHBOURS_H
#define HOSTFTL_LIFECYCLE_NEIGHBOURS_H

#include "lifecycle/superfind.h"

/* `layout` has its PUs and its name. `all` is superfind_all's. */
HFTL_MUST_USE enum hftl_status neighbours_judge(const struct instances *all,
                                                const struct layout *layout, bool force,
                                                struct why *why);

/* The n-th chunk that must be erased before any other, so that a cut leaves a replaced device whole
 * or gone; false: there are no more. */
bool neighbours_first_chunk(const struct instances *all, const struct layout *layout, uint32_t n,
                            uint32_t *chunk);

#endif
