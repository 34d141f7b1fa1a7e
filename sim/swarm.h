/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * swarm.h - random runs, each with half of everything switched off; what fails is made small.
 *
 * OWNS      the switches: kinds of requests and of places, ways to cut, errors, pauses, tunings. A
 *           run that does everything a little never does one thing much: a queue that is only
 *           deep, a device that is never flushed, a drive that only tears.
 * PROMISES  a run is its options alone: the same again has the same hash, of everything that the
 *           medium was asked and answered and that the host was told. Act n of a run does not
 *           depend on the acts before it, so that any of them can be left out.
 *
 *      run     shape, switches, depth, tuning, latency drawn from the seed; then acts 0, 1, ...:
 *              requests, pauses, closes, crashes (some inside recovery), errors of the medium, a
 *              unit that stands still until the power goes
 *      shrink  fewer switches, cuts and errors first; fewer acts; a smaller drive
 */
#ifndef HOSTFTL_SIM_SWARM_H
#define HOSTFTL_SIM_SWARM_H

#include "sim/shapes.h"

#define SWARM_ACTS_MAX 4000u

/* X(NAME, name). Shrinking tries them from the end. The cuts are in the order of nand_cut. */
#define SWARM_LIST(X)                                                                              \
    X(READ, "read")                                                                                \
    X(TRIM, "trim")                                                                                \
    X(ZEROES, "zeroes")                                                                            \
    X(FLUSH, "flush")                                                                              \
    X(BANDS, "flush-bands")                                                                        \
    X(FUA, "fua")                                                                                  \
    X(FILL, "fill") /* first, up to all of the device */                                           \
    X(ZIPF, "zipf")                                                                                \
    X(HOT, "hot") /* an eighth of the device */                                                    \
    X(SEQUENTIAL, "sequential")                                                                    \
    X(OVERLAP, "overlap") /* a few blocks, again and again */                                      \
    X(JOURNAL, "journal") /* as a file system: a circular log, written durably */                  \
    X(LONG, "long")       /* requests of many blocks */                                            \
    X(DEEP, "deep")       /* dozens of requests in flight */                                       \
    X(PAUSE, "pause")     /* steps between requests */                                             \
    X(SETTLE, "settle")   /* until nothing is left to do */                                        \
    X(VERIFY, "verify")                                                                            \
    X(REOPEN, "reopen")                                                                            \
    X(TUNING, "tuning")                                                                            \
    X(DELAY, "delay") /* operations land late, and in another order */                             \
    X(CUT_LOST, "cut-lost")                                                                        \
    X(CUT_KEPT, "cut-kept")                                                                        \
    X(CUT_PREFIX, "cut-prefix")                                                                    \
    X(CUT_TORN, "cut-torn")                                                                        \
    X(CUT_ONE_LOSES, "cut-one-loses")                                                              \
    X(CUT_ONE_KEEPS, "cut-one-keeps")                                                              \
    X(CUT_HALF_ERASED, "cut-half-erased")                                                          \
    X(CUT_LIVES, "cut-lives")                                                                      \
    X(CUT_FLAKY, "cut-flaky")                                                                      \
    X(NESTED, "nested") /* cuts inside recovery */                                                 \
    X(ERRORS, "errors") /* operations of the medium fail */                                        \
    X(FORMAT, "format") /* over the device, by force; not beside errors */

enum swarm_switch {
#define SWARM_ENUM(name, text) SWARM_##name,
    SWARM_LIST(SWARM_ENUM)
#undef SWARM_ENUM
        SWARM_COUNT
};
const char *swarm_switch_name(unsigned number);
/* The switches of a list "torn,deep"; false: one is none. */
bool swarm_switches(const char *list, uint64_t *switches);

struct swarm_options {
    const struct engine *engine;
    const struct shape *shape; /* NULL: by the seed */
    uint64_t seed;
    uint32_t acts;    /* at most SWARM_ACTS_MAX */
    uint64_t off;     /* switches that are off whatever the seed says */
    const char *skip; /* "3-9,12": acts to leave out; NULL: none */
    unsigned judges;  /* of enum harness_judges */
    bool verbose;
};

struct swarm_result {
    struct failure failure;
    uint64_t hash;
    uint64_t acts, crashes, nested, errors, opens, judged, steps;
    uint64_t still;       /* units that stood still */
    uint64_t hung;        /* openings and closings that one of them kept from ending */
    uint64_t waits;       /* requests that one of them kept from being answered */
    uint64_t past_judged; /* by the history */
    double laps;          /* the longest wait, in laps of its drive */
    uint64_t on;          /* switches */
    char shape[24];
    char replay[2048]; /* one command; after swarm_shrink a small one */
};

void swarm_run(const struct swarm_options *options, struct swarm_result *result);
/* Of a run that failed; with at most `tries` further runs. */
void swarm_shrink(const struct swarm_options *options, uint32_t tries, struct swarm_result *result);

#endif
