/* SPDX-License-Identifier: BSD-3-Clause */
/* Limits, policy and pause from outside: by any thread, at once, and the engine hears of it. */
#include "test/front/kit.h"

#include "front/host.h"

#include <pthread.h>
#include <string.h>

static struct hftl_limits some_limits(uint32_t percent)
{
    struct hftl_limits limits = {.size = sizeof limits};
    for (unsigned i = 0; i < HFTL_LIMIT_COUNT; i++)
        limits.level[i] = (struct hftl_limit){3 + i, percent};
    return limits;
}

static void limits_are_what_was_set_last(void **state)
{
    struct hftl_device *device = kit_open(HFTL_OPEN_THREAD);
    struct hftl_limits set = some_limits(30), got = {.size = sizeof got};
    char why[200] = "before";
    (void)state;

    assert_int_equal(hftl_set_limits(device, &set, why, sizeof why), HFTL_OK);
    assert_string_equal(why, "");
    hftl_get_limits(device, &got);
    assert_memory_equal(&got, &set, sizeof got);
    set.level[HFTL_LIMIT_START].percent = 101;
    assert_int_equal(hftl_set_limits(device, &set, why, sizeof why), HFTL_INVALID);
    assert_true(strlen(why) > 5);
    assert_int_equal(hftl_set_limits(device, &set, NULL, 0), HFTL_INVALID);
    hftl_get_limits(device, &got);
    assert_int_equal(got.level[HFTL_LIMIT_START].percent, 30);
    assert_int_equal(hftl_close(device), HFTL_OK);
}

static void a_struct_of_another_size_is_not_guessed_at(void **state)
{
    struct hftl_device *device = kit_open(HFTL_OPEN_THREAD);
    struct hftl_limits set = some_limits(30);
    struct {
        struct hftl_limits limits;
        uint64_t more;
    } newer = {some_limits(40), 0};
    char why[200];
    (void)state;

    set.size = sizeof set - 1;
    assert_int_equal(hftl_set_limits(device, &set, why, sizeof why), HFTL_INVALID);
    set.size = 0;
    assert_int_equal(hftl_set_limits(device, &set, why, sizeof why), HFTL_INVALID);
    newer.limits.size = sizeof newer;
    assert_int_equal(hftl_set_limits(device, &newer.limits, why, sizeof why), HFTL_OK);
    newer.more = 1;
    assert_int_equal(hftl_set_limits(device, &newer.limits, why, sizeof why), HFTL_UNSUPPORTED);
    struct hftl_limits got = {.size = sizeof got.size}; /* room for no level */
    hftl_get_limits(device, &got);
    assert_int_equal(got.level[HFTL_LIMIT_START].bands_free, 0);
    got.size = 0; /* the library's own */
    hftl_get_limits(device, &got);
    assert_int_equal(got.size, sizeof got);
    assert_int_equal(got.level[HFTL_LIMIT_START].percent, 40);
    assert_int_equal(hftl_close(device), HFTL_OK);
}

static void policy_and_pause_are_kept(void **state)
{
    struct hftl_device *device = kit_open(0);
    (void)state;

    assert_int_equal(hftl_set_policy(device, "greedy"), HFTL_OK);
    assert_string_equal(hftl_get_policy(device), "greedy");
    assert_int_equal(hftl_set_policy(device, "no such"), HFTL_INVALID);
    assert_int_equal(hftl_set_policy(device, NULL), HFTL_INVALID);
    assert_string_equal(hftl_get_policy(device), "greedy");
    assert_false(hftl_cleaning_is_paused(device));
    assert_int_equal(hftl_pause_cleaning(device, true), HFTL_OK);
    assert_true(hftl_cleaning_is_paused(device));
    assert_int_equal(hftl_pause_cleaning(device, false), HFTL_OK);
    assert_false(hftl_cleaning_is_paused(device));
    assert_int_equal(hftl_close(device), HFTL_OK);
}

static void without_a_device_nothing_happens(void **state)
{
    struct hftl_limits limits = some_limits(30);
    char why[100];
    (void)state;

    hftl_get_limits(NULL, &limits);
    assert_int_equal(hftl_set_limits(NULL, &limits, why, sizeof why), HFTL_INVALID);
    assert_int_equal(hftl_set_policy(NULL, "merit"), HFTL_INVALID);
    assert_string_equal(hftl_get_policy(NULL), "");
    assert_int_equal(hftl_pause_cleaning(NULL, true), HFTL_INVALID);
    assert_false(hftl_cleaning_is_paused(NULL));
}

/* What was changed may give work to an engine that is asleep. */
static void a_change_wakes_the_engine(void **state)
{
    struct hftl_device *device = kit_open(HFTL_OPEN_THREAD);
    (void)state;

    for (unsigned i = 0; i < 20; i++) {
        kit_sleep_ms(5);
        uint64_t rounds = host_rounds(device);
        if (i % 2 == 0) {
            struct hftl_limits limits = some_limits(50);
            assert_int_equal(hftl_set_limits(device, &limits, NULL, 0), HFTL_OK);
        } else {
            assert_int_equal(hftl_pause_cleaning(device, i % 4 == 1), HFTL_OK);
        }
        for (unsigned ms = 0; host_rounds(device) == rounds; ms++) {
            assert_true(ms < 2000);
            kit_sleep_ms(1);
        }
    }
    assert_int_equal(hftl_close(device), HFTL_OK);
}

static _Atomic bool over;

static void *meddle(void *arg)
{
    struct hftl_device *device = arg;
    for (uint32_t i = 0; !over; i++) {
        struct hftl_limits limits = some_limits(i % 101);
        if (hftl_set_limits(device, &limits, NULL, 0) != HFTL_OK ||
            hftl_set_policy(device, "greedy") != HFTL_OK ||
            hftl_pause_cleaning(device, i % 3 == 0) != HFTL_OK)
            return device;
    }
    return NULL;
}

static void any_thread_may_meddle_while_others_write(void **state)
{
    struct hftl_device *device = kit_open(HFTL_OPEN_THREAD);
    struct hftl_channel *channel = hftl_channel_open(device, 8);
    static uint8_t page[HFTL_BLOCK_BYTES];
    pthread_t threads[2];
    void *failed;
    (void)state;

    over = false;
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, meddle, device), 0);
    struct hftl_info info = {.size = sizeof info};
    hftl_get_info(device, &info);
    for (uint64_t i = 0; i < 3000; i++)
        assert_int_equal(hftl_write(channel, i * 7919 % info.blocks, 1, page, 0), HFTL_OK);
    over = true;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_int_equal(hftl_close(device), HFTL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_are_what_was_set_last),
        cmocka_unit_test(a_struct_of_another_size_is_not_guessed_at),
        cmocka_unit_test(policy_and_pause_are_kept),
        cmocka_unit_test(without_a_device_nothing_happens),
        cmocka_unit_test(a_change_wakes_the_engine),
        cmocka_unit_test(any_thread_may_meddle_while_others_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
