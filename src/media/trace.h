/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * trace.h - the wrapper that writes down every operation when it lands.
 *
 * OWNS      the inner medium; the file it writes to.
 * PROMISES  one record an operation, in the order of landing. Otherwise invisible. What was traced
 *           is in the file whenever the medium is idle, and at close. A file that cannot be written
 *           disturbs nothing: the records are counted as lost.
 * IGNORES   data.
 *
 * TEXT, one line an operation, times in nanoseconds (of submission, since the open; and from
 * submission to landing):
 *
 *     # time_ns verb chunk offset blocks status latency_ns
 *     10482 write 3 16 8 OK 61213
 *
 * BINARY, little-endian: the eight bytes "HFTLTRC1", then 40 bytes a record:
 *
 *      0 8 time_ns   8 8 latency_ns   16 4 chunk   20 4 offset   24 4 blocks
 *     28 2 verb     30 2 status (numbers of media.h, types.h)    32 8 zero
 */
#ifndef HOSTFTL_MEDIA_TRACE_H
#define HOSTFTL_MEDIA_TRACE_H

#include <hostftl/media.h>

#include "media/clock.h"

#define TRACE_MAGIC "HFTLTRC1"
#define TRACE_RECORD_BYTES 40u

struct trace_record {
    uint64_t time_ns, latency_ns;
    uint32_t chunk, offset, blocks;
    enum hftl_media_verb verb;
    enum hftl_status status;
};

struct trace_options {
    uint32_t size;    /* sizeof this struct */
    const char *path; /* the file, made or emptied; NULL: none */
    bool binary;
    void (*record)(void *arg, const struct trace_record *record); /* or NULL */
    void *arg;
    const struct media_clock *clock; /* NULL: real time */
};

/* MEMORY, IO, and what opening the file gives. The inner medium is then still the caller's. */
HFTL_MUST_USE enum hftl_status trace_open(struct hftl_media *inner,
                                          const struct trace_options *options,
                                          struct hftl_media **trace);
/* Records that could not be written. */
uint64_t trace_lost(const struct hftl_media *trace);

void trace_encode(const struct trace_record *record, uint8_t bytes[TRACE_RECORD_BYTES]);
void trace_decode(const uint8_t bytes[TRACE_RECORD_BYTES], struct trace_record *record);

#endif
