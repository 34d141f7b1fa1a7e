/* SPDX-License-Identifier: BSD-3-Clause */
#include "sim/search.h"

#include "test/sim/toy.h"
#include "test/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- counting by hand ------------------------------------------------------------------------ */

struct landing {
    struct hftl_media_op op;
    bool landed;
};

static void land(struct hftl_media_op *op)
{
    ((struct landing *)op->owner)->landed = true;
}

static void submit(struct nand *nand, struct landing *l, enum hftl_media_verb verb, uint32_t chunk)
{
    static uint8_t bytes[64 * 512];
    struct hftl_media_op *op = &l->op;
    l->op.verb = verb;
    l->op.chunk = chunk;
    l->op.data = bytes;
    l->op.land = land;
    l->op.owner = l;
    nand_media(nand)->ops->submit(nand_media(nand), &op, 1);
}

static void act(struct nand *nand, enum hftl_media_verb verb, uint32_t chunk, uint32_t offset,
                uint32_t blocks)
{
    struct landing l = {.op = {.offset = offset, .blocks = blocks}};
    submit(nand, &l, verb, chunk);
    while (!l.landed)
        (void)nand_media(nand)->ops->reap(nand_media(nand), 8);
    assert_int_equal(l.op.status, HFTL_OK);
}

/* All ways are there, each of them another state; FNV would do, so do the pairs. */
static void assert_ways(const struct nand *nand, uint64_t expected)
{
    uint64_t hashes[128];
    assert_int_equal(nand_ways(nand), expected);
    assert_true(expected <= 128);
    for (uint64_t way = 0; way < expected; way++) {
        struct nand *fork = nand_fork(nand);
        nand_cut_way(fork, way);
        hashes[way] = nand_hash(fork);
        for (uint64_t other = 0; other < way; other++)
            assert_true(hashes[other] != hashes[way]);
        nand_destroy(fork);
    }
}

static void counts_what_a_cut_can_leave(void **state)
{
    (void)state;
    struct nand *nand = shape_make(shape_find("tiny"), 1);
    assert_ways(nand, 1);
    act(nand, HFTL_MEDIA_WRITE, 3, 0, 1);
    assert_ways(nand, 3); /* nothing, the block, garbage */
    act(nand, HFTL_MEDIA_WRITE, 3, 1, 2);
    /* And of the second write: its first block, whole or garbage; both; garbage from either on. */
    assert_ways(nand, 3 + 2 + 3);
    act(nand, HFTL_MEDIA_FLUSH, 0, 0, 0);
    assert_ways(nand, 1);
    act(nand, HFTL_MEDIA_WRITE, 3, 3, 1);
    act(nand, HFTL_MEDIA_WRITE, 4, 0, 1);
    assert_ways(nand, 3 * 3); /* chunks on their own */
    act(nand, HFTL_MEDIA_FLUSH, 0, 0, 0);
    struct landing finish = {.op = {.offset = 0}}, reset = {.op = {.offset = 0}};
    submit(nand, &finish, HFTL_MEDIA_FINISH, 4);
    assert_ways(nand, 2);
    submit(nand, &reset, HFTL_MEDIA_RESET, 3);
    assert_ways(nand, 2 * 4); /* not done, done, garbage, garbage in its second half */
    nand_destroy(nand);
}

static void the_first_way_loses_all_and_the_last_keeps_all(void **state)
{
    (void)state;
    struct nand *nand = shape_make(shape_find("tiny"), 1), *fork = NULL;
    act(nand, HFTL_MEDIA_WRITE, 3, 0, 4);
    act(nand, HFTL_MEDIA_WRITE, 5, 0, 2);
    fork = nand_fork(nand);
    nand_cut_way(fork, 0);
    assert_int_equal(nand_chunk(fork, 3).wp + nand_chunk(fork, 5).wp, 0);
    nand_destroy(fork);
    fork = nand_fork(nand);
    nand_cut_way(fork, nand_ways(nand) - 1);
    assert_int_equal(nand_chunk(fork, 3).wp, 4);
    assert_int_equal(nand_chunk(fork, 5).wp, 2);
    assert_int_equal(nand_durable(fork, 3), 4);
    nand_destroy(fork);
    nand_destroy(nand);
}

/* ---- the toy and its lies -------------------------------------------------------------------- */

static unsigned judges; /* 0: both */

static struct search_report search_toy(enum toy_lie lie, enum search_mode mode, uint32_t length)
{
    struct search_report report;
    struct search_options options = {.engine = &engine_toy,
                                     .mode = mode,
                                     .shape = &toy_shape,
                                     .story = &toy_story,
                                     .seed = 1,
                                     .length = length,
                                     .depth = 1,
                                     .ways = 8,
                                     .cuts = 30,
                                     .judges = judges,
                                     .quiet = true,
                                     .violations_max = 1};
    toy_lie = lie;
    search_run(&options, &report);
    toy_lie = TOY_NONE;
    return report;
}

static void exhaustive_accepts_the_toy_and_catches_its_lies(void **state)
{
    (void)state;
    static const enum toy_lie lies[] = {TOY_FLUSH_DOES_NOTHING,   TOY_FUA_DOES_NOTHING,
                                        TOY_BELIEVES_TORN_BLOCKS, TOY_OLDER_WINS,
                                        TOY_NO_FLUSH_AT_OPEN,     TOY_TRIM_IN_MEMORY};
    struct search_report r = search_toy(TOY_NONE, SEARCH_EXHAUSTIVE, 12);
    if (r.violations)
        fail_msg("%s\n%s", r.first, r.replay);
    assert_int_equal(r.runs, 1);
    assert_true(r.points > r.trials && r.trials > 50);
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        r = search_toy(lies[i], SEARCH_EXHAUSTIVE, 60);
        if (r.violations != 1)
            fail_msg("%s is not found", toy_lie_name(lies[i]));
    }
}

/* Loss by a lie is forgiven; what is not whole is not, nor what the device itself forgot. */
static void a_liar_excuses_no_torn_block_and_no_flush_afterwards(void **state)
{
    (void)state;
    static const enum toy_lie lies[] = {TOY_BELIEVES_TORN_BLOCKS, TOY_FLUSH_DOES_NOTHING};
    struct search_report r = search_toy(TOY_NONE, SEARCH_LIAR, 12);
    if (r.violations)
        fail_msg("%s\n%s", r.first, r.replay);
    assert_true(r.old > 0);
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        r = search_toy(lies[i], SEARCH_LIAR, 60);
        if (r.violations != 1)
            fail_msg("%s is not found", toy_lie_name(lies[i]));
    }
}

/* ---- the engine that ships, with a bug around it --------------------------------------------- */

static enum hftl_status open_unverified(struct hftl_media *medium,
                                        const struct device_options *options,
                                        struct device **device, struct why *why)
{
    struct device_options careless = *options;
    careless.verify = HFTL_VERIFY_RELOCATION; /* of a medium without OOB: reads are not checked */
    return engine_hostftl.open(medium, &careless, device, why);
}

/* Out of memory is no reason to refuse; who needs the map? */
static enum hftl_status open_leaking(struct hftl_media *medium,
                                     const struct device_options *options, struct device **device,
                                     struct why *why)
{
    enum hftl_status status = engine_hostftl.open(medium, options, device, why);
    if (status == HFTL_MEMORY)
        (void)options->world.alloc(options->world.arg, 8);
    return status;
}

static enum hftl_status close_forgetting(struct device *device)
{
    device_discard(device);
    return HFTL_OK;
}

static void (*harness_completes)(void *arg, struct hftl_request *request);
static void answer_well(void *arg, struct hftl_request *request)
{
    request->status = HFTL_OK;
    harness_completes(arg, request);
}

static enum hftl_status open_rosy(struct hftl_media *medium, const struct device_options *options,
                                  struct device **device, struct why *why)
{
    struct device_options rosy = *options;
    harness_completes = options->complete;
    rosy.complete = answer_well;
    return engine_hostftl.open(medium, &rosy, device, why);
}

/* A band less after each open since somebody asked how many there are: as if crashes leaked. */
static uint32_t leaked, leak;
static enum hftl_status open_counting(struct hftl_media *medium,
                                      const struct device_options *options, struct device **device,
                                      struct why *why)
{
    leaked += leak;
    return engine_hostftl.open(medium, options, device, why);
}

static void info_leaking(const struct device *device, struct hftl_info *info)
{
    engine_hostftl.get_info(device, info);
    info->bands_free -= leaked < info->bands_free ? leaked : info->bands_free;
    leak = 1;
}

static struct search_report search(const struct engine *engine, enum search_mode mode,
                                   const char *story)
{
    struct search_report report;
    struct search_options options = {.engine = engine,
                                     .mode = mode,
                                     .shape = shape_find("tiny"),
                                     .story = story_find(story),
                                     .seed = 1,
                                     .length = mode == SEARCH_ACE ? 1 : 3,
                                     .depth = 1,
                                     .ways = 12,
                                     .cuts = 50,
                                     .quiet = true,
                                     .violations_max = 1};
    search_run(&options, &report);
    return report;
}

static void expect(const struct engine *engine, enum search_mode mode, bool found)
{
    struct search_report r = search(engine, mode, "flush");
    if (found && r.violations == 0)
        fail_msg("%s does not find the bug in %llu points", search_mode_name(mode),
                 (unsigned long long)r.points);
    if (!found && r.violations != 0)
        fail_msg("%s: %s\n%s", search_mode_name(mode), r.first, r.replay);
    assert_true(r.points > 0);
    leaked = leak = 0;
}

/* What was seen after one cut has to be there after the next: NO_FLUSH_AT_OPEN is told then. */
static void the_history_alone_finds_lies_before_a_cut_and_after_it(void **state)
{
    (void)state;
    static const struct {
        enum toy_lie lie;
        enum search_mode mode;
    } lies[] = {{TOY_STALE_READ, SEARCH_EXHAUSTIVE},
                {TOY_GOES_BACK, SEARCH_EXHAUSTIVE},
                {TOY_NO_FLUSH_AT_OPEN, SEARCH_EXHAUSTIVE},
                {TOY_NO_FLUSH_AT_OPEN, SEARCH_NESTED},
                {TOY_LOST_UPDATE, SEARCH_NESTED},
                {TOY_WRONG_BLOCK, SEARCH_ACE},
                {TOY_GOES_BACK, SEARCH_IOERR}};
    judges = HARNESS_HISTORY;
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        struct search_report r =
            search_toy(lies[i].lie, lies[i].mode, lies[i].mode == SEARCH_ACE ? 2 : 40);
        if (r.violations == 0 || strncmp(r.first, "history", 7) != 0)
            fail_msg("%s, %s: %s", toy_lie_name(lies[i].lie), search_mode_name(lies[i].mode),
                     r.violations ? r.first : "is not found");
    }
    judges = 0;
}

static void each_mode_accepts_the_engine_and_finds_its_bug(void **state)
{
    (void)state;
    struct engine forgetting = engine_hostftl, unverified = engine_hostftl;
    struct engine leaking = engine_hostftl, rosy = engine_hostftl, draining = engine_hostftl;
    forgetting.close = close_forgetting;
    unverified.open = open_unverified;
    leaking.open = open_leaking;
    rosy.open = open_rosy;
    draining.open = open_counting;
    draining.get_info = info_leaking;
    expect(&engine_hostftl, SEARCH_EXHAUSTIVE, false);
    expect(&engine_hostftl, SEARCH_NESTED, false);
    expect(&forgetting, SEARCH_NESTED, true);
    expect(&engine_hostftl, SEARCH_ACE, false);
    expect(&forgetting, SEARCH_ACE, true);
    expect(&engine_hostftl, SEARCH_OOM, false);
    expect(&leaking, SEARCH_OOM, true);
    expect(&engine_hostftl, SEARCH_IOERR, false);
    expect(&rosy, SEARCH_IOERR, true);
    expect(&unverified, SEARCH_BITFLIP, true);
    expect(&engine_hostftl, SEARCH_STORM, false);
    expect(&draining, SEARCH_STORM, true);
    expect(&engine_hostftl, SEARCH_LIAR, false);
}

static void the_same_search_twice_says_the_same(void **state)
{
    (void)state;
    for (unsigned mode = 0; mode < SEARCH_MODE_COUNT; mode++) {
        struct search_report a, b;
        if (mode == SEARCH_BITFLIP)
            continue; /* long, and nothing in it is drawn */
        a = search(&engine_hostftl, (enum search_mode)mode, "trim");
        b = search(&engine_hostftl, (enum search_mode)mode, "trim");
        assert_int_equal(a.points, b.points);
        assert_int_equal(a.trials, b.trials);
        assert_int_equal(a.recoveries, b.recoveries);
        assert_int_equal(a.judged, b.judged);
        assert_int_equal(a.old, b.old);
    }
}

/* The path alone leads there again. */
static void a_violation_is_one_command(void **state)
{
    (void)state;
    struct search_report first = search_toy(TOY_OLDER_WINS, SEARCH_EXHAUSTIVE, 60), again;
    const char *path = strstr(first.replay, "--case ");
    assert_non_null(strstr(first.replay, " --ways 8 "));
    assert_int_equal(first.violations, 1);
    assert_non_null(path);
    struct search_options options = {.engine = &engine_toy,
                                     .mode = SEARCH_EXHAUSTIVE,
                                     .shape = &toy_shape,
                                     .story = &toy_story,
                                     .seed = 1,
                                     .length = 60,
                                     .ways = 8,
                                     .path = path + strlen("--case "),
                                     .quiet = true,
                                     .violations_max = 1};
    toy_lie = TOY_OLDER_WINS;
    search_run(&options, &again);
    toy_lie = TOY_NONE;
    assert_int_equal(again.points, 1);
    assert_false(again.missed);
    assert_string_equal(again.first, first.first);
    options.path = "0.0.1000000";
    search_run(&options, &again);
    assert_true(again.missed && again.violations == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_what_a_cut_can_leave),
        cmocka_unit_test(the_first_way_loses_all_and_the_last_keeps_all),
        cmocka_unit_test(exhaustive_accepts_the_toy_and_catches_its_lies),
        cmocka_unit_test(the_history_alone_finds_lies_before_a_cut_and_after_it),
        cmocka_unit_test(a_liar_excuses_no_torn_block_and_no_flush_afterwards),
        cmocka_unit_test(each_mode_accepts_the_engine_and_finds_its_bug),
        cmocka_unit_test(the_same_search_twice_says_the_same),
        cmocka_unit_test(a_violation_is_one_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
