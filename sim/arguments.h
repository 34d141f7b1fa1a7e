/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * arguments.h - the command line of hostftl-sim.
 *
 * OWNS      names, bounds and defaults of options, and who takes which.
 * PROMISES  nothing is silently left out: a value that is none, or beyond what the verb can do, and
 *           an option that the verb, or the mode of `explore`, does not take end the program with a
 *           sentence and EXIT_USAGE.
 */
#ifndef HOSTFTL_SIM_ARGUMENTS_H
#define HOSTFTL_SIM_ARGUMENTS_H

#include "sim/campaign.h"
#include "sim/model.h"
#include "sim/search.h"
#include "sim/swarm.h"

enum { EXIT_VIOLATION = 1, EXIT_USAGE = 2, EXIT_CANNOT = 77 };

enum verb { VERB_CUTS, VERB_EXPLORE, VERB_SWARM, VERB_MODEL, VERB_MUTANTS, VERB_COUNT };

struct arguments {
    enum verb verb;
    const char *mutant; /* plant this one */
    struct campaign_options campaign;
    struct model_options model;
    struct search_options search;
    struct swarm_options swarm;
    enum nand_latency latency;
    uint64_t runs;
    bool list, json, seeded;
    uint64_t given; /* options, by their letters */
};

/* Returns only if all of it makes sense. */
void arguments_parse(struct arguments *arguments, int argc, char **argv);

#endif
