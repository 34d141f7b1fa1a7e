/* SPDX-License-Identifier: BSD-3-Clause */
/* Finding a device: foreign drives, other versions, flipped bits, copies that are gone. */
#include "test/core/stand.h"

#include "base/bytes.h"
#include "base/crc.h"
#include "format/superblock.h"
#include "lifecycle/await.h"
#include "lifecycle/superfind.h"

#include <stdio.h>
#include <string.h>

static void refused(struct stand *stand, enum hftl_status status, const char *text)
{
    enum hftl_status got = stand_try_open(stand);
    if (got != status || strstr(stand->why.text, text) == NULL)
        fail_msg("%s: \"%s\", expected %s: \"%s\"", hftl_status_name(got), stand->why.text,
                 hftl_status_name(status), text);
    assert_null(stand->device);
    assert_int_equal(stand->pieces, 0);
    struct hftl_info info;
    assert_int_equal(device_probe(stand->guard, &stand->world, NULL, &info, &stand->why), status);
}

static void an_empty_drive_is_foreign(void **state)
{
    (void)state;
    for (unsigned shape = 0; shape < stand_shapes(); shape++) {
        struct stand stand;
        stand_init(&stand, stand_shape(shape));
        refused(&stand, HFTL_FOREIGN, "no hostftl device there");
        assert_int_equal(tap_count(stand.tap, HFTL_MEDIA_WRITE), 0);
        stand_end(&stand);
    }
}

static struct hftl_media_op landed;
static bool is_landed;
static void note_landing(struct hftl_media_op *op)
{
    (void)op;
    is_landed = true;
}

static void write_chunk(struct stand *stand, uint32_t chunk, uint8_t *data, uint32_t blocks)
{
    landed = (struct hftl_media_op){.verb = HFTL_MEDIA_WRITE,
                                    .chunk = chunk,
                                    .blocks = blocks,
                                    .data = data,
                                    .land = note_landing};
    struct hftl_media_op *op = &landed;
    is_landed = false;
    stand->guard->ops->submit(stand->guard, &op, 1);
    while (!is_landed)
        stand->guard->ops->reap(stand->guard, 8);
    assert_int_equal(landed.status, HFTL_OK);
}

static void somebody_elses_data_is_foreign_and_not_touched(void **state)
{
    (void)state;
    struct stand stand;
    uint8_t data[512 * 48];
    stand_init(&stand, stand_shape_named("two PUs"));
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)prng_next(&stand.prng);
    for (uint32_t chunk = 0; chunk < 4; chunk++)
        write_chunk(&stand, chunk, data, 48);
    write_chunk(&stand, 24, data, 48);
    refused(&stand, HFTL_FOREIGN, "no hostftl device");
    for (uint32_t chunk = 0; chunk < 4; chunk++)
        assert_memory_equal(mem_block(stand.store, chunk, 0), data, sizeof(data));
    stand_end(&stand);
}

/* The newest records of both copies, by a search of the test's own. */
struct newest {
    uint8_t *bytes[2];
    uint32_t length;
};

static bool is_whole(const uint8_t *block)
{
    uint8_t record[512];
    memcpy(record, block, sizeof(record));
    put_u32(record + 12, 0);
    return memcmp(block, "HFTLSUPR", 8) == 0 &&
           crc32c(0, record, sizeof(record)) == get_u32(block + 12);
}

static struct newest find_newest(struct stand *stand)
{
    struct newest newest = {.length = 512};
    const struct hftl_media_facts *facts = &stand->tap->media.facts;
    for (int copy = 0; copy < 2; copy++) {
        uint32_t chunk = facts->kind == HFTL_KIND_OCSSD && hftl_media_pus(facts) > 1
                             ? (uint32_t)copy * facts->chunks_per_pu
                             : (uint32_t)copy;
        for (uint32_t offset = 0; offset < facts->chunk_blocks; offset++) {
            uint8_t *block = mem_block(stand->store, chunk, offset);
            if (block == NULL || !is_whole(block))
                continue;
            if (newest.bytes[copy] == NULL ||
                get_u64(block + 32) > get_u64(newest.bytes[copy] + 32))
                newest.bytes[copy] = block;
        }
        assert_non_null(newest.bytes[copy]);
    }
    return newest;
}

/* Record as if another version had written it, with a checksum that agrees. */
static void seal(struct newest *newest)
{
    for (int copy = 0; copy < 2; copy++) {
        put_u32(newest->bytes[copy] + 12, 0);
        put_u32(newest->bytes[copy] + 12, crc32c(0, newest->bytes[copy], newest->length));
    }
}

static void a_newer_version_of_the_format_is_refused_by_its_name(void **state)
{
    (void)state;
    struct stand stand;
    stand_init(&stand, stand_shape_named("two PUs"));
    stand_format(&stand);
    struct newest newest = find_newest(&stand);
    for (int copy = 0; copy < 2; copy++)
        put_u16(newest.bytes[copy] + 8, 2);
    seal(&newest);
    tap_clear(stand.tap);
    refused(&stand, HFTL_VERSION, "written by another version of the format (this is 1)");
    assert_int_equal(tap_count(stand.tap, HFTL_MEDIA_WRITE), 0);
    stand_end(&stand);
}

static void features_are_refused_tolerated_or_ignored_by_their_kind(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit += 7) {
        struct stand stand;
        stand_init(&stand, stand_shape_named("two PUs"));
        stand_format(&stand);
        struct newest newest = find_newest(&stand);
        for (int copy = 0; copy < 2; copy++)
            put_u64(newest.bytes[copy] + 288, UINT64_C(1) << bit); /* incompatible */
        seal(&newest);
        refused(&stand, HFTL_UNSUPPORTED, "features this version does not have");
        for (int copy = 0; copy < 2; copy++) {
            put_u64(newest.bytes[copy] + 288, 0);
            put_u64(newest.bytes[copy] + 280, UINT64_C(1) << bit); /* read-only compatible */
        }
        seal(&newest);
        stand_open(&stand);
        assert_true(stand.device->read_only);
        assert_int_equal(stand_do(&stand, HFTL_TRIM, 0, 0, 1, NULL), HFTL_READ_ONLY);
        stand_end(&stand);
    }
    struct stand stand;
    stand_init(&stand, stand_shape_named("two PUs"));
    stand_format(&stand);
    struct newest newest = find_newest(&stand);
    for (int copy = 0; copy < 2; copy++)
        put_u64(newest.bytes[copy] + 272, UINT64_MAX); /* compatible */
    seal(&newest);
    stand_open(&stand);
    stand_write(&stand, 0, 5, 1);
    stand_reopen(&stand);
    stand_verify(&stand);
    stand_end(&stand);
}

/* A later version went on writing the log of an earlier one: the older records below are no device
 * to open. */
static void a_newest_record_that_is_not_for_us_is_not_passed_over(void **state)
{
    (void)state;
    for (int feature = 0; feature < 2; feature++) {
        struct stand stand;
        stand_begin(&stand, "two PUs");
        stand_write(&stand, 0, 20, 1);
        stand_close(&stand);
        struct newest newest = find_newest(&stand);
        for (int copy = 0; copy < 2; copy++)
            if (feature)
                put_u64(newest.bytes[copy] + 288, 1);
            else
                put_u16(newest.bytes[copy] + 8, 2);
        seal(&newest);
        if (feature)
            refused(&stand, HFTL_UNSUPPORTED, "features this version does not have");
        else
            refused(&stand, HFTL_VERSION, "written by another version");
        stand_end(&stand);
    }
}

static void a_drive_of_another_shape_is_refused_naming_the_field(void **state)
{
    (void)state;
    struct stand stand;
    stand_init(&stand, stand_shape_named("two PUs"));
    stand_format(&stand);
    struct newest newest = find_newest(&stand);
    for (int copy = 0; copy < 2; copy++)
        put_u32(newest.bytes[copy] + 64 + 24, 6); /* ws_min */
    seal(&newest);
    assert_int_equal(stand_try_open(&stand), HFTL_GEOMETRY);
    assert_non_null(strstr(stand.why.text, "ws_min: the layout says 6, the medium 2"));
    stand_end(&stand);
}

static void every_byte_of_the_newest_record_of_either_copy_may_be_damaged(void **state)
{
    (void)state;
    static const char *const names[] = {"two PUs", "zoned"};
    for (unsigned n = 0; n < 2; n++) {
        struct stand stand;
        stand_begin(&stand, names[n]);
        stand.unchecked = true;
        stand_write(&stand, 0, 20, 1);
        for (uint32_t at = 0; at < 512; at++)
            for (int copy = 0; copy < 2; copy++) {
                stand_close(&stand);
                uint64_t number = get_u64(find_newest(&stand).bytes[0] + 32);
                find_newest(&stand).bytes[copy][at] ^= (uint8_t)(1u << (at + (uint32_t)copy) % 8);
                if (stand_try_open(&stand) != HFTL_OK)
                    fail_msg("%s, byte %u of copy %c: %s", names[n], at, 'A' + copy,
                             stand.why.text);
                assert_true(stand.device->was_clean); /* the other copy has the same record */
                assert_int_equal(stand.device->super.record.number, number + 1);
                stand_expect(&stand, 0, 20, 1);
            }
        struct blocking b = {stand.guard, &stand.world, NULL, NULL};
        struct found found;
        assert_int_equal(superfind(&b, NULL, &found, &stand.why), HFTL_OK);
        superfind_free(&b, &found);
        assert_false(found.repair); /* each was given back what it lacked */
        stand_end(&stand);
    }
}

/* Both newest records damaged: an older one may not pass for the newest state, nor be served
 * silently without what was written since. */
static void both_newest_damaged_falls_back_to_a_record_that_says_unclean(void **state)
{
    (void)state;
    for (uint32_t at = 0; at < 512; at += 37) {
        struct stand stand;
        stand_begin(&stand, "two PUs");
        stand_write(&stand, 0, 20, 1);
        stand_close(&stand);
        struct newest newest = find_newest(&stand);
        newest.bytes[0][at] ^= 4;
        newest.bytes[1][at] ^= 4;
        stand_open(&stand);
        assert_false(stand.device->was_clean);
        stand_expect(&stand, 0, 20, 1); /* from the bands themselves */
        stand_end(&stand);
    }
}

static void without_any_record_there_is_no_device_and_nothing_is_written(void **state)
{
    (void)state;
    for (unsigned shape = 0; shape < stand_shapes(); shape++) {
        struct stand stand;
        stand_begin(&stand, stand_shape(shape)->name);
        stand_write(&stand, 0, 40, 1);
        uint32_t chunks[2] = {stand.device->layout.superblock_chunk[0],
                              stand.device->layout.superblock_chunk[1]};
        uint32_t blocks = stand.device->geometry.chunk_blocks;
        stand_close(&stand);
        for (int copy = 0; copy < 2; copy++)
            for (uint32_t at = 0; at < blocks; at++)
                if (memcmp(mem_block(stand.store, chunks[copy], at), "HFTLSUPR", 8) == 0)
                    mem_block(stand.store, chunks[copy], at)[200] ^= 1;
        tap_clear(stand.tap);
        refused(&stand, HFTL_CORRUPT, "no superblock record can be read");
        assert_int_equal(tap_count(stand.tap, HFTL_MEDIA_WRITE), 0);
        assert_int_equal(tap_count(stand.tap, HFTL_MEDIA_RESET), 0);
        stand_end(&stand);
    }
}

static void a_copy_whose_chunk_cannot_be_read_is_done_without(void **state)
{
    (void)state;
    for (int copy = 0; copy < 2; copy++) {
        struct stand stand;
        stand_begin(&stand, "two PUs");
        stand_write(&stand, 0, 20, 1);
        uint32_t chunk = stand.device->layout.superblock_chunk[copy];
        stand_close(&stand);
        tap_fail(stand.tap, HFTL_MEDIA_READ, chunk, 1000, HFTL_IO);
        stand_open(&stand);
        assert_true(stand.device->was_clean);
        stand.tap->fail_count = 0;
        stand_expect(&stand, 0, 20, 1);
        stand_end(&stand);
    }
}

/* It is said why none is found, and the next format does not replace it. */
static void a_device_that_cannot_be_read_is_not_taken_for_none(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "two PUs");
    stand_write(&stand, 0, 20, 1);
    stand_close(&stand);
    tap_clear(stand.tap);
    tap_fail(stand.tap, HFTL_MEDIA_READ, ANY_CHUNK, UINT32_MAX, HFTL_IO);
    refused(&stand, HFTL_FOREIGN, "cannot be read (the device reported an I/O error)");
    assert_int_equal(stand_try_format(&stand), HFTL_IO);
    assert_non_null(strstr(stand.why.text, "whether a hostftl device is there already"));
    assert_int_equal(tap_count(stand.tap, HFTL_MEDIA_WRITE), 0);
    assert_int_equal(tap_count(stand.tap, HFTL_MEDIA_RESET), 0);
    stand.tap->fail_count = 0;
    stand_open(&stand);
    stand_expect(&stand, 0, 20, 1);
    stand_close(&stand);
    tap_fail(stand.tap, HFTL_MEDIA_READ, ANY_CHUNK, UINT32_MAX, HFTL_IO);
    stand.format.force = true;
    stand_format(&stand);
    stand_end(&stand);
}

/* The two copies of one device are never those of two. */
static void a_copy_of_another_device_is_not_believed(void **state)
{
    (void)state;
    struct stand stand;
    stand_init(&stand, stand_shape_named("two PUs"));
    stand_format(&stand);
    static uint8_t old[48 * 512];
    memcpy(old, mem_block(stand.store, 24, 0), sizeof(old));
    stand.format.force = true;
    stand_format(&stand); /* another id, another salt */
    stand_open(&stand);
    stand_write(&stand, 0, 20, 1);
    stand_close(&stand);
    memcpy(mem_block(stand.store, 24, 0), old, sizeof(old));
    stand_open(&stand);
    assert_true(stand.device->was_clean);
    stand_expect(&stand, 0, 20, 1);
    assert_memory_equal(stand.device->format.id, stand.info.id, 16);
    stand_end(&stand);
}

/* Closes and opens until neither chunk has room for a record after the newest, which is not their
 * first. */
static struct newest fill_both(struct stand *stand, const uint32_t chunks[2], uint32_t run)
{
    uint32_t end = stand->tap->media.facts.chunk_blocks;
    for (int i = 0; i < 1000; i++) {
        if (i % 3 == 1) /* seven records in three turns */
            assert_int_equal(super_write_now(stand->device), HFTL_OK);
        stand_close(stand);
        struct newest newest = find_newest(stand);
        bool full = true;
        for (int copy = 0; copy < 2; copy++) {
            uint32_t at = 0;
            while (mem_block(stand->store, chunks[copy], at) != newest.bytes[copy])
                at++;
            full = full && at > 0 && at + 2 * run > end;
        }
        if (full)
            return newest;
        stand_open(stand);
    }
    fail_msg("the chunks of the superblock never have too little room");
    return (struct newest){.length = 0};
}

/* A cut left the newest record of copy A unreadable, so A was reset; a second cut stopped that half
 * way, and the record can be read again. Copy B has an older one, and no room. */
static void a_leftover_with_a_newer_record_is_reset(void **state)
{
    (void)state;
    static const char *const names[] = {"two PUs", "zoned"};
    for (unsigned n = 0; n < 2; n++) {
        struct stand stand;
        stand_begin(&stand, names[n]);
        stand.unchecked = true;
        stand_write(&stand, 0, 20, 1);
        uint32_t chunks[2] = {stand.device->layout.superblock_chunk[0],
                              stand.device->layout.superblock_chunk[1]};
        uint32_t run = super_run_blocks(&stand.device->geometry, 512);
        struct newest newest = fill_both(&stand, chunks, run);
        memset(mem_block(stand.store, chunks[0], 0), 0xa5, 512);
        newest.bytes[1][40] ^= 1;
        if (stand_try_open(&stand) != HFTL_OK)
            fail_msg("%s: %s", names[n], stand.why.text);
        assert_false(stand.device->read_only);
        assert_false(stand.device->super.copies[0].dead || stand.device->super.copies[1].dead);
        stand_expect(&stand, 0, 20, 1);
        stand_close(&stand);
        stand_open(&stand);
        assert_true(stand.device->was_clean);
        assert_false(stand.device->super.copies[0].headless);
        stand_expect(&stand, 0, 20, 1);
        stand_end(&stand);
    }
}

/* The newest record of each copy. */
static void damage_newest_records(struct stand *stand)
{
    const struct super *super = &stand->device->super;
    for (unsigned i = 0; i < 2; i++) {
        const struct super_copy *copy = &super->copies[i];
        assert_int_equal(copy->newest, super->record.number);
        uint8_t *record =
            mem_block(stand->store, copy->chunk, copy->state.wp - (uint32_t)super->run_blocks);
        assert_memory_equal(record, "HFTLSUPR", 8);
        record[99] ^= 1;
    }
}

/* Only the heads and blocks that it wrote still tell of it: what it flushed is served, and none of
 * its sequence numbers is given a second time. */
static void a_life_of_which_no_record_tells_is_not_lived_again(void **state)
{
    (void)state;
    static const char *const names[] = {"two PUs", "bare", "zoned"};
    for (unsigned i = 0; i < 3; i++) {
        struct stand stand;
        stand_begin(&stand, names[i]);
        stand_write(&stand, 0, 9, 1);
        stand_flush(&stand);
        stand_crash(&stand, true, 1);
        stand_open(&stand);
        stand_settle(&stand);
        uint32_t epoch = stand.device->epoch;
        stand_write(&stand, 3, 9, 2);
        stand_flush(&stand);
        damage_newest_records(&stand);
        stand_crash(&stand, true, 2);
        stand_open(&stand);
        assert_int_equal(stand.device->epoch, epoch + 1);
        stand_verify(&stand);
        stand_end(&stand);
    }
}

/* The record of format, or of a clean close, is the newest left, and no band that it names says
 * otherwise: what was flushed since is recovered all the same. */
static void a_clean_record_is_not_believed_when_newer_ones_cannot_be_read(void **state)
{
    (void)state;
    static const char *const names[] = {"two PUs", "bare", "zoned", "three PUs"};
    for (unsigned i = 0; i < 8; i++) {
        struct stand stand;
        stand_begin(&stand, names[i / 2]);
        if (i % 2 != 0)
            stand_reopen(&stand);
        stand_write(&stand, 0, 9, 1);
        stand_flush(&stand);
        damage_newest_records(&stand);
        stand_crash(&stand, true, i);
        stand_open(&stand);
        assert_false(stand.device->was_clean);
        stand_verify(&stand);
        stand_end(&stand);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_drive_is_foreign),
        cmocka_unit_test(somebody_elses_data_is_foreign_and_not_touched),
        cmocka_unit_test(a_newer_version_of_the_format_is_refused_by_its_name),
        cmocka_unit_test(features_are_refused_tolerated_or_ignored_by_their_kind),
        cmocka_unit_test(a_newest_record_that_is_not_for_us_is_not_passed_over),
        cmocka_unit_test(a_drive_of_another_shape_is_refused_naming_the_field),
        cmocka_unit_test(every_byte_of_the_newest_record_of_either_copy_may_be_damaged),
        cmocka_unit_test(both_newest_damaged_falls_back_to_a_record_that_says_unclean),
        cmocka_unit_test(without_any_record_there_is_no_device_and_nothing_is_written),
        cmocka_unit_test(a_copy_whose_chunk_cannot_be_read_is_done_without),
        cmocka_unit_test(a_device_that_cannot_be_read_is_not_taken_for_none),
        cmocka_unit_test(a_copy_of_another_device_is_not_believed),
        cmocka_unit_test(a_leftover_with_a_newer_record_is_reset),
        cmocka_unit_test(a_life_of_which_no_record_tells_is_not_lived_again),
        cmocka_unit_test(a_clean_record_is_not_believed_when_newer_ones_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
