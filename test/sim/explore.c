/* SPDX-License-Identifier: BSD-3-Clause */
#include "sim/explore.h"
#include "test/sim/toy.h"
#include "test/unit.h"

#include <stdio.h>
#include <string.h>

static struct tally explore_toy(enum toy_lie lie, uint64_t passes)
{
    struct tally tally = {0};
    struct explore_options options = {.engine = &engine_toy,
                                      .story = &toy_story,
                                      .shape = &toy_shape,
                                      .seed = 1,
                                      .op = -1,
                                      .variant = -1,
                                      .points = 30,
                                      .violations_max = 1,
                                      .quiet = true};
    toy_lie = lie;
    for (; options.pass < passes && tally.violations == 0; options.pass++)
        options.moments = explore(&options, &tally);
    toy_lie = TOY_NONE;
    return tally;
}

static void accepts_an_engine_that_keeps_its_promises(void **state)
{
    (void)state;
    struct tally tally = explore_toy(TOY_NONE, 4);
    if (tally.violations)
        print_message("%s\n%s\n", tally.first, tally.replay);
    assert_int_equal(tally.violations, 0);
    assert_true(tally.cuts > 400);
    assert_true(tally.recoveries > tally.cuts);
    assert_true(tally.nested > tally.cuts / 10);
}

static void catches_each_planted_lie(void **state)
{
    (void)state;
    for (int lie = TOY_NONE + 1; lie < TOY_LIE_COUNT; lie++) {
        struct tally tally = explore_toy((enum toy_lie)lie, 6);
        print_message("%-22s after %4lu cuts: %s\n", toy_lie_name((enum toy_lie)lie),
                      (unsigned long)tally.cuts, tally.first);
        assert_int_equal(tally.violations, 1);
    }
}

static void replays_a_violation_from_its_command(void **state)
{
    (void)state;
    struct tally tally = explore_toy(TOY_BELIEVES_TORN_BLOCKS, 6), again = {0};
    const char *op = strstr(tally.replay, "--op ");
    long long number = -1;
    int variant = -1;
    assert_non_null(op);
    assert_int_equal(sscanf(op, "--op %lld --variant %d", &number, &variant), 2);
    struct explore_options options = {.engine = &engine_toy,
                                      .story = &toy_story,
                                      .shape = &toy_shape,
                                      .seed = 1,
                                      .op = number,
                                      .variant = variant,
                                      .points = 30,
                                      .violations_max = 1,
                                      .quiet = true};
    toy_lie = TOY_BELIEVES_TORN_BLOCKS;
    (void)explore(&options, &again);
    toy_lie = TOY_NONE;
    assert_int_equal(again.cuts, 1);
    assert_string_equal(again.first, tally.first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_an_engine_that_keeps_its_promises),
        cmocka_unit_test(catches_each_planted_lie),
        cmocka_unit_test(replays_a_violation_from_its_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
