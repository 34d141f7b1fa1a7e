/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/stamp.h"

#include "base/bytes.h"
#include "base/crc.h"
#include "base/must.h"
#include "format/text.h"

#include <inttypes.h>
#include <string.h>

#define AT_MAGIC 0u
#define AT_VERSION 8u
#define AT_KIND 10u
#define AT_CRC 12u
#define AT_ID 16u
#define AT_NUMBER 32u
#define AT_PLACE 40u
#define AT_POSITION 44u
#define AT_SEQ 48u
#define AT_COUNT 56u
#define AT_RESERVED 60u
#define MAGIC_BYTES 8u
#define CRC_BYTES 4u

_Static_assert(AT_RESERVED + 4u == FORMAT_STAMP_BYTES, "the stamp's fields fill it");

static const char *magic_of(enum stamp_kind kind)
{
    switch (kind) {
    case STAMP_SUPERBLOCK:
        return "HFTLSUPR";
    case STAMP_HEAD:
        return "HFTLHEAD";
    case STAMP_SUMMARY:
        return "HFTLSUMM";
    case STAMP_TAIL:
        return "HFTLTAIL";
    case STAMP_TRIM:
        return "HFTLTRIM";
    case STAMP_LOST:
        return "HFTLLOST";
    }
    must_show(!"a kind that has a stamp", kind, 0);
    return "";
}

/* Superblock and head carry the salt, so their crc cannot depend on it. */
static bool is_salted(enum stamp_kind kind)
{
    return kind != STAMP_SUPERBLOCK && kind != STAMP_HEAD;
}

static uint32_t record_crc(const struct format_context *ctx, enum stamp_kind kind,
                           const uint8_t *record, size_t record_bytes)
{
    static const uint8_t zeros[CRC_BYTES];
    uint32_t crc = 0;

    must_show(record_bytes >= FORMAT_STAMP_BYTES, record_bytes, kind);
    if (is_salted(kind)) {
        uint8_t salt[8];
        put_u64(salt, ctx->salt);
        crc = crc32c(crc, salt, sizeof salt);
    }
    crc = crc32c(crc, record, AT_CRC);
    crc = crc32c(crc, zeros, CRC_BYTES);
    return crc32c(crc, record + AT_ID, record_bytes - AT_ID);
}

void stamp_encode(const struct format_context *ctx, const struct stamp *stamp, uint8_t *record)
{
    must_show(format_block_bytes_valid(ctx->block_bytes), ctx->block_bytes, stamp->kind);
    must_show(stamp->seq <= FORMAT_SEQ_MAX, stamp->seq, stamp->kind);
    memcpy(record + AT_MAGIC, magic_of(stamp->kind), MAGIC_BYTES);
    put_u16(record + AT_VERSION, FORMAT_VERSION);
    put_u16(record + AT_KIND, (uint16_t)stamp->kind);
    put_u32(record + AT_CRC, 0);
    memcpy(record + AT_ID, ctx->id, FORMAT_ID_BYTES);
    put_u64(record + AT_NUMBER, stamp->number);
    put_u32(record + AT_PLACE, stamp->place);
    put_u32(record + AT_POSITION, stamp->position);
    put_u64(record + AT_SEQ, stamp->seq);
    put_u32(record + AT_COUNT, stamp->count);
    put_u32(record + AT_RESERVED, 0);
}

void stamp_seal(const struct format_context *ctx, enum stamp_kind kind, uint8_t *record,
                size_t record_bytes)
{
    put_u32(record + AT_CRC, record_crc(ctx, kind, record, record_bytes));
}

uint16_t stamp_version(const uint8_t record[FORMAT_STAMP_BYTES])
{
    return get_u16(record + AT_VERSION);
}

enum hftl_status stamp_peek(const uint8_t record[FORMAT_STAMP_BYTES], enum stamp_kind kind)
{
    if (memcmp(record + AT_MAGIC, magic_of(kind), MAGIC_BYTES) != 0 ||
        get_u16(record + AT_KIND) != (uint16_t)kind) /* S1 */
        return HFTL_FOREIGN;
    if (stamp_version(record) != FORMAT_VERSION) /* S2 */
        return HFTL_VERSION;
    return HFTL_OK;
}

static bool is_where_expected(const struct stamp *stamp, const struct stamp_expected *expected)
{
    return stamp->place == expected->place && stamp->position == expected->position &&
           (!expected->number_known || stamp->number == expected->number);
}

enum hftl_status stamp_decode(const struct format_context *ctx,
                              const struct stamp_expected *expected, const uint8_t *record,
                              size_t record_bytes, struct stamp *stamp)
{
    enum hftl_status status = stamp_peek(record, expected->kind);
    if (status != HFTL_OK)
        return status;
    if (get_u32(record + AT_CRC) != record_crc(ctx, expected->kind, record, record_bytes)) /* S3 */
        return HFTL_CORRUPT;

    /* A device may be unknown only where the crc does not need its salt. */
    must_show(!ctx->any_device || !is_salted(expected->kind), expected->kind, 0);
    if (!ctx->any_device && memcmp(record + AT_ID, ctx->id, FORMAT_ID_BYTES) != 0) /* S4 */
        return HFTL_MISMATCH;

    struct stamp read = {
        .kind = expected->kind,
        .number = get_u64(record + AT_NUMBER),
        .place = get_u32(record + AT_PLACE),
        .position = get_u32(record + AT_POSITION),
        .seq = get_u64(record + AT_SEQ),
        .count = get_u32(record + AT_COUNT),
    };
    memcpy(read.id, record + AT_ID, FORMAT_ID_BYTES);
    if (!is_where_expected(&read, expected)) /* S5 */
        return HFTL_MISMATCH;
    if (get_u32(record + AT_RESERVED) != 0 || read.seq > FORMAT_SEQ_MAX) /* S6 */
        return HFTL_CORRUPT;
    *stamp = read;
    return HFTL_OK;
}

void stamp_to_text(const struct stamp *stamp, char *text, size_t text_bytes)
{
    struct text out = text_start(text, text_bytes);
    text_add(&out, "%s number %" PRIu64 " place %" PRIu32 " position %" PRIu32,
             magic_of(stamp->kind), stamp->number, stamp->place, stamp->position);
    text_add(&out, " seq ");
    text_add_epoch(&out, stamp->seq);
    text_add(&out, " count %" PRIu32 " device ", stamp->count);
    text_add_hex(&out, stamp->id, FORMAT_ID_BYTES);
}
