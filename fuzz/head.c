/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * head.c - the first block of a chunk of a band.
 *
 *   byte 0      fuzz.h
 *   the rest    the block, cut to or filled up to its size
 */
#include "format/head.h"

#include "base/bytes.h"
#include "fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#define AT_BLOCK_BYTES 66u
#define AT_BAND 40u
#define AT_POSITION 44u

static void use(const struct format_context *any, const struct head *head, const uint8_t *block)
{
    struct format_context ctx = *any;
    char text[4096];
    uint8_t *again = malloc(ctx.block_bytes);

    must(again != NULL);
    head_to_text(head, text, sizeof text);
    must(head_has_column(head, head->column) && head_columns(head) > 0);
    must(head_columns(head) <= head->layout.columns);
    memcpy(ctx.id, head->id, sizeof ctx.id);
    head_encode(&ctx, head, again);
    must_show(memcmp(again, block, ctx.block_bytes) == 0, head->band, head->position);
    free(again);
    use_layout(&head->layout);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    bool fix = wants_fix(take_u8(&input));
    struct format_context ctx = {.block_bytes = FORMAT_BLOCK_BYTES_MIN, .any_device = true};
    uint32_t claimed = input.left > AT_BLOCK_BYTES + 2 ? get_u16(input.at + AT_BLOCK_BYTES) : 0;
    if (format_block_bytes_valid(claimed))
        ctx.block_bytes = claimed;
    uint8_t *block = fuzz_copy(&input, ctx.block_bytes);
    memcpy(ctx.id, block + 16, FORMAT_ID_BYTES);
    if (fix)
        fix_stamp(&ctx, STAMP_HEAD, block, ctx.block_bytes);

    struct format_place where = {get_u32(block + AT_BAND), get_u32(block + AT_POSITION)};
    struct head head, untouched;
    memset(&head, 0xa5, sizeof head);
    memcpy(&untouched, &head, sizeof head);
    if (head_decode(&ctx, &where, block, &head) == HFTL_OK)
        use(&ctx, &head, block);
    else
        must(memcmp(&head, &untouched, sizeof head) == 0);
    free(block);
    return 0;
}
