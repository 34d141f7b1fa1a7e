/* SPDX-License-Identifier: BSD-3-Clause */
/* Planted: an engine that found a channel empty lets go of it without a second look. A client who
 * submits in between takes the channel for one that is still looked at, and does not ring: nobody
 * wakes, and the close does not find the request. */
#include "front/channel.h"

struct hftl_request *channel_take_well(struct hftl_channel *channel, bool *again);

#define channel_take channel_take_well
#include "front/channel.c"
#undef channel_take

struct hftl_request *channel_take(struct hftl_channel *channel, bool *again)
{
    struct hftl_request *request = ring_pop(&channel->submitted);

    *again = request != NULL;
    if (request == NULL)
        atomic_exchange(&channel->queued, false);
    return request;
}
