/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * witness.h - what the last flush covered (FORMAT.md, 5): 72 bytes in every head, summary and
 * superblock record.
 *
 *   0 flush number 8 | 8 four slots of 16: band 4, position 4, generation 8
 *
 * All positions below slot.position of that band and generation were flushed: a chunk whose write
 * pointer is lower after a crash has lost what it had promised. Slots 0 and 1 are the open bands of
 * the two streams, slots 2 and 3 the bands that they are closing meanwhile; where there is none the
 * band is FORMAT_BAND_NONE and the rest zeros.
 */
#ifndef HOSTFTL_FORMAT_WITNESS_H
#define HOSTFTL_FORMAT_WITNESS_H

#include "format/format.h"

struct witness {
    uint64_t flush; /* epoch << 32 | count of flushes in that epoch */
    struct band_mark slots[FORMAT_STREAMS];
};

/* Flush number 0, no slot in use: what a device has that was never flushed. */
struct witness witness_none(void);

void band_mark_encode(const struct band_mark *mark, uint8_t bytes[FORMAT_MARK_BYTES]);
/* CORRUPT when an unused mark carries numbers. */
HFTL_MUST_USE enum hftl_status band_mark_decode(const uint8_t bytes[FORMAT_MARK_BYTES],
                                                struct band_mark *mark);

void witness_encode(const struct witness *witness, uint8_t bytes[FORMAT_WITNESS_BYTES]);
/* CORRUPT: a slot, or an epoch beyond 24 bits. Whether bands exist: layout_holds_mark, layout.h. */
HFTL_MUST_USE enum hftl_status witness_decode(const uint8_t bytes[FORMAT_WITNESS_BYTES],
                                              struct witness *witness);
void witness_to_text(const struct witness *witness, char *text, size_t text_bytes);

#endif
