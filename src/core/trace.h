/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * trace.h - what happens, for those who watch: a record in memory and a probe, at the points of
 * HFTL_TRACE_LIST (observe.h).
 *
 *      trace(device, WRITE_FILL, request->id, lba.n, slot.pba.n);
 *                |
 *                '--- nobody watches: one branch, which is not taken
 *                '--- somebody does:  the probe; and a record, when its bit is in the mask
 *
 * I own        the numbers of requests and operations, and the recorder.
 * I promise    watching changes nothing that is done, and allocates nothing.
 * I ignore     who reads the records (recorder.h), and who listens to probes (probe.h).
 */
#ifndef HOSTFTL_CORE_TRACE_H
#define HOSTFTL_CORE_TRACE_H

#include "base/probe.h"
#include "base/recorder.h"

#include <hostftl/observe.h>

struct device;

struct trace {
    struct recorder recorder;
    uint64_t ids; /* given so far */
};

/* What an operation of the medium is for, and the number under which it is traced. */
struct io {
    enum hftl_io_kind kind;
    uint64_t id;
};

/* The next number. */
static inline uint64_t trace_id(struct trace *trace)
{
    return ++trace->ids;
}

static inline bool trace_is_watched(const struct trace *trace)
{
    return __builtin_expect((recorder_wanted(&trace->recorder) | probe_listeners) != 0, 0);
}

/* The point's probe and record. Not called directly: trace() is. */
void trace_hit(struct device *device, enum hftl_trace_point point, uint64_t id, uint64_t at,
               uint64_t argument);

#define trace(device, point, id, at, argument)                                                     \
    do {                                                                                           \
        if (trace_is_watched(&(device)->trace))                                                    \
            trace_hit((device), HFTL_TRACE_##point, (id), (at), (argument));                       \
    } while (0)

/* An operation goes out, or has landed. */
void trace_submit(struct device *device, const struct hftl_media_op *op, struct io io);
void trace_land(struct device *device, const struct hftl_media_op *op, struct io io);

#endif
