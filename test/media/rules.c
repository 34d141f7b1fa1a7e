/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rules.c - the rules as functions: every state against every verb, and facts that make no sense.
 */
#include "media/rules.h"

#include "media/ledger.h"
#include "media/mem.h"
#include "test/unit.h"

enum { CAPACITY = 64 };

struct row {
    enum hftl_chunk_state state;
    uint32_t wp;
    enum hftl_status read0, write, reset, finish; /* read0: of block 0; write: at wp */
};

static enum hftl_status judge(const struct hftl_media_facts *facts, const struct hftl_chunk *chunk,
                              enum hftl_media_verb verb, uint32_t offset)
{
    static uint8_t bytes[4096 * 4];
    struct hftl_media_op op = {.verb = verb, .offset = offset, .blocks = 4, .data = bytes};
    struct rules_place place = {.chunk = chunk};
    if (verb == HFTL_MEDIA_READ)
        op.blocks = 1;
    return rules_judge(facts, &place, &op);
}

static void check_rows(const struct hftl_media_facts *facts, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct row *r = &rows[i];
        struct hftl_chunk chunk = {.state = r->state, .wp = r->wp, .capacity = CAPACITY};
        assert_true(rules_chunk_sane(facts, &chunk));
        assert_int_equal(judge(facts, &chunk, HFTL_MEDIA_READ, 0), r->read0);
        assert_int_equal(judge(facts, &chunk, HFTL_MEDIA_WRITE, r->wp), r->write);
        assert_int_equal(judge(facts, &chunk, HFTL_MEDIA_RESET, 0), r->reset);
        assert_int_equal(judge(facts, &chunk, HFTL_MEDIA_FINISH, 0), r->finish);
    }
}

#define OK HFTL_OK
#define STATE HFTL_RULE_STATE
#define NOT_YET HFTL_RULE_READ
#define RO HFTL_READ_ONLY
#define OFF HFTL_OFFLINE

static void judges_each_state_of_an_open_channel_drive(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {HFTL_CHUNK_FREE, 0, NOT_YET, OK, STATE, STATE},
        {HFTL_CHUNK_OPEN, 16, NOT_YET, OK, STATE, OK}, /* mw_cunits is 16 */
        {HFTL_CHUNK_OPEN, 20, OK, OK, STATE, OK},
        {HFTL_CHUNK_FULL, CAPACITY, OK, STATE, OK, STATE},
        {HFTL_CHUNK_FULL, 8, OK, STATE, OK, STATE}, /* closed early */
        {HFTL_CHUNK_FULL, 0, NOT_YET, STATE, OK, STATE},
        {HFTL_CHUNK_READ_ONLY, 8, OK, RO, RO, RO},
        {HFTL_CHUNK_OFFLINE, 8, OFF, OFF, OFF, OFF},
    };
    struct hftl_media_facts facts = mem_facts(HFTL_KIND_OCSSD);
    check_rows(&facts, rows, sizeof rows / sizeof rows[0]);
}

static void judges_each_state_of_a_zoned_drive(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {HFTL_CHUNK_FREE, 0, NOT_YET, OK, STATE, OK},
        {HFTL_CHUNK_OPEN, 4, OK, OK, OK, OK},
        {HFTL_CHUNK_PAUSED, 4, OK, OK, OK, OK},
        {HFTL_CHUNK_FULL, CAPACITY, OK, STATE, OK, STATE},
        {HFTL_CHUNK_READ_ONLY, 8, OK, RO, RO, RO},
        {HFTL_CHUNK_OFFLINE, 0, OFF, OFF, OFF, OFF},
    };
    struct hftl_media_facts facts = mem_facts(HFTL_KIND_ZONED);
    facts.chunk_blocks = CAPACITY;
    check_rows(&facts, rows, sizeof rows / sizeof rows[0]);
}

static void keeps_ops_apart_that_exclude_each_other(void **state)
{
    (void)state;
    struct hftl_media_facts facts = mem_facts(HFTL_KIND_ZONED);
    uint8_t bytes[1];
    struct hftl_chunk open = {HFTL_CHUNK_OPEN, 4, 56, 0};
    static const struct {
        uint32_t reads, writes;
        bool reset, finish, queue;
        enum hftl_media_verb verb;
        bool clash;
    } rows[] = {
        {1, 0, false, false, false, HFTL_MEDIA_WRITE, false},
        {0, 1, false, false, false, HFTL_MEDIA_WRITE, true},
        {0, 1, false, false, true, HFTL_MEDIA_WRITE, false},
        {0, 0, true, false, true, HFTL_MEDIA_WRITE, true},
        {0, 0, false, true, true, HFTL_MEDIA_WRITE, true},
        {0, 1, false, false, false, HFTL_MEDIA_READ, false},
        {0, 0, false, true, false, HFTL_MEDIA_READ, false},
        {0, 0, true, false, false, HFTL_MEDIA_READ, true},
        {1, 0, false, false, false, HFTL_MEDIA_RESET, true},
        {0, 1, false, false, true, HFTL_MEDIA_RESET, true},
        {0, 0, true, false, false, HFTL_MEDIA_RESET, true},
        {0, 0, false, true, false, HFTL_MEDIA_RESET, true},
        {1, 0, false, false, false, HFTL_MEDIA_FINISH, false},
        {0, 1, false, false, true, HFTL_MEDIA_FINISH, true},
        {0, 0, false, true, false, HFTL_MEDIA_FINISH, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        facts.flags &= ~(uint32_t)HFTL_MEDIA_CAN_QUEUE;
        facts.flags |= rows[i].queue ? (uint32_t)HFTL_MEDIA_CAN_QUEUE : 0;
        struct rules_place place = {.chunk = &open,
                                    .reads = rows[i].reads,
                                    .writes = rows[i].writes,
                                    .reset = rows[i].reset,
                                    .finish = rows[i].finish};
        struct hftl_media_op op = {.verb = rows[i].verb, .blocks = 1, .data = bytes};
        op.offset = op.verb == HFTL_MEDIA_WRITE ? 4 : 0;
        assert_int_equal(rules_judge(&facts, &place, &op),
                         rows[i].clash ? HFTL_RULE_FLIGHT : HFTL_OK);
    }
}

static void a_queued_write_fails_with_the_one_before_it(void **state)
{
    (void)state;
    struct hftl_media_facts facts = mem_facts(HFTL_KIND_ZONED);
    facts.flags |= HFTL_MEDIA_CAN_QUEUE;
    struct ledger ledger;
    uint8_t byte;
    assert_int_equal(ledger_create(&ledger, &facts), HFTL_OK);
    struct hftl_media_op first = {.verb = HFTL_MEDIA_WRITE, .blocks = 1, .data = &byte};
    struct hftl_media_op second = first;
    second.offset = 1;
    assert_int_equal(ledger_judge(&ledger, &first), HFTL_OK);
    ledger_depart(&ledger, &first);
    ledger_fail_write(&ledger, 0);
    assert_int_equal(ledger_judge(&ledger, &second), HFTL_IO); /* and not RULE_ORDER */
    ledger_arrive(&ledger, &first);
    assert_int_equal(ledger_judge(&ledger, &first), HFTL_OK);
    ledger_destroy(&ledger);
}

static void sanity_of_a_chunk_is_what_the_header_says(void **state)
{
    (void)state;
    struct hftl_media_facts facts = mem_facts(HFTL_KIND_OCSSD); /* 64 blocks, ws_min 4 */
    static const struct hftl_chunk insane[] = {
        {HFTL_CHUNK_FREE, 4, 64, 0},        {HFTL_CHUNK_OPEN, 0, 64, 0},
        {HFTL_CHUNK_OPEN, 64, 64, 0},       {HFTL_CHUNK_FULL, 68, 64, 0},
        {HFTL_CHUNK_FULL, 4, 68, 0},        {HFTL_CHUNK_OPEN, 6, 64, 0},
        {HFTL_CHUNK_FULL, 60, 62, 0},       {HFTL_CHUNK_PAUSED, 0, 64, 0},
        {HFTL_CHUNK_STATE_COUNT, 0, 64, 0},
    };
    for (size_t i = 0; i < sizeof insane / sizeof insane[0]; i++)
        assert_false(rules_chunk_sane(&facts, &insane[i]));
}

/* ---- facts ------------------------------------------------------------------------------- */

static void finds_nonsense_in_facts(void **state)
{
    (void)state;
    const struct hftl_media_facts good = mem_facts(HFTL_KIND_OCSSD);
    assert_null(hftl_media_facts_nonsense(&good));
    struct hftl_media_facts f;
#define NONSENSE(change)                                                                           \
    f = good;                                                                                      \
    change;                                                                                        \
    assert_non_null(hftl_media_facts_nonsense(&f))
    NONSENSE(f.size = 4);
    NONSENSE(f.kind = 9);
    NONSENSE(f.flags = 1u << 30);
    NONSENSE(f.block_bytes = 0);
    NONSENSE(f.block_bytes = 1000);
    NONSENSE(f.block_bytes = 8192);
    NONSENSE(f.oob_bytes = 8);
    NONSENSE(f.oob_bytes = 1u << 20);
    NONSENSE(f.groups = 0);
    NONSENSE(f.pus_per_group = 0);
    NONSENSE(f.chunks_per_pu = 0);
    NONSENSE(f.groups = UINT32_MAX; f.pus_per_group = UINT32_MAX);
    NONSENSE(f.groups = 1u << 16; f.pus_per_group = 1u << 16); /* 2^32 wraps to 0 */
    NONSENSE(f.chunks_per_pu = 1u << 31);
    NONSENSE(f.chunk_blocks = 0);
    NONSENSE(f.chunk_blocks = UINT32_MAX);
    NONSENSE(f.chunks_per_pu = 1u << 20; f.chunk_blocks = 1u << 28);
    NONSENSE(f.chunk_blocks = 66);
    NONSENSE(f.ws_min = 0);
    NONSENSE(f.ws_opt = 0);
    NONSENSE(f.ws_opt = 6);
    NONSENSE(f.ws_opt = 64);
    NONSENSE(f.mw_cunits = 64);
    NONSENSE(f.mw_cunits = UINT32_MAX);
    NONSENSE(f.atomic_blocks = 65);
    NONSENSE(f.transfer_blocks_max = 4);
    NONSENSE(f.open_max = 4; f.active_max = 3);
    NONSENSE(f.read_gap_blocks = 64);
    NONSENSE(f.kind = HFTL_KIND_ZONED);
#undef NONSENSE
    f = good;
    f.ws_min = f.ws_opt = 24;
    f.chunk_blocks = 1478 * 24;
    f.chunks_per_pu = 1478;
    f.groups = 3;
    assert_null(hftl_media_facts_nonsense(&f));
}

/* Each field to each of a few extremes: an answer, whatever it is, and no trap. */
static void survives_any_extreme(void **state)
{
    (void)state;
    static const uint32_t extremes[] = {0, 1, 3, 1u << 31, UINT32_MAX - 1, UINT32_MAX};
    struct hftl_media_facts f = mem_facts(HFTL_KIND_ZONED);
    uint32_t *const fields[] = {&f.block_bytes,    &f.oob_bytes,     &f.groups,
                                &f.pus_per_group,  &f.chunks_per_pu, &f.chunk_blocks,
                                &f.ws_min,         &f.ws_opt,        &f.mw_cunits,
                                &f.open_max,       &f.active_max,    &f.transfer_blocks_max,
                                &f.read_gap_blocks};
    enum { FIELDS = sizeof fields / sizeof fields[0], EXTREMES = 6 };
    for (size_t a = 0; a < FIELDS; a++) {
        for (size_t b = 0; b < FIELDS; b++) {
            for (size_t n = 0; n < EXTREMES * EXTREMES; n++) {
                f = mem_facts(n % 2 ? HFTL_KIND_ZONED : HFTL_KIND_OCSSD);
                *fields[a] = extremes[n / EXTREMES];
                *fields[b] = extremes[n % EXTREMES];
                const char *nonsense = hftl_media_facts_nonsense(&f);
                assert_true(nonsense || hftl_media_chunks(&f) > 0);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_each_state_of_an_open_channel_drive),
        cmocka_unit_test(judges_each_state_of_a_zoned_drive),
        cmocka_unit_test(keeps_ops_apart_that_exclude_each_other),
        cmocka_unit_test(a_queued_write_fails_with_the_one_before_it),
        cmocka_unit_test(sanity_of_a_chunk_is_what_the_header_says),
        cmocka_unit_test(finds_nonsense_in_facts),
        cmocka_unit_test(survives_any_extreme),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
