/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/tail.h"

#include "base/must.h"
#include "format/stamp.h"
#include "format/text.h"
#include "format/zeros.h"

#include <inttypes.h>
#include <string.h>

#define AT_IDENTS FORMAT_TAIL_IDENTS_AT

uint32_t tail_first(const struct tail_place *place, uint32_t block_bytes)
{
    uint64_t tails = tail_blocks(place->band_blocks, block_bytes, place->ws_min);
    must_show(tails < place->band_blocks, tails, place->band_blocks);
    return (uint32_t)(place->band_blocks - tails);
}

uint32_t tail_idents(const struct tail_place *place, uint32_t block_bytes)
{
    uint64_t first = tail_first(place, block_bytes);
    uint64_t max = tail_idents_max(block_bytes);
    uint64_t before = place->index * max;

    must_show(place->index < place->band_blocks - first, place->index, first);
    if (before >= first)
        return 0;
    return (uint32_t)(first - before < max ? first - before : max);
}

void tail_encode(const struct format_context *ctx, const struct tail_place *place,
                 const struct tail *tail, uint8_t *block)
{
    struct stamp stamp = {
        .kind = STAMP_TAIL,
        .number = place->generation,
        .place = place->band,
        .position = tail_first(place, ctx->block_bytes) + place->index,
        .seq = tail->seq_highest,
        .count = tail->count,
    };
    size_t used = AT_IDENTS + (size_t)tail->count * FORMAT_IDENT_BYTES;

    must_show(tail->count > 0, tail->count, place->index);
    must_show(tail->count == tail_idents(place, ctx->block_bytes), tail->count, place->index);
    memmove(block + AT_IDENTS, tail->idents, used - AT_IDENTS); /* may lie in this very block */
    memset(block + used, 0, ctx->block_bytes - used);
    stamp_encode(ctx, &stamp, block);
    stamp_seal(ctx, STAMP_TAIL, block, ctx->block_bytes);
}

enum hftl_status tail_decode(const struct format_context *ctx, const struct tail_place *place,
                             const uint8_t *block, struct tail *tail)
{
    struct stamp_expected expected = {
        .kind = STAMP_TAIL,
        .place = place->band,
        .position = tail_first(place, ctx->block_bytes) + place->index,
        .number_known = true,
        .number = place->generation,
    };
    struct stamp stamp;
    enum hftl_status status = stamp_decode(ctx, &expected, block, ctx->block_bytes, &stamp);
    if (status != HFTL_OK)
        return status;
    if (stamp.count == 0 || stamp.count != tail_idents(place, ctx->block_bytes)) /* T2 */
        return HFTL_CORRUPT;

    size_t used = AT_IDENTS + (size_t)stamp.count * FORMAT_IDENT_BYTES;
    if (!all_zero(block + used, ctx->block_bytes - used))
        return HFTL_CORRUPT;
    *tail = (struct tail){
        .seq_highest = stamp.seq,
        .count = stamp.count,
        .idents = block + AT_IDENTS,
    };
    return HFTL_OK;
}

enum hftl_status tail_ident(const struct tail *tail, uint32_t index, struct ident *ident)
{
    must_show(index < tail->count, index, tail->count);
    return ident_decode(tail->idents + (size_t)index * FORMAT_IDENT_BYTES, ident);
}

void tail_to_text(const struct tail *tail, char *text, size_t text_bytes)
{
    struct text out = text_start(text, text_bytes);
    text_add(&out, "tail block of %" PRIu32 " identities, highest seq ", tail->count);
    text_add_epoch(&out, tail->seq_highest);
}
