/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * emu_shared.c - several processes on one emulated drive, each with parallel units of its own.
 *
 * A lock belongs to an open file and not to a process, so two handles in one process stand for two
 * processes wherever nobody has to die.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/prng.h"
#include "test/media/drive.h"
#include "test/unit.h"

enum {
    PUS = 6,
    CHUNKS = 10,
    CHUNK_BLOCKS = 24,
    UNIT = 4
}; /* chunks of a PU: 320 bytes of a page */

struct shared {
    atomic_uint arrived, tried, won[8], inside[PUS], steps;
};

static void create_drive(char path[PATH_BYTES], const char *name,
                         const struct emu_create_options *more)
{
    char why[WHY_BYTES] = "";
    struct emu_create_options options = {
        .size = sizeof options,
        .kind = HFTL_KIND_OCSSD,
        .groups = 2,
        .pus_per_group = PUS / 2,
        .chunks_per_pu = CHUNKS,
        .chunk_blocks = CHUNK_BLOCKS,
        .ws_min = UNIT,
        .ws_opt = UNIT,
        .mw_cunits = EMU_NONE,
        .flags_set = HFTL_MEDIA_CAN_RESET_OPEN,
        .open_max = more ? more->open_max : 0,
        .no_fsync = true,
        .cache_given = true,
        .cache_bytes = 1 << 20,
        .outlives_host = more && more->outlives_host,
        .overwrite = true,
        .seed = 3,
    };
    make_path(path, name);
    if (emu_create(path, &options, why, sizeof why) != HFTL_OK)
        fail_msg("%s", why);
}

static enum hftl_status try_open(const char *path, unsigned flags, uint32_t first, uint32_t count,
                                 struct hftl_media **media, char why[WHY_BYTES])
{
    const struct hftl_media_open_options options = {
        .size = sizeof options, .flags = flags, .pu_first = first, .pu_count = count};
    why[0] = '\0';
    return hftl_media_open_pus(path, &options, media, why, WHY_BYTES);
}

static struct hftl_media *open_pus(const char *path, unsigned flags, uint32_t first, uint32_t count)
{
    char why[WHY_BYTES];
    struct hftl_media *media = NULL;
    if (try_open(path, flags, first, count, &media, why) != HFTL_OK)
        fail_msg("%s", why);
    return media;
}

static void refuse(const char *path, unsigned flags, uint32_t first, uint32_t count,
                   enum hftl_status status, const char *text)
{
    char why[WHY_BYTES];
    struct hftl_media *media = NULL;
    enum hftl_status got = try_open(path, flags, first, count, &media, why);
    if (got != status || strstr(why, text) == NULL)
        fail_msg("%s: \"%s\", expected %s: \"%s\"", hftl_status_name(got), why,
                 hftl_status_name(status), text);
}

static void close_media(struct hftl_media *media)
{
    media->ops->close(media);
}

static void must_be(enum hftl_status status)
{
    if (status != HFTL_OK)
        fail_msg("%s", hftl_status_name(status));
}

static void check_holds(struct hftl_media *media, uint32_t chunk, uint32_t blocks, uint32_t life)
{
    bool right = false;
    assert_true(do_report(media, chunk).wp >= blocks);
    must_be(do_read(media, chunk, 0, blocks, life, &right));
    assert_true(right);
}

/* ---- who has what ------------------------------------------------------------------------- */

static void disjoint_units_are_had_by_two_and_overlapping_ones_by_one(void **state)
{
    (void)state;
    char path[PATH_BYTES], text[WHY_BYTES];
    create_drive(path, "disjoint", NULL);
    struct hftl_media *a = open_pus(path, 0, 0, 2), *b = open_pus(path, 0, 2, 3);
    snprintf(text, sizeof text, "its parallel units 2-4 are in use by process %d", getpid());
    refuse(path, 0, 4, 2, HFTL_BUSY, text);
    refuse(path, HFTL_MEDIA_OPEN_READ_ONLY, 2, 1, HFTL_BUSY, text);
    snprintf(text, sizeof text, "its parallel units 0-1 are in use by process %d", getpid());
    refuse(path, 0, 1, 1, HFTL_BUSY, text);
    refuse(path, 0, 0, 0, HFTL_BUSY, "are in use by process");
    refuse(path, HFTL_MEDIA_OPEN_READ_ONLY, 0, 0, HFTL_BUSY, "are in use by process");
    struct hftl_media *c = open_pus(path, 0, 5, 1);
    close_media(b);
    b = open_pus(path, 0, 2, 3);
    close_media(a);
    close_media(b);
    close_media(c);
    struct hftl_media *whole = open_pus(path, 0, 0, 0);
    snprintf(text, sizeof text, ": in use by process %d", getpid());
    refuse(path, 0, 5, 1, HFTL_BUSY, text);
    close_media(whole);
    a = open_pus(path, HFTL_MEDIA_OPEN_READ_ONLY, 0, 2); /* readers share */
    b = open_pus(path, HFTL_MEDIA_OPEN_READ_ONLY, 1, 3);
    refuse(path, 0, 3, 1, HFTL_BUSY, "in use");
    close_media(a);
    close_media(b);
}

static void units_that_are_not_there_are_refused(void **state)
{
    (void)state;
    char path[PATH_BYTES];
    create_drive(path, "bounds", NULL);
    refuse(path, 0, 4, 3, HFTL_INVALID, "parallel units 4-6: the drive has 0-5");
    refuse(path, 0, 6, 1, HFTL_INVALID, "parallel units 6-6: the drive has 0-5");
    refuse(path, 0, 1, UINT32_MAX, HFTL_INVALID, "the drive has 0-5");
    refuse(path, 0, 1, 0, HFTL_INVALID, "the drive has 0-5");
    refuse(path, 16, 0, 0, HFTL_INVALID, "not known");
}

static void what_needs_the_whole_drive_needs_all_units(void **state)
{
    (void)state;
    char path[PATH_BYTES], why[WHY_BYTES];
    struct emu_create_options options = {
        .size = sizeof options, .kind = HFTL_KIND_ZONED, .bytes = 16 << 20, .overwrite = true};
    struct emu_inspection seen;
    create_drive(path, "whole", NULL);
    struct hftl_media *part = open_pus(path, 0, 3, 2);
    assert_int_equal(emu_create(path, &options, why, sizeof why), HFTL_BUSY);
    assert_int_equal(emu_power_cut(path, 1, why, sizeof why), HFTL_BUSY);
    must_be(emu_inspect(path, &seen, why, sizeof why));
    assert_true(seen.in_use);
    assert_int_equal(seen.holder_count, 1);
    assert_int_equal(seen.holders[0].pu_first, 3);
    assert_int_equal(seen.holders[0].pu_count, 2);
    assert_int_equal(seen.holders[0].pid, getpid());
    emu_inspection_free(&seen);
    close_media(part);
    must_be(emu_power_cut(path, 1, why, sizeof why));
    must_be(emu_create(path, &options, why, sizeof why));
}

static void the_right_to_format_is_had_by_one_and_waited_for(void **state)
{
    (void)state;
    char path[PATH_BYTES], why[WHY_BYTES];
    create_drive(path, "format", NULL);
    struct hftl_media *a = open_pus(path, HFTL_MEDIA_OPEN_FORMAT, 0, 2), *b = NULL;
    struct hftl_media *c = open_pus(path, 0, 4, 2); /* serves, and is not disturbed */
    int told[2];
    assert_int_equal(pipe(told), 0);
    pid_t child = fork();
    if (child == 0) {
        usleep(300000);
        if (write(told[1], "x", 1) != 1)
            _exit(1);
        close_media(a); /* the lock is the open file's: both have it until both gave it up */
        _exit(0);
    }
    close_media(c);
    emu_abandon(a);
    must_be(try_open(path, HFTL_MEDIA_OPEN_FORMAT, 2, 2, &b, why));
    struct pollfd about_to_close = {.fd = told[0], .events = POLLIN};
    assert_int_equal(poll(&about_to_close, 1, 0), 1); /* it was waited for */
    int how;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_int_equal(how, 0);
    close(told[0]);
    close(told[1]);
    close_media(b);
}

/* ---- one drive in parts ------------------------------------------------------------------- */

static void units_of_others_are_offline_and_the_facts_are_the_drives(void **state)
{
    (void)state;
    char path[PATH_BYTES];
    create_drive(path, "parts", NULL);
    struct hftl_media *a = open_pus(path, 0, 0, 2), *b = open_pus(path, 0, 2, 4);
    assert_int_equal(hftl_media_pus(&a->facts), PUS);
    for (uint32_t chunk = 0; chunk < PUS * CHUNKS; chunk++) {
        struct hftl_media *mine = chunk < 2 * CHUNKS ? a : b, *other = chunk < 2 * CHUNKS ? b : a;
        assert_int_equal(do_report(mine, chunk).state, HFTL_CHUNK_FREE);
        assert_int_equal(do_report(other, chunk).state, HFTL_CHUNK_OFFLINE);
        must_be(do_write(mine, chunk, 0, UNIT, 1));
        assert_int_equal(do_write(other, chunk, 0, UNIT, 1), HFTL_OFFLINE);
        assert_int_equal(do_simple(other, HFTL_MEDIA_RESET, chunk), HFTL_OFFLINE);
    }
    close_media(a);
    close_media(b);
    struct hftl_media *whole = open_pus(path, 0, 0, 0);
    for (uint32_t chunk = 0; chunk < PUS * CHUNKS; chunk++)
        check_holds(whole, chunk, UNIT, 1);
    close_media(whole);
}

/* All records are in one page of the table, and nobody writes back what he read long ago. */
static void pages_of_the_table_are_shared_without_loss(void **state)
{
    (void)state;
    char path[PATH_BYTES], why[WHY_BYTES];
    struct emu_inspection seen;
    uint32_t wp[PUS * CHUNKS] = {0}, life[PUS * CHUNKS] = {0};
    struct prng prng;
    prng_seed(&prng, 5);
    create_drive(path, "pages", NULL);
    struct hftl_media *parts[3] = {open_pus(path, 0, 0, 1), open_pus(path, 0, 1, 3),
                                   open_pus(path, 0, 4, 2)};
    for (unsigned step = 0; step < 3000; step++) {
        uint32_t chunk = (uint32_t)prng_below(&prng, PUS * CHUNKS), pu = chunk / CHUNKS;
        struct hftl_media *media = parts[pu == 0 ? 0 : pu < 4 ? 1 : 2];
        if (wp[chunk] == CHUNK_BLOCKS) {
            must_be(do_simple(media, HFTL_MEDIA_RESET, chunk));
            life[chunk]++;
            wp[chunk] = 0;
        }
        must_be(do_write(media, chunk, wp[chunk], UNIT, life[chunk]));
        wp[chunk] += UNIT;
        if (prng_below(&prng, 4) == 0)
            must_be(do_simple(media, HFTL_MEDIA_FLUSH, 0));
    }
    for (unsigned i = 0; i < 3; i++)
        close_media(parts[i]);
    must_be(emu_inspect(path, &seen, why, sizeof why));
    assert_int_equal(seen.session.counters.blocks_written, 3000 * UNIT); /* all of their sum */
    assert_int_equal(seen.session.opens, 3);
    assert_true(seen.session.clean && !seen.in_use);
    for (uint32_t chunk = 0; chunk < PUS * CHUNKS; chunk++) {
        assert_int_equal(seen.chunks[chunk].chunk.wp, wp[chunk]);
        assert_int_equal(seen.chunks[chunk].chunk.wear, life[chunk]);
    }
    emu_inspection_free(&seen);
    struct hftl_media *whole = open_pus(path, 0, 0, 0);
    for (uint32_t chunk = 0; chunk < PUS * CHUNKS; chunk++)
        check_holds(whole, chunk, wp[chunk], life[chunk]);
    close_media(whole);
    must_be(emu_inspect(path, &seen, why, sizeof why));
    assert_int_equal(seen.session.counters.blocks_written, 3000 * UNIT);
    assert_int_equal(seen.session.opens, 4);
    emu_inspection_free(&seen);
}

static void limits_are_shared_by_units(void **state)
{
    (void)state;
    char path[PATH_BYTES];
    const struct emu_create_options more = {.open_max = 5};
    create_drive(path, "limits", &more);
    refuse(path, 0, 0, 1, HFTL_GEOMETRY, "allows 5 open chunks, too few to leave one for 1 of 6");
    struct hftl_media *a = open_pus(path, 0, 0, 4), *b = open_pus(path, 0, 4, 2);
    for (uint32_t i = 0; i < 3; i++) /* 5 x 4 / 6 */
        must_be(do_write(a, i * CHUNKS, 0, UNIT, 1));
    assert_int_equal(do_write(a, 3 * CHUNKS, 0, UNIT, 1), HFTL_RULE_OPEN_LIMIT);
    must_be(do_write(b, 4 * CHUNKS, 0, UNIT, 1));
    assert_int_equal(do_write(b, 5 * CHUNKS, 0, UNIT, 1), HFTL_RULE_OPEN_LIMIT);
    close_media(a);
    close_media(b);
    struct hftl_media *whole = open_pus(path, 0, 0, 0);
    must_be(do_write(whole, 3 * CHUNKS, 0, UNIT, 1));
    assert_int_equal(do_write(whole, 5 * CHUNKS, 0, UNIT, 1), HFTL_RULE_OPEN_LIMIT);
    close_media(whole);
}

static void who_looks_sees_what_is_in_the_file_and_is_never_in_the_way(void **state)
{
    (void)state;
    char path[PATH_BYTES];
    create_drive(path, "look", NULL);
    struct hftl_media *a = open_pus(path, 0, 0, 3);
    struct hftl_media *look = open_pus(path, HFTL_MEDIA_OPEN_LOOK, 0, 0);
    struct hftl_media *b = open_pus(path, 0, 3, 3);
    assert_int_equal(do_report(look, 7).state, HFTL_CHUNK_FREE);
    must_be(do_write(a, 7, 0, UNIT, 1));
    must_be(do_write(b, 3 * CHUNKS, 0, CHUNK_BLOCKS, 2));
    must_be(do_simple(a, HFTL_MEDIA_FLUSH, 0));
    must_be(do_simple(b, HFTL_MEDIA_FLUSH, 0));
    check_holds(look, 7, UNIT, 1);
    check_holds(look, 3 * CHUNKS, CHUNK_BLOCKS, 2);
    must_be(do_simple(b, HFTL_MEDIA_RESET, 3 * CHUNKS));
    assert_int_equal(do_report(look, 3 * CHUNKS).state, HFTL_CHUNK_FREE);
    assert_int_equal(do_write(look, 8, 0, UNIT, 1), HFTL_READ_ONLY);
    close_media(look);
    close_media(a);
    close_media(b);
}

/* ---- death -------------------------------------------------------------------------------- */

static struct shared *share(void)
{
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        fail_msg("mmap: %s", strerror(errno));
    return shared;
}

/* Flushes a unit of each of its chunks, then writes on without, until it is killed. */
static _Noreturn void write_for_ever(const char *path, struct shared *shared)
{
    struct hftl_media *media = open_pus(path, 0, 3, 3);
    for (uint32_t chunk = 3 * CHUNKS; chunk < 6 * CHUNKS; chunk++)
        must_be(do_write(media, chunk, 0, UNIT, 9));
    must_be(do_simple(media, HFTL_MEDIA_FLUSH, 0));
    for (;;) {
        uint32_t chunk = 3 * CHUNKS + shared->steps % (3 * CHUNKS);
        uint32_t wp = do_report(media, chunk).wp;
        if (wp < CHUNK_BLOCKS)
            must_be(do_write(media, chunk, wp, UNIT, 9));
        shared->steps++;
    }
}

static void the_death_of_one_is_none_of_the_others_business(void **state)
{
    (void)state;
    char path[PATH_BYTES];
    bool lost = false;
    create_drive(path, "death", NULL);
    for (unsigned round = 0; round < 12; round++) {
        struct shared *shared = share();
        struct hftl_media *a = open_pus(path, 0, 0, 3);
        for (uint32_t chunk = 0; round > 0 && chunk < 3 * CHUNKS; chunk++) {
            check_holds(a, chunk, CHUNK_BLOCKS, round - 1);
            must_be(do_simple(a, HFTL_MEDIA_RESET, chunk));
        }
        pid_t child = fork();
        if (child == 0)
            write_for_ever(path, shared);
        /* Ours are in the cache when the other dies, and are written on after it. */
        for (uint32_t chunk = 0; chunk < 3 * CHUNKS; chunk++)
            must_be(do_write(a, chunk, 0, UNIT, round));
        while (shared->steps < 20 + 17 * round)
            sched_yield();
        kill(child, SIGKILL);
        int how;
        assert_int_equal(waitpid(child, &how, 0), child);
        assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
        for (uint32_t chunk = 0; chunk < 3 * CHUNKS; chunk++) {
            check_holds(a, chunk, UNIT, round);
            must_be(do_write(a, chunk, UNIT, CHUNK_BLOCKS - UNIT, round));
        }
        struct hftl_media *b = open_pus(path, 0, 3, 3); /* while `a` has its own */
        uint32_t written = 0;
        for (uint32_t chunk = 3 * CHUNKS; chunk < 6 * CHUNKS; chunk++) {
            uint32_t wp = do_report(b, chunk).wp;
            check_holds(b, chunk, wp > UNIT ? wp : UNIT, 9);
            written += wp / UNIT;
            must_be(do_simple(b, HFTL_MEDIA_RESET, chunk));
        }
        uint32_t sent = 3 * CHUNKS + (shared->steps < 5 * 3 * CHUNKS ? shared->steps : 150);
        lost = lost || written < sent;
        close_media(b);
        close_media(a);
        munmap(shared, sizeof *shared);
    }
    assert_true(lost); /* its cache died with it */
}

/* ---- races -------------------------------------------------------------------------------- */

/* Opens units that all have number 3 among them; says so to the others, and leaves when all tried.
 * */
static _Noreturn void race(const char *path, struct shared *shared, unsigned round, unsigned me,
                           unsigned runners)
{
    static const uint32_t ranges[][2] = {{0, 0}, {3, 1}, {0, 4}, {2, 3}, {3, 3}, {1, 5}};
    struct hftl_media *media = NULL;
    char why[WHY_BYTES];
    uint32_t first = ranges[me % 6][0], count = ranges[me % 6][1];
    shared->arrived++;
    while (shared->arrived < runners * (round + 1))
        sched_yield();
    enum hftl_status status = try_open(path, 0, first, count, &media, why);
    if (status != HFTL_OK && status != HFTL_BUSY)
        _exit(2);
    if (status == HFTL_OK)
        shared->won[round % 8]++;
    shared->tried++;
    while (shared->tried < runners * (round + 1))
        sched_yield();
    if (media)
        close_media(media);
    _exit(0);
}

static void of_many_that_overlap_exactly_one_wins_each_time(void **state)
{
    (void)state;
    enum { RUNNERS = 12, ROUNDS = 60 };
    char path[PATH_BYTES];
    struct shared *shared = share();
    create_drive(path, "race", NULL);
    for (unsigned round = 0; round < ROUNDS; round++) {
        pid_t runners[RUNNERS];
        shared->won[round % 8] = 0;
        for (unsigned i = 0; i < RUNNERS; i++) {
            runners[i] = fork();
            if (runners[i] == 0)
                race(path, shared, round, i, RUNNERS);
        }
        for (unsigned i = 0; i < RUNNERS; i++) {
            int how;
            assert_int_equal(waitpid(runners[i], &how, 0), runners[i]);
            assert_int_equal(how, 0);
        }
        assert_int_equal(shared->won[round % 8], 1);
    }
    munmap(shared, sizeof *shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(disjoint_units_are_had_by_two_and_overlapping_ones_by_one),
        cmocka_unit_test(units_that_are_not_there_are_refused),
        cmocka_unit_test(what_needs_the_whole_drive_needs_all_units),
        cmocka_unit_test(the_right_to_format_is_had_by_one_and_waited_for),
        cmocka_unit_test(units_of_others_are_offline_and_the_facts_are_the_drives),
        cmocka_unit_test(pages_of_the_table_are_shared_without_loss),
        cmocka_unit_test(limits_are_shared_by_units),
        cmocka_unit_test(who_looks_sees_what_is_in_the_file_and_is_never_in_the_way),
        cmocka_unit_test(the_death_of_one_is_none_of_the_others_business),
        cmocka_unit_test(of_many_that_overlap_exactly_one_wins_each_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
