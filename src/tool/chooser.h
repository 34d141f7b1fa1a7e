/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chooser.h - which place comes next: in order, each once at random, all alike, or a few much more
 * often than the rest.
 *
 * PROMISES  one seed, one sequence, in constant time and space whatever the number of places is.
 *           Once: n draws are the n places, each once, in an order that looks like chance; then
 *           again. Zipf: the k-th most popular of n places is drawn in proportion to 1 / k^0.99
 *           (the exponent that key-value benchmarks made a habit), exactly. Hot: so many percent of
 *           the draws go to so many percent of the places, all alike, the rest to the rest. What is
 *           popular is scattered: neighbours in popularity are no neighbours in place.
 */
#ifndef HOSTFTL_TOOL_CHOOSER_H
#define HOSTFTL_TOOL_CHOOSER_H

#include <stdint.h>

#include "base/prng.h"

#define CHOOSER_ZIPF_EXPONENT 0.99

enum chooser_kind { CHOOSER_IN_ORDER, CHOOSER_ONCE, CHOOSER_UNIFORM, CHOOSER_ZIPF, CHOOSER_HOT };

#define CHOOSER_ROUNDS 4u /* of shuffling, see chooser.c */

struct chooser_shape {
    enum chooser_kind kind;
    uint32_t hot_draws_percent, hot_places_percent; /* HOT: each 1 to 99 */
};

struct chooser {
    struct chooser_shape shape;
    struct prng prng;
    uint64_t places;
    uint64_t next;       /* in order, and once: draws since it began again */
    uint64_t stride;     /* zipf, hot: place = rank * stride mod places; no common factor */
    uint64_t hot_places; /* hot: ranks below it */
    uint64_t keys[CHOOSER_ROUNDS]; /* once */
    uint32_t half_bits;            /* once: places <= 2^(2 half_bits) */
    double first, last, s;         /* zipf: see chooser.c */
};

/* places > 0 */
void chooser_init(struct chooser *chooser, const struct chooser_shape *shape, uint64_t places,
                  uint64_t seed);
/* 0 .. places - 1. In order, and once, it begins again after the last. */
uint64_t chooser_next(struct chooser *chooser);
/* 0 .. n - 1, of the same chance; for whatever else is drawn. */
uint64_t chooser_below(struct chooser *chooser, uint64_t n);

#endif
