/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * erase.h - EMPTIED bands become FREE, one at a time.
 *
 *   PICK    an EMPTIED band nobody reads, whose emptying is durable (B4, O8). If there is none but
 *           free bands are short, a flush of both streams is asked for.
 *   REPORT  what state its chunks are in. Recovery has filled or finished the chunks that may not
 *           be reset open (FORMAT.md, 9.4), so none of those is left here
 *   RESET   its chunks that are not FREE (O9)
 *   SYNC    the medium's flush (O10)
 *
 * X1  a reset is sent only for a band in ERASING, entered with the generation it means to destroy.
 * X2  a band one of whose resets failed is RETIRED: its blocks are gone from the free space,
 * nothing
 *     else is.
 */
#ifndef HOSTFTL_CORE_ERASE_H
#define HOSTFTL_CORE_ERASE_H

#include "core/errand.h"

#include <hostftl/media.h>

struct band;

struct erase {
    struct errand errand;
    struct band *band;
    uint64_t generation;        /* X1 */
    struct errand_op *ops;      /* one a column */
    struct hftl_chunk *reports; /* one a column */
    bool report_retried;
    uint64_t emptied_blocks; /* in bands that were emptied, so far */
    int64_t gained;          /* by that when a flush was last asked for */
};

void erase_init(struct device *device);
void erase_consider(struct device *device);
/* EMPTIED and ERASING bands that become free without a flush being asked for; `most` at most. */
uint32_t erase_coming(const struct device *device, uint32_t most);
/* More bands are free or coming than the limit at which cleaning starts. */
bool erase_is_enough(const struct device *device);
/* A band is being erased, or one is about to be looked for, or the flush that one waits for is on
 * its way. What waits for its readers is not at work: they may take their time. */
bool erase_is_at_work(const struct device *device);

#endif
