/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening: read-only, in little memory, with memory or operations failing, and after cuts. */
#include "test/core/stand.h"

#include "lifecycle/await.h"
#include "lifecycle/blocking.h"

#include <stdlib.h>
#include <string.h>

static void read_only_opens_what_was_closed_cleanly_and_writes_nothing(void **state)
{
    (void)state;
    for (unsigned shape = 0; shape < stand_shapes(); shape++) {
        struct stand stand;
        uint8_t data[512] = {0};
        stand_begin(&stand, stand_shape(shape)->name);
        stand.unchecked = true;
        stand_write_all(&stand, 1);
        stand_write(&stand, 0, 9, 2);
        stand_trim(&stand, 30, 5);
        stand_close(&stand);
        stand.options.read_only = true;
        tap_clear(stand.tap);
        stand_open(&stand);
        stand_verify(&stand);
        assert_int_equal(stand_do(&stand, HFTL_WRITE, 0, 0, 1, data), HFTL_READ_ONLY);
        assert_int_equal(stand_do(&stand, HFTL_TRIM, 0, 0, 1, NULL), HFTL_READ_ONLY);
        assert_int_equal(stand_do(&stand, HFTL_WRITE_ZEROES, 0, 0, 1, NULL), HFTL_READ_ONLY);
        stand_flush(&stand); /* nothing to do is done */
        stand_settle(&stand);
        stand_close(&stand);
        for (uint32_t i = 0; i < stand.tap->note_count; i++)
            assert_true(stand.tap->notes[i].verb == HFTL_MEDIA_READ ||
                        stand.tap->notes[i].verb == HFTL_MEDIA_REPORT);
        stand.options.read_only = false;
        stand_open(&stand);
        assert_true(stand.device->was_clean); /* still */
        stand_verify(&stand);
        stand_end(&stand);
    }
}

static void read_only_refuses_what_was_not_closed_cleanly(void **state)
{
    (void)state;
    for (int power = 0; power < 2; power++) {
        struct stand stand;
        stand_begin(&stand, "two PUs");
        stand_write(&stand, 0, 9, 1);
        stand_flush(&stand);
        stand_crash(&stand, power, 1);
        stand.options.read_only = true;
        tap_clear(stand.tap);
        assert_int_equal(stand_try_open(&stand), HFTL_READ_ONLY);
        assert_non_null(strstr(stand.why.text, "open it for writing once to recover it"));
        assert_int_equal(tap_count(stand.tap, HFTL_MEDIA_WRITE), 0); /* O19 */
        stand.options.read_only = false;
        stand_open(&stand);
        stand_expect(&stand, 0, 9, 1);
        stand_end(&stand);
    }
}

static uint32_t *copy_map(const struct stand *stand)
{
    uint32_t *map = calloc(stand->expected_count, sizeof(uint32_t));
    memcpy(map, stand->device->map.pba.narrow, stand->expected_count * sizeof(uint32_t));
    return map;
}

/* Opened read-only, so that nothing moves: the same map in one pass and in many. */
static void a_tiny_window_gives_the_same_map(void **state)
{
    (void)state;
    for (unsigned i = 0; i < stand_shapes(); i++) {
        struct stand_shape shape = *stand_shape(i);
        struct stand stand;
        shape.facts.chunks_per_pu *= 9; /* several windows of the least size */
        stand_init(&stand, &shape);
        stand.unchecked = true;
        stand_format(&stand);
        stand_open(&stand);
        stand_write_all(&stand, 1);
        for (uint64_t n = 0; n < 3000; n++)
            stand_write(&stand, prng_below(&stand.prng, stand.expected_count), 1, 2 + n);
        for (uint64_t n = 0; n < 30; n++)
            stand_trim(&stand, prng_below(&stand.prng, stand.expected_count - 20), 20);
        stand_close(&stand);
        stand.options.read_only = true;
        stand_open(&stand);
        assert_true(stand.device->geometry.ranges >= 2);
        uint32_t *map = copy_map(&stand);
        uint64_t mapped = stand.device->map.mapped;
        stand_close(&stand);
        stand.options.recovery_memory_bytes = 1;
        stand_open(&stand);
        assert_memory_equal(map, stand.device->map.pba.narrow,
                            stand.expected_count * sizeof(uint32_t));
        assert_int_equal(stand.device->map.mapped, mapped);
        stand_verify(&stand);
        free(map);
        stand_end(&stand);
    }
}

static void a_tiny_window_recovers_from_cuts_as_well(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct stand_shape shape = *stand_shape_named(seed % 2 == 0 ? "two PUs" : "bare");
        struct stand stand;
        shape.facts.chunks_per_pu *= 6;
        stand_init(&stand, &shape);
        stand.unchecked = true;
        stand.options.recovery_memory_bytes = 8;
        stand_format(&stand);
        stand_open(&stand);
        stand_write_all(&stand, 1);
        for (uint64_t n = 0; n < 1000; n++)
            stand_write(&stand, prng_below(&stand.prng, stand.expected_count), 1, 2 + n);
        stand_trim(&stand, 100, 50);
        stand_flush(&stand);
        stand_crash(&stand, true, seed);
        stand_open(&stand);
        stand_verify(&stand);
        stand_end(&stand);
    }
}

static uint64_t count_blocks_read(const struct tap *tap)
{
    uint64_t blocks = 0;
    for (uint32_t i = 0; i < tap->note_count; i++)
        blocks += tap->notes[i].verb == HFTL_MEDIA_READ ? tap->notes[i].blocks : 0;
    return blocks;
}

/* Blocks read by opening with so much memory for seqs. */
static uint64_t read_by_opening(struct stand *stand, uint64_t memory_bytes)
{
    stand->options.recovery_memory_bytes = memory_bytes;
    tap_clear(stand->tap);
    stand_open(stand);
    uint64_t blocks = count_blocks_read(stand->tap);
    stand_verify(stand);
    stand_close(stand);
    return blocks;
}

/* Where no lba has a second version there is nothing to decide, in however little memory. Where a
 * few have, the tails are read once more for all of them. */
static void tails_are_read_again_for_contested_lbas_only(void **state)
{
    (void)state;
    for (unsigned i = 0; i < stand_shapes(); i++) {
        struct stand_shape shape = *stand_shape(i);
        struct stand stand;
        shape.facts.chunks_per_pu *= 9;
        stand_init(&stand, &shape);
        stand.unchecked = true;
        stand_format(&stand);
        stand_open(&stand);
        stand_write_all(&stand, 1);
        stand_close(&stand);
        stand.options.read_only = true;
        uint64_t once = read_by_opening(&stand, 0);
        assert_int_equal(read_by_opening(&stand, 8), once);
        stand.options.read_only = false;
        stand_open(&stand);
        for (uint64_t lba = 0; lba < 40; lba++) /* in the least window */
            stand_write(&stand, lba, 1, 2);
        stand_close(&stand);
        stand.options.read_only = true;
        once = read_by_opening(&stand, 0);
        uint64_t twice = read_by_opening(&stand, 8);
        assert_true(twice > once && twice <= 2 * once);
        stand_end(&stand);
    }
}

/* A band left open by a clean close is as long as a drive's zones are: its summaries are read. */
static void a_resumed_band_is_not_read_whole(void **state)
{
    (void)state;
    struct stand_shape shape = *stand_shape_named("zoned");
    struct stand stand;
    shape.facts.chunk_blocks *= 64;
    stand_init(&stand, &shape);
    stand.unchecked = true;
    stand_format(&stand);
    stand_open(&stand);
    uint32_t band_blocks = geometry_data_blocks(&stand.device->geometry, 1);
    for (uint32_t lba = 0; lba < band_blocks * 3 / 4; lba++)
        stand_write(&stand, lba, 1, 1 + lba);
    uint32_t summary_max = stand.device->geometry.summary_max;
    stand_close(&stand);
    assert_true(band_blocks > 10 * summary_max);
    stand.options.read_only = true;
    uint64_t blocks = read_by_opening(&stand, 0);
    assert_true(blocks < band_blocks / summary_max + 64);
    stand_end(&stand);
}

/* Nobody knows which lbas it named; that there were some is not passed over in silence. */
static void a_damaged_summary_of_a_resumed_band_is_told(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "zoned");
    stand.unchecked = true;
    stand_write(&stand, 0, 9, 1);
    uint32_t chunk = stand.device->streams[STREAM_USER].open->band->chunks[0];
    uint32_t chunk_blocks = stand.device->geometry.chunk_blocks;
    stand_close(&stand);
    stand.options.read_only = true;
    stand_open(&stand);
    assert_false(stand_logged(&stand, "left open by a clean close"));
    stand_close(&stand);
    uint8_t *summary = NULL;
    for (uint32_t i = 0; i < chunk_blocks; i++)
        if (memcmp(mem_block(stand.store, chunk, i), "HFTLSUMM", 8) == 0)
            summary = mem_block(stand.store, chunk, i);
    assert_non_null(summary);
    summary[100] ^= 1;
    stand_open(&stand);
    assert_true(stand_logged(&stand, "left open by a clean close"));
    stand_close(&stand);
    summary[100] ^= 1;
    stand_end(&stand);
}

static void reset_chunk(struct stand *stand, uint32_t chunk)
{
    struct hftl_media *mem;
    stand_detach(stand);
    assert_int_equal(mem_attach(stand->store, &mem), HFTL_OK);
    struct blocking b = {mem, &stand->world, NULL, NULL};
    assert_int_equal(blocking_chunk(&b, HFTL_MEDIA_RESET, chunk), HFTL_OK);
    mem->ops->close(mem);
    stand_attach(stand);
}

/* A cut stops the erase of a sealed victim half way: what is left of it is in its copy, which holds
 * what is not left. Were the original preferred there as well, there would be two bands instead of
 * one, and on a device with its last free band taken by the copy nothing to clean with. */
static void a_victim_that_is_half_erased_is_not_kept_for_what_is_left(void **state)
{
    (void)state;
    static const char *const names[] = {"two PUs", "bare"};
    for (unsigned i = 0; i < 2; i++) {
        struct stand stand;
        uint32_t position;
        stand_begin(&stand, names[i]);
        stand.unchecked = true;
        stand_write(&stand, 0, 12, 1);
        stand_trim(&stand, 40, 5);
        stand_write(&stand, 12, 12, 1);
        stand_flush(&stand);
        stand_crash(&stand, true, 3);
        stand.options.read_only = false;
        tap_hold(stand.tap, HFTL_MEDIA_RESET); /* until the device has died */
        stand_open(&stand);
        struct band *victim = stand_band_of(&stand, 0, &position);
        uint32_t index = victim->index, chunk = victim->chunks[0];
        for (uint64_t n = 0; n < 10000 && victim->state != BAND_ERASING; n++)
            if (!stand_step(&stand))
                stand_flush(&stand);
        assert_int_equal(victim->state, BAND_ERASING);
        stand_crash(&stand, true, 4);
        stand.tap->hold_verbs = 0;
        reset_chunk(&stand, chunk);
        stand_open(&stand);
        assert_int_equal(stand.device->bands[index].valid, 0);
        stand_verify(&stand);
        stand_end(&stand);
    }
}

/* A device with something of everything: closed, open and sealed bands, trims, relocated blocks. */
static void make_interesting(struct stand *stand, const char *shape)
{
    stand_begin(stand, shape);
    stand->unchecked = true;
    stand_write_all(stand, 1);
    for (uint64_t n = 0; n < 700; n++)
        stand_write(stand, 5 + n * 3 % (stand->expected_count - 5), 1, 2 + n);
    stand_trim(stand, 40, 20);
    stand_flush(stand);
    stand_crash(stand, true, 7);
}

static void no_allocation_of_format_is_one_too_many(void **state)
{
    (void)state;
    for (int forever = 0; forever < 2; forever++) {
        struct stand stand;
        stand_init(&stand, stand_shape_named("bare"));
        stand_format(&stand);
        uint64_t total = stand.allocations;
        assert_true(total > 2);
        stand.format.force = true;
        for (uint64_t n = 1; n <= total; n++) {
            stand.allocations = 0;
            stand.fail_at = forever ? 0 : n;
            stand.fail_from = forever ? n : 0;
            enum hftl_status status = stand_try_format(&stand);
            assert_true(status == HFTL_MEMORY || (status == HFTL_OK && !forever));
            assert_int_equal(status == HFTL_OK, stand.why.text[0] == '\0');
            assert_int_equal(stand.pieces, 0);
        }
        stand.fail_at = stand.fail_from = 0;
        stand_format(&stand);
        stand_open(&stand);
        stand_end(&stand);
    }
}

static void fail_each_allocation(const char *shape, bool forever)
{
    struct stand stand;
    make_interesting(&stand, shape);
    for (uint64_t n = 1;; n++) {
        stand.allocations = 0;
        stand.fail_at = forever ? 0 : n;
        stand.fail_from = forever ? n : 0;
        enum hftl_status status = stand_try_open(&stand);
        if (status == HFTL_OK)
            break;
        if (status != HFTL_MEMORY)
            fail_msg("%s, allocation %llu: %s \"%s\"", shape, (unsigned long long)n,
                     hftl_status_name(status), stand.why.text);
        assert_null(stand.device);
        assert_int_equal(stand.pieces, 0);
    }
    stand.fail_at = stand.fail_from = 0;
    assert_true(stand.allocations > 30);
    stand_check(&stand);
    stand_verify(&stand);
    stand_write_all(&stand, 5);
    stand_verify(&stand);
    stand_end(&stand);
}

static void no_allocation_of_open_is_one_too_many(void **state)
{
    (void)state;
    static const char *const names[] = {"two PUs", "bare", "zoned"};
    for (unsigned i = 0; i < 3; i++)
        for (int forever = 0; forever < 2; forever++)
            fail_each_allocation(names[i], forever);
}

static void nothing_is_allocated_once_it_is_open(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "bare");
    stand.unchecked = true;
    uint64_t before = stand.allocations, bytes = stand.bytes;
    assert_int_equal(stand.device->memory_bytes, bytes);
    stand_write_all(&stand, 1);
    stand_write_all(&stand, 2);
    stand_trim(&stand, 3, 50);
    stand_flush(&stand);
    stand_verify(&stand);
    stand.device->counter = UINT32_MAX - 4;
    stand_write_all(&stand, 3);
    assert_int_equal(stand.allocations, before);
    assert_int_equal(stand.bytes, bytes);
    stand_end(&stand);
}

static void each_failing_operation_ends_open_cleanly_and_the_next_open_recovers(void **state)
{
    (void)state;
    static const enum hftl_media_verb verbs[] = {
        HFTL_MEDIA_WRITE, HFTL_MEDIA_FLUSH, HFTL_MEDIA_RESET, HFTL_MEDIA_REPORT, HFTL_MEDIA_FINISH};
    static const char *const names[] = {"two PUs", "zoned", "three PUs"};
    for (unsigned shape = 0; shape < 3; shape++)
        for (unsigned v = 0; v < 5; v++)
            for (uint32_t after = 0; after < 12; after++) {
                struct stand stand;
                make_interesting(&stand, names[shape]);
                tap_fail(stand.tap, verbs[v], ANY_CHUNK, 1, HFTL_IO);
                stand.tap->fail_after = after;
                enum hftl_status status = stand_try_open(&stand);
                if (status != HFTL_OK) {
                    assert_int_equal(stand.pieces, 0);
                    assert_int_equal(stand.tap->fail_count, 0);
                }
                stand.tap->fail_count = 0;
                stand_crash(&stand, true, after);
                stand_open(&stand);
                stand_verify(&stand);
                stand_end(&stand);
            }
}

/* The verdict is durable by then: what can be read is served, and the next open has another go. */
static void a_sealed_chunk_that_cannot_be_finished_costs_writing_and_not_the_device(void **state)
{
    (void)state;
    struct stand stand;
    make_interesting(&stand, "zoned");
    tap_fail(stand.tap, HFTL_MEDIA_FINISH, ANY_CHUNK, 1, HFTL_IO);
    stand_open(&stand);
    assert_int_equal(stand.tap->fail_count, 0);
    assert_true(stand.device->read_only);
    assert_non_null(strstr(stand.device->reason, "finishing chunk"));
    stand_verify(&stand);
    stand_crash(&stand, true, 1);
    stand_open(&stand);
    assert_false(stand.device->read_only);
    stand_verify(&stand);
    stand_end(&stand);
}

/* False: an open has no more than `number` reads. */
static bool fail_read_once(const char *shape, bool clean, uint32_t number, enum hftl_status status)
{
    struct stand stand;
    make_interesting(&stand, shape);
    if (clean) {
        stand_open(&stand);
        stand_settle(&stand);
        stand_close(&stand);
    }
    tap_fail(stand.tap, HFTL_MEDIA_READ, ANY_CHUNK, 1, status);
    stand.tap->fail_after = number;
    if (stand_try_open(&stand) != HFTL_OK)
        fail_msg("%s, read %u: %s", shape, number, stand.why.text);
    bool failed = stand.tap->fail_count == 0;
    stand.tap->fail_count = 0;
    assert_false(stand.device->read_only);
    stand_verify(&stand);
    stand_end(&stand);
    return failed;
}

static void no_read_of_an_open_is_given_up_when_it_fails_once(void **state)
{
    (void)state;
    static const char *const names[] = {"two PUs", "bare", "zoned, two columns"};
    for (unsigned shape = 0; shape < 3; shape++)
        for (int clean = 0; clean < 2; clean++)
            for (uint32_t number = 0; fail_read_once(names[shape], clean, number, HFTL_IO);)
                number++;
}

/* Nor when it returns something else once: heads, tails, and what looks torn are read again. */
static void no_read_of_an_open_is_believed_when_it_lies_once(void **state)
{
    (void)state;
    static const char *const names[] = {"two PUs", "bare", "zoned, two columns"};
    for (unsigned shape = 0; shape < 3; shape++)
        for (int clean = 0; clean < 2; clean++)
            for (uint32_t number = 0; fail_read_once(names[shape], clean, number, HFTL_OK);)
                number++;
}

/* Cut again and again while opening: every prefix of what an open writes. */
static void an_open_that_is_cut_is_begun_again(void **state)
{
    (void)state;
    static const char *const names[] = {"two PUs", "zoned, two columns", "three PUs", "bare"};
    for (unsigned shape = 0; shape < 4; shape++) {
        struct stand stand;
        make_interesting(&stand, names[shape]);
        for (uint32_t after = 0; after < 25; after++) {
            tap_fail(stand.tap, HFTL_MEDIA_WRITE, ANY_CHUNK, UINT32_MAX, HFTL_IO);
            stand.tap->fail_after = after;
            (void)stand_try_open(&stand);
            stand_crash(&stand, true, after);
        }
        stand_open(&stand);
        stand_verify(&stand);
        stand_end(&stand);
    }
}

static void opening_begins_with_a_flush(void **state)
{
    (void)state;
    struct stand stand;
    make_interesting(&stand, "two PUs");
    tap_clear(stand.tap);
    stand_open(&stand);
    assert_int_equal(stand.tap->notes[0].verb, HFTL_MEDIA_FLUSH);
    stand_end(&stand);
}

/* O12: what was not served once is not served later, though the medium thinks better of it. */
static void what_was_rejected_once_is_rejected_for_ever(void **state)
{
    (void)state;
    static const char *const names[] = {"two PUs", "bare", "zoned"};
    for (unsigned i = 0; i < 3; i++) {
        struct stand stand;
        stand_begin(&stand, names[i]);
        stand_write(&stand, 0, 8, 1);
        stand_flush(&stand);
        stand_write(&stand, 0, 1, 2); /* never flushed, but it landed */
        tap_hold(stand.tap, HFTL_MEDIA_FLUSH);
        struct ask flush;
        stand_ask(&stand, &flush, HFTL_FLUSH, 0, 0, 0, NULL);
        stand_settle(&stand);
        uint8_t *block = stand_media_block(&stand, 0);
        assert_non_null(block);
        stand_crash(&stand, false, 0);
        block[99] ^= 1;
        stand_open(&stand);
        stand_expect(&stand, 0, 1, 1);
        stand_crash(&stand, false, 0); /* at once: the sealed band is still there */
        block[99] ^= 1;                /* reads well again */
        stand_open(&stand);
        stand_expect(&stand, 0, 1, 1);
        stand_end(&stand);
    }
}

static void what_was_flushed_and_damaged_is_unreadable_and_never_older(void **state)
{
    (void)state;
    static const char *const names[] = {"two PUs", "bare", "zoned", "units of seven"};
    for (unsigned i = 0; i < 4; i++) {
        struct stand stand;
        stand_begin(&stand, names[i]);
        stand_write(&stand, 0, 8, 1);
        stand_flush(&stand);
        stand_write(&stand, 3, 1, 2);
        stand_flush(&stand);
        for (uint64_t lba = 100; lba < 160; lba++) /* the witness, and units behind it */
            stand_write_fua(&stand, lba, 1, 1);
        uint8_t *block = stand_media_block(&stand, 3);
        assert_non_null(block);
        stand_crash(&stand, true, i);
        block[99] ^= 1;
        for (unsigned life = 0; life < 3; life++) {
            stand_open(&stand);
            enum hftl_status status = stand_read_status(&stand, 3);
            assert_true(status == HFTL_MISMATCH || status == HFTL_LOST);
            stand_expect(&stand, 2, 1, 1);
            stand_settle(&stand);
            stand_flush(&stand);
            assert_true(stand_read_status(&stand, 3) == HFTL_LOST ||
                        stand_read_status(&stand, 3) == HFTL_MISMATCH);
            stand_crash(&stand, true, life);
        }
        stand_open(&stand);
        stand_write(&stand, 3, 1, 3);
        stand_reopen(&stand);
        stand_expect(&stand, 3, 1, 3);
        stand_end(&stand);
    }
}

/* After a clean close nothing was torn, also where no later witness says so: the last unit of a
 * chunk, and the tail that names it. */
static void damage_after_a_clean_close_never_brings_an_older_version_back(void **state)
{
    (void)state;
    static const char *const names[] = {"two PUs", "zoned", "units of seven"};
    for (unsigned i = 0; i < 3; i++) {
        struct stand stand;
        unsigned looked_at = 0;
        stand_begin(&stand, names[i]);
        stand.unchecked = true;
        stand_write_all(&stand, 1);
        for (uint64_t lba = 0; lba < stand.expected_count; lba += 3)
            stand_write(&stand, lba, 1, 2);
        for (uint64_t lba = 0; lba < stand.expected_count && looked_at < 60; lba += 9) {
            uint32_t position;
            struct hftl_media_op op;
            const struct band *band = stand_band_of(&stand, lba, &position);
            if (band->state != BAND_CLOSED)
                continue;
            band_locate(stand.device, band, geometry_tail(&stand.device->geometry, band->width),
                        &op);
            uint8_t *block = stand_media_block(&stand, lba);
            stand_close(&stand);
            mem_block(stand.store, op.chunk, op.offset)[99] ^= 1;
            block[99] ^= 1;
            stand_open(&stand);
            if (stand_read_status(&stand, lba) == HFTL_OK)
                stand_expect(&stand, lba, 1, 2);
            stand_write(&stand, lba, 1, 2);
            stand_settle(&stand);
            looked_at++;
        }
        assert_true(looked_at > 20);
        stand_end(&stand);
    }
}

static void a_witness_of_a_device_never_flushed_names_no_band(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "two PUs");
    for (unsigned slot = 0; slot < FORMAT_STREAMS; slot++) {
        assert_int_equal(stand.device->witness.slots[slot].band, FORMAT_BAND_NONE);
        assert_int_equal(stand.device->super.record.witness.slots[slot].band, FORMAT_BAND_NONE);
    }
    stand_end(&stand);
}

/* Entries of 8 bytes are for drives that no test can fill: here they are asked for. */
static void a_map_of_wide_entries_survives_cleaning_trims_and_cuts(void **state)
{
    (void)state;
    static const char *const names[] = {"two PUs", "zoned", "bare", "units of seven"};
    for (unsigned i = 0; i < 4; i++) {
        struct stand stand;
        stand_init(&stand, stand_shape_named(names[i]));
        stand_format(&stand);
        stand.options.wide_map = true;
        stand.unchecked = true;
        for (uint64_t life = 1; life <= 6; life++) {
            stand_open(&stand);
            assert_non_null(stand.device->map.pba.wide);
            assert_non_null(stand.device->map.page_pba.wide);
            stand_verify(&stand);
            for (uint64_t n = 0; n < 2 * stand.expected_count; n += 4)
                stand_write(&stand, n * 13 % (stand.expected_count - 4), 4, life * 1000 + n);
            stand_trim(&stand, life * 17, 40);
            stand_flush(&stand);
            stand_check(&stand);
            if (life % 3 == 0)
                stand_close(&stand);
            else
                stand_crash(&stand, true, life);
        }
        stand.options.wide_map = false; /* nothing of it is on the medium */
        stand_open(&stand);
        assert_null(stand.device->map.pba.wide);
        stand_verify(&stand);
        stand_end(&stand);
    }
}

/* Its heads cannot be read, and the summary or tail that could name it knows no stream: the record
 * of the clean close does. */
static void a_band_left_open_without_heads_is_gone_on_with_in_its_stream(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "zoned");
    stand.unchecked = true;
    assert_false(stand.device->geometry.oob);
    for (uint64_t n = 0; stand.device->streams[STREAM_RELOCATION].open->band == NULL && n < 100000;
         n++)
        stand_write(&stand, n * 13 % (stand.expected_count - 1), 1, n);
    stand_settle(&stand);
    const struct band *band = stand.device->streams[STREAM_RELOCATION].open->band;
    assert_non_null(band);
    uint32_t index = band->index, width = band->width, chunks[8];
    assert_in_range(width, 1, 8);
    memcpy(chunks, band->chunks, width * sizeof(chunks[0]));
    stand_close(&stand);
    for (uint32_t c = 0; c < width; c++)
        mem_block(stand.store, chunks[c], 0)[99] ^= 1;
    stand_open(&stand);
    assert_true(stand.device->was_clean);
    assert_int_equal(stand.device->bands_sealed, 0);
    assert_ptr_equal(stand.device->streams[STREAM_RELOCATION].open->band,
                     &stand.device->bands[index]);
    stand_verify(&stand);
    stand_end(&stand);
}

/* The last unit of its chunk, so only the witness knows that it was flushed. */
static void a_witness_keeps_a_damaged_block_from_being_replaced_by_an_older_one(void **state)
{
    (void)state;
    static const char *const names[] = {"two PUs", "units of seven", "three PUs"};
    for (unsigned i = 0; i < 3; i++)
        for (int witnessed = 0; witnessed < 2; witnessed++) {
            struct stand stand;
            stand_begin(&stand, names[i]);
            stand_write(&stand, 3, 1, 1);
            stand_flush(&stand);
            stand_write(&stand, 3, 1, 2);
            stand_flush(&stand);
            if (witnessed)
                assert_int_equal(super_write_now(stand.device), HFTL_OK);
            uint8_t *block = stand_media_block(&stand, 3);
            stand_crash(&stand, true, 1);
            block[99] ^= 1;
            stand_open(&stand);
            if (witnessed)
                assert_int_not_equal(stand_read_status(&stand, 3), HFTL_OK);
            else /* a known limit: it looks torn (FORMAT.md, 12) */
                stand_expect(&stand, 3, 1, 1);
            stand_end(&stand);
        }
}

/* O14: the verdict is repeated until the band is erased. */
static void a_verdict_stays_in_every_record_until_its_band_is_erased(void **state)
{
    (void)state;
    static const char *const names[] = {"two PUs", "bare", "zoned"};
    for (unsigned i = 0; i < 3; i++) {
        struct stand stand;
        stand_begin(&stand, names[i]);
        stand_write(&stand, 0, 8, 1);
        stand_flush(&stand);
        stand_write(&stand, 0, 1, 2); /* it lands, and is torn when it is looked at first */
        tap_hold(stand.tap, HFTL_MEDIA_FLUSH);
        struct ask flush;
        stand_ask(&stand, &flush, HFTL_FLUSH, 0, 0, 0, NULL);
        stand_settle(&stand);
        uint8_t *block = stand_media_block(&stand, 0);
        stand_crash(&stand, false, 0);
        block[99] ^= 1;
        stand_open(&stand);
        assert_int_equal(stand.device->super.verdict_count, 1);
        tap_hold(stand.tap, HFTL_MEDIA_REPORT); /* no erase gets on */
        for (unsigned n = 0; n < 5; n++)
            assert_int_equal(super_write_now(stand.device), HFTL_OK);
        assert_int_equal(stand.device->super.verdict_count, 1);
        stand_crash(&stand, false, 0);
        block[99] ^= 1; /* reads well again */
        stand_open(&stand);
        stand_expect(&stand, 0, 1, 1);
        stand.unchecked = true;
        stand_write_all(&stand, 5);
        stand_write_all(&stand, 6);
        stand_write_all(&stand, 7);
        stand_settle(&stand);
        assert_int_equal(super_write_now(stand.device), HFTL_OK);
        assert_int_equal(stand.device->super.verdict_count, 0);
        stand_verify(&stand);
        stand_end(&stand);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_only_opens_what_was_closed_cleanly_and_writes_nothing),
        cmocka_unit_test(read_only_refuses_what_was_not_closed_cleanly),
        cmocka_unit_test(a_tiny_window_gives_the_same_map),
        cmocka_unit_test(a_tiny_window_recovers_from_cuts_as_well),
        cmocka_unit_test(tails_are_read_again_for_contested_lbas_only),
        cmocka_unit_test(a_resumed_band_is_not_read_whole),
        cmocka_unit_test(a_damaged_summary_of_a_resumed_band_is_told),
        cmocka_unit_test(a_victim_that_is_half_erased_is_not_kept_for_what_is_left),
        cmocka_unit_test(no_allocation_of_format_is_one_too_many),
        cmocka_unit_test(no_allocation_of_open_is_one_too_many),
        cmocka_unit_test(nothing_is_allocated_once_it_is_open),
        cmocka_unit_test(each_failing_operation_ends_open_cleanly_and_the_next_open_recovers),
        cmocka_unit_test(a_sealed_chunk_that_cannot_be_finished_costs_writing_and_not_the_device),
        cmocka_unit_test(no_read_of_an_open_is_given_up_when_it_fails_once),
        cmocka_unit_test(no_read_of_an_open_is_believed_when_it_lies_once),
        cmocka_unit_test(an_open_that_is_cut_is_begun_again),
        cmocka_unit_test(opening_begins_with_a_flush),
        cmocka_unit_test(what_was_rejected_once_is_rejected_for_ever),
        cmocka_unit_test(a_witness_keeps_a_damaged_block_from_being_replaced_by_an_older_one),
        cmocka_unit_test(a_verdict_stays_in_every_record_until_its_band_is_erased),
        cmocka_unit_test(what_was_flushed_and_damaged_is_unreadable_and_never_older),
        cmocka_unit_test(damage_after_a_clean_close_never_brings_an_older_version_back),
        cmocka_unit_test(a_map_of_wide_entries_survives_cleaning_trims_and_cuts),
        cmocka_unit_test(a_band_left_open_without_heads_is_gone_on_with_in_its_stream),
        cmocka_unit_test(a_witness_of_a_device_never_flushed_names_no_band),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
