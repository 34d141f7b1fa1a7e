/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * world.h - the other world: time that moves when it is looked at, chance from a seed, and memory
 * that is counted.
 *
 * OWNS      the virtual clock and the count of what the engine has not given back.
 * PROMISES  the same seed gives the same world. `bytes` is 0 after a discard or close, or there is
 *           a leak.
 * IGNORES   the medium: waiting for it is doing nothing, because it moves when it is reaped.
 */
#ifndef HOSTFTL_SIM_WORLD_H
#define HOSTFTL_SIM_WORLD_H

#include "base/prng.h"
#include "core/world.h"

struct sim_world {
    struct world world; /* give this to the engine */
    struct prng prng;
    uint64_t now_ns;
    uint64_t bytes, bytes_peak, blocks; /* lent to the engine now, at most, in how many pieces */
    uint64_t allocations;               /* so far */
    uint64_t fail_allocation;           /* this one (1 is the first) gets NULL; 0: none */
    bool fail_all_after;                /* and so do all after it */
    bool verbose;                       /* the engine's log goes to stderr */
};

/* The struct must not move afterwards. */
void sim_world_init(struct sim_world *sim, uint64_t seed);

#endif
