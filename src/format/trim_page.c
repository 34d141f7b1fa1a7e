/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/trim_page.h"

#include "base/must.h"
#include "format/stamp.h"
#include "format/text.h"
#include "format/zeros.h"

#include <inttypes.h>
#include <string.h>

#define AT_BITMAP FORMAT_TRIM_BITMAP_AT

static size_t bitmap_bytes(uint32_t bits)
{
    return ((size_t)bits + 7u) / 8u;
}

/* The bits of the last byte that speak of no lba. */
static bool spare_bits_clear(const uint8_t *bitmap, uint32_t bits)
{
    return bits % 8u == 0 || bitmap[bits / 8u] >> bits % 8u == 0;
}

void trim_page_encode(const struct format_context *ctx, const struct trim_page *page,
                      uint8_t *block)
{
    struct stamp stamp = {
        .kind = STAMP_TRIM,
        .place = page->range,
        .seq = page->seq,
        .count = page->bits,
    };
    size_t used = AT_BITMAP + bitmap_bytes(page->bits);

    must_show(page->seq != 0, page->range, page->seq);
    must_show(page->bits > 0 && page->bits <= trim_page_lbas(ctx->block_bytes), page->bits,
              page->range);
    memmove(block + AT_BITMAP, page->bitmap, used - AT_BITMAP); /* may lie in this very block */
    must_show(spare_bits_clear(block + AT_BITMAP, page->bits), page->bits, page->range);
    memset(block + used, 0, ctx->block_bytes - used);
    stamp_encode(ctx, &stamp, block);
    stamp_seal(ctx, STAMP_TRIM, block, ctx->block_bytes);
}

enum hftl_status trim_page_decode(const struct format_context *ctx, const struct ident *ident,
                                  const uint8_t *block, struct trim_page *page)
{
    must_show(ident->kind == IDENT_TRIM, ident->kind, ident->lba);
    if (ident->lba > UINT32_MAX)
        return HFTL_MISMATCH;

    struct stamp_expected expected = {
        .kind = STAMP_TRIM, .place = (uint32_t)ident->lba, .number_known = true, /* 0 */
    };
    struct stamp stamp;
    enum hftl_status status = stamp_decode(ctx, &expected, block, ctx->block_bytes, &stamp);
    if (status != HFTL_OK)
        return status;
    if (stamp.seq != ident->seq) /* S5: another version of this range */
        return HFTL_MISMATCH;
    if (stamp.count == 0 || stamp.count > trim_page_lbas(ctx->block_bytes)) /* S6 */
        return HFTL_CORRUPT;

    size_t used = AT_BITMAP + bitmap_bytes(stamp.count);
    if (!spare_bits_clear(block + AT_BITMAP, stamp.count) ||
        !all_zero(block + used, ctx->block_bytes - used))
        return HFTL_CORRUPT;
    *page = (struct trim_page){
        .range = stamp.place,
        .seq = stamp.seq,
        .bits = stamp.count,
        .bitmap = block + AT_BITMAP,
    };
    return HFTL_OK;
}

bool trim_page_has(const struct trim_page *page, uint32_t index)
{
    must_show(index < page->bits, index, page->bits);
    return (page->bitmap[index / 8u] & 1u << index % 8u) != 0;
}

void trim_page_to_text(const struct trim_page *page, char *text, size_t text_bytes)
{
    struct text out = text_start(text, text_bytes);
    uint32_t unmapped = 0;

    for (uint32_t i = 0; i < page->bits; i++)
        unmapped += trim_page_has(page, i);
    text_add(&out, "trim page of range %" PRIu32 " seq ", page->range);
    text_add_epoch(&out, page->seq);
    text_add(&out, ", %" PRIu32 " of %" PRIu32 " lbas unmapped", unmapped, page->bits);
}
