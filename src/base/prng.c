/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/prng.h"

#include "base/must.h"

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static uint64_t rotate_left(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

void prng_seed(struct prng *prng, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        prng->state[i] = splitmix(&seed);
}

uint64_t prng_next(struct prng *prng)
{
    uint64_t *s = prng->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t prng_below(struct prng *prng, uint64_t n)
{
    must(n > 0);
    /*
     * 2^64 is rarely a multiple of n: the first 2^64 mod n draws would make the small results more
     * likely, so they are drawn again. At worst (n just above 2^63) every other draw is.
     */
    uint64_t surplus = (0 - n) % n;
    uint64_t draw;
    do
        draw = prng_next(prng);
    while (draw < surplus);
    return draw % n;
}

bool prng_chance(struct prng *prng, uint64_t num, uint64_t den)
{
    return prng_below(prng, den) < num;
}
