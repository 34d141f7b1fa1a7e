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

#include "format/format.h"

struct ident {
    uint32_t crc;
    uint64_t seq;
    uint64_t lba; /* data, lost: lba; trim: range; head: column; otherwise 0 */
    enum ident_kind kind;
};

/* Of the block at `pba`, in a band of this generation. */
uint64_t ident_place_salt(const struct format_context *ctx, uint64_t generation, hftl_pba pba);

/* The crc this identity has over data with `data_crc`; ident->crc itself is not looked at. */
uint32_t ident_crc(const struct ident *ident, uint32_t data_crc, uint64_t place_salt);

/* The other way: the data's own crc, from a complete identity. */
uint32_t ident_data_crc(const struct ident *ident, uint64_t place_salt);

/* I4. Always false for a lost block: whatever it carries is not good data. */
bool ident_verifies(const struct ident *ident, uint32_t data_crc, uint64_t place_salt);

void ident_encode(const struct ident *ident, uint8_t bytes[FORMAT_IDENT_BYTES]);

/* Both at once: bytes with the crc over data with `data_crc`; ident->crc is not looked at. */
void ident_seal(const struct ident *ident, uint32_t data_crc, uint64_t place_salt,
                uint8_t bytes[FORMAT_IDENT_BYTES]);

/* I1, I3. CORRUPT, or UNSUPPORTED for kind `map`. */
HFTL_MUST_USE enum hftl_status ident_decode(const uint8_t bytes[FORMAT_IDENT_BYTES],
                                            struct ident *ident);

/* "data", "pad", ...; "invalid" for a number that is no kind. Static. */
const char *ident_kind_text(enum ident_kind kind);

/* One line without its end; cut, and always ended, at text_bytes. */
void ident_to_text(const struct ident *ident, char *text, size_t text_bytes);

#endif
