/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * load.h - keeps a device busy: so many requests in flight, each followed by the next.
 *
 * OWNS      a channel, its slots with their memory, the measuring of each request.
 * PROMISES  requests come from the seed alone. A run ends after its count, its time or a signal,
 *           when all that was in flight has come back and a flush has ended: what a run counts is
 *           on the medium, and none of it spills into the next run. That flush's time is the run's.
 *           A request that fails is counted, and does not end the run.
 * IGNORES   why: preconditioning and measuring are the same to it.
 *
 *     slot: draw -> submit -> in flight -> done --(flush_each and it was a write)--> flush -> draw
 *
 * The engine runs on this loop (hftl_step), so that all is done by one thread: processor time is
 * the engine's, the medium's and this loop's together.
 */
#ifndef HOSTFTL_TOOL_LOAD_H
#define HOSTFTL_TOOL_LOAD_H

#include <signal.h>

#include <hostftl/hostftl.h>

#include "base/histogram.h"
#include "tool/chooser.h"

/* What is drawn, in a thousand; the rest is WRITE. */
struct load_mix {
    unsigned reads_permille, trims_permille;
    bool flush_each; /* each write is followed by a flush, and its slot waits for that */
};

struct load_options {
    struct hftl_device *device;
    struct load_mix mix;
    struct chooser_shape places;
    uint32_t request_blocks; /* of READ, WRITE and TRIM; the last place may have fewer */
    uint32_t depth;          /* requests in flight */
    uint64_t seed;
    const volatile sig_atomic_t *stop;                          /* set by a signal */
    void (*progress)(void *arg, uint64_t done, uint64_t total); /* or NULL */
    void *progress_arg;
};

/* When a run ends; 0: not because of this. Both 0: when stopped. */
struct load_end {
    uint64_t count; /* requests, without flushes */
    uint64_t ns;
};

/*
 * How much was done when: counts[i] requests had been begun when i + 1 steps were over. A step
 * grows with the run, so that there is always room.
 */
#define LOAD_STEPS_MAX 240u
#define LOAD_STEP_NS 20000000u /* at first */
struct load_series {
    uint64_t step_ns;
    uint32_t count;
    uint64_t counts[LOAD_STEPS_MAX];
};

enum load_verb { LOAD_READ, LOAD_WRITE, LOAD_TRIM, LOAD_FLUSH, LOAD_VERB_COUNT };

struct load_result {
    uint64_t counts[LOAD_VERB_COUNT]; /* that came back, well or not; without the last flush */
    uint64_t failed;
    uint64_t blocks_read, blocks_written, blocks_trimmed;
    uint64_t elapsed_ns;    /* with the last flush */
    uint64_t cpu_ns;        /* user and system, of the whole process */
    uint64_t thread_ns;     /* of this thread: the engine's, and that of media without threads */
    enum hftl_status error; /* the first */
    struct histogram latency_ns[LOAD_VERB_COUNT];
    struct load_series series;
};

struct load;

/* Of the calling thread: nanoseconds. */
uint64_t load_thread_ns(void);
/* NULL: no memory. */
struct load *load_open(const struct load_options *options);
/* May be called again: the sequence goes on. */
void load_run(struct load *load, const struct load_end *end, struct load_result *result);
void load_close(struct load *load);

#endif
