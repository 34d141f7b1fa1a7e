/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * look_super.h - a superblock copy's whole log, from its beginning, damaged records included.
 * superfind.h looks for the newest record only, from the end.
 */
#ifndef HOSTFTL_LIFECYCLE_LOOK_SUPER_H
#define HOSTFTL_LIFECYCLE_LOOK_SUPER_H

#include "format/superblock.h"
#include "lifecycle/blocking.h"

/* A record, or blocks in a row that are none and are not zeros either. */
struct look_record {
    uint32_t copy, chunk, offset, blocks;
    enum hftl_status status;         /* OK: a whole record of this device */
    const struct superblock *record; /* when OK */
    const uint8_t *bytes;            /* of the record, for its verdicts */
};
typedef void (*look_record_fn)(void *arg, const struct look_record *record);

/* `newest`: a record of the device, for its id and layout. Allocates a chunk, and gives it back.
 * MEMORY, or what a report failed with. */
HFTL_MUST_USE enum hftl_status look_records(const struct blocking *b,
                                            const struct superblock *newest, uint32_t copy,
                                            look_record_fn each, void *arg);

#endif
