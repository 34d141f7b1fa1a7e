/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * emu_power.c - what an emulated drive still has after its process was killed at any instant, after
 * a power cut, after the death of the host.
 *
 * A writer does random things to a drive and notes each in memory that outlives it: what it was
 * about to do, what landed, what was flushed. Afterwards the drive is opened and compared.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/prng.h"
#include "media/emu_file.h"
#include "test/media/drive.h"
#include "test/unit.h"

enum { CHUNKS = 12, BLOCKS = 96 };

/* What the writer noted of a chunk. The order of its stores matters: it may be killed between. */
struct note {
    volatile uint32_t life;
    volatile uint32_t flushed, landed, intent; /* write pointers; flushed <= landed <= intent */
    volatile bool resetting, finishing, finished;
};

struct story {
    const char *name;
    enum hftl_media_kind kind;
    uint64_t cache_bytes;
    bool outlives, fsync, threads;
    uint32_t oob_bytes;
};

static const struct story stories[] = {
    {"ocssd", HFTL_KIND_OCSSD, 1 << 20, false, false, false, 64},
    {"ocssd tiny cache", HFTL_KIND_OCSSD, 300000, false, false, true, 16},
    {"ocssd no cache", HFTL_KIND_OCSSD, 0, false, false, false, 64},
    {"zoned", HFTL_KIND_ZONED, 1 << 20, false, false, false, 0},
    {"zoned fsync", HFTL_KIND_ZONED, 1 << 20, false, true, false, 0},
    {"zoned no cache fsync threads", HFTL_KIND_ZONED, 0, false, true, true, 0},
    {"zoned outlives", HFTL_KIND_ZONED, 1 << 20, true, false, false, 0},
    {"ocssd outlives", HFTL_KIND_OCSSD, 1 << 20, true, false, true, 32},
};
enum { STORIES = sizeof stories / sizeof stories[0] };

struct scene {
    const struct story *story;
    struct note *notes;          /* CHUNKS and one more, shared with the writer */
    volatile uint32_t *progress; /* its steps; in the one more */
    struct prng prng;
    struct hftl_media *media;
    char path[PATH_BYTES];
    uint32_t between; /* how often neither all nor nothing of the unflushed was left */
};

static void open_scene(struct scene *scene)
{
    char why[WHY_BYTES] = "";
    struct hftl_media *media = NULL;
    struct emu_open_options options = {.size = sizeof options, .no_uring = scene->story->threads};
    if (emu_open(scene->path, &options, &media, why, sizeof why) != HFTL_OK) {
        fprintf(stderr, "%s\n", why);
        must(!"the drive opens");
    }
    must(guard_open(media, NULL, &scene->media) == HFTL_OK);
}

/* ---- the writer -------------------------------------------------------------------------- */

static uint32_t count_active(struct hftl_media *media)
{
    uint32_t active = 0;
    for (uint32_t i = 0; i < CHUNKS; i++) {
        enum hftl_chunk_state state = do_report(media, i).state;
        active += state == HFTL_CHUNK_OPEN || state == HFTL_CHUNK_PAUSED;
    }
    return active;
}

static void write_some(struct scene *scene, uint32_t chunk, const struct hftl_chunk *c)
{
    const struct hftl_media_facts *f = &scene->media->facts;
    struct note *note = &scene->notes[chunk];
    if (c->state == HFTL_CHUNK_FREE && f->active_max != 0 &&
        count_active(scene->media) >= f->active_max)
        return;
    uint32_t units = (c->capacity - c->wp) / f->ws_min;
    uint32_t blocks = (1 + (uint32_t)prng_below(&scene->prng, min_u32(units, 6))) * f->ws_min;
    note->intent = c->wp + blocks;
    must(do_write(scene->media, chunk, c->wp, blocks, note->life) == HFTL_OK);
    note->landed = c->wp + blocks;
    if (!scene->media->facts.volatile_cache)
        note->flushed = note->landed;
}

static void erase(struct scene *scene, uint32_t chunk)
{
    struct note *note = &scene->notes[chunk];
    note->resetting = true;
    must(do_simple(scene->media, HFTL_MEDIA_RESET, chunk) == HFTL_OK);
    note->flushed = 0;
    note->landed = 0;
    note->intent = 0;
    note->finished = false;
    note->finishing = false;
    note->life++;
    note->resetting = false;
}

static void finish(struct scene *scene, uint32_t chunk)
{
    struct note *note = &scene->notes[chunk];
    note->finishing = true;
    must(do_simple(scene->media, HFTL_MEDIA_FINISH, chunk) == HFTL_OK);
    note->flushed = note->landed;
    note->finished = true;
}

static void flush(struct scene *scene)
{
    uint32_t landed[CHUNKS];
    for (uint32_t i = 0; i < CHUNKS; i++)
        landed[i] = scene->notes[i].landed;
    must(do_simple(scene->media, HFTL_MEDIA_FLUSH, 0) == HFTL_OK);
    for (uint32_t i = 0; i < CHUNKS; i++)
        scene->notes[i].flushed = landed[i];
}

static void do_step(struct scene *scene)
{
    uint32_t chunk = (uint32_t)prng_below(&scene->prng, CHUNKS);
    uint64_t dice = prng_below(&scene->prng, 100);
    struct hftl_chunk c = do_report(scene->media, chunk);
    bool zoned = scene->media->facts.kind == HFTL_KIND_ZONED;
    if (dice < 3)
        flush(scene);
    else if (c.state == HFTL_CHUNK_FULL)
        erase(scene, chunk);
    else if (dice < 5 && zoned && c.state != HFTL_CHUNK_FREE)
        finish(scene, chunk);
    else
        write_some(scene, chunk, &c);
}

/* ---- afterwards -------------------------------------------------------------------------- */

/* The chunk is in a state nobody promised: begin with it anew. */
static void restart_chunk(struct scene *scene, uint32_t chunk, const struct hftl_chunk *c)
{
    struct note *note = &scene->notes[chunk];
    if (c->state != HFTL_CHUNK_FREE)
        must(do_simple(scene->media, HFTL_MEDIA_RESET, chunk) == HFTL_OK);
    *note = (struct note){.life = note->life + 2};
}

static void check_chunk(struct scene *scene, uint32_t chunk, bool cut)
{
    struct note *note = &scene->notes[chunk];
    struct hftl_chunk c = do_report(scene->media, chunk);
    bool right;
    if (note->resetting) { /* M5: free, or not free with any content */
        restart_chunk(scene, chunk, &c);
        return;
    }
    if (c.wp < note->flushed || c.wp > note->intent)
        fail_msg("%s: chunk %u: flushed %u, landed %u, intent %u, there are %u", scene->story->name,
                 chunk, note->flushed, note->landed, note->intent, c.wp);
    if (scene->story->outlives && !cut) /* the drive did not notice */
        assert_true(c.wp >= note->landed);
    if (note->finished)
        assert_int_equal(c.state, HFTL_CHUNK_FULL);
    else if (!note->finishing && note->intent < BLOCKS) /* nothing closes by itself */
        assert_int_not_equal(c.state, HFTL_CHUNK_FULL);
    scene->between += c.wp > note->flushed && c.wp < note->landed;
    uint32_t readable = count_readable(&scene->media->facts, &c);
    if (readable > 0) {
        assert_int_equal(do_read(scene->media, chunk, 0, readable, note->life, &right), HFTL_OK);
        assert_true(right);
    }
    note->landed = c.wp;
    note->intent = c.wp;
    if (!scene->story->outlives || cut)
        note->flushed = c.wp; /* and stays, whatever comes */
    note->finishing = false;
    note->finished = c.state == HFTL_CHUNK_FULL && note->flushed == c.wp; /* and stays */
}

static void check_drive(struct scene *scene, bool cut)
{
    char why[WHY_BYTES] = "";
    if (cut && emu_power_cut(scene->path, prng_next(&scene->prng), why, sizeof why) != HFTL_OK)
        fail_msg("%s", why);
    open_scene(scene);
    for (uint32_t i = 0; i < CHUNKS; i++)
        check_chunk(scene, i, cut);
}

static void begin_scene(struct scene *scene, const struct story *story, uint64_t seed)
{
    char why[WHY_BYTES] = "";
    bool zoned = story->kind == HFTL_KIND_ZONED;
    struct emu_create_options options = {.size = sizeof options,
                                         .kind = story->kind,
                                         .groups = 1,
                                         .pus_per_group = zoned ? 1 : 2,
                                         .chunks_per_pu = zoned ? CHUNKS : CHUNKS / 2,
                                         .chunk_blocks = BLOCKS,
                                         .ws_min = 4,
                                         .ws_opt = 8,
                                         .oob_bytes =
                                             story->oob_bytes ? story->oob_bytes : EMU_NONE,
                                         .open_max = zoned ? 3 : 0,
                                         .active_max = zoned ? 5 : 0,
                                         .cache_given = true,
                                         .cache_bytes = story->cache_bytes,
                                         .outlives_host = story->outlives,
                                         .flags_set = HFTL_MEDIA_CAN_RESET_OPEN,
                                         .no_fsync = !story->fsync,
                                         .overwrite = true,
                                         .seed = seed};
    *scene = (struct scene){.story = story};
    prng_seed(&scene->prng, seed);
    make_path(scene->path, "power");
    if (emu_create(scene->path, &options, why, sizeof why) != HFTL_OK)
        fail_msg("%s", why);
    scene->notes = mmap(NULL, (CHUNKS + 1) * sizeof *scene->notes, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(scene->notes != MAP_FAILED);
    scene->progress = &scene->notes[CHUNKS].life;
}

static void end_scene(struct scene *scene)
{
    munmap(scene->notes, (CHUNKS + 1) * sizeof *scene->notes);
    remove(scene->path);
}

/* ---- a kill at each system call that changes the file ------------------------------------ */

static struct {
    uint32_t calls;  /* so far */
    uint32_t deadly; /* the call that is not survived; 0: all are */
    bool half;       /* it does half of its work first */
} reaper;

/* True when this call is the last, after half of its work. */
static bool count_call(void)
{
    if (reaper.deadly == 0 || ++reaper.calls < reaper.deadly)
        return false;
    if (!reaper.half)
        raise(SIGKILL);
    return true;
}

/* These take the place of the C library's, under both names that it has for each. */
ssize_t count_pwrite(int fd, const void *bytes, size_t count, int64_t at) __asm__("pwrite64");
ssize_t count_pwrite_too(int fd, const void *bytes, size_t count, int64_t at) __asm__("pwrite");
ssize_t count_pwritev(int fd, const struct iovec *pieces, int count,
                      int64_t at) __asm__("pwritev64");
ssize_t count_pwritev_too(int fd, const struct iovec *pieces, int count,
                          int64_t at) __asm__("pwritev");
int count_fallocate(int fd, int mode, int64_t at, int64_t length) __asm__("fallocate64");
int count_fallocate_too(int fd, int mode, int64_t at, int64_t length) __asm__("fallocate");

ssize_t count_pwrite(int fd, const void *bytes, size_t count, int64_t at)
{
    bool last = count_call();
    /* A record or the session is in one sector: whole or not at all. */
    if (last && count > 512)
        (void)!syscall(SYS_pwrite64, fd, bytes, count / 1024 * 512, at);
    if (last)
        raise(SIGKILL);
    return syscall(SYS_pwrite64, fd, bytes, count, at);
}

ssize_t count_pwrite_too(int fd, const void *bytes, size_t count, int64_t at)
{
    return count_pwrite(fd, bytes, count, at);
}

ssize_t count_pwritev(int fd, const struct iovec *pieces, int count, int64_t at)
{
    if (count_call()) {
        (void)!syscall(SYS_pwritev, fd, pieces, count / 2, (long)at, 0L);
        raise(SIGKILL);
    }
    return syscall(SYS_pwritev, fd, pieces, count, (long)at, 0L);
}

ssize_t count_pwritev_too(int fd, const struct iovec *pieces, int count, int64_t at)
{
    return count_pwritev(fd, pieces, count, at);
}

int count_fallocate(int fd, int mode, int64_t at, int64_t length)
{
    bool last = count_call();
    int result = (int)syscall(SYS_fallocate, fd, mode, at, last ? length / 2 : length);
    if (last)
        raise(SIGKILL);
    return result;
}

int count_fallocate_too(int fd, int mode, int64_t at, int64_t length)
{
    return count_fallocate(fd, mode, at, length);
}

/* The same steps each time, up to the end or the deadly call. */
static _Noreturn void write_until_call(struct scene *scene, uint32_t deadly, bool half)
{
    reaper.deadly = deadly;
    reaper.half = half;
    open_scene(scene);
    for (int step = 0; step < 50; step++)
        do_step(scene);
    flush(scene);
    emu_abandon(guard_abandon(scene->media));
    _exit(0);
}

/* False: the steps ended before that call. */
static bool is_killed_at(const struct story *story, uint32_t call, bool half)
{
    struct scene scene;
    int how;
    begin_scene(&scene, story, 77);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        write_until_call(&scene, call, half);
    assert_int_equal(waitpid(child, &how, 0), child);
    bool killed = WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL;
    assert_true(killed || (WIFEXITED(how) && WEXITSTATUS(how) == 0));
    check_drive(&scene, false);
    scene.media->ops->close(scene.media);
    end_scene(&scene);
    return killed;
}

static void keeps_a_prefix_killed_at_any_system_call(void **state)
{
    (void)state;
    for (size_t i = 0; i < STORIES; i++) {
        uint32_t call = 1;
        if (stories[i].fsync || i == 0 || i == STORIES - 1)
            continue; /* the same calls as in another story, slower or fewer */
        while (is_killed_at(&stories[i], call, false) && is_killed_at(&stories[i], call, true))
            call++;
        assert_true(call > 12);
    }
}

/* ---- the stories ------------------------------------------------------------------------- */

static void keeps_a_prefix_per_chunk_when_it_is_dropped(void **state)
{
    (void)state;
    for (size_t i = 0; i < STORIES; i++) {
        struct scene scene;
        begin_scene(&scene, &stories[i], i + 100);
        open_scene(&scene);
        for (int round = 0; round < (stories[i].fsync ? 25 : 120); round++) {
            uint64_t steps = prng_below(&scene.prng, 60);
            while (steps-- > 0)
                do_step(&scene);
            emu_abandon(guard_abandon(scene.media));
            check_drive(&scene, prng_chance(&scene.prng, 1, 3));
        }
        scene.media->ops->close(scene.media);
        if (stories[i].cache_bytes != 0) /* not only all or nothing */
            assert_true(scene.between > 10);
        end_scene(&scene);
    }
}

static _Noreturn void write_until_killed(struct scene *scene)
{
    open_scene(scene);
    for (;;) {
        do_step(scene);
        ++*scene->progress;
    }
}

/* A while after it did some of its steps, whatever a step takes here. */
static void kill_sometime(struct scene *scene, pid_t child)
{
    uint32_t steps = (uint32_t)prng_below(&scene->prng, 150);
    int how;
    for (int tries = 0; *scene->progress < steps && tries < 5000; tries++)
        usleep(200);
    usleep((useconds_t)prng_below(&scene->prng, 300));
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
}

static void keeps_a_prefix_per_chunk_when_it_is_killed(void **state)
{
    (void)state;
    for (size_t i = 0; i < STORIES; i++) {
        struct scene scene;
        begin_scene(&scene, &stories[i], i + 200);
        for (int round = 0; round < 30; round++) {
            prng_next(&scene.prng); /* another path each time */
            *scene.progress = 0;
            pid_t child = fork();
            assert_true(child >= 0);
            if (child == 0)
                write_until_killed(&scene);
            kill_sometime(&scene, child);
            check_drive(&scene, stories[i].outlives && round % 2 == 1);
            scene.media->ops->close(scene.media);
        }
        end_scene(&scene);
    }
}

static void loses_nothing_when_it_is_closed(void **state)
{
    (void)state;
    for (size_t i = 0; i < STORIES; i++) {
        struct scene scene;
        begin_scene(&scene, &stories[i], i + 300);
        open_scene(&scene);
        for (int round = 0; round < 20; round++) {
            for (int step = 0; step < 40; step++)
                do_step(&scene);
            scene.media->ops->close(scene.media);
            for (uint32_t chunk = 0; chunk < CHUNKS && !stories[i].outlives; chunk++)
                scene.notes[chunk].flushed = scene.notes[chunk].landed;
            check_drive(&scene, false);
        }
        scene.media->ops->close(scene.media);
        end_scene(&scene);
    }
}

/* As if the host had been started anew since the drive was last open. */
static void pretend_a_reboot(const char *path)
{
    struct emu_file file;
    const struct say nobody = {NULL, 0};
    assert_int_equal(emu_file_open(&file, path, EMU_CLAIM_WRITE, &nobody), HFTL_OK);
    file.session.boot_id[3] ^= 1;
    assert_int_equal(emu_file_write_session(&file), 0);
    emu_file_close(&file);
}

static void check_after_reboot(struct scene *scene, uint32_t chunk)
{
    /* With fsync, a reset makes durable what happens to be in the file. */
    if (!scene->story->fsync)
        assert_int_equal(do_report(scene->media, chunk).wp, scene->notes[chunk].flushed);
    check_chunk(scene, chunk, true);
}

static void believes_only_what_was_durable_when_the_host_died(void **state)
{
    (void)state;
    for (size_t i = 0; i < STORIES; i++) {
        struct scene scene;
        begin_scene(&scene, &stories[i], i + 400);
        open_scene(&scene);
        for (int round = 0; round < 30; round++) {
            for (int step = 0; step < 30; step++)
                do_step(&scene);
            emu_abandon(guard_abandon(scene.media));
            pretend_a_reboot(scene.path);
            open_scene(&scene);
            for (uint32_t chunk = 0; chunk < CHUNKS; chunk++)
                check_after_reboot(&scene, chunk);
        }
        scene.media->ops->close(scene.media);
        end_scene(&scene);
    }
}

/* The records of a host that died may be of different age: one chunk's from before it was full, and
 * the next one's from after that one took its slot. */
static void closes_chunks_that_are_one_too_many(void **state)
{
    (void)state;
    struct scene scene;
    struct emu_file file;
    const struct say nobody = {NULL, 0};
    begin_scene(&scene, &stories[3], 6);
    assert_int_equal(emu_file_open(&file, scene.path, EMU_CLAIM_WRITE, &nobody), HFTL_OK);
    for (uint32_t i = 0; i < 8; i++) { /* active_max is 5 */
        struct emu_record record = {.chunk = {HFTL_CHUNK_OPEN, 8, BLOCKS, 0}, .durable = 8};
        emu_file_note(&file, i, &record);
    }
    assert_int_equal(emu_file_write_table(&file), 0);
    emu_file_close(&file);
    for (int life = 0; life < 2; life++) {
        open_scene(&scene);
        for (uint32_t i = 0; i < 8; i++) {
            struct hftl_chunk c = do_report(scene.media, i);
            assert_int_equal(c.state, i < 5 ? HFTL_CHUNK_PAUSED : HFTL_CHUNK_FULL);
            assert_int_equal(c.wp, 8);
        }
        /* Once closed, always closed, though there is room now. */
        assert_int_equal(do_simple(scene.media, HFTL_MEDIA_RESET, 0), HFTL_OK);
        assert_int_equal(do_write(scene.media, 0, 0, 8, 0), HFTL_OK);
        scene.media->ops->close(scene.media);
    }
    end_scene(&scene);
}

static void powers_up_as_a_zoned_drive_does(void **state)
{
    (void)state;
    struct scene scene;
    begin_scene(&scene, &stories[3], 5);
    open_scene(&scene);
    assert_int_equal(do_write(scene.media, 0, 0, 8, 0), HFTL_OK);
    assert_int_equal(do_simple(scene.media, HFTL_MEDIA_FLUSH, 0), HFTL_OK);
    assert_int_equal(do_report(scene.media, 0).state, HFTL_CHUNK_OPEN);
    emu_abandon(guard_abandon(scene.media));
    open_scene(&scene);
    assert_int_equal(do_report(scene.media, 0).state, HFTL_CHUNK_PAUSED);
    assert_int_equal(do_report(scene.media, 1).state, HFTL_CHUNK_FREE);
    assert_int_equal(do_write(scene.media, 0, 8, 4, 0), HFTL_OK);
    scene.media->ops->close(scene.media);
    end_scene(&scene);
}

/* The same seed and the same writes leave the same; another seed something else. */
static void repeats_what_a_seed_left(void **state)
{
    (void)state;
    uint64_t sums[3] = {0};
    for (int turn = 0; turn < 3; turn++) {
        struct scene scene;
        begin_scene(&scene, &stories[0], turn < 2 ? 900 : 901);
        open_scene(&scene);
        for (uint32_t i = 0; i < CHUNKS * 20; i++) {
            uint32_t chunk = i % CHUNKS, offset = i / CHUNKS * 4;
            assert_int_equal(do_write(scene.media, chunk, offset, 4, 0), HFTL_OK);
        }
        emu_abandon(guard_abandon(scene.media));
        open_scene(&scene);
        for (uint32_t i = 0; i < CHUNKS; i++)
            sums[turn] = sums[turn] * 101 + do_report(scene.media, i).wp;
        scene.media->ops->close(scene.media);
        end_scene(&scene);
    }
    assert_int_equal(sums[0], sums[1]);
    assert_int_not_equal(sums[0], sums[2]);
}

int main(void)
{
    char path[PATH_BYTES];
    make_path(path, "x"); /* so that one process, this, removes the folder */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_a_prefix_per_chunk_when_it_is_dropped),
        cmocka_unit_test(keeps_a_prefix_per_chunk_when_it_is_killed),
        cmocka_unit_test(keeps_a_prefix_killed_at_any_system_call),
        cmocka_unit_test(loses_nothing_when_it_is_closed),
        cmocka_unit_test(believes_only_what_was_durable_when_the_host_died),
        cmocka_unit_test(closes_chunks_that_are_one_too_many),
        cmocka_unit_test(powers_up_as_a_zoned_drive_does),
        cmocka_unit_test(repeats_what_a_seed_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
