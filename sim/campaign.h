/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * campaign.h - many explorations within a budget of time: every story on every shape, evenly.
 *
 * Each pair of story and shape gets its share of the budget in the first pass, spread over the
 * whole of its run; more passes follow as long as there is time, and with other seeds when a pair
 * has no op left that was not cut. No case is done twice.
 */
#ifndef HOSTFTL_SIM_CAMPAIGN_H
#define HOSTFTL_SIM_CAMPAIGN_H

#include "sim/explore.h"

struct campaign_options {
    const struct engine *engine;
    const struct story *story; /* NULL: all */
    const struct shape *shape; /* NULL: all */
    uint64_t seed;
    int64_t op;  /* -1: all */
    int variant; /* -1: all */
    double budget_seconds;
    bool cpu_time;           /* the budget is of processor time */
    uint64_t violations_max; /* stop after so many */
    unsigned judges;         /* of enum harness_judges */
    bool verbose, quiet;
    bool progress; /* a line on stderr that is written over */
};

void campaign_run(const struct campaign_options *options, struct tally *tally);

/* Seconds of a clock that only serves budgets. */
double campaign_clock(void);

#endif
