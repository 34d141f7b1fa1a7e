/* SPDX-License-Identifier: BSD-3-Clause */
/* What was found by attacking the engine: each a story that went wrong once. */
#include "base/prng.h"
#include "test/core/stand.h"

static const struct stand_shape three_ranges = {
    "three trim ranges",
    {.size = sizeof(struct hftl_media_facts),
     .kind = HFTL_KIND_OCSSD,
     .flags = HFTL_MEDIA_NEEDS_ERASE | HFTL_MEDIA_CAN_RESET_OPEN,
     .block_bytes = 512,
     .oob_bytes = 16,
     .groups = 1,
     .pus_per_group = 2,
     .chunks_per_pu = 60,
     .chunk_blocks = 96,
     .ws_min = 2,
     .ws_opt = 4,
     .mw_cunits = 8,
     .transfer_blocks_max = 64,
     .volatile_cache = true},
    0,
    1};

/* A flush holds the range of lba 5 and goes round again; meanwhile an lba of another range is
 * trimmed. F1: that trim has no page, so it does not count as durable. */
static void a_trim_between_the_rounds_of_a_flush_is_not_durable(void **state)
{
    (void)state;
    struct stand stand;
    struct ask flush, write, trim;
    uint8_t data[512];
    stand_init(&stand, &three_ranges);
    stand_format(&stand);
    stand_open(&stand);
    stand.unchecked = true;
    assert_true(stand.device->geometry.ranges > 1);
    stand_write(&stand, 0, 300, 1);
    stand_write(&stand, 4000, 1, 2);
    stand_flush(&stand);
    stand_trim(&stand, 5, 1);
    tap_hold(stand.tap, HFTL_MEDIA_FLUSH);
    stand_ask(&stand, &flush, HFTL_FLUSH, 0, 0, 0, NULL);
    stand_settle(&stand);
    stand_fill(&stand, data, 6, 1, 7);
    stand_ask(&stand, &write, HFTL_WRITE, 0, 6, 1, data); /* makes its range volatile again */
    stand_wait(&stand, &write);
    stand_ask(&stand, &trim, HFTL_TRIM, 0, 4000, 1, NULL);
    stand_wait(&stand, &trim);
    uint64_t clock = stand.device->user_clock;
    tap_release(stand.tap);
    stand_wait(&stand, &flush);
    bool durable = stand.device->user_durable >= clock;
    assert_true(!durable || stand.device->map.dirty_count == 0);
    stand_end(&stand);
}

/* L5: with nobody asking, cleaning comes to an end, on every geometry. */
static void cleaning_ends_when_nobody_asks(void **state)
{
    (void)state;
    for (unsigned i = 0; i < stand_shapes(); i++) {
        struct stand stand;
        stand_begin(&stand, stand_shape(i)->name);
        stand.unchecked = true;
        stand_write_all(&stand, 1);
        struct prng prng;
        prng_seed(&prng, i + 1);
        for (uint64_t n = 0; n < 6000; n++) {
            stand_write(&stand, prng_below(&prng, stand.expected_count), 1, 2 + n);
            unsigned steps = 0, idle = 0;
            for (; idle < 4 && steps < 50000; steps++)
                idle = device_step(stand.device) ? 0 : idle + 1;
            assert_true(steps < 50000);
        }
        stand_end(&stand);
    }
}

/* C12: whatever cannot be read, a write is answered. */
static void bad_tails_do_not_leave_writes_waiting(void **state)
{
    (void)state;
    for (unsigned failures = 1; failures < 12; failures++) {
        struct stand stand;
        struct ask ask;
        uint8_t data[512];
        stand_begin(&stand, "two PUs");
        stand.unchecked = true;
        stand_write_all(&stand, 1);
        tap_fail(stand.tap, HFTL_MEDIA_READ, ANY_CHUNK, failures, HFTL_IO);
        for (uint64_t n = 0; n < stand.expected_count && !stand.device->read_only; n++) {
            uint64_t lba = n * 7919 % stand.expected_count;
            stand_fill(&stand, data, lba, 1, 5);
            stand_ask(&stand, &ask, HFTL_WRITE, 0, lba, 1, data);
            for (unsigned step = 0; step < 20000 && !ask.answered; step++)
                (void)device_step(stand.device);
            assert_true(ask.answered);
        }
        stand_end(&stand);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trim_between_the_rounds_of_a_flush_is_not_durable),
        cmocka_unit_test(cleaning_ends_when_nobody_asks),
        cmocka_unit_test(bad_tails_do_not_leave_writes_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
