/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * records.c - summaries, tails, trim pages, lost blocks, and the identities in them.
 *
 *   byte 0      fuzz.h; bits 3-4: which record; bit 5: blocks of 512 or 4096 bytes
 *   4 bytes     tail: blocks of the band; bytes 4-5: its index, byte 6: ws_min
 *   the rest    the block
 */
#include "format/lost.h"
#include "format/summary.h"
#include "format/tail.h"
#include "format/trim_page.h"

#include "base/bytes.h"
#include "base/crc.h"
#include "fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#define SALT UINT64_C(0x1122334455667788)

struct sample {
    struct format_context ctx;
    uint8_t *block;
    uint8_t *again;
    bool fix;
    uint32_t band_blocks;
    uint16_t index;
    uint8_t ws_min;
};

static void use_ident(const struct sample *s, const struct ident *ident, const uint8_t *bytes)
{
    uint8_t again[FORMAT_IDENT_BYTES];
    char text[200];
    uint64_t salt = ident_place_salt(&s->ctx, 7, (hftl_pba){ident->lba});
    uint32_t data = ident_data_crc(ident, salt);

    ident_encode(ident, again);
    must(memcmp(again, bytes, sizeof again) == 0);
    ident_to_text(ident, text, sizeof text);
    must(ident_crc(ident, data, salt) == ident->crc);
    must(ident_verifies(ident, data, salt) == (ident->kind != IDENT_LOST));
}

static void must_be_same(const struct sample *s)
{
    must(memcmp(s->again, s->block, s->ctx.block_bytes) == 0);
}

static void fix(const struct sample *s, enum stamp_kind kind)
{
    if (s->fix)
        fix_stamp(&s->ctx, kind, s->block, s->ctx.block_bytes);
}

static void try_summary(const struct sample *s)
{
    struct summary summary;
    struct ident ident;
    char text[1024];

    fix(s, STAMP_SUMMARY);
    struct band_mark at = {get_u32(s->block + 40), get_u32(s->block + 44), get_u64(s->block + 32)};
    if (summary_decode(&s->ctx, &at, s->block, &summary) != HFTL_OK)
        return;
    for (uint32_t i = 0; i < summary.count; i++)
        if (summary_ident(&summary, i, &ident) == HFTL_OK)
            use_ident(s, &ident, summary.idents + (size_t)i * FORMAT_IDENT_BYTES);
    summary_to_text(&summary, text, sizeof text);
    summary_encode(&s->ctx, &summary, s->again);
    must_be_same(s);
}

/* Only bands that layout_check lets through have tails. */
static bool has_tail(const struct sample *s)
{
    uint64_t tails = tail_blocks(s->band_blocks, s->ctx.block_bytes, s->ws_min);
    return s->band_blocks % s->ws_min == 0 && tails < s->band_blocks && s->index < tails;
}

static void try_tail(const struct sample *s)
{
    struct tail_place place = {
        .band = get_u32(s->block + 40),
        .generation = get_u64(s->block + 32),
        .band_blocks = s->band_blocks,
        .ws_min = s->ws_min,
        .index = s->index,
    };
    struct tail tail;
    struct ident ident;
    char text[1024];

    if (!has_tail(s))
        return;
    if (s->fix) { /* where it should be, so that the rest is looked at */
        put_u32(s->block + 44, tail_first(&place, s->ctx.block_bytes) + s->index);
        put_u32(s->block + 56, tail_idents(&place, s->ctx.block_bytes));
    }
    fix(s, STAMP_TAIL);
    if (tail_decode(&s->ctx, &place, s->block, &tail) != HFTL_OK)
        return;
    for (uint32_t i = 0; i < tail.count; i++)
        if (tail_ident(&tail, i, &ident) == HFTL_OK)
            use_ident(s, &ident, tail.idents + (size_t)i * FORMAT_IDENT_BYTES);
    tail_to_text(&tail, text, sizeof text);
    tail_encode(&s->ctx, &place, &tail, s->again);
    must_be_same(s);
}

static void try_trim_page(const struct sample *s)
{
    struct trim_page page;
    char text[1024];

    fix(s, STAMP_TRIM);
    struct ident ident = {
        .kind = IDENT_TRIM, .lba = get_u32(s->block + 40), .seq = get_u64(s->block + 48)};
    if (trim_page_decode(&s->ctx, &ident, s->block, &page) != HFTL_OK)
        return;
    trim_page_to_text(&page, text, sizeof text);
    if (page.seq == 0)
        return; /* I3: no identity names it */
    trim_page_encode(&s->ctx, &page, s->again);
    must_be_same(s);
}

static void try_lost(const struct sample *s)
{
    struct lost lost;
    char text[1024];

    fix(s, STAMP_LOST);
    struct ident ident = {.kind = IDENT_LOST, .seq = get_u64(s->block + 48)};
    if (lost_decode(&s->ctx, &ident, s->block, &lost) != HFTL_OK)
        return;
    lost_to_text(&lost, text, sizeof text);
    if (lost.seq == 0)
        return; /* I3 */
    lost_encode(&s->ctx, &lost, s->again);
    must_be_same(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    uint8_t control = take_u8(&input);
    struct sample s = {
        .ctx = {.salt = SALT, .block_bytes = (control & 32u) != 0 ? 4096u : 512u},
        .fix = wants_fix(control),
        .band_blocks = take_u32(&input),
        .index = take_u16(&input),
        .ws_min = take_u8(&input),
    };
    s.ws_min = s.ws_min ? s.ws_min : 1;
    s.block = fuzz_copy(&input, s.ctx.block_bytes);
    s.again = malloc(s.ctx.block_bytes);
    must(s.again != NULL);
    memcpy(s.ctx.id, s.block + 16, FORMAT_ID_BYTES);
    switch (control >> 3 & 3u) {
    case 0:
        try_summary(&s);
        break;
    case 1:
        try_tail(&s);
        break;
    case 2:
        try_trim_page(&s);
        break;
    default:
        try_lost(&s);
    }
    free(s.block);
    free(s.again);
    return 0;
}
