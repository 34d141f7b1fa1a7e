/* SPDX-License-Identifier: BSD-3-Clause */
/* Places in order, all alike, or as Zipf has it; the same for the same seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tool/chooser.h"

#define DRAWS 1000000u

static void goes_in_order_and_begins_again(void **state)
{
    struct chooser chooser;

    (void)state;
    chooser_init(&chooser, CHOOSER_IN_ORDER, 5, 1);
    for (uint64_t i = 0; i < 12; i++)
        assert_int_equal(chooser_next(&chooser), i % 5);
}

static void repeats_itself_for_a_seed_and_stays_within(void **state)
{
    static const uint64_t places[] = {1, 2, 3, 7, 4096, 46387, UINT64_C(1) << 36};

    (void)state;
    for (enum chooser_kind kind = CHOOSER_IN_ORDER; kind <= CHOOSER_ZIPF; kind++) {
        for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
            struct chooser a, b;

            chooser_init(&a, kind, places[i], 7);
            chooser_init(&b, kind, places[i], 7);
            for (unsigned n = 0; n < 1000; n++) {
                uint64_t place = chooser_next(&a);

                assert_true(place < places[i]);
                assert_int_equal(place, chooser_next(&b));
            }
        }
    }
}

static int downwards(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return (x < y) - (x > y);
}

/* Draws, and counts how often each place came. */
static void count(enum chooser_kind kind, uint32_t *counts, uint64_t places)
{
    struct chooser chooser;

    memset(counts, 0, places * sizeof counts[0]);
    chooser_init(&chooser, kind, places, 3);
    for (unsigned n = 0; n < DRAWS; n++)
        counts[chooser_next(&chooser)]++;
}

/* Within five deviations of what chance would have. */
static void assert_near(uint32_t got, double wanted)
{
    assert_true(fabs(got - wanted) < 5 * sqrt(wanted) + 1);
}

static void draws_each_rank_in_proportion_to_its_power(void **state)
{
    enum { PLACES = 1000 };
    static uint32_t counts[PLACES];
    double sum = 0;

    (void)state;
    for (unsigned k = 1; k <= PLACES; k++)
        sum += pow(k, -CHOOSER_ZIPF_EXPONENT);
    count(CHOOSER_ZIPF, counts, PLACES);
    /* The two most popular are not neighbours. */
    unsigned first = 0, second = 1;
    for (unsigned i = 0; i < PLACES; i++)
        first = counts[i] > counts[first] ? i : first;
    second = first == 0 ? 1 : 0;
    for (unsigned i = 0; i < PLACES; i++)
        second = i != first && counts[i] > counts[second] ? i : second;
    assert_true(abs((int)first - (int)second) > 1);
    /* Sorted, the far apart ranks are where they belong; near ones may change places. */
    qsort(counts, PLACES, sizeof counts[0], downwards);
    for (unsigned k = 1; k <= 8; k++)
        assert_near(counts[k - 1], DRAWS * pow(k, -CHOOSER_ZIPF_EXPONENT) / sum);
    uint32_t tail = 0;
    double wanted = 0;
    for (unsigned k = 501; k <= PLACES; k++) {
        tail += counts[k - 1];
        wanted += DRAWS * pow(k, -CHOOSER_ZIPF_EXPONENT) / sum;
    }
    /* Sorting moves what came less often than it should to the end: a little fewer. */
    assert_true(tail < wanted * 1.01 && tail > wanted * 0.9);
}

static void draws_all_places_alike(void **state)
{
    enum { PLACES = 100 };
    static uint32_t counts[PLACES];

    (void)state;
    count(CHOOSER_UNIFORM, counts, PLACES);
    for (unsigned i = 0; i < PLACES; i++)
        assert_near(counts[i], (double)DRAWS / PLACES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_in_order_and_begins_again),
        cmocka_unit_test(repeats_itself_for_a_seed_and_stays_within),
        cmocka_unit_test(draws_each_rank_in_proportion_to_its_power),
        cmocka_unit_test(draws_all_places_alike),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
