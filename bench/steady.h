/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * steady.h - the engine on a slow drive in virtual time, under a load that does not let up.
 *
 *      load --> device --> guard --> delay --> mem        one thread; nobody sleeps
 *
 * OWNS      drive, device, requests, and the clock of all of them.
 * PROMISES  the clock stands still while anything can be done, and then goes to the next landing
 *           or arrival: latencies are those of the drive's times alone, to the nanosecond, and the
 *           same for each run of a seed.
 * IGNORES   what the processor takes; what is written.
 *
 * A CLOSED load keeps `depth` requests in flight. An OPEN one (period_ns) has one arrive each
 * period, in flight or not, as users of a drive that is not full do: latency counts from there, so
 * a stall is paid by all who arrive in it.
 */
#ifndef HOSTFTL_BENCH_STEADY_H
#define HOSTFTL_BENCH_STEADY_H

#include "base/prng.h"
#include "core/device.h"
#include "media/delay.h"
#include "media/mem.h"

#include <sys/uio.h>

#define STEADY_DEPTH 32u
#define STEADY_OPEN_MAX 4096u /* of an open load in flight; the others wait outside */

struct steady_shape {
    const char *name;
    struct hftl_media_facts facts;
    uint32_t units;                   /* parallel units of the drive */
    uint32_t columns;                 /* of a band; 0: as the geometry has it */
    uint64_t suspend_ns, progress_ns; /* 0: reads suspend nothing */
};

struct steady_slot {
    struct hftl_request request;
    struct iovec iov;
    struct steady *steady;
    uint64_t begun_ns; /* arrived */
    struct steady_slot *next;
};

/* One kind of request of a run. */
struct steady_load {
    enum hftl_verb verb;
    uint32_t depth;     /* 0: none */
    uint64_t period_ns; /* 0: closed */
};

/* What became of it. */
struct steady_figures {
    uint64_t *latency_ns; /* of each, in the order of their ends; sorted by steady_percentile */
    uint64_t *ended_ns;
    uint64_t count, room;
    uint64_t gap_ns; /* the longest time in which none ended */
};

struct steady_stream {
    struct steady_load load;
    struct steady_figures *figures;
    struct steady_slot *idle;
    uint64_t arrives_ns, last_ns;
};

struct steady {
    struct mem_store *store;
    struct hftl_media *delay, *guard;
    struct delay_options times;
    struct media_clock clock;
    struct device *device;
    struct prng prng;
    struct steady_slot *slots;
    struct steady_stream streams[2];
    uint8_t *data;
    uint64_t now_ns, in_flight;
    uint32_t units;
    /* since steady_mark */
    uint64_t marked_ns, marked_busy_ns;
};

/* A zoned drive of 8 units inside, and an Open-Channel one of 8 parallel units that it shows. A
 * suspending one has 32, and reads suspend programs and erases in them (doc/adr/0038). */
struct steady_shape steady_shape(enum hftl_media_kind kind, bool suspends);
/* The same with so many units, a multiple of 4, and a chunk of each in a band. */
void steady_set_units(struct steady_shape *shape, uint32_t units);

/* A new device, with nothing in it. Ends the program when that cannot be. */
void steady_begin(struct steady *steady, const struct steady_shape *shape, uint32_t op_permille,
                  uint64_t seed);
void steady_end(struct steady *steady);

/*
 * Both loads at random places for `for_ns`; then what is in flight ends. `figures` are filled anew
 * (one for each load, NULL: not wanted); what ends after the time is not in them.
 */
void steady_run(struct steady *steady, const struct steady_load loads[2],
                struct steady_figures *figures[2], uint64_t for_ns);
/* Every block once, in order. */
void steady_fill(struct steady *steady);
/* Random overwrites of `blocks` blocks. */
void steady_overwrite(struct steady *steady, uint64_t blocks);

/* The share of the time since steady_mark in which a unit was busy, the mean of all. */
void steady_mark(struct steady *steady);
double steady_busy(const struct steady *steady);

/* Of `permille` of all latencies no one is longer. */
uint64_t steady_percentile(struct steady_figures *figures, uint32_t permille);
uint64_t steady_longest(const struct steady_figures *figures);
/* How far a window of `window_ns` is from the mean of all whole ones at most, as a share of it. */
double steady_unevenness(const struct steady_figures *figures, uint64_t from_ns, uint64_t window_ns,
                         uint64_t windows);
void steady_forget(struct steady_figures *figures);

#endif
