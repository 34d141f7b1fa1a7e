/* SPDX-License-Identifier: BSD-3-Clause */
/* Clean closes, and storms of closes and crashes that must not cost a band. */
#include "test/core/stand.h"

#include "format/head.h"
#include "lifecycle/blocking.h"

#include <string.h>

static void a_clean_close_is_known_as_one(void **state)
{
    (void)state;
    for (unsigned shape = 0; shape < stand_shapes(); shape++) {
        struct stand stand;
        struct hftl_info info;
        stand_begin(&stand, stand_shape(shape)->name);
        for (uint64_t n = 0; n < 40; n++) {
            stand_write(&stand, n * 5 % (stand.expected_count - 8), 1 + n % 8, n + 1);
            if (n % 6 == 1)
                stand_trim(&stand, n, 3);
            stand_close(&stand);
            assert_int_equal(device_probe(stand.guard, &stand.world, NULL, &info, &stand.why),
                             HFTL_OK);
            assert_true(info.clean);
            stand_open(&stand);
            assert_true(stand.device->was_clean);
            assert_int_equal(stand.device->bands_sealed, 0);
            assert_false(stand_logged(&stand, "left open by a clean close"));
            stand_verify(&stand);
        }
        stand_end(&stand);
    }
}

/* Closed; somebody writes a block of the chunk behind our back. The record is not believed. */
static void write_behind_and_reopen(struct stand *stand, uint32_t chunk)
{
    struct hftl_media *mem;
    struct hftl_chunk report;
    uint8_t junk[512] = {1};
    stand_close(stand);
    stand_detach(stand);
    assert_int_equal(mem_attach(stand->store, &mem), HFTL_OK);
    struct blocking b = {mem, &stand->world, NULL, NULL};
    assert_int_equal(blocking_report(&b, chunk, 1, &report), HFTL_OK);
    struct hftl_media_op op = {
        .verb = HFTL_MEDIA_WRITE, .chunk = chunk, .offset = report.wp, .blocks = 1, .data = junk};
    assert_int_equal(blocking_run(&b, &op, 1), HFTL_OK);
    mem->ops->close(mem);
    stand_attach(stand);
    stand->options.read_only = true;
    assert_int_equal(stand_try_open(stand), HFTL_READ_ONLY);
    stand->options.read_only = false;
    stand_open(stand);
    assert_false(stand->device->was_clean);
}

static void a_clean_record_whose_chunks_do_not_agree_is_not_believed(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "zoned");
    stand_write(&stand, 0, 9, 1);
    write_behind_and_reopen(&stand, stand.device->streams[STREAM_USER].open->band->chunks[0]);
    stand_expect(&stand, 0, 9, 1);
    stand_end(&stand);
}

/* A drive that loses what it said was flushed leaves chunks partly written that were full, more of
 * them than it has slots for. The record may be newer and say clean. */
static void a_clean_record_is_not_believed_where_other_bands_hold_slots(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "zoned");
    stand_write(&stand, 0, 9, 1);
    const struct device *device = stand.device;
    uint32_t band = device->geometry.bands - 1;
    assert_int_equal(device->bands[band].state, BAND_FREE);
    write_behind_and_reopen(&stand, layout_band_chunk(&device->layout, band, 0));
    stand_expect(&stand, 0, 9, 1);
    stand_end(&stand);
}

/* Good heads, but of another life. */
static void give_another_life(struct stand *stand, const struct format_context *ctx, uint32_t band,
                              uint32_t chunk)
{
    uint8_t *block = mem_block(stand->store, chunk, 0);
    if (block == NULL) /* nothing there yet */
        return;
    struct format_place where = {.place = band, .position = get_u32(block + 44)};
    struct head head;
    assert_int_equal(head_decode(ctx, &where, block, &head), HFTL_OK);
    head.generation ^= 1;
    head_encode(ctx, &head, block);
}

/* The record names a band and the life that it was left open in. As a drive gives it that lost the
 * erase of the band and all that was written since, to as far as it was written now: it is not gone
 * on with, but judged, and only what is of that life is believed. */
static void a_band_of_another_life_is_not_gone_on_with(void **state)
{
    (void)state;
    for (unsigned shape = 0; shape < stand_shapes(); shape++) {
        struct stand stand;
        uint32_t chunks[FORMAT_COLUMNS_MAX];
        stand_begin(&stand, stand_shape(shape)->name);
        stand_write(&stand, 0, 9, 1);
        const struct band *band = stand.device->streams[STREAM_USER].open->band;
        const struct format_context ctx = stand.device->format;
        uint32_t index = band->index, width = band->width;
        memcpy(chunks, band->chunks, width * sizeof(chunks[0]));
        stand_close(&stand);
        for (uint32_t c = 0; c < width; c++)
            give_another_life(&stand, &ctx, index, chunks[c]);
        stand_open(&stand);
        assert_true(stand.device->was_clean);
        assert_null(stand.device->streams[STREAM_USER].open->band);
        assert_int_not_equal(stand.device->bands[index].state, BAND_OPEN);
        stand_write(&stand, 0, 9, 2);
        stand_flush(&stand);
        stand_crash(&stand, true, shape);
        stand_open(&stand);
        stand_verify(&stand);
        stand_end(&stand);
    }
}

static void a_clean_close_survives_the_power_going_right_after_it(void **state)
{
    (void)state;
    for (unsigned shape = 0; shape < stand_shapes(); shape++)
        for (uint64_t seed = 1; seed <= 5; seed++) {
            struct stand stand;
            stand_begin(&stand, stand_shape(shape)->name);
            stand.unchecked = true;
            for (uint64_t lba = 0; lba + 7 < stand.expected_count / seed; lba += 7)
                stand_write(&stand, lba, 7, seed);
            stand_close(&stand);
            stand_crash(&stand, true, seed);
            stand_open(&stand);
            assert_true(stand.device->was_clean);
            stand_verify(&stand);
            stand_end(&stand);
        }
}

static void a_close_answers_what_is_in_flight_first(void **state)
{
    (void)state;
    struct stand stand;
    struct ask asks[30];
    static uint8_t data[30][4 * 512];
    stand_begin(&stand, "zoned, two columns");
    for (uint64_t i = 0; i < 30; i++) {
        enum hftl_verb verb = i % 3 == 0 ? HFTL_READ : i % 3 == 1 ? HFTL_WRITE : HFTL_FLUSH;
        stand_fill(&stand, data[i], i * 4, 4, 7);
        stand_ask(&stand, &asks[i], verb, 0, verb == HFTL_FLUSH ? 0 : i * 4,
                  verb == HFTL_FLUSH ? 0 : 4, data[i]);
        for (uint64_t b = 0; verb == HFTL_WRITE && b < 4; b++)
            stand.expected[i * 4 + b] = 7;
    }
    stand_close(&stand);
    for (unsigned i = 0; i < 30; i++) {
        assert_true(asks[i].answered);
        assert_int_equal(asks[i].request.status, HFTL_OK);
    }
    stand_open(&stand);
    stand_verify(&stand);
    stand_end(&stand);
}

/* Every band is still of use: the whole device can be overwritten, again and again. */
static void check_space(struct stand *stand, uint32_t retired)
{
    for (uint64_t version = 1000; version < 1004; version++)
        stand_write_all(stand, version);
    stand_settle(stand);
    stand_check(stand);
    assert_int_equal(stand_bands_in(stand, BAND_SEALED), 0);
    assert_int_equal(stand_bands_in(stand, BAND_RETIRED), retired);
    stand_verify(stand);
}

static void two_hundred_clean_reopens_leak_no_band(void **state)
{
    (void)state;
    for (unsigned shape = 0; shape < stand_shapes(); shape++) {
        struct stand stand;
        stand_begin(&stand, stand_shape(shape)->name);
        stand.unchecked = true;
        stand_write(&stand, 0, 50, 1);
        uint32_t retired = stand_bands_in(&stand, BAND_RETIRED);
        for (unsigned n = 0; n < 200; n++) {
            if (n % 4 == 0)
                stand_write(&stand, n % 50, 1, n);
            stand_close(&stand);
            stand_open(&stand);
            assert_true(stand.device->was_clean);
        }
        stand_check(&stand);
        stand_verify(&stand);
        check_space(&stand, retired);
        stand_end(&stand);
    }
}

static void reopening_without_a_write_changes_nothing_but_the_superblock(void **state)
{
    (void)state;
    for (unsigned shape = 0; shape < stand_shapes(); shape++) {
        struct stand stand;
        stand_begin(&stand, stand_shape(shape)->name);
        stand_write(&stand, 0, 50, 1);
        stand_trim(&stand, 3, 3);
        stand_reopen(&stand);
        stand_reopen(&stand);
        uint32_t chunks[2] = {stand.device->layout.superblock_chunk[0],
                              stand.device->layout.superblock_chunk[1]};
        for (unsigned n = 0; n < 20; n++) {
            const struct stream *user = &stand.device->streams[STREAM_USER];
            uint32_t position = user->open->band == NULL ? 0 : user->open->position;
            tap_clear(stand.tap);
            stand_reopen(&stand);
            user = &stand.device->streams[STREAM_USER];
            for (uint32_t i = 0; i < stand.tap->note_count; i++) {
                const struct tap_note *note = &stand.tap->notes[i];
                if (note->verb == HFTL_MEDIA_WRITE && stand.tap->media.facts.mw_cunits == 0)
                    assert_true(note->chunk == chunks[0] || note->chunk == chunks[1]);
            }
            if (stand.tap->media.facts.mw_cunits == 0 && user->open->band != NULL)
                assert_int_equal(user->open->position, position);
        }
        stand_verify(&stand);
        stand_end(&stand);
    }
}

static void crash_and_reopen(bool writes, bool power, unsigned stride)
{
    for (unsigned shape = 0; shape < stand_shapes(); shape += stride) {
        struct stand stand;
        stand_begin(&stand, stand_shape(shape)->name);
        stand.unchecked = true;
        uint32_t retired = stand_bands_in(&stand, BAND_RETIRED);
        stand_write(&stand, 0, 40, 1);
        stand_flush(&stand);
        for (unsigned n = 0; n < 500; n++) {
            if (writes)
                stand_write_fua(&stand, n % 40, 1, n + 2);
            stand_crash(&stand, power, n);
            stand_open(&stand);
            if (stand.device->read_only)
                fail_msg("%s, crash %u: read-only: %s", stand_shape(shape)->name, n,
                         stand.device->reason);
            if (n % 50 == 0)
                stand_verify(&stand);
        }
        stand_check(&stand);
        stand_verify(&stand);
        check_space(&stand, retired);
        stand_end(&stand);
    }
}

static void five_hundred_crashes_without_progress_leak_no_band(void **state)
{
    (void)state;
    crash_and_reopen(false, true, 3);
}

static void five_hundred_crashes_with_one_write_each_leak_no_band(void **state)
{
    (void)state;
    crash_and_reopen(true, true, 2);
}

static void five_hundred_deaths_of_the_host_alone_leak_no_band(void **state)
{
    (void)state;
    crash_and_reopen(true, false, 4);
}

/* The same on a full device, where there is no slack. */
static void a_full_device_survives_a_storm_of_crashes(void **state)
{
    (void)state;
    for (unsigned shape = 0; shape < stand_shapes(); shape++) {
        struct stand stand;
        stand_begin(&stand, stand_shape(shape)->name);
        stand.unchecked = true;
        uint32_t retired = stand_bands_in(&stand, BAND_RETIRED);
        stand_write_all(&stand, 1);
        for (unsigned n = 0; n < 80; n++) {
            for (unsigned i = 0; i < n % 5; i++)
                stand_write_fua(&stand, prng_below(&stand.prng, stand.expected_count), 1, n + 2);
            for (uint64_t steps = prng_below(&stand.prng, 40); steps > 0; steps--)
                (void)stand_step(&stand);
            stand_crash(&stand, true, n);
            stand_open(&stand);
            assert_false(stand.device->read_only);
        }
        stand_verify(&stand);
        check_space(&stand, retired);
        stand_end(&stand);
    }
}

static void a_close_that_cannot_write_its_record_says_so_and_loses_nothing(void **state)
{
    (void)state;
    static const enum hftl_media_verb verbs[] = {HFTL_MEDIA_WRITE, HFTL_MEDIA_FLUSH};
    for (unsigned v = 0; v < 2; v++)
        for (uint32_t after = 0; after < 8; after++) {
            struct stand stand;
            stand_begin(&stand, "two PUs");
            stand_write(&stand, 0, 20, 1);
            stand_flush(&stand);
            stand_write(&stand, 20, 1, 1);
            tap_fail(stand.tap, verbs[v], ANY_CHUNK, 1, HFTL_IO);
            stand.tap->fail_after = after;
            enum hftl_status status = stand_try_close(&stand);
            bool failed = stand.tap->fail_count == 0;
            stand.tap->fail_count = 0;
            /* One superblock copy that cannot be written does not spoil the close; a flush does. */
            if (!failed || verbs[v] == HFTL_MEDIA_FLUSH)
                assert_int_equal(status == HFTL_OK, !failed);
            failed = status != HFTL_OK;
            stand_crash(&stand, true, after);
            stand_open(&stand);
            stand_expect(&stand, 0, 20, 1);
            if (!failed)
                stand_expect(&stand, 20, 1, 1);
            stand_end(&stand);
        }
}

/* Whatever a cut leaves of a close: a record that says clean vouches for all. */
static void a_record_that_says_clean_never_outlives_what_it_vouches_for(void **state)
{
    (void)state;
    static const char *const names[] = {"two PUs", "zoned", "one PU"};
    uint32_t clean = 0, unclean = 0;
    for (unsigned shape = 0; shape < 3; shape++)
        for (uint64_t blocks = 28; blocks < 92; blocks++)
            for (uint32_t after = 0; after < 5; after++) {
                struct stand stand;
                stand_begin(&stand, names[shape]);
                stand.unchecked = true;
                stand_write(&stand, 0, blocks, 1);
                tap_fail(stand.tap, HFTL_MEDIA_FLUSH, ANY_CHUNK, UINT32_MAX, HFTL_IO);
                stand.tap->fail_after = after;
                (void)stand_try_close(&stand);
                stand_crash(&stand, true, blocks * 7 + after);
                stand_open(&stand);
                clean += stand.device->was_clean;
                unclean += !stand.device->was_clean;
                if (stand.device->was_clean) {
                    assert_int_equal(stand.device->super.verdict_count, 0);
                    stand_verify(&stand);
                }
                stand_end(&stand);
            }
    assert_true(clean > 20 && unclean > 20);
}

/* The band goes on, and the record of the next life is the newest: it has to say what was flushed,
 * or damage done to what a clean close left looks torn, and an older version is served. */
static void what_a_clean_close_flushed_is_known_as_flushed_in_the_next_life(void **state)
{
    (void)state;
    for (unsigned shape = 0; shape < stand_shapes(); shape++) {
        struct stand stand;
        stand_begin(&stand, stand_shape(shape)->name);
        stand_write(&stand, 3, 1, 1);
        stand_flush(&stand);
        stand_write(&stand, 3, 1, 2);
        stand_close(&stand);
        stand_open(&stand);
        assert_true(stand.device->was_clean);
        uint8_t *block = stand_media_block(&stand, 3);
        stand_crash(&stand, true, 1);
        block[99] ^= 1;
        stand_open(&stand);
        assert_int_equal(stand_read_status(&stand, 3), HFTL_MISMATCH);
        stand_end(&stand);
    }
}

/* A chunk of another capacity counts as bad: somebody else's, whatever is in it. */
static void a_short_chunk_that_is_partly_written_makes_no_close_unclean(void **state)
{
    (void)state;
    struct stand stand;
    struct hftl_media *mem;
    uint8_t junk[512] = {1};
    const struct stand_shape *shape = stand_shape_named("zoned");
    uint32_t chunk = hftl_media_chunks(&shape->facts) - 1;
    stand_init(&stand, shape);
    stand_detach(&stand);
    mem_shorten(stand.store, chunk, shape->facts.chunk_blocks - 1);
    stand_attach(&stand);
    stand_format(&stand);
    stand_detach(&stand);
    assert_int_equal(mem_attach(stand.store, &mem), HFTL_OK);
    struct blocking b = {mem, &stand.world, NULL, NULL};
    struct hftl_media_op op = {.verb = HFTL_MEDIA_WRITE, .chunk = chunk, .blocks = 1, .data = junk};
    assert_int_equal(blocking_run(&b, &op, 1), HFTL_OK);
    assert_int_equal(blocking_flush(&b), HFTL_OK);
    mem->ops->close(mem);
    stand_attach(&stand);
    for (unsigned i = 0; i < 4; i++) {
        stand.options.read_only = i == 3;
        stand_open(&stand);
        assert_true(stand.device->was_clean);
        if (i < 3)
            stand_write(&stand, i * 7, 9, i + 1);
        stand_close(&stand);
    }
    stand_end(&stand);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clean_close_is_known_as_one),
        cmocka_unit_test(a_clean_record_whose_chunks_do_not_agree_is_not_believed),
        cmocka_unit_test(a_clean_record_is_not_believed_where_other_bands_hold_slots),
        cmocka_unit_test(a_short_chunk_that_is_partly_written_makes_no_close_unclean),
        cmocka_unit_test(a_band_of_another_life_is_not_gone_on_with),
        cmocka_unit_test(a_clean_close_survives_the_power_going_right_after_it),
        cmocka_unit_test(a_close_answers_what_is_in_flight_first),
        cmocka_unit_test(two_hundred_clean_reopens_leak_no_band),
        cmocka_unit_test(reopening_without_a_write_changes_nothing_but_the_superblock),
        cmocka_unit_test(five_hundred_crashes_without_progress_leak_no_band),
        cmocka_unit_test(five_hundred_crashes_with_one_write_each_leak_no_band),
        cmocka_unit_test(five_hundred_deaths_of_the_host_alone_leak_no_band),
        cmocka_unit_test(a_full_device_survives_a_storm_of_crashes),
        cmocka_unit_test(a_close_that_cannot_write_its_record_says_so_and_loses_nothing),
        cmocka_unit_test(a_record_that_says_clean_never_outlives_what_it_vouches_for),
        cmocka_unit_test(what_a_clean_close_flushed_is_known_as_flushed_in_the_next_life),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
