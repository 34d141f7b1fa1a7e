/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/ident.h"

#include "base/bytes.h"
#include "base/crc.h"
#include "base/must.h"
#include "format/text.h"

#include <inttypes.h>

#define AT_CRC 0u
#define AT_CLAIM 4u /* what the identity says, without its crc: 12 bytes, as two numbers */
#define AT_CLAIM_HIGH 12u
#define SEQ_BITS 56u

struct claim {
    uint64_t low;  /* bytes 4-11: the seq, and the lowest 8 bits of lba and kind */
    uint32_t high; /* bytes 12-15: the rest of them */
};

static struct claim claim_of(const struct ident *ident)
{
    must_show(ident->seq <= FORMAT_SEQ_MAX, ident->seq, ident->lba);
    must_show(ident->lba <= FORMAT_LBA_MAX, ident->seq, ident->lba);
    must_show(ident->kind >= IDENT_DATA && ident->kind <= IDENT_TAIL, ident->kind, ident->lba);
    uint64_t lba_kind = ident->lba | (uint64_t)ident->kind << FORMAT_LBA_BITS;
    return (struct claim){ident->seq | lba_kind << SEQ_BITS, (uint32_t)(lba_kind >> 8)};
}

/* The part of the crc that does not depend on the data, inversion of a lost block included. */
static uint32_t claim_crc(const struct ident *ident, struct claim claim, uint64_t place_salt)
{
    uint32_t crc = crc32c_20(claim.low, claim.high, place_salt);
    return ident->kind == IDENT_LOST ? ~crc : crc;
}

uint64_t ident_place_salt(const struct format_context *ctx, uint64_t generation, hftl_pba pba)
{
    /* Multiplied, so that a difference of generation cannot cancel one of place. */
    return ctx->salt ^ generation * UINT64_C(0x9e3779b97f4a7c15) ^ pba.n;
}

uint32_t ident_crc(const struct ident *ident, uint32_t data_crc, uint64_t place_salt)
{
    return data_crc ^ claim_crc(ident, claim_of(ident), place_salt);
}

uint32_t ident_data_crc(const struct ident *ident, uint64_t place_salt)
{
    return ident->crc ^ claim_crc(ident, claim_of(ident), place_salt);
}

bool ident_verifies(const struct ident *ident, uint32_t data_crc, uint64_t place_salt)
{
    return ident->kind != IDENT_LOST && ident_data_crc(ident, place_salt) == data_crc;
}

static void encode(uint32_t crc, struct claim claim, uint8_t bytes[FORMAT_IDENT_BYTES])
{
    put_u32(bytes + AT_CRC, crc);
    put_u64(bytes + AT_CLAIM, claim.low);
    put_u32(bytes + AT_CLAIM_HIGH, claim.high);
}

void ident_encode(const struct ident *ident, uint8_t bytes[FORMAT_IDENT_BYTES])
{
    encode(ident->crc, claim_of(ident), bytes);
}

void ident_seal(const struct ident *ident, uint32_t data_crc, uint64_t place_salt,
                uint8_t bytes[FORMAT_IDENT_BYTES])
{
    struct claim claim = claim_of(ident);
    encode(data_crc ^ claim_crc(ident, claim, place_salt), claim, bytes);
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

enum hftl_status ident_decode(const uint8_t bytes[FORMAT_IDENT_BYTES], struct ident *ident)
{
    uint64_t low = get_u64(bytes + AT_CLAIM);
    uint64_t lba_kind = low >> SEQ_BITS | (uint64_t)get_u32(bytes + AT_CLAIM_HIGH) << 8;
    unsigned kind = (unsigned)(lba_kind >> FORMAT_LBA_BITS);

    if (kind == IDENT_MAP) /* I1: reserved */
        return HFTL_UNSUPPORTED;
    if (kind < IDENT_DATA || kind > IDENT_TAIL) /* I1 */
        return HFTL_CORRUPT;

    struct ident read = {
        .crc = get_u32(bytes + AT_CRC),
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
