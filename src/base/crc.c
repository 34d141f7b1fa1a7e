/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/crc.h"

#include "base/bytes.h"

#include <isa-l.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#if defined __x86_64__
#include <immintrin.h>
#endif

uint32_t crc32c(uint32_t crc, const void *data, size_t bytes)
{
    /* The library neither inverts nor takes a const pointer, and counts in int. */
    unsigned char *at = (unsigned char *)data;
    crc = ~crc;
    for (; bytes > INT_MAX; bytes -= INT_MAX, at += INT_MAX)
        crc = crc32_iscsi(at, INT_MAX, crc);
    return ~crc32_iscsi(at, (int)bytes, crc);
}

uint32_t crc32c_20_bytes(uint64_t first, uint32_t second, uint64_t third)
{
    uint8_t bytes[20];
    put_u64(bytes, first);
    put_u32(bytes + 8, second);
    put_u64(bytes + 12, third);
    return crc32c(0, bytes, sizeof bytes);
}

/* ---- copying and summing up at once ---- */

#if defined __x86_64__

/*
 * A checksum is what is left of the bytes, taken as a polynomial, after division by P. So a part of
 * them may be replaced by what it is modulo P, added to what comes n bits behind it: the part times
 * x^n mod P. Four registers of 64 bytes are moved over all that is copied in this way, then into
 * one another, and at last the four quarters of one.
 *
 * The numbers are x^(n + 32) mod P, for the first 8 bytes of 16, and x^(n - 32) mod P for the
 * others, bits reversed, and shifted left by one as the product of reversed numbers is short of
 * that. (Gopal and others, "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ", 2009.)
 */
#define FOLDS __attribute__((target("avx512f,vpclmulqdq,pclmul,sse4.2")))
#define FOLD_BYTES 256u
static const uint64_t fold_2048[2] = {0x0dcb17aa4, 0x0b9e02b86};
static const uint64_t fold_512[2] = {0x0740eef02, 0x09e4addf8};
static const uint64_t fold_384_256_128[8] = {0x01c291d04, 0x1d82c63da, 0x1384aa63a, 0x0ba4fc28e,
                                             0x0f20c0dfe, 0x14cd00bd6, 0,           0};

FOLDS static inline __m512i fold(__m512i part, __m512i by, __m512i onto)
{
    __m512i first = _mm512_clmulepi64_epi128(part, by, 0x00);
    __m512i others = _mm512_clmulepi64_epi128(part, by, 0x11);
    return _mm512_xor_si512(_mm512_xor_si512(first, others), onto);
}

FOLDS static inline __m512i four_times(const uint64_t pair[2])
{
    return _mm512_broadcast_i32x4(_mm_set_epi64x((int64_t)pair[1], (int64_t)pair[0]));
}

FOLDS static inline __m512i pass_on(uint8_t *to, const uint8_t *from)
{
    __m512i part = _mm512_loadu_si512(from);
    _mm512_storeu_si512(to, part);
    return part;
}

FOLDS static uint32_t sum_up(__m512i part)
{
    uint64_t quarters[8];
    __m512i last = _mm512_maskz_mov_epi64(0xc0, part);
    _mm512_storeu_si512(quarters, fold(part, _mm512_loadu_si512(fold_384_256_128), last));
    uint64_t low = quarters[0] ^ quarters[2] ^ quarters[4] ^ quarters[6];
    uint64_t high = quarters[1] ^ quarters[3] ^ quarters[5] ^ quarters[7];
    return ~(uint32_t)_mm_crc32_u64(_mm_crc32_u64(0, low), high);
}

/* A multiple of FOLD_BYTES, not 0. */
FOLDS static uint32_t copy_folding(uint8_t *to, const uint8_t *from, size_t bytes)
{
    const __m512i far = four_times(fold_2048), near = four_times(fold_512);
    __m512i a = _mm512_xor_si512(pass_on(to, from), _mm512_maskz_set1_epi32(1, -1));
    __m512i b = pass_on(to + 64, from + 64);
    __m512i c = pass_on(to + 128, from + 128);
    __m512i d = pass_on(to + 192, from + 192);
    for (size_t at = FOLD_BYTES; at < bytes; at += FOLD_BYTES) {
        a = fold(a, far, pass_on(to + at, from + at));
        b = fold(b, far, pass_on(to + at + 64, from + at + 64));
        c = fold(c, far, pass_on(to + at + 128, from + at + 128));
        d = fold(d, far, pass_on(to + at + 192, from + at + 192));
    }
    return sum_up(fold(fold(fold(a, near, b), near, c), near, d));
}

static inline bool can_fold(size_t bytes)
{
    return bytes % FOLD_BYTES == 0 && bytes > 0 && __builtin_cpu_supports("vpclmulqdq") &&
           __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("sse4.2");
}

#endif

uint32_t crc32c_copy(void *to, const void *from, size_t bytes)
{
#if defined __x86_64__
    if (can_fold(bytes))
        return copy_folding(to, from, bytes);
#endif
    memcpy(to, from, bytes);
    return crc32c(0, to, bytes);
}
