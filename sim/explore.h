/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * explore.h - cuts a story's power at every operation of the medium, in every way, and looks.
 *
 * OWNS      one run of a story on a nand; at its moments, forks of nand and oracle.
 * PROMISES  each case is named by (story, shape, seed, op, variant) alone: what happens in it,
 *           nested cuts included, depends on nothing else, so that a violation is one command line.
 *
 *      story   ---o------o------o------o------o----->  close, open, verify
 *                 0      1      2      3      4         op: an operation of the medium was
 *                        submitted |                              or landed, or a flush or FUA was
 *                        answered |-- variant 0: cut, recover, judge, go on, cut, recover, judge,
 *                        close ... |-- variant 1: ...
 *                        '-- recover, cut in the middle of it, recover, judge ...    (nested)
 *
 * SAMPLE    A run has thousands of ops, with several variants each. A pass takes those ops whose
 *           number, hashed, falls into the pass's slot: passes never repeat a case, and a pass
 *           alone is spread over the whole run.
 */
#ifndef HOSTFTL_SIM_EXPLORE_H
#define HOSTFTL_SIM_EXPLORE_H

#include "sim/shapes.h"
#include "sim/stories.h"

struct tally {
    uint64_t cuts;          /* distinct (story, shape, seed, op, variant) */
    uint64_t recoveries;    /* opens after any cut */
    uint64_t nested;        /* cuts inside a recovery */
    uint64_t judged;        /* blocks read and judged after a cut */
    uint64_t runs, moments; /* stories told from the start, and their ops */
    uint64_t violations;
    char first[512];  /* the first violation */
    char replay[640]; /* the command that shows it */
};

struct explore_options {
    const struct engine *engine;
    const struct story *story;
    const struct shape *shape;
    uint64_t seed;
    int64_t op;                 /* this one only; -1: the pass's */
    int variant;                /* this one only; -1: all that matter */
    uint64_t pass;              /* 0, 1, ... */
    uint64_t moments;           /* of the run, if an earlier call counted them; 0: count now */
    uint32_t points;            /* about so many ops in a pass */
    uint64_t violations_max;    /* stop when the tally has so many */
    unsigned judges;            /* of enum harness_judges */
    bool verbose;               /* say what happens, for a replay */
    bool quiet;                 /* print no violations */
    bool (*is_over)(void *arg); /* NULL: no limit of time */
    void *arg;
};

/* One pass over one run; adds to the tally. Returns the moments of the run, for the next pass. */
uint64_t explore(const struct explore_options *options, struct tally *tally);
/* How many passes there are. */
uint64_t explore_passes(const struct explore_options *options, uint64_t moments);

#endif
