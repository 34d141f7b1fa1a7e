/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * head.h - the first block of every chunk of a band (FORMAT.md, 4). Offset 0 of a chunk is never a
 * user's, so a head cannot be forged, and a device whose superblocks are gone can be rescued from
 * heads: they carry id, salt and the whole layout.
 *
 *   0 stamp | 64 layout 208 | 272 stream 1 | 273 reserved | 274 column 2 | 276 epoch 4
 *   280 columns present 32 | 312 witness 72 | 384 reserved to the end of the block
 *
 * RULES
 *   H1  S1-S6, count 0.                                                     head_decode
 *   H2  L1, L2, and the layout equals the superblock's.   the caller: layout_check, layout_equal
 *   H3  its column is present in the mask, and the mask has no bit at or above `columns`.
 *       head_decode, by the head's own layout; the same with stream, epoch and witness.
 */
#ifndef HOSTFTL_FORMAT_HEAD_H
#define HOSTFTL_FORMAT_HEAD_H

#include "format/format.h"
#include "format/layout.h"
#include "format/witness.h"

enum band_stream { STREAM_USER = 0, STREAM_RELOCATION = 1 };

struct head {
    uint8_t id[FORMAT_ID_BYTES]; /* decoded; encode writes the context's */
    uint32_t band;
    uint32_t position;
    uint64_t generation;
    uint64_t seq; /* last given when the band was opened */
    struct layout layout;
    enum band_stream stream;
    uint32_t column;
    uint32_t epoch;                     /* the upper half of the generation, once more */
    uint8_t present[FORMAT_MASK_BYTES]; /* one bit a column: column c is bit c % 8 of byte c / 8 */
    struct witness witness;
};

void head_add_column(struct head *head, uint32_t column);
bool head_has_column(const struct head *head, uint32_t column);
/* w of this band: its columns when it was opened. */
uint32_t head_columns(const struct head *head);

/* `block` has ctx->block_bytes. */
void head_encode(const struct format_context *ctx, const struct head *head, uint8_t *block);

/* H1, H3. where: {band, position}. The generation is what the head tells, so it is not expected. */
HFTL_MUST_USE enum hftl_status head_decode(const struct format_context *ctx,
                                           const struct format_place *where, const uint8_t *block,
                                           struct head *head);

void head_to_text(const struct head *head, char *text, size_t text_bytes);

#endif
