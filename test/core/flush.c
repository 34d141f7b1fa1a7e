/* SPDX-License-Identifier: BSD-3-Clause */
/* Flush: what it covers, how often, in which order, and what happens when it fails. */
#include "test/core/stand.h"

#include <string.h>

static void survives_every_cut_once_its_flush_is_answered(void **state)
{
    (void)state;
    for (unsigned shape = 0; shape < stand_shapes(); shape++)
        for (uint64_t seed = 1; seed <= 6; seed++) {
            struct stand stand;
            stand_begin(&stand, stand_shape(shape)->name);
            stand_write(&stand, 3, 20, 1);
            stand_trim(&stand, 5, 4);
            stand_flush(&stand);
            stand_write(&stand, 40, 20, 2); /* not covered: these may be lost */
            stand_crash(&stand, true, seed);
            stand_open(&stand);
            stand_expect(&stand, 3, 2, 1);
            stand_expect(&stand, 5, 4, 0);
            stand_expect(&stand, 9, 14, 1);
            stand_end(&stand);
        }
}

static void a_write_with_fua_is_answered_when_it_is_durable(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct stand stand;
        struct ask ask;
        uint8_t data[512];
        stand_begin(&stand, "bare");
        stand_fill(&stand, data, 7, 1, 1);
        tap_hold(stand.tap, HFTL_MEDIA_FLUSH);
        stand_ask(&stand, &ask, HFTL_WRITE, HFTL_FUA, 7, 1, data);
        stand_settle(&stand);
        assert_false(ask.answered);
        tap_release(stand.tap);
        assert_int_equal(stand_wait(&stand, &ask), HFTL_OK);
        stand_crash(&stand, true, seed);
        stand_open(&stand);
        stand_expect(&stand, 7, 1, 1);
        stand_end(&stand);
    }
}

static void a_trim_with_fua_is_durable_too(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct stand stand;
        stand_begin(&stand, "three PUs");
        stand_write(&stand, 0, 30, 1);
        stand_flush(&stand);
        enum hftl_verb verb = seed % 2 == 0 ? HFTL_TRIM : HFTL_WRITE_ZEROES;
        assert_int_equal(stand_do(&stand, verb, HFTL_FUA, 10, 5, NULL), HFTL_OK);
        stand_crash(&stand, true, seed);
        stand_open(&stand);
        stand_expect(&stand, 0, 10, 1);
        stand_expect(&stand, 10, 5, 0);
        stand_expect(&stand, 15, 15, 1);
        stand_end(&stand);
    }
}

static void covers_what_was_acknowledged_before_and_not_what_came_meanwhile(void **state)
{
    (void)state;
    struct stand stand;
    struct ask flush;
    stand_begin(&stand, "two PUs");
    struct device *device = stand.device;
    stand_write(&stand, 0, 10, 1);
    uint64_t before = device->user_clock;
    tap_hold(stand.tap, HFTL_MEDIA_FLUSH);
    stand_ask(&stand, &flush, HFTL_FLUSH, 0, 0, 0, NULL);
    stand_settle(&stand);
    stand_write(&stand, 20, 10, 2);
    assert_false(flush.answered);
    assert_int_equal(device->user_durable, 0);
    tap_release(stand.tap);
    assert_int_equal(stand_wait(&stand, &flush), HFTL_OK);
    assert_int_equal(device->user_durable, before); /* F1 */
    assert_true(device->user_durable < device->user_clock);
    stand_flush(&stand);
    assert_int_equal(device->user_durable, device->user_clock);
    stand_end(&stand);
}

static void flushes_that_come_together_ride_together(void **state)
{
    (void)state;
    struct stand stand;
    struct ask asks[9];
    stand_begin(&stand, "two PUs");
    stand_write(&stand, 0, 3, 1);
    tap_clear(stand.tap);
    for (unsigned i = 0; i < 5; i++)
        stand_ask(&stand, &asks[i], HFTL_FLUSH, 0, 0, 0, NULL);
    tap_hold(stand.tap, HFTL_MEDIA_FLUSH);
    stand_settle(&stand);
    for (unsigned i = 5; i < 9; i++) /* too late for the first round */
        stand_ask(&stand, &asks[i], HFTL_FLUSH, 0, 0, 0, NULL);
    stand_settle(&stand);
    assert_int_equal(tap_count(stand.tap, HFTL_MEDIA_FLUSH), 1);
    tap_release(stand.tap);
    tap_hold(stand.tap, HFTL_MEDIA_FLUSH);
    stand_settle(&stand);
    for (unsigned i = 0; i < 9; i++)
        assert_int_equal(asks[i].answered, i < 5);
    tap_release(stand.tap);
    stand_settle(&stand);
    for (unsigned i = 0; i < 9; i++)
        assert_int_equal(asks[i].request.status, HFTL_OK);
    assert_int_equal(tap_count(stand.tap, HFTL_MEDIA_FLUSH), 2);
    stand_end(&stand);
}

/* W data, F flush, P a write after the first flush: the pages. */
static void note_order(const struct stand *stand, char *order, size_t room)
{
    size_t used = 0;
    for (uint32_t i = 0; i < stand->tap->note_count && used + 1 < room; i++) {
        enum hftl_media_verb verb = stand->tap->notes[i].verb;
        char letter = verb == HFTL_MEDIA_FLUSH ? 'F' : verb == HFTL_MEDIA_WRITE ? 'W' : '?';
        if (used == 0 || order[used - 1] != letter)
            order[used++] = letter;
    }
    order[used] = '\0';
}

static void a_flush_with_trims_is_data_flush_pages_flush(void **state)
{
    (void)state;
    struct stand stand;
    char order[16];
    stand_begin(&stand, "two PUs");
    stand_write(&stand, 0, 7, 1);
    stand_trim(&stand, 2, 2);
    tap_clear(stand.tap);
    stand_flush(&stand);
    note_order(&stand, order, sizeof(order));
    assert_string_equal(order, "WFWF");
    assert_int_equal(stand.device->map.dirty_count, 0);
    tap_clear(stand.tap);
    stand_write(&stand, 0, 7, 2);
    stand_flush(&stand); /* no trim, no page */
    note_order(&stand, order, sizeof(order));
    assert_string_equal(order, "WF");
    stand_end(&stand);
}

/* O2: a write that comes while the round is under way has the page wait for it, and a write that
 * comes then waits for the page. */
static void a_page_waits_for_volatile_writes_and_then_holds_writes_to_its_range(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct stand stand;
        struct ask flush, late;
        uint8_t data[512];
        stand_begin(&stand, "two PUs");
        struct device *device = stand.device;
        stand_write(&stand, 0, 8, 1);
        stand_trim(&stand, 1, 3);
        tap_hold(stand.tap, HFTL_MEDIA_FLUSH);
        stand_ask(&stand, &flush, HFTL_FLUSH, 0, 0, 0, NULL);
        stand_settle(&stand);
        stand_write(&stand, 2, 1, 2); /* volatile, in the range of the page */
        tap_release(stand.tap);
        tap_hold(stand.tap, HFTL_MEDIA_FLUSH);
        stand_settle(&stand);
        assert_true(device->flush.holding);
        assert_true(map_is_none(map_page(device, 0)));
        assert_false(flush.answered);
        stand_fill(&stand, data, 3, 1, 3);
        stand_ask(&stand, &late, HFTL_WRITE, 0, 3, 1, data);
        stand_settle(&stand);
        assert_false(late.answered);
        tap_release(stand.tap);
        assert_int_equal(stand_wait(&stand, &flush), HFTL_OK);
        assert_int_equal(stand_wait(&stand, &late), HFTL_OK);
        assert_false(device->flush.holding);
        assert_false(map_is_none(map_page(device, 0)));
        assert_int_equal(device->map.dirty_count, 0);
        if (seed % 2 == 0)
            stand_flush(&stand);
        stand_crash(&stand, true, seed);
        stand_open(&stand);
        stand_expect(&stand, 1, 1, 0);
        stand_expect(&stand, 2, 1, 2); /* the page does not outrank it */
        if (seed % 2 == 0)
            stand_expect(&stand, 3, 1, 3); /* nor this, which took its seq after the page */
        stand_expect(&stand, 4, 4, 1);
        stand_end(&stand);
    }
}

static void trims_and_writes_of_all_ranges_come_back_right(void **state)
{
    (void)state;
    struct stand_shape shape = *stand_shape_named("two PUs");
    struct stand stand;
    shape.facts.chunks_per_pu = 200; /* several trim ranges */
    stand_init(&stand, &shape);
    stand_format(&stand);
    stand_open(&stand);
    stand.unchecked = true;
    assert_true(stand.device->geometry.ranges >= 3);
    stand_write_all(&stand, 1);
    uint32_t range_blocks = stand.device->geometry.trim_lbas;
    stand_trim(&stand, range_blocks - 10, 20); /* across a border */
    stand_trim(&stand, stand.expected_count - 3, 3);
    stand_flush(&stand);
    stand_write(&stand, range_blocks - 1, 2, 2);
    stand_flush(&stand);
    stand_crash(&stand, true, 5);
    stand_open(&stand);
    stand_verify(&stand);
    stand_end(&stand);
}

/* F1: a trim that comes while the round is under way, of a range that gets no page in it, is not
 * durable when the round is answered. The band that it emptied is kept, or after a cut a version
 * older than the one trimmed would be back. */
static void a_trim_of_another_range_while_pages_are_made_is_not_called_durable(void **state)
{
    (void)state;
    struct stand_shape shape = *stand_shape_named("two PUs");
    struct stand stand;
    struct ask flush;
    uint32_t position;
    shape.facts.chunks_per_pu = 200; /* several trim ranges */
    stand_init(&stand, &shape);
    stand_format(&stand);
    stand_open(&stand);
    struct device *device = stand.device;
    uint64_t first = device->geometry.trim_lbas, blocks = 400;
    stand_write(&stand, 0, 2, 1);
    stand_write(&stand, first, blocks, 1);
    for (uint64_t i = 0; i < blocks; i += 2) /* the older versions' bands stay half valid */
        stand_write(&stand, first + i, 1, 2);
    stand_flush(&stand);
    stand_settle(&stand);
    struct band *band = stand_band_of(&stand, first + blocks / 2, &position);
    assert_int_equal(band->state, BAND_CLOSED);
    stand_trim(&stand, 0, 1); /* this range gets a page */
    tap_hold(stand.tap, HFTL_MEDIA_FLUSH);
    stand_ask(&stand, &flush, HFTL_FLUSH, 0, 0, 0, NULL);
    stand_settle(&stand);
    assert_int_equal(device->flush.errand.in_flight, 1);
    for (uint64_t lba = first; lba < first + blocks; lba += 2)
        if (stand_band_of(&stand, lba, &position) == band)
            stand_trim(&stand, lba, 1);
    assert_int_equal(band->state, BAND_EMPTIED);
    tap_release(stand.tap);
    assert_int_equal(stand_wait(&stand, &flush), HFTL_OK);
    stand_settle(&stand);
    assert_int_equal(device->map.dirty_count, 1);
    assert_true(device->user_durable < band->user_mark);
    assert_int_equal(band->state, BAND_EMPTIED);
    stand_crash(&stand, true, 1);
    stand_open(&stand);
    for (uint64_t lba = first; lba < first + blocks; lba += 2)
        if (stand.expected[lba] == 2 || !map_is_none(map_get(stand.device, (hftl_lba){lba})))
            stand_expect(&stand, lba, 1, 2); /* or trimmed, and never the version before */
    stand_end(&stand);
}

static void a_flush_that_fails_fails_all_riders_and_every_later_one(void **state)
{
    (void)state;
    struct stand stand;
    struct ask asks[3];
    uint8_t data[512] = {0};
    stand_begin(&stand, "two PUs");
    stand_write(&stand, 0, 4, 1);
    stand_flush(&stand);
    stand_write(&stand, 4, 4, 1);
    stand_fill(&stand, data, 9, 1, 1);
    stand_ask(&stand, &asks[0], HFTL_FLUSH, 0, 0, 0, NULL);
    stand_ask(&stand, &asks[1], HFTL_FLUSH, 0, 0, 0, NULL);
    stand_ask(&stand, &asks[2], HFTL_WRITE, HFTL_FUA, 9, 1, data);
    tap_fail(stand.tap, HFTL_MEDIA_FLUSH, ANY_CHUNK, 1, HFTL_IO);
    stand_settle(&stand);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(asks[i].answered);
        assert_int_equal(asks[i].request.status, HFTL_IO);
    }
    for (unsigned i = 0; i < 3; i++) /* sticky (C8), though the medium flushes again */
        assert_int_equal(stand_do(&stand, HFTL_FLUSH, 0, 0, 0, NULL), HFTL_FLUSH_FAILED);
    assert_int_equal(stand_do(&stand, HFTL_WRITE, 0, 0, 1, data), HFTL_READ_ONLY);
    assert_int_equal(stand_do(&stand, HFTL_TRIM, 0, 0, 1, NULL), HFTL_READ_ONLY);
    stand_expect(&stand, 0, 8, 1); /* what is there can be read */
    struct hftl_info info;
    device_get_info(stand.device, &info);
    assert_true(info.read_only);
    assert_non_null(strstr(info.reason, "flushing the medium"));
    assert_int_not_equal(stand_try_close(&stand), HFTL_OK);
    stand_open(&stand);
    assert_false(stand.device->was_clean);
    stand_expect(&stand, 0, 4, 1);
    stand_flush(&stand);
    stand_end(&stand);
}

static void a_failed_write_ends_writing_but_not_reading(void **state)
{
    (void)state;
    struct stand stand;
    struct ask ask;
    stand_begin(&stand, "two PUs");
    stand_write(&stand, 0, 8, 1);
    stand_flush(&stand);
    stand_write(&stand, 0, 3, 2);
    tap_fail(stand.tap, HFTL_MEDIA_WRITE, ANY_CHUNK, 1, HFTL_IO);
    stand_ask(&stand, &ask, HFTL_FLUSH, 0, 0, 0, NULL);
    assert_int_equal(stand_wait(&stand, &ask), HFTL_IO);
    assert_int_equal(stand.device->stats.write_errors, 1);
    assert_int_equal(stand_do(&stand, HFTL_FLUSH, 0, 0, 0, NULL), HFTL_FLUSH_FAILED);
    stand_expect(&stand, 0, 3, 2); /* from the buffer */
    stand_expect(&stand, 3, 5, 1);
    assert_int_not_equal(stand_try_close(&stand), HFTL_OK);
    stand_open(&stand);
    stand_expect(&stand, 3, 5, 1);
    stand_write(&stand, 0, 8, 3);
    stand_reopen(&stand);
    stand_verify(&stand);
    stand_end(&stand);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(survives_every_cut_once_its_flush_is_answered),
        cmocka_unit_test(a_write_with_fua_is_answered_when_it_is_durable),
        cmocka_unit_test(a_trim_with_fua_is_durable_too),
        cmocka_unit_test(covers_what_was_acknowledged_before_and_not_what_came_meanwhile),
        cmocka_unit_test(flushes_that_come_together_ride_together),
        cmocka_unit_test(a_flush_with_trims_is_data_flush_pages_flush),
        cmocka_unit_test(a_page_waits_for_volatile_writes_and_then_holds_writes_to_its_range),
        cmocka_unit_test(trims_and_writes_of_all_ranges_come_back_right),
        cmocka_unit_test(a_trim_of_another_range_while_pages_are_made_is_not_called_durable),
        cmocka_unit_test(a_flush_that_fails_fails_all_riders_and_every_later_one),
        cmocka_unit_test(a_failed_write_ends_writing_but_not_reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
