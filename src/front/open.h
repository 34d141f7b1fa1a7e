/* SPDX-License-Identifier: BSD-3-Clause */
/* open.h - what the public calls that take a path share: opening the medium, saying what failed. */
#ifndef HOSTFTL_FRONT_OPEN_H
#define HOSTFTL_FRONT_OPEN_H

#include "core/world.h"

/*
 * For who looks at the device that `path` names (instance.h): the medium has its PUs and no other
 * device; where no superblock can be read, all of the drive. `flags`: HFTL_MEDIA_OPEN_. The
 * sentence does not name the path.
 */
HFTL_MUST_USE enum hftl_status open_path(const char *path, unsigned flags,
                                         struct hftl_media **medium, struct why *why);
/* What the caller gets to read. No sentence in `why` names the path; it is put before it here. */
void open_tell(enum hftl_status status, const char *path, const struct why *why, char *text,
               size_t text_bytes);

#endif
