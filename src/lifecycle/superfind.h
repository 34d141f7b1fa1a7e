/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * superfind.h - finding the devices on a medium: of each the newest superblock record of both
 * copies.
 *
 * The first 8 good chunks of each PU of the drive are looked at, and no more; the first record
 * found of a device says where both of its copies are. In a copy the last valid record counts,
 * searched backwards from the write pointer, so a torn newest one is passed over. Writes nothing.
 *
 * A chunk that begins as a superblock does and has no record that can be read is STRANGE, unless it
 * is the copy of a device whose other copy can be read: whose it is, and how far that reaches,
 * nobody knows. So is one whose first block cannot be read, outside of the PUs of the devices that
 * are found: a drive that fails is not an empty one.
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
    uint32_t newest_at[2]; /* where in its chunk the newest record of each copy is */
    bool repair;           /* a copy lacks the newest record */
};

/* One device of a drive. */
struct instance {
    enum hftl_status status; /* not OK: it cannot be used, and `why` says why */
    struct why why;
    bool placed;        /* the layout fits the drive: it is known which PUs it has */
    struct found found; /* not OK: only the record counts, and that may be an old one */
};

struct strange {
    uint32_t chunk;
    enum hftl_status status;
    bool silent; /* its first block cannot be read: it may be anything */
};

struct instances {
    struct instance *list;
    uint32_t count, room;
    struct strange *strange;
    uint32_t strange_count, strange_room;
    bool crowded; /* more than there are PUs, so that somebody lies: not all are listed */
};

/* MEMORY, IO. Whatever devices are there, or none: OK. */
HFTL_MUST_USE enum hftl_status superfind_all(const struct blocking *b, struct instances *all,
                                             struct why *why);
void superfind_all_free(const struct blocking *b, struct instances *all);

/*
 * The device of this name; NULL: the only one. FOREIGN: no device. ABSENT: none of that name,
 * INVALID: several and no name; both list the names. VERSION: one of another version. CORRUPT, IO:
 * there is something, but no record of it can be read. GEOMETRY: it is of another drive than this.
 */
HFTL_MUST_USE enum hftl_status superfind(const struct blocking *b, const char *name,
                                         struct found *found, struct why *why);
void superfind_free(const struct blocking *b, struct found *found);

#endif
