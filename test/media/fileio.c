/* SPDX-License-Identifier: BSD-3-Clause */
/* Who may start what takes long with a file: not a thread that may end before it is done. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "media/fileio.h"
#include "test/media/drive.h"
#include "test/unit.h"

#define JOBS 48u
#define JOB_BYTES 65536u

static struct {
    struct fileio *io;
    int eventfd, fd;
    struct fileio_job jobs[JOBS];
    unsigned done, reaped_by_guest;
    uint8_t *bytes;
} world;

static void note_done(struct fileio_job *job)
{
    assert_int_equal(job->error, 0);
    world.done++;
}

static bool is_readable(int ms)
{
    struct pollfd ready = {.fd = world.eventfd, .events = POLLIN};
    return poll(&ready, 1, ms) == 1;
}

/* A file whose pages are not in memory, where the file system can forget them. */
static void make_world(bool no_uring)
{
    char path[PATH_BYTES];

    memset(&world, 0, sizeof world);
    world.eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    make_path(path, "slow");
    world.fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(world.fd >= 0);
    unlink(path);
    world.bytes = malloc((size_t)JOBS * JOB_BYTES);
    for (unsigned i = 0; i < JOBS; i++) {
        memset(world.bytes, (int)i + 1, JOB_BYTES);
        assert_int_equal(pwrite(world.fd, world.bytes, JOB_BYTES, (off_t)i * JOB_BYTES), JOB_BYTES);
    }
    assert_int_equal(fdatasync(world.fd), 0);
    assert_int_equal(posix_fadvise(world.fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    assert_int_equal(fileio_create(&world.io, world.eventfd, no_uring), HFTL_OK);
}

static void end_world(void)
{
    fileio_destroy(world.io);
    free(world.bytes);
    close(world.fd);
    close(world.eventfd);
}

static void submit_all(void)
{
    for (unsigned i = 0; i < JOBS; i++) {
        world.jobs[i] = (struct fileio_job){
            .verb = i % 3 == 2 ? FILEIO_SYNC : FILEIO_READ,
            .fd = world.fd,
            .bytes = world.bytes + (size_t)i * JOB_BYTES,
            .count = i % 3 == 2 ? 0 : JOB_BYTES,
            .at = (uint64_t)i * JOB_BYTES,
            .done = note_done,
        };
        fileio_submit(world.io, &world.jobs[i]);
    }
    fileio_kick(world.io);
}

static void *be_guest(void *arg)
{
    (void)arg;
    fileio_be_guest(true);
    submit_all();
    if (fileio_is_uring(world.io))
        world.reaped_by_guest = fileio_reap(world.io);
    return NULL;
}

/* As a medium does it. In the end the descriptor is quiet. */
static void wait_for_all(void)
{
    for (;;) {
        fileio_quieten(world.io);
        if (world.done == JOBS)
            break;
        assert_true(is_readable(20000));
        (void)fileio_reap(world.io);
    }
    fileio_quieten(world.io); /* the kernel announced the last one after it was found */
    assert_false(is_readable(0));
}

static void jobs_of_a_thread_that_ended_are_done(void **state)
{
    pthread_t guest;

    make_world(*(bool *)*state);
    assert_int_equal(pthread_create(&guest, NULL, be_guest, NULL), 0);
    pthread_join(guest, NULL);
    assert_int_equal(world.reaped_by_guest, 0);
    wait_for_all();
    for (unsigned i = 0; i < JOBS; i++)
        if (world.jobs[i].verb == FILEIO_READ)
            assert_int_equal(world.bytes[(size_t)i * JOB_BYTES + JOB_BYTES - 1], i + 1);
    end_world();
}

/* A guest among others: what he gave is started by the next who is none, and asked for once. */
static void a_guest_calls_once(void **state)
{
    uint64_t count = 0;
    (void)state;

    make_world(false);
    if (!fileio_is_uring(world.io)) {
        end_world();
        skip();
    }
    fileio_be_guest(true);
    submit_all();
    fileio_kick(world.io);
    assert_int_equal(fileio_reap(world.io), 0);
    fileio_be_guest(false);
    assert_true(is_readable(0));
    assert_int_equal(read(world.eventfd, &count, sizeof count), sizeof count);
    assert_int_equal(count, 1);
    fileio_kick(world.io);
    wait_for_all();
    end_world();
}

int main(void)
{
    static bool ways[] = {false, true};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(jobs_of_a_thread_that_ended_are_done, &ways[0]),
        cmocka_unit_test_prestate(jobs_of_a_thread_that_ended_are_done, &ways[1]),
        cmocka_unit_test(a_guest_calls_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
