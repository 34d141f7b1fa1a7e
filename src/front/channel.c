/* SPDX-License-Identifier: BSD-3-Clause */
#include "front/channel.h"

#include "base/must.h"
#include "front/check.h"
#include "front/host.h"

#include <stdlib.h>
#include <time.h>

static uint32_t round_depth(uint32_t depth)
{
    uint32_t power = 1;

    if (depth == 0)
        return CHANNEL_DEPTH_DEFAULT;
    if (depth > CHANNEL_DEPTH_MAX)
        depth = CHANNEL_DEPTH_MAX;
    while (power < depth)
        power *= 2;
    return power;
}

struct hftl_channel *channel_create(struct hftl_device *host, uint32_t depth)
{
    struct hftl_channel *channel;
    size_t bytes;

    depth = round_depth(depth);
    bytes = sizeof *channel + 2 * (size_t)depth * sizeof(struct ring_slot);
    channel = calloc(1, bytes);
    if (!channel)
        return NULL;
    if (!bell_init(&channel->bell)) {
        free(channel);
        return NULL;
    }
    channel->host = host;
    channel->depth = depth;
    channel->bytes = (uint32_t)bytes;
    ring_init(&channel->submitted, channel->slots, depth);
    ring_init(&channel->landed, channel->slots + depth, depth);
    atomic_init(&channel->queued, false);
    link_init(&channel->link);
    link_init(&channel->turn);
    sender_init(&channel->sender);
    link_init(&channel->landings);
    return channel;
}

void channel_free(struct hftl_channel *channel)
{
    must(!link_is_linked(&channel->sender.writes.turn) && /* T1: nothing of it waits */
         !link_is_linked(&channel->sender.reads.turn));
    const struct timespec moment = {.tv_nsec = 20000};
    /* Who is rung may be here before the ringer has come back from it. A sleep, so that the ringer
     * gets on whatever the priorities. */
    while (atomic_load(&channel->callers) > 0)
        nanosleep(&moment, NULL);
    bell_free(&channel->bell);
    free(channel);
}

/* ---- the client's side ----------------------------------------------------------------------- */

enum hftl_status channel_accept(struct hftl_channel *channel, struct hftl_request *request,
                                bool *queued)
{
    struct hftl_device *host = channel->host;
    enum hftl_status status;

    if (atomic_load_explicit(&host->closing, memory_order_acquire))
        return HFTL_CLOSING;
    status = check_request(request, host->blocks);
    if (status != HFTL_OK)
        return status;
    if (channel->in_flight == channel->depth)
        return HFTL_AGAIN;

    channel->in_flight++;
    request->internal[CHANNEL_INTERNAL_WORD] = (uintptr_t)channel; /* N4 */
    bool pushed = ring_push(&channel->submitted, request);
    must_show(pushed, channel->in_flight, channel->depth); /* N1 */
    *queued = !atomic_exchange(&channel->queued, true);    /* N2 */
    if (*queued)
        host_queue(host, channel);
    return HFTL_OK;
}

enum hftl_status hftl_submit(struct hftl_channel *channel, struct hftl_request *request)
{
    enum hftl_status status;
    bool queued = false;

    if (!channel || !request)
        return HFTL_INVALID;
    status = channel_accept(channel, request, &queued);
    if (queued)
        host_ring(channel->host);
    return status;
}

static struct hftl_request *next_landed(struct hftl_channel *channel)
{
    struct hftl_request *request = channel->held;

    channel->held = NULL;
    return request ? request : ring_pop(&channel->landed);
}

unsigned hftl_reap(struct hftl_channel *channel, unsigned max)
{
    unsigned count = 0;

    if (!channel)
        return 0;
    /* A callback may submit again and the engine be quick: "all there are" has an end. */
    if (max == 0)
        max = channel->depth;
    bell_listen(&channel->bell); /* before looking: W2 */
    for (;;) {
        struct hftl_request *request = next_landed(channel);
        if (!request)
            return count;
        if (count == max) {
            channel->held = request;
            bell_ring(&channel->bell); /* there is still something to reap */
            return count;
        }
        count++;
        must_show(channel->in_flight > 0, channel->in_flight, channel->depth);
        channel->in_flight--;
        request->done(request); /* it may submit, reap, free the request */
    }
}

int hftl_channel_fd(const struct hftl_channel *channel)
{
    return channel ? channel->bell.fd : -1;
}

/* ---- the engine's side ----------------------------------------------------------------------- */

struct hftl_request *channel_take(struct hftl_channel *channel, bool *again)
{
    struct hftl_request *request = ring_pop(&channel->submitted);

    *again = true;
    if (request)
        return request;
    atomic_exchange(&channel->queued, false); /* N2 */
    *again = false;
    request = ring_pop(&channel->submitted);
    if (!request)
        return NULL;
    /* A submit came in between. Either it saw `queued` still true: then it is for us to keep the
     * channel. Or it has put the channel on the ready stack already. */
    *again = !atomic_exchange(&channel->queued, true);
    return request;
}

struct hftl_channel *channel_land(struct hftl_request *request)
{
    uintptr_t word = (uintptr_t)request->internal[CHANNEL_INTERNAL_WORD];
    struct hftl_channel *channel = (struct hftl_channel *)word;

    must(channel != NULL);
    request->internal[CHANNEL_INTERNAL_WORD] = 0; /* a second landing is caught above */
    must_show((unsigned)request->status < HFTL_STATUS_COUNT, request->status, request->verb);
    must_show(ring_push(&channel->landed, request), channel->depth, 0); /* N1 */
    return channel;
}

void channel_announce(struct hftl_channel *channel)
{
    bell_ring(&channel->bell);
}
