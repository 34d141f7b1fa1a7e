/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * trim_page.h - which lbas of a range are unmapped as of a seq (FORMAT.md, 7).
 *
 *   0 stamp (place = range, seq, count = bits) | 64 bitmap | zeros
 *
 * Range r covers lbas r*B .. r*B+B-1, B = trim_page_lbas(). Lba r*B+i is bit i % 8 of byte i / 8;
 * set: unmapped. `bits` says how many lbas the bitmap speaks of (B, or less in the last range); the
 * bits from there on are zero.
 *
 * A page is found by its identity, so the identity is what decoding compares it with: range and seq
 * (S5, MISMATCH). When a page may be made (O2) and which of several counts is the caller's.
 */
#ifndef HOSTFTL_FORMAT_TRIM_PAGE_H
#define HOSTFTL_FORMAT_TRIM_PAGE_H

#include "format/format.h"
#include "format/ident.h"

struct trim_page {
    uint32_t range;
    uint64_t seq;
    uint32_t bits;
    const uint8_t *bitmap; /* (bits + 7) / 8 bytes; decoded: inside the block */
};

/* page->bitmap may be block + FORMAT_TRIM_BITMAP_AT. */
void trim_page_encode(const struct format_context *ctx, const struct trim_page *page,
                      uint8_t *block);

/* ident: of kind trim, decoded from OOB, a summary or a tail. */
HFTL_MUST_USE enum hftl_status trim_page_decode(const struct format_context *ctx,
                                                const struct ident *ident, const uint8_t *block,
                                                struct trim_page *page);

/* True when lba range*B + index is unmapped; index < bits. */
bool trim_page_has(const struct trim_page *page, uint32_t index);

void trim_page_to_text(const struct trim_page *page, char *text, size_t text_bytes);

#endif
