/* SPDX-License-Identifier: BSD-3-Clause */
/* Making a device: what is refused and with which sentence, what is promised, what is left
 * alone. */
#include "test/core/stand.h"

#include "lifecycle/blocking.h"

#include <stdio.h>
#include <string.h>

/* The test fails unless formatting gives this status and a sentence with this text in it. */
static void refused(struct stand *stand, enum hftl_status status, const char *text)
{
    enum hftl_status got = stand_try_format(stand);
    if (got != status || strstr(stand->why.text, text) == NULL)
        fail_msg("%s: \"%s\", expected %s: \"%s\"", hftl_status_name(got), stand->why.text,
                 hftl_status_name(status), text);
    assert_int_equal(tap_count(stand->tap, HFTL_MEDIA_WRITE), 0);
    assert_int_equal(tap_count(stand->tap, HFTL_MEDIA_RESET), 0);
    assert_int_equal(stand->pieces, 0);
}

static void refuse_shape(const struct stand_shape *shape, const char *text)
{
    struct stand stand;
    stand_init(&stand, shape);
    refused(&stand, HFTL_GEOMETRY, text);
    stand_end(&stand);
}

static void a_drive_of_too_few_bands_is_refused(void **state)
{
    (void)state;
    struct stand_shape shape = *stand_shape_named("two PUs");
    shape.facts.chunks_per_pu = 8; /* one of them is the superblocks' */
    refuse_shape(&shape, "at least 8 bands are needed");
    shape = *stand_shape_named("zoned, two columns");
    shape.facts.chunks_per_pu = 17;
    refuse_shape(&shape, "7 bands of at most");
}

static void one_band_more_is_enough(void **state)
{
    (void)state;
    struct stand_shape shape = *stand_shape_named("two PUs");
    shape.facts.chunks_per_pu = 9;
    struct stand stand;
    stand_init(&stand, &shape);
    stand_format(&stand);
    stand_open(&stand);
    for (uint64_t version = 1; version < 6; version++)
        stand_write_all(&stand, version);
    stand_verify(&stand);
    stand_end(&stand);
}

static void too_few_open_zones_are_refused_with_the_numbers(void **state)
{
    (void)state;
    struct stand_shape shape = *stand_shape_named("zoned, three columns");
    shape.facts.open_max = shape.facts.active_max = 7;
    refuse_shape(&shape, "3 columns need 8 open chunks (2 for superblocks, 2 streams of 3); the "
                         "drive allows 7");
    shape.facts.open_max = 0;
    refuse_shape(&shape, "the drive allows 7"); /* the active limit alone */
    shape.facts.active_max = 8;
    struct stand stand;
    stand_init(&stand, &shape);
    stand_format(&stand);
    stand_open(&stand);
    stand_write_all(&stand, 1); /* the guard counts active chunks */
    stand_write_all(&stand, 2);
    stand_end(&stand);
}

static void without_a_wish_as_many_columns_are_taken_as_the_drive_carries(void **state)
{
    (void)state;
    static const uint32_t zones[] = {12, 62, 200, 400, 400, 400};
    static const uint32_t most[] = {14, 14, 14, 14, 7, 5};
    static const uint32_t columns[] = {1, 1, 3, 4, 2, 1};
    for (unsigned i = 0; i < 6; i++) {
        struct stand_shape shape = *stand_shape_named("zoned");
        struct stand stand;
        shape.columns = 0;
        shape.facts.chunks_per_pu = zones[i];
        shape.facts.open_max = shape.facts.active_max = most[i];
        stand_init(&stand, &shape);
        stand.format.dry_run = true;
        stand_format(&stand);
        assert_int_equal(stand.info.columns, columns[i]);
        stand_end(&stand);
    }
}

static void more_columns_than_a_head_can_name_are_refused(void **state)
{
    (void)state;
    struct stand_shape shape = *stand_shape_named("two PUs");
    shape.facts.groups = 257;
    shape.facts.pus_per_group = 1;
    refuse_shape(&shape, "257 columns: at most 256");
}

static void single_block_units_of_more_columns_than_a_summary_names_are_refused(void **state)
{
    (void)state;
    struct stand_shape shape = *stand_shape_named("bare");
    shape.facts.groups = 22;
    shape.facts.pus_per_group = 1;
    shape.facts.ws_min = shape.facts.ws_opt = 1;
    refuse_shape(&shape, "22 columns of slices of one block: at most 21");
}

static void slices_that_do_not_divide_a_write_unit_are_refused(void **state)
{
    (void)state;
    struct stand_shape shape = *stand_shape_named("ragged chunks"); /* ws_min 4, ws_opt 12 */
    static const uint32_t wrong[] = {2, 4, 5, 6, 12, 13, 65535, 65536, UINT32_MAX};
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        shape.interleave = wrong[i];
        refuse_shape(&shape, "a write unit of 12 blocks (ws_opt) does not divide");
    }
    struct stand stand;
    shape.interleave = 3;
    stand_init(&stand, &shape);
    stand_format(&stand);
    assert_int_equal(stand.info.interleave, 3);
    stand_open(&stand);
    stand_write_all(&stand, 1);
    stand_reopen(&stand);
    stand_verify(&stand);
    stand_end(&stand);
}

/* Blocks of 512 bytes, so 64 make a unit of 32 KiB. */
static void small_write_units_are_joined_where_no_slices_are_asked_for(void **state)
{
    (void)state;
    static const struct {
        uint32_t chunk_blocks, ws_min, ws_opt, interleave, transfer_max, unit;
    } cases[] = {
        {512, 1, 4, 0, 64, 64},      {512, 1, 4, 1, 64, 4},   {512, 1, 4, 2, 64, 4},
        {512, 1, 64, 0, 64, 64},     {512, 4, 24, 0, 64, 48}, {512, 1, 1, 0, 64, 64},
        {510, 1, 4, 0, 64, 60},      {200, 1, 4, 0, 64, 24},  {63, 1, 4, 0, 64, 4},
        {64, 1, 4, 0, 64, 8},        {512, 1, 4, 0, 21, 20},  {2048, 8, 96, 0, 128, 96},
        {2048, 8, 128, 0, 256, 128},
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct stand_shape shape = *stand_shape_named("zoned");
        struct stand stand;
        shape.facts.chunk_blocks = cases[i].chunk_blocks;
        shape.facts.ws_min = cases[i].ws_min;
        shape.facts.ws_opt = cases[i].ws_opt;
        shape.facts.transfer_blocks_max = cases[i].transfer_max;
        shape.interleave = cases[i].interleave;
        stand_init(&stand, &shape);
        stand_format(&stand);
        stand_open(&stand);
        assert_int_equal(stand.device->layout.ws_opt, cases[i].unit);
        assert_int_equal(stand.device->geometry.slice,
                         cases[i].unit / (cases[i].interleave == 0 ? 1 : cases[i].interleave));
        stand_write(&stand, 0, 40, 1);
        stand_reopen(&stand);
        stand_expect(&stand, 0, 40, 1);
        stand_end(&stand);
    }
}

static void no_good_chunk_for_a_superblock_is_refused(void **state)
{
    (void)state;
    struct stand stand;
    stand_init(&stand, stand_shape_named("two PUs"));
    stand_detach(&stand);
    for (uint32_t i = 0; i < 24; i++)
        mem_retire(stand.store, 24 + i, HFTL_CHUNK_OFFLINE);
    stand_attach(&stand);
    refused(&stand, HFTL_GEOMETRY, "no good chunk for a superblock among the first 8");
    stand_end(&stand);
}

static void bad_chunks_are_gone_around(void **state)
{
    (void)state;
    for (unsigned shape = 0; shape < stand_shapes(); shape++) {
        struct stand stand;
        stand_init(&stand, stand_shape(shape));
        stand_detach(&stand);
        uint32_t chunks = hftl_media_chunks(&stand_shape(shape)->facts);
        mem_retire(stand.store, 0, HFTL_CHUNK_OFFLINE);
        for (uint32_t chunk = 13; chunk < chunks; chunk += 17)
            mem_retire(stand.store, chunk,
                       chunk % 2 == 0 ? HFTL_CHUNK_OFFLINE : HFTL_CHUNK_READ_ONLY);
        stand_attach(&stand);
        stand_format(&stand);
        stand_open(&stand);
        stand.unchecked = true;
        for (uint64_t version = 1; version < 5; version++)
            stand_write_all(&stand, version);
        stand_crash(&stand, true, shape);
        stand_open(&stand);
        stand_verify(&stand);
        stand_end(&stand);
    }
}

static void over_provisioning_has_a_limit_and_what_is_asked_for_is_given(void **state)
{
    (void)state;
    struct stand_shape shape = *stand_shape_named("two PUs");
    struct stand stand;
    shape.facts.chunks_per_pu = 100;
    stand_init(&stand, &shape);
    stand.format.op_permille = 9001;
    refused(&stand, HFTL_INVALID, "over-provisioning of 900.1 %: at most 900 %");
    stand.format.dry_run = true;
    uint64_t before = UINT64_MAX;
    for (uint32_t op = 1; op <= 9000; op = op * 3 + 50) {
        stand.format.op_permille = op;
        assert_int_equal(stand_try_format(&stand), HFTL_OK);
        assert_int_equal(stand.info.op_permille, op);
        assert_true(stand.info.op_effective_permille >= op); /* never less */
        assert_true(stand.info.blocks <= before);
        before = stand.info.blocks;
    }
    stand.format.op_permille = 0;
    assert_int_equal(stand_try_format(&stand), HFTL_OK);
    assert_int_equal(stand.info.op_permille, 200);
    stand_end(&stand);
}

static void a_size_that_is_asked_for_is_given_or_refused(void **state)
{
    (void)state;
    struct stand stand;
    char text[64];
    stand_init(&stand, stand_shape_named("two PUs"));
    stand.format.op_permille = 1; /* so that the geometry decides */
    stand_format(&stand);
    uint64_t most = stand.info.blocks;
    tap_clear(stand.tap);
    stand.format.force = true;
    stand.format.blocks = most;
    refused(&stand, HFTL_INVALID, "both blocks and over-provisioning");
    stand.format.op_permille = 0;
    stand.format.blocks = most + 1;
    snprintf(text, sizeof(text), "at most %llu can be exported", (unsigned long long)most);
    refused(&stand, HFTL_GEOMETRY, text);
    const uint64_t sizes[] = {1, 77, most};
    for (unsigned i = 0; i < 3; i++) {
        stand.format.blocks = sizes[i];
        stand_format(&stand);
        assert_int_equal(stand.info.blocks, sizes[i]);
        assert_int_equal(stand.info.op_permille, 0);
        stand_open(&stand);
        assert_int_equal(stand.device->geometry.blocks, sizes[i]);
        stand_write_all(&stand, 1);
        stand_verify(&stand);
        stand_close(&stand);
    }
    stand_end(&stand);
}

static void a_device_is_replaced_only_by_force(void **state)
{
    (void)state;
    struct stand stand;
    stand_init(&stand, stand_shape_named("two PUs"));
    memcpy(stand.format.name, "first", 6);
    stand_format(&stand);
    stand_open(&stand);
    stand_write(&stand, 5, 10, 1);
    stand_close(&stand);
    tap_clear(stand.tap);
    refused(&stand, HFTL_EXISTS, "there is a hostftl device \"first\" already");
    stand_open(&stand);
    stand_expect(&stand, 5, 10, 1); /* untouched */
    stand_close(&stand);
    stand.format.force = true;
    stand_format(&stand);
    assert_string_equal(stand.info.name, "first");
    stand_open(&stand);
    stand_verify(&stand); /* zeros */
    stand_end(&stand);
}

static void what_only_looks_like_a_device_is_replaced_only_by_force_too(void **state)
{
    (void)state;
    struct stand stand;
    stand_init(&stand, stand_shape_named("two PUs"));
    stand_format(&stand);
    mem_block(stand.store, 0, 0)[300] ^= 1;
    mem_block(stand.store, 24, 0)[300] ^= 1;
    tap_clear(stand.tap);
    refused(&stand, HFTL_EXISTS, "looks like a hostftl device");
    stand.format.force = true;
    stand_format(&stand);
    stand_open(&stand);
    stand_end(&stand);
}

static void a_dry_run_says_it_all_and_writes_nothing(void **state)
{
    (void)state;
    for (unsigned shape = 0; shape < stand_shapes(); shape++) {
        struct stand stand;
        stand_init(&stand, stand_shape(shape));
        stand.format.dry_run = true;
        tap_clear(stand.tap);
        assert_int_equal(stand_try_format(&stand), HFTL_OK);
        struct hftl_info dry = stand.info;
        assert_int_equal(tap_count(stand.tap, HFTL_MEDIA_WRITE), 0);
        assert_int_equal(tap_count(stand.tap, HFTL_MEDIA_RESET), 0);
        assert_int_equal(tap_count(stand.tap, HFTL_MEDIA_FINISH), 0);
        assert_int_equal(stand_try_open(&stand), HFTL_FOREIGN);
        stand.format.dry_run = false;
        stand_format(&stand);
        assert_int_equal(stand.info.blocks, dry.blocks);
        assert_int_equal(stand.info.bands, dry.bands);
        assert_int_equal(stand.info.blocks_data, dry.blocks_data);
        stand_open(&stand);
        struct hftl_info open;
        device_get_info(stand.device, &open);
        assert_int_equal(open.blocks, dry.blocks);
        assert_int_equal(open.blocks_data, dry.blocks_data);
        assert_int_equal(open.op_effective_permille, dry.op_effective_permille);
        stand_end(&stand);
    }
}

static void a_dry_run_by_force_leaves_the_device_that_is_there(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "zoned");
    stand_write(&stand, 0, 30, 1);
    stand_close(&stand);
    stand.format.force = stand.format.dry_run = true;
    tap_clear(stand.tap);
    assert_int_equal(stand_try_format(&stand), HFTL_OK);
    for (uint32_t i = 0; i < stand.tap->note_count; i++)
        assert_true(stand.tap->notes[i].verb == HFTL_MEDIA_READ ||
                    stand.tap->notes[i].verb == HFTL_MEDIA_REPORT);
    stand_open(&stand);
    stand_verify(&stand);
    stand_end(&stand);
}

/* O18: also chunks that the new device's superblocks do not need. */
static void every_chunk_that_is_not_free_is_reset(void **state)
{
    (void)state;
    for (unsigned shape = 0; shape < stand_shapes(); shape++) {
        struct stand stand;
        stand_init(&stand, stand_shape(shape));
        stand_format(&stand);
        stand_open(&stand);
        stand.unchecked = true;
        stand_write_all(&stand, 1);
        stand_write(&stand, 0, 9, 2);
        stand_crash(&stand, false, 0);
        stand.format.force = true;
        stand_format(&stand);
        stand_open(&stand);
        assert_int_equal(stand_bands_in(&stand, BAND_FREE) + stand_bands_in(&stand, BAND_RETIRED),
                         stand.device->geometry.bands);
        assert_int_equal(stand.device->map.mapped, 0);
        stand_verify(&stand);
        stand_end(&stand);
    }
}

/* The last chunk of the drive has so many blocks less, and its first write unit is written. What
 * format makes of it. Without a guard, which takes no capacity that is no multiple of ws_min: a
 * program may give us a medium of its own. */
static struct hftl_chunk format_over_a_short_chunk(const struct stand_shape *shape, uint32_t less)
{
    struct stand stand;
    struct hftl_media *mem;
    struct hftl_chunk report;
    uint8_t junk[64 * 512] = {1}, oob[64 * 64] = {0};
    const struct hftl_media_facts *facts = &shape->facts;
    uint32_t chunk = hftl_media_chunks(facts) - 1;
    stand_init(&stand, shape);
    stand_detach(&stand);
    mem_shorten(stand.store, chunk, facts->chunk_blocks - less);
    assert_int_equal(mem_attach(stand.store, &mem), HFTL_OK);
    struct blocking b = {mem, &stand.world, NULL, NULL};
    struct hftl_media_op op = {.verb = HFTL_MEDIA_WRITE,
                               .chunk = chunk,
                               .blocks = facts->ws_min,
                               .data = junk,
                               .oob = facts->oob_bytes == 0 ? NULL : oob};
    assert_int_equal(blocking_run(&b, &op, 1), HFTL_OK);
    stand.format.force = true;
    assert_int_equal(device_format(mem, &stand.world, &stand.format, &stand.info, &stand.why),
                     HFTL_OK);
    assert_false(stand_logged(&stand, "cannot be erased")); /* it is not even tried */
    assert_int_equal(blocking_report(&b, chunk, 1, &report), HFTL_OK);
    mem->ops->close(mem);
    stand_end(&stand);
    return report;
}

/* Partly written it would hold a slot of the drive that nobody counts. */
static void a_chunk_of_another_capacity_is_reset_as_well(void **state)
{
    (void)state;
    for (unsigned i = 0; i < stand_shapes(); i++) {
        const struct stand_shape *shape = stand_shape(i);
        struct hftl_chunk chunk = format_over_a_short_chunk(shape, shape->facts.ws_min);
        assert_int_equal(chunk.state, HFTL_CHUNK_FREE);
    }
}

/* Its rest is no whole number of the smallest writes, nothing finishes it, and open it is not
 * reset. */
static void a_short_chunk_that_cannot_be_filled_is_left_as_it_is(void **state)
{
    (void)state;
    static const uint32_t ways_out = HFTL_MEDIA_CAN_RESET_OPEN | HFTL_MEDIA_CAN_FINISH;
    unsigned left = 0;
    for (unsigned i = 0; i < stand_shapes(); i++) {
        const struct stand_shape *shape = stand_shape(i);
        if (shape->facts.ws_min == 1)
            continue;
        struct hftl_chunk chunk = format_over_a_short_chunk(shape, 1);
        bool stays = (shape->facts.flags & ways_out) == 0;
        assert_int_equal(chunk.state, stays ? HFTL_CHUNK_OPEN : HFTL_CHUNK_FREE);
        assert_int_equal(chunk.wp, stays ? shape->facts.ws_min : 0);
        left += stays;
    }
    assert_true(left >= 3);
}

static uint64_t steps, total_seen;
static void count_progress(void *arg, uint64_t done, uint64_t total)
{
    (void)arg;
    steps++;
    assert_int_equal(done, steps);
    total_seen = total;
}

static void tells_its_progress_its_id_and_its_name(void **state)
{
    (void)state;
    struct stand stand;
    stand_init(&stand, stand_shape_named("three PUs"));
    stand.format.progress = count_progress;
    memset(stand.format.id, 0x42, sizeof(stand.format.id));
    steps = 0;
    stand_format(&stand);
    assert_int_equal(steps, 72);
    assert_int_equal(total_seen, 72);
    assert_string_equal(stand.info.name, "default");
    struct hftl_info probed;
    assert_int_equal(device_probe(stand.guard, &stand.world, NULL, &probed, &stand.why), HFTL_OK);
    assert_memory_equal(probed.id, stand.format.id, 16);
    assert_int_equal(probed.created, 1700000000);
    assert_true(probed.clean);
    stand_end(&stand);
}

static void ids_that_are_not_given_are_random_version_4(void **state)
{
    (void)state;
    struct stand stand;
    uint8_t first[16];
    stand_init(&stand, stand_shape_named("two PUs"));
    stand_format(&stand);
    memcpy(first, stand.info.id, 16);
    assert_int_equal(first[6] >> 4, 4);
    assert_int_equal(first[8] >> 6, 2);
    stand.format.force = true;
    stand_format(&stand);
    assert_memory_not_equal(first, stand.info.id, 16);
    stand_end(&stand);
}

static void each_failing_operation_ends_format_cleanly_and_leaves_no_half_device(void **state)
{
    (void)state;
    static const enum hftl_media_verb verbs[] = {HFTL_MEDIA_WRITE, HFTL_MEDIA_FLUSH,
                                                 HFTL_MEDIA_RESET, HFTL_MEDIA_REPORT};
    for (unsigned v = 0; v < 4; v++)
        for (uint32_t after = 0; after < 40; after++) {
            struct stand stand;
            stand_begin(&stand, "two PUs");
            stand_write(&stand, 0, 500, 1);
            stand_crash(&stand, false, 0);
            stand.format.force = true;
            tap_fail(stand.tap, verbs[v], ANY_CHUNK, 1, HFTL_IO);
            stand.tap->fail_after = after;
            enum hftl_status status = stand_try_format(&stand);
            /* By force a device need not be found, so a report for the search may fail. */
            if (stand.tap->fail_count == 0 && verbs[v] != HFTL_MEDIA_REPORT)
                assert_int_equal(status, HFTL_IO);
            assert_int_equal(stand.pieces, 0);
            if (verbs[v] != HFTL_MEDIA_FLUSH)
                assert_int_equal(status == HFTL_OK, stand.why.text[0] == '\0');
            stand.tap->fail_count = 0;
            stand_crash(&stand, true, after); /* and the drive goes on */
            stand_format(&stand);
            stand_open(&stand);
            stand_verify(&stand);
            stand_end(&stand);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_drive_of_too_few_bands_is_refused),
        cmocka_unit_test(one_band_more_is_enough),
        cmocka_unit_test(too_few_open_zones_are_refused_with_the_numbers),
        cmocka_unit_test(without_a_wish_as_many_columns_are_taken_as_the_drive_carries),
        cmocka_unit_test(more_columns_than_a_head_can_name_are_refused),
        cmocka_unit_test(single_block_units_of_more_columns_than_a_summary_names_are_refused),
        cmocka_unit_test(slices_that_do_not_divide_a_write_unit_are_refused),
        cmocka_unit_test(small_write_units_are_joined_where_no_slices_are_asked_for),
        cmocka_unit_test(no_good_chunk_for_a_superblock_is_refused),
        cmocka_unit_test(bad_chunks_are_gone_around),
        cmocka_unit_test(over_provisioning_has_a_limit_and_what_is_asked_for_is_given),
        cmocka_unit_test(a_size_that_is_asked_for_is_given_or_refused),
        cmocka_unit_test(a_device_is_replaced_only_by_force),
        cmocka_unit_test(what_only_looks_like_a_device_is_replaced_only_by_force_too),
        cmocka_unit_test(a_dry_run_says_it_all_and_writes_nothing),
        cmocka_unit_test(a_dry_run_by_force_leaves_the_device_that_is_there),
        cmocka_unit_test(every_chunk_that_is_not_free_is_reset),
        cmocka_unit_test(a_chunk_of_another_capacity_is_reset_as_well),
        cmocka_unit_test(a_short_chunk_that_cannot_be_filled_is_left_as_it_is),
        cmocka_unit_test(tells_its_progress_its_id_and_its_name),
        cmocka_unit_test(ids_that_are_not_given_are_random_version_4),
        cmocka_unit_test(each_failing_operation_ends_format_cleanly_and_leaves_no_half_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
