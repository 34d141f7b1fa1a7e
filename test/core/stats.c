/* SPDX-License-Identifier: BSD-3-Clause */
/* What the device says of itself is what happened. (Blocks written are held to what the guard below
 * counted in request.c.) */
#include "test/core/stand.h"

#include "base/mutant.h"

#include <string.h>

static void a_request_is_as_long_as_it_took(void **state)
{
    struct stand stand;
    struct hftl_latency latency;
    struct ask flush;
    (void)state;
    stand_begin(&stand, "two PUs");
    stand_write(&stand, 0, 1, 1);
    device_get_latency(stand.device, HFTL_WRITE, &latency);
    assert_int_equal(latency.count, 1);
    assert_true(latency.min_ns > 0 && latency.min_ns < 1000000);
    tap_hold(stand.tap, HFTL_MEDIA_WRITE);
    stand_ask(&stand, &flush, HFTL_FLUSH, 0, 0, 0, NULL);
    stand_settle(&stand);
    stand.now_ns += 50000000; /* the drive takes 50 ms */
    tap_release(stand.tap);
    assert_int_equal(stand_wait(&stand, &flush), HFTL_OK);
    device_get_latency(stand.device, HFTL_FLUSH, &latency);
    assert_int_equal(latency.count, 1);
    assert_true(latency.max_ns >= 50000000 && latency.max_ns < 51000000);
    assert_true(latency.min_ns == latency.max_ns && latency.mean_ns == latency.max_ns);
    assert_true(latency.p50_ns == latency.max_ns && latency.p9999_ns == latency.max_ns);
    device_get_latency(stand.device, HFTL_READ, &latency);
    assert_int_equal(latency.count + latency.max_ns + latency.p99_ns, 0);
    stand_end(&stand);
}

static void what_failed_has_no_latency(void **state)
{
    struct stand stand;
    struct hftl_latency latency;
    uint8_t data[512];
    (void)state;
    stand_begin(&stand, "two PUs");
    assert_int_equal(stand_do(&stand, HFTL_READ, 0, stand.expected_count, 1, data), HFTL_RANGE);
    device_get_latency(stand.device, HFTL_READ, &latency);
    assert_int_equal(latency.count, 0);
    stand_end(&stand);
}

static void writers_that_wait_are_timed(void **state)
{
    struct stand stand;
    struct hftl_stats before, during, after;
    struct ask asks[8];
    uint8_t data[512 * 64];
    (void)state;
    stand_init(&stand, stand_shape_named("two PUs"));
    stand.options.write_buffer_bytes = 1;
    stand_format(&stand);
    stand_open(&stand);
    device_get_stats(stand.device, &before);
    assert_int_equal(before.stall_ns, 0);
    tap_hold(stand.tap, HFTL_MEDIA_WRITE);
    for (unsigned i = 0; i < 8; i++) {
        stand_fill(&stand, data, 0, 64, 1);
        stand_ask(&stand, &asks[i], HFTL_WRITE, 0, 0, 64, data);
    }
    stand_settle(&stand);
    stand.now_ns += 7000000;
    device_get_stats(stand.device, &during); /* it lasts */
    assert_true(during.stall_ns >= 7000000 && during.stall_ns < 8000000);
    tap_release(stand.tap);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(stand_wait(&stand, &asks[i]), HFTL_OK);
    stand_flush(&stand);
    device_get_stats(stand.device, &before);
    assert_true(before.stall_ns >= 7000000);
    stand.now_ns += 9000000;
    device_get_stats(stand.device, &after); /* it is over */
    assert_int_equal(after.stall_ns, before.stall_ns);
    stand_end(&stand);
}

static void operations_that_fail_are_errors_and_no_blocks(void **state)
{
    struct stand stand;
    struct hftl_stats before, after;
    uint8_t data[512];
    (void)state;
    stand_begin(&stand, "two PUs");
    stand_write_all(&stand, 1);
    device_get_stats(stand.device, &before);
    tap_fail(stand.tap, HFTL_MEDIA_READ, ANY_CHUNK, 2, HFTL_IO);
    assert_int_equal(stand_do(&stand, HFTL_READ, 0, 0, 1, data), HFTL_IO);
    device_get_stats(stand.device, &after);
    const struct hftl_io_count *a = &before.read[HFTL_IO_USER], *b = &after.read[HFTL_IO_USER];
    assert_int_equal(b->errors - a->errors, 2); /* tried twice */
    assert_int_equal(b->operations, a->operations);
    assert_int_equal(b->blocks, a->blocks);
    assert_int_equal(after.media_reads - before.media_reads, 2);
    stand_end(&stand);
}

/* Each band once in each table, and wear as the bands have it. */
static void check_bands(const struct stand *stand, struct hftl_bands *bands)
{
    uint32_t all = 0, worn = 0, shared = 0;
    device_get_bands(stand->device, bands);
    for (unsigned i = 0; i < HFTL_BAND_STATE_COUNT; i++) {
        assert_int_equal(bands->count[i], stand_bands_in(stand, (enum band_state)i));
        all += bands->count[i];
    }
    for (unsigned i = 0; i < HFTL_WEAR_STEPS; i++)
        worn += bands->wear_bands[i];
    for (unsigned i = 0; i < HFTL_SHARE_STEPS; i++)
        shared += bands->valid_share[i];
    assert_int_equal(all, stand->device->geometry.bands);
    assert_int_equal(worn, all - bands->count[BAND_RETIRED]);
    assert_int_equal(shared, bands->count[BAND_CLOSED] + bands->count[BAND_SEALED]);
    assert_true(bands->wear_min <= bands->wear_mean && bands->wear_mean <= bands->wear_max);
    assert_true(bands->wear_min + HFTL_WEAR_STEPS * bands->wear_step > bands->wear_max);
}

static bool has_worn(struct stand *stand)
{
    return stand->device->stats.bands_erased > 40;
}

static void bands_add_up(void **state)
{
    struct stand stand;
    struct hftl_bands bands;
    (void)state;
    stand_begin(&stand, "two PUs");
    stand.unchecked = true;
    check_bands(&stand, &bands);
    assert_int_equal(bands.debt_blocks, 0);
    assert_true(bands.debt_is_payable);
    stand_write_all(&stand, 1);
    check_bands(&stand, &bands);
    assert_true(stand_churn(&stand, 0, 200000, has_worn));
    stand_flush(&stand);
    stand_settle(&stand);
    check_bands(&stand, &bands);
    assert_true(bands.wear_max > 0);
    stand_end(&stand);
}

/* Blocks that the guard below saw, less those that the device says it wrote. */
static uint64_t blocks_unsaid(void)
{
    struct stand stand;
    struct hftl_stats before, after;
    struct guard_counts from, to;
    uint64_t said = 0;
    stand_begin(&stand, "units of 24");
    device_get_stats(stand.device, &before);
    guard_count(stand.guard, &from);
    stand_write(&stand, 0, 1, 1);
    stand_flush(&stand);
    stand_settle(&stand);
    device_get_stats(stand.device, &after);
    guard_count(stand.guard, &to);
    assert_true(after.written[HFTL_IO_PAD].blocks > before.written[HFTL_IO_PAD].blocks);
    for (unsigned i = 0; i < HFTL_IO_COUNT; i++)
        said += after.written[i].blocks - before.written[i].blocks;
    stand_end(&stand);
    return to.blocks_written - from.blocks_written - said;
}

static void a_block_counted_twice_would_be_seen(void **state)
{
    (void)state;
    assert_int_equal(blocks_unsaid(), 0);
#ifdef HFTL_MUTANTS
    mutant_set("pad-counted-twice");
    assert_int_not_equal(blocks_unsaid(), 0);
    mutant_set(NULL);
#endif
}

/* ---- the debt, on a device whose bands are made up ---- */

/* `valid` blocks in each of the first bands, the rest free; none free below `free`. */
static void make_up(struct stand *stand, struct band *bands, const uint32_t *valid, uint32_t count)
{
    struct device *device = stand->device;
    memcpy(bands, device->bands, device->geometry.bands * sizeof(struct band));
    for (uint32_t i = 0; i < device->geometry.bands; i++) {
        device->bands[i].state = i < count ? BAND_CLOSED : BAND_RETIRED;
        device->bands[i].valid = i < count ? valid[i] : 0;
    }
}

static void debt_is_what_has_to_be_moved(void **state)
{
    struct stand stand;
    struct hftl_bands bands;
    struct band kept[256];
    (void)state;
    stand_begin(&stand, "two PUs");
    struct device *device = stand.device;
    assert_true(device->geometry.bands <= 256 && device->geometry.bands > 6);
    uint32_t full = geometry_data_blocks(&device->geometry, device->geometry.columns);
    uint32_t start = device->limits.level[HFTL_LIMIT_START].bands_free;
    const uint32_t halves[] = {full, full / 2, full / 2, full / 2, full / 2, full};
    make_up(&stand, kept, halves, 6);
    device->limits.level[HFTL_LIMIT_START].bands_free = 0; /* one free band is enough */
    device_get_bands(device, &bands);
    assert_true(bands.debt_is_payable);
    assert_int_equal(bands.debt_blocks, 2 * (full / 2)); /* two halves fill one */
    device->limits.level[HFTL_LIMIT_START].bands_free = 1;
    device_get_bands(device, &bands);
    assert_true(bands.debt_is_payable);
    assert_int_equal(bands.debt_blocks, 4 * (full / 2));
    device->limits.level[HFTL_LIMIT_START].bands_free = 2; /* there is no room for that */
    device_get_bands(device, &bands);
    assert_false(bands.debt_is_payable);
    assert_int_equal(bands.debt_blocks, 4 * (full / 2) + 2 * full);
    device->bands[1].aside = true; /* cleaning has tried it */
    device->limits.level[HFTL_LIMIT_START].bands_free = 1;
    device_get_bands(device, &bands);
    assert_false(bands.debt_is_payable);
    assert_int_equal(bands.debt_blocks, 3 * (full / 2) + 2 * full);
    assert_int_equal(bands.aside, 1);
    device->bands[1].aside = false;
    device->bands[0].state = BAND_EMPTIED; /* it costs no move */
    device->bands[0].valid = 0;
    device->limits.level[HFTL_LIMIT_START].bands_free = 1;
    device_get_bands(device, &bands);
    assert_int_equal(bands.debt_blocks, 2 * (full / 2));
    device->limits.level[HFTL_LIMIT_START].bands_free = start;
    memcpy(device->bands, kept, device->geometry.bands * sizeof(struct band));
    stand_end(&stand);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_as_long_as_it_took),
        cmocka_unit_test(what_failed_has_no_latency),
        cmocka_unit_test(writers_that_wait_are_timed),
        cmocka_unit_test(operations_that_fail_are_errors_and_no_blocks),
        cmocka_unit_test(a_block_counted_twice_would_be_seen),
        cmocka_unit_test(bands_add_up),
        cmocka_unit_test(debt_is_what_has_to_be_moved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
