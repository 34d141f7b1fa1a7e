/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * valid.h - how many blocks of each band the map that is being built points to.
 *
 * I own        band.valid and map.mapped while a device is opened, before bands are loaded.
 * I promise    each entry of the finished map, and each trim page, is counted in the band that it
 *              points into, and nothing else is (B1 of band.h).
 * I ignore     whether an entry is right; states of bands.
 *
 * There are two ways. Where one pass decides all lbas (seqs of all of them are in memory), entries
 * change hands up to the end, and valid_count goes through the map once. In a survey an lba is
 * taken once; what comes for it later makes it contested, and windows decide. So it counts on the
 * way, by what is known without looking at the map, and going through that is saved:
 *
 *      taken      entries of a tail, by the band whose tail it is      valid_take
 *      contested  the holder that was counted, and the later one       valid_drop
 *      decided    what holds a contested lba in the end                valid_end_survey
 *
 *   V1  Between valid_take and valid_end_survey a band counts its entries that are in the map, or
 *       on their way into it, of lbas that are not contested.
 */
#ifndef HOSTFTL_LIFECYCLE_VALID_H
#define HOSTFTL_LIFECYCLE_VALID_H

#include "core/device.h"

struct band;
struct opening;

/* Entries of this band go into the map. */
void valid_take(struct opening *o, struct band *band, uint32_t entries);
/* One that was taken is of a contested lba: it may not stay. */
void valid_drop(struct opening *o, hftl_pba pba);
/* All that was taken is forgotten. */
void valid_forget(struct opening *o);
/* After contested lbas were decided. */
void valid_end_survey(struct opening *o);
/* Without a survey, once, when the map is built: a look at each entry. */
void valid_count(struct opening *o);

#endif
