/* SPDX-License-Identifier: BSD-3-Clause */
/* Idle means asleep: an engine with nothing to do runs no round and burns no time. */
#define _GNU_SOURCE
#include "test/front/kit.h"

#include "front/host.h"

#include <sys/resource.h>

static uint64_t settled_rounds(struct hftl_device *device)
{
    uint64_t before, now = host_rounds(device);

    for (unsigned i = 0; i < 100; i++) {
        before = now;
        kit_sleep_ms(20);
        now = host_rounds(device);
        if (now == before)
            return now;
    }
    fail_msg("the engine does not come to rest");
    return 0;
}

static uint64_t burnt_us(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000u +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static unsigned modes[] = {HFTL_OPEN_THREAD, HFTL_OPEN_THREAD | HFTL_OPEN_HELP};

static void an_idle_engine_runs_no_round(void **state)
{
    struct hftl_device *device = kit_open(*(unsigned *)*state);
    struct hftl_channel *channel = hftl_channel_open(device, 8);
    static uint8_t page[HFTL_BLOCK_BYTES];

    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(hftl_write(channel, i, 1, page, 0), HFTL_OK);
    assert_int_equal(hftl_flush(channel), HFTL_OK);
    uint64_t rounds = settled_rounds(device), burnt = burnt_us();
    kit_sleep_ms(500);
    assert_int_equal(host_rounds(device), rounds);
    assert_true(burnt_us() - burnt < 50000);
    assert_int_equal(hftl_close(device), HFTL_OK);
}

static void looking_at_statistics_wakes_nobody(void **state)
{
    struct hftl_device *device = kit_open(HFTL_OPEN_THREAD);
    struct hftl_stats stats = {.size = sizeof stats};
    struct hftl_info info = {.size = sizeof info};
    (void)state;

    uint64_t rounds = settled_rounds(device);
    for (unsigned i = 0; i < 1000; i++) {
        hftl_get_stats(device, &stats);
        hftl_get_info(device, &info);
        hftl_channel_close(hftl_channel_open(device, 4));
    }
    kit_sleep_ms(20);
    assert_int_equal(host_rounds(device), rounds);
    assert_int_equal(hftl_close(device), HFTL_OK);
}

static void waiting_for_a_slow_medium_is_sleep(void **state)
{
    struct hftl_device *device;
    struct hftl_channel *channel;

    if (!stand_has_manners())
        skip();
    stand.delay_ns = 40000000;
    device = kit_open(*(unsigned *)*state);
    channel = hftl_channel_open(device, 8);
    uint64_t rounds = host_rounds(device);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(hftl_flush(channel), HFTL_OK);
    /* Each costs a round to take it, one to answer, and now and then one too many. */
    assert_true(host_rounds(device) - rounds <= 50);
    assert_int_equal(hftl_close(device), HFTL_OK);
    kit_reset_manners();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(an_idle_engine_runs_no_round, &modes[0]),
        cmocka_unit_test_prestate(an_idle_engine_runs_no_round, &modes[1]),
        cmocka_unit_test(looking_at_statistics_wakes_nobody),
        cmocka_unit_test_prestate(waiting_for_a_slow_medium_is_sleep, &modes[0]),
        cmocka_unit_test_prestate(waiting_for_a_slow_medium_is_sleep, &modes[1]),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
