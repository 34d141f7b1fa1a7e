/* SPDX-License-Identifier: BSD-3-Clause */
/* One channel: depth, exactly once, the descriptor, reaping in pieces. In both modes. */
#define _GNU_SOURCE
#include "test/front/kit.h"

#define MANY 64u

struct note {
    struct hftl_request request;
    struct iovec iov;
    unsigned called;
    unsigned *order;
    unsigned place;
};

static uint8_t pages[MANY][HFTL_BLOCK_BYTES];

static void take_note(struct hftl_request *request)
{
    struct note *note = request->arg;
    note->called++;
    if (note->order)
        note->place = (*note->order)++;
}

static void write_note(struct note *note, uint64_t lba, void *page)
{
    memset(note, 0, sizeof *note);
    note->iov = (struct iovec){page, HFTL_BLOCK_BYTES};
    note->request = (struct hftl_request){.verb = HFTL_WRITE,
                                          .lba = lba,
                                          .blocks = 1,
                                          .iov = &note->iov,
                                          .iov_count = 1,
                                          .done = take_note,
                                          .arg = note};
}

static void says_again_when_the_depth_is_in_flight(void **state)
{
    unsigned flags = *(unsigned *)*state;
    struct hftl_device *device = kit_open(flags);
    struct hftl_channel *channel = hftl_channel_open(device, 5); /* rounded up to 8 */
    struct note notes[9];

    stand.hold = true;
    for (unsigned i = 0; i < 9; i++)
        write_note(&notes[i], i, pages[i]);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(hftl_submit(channel, &notes[i].request), HFTL_OK);
    assert_int_equal(hftl_submit(channel, &notes[8].request), HFTL_AGAIN);
    notes[8].request.lba = UINT64_MAX; /* senseless is said before full */
    assert_int_equal(hftl_submit(channel, &notes[8].request), HFTL_RANGE);
    notes[8].request.lba = 8;
    stand.hold = false;
    kit_reap(device, channel, 8);
    assert_int_equal(hftl_submit(channel, &notes[8].request), HFTL_OK);
    kit_reap(device, channel, 1);
    for (unsigned i = 0; i < 9; i++) {
        assert_int_equal(notes[i].called, 1);
        assert_int_equal(notes[i].request.status, HFTL_OK);
    }
    hftl_channel_close(channel);
    assert_int_equal(hftl_close(device), HFTL_OK);
}

static void refused_requests_are_never_called_back(void **state)
{
    unsigned flags = *(unsigned *)*state;
    struct hftl_device *device = kit_open(flags);
    struct hftl_channel *channel = hftl_channel_open(device, 1);
    struct note note;

    write_note(&note, UINT64_MAX, pages[0]);
    assert_int_equal(hftl_submit(channel, &note.request), HFTL_RANGE);
    note.request.lba = 0;
    note.request.flags = 64;
    assert_int_equal(hftl_submit(channel, &note.request), HFTL_INVALID);
    assert_int_equal(hftl_submit(channel, NULL), HFTL_INVALID);
    assert_int_equal(hftl_submit(NULL, &note.request), HFTL_INVALID);
    hftl_step(device);
    assert_int_equal(hftl_reap(channel, 0), 0);
    assert_int_equal(hftl_reap(NULL, 0), 0);
    assert_int_equal(note.called, 0);
    hftl_channel_close(channel);
    assert_int_equal(hftl_close(device), HFTL_OK);
}

static void reaping_in_pieces_keeps_the_descriptor_readable(void **state)
{
    unsigned flags = *(unsigned *)*state, order = 0;
    struct hftl_device *device = kit_open(flags);
    struct hftl_channel *channel = hftl_channel_open(device, 0);
    struct note notes[10];

    assert_false(kit_readable(hftl_channel_fd(channel), 0));
    for (unsigned i = 0; i < 10; i++) {
        write_note(&notes[i], i, pages[i]);
        notes[i].order = &order;
        assert_int_equal(hftl_submit(channel, &notes[i].request), HFTL_OK);
    }
    for (unsigned got = 0; got < 10;) {
        while (!kit_readable(hftl_channel_fd(channel), 1))
            hftl_step(device);
        unsigned now = hftl_reap(channel, 3);
        assert_true(now <= 3);
        got += now;
    }
    assert_int_equal(order, 10);
    assert_int_equal(hftl_reap(channel, 0), 0);
    assert_false(kit_readable(hftl_channel_fd(channel), 0));
    hftl_channel_close(channel);
    assert_int_equal(hftl_close(device), HFTL_OK);
}

struct chain {
    struct note note;
    struct hftl_channel *channel;
    unsigned left;
};

static void go_on(struct hftl_request *request)
{
    struct chain *chain = request->arg;
    assert_int_equal(request->status, HFTL_OK);
    if (chain->left-- > 1)
        assert_int_equal(hftl_submit(chain->channel, request), HFTL_OK);
}

static void a_callback_may_submit_its_own_request_again(void **state)
{
    unsigned flags = *(unsigned *)*state;
    struct hftl_device *device = kit_open(flags);
    struct chain chain = {.channel = hftl_channel_open(device, 1), .left = 1000};

    write_note(&chain.note, 3, pages[0]);
    chain.note.request.done = go_on;
    chain.note.request.arg = &chain;
    assert_int_equal(hftl_submit(chain.channel, &chain.note.request), HFTL_OK);
    kit_reap(device, chain.channel, 1000);
    assert_int_equal(chain.left, 0);
    hftl_channel_close(chain.channel);
    assert_int_equal(hftl_close(device), HFTL_OK);
}

static void each_request_is_called_back_once_in_whatever_order(void **state)
{
    unsigned flags = *(unsigned *)*state;
    struct hftl_device *device;
    struct note notes[MANY];

    stand.shuffle = true;
    stand.delay_ns = 2000000;
    device = kit_open(flags);
    struct hftl_channel *channel = hftl_channel_open(device, MANY);
    for (unsigned i = 0; i < MANY; i++) {
        kit_fill(pages[i], i, 1, 7);
        write_note(&notes[i], i, pages[i]);
        assert_int_equal(hftl_submit(channel, &notes[i].request), HFTL_OK);
    }
    kit_reap(device, channel, MANY);
    for (unsigned i = 0; i < MANY; i++) {
        uint8_t back[HFTL_BLOCK_BYTES];
        assert_int_equal(notes[i].called, 1);
        assert_int_equal(hftl_read(channel, i, 1, back), HFTL_OK);
        assert_true(kit_matches(back, i, 7));
    }
    hftl_channel_close(channel);
    assert_int_equal(hftl_close(device), HFTL_OK);
    kit_reset_manners();
}

static void a_crowded_channel_does_not_starve_another(void **state)
{
    unsigned flags = *(unsigned *)*state, order = 0;
    struct hftl_device *device;
    static struct note crowd[1024];
    struct note one;

    if (flags & HFTL_OPEN_THREAD || !stand_has_manners())
        skip(); /* order is only ours to see on the caller's loop */
    device = kit_open(flags);
    struct hftl_channel *crowded = hftl_channel_open(device, 1024);
    struct hftl_channel *other = hftl_channel_open(device, 1);
    for (unsigned i = 0; i < 1024; i++) {
        write_note(&crowd[i], i % 128, pages[0]);
        assert_int_equal(hftl_submit(crowded, &crowd[i].request), HFTL_OK);
    }
    write_note(&one, 200, pages[1]);
    one.order = &order;
    assert_int_equal(hftl_submit(other, &one.request), HFTL_OK);
    hftl_step(device);
    assert_int_equal(hftl_reap(other, 0), 1); /* the first turn of each is in the first round */
    kit_reap(device, crowded, 1024);
    assert_int_equal(hftl_close(device), HFTL_OK);
}

static unsigned modes[] = {0, HFTL_OPEN_THREAD, HFTL_OPEN_THREAD | HFTL_OPEN_HELP};

#define IN_EACH(name)                                                                              \
    cmocka_unit_test_prestate(name, &modes[0]), cmocka_unit_test_prestate(name, &modes[1]),        \
        cmocka_unit_test_prestate(name, &modes[2])

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_EACH(says_again_when_the_depth_is_in_flight),
        IN_EACH(refused_requests_are_never_called_back),
        IN_EACH(reaping_in_pieces_keeps_the_descriptor_readable),
        IN_EACH(a_callback_may_submit_its_own_request_again),
        IN_EACH(each_request_is_called_back_once_in_whatever_order),
        IN_EACH(a_crowded_channel_does_not_starve_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
