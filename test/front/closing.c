/* SPDX-License-Identifier: BSD-3-Clause */
/* Closing with requests in flight: each is called back once, new ones are refused. */
#define _GNU_SOURCE
#include "test/front/kit.h"

#define MANY 100u

static unsigned modes[] = {0, HFTL_OPEN_THREAD, HFTL_OPEN_THREAD | HFTL_OPEN_HELP};

struct note {
    struct hftl_request request;
    struct hftl_channel *channel;
    unsigned called;
    enum hftl_status again;
};

static void note_landing(struct hftl_request *request)
{
    struct note *note = request->arg;
    note->called++;
    note->again = hftl_submit(note->channel, request);
}

static void requests_in_flight_land_and_new_ones_are_refused(void **state)
{
    unsigned flags = *(unsigned *)*state;
    static struct note notes[MANY];
    unsigned before = stand_closes();
    struct hftl_device *device;
    struct hftl_channel *channels[2];

    stand.hold = true;
    stand.shuffle = true;
    device = kit_open(flags);
    for (int i = 0; i < 2; i++)
        channels[i] = hftl_channel_open(device, MANY);
    for (unsigned i = 0; i < MANY; i++) {
        memset(&notes[i], 0, sizeof notes[i]);
        notes[i].channel = channels[i % 2];
        notes[i].request.verb = HFTL_TRIM;
        notes[i].request.lba = i;
        notes[i].request.blocks = 1;
        notes[i].request.done = note_landing;
        notes[i].request.arg = &notes[i];
        assert_int_equal(hftl_submit(channels[i % 2], &notes[i].request), HFTL_OK);
    }
    assert_int_equal(hftl_close(device), HFTL_OK);
    for (unsigned i = 0; i < MANY; i++) {
        assert_int_equal(notes[i].called, 1);
        assert_int_equal(notes[i].request.status, HFTL_OK);
        assert_int_equal(notes[i].again, HFTL_CLOSING);
    }
    assert_int_equal(stand_closes(), before + 1);
    kit_reset_manners();
}

static void says_when_it_could_not_be_marked_clean(void **state)
{
    unsigned flags = *(unsigned *)*state;

    if (!stand_has_manners())
        skip();
    stand.close_fails = HFTL_FLUSH_FAILED;
    assert_int_equal(hftl_close(kit_open(flags)), HFTL_FLUSH_FAILED);
    kit_reset_manners();
    assert_int_equal(hftl_close(NULL), HFTL_INVALID);
}

static void an_idle_device_closes_at_any_moment(void **state)
{
    unsigned flags = *(unsigned *)*state;

    for (unsigned i = 0; i < 50; i++) {
        struct hftl_device *device = kit_open(flags);
        struct hftl_channel *channel = hftl_channel_open(device, 1);
        if (i % 2)
            assert_int_equal(hftl_flush(channel), HFTL_OK);
        if (i % 3)
            hftl_channel_close(channel);
        assert_int_equal(hftl_close(device), HFTL_OK);
    }
}

#define IN_EACH(name)                                                                              \
    cmocka_unit_test_prestate(name, &modes[0]), cmocka_unit_test_prestate(name, &modes[1]),        \
        cmocka_unit_test_prestate(name, &modes[2])

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_EACH(requests_in_flight_land_and_new_ones_are_refused),
        IN_EACH(says_when_it_could_not_be_marked_clean),
        IN_EACH(an_idle_device_closes_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
