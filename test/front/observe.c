/* SPDX-License-Identifier: BSD-3-Clause */
/* Looking into a device from outside: by any thread, while it works or sleeps. */
#define _GNU_SOURCE
#include "test/front/kit.h"

#include <hostftl/observe.h>

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void latencies_are_of_the_requests_that_were_made(void **state)
{
    struct hftl_device *device = kit_open(HFTL_OPEN_THREAD);
    struct hftl_channel *channel = hftl_channel_open(device, 4);
    struct hftl_latency latency = {.size = sizeof latency};
    static uint8_t data[HFTL_BLOCK_BYTES];
    (void)state;

    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(hftl_write(channel, i, 1, data, 0), HFTL_OK);
    hftl_get_latency(device, HFTL_WRITE, &latency);
    assert_int_equal(latency.count, 3);
    hftl_get_latency(device, HFTL_READ, &latency);
    assert_int_equal(latency.count, 0);
    latency.count = 77;
    hftl_get_latency(device, HFTL_VERB_COUNT, &latency); /* no such verb: nothing is known of it */
    assert_int_equal(latency.count, 0);
    latency.size = offsetof(struct hftl_latency, max_ns); /* an older caller's */
    latency.max_ns = 77;
    hftl_get_latency(device, HFTL_WRITE, &latency);
    assert_true(latency.count == 3 && latency.max_ns == 77);
    hftl_channel_close(channel);
    assert_int_equal(hftl_close(device), HFTL_OK);
}

static void bands_and_the_check_can_be_asked_for(void **state)
{
    struct hftl_device *device = kit_open(HFTL_OPEN_THREAD);
    struct hftl_bands bands = {.size = sizeof bands};
    char why[200] = "before";
    (void)state;

    hftl_get_bands(device, &bands);
    assert_true(bands.count[HFTL_BAND_FREE] > 0);
    assert_int_equal(hftl_check(device, why, sizeof why), HFTL_OK);
    assert_string_equal(why, "");
    assert_int_equal(hftl_check(device, NULL, 0), HFTL_OK);
    assert_int_equal(hftl_check(NULL, why, sizeof why), HFTL_INVALID);
    assert_int_equal(hftl_close(device), HFTL_OK);
}

static void only_points_that_there_are_can_be_traced(void **state)
{
    struct hftl_device *device = kit_open(HFTL_OPEN_THREAD);
    struct hftl_open_options options;
    struct hftl_trace_cursor cursor = {0};
    (void)state;

    assert_int_equal(hftl_trace_get(device), 0);
    assert_int_equal(hftl_trace_set(device, HFTL_TRACE_ALL), HFTL_OK);
    assert_true(hftl_trace_get(device) == HFTL_TRACE_ALL);
    assert_int_equal(hftl_trace_set(device, HFTL_TRACE_ALL + 1), HFTL_INVALID);
    assert_true(hftl_trace_get(device) == HFTL_TRACE_ALL);
    assert_int_equal(hftl_trace_set(device, 0), HFTL_OK);
    assert_int_equal(hftl_trace_read(device, NULL, NULL, 0), 0);
    assert_int_equal(hftl_trace_read(device, &cursor, NULL, 1), 0);
    assert_int_equal(hftl_close(device), HFTL_OK);
    hftl_open_options_init(&options);
    options.trace_mask = HFTL_TRACE_ALL + 1;
    char why[200];
    assert_int_equal(hftl_open("nowhere", &options, &device, why, sizeof why), HFTL_INVALID);
    options.trace_mask = 0;
    options.trace_records = HFTL_TRACE_RECORDS_MAX + 1;
    assert_int_equal(hftl_open("nowhere", &options, &device, why, sizeof why), HFTL_INVALID);
}

struct watcher {
    struct hftl_device *device;
    atomic_bool stop;
    uint64_t records, lost;
};

static void *watch(void *arg)
{
    struct watcher *watcher = arg;
    struct hftl_trace_cursor cursor = {0};
    struct hftl_trace_record records[300];
    struct hftl_bands bands = {.size = sizeof bands};
    struct hftl_latency latency = {.size = sizeof latency};

    while (!atomic_load(&watcher->stop)) {
        size_t got = hftl_trace_read(watcher->device, &cursor, records, 300);
        for (size_t i = 0; i < got; i++)
            must_show(hftl_trace_name(records[i].point) != NULL, records[i].point, i);
        watcher->records += got;
        hftl_get_bands(watcher->device, &bands);
        hftl_get_latency(watcher->device, HFTL_WRITE, &latency);
    }
    watcher->lost = cursor.lost;
    return NULL;
}

static void watching_from_another_thread_disturbs_nobody(void **state)
{
    struct hftl_device *device = kit_open(HFTL_OPEN_THREAD);
    struct hftl_channel *channel = hftl_channel_open(device, 4);
    struct watcher watcher = {.device = device};
    static uint8_t data[HFTL_BLOCK_BYTES];
    pthread_t thread;
    (void)state;

    assert_int_equal(hftl_trace_set(device, HFTL_TRACE_ALL), HFTL_OK);
    assert_int_equal(pthread_create(&thread, NULL, watch, &watcher), 0);
    for (unsigned i = 0; i < 2000; i++)
        assert_int_equal(hftl_write(channel, i % 16, 1, data, 0), HFTL_OK);
    assert_int_equal(hftl_flush(channel), HFTL_OK);
    atomic_store(&watcher.stop, true);
    pthread_join(thread, NULL);
    hftl_channel_close(channel);
    assert_int_equal(hftl_close(device), HFTL_OK);
}

static void the_management_socket_is_beside_the_drive(void **state)
{
    char folder[] = "/tmp/hostftl-observe-XXXXXX", path[PATH_MAX], link[PATH_MAX], rpc[200];
    char expected[PATH_MAX + 8];
    (void)state;

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/drive", folder);
    snprintf(link, sizeof link, "%s/link", folder);
    snprintf(expected, sizeof expected, "%s/drive.rpc", folder);
    assert_int_equal(hftl_rpc_path(path, rpc, sizeof rpc), HFTL_ABSENT);
    fclose(fopen(path, "w"));
    assert_int_equal(hftl_rpc_path(path, rpc, sizeof rpc), HFTL_OK);
    assert_string_equal(rpc, expected);
    assert_int_equal(symlink(path, link), 0); /* one device, one socket */
    assert_int_equal(hftl_rpc_path(link, rpc, sizeof rpc), HFTL_OK);
    assert_string_equal(rpc, expected);
    strcat(link, "#name");
    snprintf(expected, sizeof expected, "%s/drive#name.rpc", folder);
    assert_int_equal(hftl_rpc_path(link, rpc, sizeof rpc), HFTL_OK);
    assert_string_equal(rpc, expected);
    assert_int_equal(hftl_rpc_path(path, rpc, 10), HFTL_RANGE);
    assert_int_equal(hftl_rpc_path(NULL, rpc, sizeof rpc), HFTL_INVALID);
    snprintf(expected, sizeof expected, "%s/%0100d", folder, 7);
    fclose(fopen(expected, "w"));
    assert_int_equal(hftl_rpc_path(expected, rpc, sizeof rpc), HFTL_RANGE);
    unlink(expected);
    *strrchr(link, '#') = 0;
    unlink(link);
    unlink(path);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(latencies_are_of_the_requests_that_were_made),
        cmocka_unit_test(bands_and_the_check_can_be_asked_for),
        cmocka_unit_test(only_points_that_there_are_can_be_traced),
        cmocka_unit_test(watching_from_another_thread_disturbs_nobody),
        cmocka_unit_test(the_management_socket_is_beside_the_drive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
