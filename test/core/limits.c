/* SPDX-License-Identifier: BSD-3-Clause */
/* The four limits: users get their share of the rate, slow down before they stop, wait never for
 * ever. */
#include "test/core/stand.h"

#include <string.h>

#define ASKS 200u

static void defaults_are_valid_and_rise_on_every_geometry(void **state)
{
    (void)state;
    for (unsigned i = 0; i < stand_shapes(); i++) {
        struct stand stand;
        struct hftl_limits limits;
        stand_begin(&stand, stand_shape(i)->name);
        device_get_limits(stand.device, &limits);
        assert_int_equal(limits.size, sizeof(limits));
        assert_int_equal(limits_validate(stand.device, &limits, &stand.why), HFTL_OK);
        assert_int_equal(limits.level[HFTL_LIMIT_CRITICAL].percent, 0);
        assert_int_equal(limits.level[HFTL_LIMIT_START].percent, 100);
        assert_true(limits.level[HFTL_LIMIT_START].bands_free > BANDS_RESERVE);
        for (unsigned level = 1; level < HFTL_LIMIT_COUNT; level++) {
            assert_true(limits.level[level].bands_free > limits.level[level - 1].bands_free);
            assert_true(limits.level[level].percent > limits.level[level - 1].percent);
        }
        stand_end(&stand);
    }
}

static void refuse(struct stand *stand, const struct hftl_limits *limits, const char *part)
{
    struct hftl_limits before, after;
    device_get_limits(stand->device, &before);
    stand->why.text[0] = 0;
    assert_int_equal(device_set_limits(stand->device, limits, &stand->why), HFTL_INVALID);
    assert_non_null(strstr(stand->why.text, part));
    device_get_limits(stand->device, &after);
    assert_memory_equal(&before, &after, sizeof(before));
}

static void limits_that_make_no_sense_are_refused_with_a_sentence(void **state)
{
    (void)state;
    struct stand stand;
    struct hftl_limits good, bad;
    stand_begin(&stand, "zoned");
    device_get_limits(stand.device, &good);
    bad = good;
    bad.level[HFTL_LIMIT_START].percent = 101;
    refuse(&stand, &bad, "101 percent");
    bad = good;
    bad.level[HFTL_LIMIT_HIGH].percent = 60;
    refuse(&stand, &bad, "less than the high limit's 60");
    bad = good;
    bad.level[HFTL_LIMIT_HIGH].bands_free = bad.level[HFTL_LIMIT_LOW].bands_free + 1;
    refuse(&stand, &bad, "below the high limit's");
    bad = good;
    bad.level[HFTL_LIMIT_START].bands_free = stand.device->geometry.bands;
    refuse(&stand, &bad, "in all");
    bad = good;
    for (unsigned i = 0; i < HFTL_LIMIT_COUNT; i++)
        bad.level[i].bands_free = BANDS_RESERVE - 1;
    refuse(&stand, &bad, "cleaning must start at 3");
    for (unsigned i = 0; i < HFTL_LIMIT_COUNT; i++)
        bad.level[i].bands_free =
            BANDS_RESERVE; /* all at once is legal, and so is nothing at all */
    assert_int_equal(device_set_limits(stand.device, &bad, &stand.why), HFTL_OK);
    stand_end(&stand);
}

static struct hftl_limits flat(const struct stand *stand, uint32_t percent)
{
    struct hftl_limits limits = {.size = sizeof(limits)};
    for (unsigned i = 0; i < HFTL_LIMIT_COUNT; i++)
        limits.level[i] = (struct hftl_limit){stand->device->geometry.bands - 1, percent};
    return limits;
}

static void set(struct stand *stand, struct hftl_limits limits)
{
    assert_int_equal(device_set_limits(stand->device, &limits, &stand->why), HFTL_OK);
}

static bool is_reading_blocks(const struct stand *stand)
{
    const struct mover *mover = &stand->device->relocation.movers[0];
    return mover->victim != NULL && mover->errand.in_flight > 0 && mover->ahead->op_count > 0 &&
           (const uint8_t *)stand->tap->held[0]->data == mover->ahead->data;
}

/* A device half full, so that no floor is in the way, with one mover that waits for the reads of
 * its first batch. */
static void begin_with_a_victim_in_hand(struct stand *stand, const char *shape)
{
    stand_init(stand, stand_shape_named(shape));
    stand->options.relocation_victims = 1;
    stand->options.relocation_blocks = 12;
    stand_format(stand);
    stand_open(stand);
    stand->unchecked = true;
    uint64_t half = stand->expected_count / 2;
    for (uint64_t lba = 0; lba < half; lba++)
        stand_write(stand, lba, 1, 1);
    set(stand, flat(stand, 100));
    for (uint64_t i = 0; i < 20 * half; i++) {
        stand->tap->hold_verbs = 1u << HFTL_MEDIA_READ;
        stand_write(stand, prng_below(&stand->prng, half), 1, 2);
        stand_settle(stand);
        while (stand->tap->held_count > 0) {
            if (is_reading_blocks(stand))
                return;
            tap_release(stand->tap);
            stand->tap->hold_verbs = 1u << HFTL_MEDIA_READ;
            stand_settle(stand);
        }
    }
    fail_msg("no victim was ever read");
}

static struct ask asks[ASKS];
static uint8_t data[512];

static void ask_for_writes(struct stand *stand)
{
    for (uint32_t i = 0; i < ASKS; i++)
        stand_ask(stand, &asks[i], HFTL_WRITE, 0, i, 1, data);
}

static uint32_t count_answered(void)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < ASKS; i++)
        count += asks[i].answered;
    return count;
}

/* users <= moved * p / (100 - p), block for block: none before something was moved, and then as
 * many as the account has. */
static void users_get_their_percentage_of_the_blocks_written(void **state)
{
    (void)state;
    static const uint32_t percents[] = {0, 1, 5, 25, 50, 80};
    for (unsigned i = 0; i < sizeof(percents) / sizeof(percents[0]); i++) {
        struct stand stand;
        uint32_t p = percents[i];
        begin_with_a_victim_in_hand(&stand, "two PUs");
        struct device *device = stand.device;
        stand.unchecked = false;
        set(&stand, flat(&stand, p));
        ask_for_writes(&stand);
        stand_settle(&stand);
        assert_int_equal(count_answered(), 0);
        assert_int_equal(device->stats.limit_waits[HFTL_LIMIT_CRITICAL], 1); /* the first in line */
        const struct band *victim = device->relocation.movers[0].victim;
        uint64_t before = device->relocation_clock;
        for (unsigned batch = 0; batch < 3; batch++) {
            tap_release(stand.tap);
            stand.tap->hold_verbs = 1u << HFTL_MEDIA_READ;
            stand_settle(&stand);
            if (device->relocation.movers[0].victim != victim)
                break; /* another one, and maybe lifted in between */
            uint64_t moved = device->relocation_clock - before;
            assert_true(moved > 0);
            assert_int_equal(count_answered(), moved * p / (100 - p));
        }
        tap_release(stand.tap);
        for (uint32_t n = 0; n < ASKS; n++)
            assert_int_equal(stand_wait(&stand, &asks[n]), HFTL_OK);
        stand.expected_count = 0; /* what was asked is not noted */
        stand_end(&stand);
    }
}

static void at_0_percent_only_cleaning_writes_and_no_write_waits_for_ever(void **state)
{
    (void)state;
    for (unsigned i = 0; i < stand_shapes(); i++) {
        struct stand stand;
        stand_begin(&stand, stand_shape(i)->name);
        stand.unchecked = true;
        set(&stand, flat(&stand, 0));
        stand_write_all(&stand, 1);
        for (uint64_t n = 0; n < 2 * stand.expected_count; n++) {
            stand_write(&stand, prng_below(&stand.prng, stand.expected_count), 1, 2 + n % 90);
            if (n % 500 == 0)
                stand_check(&stand);
        }
        assert_true(stand.device->stats.limit_waits[HFTL_LIMIT_CRITICAL] > 0);
        stand_verify(&stand);
        stand_reopen(&stand);
        stand_verify(&stand);
        stand_end(&stand);
    }
}

static void a_limit_is_lifted_while_nothing_can_be_cleaned(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "zoned");
    stand.unchecked = true;
    stand_write_all(&stand, 1);
    stand_settle(&stand);
    device_pause_cleaning(stand.device, true);
    struct hftl_limits limits = flat(&stand, 0);
    limits.level[HFTL_LIMIT_CRITICAL].bands_free = 0; /* pausing holds above it */
    set(&stand, limits);
    uint64_t victims = stand.device->stats.victims;
    for (uint64_t left = 100; left > 0 && stand.device->bands_free > BANDS_RESERVE + 1; left--)
        stand_write(&stand, prng_below(&stand.prng, stand.expected_count), 1, 2);
    assert_int_equal(stand.device->stats.victims, victims);
    stand_end(&stand);
}

/* An emptied band that somebody reads is not a reason to wait: the read may take its time. */
static void an_emptied_band_with_readers_holds_up_nobody(void **state)
{
    (void)state;
    struct stand stand;
    struct ask read;
    uint8_t block[512];
    uint32_t position;
    stand_begin(&stand, "two PUs");
    stand.unchecked = true;
    stand_write_all(&stand, 1);
    const struct band *band = stand_band_of(&stand, 0, &position);
    set(&stand, flat(&stand, 0));
    tap_hold(stand.tap, HFTL_MEDIA_READ);
    stand_ask(&stand, &read, HFTL_READ, 0, 0, 1, block);
    device_push(stand.device);
    assert_int_equal(stand.tap->held_count, 1);
    stand.tap->hold_verbs = 0;
    for (uint64_t i = 0; i < 3 * stand.expected_count; i++)
        stand_write(&stand, i % stand.expected_count, 1, 2);
    assert_int_equal(band->state, BAND_EMPTIED);
    stand_settle(&stand); /* and no flush after the other is asked for */
    assert_false(read.answered);
    tap_release(stand.tap);
    assert_int_equal(stand_wait(&stand, &read), HFTL_OK);
    stand_settle(&stand);
    stand_verify(&stand);
    stand_end(&stand);
}

static void limits_change_under_writes_that_wait(void **state)
{
    (void)state;
    struct stand stand;
    begin_with_a_victim_in_hand(&stand, "zoned");
    set(&stand, flat(&stand, 0));
    ask_for_writes(&stand);
    stand_settle(&stand);
    assert_int_equal(count_answered(), 0);
    uint32_t free = stand.device->bands_free;
    set(&stand, flat(&stand, 100)); /* with the victim still in hand */
    stand_settle(&stand);
    assert_true(count_answered() > 0);
    assert_true(free <= BANDS_RESERVE || count_answered() == ASKS);
    tap_release(stand.tap);
    for (uint32_t n = 0; n < ASKS; n++)
        assert_int_equal(stand_wait(&stand, &asks[n]), HFTL_OK);
    stand_end(&stand);
}

static void counts_how_often_free_bands_fell_to_each_limit(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "zoned");
    stand.unchecked = true;
    const struct device *device = stand.device;
    assert_true(device->bands_free > device->limits.level[HFTL_LIMIT_START].bands_free);
    uint64_t start = 0;
    for (uint64_t i = 0; i < 3 * stand.expected_count; i++) {
        uint32_t before = device->bands_free;
        stand_write(&stand, i % stand.expected_count, 1, 1 + i / stand.expected_count);
        start += before > device->limits.level[HFTL_LIMIT_START].bands_free &&
                 device->bands_free <= device->limits.level[HFTL_LIMIT_START].bands_free;
    }
    assert_true(start > 0);
    assert_true(device->stats.limit_hits[HFTL_LIMIT_START] >= start);
    assert_int_equal(device->stats.limit_waits[HFTL_LIMIT_START], 0); /* 100 % is no limit */
    stand_end(&stand);
}

/* Users save up by what is moved for them, and nothing may be moved in an erase. */
static void a_band_that_is_being_erased_counts_as_free(void **state)
{
    (void)state;
    struct stand stand;
    begin_with_a_victim_in_hand(&stand, "two PUs");
    struct device *device = stand.device;
    uint32_t free = device->bands_free;
    limits_init(device);
    device->bands_free = device->limits.level[HFTL_LIMIT_HIGH].bands_free;
    assert_int_equal(limits_in_force(device), HFTL_LIMIT_HIGH);
    assert_null(device->erase.band);
    device->erase.band = &device->bands[0];
    assert_int_equal(limits_in_force(device), HFTL_LIMIT_LOW);
    limits_earn(device, 10); /* for the limit that is in force */
    assert_int_equal(limits_admit(device, HFTL_LIMIT_LOW), 10);
    device->erase.band = NULL;
    device->bands_free = free;
    tap_release(stand.tap);
    stand_settle(&stand);
    stand_end(&stand);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_valid_and_rise_on_every_geometry),
        cmocka_unit_test(limits_that_make_no_sense_are_refused_with_a_sentence),
        cmocka_unit_test(users_get_their_percentage_of_the_blocks_written),
        cmocka_unit_test(at_0_percent_only_cleaning_writes_and_no_write_waits_for_ever),
        cmocka_unit_test(a_limit_is_lifted_while_nothing_can_be_cleaned),
        cmocka_unit_test(an_emptied_band_with_readers_holds_up_nobody),
        cmocka_unit_test(limits_change_under_writes_that_wait),
        cmocka_unit_test(counts_how_often_free_bands_fell_to_each_limit),
        cmocka_unit_test(a_band_that_is_being_erased_counts_as_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
