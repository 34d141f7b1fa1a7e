/* SPDX-License-Identifier: BSD-3-Clause */
/* Erase: what comes before a reset, what comes after it, and when it fails. */
#include "test/core/stand.h"

#include <string.h>

static bool is_superblock(const struct stand *stand, uint32_t chunk)
{
    return chunk == stand->device->layout.superblock_chunk[0] ||
           chunk == stand->device->layout.superblock_chunk[1];
}

static void nothing_is_erased_while_what_emptied_it_is_volatile(void **state)
{
    (void)state;
    for (unsigned shape = 0; shape < stand_shapes(); shape++) {
        struct stand stand;
        struct ask asks[200];
        static uint8_t data[200][512 * 8];
        stand_begin(&stand, stand_shape(shape)->name);
        stand_write_all(&stand, 1);
        stand_settle(&stand);
        tap_clear(stand.tap);
        tap_hold(stand.tap, HFTL_MEDIA_FLUSH); /* from here on nothing becomes durable */
        uint64_t durable = stand.device->user_durable;
        for (uint64_t i = 0; i < 200; i++) {
            uint64_t lba = i * 8 % (stand.expected_count - 8);
            stand_fill(&stand, data[i], lba, 8, 2 + i);
            stand_ask(&stand, &asks[i], HFTL_WRITE, 0, lba, 8, data[i]);
        }
        stand_settle(&stand);
        assert_int_equal(stand.device->user_durable, durable);
        assert_int_equal(tap_count(stand.tap, HFTL_MEDIA_RESET), 0);
        tap_release(stand.tap);
        for (unsigned i = 0; i < 200; i++)
            assert_int_equal(stand_wait(&stand, &asks[i]), HFTL_OK);
        stand_settle(&stand);
        stand_end(&stand);
    }
}

/* O8 as the medium sees it: cut anywhere, the last flushed version or a newer one is there. */
static void a_cut_never_takes_both_versions(void **state)
{
    (void)state;
    for (unsigned shape = 0; shape < stand_shapes(); shape++)
        for (uint64_t seed = 1; seed <= 4; seed++) {
            struct stand stand;
            uint8_t data[512];
            stand_begin(&stand, stand_shape(shape)->name);
            stand.unchecked = true;
            stand_write_all(&stand, 1);
            for (uint64_t i = 0; i < 150 * seed + 7 * shape; i++)
                stand_write(&stand, i * 7 % stand.expected_count, 1, 2);
            stand_crash(&stand, true, seed);
            stand_open(&stand);
            for (uint64_t lba = 0; lba < stand.expected_count; lba++) {
                assert_int_equal(stand_do(&stand, HFTL_READ, 0, lba, 1, data), HFTL_OK);
                assert_true(stand_holds(&stand, data, lba, 1) ||
                            (stand.expected[lba] == 2 && stand_holds(&stand, data, lba, 2)));
            }
            stand_end(&stand);
        }
}

/* O10: between a chunk's reset and its next write lies a flush; and O9, with the guard below. */
static void a_flush_lies_between_a_reset_and_the_next_write(void **state)
{
    (void)state;
    for (unsigned shape = 0; shape < stand_shapes(); shape++) {
        struct stand stand;
        static uint32_t reset_at[4096];
        stand_begin(&stand, stand_shape(shape)->name);
        stand.unchecked = true;
        stand_write_all(&stand, 1);
        tap_clear(stand.tap);
        for (uint64_t version = 2; version < 5; version++)
            stand_write_all(&stand, version);
        memset(reset_at, 0, sizeof(reset_at));
        uint32_t flush = 0, reused = 0;
        assert_true(stand.tap->note_count < TAP_NOTES_MAX);
        for (uint32_t i = 0; i < stand.tap->note_count; i++) {
            const struct tap_note *note = &stand.tap->notes[i];
            if (note->verb == HFTL_MEDIA_FLUSH)
                flush = i;
            if (note->verb == HFTL_MEDIA_RESET)
                reset_at[note->chunk] = i;
            if (note->verb == HFTL_MEDIA_WRITE && reset_at[note->chunk] != 0) {
                assert_true(flush > reset_at[note->chunk]);
                reset_at[note->chunk] = 0;
                reused++;
            }
        }
        assert_true(reused > 5);
        stand_end(&stand);
    }
}

static void a_band_that_is_being_read_is_not_erased(void **state)
{
    (void)state;
    struct stand stand;
    struct ask read;
    uint8_t data[512];
    stand_begin(&stand, "two PUs");
    stand.unchecked = true;
    stand_write_all(&stand, 1);
    uint32_t position;
    struct band *band = stand_band_of(&stand, 0, &position);
    uint64_t generation = band->generation;
    assert_int_equal(band->state, BAND_CLOSED);
    tap_hold(stand.tap, HFTL_MEDIA_READ);
    stand_ask(&stand, &read, HFTL_READ, 0, 0, 1, data);
    device_push(stand.device);
    assert_int_equal(stand.tap->held_count, 1);
    stand.tap->hold_verbs = 0; /* keeps this one alone */
    for (uint64_t i = 0; i < 6 * stand.expected_count; i++)
        stand_write(&stand, i % stand.expected_count, 1, 2 + i / stand.expected_count);
    stand_flush(&stand);
    assert_int_equal(band->generation, generation);
    assert_int_equal(band->state, BAND_EMPTIED);
    assert_false(read.answered);
    tap_release(stand.tap);
    assert_int_equal(stand_wait(&stand, &read), HFTL_OK);
    assert_true(stand_holds(&stand, data, 0, 1)); /* the version when it was submitted */
    for (uint64_t i = 0; i < 2 * stand.expected_count; i++)
        stand_write(&stand, i % stand.expected_count, 1, 20);
    assert_true(band->generation != generation || band->state == BAND_FREE);
    stand_verify(&stand);
    stand_end(&stand);
}

static void a_band_whose_reset_fails_is_retired_and_nothing_else_is(void **state)
{
    (void)state;
    for (unsigned shape = 0; shape < stand_shapes(); shape++) {
        struct stand stand;
        stand_begin(&stand, stand_shape(shape)->name);
        stand.unchecked = true;
        stand_write_all(&stand, 1);
        uint32_t retired = stand_bands_in(&stand, BAND_RETIRED); /* band 0 of a single PU */
        tap_fail(stand.tap, HFTL_MEDIA_RESET, ANY_CHUNK, 1, HFTL_IO);
        for (uint64_t version = 2; version < 6; version++)
            stand_write_all(&stand, version);
        assert_int_equal(stand_bands_in(&stand, BAND_RETIRED), retired + 1);
        assert_true(stand_logged(&stand, "is retired: its erase failed"));
        assert_false(stand.device->read_only);
        stand_check(&stand);
        stand_verify(&stand);
        stand_reopen(&stand); /* it is tried again; what is left in it is older than all else */
        stand_verify(&stand);
        for (uint64_t version = 6; version < 9; version++)
            stand_write_all(&stand, version);
        stand_crash(&stand, true, shape);
        stand_open(&stand);
        stand_verify(&stand);
        stand_end(&stand);
    }
}

static void a_report_that_fails_twice_in_an_erase_retires_the_band(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "two PUs");
    stand.unchecked = true;
    stand_write_all(&stand, 1);
    uint32_t retired = stand_bands_in(&stand, BAND_RETIRED);
    tap_fail(stand.tap, HFTL_MEDIA_REPORT, ANY_CHUNK, 1 + stand.device->geometry.columns, HFTL_IO);
    stand_write_all(&stand, 2);
    stand_write_all(&stand, 3);
    assert_int_equal(stand_bands_in(&stand, BAND_RETIRED), retired + 1);
    stand_verify(&stand);
    stand_end(&stand);
}

/* The drive takes chunks away while we are not looking (M7). */
static void a_chunk_that_went_offline_costs_its_band(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "two PUs");
    stand.unchecked = true;
    stand_write_all(&stand, 1);
    struct band *band = NULL;
    for (uint32_t i = 0; i < stand.device->geometry.bands && band == NULL; i++)
        if (stand.device->bands[i].state == BAND_FREE)
            band = &stand.device->bands[i];
    assert_non_null(band);
    stand_close(&stand);
    mem_retire(stand.store, 9, HFTL_CHUNK_OFFLINE);
    stand_open(&stand); /* lbas in it are gone or older: they are told, or never were there */
    assert_false(is_superblock(&stand, 9));
    stand_write_all(&stand, 2);
    stand_write_all(&stand, 3);
    stand_verify(&stand);
    stand_reopen(&stand);
    stand_verify(&stand);
    stand_end(&stand);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_erased_while_what_emptied_it_is_volatile),
        cmocka_unit_test(a_cut_never_takes_both_versions),
        cmocka_unit_test(a_flush_lies_between_a_reset_and_the_next_write),
        cmocka_unit_test(a_band_that_is_being_read_is_not_erased),
        cmocka_unit_test(a_band_whose_reset_fails_is_retired_and_nothing_else_is),
        cmocka_unit_test(a_report_that_fails_twice_in_an_erase_retires_the_band),
        cmocka_unit_test(a_chunk_that_went_offline_costs_its_band),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
