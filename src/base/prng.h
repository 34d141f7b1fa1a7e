/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * prng.h - chance that can be repeated: one seed, one sequence, on every machine and for ever.
 *
 * xoshiro256** seeded through splitmix64 (Blackman and Vigna, "Scrambled linear pseudorandom number
 * generators", 2021), so that every seed, 0 too, is a good one. Written-down seeds are tests: the
 * sequence of a seed never changes, and neither does how many draws a call takes where that is
 * said. Not for secrets.
 */
#ifndef HOSTFTL_BASE_PRNG_H
#define HOSTFTL_BASE_PRNG_H

#include <stdbool.h>
#include <stdint.h>

struct prng {
    uint64_t state[4];
};

void prng_seed(struct prng *prng, uint64_t seed);

/* 64 random bits; one draw. */
uint64_t prng_next(struct prng *prng);

/* 0 .. n - 1, each as likely as the other; n > 0. One draw, rarely more. */
uint64_t prng_below(struct prng *prng, uint64_t n);

/* True in `num` of `den` cases; den > 0, and num >= den is always. Draws as prng_below(den). */
bool prng_chance(struct prng *prng, uint64_t num, uint64_t den);

#endif
