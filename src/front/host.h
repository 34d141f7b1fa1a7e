/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * host.h - runs one engine among threads: hands requests to it, completions back, and lets it
 * sleep.
 *
 * I own      the medium, the engine, its thread when it has one, the lock, the doorbell, the list
 *            of channels. struct hftl_device of the public header is this.
 * I promise  the engine is called by one thread at a time, and the medium, with HFTL_OPEN_THREAD
 *            and without HFTL_OPEN_HELP, by the engine's thread only, from the open to the close.
 *            Idle means asleep: no timer, no polling. No channel starves another: each hands over
 *            CHANNEL_BATCH_MAX requests a turn, and what waits in the engine takes turns as well
 *            (core/turns.h).
 * I ignore   what requests mean; how the engine keeps its promises.
 *
 * THE ROUND, on the engine's thread or inside hftl_step, under the lock:
 *
 *      ready stack --> turn list --> device_submit     at most HOST_ROUND_MAX requests
 *                                    device_step       completions go to the channels' landed rings
 *                                    announce          one bell a channel, after all of it; with
 *                                                      helpers once the lock is given away (CALLS)
 *
 * The ready stack is what clients touch: a channel that had nothing queued pushes itself (one
 * compare-and-swap) and rings the doorbell. Requests behind the first cost the client its ring
 * only.
 *
 * SLEEPING (the doorbell is a bell.h; the engine listens)
 *
 *      round: nothing more --> bell_listen --> ready stack, closing: still nothing --> epoll_wait
 *                 ^                                   | something                         |
 *                 '----------- bell_awake <-----------'----- medium or doorbell ----------'
 *
 * VISITING. Whoever wants to look at the engine from outside (info, stats, a channel that opens or
 * closes) takes the lock. The engine gives it away between rounds when there are visitors, and
 * sleeps without it: statistics of an idle device wake nobody.
 *
 * HELPING. A client that is going to wait (hftl_run) may run rounds in the place of the engine's
 * thread, if nobody has the lock and neither a visitor nor that thread wants it. Then nobody is
 * woken for its request, and for what else is in the ready stack. It is the doorbell's listener
 * meanwhile, as it has the lock:
 *
 *      try the lock --> bell_awake --> rounds --> bell_listen --> ready stack: nothing --> unlock
 *           | taken                                                   | something: again
 *           '--> ring: who has the lock looks again, or the engine's thread wakes
 *
 * What is left goes to the engine's thread: after HELP_ROUNDS_MAX rounds by the doorbell,
 * operations in flight by the medium's descriptor (H4).
 *
 * CALLS. Who is rung runs at once, as a rule, in the place of who rings. With the lock held he
 * finds it taken with his next request, and sleeps again: two switches of threads for each request,
 * and a thread of the engine that never sleeps, since it has always one to serve. So a channel is
 * rung without the lock where clients help. A helper leaves for it. The engine's thread comes back
 * for another round (H6). Neither may find the channel freed: it counts its callers.
 *
 * INVARIANTS
 *   H1  engine, turn, landings, channels and live are touched under `lock` only.
 *   H2  the engine sleeps with an empty turn list, and with an empty ready stack, or one whose
 *       pusher is about to ring; or a helper has rung, or will look himself.
 *   H3  `engine` is NULL from the end of closing on.
 *   H4  Whoever gives the lock away, with something in flight, has asked the medium for its
 *       descriptor since the last round: it is not readable before (media.h). With helpers the
 *       engine's thread hears it only while it is `watched`, once, and it is then.
 *   H5  While the engine's thread wants the lock, nobody begins to help. The lock is not fair, and
 *       there are jobs that this thread alone starts (media/fileio.h, GUESTS).
 *   H6  While the engine's thread is `away`, telling others, it is going to look at everything once
 *       more: helpers leave it what they do not do, without a word.
 */
#ifndef HOSTFTL_FRONT_HOST_H
#define HOSTFTL_FRONT_HOST_H

#include "base/list.h"
#include "core/device.h"
#include "front/bell.h"
#include "front/live.h"

#include <hostftl/hostftl.h>

#include <pthread.h>
#include <stdatomic.h>

#define HOST_ROUND_MAX 256u /* requests that the engine takes before it steps */

struct hftl_device {
    struct device *engine; /* H1, H3 */
    struct hftl_media *medium;
    struct recorder *recorder; /* the engine's; any thread may use it (recorder.h) */
    struct live live;
    struct hftl_open_options options;
    uint64_t blocks; /* fixed after open */
    bool threaded;
    bool helped;       /* HFTL_OPEN_HELP */
    bool always_ready; /* the medium has no descriptor to wait on */

    struct bell doorbell;
    int epoll;    /* the medium's descriptor and the doorbell's */
    bool watched; /* H4; under lock */
    bool away;    /* H6; under lock */
    pthread_t thread;
    enum hftl_status ended; /* what closing gave */

    pthread_mutex_t lock;
    pthread_cond_t gate; /* a visitor has left; the open has ended */
    _Atomic uint32_t visitors;
    _Atomic bool wanted; /* H5 */
    _Atomic bool closing;
    bool opened; /* under lock: the engine's thread knows how the open went */
    enum hftl_status open_status;
    struct why *open_why;

    _Atomic(struct hftl_channel *) ready; /* pushed by clients, taken whole by the engine */
    struct list turn;
    struct list landings;
    struct list channels;
    _Atomic uint64_t rounds; /* for the test that idle means asleep */
};

/*
 * Opens the engine on the medium and starts it. The medium is the host's from the call on, and
 * closed when it fails. `options` is complete (sizes.h).
 */
HFTL_MUST_USE enum hftl_status host_open(struct hftl_media *medium,
                                         const struct hftl_open_options *options,
                                         struct hftl_device **host, struct why *why);

/* A client's: puts the channel, whose `queued` it has just set, before the engine. The second of
 * the two is to follow: it rings the doorbell. */
void host_queue(struct hftl_device *host, struct hftl_channel *channel);
void host_ring(struct hftl_device *host);
/* HELPING: the same, and runs what was queued if nobody else does. */
void host_help(struct hftl_device *host, struct hftl_channel *own);

/* VISITING: between the two, the engine is the caller's, if there is one (H3). */
void host_enter(struct hftl_device *host);
void host_leave(struct hftl_device *host);

/* Rounds run so far. Any thread. */
uint64_t host_rounds(const struct hftl_device *host);

/* ---- between host.c (opening, closing, visiting) and loop.c (running) ------------------------ */

/* device_options.complete */
void loop_land(void *arg, struct hftl_request *request);
/* Makes and frees `epoll` and the doorbell; INVALID: the medium's descriptor cannot be polled. */
HFTL_MUST_USE enum hftl_status loop_init(struct hftl_device *host, struct why *why);
void loop_free(struct hftl_device *host);
/* The engine's thread: rounds and sleep until `closing`. Under the lock, but not asleep. */
void loop_run(struct hftl_device *host);
/* Hands over everything that was submitted. Under the lock. */
void loop_take_all(struct hftl_device *host);
/* Takes the channel out of all lists. Nothing of it is in flight. Under the lock. */
void loop_forget(struct hftl_device *host, struct hftl_channel *channel);

#endif
