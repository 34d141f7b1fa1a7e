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
    chooser_init(&chooser, &(struct chooser_shape){.kind = CHOOSER_IN_ORDER}, 5, 1);
    for (uint64_t i = 0; i < 12; i++)
        assert_int_equal(chooser_next(&chooser), i % 5);
}

static void repeats_itself_for_a_seed_and_stays_within(void **state)
{
    static const uint64_t places[] = {1, 2, 3, 7, 4096, 46387, UINT64_C(1) << 36};

    (void)state;
    for (enum chooser_kind kind = CHOOSER_IN_ORDER; kind <= CHOOSER_HOT; kind++) {
        const struct chooser_shape shape = {kind, 90, 10};

        for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
            struct chooser a, b;

            chooser_init(&a, &shape, places[i], 7);
            chooser_init(&b, &shape, places[i], 7);
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
    const struct chooser_shape shape = {kind, 90, 10};
    struct chooser chooser;

    memset(counts, 0, places * sizeof counts[0]);
    chooser_init(&chooser, &shape, places, 3);
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

/* Nine draws of ten to a tenth of the places, all alike there, and all alike elsewhere. */
static void sends_most_draws_to_the_hot_places(void **state)
{
    enum { PLACES = 200, HOT = PLACES / 10 };
    static uint32_t counts[PLACES];
    unsigned hot = 0, neighbours = 0;

    (void)state;
    count(CHOOSER_HOT, counts, PLACES);
    for (unsigned i = 0; i < PLACES; i++) {
        bool is_hot = counts[i] > DRAWS / PLACES;

        assert_near(counts[i], is_hot ? 0.9 * DRAWS / HOT : 0.1 * DRAWS / (PLACES - HOT));
        hot += is_hot;
        neighbours += is_hot && i > 0 && counts[i - 1] > DRAWS / PLACES;
    }
    assert_int_equal(hot, HOT);
    assert_true(neighbours < HOT / 2);
}

static void draws_each_place_once_before_any_twice(void **state)
{
    static const uint64_t places[] = {1, 2, 3, 5, 64, 65, 4096, 10007};
    static uint8_t seen[10007];

    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct chooser chooser;

        chooser_init(&chooser, &(struct chooser_shape){.kind = CHOOSER_ONCE}, places[i], 11);
        for (unsigned round = 1; round <= 2; round++) {
            for (uint64_t n = 0; n < places[i]; n++)
                seen[chooser_next(&chooser)]++;
            for (uint64_t n = 0; n < places[i]; n++)
                assert_int_equal(seen[n], round);
        }
        memset(seen, 0, sizeof seen);
    }
}

/* In a random order the mean distance of two is a third of the places, in any other it is not. */
static void draws_each_place_once_in_an_order_like_chance(void **state)
{
    enum { PLACES = 50000 };
    struct chooser chooser;
    double sum = 0;
    uint64_t upwards = 0;

    (void)state;
    chooser_init(&chooser, &(struct chooser_shape){.kind = CHOOSER_ONCE}, PLACES, 5);
    uint64_t last = chooser_next(&chooser);
    for (unsigned n = 1; n < PLACES; n++) {
        uint64_t next = chooser_next(&chooser);

        sum += fabs((double)next - (double)last);
        upwards += next > last;
        last = next;
    }
    assert_true(fabs(sum / PLACES / PLACES - 1.0 / 3) < 0.01);
    assert_true(fabs((double)upwards / PLACES - 0.5) < 0.01);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_in_order_and_begins_again),
        cmocka_unit_test(repeats_itself_for_a_seed_and_stays_within),
        cmocka_unit_test(draws_each_rank_in_proportion_to_its_power),
        cmocka_unit_test(draws_all_places_alike),
        cmocka_unit_test(sends_most_draws_to_the_hot_places),
        cmocka_unit_test(draws_each_place_once_before_any_twice),
        cmocka_unit_test(draws_each_place_once_in_an_order_like_chance),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
