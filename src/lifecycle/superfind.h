/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * superfind.h - finding a device on a medium: the newest superblock record of both copies.
 *
 * The first 8 good chunks of each PU are looked at, and no more; the first record found says where
 * both copies are. In a copy the last valid record counts, searched backwards from the write
 * pointer, so a torn newest one is passed over. Writes nothing.
 */
#ifndef HOSTFTL_LIFECYCLE_SUPERFIND_H
#define HOSTFTL_LIFECYCLE_SUPERFIND_H

#include "core/super.h"
#include "lifecycle/blocking.h"

struct found {
    struct superblock record; /* the newest */
    uint8_t *bytes;           /* of it, for its verdicts; superfind_free */
    size_t bytes_size;
    struct super_copy copies[2];
    bool repair; /* a copy lacks the newest record */
};

/* FOREIGN: no device. VERSION: one of another version. CORRUPT, IO: there is something, but no
 * record of it can be read. GEOMETRY: it is of another drive than this. */
HFTL_MUST_USE enum hftl_status superfind(const struct blocking *b, struct found *found,
                                         struct why *why);
void superfind_free(const struct blocking *b, struct found *found);

#endif
