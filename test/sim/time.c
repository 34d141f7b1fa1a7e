/* SPDX-License-Identifier: BSD-3-Clause */
#include "sim/harness.h"

#include "test/sim/toy.h"
#include "test/unit.h"

#include <string.h>

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)

static uint8_t bytes[64 * 512], spare[64 * 64];

struct
try {
    struct nand *nand;
    struct hftl_media_op op;
    int landed;
    uint64_t at;
};

static void note(struct hftl_media_op *op)
{
    struct try *t = op->owner;
    t->landed++;
    t->at = nand_now(t->nand);
}

static void submit(struct nand *nand, struct try *t, enum hftl_media_verb verb, uint32_t chunk,
                   uint32_t offset, uint32_t blocks)
{
    *t = (struct try){.nand = nand};
    t->op = (struct hftl_media_op){.verb = verb,
                                   .chunk = chunk,
                                   .offset = offset,
                                   .blocks = blocks,
                                   .data = bytes,
                                   .oob = spare,
                                   .land = note,
                                   .owner = t};
    struct hftl_media_op *op = &t->op;
    nand_media(nand)->ops->submit(nand_media(nand), &op, 1);
}

static void reap(struct nand *nand)
{
    (void)nand_media(nand)->ops->reap(nand_media(nand), 64);
}

/* Until nothing lands any more. */
static void finish(struct nand *nand)
{
    do
        reap(nand);
    while (nand_pass(nand_media(nand)));
}

/* "oc" has 2 x 2 PUs of 22 chunks, write units of four blocks. In order: without chance. */
static struct nand *make(enum nand_latency latency, bool in_order)
{
    struct shape shape = *shape_find("oc");
    shape.latency = latency;
    shape.in_order = in_order;
    return shape_make(&shape, 7);
}

static uint32_t on(uint32_t unit)
{
    return unit * 22;
}

/* ---- the drive ------------------------------------------------------------------------------- */

static void time_passes_only_when_it_is_told_to(void **state)
{
    (void)state;
    struct nand *nand = make(NAND_LATENCY_REALISTIC, true);
    struct try write;
    assert_false(nand_pass(nand_media(nand))); /* nothing will ever land */
    submit(nand, &write, HFTL_MEDIA_WRITE, on(0), 0, 4);
    for (int i = 0; i < 100; i++)
        reap(nand);
    assert_int_equal(write.landed, 0);
    assert_int_equal(nand_now(nand), 0);
    assert_true(nand_pass(nand_media(nand)));
    assert_true(nand_pass(nand_media(nand))); /* it is there already */
    assert_int_equal(nand_now(nand), 16 * US + 600 * US);
    reap(nand);
    assert_int_equal(write.landed, 1);
    nand_destroy(nand);
}

static void units_and_channels_do_one_thing_at_a_time(void **state)
{
    (void)state;
    struct nand *nand = make(NAND_LATENCY_REALISTIC, true);
    struct try a, b, c, d, read, flush;
    submit(nand, &a, HFTL_MEDIA_WRITE, on(0), 0, 4);
    submit(nand, &b, HFTL_MEDIA_WRITE, on(0) + 1, 0, 8); /* the same unit: two programs */
    submit(nand, &c, HFTL_MEDIA_WRITE, on(1), 0, 4);     /* the same channel */
    submit(nand, &d, HFTL_MEDIA_WRITE, on(2), 0, 4);     /* another one */
    submit(nand, &flush, HFTL_MEDIA_FLUSH, 0, 0, 0);
    finish(nand);
    assert_int_equal(a.at, 616 * US);
    assert_int_equal(b.at, 616 * US + 1200 * US);
    assert_int_equal(c.at, 3 * 16 * US + 16 * US + 600 * US); /* behind 12 blocks of the channel */
    assert_int_equal(d.at, 616 * US);
    assert_int_equal(flush.at, b.at + 20 * US);
    uint64_t begin = nand_now(nand);
    struct try reset, full;
    submit(nand, &full, HFTL_MEDIA_WRITE, on(3), 0, 16);
    finish(nand);
    begin = nand_now(nand);
    submit(nand, &reset, HFTL_MEDIA_RESET, on(3), 0, 0);
    submit(nand, &read, HFTL_MEDIA_READ, on(0) + 1, 0, 1);
    finish(nand);
    assert_int_equal(reset.at - begin, 5 * MS);
    assert_int_equal(read.at - begin, 64 * US); /* overtakes */
    nand_destroy(nand);
}

static void slow_is_a_hundred_times_slower_and_zero_takes_no_time(void **state)
{
    (void)state;
    struct try write, reset;
    struct nand *nand = make(NAND_LATENCY_SLOW, true);
    submit(nand, &write, HFTL_MEDIA_WRITE, on(0), 0, 4);
    finish(nand);
    assert_int_equal(write.at, 61600 * US);
    submit(nand, &reset, HFTL_MEDIA_RESET, on(0), 0, 0);
    finish(nand);
    assert_int_equal(reset.at, 61600 * US + 5000 * MS);
    nand_destroy(nand);
    nand = make(NAND_LATENCY_ZERO, false);
    submit(nand, &write, HFTL_MEDIA_WRITE, on(0), 0, 4);
    assert_int_equal(write.landed, 0);
    reap(nand);
    assert_int_equal(write.landed, 1);
    assert_int_equal(nand_now(nand), 0);
    nand_destroy(nand);
}

static void with_a_seed_programs_differ_and_the_same_seed_has_the_same(void **state)
{
    (void)state;
    struct nand *nand = make(NAND_LATENCY_REALISTIC, false);
    struct nand *again = make(NAND_LATENCY_REALISTIC, false);
    uint64_t first = 0, others = 0;
    for (uint32_t i = 0; i < 20; i++) {
        struct try a, b;
        uint64_t begin = nand_now(nand);
        submit(nand, &a, HFTL_MEDIA_WRITE, on(0) + i, 0, 4);
        submit(again, &b, HFTL_MEDIA_WRITE, on(0) + i, 0, 4);
        finish(nand);
        finish(again);
        assert_int_equal(a.at, b.at);
        assert_in_range(a.at - begin, 466 * US, 766 * US);
        others += i > 0 && a.at - begin != first;
        first = i ? first : a.at - begin;
    }
    assert_true(others > 10);
    nand_destroy(nand);
    nand_destroy(again);
}

static void what_a_unit_that_stands_still_has_not_done_never_lands_until_a_cut(void **state)
{
    (void)state;
    struct nand *nand = make(NAND_LATENCY_NEVER, true);
    struct try early, write, other, before, behind, later;
    submit(nand, &early, HFTL_MEDIA_WRITE, on(1), 0, 4);
    finish(nand);
    submit(nand, &before, HFTL_MEDIA_FLUSH, 0, 0, 0);
    submit(nand, &write, HFTL_MEDIA_WRITE, on(1), 4, 4);
    nand_stand_still(nand, 1);
    submit(nand, &other, HFTL_MEDIA_WRITE, on(2), 0, 4);
    submit(nand, &behind, HFTL_MEDIA_FLUSH, 0, 0, 0);
    finish(nand);
    assert_int_equal(before.landed, 1);
    assert_int_equal(other.landed, 1);
    assert_int_equal(write.landed, 0);
    assert_int_equal(behind.landed, 0);
    assert_int_equal(nand_in_vain(nand), 2);
    assert_false(nand_pass(nand_media(nand)));
    nand_cut(nand, NAND_CUT_KEPT, 1);
    assert_false(nand_stands_still(nand));
    assert_int_equal(nand_chunk(nand, on(1)).wp, 8);
    submit(nand, &later, HFTL_MEDIA_READ, on(1), 0, 2);
    finish(nand);
    assert_int_equal(later.landed, 1);
    nand_destroy(nand);
}

/* ---- the harness ----------------------------------------------------------------------------- */

static void begin(struct harness *h, const struct engine *engine, struct shape *shape)
{
    struct harness_options options = shape_options(shape, engine, shape_make(shape, 3), 3);
    options.tuning = (struct tuning){0};
    harness_init(h, &options, NULL);
    assert_true(harness_open(h));
}

static void end(struct harness *h)
{
    harness_crash(h);
    oracle_destroy(h->oracle);
    nand_destroy(h->options.nand);
    harness_free(h);
}

static struct shape never(void)
{
    struct shape shape = *shape_find("oc");
    shape.latency = NAND_LATENCY_NEVER;
    return shape;
}

static void write_all(struct harness *h)
{
    for (uint64_t lba = 0; lba + 8 <= harness_blocks(h); lba += 8)
        harness_send(h, HFTL_WRITE, 0, lba, 8);
    harness_send(h, HFTL_FLUSH, 0, 0, 0);
    harness_drain(h);
}

static void a_drive_that_stands_still_is_reported_as_that(void **state)
{
    (void)state;
    static struct harness h;
    struct shape shape = never();
    begin(&h, &engine_hostftl, &shape);
    write_all(&h);
    assert_false(h.failure.failed);
    nand_stand_still(h.options.nand, 0);
    harness_verify(&h);
    assert_true(h.failure.failed);
    assert_non_null(strstr(h.failure.text, "the drive stands still"));
    assert_non_null(strstr(h.failure.text, "never"));
    end(&h);
}

static void when_it_was_injected_other_reads_go_on_and_a_cut_keeps_everything(void **state)
{
    (void)state;
    static struct harness h;
    struct shape shape = never();
    begin(&h, &engine_hostftl, &shape);
    h.options.may_stand_still = true;
    h.options.depth = 8;
    write_all(&h);
    nand_stand_still(h.options.nand, 1);
    harness_send(&h, HFTL_FLUSH, 0, 0, 0);
    harness_send(&h, HFTL_WRITE, HFTL_FUA, 5, 32);
    harness_drain(&h);
    assert_true(h.stuck);
    assert_false(h.failure.failed);
    uint64_t waiting = h.in_flight, answers = h.answers;
    harness_probe(&h, 40);
    assert_false(h.failure.failed);
    assert_true(h.answers > answers);                       /* on the other three units */
    assert_true(h.in_flight > waiting && h.in_flight <= 8); /* on this one */
    harness_crash(&h);
    nand_cut(h.options.nand, NAND_CUT_LOST, 1);
    assert_true(harness_open(&h));
    harness_verify(&h);
    assert_false(h.failure.failed);
    end(&h);
}

/* Opening and closing wait for a drive that stands still, without end: who waits can be killed, and
 * then it is a cut like others. At each operation of theirs. */
static void an_opening_or_closing_that_never_ends_can_be_killed_and_is_recovered(void **state)
{
    (void)state;
    static struct harness h;
    struct shape shape = never();
    unsigned openings = 0, closings = 0, well = 0;
    begin(&h, &engine_hostftl, &shape);
    h.options.may_stand_still = true;
    write_all(&h);
    for (uint32_t n = 0; n < 160; n++) {
        harness_send(&h, HFTL_WRITE, HFTL_FUA, n, 1);
        harness_drain(&h);
        if (n % 2) {
            nand_stand_still_later(h.options.nand, n % 4, n / 4);
            harness_close(&h);
            closings += h.stuck;
            well += !h.stuck;
        }
        if (h.device || h.stuck)
            harness_crash(&h);
        nand_cut(h.options.nand, n % 3 ? NAND_CUT_LOST : NAND_CUT_KEPT, n);
        nand_stand_still_later(h.options.nand, n / 2 % 4, n % 40);
        if (!harness_open(&h) && h.stuck) {
            assert_null(h.device);
            openings++;
        }
        harness_crash(&h);
        nand_cut(h.options.nand, NAND_CUT_TORN, n);
        assert_true(harness_open(&h));
        harness_verify(&h);
        assert_false(h.failure.failed);
    }
    assert_true(openings > 20 && closings > 20 && well > 0);
    end(&h);
}

/* The toy does one thing after the other: a read behind a write that stands still waits for it. */
static void a_read_that_waits_for_another_units_write_is_reported(void **state)
{
    (void)state;
    static struct harness h;
    struct shape shape = toy_shape;
    shape.latency = NAND_LATENCY_NEVER;
    shape.facts.pus_per_group = 2;
    shape.facts.chunks_per_pu /= 2;
    begin(&h, &engine_toy, &shape);
    h.options.may_stand_still = true;
    nand_stand_still(h.options.nand, 0);
    harness_send(&h, HFTL_WRITE, 0, 0, 1);
    harness_drain(&h);
    assert_true(h.stuck && !h.failure.failed);
    harness_probe(&h, 4);
    assert_true(h.failure.failed);
    assert_non_null(strstr(h.failure.text, "asks nothing of the unit"));
    end(&h);
}

/* What they say of themselves, in few steps: nothing is waited for but time. */
static void a_device_that_waits_for_nothing_or_never_comes_to_an_end_is_reported(void **state)
{
    (void)state;
    static const struct {
        enum toy_lie lie;
        const char *words;
    } lies[] = {{TOY_NEVER_ANSWERS, "stands still"}, {TOY_DAWDLES, "nothing is answered"}};
    for (size_t i = 0; i < 2; i++) {
        static struct harness h;
        struct shape shape = toy_shape;
        shape.latency = NAND_LATENCY_REALISTIC;
        toy_lie = TOY_NONE;
        begin(&h, &engine_toy, &shape);
        toy_lie = lies[i].lie;
        for (uint64_t n = 0; n < 150 && !h.failure.failed; n++)
            harness_send(&h, HFTL_WRITE, 0, n, 1);
        harness_drain(&h);
        toy_lie = TOY_NONE;
        assert_true(h.failure.failed);
        if (!strstr(h.failure.text, lies[i].words))
            fail_msg("%s", h.failure.text);
        assert_true(h.steps < 20000);
        end(&h);
    }
}

/* Cleaning is paused behind the harness's back: it must not stay unnoticed. */
static void a_debt_that_is_not_paid_is_reported(void **state)
{
    (void)state;
    for (int paused = 0; paused < 2; paused++) {
        static struct harness h;
        struct shape shape = *shape_find("zoned");
        shape.latency = NAND_LATENCY_REALISTIC;
        begin(&h, &engine_hostftl, &shape);
        engine_hostftl.pause_cleaning(h.device, paused);
        uint64_t blocks = harness_blocks(&h) / 3 * 2;
        for (uint64_t lba = 0; lba + 4 <= blocks; lba += 4)
            harness_send(&h, HFTL_WRITE, 0, lba, 4);
        for (uint64_t lba = 0; lba + 4 <= blocks; lba += 4)
            harness_send(&h, HFTL_WRITE, 0, lba, 3); /* of each band a quarter is left */
        harness_settle(&h);
        assert_int_equal(h.failure.failed, paused);
        assert_true(!paused || strstr(h.failure.text, "idle with a debt"));
        end(&h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_passes_only_when_it_is_told_to),
        cmocka_unit_test(units_and_channels_do_one_thing_at_a_time),
        cmocka_unit_test(slow_is_a_hundred_times_slower_and_zero_takes_no_time),
        cmocka_unit_test(with_a_seed_programs_differ_and_the_same_seed_has_the_same),
        cmocka_unit_test(what_a_unit_that_stands_still_has_not_done_never_lands_until_a_cut),
        cmocka_unit_test(a_drive_that_stands_still_is_reported_as_that),
        cmocka_unit_test(when_it_was_injected_other_reads_go_on_and_a_cut_keeps_everything),
        cmocka_unit_test(a_read_that_waits_for_another_units_write_is_reported),
        cmocka_unit_test(a_debt_that_is_not_paid_is_reported),
        cmocka_unit_test(an_opening_or_closing_that_never_ends_can_be_killed_and_is_recovered),
        cmocka_unit_test(a_device_that_waits_for_nothing_or_never_comes_to_an_end_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
