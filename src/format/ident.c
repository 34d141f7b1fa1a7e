/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/ident.h"

#include "base/bytes.h"
#include "base/crc.h"
#include "base/must.h"
#include "format/text.h"

#include <inttypes.h>

uint32_t ident_crc(const struct ident *ident, uint32_t data_crc, uint64_t place_salt)
{
    return data_crc ^ ident_claim_crc(ident, ident_claim(ident), place_salt);
}

void ident_encode(const struct ident *ident, uint8_t bytes[FORMAT_IDENT_BYTES])
{
    struct ident_claim claim = ident_claim(ident);
    put_u32(bytes + IDENT_CRC_AT, ident->crc);
    put_u64(bytes + IDENT_LOW_AT, claim.low);
    put_u32(bytes + IDENT_HIGH_AT, claim.high);
}

/* I3, and zeros where a field has no meaning. */
static bool fields_make_sense(const struct ident *ident)
{
    switch (ident->kind) {
    case IDENT_DATA:
    case IDENT_TRIM:
    case IDENT_LOST:
        return ident->seq != 0;
    case IDENT_PAD:
        return ident->seq == 0 && ident->lba == 0;
    case IDENT_SUMMARY:
    case IDENT_TAIL:
        return ident->lba == 0;
    case IDENT_HEAD:
        return ident->lba < FORMAT_COLUMNS_MAX;
    case IDENT_MAP:
        break;
    }
    return false;
}

enum hftl_status ident_decode_other(const uint8_t bytes[FORMAT_IDENT_BYTES], struct ident *ident)
{
    uint64_t low = get_u64(bytes + IDENT_LOW_AT);
    uint64_t lba_kind = low >> FORMAT_SEQ_BITS | (uint64_t)get_u32(bytes + IDENT_HIGH_AT) << 8;
    unsigned kind = (unsigned)(lba_kind >> FORMAT_LBA_BITS);

    if (kind == IDENT_MAP) /* I1: reserved */
        return HFTL_UNSUPPORTED;
    if (kind < IDENT_DATA || kind > IDENT_TAIL) /* I1 */
        return HFTL_CORRUPT;

    struct ident read = {
        .crc = get_u32(bytes + IDENT_CRC_AT),
        .seq = low & FORMAT_SEQ_MAX,
        .lba = lba_kind & FORMAT_LBA_MAX,
        .kind = (enum ident_kind)kind,
    };
    if (!fields_make_sense(&read))
        return HFTL_CORRUPT;
    *ident = read;
    return HFTL_OK;
}

const char *ident_kind_text(enum ident_kind kind)
{
    static const char *const texts[] = {
        [IDENT_DATA] = "data", [IDENT_MAP] = "map",   [IDENT_TRIM] = "trim",
        [IDENT_LOST] = "lost", [IDENT_PAD] = "pad",   [IDENT_SUMMARY] = "summary",
        [IDENT_HEAD] = "head", [IDENT_TAIL] = "tail",
    };
    return kind >= IDENT_DATA && kind <= IDENT_TAIL ? texts[kind] : "invalid";
}

void ident_to_text(const struct ident *ident, char *text, size_t text_bytes)
{
    struct text out = text_start(text, text_bytes);
    const char *lba_word = ident->kind == IDENT_TRIM   ? "range"
                           : ident->kind == IDENT_HEAD ? "column"
                                                       : "lba";
    text_add(&out, "%s %s %" PRIu64 " seq ", ident_kind_text(ident->kind), lba_word, ident->lba);
    text_add_epoch(&out, ident->seq);
    text_add(&out, " crc 0x%08" PRIx32, ident->crc);
}
