/* SPDX-License-Identifier: BSD-3-Clause */
/* Planted: the ring's place is published before what is in it has been written: the word that leads
 * from the request to its channel comes late. */
#include "front/channel.h"

static bool push_early(struct ring *ring, struct hftl_request *request)
{
    uint64_t word = request->internal[CHANNEL_INTERNAL_WORD];

    request->internal[CHANNEL_INTERNAL_WORD] = 0;
    bool pushed = ring_push(ring, request);
    fibre_point();
    if (word != 0)
        request->internal[CHANNEL_INTERNAL_WORD] = word;
    return pushed;
}

#define ring_push(ring, request) push_early(ring, request)
#include "front/channel.c"
