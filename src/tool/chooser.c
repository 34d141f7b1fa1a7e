/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chooser.c - see chooser.h.
 *
 * Zipf by rejection-inversion (W. Hörmann and G. Derflinger, "Rejection-inversion to generate
 * variates from monotone discrete distributions", ACM TOMACS 6(3), 1996). With h(x) = x^-q and H
 * its integral, a point u is drawn evenly from (H(1.5) - 1, H(n + 0.5)], x = H^-1(u) is rounded to
 * k, and k is taken when u lies in the last h(k) of its piece, which ends at H(k + 0.5). Pieces are
 * never narrower than h(k) because h is convex, so that each k is taken in proportion to h(k). `s`
 * is how close x may be to k from below to be taken without computing that.
 *
 * Each once: a Feistel network is one to one on the numbers of 2 half_bits bits, whatever its
 * rounds compute (M. Luby and C. Rackoff, 1988). What falls outside the places is sent through
 * again until it falls inside, which keeps it one to one (J. Black and P. Rogaway, "Ciphers with
 * arbitrary finite domains", 2002); since 2^(2 half_bits) is less than four times the places, that
 * takes less than four rounds in the mean.
 */
#include "tool/chooser.h"

#include <math.h>
#include <string.h>

#define Q CHOOSER_ZIPF_EXPONENT

/* (x^(1-q) - 1) / (1-q): no digits are lost where q is near 1. */
static double integral(double x)
{
    return expm1((1 - Q) * log(x)) / (1 - Q);
}

static double inverse(double u)
{
    return exp(log1p((1 - Q) * u) / (1 - Q));
}

static double weight(double x)
{
    return exp(-Q * log(x));
}

static uint64_t common_factor(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

/* About places * 0.618, without a factor in common: rank * stride then goes to all places. */
static uint64_t choose_stride(uint64_t places)
{
    uint64_t stride = (uint64_t)((double)places * 0.6180339887498949);

    while (stride < 2 || common_factor(stride, places) != 1)
        stride++;
    return stride;
}

static void init_once(struct chooser *chooser)
{
    while (2 * chooser->half_bits < 64 && (chooser->places - 1) >> (2 * chooser->half_bits) != 0)
        chooser->half_bits++;
    for (unsigned i = 0; i < CHOOSER_ROUNDS; i++)
        chooser->keys[i] = prng_next(&chooser->prng);
}

static void init_zipf(struct chooser *chooser)
{
    chooser->first = integral(1.5) - 1;
    chooser->last = integral((double)chooser->places + 0.5);
    chooser->s = 2 - inverse(integral(2.5) - weight(2));
}

/* At least one place is hot, and one is not, where there are two. */
static void init_hot(struct chooser *chooser)
{
    uint64_t hot = chooser->places / 100 * chooser->shape.hot_places_percent +
                   chooser->places % 100 * chooser->shape.hot_places_percent / 100;

    chooser->hot_places = hot == 0 ? 1 : hot;
}

void chooser_init(struct chooser *chooser, const struct chooser_shape *shape, uint64_t places,
                  uint64_t seed)
{
    memset(chooser, 0, sizeof *chooser);
    chooser->shape = *shape;
    chooser->places = places;
    prng_seed(&chooser->prng, seed);
    switch (shape->kind) {
    case CHOOSER_ONCE:
        init_once(chooser);
        break;
    case CHOOSER_ZIPF:
        chooser->stride = choose_stride(places);
        init_zipf(chooser);
        break;
    case CHOOSER_HOT:
        chooser->stride = choose_stride(places);
        init_hot(chooser);
        break;
    case CHOOSER_IN_ORDER:
    case CHOOSER_UNIFORM:
        break;
    }
}

/* One round's function: all bits of x and key into the low ones (as splitmix64 ends). */
static uint64_t mix(uint64_t x, uint64_t key)
{
    x = (x ^ key) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* The at-th place of the order that the keys stand for. */
static uint64_t shuffle(const struct chooser *chooser, uint64_t at)
{
    uint64_t mask = (UINT64_C(1) << chooser->half_bits) - 1;

    do {
        uint64_t left = at >> chooser->half_bits, right = at & mask;

        for (unsigned i = 0; i < CHOOSER_ROUNDS; i++) {
            uint64_t old = left;

            left = right;
            right = old ^ (mix(right, chooser->keys[i]) & mask);
        }
        at = (left << chooser->half_bits) | right;
    } while (at >= chooser->places);
    return at;
}

/* (0, 1], of 53 bits. */
static double draw_fraction(struct prng *prng)
{
    return (double)((prng_next(prng) >> 11) + 1) * 0x1p-53;
}

/* The popularity, 1 the most. */
static uint64_t draw_rank(struct chooser *chooser)
{
    for (;;) { /* less than 1.2 times in the mean */
        double u = chooser->last + draw_fraction(&chooser->prng) * (chooser->first - chooser->last);
        double x = inverse(u);
        double k = floor(x + 0.5);

        if (k < 1)
            k = 1;
        if (k > (double)chooser->places)
            k = (double)chooser->places;
        if (k - x <= chooser->s || u >= integral(k + 0.5) - weight(k))
            return (uint64_t)k;
    }
}

/* a * b mod n, without a wider type: bit by bit. */
static uint64_t multiply(uint64_t a, uint64_t b, uint64_t n)
{
    uint64_t product = 0;

    if (a <= UINT32_MAX && b <= UINT32_MAX)
        return a * b % n;
    for (a %= n; b != 0; b >>= 1) {
        if ((b & 1) != 0)
            product = (product + a) % n;
        a = (a + a) % n;
    }
    return product;
}

static uint64_t draw_hot_rank(struct chooser *chooser)
{
    uint64_t cold = chooser->places - chooser->hot_places;

    if (cold == 0 || prng_below(&chooser->prng, 100) < chooser->shape.hot_draws_percent)
        return prng_below(&chooser->prng, chooser->hot_places);
    return chooser->hot_places + prng_below(&chooser->prng, cold);
}

static uint64_t count_on(struct chooser *chooser)
{
    uint64_t now = chooser->next;

    chooser->next = now + 1 == chooser->places ? 0 : now + 1;
    return now;
}

uint64_t chooser_next(struct chooser *chooser)
{
    switch (chooser->shape.kind) {
    case CHOOSER_ONCE:
        return shuffle(chooser, count_on(chooser));
    case CHOOSER_UNIFORM:
        return prng_below(&chooser->prng, chooser->places);
    case CHOOSER_ZIPF:
        return multiply(draw_rank(chooser), chooser->stride, chooser->places);
    case CHOOSER_HOT:
        return multiply(draw_hot_rank(chooser), chooser->stride, chooser->places);
    default:
        return count_on(chooser);
    }
}

uint64_t chooser_below(struct chooser *chooser, uint64_t n)
{
    return prng_below(&chooser->prng, n);
}
