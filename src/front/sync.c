/* SPDX-License-Identifier: BSD-3-Clause */
/* One request at a time: submit, then wait in the way that suits whoever runs the engine. */
#define _GNU_SOURCE
#include "front/channel.h"
#include "front/host.h"

#include <errno.h>
#include <poll.h>
#include <sys/uio.h>

static void note_landing(struct hftl_request *request)
{
    bool *landed = request->arg;
    *landed = true;
}

static void wait_readable(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    while (poll(&ready, 1, -1) < 0 && errno == EINTR)
        ;
}

enum hftl_status hftl_run(struct hftl_channel *channel, struct hftl_request *request)
{
    bool landed = false, queued = false, more;
    enum hftl_status status;

    if (!channel || !request)
        return HFTL_INVALID;
    request->done = note_landing;
    request->arg = &landed;
    status = channel_accept(channel, request, &queued);
    if (status != HFTL_OK)
        return status;
    /* What lands while we help need not wake us. From hftl_reap on it does again. */
    if (channel->host->helped)
        bell_awake(&channel->bell);
    if (queued)
        host_help(channel->host, channel);
    for (;;) {
        more = hftl_step(channel->host); /* false with a thread */
        hftl_reap(channel, 0);
        if (landed)
            return request->status;
        if (!more)
            wait_readable(channel->host->threaded ? channel->bell.fd : hftl_fd(channel->host));
    }
}

enum hftl_status hftl_read(struct hftl_channel *channel, uint64_t lba, uint64_t blocks, void *data)
{
    struct iovec iov = {.iov_base = data, .iov_len = blocks * HFTL_BLOCK_BYTES};
    struct hftl_request request = {
        .verb = HFTL_READ, .lba = lba, .blocks = blocks, .iov = &iov, .iov_count = 1};
    return hftl_run(channel, &request);
}

enum hftl_status hftl_write(struct hftl_channel *channel, uint64_t lba, uint64_t blocks,
                            const void *data, unsigned flags)
{
    /* The engine only reads from the iovecs of a WRITE. */
    struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = blocks * HFTL_BLOCK_BYTES};
    struct hftl_request request = {.verb = HFTL_WRITE,
                                   .flags = flags,
                                   .lba = lba,
                                   .blocks = blocks,
                                   .iov = &iov,
                                   .iov_count = 1};
    return hftl_run(channel, &request);
}

enum hftl_status hftl_trim(struct hftl_channel *channel, uint64_t lba, uint64_t blocks,
                           unsigned flags)
{
    struct hftl_request request = {.verb = HFTL_TRIM, .flags = flags, .lba = lba, .blocks = blocks};
    return hftl_run(channel, &request);
}

enum hftl_status hftl_flush(struct hftl_channel *channel)
{
    struct hftl_request request = {.verb = HFTL_FLUSH};
    return hftl_run(channel, &request);
}

enum hftl_status hftl_flush_bands(struct hftl_channel *channel)
{
    struct hftl_request request = {.verb = HFTL_FLUSH_BANDS};
    return hftl_run(channel, &request);
}
