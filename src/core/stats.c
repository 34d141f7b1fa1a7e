/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/stats.h"

#include "base/bytes.h"
#include "base/mutant.h"
#include "core/engine.h"

#include <string.h>

/* ---- operations of the medium ---- */

enum hftl_io_kind stats_kind(enum ident_kind kind, bool by_relocation)
{
    if (kind == IDENT_PAD)
        return HFTL_IO_PAD;
    if (kind != IDENT_DATA && kind != IDENT_LOST)
        return HFTL_IO_METADATA;
    return by_relocation ? HFTL_IO_RELOCATION : HFTL_IO_USER;
}

/* Where the operation's blocks go; NULL: it has none. */
static struct hftl_io_count *counts_of(struct hftl_stats *stats, const struct hftl_media_op *op)
{
    switch (op->verb) {
    case HFTL_MEDIA_READ:
        stats->media_reads++;
        return stats->read;
    case HFTL_MEDIA_WRITE:
    case HFTL_MEDIA_APPEND:
        stats->media_writes++;
        return stats->written;
    case HFTL_MEDIA_RESET:
        stats->media_resets++;
        return NULL;
    case HFTL_MEDIA_FLUSH:
        stats->media_flushes++;
        return NULL;
    default:
        return NULL;
    }
}

/* True: its blocks count. */
static bool count_operation(struct hftl_io_count *counts, const struct hftl_media_op *op,
                            enum hftl_io_kind kind)
{
    bool good = op->status == HFTL_OK;
    counts[kind].operations += good;
    counts[kind].errors += !good;
    return good;
}

void stats_count(struct hftl_stats *stats, const struct hftl_media_op *op, enum hftl_io_kind kind)
{
    struct hftl_io_count *counts = counts_of(stats, op);
    if (counts != NULL && count_operation(counts, op, kind))
        counts[kind].blocks += op->blocks;
}

void stats_count_mixed(struct hftl_stats *stats, const struct hftl_media_op *op,
                       const uint8_t *kinds)
{
    struct hftl_io_count *counts = counts_of(stats, op);
    if (counts == NULL || !count_operation(counts, op, (enum hftl_io_kind)kinds[0]))
        return;
    for (uint32_t i = 0; i < op->blocks; i++) {
        counts[kinds[i]].blocks++;
        if (mutant("pad-counted-twice") && kinds[i] == HFTL_IO_PAD)
            counts[HFTL_IO_METADATA].blocks++;
    }
}

/* ---- requests ---- */

void stats_stall(struct device *device, hftl_lba lba)
{
    if (device->stalled)
        return;
    device->stalled = true;
    device->stalled_ns = device->world.now(device->world.arg);
    trace(device, STALL_BEGIN, 0, lba.n, device->bands_free);
}

static uint64_t stalled_for(const struct device *device)
{
    return device->stalled ? device->world.now(device->world.arg) - device->stalled_ns : 0;
}

void stats_go_on(struct device *device, hftl_lba lba)
{
    if (!device->stalled)
        return;
    uint64_t ns = stalled_for(device);
    device->stats.stall_ns += ns;
    device->stalled = false;
    trace(device, STALL_END, 0, lba.n, ns);
}

void stats_done(struct device *device, const struct done *done)
{
    if (done->count > 0)
        histogram_add_times(&device->latency[done->verb], device_now(device) - done->taken_ns,
                            done->count);
}

/* ---- what is asked for ---- */

void device_get_stats(const struct device *device, struct hftl_stats *stats)
{
    *stats = device->stats;
    stats->size = sizeof(*stats);
    stats->stall_ns += stalled_for(device);
    stats->trace_recorded = recorder_count(&device->trace.recorder, &stats->trace_overwritten);
}

void device_get_latency(const struct device *device, enum hftl_verb verb,
                        struct hftl_latency *latency)
{
    const struct histogram *h = &device->latency[verb];
    *latency = (struct hftl_latency){
        .size = sizeof(*latency),
        .count = histogram_count(h),
        .min_ns = histogram_min(h),
        .max_ns = histogram_max(h),
        .mean_ns = (uint64_t)(histogram_mean(h) + 0.5),
        .p50_ns = histogram_percentile(h, 50.0),
        .p99_ns = histogram_percentile(h, 99.0),
        .p999_ns = histogram_percentile(h, 99.9),
        .p9999_ns = histogram_percentile(h, 99.99),
    };
}
