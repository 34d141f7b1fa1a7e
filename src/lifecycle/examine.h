/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * examine.h - is everything on the drive that should be? Read-only, and complete.
 *
 * I own        the findings' sentences, and what is an error and what is a note.
 * I promise    no operation but those of recovery goes to the medium, and recovery is the real one
 *              (device_open): so the medium must be a private one, whose changes are forgotten.
 *              Each mapped lba is either proven readable, or named in an error.
 * I ignore     how findings are shown.
 *
 * STEPS
 *   superblocks   both logs, before recovery repairs them                   (examine_super.c)
 *   open          device_open; what it logs, and that it refuses            (examine.c)
 *   invariants    device_check on what it built
 *   bands         every block of every band that holds something valid      (examine_bands.c)
 *
 * WHAT IS AN ERROR. A cut leaves torn writes: the last of a chunk, of a superblock copy, and an
 * erase that was half done. What a cut alone can explain is a note. After a clean close there was
 * none, so there the same is an error, but for what an older cut left in bands that have a verdict.
 *
 *   found                                       after a clean close     after a cut
 *   a copy whose newest record is not whole     error                   note; both: error
 *   a copy that ends before the newest record   note: the close was cut between the copies
 *   a band with valid blocks and no whole tail  error without a verdict note
 *   a block of a band with a tail               error                   error: it was flushed (O1)
 *   a block that recovery believed              error                   error
 *   a block that recovery rejected              note, one a band        note, one a band
 *   anything in a band without a valid block    note, one a band        note, one a band
 */
#ifndef HOSTFTL_LIFECYCLE_EXAMINE_H
#define HOSTFTL_LIFECYCLE_EXAMINE_H

#include "lifecycle/look.h"
#include "lifecycle/superfind.h"

#include <hostftl/hostftl.h>

/* An examination under way. */
struct examine {
    const struct hftl_examine_options *options;
    struct hftl_examination *result;
    struct blocking b;
    struct found found; /* before recovery wrote anything */
    struct look look;
    struct device *device;
    bool opening;
    uint64_t done, total;   /* blocks */
    uint64_t told;          /* blocks that an error speaks of and that an lba may be mapped to */
    uint64_t bad, believed; /* of the band being looked at */
};

/*
 * `examine` is the caller's; its first two members are set. The world's log must end in
 * examine_take_log(examine, ...). The medium stays the caller's.
 */
HFTL_MUST_USE enum hftl_status device_examine(struct examine *examine, struct hftl_media *medium,
                                              const struct world *world, struct why *why);
void examine_take_log(void *examine, enum hftl_log_level level, const char *message);

/* For its own files. `finding` without level, status and sentence. */
void examine_say(struct examine *e, enum hftl_finding_level level, enum hftl_status status,
                 const struct hftl_finding *finding, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
struct hftl_finding examine_nowhere(const char *what);
HFTL_MUST_USE enum hftl_status examine_superblocks(struct examine *e);
void examine_bands(struct examine *e);

#endif
