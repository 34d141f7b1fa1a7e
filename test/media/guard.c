/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * guard.c - the guard stops each breach, by the caller and by the medium; and nothing else.
 */
#include "media/guard.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "test/media/drive.h"
#include "test/unit.h"

/* A medium that breaks one promise. It passes ops to a medium in memory, on the same structs. */
enum lie {
    HONEST,
    LANDS_IN_SUBMIT,
    LANDS_TWICE,
    MISCOUNTS,
    REFUSES_LEGAL,
    WP_STANDS,
    WP_RUNS,
    WEAR_FALLS,
    COMES_BACK,
    OPENS_BY_ITSELF,
};

struct liar {
    struct hftl_media media;
    struct hftl_media *inner;
    enum lie lie;
    struct hftl_media_op *op;
    void (*land)(struct hftl_media_op *op);
};

static struct liar *current;

static void lie_while_landing(struct hftl_media_op *op)
{
    struct liar *liar = current;
    if (liar->lie == REFUSES_LEGAL && op->verb == HFTL_MEDIA_WRITE)
        op->status = HFTL_RULE_ORDER;
    if (op->verb == HFTL_MEDIA_REPORT) {
        struct hftl_chunk *c = op->out.report;
        c->wp += liar->lie == WP_RUNS && c->wp > 0 ? 4 : 0;
        c->wp -= liar->lie == WP_STANDS && c->wp > 4 ? 4 : 0;
        c->wear -= liar->lie == WEAR_FALLS && c->wear > 0 ? 1 : 0;
        if (liar->lie == COMES_BACK && c->state == HFTL_CHUNK_READ_ONLY)
            *c = (struct hftl_chunk){HFTL_CHUNK_FREE, 0, c->capacity, c->wear};
        if (liar->lie == OPENS_BY_ITSELF && c->state == HFTL_CHUNK_FREE)
            c->state = HFTL_CHUNK_OPEN;
    }
    liar->land(op);
    if (liar->lie == LANDS_TWICE)
        liar->land(op);
}

static void submit_liar(struct hftl_media *media, struct hftl_media_op **ops, unsigned count)
{
    struct liar *liar = (struct liar *)media;
    must(count == 1);
    liar->land = ops[0]->land;
    if (liar->lie == LANDS_IN_SUBMIT) {
        ops[0]->status = HFTL_OK;
        ops[0]->land(ops[0]);
        return;
    }
    ops[0]->land = lie_while_landing;
    liar->inner->ops->submit(liar->inner, ops, count);
}

static unsigned reap_liar(struct hftl_media *media, unsigned max)
{
    struct liar *liar = (struct liar *)media;
    return liar->inner->ops->reap(liar->inner, max) + (liar->lie == MISCOUNTS);
}

static int find_liar_fd(struct hftl_media *media)
{
    (void)media;
    return -1;
}

static void close_liar(struct hftl_media *media)
{
    struct liar *liar = (struct liar *)media;
    liar->inner->ops->close(liar->inner);
}

static const struct hftl_media_ops liar_ops = {
    .name = "liar",
    .submit = submit_liar,
    .reap = reap_liar,
    .fd = find_liar_fd,
    .close = close_liar,
};

static struct hftl_media *open_guarded(enum hftl_media_kind kind, struct liar *liar)
{
    char why[WHY_BYTES] = "";
    struct mem_options options = {.size = sizeof options, .facts = mem_facts(kind)};
    struct hftl_media *media = NULL, *guard = NULL;
    must(mem_open(&options, &media, why, sizeof why) == HFTL_OK);
    if (liar) {
        *liar = (struct liar){.media = {&liar_ops, media->facts}, .inner = media};
        media = &liar->media;
        current = liar;
    }
    must(guard_open(media, NULL, &guard) == HFTL_OK);
    return guard;
}

/* ---- the caller -------------------------------------------------------------------------- */

static void do_breach(void *arg)
{
    struct hftl_media *guard = open_guarded(HFTL_KIND_OCSSD, NULL);
    bool right;
    if (do_write(guard, 0, 0, 8, 0) != HFTL_OK || do_write(guard, 0, 8, 16, 0) != HFTL_OK)
        return;
    enum hftl_status status = HFTL_OK;
    switch (*(int *)arg) {
    case 0:
        status = do_write(guard, 0, 28, 4, 0); /* R1 */
        break;
    case 1:
        status = do_write(guard, 0, 24, 3, 0); /* R1 */
        break;
    case 2:
        status = do_read(guard, 0, 8, 1, 0, &right); /* R4: in the window */
        break;
    case 3:
        status = do_simple(guard, HFTL_MEDIA_RESET, 0); /* R5: open */
        break;
    case 4:
        status = do_simple(guard, HFTL_MEDIA_RESET, 1); /* R5: free */
        break;
    case 5:
        status = do_simple(guard, HFTL_MEDIA_FINISH, 0); /* not there */
        break;
    case 6:
        status = do_read(guard, 64, 0, 1, 0, &right); /* no such chunk */
        break;
    default:
        break;
    }
    (void)status;
    guard->ops->close(guard);
}

static void stops_callers_that_break_rules(void **state)
{
    (void)state;
    for (int breach = 0; breach < 7; breach++)
        assert_true(aborts(do_breach, &breach));
    int none = 99;
    assert_false(aborts(do_breach, &none));
}

static void ignore(struct hftl_media_op *op)
{
    (void)op;
}

static void close_in_flight(void *arg)
{
    (void)arg;
    struct hftl_media *guard = open_guarded(HFTL_KIND_ZONED, NULL);
    struct hftl_media_op op = {.verb = HFTL_MEDIA_FLUSH, .land = ignore};
    struct hftl_media_op *ops[] = {&op};
    guard->ops->submit(guard, ops, 1);
    guard->ops->close(guard);
}

static void stops_a_close_with_ops_in_flight(void **state)
{
    (void)state;
    assert_true(aborts(close_in_flight, NULL));
}

/* ---- the medium -------------------------------------------------------------------------- */

static void use_liar(void *arg)
{
    struct liar liar;
    struct hftl_media *guard = open_guarded(HFTL_KIND_OCSSD, &liar);
    enum hftl_status status;
    for (uint32_t at = 0; at < 64; at += 8)
        status = do_write(guard, 1, at, 8, 0);
    status = do_simple(guard, HFTL_MEDIA_RESET, 1);
    do_report(guard, 1);
    mem_retire(mem_store_of(liar.inner), 2, HFTL_CHUNK_READ_ONLY);
    do_report(guard, 2);
    liar.lie = *(enum lie *)arg;
    for (uint32_t at = 0; at < 24; at += 8)
        status = do_write(guard, 0, at, 8, 0);
    do_report(guard, 0);
    do_report(guard, 1);
    do_report(guard, 2);
    do_report(guard, 3);
    (void)status;
    guard->ops->close(guard);
}

static void stops_media_that_break_promises(void **state)
{
    (void)state;
    enum lie lie = HONEST;
    assert_false(aborts(use_liar, &lie));
    for (lie = LANDS_IN_SUBMIT; lie <= OPENS_BY_ITSELF; lie++)
        assert_true(aborts(use_liar, &lie));
}

/* ---- in between -------------------------------------------------------------------------- */

static void use_without_report(void *arg)
{
    bool report = *(bool *)arg;
    struct hftl_media *guard = open_guarded(HFTL_KIND_OCSSD, NULL);
    enum hftl_status status = do_write(guard, 0, 0, 8, 0);
    mem_retire(mem_store_of(guard_inner(guard)), 0, HFTL_CHUNK_READ_ONLY);
    must(do_write(guard, 0, 8, 8, 0) == HFTL_READ_ONLY); /* the caller could not know */
    if (report)
        do_report(guard, 0);
    status = do_write(guard, 0, 8, 8, 0);
    (void)status;
    guard->ops->close(guard);
}

static void asks_for_a_report_after_a_failure(void **state)
{
    (void)state;
    bool report = true;
    assert_false(aborts(use_without_report, &report));
    report = false;
    assert_true(aborts(use_without_report, &report));
}

static void counts_ops_and_blocks(void **state)
{
    (void)state;
    struct hftl_media *guard = open_guarded(HFTL_KIND_ZONED, NULL);
    struct guard_counts counts;
    bool right;
    assert_int_equal(do_write(guard, 3, 0, 5, 1), HFTL_OK);
    assert_int_equal(do_read(guard, 3, 1, 4, 1, &right), HFTL_OK);
    assert_true(right);
    assert_int_equal(do_simple(guard, HFTL_MEDIA_FLUSH, 0), HFTL_OK);
    guard_count(guard, &counts);
    assert_int_equal(counts.ops, 3);
    assert_int_equal(counts.in_flight, 0);
    assert_int_equal(counts.submitted[HFTL_MEDIA_FLUSH], 1);
    assert_int_equal(counts.blocks_written, 5);
    assert_int_equal(counts.blocks_read, 4);
    assert_int_equal(counts.failed[HFTL_MEDIA_WRITE], 0);
    guard->ops->close(guard);
}

/* ---- memory: what a power cut leaves ----------------------------------------------------- */

static void a_cut_leaves_a_prefix_in_memory(void **state)
{
    (void)state;
    char why[WHY_BYTES] = "";
    uint32_t lengths[6] = {0};
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct mem_options options = {.size = sizeof options, .facts = mem_facts(HFTL_KIND_ZONED)};
        options.facts.open_max = options.facts.active_max = 2;
        struct mem_store *store = NULL;
        struct hftl_media *media = NULL;
        bool right;
        assert_int_equal(mem_store_create(&options, &store, why, sizeof why), HFTL_OK);
        assert_int_equal(mem_attach(store, &media), HFTL_OK);
        assert_int_equal(do_write(media, 0, 0, 2, 1), HFTL_OK);
        assert_int_equal(do_simple(media, HFTL_MEDIA_FLUSH, 0), HFTL_OK);
        assert_int_equal(do_write(media, 0, 2, 3, 1), HFTL_OK);
        for (uint32_t chunk = 1; chunk < 6; chunk++) /* FULL ones that lose their end */
            assert_int_equal(do_write(media, chunk, 0, 64, 1), HFTL_OK);
        mem_abandon(media);
        mem_cut(store, seed);
        assert_int_equal(mem_attach(store, &media), HFTL_OK);
        struct hftl_media *guard = NULL; /* sees that no more are active than may be */
        assert_int_equal(guard_open(media, NULL, &guard), HFTL_OK);
        struct hftl_chunk c = do_report(guard, 0);
        assert_in_range(c.wp, 2, 5);
        lengths[c.wp]++;
        assert_int_equal(do_read(guard, 0, 0, c.wp, 1, &right), HFTL_OK);
        assert_true(right);
        guard->ops->close(guard);
        mem_store_destroy(store);
    }
    for (uint32_t i = 2; i <= 5; i++)
        assert_true(lengths[i] > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stops_callers_that_break_rules),
        cmocka_unit_test(stops_a_close_with_ops_in_flight),
        cmocka_unit_test(stops_media_that_break_promises),
        cmocka_unit_test(asks_for_a_report_after_a_failure),
        cmocka_unit_test(counts_ops_and_blocks),
        cmocka_unit_test(a_cut_leaves_a_prefix_in_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
