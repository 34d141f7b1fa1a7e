/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * swarm_inside.h - what swarm.c (runs) and swarm_shrink.c share. For nobody else.
 */
#ifndef HOSTFTL_SIM_SWARM_INSIDE_H
#define HOSTFTL_SIM_SWARM_INSIDE_H

#include "sim/swarm.h"

struct swarm {
    const struct swarm_options *options;
    struct swarm_result *result;
    struct shape shape;
    struct harness harness;
    struct nand *nand;
    uint64_t on, hash;
    uint32_t acts, depth, fill_percent, crash_every, flush_every, still_every;
    uint64_t waited; /* openings and closings so far: the place of each in the seed */
    bool ending;     /* nothing stands still any more */
    bool skipped[SWARM_ACTS_MAX];
};

/* Options and the acts to leave out; the rest is made anew by each run. */
void swarm_prepare(struct swarm *swarm, const struct swarm_options *options);
void swarm_run_prepared(struct swarm *swarm, struct swarm_result *result);
void swarm_write_replay(const struct swarm *swarm, struct swarm_result *result);

#endif
