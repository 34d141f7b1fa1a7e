/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lost.h - the block that takes the place of one that could not be read when it had to move
 * (FORMAT.md, 8). Its content is a stamp with the seq of the block that was lost; which lba that
 * was is in its identity alone, whose crc is inverted so that it never verifies as data.
 */
#ifndef HOSTFTL_FORMAT_LOST_H
#define HOSTFTL_FORMAT_LOST_H

#include "format/format.h"
#include "format/ident.h"

struct lost {
    uint64_t seq;
};

void lost_encode(const struct format_context *ctx, const struct lost *lost, uint8_t *block);

/* ident: of kind lost. MISMATCH when its seq is another. */
HFTL_MUST_USE enum hftl_status lost_decode(const struct format_context *ctx,
                                           const struct ident *ident, const uint8_t *block,
                                           struct lost *lost);

void lost_to_text(const struct lost *lost, char *text, size_t text_bytes);

#endif
