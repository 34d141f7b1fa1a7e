/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whatever runs out, somebody waits for it, and what comes back wakes him: the table "What waits,
 * and what wakes it" of DESIGN.md, a test a row. Epochs are in epoch.c, held ranges in flush.c,
 * limits in limits.c.
 */
#include "test/core/stand.h"

#include <string.h>

#define ASKS (READS_MAX + 40u)

static struct ask asks[ASKS];
static uint8_t blocks[ASKS][512];

static void ask_for(struct stand *stand, enum hftl_verb verb, uint32_t count, uint64_t step)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t lba = i * step % stand->expected_count;
        if (verb == HFTL_WRITE)
            stand_fill(stand, blocks[i], lba, 1, 7);
        stand_ask(stand, &asks[i], verb, 0, lba, 1, blocks[i]);
        if (verb == HFTL_WRITE)
            stand->expected[lba] = 7;
    }
    stand_settle(stand);
}

static uint32_t count_answered(uint32_t count)
{
    uint32_t answered = 0;
    for (uint32_t i = 0; i < count; i++)
        answered += asks[i].answered;
    return answered;
}

static void release_and_wait(struct stand *stand, uint32_t count)
{
    tap_release(stand->tap);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(stand_wait(stand, &asks[i]), HFTL_OK);
}

static void begin_full(struct stand *stand, const char *shape)
{
    stand_init(stand, stand_shape_named(shape));
    stand->options.write_buffer_bytes = 16 * 512;
    stand_format(stand);
    stand_open(stand);
    stand->unchecked = true;
    stand_write_all(stand, 1);
    stand->unchecked = false;
}

static void end(struct stand *stand)
{
    stand_settle(stand);
    stand->unchecked = true;
    stand_verify(stand);
    stand_end(stand);
}

static void writes_wait_for_units(void **state)
{
    (void)state;
    struct stand stand;
    begin_full(&stand, "two PUs");
    tap_hold(stand.tap, HFTL_MEDIA_WRITE);
    ask_for(&stand, HFTL_WRITE, ASKS, 1);
    uint32_t answered = count_answered(ASKS);
    assert_true(answered > 0 && answered < ASKS);
    assert_true(list_is_empty(&stand.device->streams[STREAM_USER].pool));
    assert_true(stand.device->stats.stalls > 0);
    release_and_wait(&stand, ASKS);
    end(&stand);
}

static void a_flush_waits_for_a_unit_to_end_its_run_in(void **state)
{
    (void)state;
    static const char *const names[] = {"two PUs", "bare", "zoned"};
    for (unsigned i = 0; i < 3; i++) {
        struct stand stand;
        struct ask flush;
        begin_full(&stand, names[i]);
        tap_hold(stand.tap, HFTL_MEDIA_WRITE);
        ask_for(&stand, HFTL_WRITE, ASKS, 1);
        stand_ask(&stand, &flush, HFTL_FLUSH, 0, 0, 0, NULL);
        stand_settle(&stand);
        assert_false(flush.answered);
        release_and_wait(&stand, ASKS);
        assert_int_equal(stand_wait(&stand, &flush), HFTL_OK);
        end(&stand);
    }
}

static bool is_full(const struct stand *stand)
{
    const struct stream *stream = &stand->device->streams[STREAM_USER];
    return stream->closing->band != NULL && stream->closing->band->state == BAND_FULL;
}

/* A band is closed while the next one is written, as far as units go that its tail does not
 * need. */
static void a_tail_and_the_next_band_wait_for_units(void **state)
{
    (void)state;
    struct stand stand;
    begin_full(&stand, "two PUs");
    stand_settle(&stand);
    assert_false(is_full(&stand));
    for (uint64_t n = 0; !is_full(&stand); n++) {
        assert_true(n < 4 * stand.expected_count);
        tap_hold(stand.tap, HFTL_MEDIA_WRITE);
        ask_for(&stand, HFTL_WRITE, 1, 1);
        if (!is_full(&stand))
            release_and_wait(&stand, 1);
    }
    ask_for(&stand, HFTL_WRITE, ASKS, 1);
    assert_true(count_answered(ASKS) < ASKS);
    assert_true(is_full(&stand));
    release_and_wait(&stand, ASKS);
    end(&stand);
}

static void users_wait_for_bands_until_cleaning_frees_some(void **state)
{
    (void)state;
    struct stand stand;
    uint32_t done = 0;
    begin_full(&stand, "one PU");
    stand.unchecked = true;
    tap_hold(stand.tap, HFTL_MEDIA_READ);
    for (unsigned i = 0; i < 30 && done == count_answered(done); i++) {
        ask_for(&stand, HFTL_WRITE, ASKS, 7);
        done = ASKS;
    }
    assert_true(count_answered(ASKS) < ASKS);
    assert_true(stand.device->bands_free <= BANDS_RESERVE);
    assert_true(stand.tap->held_count > 0);
    release_and_wait(&stand, ASKS);
    end(&stand);
}

/* The last BANDS_RESERVE free bands are relocation's: with its reads kept back it opens no band, so
 * whatever is opened is a user's, and leaves all of them. */
static void users_leave_the_whole_reserve_to_cleaning(void **state)
{
    (void)state;
    for (unsigned shape = 0; shape < stand_shapes(); shape++) {
        struct stand stand;
        uint32_t taken = 0;
        begin_full(&stand, stand_shape(shape)->name);
        stand.unchecked = true;
        stand_settle(&stand);
        tap_hold(stand.tap, HFTL_MEDIA_READ);
        tap_hold(stand.tap, HFTL_MEDIA_RESET);
        const struct device *device = stand.device;
        for (unsigned i = 0; i < 4000; i++) {
            uint64_t opened = device->stats.bands_opened;
            ask_for(&stand, HFTL_WRITE, 1, 1);
            if (count_answered(1) == 0)
                break;
            if (device->stats.bands_opened == opened)
                continue;
            assert_true(device->bands_free >= BANDS_RESERVE);
            taken++;
        }
        assert_int_equal(count_answered(1), 0);
        assert_true(taken > 0 && device->bands_free == BANDS_RESERVE);
        release_and_wait(&stand, 1);
        end(&stand);
    }
}

/* Overwrites until some of a band that users have just opened is durable, and no more than the
 * reserve is free. False: that never is so. */
static bool churn_to_the_reserve(struct stand *stand)
{
    const struct device *device = stand->device;
    const struct stream *user = &device->streams[STREAM_USER];
    for (uint64_t n = 0; n < 4 * stand->expected_count; n++) {
        stand_write(stand, prng_below(&stand->prng, stand->expected_count), 1, 2);
        if (n < stand->expected_count || stream_band(user) == NULL ||
            user->open->position > user->open->tail / 4 || device->bands_free > BANDS_RESERVE)
            continue;
        stand_flush(stand);
        stand_settle(stand);
        if (stream_band(user) != NULL && device->bands_free <= BANDS_RESERVE)
            return true;
    }
    return false;
}

/* A block of each closed band is overwritten, as far as units go, and more of them wait. */
static void overwrite_one_of_each_band(struct stand *stand)
{
    struct device *device = stand->device;
    uint32_t count = 0, position;
    for (uint32_t i = 0; i < device->geometry.bands; i++) {
        uint64_t lba = 0;
        if (device->bands[i].state != BAND_CLOSED || device->bands[i].valid < 2)
            continue;
        while (map_is_none(map_get(device, (hftl_lba){lba})) ||
               stand_band_of(stand, lba, &position) != &device->bands[i])
            lba++;
        stand_ask(stand, &asks[count], HFTL_WRITE, 0, lba, 1, blocks[count]);
        count++;
    }
    for (; count < ASKS; count++)
        stand_ask(stand, &asks[count], HFTL_WRITE, 0,
                  prng_below(&stand->prng, stand->expected_count), 1, blocks[count]);
}

/* What users wrote never lands, and some of it emptied the last of each victim. So a cut takes all
 * victims back, and the copies of the rest of them stay: had relocation used up the free bands for
 * these, none would be left to go on in. */
static void a_cut_leaves_a_band_though_no_overwrite_landed(void **state)
{
    (void)state;
    uint32_t tight = 0;
    for (unsigned i = 0; i < 6 * stand_shapes(); i++) {
        struct stand stand;
        stand_init(&stand, stand_shape(i / 6));
        stand.options.write_buffer_bytes = 64 * 512;
        stand.options.relocation_blocks = 4;
        prng_seed(&stand.prng, i);
        stand_format(&stand);
        stand_open(&stand);
        stand.unchecked = true;
        stand_write_all(&stand, 1);
        if (!churn_to_the_reserve(&stand)) {
            stand_end(&stand);
            continue;
        }
        stand.tap->hold_band = stand.device->streams[STREAM_USER].open->band;
        tap_hold(stand.tap, HFTL_MEDIA_WRITE);
        overwrite_one_of_each_band(&stand);
        stand_settle(&stand);
        tight +=
            stand.device->bands_free <= 2 && !list_is_empty(&stand.device->index.user_volatile);
        stand_crash(&stand, i % 2 == 0, i);
        stand_open(&stand);
        stand_settle(&stand);
        assert_int_equal(stand_try_close(&stand), HFTL_OK);
        stand_open(&stand);
        stand_write_all(&stand, 3);
        end(&stand);
    }
    assert_true(tight > 0);
}

static void movers_wait_for_units(void **state)
{
    (void)state;
    struct stand stand;
    begin_full(&stand, "two PUs");
    stand.unchecked = true;
    struct device *device = stand.device;
    struct stream *stream = &device->streams[STREAM_RELOCATION];
    for (uint64_t n = 0; list_is_empty(&stream->waiting); n++) {
        assert_true(n < 10 * stand.expected_count);
        tap_hold(stand.tap, HFTL_MEDIA_WRITE);
        stand_ask(&stand, &asks[0], HFTL_WRITE, 0, prng_below(&stand.prng, stand.expected_count), 1,
                  blocks[0]);
        stand_settle(&stand);
        if (list_is_empty(&stream->waiting))
            release_and_wait(&stand, 1);
    }
    assert_true(list_is_empty(&stream->pool));
    release_and_wait(&stand, 1);
    stand_settle(&stand);
    assert_true(list_is_empty(&stream->waiting));
    stand_check(&stand);
    stand_end(&stand);
}

static void reads_wait_for_read_parts(void **state)
{
    (void)state;
    struct stand stand;
    begin_full(&stand, "zoned");
    tap_hold(stand.tap, HFTL_MEDIA_READ);
    ask_for(&stand, HFTL_READ, ASKS, 1);
    assert_true(list_is_empty(&stand.device->parts_free));
    assert_true(count_answered(ASKS) < ASKS);
    release_and_wait(&stand, ASKS);
    end(&stand);
}

/* More than the outbox holds in one go. */
static void what_does_not_fit_in_the_outbox_is_sent_at_once(void **state)
{
    (void)state;
    struct stand stand;
    begin_full(&stand, "one PU");
    for (uint32_t i = 0; i < 3 * OUTBOX_MAX; i++) {
        uint64_t lba = i * 11 % stand.expected_count;
        stand_ask(&stand, &asks[i], HFTL_READ, 0, lba, 1, blocks[i]);
    }
    assert_true(tap_count(stand.tap, HFTL_MEDIA_READ) >= 2 * OUTBOX_MAX);
    release_and_wait(&stand, 3 * OUTBOX_MAX);
    end(&stand);
}

/* Whoever waits for a band may hold the one that just became empty. */
static void a_band_that_is_emptied_wakes_who_waits_for_one(void **state)
{
    (void)state;
    struct stand stand;
    struct errand waiter;
    uint32_t position;
    begin_full(&stand, "two PUs");
    struct device *device = stand.device;
    const struct band *band = stand_band_of(&stand, 0, &position);
    errand_init(&waiter, device, "waiter", NULL);
    errand_wait(&waiter, &device->band_waiters);
    for (uint64_t lba = 0; lba < stand.expected_count && band->valid > 0; lba++)
        if (stand_band_of(&stand, lba, &position) == band)
            (void)map_clear(device, (hftl_lba){lba});
    assert_int_equal(band->state, BAND_EMPTIED);
    assert_true(list_is_empty(&device->band_waiters));
    list_remove(&waiter.link); /* it is ready, and has no step */
    stand_crash(&stand, false, 1);
    stand_end(&stand);
}

/* Churns, with three operations of the verb refused every now and then. */
static void churn_with_refusals(const char *shape, enum hftl_media_verb verb)
{
    struct stand stand;
    uint64_t again = 0;
    begin_full(&stand, shape);
    stand.unchecked = true;
    const struct hftl_stats *stats = &stand.device->stats;
    uint64_t resets = stats->media_resets;
    for (uint64_t n = 0; n < 2 * stand.expected_count; n++) {
        uint64_t lba = n % stand.expected_count;
        if (n % 40 == 0 && stand.tap->fail_count == 0) {
            tap_fail(stand.tap, verb, ANY_CHUNK, 3, HFTL_AGAIN);
            again += 3;
        }
        stand_write(&stand, prng_below(&stand.prng, stand.expected_count), 1, 2 + n % 9);
        if (n % 25 == 0)
            stand_expect(&stand, lba, 1, stand.expected[lba]);
    }
    again -= stand.tap->fail_count + stand.tap->failed_count; /* the latter have not landed yet */
    assert_int_equal(stats->media_again, again);
    assert_true(again > 6 && stats->media_resets > resets);
    assert_int_equal(stats->write_errors + stats->read_errors + stats->blocks_lost, 0);
    stand.tap->fail_count = 0;
    end(&stand);
}

static void what_the_medium_has_no_room_for_is_sent_again(void **state)
{
    (void)state;
    static const enum hftl_media_verb verbs[] = {
        HFTL_MEDIA_READ, HFTL_MEDIA_WRITE, HFTL_MEDIA_RESET, HFTL_MEDIA_FLUSH, HFTL_MEDIA_REPORT};
    for (unsigned shape = 0; shape < stand_shapes(); shape++)
        for (unsigned i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
            churn_with_refusals(stand_shape(shape)->name, verbs[i]);
}

/* M8: a medium with nothing in flight has room. One that says otherwise is not asked for ever. */
static void a_medium_that_never_has_room_fails_what_it_is_given(void **state)
{
    (void)state;
    struct stand stand;
    struct ask write, read;
    uint8_t data[512];
    begin_full(&stand, "two PUs");
    tap_fail(stand.tap, HFTL_MEDIA_READ, ANY_CHUNK, UINT32_MAX, HFTL_AGAIN);
    stand_ask(&stand, &read, HFTL_READ, 0, 0, 1, data);
    assert_int_equal(stand_wait(&stand, &read), HFTL_AGAIN);
    stand_settle(&stand);
    tap_fail(stand.tap, HFTL_MEDIA_WRITE, ANY_CHUNK, UINT32_MAX, HFTL_AGAIN);
    stand_ask(&stand, &write, HFTL_WRITE, HFTL_FUA, 0, 1, data);
    assert_int_not_equal(stand_wait(&stand, &write), HFTL_OK);
    assert_true(stand.device->read_only);
    stand.tap->fail_count = 0;
    stand_crash(&stand, true, 1);
    stand_open(&stand);
    stand_end(&stand);
}

static void opening_asks_again_where_the_medium_has_no_room(void **state)
{
    (void)state;
    static const enum hftl_media_verb verbs[] = {HFTL_MEDIA_READ, HFTL_MEDIA_FLUSH,
                                                 HFTL_MEDIA_REPORT, HFTL_MEDIA_WRITE};
    for (unsigned i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        struct stand stand;
        begin_full(&stand, "two PUs");
        stand_flush(&stand);
        stand_crash(&stand, true, i);
        tap_fail(stand.tap, verbs[i], ANY_CHUNK, 5, HFTL_AGAIN);
        stand_open(&stand);
        assert_int_equal(stand.tap->fail_count, 0);
        end(&stand);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_wait_for_units),
        cmocka_unit_test(a_flush_waits_for_a_unit_to_end_its_run_in),
        cmocka_unit_test(a_tail_and_the_next_band_wait_for_units),
        cmocka_unit_test(users_wait_for_bands_until_cleaning_frees_some),
        cmocka_unit_test(users_leave_the_whole_reserve_to_cleaning),
        cmocka_unit_test(a_cut_leaves_a_band_though_no_overwrite_landed),
        cmocka_unit_test(movers_wait_for_units),
        cmocka_unit_test(reads_wait_for_read_parts),
        cmocka_unit_test(what_does_not_fit_in_the_outbox_is_sent_at_once),
        cmocka_unit_test(a_band_that_is_emptied_wakes_who_waits_for_one),
        cmocka_unit_test(what_the_medium_has_no_room_for_is_sent_again),
        cmocka_unit_test(a_medium_that_never_has_room_fails_what_it_is_given),
        cmocka_unit_test(opening_asks_again_where_the_medium_has_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
