/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/summary.h"

#include "base/must.h"
#include "format/stamp.h"
#include "format/text.h"
#include "format/zeros.h"

#include <inttypes.h>
#include <string.h>

#define AT_WITNESS FORMAT_STAMP_BYTES
#define AT_IDENTS FORMAT_SUMMARY_IDENTS_AT

_Static_assert(AT_IDENTS == 136u, "where FORMAT.md puts the identities");

static bool count_makes_sense(const struct format_context *ctx, uint32_t count, uint32_t position)
{
    return count <= summary_idents_max(ctx->block_bytes) && count <= position;
}

void summary_encode(const struct format_context *ctx, const struct summary *summary, uint8_t *block)
{
    struct stamp stamp = {
        .kind = STAMP_SUMMARY,
        .number = summary->at.generation,
        .place = summary->at.band,
        .position = summary->at.position,
        .seq = summary->seq,
        .count = summary->count,
    };
    size_t used = AT_IDENTS + (size_t)summary->count * FORMAT_IDENT_BYTES;

    must_show(count_makes_sense(ctx, summary->count, summary->at.position), summary->count,
              summary->at.position);
    if (summary->count > 0) /* first: they may lie in this very block */
        memmove(block + AT_IDENTS, summary->idents, used - AT_IDENTS);
    memset(block + used, 0, ctx->block_bytes - used);
    stamp_encode(ctx, &stamp, block);
    witness_encode(&summary->witness, block + AT_WITNESS);
    stamp_seal(ctx, STAMP_SUMMARY, block, ctx->block_bytes);
}

enum hftl_status summary_decode(const struct format_context *ctx, const struct band_mark *at,
                                const uint8_t *block, struct summary *summary)
{
    struct stamp_expected expected = {
        .kind = STAMP_SUMMARY,
        .place = at->band,
        .position = at->position,
        .number_known = true,
        .number = at->generation,
    };
    struct stamp stamp;
    enum hftl_status status = stamp_decode(ctx, &expected, block, ctx->block_bytes, &stamp);
    if (status != HFTL_OK)
        return status;
    if (!count_makes_sense(ctx, stamp.count, stamp.position)) /* U1 */
        return HFTL_CORRUPT;

    size_t used = AT_IDENTS + (size_t)stamp.count * FORMAT_IDENT_BYTES;
    if (!all_zero(block + used, ctx->block_bytes - used))
        return HFTL_CORRUPT;

    struct summary read = {
        .at = *at,
        .seq = stamp.seq,
        .count = stamp.count,
        .idents = block + AT_IDENTS,
    };
    status = witness_decode(block + AT_WITNESS, &read.witness);
    if (status == HFTL_OK)
        *summary = read;
    return status;
}

enum hftl_status summary_ident(const struct summary *summary, uint32_t index, struct ident *ident)
{
    must_show(index < summary->count, index, summary->count);
    return ident_decode(summary->idents + (size_t)index * FORMAT_IDENT_BYTES, ident);
}

void summary_to_text(const struct summary *summary, char *text, size_t text_bytes)
{
    struct text out = text_start(text, text_bytes);
    char witness[320];

    witness_to_text(&summary->witness, witness, sizeof witness);
    text_add(&out, "summary of band %" PRIu32 " generation ", summary->at.band);
    text_add_epoch(&out, summary->at.generation);
    text_add(&out, " position %" PRIu32, summary->at.position);
    text_add(&out, "\n%" PRIu32 " identities from position %" PRIu32 " on, seq ", summary->count,
             summary->at.position - summary->count);
    text_add_epoch(&out, summary->seq);
    text_add(&out, "\nwitness: %s", witness);
}
