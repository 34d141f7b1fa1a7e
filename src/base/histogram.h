/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * histogram.h - how long things took: any number of values in fixed space, with percentiles that
 * are never too small and at most 1/32 (3.2 %) too large.
 *
 * Each power of two is cut into 32 equal steps; values below 64 have a step of their own. min, max,
 * count and mean are exact. Any unit; nanoseconds by custom. All zeros is an empty histogram.
 * Adding costs a few instructions and never fails; merging is the same as having added to one.
 */
#ifndef HOSTFTL_BASE_HISTOGRAM_H
#define HOSTFTL_BASE_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEP_BITS 5u
#define HISTOGRAM_STEPS (1u << HISTOGRAM_STEP_BITS)
/* The steps below 32, and 32 for each of the powers 2^5 .. 2^63. */
#define HISTOGRAM_SLOTS (HISTOGRAM_STEPS * (64u - HISTOGRAM_STEP_BITS + 1u))

struct histogram {
    uint64_t count;
    uint64_t sum; /* stops at UINT64_MAX: 584 years of nanoseconds */
    uint64_t min, max;
    uint64_t slots[HISTOGRAM_SLOTS];
};

void histogram_init(struct histogram *histogram);
void histogram_add(struct histogram *histogram, uint64_t value);
/* As if it had been added so many times; 0 is none. */
void histogram_add_times(struct histogram *histogram, uint64_t value, uint32_t times);
/* Adds to `into` all that `from` has. */
void histogram_merge(struct histogram *into, const struct histogram *from);

/* Slot i holds the values that are above histogram_top(i - 1) and at most histogram_top(i). */
uint64_t histogram_top(uint32_t slot);

/* The following are 0 for an empty histogram. */

/* The value that `percent` (0 .. 100) of all values do not exceed: 50.0 is the median. */
uint64_t histogram_percentile(const struct histogram *histogram, double percent);
uint64_t histogram_count(const struct histogram *histogram);
uint64_t histogram_min(const struct histogram *histogram);
uint64_t histogram_max(const struct histogram *histogram);
double histogram_mean(const struct histogram *histogram);

#endif
