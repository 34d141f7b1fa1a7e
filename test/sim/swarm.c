/* SPDX-License-Identifier: BSD-3-Clause */
#include "sim/swarm.h"

#include "core/engine.h"
#include "test/sim/toy.h"
#include "test/unit.h"

#include <stdlib.h>
#include <string.h>

static struct swarm_options ask(const struct engine *engine, uint64_t seed, uint32_t acts)
{
    struct swarm_options options = {
        .engine = engine, .seed = seed, .acts = acts, .judges = HARNESS_ORACLE | HARNESS_HISTORY};
    if (engine == &engine_toy) {
        options.shape = &toy_shape; /* which never fills, formats once, has no answer to errors */
        (void)swarm_switches("errors,fill,flush-bands,format", &options.off);
    }
    return options;
}

static void accepts_engines_that_keep_their_promises(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct swarm_options options = ask(seed % 2 ? &engine_toy : &engine_hostftl, seed, 150);
        struct swarm_result result;
        swarm_run(&options, &result);
        if (result.failure.failed)
            fail_msg("%s\n%s", result.failure.text, result.replay);
    }
}

static void the_same_seed_has_the_same_hash_and_another_has_another(void **state)
{
    (void)state;
    struct swarm_result result, again, other;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct swarm_options options = ask(&engine_hostftl, seed, 200);
        swarm_run(&options, &result);
        swarm_run(&options, &again);
        options.seed += 100;
        swarm_run(&options, &other);
        assert_true(result.hash == again.hash && result.acts == again.acts);
        assert_true(result.hash != other.hash);
    }
}

static void the_hash_sees_one_act_less(void **state)
{
    (void)state;
    struct swarm_options options = ask(&engine_hostftl, 3, 100);
    struct swarm_result whole, less;
    swarm_run(&options, &whole);
    options.skip = "50-53";
    swarm_run(&options, &less);
    assert_true(whole.hash != less.hash);
}

/* And says so in its own words; what only a crash shows is not its business. */
static void the_history_alone_catches_what_reads_show(void **state)
{
    (void)state;
    static const enum toy_lie lies[] = {TOY_STALE_READ, TOY_LOST_UPDATE, TOY_GOES_BACK,
                                        TOY_WRONG_BLOCK, TOY_FORGETS_A_TRIM};
    for (size_t i = 0; i <= sizeof lies / sizeof lies[0]; i++) {
        bool honest = i == sizeof lies / sizeof lies[0];
        struct swarm_result result = {0};
        toy_lie = honest ? TOY_FLUSH_DOES_NOTHING : lies[i];
        uint64_t seed = 0;
        while (seed < 40 && !result.failure.failed) {
            struct swarm_options options = ask(&engine_toy, ++seed, 120);
            options.judges = HARNESS_HISTORY;
            swarm_run(&options, &result);
        }
        print_message("%-22s after %2lu runs: %s\n", toy_lie_name(toy_lie), (unsigned long)seed,
                      result.failure.text);
        toy_lie = TOY_NONE;
        assert_true(result.failure.failed != honest);
        assert_true(honest || strncmp(result.failure.text, "history", 7) == 0);
    }
}

/* What a run comes to, of what happens seldom. */
static struct seldom {
    const struct band *kept;
    unsigned bands_kept, formats, epochs;
    uint64_t counter;
    uint64_t again;
} seldom;

static bool step_and_look(struct device *device)
{
    bool busy = engine_hostftl.step(device);
    const struct band *kept = device->streams[STREAM_USER].kept;
    seldom.bands_kept += kept != NULL && kept != seldom.kept;
    seldom.kept = kept;
    seldom.epochs += seldom.counter > UINT32_MAX / 2 && device->counter < UINT32_MAX / 2;
    seldom.counter = device->counter;
    return busy;
}

static enum hftl_status close_and_count(struct device *device)
{
    seldom.again += device->stats.media_again;
    return engine_hostftl.close(device);
}

static enum hftl_status format_and_count(struct hftl_media *medium, const struct world *world,
                                         const struct hftl_format_options *options,
                                         struct hftl_info *info, struct why *why)
{
    seldom.formats++;
    return engine_hostftl.format(medium, world, options, info, why);
}

/* On the drive, or on those of the seed. */
static void look_at(const char *drive, unsigned runs)
{
    struct engine looking = engine_hostftl;
    looking.step = step_and_look;
    looking.close = close_and_count;
    looking.format = format_and_count;
    seldom = (struct seldom){0};
    for (uint64_t seed = 1; seed <= runs; seed++) {
        struct swarm_options options = ask(&looking, seed, 400);
        struct swarm_result result;
        options.shape = drive ? shape_find(drive) : NULL;
        swarm_run(&options, &result);
        if (result.failure.failed)
            fail_msg("%s\n%s", result.failure.text, result.replay);
    }
    print_message(
        "%-12s %u runs: %u bands kept for users, %lu times no room, %u formats, %u epochs\n",
        drive ? drive : "any drive", runs, seldom.bands_kept, (unsigned long)seldom.again,
        seldom.formats, seldom.epochs);
}

static void comes_to_what_happens_seldom(void **state)
{
    (void)state;
    look_at("zoned-many", 30);
    assert_true(seldom.bands_kept >= 15);
    look_at("oc-many", 30);
    assert_true(seldom.bands_kept >= 15);
    assert_int_equal(seldom.again, 0);
    look_at("oc-rest", 10);
    assert_true(seldom.again >= 100);
    look_at(NULL, 80);
    assert_true(seldom.formats >= 80 + 16 && seldom.again >= 100 && seldom.epochs >= 10);
}

/* Holes are read over on drives of both kinds, and not on all. */
static void drives_of_both_kinds_have_holes_that_are_read(void **state)
{
    (void)state;
    unsigned with[2] = {0}, without[2] = {0};
    struct prng prng;
    struct shape random;
    prng_seed(&prng, 1);
    for (unsigned i = 0; i < 200; i++) {
        const struct shape *shape = i < shape_count() ? shape_at(i) : &random;
        if (shape == &random)
            shape_random(&random, &prng);
        unsigned zoned = shape->facts.kind == HFTL_KIND_ZONED;
        assert_null(hftl_media_facts_nonsense(&shape->facts));
        ++*(shape->facts.read_gap_blocks > 0 ? &with[zoned] : &without[zoned]);
    }
    for (unsigned zoned = 0; zoned < 2; zoned++)
        assert_true(with[zoned] >= 20 && without[zoned] >= 5);
}

/* Over many seeds each switch is on about as often as off; but errors, which are seldom. */
static void each_seed_switches_half_of_everything_off(void **state)
{
    (void)state;
    unsigned on[SWARM_COUNT] = {0};
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct swarm_options options = ask(&engine_hostftl, seed, 0);
        struct swarm_result result;
        swarm_run(&options, &result);
        for (unsigned i = 0; i < SWARM_COUNT; i++)
            on[i] += (unsigned)(result.on >> i & 1);
    }
    for (unsigned i = 0; i < SWARM_COUNT; i++)
        if (i == SWARM_ERRORS)
            assert_in_range(on[i], 8, 50);
        else
            assert_in_range(on[i], 70, 130);
}

static void reads_and_refuses_lists_of_switches(void **state)
{
    (void)state;
    uint64_t switches;
    assert_true(swarm_switches("cut-torn,deep", &switches));
    assert_true(switches == (UINT64_C(1) << SWARM_CUT_TORN | UINT64_C(1) << SWARM_DEEP));
    assert_false(swarm_switches("cut", &switches));
    assert_false(swarm_switches("deep,deeper", &switches));
}

/* Whatever fails is shrunk to a fraction, and the command alone shows it again. */
static void makes_a_failing_run_small_and_replayable(void **state)
{
    (void)state;
    struct swarm_result result, again;
    struct swarm_options options = ask(&engine_toy, 1, 400);
    toy_lie = TOY_TRIM_IN_MEMORY;
    for (; options.seed < 100; options.seed++) {
        swarm_run(&options, &result);
        if (result.failure.failed)
            break;
    }
    assert_true(result.failure.failed);
    uint64_t acts = result.acts;
    swarm_shrink(&options, 600, &result);
    assert_true(result.failure.failed);
    assert_true(result.acts < acts / 4);
    char *off = strstr(result.replay, "--off "), *skip = strstr(result.replay, "--skip ");
    char *count = strstr(result.replay, "--acts ");
    assert_true(off != NULL && skip != NULL && count != NULL);
    skip[-1] = 0; /* ends the list of switches */
    if (strstr(result.replay, "--geometry toy") == NULL)
        options.shape = shape_find(result.shape);
    options.acts = (uint32_t)strtoul(count + strlen("--acts "), NULL, 10);
    options.skip = skip + strlen("--skip ");
    assert_true(swarm_switches(off + strlen("--off "), &options.off));
    swarm_run(&options, &again);
    toy_lie = TOY_NONE;
    assert_int_equal(again.acts, result.acts);
    assert_string_equal(again.failure.text, result.failure.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_engines_that_keep_their_promises),
        cmocka_unit_test(the_same_seed_has_the_same_hash_and_another_has_another),
        cmocka_unit_test(the_hash_sees_one_act_less),
        cmocka_unit_test(the_history_alone_catches_what_reads_show),
        cmocka_unit_test(comes_to_what_happens_seldom),
        cmocka_unit_test(drives_of_both_kinds_have_holes_that_are_read),
        cmocka_unit_test(each_seed_switches_half_of_everything_off),
        cmocka_unit_test(reads_and_refuses_lists_of_switches),
        cmocka_unit_test(makes_a_failing_run_small_and_replayable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
