/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * live.h - the world as it is: the engine's clock, chance, memory and log on a running machine.
 *
 * I own      a handful of random words, a count of the bytes lent, where the log goes.
 * I promise  what world.h asks for. Memory of a page or more begins on a page, so that media may
 *            transfer it directly.
 * I ignore   engines, threads. One thread at a time uses a live world.
 */
#ifndef HOSTFTL_FRONT_LIVE_H
#define HOSTFTL_FRONT_LIVE_H

#include "core/world.h"

#define LIVE_RANDOM_WORDS 32u

struct live {
    uint64_t random[LIVE_RANDOM_WORDS];
    unsigned random_left;
    uint64_t bytes; /* lent and not given back */
    hftl_log_fn log;
    void *log_arg;
};

void live_init(struct live *live, hftl_log_fn log, void *log_arg);
/* The table to hand to the engine; `live` must outlive it. */
struct world live_world(struct live *live);

#endif
