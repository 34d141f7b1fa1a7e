/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "media/fileio.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <liburing.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/must.h"

enum { RING_ENTRIES = 128, THREADS = 2 };

struct queue {
    struct fileio_job *first;
    struct fileio_job **last;
};

struct fileio {
    int eventfd;
    bool uring;
    unsigned in_flight;   /* given and not done */
    struct queue waiting; /* uring: no room in the ring yet, or given by guests */
    bool owed;            /* some are guests', and the eventfd was written to for them */
    void (*watch)(void *arg, const struct fileio_job *job, bool done);
    void *watch_arg;

    struct io_uring ring;
    unsigned in_ring;

    pthread_mutex_t lock;
    pthread_cond_t work;
    struct queue chores;   /* for the threads, under `lock` */
    struct queue finished; /* under `lock` */
    bool stop;             /* under `lock` */
    unsigned thread_count;
    pthread_t threads[THREADS];
};

static _Thread_local bool is_guest;

void fileio_be_guest(bool guest)
{
    is_guest = guest;
}

void fileio_ring(struct fileio *io)
{
    uint64_t one = 1;
    (void)!write(io->eventfd, &one, sizeof one);
}

static void init_queue(struct queue *queue)
{
    queue->first = NULL;
    queue->last = &queue->first;
}

static void push_job(struct queue *queue, struct fileio_job *job)
{
    job->next = NULL;
    *queue->last = job;
    queue->last = &job->next;
}

static struct fileio_job *pop_job(struct queue *queue)
{
    struct fileio_job *job = queue->first;
    if (job) {
        queue->first = job->next;
        if (!queue->first)
            queue->last = &queue->first;
    }
    return job;
}

/* A disk is told in its own way; a file gets a hole. */
static int discard(const struct fileio_job *job)
{
    uint64_t range[2] = {job->at, job->count};
    struct stat st;
    if (fstat(job->fd, &st) != 0)
        return errno;
    int failed = S_ISBLK(st.st_mode)
                     ? ioctl(job->fd, BLKDISCARD, range)
                     : fallocate(job->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                 (off_t)job->at, (off_t)job->count);
    return failed != 0 ? errno : 0;
}

static ssize_t move_some(struct fileio_job *job)
{
    struct iovec piece = {(char *)job->bytes + job->moved, job->count - job->moved};
    off_t at = (off_t)(job->at + job->moved);
    if (job->verb == FILEIO_READ)
        return preadv(job->fd, &piece, 1, at);
    return pwritev2(job->fd, &piece, 1, at, job->verb == FILEIO_WRITE_DURABLE ? RWF_DSYNC : 0);
}

static void run_blocking(struct fileio_job *job)
{
    job->error = 0;
    if (job->verb == FILEIO_SYNC)
        job->error = fdatasync(job->fd) != 0 ? errno : 0;
    if (job->verb == FILEIO_DISCARD)
        job->error = discard(job);
    if (job->verb == FILEIO_SYNC || job->verb == FILEIO_DISCARD)
        return;
    while (job->moved < job->count) {
        ssize_t n = move_some(job);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            job->error = n < 0 ? errno : job->verb == FILEIO_READ ? ENODATA : EIO;
            return;
        }
        job->moved += (size_t)n;
    }
}

static void *run_thread(void *arg)
{
    struct fileio *io = arg;
    pthread_mutex_lock(&io->lock);
    while (!io->stop) {
        struct fileio_job *job = pop_job(&io->chores);
        if (!job) {
            pthread_cond_wait(&io->work, &io->lock);
            continue;
        }
        pthread_mutex_unlock(&io->lock);
        run_blocking(job);
        pthread_mutex_lock(&io->lock);
        push_job(&io->finished, job);
        /* Under the lock, so that whoever finds the job also finds the eventfd written. */
        fileio_ring(io);
    }
    pthread_mutex_unlock(&io->lock);
    return NULL;
}

static enum hftl_status start_threads(struct fileio *io)
{
    for (unsigned i = 0; i < THREADS; i++) {
        if (pthread_create(&io->threads[i], NULL, run_thread, io) != 0)
            break;
        io->thread_count++;
    }
    return io->thread_count > 0 ? HFTL_OK : HFTL_IO;
}

static bool start_ring(struct fileio *io)
{
    if (io_uring_queue_init(RING_ENTRIES, &io->ring, 0) != 0)
        return false;
    if (io_uring_register_eventfd(&io->ring, io->eventfd) != 0) {
        io_uring_queue_exit(&io->ring);
        return false;
    }
    return true;
}

enum hftl_status fileio_create(struct fileio **io, int eventfd, bool no_uring)
{
    struct fileio *made = calloc(1, sizeof *made);
    if (!made)
        return HFTL_MEMORY;
    made->eventfd = eventfd;
    init_queue(&made->waiting);
    init_queue(&made->chores);
    init_queue(&made->finished);
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->work, NULL);
    made->uring = !no_uring && start_ring(made);
    if (!made->uring && start_threads(made) != HFTL_OK) {
        fileio_destroy(made);
        return HFTL_IO;
    }
    *io = made;
    return HFTL_OK;
}

bool fileio_is_uring(const struct fileio *io)
{
    return io->uring;
}

static void fill_ring(struct fileio *io)
{
    while (io->waiting.first && io->in_ring < RING_ENTRIES) {
        struct io_uring_sqe *sqe = io_uring_get_sqe(&io->ring);
        if (!sqe)
            return;
        struct fileio_job *job = pop_job(&io->waiting);
        void *bytes = (char *)job->bytes + job->moved;
        unsigned left = (unsigned)(job->count - job->moved);
        if (job->verb == FILEIO_SYNC)
            io_uring_prep_fsync(sqe, job->fd, IORING_FSYNC_DATASYNC);
        else if (job->verb == FILEIO_READ)
            io_uring_prep_read(sqe, job->fd, bytes, left, job->at + job->moved);
        else
            io_uring_prep_write(sqe, job->fd, bytes, left, job->at + job->moved);
        if (job->verb == FILEIO_WRITE_DURABLE)
            sqe->rw_flags = RWF_DSYNC;
        io_uring_sqe_set_data(sqe, job);
        io->in_ring++;
    }
}

/* The result of one trip through the ring; false: it has to go again for the rest. */
static bool take_result(struct fileio_job *job, int result)
{
    if (result == -EINTR || result == -EAGAIN)
        return false;
    job->error = result < 0 ? -result : 0;
    if (job->verb == FILEIO_SYNC || result < 0)
        return true;
    if (result == 0)
        job->error = job->verb == FILEIO_READ ? ENODATA : EIO;
    job->moved += (size_t)result;
    return result == 0 || job->moved == job->count;
}

/* Moves what the ring finished to `done`; what is not whole waits again. */
static void drain_ring(struct fileio *io, struct queue *done)
{
    struct io_uring_cqe *cqe;
    while (io->in_ring > 0 && io_uring_peek_cqe(&io->ring, &cqe) == 0) {
        struct fileio_job *job = io_uring_cqe_get_data(cqe);
        int result = cqe->res;
        io_uring_cqe_seen(&io->ring, cqe);
        io->in_ring--;
        push_job(take_result(job, result) ? done : &io->waiting, job);
    }
}

/* The ring cannot discard; the threads do it, and everything where there is no ring. */
static void give_to_threads(struct fileio *io, struct fileio_job *job)
{
    pthread_mutex_lock(&io->lock);
    if (io->thread_count > 0 || start_threads(io) == HFTL_OK) {
        push_job(&io->chores, job);
        pthread_cond_signal(&io->work);
    } else {
        job->error = EAGAIN;
        push_job(&io->finished, job);
        fileio_ring(io);
    }
    pthread_mutex_unlock(&io->lock);
}

void fileio_submit(struct fileio *io, struct fileio_job *job)
{
    job->moved = 0;
    job->error = 0;
    io->in_flight++;
    if (io->watch)
        io->watch(io->watch_arg, job, false);
    if (io->uring && job->verb != FILEIO_DISCARD)
        push_job(&io->waiting, job);
    else
        give_to_threads(io, job);
}

void fileio_watch(struct fileio *io,
                  void (*watch)(void *arg, const struct fileio_job *job, bool done), void *arg)
{
    io->watch = watch;
    io->watch_arg = arg;
}

/* Somebody else's thread is to start what waits. */
static void call_others(struct fileio *io)
{
    if (!io->waiting.first || io->owed)
        return;
    io->owed = true;
    fileio_ring(io);
}

void fileio_kick(struct fileio *io)
{
    if (!io->uring || io->in_flight == 0)
        return;
    if (is_guest) {
        call_others(io);
        return;
    }
    io->owed = false;
    fill_ring(io);
    if (io_uring_sq_ready(&io->ring) > 0)
        (void)io_uring_submit(&io->ring); /* what it refused now stays ready for the next kick */
}

/* All that is finished, of the ring and of the threads. */
static void gather_finished(struct fileio *io, struct queue *done)
{
    init_queue(done);
    if (io->uring)
        drain_ring(io, done);
    pthread_mutex_lock(&io->lock);
    for (struct fileio_job *job = pop_job(&io->finished); job; job = pop_job(&io->finished))
        push_job(done, job);
    pthread_mutex_unlock(&io->lock);
}

unsigned fileio_reap(struct fileio *io)
{
    struct queue done;
    unsigned count = 0;
    if (io->in_flight == 0)
        return 0;
    gather_finished(io, &done);
    for (struct fileio_job *job = pop_job(&done); job; job = pop_job(&done)) {
        must(io->in_flight > 0);
        io->in_flight--;
        count++;
        if (io->watch)
            io->watch(io->watch_arg, job, true);
        job->done(job); /* may submit again, or free the job */
    }
    fileio_kick(io);
    return count;
}

/* In this order: what finishes from the read on is heard, and what was announced before it is found
 * by the look. What is owed is for others to hear. */
void fileio_quieten(struct fileio *io)
{
    uint64_t count;
    if (io->owed)
        return;
    (void)!read(io->eventfd, &count, sizeof count);
    (void)fileio_reap(io);
}

void fileio_destroy(struct fileio *io)
{
    if (!io)
        return;
    if (io->uring) {
        struct io_uring_cqe *cqe;
        while (io->in_ring > 0 && io_uring_submit_and_wait(&io->ring, 1) >= 0 &&
               io_uring_peek_cqe(&io->ring, &cqe) == 0) {
            io_uring_cqe_seen(&io->ring, cqe);
            io->in_ring--;
        }
        io_uring_queue_exit(&io->ring);
    }
    pthread_mutex_lock(&io->lock);
    io->stop = true;
    pthread_cond_broadcast(&io->work);
    pthread_mutex_unlock(&io->lock);
    for (unsigned i = 0; i < io->thread_count; i++)
        pthread_join(io->threads[i], NULL);
    pthread_mutex_destroy(&io->lock);
    pthread_cond_destroy(&io->work);
    free(io);
}
