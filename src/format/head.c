/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/head.h"

#include "base/bytes.h"
#include "base/must.h"
#include "format/stamp.h"
#include "format/text.h"
#include "format/zeros.h"

#include <inttypes.h>
#include <string.h>

#define AT_LAYOUT 64u
#define AT_STREAM 272u
#define AT_RESERVED_1 273u
#define AT_COLUMN 274u
#define AT_EPOCH 276u
#define AT_PRESENT 280u
#define AT_WITNESS 312u
#define AT_RESERVED_2 384u

_Static_assert(AT_LAYOUT + FORMAT_LAYOUT_BYTES == AT_STREAM, "layout, then stream");
_Static_assert(AT_PRESENT + FORMAT_MASK_BYTES == AT_WITNESS, "mask, then witness");
_Static_assert(AT_WITNESS + FORMAT_WITNESS_BYTES == AT_RESERVED_2, "witness, then reserved");
_Static_assert(AT_RESERVED_2 + 24u == FORMAT_HEAD_BYTES, "the head's fields fill it");
_Static_assert(FORMAT_HEAD_BYTES <= FORMAT_BLOCK_BYTES_MIN, "a head fits the smallest block");

void head_add_column(struct head *head, uint32_t column)
{
    must_show(column < FORMAT_COLUMNS_MAX, column, head->band);
    head->present[column / 8u] |= (uint8_t)(1u << column % 8u);
}

bool head_has_column(const struct head *head, uint32_t column)
{
    return column < FORMAT_COLUMNS_MAX && (head->present[column / 8u] & 1u << column % 8u) != 0;
}

uint32_t head_columns(const struct head *head)
{
    uint32_t count = 0;
    for (uint32_t column = 0; column < FORMAT_COLUMNS_MAX; column++)
        count += head_has_column(head, column);
    return count;
}

/* H3. */
static bool columns_make_sense(const struct head *head)
{
    for (uint32_t i = 0; i < FORMAT_MASK_BYTES; i++) {
        uint32_t columns = head->layout.columns - min_u32(head->layout.columns, 8 * i);
        uint32_t known = columns >= 8 ? 0xff : (1u << columns) - 1;
        if ((head->present[i] & ~known) != 0)
            return false;
    }
    return head_has_column(head, head->column);
}

static bool fields_make_sense(const struct head *head)
{
    if (head->stream >= FORMAT_STREAMS_USED || head->epoch > FORMAT_EPOCH_MAX)
        return false;
    if (head->generation >> 32 != head->epoch)
        return false;
    if (head->band >= head->layout.bands || head->position >= head->layout.band_stride)
        return false;
    for (unsigned i = 0; i < FORMAT_STREAMS; i++) {
        if (!layout_holds_mark(&head->layout, &head->witness.slots[i]))
            return false;
    }
    return columns_make_sense(head);
}

void head_encode(const struct format_context *ctx, const struct head *head, uint8_t *block)
{
    struct stamp stamp = {
        .kind = STAMP_HEAD,
        .number = head->generation,
        .place = head->band,
        .position = head->position,
        .seq = head->seq,
    };
    must_show(fields_make_sense(head), head->band, head->column);
    must_show(head->layout.block_bytes == ctx->block_bytes, head->layout.block_bytes,
              ctx->block_bytes);
    memset(block, 0, ctx->block_bytes);
    stamp_encode(ctx, &stamp, block);
    layout_encode(&head->layout, block + AT_LAYOUT);
    block[AT_STREAM] = (uint8_t)head->stream;
    put_u16(block + AT_COLUMN, (uint16_t)head->column);
    put_u32(block + AT_EPOCH, head->epoch);
    memcpy(block + AT_PRESENT, head->present, FORMAT_MASK_BYTES);
    witness_encode(&head->witness, block + AT_WITNESS);
    stamp_seal(ctx, STAMP_HEAD, block, ctx->block_bytes);
}

/* What the stamp protects; its crc is good. */
static enum hftl_status decode_body(const struct format_context *ctx, const uint8_t *block,
                                    struct head *head)
{
    enum hftl_status status = layout_decode(block + AT_LAYOUT, &head->layout);
    if (status != HFTL_OK)
        return status;
    if (head->layout.block_bytes != ctx->block_bytes)
        return HFTL_CORRUPT;
    if (block[AT_RESERVED_1] != 0 ||
        !all_zero(block + AT_RESERVED_2, ctx->block_bytes - AT_RESERVED_2))
        return HFTL_CORRUPT;

    status = witness_decode(block + AT_WITNESS, &head->witness);
    if (status != HFTL_OK)
        return status;
    head->stream = (enum band_stream)block[AT_STREAM];
    head->column = get_u16(block + AT_COLUMN);
    head->epoch = get_u32(block + AT_EPOCH);
    memcpy(head->present, block + AT_PRESENT, FORMAT_MASK_BYTES);
    return fields_make_sense(head) ? HFTL_OK : HFTL_CORRUPT;
}

enum hftl_status head_decode(const struct format_context *ctx, const struct format_place *where,
                             const uint8_t *block, struct head *head)
{
    struct stamp_expected expected = {
        .kind = STAMP_HEAD,
        .place = where->place,
        .position = where->position,
    };
    struct stamp stamp;
    enum hftl_status status = stamp_decode(ctx, &expected, block, ctx->block_bytes, &stamp);
    if (status != HFTL_OK)
        return status;
    if (stamp.count != 0)
        return HFTL_CORRUPT;

    struct head read = {
        .band = stamp.place,
        .position = stamp.position,
        .generation = stamp.number,
        .seq = stamp.seq,
    };
    memcpy(read.id, stamp.id, FORMAT_ID_BYTES);
    status = decode_body(ctx, block, &read);
    if (status == HFTL_OK)
        *head = read;
    return status;
}

void head_to_text(const struct head *head, char *text, size_t text_bytes)
{
    struct text out = text_start(text, text_bytes);
    char witness[320];
    char layout[1024];

    witness_to_text(&head->witness, witness, sizeof witness);
    layout_to_text(&head->layout, layout, sizeof layout);
    text_add(&out, "head of band %" PRIu32 " generation ", head->band);
    text_add_epoch(&out, head->generation);
    text_add(&out, " position %" PRIu32, head->position);
    text_add(&out, "\nstream %s, column %" PRIu32 " (%" PRIu32 " present)",
             head->stream == STREAM_USER ? "user" : "relocation", head->column, head_columns(head));
    text_add(&out, ", epoch %" PRIu32 ", seq ", head->epoch);
    text_add_epoch(&out, head->seq);
    text_add(&out, "\nwitness: %s\n%s", witness, layout);
}
