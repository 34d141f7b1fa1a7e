/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What was written in a row is read in a row: how many reads of the medium 128 KiB take.
 */
#include "test/core/stand.h"

#include <stdlib.h>

#define READ_BLOCKS 32u /* 128 KiB */

#define FACTS(kind_, can, oob, pus, chunks, blocks, min, opt, open)                                \
    {                                                                                              \
        .size = sizeof(struct hftl_media_facts), .kind = (kind_),                                  \
        .flags = HFTL_MEDIA_NEEDS_ERASE | HFTL_MEDIA_CAN_RESET_OPEN | (can), .block_bytes = 4096,  \
        .oob_bytes = (oob), .groups = 1, .pus_per_group = (pus), .chunks_per_pu = (chunks),        \
        .chunk_blocks = (blocks), .ws_min = (min), .ws_opt = (opt), .mw_cunits = 0,                \
        .open_max = (open), .active_max = (open), .transfer_blocks_max = 64,                       \
        .volatile_cache = true                                                                     \
    }

static const struct stand_shape shapes[] = {
    {"units of 8", FACTS(HFTL_KIND_OCSSD, 0, 16, 4, 20, 128, 4, 8, 0), 0, 1},
    {"units of 24", FACTS(HFTL_KIND_OCSSD, 0, 16, 2, 20, 240, 12, 24, 0), 0, 1},
    {"units of 7", FACTS(HFTL_KIND_OCSSD, 0, 16, 3, 20, 210, 7, 7, 0), 0, 1},
    {"units of 32", FACTS(HFTL_KIND_OCSSD, 0, 16, 3, 20, 256, 4, 32, 0), 0, 1},
    {"one PU", FACTS(HFTL_KIND_OCSSD, 0, 16, 1, 24, 256, 4, 32, 0), 0, 1},
    {"bare units of 32", FACTS(HFTL_KIND_OCSSD, 0, 0, 3, 20, 256, 4, 32, 0), 0, 1},
    {"bare units of 24", FACTS(HFTL_KIND_OCSSD, 0, 0, 2, 20, 240, 12, 24, 0), 0, 1},
    {"zoned", FACTS(HFTL_KIND_ZONED, HFTL_MEDIA_CAN_FINISH, 0, 1, 30, 256, 1, 32, 14), 1, 1},
    {"zoned, two columns", FACTS(HFTL_KIND_ZONED, HFTL_MEDIA_CAN_FINISH, 0, 1, 44, 256, 1, 16, 14),
     2, 1},
    {"flat", FACTS(HFTL_KIND_FLAT, HFTL_MEDIA_CAN_FINISH, 0, 1, 24, 256, 32, 32, 0), 0, 1},
};

/*
 * A run of n blocks lies in at most 1 + n / unit units, rounded up, one piece in each. The heads at
 * a band's beginning make one piece more; a summary in its way is read with it. Over a whole
 * device, with bands as small as these, the mean is within a fiftieth of 1 + n / unit.
 */
static void check_pass(struct stand *s, const struct stand_shape *shape, uint64_t first,
                       uint64_t blocks)
{
    uint64_t unit = shape->facts.ws_opt, reads = 0, times = 0;
    for (uint64_t lba = first; lba + READ_BLOCKS <= blocks; lba += READ_BLOCKS) {
        tap_clear(s->tap);
        stand_expect(s, lba, READ_BLOCKS, 1);
        uint64_t now = tap_count(s->tap, HFTL_MEDIA_READ);
        if (now > 2 + (READ_BLOCKS + unit - 1) / unit)
            fail_msg("%s: lba %llu: %llu reads", shape->name, (unsigned long long)lba,
                     (unsigned long long)now);
        reads += now;
        times++;
    }
    print_message("%s: from %llu: %.3f reads each, 1 + 128 KiB / unit = %.3f\n", shape->name,
                  (unsigned long long)first, (double)reads / (double)times,
                  1 + (double)READ_BLOCKS / (double)unit);
    assert_true(100 * reads * unit <= 102 * times * (unit + READ_BLOCKS));
}

static void reads_in_a_row_take_few_reads_of_the_medium(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        struct stand s;
        stand_init(&s, &shapes[i]);
        stand_format(&s);
        stand_open(&s);
        s.unchecked = true;
        uint64_t blocks = s.info.blocks / READ_BLOCKS * READ_BLOCKS;
        for (uint64_t lba = 0; lba < blocks; lba += READ_BLOCKS)
            stand_write(&s, lba, READ_BLOCKS, 1);
        stand_flush(&s);
        check_pass(&s, &shapes[i], 0, blocks);
        check_pass(&s, &shapes[i], 7, blocks);
        stand_end(&s);
    }
}

static bool are_in_a_row(const struct stand *s, uint64_t lba, uint64_t blocks)
{
    uint64_t pba = map_get(s->device, (hftl_lba){lba}).n;
    for (uint64_t i = 1; i < blocks; i++)
        if (map_get(s->device, (hftl_lba){lba + i}).n != pba + i)
            return false;
    return true;
}

/* The lba whose block lies just behind a summary, with eight in a row before and behind that. */
static uint64_t lba_behind_a_summary(struct stand *s, uint64_t from)
{
    for (uint64_t lba = from + 8; lba + 8 < s->expected_count; lba++) {
        uint64_t here = map_get(s->device, (hftl_lba){lba}).n;
        if (map_get(s->device, (hftl_lba){lba - 1}).n + 2 == here && are_in_a_row(s, lba - 8, 8) &&
            are_in_a_row(s, lba, 8))
            return lba;
    }
    fail_msg("no summary between two blocks");
    return 0;
}

static void begin_bare(struct stand *s)
{
    stand_init(s, &shapes[7]); /* "zoned" */
    stand_format(s);
    stand_open(s);
    s->unchecked = true;
    for (uint64_t lba = 0; lba + 40 <= s->expected_count; lba += 40) {
        stand_write(s, lba, 40, 1);
        stand_flush(s); /* ends what was written with a summary */
    }
    stand_settle(s);
}

static void a_read_across_a_summary_is_one_and_verified_block_by_block(void **state)
{
    (void)state;
    struct stand s;
    uint8_t *data = calloc(READ_BLOCKS, 4096);
    begin_bare(&s);
    uint64_t lba = lba_behind_a_summary(&s, 300) - 8;
    tap_clear(s.tap);
    stand_expect(&s, lba, 16, 1);
    assert_int_equal(tap_count(s.tap, HFTL_MEDIA_READ), 1);
    for (uint64_t i = 0; i < 16; i++) { /* any block of it, on either side */
        stand_media_block(&s, lba + i)[1000] ^= 1;
        assert_int_equal(stand_do(&s, HFTL_READ, 0, lba, 16, data), HFTL_MISMATCH);
        stand_media_block(&s, lba + i)[1000] ^= 1;
    }
    tap_fail(s.tap, HFTL_MEDIA_READ, ANY_CHUNK, 1, HFTL_IO); /* once: it is read again, as ever */
    stand_expect(&s, lba, 16, 1);
    free(data);
    stand_end(&s);
}

/* More of them than there are bridges: the others are read in pieces. */
static void with_all_bridges_taken_reads_are_made_in_pieces(void **state)
{
    (void)state;
    enum { ASKS = 3 * BRIDGES_MAX };
    struct stand s;
    struct ask asks[ASKS];
    uint8_t *data = calloc(ASKS * 8, 4096);
    begin_bare(&s);
    tap_hold(s.tap, HFTL_MEDIA_READ);
    for (uint64_t i = 0, lba = 0; i < ASKS; i++) {
        lba = lba_behind_a_summary(&s, lba % (s.expected_count / 2));
        stand_ask(&s, &asks[i], HFTL_READ, 0, lba - 4, 8, data + i * 8 * 4096);
    }
    for (unsigned i = 0; i < 50; i++)
        stand_step(&s);
    assert_true(list_is_empty(&s.device->bridges_free));
    tap_release(s.tap);
    for (uint64_t i = 0; i < ASKS; i++) {
        assert_int_equal(stand_wait(&s, &asks[i]), HFTL_OK);
        for (uint64_t n = 0; n < 8; n++)
            assert_true(stand_holds(&s, data + (i * 8 + n) * 4096, asks[i].request.lba + n, 1));
    }
    unsigned free_now = 0;
    for (struct list_link *at = list_first(&s.device->bridges_free); at != NULL;
         at = list_next(&s.device->bridges_free, at))
        free_now++;
    assert_int_equal(free_now, BRIDGES_MAX);
    free(data);
    stand_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_in_a_row_take_few_reads_of_the_medium),
        cmocka_unit_test(a_read_across_a_summary_is_one_and_verified_block_by_block),
        cmocka_unit_test(with_all_bridges_taken_reads_are_made_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
