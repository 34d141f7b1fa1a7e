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

void chooser_init(struct chooser *chooser, enum chooser_kind kind, uint64_t places, uint64_t seed)
{
    memset(chooser, 0, sizeof *chooser);
    chooser->kind = kind;
    chooser->places = places;
    prng_seed(&chooser->prng, seed);
    if (kind != CHOOSER_ZIPF)
        return;
    chooser->stride = choose_stride(places);
    chooser->first = integral(1.5) - 1;
    chooser->last = integral((double)places + 0.5);
    chooser->s = 2 - inverse(integral(2.5) - weight(2));
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

uint64_t chooser_next(struct chooser *chooser)
{
    uint64_t place = chooser->next;

    switch (chooser->kind) {
    case CHOOSER_UNIFORM:
        return prng_below(&chooser->prng, chooser->places);
    case CHOOSER_ZIPF:
        return multiply(draw_rank(chooser), chooser->stride, chooser->places);
    default:
        chooser->next = place + 1 == chooser->places ? 0 : place + 1;
        return place;
    }
}

uint64_t chooser_below(struct chooser *chooser, uint64_t n)
{
    return prng_below(&chooser->prng, n);
}
