/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flat.c - a flat medium loses its power at any moment, above a disk that may do to what was not
 * synced whatever it likes; and what is ours and what is not.
 */
#define _GNU_SOURCE
#include "media/flat.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/prng.h"
#include "test/media/subject.h"

enum { DISK_BYTES = 16 << 20, SECTOR = 512, PENDING_MAX = 512, CHUNKS_USED = 5 };

static char path[PATH_BYTES], cut_path[PATH_BYTES], why[WHY_BYTES];

/* ---- the disk below ---------------------------------------------------------------------- */

/* What was handed to the disk and is not safe. */
struct pending {
    const struct fileio_job *job;
    uint64_t at;
    size_t count;
    uint8_t *bytes; /* NULL: a discard */
    bool done, covered;
};

static struct disk {
    uint8_t *safe; /* what a cut leaves for certain */
    struct pending pending[PENDING_MAX];
    unsigned count;
    struct prng prng;
    unsigned events;
    void (*look)(void); /* called now and then, between any two events */
} disk;

static void apply(uint8_t *image, const struct pending *p, uint64_t from, uint64_t upto)
{
    if (p->bytes)
        memcpy(image + p->at + from, p->bytes + from, upto - from);
    else
        memset(image + p->at + from, 0, upto - from);
}

static void drop(unsigned i)
{
    apply(disk.safe, &disk.pending[i], 0, disk.pending[i].count);
    free(disk.pending[i].bytes);
    memmove(&disk.pending[i], &disk.pending[i + 1], (--disk.count - i) * sizeof disk.pending[0]);
}

static void note_submission(const struct fileio_job *job)
{
    if (job->verb == FILEIO_READ)
        return;
    for (unsigned i = 0; job->verb == FILEIO_SYNC && i < disk.count; i++)
        disk.pending[i].covered = disk.pending[i].done;
    if (job->verb == FILEIO_SYNC)
        return;
    assert_true(disk.count < PENDING_MAX);
    struct pending *p = &disk.pending[disk.count++];
    *p = (struct pending){.job = job, .at = job->at, .count = job->count};
    if (job->verb == FILEIO_DISCARD)
        return;
    p->bytes = malloc(job->count);
    memcpy(p->bytes, job->bytes, job->count);
}

/* In the order of submission, so that what came later covers what came before. */
static void note_completion(const struct fileio_job *job)
{
    for (unsigned i = 0; i < disk.count;) {
        struct pending *p = &disk.pending[i];
        bool this = p->job == job && !p->done;
        p->done |= this;
        if ((job->verb == FILEIO_SYNC && p->covered) || (this && job->verb == FILEIO_WRITE_DURABLE))
            drop(i);
        else
            i++;
    }
}

static void watch_disk(void *arg, const struct fileio_job *job, bool done)
{
    (void)arg;
    assert_int_equal(job->error, 0);
    if (done)
        note_completion(job);
    else
        note_submission(job);
    disk.events++;
    if (disk.look && prng_chance(&disk.prng, 1, 6))
        disk.look();
}

/* Of each piece: nothing, all, a prefix, or any sectors; some of the last torn to garbage. */
static void cut_piece(uint8_t *image, const struct pending *p)
{
    uint64_t mode = prng_below(&disk.prng, 4), sectors = p->count / SECTOR;
    uint64_t prefix = prng_below(&disk.prng, sectors + 1);
    for (uint64_t i = 0; i < sectors; i++) {
        bool kept =
            mode == 1 || (mode == 2 && i < prefix) || (mode == 3 && prng_chance(&disk.prng, 1, 2));
        if (kept)
            apply(image, p, i * SECTOR, (i + 1) * SECTOR);
        else if (mode == 3 && p->bytes && prng_chance(&disk.prng, 1, 8))
            memset(image + p->at + i * SECTOR, 0xA5, SECTOR);
    }
}

/* What is on the disk after a cut now, in a file. */
static void cut_to(const char *to)
{
    uint8_t *image = malloc(DISK_BYTES);
    memcpy(image, disk.safe, DISK_BYTES);
    for (unsigned i = 0; i < disk.count; i++)
        cut_piece(image, &disk.pending[i]);
    int fd = open(to, O_CREAT | O_RDWR, 0600);
    assert_int_equal(pwrite(fd, image, DISK_BYTES, 0), DISK_BYTES);
    close(fd);
    free(image);
}

static void load_disk(const char *from)
{
    int fd = open(from, O_RDONLY);
    assert_int_equal(pread(fd, disk.safe, DISK_BYTES, 0), DISK_BYTES);
    close(fd);
}

static void forget_pending(void)
{
    while (disk.count > 0)
        free(disk.pending[--disk.count].bytes);
}

/* ---- the model --------------------------------------------------------------------------- */

static struct model {
    uint32_t life[CHUNKS_USED], landed[CHUNKS_USED], flushed[CHUNKS_USED], wear[CHUNKS_USED];
    bool finished[CHUNKS_USED];
    bool unknown[CHUNKS_USED]; /* after a reset that was cut: any content */
    enum hftl_media_verb verb; /* under way; EVENT: nothing */
    uint32_t chunk, blocks;
} model;

static struct hftl_media *open_file(const char *file, bool read_only, bool watched)
{
    struct hftl_media *media;
    struct flat_open_options options = {
        .size = sizeof options, .read_only = read_only, .watch = watched ? watch_disk : NULL};
    if (flat_open(file, &options, &media, why, sizeof why) != HFTL_OK)
        fail_msg("%s", why);
    return media;
}

static void check_contents(struct hftl_media *media, uint32_t chunk, uint32_t wp)
{
    for (uint32_t at = 0; at < wp; at += 8) {
        bool right = false;
        uint32_t n = min_u32(8, wp - at);
        assert_int_equal(do_read(media, chunk, at, n, model.life[chunk], &right), HFTL_OK);
        assert_true(right);
    }
}

/* One chunk after a cut, against what was promised. */
static void check_chunk(struct hftl_media *media, uint32_t i)
{
    const struct hftl_chunk c = do_report(media, i);
    bool busy = model.chunk == i;
    if (model.unknown[i] || (busy && model.verb == HFTL_MEDIA_RESET))
        return; /* M5: FREE, or anything */
    uint32_t most = model.landed[i];
    if (busy && model.verb == HFTL_MEDIA_WRITE)
        most += model.blocks;
    assert_in_range(c.wp, model.flushed[i], most); /* M4, M6 */
    assert_int_equal(c.wear, model.wear[i]);       /* M5 */
    if (model.finished[i])
        assert_int_equal(c.state, HFTL_CHUNK_FULL); /* M5 */
    check_contents(media, i, c.wp);
}

static void look_at_a_cut(void)
{
    void (*look)(void) = disk.look;
    disk.look = NULL;
    cut_to(cut_path);
    struct hftl_media *media = open_file(cut_path, true, false);
    for (uint32_t i = 0; i < CHUNKS_USED; i++)
        check_chunk(media, i);
    media->ops->close(media);
    disk.look = look;
}

/* The model goes on from what a cut left. */
static void adopt(struct hftl_media *media)
{
    for (uint32_t i = 0; i < CHUNKS_USED; i++) {
        const struct hftl_chunk c = do_report(media, i);
        bool reset = model.chunk == i && model.verb == HFTL_MEDIA_RESET;
        model.unknown[i] = (model.unknown[i] || reset) && c.state != HFTL_CHUNK_FREE;
        if (reset && c.state == HFTL_CHUNK_FREE)
            model.life[i]++;
        model.landed[i] = model.flushed[i] = c.wp;
        model.finished[i] = c.state == HFTL_CHUNK_FULL;
        model.wear[i] = c.wear;
    }
    model.verb = HFTL_MEDIA_EVENT;
    model.chunk = UINT32_MAX;
}

static void begin(enum hftl_media_verb verb, uint32_t chunk, uint32_t blocks)
{
    model.verb = verb;
    model.chunk = chunk;
    model.blocks = blocks;
}

static void end(void)
{
    begin(HFTL_MEDIA_EVENT, UINT32_MAX, 0);
}

static void write_some(struct hftl_media *media, uint32_t i)
{
    const struct hftl_media_facts *f = &media->facts;
    uint32_t left = (f->chunk_blocks - model.landed[i]) / f->ws_min;
    if (left == 0 || model.finished[i])
        return;
    uint32_t blocks = f->ws_min * (1 + (uint32_t)prng_below(&disk.prng, min_u32(left, 4)));
    begin(HFTL_MEDIA_WRITE, i, blocks);
    assert_int_equal(do_write(media, i, model.landed[i], blocks, model.life[i]), HFTL_OK);
    model.landed[i] += blocks;
    end();
}

static void finish_or_reset(struct hftl_media *media, uint32_t i, bool reset)
{
    bool open = model.landed[i] > 0 && model.landed[i] < media->facts.chunk_blocks;
    if (model.landed[i] == 0 || (!reset && (!open || model.finished[i])))
        return;
    begin(reset ? HFTL_MEDIA_RESET : HFTL_MEDIA_FINISH, i, 0);
    assert_int_equal(do_simple(media, model.verb, i), HFTL_OK);
    model.finished[i] = !reset;
    model.life[i] += reset;
    model.wear[i] += reset;
    model.landed[i] = reset ? 0 : model.landed[i];
    model.flushed[i] = model.landed[i];
    model.unknown[i] = reset ? false : model.unknown[i];
    end();
}

static void flush_all(struct hftl_media *media)
{
    assert_int_equal(do_simple(media, HFTL_MEDIA_FLUSH, 0), HFTL_OK);
    memcpy(model.flushed, model.landed, sizeof model.flushed);
}

static unsigned landed_count;

static void count_landing(struct hftl_media_op *op)
{
    assert_int_equal(op->status, HFTL_OK);
    landed_count++;
}

/* A write that is taken while the flush is under way is not covered by it. */
static void flush_while_writing(struct hftl_media *media, uint32_t i)
{
    static uint8_t data[32 << 10];
    const struct hftl_media_facts *f = &media->facts;
    struct hftl_media_op flush = {.verb = HFTL_MEDIA_FLUSH, .land = count_landing};
    struct hftl_media_op write = {.verb = HFTL_MEDIA_WRITE,
                                  .chunk = i,
                                  .offset = model.landed[i],
                                  .blocks = f->ws_min,
                                  .data = data,
                                  .land = count_landing};
    struct hftl_media_op *ops[] = {&flush, &write};
    if (model.landed[i] + f->ws_min > f->chunk_blocks || model.finished[i])
        return;
    fill_blocks(f, i, write.offset, write.blocks, model.life[i], data, NULL);
    begin(HFTL_MEDIA_WRITE, i, write.blocks);
    landed_count = 0;
    media->ops->submit(media, ops, 2);
    while (landed_count < 2)
        wait_reap(media, 1);
    memcpy(model.flushed, model.landed, sizeof model.flushed);
    model.landed[i] += write.blocks;
    end();
}

static void walk(struct hftl_media *media, unsigned steps)
{
    while (steps-- > 0) {
        uint32_t i = (uint32_t)prng_below(&disk.prng, CHUNKS_USED);
        uint64_t dice = prng_below(&disk.prng, 100);
        if (dice < 65)
            write_some(media, i);
        else if (dice < 73)
            flush_all(media);
        else if (dice < 80)
            flush_while_writing(media, i);
        else if (dice < 90)
            finish_or_reset(media, i, false);
        else
            finish_or_reset(media, i, true);
    }
}

static void make_medium(uint64_t unit, bool foreign)
{
    struct flat_create_options options = {.size = sizeof options,
                                          .write_unit_bytes = unit,
                                          .chunk_bytes = unit ? 8 * unit : 64 * 4096,
                                          .overwrite = foreign};
    int fd = open(path, O_CREAT | O_TRUNC | O_RDWR, 0600);
    assert_int_equal(ftruncate(fd, DISK_BYTES), 0);
    if (foreign) {
        uint8_t *bytes = malloc(DISK_BYTES);
        memset(bytes, 0x77, DISK_BYTES);
        assert_int_equal(pwrite(fd, bytes, DISK_BYTES, 0), DISK_BYTES);
        free(bytes);
    }
    close(fd);
    if (flat_create(path, &options, why, sizeof why) != HFTL_OK)
        fail_msg("%s", why);
}

static void survive_cuts(uint64_t unit, uint64_t seed)
{
    memset(&model, 0, sizeof model);
    end();
    prng_seed(&disk.prng, seed);
    make_medium(unit, true);
    for (unsigned round = 0; round < 6; round++) {
        load_disk(path);
        disk.look = look_at_a_cut;
        struct hftl_media *media = open_file(path, false, true);
        walk(media, 40);
        disk.look = NULL;
        cut_to(cut_path);
        flat_abandon(media);
        forget_pending();
        assert_int_equal(rename(cut_path, path), 0);
        media = open_file(path, true, false);
        for (uint32_t i = 0; i < CHUNKS_USED; i++)
            check_chunk(media, i);
        adopt(media);
        media->ops->close(media);
    }
}

static void keeps_what_was_flushed_through_any_cut(void **state)
{
    (void)state;
    disk.safe = malloc(DISK_BYTES);
    for (uint64_t seed = 1; seed <= 6; seed++)
        survive_cuts(seed % 2 ? 0 : 32 << 10, seed);
    free(disk.safe);
    disk.safe = NULL;
}

/* ---- what is ours ------------------------------------------------------------------------ */

static enum hftl_status create(const struct flat_create_options *options)
{
    why[0] = '\0';
    return flat_create(path, options, why, sizeof why);
}

static void put(uint64_t at, uint8_t byte)
{
    int fd = open(path, O_RDWR);
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
    close(fd);
}

static void overwrites_nothing_unasked(void **state)
{
    (void)state;
    struct flat_create_options options = {.size = sizeof options};
    static const uint64_t places[] = {0, 70000, DISK_BYTES - 1};
    (void)remove(path);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        int fd = open(path, O_CREAT | O_TRUNC | O_RDWR, 0600);
        assert_int_equal(ftruncate(fd, DISK_BYTES), 0);
        close(fd);
        put(places[i], 1);
        assert_int_equal(create(&options), HFTL_EXISTS);
        assert_false(flat_is(path));
    }
    options.overwrite = true;
    assert_int_equal(create(&options), HFTL_OK);
    assert_true(flat_is(path));
    options.overwrite = false;
    assert_int_equal(create(&options), HFTL_EXISTS);
}

static void refuses_what_makes_no_sense(void **state)
{
    (void)state;
    struct flat_create_options options = {.size = sizeof options, .write_unit_bytes = 5000};
    make_medium(0, false);
    assert_int_equal(create(&options), HFTL_GEOMETRY);
    options.write_unit_bytes = 1 << 30;
    assert_int_equal(create(&options), HFTL_GEOMETRY);
    options.write_unit_bytes = 1 << 20;
    options.chunk_bytes = 1 << 20; /* less than two write units */
    options.overwrite = true;
    assert_int_equal(create(&options), HFTL_GEOMETRY);
    assert_true(flat_is(path)); /* and what was there is there */
    assert_int_equal(truncate(path, 8 << 20), 0);
    options = (struct flat_create_options){.size = sizeof options, .overwrite = true};
    assert_int_equal(create(&options), HFTL_GEOMETRY);
}

static enum hftl_status try_open(void)
{
    struct hftl_media *media;
    enum hftl_status status = flat_open(path, NULL, &media, why, sizeof why);
    if (status == HFTL_OK)
        media->ops->close(media);
    return status;
}

static void believes_no_damaged_metadata(void **state)
{
    (void)state;
    make_medium(0, false);
    put(100, 1);
    assert_int_equal(try_open(), HFTL_OK); /* the second header is whole */
    put(FLAT_PAGE_BYTES + 100, 1);
    assert_int_equal(try_open(), HFTL_CORRUPT);
    make_medium(0, false);
    put(flat_page_at(0, 0) + 50, 1); /* the copy that is not there yet */
    assert_int_equal(try_open(), HFTL_OK);
    put(flat_page_at(0, 1) + 50, 1);
    assert_int_equal(try_open(), HFTL_CORRUPT);
    make_medium(0, false);
    assert_int_equal(truncate(path, DISK_BYTES / 2), 0);
    assert_int_equal(try_open(), HFTL_TRUNCATED);
}

/* Another medium was there before: its state pages have the form, and another id. */
static void believes_no_other_mediums_state(void **state)
{
    (void)state;
    uint8_t old[FLAT_PAGE_BYTES];
    make_medium(0, false);
    struct hftl_media *media = open_file(path, false, false);
    assert_int_equal(do_write(media, 0, 0, 4, 1), HFTL_OK);
    media->ops->close(media);
    int fd = open(path, O_RDWR);
    assert_int_equal(pread(fd, old, sizeof old, (off_t)flat_page_at(0, 0)), sizeof old);
    struct flat_create_options again = {
        .size = sizeof again, .chunk_bytes = 64 * 4096, .overwrite = true};
    assert_int_equal(create(&again), HFTL_OK);
    assert_int_equal(pwrite(fd, old, sizeof old, (off_t)flat_page_at(0, 0)), sizeof old);
    close(fd);
    media = open_file(path, false, false);
    assert_int_equal(do_report(media, 0).state, HFTL_CHUNK_FREE);
    media->ops->close(media);
}

static void belongs_to_one_writer(void **state)
{
    (void)state;
    struct hftl_media *other;
    make_medium(0, false);
    struct hftl_media *media = open_file(path, false, false);
    assert_int_equal(try_open(), HFTL_BUSY);
    char pid[32];
    snprintf(pid, sizeof pid, "process %d", (int)getpid());
    assert_non_null(strstr(why, pid));
    struct flat_open_options reader = {.size = sizeof reader, .read_only = true};
    assert_int_equal(flat_open(path, &reader, &other, why, sizeof why), HFTL_BUSY);
    media->ops->close(media);
    media = open_file(path, true, false);
    other = open_file(path, true, false);
    assert_int_equal(do_write(media, 0, 0, 4, 1), HFTL_READ_ONLY);
    other->ops->close(other);
    assert_int_equal(try_open(), HFTL_BUSY);
    media->ops->close(media);
}

static void gives_space_back_at_a_reset(void **state)
{
    (void)state;
    struct stat before, after;
    make_medium(0, false);
    struct hftl_media *media = open_file(path, false, false);
    assert_int_equal(do_write(media, 3, 0, 64, 1), HFTL_OK);
    assert_int_equal(do_simple(media, HFTL_MEDIA_FLUSH, 0), HFTL_OK);
    assert_int_equal(stat(path, &before), 0);
    assert_int_equal(do_simple(media, HFTL_MEDIA_RESET, 3), HFTL_OK);
    assert_int_equal(stat(path, &after), 0);
    media->ops->close(media);
    assert_true(after.st_blocks + 64 * 8 <= before.st_blocks);
}

int main(void)
{
    make_path(path, "flat.img");
    make_path(cut_path, "cut.img");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_what_was_flushed_through_any_cut),
        cmocka_unit_test(overwrites_nothing_unasked),
        cmocka_unit_test(refuses_what_makes_no_sense),
        cmocka_unit_test(believes_no_damaged_metadata),
        cmocka_unit_test(believes_no_other_mediums_state),
        cmocka_unit_test(belongs_to_one_writer),
        cmocka_unit_test(gives_space_back_at_a_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
