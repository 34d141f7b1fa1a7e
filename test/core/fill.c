/* SPDX-License-Identifier: BSD-3-Clause */
/* A device filled to its last block and overwritten ten times, in order and at random, never runs
 * out of space (C11) and never forgets. */
#include "test/core/stand.h"

#include "base/bytes.h"

static void overwrite_at_random(struct stand *stand, uint64_t version)
{
    for (uint64_t left = stand->expected_count; left > 0;) {
        uint64_t blocks = min_u64(left, 1 + prng_below(&stand->prng, 12));
        uint64_t lba = prng_below(&stand->prng, stand->expected_count - blocks + 1);
        stand_write(stand, lba, blocks, version);
        left -= blocks;
        if (prng_chance(&stand->prng, 1, 50))
            stand_flush(stand);
    }
}

static void fill_and_overwrite(const struct stand_shape *shape, bool random)
{
    struct stand stand;
    stand_init(&stand, shape);
    stand.unchecked = true;
    stand_format(&stand);
    stand_open(&stand);
    stand_write_all(&stand, 1);
    assert_int_equal(stand.device->map.mapped, stand.expected_count);
    for (uint64_t version = 2; version <= 11; version++) {
        if (random)
            overwrite_at_random(&stand, version);
        else
            stand_write_all(&stand, version);
        stand_check(&stand);
        if (version % 4 == 0)
            stand_reopen(&stand);
        if (version % 4 == 2) {
            stand_flush(&stand);
            stand_crash(&stand, true, version);
            stand_open(&stand);
        }
    }
    stand_verify(&stand);
    stand_trim(&stand, 0, stand.expected_count);
    stand_flush(&stand);
    stand_write_all(&stand, 20);
    stand_verify(&stand);
    stand_end(&stand);
}

static void every_odd_geometry_in_order(void **state)
{
    (void)state;
    for (unsigned i = 0; i < stand_shapes(); i++)
        fill_and_overwrite(stand_shape(i), false);
}

static void every_odd_geometry_at_random(void **state)
{
    (void)state;
    for (unsigned i = 0; i < stand_shapes(); i++)
        fill_and_overwrite(stand_shape(i), true);
}

/* The memory medium's own shapes: 16 MiB of 4 KiB blocks. */
static void sixteen_mebibytes_open_channel(void **state)
{
    (void)state;
    struct stand_shape shape = {"16 MiB", mem_facts(HFTL_KIND_OCSSD), 0, 1};
    fill_and_overwrite(&shape, false);
    fill_and_overwrite(&shape, true);
}

static void sixteen_mebibytes_zoned(void **state)
{
    (void)state;
    for (uint32_t columns = 1; columns <= 3; columns++) {
        struct stand_shape shape = {"16 MiB", mem_facts(HFTL_KIND_ZONED), columns, 1};
        fill_and_overwrite(&shape, true);
    }
}

/* As on the drive that taught people that neither need be a power of two. */
static void many_chunks_on_one_unit(void **state)
{
    (void)state;
    struct stand_shape shape = *stand_shape_named("units of 24");
    shape.facts.groups = 1;
    shape.facts.chunks_per_pu = 1478;
    fill_and_overwrite(&shape, true);
}

static void overwrite_with_least_spare(const struct stand_shape *shape, uint32_t slack)
{
    struct stand stand;
    stand_init(&stand, shape);
    stand.unchecked = true;
    stand.format.op_permille = 1;
    stand_format(&stand);
    stand_open(&stand);
    assert_int_equal(stand.device->geometry.slack, slack);
    for (uint64_t version = 1; version <= 5; version++) {
        stand_write_all(&stand, version);
        overwrite_at_random(&stand, version);
    }
    for (uint64_t n = 0; n < 2000; n++) /* each flushed by itself */
        stand_write_fua(&stand, prng_below(&stand.prng, stand.expected_count), 1, n + 6);
    stand_check(&stand);
    stand_verify(&stand);
    stand_reopen(&stand);
    stand_verify(&stand);
    stand_end(&stand);
}

static void with_no_more_over_provisioning_than_the_geometry_needs(void **state)
{
    (void)state;
    static const char *const names[] = {"two PUs", "bare", "zoned", "units of 24"};
    for (unsigned i = 0; i < 4; i++)
        overwrite_with_least_spare(stand_shape_named(names[i]), 10);
}

/* Of large bands a twentieth stays free, not a tenth. */
static void large_bands_with_no_more_over_provisioning_than_they_need(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t chunk_blocks, chunks;
    } cases[] = {{"zoned", 256, 40}, {"bare", 480, 24}, {"two PUs", 480, 12}};
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct stand_shape shape = *stand_shape_named(cases[i].name);
        shape.facts.chunk_blocks = cases[i].chunk_blocks;
        shape.facts.chunks_per_pu = cases[i].chunks;
        overwrite_with_least_spare(&shape, 20);
    }
}

/* Each flushed by itself: the padding must not eat the device. */
static void single_blocks_each_with_fua(void **state)
{
    (void)state;
    for (unsigned i = 0; i < stand_shapes(); i++) {
        struct stand stand;
        stand_begin(&stand, stand_shape(i)->name);
        stand.unchecked = true;
        stand_write_all(&stand, 1);
        for (uint64_t n = 0; n < stand.expected_count; n++)
            stand_write_fua(&stand, prng_below(&stand.prng, stand.expected_count), 1, n + 2);
        stand_check(&stand);
        stand_crash(&stand, true, i);
        stand_open(&stand);
        stand_verify(&stand);
        stand_end(&stand);
    }
}

/* ---- a drive that wears out ---- */

#define STEPS_ENOUGH 60000u

/* The status of a write, which must come. */
static enum hftl_status write_in_time(struct stand *stand, uint64_t lba)
{
    uint8_t data[HFTL_BLOCK_BYTES] = {1};
    struct ask ask;
    stand_ask(stand, &ask, HFTL_WRITE, 0, lba, 1, data);
    for (unsigned steps = 0; !ask.answered; steps++) {
        if (steps == STEPS_ENOUGH)
            fail_msg("cleans for ever: %u free, %llu victims", stand->device->bands_free,
                     (unsigned long long)stand->device->stats.victims);
        (void)stand_step(stand);
    }
    return ask.request.status;
}

/* So many trimmed that the rest and a trim page fill whole bands, but for `short_of` blocks. */
static uint64_t trim_to_bands(const struct stand *stand, uint32_t short_of)
{
    const struct geometry *g = &stand->device->geometry;
    uint32_t capacity = geometry_data_blocks(g, g->columns);
    return (stand->expected_count + 1 + short_of) % capacity;
}

/* `count` bands are lost, and what is not trimmed is written again and again. */
static void wear_out(const struct stand_shape *shape, uint32_t count, uint32_t short_of)
{
    struct stand stand;
    stand_init(&stand, shape);
    stand.unchecked = true;
    stand_format(&stand);
    stand_open(&stand);
    stand_write_all(&stand, 1);
    uint64_t trimmed = trim_to_bands(&stand, short_of);
    stand_trim(&stand, 0, trimmed + 1);
    stand_flush(&stand);
    stand_write(&stand, trimmed, 1, 2);
    enum hftl_status status = HFTL_OK;
    uint64_t room = stand.expected_count - trimmed;
    for (uint64_t i = 0; i < (count + 2) * room && status == HFTL_OK; i++) {
        if (i % room == 0 && i / room < count)
            tap_fail(stand.tap, HFTL_MEDIA_RESET, ANY_CHUNK, 1, HFTL_IO);
        status = write_in_time(&stand, trimmed + prng_below(&stand.prng, room));
    }
    assert_true(status == HFTL_OK || (status == HFTL_SPACE && stand.device->read_only));
    for (uint64_t lba = 0; lba < stand.expected_count; lba++)
        assert_int_equal(stand_read_status(&stand, lba), HFTL_OK); /* C11 */
    stand_end(&stand);
}

/* Where all that is left to clean is the padding of the last cleaning (C12). */
static void with_too_few_bands_left_writing_ends_and_cleaning_too(void **state)
{
    (void)state;
    static const char *const names[] = {"one PU", "zoned", "zoned, two columns"};
    for (unsigned i = 0; i < 3; i++)
        for (uint32_t count = 2; count <= 5; count++)
            for (uint32_t short_of = 1; short_of <= 4; short_of++)
                wear_out(stand_shape_named(names[i]), count, short_of);
}

/* ---- a drive that reads slowly, a file system that trims ---- */

/* Reads are kept back, so users outrun cleaning, until nothing else moves. */
static void ask_slowly(struct stand *stand, enum hftl_verb verb, uint64_t lba)
{
    uint8_t data[HFTL_BLOCK_BYTES];
    struct ask ask;
    stand_fill(stand, data, lba, 1, stand->completed + 1);
    if (verb == HFTL_WRITE)
        stand->expected[lba] = stand->completed + 1;
    else if (verb == HFTL_TRIM)
        stand->expected[lba] = 0;
    stand_ask(stand, &ask, verb, 0, lba, verb == HFTL_FLUSH ? 0 : 1, data);
    for (unsigned idle = 0; !ask.answered && idle <= 3;) {
        tap_hold(stand->tap, HFTL_MEDIA_READ);
        idle = stand_step(stand) ? 0 : idle + 1;
        if (idle > 1 && stand->tap->held_count > 0)
            tap_release(stand->tap);
    }
    assert_true(ask.answered);
    if (ask.request.status != HFTL_OK)
        fail_msg("%s (%s)", hftl_status_text(ask.request.status), stand->device->reason);
}

static void trim_flush_write(struct stand *stand, unsigned round, unsigned writes)
{
    uint64_t lba = prng_below(&stand->prng, stand->expected_count);
    ask_slowly(stand, HFTL_TRIM, lba);
    ask_slowly(stand, HFTL_FLUSH, 0);
    ask_slowly(stand, HFTL_WRITE, lba);
    for (unsigned i = 1; i < writes; i++)
        ask_slowly(stand, HFTL_WRITE, prng_below(&stand->prng, stand->expected_count));
    if (round % 8 == 0) {
        tap_release(stand->tap);
        (void)stand_step(stand);
    }
}

/* Each flush with a trim opens a band for its page; were users to fill that, none would be left. */
static void trims_do_not_give_users_the_bands_that_cleaning_needs(void **state)
{
    (void)state;
    for (unsigned i = 0; i < stand_shapes(); i++) {
        struct stand stand;
        stand_begin(&stand, stand_shape(i)->name);
        stand.unchecked = true;
        stand_write_all(&stand, 1);
        overwrite_at_random(&stand, 2);
        for (unsigned round = 0; round < 3000; round++)
            trim_flush_write(&stand, round, 1 + round / 500);
        tap_release(stand.tap);
        stand_settle(&stand);
        stand_check(&stand);
        stand_verify(&stand);
        stand_end(&stand);
    }
}

/* While recovery's bands are being emptied: a close pads the band they are moved to, and a crash
 * seals it. */
static void close_some_times(struct stand *stand, unsigned closes)
{
    for (unsigned i = 0; i < closes; i++) {
        for (uint64_t steps = prng_below(&stand->prng, 60); steps > 0; steps--)
            (void)stand_step(stand);
        tap_release(stand->tap);
        if (prng_chance(&stand->prng, 1, 3)) {
            stand_crash(stand, true, i);
            stand_open(stand);
        } else {
            stand_reopen(stand);
            assert_true(stand->device->was_clean);
        }
    }
}

/* True when the power was cut with relocation in the middle of a band and no other free. */
static bool cut_with_no_band_free(struct stand *stand, unsigned closes)
{
    const struct band *band = stand->device->streams[STREAM_RELOCATION].open->band;
    if (stand->device->bands_free > 0 || band == NULL || band->valid == 0)
        return false;
    stand_crash(stand, true, stand->completed);
    stand_open(stand);
    close_some_times(stand, closes);
    for (unsigned i = 0; i < 300; i++) /* what it wrote before is not looked at: not flushed */
        ask_slowly(stand, HFTL_WRITE, prng_below(&stand->prng, stand->expected_count));
    return true;
}

static void cut_where_it_hurts(const struct stand_shape *shape, uint64_t seed, unsigned closes)
{
    struct stand stand;
    stand_init(&stand, shape);
    prng_seed(&stand.prng, seed);
    stand.unchecked = true;
    stand_format(&stand);
    stand_open(&stand);
    stand_write_all(&stand, 1);
    overwrite_at_random(&stand, 2);
    for (unsigned round = 0, cuts = 0; round < 6000 && cuts < 8; round++) {
        if (round % 3 == 0)
            trim_flush_write(&stand, round, 1);
        else
            ask_slowly(&stand, HFTL_WRITE, prng_below(&stand.prng, stand.expected_count));
        cuts += cut_with_no_band_free(&stand, closes);
    }
    tap_release(stand.tap);
    stand_check(&stand);
    stand_end(&stand);
}

/* Nor after a cut at the worst moment, when it seals the bands that were being written. */
static void a_cut_with_no_band_free_leaves_cleaning_one(void **state)
{
    (void)state;
    for (unsigned i = 0; i < stand_shapes(); i++)
        for (uint64_t seed = 1; seed <= 6; seed++)
            cut_where_it_hurts(stand_shape(i), seed, 0);
}

static void clean_closes_after_such_a_cut_leave_cleaning_one_too(void **state)
{
    (void)state;
    for (unsigned i = 0; i < stand_shapes(); i++)
        for (uint64_t seed = 1; seed <= 2; seed++)
            cut_where_it_hurts(stand_shape(i), seed, 4 + (unsigned)seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_odd_geometry_in_order),
        cmocka_unit_test(every_odd_geometry_at_random),
        cmocka_unit_test(sixteen_mebibytes_open_channel),
        cmocka_unit_test(sixteen_mebibytes_zoned),
        cmocka_unit_test(many_chunks_on_one_unit),
        cmocka_unit_test(with_no_more_over_provisioning_than_the_geometry_needs),
        cmocka_unit_test(large_bands_with_no_more_over_provisioning_than_they_need),
        cmocka_unit_test(single_blocks_each_with_fua),
        cmocka_unit_test(with_too_few_bands_left_writing_ends_and_cleaning_too),
        cmocka_unit_test(trims_do_not_give_users_the_bands_that_cleaning_needs),
        cmocka_unit_test(a_cut_with_no_band_free_leaves_cleaning_one),
        cmocka_unit_test(clean_closes_after_such_a_cut_leave_cleaning_one_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
