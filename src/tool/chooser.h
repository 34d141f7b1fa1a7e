/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chooser.h - which place comes next: in order, all alike, or a few much more often than the rest.
 *
 * PROMISES  one seed, one sequence. Zipf: the k-th most popular of n places is drawn in proportion
 *           to 1 / k^0.99 (the exponent that key-value benchmarks made a habit), exactly, in
 *           constant time and space whatever n is; and neighbours in popularity are no neighbours
 *           in place.
 */
#ifndef HOSTFTL_TOOL_CHOOSER_H
#define HOSTFTL_TOOL_CHOOSER_H

#include <stdint.h>

#include "base/prng.h"

#define CHOOSER_ZIPF_EXPONENT 0.99

enum chooser_kind { CHOOSER_IN_ORDER, CHOOSER_UNIFORM, CHOOSER_ZIPF };

struct chooser {
    enum chooser_kind kind;
    struct prng prng;
    uint64_t places;
    uint64_t next;         /* in order */
    uint64_t stride;       /* zipf: place = rank * stride mod places; has no factor of places */
    double first, last, s; /* zipf: see chooser.c */
};

/* places > 0 */
void chooser_init(struct chooser *chooser, enum chooser_kind kind, uint64_t places, uint64_t seed);
/* 0 .. places - 1. In order begins again after the last. */
uint64_t chooser_next(struct chooser *chooser);
/* 0 .. n - 1, of the same chance; for whatever else is drawn. */
uint64_t chooser_below(struct chooser *chooser, uint64_t n);

#endif
