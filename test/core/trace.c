/* SPDX-License-Identifier: BSD-3-Clause */
/* What happened can be followed from its records; and watching is all that it changes. */
#include "test/core/stand.h"

#include <string.h>

#define RECORDS 4096u

struct seen {
    struct hftl_trace_record records[RECORDS];
    size_t count;
};

/* One at a time for all tests: it is large. */
static struct seen seen;

static void look(struct stand *stand, struct recorder_cursor *cursor)
{
    seen.count = recorder_read(device_recorder(stand->device), cursor,
                               (uint64_t(*)[RECORDER_WORDS])seen.records, RECORDS);
}

static const struct hftl_trace_record *find(enum hftl_trace_point point, uint64_t id)
{
    for (size_t i = 0; i < seen.count; i++)
        if (seen.records[i].point == point && (id == 0 || seen.records[i].id == id))
            return &seen.records[i];
    return NULL;
}

static size_t count(enum hftl_trace_point point)
{
    size_t n = 0;
    for (size_t i = 0; i < seen.count; i++)
        n += seen.records[i].point == point;
    return n;
}

static void begin(struct stand *stand, const char *shape, uint64_t mask)
{
    stand_init(stand, stand_shape_named(shape));
    stand->options.trace_records = RECORDS - 1; /* rounded up */
    stand->options.trace_mask = mask;
    stand_format(stand);
    stand_open(stand);
}

static const char *first_shape(void)
{
    return stand_shape(0)->name;
}

static void the_events_of_a_request_have_its_number(void **state)
{
    struct stand stand;
    struct recorder_cursor cursor = {0};
    const struct hftl_trace_record *accept, *end, *fill;
    (void)state;
    begin(&stand, first_shape(), 0);
    recorder_want(device_recorder(stand.device), HFTL_TRACE_ALL);
    stand_write(&stand, 7, 2, 1);
    look(&stand, &cursor);
    accept = find(HFTL_TRACE_WRITE_ACCEPT, 0);
    assert_non_null(accept);
    assert_int_equal(accept->at, 7);
    assert_int_equal(accept->argument, 2);
    fill = find(HFTL_TRACE_WRITE_FILL, accept->id);
    assert_non_null(fill);
    assert_int_equal(fill->at, 7);
    assert_int_equal(fill->argument, map_get(stand.device, (hftl_lba){7}).n);
    end = find(HFTL_TRACE_REQUEST_END, accept->id);
    assert_non_null(end);
    assert_int_equal(end->argument, HFTL_OK);
    assert_true(accept->time_ns <= fill->time_ns && fill->time_ns <= end->time_ns);
    stand_expect(&stand, 7, 1, 1);
    look(&stand, &cursor);
    assert_non_null(find(HFTL_TRACE_READ_ACCEPT, 0));
    assert_non_null(find(HFTL_TRACE_READ_BUFFER, find(HFTL_TRACE_READ_ACCEPT, 0)->id));
    stand_expect(&stand, 100, 1, 0);
    look(&stand, &cursor);
    assert_int_equal(find(HFTL_TRACE_READ_ZEROES, 0)->at, 100);
    stand_end(&stand);
}

static void a_read_of_the_medium_is_followed_to_its_landing(void **state)
{
    struct stand stand;
    struct recorder_cursor cursor = {0};
    const struct hftl_trace_record *submit, *land;
    (void)state;
    begin(&stand, first_shape(), 0);
    stand_write_all(&stand, 1);
    recorder_want(device_recorder(stand.device), HFTL_TRACE_ALL);
    stand_expect(&stand, 3, 1, 1);
    look(&stand, &cursor);
    submit = find(HFTL_TRACE_READ_SUBMIT, find(HFTL_TRACE_READ_ACCEPT, 0)->id);
    assert_non_null(submit);
    land = find(HFTL_TRACE_READ_LAND, submit->id);
    assert_non_null(land);
    assert_int_equal(land->at, submit->at);
    assert_int_equal(submit->argument, 1);
    assert_int_equal(land->argument, HFTL_OK);
    stand_end(&stand);
}

static void a_flush_shows_its_round_and_the_writes_in_it(void **state)
{
    struct stand stand;
    struct recorder_cursor cursor = {0};
    (void)state;
    begin(&stand, first_shape(), HFTL_TRACE_ALL);
    look(&stand, &cursor); /* the opening */
    stand_write(&stand, 0, 1, 1);
    stand_trim(&stand, 5, 1);
    stand_flush(&stand);
    look(&stand, &cursor);
    static const enum hftl_trace_point there[] = {
        HFTL_TRACE_FLUSH_ACCEPT, HFTL_TRACE_FLUSH_BEGIN, HFTL_TRACE_WRITE_SUBMIT,
        HFTL_TRACE_WRITE_LAND,   HFTL_TRACE_SYNC_SUBMIT, HFTL_TRACE_SYNC_LAND,
        HFTL_TRACE_FLUSH_END,    HFTL_TRACE_TRIM_ACCEPT, HFTL_TRACE_META_FILL,
        HFTL_TRACE_BAND_STATE,
    };
    for (unsigned i = 0; i < sizeof there / sizeof there[0]; i++)
        if (find(there[i], 0) == NULL)
            fail_msg("no %s", hftl_trace_name(there[i]));
    assert_int_equal(find(HFTL_TRACE_FLUSH_BEGIN, 0)->id, find(HFTL_TRACE_FLUSH_END, 0)->id);
    assert_int_equal(count(HFTL_TRACE_WRITE_SUBMIT), count(HFTL_TRACE_WRITE_LAND));
    stand_end(&stand);
}

static bool has_erased(struct stand *stand)
{
    return stand->device->stats.bands_erased > 2;
}

static void cleaning_shows_victims_moves_and_erases(void **state)
{
    struct stand stand;
    struct recorder_cursor cursor = {0};
    uint64_t cleaning = 0;
    (void)state;
    begin(&stand, first_shape(), 0);
    stand.unchecked = true;
    stand_write_all(&stand, 1);
    for (unsigned point = 0; point < HFTL_TRACE_COUNT; point++)
        if (point == HFTL_TRACE_VICTIM_BEGIN || point == HFTL_TRACE_VICTIM_END ||
            point == HFTL_TRACE_ERASE_SUBMIT || point == HFTL_TRACE_ERASE_LAND)
            cleaning |= UINT64_C(1) << point;
    recorder_want(device_recorder(stand.device), cleaning);
    assert_true(stand_churn(&stand, 0, 200000, has_erased));
    stand_settle(&stand);
    look(&stand, &cursor);
    assert_true(count(HFTL_TRACE_VICTIM_BEGIN) > 0);
    assert_int_equal(count(HFTL_TRACE_VICTIM_BEGIN), count(HFTL_TRACE_VICTIM_END));
    assert_int_equal(count(HFTL_TRACE_ERASE_SUBMIT), count(HFTL_TRACE_ERASE_LAND));
    assert_int_equal(find(HFTL_TRACE_VICTIM_END, find(HFTL_TRACE_VICTIM_BEGIN, 0)->id)->at,
                     find(HFTL_TRACE_VICTIM_BEGIN, 0)->at);
    assert_int_equal(seen.count, count(HFTL_TRACE_VICTIM_BEGIN) + count(HFTL_TRACE_VICTIM_END) +
                                     count(HFTL_TRACE_ERASE_SUBMIT) +
                                     count(HFTL_TRACE_ERASE_LAND)); /* the mask is kept to */
    stand_end(&stand);
}

static void opening_shows_its_steps(void **state)
{
    struct stand stand;
    struct recorder_cursor cursor = {0};
    (void)state;
    begin(&stand, first_shape(), HFTL_TRACE_ALL);
    look(&stand, &cursor);
    assert_true(count(HFTL_TRACE_RECOVERY_STEP) >= 8);
    for (size_t i = 0; i < seen.count; i++)
        if (seen.records[i].point == HFTL_TRACE_RECOVERY_STEP)
            assert_int_equal(seen.records[i].argument, HFTL_OK);
    stand_end(&stand);
}

static void turning_read_only_is_seen(void **state)
{
    struct stand stand;
    struct recorder_cursor cursor = {0};
    (void)state;
    begin(&stand, first_shape(), HFTL_TRACE_ALL);
    stand_write(&stand, 0, 1, 1);
    tap_fail(stand.tap, HFTL_MEDIA_WRITE, ANY_CHUNK, 1, HFTL_IO);
    (void)stand_do(&stand, HFTL_FLUSH, 0, 0, 0, NULL);
    look(&stand, &cursor);
    assert_non_null(find(HFTL_TRACE_DEGRADED, 0));
    assert_int_equal(find(HFTL_TRACE_DEGRADED, 0)->argument, HFTL_IO);
    (void)stand_try_close(&stand);
    stand_end(&stand);
}

static void nothing_is_kept_when_it_is_off(void **state)
{
    struct stand stand;
    struct recorder_cursor cursor = {0};
    (void)state;
    begin(&stand, first_shape(), 0);
    stand_write(&stand, 0, 4, 1);
    stand_flush(&stand);
    look(&stand, &cursor);
    assert_int_equal(seen.count, 0);
    stand_end(&stand);
}

/* What a device does is the same whoever watches: as many operations, of the same blocks. */
static void watching_changes_nothing(void **state)
{
    struct hftl_stats stats[2];
    (void)state;
    for (unsigned watched = 0; watched < 2; watched++) {
        struct stand stand;
        begin(&stand, first_shape(), watched ? HFTL_TRACE_ALL : 0);
        stand.unchecked = true;
        stand_write_all(&stand, 1);
        for (uint64_t i = 0; i < 600; i++)
            stand_write(&stand, i * 13 % stand.expected_count, 1, i);
        stand_flush(&stand);
        stand_settle(&stand);
        device_get_stats(stand.device, &stats[watched]);
        stats[watched].stall_ns = 0;
        stats[watched].trace_recorded = stats[watched].trace_overwritten = 0;
        stand_end(&stand);
    }
    assert_memory_equal(&stats[0], &stats[1], sizeof stats[0]);
}

static void every_point_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (unsigned a = 0; a < HFTL_TRACE_COUNT; a++)
        for (unsigned b = 0; b < a; b++)
            assert_string_not_equal(hftl_trace_name(a), hftl_trace_name(b));
    assert_null(hftl_trace_name(HFTL_TRACE_COUNT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_events_of_a_request_have_its_number),
        cmocka_unit_test(a_read_of_the_medium_is_followed_to_its_landing),
        cmocka_unit_test(a_flush_shows_its_round_and_the_writes_in_it),
        cmocka_unit_test(cleaning_shows_victims_moves_and_erases),
        cmocka_unit_test(opening_shows_its_steps),
        cmocka_unit_test(turning_read_only_is_seen),
        cmocka_unit_test(nothing_is_kept_when_it_is_off),
        cmocka_unit_test(watching_changes_nothing),
        cmocka_unit_test(every_point_has_a_name_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
