/* SPDX-License-Identifier: BSD-3-Clause */
#include "test/unit.h"

#include "core/victim.h"

static double merit(uint32_t valid, uint32_t capacity, uint64_t age)
{
    return victim_merit.score(&(struct victim_view){valid, capacity, age, 0});
}

static double greedy(uint32_t valid, uint32_t capacity, uint64_t age)
{
    return victim_greedy.score(&(struct victim_view){valid, capacity, age, 0});
}

static void a_band_without_invalid_blocks_is_not_worth_cleaning(void **state)
{
    (void)state;
    assert_true(merit(100, 100, 50) <= 0);
    assert_true(greedy(100, 100, 50) <= 0);
    assert_true(merit(101, 100, 50) <= 0); /* a trim page more than data blocks were promised */
    assert_true(greedy(UINT32_MAX, 100, UINT64_MAX) <= 0);
    assert_true(merit(99, 100, 0) > 0); /* of no age too */
    assert_true(greedy(99, 100, 0) > 0);
}

static void merit_prefers_what_is_emptier_and_then_what_is_older(void **state)
{
    (void)state;
    for (uint32_t valid = 0; valid < 100; valid++) {
        assert_true(merit(valid, 100, 10) > merit(valid + 1, 100, 10));
        assert_true(merit(valid, 100, 11) > merit(valid, 100, 10));
    }
    assert_true(merit(80, 100, 1000) > merit(50, 100, 3)); /* cold before hot */
}

static void greedy_sees_nothing_but_what_is_freed(void **state)
{
    (void)state;
    for (uint32_t valid = 0; valid < 100; valid++)
        assert_true(greedy(valid, 100, 0) > greedy(valid + 1, 100, UINT64_MAX));
    assert_true(greedy(50, 200, 0) > greedy(0, 100, 1000)); /* the wider band frees more */
    assert_true(greedy(7, 100, 1) >= greedy(7, 100, 99));
}

static void both_have_a_name(void **state)
{
    (void)state;
    assert_string_equal(victim_merit.name, "merit");
    assert_string_equal(victim_greedy.name, "greedy");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_band_without_invalid_blocks_is_not_worth_cleaning),
        cmocka_unit_test(merit_prefers_what_is_emptier_and_then_what_is_older),
        cmocka_unit_test(greedy_sees_nothing_but_what_is_freed),
        cmocka_unit_test(both_have_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
