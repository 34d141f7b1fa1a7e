/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * summary.h - identities of the blocks before it, where the medium has no OOB (FORMAT.md, 5).
 *
 *   0 stamp (count = n) | 64 witness 72 | 136 identities of positions p-n .. p-1 | zeros
 *
 * Identity i is of position p - n + i; p is the summary's own position.
 *
 * RULES
 *   U1  S1-S6 and the generation; n <= N, n <= p.                         summary_decode
 *   U2  each identity is judged on its own: summary_ident answers for one. A good summary proves
 *       nothing about the blocks it names.
 *
 * Identities stay packed (16 bytes each) on both sides, so that a writer can collect them in the
 * very block it will write (summary_encode in place) and a reader copies nothing.
 */
#ifndef HOSTFTL_FORMAT_SUMMARY_H
#define HOSTFTL_FORMAT_SUMMARY_H

#include "format/format.h"
#include "format/ident.h"
#include "format/witness.h"

struct summary {
    struct band_mark at; /* band, its own position, generation */
    uint64_t seq;        /* last given */
    uint32_t count;
    struct witness witness;
    const uint8_t *idents; /* count * 16 bytes; decoded: inside the block, which must outlive it */
};

/* Where identity `index` is collected inside a block that will become a summary. */
static inline uint8_t *summary_ident_slot(uint8_t *block, uint32_t index)
{
    return block + FORMAT_SUMMARY_IDENTS_AT + (size_t)index * FORMAT_IDENT_BYTES;
}

/* summary->idents may be anywhere, also summary_ident_slot(block, 0). */
void summary_encode(const struct format_context *ctx, const struct summary *summary,
                    uint8_t *block);

/* U1. MISMATCH for another band, position or generation than `at`. */
HFTL_MUST_USE enum hftl_status summary_decode(const struct format_context *ctx,
                                              const struct band_mark *at, const uint8_t *block,
                                              struct summary *summary);

/* U2's first half: ident_decode of identity `index`, below count. */
HFTL_MUST_USE enum hftl_status summary_ident(const struct summary *summary, uint32_t index,
                                             struct ident *ident);

/* Without the identities. */
void summary_to_text(const struct summary *summary, char *text, size_t text_bytes);

#endif
