/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "front/host.h"

#include "base/must.h"
#include "front/channel.h"
#include "front/sizes.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the engine's life, on the thread that runs it ------------------------------------------- */

/* Under the lock. Not OK: the medium is closed. */
static enum hftl_status start_engine(struct hftl_device *host, struct why *why)
{
    const struct device_options options = {
        .world = live_world(&host->live),
        .complete = loop_land,
        .complete_arg = host,
        .read_only = host->options.flags & HFTL_OPEN_READ_ONLY,
        .name = host->options.name,
        .verify = host->options.verify,
        .verify_cache_bytes = host->options.verify_cache_bytes,
        .write_buffer_bytes = host->options.write_buffer_bytes,
        .recovery_memory_bytes = host->options.recovery_memory_bytes,
        .relocation_victims = host->options.relocation_victims,
        .relocation_blocks = host->options.relocation_blocks,
        .trace_records = host->options.trace_records,
        .trace_mask = host->options.trace_mask,
    };
    enum hftl_status status = loop_init(host, why);

    if (status == HFTL_OK)
        status = device_open(host->medium, &options, &host->engine, why);
    if (status != HFTL_OK) {
        host->medium->ops->close(host->medium);
        return status;
    }
    host->blocks = device_blocks(host->engine);
    host->recorder = device_recorder(host->engine);
    return HFTL_OK;
}

/* Under the lock; `closing` is set. What was accepted completes, the device is marked clean. */
static void stop_engine(struct hftl_device *host)
{
    loop_take_all(host);
    host->ended = device_close(host->engine);
    host->engine = NULL; /* H3 */
    host->medium->ops->close(host->medium);
}

static void *engine_main(void *arg)
{
    struct hftl_device *host = arg;
    enum hftl_status status;

    pthread_mutex_lock(&host->lock);
    status = start_engine(host, host->open_why);
    host->open_status = status;
    host->opened = true;
    pthread_cond_broadcast(&host->gate);
    if (status == HFTL_OK) {
        loop_run(host);
        stop_engine(host);
    }
    pthread_mutex_unlock(&host->lock);
    return NULL;
}

/* The process's signals are not the engine's business: its thread takes none. */
static int start_thread(struct hftl_device *host)
{
    sigset_t all, before;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&host->thread, NULL, engine_main, host);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error == 0)
        pthread_setname_np(host->thread, "hostftl");
    return error;
}

/* ---- opening --------------------------------------------------------------------------------- */

static struct hftl_device *create_host(struct hftl_media *medium,
                                       const struct hftl_open_options *options)
{
    struct hftl_device *host = calloc(1, sizeof *host);

    if (!host)
        return NULL;
    host->medium = medium;
    host->options = *options;
    host->threaded = options->flags & HFTL_OPEN_THREAD;
    host->helped = host->threaded && options->flags & HFTL_OPEN_HELP;
    host->doorbell.fd = -1;
    host->epoll = -1;
    live_init(&host->live, options->log, options->log_arg);
    pthread_mutex_init(&host->lock, NULL);
    pthread_cond_init(&host->gate, NULL);
    list_init(&host->turn);
    list_init(&host->landings);
    list_init(&host->channels);
    return host;
}

static void free_host(struct hftl_device *host)
{
    loop_free(host);
    pthread_cond_destroy(&host->gate);
    pthread_mutex_destroy(&host->lock);
    free(host);
}

static enum hftl_status open_on_thread(struct hftl_device *host, struct why *why)
{
    enum hftl_status status;
    int error;

    host->open_why = why;
    error = start_thread(host);
    if (error != 0) {
        host->medium->ops->close(host->medium);
        return why_say(why, HFTL_MEMORY, "the engine's thread does not start: %s", strerror(error));
    }
    pthread_mutex_lock(&host->lock);
    while (!host->opened)
        pthread_cond_wait(&host->gate, &host->lock);
    status = host->open_status;
    host->open_why = NULL;
    pthread_mutex_unlock(&host->lock);
    if (status != HFTL_OK)
        pthread_join(host->thread, NULL);
    return status;
}

enum hftl_status host_open(struct hftl_media *medium, const struct hftl_open_options *options,
                           struct hftl_device **host_out, struct why *why)
{
    struct hftl_device *host = create_host(medium, options);
    enum hftl_status status;

    if (!host) {
        medium->ops->close(medium);
        return why_say(why, HFTL_MEMORY, "no memory for a device");
    }
    if (host->threaded) {
        status = open_on_thread(host, why);
    } else {
        pthread_mutex_lock(&host->lock);
        status = start_engine(host, why);
        pthread_mutex_unlock(&host->lock);
    }
    if (status != HFTL_OK) {
        free_host(host);
        return status;
    }
    *host_out = host;
    return HFTL_OK;
}

/* ---- visiting -------------------------------------------------------------------------------- */

void host_enter(struct hftl_device *host)
{
    atomic_fetch_add(&host->visitors, 1);
    pthread_mutex_lock(&host->lock);
}

void host_leave(struct hftl_device *host)
{
    atomic_fetch_sub(&host->visitors, 1);
    pthread_cond_signal(&host->gate);
    pthread_mutex_unlock(&host->lock);
}

void hftl_get_info(struct hftl_device *host, struct hftl_info *info)
{
    struct hftl_info known;

    if (!host || !info)
        return;
    memset(&known, 0, sizeof known);
    host_enter(host);
    if (host->engine) {
        device_get_info(host->engine, &known);
        known.memory_bytes = host->live.bytes + sizeof *host;
        for (struct list_link *at = list_first(&host->channels); at;
             at = list_next(&host->channels, at))
            known.memory_bytes += list_of(at, struct hftl_channel, link)->bytes;
    }
    host_leave(host);
    sizes_give_info(info, &known);
}

void hftl_get_stats(struct hftl_device *host, struct hftl_stats *stats)
{
    struct hftl_stats known;

    if (!host || !stats)
        return;
    memset(&known, 0, sizeof known);
    host_enter(host);
    if (host->engine)
        device_get_stats(host->engine, &known);
    host_leave(host);
    sizes_give_stats(stats, &known);
}

/* ---- cleaning, from outside ------------------------------------------------------------------ */

/* What a visitor changed may give the engine work; it may be asleep. */
static void leave_and_wake(struct hftl_device *host)
{
    host_leave(host);
    bell_ring(&host->doorbell); /* W1 */
}

void hftl_get_limits(struct hftl_device *host, struct hftl_limits *limits)
{
    struct hftl_limits known;

    if (!host || !limits)
        return;
    memset(&known, 0, sizeof known);
    host_enter(host);
    if (host->engine)
        device_get_limits(host->engine, &known);
    host_leave(host);
    sizes_give_limits(limits, &known);
}

enum hftl_status hftl_set_limits(struct hftl_device *host, const struct hftl_limits *limits,
                                 char *why, size_t why_bytes)
{
    struct hftl_limits known;
    struct why reason = {0};
    enum hftl_status status = HFTL_INVALID;

    if (!host || !limits)
        (void)why_say(&reason, status, "no device, or no limits");
    else
        status = sizes_take_limits(&known, limits, &reason);
    if (status == HFTL_OK) {
        host_enter(host);
        status = host->engine ? device_set_limits(host->engine, &known, &reason) : HFTL_CLOSING;
        leave_and_wake(host);
    }
    if (why && why_bytes > 0)
        snprintf(why, why_bytes, "%s",
                 status == HFTL_OK || reason.text[0] ? reason.text : hftl_status_text(status));
    return status;
}

enum hftl_status hftl_set_policy(struct hftl_device *host, const char *name)
{
    enum hftl_status status;

    if (!host || !name)
        return HFTL_INVALID;
    host_enter(host);
    status = host->engine ? device_set_policy(host->engine, name) : HFTL_CLOSING;
    host_leave(host);
    return status;
}

const char *hftl_get_policy(struct hftl_device *host)
{
    const char *name = "";

    if (!host)
        return name;
    host_enter(host);
    if (host->engine)
        name = device_get_policy(host->engine);
    host_leave(host);
    return name;
}

enum hftl_status hftl_pause_cleaning(struct hftl_device *host, bool paused)
{
    enum hftl_status status = HFTL_OK;

    if (!host)
        return HFTL_INVALID;
    host_enter(host);
    if (host->engine)
        device_pause_cleaning(host->engine, paused);
    else
        status = HFTL_CLOSING;
    leave_and_wake(host);
    return status;
}

bool hftl_cleaning_is_paused(struct hftl_device *host)
{
    bool paused;

    if (!host)
        return false;
    host_enter(host);
    paused = host->engine && device_cleaning_is_paused(host->engine);
    host_leave(host);
    return paused;
}

struct hftl_channel *hftl_channel_open(struct hftl_device *host, uint32_t depth)
{
    struct hftl_channel *channel;

    if (!host || atomic_load(&host->closing))
        return NULL;
    channel = channel_create(host, depth);
    if (!channel)
        return NULL;
    host_enter(host);
    list_push_back(&host->channels, &channel->link);
    host_leave(host);
    return channel;
}

void hftl_channel_close(struct hftl_channel *channel)
{
    struct hftl_device *host;

    if (!channel)
        return;
    /* The engine would complete into freed memory: better to stop here, where the mistake is. */
    must_show(channel->in_flight == 0, channel->in_flight, channel->depth);
    host = channel->host;
    host_enter(host);
    loop_forget(host, channel);
    host_leave(host);
    channel_free(channel);
}

/* ---- closing --------------------------------------------------------------------------------- */

/* Calls back what has landed since the channel's thread reaped last. Callbacks that submit again
 * get CLOSING. */
static void settle_channels(struct hftl_device *host)
{
    for (struct list_link *at = list_first(&host->channels), *next; at; at = next) {
        struct hftl_channel *channel = list_of(at, struct hftl_channel, link);
        while (hftl_reap(channel, 0) > 0)
            ;
        must_show(channel->in_flight == 0, channel->in_flight, channel->depth);
        next = list_next(&host->channels, at);
    }
}

enum hftl_status hftl_close(struct hftl_device *host)
{
    enum hftl_status status;
    struct list_link *link;

    if (!host)
        return HFTL_INVALID;
    atomic_store(&host->closing, true);
    if (host->threaded) {
        bell_ring(&host->doorbell); /* W1 */
        pthread_join(host->thread, NULL);
    } else {
        pthread_mutex_lock(&host->lock);
        stop_engine(host);
        pthread_mutex_unlock(&host->lock);
    }
    settle_channels(host);
    while ((link = list_pop_front(&host->channels)))
        channel_free(list_of(link, struct hftl_channel, link));
    status = host->ended;
    free_host(host);
    return status;
}
