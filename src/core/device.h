/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * device.h - the engine as those who run it see it: requests in, completions out, one step at a
 * time.
 *
 * I own        a device's whole state: map, write buffer, streams, bands, cleaning.
 * I promise    what hostftl.h promises (C1-C16), on any medium that keeps media.h.
 * I ignore     threads, clocks, descriptors, paths. One owner calls everything here, never from
 *              inside a completion of the medium.
 *
 *   format --> open --> submit / step ... --> close        (lifecycle; these block, through
 *   world.wait)
 *                 '---> discard                            (what a crash leaves: frees, writes
 *                 nothing)
 *
 * Nothing completes inside device_submit: completions are delivered by `complete` from device_step.
 */
#ifndef HOSTFTL_CORE_DEVICE_H
#define HOSTFTL_CORE_DEVICE_H

#include "core/world.h"

#include <hostftl/hostftl.h>
#include <hostftl/observe.h>

struct device;
struct sender;

struct device_options {
    struct world world;
    /* Called once for each request, from device_step, with request->status set. */
    void (*complete)(void *arg, struct hftl_request *request);
    void *complete_arg;
    const char *name; /* of the device, where several share the medium; NULL: the only one */
    bool read_only;
    enum hftl_verify verify;
    uint64_t verify_cache_bytes;    /* 0: default */
    uint64_t write_buffer_bytes;    /* 0: default */
    uint64_t recovery_memory_bytes; /* 0: default */
    uint32_t relocation_victims;    /* 0: default; at most HFTL_RELOCATION_VICTIMS_MAX */
    uint32_t relocation_blocks;     /* 0: default; at most HFTL_RELOCATION_BLOCKS_MAX */
    uint64_t trace_records;         /* kept; rounded up to a power of two; 0: none */
    uint64_t trace_mask;            /* from the start */
    bool wide_map; /* map entries of 8 bytes where 4 would do: for tests on small media */
};

/* lifecycle/format: makes a device on the medium; the medium stays the caller's. */
HFTL_MUST_USE enum hftl_status device_format(struct hftl_media *medium, const struct world *world,
                                             const struct hftl_format_options *options,
                                             struct hftl_info *info, struct why *why);
/* lifecycle/open: recovers. The medium stays the caller's and must outlive the device. */
HFTL_MUST_USE enum hftl_status device_open(struct hftl_media *medium,
                                           const struct device_options *options,
                                           struct device **device, struct why *why);
/* lifecycle/open: reads the superblock only; writes nothing. `name` as in device_options. */
HFTL_MUST_USE enum hftl_status device_probe(struct hftl_media *medium, const struct world *world,
                                            const char *name, struct hftl_info *info,
                                            struct why *why);
/* lifecycle/open: the same for all devices of the medium, one call each; `reason` says of one that
 * cannot be opened why. */
HFTL_MUST_USE enum hftl_status device_list(struct hftl_media *medium, const struct world *world,
                                           void (*each)(void *arg, const struct hftl_info *info),
                                           void *arg, struct why *why);
/* lifecycle/close: drains, flushes, marks clean, frees. Not OK: freed, but not marked clean. */
enum hftl_status device_close(struct device *device);
/* Frees everything and touches the medium no more. Operations of the medium still in flight must
 * have been landed or be never landed. Requests in flight are forgotten. */
void device_discard(struct device *device);

/*
 * Takes a request whose iovecs agree with blocks (hftl_submit checked that). Blocks here are the
 * medium's: iovec lengths add up to blocks * block_bytes. The request lands in `complete`, once.
 */
void device_submit(struct device *device, struct hftl_request *request);
/* The same for one of several senders, who wait in turn (turns.h). It outlives its requests. */
void device_submit_from(struct device *device, struct sender *sender, struct hftl_request *request);
/* Reaps the medium, runs what is ready. The last word of request->internal is not used: it is the
 * front's. False: nothing to do until the medium or a client
 * speaks. */
bool device_step(struct device *device);
/* No request in flight and no errand under way: stepping again would change nothing. */
bool device_is_idle(const struct device *device);

void device_get_stats(const struct device *device, struct hftl_stats *stats);
void device_get_latency(const struct device *device, enum hftl_verb verb,
                        struct hftl_latency *latency);
void device_get_bands(const struct device *device, struct hftl_bands *bands);
/* The one thing here that any thread may use, beside the engine (recorder.h): until the close. */
struct recorder;
struct recorder *device_recorder(struct device *device);
void device_get_info(const struct device *device, struct hftl_info *info);
/* Cleaning, as hostftl.h has it. They may make the device busy: step it. */
void device_get_limits(const struct device *device, struct hftl_limits *limits);
HFTL_MUST_USE enum hftl_status device_set_limits(struct device *device,
                                                 const struct hftl_limits *limits, struct why *why);
HFTL_MUST_USE enum hftl_status device_set_policy(struct device *device, const char *name);
const char *device_get_policy(const struct device *device);
void device_pause_cleaning(struct device *device, bool paused);
bool device_cleaning_is_paused(const struct device *device);
const struct hftl_media_facts *device_facts(const struct device *device);
uint64_t device_blocks(const struct device *device); /* exported, in the medium's blocks */

/*
 * The invariants of map, bands, buffer and streams, all of them; slow (reads every structure). OK
 * or CORRUPT with a sentence naming the invariant and the values. Legal at any moment between
 * steps.
 */
HFTL_MUST_USE enum hftl_status device_check(const struct device *device, struct why *why);

#endif
