/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The end of a band does not stop who writes: the next band is written while the old one is closed.
 * The medium keeps back what closing needs, for as long as the test likes, and writers go on.
 */
#include "test/core/stand.h"

/* With a buffer that holds a band, so that a band ends while nothing lands. */
static void begin_roomy(struct stand *stand, const char *shape)
{
    stand_init(stand, stand_shape_named(shape));
    stand->options.write_buffer_bytes = 4u << 20;
    stand_format(stand);
    stand_open(stand);
}

static const struct stream *user_of(const struct stand *stand)
{
    return &stand->device->streams[STREAM_USER];
}

static bool is_answered(struct stand *stand, const struct ask *ask)
{
    for (unsigned idle = 0; !ask->answered && idle < 4;)
        idle = stand_step(stand) ? 0 : idle + 1;
    return ask->answered;
}

/* Writes block after block until one is not accepted, or `done` says so; the answered ones. */
static uint64_t write_on(struct stand *stand, struct ask *ask, bool (*done)(const struct stand *))
{
    static uint8_t data[HFTL_BLOCK_BYTES];
    uint64_t accepted = 0;
    while (done == NULL || !done(stand)) {
        uint64_t lba = accepted % stand->expected_count;
        stand->expected[lba]++;
        stand_fill(stand, data, lba, 1, stand->expected[lba]);
        stand_ask(stand, ask, HFTL_WRITE, 0, lba, 1, data);
        if (!is_answered(stand, ask))
            break;
        accepted++;
    }
    return accepted;
}

static bool is_closing(const struct stand *stand)
{
    return user_of(stand)->closing->band != NULL;
}

/* Two bands' worth with overlap, one without: the same test sees the difference. */
static void cross_an_end(const char *shape, bool overlap)
{
    struct stand stand;
    struct ask ask = {.answered = true};
    begin_roomy(&stand, shape);
    tap_clear(stand.tap);
    if (!overlap)
        stand.device->overlap = 0;
    tap_hold(stand.tap, HFTL_MEDIA_FLUSH);
    uint64_t accepted = write_on(&stand, &ask, NULL);
    const struct stream *user = user_of(&stand);
    const struct geometry *g = &stand.device->geometry;
    assert_true(tap_count(stand.tap, HFTL_MEDIA_FLUSH) == 1); /* the first band's, kept back */
    assert_non_null(user->closing->band);
    uint64_t first = geometry_data_blocks(g, user->closing->band->width);
    if (overlap) {
        uint64_t second = geometry_data_blocks(g, user->open->band->width);
        assert_int_equal(user->open->band->state, BAND_FULL); /* W6: bounded */
        assert_in_range(accepted, first + second, first + second + 4);
    } else {
        assert_null(user->open->band);
        assert_in_range(accepted, first, first + 2);
    }
    tap_release(stand.tap);
    assert_int_equal(stand_wait(&stand, &ask), HFTL_OK);
    stand_settle(&stand);
    assert_int_equal(stand.device->stats.bands_closed, overlap ? 2 : 1);
    stand_verify(&stand);
    stand_end(&stand);
}

static void a_writer_crosses_a_bands_end_while_its_flush_is_kept_back(void **state)
{
    (void)state;
    for (unsigned i = 0; i < stand_shapes(); i++)
        cross_an_end(stand_shape(i)->name, true);
}

static void without_overlap_the_same_writer_stops_there(void **state)
{
    (void)state;
    for (unsigned i = 0; i < stand_shapes(); i++)
        cross_an_end(stand_shape(i)->name, false);
}

/* Band A's flush was answered and its tail is kept back; a flush of a user does not hang on it. */
static void a_writer_and_a_flush_go_on_while_the_tail_is_kept_back(void **state)
{
    (void)state;
    unsigned apart = 0;
    for (unsigned i = 0; i < stand_shapes(); i++) {
        struct stand stand;
        struct ask ask = {.answered = true}, flush;
        begin_roomy(&stand, stand_shape(i)->name);
        tap_hold(stand.tap, HFTL_MEDIA_FLUSH);
        (void)write_on(&stand, &ask, is_closing);
        const struct stream *user = user_of(&stand);
        const struct band *old = user->closing->band;
        const struct geometry *g = &stand.device->geometry;
        stand_settle(&stand);
        tap_release(stand.tap);
        stand.tap->hold_band = old;
        tap_hold(stand.tap, HFTL_MEDIA_WRITE);
        stand_settle(&stand);
        assert_true(stand.tap->held_count > 0);
        uint32_t tail = geometry_tail(g, old->width);
        if (geometry_place(g, old->width, tail).offset % g->ws_opt == 0) {
            uint32_t media = tap_count(stand.tap, HFTL_MEDIA_FLUSH);
            stand_write(&stand, 5, 1, 77);
            stand_ask(&stand, &flush, HFTL_FLUSH, 0, 0, 0, NULL);
            assert_true(is_answered(&stand, &flush));
            assert_true(tap_count(stand.tap, HFTL_MEDIA_FLUSH) > media);
            apart++;
        }
        assert_true(write_on(&stand, &ask, NULL) > 0);
        assert_int_equal(user->open->band->state, BAND_FULL);
        assert_ptr_equal(user->closing->band, old);
        tap_release(stand.tap);
        assert_int_equal(stand_wait(&stand, &ask), HFTL_OK);
        stand_settle(&stand);
        assert_int_not_equal(old->state, BAND_FULL); /* closed; overwritten, perhaps erased */
        stand_verify(&stand);
        stand_end(&stand);
    }
    assert_true(apart > 2);
}

/* O11: what was accepted into a band that is being closed is waited for. */
static void a_flush_waits_for_what_the_closing_band_still_writes(void **state)
{
    (void)state;
    for (unsigned i = 0; i < stand_shapes(); i++) {
        struct stand stand;
        struct ask ask = {.answered = true}, flush;
        begin_roomy(&stand, stand_shape(i)->name);
        tap_clear(stand.tap);
        stand_write(&stand, 0, 1, 1);
        stand.tap->hold_band = user_of(&stand)->open->band;
        tap_hold(stand.tap, HFTL_MEDIA_WRITE);
        (void)write_on(&stand, &ask, is_closing);
        if (!is_closing(&stand)) { /* units ran out before the band's end: nothing to see here */
            tap_release(stand.tap);
            (void)stand_wait(&stand, &ask);
            stand_end(&stand);
            continue;
        }
        stand_ask(&stand, &flush, HFTL_FLUSH, 0, 0, 0, NULL);
        assert_false(is_answered(&stand, &flush));
        assert_int_equal(tap_count(stand.tap, HFTL_MEDIA_FLUSH), 0);
        tap_release(stand.tap);
        assert_int_equal(stand_wait(&stand, &flush), HFTL_OK);
        stand_crash(&stand, true, i);
        stand_open(&stand);
        stand_verify(&stand);
        stand_end(&stand);
    }
}

/* What a cut leaves of both bands is judged, and nothing flushed is gone. */
static void both_bands_survive_a_cut_in_every_state_of_closing(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4 * stand_shapes(); i++) {
        struct stand stand;
        struct ask ask = {.answered = true};
        begin_roomy(&stand, stand_shape(i / 4)->name);
        tap_hold(stand.tap, HFTL_MEDIA_FLUSH);
        (void)write_on(&stand, &ask, is_closing);
        const struct band *old = user_of(&stand)->closing->band;
        for (unsigned n = 0; n < 7; n++)
            stand_write(&stand, 100 + n, 1, 3);
        if (i % 4 > 0) { /* its flush is answered; 2, 3: and its tail is kept back, or closed */
            tap_release(stand.tap);
            stand.tap->hold_band = i % 4 == 2 ? old : NULL;
            stand.tap->hold_verbs = i % 4 == 2 ? 1u << HFTL_MEDIA_WRITE : 0;
            stand_settle(&stand);
        }
        bool flushed = i % 4 == 3;
        if (flushed)
            stand_flush(&stand);
        stand_crash(&stand, true, i);
        stand_open(&stand);
        stand_check(&stand);
        for (uint64_t lba = 0; !flushed && lba < stand.expected_count; lba++)
            assert_int_equal(stand_read_status(&stand, lba), HFTL_OK);
        if (flushed)
            stand_verify(&stand);
        stand_write_all(&stand, 9);
        stand_verify(&stand);
        stand_end(&stand);
    }
}

/* The drive's limit is kept (the guard and mem watch it), and what fits is used. */
static void overlap_is_what_the_drives_limit_leaves(void **state)
{
    (void)state;
    static const struct {
        uint32_t limit, overlap;
    } cases[] = {{0, 2}, {14, 2}, {11, 2}, {10, 2}, {9, 1}, {8, 1}, {7, 0}, {6, 0}};
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct stand stand;
        struct stand_shape shape = *stand_shape_named("zoned, two columns");
        shape.facts.open_max = shape.facts.active_max = cases[i].limit;
        stand_init(&stand, &shape);
        stand.unchecked = true;
        stand_format(&stand);
        stand_open(&stand);
        assert_int_equal(stand.device->overlap, cases[i].overlap);
        assert_int_equal(stand.info.overlap, cases[i].overlap);
        assert_int_equal(stand_logged(&stand, "open chunks"), cases[i].overlap < 2);
        for (uint64_t version = 1; version < 5; version++)
            stand_write_all(&stand, version);
        stand_check(&stand);
        stand_verify(&stand);
        stand_end(&stand);
    }
}

/* Else a band's worth of writes takes no time, and the next one waits for all of it. */
static void a_buffer_that_nobody_asked_for_holds_less_than_half_a_band(void **state)
{
    (void)state;
    static const struct stand_shape shape = {
        .name = "long zones of short units",
        .facts = {.size = sizeof(struct hftl_media_facts),
                  .kind = HFTL_KIND_ZONED,
                  .flags = HFTL_MEDIA_NEEDS_ERASE | HFTL_MEDIA_CAN_RESET_OPEN,
                  .block_bytes = 512,
                  .groups = 1,
                  .pus_per_group = 1,
                  .chunks_per_pu = 40,
                  .chunk_blocks = 256,
                  .ws_min = 1,
                  .ws_opt = 4,
                  .transfer_blocks_max = 64,
                  .volatile_cache = true},
        .columns = 1,
        .interleave = 1};
    struct stand stand;
    struct ask asks[256];
    uint8_t block[512];
    unsigned answered = 0;
    stand_init(&stand, &shape);
    stand_format(&stand);
    stand_open(&stand);
    tap_hold(stand.tap, HFTL_MEDIA_WRITE);
    stand_fill(&stand, block, 1, 1, 1);
    for (unsigned i = 0; i < 256; i++) {
        stand_ask(&stand, &asks[i], HFTL_WRITE, 0, 1, 1, block);
        stand_settle(&stand);
        answered += asks[i].answered;
    }
    assert_in_range(answered, 8, 127);
    tap_release(stand.tap);
    for (unsigned i = 0; i < 256; i++)
        assert_int_equal(stand_wait(&stand, &asks[i]), HFTL_OK);
    stand_end(&stand);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_writer_crosses_a_bands_end_while_its_flush_is_kept_back),
        cmocka_unit_test(without_overlap_the_same_writer_stops_there),
        cmocka_unit_test(a_writer_and_a_flush_go_on_while_the_tail_is_kept_back),
        cmocka_unit_test(a_flush_waits_for_what_the_closing_band_still_writes),
        cmocka_unit_test(both_bands_survive_a_cut_in_every_state_of_closing),
        cmocka_unit_test(overlap_is_what_the_drives_limit_leaves),
        cmocka_unit_test(a_buffer_that_nobody_asked_for_holds_less_than_half_a_band),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
