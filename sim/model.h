/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * model.h - random requests on random drives against the oracle, with all invariants after every
 * step; what fails is made small.
 *
 * OWNS      the list of acts that a seed stands for: requests of all verbs, overlapping, many in
 *           flight; pauses; closing and opening; crashes of every kind.
 * PROMISES  a list is run the same way every time, with any of its acts left out. So a failing list
 *           is shrunk by leaving out halves, quarters ... as long as it still fails, and what is
 *           left is one command line.
 */
#ifndef HOSTFTL_SIM_MODEL_H
#define HOSTFTL_SIM_MODEL_H

#include "sim/shapes.h"

#define MODEL_ACTS_MAX 2000u

struct model_options {
    const struct engine *engine;
    const struct shape *shape; /* NULL: one made from the seed */
    uint64_t seed;
    uint32_t acts;    /* at most MODEL_ACTS_MAX */
    const char *skip; /* "3-9,12": acts to leave out; NULL: none */
    unsigned judges;  /* of enum harness_judges */
    bool verbose;
};

struct model_result {
    struct failure failure;
    uint32_t acts, crashes;
    uint64_t steps, judged;
    char replay[1024]; /* after shrinking, when it failed */
};

/* Runs the list once. */
void model_run(const struct model_options *options, struct model_result *result);
/* Runs it, and if it fails, shrinks it with at most `tries` further runs. */
void model_run_and_shrink(const struct model_options *options, uint32_t tries,
                          struct model_result *result);

#endif
