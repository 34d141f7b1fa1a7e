/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * world.h - the other world: virtual time, chance from a seed, and memory that is counted.
 *
 * OWNS      the count of what the engine has not given back. The clock is the nand's; without one
 *           it moves when it is looked at.
 * PROMISES  the same seed gives the same world. `bytes` is 0 after a discard or close, or there is
 *           a leak. Whoever waits for the medium lets time pass to the next landing, and stops
 *           (must) where nothing will ever land, unless there is `give_up`.
 * IGNORES   what the medium does.
 */
#ifndef HOSTFTL_SIM_WORLD_H
#define HOSTFTL_SIM_WORLD_H

#include "base/prng.h"
#include "core/world.h"
#include "sim/nand.h"

struct sim_world {
    struct world world; /* give this to the engine */
    struct prng prng;
    struct nand *nand;                  /* whose clock it is; NULL: none's */
    uint64_t now_ns;                    /* of a world without a nand */
    uint64_t bytes, bytes_peak, blocks; /* lent to the engine now, at most, in how many pieces */
    uint64_t allocations;               /* so far */
    uint64_t refused;                   /* of them */
    uint64_t fail_allocation;           /* this one (1 is the first) gets NULL; 0: none */
    bool fail_all_after;                /* and so do all after it */
    bool verbose;                       /* the engine's log goes to stderr */
    struct sim_loan *loans;             /* what the engine has */
    /* The drive stands still and somebody waits for it: does not return, if it is there. */
    void (*give_up)(void *arg);
    void *give_up_arg;
};

/* The struct must not move afterwards. */
void sim_world_init(struct sim_world *sim, uint64_t seed);
/* The engine is gone without a word: takes back what it had. */
void sim_world_take_all(struct sim_world *sim);

#endif
