/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench.h - what hostftl bench was asked, what it measured, and how that is told.
 *
 * OWNS      the words for workloads and metrics.
 * PROMISES  a metric that was not measured is absent (NaN; null in JSON), never 0. Each metric is
 *           told as its median, lowest and highest over the runs; counts are told for each run.
 * IGNORES   how requests are made (load.h), what passes the medium's door (meter.h), what a block
 *           costs without a layer (floor.h).
 *
 *     floor --> open --> precondition --> run 1 --> run 2 ... --> tell     a new device: format
 *                   fill, then windows until WAF is steady                 before each run instead
 */
#ifndef HOSTFTL_TOOL_BENCH_H
#define HOSTFTL_TOOL_BENCH_H

#include "tool/load.h"
#include "tool/meter.h"
#include "tool/tool.h"

#define BENCH_RUNS_MAX 100u

/*
 * STEADY: a window is a quarter of the device's blocks, overwritten as the workload writes. Steady
 * is when the WAFs of the last four windows, which are one overwrite of the whole device, differ by
 * at most 5 % of their mean; given up after 64 windows, and said so. Why so? Cleaning lags behind
 * the user by what is spare, a fraction of the device: within one overwrite each block that the
 * fill left in order has met its successor.
 */
#define BENCH_WINDOWS_A_DEVICE 4u
#define BENCH_WINDOWS_STEADY 4u
#define BENCH_WINDOWS_MAX 64u
#define BENCH_STEADY_PERMILLE 50u

enum bench_before { BENCH_NONE, BENCH_FILL, BENCH_STEADY };
/* Which places: one after the other, each once at random, or as is asked for. */
enum bench_order { BENCH_IN_ORDER, BENCH_ONCE, BENCH_AS_ASKED };

struct bench_workload {
    const char *name;
    struct load_mix mix;
    enum bench_order order;
    enum bench_before before; /* unless something else is asked for */
    bool fresh;               /* of a new device: formatted before each run, written once */
};

struct bench_asked {
    const char *device; /* holds a device, or NULL */
    const char *medium; /* a device is made on it, or NULL */
    const char *report; /* a file, or NULL */
    const struct bench_workload *workload;
    struct chooser_shape places;
    uint32_t op_permille; /* 0: as the library has it */
    enum hftl_verify verify;
    uint64_t verify_cache_bytes;
    bool force;
    bool before_given;
    enum bench_before before;
    uint64_t request_bytes, depth, seed, runs, count, seconds; /* 0: the default */
};

#define BENCH_LATENCY_METRICS(X, verb, VERB, label)                                                \
    X(verb##_p50_ns, label ", 50 % below", NS)                                                     \
    X(verb##_p99_ns, label ", 99 % below", NS)                                                     \
    X(verb##_p999_ns, label ", 99.9 % below", NS)                                                  \
    X(verb##_p9999_ns, label ", 99.99 % below", NS)                                                \
    X(verb##_max_ns, label ", longest", NS)

/* X(key in JSON, label, unit) */
#define BENCH_METRICS(X)                                                                           \
    X(operations_per_second, "Operations a second", COUNT)                                         \
    X(bytes_per_second, "Bytes a second", BYTES)                                                   \
    X(cpu_ns_per_operation, "Processor time an operation", NS)                                     \
    X(thread_ns_per_operation, "  of it this thread's", NS)                                        \
    X(cpu_per_floor, "  that in floors", RATIO)                                                    \
    BENCH_LATENCY_METRICS(X, read, READ, "Read")                                                   \
    BENCH_LATENCY_METRICS(X, write, WRITE, "Write")                                                \
    BENCH_LATENCY_METRICS(X, trim, TRIM, "Trim")                                                   \
    BENCH_LATENCY_METRICS(X, flush, FLUSH, "Flush")                                                \
    X(waf, "WAF", RATIO)                                                                           \
    X(waf_user, "  of it user", RATIO)                                                             \
    X(waf_relocation, "  of it relocation", RATIO)                                                 \
    X(waf_meta, "  of it metadata", RATIO)                                                         \
    X(waf_pad, "  of it padding", RATIO)                                                           \
    X(medium_reads_per_operation, "Medium reads an operation", RATIO)                              \
    X(medium_writes_per_operation, "Medium writes an operation", RATIO)                            \
    X(medium_resets_per_operation, "Medium resets an operation", RATIO)                            \
    X(medium_flushes_per_operation, "Medium flushes an operation", RATIO)

enum bench_metric {
#define BENCH_METRIC_NAME(key, label, unit) BENCH_##key,
    BENCH_METRICS(BENCH_METRIC_NAME)
#undef BENCH_METRIC_NAME
        BENCH_METRIC_COUNT
};

/* What changed during a run. */
struct bench_delta {
    struct hftl_stats stats; /* of the engine: only what bench_tell.c tells */
    struct meter_counts door;
};

struct bench_run {
    struct load_result load;
    struct bench_delta delta;
    double metrics[BENCH_METRIC_COUNT];
};

/*
 * What a block costs without a layer, of this thread's time: medians of BENCH_FLOOR_PASSES. A pass
 * is all of a medium of the device's shape, but at most BENCH_FLOOR_BYTES of it.
 */
#define BENCH_FLOOR_PASSES 5u
#define BENCH_FLOOR_BYTES (UINT64_C(1) << 30)
struct bench_floor {
    bool measured;
    uint64_t bytes;  /* of the medium that it was measured on */
    double write_ns; /* into chunks that had been written before */
    double fresh_ns; /* into chunks that had not: their memory is cleared */
    double read_ns, copy_ns, crc_ns;
};

struct bench {
    const struct tool *tool;
    const struct bench_asked *asked;
    struct bench_floor floor;
    struct hftl_media *meter; /* the device's, while that is open */
    struct hftl_device *device;
    struct hftl_info info; /* after the last open */
    enum bench_before before;
    uint32_t windows; /* of preconditioning */
    double window_wafs[BENCH_WINDOWS_MAX];
    bool steady;
    bool interrupted;
    unsigned messages; /* of the engine, that were told */
    struct bench_run *runs;
    uint32_t run_count;
    FILE *report; /* from before the measuring, so that it fails then; or NULL */
};

/*
 * What came through the medium's door for each block that the user wrote; NaN where he wrote none.
 * Its parts are the engine's own account, which counts a block when it joins a write unit: they may
 * differ from the door by the units that were being filled when the run began and ended.
 */
double bench_waf(const struct bench_run *run);
/* Which places the workload takes. */
struct chooser_shape bench_places(const struct bench_asked *asked);
/* Before anything is opened for writing; without memory for it there is none. */
void bench_floor_measure(struct bench_floor *floor, const struct hftl_media_facts *facts);
/* The most memory that the process ever had: from now on only. */
void bench_forget_peak(void);
/* From a run's load and delta to its metrics. */
void bench_measure(const struct bench *bench, struct bench_run *run);
/* On the standard output, and in the report. An exit code. */
int bench_tell(struct bench *bench);
/* Exit codes; without a report that is asked for they do nothing. */
int bench_report_open(struct bench *bench);
int bench_report_write(struct bench *bench, json_t *data);

#endif
