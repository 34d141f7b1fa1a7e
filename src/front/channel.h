/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * channel.h - the two-way street between one client thread and the engine.
 *
 *      client thread                                                    engine (round of host.h)
 *      hftl_submit --> check --> [ submitted ring ] --> in turn ------> device_submit
 *      (hftl_run, which may run that round itself: host.h)                   |
 *                                                                            |
 *      done() <------ hftl_reap <-- [ landed ring ] <-- channel_land <-- complete
 *                         ^----------- bell ----------- channel_announce, once a round, and
 *                                                       where clients run rounds, without the lock
 *
 * I own      both rings, the bell that makes hftl_channel_fd() readable, the count in flight.
 * I promise  submit and reap never block, allocate, or enter the kernel but to wake who sleeps;
 *            each accepted request is called back once, by reap.
 * I ignore   what requests mean.
 *
 * INVARIANTS
 *   N1  in_flight <= depth = capacity of each ring: a push never fails.
 *   N2  `queued` is true when the channel is on the ready stack, in the turn list, or on its way to
 *       the ready stack. While it is true the client need not queue the channel again; the engine
 *       sets it false when it found the submitted ring empty, and then looks into the ring once
 *       more.
 *   N3  The client's fields are touched by the client's thread only (and by close, when that is
 *       done), the engine's only under the host's lock (H1).
 *   N4  A request's last internal word is the front's: it leads back to the channel. The engine has
 *       the words before it.
 */
#ifndef HOSTFTL_FRONT_CHANNEL_H
#define HOSTFTL_FRONT_CHANNEL_H

#include "base/list.h"
#include "base/ring.h"
#include "core/turns.h"
#include "front/bell.h"

#include <hostftl/hostftl.h>

#define CHANNEL_DEPTH_DEFAULT 256u
#define CHANNEL_DEPTH_MAX 65536u
#define CHANNEL_BATCH_MAX 16u     /* requests that a channel hands over in one turn */
#define CHANNEL_INTERNAL_WORD 15u /* N4 */

struct hftl_channel {
    struct hftl_device *host;
    uint32_t depth;
    uint32_t bytes; /* allocated for it */

    /* the client's (N3) */
    uint32_t in_flight;
    struct hftl_request *held; /* popped, but beyond `max` of the last reap */

    /* shared */
    struct ring submitted;
    struct ring landed;
    struct bell bell;         /* the client listens */
    _Atomic uint32_t callers; /* threads that are going to ring it (CALLS, host.h) */
    _Atomic bool queued;
    struct hftl_channel *ready_next; /* on the ready stack */

    /* the engine's (N3) */
    struct list_link link;     /* all channels of the host */
    struct list_link turn;     /* has requests and waits for its turn */
    struct list_link landings; /* something landed in this round */
    struct sender sender;      /* what the engine knows it by */
    struct ring_slot slots[];  /* depth for submitted, depth for landed */
};

/* NULL: no memory, or no descriptor. In no list yet. */
struct hftl_channel *channel_create(struct hftl_device *host, uint32_t depth);
/* Waits for its callers. It is in no list any more, so there are no new ones. */
void channel_free(struct hftl_channel *channel);

/* The engine's side, under the lock (H1). */

/* The next request, or NULL: nothing is left, and N2 holds. *again: keep the channel in turn. */
struct hftl_request *channel_take(struct hftl_channel *channel, bool *again);
/* The engine is done with the request. Returns its channel, which is to be announced. */
struct hftl_channel *channel_land(struct hftl_request *request);
void channel_announce(struct hftl_channel *channel);

/* The client's: hftl_submit but for the doorbell. *queued: it is to be rung (host.h). */
HFTL_MUST_USE enum hftl_status channel_accept(struct hftl_channel *channel,
                                              struct hftl_request *request, bool *queued);

#endif
