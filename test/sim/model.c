/* SPDX-License-Identifier: BSD-3-Clause */
#include "sim/model.h"

#include "test/sim/toy.h"
#include "test/unit.h"

#include <string.h>

static struct model_result run(enum toy_lie lie, uint64_t seed, const char *skip)
{
    struct model_options options = {
        .engine = &engine_toy, .shape = &toy_shape, .seed = seed, .acts = 250, .skip = skip};
    struct model_result result;
    toy_lie = lie;
    if (skip)
        model_run(&options, &result);
    else
        model_run_and_shrink(&options, 200, &result);
    toy_lie = TOY_NONE;
    return result;
}

static void accepts_an_engine_that_keeps_its_promises(void **state)
{
    (void)state;
    uint32_t crashes = 0;
    for (uint64_t seed = 1; seed < 30; seed++) {
        struct model_result result = run(TOY_NONE, seed, NULL);
        if (result.failure.failed)
            fail_msg("%s\n%s", result.failure.text, result.replay);
        crashes += result.crashes;
    }
    assert_true(crashes > 30);
}

static void makes_a_failing_list_small_and_replayable(void **state)
{
    (void)state;
    static const enum toy_lie lies[] = {TOY_TRIM_IN_MEMORY, TOY_FLUSH_DOES_NOTHING, TOY_STALE_READ,
                                        TOY_BELIEVES_TORN_BLOCKS};
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        struct model_result result = {0};
        uint64_t seed = 0;
        while (!result.failure.failed && seed < 60)
            result = run(lies[i], ++seed, NULL);
        print_message("%s: %s, %u acts: %s\n", toy_lie_name(lies[i]), result.failure.text,
                      result.acts, result.replay);
        assert_true(result.failure.failed);
        assert_true(result.acts < 100); /* of 250 */
        const char *skip = strstr(result.replay, "--skip ");
        assert_non_null(skip);
        struct model_result again = run(lies[i], seed, skip + strlen("--skip "));
        assert_string_equal(again.failure.text, result.failure.text);
        assert_int_equal(again.acts, result.acts);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_an_engine_that_keeps_its_promises),
        cmocka_unit_test(makes_a_failing_list_small_and_replayable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
