/* SPDX-License-Identifier: BSD-3-Clause */
/* Closing the open bands on request: each padded, each with its tail, and nobody waits for ever. */
#include "test/core/stand.h"

#define ASKS 8u

static void ask_for_it(struct stand *stand, struct ask *ask)
{
    stand_ask(stand, ask, HFTL_FLUSH_BANDS, 0, 0, 0, NULL);
}

static enum hftl_status flush_bands(struct stand *stand)
{
    struct ask ask;
    ask_for_it(stand, &ask);
    return stand_wait(stand, &ask);
}

static bool is_answered(struct stand *stand, const struct ask *ask)
{
    for (unsigned idle = 0; !ask->answered && idle < 4;)
        idle = stand_step(stand) ? 0 : idle + 1;
    return ask->answered;
}

static void no_band_is_open_afterwards_and_all_can_be_read(void **state)
{
    (void)state;
    for (unsigned i = 0; i < stand_shapes(); i++) {
        struct stand stand;
        stand_begin(&stand, stand_shape(i)->name);
        for (uint64_t n = 1; n < 12; n++) { /* each time another length of what was open */
            stand_write(&stand, 0, n, n);
            uint64_t closed = stand.device->stats.bands_closed;
            assert_int_equal(flush_bands(&stand), HFTL_OK);
            assert_true(stand.device->stats.bands_closed > closed);
            assert_int_equal(stand_bands_in(&stand, BAND_OPEN), 0);
            assert_int_equal(stand_bands_in(&stand, BAND_FULL), 0);
            stand_verify(&stand);
        }
        stand_flush(&stand);
        stand_crash(&stand, true, i);
        stand_open(&stand);
        assert_int_equal(stand_bands_in(&stand, BAND_SEALED), 0); /* every one has its tail */
        stand_verify(&stand);
        stand_end(&stand);
    }
}

static void with_nothing_open_it_is_done_at_once_and_writes_nothing(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "two PUs");
    tap_clear(stand.tap);
    assert_int_equal(flush_bands(&stand), HFTL_OK);
    stand_write(&stand, 0, 3, 1);
    assert_int_equal(flush_bands(&stand), HFTL_OK);
    stand_settle(&stand);
    tap_clear(stand.tap);
    for (unsigned n = 0; n < 3; n++)
        assert_int_equal(flush_bands(&stand), HFTL_OK);
    assert_int_equal(stand.tap->note_count, 0);
    assert_int_equal(stand.device->stats.bands_closed, 1);
    stand_end(&stand);
}

/* Several at once, writers in between, the closing kept back: each is answered, none before its
 * time. */
static void several_at_once_do_not_disturb_one_another(void **state)
{
    (void)state;
    for (unsigned i = 0; i < stand_shapes(); i++) {
        struct stand stand;
        struct ask asks[ASKS];
        stand_begin(&stand, stand_shape(i)->name);
        stand_write(&stand, 0, 5, 1);
        tap_hold(stand.tap, HFTL_MEDIA_FLUSH);
        for (unsigned n = 0; n < ASKS; n++) {
            ask_for_it(&stand, &asks[n]);
            for (unsigned steps = 0; steps < n; steps++)
                (void)stand_step(&stand);
            if (n % 2 == 0)
                stand_write(&stand, 10 + n, 1, 2); /* goes into the next band */
        }
        for (unsigned n = 0; n < ASKS; n++)
            assert_false(is_answered(&stand, &asks[n]));
        tap_release(stand.tap);
        for (unsigned n = 0; n < ASKS; n++)
            assert_int_equal(stand_wait(&stand, &asks[n]), HFTL_OK);
        assert_in_range(stand.device->stats.bands_closed, 2, 3); /* one round each way */
        assert_int_equal(stand_bands_in(&stand, BAND_OPEN), 0);
        stand_verify(&stand);
        stand_end(&stand);
    }
}

static void writers_are_not_kept_waiting_by_it(void **state)
{
    (void)state;
    struct stand stand;
    struct ask ask;
    stand_begin(&stand, "three PUs");
    stand_write(&stand, 0, 5, 1);
    tap_hold(stand.tap, HFTL_MEDIA_FLUSH);
    ask_for_it(&stand, &ask);
    assert_false(is_answered(&stand, &ask));
    for (uint64_t lba = 20; lba < 60; lba++)
        stand_write(&stand, lba, 1, 3);
    assert_false(ask.answered);
    tap_release(stand.tap);
    assert_int_equal(stand_wait(&stand, &ask), HFTL_OK);
    assert_int_equal(stand.device->streams[STREAM_USER].open->band->state, BAND_OPEN);
    stand_verify(&stand);
    stand_end(&stand);
}

/* N1, N2: asked for at every step on a full device that is written to, it never uses up what
 * cleaning needs: it waits, or it is refused, and writing goes on. */
static void hammer(struct stand *stand)
{
    static uint8_t data[HFTL_BLOCK_BYTES];
    struct ask write, ask;
    uint32_t done = 0, refused = 0;
    ask_for_it(stand, &ask);
    for (uint64_t n = 0; n < 800; n++) {
        uint64_t lba = prng_below(&stand->prng, stand->expected_count);
        stand->expected[lba] = n + 2;
        stand_fill(stand, data, lba, 1, n + 2);
        stand_ask(stand, &write, HFTL_WRITE, 0, lba, 1, data);
        uint32_t steps = 0;
        for (unsigned idle = 0; !write.answered && idle < 100;) {
            assert_in_range(++steps, 1, 20000); /* it goes on, it does not only move */
            if (ask.answered) {
                done += ask.request.status == HFTL_OK;
                refused += ask.request.status == HFTL_SPACE;
                assert_true(ask.request.status == HFTL_OK || ask.request.status == HFTL_SPACE);
                ask_for_it(stand, &ask);
            }
            idle = stand_step(stand) ? 0 : idle + 1;
        }
        assert_int_equal(stand_wait(stand, &write), HFTL_OK);
    }
    (void)stand_wait(stand, &ask);
    assert_true(done > 0);
    assert_in_range(refused, 0, 800);
}

static void cleaning_survives_it_on_a_full_device(void **state)
{
    (void)state;
    for (unsigned i = 0; i < stand_shapes(); i++) {
        struct stand stand;
        stand_begin(&stand, stand_shape(i)->name);
        stand.unchecked = true;
        stand_write_all(&stand, 1);
        hammer(&stand);
        assert_false(stand.device->read_only);
        stand_check(&stand);
        stand_verify(&stand);
        stand_end(&stand);
    }
}

/* Who waits for a band is no reader: movers do not let him go first. */
static void it_waits_for_cleaning_and_is_done(void **state)
{
    (void)state;
    for (unsigned i = 0; i < stand_shapes(); i++) {
        struct stand stand;
        uint32_t waited = 0;
        stand_begin(&stand, stand_shape(i)->name);
        stand.unchecked = true;
        stand_write_all(&stand, 1);
        for (uint64_t n = 2; n < 1000 && waited < 10; n++) {
            stand_write(&stand, prng_below(&stand.prng, stand.expected_count), 1, n);
            if (stand.device->bands_free >= BANDS_RESERVE || relocation_is_idle(stand.device))
                continue;
            waited++;
            assert_int_equal(flush_bands(&stand), HFTL_OK);
        }
        assert_int_equal(waited, 10);
        stand_check(&stand);
        stand_verify(&stand);
        stand_end(&stand);
    }
}

static void it_is_refused_where_the_reserve_would_have_to_pay(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "one PU");
    stand_write(&stand, 0, 3, 1);
    uint32_t all = stand.device->bands_free;
    stand.unchecked = true; /* the count is made up */
    stand.device->bands_free = BANDS_RESERVE - 1;
    assert_int_equal(flush_bands(&stand), HFTL_SPACE);
    assert_int_equal(stand.device->stats.bands_closed, 0);
    stand.device->bands_free = all;
    stand.unchecked = false;
    assert_false(stand.device->read_only);
    assert_int_equal(flush_bands(&stand), HFTL_OK);
    stand_verify(&stand);
    stand_end(&stand);
}

static void a_degraded_device_fails_it_now_and_later(void **state)
{
    (void)state;
    struct stand stand;
    struct ask asks[3];
    stand_begin(&stand, "two PUs");
    stand_write(&stand, 0, 5, 1);
    tap_hold(stand.tap, HFTL_MEDIA_FLUSH);
    for (unsigned n = 0; n < 3; n++) {
        ask_for_it(&stand, &asks[n]);
        stand_settle(&stand);
    }
    tap_refuse_first(stand.tap, HFTL_IO);
    for (unsigned n = 0; n < 3; n++)
        assert_int_equal(stand_wait(&stand, &asks[n]), HFTL_IO);
    assert_true(stand.device->read_only);
    assert_int_equal(flush_bands(&stand), HFTL_READ_ONLY);
    tap_release(stand.tap);
    stand_end(&stand);
}

static void a_close_answers_it_first(void **state)
{
    (void)state;
    struct stand stand;
    struct ask ask;
    stand_begin(&stand, "bare");
    stand_write(&stand, 0, 5, 1);
    ask_for_it(&stand, &ask);
    stand_close(&stand);
    assert_true(ask.answered);
    assert_int_equal(ask.request.status, HFTL_OK);
    stand_open(&stand);
    assert_int_equal(stand_bands_in(&stand, BAND_OPEN), 0);
    stand_verify(&stand);
    stand_end(&stand);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_band_is_open_afterwards_and_all_can_be_read),
        cmocka_unit_test(with_nothing_open_it_is_done_at_once_and_writes_nothing),
        cmocka_unit_test(several_at_once_do_not_disturb_one_another),
        cmocka_unit_test(writers_are_not_kept_waiting_by_it),
        cmocka_unit_test(cleaning_survives_it_on_a_full_device),
        cmocka_unit_test(it_waits_for_cleaning_and_is_done),
        cmocka_unit_test(it_is_refused_where_the_reserve_would_have_to_pay),
        cmocka_unit_test(a_degraded_device_fails_it_now_and_later),
        cmocka_unit_test(a_close_answers_it_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
