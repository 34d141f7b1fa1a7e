/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * meter.h - counts what goes through a medium's door.
 *
 * OWNS      the inner medium, and counts that only grow.
 * PROMISES  changes nothing: operations go through as they are, and land from the inner medium. A
 *           count is of what was submitted, whether it landed well or not.
 * IGNORES   who submits and why. So it is a witness: what the engine says that it wrote must be
 *           what came through here.
 */
#ifndef HOSTFTL_TOOL_METER_H
#define HOSTFTL_TOOL_METER_H

#include <hostftl/media.h>

struct meter_counts {
    uint64_t operations[HFTL_MEDIA_VERB_COUNT];
    uint64_t blocks[HFTL_MEDIA_VERB_COUNT]; /* of 4096 bytes; of READ, WRITE and APPEND */
};

/* MEMORY; the inner medium is then still the caller's. */
HFTL_MUST_USE enum hftl_status meter_open(struct hftl_media *inner, struct hftl_media **meter);
void meter_read(const struct hftl_media *meter, struct meter_counts *counts);

#endif
