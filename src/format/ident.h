/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ident.h - the identity: 16 bytes that say what one physical block is (FORMAT.md, 2).
 *
 *   byte  0        4                    11          15.4   16
 *         | crc    | seq (56 bits)      | lba (36)  | kind |
 *
 *   crc        = crc32c(data) XOR crc32c(bytes 4-15, place salt); inverted for a lost block
 *   place salt = salt XOR generation * 0x9E3779B97F4A7C15 XOR pba
 *
 * The two parts are joined by XOR, so a client's thread takes the data part before anybody knows
 * the seq or the place (crc32c of base/crc.h over the block, started at 0), a verifying read gets
 * it back with ident_data_crc, and a relocation makes the copy's identity without a second pass
 * over the data. The place salt makes an identity good only where, and in the life of the band in
 * which, it was written: what a drive kept from an earlier life does not verify.
 *
 * RULES
 *   I1  kind is one of the eight, and is not `map` (version 1).  ident_decode
 *   I2  lba or range below what is exported.                     layout_holds_ident (layout.h)
 *   I3  seq is not 0 for data, trim, lost.                       ident_decode
 *   I4  crc agrees with the data read, at this place and in this generation.   ident_verifies
 * Beyond these ident_decode wants the fields without meaning zero: lba of summary and tail, lba and
 * seq of a pad. The seq of heads, summaries and tails is not judged.
 */
#ifndef HOSTFTL_FORMAT_IDENT_H
#define HOSTFTL_FORMAT_IDENT_H

#include "base/bytes.h"
#include "base/crc.h"
#include "format/format.h"

struct ident {
    uint32_t crc;
    uint64_t seq;
    uint64_t lba; /* data, lost: lba; trim: range; head: column; otherwise 0 */
    enum ident_kind kind;
};

/* What it says, as it is on the medium, behind the crc: the seq, and the lowest 8 bits of lba and
 * kind; and the rest of them. */
#define IDENT_CRC_AT 0u
#define IDENT_LOW_AT 4u
#define IDENT_HIGH_AT 12u
struct ident_claim {
    uint64_t low;
    uint32_t high;
};

/* Of the block at `pba`, in a band of this generation. */
static inline uint64_t ident_place_salt(const struct format_context *ctx, uint64_t generation,
                                        hftl_pba pba)
{
    /* Multiplied, so that a difference of generation cannot cancel one of place. */
    return ctx->salt ^ generation * UINT64_C(0x9e3779b97f4a7c15) ^ pba.n;
}

static inline struct ident_claim ident_claim(const struct ident *ident)
{
    must_show(ident->seq <= FORMAT_SEQ_MAX, ident->seq, ident->lba);
    must_show(ident->lba <= FORMAT_LBA_MAX, ident->seq, ident->lba);
    must_show(ident->kind >= IDENT_DATA && ident->kind <= IDENT_TAIL, ident->kind, ident->lba);
    uint64_t lba_kind = ident->lba | (uint64_t)ident->kind << FORMAT_LBA_BITS;
    return (struct ident_claim){ident->seq | lba_kind << FORMAT_SEQ_BITS,
                                (uint32_t)(lba_kind >> 8)};
}

/* The part of the crc that does not depend on the data, inversion of a lost block included. */
static inline uint32_t ident_claim_crc(const struct ident *ident, struct ident_claim claim,
                                       uint64_t place_salt)
{
    uint32_t crc = crc32c_20(claim.low, claim.high, place_salt);
    return ident->kind == IDENT_LOST ? ~crc : crc;
}

/* The crc this identity has over data with `data_crc`; ident->crc itself is not looked at. */
uint32_t ident_crc(const struct ident *ident, uint32_t data_crc, uint64_t place_salt);

/* The other way: the data's own crc, from a complete identity. */
static inline uint32_t ident_data_crc(const struct ident *ident, uint64_t place_salt)
{
    return ident->crc ^ ident_claim_crc(ident, ident_claim(ident), place_salt);
}

/* The same of the bytes of an identity that is not that of a lost block; `processor`: crc.h. */
static inline uint32_t ident_bytes_data_crc(const uint8_t bytes[FORMAT_IDENT_BYTES],
                                            uint64_t place_salt, bool processor)
{
    return get_u32(bytes + IDENT_CRC_AT) ^ crc32c_20_by(processor, get_u64(bytes + IDENT_LOW_AT),
                                                        get_u32(bytes + IDENT_HIGH_AT), place_salt);
}

/* I4. Always false for a lost block: whatever it carries is not good data. */
static inline bool ident_verifies(const struct ident *ident, uint32_t data_crc, uint64_t place_salt)
{
    return ident->kind != IDENT_LOST && ident_data_crc(ident, place_salt) == data_crc;
}

void ident_encode(const struct ident *ident, uint8_t bytes[FORMAT_IDENT_BYTES]);

/* Both at once: bytes with the crc over data with `data_crc`; ident->crc is not looked at. */
static inline void ident_seal(const struct ident *ident, uint32_t data_crc, uint64_t place_salt,
                              uint8_t bytes[FORMAT_IDENT_BYTES])
{
    struct ident_claim claim = ident_claim(ident);
    put_u32(bytes + IDENT_CRC_AT, data_crc ^ ident_claim_crc(ident, claim, place_salt));
    put_u64(bytes + IDENT_LOW_AT, claim.low);
    put_u32(bytes + IDENT_HIGH_AT, claim.high);
}

/* ident_decode of a kind that is not data. */
HFTL_MUST_USE enum hftl_status ident_decode_other(const uint8_t bytes[FORMAT_IDENT_BYTES],
                                                  struct ident *ident);

/* ident_decode of the commonest kind, data, alone; false: it is another, or none. */
HFTL_MUST_USE static inline bool ident_decode_data(const uint8_t bytes[FORMAT_IDENT_BYTES],
                                                   struct ident *ident)
{
    uint64_t low = get_u64(bytes + IDENT_LOW_AT), seq = low & FORMAT_SEQ_MAX;
    uint64_t lba_kind = low >> FORMAT_SEQ_BITS | (uint64_t)get_u32(bytes + IDENT_HIGH_AT) << 8;
    if (lba_kind >> FORMAT_LBA_BITS != IDENT_DATA || seq == 0)
        return false;
    ident->crc = get_u32(bytes + IDENT_CRC_AT);
    ident->seq = seq;
    ident->lba = lba_kind & FORMAT_LBA_MAX;
    ident->kind = IDENT_DATA;
    return true;
}

/* The same without a branch: the lba of data, and its seq; more than FORMAT_LBA_MAX where it is
 * another kind, or none. */
static inline uint64_t ident_data_lba(const uint8_t bytes[FORMAT_IDENT_BYTES], uint64_t *seq)
{
    uint64_t lba_kind = get_u64(bytes + IDENT_LOW_AT + 4) >> (FORMAT_SEQ_BITS - 32);
    *seq = get_u64(bytes + IDENT_LOW_AT) & FORMAT_SEQ_MAX;
    return (lba_kind ^ (uint64_t)IDENT_DATA << FORMAT_LBA_BITS) | (uint64_t)(*seq == 0) << 63;
}

/* I1, I3. CORRUPT, or UNSUPPORTED for kind `map`. */
HFTL_MUST_USE static inline enum hftl_status ident_decode(const uint8_t bytes[FORMAT_IDENT_BYTES],
                                                          struct ident *ident)
{
    return ident_decode_data(bytes, ident) ? HFTL_OK : ident_decode_other(bytes, ident);
}

/* What stands where an lba would, whatever it is: to look ahead with, never to be believed. */
static inline uint64_t ident_peek_lba(const uint8_t bytes[FORMAT_IDENT_BYTES])
{
    return (get_u64(bytes + IDENT_LOW_AT + 4) >> (FORMAT_SEQ_BITS - 32)) & FORMAT_LBA_MAX;
}

/* "data", "pad", ...; "invalid" for a number that is no kind. Static. */
const char *ident_kind_text(enum ident_kind kind);

/* One line without its end; cut, and always ended, at text_bytes. */
void ident_to_text(const struct ident *ident, char *text, size_t text_bytes);

#endif
