/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/superblock.h"

#include "base/bytes.h"
#include "base/must.h"
#include "format/stamp.h"
#include "format/text.h"
#include "format/zeros.h"

#include <inttypes.h>
#include <string.h>

#define AT_STAMP_COUNT 56u
#define AT_LAYOUT 64u
#define AT_FEATURES 272u
#define AT_EPOCH 296u
#define AT_STATE 300u
#define AT_GENERATION_NEXT 304u
#define AT_CACHE_ID 312u
#define AT_CACHE_GENERATION 328u
#define AT_CACHE_STATE 336u
#define AT_RESERVED_1 340u /* 4, then the map root of 16 */
#define AT_OPEN 360u
#define AT_WITNESS 424u
#define AT_VERDICT_COUNT 496u
#define AT_RESERVED_2 500u /* lost lbas of 4, then 8 */
#define AT_VERDICTS FORMAT_SUPERBLOCK_BYTES

#define STATE_KNOWN (SUPERBLOCK_CLEAN | SUPERBLOCK_READ_ONLY)
#define STATE_UPGRADE 0xff00u /* bits 8-15, reserved for an upgrade in progress */

_Static_assert(AT_LAYOUT + FORMAT_LAYOUT_BYTES == AT_FEATURES, "layout, then features");
_Static_assert(AT_RESERVED_1 + 20u == AT_OPEN, "reserved, then open bands");
_Static_assert(AT_OPEN + FORMAT_STREAMS * FORMAT_MARK_BYTES == AT_WITNESS, "open, then witness");
_Static_assert(AT_WITNESS + FORMAT_WITNESS_BYTES == AT_VERDICT_COUNT, "witness, then verdicts");
_Static_assert(AT_RESERVED_2 + 12u == AT_VERDICTS, "the superblock's fields fill it");
_Static_assert(FORMAT_SUPERBLOCK_BYTES <= FORMAT_BLOCK_BYTES_MIN, "it fits the smallest block");

static uint64_t verdict_bytes(uint32_t columns)
{
    return FORMAT_VERDICT_BYTES + (uint64_t)columns * 4u;
}

uint64_t superblock_bytes(uint32_t block_bytes, const struct verdict_list *verdicts)
{
    uint64_t bytes = FORMAT_SUPERBLOCK_BYTES;
    for (uint32_t i = 0; i < verdicts->count; i++)
        bytes += verdict_bytes(verdicts->verdicts[i].columns);
    return round_up_u64(bytes, block_bytes);
}

static bool accepted_makes_sense(const struct layout *layout, const uint8_t *accepted,
                                 uint32_t columns)
{
    for (uint32_t i = 0; i < columns; i++) {
        if (get_u32(accepted + 4u * (size_t)i) > layout->chunk_blocks)
            return false;
    }
    return true;
}

/* Bytes of the verdict at `at`, or 0: it goes on beyond `left`, or the device has no such band. */
static uint64_t check_verdict(const struct layout *layout, const uint8_t *at, uint64_t left)
{
    if (left < FORMAT_VERDICT_BYTES)
        return 0;
    uint32_t columns = get_u32(at + 4);
    if (get_u32(at) >= layout->bands || columns == 0 || columns > layout->columns)
        return 0;
    if (verdict_bytes(columns) > left ||
        !accepted_makes_sense(layout, at + FORMAT_VERDICT_BYTES, columns))
        return 0;
    return verdict_bytes(columns);
}

/* P4's second half, and zeros from the last verdict to the end of the record. */
static bool verdicts_make_sense(const struct superblock *superblock, const uint8_t *record)
{
    uint64_t at = AT_VERDICTS;
    for (uint32_t i = 0; i < superblock->verdict_count; i++) {
        uint64_t used = check_verdict(&superblock->layout, record + at, superblock->bytes - at);
        if (used == 0)
            return false;
        at += used;
    }
    return all_zero(record + at, superblock->bytes - at);
}

static bool fields_make_sense(const struct superblock *superblock)
{
    const struct layout *layout = &superblock->layout;
    uint64_t end = superblock->offset + (uint64_t)superblock->bytes / layout->block_bytes;

    if (superblock->copy > 1u || superblock->epoch > FORMAT_EPOCH_MAX)
        return false;
    if (end > layout->chunk_blocks) /* P4 */
        return false;
    for (unsigned i = 0; i < FORMAT_STREAMS; i++) {
        if (!layout_holds_mark(layout, &superblock->witness.slots[i]) ||
            !layout_holds_mark(layout, &superblock->open[i]))
            return false;
    }
    return true;
}

static void encode_verdict(const struct verdict *verdict, uint8_t *at)
{
    put_u32(at, verdict->band);
    put_u32(at + 4, verdict->columns);
    put_u64(at + 8, verdict->generation);
    for (uint32_t i = 0; i < verdict->columns; i++)
        put_u32(at + FORMAT_VERDICT_BYTES + 4u * (size_t)i, verdict->accepted[i]);
}

static void encode_verdicts(const struct layout *layout, const struct verdict_list *verdicts,
                            uint8_t *record)
{
    uint8_t *at = record + AT_VERDICTS;
    for (uint32_t i = 0; i < verdicts->count; i++) {
        const struct verdict *verdict = &verdicts->verdicts[i];
        uint64_t bytes = verdict_bytes(verdict->columns);
        encode_verdict(verdict, at);
        must_show(check_verdict(layout, at, bytes) == bytes, verdict->band, verdict->columns);
        at += bytes;
    }
}

static void encode_body(const struct superblock *superblock, uint8_t *record)
{
    layout_encode(&superblock->layout, record + AT_LAYOUT);
    put_u64(record + AT_FEATURES, superblock->features_compatible);
    put_u64(record + AT_FEATURES + 8u, superblock->features_read_only);
    put_u64(record + AT_FEATURES + 16u, superblock->features_incompatible);
    put_u32(record + AT_EPOCH, superblock->epoch);
    put_u32(record + AT_STATE, superblock->state);
    put_u64(record + AT_GENERATION_NEXT, superblock->generation_next);
    memcpy(record + AT_CACHE_ID, superblock->cache_id, FORMAT_ID_BYTES);
    put_u64(record + AT_CACHE_GENERATION, superblock->cache_generation);
    put_u32(record + AT_CACHE_STATE, superblock->cache_state);
    for (unsigned i = 0; i < FORMAT_STREAMS; i++)
        band_mark_encode(&superblock->open[i], record + AT_OPEN + i * FORMAT_MARK_BYTES);
    witness_encode(&superblock->witness, record + AT_WITNESS);
}

void superblock_encode(const struct format_context *ctx, const struct superblock *superblock,
                       const struct verdict_list *verdicts, uint8_t *record, size_t record_bytes)
{
    struct superblock full = *superblock;
    struct stamp stamp = {
        .kind = STAMP_SUPERBLOCK,
        .number = superblock->number,
        .place = superblock->copy,
        .position = superblock->offset,
        .seq = superblock->seq,
        .count = (uint32_t)record_bytes,
    };

    must_show(record_bytes == superblock_bytes(ctx->block_bytes, verdicts), record_bytes,
              verdicts->count);
    must_show(record_bytes <= UINT32_MAX, record_bytes, verdicts->count);
    must_show(full.layout.block_bytes == ctx->block_bytes, full.layout.block_bytes,
              ctx->block_bytes);
    must_show((full.features_incompatible & ~FEATURE_INCOMPATIBLE_KNOWN) == 0,
              full.features_incompatible, 0);
    must_show((full.state & ~STATE_KNOWN) == 0, full.state, 0);
    full.bytes = (uint32_t)record_bytes;
    must_show(fields_make_sense(&full), full.copy, full.offset);

    memset(record, 0, record_bytes);
    stamp_encode(ctx, &stamp, record);
    encode_body(&full, record);
    put_u32(record + AT_VERDICT_COUNT, verdicts->count);
    encode_verdicts(&full.layout, verdicts, record);
    stamp_seal(ctx, STAMP_SUPERBLOCK, record, record_bytes);
}

enum hftl_status superblock_peek(const struct format_context *ctx, const uint8_t *block,
                                 uint32_t *record_bytes)
{
    must_show(format_block_bytes_valid(ctx->block_bytes), ctx->block_bytes, 0);
    enum hftl_status status = stamp_peek(block, STAMP_SUPERBLOCK);
    if (status != HFTL_OK)
        return status;

    uint32_t bytes = get_u32(block + AT_STAMP_COUNT);
    if (bytes < FORMAT_SUPERBLOCK_BYTES || bytes % ctx->block_bytes != 0)
        return HFTL_CORRUPT;
    *record_bytes = bytes;
    return HFTL_OK;
}

static void take_fields(const uint8_t *record, struct superblock *superblock)
{
    superblock->features_compatible = get_u64(record + AT_FEATURES);
    superblock->features_read_only = get_u64(record + AT_FEATURES + 8u);
    superblock->features_incompatible = get_u64(record + AT_FEATURES + 16u);
    superblock->epoch = get_u32(record + AT_EPOCH);
    superblock->state = get_u32(record + AT_STATE);
    superblock->generation_next = get_u64(record + AT_GENERATION_NEXT);
    memcpy(superblock->cache_id, record + AT_CACHE_ID, FORMAT_ID_BYTES);
    superblock->cache_generation = get_u64(record + AT_CACHE_GENERATION);
    superblock->cache_state = get_u32(record + AT_CACHE_STATE);
    superblock->verdict_count = get_u32(record + AT_VERDICT_COUNT);
}

static enum hftl_status decode_marks(const uint8_t *record, struct superblock *superblock)
{
    for (unsigned i = 0; i < FORMAT_STREAMS; i++) {
        enum hftl_status status =
            band_mark_decode(record + AT_OPEN + i * FORMAT_MARK_BYTES, &superblock->open[i]);
        if (status != HFTL_OK)
            return status;
    }
    return witness_decode(record + AT_WITNESS, &superblock->witness);
}

/*
 * What the stamp protects; its crc is good. Features come before the reserved bytes: what needs a
 * feature may well put something there, and then it is the feature that the user must hear of.
 */
static enum hftl_status decode_body(const struct format_context *ctx, const uint8_t *record,
                                    struct superblock *superblock)
{
    enum hftl_status status = layout_decode(record + AT_LAYOUT, &superblock->layout);
    if (status != HFTL_OK)
        return status;
    if (superblock->layout.block_bytes != ctx->block_bytes)
        return HFTL_CORRUPT;
    take_fields(record, superblock);
    if ((superblock->features_incompatible & ~FEATURE_INCOMPATIBLE_KNOWN) != 0 ||
        (superblock->state & STATE_UPGRADE) != 0) /* P3 */
        return HFTL_UNSUPPORTED;
    if ((superblock->state & ~STATE_KNOWN) != 0 ||
        !all_zero(record + AT_RESERVED_1, AT_OPEN - AT_RESERVED_1) ||
        !all_zero(record + AT_RESERVED_2, AT_VERDICTS - AT_RESERVED_2))
        return HFTL_CORRUPT;

    status = decode_marks(record, superblock);
    if (status != HFTL_OK)
        return status;
    if (!fields_make_sense(superblock) || !verdicts_make_sense(superblock, record)) /* P4 */
        return HFTL_CORRUPT;
    return HFTL_OK;
}

enum hftl_status superblock_decode(const struct format_context *ctx,
                                   const struct format_place *where, const uint8_t *record,
                                   size_t bytes, struct superblock *superblock)
{
    struct stamp_expected expected = {
        .kind = STAMP_SUPERBLOCK,
        .place = where->place,
        .position = where->position,
    };
    struct superblock read = {.bytes = 0};
    struct stamp stamp;

    if (bytes < ctx->block_bytes)
        return HFTL_TRUNCATED;
    enum hftl_status status = superblock_peek(ctx, record, &read.bytes);
    if (status != HFTL_OK)
        return status;
    if (read.bytes > bytes)
        return HFTL_TRUNCATED;
    status = stamp_decode(ctx, &expected, record, read.bytes, &stamp);
    if (status != HFTL_OK)
        return status;

    memcpy(read.id, stamp.id, FORMAT_ID_BYTES);
    read.copy = stamp.place;
    read.offset = stamp.position;
    read.number = stamp.number;
    read.seq = stamp.seq;
    status = decode_body(ctx, record, &read);
    if (status == HFTL_OK)
        *superblock = read;
    return status;
}

bool superblock_read_only(const struct superblock *superblock)
{
    return (superblock->features_read_only & ~FEATURE_READ_ONLY_KNOWN) != 0 ||
           (superblock->state & SUPERBLOCK_READ_ONLY) != 0;
}

struct verdict_walk verdict_walk_start(const struct superblock *superblock, const uint8_t *record)
{
    return (struct verdict_walk){.at = record + AT_VERDICTS, .left = superblock->verdict_count};
}

bool verdict_next(struct verdict_walk *walk, struct verdict *verdict,
                  uint32_t accepted[FORMAT_COLUMNS_MAX])
{
    if (walk->left == 0)
        return false;

    uint32_t columns = get_u32(walk->at + 4);
    must_show(columns <= FORMAT_COLUMNS_MAX, columns, walk->left); /* decode has looked */
    for (uint32_t i = 0; i < columns; i++)
        accepted[i] = get_u32(walk->at + FORMAT_VERDICT_BYTES + 4u * (size_t)i);
    *verdict = (struct verdict){
        .band = get_u32(walk->at),
        .columns = columns,
        .generation = get_u64(walk->at + 8),
        .accepted = accepted,
    };
    walk->at += verdict_bytes(columns);
    walk->left--;
    return true;
}

void superblock_to_text(const struct superblock *superblock, char *text, size_t text_bytes)
{
    struct text out = text_start(text, text_bytes);
    char part[1024];

    text_add(&out, "superblock copy %c record %" PRIu64 " at block %" PRIu32 ", %" PRIu32 " bytes",
             superblock->copy == 0 ? 'A' : 'B', superblock->number, superblock->offset,
             superblock->bytes);
    text_add(&out, "\nepoch %" PRIu32 ", seq ", superblock->epoch);
    text_add_epoch(&out, superblock->seq);
    text_add(&out, ", next generation ");
    text_add_epoch(&out, superblock->generation_next);
    text_add(&out, ",%s%s", (superblock->state & SUPERBLOCK_CLEAN) != 0 ? " clean" : " not clean",
             (superblock->state & SUPERBLOCK_READ_ONLY) != 0 ? " read-only" : "");
    text_add(&out, "\nfeatures 0x%" PRIx64 " read-only 0x%" PRIx64 " incompatible 0x%" PRIx64,
             superblock->features_compatible, superblock->features_read_only,
             superblock->features_incompatible);
    for (unsigned i = 0; i < FORMAT_STREAMS; i++) {
        const struct band_mark *open = &superblock->open[i];
        if (open->band == FORMAT_BAND_NONE)
            continue;
        text_add(&out, "\nopen in stream %u: band %" PRIu32 " generation ", i, open->band);
        text_add_epoch(&out, open->generation);
        text_add(&out, " position %" PRIu32, open->position);
    }
    witness_to_text(&superblock->witness, part, sizeof part);
    text_add(&out, "\nwitness: %s\n%" PRIu32 " verdicts", part, superblock->verdict_count);
    layout_to_text(&superblock->layout, part, sizeof part);
    text_add(&out, "\n%s", part);
}

void verdict_to_text(const struct verdict *verdict, char *text, size_t text_bytes)
{
    struct text out = text_start(text, text_bytes);
    text_add(&out, "band %" PRIu32 " generation ", verdict->band);
    text_add_epoch(&out, verdict->generation);
    text_add(&out, " accepted");
    for (uint32_t i = 0; i < verdict->columns; i++)
        text_add(&out, " %" PRIu32, verdict->accepted[i]);
}
