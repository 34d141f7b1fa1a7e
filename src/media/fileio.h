/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fileio.h - what may take long with a file or device: reading what is not in memory, writing past
 * the page cache, making durable, giving space back.
 *
 * OWNS      an io_uring, or where that is not allowed a few threads; the jobs given to it.
 * PROMISES  a job is done once, whole or with an errno; `done` is called from fileio_reap and
 *           fileio_quieten. The eventfd given at creation is written to after a job is done, and
 *           when one waits for a thread that may start it.
 * IGNORES   what the file means.
 *
 * Writes to the page cache need not come here: they cost a copy, which is less than handing them
 * over.
 *
 * GUESTS. What a thread gave to the io_uring fails when the thread ends before it is done (a read
 * with EFAULT on Linux 6.18). So a thread that may end meanwhile calls itself a guest: its jobs
 * wait until another thread kicks or reaps.
 */
#ifndef HOSTFTL_MEDIA_FILEIO_H
#define HOSTFTL_MEDIA_FILEIO_H

#include <hostftl/types.h>

enum fileio_verb {
    FILEIO_READ,
    FILEIO_SYNC,
    FILEIO_WRITE,
    FILEIO_WRITE_DURABLE, /* on the disk when done, and with it nothing else */
    FILEIO_DISCARD,       /* what is there need not be kept; EOPNOTSUPP: cannot be said here */
};

struct fileio_job {
    enum fileio_verb verb;
    int fd;
    void *bytes;  /* READ, WRITE */
    size_t count; /* READ, WRITE, DISCARD */
    uint64_t at;
    void (*done)(struct fileio_job *job);
    void *owner; /* the caller's */
    /* set when done */
    int error; /* 0 or an errno; ENODATA: the file ended before `count` */
    /* ours meanwhile */
    size_t moved;
    struct fileio_job *next;
};

struct fileio;

/* no_uring asks for the threads. Falls back to them by itself. MEMORY, IO. */
HFTL_MUST_USE enum hftl_status fileio_create(struct fileio **io, int eventfd, bool no_uring);
/* Waits for what is in flight; its `done` is not called any more. */
void fileio_destroy(struct fileio *io);

/* The calling thread is a guest, or is not any more. */
void fileio_be_guest(bool guest);

/* Takes the job; it starts at the next fileio_kick at the latest. */
void fileio_submit(struct fileio *io, struct fileio_job *job);
void fileio_kick(struct fileio *io);
/* Calls `done` of all that are; how many. Never blocks. */
unsigned fileio_reap(struct fileio *io);

/* For a medium whose descriptor is the eventfd, before a wait (media.h): with nothing to land it is
 * made quiet, and what is done is looked for once more; with something to land it is rung. */
void fileio_quieten(struct fileio *io);
void fileio_ring(struct fileio *io);

/* Calls `watch` at each submission (done false) and before each `done` (done true). For tests that
 * play a disk. */
void fileio_watch(struct fileio *io,
                  void (*watch)(void *arg, const struct fileio_job *job, bool done), void *arg);

bool fileio_is_uring(const struct fileio *io);

#endif
