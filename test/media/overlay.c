/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * overlay.c - a drive that is opened privately takes every change, and its file none.
 */
#include <hostftl/media.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crc.h"
#include "base/prng.h"
#include "media/overlay.h"
#include "test/media/subject.h"

static char path[PATH_BYTES];

static const struct shape *find_shape(const char *name)
{
    const struct shape *shape = shapes;
    while (strcmp(shape->name, name) != 0)
        shape++;
    return shape;
}

static void make_drive(const char *shape)
{
    char why[WHY_BYTES] = "";
    struct emu_create_options options = find_shape(shape)->options;
    options.overwrite = true;
    options.no_fsync = true;
    make_path(path, "private.img");
    if (emu_create(path, &options, why, sizeof why) != HFTL_OK)
        fail_msg("%s", why);
}

static struct hftl_media *open_drive(unsigned flags)
{
    char why[WHY_BYTES] = "";
    struct hftl_media *media = NULL;
    if (hftl_media_open(path, flags, &media, why, sizeof why) != HFTL_OK)
        fail_msg("%s", why);
    return media;
}

static uint32_t hash_file(void)
{
    static uint8_t bytes[1 << 20];
    uint32_t crc = 0;
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    for (size_t n = fread(bytes, 1, sizeof bytes, file); n > 0;
         n = fread(bytes, 1, sizeof bytes, file))
        crc = crc32c(crc, bytes, n);
    fclose(file);
    return crc;
}

static void write_to(struct hftl_media *media, uint32_t chunk, uint32_t upto, uint32_t life)
{
    uint32_t step = media->facts.ws_min;
    for (uint32_t at = do_report(media, chunk).wp; at < upto; at += step)
        assert_int_equal(do_write(media, chunk, at, step, life), HFTL_OK);
}

static void assert_reads(struct hftl_media *media, uint32_t chunk, uint32_t blocks, uint32_t life)
{
    for (uint32_t i = 0; i < blocks; i++) {
        bool right = false;
        assert_int_equal(do_read(media, chunk, i, 1, life, &right), HFTL_OK);
        assert_true(right);
    }
}

/* Two chunks with something in them, one full, one not. */
static void make_contents(void)
{
    struct hftl_media *media = open_drive(0);
    write_to(media, 0, media->facts.chunk_blocks, 1);
    write_to(media, 1, 20, 1);
    assert_int_equal(do_simple(media, HFTL_MEDIA_FLUSH, 0), HFTL_OK);
    media->ops->close(media);
}

/* On a drive with the contents of make_contents. */
static void change_it_privately(void)
{
    uint32_t before = hash_file();
    struct hftl_media *media = open_drive(HFTL_MEDIA_OPEN_PRIVATE);
    assert_int_equal(do_simple(media, HFTL_MEDIA_RESET, 0), HFTL_OK);
    write_to(media, 0, 24, 2);
    assert_reads(media, 0, 8, 2); /* and not what the file has there */
    write_to(media, 2, media->facts.chunk_blocks, 2);
    assert_int_equal(do_simple(media, HFTL_MEDIA_FLUSH, 0), HFTL_OK);
    assert_int_equal(hash_file(), before);
    media->ops->close(media);
    assert_int_equal(hash_file(), before);
    media = open_drive(HFTL_MEDIA_OPEN_PRIVATE); /* and all of it is forgotten */
    assert_int_equal(do_report(media, 0).state, HFTL_CHUNK_FULL);
    assert_int_equal(do_report(media, 0).wear, 0);
    assert_int_equal(do_report(media, 2).state, HFTL_CHUNK_FREE);
    assert_reads(media, 0, media->facts.chunk_blocks, 1);
    media->ops->close(media);
}

static void keeps_the_file_to_the_byte(void **state)
{
    (void)state;
    make_drive("ocssd");
    make_contents();
    change_it_privately();
}

static void keeps_a_flat_medium_to_the_byte(void **state)
{
    (void)state;
    char why[WHY_BYTES] = "";
    struct flat_create_options options = {
        .size = sizeof options, .chunk_bytes = 64 * 4096, .write_unit_bytes = 4 * 4096};
    make_path(path, "private-flat.img");
    FILE *file = fopen(path, "w");
    assert_int_equal(ftruncate(fileno(file), 16 << 20), 0);
    fclose(file);
    if (flat_create(path, &options, why, sizeof why) != HFTL_OK)
        fail_msg("%s", why);
    make_contents();
    change_it_privately();
}

/* The blocks of the window are in the file: once writes have moved on they must be readable, though
 * the drive itself would still refuse them. */
static void writes_on_where_the_drive_stopped(void **state)
{
    (void)state;
    make_drive("ocssd");
    make_contents();
    struct hftl_media *media = open_drive(HFTL_MEDIA_OPEN_PRIVATE);
    const struct hftl_media_facts *f = &media->facts;
    bool right;
    assert_int_equal(f->mw_cunits, 16);
    assert_int_equal(do_report(media, 1).wp, 20);
    assert_reads(media, 1, 4, 1);
    assert_int_equal(do_read(media, 1, 4, 1, 1, &right), HFTL_RULE_READ);
    write_to(media, 1, 36, 1);
    assert_reads(media, 1, 20, 1);
    assert_int_equal(do_read(media, 1, 10, 10, 1, &right), HFTL_OK); /* file and memory at once */
    assert_true(right);
    write_to(media, 1, f->chunk_blocks, 1);
    assert_int_equal(do_read(media, 1, 0, f->chunk_blocks, 1, &right), HFTL_OK);
    assert_true(right);
    media->ops->close(media);
}

static void gives_back_the_memory_of_a_reset(void **state)
{
    (void)state;
    make_drive("zoned");
    struct hftl_media *media = open_drive(HFTL_MEDIA_OPEN_READ_ONLY), *overlay;
    struct hftl_media_facts facts = media->facts;
    assert_int_equal(overlay_open(media, &facts, &overlay), HFTL_OK);
    write_to(overlay, 3, 40, 5);
    assert_true(overlay_bytes(overlay) >= 40 * 4096);
    assert_int_equal(do_simple(overlay, HFTL_MEDIA_RESET, 3), HFTL_OK);
    assert_int_equal(overlay_bytes(overlay), 0);
    overlay->ops->close(overlay);
}

static void shares_with_readers_and_not_with_a_writer(void **state)
{
    (void)state;
    char why[WHY_BYTES] = "";
    make_drive("zoned");
    struct hftl_media *media = open_drive(HFTL_MEDIA_OPEN_PRIVATE), *other;
    other = open_drive(HFTL_MEDIA_OPEN_PRIVATE);
    other->ops->close(other);
    assert_int_equal(hftl_media_open(path, 0, &other, why, sizeof why), HFTL_BUSY);
    media->ops->close(media);
    media = open_drive(0);
    assert_int_equal(hftl_media_open(path, HFTL_MEDIA_OPEN_PRIVATE, &other, why, sizeof why),
                     HFTL_BUSY);
    media->ops->close(media);
}

static void count_landing(struct hftl_media_op *op)
{
    ++*(unsigned *)op->owner;
}

static bool is_readable(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    return poll(&ready, 1, 0) == 1;
}

/* A system call each; a caller who does not wait is spared both. */
static void rings_and_is_quiet_when_it_is_asked(void **state)
{
    (void)state;
    make_drive("ocssd");
    struct hftl_media *media = open_drive(HFTL_MEDIA_OPEN_PRIVATE);
    unsigned landed = 0;
    struct hftl_media_op op = {
        .verb = HFTL_MEDIA_FLUSH, .land = count_landing, .owner = &landed, .status = HFTL_OK};
    struct hftl_media_op *ops[] = {&op};
    int fd = media->ops->fd(media);
    for (unsigned round = 1; round <= 3; round++) {
        assert_false(is_readable(fd));
        media->ops->submit(media, ops, 1);
        assert_false(is_readable(fd));
        assert_int_equal(media->ops->fd(media), fd);
        assert_true(is_readable(fd));
        assert_int_equal(media->ops->reap(media, 8), 1);
        assert_int_equal(landed, round);
        assert_true(is_readable(fd));
        assert_int_equal(media->ops->fd(media), fd);
    }
    assert_false(is_readable(fd));
    media->ops->close(media);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_the_file_to_the_byte),
        cmocka_unit_test(keeps_a_flat_medium_to_the_byte),
        cmocka_unit_test(writes_on_where_the_drive_stopped),
        cmocka_unit_test(gives_back_the_memory_of_a_reset),
        cmocka_unit_test(shares_with_readers_and_not_with_a_writer),
        cmocka_unit_test(rings_and_is_quiet_when_it_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
