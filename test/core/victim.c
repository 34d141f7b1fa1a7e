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

static double cost_benefit(uint32_t valid, uint32_t capacity, uint64_t age)
{
    return victim_cost_benefit.score(&(struct victim_view){valid, capacity, age, 0});
}

static double fifo(uint32_t valid, uint32_t capacity, uint64_t age)
{
    return victim_fifo.score(&(struct victim_view){valid, capacity, age, 0});
}

/* (1 - u) / (2 u) * (age + 1) */
static void cost_benefit_is_what_is_gained_over_twice_what_is_moved(void **state)
{
    (void)state;
    for (uint32_t valid = 1; valid < 100; valid++) {
        double u = valid / 100.0, expected = (1 - u) / (2 * u) * 8;
        double score = cost_benefit(valid, 100, 7);
        assert_true(score > expected * 0.999999 && score < expected * 1.000001);
        assert_true(cost_benefit(valid - 1, 100, 7) > score);
        assert_true(cost_benefit(valid, 100, 8) > score);
    }
    assert_true(cost_benefit(0, 100, 0) < 1e9); /* finite where nothing is to be moved */
}

static void fifo_takes_the_eldest_that_has_anything_invalid(void **state)
{
    (void)state;
    assert_true(fifo(99, 100, 8) > fifo(0, 100, 7));
    assert_true(fifo(50, 100, 7) >= fifo(10, 100, 7));
    assert_true(fifo(100, 100, 1000) <= 0);
    assert_true(fifo(99, 100, 0) > 0);
}

static void every_policy_gives_nothing_to_a_band_without_invalid_blocks(void **state)
{
    (void)state;
    const struct victim_policy *policy;
    for (unsigned i = 0; (policy = victim_policy_at(i)) != NULL; i++) {
        assert_true(policy->score(&(struct victim_view){100, 100, 50, 3}) <= 0);
        assert_true(policy->score(&(struct victim_view){101, 100, 50, 3}) <= 0);
        assert_true(policy->score(&(struct victim_view){99, 100, 0, 0}) > 0);
    }
}

static void each_is_found_by_its_name_and_merit_comes_first(void **state)
{
    (void)state;
    static const char *const names[] = {"merit", "greedy", "cost-benefit", "fifo"};
    for (unsigned i = 0; i < 4; i++) {
        assert_string_equal(victim_policy_at(i)->name, names[i]);
        assert_ptr_equal(victim_policy_find(names[i]), victim_policy_at(i));
    }
    assert_null(victim_policy_at(4));
    assert_null(victim_policy_find("merits"));
    assert_null(victim_policy_find(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_band_without_invalid_blocks_is_not_worth_cleaning),
        cmocka_unit_test(merit_prefers_what_is_emptier_and_then_what_is_older),
        cmocka_unit_test(greedy_sees_nothing_but_what_is_freed),
        cmocka_unit_test(cost_benefit_is_what_is_gained_over_twice_what_is_moved),
        cmocka_unit_test(fifo_takes_the_eldest_that_has_anything_invalid),
        cmocka_unit_test(every_policy_gives_nothing_to_a_band_without_invalid_blocks),
        cmocka_unit_test(each_is_found_by_its_name_and_merit_comes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
