/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What was written in a row is read in a row: how many reads of the medium 128 KiB take.
 */
#include "test/core/stand.h"

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
 * A run of n blocks lies in at most 1 + n / unit units, rounded up, one piece in each. A head and
 * a summary in its way make one piece more each. Most reads meet neither: over a whole device
 * the mean is within a twentieth of 1 + n / unit.
 */
static void check_pass(struct stand *s, const struct stand_shape *shape, uint64_t first,
                       uint64_t blocks)
{
    uint64_t unit = shape->facts.ws_opt, reads = 0, times = 0;
    for (uint64_t lba = first; lba + READ_BLOCKS <= blocks; lba += READ_BLOCKS) {
        tap_clear(s->tap);
        stand_expect(s, lba, READ_BLOCKS, 1);
        uint64_t now = tap_count(s->tap, HFTL_MEDIA_READ);
        if (now > 3 + (READ_BLOCKS + unit - 1) / unit)
            fail_msg("%s: lba %llu: %llu reads", shape->name, (unsigned long long)lba,
                     (unsigned long long)now);
        reads += now;
        times++;
    }
    print_message("%s: from %llu: %.3f reads each, 1 + 128 KiB / unit = %.3f\n", shape->name,
                  (unsigned long long)first, (double)reads / (double)times,
                  1 + (double)READ_BLOCKS / (double)unit);
    assert_true(100 * reads * unit <= 105 * times * (unit + READ_BLOCKS));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_in_a_row_take_few_reads_of_the_medium),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
