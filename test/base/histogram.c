/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/histogram.h"
#include "base/prng.h"
#include "test/unit.h"

#include <stdlib.h>
#include <string.h>

#define VALUES 5000

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void is_empty_and_all_zero_at_first(void **state)
{
    (void)state;
    struct histogram h;
    histogram_init(&h);
    assert_int_equal(histogram_count(&h), 0);
    assert_int_equal(histogram_min(&h), 0);
    assert_int_equal(histogram_max(&h), 0);
    assert_int_equal(histogram_percentile(&h, 50), 0);
    assert_true(histogram_mean(&h) == 0.0);
}

static void is_exact_for_small_values(void **state)
{
    (void)state;
    struct histogram h;
    histogram_init(&h);
    for (uint64_t value = 1; value <= 50; value++)
        histogram_add(&h, value);
    for (int percent = 2; percent <= 100; percent += 2)
        assert_int_equal(histogram_percentile(&h, percent), percent / 2);
    assert_int_equal(histogram_percentile(&h, 0), 1);
    assert_int_equal(histogram_percentile(&h, 0.001), 1);
    assert_true(histogram_mean(&h) == 25.5);
}

/* In binary 64.4 * 500 / 100 is a little above 322; the 322nd of 500 is what is asked for. */
static void does_not_ask_for_one_more_when_binary_rounds_up(void **state)
{
    (void)state;
    struct histogram h;
    histogram_init(&h);
    for (int i = 0; i < 322; i++)
        histogram_add(&h, 1);
    for (int i = 322; i < 500; i++)
        histogram_add(&h, 2);
    assert_int_equal(histogram_percentile(&h, 64.4), 1);
    assert_int_equal(histogram_percentile(&h, 64.6), 2);
}

/* Every value alone, between two far ones: what comes back is >= it, and less than 1/32 above. */
static void never_understates_and_overstates_by_less_than_a_32nd(void **state)
{
    (void)state;
    struct prng prng;
    struct histogram h;
    prng_seed(&prng, 6);
    for (int i = 0; i < VALUES; i++) {
        uint64_t value = prng_next(&prng) >> prng_below(&prng, 64);
        histogram_init(&h);
        histogram_add(&h, 0);
        histogram_add(&h, value);
        histogram_add(&h, UINT64_MAX);
        uint64_t median = histogram_percentile(&h, 50);
        assert_true(median >= value);
        assert_true(median - value <= value / 32);
    }
}

static void gives_the_percentiles_that_sorting_would(void **state)
{
    (void)state;
    static const double percents[] = {0.1, 1, 25, 50, 90, 99, 99.9, 100};
    static uint64_t values[VALUES];
    struct prng prng;
    struct histogram h;
    double sum = 0;
    prng_seed(&prng, 7);
    histogram_init(&h);
    for (int i = 0; i < VALUES; i++) {
        values[i] = 100 + prng_below(&prng, UINT64_C(1) << (10 + i % 30));
        sum += (double)values[i];
        histogram_add(&h, values[i]);
    }
    qsort(values, VALUES, sizeof *values, compare);
    for (unsigned i = 0; i < sizeof percents / sizeof *percents; i++) {
        uint64_t exact = values[(int)(percents[i] / 100 * VALUES + 0.5) - 1];
        uint64_t got = histogram_percentile(&h, percents[i]);
        assert_true(got >= exact && got - exact <= exact / 32);
    }
    assert_int_equal(histogram_min(&h), values[0]);
    assert_int_equal(histogram_max(&h), values[VALUES - 1]);
    assert_int_equal(histogram_percentile(&h, 100), values[VALUES - 1]);
    double off = histogram_mean(&h) - sum / VALUES;
    assert_true(off < 1 && off > -1);
}

static void merges_as_if_all_had_gone_to_one(void **state)
{
    (void)state;
    struct prng prng;
    struct histogram parts[3], all;
    prng_seed(&prng, 8);
    histogram_init(&all);
    for (int i = 0; i < 3; i++)
        histogram_init(&parts[i]);
    for (int i = 0; i < VALUES; i++) {
        uint64_t value = prng_below(&prng, 1000000);
        histogram_add(&parts[i % 2], value); /* the third stays empty */
        histogram_add(&all, value);
    }
    histogram_merge(&parts[2], &parts[0]);
    histogram_merge(&parts[2], &parts[1]);
    assert_memory_equal(&parts[2], &all, sizeof all);
    histogram_init(&parts[0]);
    histogram_merge(&all, &parts[0]);
    assert_memory_equal(&parts[2], &all, sizeof all);
}

static void adding_a_value_many_times_is_adding_it_so_often(void **state)
{
    (void)state;
    struct prng prng;
    struct histogram often, one_by_one;
    prng_seed(&prng, 9);
    histogram_init(&often);
    histogram_init(&one_by_one);
    for (int i = 0; i < VALUES; i++) {
        uint64_t value = prng_next(&prng) >> prng_below(&prng, 64);
        uint32_t times = (uint32_t)prng_below(&prng, 5);
        histogram_add_times(&often, value, times);
        for (uint32_t j = 0; j < times; j++)
            histogram_add(&one_by_one, value);
        assert_memory_equal(&often, &one_by_one, sizeof often);
    }
    histogram_init(&often);
    histogram_add_times(&often, UINT64_MAX / 2, 3);
    assert_int_equal(often.sum, UINT64_MAX);
}

static void takes_the_extremes(void **state)
{
    (void)state;
    struct histogram h;
    histogram_init(&h);
    histogram_add(&h, UINT64_MAX);
    histogram_add(&h, UINT64_MAX);
    histogram_add(&h, 0);
    assert_int_equal(histogram_percentile(&h, 50), UINT64_MAX);
    assert_int_equal(histogram_percentile(&h, 10), 0);
    assert_int_equal(h.sum, UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_empty_and_all_zero_at_first),
        cmocka_unit_test(is_exact_for_small_values),
        cmocka_unit_test(does_not_ask_for_one_more_when_binary_rounds_up),
        cmocka_unit_test(never_understates_and_overstates_by_less_than_a_32nd),
        cmocka_unit_test(gives_the_percentiles_that_sorting_would),
        cmocka_unit_test(merges_as_if_all_had_gone_to_one),
        cmocka_unit_test(adding_a_value_many_times_is_adding_it_so_often),
        cmocka_unit_test(takes_the_extremes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
