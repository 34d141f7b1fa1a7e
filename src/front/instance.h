/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * instance.h - from the text that names a device to the medium of its parallel units.
 *
 * OWNS      the protocol of media.h for opening (look, take, look again). What it returns is the
 *           caller's.
 * PROMISES  the device that was named is the only one in the PUs that were taken, and has exactly
 *           these PUs; nobody else has any of them.
 * IGNORES   what is done with it; stacks of media but for the path at their bottom.
 *
 *      DEVICE = drive [ "#" name ]
 *
 *      d.img          the only device of the drive
 *      d.img#log      the one of several that is named "log"
 *      delay:d.img#a  the same with a stack of media (media.h)
 *
 * A drive's path that is there is the whole text, also when there is a '#' in it; otherwise what
 * comes after the last '#' is the name. (Names have neither '#' nor '/'.)
 */
#ifndef HOSTFTL_FRONT_INSTANCE_H
#define HOSTFTL_FRONT_INSTANCE_H

#include "core/device.h"

struct instance_name {
    char *drive;      /* or stack; the caller's, instance_name_free */
    const char *name; /* within `drive`'s memory; NULL: the only one */
};

/* INVALID: no text; MEMORY. */
HFTL_MUST_USE enum hftl_status instance_name_take(struct instance_name *name, const char *device,
                                                  struct why *why);
void instance_name_free(struct instance_name *name);

/*
 * Looks for the device, takes its PUs with these flags (hftl_media_open), looks again. `chosen` is
 * what its superblock said. As hftl_open.
 */
HFTL_MUST_USE enum hftl_status instance_open(const struct instance_name *name, unsigned flags,
                                             struct hftl_media **medium, struct hftl_info *chosen,
                                             struct why *why);

/* Its steps 1, and 2 with 3, for who wants something to happen between them. AGAIN: it is not any
 * more what it was when it was looked at, and nothing is taken. */
HFTL_MUST_USE enum hftl_status instance_look(const struct instance_name *name,
                                             struct hftl_info *chosen, struct why *why);
HFTL_MUST_USE enum hftl_status instance_take(const struct instance_name *name, unsigned flags,
                                             const struct hftl_info *chosen,
                                             struct hftl_media **medium, struct why *why);

/* A drive, or these PUs of it (0, 0: all). No sentence in `why` names the path. */
HFTL_MUST_USE enum hftl_status instance_open_drive(const char *drive,
                                                   const struct hftl_media_open_options *options,
                                                   struct hftl_media **medium, struct why *why);

/* What users' blocks ask of a medium. */
HFTL_MUST_USE enum hftl_status instance_check_medium(const struct hftl_media *medium,
                                                     struct why *why);

#endif
