/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * emu.c - what is the emulated drive's own: making one, opening damaged ones, and losing power.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/crc.h"
#include "base/prng.h"
#include "test/media/drive.h"
#include "test/unit.h"

static struct emu_create_options plain(enum hftl_media_kind kind, uint64_t bytes)
{
    return (struct emu_create_options){.size = sizeof(struct emu_create_options),
                                       .kind = kind,
                                       .bytes = bytes,
                                       .no_fsync = true,
                                       .seed = 7,
                                       .overwrite = true};
}

static struct hftl_media *open_path(const char *path)
{
    char why[WHY_BYTES] = "";
    struct hftl_media *media = NULL;
    if (hftl_media_open(path, 0, &media, why, sizeof why) != HFTL_OK)
        fail_msg("%s", why);
    return media;
}

static void create_path(const char *path, const struct emu_create_options *options)
{
    char why[WHY_BYTES] = "";
    if (emu_create(path, options, why, sizeof why) != HFTL_OK)
        fail_msg("%s", why);
}

/* ---- making ------------------------------------------------------------------------------ */

static void chooses_a_sensible_drive_of_any_size(void **state)
{
    (void)state;
    char why[WHY_BYTES] = "";
    for (int kind = HFTL_KIND_OCSSD; kind <= HFTL_KIND_ZONED; kind++) {
        for (uint64_t bytes = 16 << 20; bytes < 1ull << 44; bytes += bytes / 3 + 4096) {
            struct emu_create_options options = plain((enum hftl_media_kind)kind, bytes);
            struct emu_header header;
            if (emu_plan(&options, &header, why, sizeof why) != HFTL_OK)
                fail_msg("%llu: %s", (unsigned long long)bytes, why);
            const struct hftl_media_facts *f = &header.facts;
            uint64_t all = (uint64_t)hftl_media_chunks(f) * header.zone_blocks * f->block_bytes;
            assert_true(all <= bytes);
            assert_true(all >= bytes - bytes / 16);
            assert_true(f->chunks_per_pu >= 32);
            assert_true(f->chunk_blocks >= 48);
        }
    }
}

static void chooses_what_was_promised_for_a_gibibyte(void **state)
{
    (void)state;
    struct emu_create_options options = plain(HFTL_KIND_OCSSD, 1 << 30);
    struct emu_header header;
    assert_int_equal(emu_plan(&options, &header, NULL, 0), HFTL_OK);
    assert_int_equal(header.facts.groups, 2);
    assert_int_equal(header.facts.pus_per_group, 2);
    assert_int_equal(header.facts.chunks_per_pu, 64);
    assert_int_equal(header.facts.chunk_blocks, 1024);
    assert_int_equal(header.cache_bytes, 8 << 20);
    options.kind = HFTL_KIND_ZONED;
    assert_int_equal(emu_plan(&options, &header, NULL, 0), HFTL_OK);
    assert_int_equal(header.facts.chunks_per_pu, 128);
    assert_int_equal(header.zone_blocks, 2048);
    assert_int_equal(header.facts.chunk_blocks, 1792);
}

static void refuses_nonsense_with_a_sentence(void **state)
{
    (void)state;
    char why[WHY_BYTES];
    char path[PATH_BYTES];
    make_path(path, "nonsense");
    struct emu_create_options good = plain(HFTL_KIND_OCSSD, 64 << 20), o;
    int refused = 0;
#define REFUSED(change)                                                                            \
    o = good;                                                                                      \
    change;                                                                                        \
    why[0] = 0;                                                                                    \
    assert_int_not_equal(emu_create(path, &o, why, sizeof why), HFTL_OK);                          \
    assert_true(strlen(why) > 10);                                                                 \
    assert_int_not_equal(access(path, F_OK), 0);                                                   \
    refused++
    REFUSED(o.size = 8);
    REFUSED(o.kind = HFTL_KIND_FLAT);
    REFUSED(o.bytes = 0);
    REFUSED(o.bytes = (16 << 20) - 1);
    REFUSED(o.bytes = UINT64_MAX);
    REFUSED(o.block_bytes = 3);
    REFUSED(o.block_bytes = 1000);
    REFUSED(o.block_bytes = 1u << 31);
    REFUSED(o.oob_bytes = 4);
    REFUSED(o.groups = UINT32_MAX - 1);
    REFUSED(o.pus_per_group = 1u << 30);
    REFUSED(o.chunk_blocks = UINT32_MAX - 1);
    REFUSED(o.chunk_blocks = 30);
    REFUSED(o.ws_min = 7; o.ws_opt = 24);
    REFUSED(o.ws_min = UINT32_MAX - 1);
    REFUSED(o.mw_cunits = 1u << 20);
    REFUSED(o.chunks_per_pu = 1u << 24);
    REFUSED(o.bad_chunks = 1u << 20);
    REFUSED(o.open_max = 3; o.active_max = 2);
    REFUSED(o.kind = HFTL_KIND_ZONED; o.groups = 2);
    REFUSED(o.kind = HFTL_KIND_ZONED; o.zone_blocks = 8; o.chunk_blocks = 16);
    REFUSED(o.flags_set = 1u << 20);
    REFUSED(o.cache_given = true; o.cache_bytes = UINT64_MAX);
    REFUSED(o.transfer_blocks_max = 1);
    assert_int_equal(refused, 24);
#undef REFUSED
}

static void says_what_is_in_the_way_of_creating(void **state)
{
    (void)state;
    char why[WHY_BYTES], path[PATH_BYTES], below[PATH_BYTES + 8];
    struct emu_create_options options = plain(HFTL_KIND_ZONED, 16 << 20);
    make_path(path, "there");
    create_path(path, &options);
    options.overwrite = false;
    assert_int_equal(emu_create(path, &options, why, sizeof why), HFTL_EXISTS);
    assert_non_null(strstr(why, path));
    options.overwrite = true;
    assert_int_equal(emu_create(path, &options, why, sizeof why), HFTL_OK);
    struct hftl_media *media = open_path(path);
    assert_int_equal(emu_create(path, &options, why, sizeof why), HFTL_BUSY);
    media->ops->close(media);
    snprintf(below, sizeof below, "%s/x", path);
    assert_int_equal(emu_create(below, &options, why, sizeof why), HFTL_ABSENT);
    make_path(path, "folder");
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(emu_create(path, &options, why, sizeof why), HFTL_UNSUPPORTED);
    snprintf(below, sizeof below, "%s/no/x", path);
    assert_int_equal(emu_create(below, &options, why, sizeof why), HFTL_ABSENT);
    rmdir(path);
}

static void leaves_nothing_behind_when_a_file_may_not_be_that_long(void **state)
{
    (void)state;
    char why[WHY_BYTES], path[PATH_BYTES];
    make_path(path, "toolarge");
    struct emu_create_options options = plain(HFTL_KIND_ZONED, 64 << 20);
    struct rlimit old, small;
    getrlimit(RLIMIT_FSIZE, &old);
    small = old;
    small.rlim_cur = 1 << 20;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    enum hftl_status status = emu_create(path, &options, why, sizeof why);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(status, HFTL_GEOMETRY); /* room would not help */
    assert_non_null(strstr(why, path));
    assert_int_not_equal(access(path, F_OK), 0);
    char pattern[PATH_BYTES + 40];
    snprintf(pattern, sizeof pattern, "%s.making.%ld", path, (long)getpid());
    assert_int_not_equal(access(pattern, F_OK), 0);
}

static void has_the_bad_and_short_chunks_of_its_seed(void **state)
{
    (void)state;
    char path[PATH_BYTES], why[WHY_BYTES];
    struct emu_inspection in[2];
    struct emu_create_options options = plain(HFTL_KIND_OCSSD, 64 << 20);
    options.bad_chunks = 5;
    options.short_chunks = 9;
    make_path(path, "bad");
    for (int i = 0; i < 2; i++) {
        create_path(path, &options);
        assert_int_equal(emu_inspect(path, &in[i], why, sizeof why), HFTL_OK);
    }
    assert_int_equal(in[0].state_counts[HFTL_CHUNK_OFFLINE], 5);
    uint32_t shorter = 0;
    for (uint32_t i = 0; i < in[0].layout.chunk_count; i++) {
        shorter += in[0].chunks[i].chunk.capacity < in[0].header.facts.chunk_blocks;
        assert_int_equal(in[0].chunks[i].chunk.state, in[1].chunks[i].chunk.state);
        assert_int_equal(in[0].chunks[i].chunk.capacity, in[1].chunks[i].chunk.capacity);
    }
    assert_int_equal(shorter, 9);
    emu_inspection_free(&in[0]);
    emu_inspection_free(&in[1]);
}

/* ---- opening ----------------------------------------------------------------------------- */

static void expect_refusal(const char *path, enum hftl_status status, const char *words)
{
    char why[WHY_BYTES] = "";
    struct hftl_media *media = NULL;
    assert_int_equal(hftl_media_open(path, 0, &media, why, sizeof why), status);
    assert_non_null(strstr(why, path));
    if (!strstr(why, words))
        fail_msg("%s: does not say %s", why, words);
}

static void tells_apart_what_cannot_be_opened(void **state)
{
    (void)state;
    char path[PATH_BYTES];
    struct emu_create_options options = plain(HFTL_KIND_ZONED, 16 << 20);
    make_path(path, "open");
    expect_refusal(path, HFTL_ABSENT, "No such file");
    mkdir(path, 0700);
    expect_refusal(path, HFTL_INVALID, "folder");
    rmdir(path);
    int fd = open(path, O_CREAT | O_RDWR, 0600);
    expect_refusal(path, HFTL_FOREIGN, "not an emulated drive");
    assert_int_equal(write(fd, "something else entirely", 23), 23);
    expect_refusal(path, HFTL_FOREIGN, "not an emulated drive");
    close(fd);
    create_path(path, &options);
    fd = open(path, O_RDWR);
    assert_int_equal(pwrite(fd, "HFTLEMU2", 8, 0), 8);
    expect_refusal(path, HFTL_VERSION, "version");
    assert_int_equal(pwrite(fd, "HFTLEMU1", 8, 0), 8);
    struct stat st;
    fstat(fd, &st);
    assert_int_equal(ftruncate(fd, st.st_size - 1), 0);
    expect_refusal(path, HFTL_TRUNCATED, "its header says");
    assert_int_equal(ftruncate(fd, 100), 0);
    expect_refusal(path, HFTL_TRUNCATED, "inside its header");
    close(fd);
    remove(path);
    if (geteuid() == 0)
        return; /* root may open anything */
    create_path(path, &options);
    chmod(path, 0);
    expect_refusal(path, HFTL_FORBIDDEN, "denied");
    chmod(path, 0600);
}

static void flip_bit(int fd, uint64_t bit)
{
    uint8_t byte;
    assert_int_equal(pread(fd, &byte, 1, (off_t)(bit / 8)), 1);
    byte = (uint8_t)(byte ^ 1u << bit % 8);
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)(bit / 8)), 1);
}

static void refuses_any_flipped_bit_of_its_metadata(void **state)
{
    (void)state;
    char path[PATH_BYTES], why[WHY_BYTES];
    struct emu_create_options options = plain(HFTL_KIND_ZONED, 16 << 20);
    struct hftl_media *media = NULL;
    make_path(path, "flip");
    create_path(path, &options);
    int fd = open(path, O_RDWR);
    const uint64_t table_at = 8192; /* of one PU */
    uint64_t end = 8ull * (table_at + 64 * EMU_RECORD_BYTES);
    for (uint64_t bit = 0; bit < end; bit += bit < 8 * 200 ? 1 : 61) {
        uint64_t byte = bit / 8;
        bool unused = byte >= EMU_SESSION_AT + EMU_SESSION_BYTES && byte < table_at;
        flip_bit(fd, bit);
        enum hftl_status status = hftl_media_open(path, 0, &media, why, sizeof why);
        if (unused ? status != HFTL_OK : status == HFTL_OK)
            fail_msg("bit %llu: %d", (unsigned long long)bit, status);
        if (unused)
            media->ops->close(media);
        flip_bit(fd, bit);
    }
    close(fd);
    media = open_path(path);
    media->ops->close(media);
}

/* A header whose checksum is right is still not believed. */
static void refuses_a_header_of_nonsense_with_a_good_checksum(void **state)
{
    (void)state;
    char path[PATH_BYTES], why[WHY_BYTES];
    struct emu_create_options options = plain(HFTL_KIND_ZONED, 16 << 20);
    static const uint32_t values[] = {0, 1, 7, 1u << 16, 1u << 31, UINT32_MAX};
    uint8_t good[EMU_HEADER_BYTES], bytes[EMU_HEADER_BYTES];
    make_path(path, "nonsense-header");
    create_path(path, &options);
    int fd = open(path, O_RDWR);
    assert_int_equal(pread(fd, good, sizeof good, 0), sizeof good);
    for (uint32_t at = 8; at < 130; at += 4) {
        for (size_t v = 0; v < sizeof values / sizeof values[0]; v++) {
            struct hftl_media *media = NULL;
            memcpy(bytes, good, sizeof bytes);
            put_u32(bytes + at, values[v]);
            put_u32(bytes + 4092, crc32c(0, bytes, 4092));
            assert_int_equal(pwrite(fd, bytes, sizeof bytes, 0), sizeof bytes);
            if (hftl_media_open(path, 0, &media, why, sizeof why) == HFTL_OK)
                media->ops->close(media);
        }
    }
    close(fd);
    remove(path);
}

static void is_for_one_process_at_a_time(void **state)
{
    (void)state;
    char path[PATH_BYTES], why[WHY_BYTES], pid[32];
    struct emu_create_options options = plain(HFTL_KIND_ZONED, 16 << 20);
    struct hftl_media *second = NULL;
    make_path(path, "one");
    create_path(path, &options);
    struct hftl_media *media = open_path(path);
    snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    expect_refusal(path, HFTL_BUSY, pid);
    assert_int_equal(hftl_media_open(path, HFTL_MEDIA_OPEN_READ_ONLY, &second, why, sizeof why),
                     HFTL_BUSY);
    assert_int_equal(emu_power_cut(path, 1, why, sizeof why), HFTL_BUSY);
    struct emu_inspection in;
    assert_int_equal(emu_inspect(path, &in, why, sizeof why), HFTL_OK);
    assert_true(in.in_use);
    assert_int_equal(in.in_use_pid, getpid());
    emu_inspection_free(&in);
    media->ops->close(media);
    assert_int_equal(hftl_media_open(path, HFTL_MEDIA_OPEN_READ_ONLY, &media, why, sizeof why),
                     HFTL_OK);
    assert_int_equal(hftl_media_open(path, HFTL_MEDIA_OPEN_READ_ONLY, &second, why, sizeof why),
                     HFTL_OK); /* readers share */
    assert_int_equal(do_write(second, 0, 0, 1, 0), HFTL_READ_ONLY);
    assert_int_equal(do_simple(second, HFTL_MEDIA_FLUSH, 0), HFTL_OK);
    second->ops->close(second);
    media->ops->close(media);
}

static void listens_to_the_environment(void **state)
{
    (void)state;
    char path[PATH_BYTES];
    struct emu_create_options options = plain(HFTL_KIND_ZONED, 16 << 20);
    make_path(path, "environment");
    create_path(path, &options);
    setenv("HFTL_NO_URING", "1", 1);
    setenv("HFTL_EMU_CACHE", "0", 1);
    struct hftl_media *media = open_path(path);
    assert_false(emu_uses_uring(media));
    assert_false(media->facts.volatile_cache);
    media->ops->close(media);
    setenv("HFTL_EMU_CACHE", "lots", 1);
    struct hftl_media *none = NULL;
    assert_int_equal(hftl_media_open(path, 0, &none, NULL, 0), HFTL_INVALID);
    unsetenv("HFTL_NO_URING");
    unsetenv("HFTL_EMU_CACHE");
    setenv("HFTL_GUARD", "1", 1);
    media = open_path(path);
    assert_string_equal(media->ops->name, "guard");
    media->ops->close(media);
    unsetenv("HFTL_GUARD");
}

/* ---- being a drive ----------------------------------------------------------------------- */

static void answers_unreadable_reads_with_ones_and_counts_them(void **state)
{
    (void)state;
    char path[PATH_BYTES];
    struct emu_create_options options = plain(HFTL_KIND_OCSSD, 16 << 20);
    make_path(path, "ones");
    create_path(path, &options);
    struct hftl_media *media = open_path(path);
    uint32_t mw = media->facts.mw_cunits, unit = media->facts.ws_min;
    for (uint32_t at = 0; at < mw + unit; at += unit)
        assert_int_equal(do_write(media, 0, at, unit, 1), HFTL_OK);
    uint8_t *data = calloc(unit + 2, 4096), *oob = calloc(unit + 2, 64);
    struct hftl_media_op op = {
        .verb = HFTL_MEDIA_READ, .blocks = unit + 2, .data = data, .oob = oob};
    assert_int_equal(do_op(media, &op), HFTL_OK);
    assert_true(check_blocks(&media->facts, 0, 0, unit, 1, data, oob));
    for (uint32_t i = 0; i < 2 * 4096; i++)
        assert_int_equal(data[unit * 4096 + i], 0xFF);
    assert_int_equal(oob[unit * 64 + 127], 0xFF);
    struct emu_counters counters;
    emu_count(media, &counters);
    assert_int_equal(counters.predefined_reads, 2);
    free(data);
    free(oob);
    media->ops->close(media);
}

static void fill_up(struct hftl_media *media, uint32_t chunk, uint32_t life)
{
    uint32_t step = media->facts.ws_opt;
    for (uint32_t at = 0; at < media->facts.chunk_blocks; at += step)
        assert_int_equal(
            do_write(media, chunk, at, min_u32(step, media->facts.chunk_blocks - at), life),
            HFTL_OK);
}

static void wears_out(void **state)
{
    (void)state;
    char path[PATH_BYTES];
    struct emu_create_options options = plain(HFTL_KIND_OCSSD, 16 << 20);
    options.reset_limit = 3;
    make_path(path, "worn");
    create_path(path, &options);
    struct hftl_media *media = open_path(path);
    for (uint32_t life = 0; life < 3; life++) {
        fill_up(media, 4, life);
        assert_int_equal(do_simple(media, HFTL_MEDIA_RESET, 4), HFTL_OK);
    }
    fill_up(media, 4, 3);
    assert_int_equal(do_simple(media, HFTL_MEDIA_RESET, 4), HFTL_IO);
    assert_int_equal(do_report(media, 4).state, HFTL_CHUNK_OFFLINE);
    assert_int_equal(do_write(media, 4, 0, 4, 0), HFTL_OFFLINE);
    media->ops->close(media);
    media = open_path(path);
    assert_int_equal(do_report(media, 4).state, HFTL_CHUNK_OFFLINE);
    assert_int_equal(do_report(media, 4).wear, 3);
    media->ops->close(media);
}

static void retires_chunks_for_good(void **state)
{
    (void)state;
    char path[PATH_BYTES];
    bool right;
    struct emu_create_options options = plain(HFTL_KIND_ZONED, 16 << 20);
    make_path(path, "retired");
    create_path(path, &options);
    for (int life = 0; life < 2; life++) {
        struct hftl_media *media = open_path(path);
        if (life == 0) {
            assert_int_equal(do_write(media, 1, 0, 9, 5), HFTL_OK);
            assert_int_equal(do_write(media, 2, 0, 9, 5), HFTL_OK);
            assert_int_equal(emu_retire(media, 1, HFTL_CHUNK_READ_ONLY), HFTL_OK);
            assert_int_equal(emu_retire(media, 2, HFTL_CHUNK_OFFLINE), HFTL_OK);
        }
        assert_int_equal(do_read(media, 1, 0, 9, 5, &right), HFTL_OK);
        assert_true(right);
        assert_int_equal(do_read(media, 2, 0, 9, 5, &right), HFTL_OFFLINE);
        assert_int_equal(do_write(media, 1, 9, 1, 5), HFTL_READ_ONLY);
        assert_int_equal(do_simple(media, HFTL_MEDIA_RESET, 1), HFTL_READ_ONLY);
        assert_int_equal(do_simple(media, HFTL_MEDIA_RESET, 2), HFTL_OFFLINE);
        emu_abandon(media);
    }
}

static void gives_space_back_at_a_reset(void **state)
{
    (void)state;
    char path[PATH_BYTES], why[WHY_BYTES];
    struct emu_create_options options = plain(HFTL_KIND_OCSSD, 64 << 20);
    struct emu_inspection before, full, after;
    make_path(path, "space");
    create_path(path, &options);
    assert_int_equal(emu_inspect(path, &before, why, sizeof why), HFTL_OK);
    struct hftl_media *media = open_path(path);
    for (uint32_t i = 0; i < 8; i++)
        fill_up(media, i, 0);
    assert_int_equal(do_simple(media, HFTL_MEDIA_FLUSH, 0), HFTL_OK);
    assert_int_equal(emu_inspect(path, &full, why, sizeof why), HFTL_OK);
    for (uint32_t i = 0; i < 8; i++)
        assert_int_equal(do_simple(media, HFTL_MEDIA_RESET, i), HFTL_OK);
    media->ops->close(media);
    assert_int_equal(emu_inspect(path, &after, why, sizeof why), HFTL_OK);
    assert_true(full.disk_bytes >= before.disk_bytes + 8ull * 128 * 4096);
    assert_true(after.disk_bytes <= before.disk_bytes + (1 << 18));
    assert_int_equal(after.session.counters.resets, 8);
    assert_int_equal(after.session.counters.blocks_written, 8 * 128);
    assert_int_equal(after.wear_max, 1);
    assert_true(after.session.clean && !after.in_use);
    emu_inspection_free(&before);
    emu_inspection_free(&full);
    emu_inspection_free(&after);
}

static void count_landing(struct hftl_media_op *op)
{
    ++*(uint32_t *)op->owner;
}

/* A flush has taken note of a chunk that is reset before it lands. */
static void resets_while_a_flush_is_under_way(void **state)
{
    (void)state;
    char path[PATH_BYTES], why[WHY_BYTES];
    struct emu_create_options options = plain(HFTL_KIND_ZONED, 16 << 20);
    options.no_fsync = false;
    make_path(path, "overtake");
    create_path(path, &options);
    struct hftl_media *media = open_path(path);
    fill_up(media, 3, 1);
    uint32_t landed = 0;
    struct hftl_media_op flush = {
        .verb = HFTL_MEDIA_FLUSH, .land = count_landing, .owner = &landed};
    struct hftl_media_op reset = {
        .verb = HFTL_MEDIA_RESET, .chunk = 3, .land = count_landing, .owner = &landed};
    struct hftl_media_op *ops[] = {&flush, &reset};
    media->ops->submit(media, ops, 2);
    for (int tries = 0; landed < 2 && tries < 1000; tries++)
        wait_reap(media, 2);
    assert_int_equal(flush.status, HFTL_OK);
    assert_int_equal(reset.status, HFTL_OK);
    emu_abandon(media);
    struct emu_inspection in;
    assert_int_equal(emu_inspect(path, &in, why, sizeof why), HFTL_OK);
    assert_int_equal(in.chunks[3].chunk.state, HFTL_CHUNK_FREE);
    assert_int_equal(in.chunks[3].durable, 0);
    emu_inspection_free(&in);
}

/* The disk below ends early: ops fail one by one, nothing is lost, and it goes on afterwards. */
static void survives_a_full_disk_below(void **state)
{
    (void)state;
    for (int cached = 0; cached < 2; cached++) {
        char path[PATH_BYTES];
        bool right;
        struct emu_create_options options = plain(HFTL_KIND_ZONED, 64 << 20);
        options.cache_given = true;
        options.cache_bytes = cached ? 1 << 20 : 0;
        make_path(path, "enospc");
        create_path(path, &options);
        struct hftl_media *media = open_path(path);
        uint32_t chunk = hftl_media_chunks(&media->facts) - 1, wp = 0;
        struct rlimit old, small;
        getrlimit(RLIMIT_FSIZE, &old);
        small = old;
        small.rlim_cur = 1 << 20;
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &small);
        enum hftl_status status = HFTL_OK;
        while (status == HFTL_OK && chunk > 0) {
            status = do_write(media, chunk, wp, 4, 1);
            wp += status == HFTL_OK ? 4 : 0;
            if (wp == media->facts.chunk_blocks && chunk-- > 0)
                wp = 0;
        }
        struct hftl_chunk c = do_report(media, chunk);
        enum hftl_status flush = do_simple(media, HFTL_MEDIA_FLUSH, 0);
        setrlimit(RLIMIT_FSIZE, &old);
        assert_int_equal(status, HFTL_SPACE);
        assert_int_equal(c.wp, wp); /* M3 */
        assert_int_equal(flush, cached ? HFTL_SPACE : HFTL_OK);
        assert_int_equal(do_write(media, chunk, wp, 4, 1), HFTL_OK);
        assert_int_equal(do_simple(media, HFTL_MEDIA_FLUSH, 0), HFTL_OK);
        emu_abandon(media);
        media = open_path(path);
        assert_int_equal(do_report(media, chunk).wp, wp + 4);
        for (uint32_t i = chunk; i < hftl_media_chunks(&media->facts); i++) {
            assert_int_equal(do_read(media, i, 0, do_report(media, i).wp, 1, &right), HFTL_OK);
            assert_true(right);
        }
        media->ops->close(media);
    }
}

int main(void)
{
    char path[PATH_BYTES];
    make_path(path, "x"); /* so that one process, this, removes the folder */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chooses_a_sensible_drive_of_any_size),
        cmocka_unit_test(chooses_what_was_promised_for_a_gibibyte),
        cmocka_unit_test(refuses_nonsense_with_a_sentence),
        cmocka_unit_test(says_what_is_in_the_way_of_creating),
        cmocka_unit_test(leaves_nothing_behind_when_a_file_may_not_be_that_long),
        cmocka_unit_test(has_the_bad_and_short_chunks_of_its_seed),
        cmocka_unit_test(tells_apart_what_cannot_be_opened),
        cmocka_unit_test(refuses_any_flipped_bit_of_its_metadata),
        cmocka_unit_test(refuses_a_header_of_nonsense_with_a_good_checksum),
        cmocka_unit_test(is_for_one_process_at_a_time),
        cmocka_unit_test(listens_to_the_environment),
        cmocka_unit_test(answers_unreadable_reads_with_ones_and_counts_them),
        cmocka_unit_test(wears_out),
        cmocka_unit_test(retires_chunks_for_good),
        cmocka_unit_test(gives_space_back_at_a_reset),
        cmocka_unit_test(resets_while_a_flush_is_under_way),
        cmocka_unit_test(survives_a_full_disk_below),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
