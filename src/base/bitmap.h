/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bitmap.h - bits in an array of 64-bit words that the caller provides, bit i in word i / 64.
 *
 * The length travels with the call, not with the array. bitmap_get, _set and _clear trust their
 * index; bits beyond the length in the last word are never looked at.
 */
#ifndef HOSTFTL_BASE_BITMAP_H
#define HOSTFTL_BASE_BITMAP_H

#include <stdbool.h>
#include <stdint.h>

#define BITMAP_WORD_BITS 64u

/* How many words hold so many bits. */
static inline uint64_t bitmap_words(uint64_t bits)
{
    return bits / BITMAP_WORD_BITS + (bits % BITMAP_WORD_BITS != 0);
}

static inline bool bitmap_get(const uint64_t *words, uint64_t bit)
{
    return words[bit / BITMAP_WORD_BITS] >> bit % BITMAP_WORD_BITS & 1;
}

static inline void bitmap_set(uint64_t *words, uint64_t bit)
{
    words[bit / BITMAP_WORD_BITS] |= UINT64_C(1) << bit % BITMAP_WORD_BITS;
}

static inline void bitmap_clear(uint64_t *words, uint64_t bit)
{
    words[bit / BITMAP_WORD_BITS] &= ~(UINT64_C(1) << bit % BITMAP_WORD_BITS);
}

/* The first set bit at `from` or after it; `bits` when there is none. Looks at whole words. */
static inline uint64_t bitmap_find_set(const uint64_t *words, uint64_t bits, uint64_t from)
{
    if (from >= bits)
        return bits;
    uint64_t index = from / BITMAP_WORD_BITS;
    uint64_t word = words[index] & UINT64_MAX << from % BITMAP_WORD_BITS;
    while (word == 0) {
        if (++index == bitmap_words(bits))
            return bits;
        word = words[index];
    }
    uint64_t found = index * BITMAP_WORD_BITS + (uint64_t)__builtin_ctzll(word);
    return found < bits ? found : bits;
}

/* How many of the first `bits` are set. */
static inline uint64_t bitmap_count(const uint64_t *words, uint64_t bits)
{
    uint64_t count = 0, whole = bits / BITMAP_WORD_BITS, rest = bits % BITMAP_WORD_BITS;
    for (uint64_t i = 0; i < whole; i++)
        count += (uint64_t)__builtin_popcountll(words[i]);
    if (rest)
        count += (uint64_t)__builtin_popcountll(words[whole] & ~(UINT64_MAX << rest));
    return count;
}

#endif
