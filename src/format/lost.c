/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/lost.h"

#include "base/must.h"
#include "format/stamp.h"
#include "format/text.h"
#include "format/zeros.h"

#include <string.h>

void lost_encode(const struct format_context *ctx, const struct lost *lost, uint8_t *block)
{
    struct stamp stamp = {.kind = STAMP_LOST, .seq = lost->seq};

    must_show(lost->seq != 0, lost->seq, 0);
    memset(block, 0, ctx->block_bytes);
    stamp_encode(ctx, &stamp, block);
    stamp_seal(ctx, STAMP_LOST, block, ctx->block_bytes);
}

enum hftl_status lost_decode(const struct format_context *ctx, const struct ident *ident,
                             const uint8_t *block, struct lost *lost)
{
    struct stamp_expected expected = {.kind = STAMP_LOST, .number_known = true};
    struct stamp stamp;

    must_show(ident->kind == IDENT_LOST, ident->kind, ident->lba);
    enum hftl_status status = stamp_decode(ctx, &expected, block, ctx->block_bytes, &stamp);
    if (status != HFTL_OK)
        return status;
    if (stamp.seq != ident->seq) /* S5: another lost block */
        return HFTL_MISMATCH;
    if (stamp.count != 0 ||
        !all_zero(block + FORMAT_STAMP_BYTES, ctx->block_bytes - FORMAT_STAMP_BYTES))
        return HFTL_CORRUPT;
    lost->seq = stamp.seq;
    return HFTL_OK;
}

void lost_to_text(const struct lost *lost, char *text, size_t text_bytes)
{
    struct text out = text_start(text, text_bytes);
    text_add(&out, "lost block, seq ");
    text_add_epoch(&out, lost->seq);
}
