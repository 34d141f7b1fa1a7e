/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mutants.h - is the explorer any good? Every planted bug of the engine has to be caught by it.
 *
 * Each name is a bug that a build with -Dmutants=true can switch on (base/mutant.h). For each, a
 * process of its own explores until a violation or the end of the budget. A mutant that survives is
 * a hole in the net, and the gate fails. "none" comes first and has to survive: otherwise the
 * others prove nothing.
 */
#ifndef HOSTFTL_SIM_MUTANTS_H
#define HOSTFTL_SIM_MUTANTS_H

#include "sim/campaign.h"

struct mutant_result {
    const char *name;
    bool caught;
    double cpu_seconds;
    uint64_t seed; /* of the run that caught it */
    struct tally tally;
};

unsigned mutants_count(void);
const char *mutants_name(unsigned index);
/* False: this build has none. */
bool mutants_are_here(void);
/* Explores with that bug; name NULL: without one. */
void mutants_try(const struct campaign_options *options, const char *name,
                 struct mutant_result *result);

#endif
