/* SPDX-License-Identifier: BSD-3-Clause */
/* The superblock's log: one copy after the other, and never both without the newest. */
#include "test/core/stand.h"

#include "lifecycle/await.h"
#include "lifecycle/superfind.h"

#include <string.h>

static int copy_of(const struct stand *stand, uint32_t chunk)
{
    const uint32_t *chunks = stand->device->layout.superblock_chunk;
    return chunk == chunks[0] ? 0 : chunk == chunks[1] ? 1 : -1;
}

static void each_record_is_write_flush_write_flush(void **state)
{
    (void)state;
    for (unsigned shape = 0; shape < stand_shapes(); shape++) {
        struct stand stand;
        stand_begin(&stand, stand_shape(shape)->name);
        char order[9] = "";
        tap_clear(stand.tap);
        assert_int_equal(super_write_now(stand.device), HFTL_OK);
        for (uint32_t i = 0, used = 0; i < stand.tap->note_count && used < 8; i++) {
            const struct tap_note *note = &stand.tap->notes[i];
            char letter = note->verb == HFTL_MEDIA_FLUSH ? 'F'
                          : note->verb == HFTL_MEDIA_WRITE
                              ? (char)('A' + copy_of(&stand, note->chunk))
                              : '?';
            if (letter != '?' && (used == 0 || order[used - 1] != letter))
                order[used++] = letter;
        }
        assert_string_equal(order, "AFBF");
        stand_end(&stand);
    }
}

static struct found find(struct stand *stand)
{
    struct blocking b = {stand->guard, &stand->world, NULL, NULL};
    struct found found;
    struct why why;
    assert_int_equal(superfind(&b, NULL, &found, &why), HFTL_OK);
    superfind_free(&b, &found);
    return found;
}

static void both_copies_hold_the_newest_record(void **state)
{
    (void)state;
    for (unsigned shape = 0; shape < stand_shapes(); shape++) {
        struct stand stand;
        stand_begin(&stand, stand_shape(shape)->name);
        uint64_t before = stand.device->super.record.number;
        for (unsigned i = 0; i < 200; i++) { /* through several resets of each copy */
            assert_int_equal(super_write_now(stand.device), HFTL_OK);
            struct found found = find(&stand);
            assert_int_equal(found.record.number, before + i + 1);
            assert_int_equal(found.copies[0].newest, before + i + 1);
            assert_int_equal(found.copies[1].newest, before + i + 1);
            assert_false(found.repair);
        }
        assert_true(stand.device->stats.media_resets > 1);
        stand_end(&stand);
    }
}

/* O5: the reset of a copy follows a write to the other one and its flush. */
static void a_full_copy_is_reset_only_when_the_other_has_the_newest_flushed(void **state)
{
    (void)state;
    for (unsigned shape = 0; shape < stand_shapes(); shape++) {
        struct stand stand;
        stand_begin(&stand, stand_shape(shape)->name);
        tap_clear(stand.tap);
        for (unsigned i = 0; i < 200; i++)
            assert_int_equal(super_write_now(stand.device), HFTL_OK);
        uint32_t written[2] = {0}, flush = 0, resets = 0, records[2] = {0};
        for (uint32_t i = 0; i < stand.tap->note_count; i++) {
            const struct tap_note *note = &stand.tap->notes[i];
            if (note->verb == HFTL_MEDIA_FLUSH) {
                flush = i;
                continue;
            }
            int copy = copy_of(&stand, note->chunk);
            if (note->verb == HFTL_MEDIA_WRITE) {
                written[copy] = i;
                records[copy]++;
            }
            if (note->verb != HFTL_MEDIA_RESET)
                continue;
            resets++;
            assert_true(records[1 - copy] == 0 || flush > written[1 - copy]);
        }
        assert_true(resets >= 2);
        stand_end(&stand);
    }
}

/* Cut after each operation of a record that goes through a reset. */
static void a_cut_anywhere_in_a_record_leaves_a_device(void **state)
{
    (void)state;
    static const char *const names[] = {"two PUs", "three PUs", "zoned", "one PU"};
    for (unsigned shape = 0; shape < 4; shape++)
        for (unsigned steps = 0; steps < 60; steps++) {
            struct stand stand;
            stand_begin(&stand, names[shape]);
            stand_write(&stand, 1, 5, 1);
            stand_flush(&stand);
            while (stand.device->stats.media_resets == 0)
                assert_int_equal(super_write_now(stand.device), HFTL_OK);
            uint64_t epoch = stand.device->epoch;
            for (unsigned i = 0; i < steps; i++) {
                if (!stand.device->super.busy)
                    super_write(stand.device);
                (void)stand_step(&stand);
            }
            stand_crash(&stand, true, steps);
            stand_open(&stand);
            assert_true(stand.device->epoch > epoch);
            stand_expect(&stand, 1, 5, 1);
            stand_end(&stand);
        }
}

static void the_copy_that_lags_goes_first(void **state)
{
    (void)state;
    for (int lagging = 0; lagging < 2; lagging++) {
        struct stand stand;
        stand_begin(&stand, "two PUs");
        uint32_t chunk = stand.device->layout.superblock_chunk[lagging];
        tap_fail(stand.tap, HFTL_MEDIA_WRITE, chunk, 1, HFTL_IO);
        assert_int_equal(super_write_now(stand.device), HFTL_OK); /* the other copy goes on */
        assert_false(stand.device->read_only);
        assert_true(stand_logged(&stand, lagging == 0 ? "copy A" : "copy B"));
        stand_crash(&stand, false, 0);
        struct found found = find(&stand);
        assert_true(found.repair);
        tap_clear(stand.tap);
        stand_open(&stand);
        uint32_t first = 0;
        while (stand.tap->notes[first].verb != HFTL_MEDIA_WRITE)
            first++;
        assert_int_equal(stand.tap->notes[first].chunk, chunk);
        found = find(&stand);
        assert_false(found.repair);
        stand_end(&stand);
    }
}

static void a_copy_that_was_destroyed_is_written_again(void **state)
{
    (void)state;
    for (int destroyed = 0; destroyed < 2; destroyed++) {
        struct stand stand;
        stand_begin(&stand, "units of seven");
        uint32_t chunk = stand.device->layout.superblock_chunk[destroyed];
        stand_write(&stand, 0, 10, 1);
        stand_close(&stand);
        memset(mem_block(stand.store, chunk, 0), 0x5a, 35 * 512);
        struct found found = find(&stand);
        assert_true(found.repair);
        assert_int_equal(found.copies[destroyed].newest, 0);
        stand_open(&stand);
        stand_expect(&stand, 0, 10, 1);
        found = find(&stand);
        assert_false(found.repair);
        stand_end(&stand);
    }
}

/* A cut in the middle of a reset may spare an old record and not the first block, by which a chunk
 * is found: what is appended there is lost when the other copy is reset next. */
static void a_copy_without_its_beginning_is_not_appended_to(void **state)
{
    (void)state;
    static const char *const names[] = {"two PUs", "zoned, two columns", "units of seven"};
    for (unsigned i = 0; i < 6; i++) {
        int spoilt = i % 2;
        struct stand stand;
        stand_begin(&stand, names[i / 2]);
        const uint32_t *chunks = stand.device->layout.superblock_chunk;
        uint32_t mine = chunks[spoilt], other = chunks[1 - spoilt];
        uint32_t block_bytes = stand.device->geometry.block_bytes;
        for (unsigned n = 0; n < 3; n++)
            assert_int_equal(super_write_now(stand.device), HFTL_OK);
        stand_write(&stand, 0, 10, 1);
        stand_close(&stand);
        memset(mem_block(stand.store, mine, 0), 0x5a, block_bytes);
        struct found found = find(&stand);
        assert_true(found.repair && found.copies[spoilt].headless);
        assert_true(found.copies[spoilt].newest > 0); /* its other records are whole */
        stand_open(&stand);
        found = find(&stand);
        assert_false(found.repair);
        stand_close(&stand);
        memset(mem_block(stand.store, other, 0), 0x5a,
               block_bytes); /* now this one is the only one */
        stand_open(&stand);
        stand_expect(&stand, 0, 10, 1);
        stand_end(&stand);
    }
}

static void each_failing_operation_of_a_record_ends_read_only_and_the_next_open_repairs(
    void **state)
{
    (void)state;
    static const enum hftl_media_verb verbs[] = {HFTL_MEDIA_WRITE, HFTL_MEDIA_FLUSH,
                                                 HFTL_MEDIA_RESET};
    for (unsigned v = 0; v < 3; v++)
        for (uint32_t after = 0; after < 20; after++) {
            struct stand stand;
            stand_begin(&stand, "three PUs");
            stand_write(&stand, 0, 10, 1);
            stand_flush(&stand);
            tap_fail(stand.tap, verbs[v], ANY_CHUNK, 1, HFTL_IO);
            stand.tap->fail_after = after;
            for (unsigned i = 0; i < 80 && !stand.device->read_only; i++)
                if (super_write_now(stand.device) != HFTL_OK)
                    break;
            stand.tap->fail_count = 0;
            stand_expect(&stand, 0, 10, 1);
            stand_crash(&stand, true, after);
            stand_open(&stand);
            stand_verify(&stand);
            stand_end(&stand);
        }
}

static void never_two_at_once(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "one PU");
    super_write(stand.device);
    assert_true(aborts((void (*)(void *))super_write, stand.device));
    stand_settle(&stand);
    assert_false(stand.device->super.busy);
    stand_end(&stand);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_record_is_write_flush_write_flush),
        cmocka_unit_test(both_copies_hold_the_newest_record),
        cmocka_unit_test(a_full_copy_is_reset_only_when_the_other_has_the_newest_flushed),
        cmocka_unit_test(a_cut_anywhere_in_a_record_leaves_a_device),
        cmocka_unit_test(the_copy_that_lags_goes_first),
        cmocka_unit_test(a_copy_that_was_destroyed_is_written_again),
        cmocka_unit_test(a_copy_without_its_beginning_is_not_appended_to),
        cmocka_unit_test(
            each_failing_operation_of_a_record_ends_read_only_and_the_next_open_repairs),
        cmocka_unit_test(never_two_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
