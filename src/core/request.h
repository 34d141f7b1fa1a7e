/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * request.h - users' requests: split, tracked, completed exactly once.
 *
 *   WRITE, TRIM, WRITE_ZEROES   wait for slots, those of one sender in order of arrival and senders
 *                               in turn (turns.h); a write with FUA then rides in a flush
 *   READ                        waits for read parts in the same way; block by block: zeros, a
 *                               copy from the buffer, or a read of the medium (neighbours
 *                               merged); done when all parts are
 *   FLUSH                       rides in a flush
 *   FLUSH_BANDS                 rides in a closing of the open bands (flush_bands.h)
 *   EXTENTS                     answered at once
 *
 * Q1  a request is in one place: queue, read queue, flush, parts in flight, or `completed`.
 * Q2  reads do not wait behind writes. Two requests for one block of which the second was submitted
 *     after the first completed are never seen in the other order (C4): a write is in the map
 *     before it completes, and a read looks at the map when it is submitted or later.
 */
#ifndef HOSTFTL_CORE_REQUEST_H
#define HOSTFTL_CORE_REQUEST_H

#include "base/list.h"
#include "core/errand.h"
#include "core/geometry.h"
#include "core/trace.h"
#include "core/turns.h"

#include <hostftl/hostftl.h>

#define READ_RUN_MAX 32u /* blocks of users' in one merged read */
#define READS_MAX 256u   /* reads of the medium in flight */
/* Reads at once that go across summaries, and summaries in one of them. */
#define BRIDGES_MAX 8u
#define BRIDGE_GAPS_MAX 2u
#define BRIDGE_BLOCKS (READ_RUN_MAX + BRIDGE_GAPS_MAX)

/* The engine's part of a hftl_request, kept in `internal`. */
struct __attribute__((may_alias)) request {
    struct list_link link;
    uint64_t progress; /* blocks handled so far */
    uint32_t parts;    /* reads in flight */
    int32_t iov_index; /* where `progress` is in the iovecs */
    uint64_t iov_at;
    uint32_t status;
    bool walked;       /* all parts were sent */
    uint64_t id;       /* for traces */
    uint64_t taken_ns; /* when the engine took it */
};

struct band;

/* Where a read lands that has a summary in its middle: the user's memory has no room for that. */
struct bridge {
    struct list_link link;    /* free ones */
    uint8_t *data;            /* BRIDGE_BLOCKS */
    uint8_t at[READ_RUN_MAX]; /* which block of it is the user's n-th */
    uint8_t *memory;          /* the user's */
};

/* A read of the medium for a request. */
struct read_part {
    struct list_link link; /* free ones */
    struct hftl_media_op op;
    struct device *device;
    struct request *request;
    struct io io;
    struct band *band;
    uint32_t position;
    uint32_t blocks; /* of the user's */
    hftl_lba lba;
    struct bridge *bridge; /* or NULL */
    bool retried;
    uint32_t verified;          /* blocks, so far */
    uint32_t crc[READ_RUN_MAX]; /* expected, of the data, where crcs are kept */
    uint8_t *oob;
};

struct hftl_request *request_public(struct request *request);
void request_init(struct device *device);
void request_submit(struct device *device, struct sender *sender, struct hftl_request *request);
/* Moves the write queue on as far as slots allow; true when it stopped for its budget only. */
bool request_pump(struct device *device);
void request_end(struct device *device, struct request *request, enum hftl_status status);
/* A read whose data is here, and that waited for identities (tail_cache.h), goes on; or ends, where
 * they cannot be had. */
void read_go_on(struct device *device, struct read_part *part, enum hftl_status status);
/* Walks a read, or queues it where read parts are short. */
void read_start(struct device *device, struct sender *sender, struct request *request);
/* Walks queued reads as far as read parts allow. */
void read_pump(struct device *device);
/* Where block `progress` of a READ or WRITE is in the user's memory, how many bytes follow it there
 * without a gap, and going on. */
uint8_t *request_memory(const struct request *request, const struct hftl_request *public);
uint64_t request_contiguous(const struct request *request, const struct hftl_request *public);
void request_advance(struct request *request, const struct hftl_request *public, uint64_t blocks,
                     uint32_t block_bytes);
/* Everything queued for writing fails with this status. */
void request_fail_writes(struct device *device, enum hftl_status status);

#endif
