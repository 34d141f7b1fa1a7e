/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "front/channel.h"
#include "front/host.h"

#include "base/must.h"
#include "media/fileio.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define HELP_ROUNDS_MAX 8u /* that a client runs before the engine's thread is to go on */
#define CALLS_MAX 32u      /* those beyond are told under the lock */

enum watched { DOORBELL, MEDIUM };

enum hftl_status loop_init(struct hftl_device *host, struct why *why)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = DOORBELL};
    int medium_fd = host->medium->ops->fd(host->medium);

    host->always_ready = medium_fd < 0;
    if (!bell_init(&host->doorbell))
        return why_say(why, HFTL_MEMORY, "no descriptor for the engine's doorbell: %s",
                       strerror(errno));
    host->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (host->epoll < 0)
        return why_say(why, HFTL_MEMORY, "no descriptor for the engine's loop: %s",
                       strerror(errno));
    if (epoll_ctl(host->epoll, EPOLL_CTL_ADD, host->doorbell.fd, &event) != 0)
        return why_say(why, HFTL_MEMORY, "the doorbell cannot be polled: %s", strerror(errno));
    event = (struct epoll_event){.events = host->helped ? 0 : EPOLLIN, .data.u32 = MEDIUM};
    if (medium_fd >= 0 && epoll_ctl(host->epoll, EPOLL_CTL_ADD, medium_fd, &event) != 0)
        return why_say(why, HFTL_INVALID, "the descriptor of medium %s cannot be polled: %s",
                       host->medium->ops->name, strerror(errno));
    return HFTL_OK;
}

void loop_free(struct hftl_device *host)
{
    bell_free(&host->doorbell);
    if (host->epoll >= 0)
        close(host->epoll);
    host->epoll = -1;
}

void host_queue(struct hftl_device *host, struct hftl_channel *channel)
{
    struct hftl_channel *top = atomic_load_explicit(&host->ready, memory_order_relaxed);

    /* Again only when another client was faster. The engine takes all: there is no ABA. */
    do
        channel->ready_next = top;
    while (!atomic_compare_exchange_weak(&host->ready, &top, channel));
}

void host_ring(struct hftl_device *host)
{
    bell_ring(&host->doorbell); /* W1 */
}

uint64_t host_rounds(const struct hftl_device *host)
{
    return atomic_load_explicit(&host->rounds, memory_order_relaxed);
}

/* Those who pushed themselves get in line, first come first served. */
static void gather_ready(struct hftl_device *host)
{
    struct hftl_channel *top, *first = NULL;

    if (!atomic_load_explicit(&host->ready, memory_order_relaxed))
        return;
    top = atomic_exchange(&host->ready, NULL);
    while (top) {
        struct hftl_channel *next = top->ready_next;
        top->ready_next = first;
        first = top;
        top = next;
    }
    for (struct hftl_channel *at = first, *next; at; at = next) {
        next = at->ready_next;
        list_push_back(&host->turn, &at->turn);
    }
}

/* One turn of a channel, of at most `max` requests. True: it may have more. */
static bool take_turn(struct hftl_device *host, struct hftl_channel *channel, unsigned max,
                      unsigned *taken)
{
    bool again = true;

    for (*taken = 0; *taken < max && again; ++*taken) {
        struct hftl_request *request = channel_take(channel, &again);
        if (!request)
            break;
        device_submit_from(host->engine, &channel->sender, request);
    }
    return again;
}

/* True: the budget ran out before the requests did. */
static bool take_requests(struct hftl_device *host)
{
    unsigned budget = HOST_ROUND_MAX, taken;

    gather_ready(host);
    while (budget > 0) {
        struct list_link *link = list_pop_front(&host->turn);
        if (!link)
            return false;
        struct hftl_channel *channel = list_of(link, struct hftl_channel, turn);
        unsigned max = budget < CHANNEL_BATCH_MAX ? budget : CHANNEL_BATCH_MAX;
        if (take_turn(host, channel, max, &taken))
            list_push_back(&host->turn, link);
        budget -= taken;
    }
    return !list_is_empty(&host->turn);
}

void loop_take_all(struct hftl_device *host)
{
    /* `closing` is set: each channel has at most its depth, and no more is coming. */
    while (take_requests(host))
        ;
}

void loop_land(void *arg, struct hftl_request *request)
{
    struct hftl_device *host = arg;
    struct hftl_channel *channel = channel_land(request);

    if (!link_is_linked(&channel->landings))
        list_push_back(&host->landings, &channel->landings);
}

static void announce(struct hftl_device *host)
{
    struct list_link *link;
    while ((link = list_pop_front(&host->landings)))
        channel_announce(list_of(link, struct hftl_channel, landings));
}

/* CALLS: the channels that are to be told. */
struct calls {
    unsigned count;
    struct hftl_channel *channels[CALLS_MAX];
};

/* Under the lock. */
static void collect_calls(struct hftl_device *host, struct calls *calls)
{
    struct list_link *link;

    calls->count = 0;
    while (calls->count < CALLS_MAX && (link = list_pop_front(&host->landings))) {
        struct hftl_channel *channel = list_of(link, struct hftl_channel, landings);
        atomic_fetch_add(&channel->callers, 1);
        calls->channels[calls->count++] = channel;
    }
    announce(host);
}

/* Without it. A channel may be freed as soon as its last caller has left. */
static void make_calls(const struct calls *calls)
{
    for (unsigned i = 0; i < calls->count; i++) {
        channel_announce(calls->channels[i]);
        atomic_fetch_sub(&calls->channels[i]->callers, 1);
    }
}

/* Under the lock (H1). True: run it again. */
static bool run_round(struct hftl_device *host)
{
    bool more = take_requests(host);

    /* Having done something it asks for another step. When all is done that finds nothing. A medium
     * that is always ready cannot wake us: what is in flight is there at the next look. */
    if ((device_step(host->engine) || host->always_ready) && !device_is_idle(host->engine))
        more = true;
    atomic_fetch_add_explicit(&host->rounds, 1, memory_order_relaxed);
    return more;
}

/* A visitor who has announced himself gets the lock before the next round; one wait, so that a
 * crowd of them cannot keep the engine out. */
static void admit_visitor(struct hftl_device *host)
{
    if (atomic_load(&host->visitors) == 0)
        return;
    atomic_store(&host->wanted, true); /* H5 */
    pthread_cond_wait(&host->gate, &host->lock);
    atomic_store(&host->wanted, false);
}

static bool nothing_came(struct hftl_device *host)
{
    return !atomic_load(&host->ready) && !atomic_load(&host->closing);
}

/*
 * Before a sleep, of the own thread or of the one that is helped (H4): what the medium has finished
 * makes its descriptor readable once that is asked for, and no earlier (media.h).
 *
 * With helpers, why not hear it always? Their operations make it readable, and most have landed
 * before they leave: the engine's thread would be woken by each for nothing.
 */
static void hear_medium(struct hftl_device *host)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.u32 = MEDIUM};
    int fd;

    if (host->always_ready || (host->helped && device_is_idle(host->engine)))
        return;
    fd = host->medium->ops->fd(host->medium);
    if (!host->helped || host->watched)
        return;
    must_show(epoll_ctl(host->epoll, EPOLL_CTL_MOD, fd, &event) == 0, errno, fd);
    host->watched = true;
}

/* H5 */
static void take_lock_back(struct hftl_device *host)
{
    atomic_store(&host->wanted, true);
    pthread_mutex_lock(&host->lock);
    atomic_store(&host->wanted, false);
}

/* Those who are told may run rounds meanwhile, and leave all that is left to us: so there is more
 * to be done in any case (H6). */
static bool tell_without_lock(struct hftl_device *host)
{
    struct calls calls;

    collect_calls(host, &calls);
    host->away = true;
    pthread_mutex_unlock(&host->lock);
    make_calls(&calls);
    take_lock_back(host);
    host->away = false;
    bell_awake(&host->doorbell);
    return true;
}

static void sleep_well(struct hftl_device *host)
{
    struct epoll_event events[2];
    int count;

    bell_listen(&host->doorbell);
    if (nothing_came(host)) { /* W2, H2 */
        hear_medium(host);
        pthread_mutex_unlock(&host->lock);
        while ((count = epoll_wait(host->epoll, events, 2, -1)) < 0)
            must_show(errno == EINTR, errno, host->epoll);
        take_lock_back(host);
        while (--count >= 0)
            if (events[count].data.u32 == MEDIUM)
                host->watched = false;
    }
    bell_awake(&host->doorbell);
}

/* Somebody else waits to be told. */
static bool others_landed(const struct hftl_device *host, const struct hftl_channel *own)
{
    const struct list_link *first = list_first(&host->landings);
    return first && (first != &own->landings || list_next(&host->landings, first));
}

/* A helper's rounds, until nothing is to be done, or others are to be told. What the medium had at
 * once is taken in one more, instead of waking the engine's thread for it. True: there is more. */
static bool run_some(struct hftl_device *host, const struct hftl_channel *own, unsigned *rounds)
{
    unsigned idle = 0;
    bool more;

    do {
        more = run_round(host);
        idle = more ? 0 : idle + 1;
    } while (++*rounds < HELP_ROUNDS_MAX && idle < 2 && !others_landed(host, own) &&
             (more || !device_is_idle(host->engine)));
    return more;
}

/* Under the lock, in the place of the engine's thread, which sleeps, tells others (H6), or waits
 * for the lock. */
static void help(struct hftl_device *host, const struct hftl_channel *own)
{
    unsigned rounds = 0;
    bool more;

    fileio_be_guest(true); /* this thread is the client's, and may end */
    do {
        bell_awake(&host->doorbell);
        more = run_some(host, own, &rounds);
        bell_listen(&host->doorbell);
    } while (!nothing_came(host) && rounds < HELP_ROUNDS_MAX && !others_landed(host, own)); /* W2 */
    if (!host->away)
        hear_medium(host);
    fileio_be_guest(false);
    if (!host->away && (more || !nothing_came(host)))
        bell_ring(&host->doorbell);
}

void host_help(struct hftl_device *host, struct hftl_channel *own)
{
    struct calls calls;

    /* Who has the lock looks at the ready stack before he sleeps, if the bell says that he does not
     * yet. Visitors come first: the engine's thread lets them in; and so does that thread (H5). */
    if (!host->helped || atomic_load(&host->visitors) > 0 || atomic_load(&host->wanted) ||
        pthread_mutex_trylock(&host->lock) != 0) {
        host_ring(host);
        return;
    }
    if (host->engine) /* H3 */
        help(host, own);
    collect_calls(host, &calls);
    pthread_mutex_unlock(&host->lock);
    make_calls(&calls);
}

void loop_run(struct hftl_device *host)
{
    bell_awake(&host->doorbell);
    while (!atomic_load(&host->closing)) {
        admit_visitor(host);
        bool more = run_round(host);
        if (!host->helped)
            announce(host);
        else if (!list_is_empty(&host->landings))
            more = tell_without_lock(host);
        if (!more)
            sleep_well(host);
    }
}

bool hftl_step(struct hftl_device *host)
{
    bool more;

    if (!host || host->threaded)
        return false;
    pthread_mutex_lock(&host->lock);
    if (!host->engine) { /* H3: a callback during the close */
        pthread_mutex_unlock(&host->lock);
        return false;
    }
    admit_visitor(host);
    bell_awake(&host->doorbell);
    more = run_round(host);
    announce(host);
    if (!more) {
        bell_listen(&host->doorbell);
        more = !nothing_came(host);
    }
    if (!more)
        hear_medium(host);
    pthread_mutex_unlock(&host->lock);
    return more;
}

int hftl_fd(const struct hftl_device *host)
{
    return host && !host->threaded ? host->epoll : -1;
}

void loop_forget(struct hftl_device *host, struct hftl_channel *channel)
{
    gather_ready(host); /* so that it is in lists only */
    if (link_is_linked(&channel->turn))
        list_remove(&channel->turn);
    if (link_is_linked(&channel->landings))
        list_remove(&channel->landings);
    list_remove(&channel->link);
}
