/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * epoll.c - the engine on the caller's own event loop: no thread, nobody waits. Writes a number of
 * blocks, as many at a time as the channel is deep, flushes, reads them back and compares.
 *
 *     cc epoll.c $(pkg-config --cflags --libs hostftl) -o epoll && ./epoll d.img 5000
 */
#include <hostftl/hostftl.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#define DEPTH 32u

struct slot {
    struct hftl_request request;
    struct iovec iov;
    uint64_t words[HFTL_BLOCK_BYTES / sizeof(uint64_t)];
};

static struct hftl_channel *channel;
static struct slot slots[DEPTH];
static enum hftl_verb phase = HFTL_WRITE; /* then FLUSH, then READ */
static uint64_t blocks, blocks_next, in_flight, wrong;
static enum hftl_status first_error = HFTL_OK;

static uint64_t word_of(uint64_t lba, size_t i)
{
    return lba * 0x9E3779B97F4A7C15u ^ i;
}

/* Fills the slot with the phase's next request, if there is one. */
static void submit_next(struct slot *slot)
{
    uint64_t count = phase == HFTL_FLUSH ? 1 : blocks;
    if (blocks_next == count || first_error != HFTL_OK)
        return;
    bool data = phase != HFTL_FLUSH;
    slot->request.verb = phase;
    slot->request.lba = data ? blocks_next : 0;
    slot->request.blocks = data ? 1 : 0;
    slot->iov = (struct iovec){slot->words, sizeof slot->words};
    slot->request.iov = data ? &slot->iov : NULL;
    slot->request.iov_count = data ? 1 : 0;
    for (size_t i = 0; phase == HFTL_WRITE && i < HFTL_BLOCK_BYTES / sizeof(uint64_t); i++)
        slot->words[i] = word_of(blocks_next, i);
    enum hftl_status status = hftl_submit(channel, &slot->request);
    if (status != HFTL_OK) {
        first_error = status;
        return;
    }
    blocks_next++;
    in_flight++;
}

/* Runs inside hftl_reap. A request may be used again from here. */
static void done(struct hftl_request *request)
{
    struct slot *slot = request->arg;
    in_flight--;
    if (request->status != HFTL_OK)
        first_error = request->status;
    for (size_t i = 0; phase == HFTL_READ && i < HFTL_BLOCK_BYTES / sizeof(uint64_t); i++)
        wrong += slot->words[i] != word_of(request->lba, i);
    submit_next(slot);
}

/* True: there is more to do. A phase is over when nothing of it is in flight. */
static bool go_on(void)
{
    if (in_flight > 0)
        return true;
    if (first_error != HFTL_OK || (phase == HFTL_READ && blocks_next == blocks))
        return false;
    if (blocks_next > 0)
        phase = phase == HFTL_WRITE ? HFTL_FLUSH : HFTL_READ;
    blocks_next = 0;
    for (size_t i = 0; i < DEPTH; i++)
        submit_next(&slots[i]);
    return in_flight > 0;
}

static void watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        perror("epoll_ctl");
        exit(1);
    }
}

int main(int argc, char **argv)
{
    struct hftl_device *device;
    struct epoll_event event;
    char why[256];

    blocks = argc > 2 ? strtoull(argv[2], NULL, 0) : 1000;
    if (hftl_open(argc > 1 ? argv[1] : "d.img", NULL, &device, why, sizeof why) != HFTL_OK) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    channel = hftl_channel_open(device, DEPTH);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (channel == NULL || epoll < 0) {
        fprintf(stderr, "no channel, or no epoll\n");
        return 1;
    }
    watch(epoll, hftl_fd(device)); /* readable: hftl_step has work */
    for (size_t i = 0; i < DEPTH; i++) {
        slots[i].request.done = done;
        slots[i].request.arg = &slots[i];
    }
    while (go_on()) {
        bool more = hftl_step(device);
        unsigned reaped = hftl_reap(channel, 0);
        if (!more && reaped == 0)
            epoll_wait(epoll, &event, 1, -1);
    }
    enum hftl_status closed = hftl_close(device);
    printf("%llu blocks: %s, %llu words wrong\n", (unsigned long long)blocks,
           hftl_status_text(first_error), (unsigned long long)wrong);
    close(epoll);
    return first_error != HFTL_OK || closed != HFTL_OK || wrong != 0;
}
