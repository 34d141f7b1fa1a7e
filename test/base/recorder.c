/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/recorder.h"
#include "test/unit.h"

#include <pthread.h>
#include <string.h>

#define CAPACITY 64u

static struct recorder_slot slots[CAPACITY];
static struct recorder recorder;

/* Record n holds five words that all follow from n. */
static void add(uint64_t n)
{
    const uint64_t words[RECORDER_WORDS] = {n, n * 3, n * 5, n * 7, n * 11};
    recorder_add(&recorder, words);
}

static void is_record(const uint64_t words[RECORDER_WORDS], uint64_t n)
{
    static const uint64_t factors[RECORDER_WORDS] = {1, 3, 5, 7, 11};
    for (unsigned i = 0; i < RECORDER_WORDS; i++)
        assert_int_equal(words[i], n * factors[i]);
}

static void begin(void)
{
    memset(slots, 0, sizeof slots);
    recorder_init(&recorder, slots, CAPACITY);
}

static void gives_each_record_once_and_in_order(void **state)
{
    struct recorder_cursor cursor = {0};
    uint64_t got[10][RECORDER_WORDS];
    (void)state;
    begin();
    assert_int_equal(recorder_read(&recorder, &cursor, got, 10), 0);
    for (uint64_t n = 0; n < 25; n++)
        add(n);
    for (uint64_t n = 0; n < 25;) {
        size_t count = recorder_read(&recorder, &cursor, got, 10);
        assert_int_equal(count, n < 20 ? 10 : 5);
        for (size_t i = 0; i < count; i++)
            is_record(got[i], n++);
    }
    assert_int_equal(recorder_read(&recorder, &cursor, got, 10), 0);
    assert_int_equal(cursor.lost, 0);
}

static void counts_what_was_overwritten(void **state)
{
    struct recorder_cursor slow = {0}, late = {0};
    uint64_t got[CAPACITY + 1][RECORDER_WORDS];
    (void)state;
    begin();
    for (uint64_t n = 0; n < 10; n++)
        add(n);
    assert_int_equal(recorder_read(&recorder, &slow, got, 4), 4);
    for (uint64_t n = 10; n < 200; n++)
        add(n);
    assert_int_equal(recorder_read(&recorder, &slow, got, CAPACITY + 1), CAPACITY);
    is_record(got[0], 200 - CAPACITY);
    is_record(got[CAPACITY - 1], 199);
    assert_int_equal(slow.lost, 200 - CAPACITY - 4);
    assert_int_equal(recorder_read(&recorder, &late, got, CAPACITY + 1), CAPACITY);
    assert_int_equal(late.lost, 200 - CAPACITY);
    uint64_t overwritten;
    assert_int_equal(recorder_count(&recorder, &overwritten), 200);
    assert_int_equal(overwritten, 200 - CAPACITY);
}

static void a_cursor_from_nowhere_reads_what_comes_next(void **state)
{
    struct recorder_cursor cursor = {.next = UINT64_MAX};
    uint64_t got[4][RECORDER_WORDS];
    (void)state;
    begin();
    add(0);
    assert_int_equal(recorder_read(&recorder, &cursor, got, 4), 0);
    add(1);
    assert_int_equal(recorder_read(&recorder, &cursor, got, 4), 1);
    is_record(got[0], 1);
}

static void keeps_nothing_without_memory(void **state)
{
    struct recorder_cursor cursor = {0};
    uint64_t got[4][RECORDER_WORDS];
    (void)state;
    recorder_init(&recorder, NULL, 0);
    add(0);
    assert_int_equal(recorder_read(&recorder, &cursor, got, 4), 0);
    assert_int_equal(cursor.lost, 0);
}

#define WRITTEN 400000u

static void *write_many(void *arg)
{
    for (uint64_t n = 0; n < WRITTEN; n++)
        add(n);
    return arg;
}

/* Readers that race with the writer get whole records, in order, and know of each that they
 * missed. */
static void a_reader_beside_the_writer_never_sees_a_torn_record(void **state)
{
    struct recorder_cursor cursor = {0};
    uint64_t got[16][RECORDER_WORDS], seen = 0, last = 0;
    pthread_t writer;
    (void)state;
    begin();
    assert_int_equal(pthread_create(&writer, NULL, write_many, NULL), 0);
    while (cursor.next < WRITTEN) {
        size_t count = recorder_read(&recorder, &cursor, got, 16);
        for (size_t i = 0; i < count; i++) {
            is_record(got[i], got[i][0]);
            assert_true(seen == 0 || got[i][0] > last);
            last = got[i][0];
            seen++;
        }
    }
    pthread_join(writer, NULL);
    assert_int_equal(seen + cursor.lost, WRITTEN);
    assert_int_equal(last, WRITTEN - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_each_record_once_and_in_order),
        cmocka_unit_test(counts_what_was_overwritten),
        cmocka_unit_test(a_cursor_from_nowhere_reads_what_comes_next),
        cmocka_unit_test(keeps_nothing_without_memory),
        cmocka_unit_test(a_reader_beside_the_writer_never_sees_a_torn_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
