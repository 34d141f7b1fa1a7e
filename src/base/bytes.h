/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bytes.h - numbers as the medium has them (little-endian, unaligned, 16 to 64 bits), and
 * arithmetic that says when it does not fit.
 *
 * get_ and put_ read and write exactly their width and nothing else. A value that does not fit the
 * width of a put_ (u40, u56) is a defect of the caller, not a truncation.
 *
 * What was read from a medium is not believed: use add_overflows_ and mul_overflows_ on it. The
 * rounding functions are for our own numbers; there an overflow is a must().
 */
#ifndef HOSTFTL_BASE_BYTES_H
#define HOSTFTL_BASE_BYTES_H

#include "base/must.h"

#include <stdbool.h>
#include <stdint.h>

/* A copy of known size is one instruction where the processor has the medium's order of bytes;
 * compilers do not always make that of shifts. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define BYTES_SWAP_16(value) (value)
#define BYTES_SWAP_32(value) (value)
#define BYTES_SWAP_64(value) (value)
#else
#define BYTES_SWAP_16(value) __builtin_bswap16(value)
#define BYTES_SWAP_32(value) __builtin_bswap32(value)
#define BYTES_SWAP_64(value) __builtin_bswap64(value)
#endif

static inline uint16_t get_u16(const uint8_t *p)
{
    uint16_t value;
    __builtin_memcpy(&value, p, sizeof value);
    return BYTES_SWAP_16(value);
}

static inline uint32_t get_u32(const uint8_t *p)
{
    uint32_t value;
    __builtin_memcpy(&value, p, sizeof value);
    return BYTES_SWAP_32(value);
}

static inline uint64_t get_u40(const uint8_t *p)
{
    return get_u32(p) | (uint64_t)p[4] << 32;
}

static inline uint64_t get_u56(const uint8_t *p)
{
    return get_u32(p) | (uint64_t)get_u16(p + 4) << 32 | (uint64_t)p[6] << 48;
}

static inline uint64_t get_u64(const uint8_t *p)
{
    uint64_t value;
    __builtin_memcpy(&value, p, sizeof value);
    return BYTES_SWAP_64(value);
}

static inline void put_u16(uint8_t *p, uint16_t value)
{
    value = BYTES_SWAP_16(value);
    __builtin_memcpy(p, &value, sizeof value);
}

static inline void put_u32(uint8_t *p, uint32_t value)
{
    value = BYTES_SWAP_32(value);
    __builtin_memcpy(p, &value, sizeof value);
}

static inline void put_u40(uint8_t *p, uint64_t value)
{
    must_show(value >> 40 == 0, value, 40);
    put_u32(p, (uint32_t)value);
    p[4] = (uint8_t)(value >> 32);
}

static inline void put_u56(uint8_t *p, uint64_t value)
{
    must_show(value >> 56 == 0, value, 56);
    put_u32(p, (uint32_t)value);
    put_u16(p + 4, (uint16_t)(value >> 32));
    p[6] = (uint8_t)(value >> 48);
}

static inline void put_u64(uint8_t *p, uint64_t value)
{
    value = BYTES_SWAP_64(value);
    __builtin_memcpy(p, &value, sizeof value);
}

/* True when a + b does not fit; *sum is then not to be used. */
static inline bool add_overflows_u64(uint64_t a, uint64_t b, uint64_t *sum)
{
    return __builtin_add_overflow(a, b, sum);
}

/* True when a * b does not fit; *product is then not to be used. */
static inline bool mul_overflows_u64(uint64_t a, uint64_t b, uint64_t *product)
{
    return __builtin_mul_overflow(a, b, product);
}

static inline uint32_t min_u32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static inline uint32_t max_u32(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* How many times `m` it takes to cover x; m > 0, not necessarily a power of two. */
static inline uint32_t div_round_up_u32(uint32_t x, uint32_t m)
{
    must(m > 0);
    return x / m + (x % m != 0);
}

static inline uint64_t div_round_up_u64(uint64_t x, uint64_t m)
{
    must(m > 0);
    return x / m + (x % m != 0);
}

/* The least multiple of `m` that is >= x; m > 0, not necessarily a power of two. */
static inline uint32_t round_up_u32(uint32_t x, uint32_t m)
{
    uint32_t times = div_round_up_u32(x, m);
    must_show(times <= UINT32_MAX / m, x, m);
    return times * m;
}

static inline uint64_t round_up_u64(uint64_t x, uint64_t m)
{
    uint64_t times = div_round_up_u64(x, m);
    must_show(times <= UINT64_MAX / m, x, m);
    return times * m;
}

#endif
