/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/geometry.h"
#include "format/layout.h"
#include "fuzz/fuzz.h"

#include "base/bytes.h"

#include <stdlib.h>
#include <string.h>

#define AT_VERSION 8u
#define AT_KIND 10u
#define AT_ID 16u

static const struct {
    enum stamp_kind kind;
    const char *magic;
} kinds[] = {
    {STAMP_SUPERBLOCK, "HFTLSUPR"}, {STAMP_HEAD, "HFTLHEAD"}, {STAMP_SUMMARY, "HFTLSUMM"},
    {STAMP_TAIL, "HFTLTAIL"},       {STAMP_TRIM, "HFTLTRIM"}, {STAMP_LOST, "HFTLLOST"},
};

uint8_t *fuzz_copy(struct input *input, size_t bytes)
{
    uint8_t *copy = calloc(1, bytes);
    size_t some = input->left < bytes ? input->left : bytes;
    must(copy != NULL);
    if (some > 0)
        memcpy(copy, input->at, some);
    input->at += some;
    input->left -= some;
    return copy;
}

void fix_stamp(const struct format_context *ctx, enum stamp_kind kind, uint8_t *record,
               size_t bytes)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (kinds[i].kind == kind)
            memcpy(record, kinds[i].magic, 8);
    put_u16(record + AT_VERSION, FORMAT_VERSION);
    put_u16(record + AT_KIND, (uint16_t)kind);
    memcpy(record + AT_ID, ctx->id, FORMAT_ID_BYTES);
    stamp_seal(ctx, kind, record, bytes);
}

enum stamp_kind stamp_kind_of(const uint8_t *block)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (memcmp(block, kinds[i].magic, 8) == 0)
            return kinds[i].kind;
    return 0;
}

struct hftl_media_facts facts_of_layout(const struct layout *layout)
{
    return (struct hftl_media_facts){
        .size = sizeof(struct hftl_media_facts),
        .kind = layout->media_kind,
        .flags = HFTL_MEDIA_NEEDS_ERASE,
        .block_bytes = layout->block_bytes,
        .oob_bytes = layout->oob_bytes,
        .groups = layout->groups,
        .pus_per_group = layout->pus_per_group,
        .chunks_per_pu = layout->chunks_per_pu,
        .chunk_blocks = layout->chunk_blocks,
        .ws_min = layout->ws_min,
        .ws_opt = layout->ws_opt,
        .mw_cunits = layout->mw_cunits,
        .transfer_blocks_max = layout->ws_opt,
        .volatile_cache = true,
    };
}

void use_layout(const struct layout *layout)
{
    struct hftl_media_facts facts = facts_of_layout(layout);
    struct geometry g;
    char why[200], text[1024];

    layout_to_text(layout, text, sizeof text);
    if (hftl_media_facts_nonsense(&facts) != NULL ||
        layout_check(layout, &facts, why, sizeof why) != HFTL_OK)
        return;
    geometry_init(&g, layout);
    for (uint32_t width = 1; width <= g.columns; width += g.columns - 1 + (g.columns == 1)) {
        uint32_t blocks = width * g.chunk_blocks;
        uint32_t step = blocks / 64u + 1u;
        for (uint32_t position = 0; position < blocks; position += step) {
            struct place place = geometry_place(&g, width, position);
            must_show(place.column < width && place.offset < g.chunk_blocks, position, width);
            must_show(geometry_position(&g, width, place) == position, position, width);
        }
        if (width == g.columns)
            must_show(geometry_tail(&g, width) < blocks, geometry_tail(&g, width), blocks);
    }
    (void)geometry_overlap(layout, &facts);
    must(layout_band_chunk(layout, g.bands - 1, g.columns - 1) < hftl_media_chunks(&facts));
}
