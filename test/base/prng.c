/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/prng.h"
#include "test/unit.h"

/* Seeds are written down in tests and reports: if this fails, they have all lost their meaning. */
static void never_changes_the_sequence_of_a_seed(void **state)
{
    (void)state;
    struct prng prng;
    prng_seed(&prng, 0);
    assert_int_equal(prng.state[0], UINT64_C(0xe220a8397b1dcdaf)); /* splitmix64's own test value */
    assert_int_equal(prng.state[1], UINT64_C(0x6e789e6aa1b965f4));
    assert_int_equal(prng_next(&prng), UINT64_C(0x99ec5f36cb75f2b4));
    assert_int_equal(prng_next(&prng), UINT64_C(0xbf6e1f784956452a));

    prng = (struct prng){{1, 2, 3, 4}}; /* xoshiro256**'s usual test state */
    assert_int_equal(prng_next(&prng), 11520);
    assert_int_equal(prng_next(&prng), 0);
    assert_int_equal(prng_next(&prng), 1509978240);
    assert_int_equal(prng_next(&prng), 1215971899390074240);
}

static void repeats_itself_and_differs_by_seed(void **state)
{
    (void)state;
    struct prng a, b, c;
    prng_seed(&a, 7);
    prng_seed(&b, 7);
    prng_seed(&c, 8);
    for (int i = 0; i < 100; i++) {
        uint64_t draw = prng_next(&a);
        assert_int_equal(prng_next(&b), draw);
        assert_int_not_equal(prng_next(&c), draw);
    }
}

static void stays_below_the_bound(void **state)
{
    (void)state;
    static const uint64_t bounds[] = {1, 2, 3, 24, 1000, (UINT64_C(1) << 63) + 1, UINT64_MAX};
    struct prng prng;
    prng_seed(&prng, 3);
    for (unsigned i = 0; i < sizeof bounds / sizeof *bounds; i++)
        for (int draw = 0; draw < 1000; draw++)
            assert_true(prng_below(&prng, bounds[i]) < bounds[i]);
}

/*
 * With n = 3 * 2^62, a plain remainder would give the lowest third twice as often as each of the
 * others: one half instead of one third of all draws.
 */
static void is_not_biased_where_a_plain_remainder_would_be(void **state)
{
    (void)state;
    struct prng prng;
    uint64_t n = UINT64_C(3) << 62, low = 0;
    prng_seed(&prng, 4);
    for (int draw = 0; draw < 30000; draw++)
        low += prng_below(&prng, n) < n / 3;
    assert_in_range(low, 9600, 10400); /* 10000, and five standard deviations */
}

static void takes_chances_as_often_as_asked(void **state)
{
    (void)state;
    struct prng prng;
    uint64_t hits = 0;
    prng_seed(&prng, 5);
    for (int draw = 0; draw < 10000; draw++) {
        assert_false(prng_chance(&prng, 0, 10));
        assert_true(prng_chance(&prng, 10, 10));
        hits += prng_chance(&prng, 1, 4);
    }
    assert_in_range(hits, 2280, 2720);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_changes_the_sequence_of_a_seed),
        cmocka_unit_test(repeats_itself_and_differs_by_seed),
        cmocka_unit_test(stays_below_the_bound),
        cmocka_unit_test(is_not_biased_where_a_plain_remainder_would_be),
        cmocka_unit_test(takes_chances_as_often_as_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
