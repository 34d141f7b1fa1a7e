/* SPDX-License-Identifier: BSD-3-Clause */
/* The ways to run: an event loop of the caller's, a thread of ours, alone or helped. Sync calls,
 * info, stats. */
#define _GNU_SOURCE
#include "test/front/kit.h"

static unsigned modes[] = {0, HFTL_OPEN_THREAD, HFTL_OPEN_THREAD | HFTL_OPEN_HELP};

static void what_is_written_is_read_back(void **state)
{
    unsigned flags = *(unsigned *)*state;
    struct hftl_device *device = kit_open(flags);
    struct hftl_channel *channel = hftl_channel_open(device, 4);
    static uint8_t data[8 * HFTL_BLOCK_BYTES], back[8 * HFTL_BLOCK_BYTES];
    static const uint8_t zeros[HFTL_BLOCK_BYTES];

    kit_fill(data, 40, 8, 1);
    assert_int_equal(hftl_write(channel, 40, 8, data, 0), HFTL_OK);
    assert_int_equal(hftl_write(channel, 44, 1, data, HFTL_FUA), HFTL_OK);
    assert_int_equal(hftl_flush(channel), HFTL_OK);
    assert_int_equal(hftl_trim(channel, 47, 1, 0), HFTL_OK);
    assert_int_equal(hftl_read(channel, 40, 8, back), HFTL_OK);
    assert_memory_equal(back, data, 4 * HFTL_BLOCK_BYTES);
    assert_memory_equal(back + 4 * HFTL_BLOCK_BYTES, data, HFTL_BLOCK_BYTES);
    assert_memory_equal(back + 7 * HFTL_BLOCK_BYTES, zeros, HFTL_BLOCK_BYTES);
    assert_int_equal(hftl_read(channel, kit_blocks(device), 1, back), HFTL_RANGE);
    assert_int_equal(hftl_read(channel, 0, UINT64_MAX, back), HFTL_RANGE);
    assert_int_equal(hftl_read(channel, 0, 1, NULL), HFTL_INVALID);
    assert_int_equal(hftl_write(channel, 0, 0, data, 0), HFTL_INVALID);
    assert_int_equal(hftl_write(channel, 0, 1, data, 128), HFTL_INVALID);
    hftl_channel_close(channel);
    assert_int_equal(hftl_close(device), HFTL_OK);
}

static void a_failing_block_fails_alone(void **state)
{
    unsigned flags = *(unsigned *)*state;
    uint8_t page[HFTL_BLOCK_BYTES];

    if (!stand_has_manners())
        skip();
    stand.bad_lba_first = 5;
    stand.bad_lba_count = 1;
    struct hftl_device *device = kit_open(flags);
    struct hftl_channel *channel = hftl_channel_open(device, 4);
    assert_int_equal(hftl_read(channel, 4, 1, page), HFTL_OK);
    assert_int_equal(hftl_read(channel, 5, 1, page), HFTL_IO);
    assert_int_equal(hftl_read(channel, 6, 1, page), HFTL_OK);
    struct hftl_stats stats = {.size = sizeof stats};
    hftl_get_stats(device, &stats);
    assert_int_equal(stats.requests[HFTL_READ], 3);
    assert_int_equal(stats.failed[HFTL_READ], 1);
    assert_int_equal(stats.status[HFTL_IO], 1);
    assert_int_equal(hftl_close(device), HFTL_OK);
    kit_reset_manners();
}

static void note_landing(struct hftl_request *request)
{
    ++*(unsigned *)request->arg;
}

/* A loop that does nothing but poll the one descriptor and step when it is readable. */
static void the_loop_descriptor_alone_drives_the_engine(void **state)
{
    unsigned landed = 0;
    static struct hftl_request requests[200];
    (void)state;

    for (int always_ready = 0; always_ready < 2; always_ready++) {
        stand.delay_ns = always_ready ? 0 : 3000000;
        stand.shuffle = true;
        stand.always_ready = always_ready;
        struct hftl_device *device = kit_open(0);
        struct hftl_channel *channel = hftl_channel_open(device, 256);
        assert_true(hftl_fd(device) >= 0);
        landed = 0;
        for (unsigned i = 0; i < 200; i++) {
            requests[i] = (struct hftl_request){.verb = i % 2 ? HFTL_FLUSH : HFTL_TRIM,
                                                .blocks = i % 2 ? 0 : 1,
                                                .done = note_landing,
                                                .arg = &landed};
            assert_int_equal(hftl_submit(channel, &requests[i]), HFTL_OK);
        }
        while (landed < 200) {
            assert_true(kit_readable(hftl_fd(device), 5000));
            while (hftl_step(device))
                ;
            hftl_reap(channel, 0);
        }
        while (hftl_step(device))
            ;
        assert_false(kit_readable(hftl_fd(device), 20)); /* quiet now */
        assert_int_equal(hftl_close(device), HFTL_OK);
    }
    kit_reset_manners();
}

static void a_threaded_device_has_no_loop_to_step(void **state)
{
    struct hftl_device *device = kit_open(HFTL_OPEN_THREAD);
    (void)state;

    assert_int_equal(hftl_fd(device), -1);
    assert_false(hftl_step(device));
    assert_int_equal(hftl_close(device), HFTL_OK);
}

static void info_counts_the_memory_of_channels(void **state)
{
    unsigned flags = *(unsigned *)*state;
    struct hftl_device *device = kit_open(flags);
    struct hftl_info before = {.size = sizeof before}, during = before, after = before;

    hftl_get_info(device, &before);
    struct hftl_channel *channel = hftl_channel_open(device, 1024);
    hftl_get_info(device, &during);
    hftl_channel_close(channel);
    hftl_get_info(device, &after);
    assert_true(during.memory_bytes >= before.memory_bytes + 2 * 1024 * sizeof(void *));
    assert_int_equal(after.memory_bytes, before.memory_bytes);
    assert_true(before.blocks > 0);
    assert_int_equal(before.size, sizeof before);
    assert_int_equal(hftl_close(device), HFTL_OK);
}

static unsigned lines;
static void count_line(void *arg, enum hftl_log_level level, const char *message)
{
    assert_ptr_equal(arg, &lines);
    assert_true(level <= HFTL_LOG_DEBUG);
    assert_null(strchr(message, '\n'));
    lines++;
}

static void messages_reach_the_hook(void **state)
{
    unsigned flags = *(unsigned *)*state;
    struct hftl_open_options options;
    struct hftl_device *device;

    if (!stand_has_manners())
        skip();
    hftl_open_options_init(&options);
    options.flags = flags;
    options.log = count_line;
    options.log_arg = &lines;
    lines = 0;
    assert_int_equal(hftl_open_media(stand_medium(16), &options, &device, NULL, 0), HFTL_OK);
    assert_int_equal(lines, 1);
    assert_int_equal(hftl_close(device), HFTL_OK);
}

#define IN_EACH(name)                                                                              \
    cmocka_unit_test_prestate(name, &modes[0]), cmocka_unit_test_prestate(name, &modes[1]),        \
        cmocka_unit_test_prestate(name, &modes[2])

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_EACH(what_is_written_is_read_back),
        IN_EACH(a_failing_block_fails_alone),
        cmocka_unit_test(the_loop_descriptor_alone_drives_the_engine),
        cmocka_unit_test(a_threaded_device_has_no_loop_to_step),
        IN_EACH(info_counts_the_memory_of_channels),
        IN_EACH(messages_reach_the_hook),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
