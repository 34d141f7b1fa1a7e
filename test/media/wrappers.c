/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wrappers.c - what fault, delay and trace do besides keeping the contract. All of it behind the
 * guard: a misbehaviour must be one that the contract admits.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "media/delay.h"
#include "media/fault.h"
#include "media/rules.h"
#include "media/trace.h"
#include "test/media/subject.h"

static struct hftl_media *inner, *wrapper, *top; /* mem, what is tested, the guard */

static void open_mem(enum hftl_media_kind kind, uint32_t more_flags)
{
    char why[WHY_BYTES] = "";
    struct mem_options options = {.size = sizeof options, .facts = mem_facts(kind)};
    options.facts.flags |= more_flags;
    if (mem_open(&options, &inner, why, sizeof why) != HFTL_OK)
        fail_msg("%s", why);
}

static void put_guard(void)
{
    assert_int_equal(guard_open(wrapper, NULL, &top), HFTL_OK);
}

static void close_all(void)
{
    top->ops->close(top);
}

/* ---- fault --------------------------------------------------------------------------------- */

static void open_faulty(const struct fault_rule *rules, uint32_t count)
{
    struct fault_options options = {
        .size = sizeof options, .rules = rules, .rule_count = count, .seed = 7};
    assert_int_equal(fault_open(inner, &options, &wrapper), HFTL_OK);
    put_guard();
}

static void fails_the_nth_and_only_that(void **state)
{
    (void)state;
    const struct fault_rule rules[] = {
        {.verbs = FAULT_VERB(HFTL_MEDIA_WRITE), .nth = 3, .status = HFTL_SPACE},
        {.verbs = FAULT_VERB(HFTL_MEDIA_FLUSH), .nth = 2, .onwards = true, .status = HFTL_IO},
    };
    open_mem(HFTL_KIND_ZONED, 0);
    open_faulty(rules, 2);
    assert_int_equal(do_write(top, 0, 0, 4, 1), HFTL_OK);
    assert_int_equal(do_write(top, 1, 0, 4, 1), HFTL_OK);
    assert_int_equal(do_write(top, 0, 4, 4, 1), HFTL_SPACE);
    assert_int_equal(do_report(top, 0).wp, 4);
    assert_int_equal(do_write(top, 0, 4, 4, 1), HFTL_OK);
    assert_int_equal(do_simple(top, HFTL_MEDIA_FLUSH, 0), HFTL_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(do_simple(top, HFTL_MEDIA_FLUSH, 0), HFTL_IO);
    assert_int_equal(fault_fired(wrapper, 0), 1);
    assert_int_equal(fault_fired(wrapper, 1), 3);
    close_all();
}

static void fails_each_verb_where_it_is_told(void **state)
{
    (void)state;
    const struct fault_rule rules[] = {
        {.verbs = FAULT_VERB(HFTL_MEDIA_READ),
         .chunk_first = 2,
         .chunk_count = 2,
         .offset_first = 5,
         .offset_blocks = 2,
         .status = HFTL_IO},
        {.verbs = FAULT_VERB(HFTL_MEDIA_RESET),
         .chunk_first = 3,
         .chunk_count = 1,
         .status = HFTL_IO},
        {.verbs = FAULT_VERB(HFTL_MEDIA_FINISH), .nth = 1, .status = HFTL_IO},
    };
    bool right;
    open_mem(HFTL_KIND_ZONED, 0);
    open_faulty(rules, 3);
    for (uint32_t i = 1; i < 4; i++)
        assert_int_equal(do_write(top, i, 0, 12, 1), HFTL_OK);
    assert_int_equal(do_read(top, 1, 0, 12, 1, &right), HFTL_OK);
    assert_int_equal(do_read(top, 2, 0, 5, 1, &right), HFTL_OK);
    assert_int_equal(do_read(top, 2, 0, 6, 1, &right), HFTL_IO);
    assert_int_equal(do_read(top, 3, 6, 2, 1, &right), HFTL_IO);
    assert_int_equal(do_read(top, 3, 7, 2, 1, &right), HFTL_OK);
    assert_true(right);
    assert_int_equal(do_simple(top, HFTL_MEDIA_RESET, 3), HFTL_IO);
    assert_int_equal(do_report(top, 3).state, HFTL_CHUNK_OPEN); /* nothing was done */
    assert_int_equal(do_simple(top, HFTL_MEDIA_RESET, 2), HFTL_OK);
    assert_int_equal(do_simple(top, HFTL_MEDIA_FINISH, 1), HFTL_IO);
    assert_int_equal(do_report(top, 1).state, HFTL_CHUNK_OPEN);
    close_all();
}

static void writes_part_of_what_it_fails(void **state)
{
    (void)state;
    const struct fault_rule rules[] = {
        {.verbs = FAULT_VERB(HFTL_MEDIA_WRITE),
         .nth = 2,
         .status = HFTL_IO,
         .keep = 6}, /* 4: a multiple of ws_min */
        {.verbs = FAULT_VERB(HFTL_MEDIA_WRITE), .nth = 3, .status = HFTL_WRITE_SKIPPED}};
    open_mem(HFTL_KIND_OCSSD, 0);
    open_faulty(rules, 2);
    bool right;
    assert_int_equal(do_write(top, 0, 0, 8, 1), HFTL_OK);
    assert_int_equal(do_write(top, 0, 8, 8, 1), HFTL_IO);
    assert_int_equal(do_report(top, 0).wp, 12);
    assert_int_equal(do_write(top, 0, 12, 4, 1), HFTL_WRITE_SKIPPED);
    assert_int_equal(do_report(top, 0).wp, 16);
    for (uint32_t at = 16; at < 64; at += 8)
        assert_int_equal(do_write(top, 0, at, 8, 1), HFTL_OK);
    assert_int_equal(do_read(top, 0, 0, 12, 1, &right), HFTL_OK);
    assert_true(right);
    close_all();
}

static void closes_a_chunk_early(void **state)
{
    (void)state;
    const struct fault_rule rule = {
        .verbs = FAULT_VERB(HFTL_MEDIA_WRITE), .nth = 2, .status = HFTL_CLOSED_EARLY};
    open_mem(HFTL_KIND_ZONED, 0);
    open_faulty(&rule, 1);
    assert_int_equal(do_write(top, 0, 0, 8, 1), HFTL_OK);
    assert_int_equal(do_write(top, 0, 8, 8, 1), HFTL_CLOSED_EARLY);
    assert_int_equal(do_report(top, 0).state, HFTL_CHUNK_FULL);
    assert_int_equal(do_report(top, 0).wp, 8);
    close_all();
    open_mem(HFTL_KIND_OCSSD, 0); /* has no finish */
    struct fault_options options = {.size = sizeof options, .rules = &rule, .rule_count = 1};
    assert_int_equal(fault_open(inner, &options, &wrapper), HFTL_INVALID);
    inner->ops->close(inner);
}

static void never_accuses_the_caller(void **state)
{
    (void)state;
    open_mem(HFTL_KIND_ZONED, 0);
    for (int status = 0; status < HFTL_STATUS_COUNT; status++) {
        struct fault_rule rule = {.verbs = FAULT_VERB(HFTL_MEDIA_READ),
                                  .status = (enum hftl_status)status};
        bool world = status == HFTL_IO || status == HFTL_SPACE || status == HFTL_MEMORY;
        assert_int_equal(fault_rule_nonsense(&rule, &inner->facts) == NULL, world);
    }
    inner->ops->close(inner);
}

static void fails_by_chance_and_the_same_way_each_time(void **state)
{
    (void)state;
    const struct fault_rule rule = {
        .verbs = FAULT_VERB(HFTL_MEDIA_READ), .per_million = 200000, .status = HFTL_IO};
    uint8_t first[200], again;
    bool right;
    uint32_t failed = 0;
    for (int round = 0; round < 2; round++) {
        open_mem(HFTL_KIND_ZONED, 0);
        open_faulty(&rule, 1);
        assert_int_equal(do_write(top, 0, 0, 4, 1), HFTL_OK);
        for (size_t i = 0; i < sizeof first; i++) {
            again = do_read(top, 0, 0, 1, 1, &right) != HFTL_OK;
            if (round == 1)
                assert_int_equal(first[i], again);
            first[i] = again;
            failed += again;
        }
        close_all();
    }
    assert_in_range(failed / 2, 20, 60);
}

static uint32_t count_bits(const uint8_t *a, const uint8_t *b, size_t count)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < count; i++)
        bits += (uint32_t)__builtin_popcount(a[i] ^ b[i]);
    return bits;
}

static void turns_one_bit_and_keeps_the_medium_right(void **state)
{
    (void)state;
    const struct fault_rule rule = {.deed = FAULT_FLIP, .nth = 2};
    static uint8_t want[8 * 4096], got[8 * 4096];
    bool right;
    open_mem(HFTL_KIND_ZONED, 0);
    open_faulty(&rule, 1);
    assert_int_equal(do_write(top, 0, 0, 8, 1), HFTL_OK); /* not a read: does not count */
    assert_int_equal(do_read(top, 0, 0, 8, 1, &right), HFTL_OK);
    assert_true(right);
    fill_blocks(&top->facts, 0, 0, 8, 1, want, NULL);
    struct hftl_media_op op = {.verb = HFTL_MEDIA_READ, .blocks = 8, .data = got};
    assert_int_equal(do_op(top, &op), HFTL_OK);
    assert_int_equal(count_bits(want, got, sizeof want), 1);
    assert_int_equal(do_read(top, 0, 0, 8, 1, &right), HFTL_OK);
    assert_true(right);
    close_all();
}

static void retires_for_good(void **state)
{
    (void)state;
    const struct fault_rule rules[] = {
        {.deed = FAULT_RETIRE,
         .verbs = FAULT_VERB(HFTL_MEDIA_WRITE),
         .nth = 3,
         .state = HFTL_CHUNK_READ_ONLY},
        {.deed = FAULT_RETIRE,
         .verbs = FAULT_VERB(HFTL_MEDIA_FLUSH),
         .chunk_first = 4,
         .chunk_count = 2,
         .state = HFTL_CHUNK_OFFLINE},
    };
    bool right;
    open_mem(HFTL_KIND_ZONED, 0);
    open_faulty(rules, 1);
    assert_int_equal(do_write(top, 0, 0, 8, 1), HFTL_OK);
    assert_int_equal(do_write(top, 1, 0, 8, 1), HFTL_OK);
    assert_int_equal(do_write(top, 0, 8, 8, 1), HFTL_READ_ONLY);
    assert_int_equal(do_report(top, 0).state, HFTL_CHUNK_READ_ONLY);
    assert_int_equal(do_report(top, 0).wp, 8);
    assert_int_equal(do_read(top, 0, 0, 8, 1, &right), HFTL_OK);
    assert_true(right);
    assert_int_equal(do_simple(top, HFTL_MEDIA_RESET, 0), HFTL_READ_ONLY);
    fault_retire(wrapper, 0, HFTL_CHUNK_OFFLINE);
    assert_int_equal(do_read(top, 0, 0, 8, 1, &right), HFTL_OFFLINE);
    fault_retire(wrapper, 0, HFTL_CHUNK_READ_ONLY); /* never back */
    assert_int_equal(do_report(top, 0).state, HFTL_CHUNK_OFFLINE);
    close_all();
    open_mem(HFTL_KIND_ZONED, 0);
    const struct fault_rule *ranged = &rules[1]; /* the op has no chunk, the rule has */
    open_faulty(ranged, 1);
    assert_int_equal(do_simple(top, HFTL_MEDIA_FLUSH, 0), HFTL_OK);
    for (uint32_t i = 3; i < 7; i++)
        assert_int_equal(do_report(top, i).state,
                         i == 4 || i == 5 ? HFTL_CHUNK_OFFLINE : HFTL_CHUNK_FREE);
    close_all();
}

static unsigned landed;

static void count_landing(struct hftl_media_op *op)
{
    op->owner = NULL;
    landed++;
}

static void submit(struct hftl_media_op *op)
{
    op->land = count_landing;
    top->ops->submit(top, &op, 1);
}

static void reap_some(void)
{
    for (int i = 0; i < 3; i++)
        (void)top->ops->reap(top, 16);
}

/* 14 may be open: chunks that retire partly written must not keep their slots. */
static void gives_back_the_slot_of_a_retired_chunk(void **state)
{
    (void)state;
    open_mem(HFTL_KIND_ZONED, 0);
    open_faulty(NULL, 0);
    for (uint32_t i = 0; i < 40; i++) {
        assert_int_equal(do_write(top, i, 0, 4, 1), HFTL_OK);
        fault_retire(wrapper, i, i % 2 ? HFTL_CHUNK_READ_ONLY : HFTL_CHUNK_OFFLINE);
        struct hftl_media_op flush = {.verb = HFTL_MEDIA_FLUSH};
        submit(&flush);
        assert_int_equal(top->ops->reap(top, 1), 1); /* what the wrapper asks itself is no answer */
        assert_int_not_equal(do_report(top, i).state, HFTL_CHUNK_OPEN);
    }
    close_all();
}

static void holds_an_operation_and_the_writes_behind_it(void **state)
{
    (void)state;
    static uint8_t data[3][4 * 4096];
    const struct fault_rule rule = {
        .deed = FAULT_HOLD, .verbs = FAULT_VERB(HFTL_MEDIA_WRITE), .nth = 1};
    struct hftl_media_op ops[3], other = {.verb = HFTL_MEDIA_FLUSH};
    bool right;
    landed = 0;
    open_mem(HFTL_KIND_ZONED, HFTL_MEDIA_CAN_QUEUE);
    open_faulty(&rule, 1);
    for (uint32_t i = 0; i < 3; i++) {
        fill_blocks(&top->facts, 0, 4 * i, 4, 1, data[i], NULL);
        ops[i] = (struct hftl_media_op){
            .verb = HFTL_MEDIA_WRITE, .offset = 4 * i, .blocks = 4, .data = data[i]};
        submit(&ops[i]);
    }
    submit(&other);
    reap_some();
    assert_int_equal(landed, 1); /* the flush: it says nothing of writes in flight */
    assert_int_equal(fault_release(wrapper), 3);
    reap_some();
    assert_int_equal(landed, 4);
    assert_int_equal(do_read(top, 0, 0, 12, 1, &right), HFTL_OK);
    assert_true(right);
    close_all();
}

static void lets_go_after_some_more(void **state)
{
    (void)state;
    const struct fault_rule rule = {
        .deed = FAULT_HOLD, .verbs = FAULT_VERB(HFTL_MEDIA_FLUSH), .nth = 1, .until = 3};
    struct hftl_media_op flush = {.verb = HFTL_MEDIA_FLUSH};
    landed = 0;
    open_mem(HFTL_KIND_ZONED, 0);
    open_faulty(&rule, 1);
    submit(&flush);
    assert_int_equal(do_write(top, 0, 0, 4, 1), HFTL_OK);
    assert_int_equal(do_write(top, 0, 4, 4, 1), HFTL_OK);
    assert_int_equal(landed, 0);
    assert_int_equal(do_write(top, 0, 8, 4, 1), HFTL_OK);
    reap_some();
    assert_int_equal(landed, 1);
    close_all();
}

/* Queued behind a failed write, none lands as if it had been alone, and none is accused. */
static void fails_those_behind_a_failed_write(void **state)
{
    (void)state;
    static uint8_t data[4 * 4096];
    const struct fault_rule rule = {
        .verbs = FAULT_VERB(HFTL_MEDIA_WRITE), .nth = 2, .status = HFTL_IO};
    struct hftl_media_op ops[4], *list[4];
    open_mem(HFTL_KIND_ZONED, HFTL_MEDIA_CAN_QUEUE);
    open_faulty(&rule, 1);
    landed = 0;
    for (uint32_t i = 0; i < 4; i++) {
        ops[i] = (struct hftl_media_op){.verb = HFTL_MEDIA_WRITE,
                                        .offset = 4 * i,
                                        .blocks = 4,
                                        .data = data,
                                        .land = count_landing};
        list[i] = &ops[i];
    }
    top->ops->submit(top, list, 4);
    reap_some();
    assert_int_equal(landed, 4);
    assert_int_equal(ops[0].status, HFTL_OK);
    for (int i = 1; i < 4; i++)
        assert_int_equal(ops[i].status, HFTL_IO);
    assert_int_equal(do_report(top, 0).wp, 4);
    assert_int_equal(do_write(top, 0, 4, 4, 1), HFTL_OK);
    close_all();
}

/* ---- delay --------------------------------------------------------------------------------- */

static uint64_t now_ns;

static uint64_t read_now(void *arg)
{
    (void)arg;
    return now_ns;
}

static void advance_now(void *arg, uint64_t to_ns)
{
    (void)arg;
    assert_true(to_ns > now_ns);
    now_ns = to_ns;
}

static const struct media_clock virtual_clock = {read_now, advance_now, NULL};

static void open_slow(uint32_t units)
{
    struct delay_options options = {.size = sizeof options,
                                    .units = units,
                                    .read_ns = 100,
                                    .program_ns = 1000,
                                    .erase_ns = 10000,
                                    .flush_ns = 7,
                                    .transfer_ns = 10,
                                    .clock = &virtual_clock};
    now_ns = 5;
    assert_int_equal(delay_open(inner, &options, &wrapper), HFTL_OK);
    put_guard();
    now_ns = 0;
}

static uint64_t landed_at[8];

static void note_time(struct hftl_media_op *op)
{
    landed_at[(uintptr_t)op->owner] = now_ns;
    landed++;
}

/* Submits them together at time 0 of the model and waits for all. */
static void run_together(struct hftl_media_op *ops, unsigned count)
{
    static uint8_t bytes[8][32 * 4096];
    landed = 0;
    for (unsigned i = 0; i < count; i++) {
        struct hftl_media_op *op = &ops[i];
        op->data = bytes[i];
        op->land = note_time;
        op->owner = (void *)(uintptr_t)i;
        top->ops->submit(top, &op, 1);
    }
    while (landed < count)
        (void)wait_reap(top, 1);
}

/* mem_facts: one group, so one channel, and two PUs of 32 chunks; ws_opt 8. */
static void keeps_units_and_channels_busy(void **state)
{
    (void)state;
    struct hftl_media_op writes[] = {
        {.verb = HFTL_MEDIA_WRITE, .chunk = 0, .blocks = 8},
        {.verb = HFTL_MEDIA_WRITE, .chunk = 1, .blocks = 16}, /* the same PU: after the first */
        {.verb = HFTL_MEDIA_WRITE, .chunk = 32, .blocks = 8}, /* the other: the channel only */
        {.verb = HFTL_MEDIA_FLUSH},
    };
    open_mem(HFTL_KIND_OCSSD, 0);
    open_slow(0);
    run_together(writes, 4);
    assert_int_equal(landed_at[0], 80 + 1000);
    assert_int_equal(landed_at[1], 80 + 1000 + 2000);
    assert_int_equal(landed_at[2], 80 + 160 + 80 + 1000);
    assert_int_equal(landed_at[3], 80 + 1000 + 2000 + 7);
    close_all();
}

/* As many as a read takes transfers; and what is inside may say more, but not less. */
static void says_what_is_better_read_in_vain(void **state)
{
    (void)state;
    static const struct {
        uint64_t read_ns, transfer_ns;
        uint32_t inside, gap;
    } cases[] = {{60000, 4000, 0, 15}, {60000, 4000, 20, 20}, {60000, 0, 0, 63},
                 {0, 0, 0, 0},         {0, 4000, 2, 2},       {60000, 100, 0, 63}};
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mem_options options = {.size = sizeof options, .facts = mem_facts(HFTL_KIND_OCSSD)};
        struct delay_options times = delay_plain();
        struct hftl_media *slow;
        char why[WHY_BYTES] = "";
        options.facts.chunk_blocks = 64;
        options.facts.read_gap_blocks = cases[i].inside;
        times.read_ns = cases[i].read_ns;
        times.transfer_ns = cases[i].transfer_ns;
        times.clock = &virtual_clock;
        assert_int_equal(mem_open(&options, &inner, why, sizeof why), HFTL_OK);
        assert_int_equal(delay_open(inner, &times, &slow), HFTL_OK);
        assert_int_equal(slow->facts.read_gap_blocks, cases[i].gap);
        slow->ops->close(slow);
    }
}

static void reads_wait_for_the_program_in_their_unit(void **state)
{
    (void)state;
    open_mem(HFTL_KIND_ZONED, 0);
    open_slow(4); /* chunk % 4, each with a channel */
    assert_int_equal(do_write(top, 0, 0, 4, 1), HFTL_OK);
    assert_int_equal(do_write(top, 1, 0, 4, 1), HFTL_OK);
    now_ns = 100000;
    struct hftl_media_op ops[] = {
        {.verb = HFTL_MEDIA_WRITE, .chunk = 4, .blocks = 4},
        {.verb = HFTL_MEDIA_READ, .chunk = 0, .blocks = 2},
        {.verb = HFTL_MEDIA_READ, .chunk = 1, .blocks = 2},
        {.verb = HFTL_MEDIA_RESET, .chunk = 1},
    };
    run_together(ops, 3);
    assert_int_equal(landed_at[0] - 100000, 40 + 1000);
    assert_int_equal(landed_at[1] - 100000, 40 + 1000 + 100 + 20);
    assert_int_equal(landed_at[2] - 100000, 100 + 20);
    now_ns = 200000;
    run_together(&ops[3], 1);
    assert_int_equal(landed_at[0] - 200000, 10000);
    close_all();
}

/* A read has the channel when its unit is done with it: until then others have it. */
static void a_read_that_waits_for_its_unit_keeps_no_channel(void **state)
{
    (void)state;
    open_mem(HFTL_KIND_OCSSD, 0);
    open_slow(0);
    for (uint32_t chunk = 0; chunk <= 32; chunk += 32)
        for (uint32_t at = 0; at < 24; at += 8)
            assert_int_equal(do_write(top, chunk, at, 8, 1), HFTL_OK);
    now_ns = 100000;
    struct hftl_media_op ops[] = {
        {.verb = HFTL_MEDIA_WRITE, .chunk = 1, .blocks = 8},
        {.verb = HFTL_MEDIA_READ, .chunk = 0, .blocks = 2},  /* behind it */
        {.verb = HFTL_MEDIA_READ, .chunk = 32, .blocks = 2}, /* in the other unit: at once */
        {.verb = HFTL_MEDIA_READ, .chunk = 32, .blocks = 3},
    };
    run_together(ops, 4);
    assert_int_equal(landed_at[0] - 100000, 80 + 1000);
    assert_int_equal(landed_at[1] - 100000, 80 + 1000 + 100 + 20);
    assert_int_equal(landed_at[2] - 100000, 100 + 20);
    assert_int_equal(landed_at[3] - 100000, 200 + 30);
    close_all();
}

/* Nothing lands while he has not moved the clock, and all that is due by then when he has. */
static void waits_for_an_owner_who_moves_the_clock(void **state)
{
    (void)state;
    static uint8_t bytes[2][8 * 4096];
    static const struct media_clock owned = {.now_ns = read_now};
    struct delay_options options = {
        .size = sizeof options, .read_ns = 100, .program_ns = 1000, .clock = &owned};
    struct hftl_media_op writes[] = {
        {.verb = HFTL_MEDIA_WRITE, .chunk = 0, .blocks = 8, .data = bytes[0]},
        {.verb = HFTL_MEDIA_WRITE, .chunk = 1, .blocks = 8, .data = bytes[1]},
    };
    landed = 0;
    now_ns = 50;
    open_mem(HFTL_KIND_OCSSD, 0);
    assert_int_equal(delay_open(inner, &options, &wrapper), HFTL_OK);
    put_guard();
    assert_true(delay_due(wrapper) == UINT64_MAX);
    submit(&writes[0]);
    submit(&writes[1]);
    reap_some();
    assert_int_equal(landed, 0);
    assert_int_equal(delay_due(wrapper), 50 + 1000);
    now_ns = 50 + 999;
    reap_some();
    assert_int_equal(landed, 0);
    now_ns = delay_due(wrapper);
    reap_some();
    assert_int_equal(landed, 1);
    assert_int_equal(delay_due(wrapper), 50 + 2000);
    now_ns = delay_due(wrapper);
    reap_some();
    assert_int_equal(landed, 2);
    assert_true(delay_due(wrapper) == UINT64_MAX);
    close_all();
}

/* ---- trace --------------------------------------------------------------------------------- */

static struct trace_record records[8];
static unsigned record_count;

static void keep_record(void *arg, const struct trace_record *record)
{
    (void)arg;
    records[record_count++ % 8] = *record;
}

static void traces_what_when_and_how_it_ended(void **state)
{
    (void)state;
    char path[PATH_BYTES];
    uint8_t bytes[8 + 8 * TRACE_RECORD_BYTES];
    struct trace_record record;
    make_path(path, "trace.bin");
    open_mem(HFTL_KIND_ZONED, 0);
    struct delay_options slow = delay_plain();
    slow.clock = &virtual_clock;
    now_ns = 1000;
    assert_int_equal(delay_open(inner, &slow, &wrapper), HFTL_OK);
    struct trace_options options = {.size = sizeof options,
                                    .path = path,
                                    .binary = true,
                                    .record = keep_record,
                                    .clock = &virtual_clock};
    inner = wrapper;
    assert_int_equal(trace_open(inner, &options, &wrapper), HFTL_OK);
    put_guard();
    record_count = 0;
    now_ns = 4000;
    assert_int_equal(do_write(top, 3, 0, 4, 1), HFTL_OK);
    assert_int_equal(record_count, 1);
    assert_int_equal(records[0].time_ns, 3000);
    assert_int_equal(records[0].latency_ns, 4 * slow.transfer_ns + slow.program_ns);
    assert_int_equal(trace_lost(wrapper), 0);
    close_all();
    FILE *file = fopen(path, "rb");
    size_t got = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    assert_memory_equal(bytes, TRACE_MAGIC, 8);
    assert_int_equal(got, 8 + 2 * TRACE_RECORD_BYTES); /* the guard's report came first */
    trace_decode(bytes + 8 + TRACE_RECORD_BYTES, &record);
    assert_int_equal(record.verb, HFTL_MEDIA_WRITE);
    assert_int_equal(record.chunk, 3);
    assert_int_equal(record.blocks, 4);
    assert_int_equal(record.status, HFTL_OK);
    assert_int_equal(record.time_ns, 3000);
    assert_int_equal(record.latency_ns, records[0].latency_ns);
}

static void counts_what_it_cannot_write(void **state)
{
    (void)state;
    struct trace_options options = {.size = sizeof options, .path = "/dev/full"};
    open_mem(HFTL_KIND_ZONED, 0);
    assert_int_equal(trace_open(inner, &options, &wrapper), HFTL_OK);
    put_guard();
    assert_int_equal(do_write(top, 0, 0, 4, 1), HFTL_OK);
    assert_int_equal(top->ops->reap(top, 1), 0); /* idle: written out */
    assert_true(trace_lost(wrapper) > 0);
    close_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fails_the_nth_and_only_that),
        cmocka_unit_test(fails_each_verb_where_it_is_told),
        cmocka_unit_test(writes_part_of_what_it_fails),
        cmocka_unit_test(closes_a_chunk_early),
        cmocka_unit_test(never_accuses_the_caller),
        cmocka_unit_test(fails_by_chance_and_the_same_way_each_time),
        cmocka_unit_test(turns_one_bit_and_keeps_the_medium_right),
        cmocka_unit_test(retires_for_good),
        cmocka_unit_test(gives_back_the_slot_of_a_retired_chunk),
        cmocka_unit_test(holds_an_operation_and_the_writes_behind_it),
        cmocka_unit_test(lets_go_after_some_more),
        cmocka_unit_test(fails_those_behind_a_failed_write),
        cmocka_unit_test(keeps_units_and_channels_busy),
        cmocka_unit_test(says_what_is_better_read_in_vain),
        cmocka_unit_test(reads_wait_for_the_program_in_their_unit),
        cmocka_unit_test(a_read_that_waits_for_its_unit_keeps_no_channel),
        cmocka_unit_test(waits_for_an_owner_who_moves_the_clock),
        cmocka_unit_test(traces_what_when_and_how_it_ended),
        cmocka_unit_test(counts_what_it_cannot_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
