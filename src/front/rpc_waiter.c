/* SPDX-License-Identifier: BSD-3-Clause */
/* rpc_waiter.c - a thread for the calls that wait for the drive; see rpc.h, R4. */
#define _GNU_SOURCE
#include "front/rpc.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum job_state { JOB_NONE, JOB_QUEUED, JOB_RUNNING, JOB_DONE };

struct job {
    enum job_state state;
    bool forgotten; /* whoever asked is gone */
    unsigned slot;
    uint64_t number; /* the least is the eldest */
    char *line, *answer;
    size_t bytes, answer_bytes;
};

struct rpc_waiter {
    const struct rpc_target *target;
    int wake;
    pthread_t thread;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed;
    bool stopped;
    uint64_t numbers;
    struct job jobs[RPC_WAITING_MAX];
};

static struct job *find(struct rpc_waiter *waiter, enum job_state state)
{
    struct job *found = NULL;

    for (unsigned i = 0; i < RPC_WAITING_MAX; i++) {
        struct job *job = &waiter->jobs[i];
        if (job->state == state && (!found || job->number < found->number))
            found = job;
    }
    return found;
}

static void clear(struct job *job)
{
    free(job->line);
    free(job->answer);
    *job = (struct job){.state = JOB_NONE};
}

static void *work(void *arg)
{
    struct rpc_waiter *waiter = arg;
    uint64_t one = 1;

    pthread_mutex_lock(&waiter->lock);
    while (!waiter->stopped) {
        struct job *job = find(waiter, JOB_QUEUED);
        if (!job) {
            pthread_cond_wait(&waiter->changed, &waiter->lock);
            continue;
        }
        job->state = JOB_RUNNING;
        pthread_mutex_unlock(&waiter->lock);
        job->answer = rpc_answer(waiter->target, job->line, job->bytes, &job->answer_bytes);
        pthread_mutex_lock(&waiter->lock);
        job->state = JOB_DONE;
        (void)!write(waiter->wake, &one, sizeof one); /* never full */
    }
    pthread_mutex_unlock(&waiter->lock);
    return NULL;
}

struct rpc_waiter *rpc_waiter_start(const struct rpc_target *target, int wake)
{
    struct rpc_waiter *waiter = calloc(1, sizeof *waiter);
    sigset_t all, before;
    int error;

    if (!waiter)
        return NULL;
    waiter->target = target;
    waiter->wake = wake;
    pthread_mutex_init(&waiter->lock, NULL);
    pthread_cond_init(&waiter->changed, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* the process's signals are for others */
    error = pthread_create(&waiter->thread, NULL, work, waiter);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error == 0) {
        pthread_setname_np(waiter->thread, "hostftl-rpc-w");
        return waiter;
    }
    free(waiter);
    return NULL;
}

enum rpc_taken rpc_waiter_take(struct rpc_waiter *waiter, unsigned slot, const char *line,
                               size_t bytes)
{
    char *copy = malloc(bytes + 1);
    enum rpc_taken taken = copy ? RPC_FULL : RPC_NO_MEMORY;
    struct job *job;

    pthread_mutex_lock(&waiter->lock);
    job = copy ? find(waiter, JOB_NONE) : NULL;
    if (job) {
        memcpy(copy, line, bytes);
        *job = (struct job){.state = JOB_QUEUED,
                            .slot = slot,
                            .number = ++waiter->numbers,
                            .line = copy,
                            .bytes = bytes};
        copy = NULL;
        taken = RPC_TAKEN;
        pthread_cond_signal(&waiter->changed);
    }
    pthread_mutex_unlock(&waiter->lock);
    free(copy);
    return taken;
}

void rpc_waiter_forget(struct rpc_waiter *waiter, unsigned slot)
{
    pthread_mutex_lock(&waiter->lock);
    for (unsigned i = 0; i < RPC_WAITING_MAX; i++) {
        struct job *job = &waiter->jobs[i];
        if (job->state == JOB_NONE || job->forgotten || job->slot != slot)
            continue;
        job->forgotten = true;
        if (job->state == JOB_QUEUED)
            clear(job);
    }
    pthread_mutex_unlock(&waiter->lock);
}

bool rpc_waiter_done(struct rpc_waiter *waiter, unsigned *slot, char **answer, size_t *bytes)
{
    struct job *job;
    bool done = false;

    pthread_mutex_lock(&waiter->lock);
    while (!done && (job = find(waiter, JOB_DONE)) != NULL) {
        done = !job->forgotten;
        if (done) {
            *slot = job->slot;
            *answer = job->answer;
            *bytes = job->answer_bytes;
            job->answer = NULL;
        }
        clear(job);
    }
    pthread_mutex_unlock(&waiter->lock);
    return done;
}

void rpc_waiter_stop(struct rpc_waiter *waiter)
{
    if (!waiter)
        return;
    pthread_mutex_lock(&waiter->lock);
    waiter->stopped = true;
    pthread_cond_signal(&waiter->changed);
    pthread_mutex_unlock(&waiter->lock);
    pthread_join(waiter->thread, NULL);
    for (unsigned i = 0; i < RPC_WAITING_MAX; i++)
        clear(&waiter->jobs[i]);
    pthread_cond_destroy(&waiter->changed);
    pthread_mutex_destroy(&waiter->lock);
    free(waiter);
}
