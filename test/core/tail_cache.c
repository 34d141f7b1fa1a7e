/* SPDX-License-Identifier: BSD-3-Clause */
/* Verify `cached`: every read is checked against its band's tail, with as little memory as was
 * given, and one that cannot be checked fails. */
#include "test/core/stand.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[] = {"zoned", "zoned, two columns", "bare, window beyond a unit",
                                    "bare slices", "zoned, three columns"};
#define NAMES (sizeof(names) / sizeof(names[0]))

/* Formatted, open, and all of it written, so that most bands are closed. */
static void begin(struct stand *stand, const char *name, uint64_t cache_bytes)
{
    stand_init(stand, stand_shape_named(name));
    stand->options.verify = HFTL_VERIFY_CACHED;
    stand->options.verify_cache_bytes = cache_bytes;
    stand_format(stand);
    stand_open(stand);
    stand->unchecked = true;
    stand_write_all(stand, 1);
    stand->unchecked = false;
    assert_true(stand->device->map.crc == NULL);
}

/* An lba that lies in a band in this state; fails the test where there is none. */
static uint64_t lba_in(struct stand *stand, enum band_state state)
{
    uint32_t position;
    for (uint64_t lba = 0; lba < stand->expected_count; lba++)
        if (stand_band_of(stand, lba, &position)->state == state &&
            stand_media_block(stand, lba) != NULL)
            return lba;
    fail_msg("nothing lies in a band that is %s", band_state_text(state));
    return 0;
}

static void what_is_not_in_memory_is_read_once_and_kept(void **state)
{
    (void)state;
    for (unsigned i = 0; i < NAMES; i++) {
        struct stand stand;
        begin(&stand, names[i], 0);
        const struct hftl_stats *stats = &stand.device->stats;
        uint64_t lba = lba_in(&stand, BAND_CLOSED);
        tap_clear(stand.tap);
        stand_expect(&stand, lba, 1, 1);
        assert_int_equal(stats->verify_misses, 1);
        assert_int_equal(tap_count(stand.tap, HFTL_MEDIA_READ), 2); /* the block and its tail */
        stand_expect(&stand, lba, 1, 1);
        assert_int_equal(stats->verify_misses, 1);
        assert_int_equal(stats->verify_hits, 1);
        assert_int_equal(tap_count(stand.tap, HFTL_MEDIA_READ), 3); /* the block alone */
        stand_verify(&stand);
        assert_true(stats->verify_misses <= stand.device->tail_cache.count); /* room for all */
        assert_int_equal(stats->verify_evictions, 0);
        stand_end(&stand);
    }
}

static void a_block_that_is_not_what_was_written_fails_wherever_it_lies(void **state)
{
    (void)state;
    for (unsigned i = 0; i < NAMES; i++) {
        struct stand stand;
        begin(&stand, names[i], 1);
        stand_media_block(&stand, lba_in(&stand, BAND_CLOSED))[100] ^= 0x40;
        uint64_t lba = lba_in(&stand, BAND_CLOSED);
        assert_int_equal(stand_read_status(&stand, lba), HFTL_MISMATCH);
        assert_int_equal(stand.device->stats.mismatches, 1);
        stand_write(&stand, lba, 1, 2); /* it is in a band being written, and there after a crash */
        stand_flush(&stand);
        stand_crash(&stand, true, i);
        stand_open(&stand);
        device_pause_cleaning(stand.device, true); /* or the sealed band is emptied */
        stand_verify(&stand);
        lba = lba_in(&stand, BAND_SEALED);
        stand_media_block(&stand, lba)[7] ^= 1;
        assert_int_equal(stand_read_status(&stand, lba), HFTL_MISMATCH);
        stand_end(&stand);
    }
}

/* Reads as long as the device reaches, all at once, through a cache of one tail block: whoever gets
 * none waits, and each gets its turn. */
static void a_single_tail_block_serves_any_number_of_reads(void **state)
{
    (void)state;
    enum { READS = 40, BLOCKS = 60 };
    for (unsigned i = 0; i < NAMES; i++) {
        struct stand stand;
        begin(&stand, names[i], 1);
        assert_int_equal(stand.device->tail_cache.count, 1);
        uint32_t block_bytes = stand.device->geometry.block_bytes;
        struct ask *asks = calloc(READS, sizeof(*asks));
        uint8_t *data = calloc(READS, (size_t)BLOCKS * block_bytes);
        assert_true(asks != NULL && data != NULL);
        for (uint32_t n = 0; n < READS; n++)
            stand_ask(&stand, &asks[n], HFTL_READ, 0,
                      (uint64_t)n * 97 % (stand.expected_count - BLOCKS), BLOCKS,
                      data + (size_t)n * BLOCKS * block_bytes);
        for (uint32_t n = 0; n < READS; n++) {
            assert_int_equal(stand_wait(&stand, &asks[n]), HFTL_OK);
            for (uint32_t b = 0; b < BLOCKS; b++)
                assert_true(stand_holds(&stand, data + ((size_t)n * BLOCKS + b) * block_bytes,
                                        asks[n].request.lba + b, 1));
        }
        assert_true(stand.device->stats.verify_evictions > 0);
        assert_true(list_is_empty(&stand.device->tail_cache.hungry));
        free(data);
        free(asks);
        stand_end(&stand);
    }
}

static void damage_tail_at(struct stand *stand, uint64_t lba, uint32_t byte)
{
    uint32_t position;
    struct hftl_media_op op;
    const struct band *band = stand_band_of(stand, lba, &position);
    const struct geometry *g = &stand->device->geometry;
    uint32_t tail = geometry_tail(g, band->width) + position / g->tail_max;
    band_locate(stand->device, band, tail, &op);
    mem_block(stand->store, op.chunk, op.offset)[byte] ^= 2;
}

static void damage_tail(struct stand *stand, uint64_t lba)
{
    damage_tail_at(stand, lba, 90);
}

static void a_read_whose_tail_cannot_be_read_fails_and_others_do_not(void **state)
{
    (void)state;
    struct stand stand;
    begin(&stand, "zoned, two columns", 1);
    uint64_t lba = lba_in(&stand, BAND_CLOSED);
    damage_tail(&stand, lba);
    assert_int_equal(stand_read_status(&stand, lba), HFTL_CORRUPT);
    assert_true(stand_logged(&stand, "cannot be read"));
    uint32_t position, other;
    const struct band *band = stand_band_of(&stand, lba, &position);
    uint64_t far = lba;
    while (stand_band_of(&stand, far, &other) == band)
        far++;
    stand_expect(&stand, far, 1, 1);
    damage_tail(&stand, lba); /* the flip is undone: it is tried again */
    stand_expect(&stand, lba, 1, 1);
    stand_end(&stand);
}

/* Wherever the damage is: a tail that is none any more, or of another version, is a damaged one. */
static void a_read_is_told_of_damage_not_of_another_device(void **state)
{
    (void)state;
    for (uint32_t byte = 0; byte < 64; byte++) {
        struct stand stand;
        begin(&stand, "zoned, two columns", 1);
        uint64_t lba = lba_in(&stand, BAND_CLOSED);
        damage_tail_at(&stand, lba, byte);
        enum hftl_status status = stand_read_status(&stand, lba);
        assert_true(status == HFTL_CORRUPT || status == HFTL_MISMATCH);
        damage_tail_at(&stand, lba, byte);
        stand_end(&stand);
    }
}

static void a_tail_that_fails_once_is_read_again(void **state)
{
    (void)state;
    struct stand stand;
    begin(&stand, "zoned, two columns", 1);
    uint64_t lba = lba_in(&stand, BAND_CLOSED);
    struct ask ask;
    uint8_t data[512];
    tap_hold(stand.tap, HFTL_MEDIA_READ);
    stand_ask(&stand, &ask, HFTL_READ, 0, lba, 1, data);
    while (stand.tap->held_count < 2)
        stand_step(&stand);
    const struct hftl_media_op *tail = &stand.device->tail_cache.entries[0].op;
    assert_int_equal(stand.tap->held[0]->chunk, tail->chunk);
    assert_int_equal(stand.tap->held[0]->offset, tail->offset);
    tap_refuse_first(stand.tap, HFTL_IO);
    tap_release(stand.tap);
    assert_int_equal(stand_wait(&stand, &ask), HFTL_OK);
    assert_true(stand_holds(&stand, data, lba, 1));
    stand_end(&stand);
}

/* K3: all of the band is overwritten while its tail is being read. */
static void a_band_is_not_erased_under_a_tail_being_read(void **state)
{
    (void)state;
    struct stand stand;
    begin(&stand, "zoned, two columns", 0);
    uint32_t position;
    uint64_t lba = lba_in(&stand, BAND_CLOSED);
    struct band *band = stand_band_of(&stand, lba, &position);
    uint64_t generation = band->generation;
    struct ask ask;
    uint8_t data[512];
    tap_hold(stand.tap, HFTL_MEDIA_READ);
    stand_ask(&stand, &ask, HFTL_READ, 0, lba, 1, data);
    while (stand.tap->held_count < 2)
        stand_step(&stand);
    stand.tap->hold_verbs = 0; /* these two stay held, others pass */
    stand.unchecked = true;
    for (unsigned round = 2; round < 5; round++)
        for (uint64_t i = 0; i < stand.expected_count; i++)
            stand_write(&stand, i, 1, round);
    assert_int_equal(band->generation, generation);
    assert_int_equal(band->state, BAND_EMPTIED);
    assert_int_equal(band->readers, 2);
    tap_release(stand.tap);
    assert_int_equal(stand_wait(&stand, &ask), HFTL_OK);
    assert_true(stand_holds(&stand, data, lba, 1)); /* the version when it was asked for */
    stand_settle(&stand);
    stand_verify(&stand);
    stand_end(&stand);
}

/* K1: through many lives of each band, with room for all tails: old ones are still there. */
static void a_tail_of_a_former_life_is_not_believed(void **state)
{
    (void)state;
    for (unsigned i = 0; i < NAMES; i++) {
        struct stand stand;
        begin(&stand, names[i], 0);
        for (unsigned round = 2; round < 6; round++) {
            stand_verify(&stand);
            stand.unchecked = true;
            for (uint64_t n = 0; n < 2 * stand.expected_count; n++)
                stand_write(&stand, prng_below(&stand.prng, stand.expected_count), 1, round);
            stand.unchecked = false;
        }
        stand_verify(&stand);
        assert_int_equal(stand.device->stats.mismatches, 0);
        stand_end(&stand);
    }
}

/* The bound is one: what is allocated for it is what was asked for, at most. */
static void the_memory_is_bounded(void **state)
{
    (void)state;
    uint64_t without = 0;
    for (uint64_t bytes = 0; bytes < 40000; bytes += 4000) {
        struct stand stand;
        stand_init(&stand, stand_shape_named("zoned, two columns"));
        stand.options.verify = bytes == 0 ? HFTL_VERIFY_RELOCATION : HFTL_VERIFY_CACHED;
        stand.options.verify_cache_bytes = bytes;
        stand_format(&stand);
        stand_open(&stand);
        if (bytes == 0)
            without = stand.device->memory_bytes;
        else
            assert_in_range(stand.device->memory_bytes - without, 1, bytes);
        stand_end(&stand);
    }
}

static void with_oob_there_is_no_cache(void **state)
{
    (void)state;
    struct stand stand;
    begin(&stand, "two PUs", 0);
    assert_int_equal(stand.device->tail_cache.count, 0);
    stand_verify(&stand);
    assert_int_equal(stand.device->stats.verify_misses, 0);
    stand_end(&stand);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_in_memory_is_read_once_and_kept),
        cmocka_unit_test(a_block_that_is_not_what_was_written_fails_wherever_it_lies),
        cmocka_unit_test(a_single_tail_block_serves_any_number_of_reads),
        cmocka_unit_test(a_read_whose_tail_cannot_be_read_fails_and_others_do_not),
        cmocka_unit_test(a_read_is_told_of_damage_not_of_another_device),
        cmocka_unit_test(a_tail_that_fails_once_is_read_again),
        cmocka_unit_test(a_band_is_not_erased_under_a_tail_being_read),
        cmocka_unit_test(a_tail_of_a_former_life_is_not_believed),
        cmocka_unit_test(the_memory_is_bounded),
        cmocka_unit_test(with_oob_there_is_no_cache),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
