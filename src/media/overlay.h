/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * overlay.h - a medium whose changes are forgotten: the inner medium is only ever read.
 *
 * OWNS      the inner medium; everything that was written, reset or finished since the open, in
 *           memory; the chunk states that follow from it.
 * PROMISES  the contract of media.h, rules included, as if the changes had happened. The inner
 *           medium gets READ operations and one REPORT at the open, nothing else, so that recovery
 *           can be run, and run again, on an image that must not change by a byte.
 * IGNORES   durability: a flush succeeds at once. What the inner medium does on its own (a chunk
 *           that turns READ_ONLY) after the open. Wear limits, media events.
 *
 * Where the blocks of a chunk are:
 *
 *     0                       base              wp
 *     |---- inner medium ------|---- memory -----|      a reset makes base 0
 *
 * THE WINDOW. Blocks just behind the write pointer of a drive with mw_cunits are on the drive and
 * cannot be read; writing on makes them readable, but we do not write on the drive. So the inner
 * medium must be one that answers for all it holds (its own mw_cunits is 0: emu_open_options
 * `all_readable`), and `facts` is what the overlay shows.
 *
 * Memory: what was written, in pieces of 64 blocks, and 60 bytes a chunk.
 */
#ifndef HOSTFTL_MEDIA_OVERLAY_H
#define HOSTFTL_MEDIA_OVERLAY_H

#include <hostftl/media.h>

/* `facts` has the inner medium's shape. MEMORY, IO, CORRUPT (more chunks open than the facts
 * allow); the inner medium is then still the caller's. Close closes the inner medium. */
HFTL_MUST_USE enum hftl_status overlay_open(struct hftl_media *inner,
                                            const struct hftl_media_facts *facts,
                                            struct hftl_media **overlay);

/* How many bytes of changes are held now. */
uint64_t overlay_bytes(const struct hftl_media *overlay);

#endif
