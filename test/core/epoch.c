/* SPDX-License-Identifier: BSD-3-Clause */
/* Sequence numbers: rising, unique over crashes, renewed while a life runs out of them. */
#include "test/core/stand.h"

#include "format/ident.h"

#include <string.h>

static void seqs_rise_with_each_write(void **state)
{
    (void)state;
    struct stand stand;
    uint64_t last = 0;
    stand_begin(&stand, "two PUs");
    for (unsigned life = 0; life < 5; life++) {
        for (uint64_t lba = 0; lba < 20; lba++) {
            stand_write(&stand, lba, 1, life + 1);
            uint64_t seq = stand_ident(&stand, lba).seq;
            assert_true(seq > last);
            assert_int_equal(seq >> 32, stand.device->epoch);
            last = seq;
        }
        if (life % 2 == 0)
            stand_crash(&stand, true, life);
        else
            stand_close(&stand);
        stand_open(&stand);
    }
    stand_end(&stand);
}

static void the_epoch_is_durable_before_the_first_write(void **state)
{
    (void)state;
    struct stand stand;
    struct hftl_info info;
    stand_begin(&stand, "two PUs");
    for (unsigned life = 0; life < 8; life++) {
        uint32_t epoch = stand.device->epoch;
        stand_crash(&stand, true, life); /* nothing was written at all */
        assert_int_equal(device_probe(stand.guard, &stand.world, NULL, &info, &stand.why), HFTL_OK);
        assert_true(info.epoch >= epoch);
        assert_false(info.clean);
        stand_open(&stand);
        assert_true(stand.device->epoch > epoch);
    }
    stand_end(&stand);
}

static void a_life_out_of_numbers_takes_the_next_epoch_while_it_runs(void **state)
{
    (void)state;
    for (unsigned shape = 0; shape < stand_shapes(); shape++) {
        struct stand stand;
        stand_begin(&stand, stand_shape(shape)->name);
        stand_write(&stand, 0, 30, 1);
        uint32_t epoch = stand.device->epoch;
        uint64_t last = 0;
        for (unsigned times = 0; times < 3; times++) {
            stand.device->counter = UINT32_MAX - 9; /* nearly used up */
            for (uint64_t lba = 0; lba < 40; lba++) {
                stand_write(&stand, lba, 1, 2 + times);
                uint64_t seq = stand_ident(&stand, lba).seq;
                assert_true(seq > last);
                assert_true(seq >> 32 <= stand.device->epoch_durable); /* O6 */
                last = seq;
            }
            assert_int_equal(stand.device->epoch, epoch + 1 + times);
        }
        stand_flush(&stand);
        stand_crash(&stand, true, shape);
        stand_open(&stand);
        assert_true(stand.device->epoch > epoch + 3);
        stand_verify(&stand);
        stand_end(&stand);
    }
}

static void one_long_request_goes_over_the_border(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "zoned");
    uint32_t epoch = stand.device->epoch;
    stand.device->counter = UINT32_MAX - 100;
    stand_write(&stand, 0, 300, 1);
    assert_int_equal(stand.device->epoch, epoch + 1);
    assert_true(stand_ident(&stand, 299).seq > stand_ident(&stand, 0).seq);
    stand_flush(&stand);
    stand_reopen(&stand);
    stand_verify(&stand);
    stand_end(&stand);
}

static void trim_pages_wait_for_the_next_epoch_too(void **state)
{
    (void)state;
    struct stand stand;
    struct ask flush;
    stand_begin(&stand, "two PUs");
    stand_write(&stand, 0, 20, 1);
    stand_flush(&stand);
    stand_trim(&stand, 3, 4);
    uint32_t epoch = stand.device->epoch;
    stand.device->counter = UINT32_MAX;
    stand_ask(&stand, &flush, HFTL_FLUSH, 0, 0, 0, NULL);
    assert_int_equal(stand_wait(&stand, &flush), HFTL_OK);
    assert_int_equal(stand.device->epoch, epoch + 1);
    stand_crash(&stand, true, 1);
    stand_open(&stand);
    stand_verify(&stand);
    stand_end(&stand);
}

static void bands_opened_after_a_renewal_have_generations_of_their_own(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "two PUs");
    stand.unchecked = true;
    stand_write_all(&stand, 1);
    stand.device->counter = UINT32_MAX - 5;
    stand_write_all(&stand, 2);
    const struct geometry *g = &stand.device->geometry;
    for (uint32_t i = 0; i < g->bands; i++)
        for (uint32_t j = 0; j < i; j++)
            if (stand.device->bands[i].state == BAND_CLOSED &&
                stand.device->bands[j].state == BAND_CLOSED)
                assert_int_not_equal(stand.device->bands[i].generation,
                                     stand.device->bands[j].generation);
    stand_verify(&stand);
    stand_reopen(&stand);
    stand_verify(&stand);
    stand_end(&stand);
}

static void when_the_record_of_the_next_epoch_fails_writing_ends(void **state)
{
    (void)state;
    struct stand stand;
    uint8_t data[512 * 40] = {0};
    stand_begin(&stand, "two PUs");
    stand_write(&stand, 0, 10, 1);
    stand_flush(&stand);
    stand.device->super.copies[0].dead = true; /* and the other one fails now */
    tap_fail(stand.tap, HFTL_MEDIA_WRITE, stand.device->layout.superblock_chunk[1], 1, HFTL_IO);
    stand.device->counter = UINT32_MAX - 3;
    assert_int_equal(stand_do(&stand, HFTL_WRITE, 0, 0, 40, data), HFTL_IO);
    assert_true(stand.device->read_only);
    stand_crash(&stand, false, 0);
    stand_open(&stand);
    stand_expect(&stand, 4, 6, 1);
    stand_end(&stand);
}

static void the_last_epoch_of_all_ends_read_only_with_a_reason(void **state)
{
    (void)state;
    struct stand stand;
    uint8_t data[512 * 40] = {0};
    struct hftl_info info;
    stand_begin(&stand, "two PUs");
    stand_write(&stand, 0, 10, 1);
    stand.device->epoch = stand.device->epoch_durable = FORMAT_EPOCH_MAX;
    stand.device->counter = UINT32_MAX - 3;
    assert_int_not_equal(stand_do(&stand, HFTL_WRITE, 0, 0, 40, data), HFTL_OK);
    device_get_info(stand.device, &info);
    assert_true(info.read_only);
    assert_non_null(strstr(info.reason, "sequence numbers are used up"));
    stand_expect(&stand, 4, 6, 1);
    stand_end(&stand);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seqs_rise_with_each_write),
        cmocka_unit_test(the_epoch_is_durable_before_the_first_write),
        cmocka_unit_test(a_life_out_of_numbers_takes_the_next_epoch_while_it_runs),
        cmocka_unit_test(one_long_request_goes_over_the_border),
        cmocka_unit_test(trim_pages_wait_for_the_next_epoch_too),
        cmocka_unit_test(bands_opened_after_a_renewal_have_generations_of_their_own),
        cmocka_unit_test(when_the_record_of_the_next_epoch_fails_writing_ends),
        cmocka_unit_test(the_last_epoch_of_all_ends_read_only_with_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
