/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clock.h - the time of wrappers that measure or wait.
 *
 * Real time needs no hook. In virtual time the owner of the clock (a simulator, a benchmark) gives
 * one: now_ns reads it, and advance_ns sets it forward when a medium has nothing else to do but to
 * wait. An owner who sets it forward himself gives no advance_ns. Time never goes back.
 */
#ifndef HOSTFTL_MEDIA_CLOCK_H
#define HOSTFTL_MEDIA_CLOCK_H

#include <stdint.h>

struct media_clock {
    uint64_t (*now_ns)(void *arg);
    void (*advance_ns)(void *arg, uint64_t to_ns); /* may be NULL */
    void *arg;
};

/* clock NULL: the monotonic clock of the system. */
uint64_t media_clock_now(const struct media_clock *clock);

#endif
