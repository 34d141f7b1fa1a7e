/* SPDX-License-Identifier: BSD-3-Clause */
/* Entries and counts move together; trim pages are entries too. */
#include "test/core/stand.h"

#include "base/bitmap.h"

static uint64_t count_valid(const struct stand *stand)
{
    uint64_t valid = 0;
    for (uint32_t i = 0; i < stand->device->geometry.bands; i++)
        valid += stand->device->bands[i].valid;
    return valid;
}

static void counts_follow_writes_overwrites_and_trims(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "two PUs");
    const struct map *map = &stand.device->map;
    assert_int_equal(map->mapped, 0);
    stand_write(&stand, 10, 8, 1);
    assert_int_equal(map->mapped, 8);
    assert_int_equal(count_valid(&stand), 8);
    stand_write(&stand, 12, 8, 2);
    assert_int_equal(map->mapped, 10);
    assert_int_equal(count_valid(&stand), 10);
    stand_trim(&stand, 0, 12);
    assert_int_equal(map->mapped, 8);
    assert_int_equal(count_valid(&stand), 8);
    assert_int_equal(map->dirty_count, 1);
    stand_flush(&stand); /* the page is an entry as well */
    assert_int_equal(map->mapped, 8);
    assert_int_equal(count_valid(&stand), 9);
    assert_int_equal(map->dirty_count, 0);
    stand_verify(&stand);
    stand_end(&stand);
}

static void each_band_counts_its_own(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "ragged chunks");
    struct device *device = stand.device;
    stand_write_all(&stand, 1);
    for (uint64_t lba = 0; lba < stand.expected_count; lba += 3)
        stand_write(&stand, lba, 1, 2);
    stand_trim(&stand, 5, 40);
    stand_flush(&stand);
    for (uint32_t i = 0; i < device->geometry.bands; i++) {
        uint32_t right = 0;
        for (uint64_t lba = 0; lba < device->geometry.blocks; lba++)
            right += !map_is_none(map_get(device, (hftl_lba){lba})) &&
                     map_get(device, (hftl_lba){lba}).n / device->geometry.stride == i;
        for (uint32_t range = 0; range < device->geometry.ranges; range++)
            right += !map_is_none(map_page(device, range)) &&
                     map_page(device, range).n / device->geometry.stride == i;
        assert_int_equal(device->bands[i].valid, right);
    }
    stand_verify(&stand);
    stand_end(&stand);
}

static void a_block_has_its_last_place_from_the_moment_it_is_accepted(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "two PUs");
    tap_hold(stand.tap, HFTL_MEDIA_WRITE);
    stand_write(&stand, 3, 1, 1);
    hftl_pba before = map_get(stand.device, (hftl_lba){3});
    assert_false(map_is_none(before));
    tap_release(stand.tap);
    stand_flush(&stand);
    assert_int_equal(map_get(stand.device, (hftl_lba){3}).n, before.n);
    assert_true(map_holds(stand.device, 3, false, before));
    stand_write(&stand, 3, 1, 2);
    assert_false(map_holds(stand.device, 3, false, before));
    stand_end(&stand);
}

static void a_trim_of_nothing_dirties_nothing(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "two PUs");
    stand_trim(&stand, 0, 100);
    assert_int_equal(stand.device->map.dirty_count, 0);
    assert_int_equal(stand.device->stats.user_blocks_trimmed, 0);
    stand_write(&stand, 50, 1, 1);
    stand_trim(&stand, 0, 100);
    stand_trim(&stand, 0, 100);
    assert_int_equal(stand.device->map.dirty_count, 1);
    assert_int_equal(stand.device->stats.user_blocks_trimmed, 1);
    stand_end(&stand);
}

static void each_page_replaces_the_one_before(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "two PUs");
    struct device *device = stand.device;
    uint64_t old = MAP_NONE;
    for (uint64_t version = 1; version <= 5; version++) {
        stand_write(&stand, 1, 4, version);
        stand_trim(&stand, 2, 1);
        stand_flush(&stand);
        hftl_pba page = map_page(device, 0);
        assert_false(map_is_none(page));
        assert_int_not_equal(page.n, old);
        assert_false(map_holds(device, 0, true, (hftl_pba){old}));
        assert_true(map_holds(device, 0, true, page));
        assert_int_equal(count_valid(&stand), 4); /* lbas 1, 3, 4 and one page */
        old = page.n;
    }
    stand_end(&stand);
}

static void answers_no_for_what_no_device_has(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "two PUs");
    stand_write(&stand, 0, 1, 1);
    hftl_pba pba = map_get(stand.device, (hftl_lba){0});
    assert_false(map_holds(stand.device, stand.info.blocks, false, pba));
    assert_false(map_holds(stand.device, UINT64_MAX, false, pba));
    assert_false(map_holds(stand.device, stand.device->geometry.ranges, true, pba));
    stand_end(&stand);
}

/* Four bytes more an lba only where nothing else proves what was read. */
static void keeps_checksums_only_where_there_is_no_oob(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "two PUs");
    assert_null(stand.device->map.crc);
    stand_end(&stand);
    stand_begin(&stand, "bare");
    assert_non_null(stand.device->map.crc);
    stand_close(&stand);
    stand.options.verify = HFTL_VERIFY_RELOCATION;
    stand_open(&stand);
    assert_null(stand.device->map.crc);
    stand_end(&stand);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_follow_writes_overwrites_and_trims),
        cmocka_unit_test(each_band_counts_its_own),
        cmocka_unit_test(a_block_has_its_last_place_from_the_moment_it_is_accepted),
        cmocka_unit_test(a_trim_of_nothing_dirties_nothing),
        cmocka_unit_test(each_page_replaces_the_one_before),
        cmocka_unit_test(answers_no_for_what_no_device_has),
        cmocka_unit_test(keeps_checksums_only_where_there_is_no_oob),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
