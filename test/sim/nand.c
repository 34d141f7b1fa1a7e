/* SPDX-License-Identifier: BSD-3-Clause */
#include "sim/nand.h"

#include "sim/shapes.h"
#include "test/unit.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK 512u

static uint8_t bytes[64 * BLOCK], spare[64 * 32];

static void note(struct hftl_media_op *op)
{
    ++*(int *)op->owner;
}

/* An operation under way, and how often it landed. */
struct
try {
    struct hftl_media_op op;
    int landed;
};

static void submit(struct nand *nand, struct try *t)
{
    struct hftl_media_op *op = &t->op;
    op->land = note;
    op->owner = &t->landed;
    t->landed = 0;
    nand_media(nand)->ops->submit(nand_media(nand), &op, 1);
}

static void finish(struct nand *nand)
{
    for (int i = 0; i < 100; i++)
        (void)nand_media(nand)->ops->reap(nand_media(nand), 64);
}

static void write_once(struct nand *nand, uint32_t chunk, uint32_t offset, uint32_t blocks,
                       uint8_t value)
{
    struct try t = {.op = {.verb = HFTL_MEDIA_WRITE, .chunk = chunk, .offset = offset}};
    t.op.blocks = blocks;
    t.op.data = bytes;
    t.op.oob = spare;
    memset(bytes, value, sizeof bytes);
    memset(spare, value, sizeof spare);
    submit(nand, &t);
    finish(nand);
    assert_int_equal(t.landed, 1);
    assert_int_equal(t.op.status, HFTL_OK);
}

static void write_blocks(struct nand *nand, uint32_t chunk, uint32_t offset, uint32_t blocks,
                         uint8_t value)
{
    uint32_t max = nand_media(nand)->facts.transfer_blocks_max;
    for (; blocks > max; offset += max, blocks -= max)
        write_once(nand, chunk, offset, max, value);
    write_once(nand, chunk, offset, blocks, value);
}

static uint8_t read_block(struct nand *nand, uint32_t chunk, uint32_t offset)
{
    static uint8_t got[BLOCK], oob[32];
    struct try t = {.op = {.verb = HFTL_MEDIA_READ, .chunk = chunk, .offset = offset}};
    t.op.blocks = 1;
    t.op.data = got;
    t.op.oob = oob;
    submit(nand, &t);
    finish(nand);
    assert_int_equal(t.landed, 1);
    return got[BLOCK - 1];
}

static void act_on(struct nand *nand, enum hftl_media_verb verb, uint32_t chunk)
{
    struct try t = {.op = {.verb = verb, .chunk = chunk}};
    submit(nand, &t);
    finish(nand);
    assert_int_equal(t.landed, 1);
}

static struct nand *make(const char *shape)
{
    return shape_make(shape_find(shape), 7);
}

/* ---- landing --------------------------------------------------------------------------------- */

static void lands_each_operation_once_and_not_inside_submit(void **state)
{
    (void)state;
    struct nand *nand = make("oc");
    struct try tries[8] = {0};
    for (uint32_t i = 0; i < 8; i++) {
        tries[i].op = (struct hftl_media_op){
            .verb = HFTL_MEDIA_WRITE, .chunk = i, .blocks = 2, .data = bytes};
        submit(nand, &tries[i]);
        assert_int_equal(tries[i].landed, 0);
    }
    assert_int_equal(nand_in_flight(nand), 8);
    finish(nand);
    for (int i = 0; i < 8; i++)
        assert_int_equal(tries[i].landed, 1);
    nand_check(nand);
    nand_destroy(nand);
}

/* M8: neither done nor begun, told at the next reap, and taken when there is room. */
static void what_comes_when_its_queue_is_full_is_not_begun(void **state)
{
    (void)state;
    struct shape shape = *shape_find("oc");
    struct try tries[5] = {0};
    shape.queue = 3;
    struct nand *nand = shape_make(&shape, 7), *fork = NULL;
    for (uint32_t i = 0; i < 5; i++) {
        tries[i].op = (struct hftl_media_op){
            .verb = HFTL_MEDIA_WRITE, .chunk = i, .blocks = 2, .data = bytes};
        submit(nand, &tries[i]);
        assert_int_equal(tries[i].landed, 0);
    }
    assert_int_equal(nand_in_flight(nand), 5);
    assert_int_equal(nand_moments(nand), 3);
    fork = nand_fork(nand);
    nand_cut(fork, NAND_CUT_KEPT, 1); /* of what was not begun nothing is left */
    assert_int_equal(nand_chunk(fork, 2).wp, 2);
    assert_int_equal(nand_chunk(fork, 3).wp, 0);
    assert_int_equal(nand_in_flight(fork), 0);
    nand_destroy(fork);
    finish(nand);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(tries[i].landed, 1);
        assert_int_equal(tries[i].op.status, i < 3 ? HFTL_OK : HFTL_AGAIN);
        assert_int_equal(nand_chunk(nand, i).wp, i < 3 ? 2 : 0);
    }
    submit(nand, &tries[3]);
    finish(nand);
    assert_int_equal(tries[3].op.status, HFTL_OK);
    assert_int_equal(nand_chunk(nand, 3).wp, 2);
    nand_check(nand);
    nand_destroy(nand);
}

static void a_flush_covers_only_what_landed_before_it_was_submitted(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 40; seed++) {
        struct nand *nand = shape_make(shape_find("oc"), seed);
        write_blocks(nand, 1, 0, 4, 1);
        struct try flush = {.op = {.verb = HFTL_MEDIA_FLUSH}};
        struct try late = {.op = {.verb = HFTL_MEDIA_WRITE, .chunk = 2, .blocks = 4}};
        late.op.data = bytes;
        submit(nand, &late);
        submit(nand, &flush);
        finish(nand);
        assert_int_equal(nand_durable(nand, 1), 4);
        assert_int_equal(nand_durable(nand, 2), 0);
        act_on(nand, HFTL_MEDIA_FLUSH, 0);
        assert_int_equal(nand_durable(nand, 2), 4);
        nand_destroy(nand);
    }
}

static void a_flush_says_nothing_of_a_later_life_of_the_chunk(void **state)
{
    (void)state;
    struct nand_options options = {.facts = shape_find("oc")->facts};
    struct nand *nand = nand_create(&options); /* in order */
    struct try flush = {.op = {.verb = HFTL_MEDIA_FLUSH}};
    struct try reset = {.op = {.verb = HFTL_MEDIA_RESET, .chunk = 3}};
    write_blocks(nand, 3, 0, 8, 1);
    submit(nand, &reset);
    submit(nand, &flush);
    (void)nand_media(nand)->ops->reap(nand_media(nand), 1);
    assert_int_equal(reset.landed, 1);
    struct try again = {.op = {.verb = HFTL_MEDIA_WRITE, .chunk = 3, .blocks = 2, .data = bytes}};
    submit(nand, &again);
    finish(nand);
    assert_int_equal(nand_durable(nand, 3), 0);
    nand_destroy(nand);
}

/* ---- forks and cuts -------------------------------------------------------------------------- */

static void forks_do_not_see_each_other(void **state)
{
    (void)state;
    struct nand *nand = make("oc");
    write_blocks(nand, 5, 0, 24, 1);
    struct nand *fork = nand_fork(nand);
    nand_cut(fork, NAND_CUT_KEPT, 1);
    act_on(nand, HFTL_MEDIA_RESET, 5);
    write_blocks(nand, 5, 0, 24, 2);
    assert_int_equal(read_block(fork, 5, 3), 1);
    assert_int_equal(read_block(nand, 5, 3), 2);
    nand_destroy(nand);
    assert_int_equal(read_block(fork, 5, 23), 1);
    nand_destroy(fork);
}

static void what_was_flushed_survives_every_cut(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct nand *nand = make(seed % 2 ? "oc" : "zoned");
        struct try flight = {.op = {.verb = HFTL_MEDIA_WRITE, .chunk = 1, .offset = 16}};
        write_blocks(nand, 1, 0, 10, 1);
        act_on(nand, HFTL_MEDIA_FLUSH, 0);
        write_blocks(nand, 1, 10, 6, 1);
        flight.op.blocks = 4;
        flight.op.data = bytes;
        submit(nand, &flight);
        nand_cut(nand, (enum nand_cut)(seed / 2 % NAND_CUT_COUNT), seed);
        struct hftl_chunk chunk = nand_chunk(nand, 1);
        assert_in_range(chunk.wp, 10, 20);
        for (uint32_t i = 0; i < 10 && i + 6 < chunk.wp; i++)
            assert_int_equal(read_block(nand, 1, i), 1);
        finish(nand);
        assert_int_equal(flight.landed, 0);
        nand_destroy(nand);
    }
}

/* Every kind does what its name says to two chunks, of which 4 and 0 blocks are durable. */
static void each_cut_leaves_what_its_name_says(void **state)
{
    (void)state;
    bool apart = false, torn = false;
    for (uint64_t seed = 0; seed < 60; seed++) {
        for (unsigned cut = 0; cut < NAND_CUT_COUNT; cut++) {
            struct nand *nand = make("zoned");
            write_blocks(nand, 1, 0, 4, 1);
            act_on(nand, HFTL_MEDIA_FLUSH, 0);
            write_blocks(nand, 1, 4, 20, 1);
            write_blocks(nand, 2, 0, 20, 1);
            nand_cut(nand, (enum nand_cut)cut, seed);
            uint32_t a = nand_chunk(nand, 1).wp, b = nand_chunk(nand, 2).wp;
            if (cut == NAND_CUT_LOST)
                assert_true(a == 4 && b == 0);
            if (cut == NAND_CUT_KEPT || cut == NAND_CUT_LIVES || cut == NAND_CUT_FLAKY)
                assert_true(a == 24 && b == 20);
            if (cut == NAND_CUT_LIVES)
                assert_true(nand_durable(nand, 1) == 4 && nand_durable(nand, 2) == 0);
            else
                assert_true(nand_durable(nand, 1) == a && nand_durable(nand, 2) == b);
            if (cut == NAND_CUT_ONE_LOSES || cut == NAND_CUT_ONE_KEEPS)
                assert_true((a == 4) != (b == 0));
            apart |= cut == NAND_CUT_PREFIX && a > 4 && a < 24 && b == 0;
            torn |= cut == NAND_CUT_TORN && a > 4 && read_block(nand, 1, a - 1) != 1;
            assert_int_equal(nand_chunk(nand, 2).state, b == 0 ? HFTL_CHUNK_FREE
                                                        : cut == NAND_CUT_LIVES
                                                            ? HFTL_CHUNK_OPEN
                                                            : HFTL_CHUNK_PAUSED);
            nand_destroy(nand);
        }
    }
    assert_true(apart);
    assert_true(torn);
}

static void a_cut_reset_is_done_or_not_or_leaves_a_chunk_that_is_not_free(void **state)
{
    (void)state;
    bool done = false, not_done = false, half = false;
    for (uint64_t seed = 0; seed < 60; seed++) {
        for (unsigned cut = 0; cut < NAND_CUT_COUNT; cut++) {
            struct nand *nand = make("oc");
            write_blocks(nand, 4, 0, 24, 1);
            act_on(nand, HFTL_MEDIA_FLUSH, 0);
            struct try reset = {.op = {.verb = HFTL_MEDIA_RESET, .chunk = 4}};
            submit(nand, &reset);
            assert_true(nand_cut_matters(nand, NAND_CUT_HALF_ERASED));
            nand_cut(nand, (enum nand_cut)cut, seed);
            struct hftl_chunk chunk = nand_chunk(nand, 4);
            if (cut == NAND_CUT_HALF_ERASED) {
                assert_int_not_equal(chunk.state, HFTL_CHUNK_FREE);
                half |= chunk.wp > 8 && read_block(nand, 4, 0) != 1;
            } else {
                done |= chunk.state == HFTL_CHUNK_FREE;
                not_done |= chunk.state == HFTL_CHUNK_FULL && read_block(nand, 4, 23) == 1;
            }
            nand_destroy(nand);
        }
    }
    assert_true(done && not_done && half);
}

static void a_finished_zone_hides_where_its_data_ends(void **state)
{
    (void)state;
    struct nand *nand = make("zoned");
    write_blocks(nand, 1, 0, 7, 1);
    act_on(nand, HFTL_MEDIA_FINISH, 1);
    assert_int_equal(nand_chunk(nand, 1).state, HFTL_CHUNK_FULL);
    assert_int_equal(nand_chunk(nand, 1).wp, 90);
    assert_int_equal(read_block(nand, 1, 6), 1);
    assert_int_equal(read_block(nand, 1, 7), 0);
    nand_cut(nand, NAND_CUT_LOST, 1); /* the finish was durable, its data was not */
    assert_int_equal(nand_chunk(nand, 1).state, HFTL_CHUNK_FULL);
    assert_int_equal(nand_chunk(nand, 1).wp, 90);
    assert_int_equal(read_block(nand, 1, 0), 0);
    nand_destroy(nand);
}

static void a_zoned_drive_pauses_a_zone_at_its_open_limit(void **state)
{
    (void)state;
    struct nand *nand = make("zoned-tight"); /* 4 open, 8 active */
    for (uint32_t i = 0; i < 8; i++)
        write_blocks(nand, i, 0, 1, 1);
    int paused = 0;
    for (uint32_t i = 0; i < 8; i++)
        paused += nand_chunk(nand, i).state == HFTL_CHUNK_PAUSED;
    assert_int_equal(paused, 4);
    nand_destroy(nand);
}

/* ---- the rules ------------------------------------------------------------------------------- */

/* One operation on a fresh medium with chunk 0 full, 1 partly written, 2 free. */
struct breach {
    const char *shape;
    struct hftl_media_op op;
    int in_flight; /* a WRITE (1), READ (2) or RESET (3) of chunk 1 (reset: 0) is under way */
};

static void commit(void *arg)
{
    struct breach *b = arg;
    struct nand *nand = make(b->shape);
    uint32_t capacity = nand_media(nand)->facts.chunk_blocks;
    write_blocks(nand, 0, 0, capacity, 1);
    write_blocks(nand, 1, 0, 16, 1);
    struct try other = {.op = {.verb = HFTL_MEDIA_WRITE, .chunk = 1, .offset = 16, .blocks = 8}};
    other.op.data = bytes;
    if (b->in_flight == 2)
        other.op = (struct hftl_media_op){
            .verb = HFTL_MEDIA_READ, .chunk = 1, .blocks = 1, .data = bytes, .oob = spare};
    if (b->in_flight == 3)
        other.op = (struct hftl_media_op){.verb = HFTL_MEDIA_RESET, .chunk = 0};
    if (b->in_flight)
        submit(nand, &other);
    struct try t = {.op = b->op};
    static uint8_t room[256 * BLOCK];
    t.op.data = room;
    submit(nand, &t);
    finish(nand);
}

static struct breach breach(const char *shape, enum hftl_media_verb verb, uint32_t chunk,
                            uint32_t offset, uint32_t blocks, int in_flight)
{
    return (struct breach){
        shape, {.verb = verb, .chunk = chunk, .offset = offset, .blocks = blocks}, in_flight};
}

static void stops_whoever_breaks_a_rule(void **state)
{
    (void)state;
    enum hftl_media_verb w = HFTL_MEDIA_WRITE, r = HFTL_MEDIA_READ, e = HFTL_MEDIA_RESET;
    struct breach breaches[] = {
        breach("oc", w, 1, 18, 2, 0),                   /* R1: beyond the write pointer */
        breach("oc", w, 1, 14, 2, 0),                   /* R1: before it */
        breach("oc", w, 1, 16, 3, 0),                   /* R1: not a multiple of ws_min */
        breach("oc", w, 1, 16, 10, 0),                  /* R1: beyond the capacity */
        breach("oc", w, 2, 0, 18, 0),                   /* R1: longer than a transfer */
        breach("oc", w, 2, 0, 0, 0),                    /* R1: nothing */
        breach("oc", w, 999, 0, 2, 0),                  /* no such chunk */
        breach("oc", w, 0, 24, 2, 0),                   /* R3: full */
        breach("oc-strict", w, 1, 24, 8, 1),            /* R2: two in flight */
        breach("oc", r, 1, 10, 1, 0),                   /* R4: in the window */
        breach("oc", r, 1, 0, 11, 0),                   /* R4: its end is */
        breach("oc", r, 2, 0, 1, 0),                    /* R4: free */
        breach("oc", r, 0, 0, 1, 3),                    /* R5: being reset */
        breach("oc", e, 2, 0, 0, 0),                    /* R5: free */
        breach("oc-strict", e, 1, 0, 0, 0),             /* R5: open, and the drive cannot */
        breach("oc", e, 1, 0, 0, 1),                    /* R5: a write is in flight */
        breach("oc", e, 1, 0, 0, 2),                    /* R5: a read is in flight */
        breach("oc", e, 0, 0, 0, 3),                    /* R5: twice */
        breach("oc", HFTL_MEDIA_FINISH, 1, 0, 0, 0),    /* R6: this drive cannot */
        breach("zoned", HFTL_MEDIA_FINISH, 1, 0, 0, 1), /* R6: a write is in flight */
        breach("oc", HFTL_MEDIA_APPEND, 1, 0, 2, 0),    /* R7 */
    };
    for (size_t i = 0; i < sizeof breaches / sizeof breaches[0]; i++)
        if (!aborts(commit, &breaches[i]))
            fail_msg("breach %zu is not caught", i);
    struct breach fine = breach("oc", r, 1, 0, 10, 0);
    assert_false(aborts(commit, &fine));
    fine = breach("oc-rest", w, 1, 24, 6, 1); /* may queue */
    assert_false(aborts(commit, &fine));
}

static void open_too_many(void *arg)
{
    struct nand *nand = make("zoned-tight");
    (void)arg;
    for (uint32_t i = 0; i < 9; i++)
        write_blocks(nand, i, 0, 1, 1);
}

static void change_memory_in_flight(void *arg)
{
    struct nand *nand = make("oc");
    struct try t = {.op = {.verb = HFTL_MEDIA_WRITE, .blocks = 2, .data = bytes}};
    (void)arg;
    submit(nand, &t);
    bytes[3]++;
    finish(nand);
}

static void stops_at_the_active_limit_and_at_memory_that_changes(void **state)
{
    (void)state;
    assert_true(aborts(open_too_many, NULL));
    assert_true(aborts(change_memory_in_flight, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lands_each_operation_once_and_not_inside_submit),
        cmocka_unit_test(what_comes_when_its_queue_is_full_is_not_begun),
        cmocka_unit_test(a_flush_covers_only_what_landed_before_it_was_submitted),
        cmocka_unit_test(a_flush_says_nothing_of_a_later_life_of_the_chunk),
        cmocka_unit_test(forks_do_not_see_each_other),
        cmocka_unit_test(what_was_flushed_survives_every_cut),
        cmocka_unit_test(each_cut_leaves_what_its_name_says),
        cmocka_unit_test(a_cut_reset_is_done_or_not_or_leaves_a_chunk_that_is_not_free),
        cmocka_unit_test(a_finished_zone_hides_where_its_data_ends),
        cmocka_unit_test(a_zoned_drive_pauses_a_zone_at_its_open_limit),
        cmocka_unit_test(stops_whoever_breaks_a_rule),
        cmocka_unit_test(stops_at_the_active_limit_and_at_memory_that_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
