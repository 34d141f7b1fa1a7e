/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * engine.h - the device's whole state in one place, for the core's own files and for lifecycle.
 *
 * Each member belongs to the file of its name, which alone writes it; the counters and clocks below
 * are written where their comment says.
 *
 *                      requests
 *                 write |    | read
 *                       v    v
 *   flush ----------> stream[USER]    map  <---- relocation --> stream[RELOCATION]
 *      |                |   units      |               ^             |
 *      |                v              v               |             v
 *      '---------->   bands  FREE OPEN FULL CLOSED ... victim      erase
 *                       |
 *                     medium
 */
#ifndef HOSTFTL_CORE_ENGINE_H
#define HOSTFTL_CORE_ENGINE_H

#include "base/histogram.h"
#include "core/band.h"
#include "core/device.h"
#include "core/erase.h"
#include "core/errand.h"
#include "core/flush.h"
#include "core/flush_bands.h"
#include "core/geometry.h"
#include "core/limits.h"
#include "core/map.h"
#include "core/pace.h"
#include "core/relocation.h"
#include "core/request.h"
#include "core/stats.h"
#include "core/stream.h"
#include "core/super.h"
#include "core/tail_cache.h"
#include "core/trace.h"

#define STREAMS FORMAT_STREAMS_USED

/* Free bands users may not take: one for relocation to start in, one for it to go on in while what
 * it emptied is made durable, one for the engine's own appends (trim pages). */
#define BANDS_RESERVE 3u
/* More sealed bands than this and users wait until relocation has emptied some. */
#define SEALED_MAX 8u
/* Ops handed to the medium, and landings taken from it, in one go. */
#define OUTBOX_MAX 64u

struct device {
    struct world world;
    void (*complete)(void *arg, struct hftl_request *request);
    void *complete_arg;
    struct hftl_media *medium;
    struct format_context format;
    struct layout layout;
    struct geometry geometry;
    enum hftl_verify verify;

    struct band *bands;
    uint32_t bands_free, bands_sealed, bands_emptied; /* band_enter */
    struct band_index index;
    struct limits limits;
    struct pace pace;
    struct map map;
    struct stream streams[STREAMS];
    uint32_t overlap; /* bands that may be closed while their stream writes on: geometry_overlap */
    struct flush flush;
    struct flush_bands flush_bands;
    struct relocation relocation;
    struct erase erase;
    struct super super;
    struct tail_cache tail_cache; /* verify `cached` without OOB only */

    struct list writes, reads; /* who waits for slots, for read parts (turns.h) */
    struct sender nobody;      /* who sends without a channel */
    struct list completed;
    struct list parts_free;
    struct read_part *parts;
    struct list bridges_free; /* none with OOB: there are no summaries */
    struct bridge *bridges;
    uint32_t requests_in_flight;

    /* seq: epoch above counter; the next epoch is reserved on the medium before it is needed. */
    uint32_t epoch, epoch_durable;
    uint64_t counter;
    uint32_t generation_count; /* bands opened in this epoch; a generation is epoch above it */

    /* Clocks (O8). user_clock rises with each block written or trimmed by a user and each trim
     * page; relocation_clock with each block relocated. Durable: as of the last flush that covered
     * them. */
    uint64_t user_clock, user_durable;
    uint64_t relocation_clock, relocation_durable;
    struct witness witness;

    struct list ready;        /* errands */
    struct list band_waiters; /* errands: woken when a band becomes free or a reader leaves */
    struct hftl_media_op *outbox[OUTBOX_MAX];
    uint32_t outbox_count;
    uint32_t media_in_flight;                 /* landed or not, until whoever sent it has it back */
    struct hftl_media_op *again, **again_end; /* landed AGAIN (M8); by `link`, in order */
    uint32_t again_count, again_tries;

    bool read_only;
    bool opened_read_only; /* by the one who opened it: nothing is written, not even at close */
    bool closing;          /* no new victim, no new erase */
    bool was_clean;
    bool writes_more; /* the write queue stopped for its budget */
    char reason[128]; /* why read_only */
    struct hftl_stats stats;
    struct histogram latency[HFTL_VERB_COUNT]; /* ns */
    uint64_t now_ns;                           /* device_now */
    bool now_known;
    bool stalled; /* since stalled_ns: stats_stall */
    uint64_t stalled_ns;
    struct trace trace;
    uint64_t memory_bytes;
    struct allocation *allocations; /* lifecycle: everything to release */
};

/* device_next_seq, where the counter is so high that the next epoch has to be thought of. */
HFTL_MUST_USE bool device_next_seq_late(struct device *device, uint64_t *seq);

/* The next seq. False: this life's numbers are used up and the next epoch is not durable yet. */
HFTL_MUST_USE static inline bool device_next_seq(struct device *device, uint64_t *seq)
{
    if (device->counter >= UINT32_MAX / 2)
        return device_next_seq_late(device, seq);
    device->counter++;
    *seq = (uint64_t)device->epoch << 32 | device->counter;
    return true;
}
/* As many of the next ones as there are in a row, at most `most`; 0: as above. */
HFTL_MUST_USE static inline uint32_t device_next_seqs(struct device *device, uint32_t most,
                                                      uint64_t *first)
{
    if (device->counter >= UINT32_MAX / 2 - most)
        return device_next_seq(device, first);
    *first = ((uint64_t)device->epoch << 32 | device->counter) + 1;
    device->counter += most;
    return most;
}

/* The clock for requests, read once for all that are taken in a row and once for all that a step
 * delivers: latencies are never too short, and too long by no more than that takes. */
static inline uint64_t device_now(struct device *device)
{
    if (!device->now_known)
        device->now_ns = device->world.now(device->world.arg);
    device->now_known = true;
    return device->now_ns;
}

/* To the medium, with the next batch. */
void device_send(struct device *device, struct hftl_media_op *op, struct io io);
/*
 * For each landing of an operation sent so, first of all. True: the medium had no room for it (M8);
 * it is sent again when another one has landed, and lands again: whoever sent it keeps waiting.
 * `kinds` NULL: all its blocks are of io's kind; otherwise there is one for each.
 */
HFTL_MUST_USE bool device_land(struct device *device, struct hftl_media_op *op, struct io io,
                               const uint8_t *kinds);
/* Hands over what device_send gathered. */
void device_push(struct device *device);
/* Media and errands only, no completions: lifecycle runs errands with it. */
bool device_turn(struct device *device);
/* Turns the device read-only for good: waiting and later writes fail, what is readable stays so. */
void device_degrade(struct device *device, enum hftl_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* What a failed operation means to a person: "write of chunk 7 at 128: no space left". */
void device_log(struct device *device, enum hftl_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The facts of an info that the layout knows. */
void layout_to_info(const struct layout *layout, const struct hftl_media_facts *facts,
                    struct hftl_info *info);

static inline struct stream *stream_of_band(struct device *device, const struct band *band)
{
    for (unsigned i = 0; i < STREAMS; i++)
        if (stream_pen(&device->streams[i], band) != NULL)
            return &device->streams[i];
    return NULL;
}

#endif
