/* SPDX-License-Identifier: BSD-3-Clause */
/* What the front's tests share: open in either mode, fill and check blocks, wait for callbacks. */
#ifndef HOSTFTL_TEST_FRONT_KIT_H
#define HOSTFTL_TEST_FRONT_KIT_H

#include "base/must.h"
#include "base/prng.h"
#include "test/front/stand.h"
#include "test/unit.h"

#include <hostftl/hostftl.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>

static inline struct hftl_device *kit_open(unsigned flags)
{
    struct hftl_open_options options;
    struct hftl_device *device = NULL;
    char why[256];

    hftl_open_options_init(&options);
    options.flags = flags;
    if (hftl_open_media(stand_medium(16), &options, &device, why, sizeof why) != HFTL_OK)
        fail_msg("%s", why);
    return device;
}

static inline uint64_t kit_blocks(struct hftl_device *device)
{
    struct hftl_info info = {.size = sizeof info};
    hftl_get_info(device, &info);
    return info.blocks;
}

/* A block's bytes are told by its lba and version. */
static inline void kit_fill(void *data, uint64_t lba, uint64_t blocks, uint64_t version)
{
    uint64_t *words = data;
    for (uint64_t i = 0; i < blocks * HFTL_BLOCK_BYTES / sizeof *words; i++)
        words[i] = (lba + i / 512) * 0x9e3779b97f4a7c15u + version + i % 512;
}

static inline bool kit_matches(const void *data, uint64_t lba, uint64_t version)
{
    uint64_t expected[512];
    kit_fill(expected, lba, 1, version);
    return memcmp(data, expected, sizeof expected) == 0;
}

static inline bool kit_readable(int fd, int ms)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    return poll(&ready, 1, ms) == 1;
}

/* Steps or waits until `wanted` callbacks ran on the channel; fails after ten seconds. */
static inline void kit_reap(struct hftl_device *device, struct hftl_channel *channel,
                            unsigned wanted)
{
    unsigned got = 0, idle = 0;

    while (got < wanted) {
        bool more = hftl_step(device);
        got += hftl_reap(channel, 0);
        if (got >= wanted || more)
            continue;
        int fd = hftl_fd(device) >= 0 ? hftl_fd(device) : hftl_channel_fd(channel);
        if (!kit_readable(fd, 1000) && ++idle == 10)
            fail_msg("only %u of %u callbacks came", got, wanted);
    }
    assert_int_equal(got, wanted);
}

static inline void kit_sleep_ms(long ms)
{
    struct timespec span = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    while (nanosleep(&span, &span) != 0)
        ;
}

static inline void kit_reset_manners(void)
{
    memset((void *)&stand, 0, sizeof stand);
}

#endif
