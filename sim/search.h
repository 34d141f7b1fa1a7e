/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * search.h - goes through all cases of a small world, instead of drawing some.
 *
 * OWNS      the modes, what counts as a case in each, and the set of states that were seen.
 * PROMISES  each case has a path of numbers ("3.120.4") that leads to it alone, whatever else was
 *           tried; `complete` is said only when no case was left out.
 * IGNORES   how a device works: a case is a medium in a state, an oracle, and a fresh engine.
 *
 *      run --o------o------o---        a moment: the medium takes or has done an operation, or a
 *            |      |      |           flush or FUA write was answered
 *            |      +-- way 0, 1, ...  all that a cut can leave (nand_ways), each on a fork
 *            |            '-- recover, read everything, live on, recover again
 *            |                  '--o-----o---- moments of that recovery, again in all ways (nested)
 *
 * SEEN BEFORE   Two cuts often leave the same medium under the same promises. What follows is the
 *           same then, so it is done once: a point counts for each cut, a trial for each state.
 * SAMPLE    A moment with more than `ways` ways is tried in that many, spread evenly, and counted
 *           in `sampled`; the search is not complete then.
 */
#ifndef HOSTFTL_SIM_SEARCH_H
#define HOSTFTL_SIM_SEARCH_H

#include "sim/shapes.h"
#include "sim/stories.h"

#define SEARCH_PATH_MAX 16u

/* X(NAME, name, text) */
#define SEARCH_MODE_LIST(X)                                                                        \
    X(EXHAUSTIVE, "exhaustive", "every moment of a run, cut in every way")                         \
    X(NESTED, "nested", "the same, and every moment of the recoveries, and of theirs")             \
    X(ACE, "ace", "every sequence of a few requests on a few blocks, cut everywhere")              \
    X(OOM, "oom", "every allocation of format and open fails, once and from then on")              \
    X(IOERR, "ioerr", "every operation of the medium fails in every way, once and from then on")   \
    X(BITFLIP, "bitflip", "bits at rest flip: metadata whole, a bit of each block of data")        \
    X(STORM, "storm", "cuts during recovery, one after the other, without any progress")           \
    X(LIAR, "liar", "flushes that make nothing durable, one or all from then on, and a cut")

/* Recoveries cut one inside the other: so many a path has numbers for. */
#define SEARCH_DEPTH_MAX 6u
/* Requests of a word of ace. */
#define SEARCH_ACE_LENGTH_MAX 8u

enum search_mode {
#define SEARCH_MODE_ENUM(name, word, text) SEARCH_##name,
    SEARCH_MODE_LIST(SEARCH_MODE_ENUM)
#undef SEARCH_MODE_ENUM
        SEARCH_MODE_COUNT
};
const char *search_mode_name(enum search_mode mode);
const char *search_mode_text(enum search_mode mode);
/* SEARCH_MODE_COUNT: there is none of that name. */
enum search_mode search_mode_find(const char *name);

struct search_options {
    const struct engine *engine;
    enum search_mode mode;
    const struct shape *shape;
    const struct story *story; /* NULL: all, one run each */
    uint64_t seed;
    uint32_t length;  /* requests of a run, of a word; 0: the mode's */
    uint32_t depth;   /* nested: recoveries that are cut, one inside the other; 0: 2 */
    uint32_t cuts;    /* storm; 0: 10000 */
    uint32_t blocks;  /* ace: that the requests are for, HARNESS_BLOCKS_MAX at most; 0: 2 */
    uint32_t ways;    /* of a moment, at most; 0: all; nested: 64 */
    const char *path; /* this case only; NULL: all */
    unsigned judges;  /* of enum harness_judges; 0: both */
    bool verbose, quiet;
    uint64_t violations_max;
    bool (*is_over)(void *arg); /* NULL: no limit of time */
    void *arg;
};

struct search_report {
    uint64_t runs;       /* told from the start */
    uint64_t points;     /* cases */
    uint64_t sampled;    /* moments of which not all ways were tried */
    uint64_t trials;     /* distinct states that were recovered or opened */
    uint64_t recoveries; /* opens of any kind, each followed by a look at every block or a cut */
    uint64_t judged;     /* blocks */
    uint64_t refused;    /* opens that said no, with a reason; where faults are */
    uint64_t old;        /* blocks of which an older version was served, as FORMAT.md, 12 has it */
    uint64_t changed; /* liar: times that what was seen after the lie was not what was seen later */
    uint64_t violations;
    bool complete;
    bool missed;      /* the path led nowhere */
    char first[512];  /* the first violation */
    char replay[640]; /* the command that shows it */
};

void search_run(const struct search_options *options, struct search_report *report);

#endif
