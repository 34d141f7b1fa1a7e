/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hollow.h - a zoned drive in memory that keeps no zeros, so that it can be as large as real ones.
 *
 * OWNS      chunk states, and those blocks that hold anything but zeros.
 * PROMISES  every rule of media.h that the ledger knows; a block of zeros costs nothing, any other
 *           one its size. Counts what is read. Outlives the handles that are attached to it.
 * IGNORES   time; power cuts: all that was written stays.
 *
 * A device that users wrote zeros to leaves its metadata there and nothing else: a terabyte of it
 * fits into a few gigabytes.
 */
#ifndef HOSTFTL_BENCH_HOLLOW_H
#define HOSTFTL_BENCH_HOLLOW_H

#include <hostftl/media.h>

struct hollow;

/* NULL: no memory. */
struct hollow *hollow_create(const struct hftl_media_facts *facts);
void hollow_destroy(struct hollow *hollow);
/* One handle at a time; the one before was closed, or cut. NULL: no memory. */
struct hftl_media *hollow_attach(struct hollow *hollow);

/*
 * A power cut: every operation of the handle that was attached last fails from now on, what was
 * written stays. A device on it can still be closed: that writes nothing, and gives memory back.
 */
void hollow_cut(struct hollow *hollow);

/* Since the last call. */
void hollow_count(struct hollow *hollow, uint64_t *reads, uint64_t *blocks);

#endif
