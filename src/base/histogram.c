/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/histogram.h"

#include "base/bytes.h"

#include <string.h>

static uint32_t slot_of(uint64_t value)
{
    if (value < HISTOGRAM_STEPS)
        return (uint32_t)value;
    uint32_t power = 63u - (uint32_t)__builtin_clzll(value);
    uint32_t shift = power - HISTOGRAM_STEP_BITS;
    uint32_t step = (uint32_t)(value >> shift) - HISTOGRAM_STEPS;
    return HISTOGRAM_STEPS * (shift + 1) + step;
}

/* The largest value that slot_of sends to `slot`. */
uint64_t histogram_top(uint32_t slot)
{
    if (slot < HISTOGRAM_STEPS)
        return slot;
    uint32_t shift = slot / HISTOGRAM_STEPS - 1;
    uint64_t first = (uint64_t)(HISTOGRAM_STEPS + slot % HISTOGRAM_STEPS) << shift;
    return first + ((UINT64_C(1) << shift) - 1);
}

static uint64_t add_until_full(uint64_t a, uint64_t b)
{
    uint64_t sum;
    return add_overflows_u64(a, b, &sum) ? UINT64_MAX : sum;
}

void histogram_init(struct histogram *histogram)
{
    memset(histogram, 0, sizeof *histogram);
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
    histogram_add_times(histogram, value, 1);
}

void histogram_add_times(struct histogram *histogram, uint64_t value, uint32_t times)
{
    uint64_t sum;
    if (times == 0)
        return;
    if (mul_overflows_u64(value, times, &sum))
        sum = UINT64_MAX;
    if (histogram->count == 0 || value < histogram->min)
        histogram->min = value;
    histogram->max = max_u64(histogram->max, value);
    histogram->sum = add_until_full(histogram->sum, sum);
    histogram->count += times;
    histogram->slots[slot_of(value)] += times;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    if (from->count == 0)
        return;
    into->min = into->count == 0 ? from->min : min_u64(into->min, from->min);
    into->max = max_u64(into->max, from->max);
    into->sum = add_until_full(into->sum, from->sum);
    into->count += from->count;
    for (uint32_t i = 0; i < HISTOGRAM_SLOTS; i++)
        into->slots[i] += from->slots[i];
}

/* The position (1 .. count) of the value that is asked for, were all values sorted. */
static uint64_t rank_of(uint64_t count, double percent)
{
    if (percent >= 100.0)
        return count;
    /* Binary may make 64.4 % of 500 a little more than 322: that must not ask for the 323rd. */
    double exact = percent * (double)count / 100.0 * (1 - 1e-12);
    if (!(exact > 1.0))
        return 1;
    uint64_t whole = (uint64_t)exact;
    return min_u64(whole + ((double)whole < exact), count);
}

uint64_t histogram_percentile(const struct histogram *histogram, double percent)
{
    if (histogram->count == 0)
        return 0;
    if (!(percent > 0.0))
        return histogram->min;

    uint64_t rank = rank_of(histogram->count, percent), seen = 0;
    for (uint32_t i = 0; i < HISTOGRAM_SLOTS; i++) {
        seen += histogram->slots[i];
        if (seen >= rank)
            return min_u64(histogram_top(i), histogram->max);
    }
    return histogram->max;
}

uint64_t histogram_count(const struct histogram *histogram)
{
    return histogram->count;
}

uint64_t histogram_min(const struct histogram *histogram)
{
    return histogram->min;
}

uint64_t histogram_max(const struct histogram *histogram)
{
    return histogram->max;
}

double histogram_mean(const struct histogram *histogram)
{
    return histogram->count == 0 ? 0.0 : (double)histogram->sum / (double)histogram->count;
}
