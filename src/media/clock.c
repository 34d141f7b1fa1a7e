/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "media/clock.h"

#include <time.h>

uint64_t media_clock_now(const struct media_clock *clock)
{
    struct timespec now;
    if (clock)
        return clock->now_ns(clock->arg);
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
