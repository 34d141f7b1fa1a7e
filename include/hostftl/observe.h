/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * observe.h - looking into an open device: how long requests take, what state its bands are in,
 * what happened just now, whether all its invariants hold.
 *
 * Everything here may be called from any thread while the device works, but not beside hftl_close.
 * hftl_get_latency, hftl_get_bands and hftl_check look between two steps of the engine, and keep it
 * from the next one while they do: for microseconds, for microseconds per thousand bands, and for
 * as long as it takes to go over the whole map. Traces are read beside the engine: nobody waits.
 */
#ifndef HOSTFTL_OBSERVE_H
#define HOSTFTL_OBSERVE_H

#include <hostftl/hostftl.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- latency ---- */

/*
 * Of the requests of one verb that succeeded since the device was opened: from the moment when the
 * engine took the request to the moment when it was done. Nanoseconds. min, max and mean are exact;
 * a percentile is never too small, and at most 3.2 % too large. All 0 when there were none.
 */
struct hftl_latency {
    size_t size; /* sizeof this struct, or 0 */
    uint64_t count;
    uint64_t min_ns, max_ns, mean_ns;
    uint64_t p50_ns, p99_ns, p999_ns, p9999_ns; /* 50, 99, 99.9 and 99.99 of 100 were no longer */
};
HFTL_PUBLIC void hftl_get_latency(struct hftl_device *device, enum hftl_verb verb,
                                  struct hftl_latency *latency);

/* ---- bands ---- */

#define HFTL_BAND_STATE_LIST(X)                                                                    \
    X(FREE, "free")                                                                                \
    X(OPEN, "open")                                                                                \
    X(FULL, "full")                                                                                \
    X(CLOSED, "closed")                                                                            \
    X(SEALED, "sealed")                                                                            \
    X(EMPTIED, "emptied")                                                                          \
    X(ERASING, "erasing")                                                                          \
    X(RETIRED, "retired")

enum hftl_band_state {
#define HFTL_BAND_STATE_ENUM(name, text) HFTL_BAND_##name,
    HFTL_BAND_STATE_LIST(HFTL_BAND_STATE_ENUM)
#undef HFTL_BAND_STATE_ENUM
        HFTL_BAND_STATE_COUNT
};

#define HFTL_SHARE_STEPS 10u
#define HFTL_WEAR_STEPS 16u

struct hftl_bands {
    size_t size; /* sizeof this struct, or 0 */
    uint32_t count[HFTL_BAND_STATE_COUNT];
    /* Closed and sealed bands by the share of their data blocks that is valid: [0] below 10 %, ...
     * [9] 90 % and more. */
    uint32_t valid_share[HFTL_SHARE_STEPS];
    /* Of all bands but the retired ones; a band's wear is that of its most worn chunk, in resets.
     * wear_bands[i] have a wear from wear_min + i * wear_step on, below that of the next. */
    uint32_t wear_min, wear_max;
    double wear_mean;
    uint32_t wear_step;
    uint32_t wear_bands[HFTL_WEAR_STEPS];
    /*
     * Cleaning debt: how many blocks would have to be moved, were nothing written meanwhile, until
     * more bands are free than the limit at which cleaning starts. Emptied bands and those being
     * erased count as free. Closed and sealed bands are emptied in the order of their valid blocks,
     * fewest first; what is moved fills bands again:
     *
     *   debt = the least m = sum of the valid blocks of the k emptiest bands for which
     *          free + emptied + erasing + k - m / data blocks of a band  >  start limit
     *
     * 0: enough bands are free. While cleaning rests, because users have a band to go on with, as
     * many as the start limit are (>=). Where no k is enough, debt is the sum over all of them and
     * debt_is_payable is false. Bands are told apart by 256ths of a band. Those that cleaning has
     * set aside, because their tails cannot be read, are not counted.
     */
    uint64_t debt_blocks;
    bool debt_is_payable;
    uint32_t aside; /* those; each was logged, and is tried again when nothing else is left */
};
HFTL_PUBLIC void hftl_get_bands(struct hftl_device *device, struct hftl_bands *bands);

/* ---- the check ---- */

/*
 * All invariants of map, bands, write buffer and streams, from scratch: OK, or CORRUPT with a
 * sentence in `why` that names the invariant and the values: a defect of this library. The device
 * serves nobody while it runs: 20 ns an lba or so. CLOSING: too late.
 */
HFTL_PUBLIC HFTL_MUST_USE enum hftl_status hftl_check(struct hftl_device *device, char *why,
                                                      size_t why_bytes);

/* ---- tracing ---- */

/*
 * X(NAME, name, at, argument, meaning): what a point's `at` and `argument` are, in a word. "lba";
 * "pba", as the engine counts (band * blocks of a band + position); "block" of the medium (chunk *
 * blocks of a chunk + block in it); "band"; "-" nothing.
 *
 * The same list gives USDT probes (provider hostftl, the second name) with id, at and argument, and
 * the table in hostftl-rpc(7).
 */
#define HFTL_TRACE_LIST(X)                                                                         \
    X(READ_ACCEPT, read_accept, "lba", "blocks", "the engine takes a read")                        \
    X(WRITE_ACCEPT, write_accept, "lba", "blocks", "the engine takes a write")                     \
    X(TRIM_ACCEPT, trim_accept, "lba", "blocks", "the engine takes a trim or write-zeroes")        \
    X(FLUSH_ACCEPT, flush_accept, "-", "of bands", "the engine takes a flush")                     \
    X(REQUEST_END, request_end, "lba", "status", "a request is done")                              \
    X(READ_ZEROES, read_zeroes, "lba", "-", "a block is read that is not mapped")                  \
    X(READ_BUFFER, read_buffer, "lba", "-", "a block is read from the write buffer")               \
    X(READ_SUBMIT, read_submit, "block", "blocks", "a read of users' goes to the medium")          \
    X(READ_LAND, read_land, "block", "status", "it lands")                                         \
    X(WRITE_FILL, write_fill, "lba", "pba", "a user's block is in the write buffer")               \
    X(WRITE_SUBMIT, write_submit, "block", "blocks", "part of the user stream goes out")           \
    X(WRITE_LAND, write_land, "block", "status", "it lands")                                       \
    X(STALL_BEGIN, stall_begin, "lba", "free bands", "writes begin to wait")                       \
    X(STALL_END, stall_end, "lba", "ns", "writes go on")                                           \
    X(META_FILL, meta_fill, "pba", "kind", "a head, summary, tail or pad is in the buffer")        \
    X(META_READ_SUBMIT, meta_read_submit, "block", "blocks", "a read of metadata goes out")        \
    X(META_READ_LAND, meta_read_land, "block", "status", "it lands")                               \
    X(META_WRITE_SUBMIT, meta_write_submit, "block", "blocks", "a superblock record goes out")     \
    X(META_WRITE_LAND, meta_write_land, "block", "status", "it lands")                             \
    X(ERASE_SUBMIT, erase_submit, "block", "chunk", "the reset of a chunk goes out")               \
    X(ERASE_LAND, erase_land, "block", "status", "it lands")                                       \
    X(SYNC_SUBMIT, sync_submit, "-", "-", "a flush of the medium goes out")                        \
    X(SYNC_LAND, sync_land, "-", "status", "it lands")                                             \
    X(FLUSH_BEGIN, flush_begin, "-", "round", "a round of flushing begins for those who wait")     \
    X(FLUSH_END, flush_end, "-", "round", "what it covers is durable")                             \
    X(TRIM_PAGE, trim_page, "pba", "range", "a trim page is in the write buffer")                  \
    X(BAND_STATE, band_state, "band", "states", "from argument / 256 to argument % 256")           \
    X(LIMIT, limit, "free bands", "level", "free bands fell to a limit")                           \
    X(VICTIM_BEGIN, victim_begin, "band", "valid blocks", "a band is chosen for cleaning")         \
    X(VICTIM_END, victim_end, "band", "valid blocks", "cleaning is done with it")                  \
    X(MOVE_READ_SUBMIT, move_read_submit, "block", "blocks", "a read of a victim goes out")        \
    X(MOVE_READ_LAND, move_read_land, "block", "status", "it lands")                               \
    X(MOVE_FILL, move_fill, "lba", "pba", "a relocated block is in the buffer")                    \
    X(MOVE_WRITE_SUBMIT, move_write_submit, "block", "blocks", "part of its stream goes out")      \
    X(MOVE_WRITE_LAND, move_write_land, "block", "status", "it lands")                             \
    X(EPOCH, epoch, "-", "epoch", "sequence numbers go on in the next epoch")                      \
    X(RECOVERY_STEP, recovery_step, "-", "status", "a step of opening ended; id is its number")    \
    X(DEGRADED, degraded, "-", "status", "the device turns read-only")

enum hftl_trace_point {
#define HFTL_TRACE_ENUM(name, probe, at, argument, meaning) HFTL_TRACE_##name,
    HFTL_TRACE_LIST(HFTL_TRACE_ENUM)
#undef HFTL_TRACE_ENUM
        HFTL_TRACE_COUNT
};

#define HFTL_TRACE_ALL ((UINT64_C(1) << HFTL_TRACE_COUNT) - 1)

struct hftl_trace_record {
    uint64_t time_ns; /* CLOCK_MONOTONIC */
    uint64_t point;   /* enum hftl_trace_point */
    /* Events of one request have its number, from 1 on; so have the reads that it made, and the
     * landings of those. Writes of the medium hold many requests' blocks: they have numbers of
     * their own, from the same count, as have rounds of flushing, victims and other operations. */
    uint64_t id;
    uint64_t at;
    uint64_t argument;
};

/* All zeros: from the oldest record that is kept. */
struct hftl_trace_cursor {
    uint64_t next; /* number of the next record */
    uint64_t lost; /* records overwritten before they were read, so far */
};

/* Keeps records of the points whose bits (1 << point) are set, from now on; 0: of none. INVALID: a
 * bit of no point. */
HFTL_PUBLIC HFTL_MUST_USE enum hftl_status hftl_trace_set(struct hftl_device *device,
                                                          uint64_t mask);
HFTL_PUBLIC uint64_t hftl_trace_get(const struct hftl_device *device);
/* The next records, at most `count`; returns how many. Any number of readers, each with a cursor
 * of its own; a record stays for all of them until it is overwritten. */
HFTL_PUBLIC size_t hftl_trace_read(const struct hftl_device *device,
                                   struct hftl_trace_cursor *cursor,
                                   struct hftl_trace_record *records, size_t count);
/* "read_accept"; NULL: no such point. Static. */
HFTL_PUBLIC const char *hftl_trace_name(uint64_t point);

/* ---- the management socket ---- */

/*
 * Where a server of the device at `path` has its management socket unless it is told otherwise
 * (hostftl-rpc(7)): the path, without symbolic links, and ".rpc"; for a device of several on a
 * drive "DRIVE#NAME.rpc". RANGE: longer than the address of a socket or `bytes`; ABSENT: there is
 * nothing at `path`.
 */
HFTL_PUBLIC HFTL_MUST_USE enum hftl_status hftl_rpc_path(const char *path, char *rpc, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
