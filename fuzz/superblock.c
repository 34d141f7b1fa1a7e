/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * superblock.c - one record of a superblock's log, of any length.
 *
 *   byte 0      fuzz.h
 *   the rest    the record, filled up to whole blocks
 *
 * Beyond not falling: a refused record leaves the struct alone, and what is accepted is encoded to
 * the same bytes again, verdicts included, so nothing of it was overlooked.
 */
#include "fuzz/superblock.h"

#include "base/bytes.h"
#include "fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#define AT_BLOCK_BYTES 66u /* of the layout */
#define AT_COUNT 56u
#define AT_COPY 40u
#define AT_OFFSET 44u
#define BYTES_MAX 65536u

static struct format_context context_for(const struct input *input)
{
    struct format_context ctx = {.block_bytes = FORMAT_BLOCK_BYTES_MIN, .any_device = true};
    uint32_t claimed = input->left > AT_BLOCK_BYTES + 2 ? get_u16(input->at + AT_BLOCK_BYTES) : 0;
    if (format_block_bytes_valid(claimed))
        ctx.block_bytes = claimed;
    if (input->left >= AT_COPY)
        memcpy(ctx.id, input->at + 16, FORMAT_ID_BYTES);
    return ctx;
}

static void fix(const struct format_context *ctx, uint8_t *record, size_t bytes)
{
    uint32_t count = get_u32(record + AT_COUNT);
    if (count < FORMAT_SUPERBLOCK_BYTES || count % ctx->block_bytes != 0 || count > bytes) {
        put_u32(record + AT_COUNT, (uint32_t)bytes);
        count = (uint32_t)bytes;
    }
    fix_stamp(ctx, STAMP_SUPERBLOCK, record, count);
}

static void encode_again(const struct format_context *any, const struct superblock *superblock,
                         const struct verdict_list *list, const uint8_t *record)
{
    struct format_context ctx = *any;
    uint64_t bytes = superblock_bytes(ctx.block_bytes, list);
    /* More blocks than the verdicts need are allowed; no writer makes them. */
    if (bytes != superblock->bytes)
        return;
    uint8_t *again = malloc((size_t)bytes);
    must(again != NULL);
    memcpy(ctx.id, superblock->id, sizeof ctx.id);
    superblock_encode(&ctx, superblock, list, again, (size_t)bytes);
    must_show(memcmp(again, record, (size_t)bytes) == 0, superblock->number, bytes);
    free(again);
}

static void use(const struct format_context *ctx, const struct superblock *superblock,
                const uint8_t *record)
{
    struct verdict_walk walk = verdict_walk_start(superblock, record);
    size_t count = superblock->verdict_count;
    struct verdict *verdicts = calloc(count + 1, sizeof *verdicts);
    uint32_t *accepted = calloc((count + 1) * FORMAT_COLUMNS_MAX, sizeof *accepted);
    uint32_t taken = 0;
    char text[4096];

    must(verdicts != NULL && accepted != NULL);
    superblock_to_text(superblock, text, sizeof text);
    (void)superblock_read_only(superblock);
    while (verdict_next(&walk, &verdicts[taken], accepted + (size_t)taken * FORMAT_COLUMNS_MAX)) {
        verdict_to_text(&verdicts[taken], text, sizeof text);
        must(verdicts[taken].band < superblock->layout.bands);
        taken++;
    }
    must_show(taken == count, taken, count);
    encode_again(ctx, superblock, &(struct verdict_list){verdicts, taken}, record);
    free(verdicts);
    free(accepted);
    use_layout(&superblock->layout);
}

bool superblock_take(const uint8_t *data, size_t size, struct superblock *superblock)
{
    struct input input = {data, size};
    uint8_t control = take_u8(&input);
    struct format_context ctx = context_for(&input);
    size_t bytes = input.left < BYTES_MAX ? input.left : BYTES_MAX;
    bytes = bytes < ctx.block_bytes ? ctx.block_bytes : round_up_u64(bytes, ctx.block_bytes);
    uint8_t *record = fuzz_copy(&input, bytes);
    uint32_t claimed;

    if (wants_fix(control))
        fix(&ctx, record, bytes);
    struct format_place where = {get_u32(record + AT_COPY), get_u32(record + AT_OFFSET)};
    struct superblock untouched;
    memset(superblock, 0xa5, sizeof *superblock);
    memcpy(&untouched, superblock, sizeof untouched);
    enum hftl_status peeked = superblock_peek(&ctx, record, &claimed);
    enum hftl_status status = superblock_decode(&ctx, &where, record, bytes, superblock);
    if (status == HFTL_OK) {
        must(peeked == HFTL_OK && claimed == superblock->bytes);
        use(&ctx, superblock, record);
    } else {
        must(memcmp(superblock, &untouched, sizeof untouched) == 0);
    }
    free(record);
    return status == HFTL_OK;
}
