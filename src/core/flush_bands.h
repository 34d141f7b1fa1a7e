/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flush_bands.h - closing the bands that are being written, because somebody asked: each is padded
 * to its tail, its tail is written, and it is CLOSED. One round at a time; who comes while one is
 * under way rides in the next.
 *
 *   START   take the waiting requests; note each stream's open band, if anything is in it, and the
 *           one it is closing
 *   PAD     the noted bands that are still open, as units allow (N1)
 *   CLOSE   until none of the noted bands is being written any more; answer
 *
 * Others write on meanwhile, in the noted bands and in the next ones: what they fill is not padded,
 * and bands opened later are not waited for. It promises nothing on durability: flush does (a trim
 * page, for one, is a matter of flush alone).
 *
 * N1  A band is padded only while BANDS_RESERVE bands are free. Why? Relocation counts on filling a
 *     band that it took from the reserve, and trim pages on room in the user's; closed before their
 *     time, such bands use the reserve up, and nothing would be left to clean with. With the
 *     reserve whole a stream without a band is where every stream begins. A band that is kept for
 *     users is none of the free ones: it counts as opened (stream.h, W9).
 * N2  When that waits for bands and nothing moves any more, the round fails (SPACE): it never turns
 *     a device read-only, and nobody waits for ever.
 */
#ifndef HOSTFTL_CORE_FLUSH_BANDS_H
#define HOSTFTL_CORE_FLUSH_BANDS_H

#include "base/list.h"
#include "core/errand.h"
#include "format/format.h"

struct request;

struct flush_bands {
    struct errand errand;
    struct list waiting, riding;                /* requests */
    struct band_mark open[FORMAT_STREAMS_USED]; /* of this round; FORMAT_BAND_NONE: nothing */
    struct band_mark closing[FORMAT_STREAMS_USED];
};

void flush_bands_init(struct device *device);
/* The request is completed when no band is written any more of those that are now. */
void flush_bands_join(struct device *device, struct request *request);
/* N2: a round is under way, and waits for free bands that nobody is about to free. */
bool flush_bands_is_stuck(const struct device *device);
/* All riders and waiters get this status. */
void flush_bands_fail_all(struct device *device, enum hftl_status status);

#endif
