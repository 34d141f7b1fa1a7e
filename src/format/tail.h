/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tail.h - the last blocks of a band: the identities of all others, so that opening reads tails and
 * not bands (FORMAT.md, 6). Written only after a medium flush that covers the band (O1).
 *
 *   0 stamp (count = n) | 64 identities of positions j*M .. j*M+n-1 | zeros
 *
 *   | position 0 ... first-1 | tail 0 | tail 1 | ... | pads |      T = tail_blocks(), format.h
 *                              ^ first = band blocks - T            block j at first + j
 *
 * RULES
 *   T1  S1-S6 for each; the generation is the head's.       tail_decode
 *   T2  count = min(M, first - j*M).                        tail_decode
 */
#ifndef HOSTFTL_FORMAT_TAIL_H
#define HOSTFTL_FORMAT_TAIL_H

#include "format/format.h"
#include "format/ident.h"

/* One tail block's place; everything else follows. */
struct tail_place {
    uint32_t band;
    uint64_t generation;
    uint32_t band_blocks; /* w * c of this band's own columns */
    uint32_t ws_min;
    uint32_t index; /* j, below tail_blocks() */
};

struct tail {
    uint64_t seq_highest; /* of the band */
    uint32_t count;
    const uint8_t *idents; /* count * 16 bytes; decoded: inside the block, which must outlive it */
};

/* Position of tail block 0: how many identities all tail blocks hold together. */
uint32_t tail_first(const struct tail_place *place, uint32_t block_bytes);

/* T2: identities in this block; 0 when it is a pad and not to be read. */
uint32_t tail_idents(const struct tail_place *place, uint32_t block_bytes);

/* Where identity `index` is collected inside a block that will become a tail block. */
static inline uint8_t *tail_ident_slot(uint8_t *block, uint32_t index)
{
    return block + FORMAT_TAIL_IDENTS_AT + (size_t)index * FORMAT_IDENT_BYTES;
}

/* tail->count is T2's and not 0. tail->idents may be tail_ident_slot(block, 0). */
void tail_encode(const struct format_context *ctx, const struct tail_place *place,
                 const struct tail *tail, uint8_t *block);

/* T1, T2. */
HFTL_MUST_USE enum hftl_status tail_decode(const struct format_context *ctx,
                                           const struct tail_place *place, const uint8_t *block,
                                           struct tail *tail);

/* ident_decode of identity `index` < count, of position j*M + index. */
HFTL_MUST_USE enum hftl_status tail_ident(const struct tail *tail, uint32_t index,
                                          struct ident *ident);

void tail_to_text(const struct tail *tail, char *text, size_t text_bytes);

#endif
