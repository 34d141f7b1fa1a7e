/* SPDX-License-Identifier: BSD-3-Clause */
/* Waking, waiting and operations of an errand, on a real device. */
#include "test/core/stand.h"

struct probe {
    struct errand errand;
    struct errand_op ops[3];
    uint32_t steps;
    enum hftl_status status;
};

static void step(struct device *device, struct errand *errand)
{
    struct probe *probe = (struct probe *)errand;
    (void)device;
    probe->steps++;
    probe->status = errand_take_status(errand);
}

static void send_flush(struct probe *probe, unsigned index)
{
    probe->ops[index].op = (struct hftl_media_op){.verb = HFTL_MEDIA_FLUSH};
    errand_send(&probe->errand, &probe->ops[index]);
}

static void waking_twice_steps_once_and_not_at_once(void **state)
{
    (void)state;
    struct stand stand;
    struct probe probe = {.steps = 0};
    stand_begin(&stand, "one PU");
    errand_init(&probe.errand, stand.device, "probe", step);
    errand_wake(&probe.errand);
    errand_wake(&probe.errand);
    assert_int_equal(probe.steps, 0); /* E2 */
    assert_false(device_is_idle(stand.device));
    stand_settle(&stand);
    assert_int_equal(probe.steps, 1);
    stand_end(&stand);
}

static void is_not_stepped_until_the_last_of_its_operations_landed(void **state)
{
    (void)state;
    struct stand stand;
    struct probe probe = {.steps = 0};
    stand_begin(&stand, "one PU");
    errand_init(&probe.errand, stand.device, "probe", step);
    tap_hold(stand.tap, HFTL_MEDIA_FLUSH);
    send_flush(&probe, 0);
    send_flush(&probe, 1);
    device_push(stand.device);
    assert_int_equal(stand.tap->held_count, 2);
    errand_wake(&probe.errand); /* E3: nothing happens */
    stand_settle(&stand);
    assert_int_equal(probe.steps, 0);
    tap_release(stand.tap);
    stand_settle(&stand);
    assert_int_equal(probe.steps, 1);
    assert_int_equal(probe.status, HFTL_OK);
    stand_end(&stand);
}

static void keeps_the_first_failure_until_it_is_taken(void **state)
{
    (void)state;
    struct stand stand;
    struct probe probe = {.steps = 0};
    stand_begin(&stand, "one PU");
    errand_init(&probe.errand, stand.device, "probe", step);
    tap_fail(stand.tap, HFTL_MEDIA_FLUSH, ANY_CHUNK, 1, HFTL_OFFLINE);
    send_flush(&probe, 0);
    device_push(stand.device);
    tap_fail(stand.tap, HFTL_MEDIA_FLUSH, ANY_CHUNK, 1, HFTL_IO);
    send_flush(&probe, 1);
    device_push(stand.device);
    send_flush(&probe, 2);
    stand_settle(&stand);
    assert_int_equal(probe.steps, 1);
    assert_int_equal(probe.status, HFTL_OFFLINE);
    assert_int_equal(errand_take_status(&probe.errand), HFTL_OK);
    stand_end(&stand);
}

static void all_who_wait_are_woken_in_order(void **state)
{
    (void)state;
    struct stand stand;
    struct probe probes[3] = {{.steps = 0}};
    struct list list;
    stand_begin(&stand, "one PU");
    list_init(&list);
    for (unsigned i = 0; i < 3; i++) {
        errand_init(&probes[i].errand, stand.device, "probe", step);
        errand_wait(&probes[i].errand, &list);
    }
    stand_settle(&stand);
    assert_int_equal(probes[0].steps, 0);
    errand_wake(&probes[1].errand); /* leaves the list it waits in (E1) */
    stand_settle(&stand);
    assert_int_equal(probes[1].steps, 1);
    errand_wake_all(&list);
    assert_true(list_is_empty(&list));
    assert_ptr_equal(list_first(&stand.device->ready), &probes[0].errand.link);
    stand_settle(&stand);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(probes[i].steps, 1);
    stand_end(&stand);
}

struct misuse {
    struct probe *probe;
    struct list *list;
};

static void wait_while_ready(void *arg)
{
    struct misuse *misuse = arg;
    errand_wait(&misuse->probe->errand, misuse->list);
}

static void send_while_waiting(void *arg)
{
    struct misuse *misuse = arg;
    send_flush(misuse->probe, 0);
}

static void stops_who_waits_while_ready_or_sends_while_waiting(void **state)
{
    (void)state;
    struct stand stand;
    struct probe probe = {.steps = 0};
    struct list list;
    stand_begin(&stand, "one PU");
    list_init(&list);
    errand_init(&probe.errand, stand.device, "probe", step);
    struct misuse misuse = {&probe, &list};
    assert_false(aborts(wait_while_ready, &misuse));
    errand_wake(&probe.errand);
    assert_true(aborts(wait_while_ready, &misuse)); /* E1 */
    assert_true(aborts(send_while_waiting, &misuse));
    stand_settle(&stand);
    send_flush(&probe, 0);
    assert_true(aborts(wait_while_ready, &misuse));
    stand_settle(&stand);
    stand_end(&stand);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waking_twice_steps_once_and_not_at_once),
        cmocka_unit_test(is_not_stepped_until_the_last_of_its_operations_landed),
        cmocka_unit_test(keeps_the_first_failure_until_it_is_taken),
        cmocka_unit_test(all_who_wait_are_woken_in_order),
        cmocka_unit_test(stops_who_waits_while_ready_or_sends_while_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
