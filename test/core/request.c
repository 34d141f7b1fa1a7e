/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests: what is refused, where the bytes go, what is read from where. */
#include "test/core/stand.h"

#include <string.h>

struct bad {
    enum hftl_verb verb;
    uint64_t lba, blocks;
    enum hftl_status status;
};

static void every_bad_request_has_its_status_and_changes_nothing(void **state)
{
    (void)state;
    struct stand stand;
    static uint8_t data[512 * 4];
    stand_begin(&stand, "two PUs");
    uint64_t end = device_blocks(stand.device);
    stand_write(&stand, 0, 8, 1);
    static const enum hftl_verb ranged[] = {HFTL_READ, HFTL_WRITE, HFTL_TRIM, HFTL_WRITE_ZEROES,
                                            HFTL_EXTENTS};
    for (unsigned v = 0; v < 5; v++) {
        const struct bad bad[] = {
            {ranged[v], 0, 0, HFTL_INVALID},        {ranged[v], end, 1, HFTL_RANGE},
            {ranged[v], end - 1, 2, HFTL_RANGE},    {ranged[v], 0, end + 1, HFTL_RANGE},
            {ranged[v], UINT64_MAX, 1, HFTL_RANGE}, {ranged[v], UINT64_MAX, 2, HFTL_RANGE},
            {ranged[v], 2, UINT64_MAX, HFTL_RANGE}, {ranged[v], 1, UINT64_MAX - 1, HFTL_RANGE},
            {ranged[v], end, 0, HFTL_INVALID},      {ranged[v], end - 1, UINT64_MAX, HFTL_RANGE},
        };
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
            struct ask ask;
            stand_ask(&stand, &ask, bad[i].verb, 0, bad[i].lba, bad[i].blocks, data);
            assert_int_equal(stand_wait(&stand, &ask), bad[i].status);
        }
        assert_int_equal(stand.device->stats.failed[ranged[v]], 10);
    }
    assert_int_equal(stand_do(&stand, HFTL_VERB_COUNT, 0, 0, 1, data), HFTL_INVALID);
    assert_int_equal(stand_do(&stand, (enum hftl_verb)77, 0, 0, 1, data), HFTL_INVALID);
    stand_settle(&stand);
    assert_true(device_is_idle(stand.device));
    stand_verify(&stand);
    stand_end(&stand);
}

static void the_last_block_is_a_block_like_any_other(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "ragged chunks");
    uint64_t last = device_blocks(stand.device) - 1;
    stand_expect(&stand, last, 1, 0);
    stand_write(&stand, last, 1, 1);
    stand_expect(&stand, last, 1, 1);
    stand_reopen(&stand);
    stand_expect(&stand, last, 1, 1);
    stand_trim(&stand, last, 1);
    stand_expect(&stand, last, 1, 0);
    stand_end(&stand);
}

static void what_was_never_written_or_trimmed_reads_as_zeros(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "three PUs");
    stand_verify(&stand);
    assert_int_equal(stand.device->stats.read[HFTL_IO_USER].operations, 0);
    stand_write(&stand, 20, 10, 1);
    stand_trim(&stand, 22, 3);
    assert_int_equal(stand_do(&stand, HFTL_WRITE_ZEROES, 0, 27, 1, NULL), HFTL_OK);
    stand.expected[27] = 0;
    stand_verify(&stand);
    stand_end(&stand);
}

static void a_read_of_what_is_in_the_buffer_asks_the_medium_for_nothing(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "two PUs");
    stand_write(&stand, 0, 3, 1);
    tap_clear(stand.tap);
    stand_expect(&stand, 0, 3, 1);
    assert_int_equal(tap_count(stand.tap, HFTL_MEDIA_READ), 0);
    assert_int_equal(stand.device->stats.blocks_read_buffer, 3);
    stand_end(&stand);
}

static void neighbours_on_the_medium_are_read_in_one_go(void **state)
{
    (void)state;
    for (unsigned shape = 0; shape < stand_shapes(); shape++) {
        struct stand stand;
        static uint8_t data[512 * 256];
        stand_begin(&stand, stand_shape(shape)->name);
        const struct geometry *g = &stand.device->geometry;
        stand.unchecked = true;
        stand_write_all(&stand, 1);
        tap_clear(stand.tap);
        assert_int_equal(stand_do(&stand, HFTL_READ, 0, 0, 256, data), HFTL_OK);
        uint32_t reads = tap_count(stand.tap, HFTL_MEDIA_READ);
        /* One a slice; cut by heads, summaries, a band's end. */
        uint32_t slices = 256 / (g->slice > 2 ? g->slice - 1 : 1);
        assert_in_range(reads, 256 / READ_RUN_MAX, slices + 24);
        for (uint64_t i = 0; i < 256; i++)
            assert_true(stand_holds(&stand, data + i * 512, i, 1));
        stand_end(&stand);
    }
}

/* 128 KiB of 4 KiB blocks, written in order, units of 24 blocks. */
static void a_sequential_read_of_128_KiB_takes_a_handful_of_reads(void **state)
{
    (void)state;
    struct stand_shape shape = *stand_shape_named("units of 24");
    struct stand stand;
    static uint8_t data[32 * 4096];
    shape.facts.block_bytes = 4096;
    stand_init(&stand, &shape);
    stand.unchecked = true;
    stand_format(&stand);
    stand_open(&stand);
    for (uint64_t lba = 0; lba < 512; lba += 32)
        stand_write(&stand, lba, 32, 1);
    stand_flush(&stand);
    for (uint64_t lba = 512; lba + 32 < 900; lba += 32) /* out of the buffer */
        stand_write(&stand, lba, 32, 1);
    stand_settle(&stand);
    for (uint64_t lba = 0; lba < 256; lba += 32) {
        tap_clear(stand.tap);
        assert_int_equal(stand_do(&stand, HFTL_READ, 0, lba, 32, data), HFTL_OK);
        assert_in_range(tap_count(stand.tap, HFTL_MEDIA_READ), 2, 4);
        assert_true(stand_holds(&stand, data, lba, 1) &&
                    stand_holds(&stand, data + 31 * 4096, lba + 31, 1));
    }
    stand_end(&stand);
}

/* All ways to cut 6 blocks into iovecs (2^5), with empty ones between. */
static void iovecs_may_be_cut_anywhere(void **state)
{
    (void)state;
    struct stand stand;
    uint8_t out[6 * 512], in[6 * 512];
    stand_begin(&stand, "units of seven");
    for (unsigned cuts = 0; cuts < 64; cuts++) {
        struct ask ask;
        uint64_t lba = cuts % 40;
        for (int verb = 0; verb < 2; verb++) {
            uint8_t *data = verb == 0 ? out : in;
            if (verb == 0)
                stand_fill(&stand, out, lba, 6, 100 + cuts);
            memset(&ask, 0, sizeof(ask));
            int count = 0;
            if (cuts & 32)
                ask.iov[count++] = (struct iovec){NULL, 0};
            for (unsigned block = 0, from = 0; block < 6; block++)
                if (block == 5 || (cuts & 1u << block) != 0) {
                    ask.iov[count++] =
                        (struct iovec){data + from * 512u, (block + 1 - from) * 512u};
                    if (cuts & 32)
                        ask.iov[count++] = (struct iovec){NULL, 0};
                    from = block + 1;
                }
            ask.request = (struct hftl_request){.verb = verb == 0 ? HFTL_WRITE : HFTL_READ,
                                                .lba = lba,
                                                .blocks = 6,
                                                .iov = ask.iov,
                                                .iov_count = count,
                                                .arg = &ask};
            device_submit(stand.device, &ask.request);
            assert_int_equal(stand_wait(&stand, &ask), HFTL_OK);
        }
        assert_memory_equal(in, out, sizeof(out));
        if (cuts % 5 == 0)
            stand_flush(&stand); /* from the medium as well as from the buffer */
    }
    stand_end(&stand);
}

static void of_overlapping_writes_each_block_holds_the_one_submitted_last(void **state)
{
    (void)state;
    struct stand stand;
    static uint8_t data[20][16 * 512];
    struct ask asks[20];
    stand_begin(&stand, "bare");
    for (uint64_t i = 0; i < 20; i++) {
        stand_fill(&stand, data[i], i * 4, 16, i + 1);
        stand_ask(&stand, &asks[i], HFTL_WRITE, 0, i * 4, 16, data[i]);
    }
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(stand_wait(&stand, &asks[i]), HFTL_OK);
    for (uint64_t lba = 0; lba < 19 * 4 + 16; lba++)
        stand_expect(&stand, lba, 1, lba / 4 < 19 ? lba / 4 + 1 : 20);
    stand_end(&stand);
}

static void a_read_under_way_gives_one_whole_version_of_each_block(void **state)
{
    (void)state;
    struct stand stand;
    struct ask read, write;
    uint8_t in[16 * 512], out[16 * 512];
    stand_begin(&stand, "two PUs");
    stand.unchecked = true;
    stand_write_all(&stand, 1);
    tap_hold(stand.tap, HFTL_MEDIA_READ);
    stand_ask(&stand, &read, HFTL_READ, 0, 8, 16, in);
    stand_fill(&stand, out, 8, 16, 2);
    stand_ask(&stand, &write, HFTL_WRITE, 0, 8, 16, out);
    stand_settle(&stand);
    assert_true(write.answered); /* Q2: neither waits for the other */
    assert_false(read.answered);
    tap_release(stand.tap);
    assert_int_equal(stand_wait(&stand, &read), HFTL_OK);
    for (uint64_t i = 0; i < 16; i++)
        assert_true(stand_holds(&stand, in + i * 512, 8 + i, 1) ||
                    stand_holds(&stand, in + i * 512, 8 + i, 2));
    stand_expect(&stand, 8, 16, 2);
    stand_end(&stand);
}

static void reads_do_not_wait_behind_writes_that_wait_for_space(void **state)
{
    (void)state;
    struct stand stand;
    struct ask write, read;
    static uint8_t data[600 * 512], in[512];
    stand_init(&stand, stand_shape_named("two PUs"));
    stand.options.write_buffer_bytes = 1;
    stand_format(&stand);
    stand_open(&stand);
    stand_write(&stand, 700, 1, 1);
    tap_hold(stand.tap, HFTL_MEDIA_WRITE);
    stand_ask(&stand, &write, HFTL_WRITE, 0, 0, 600, data);
    stand_settle(&stand);
    stand_ask(&stand, &read, HFTL_READ, 0, 700, 1, in);
    assert_int_equal(stand_wait(&stand, &read), HFTL_OK);
    assert_false(write.answered);
    tap_release(stand.tap);
    assert_int_equal(stand_wait(&stand, &write), HFTL_OK);
    stand_end(&stand);
}

static void more_reads_than_there_are_parts_are_all_answered(void **state)
{
    (void)state;
    struct stand stand;
    static struct ask asks[600];
    static uint8_t data[600][512];
    stand_begin(&stand, "two PUs");
    stand.unchecked = true;
    stand_write_all(&stand, 1);
    tap_hold(stand.tap, HFTL_MEDIA_READ);
    for (uint64_t i = 0; i < 600; i++)
        stand_ask(&stand, &asks[i], HFTL_READ, 0, i * 3 % stand.expected_count, 1, data[i]);
    stand_settle(&stand);
    assert_int_equal(stand.tap->held_count, READS_MAX);
    tap_release(stand.tap);
    for (uint64_t i = 0; i < 600; i++) {
        assert_int_equal(stand_wait(&stand, &asks[i]), HFTL_OK);
        assert_true(stand_holds(&stand, data[i], i * 3 % stand.expected_count, 1));
    }
    stand_end(&stand);
}

static void a_damaged_block_fails_its_read_alone_and_a_bad_read_is_tried_once_more(void **state)
{
    (void)state;
    static const char *const names[] = {"two PUs", "bare", "zoned, three columns"};
    for (unsigned i = 0; i < 3; i++) {
        struct stand stand;
        stand_begin(&stand, names[i]);
        stand.unchecked = true;
        stand_write_all(&stand, 1);
        stand_media_block(&stand, 10)[511] ^= 1;
        assert_int_equal(stand_read_status(&stand, 10), HFTL_MISMATCH);
        assert_int_equal(stand.device->stats.mismatches, 1);
        stand_expect(&stand, 9, 1, 1);
        stand_expect(&stand, 11, 1, 1);
        uint8_t data[4 * 512];
        assert_int_equal(stand_do(&stand, HFTL_READ, 0, 8, 4, data), HFTL_MISMATCH);
        stand_media_block(&stand, 10)[511] ^= 1;
        tap_fail(stand.tap, HFTL_MEDIA_READ, ANY_CHUNK, 1, HFTL_IO);
        stand_expect(&stand, 10, 1, 1);
        tap_fail(stand.tap, HFTL_MEDIA_READ, ANY_CHUNK, 2, HFTL_IO);
        assert_int_equal(stand_read_status(&stand, 10), HFTL_IO);
        assert_int_equal(stand.device->stats.read_errors, 1);
        stand_expect(&stand, 10, 1, 1);
        stand_end(&stand);
    }
}

/* What a drive that misdirects gives: another block, good in itself. */
static void another_good_block_in_its_place_is_not_returned(void **state)
{
    (void)state;
    static const char *const names[] = {"two PUs", "bare"};
    for (unsigned i = 0; i < 2; i++) {
        struct stand stand;
        stand_begin(&stand, names[i]);
        stand.unchecked = true;
        stand_write_all(&stand, 1);
        uint32_t position;
        struct hftl_media_op a, b;
        const struct band *band = stand_band_of(&stand, 20, &position);
        band_locate(stand.device, band, position, &a);
        band = stand_band_of(&stand, 30, &position);
        band_locate(stand.device, band, position, &b);
        memcpy(mem_block(stand.store, a.chunk, a.offset), mem_block(stand.store, b.chunk, b.offset),
               512);
        if (mem_block_oob(stand.store, a.chunk, a.offset) != NULL)
            memcpy(mem_block_oob(stand.store, a.chunk, a.offset),
                   mem_block_oob(stand.store, b.chunk, b.offset), 16);
        assert_int_equal(stand_read_status(&stand, 20), HFTL_MISMATCH);
        stand_end(&stand);
    }
}

/* Where block 7 is, or is on its way to. */
struct spot {
    uint32_t band, position, chunk, offset;
    uint64_t generation;
};

static struct spot write_seven(struct stand *stand, uint64_t version)
{
    struct spot spot;
    struct hftl_media_op op;
    stand_write(stand, 7, 1, version);
    const struct band *band = stand_band_of(stand, 7, &spot.position);
    spot.band = band->index;
    spot.generation = band->generation;
    band_locate(stand->device, band, spot.position, &op);
    spot.chunk = op.chunk;
    spot.offset = op.offset;
    return spot;
}

/* Out of the buffer. */
static void write_others(struct stand *stand)
{
    stand_write(stand, 100, 64, 1);
    stand_flush(stand);
    stand_settle(stand);
}

/* What a drive gives that lost a write: the block that the same lba had at the same place in the
 * life of the band before, with its identity. Data, lba and place agree; only the life does not. */
static void what_its_place_held_in_an_earlier_life_is_not_returned(void **state)
{
    (void)state;
    static const char *const names[] = {"two PUs", "bare"};
    for (unsigned i = 0; i < 2; i++) {
        struct stand stand;
        uint8_t block[512], oob[16] = {0};
        stand_begin(&stand, names[i]);
        stand.unchecked = true;
        struct spot before = write_seven(&stand, 1), now = before;
        write_others(&stand);
        const uint8_t *there = mem_block_oob(stand.store, before.chunk, before.offset);
        memcpy(block, mem_block(stand.store, before.chunk, before.offset), sizeof(block));
        if (there != NULL)
            memcpy(oob, there, sizeof(oob));
        for (uint64_t n = 2; n < 100000; n++) {
            now = write_seven(&stand, n);
            if (now.band == before.band && now.position == before.position)
                break;
        }
        assert_int_equal(now.offset, before.offset);
        assert_true(now.generation > before.generation);
        write_others(&stand);
        stand_expect(&stand, 7, 1, stand.expected[7]);
        memcpy(mem_block(stand.store, now.chunk, now.offset), block, sizeof(block));
        if (there != NULL)
            memcpy(mem_block_oob(stand.store, now.chunk, now.offset), oob, sizeof(oob));
        assert_int_equal(stand_read_status(&stand, 7), HFTL_MISMATCH);
        stand_end(&stand);
    }
}

static void extents_say_what_is_mapped_in_as_many_entries_as_there_is_room_for(void **state)
{
    (void)state;
    struct stand stand;
    struct hftl_extent extents[4];
    struct ask ask = {.answered = false};
    stand_begin(&stand, "two PUs");
    stand_write(&stand, 4, 6, 1);
    stand_write(&stand, 20, 1, 1);
    ask.request = (struct hftl_request){
        .verb = HFTL_EXTENTS, .blocks = 100, .extents = extents, .extent_count = 4, .arg = &ask};
    device_submit(stand.device, &ask.request);
    assert_int_equal(stand_wait(&stand, &ask), HFTL_OK);
    static const struct hftl_extent right[] = {{4, false}, {6, true}, {10, false}, {1, true}};
    assert_int_equal(ask.request.extent_count, 4);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(extents[i].blocks, right[i].blocks);
        assert_int_equal(extents[i].mapped, right[i].mapped);
    }
    ask.answered = false;
    ask.request.lba = 5;
    ask.request.blocks = 3;
    device_submit(stand.device, &ask.request);
    assert_int_equal(stand_wait(&stand, &ask), HFTL_OK);
    assert_int_equal(ask.request.extent_count, 1);
    assert_int_equal(extents[0].blocks, 3);
    assert_true(extents[0].mapped);
    stand_end(&stand);
}

static void counts_every_request_by_verb_and_by_how_it_ended(void **state)
{
    (void)state;
    struct stand stand;
    struct hftl_stats stats;
    stand_begin(&stand, "two PUs");
    stand_write(&stand, 0, 10, 1);
    stand_flush(&stand);
    stand_expect(&stand, 0, 10, 1);
    (void)stand_read_status(&stand, UINT64_MAX);
    device_get_stats(stand.device, &stats);
    assert_int_equal(stats.requests[HFTL_WRITE], 1);
    assert_int_equal(stats.requests[HFTL_FLUSH], 1);
    assert_int_equal(stats.requests[HFTL_READ], 2);
    assert_int_equal(stats.failed[HFTL_READ], 1);
    assert_int_equal(stats.status[HFTL_OK], 3);
    assert_int_equal(stats.status[HFTL_RANGE], 1);
    assert_int_equal(stats.user_blocks_written, 10);
    assert_int_equal(stats.user_blocks_read, 10);
    assert_int_equal(stats.written[HFTL_IO_USER].blocks, 10);
    stand_end(&stand);
}

static uint64_t blocks_written(const struct stand *stand)
{
    struct hftl_stats s;
    uint64_t sum = 0, operations = 0;
    device_get_stats(stand->device, &s);
    for (unsigned kind = 0; kind < HFTL_IO_COUNT; kind++) {
        sum += s.written[kind].blocks;
        operations += s.written[kind].operations + s.written[kind].errors;
    }
    assert_int_equal(operations, s.media_writes); /* S1 */
    return sum;
}

/* What was given to the medium is what the counters say. */
static void counters_of_blocks_add_up(void **state)
{
    (void)state;
    for (unsigned shape = 0; shape < stand_shapes(); shape++) {
        struct stand stand;
        struct guard_counts before, after;
        stand_begin(&stand, stand_shape(shape)->name);
        stand.unchecked = true;
        guard_count(stand.guard, &before);
        uint64_t from = blocks_written(&stand);
        for (uint64_t version = 1; version < 4; version++)
            stand_write_all(&stand, version);
        for (uint64_t i = 0; i < 400; i++)
            stand_write(&stand, i * 7 % stand.expected_count, 1, 9);
        stand_settle(&stand);
        guard_count(stand.guard, &after);
        assert_int_equal(after.blocks_written - before.blocks_written,
                         blocks_written(&stand) - from);
        stand_flush(&stand);
        stand_settle(&stand);
        guard_count(stand.guard, &after);
        assert_int_equal(after.blocks_written - before.blocks_written,
                         blocks_written(&stand) - from);
        assert_int_equal(stand.device->stats.written[HFTL_IO_USER].blocks,
                         stand.device->stats.user_blocks_written);
        stand_end(&stand);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bad_request_has_its_status_and_changes_nothing),
        cmocka_unit_test(the_last_block_is_a_block_like_any_other),
        cmocka_unit_test(what_was_never_written_or_trimmed_reads_as_zeros),
        cmocka_unit_test(a_read_of_what_is_in_the_buffer_asks_the_medium_for_nothing),
        cmocka_unit_test(neighbours_on_the_medium_are_read_in_one_go),
        cmocka_unit_test(a_sequential_read_of_128_KiB_takes_a_handful_of_reads),
        cmocka_unit_test(iovecs_may_be_cut_anywhere),
        cmocka_unit_test(of_overlapping_writes_each_block_holds_the_one_submitted_last),
        cmocka_unit_test(a_read_under_way_gives_one_whole_version_of_each_block),
        cmocka_unit_test(reads_do_not_wait_behind_writes_that_wait_for_space),
        cmocka_unit_test(more_reads_than_there_are_parts_are_all_answered),
        cmocka_unit_test(a_damaged_block_fails_its_read_alone_and_a_bad_read_is_tried_once_more),
        cmocka_unit_test(another_good_block_in_its_place_is_not_returned),
        cmocka_unit_test(what_its_place_held_in_an_earlier_life_is_not_returned),
        cmocka_unit_test(extents_say_what_is_mapped_in_as_many_entries_as_there_is_room_for),
        cmocka_unit_test(counts_every_request_by_verb_and_by_how_it_ended),
        cmocka_unit_test(counters_of_blocks_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
