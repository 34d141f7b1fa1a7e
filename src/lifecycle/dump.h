/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dump.h - shows what is on a drive, decoded, item by item, as far as it decodes.
 *
 * I promise    damage ends nothing: it is an item of its own. As in examine.h only recovery writes,
 *              and the medium must be a private one.
 * I ignore     whether it matters.
 *
 * WHO SAYS WHAT A DEVICE IS
 *   its superblock, or, if none can be read, the first head that can;
 *   of its bands: recovery, or, if it refuses the device, each band's heads.
 */
#ifndef HOSTFTL_LIFECYCLE_DUMP_H
#define HOSTFTL_LIFECYCLE_DUMP_H

#include "core/world.h"

#include <hostftl/hostftl.h>

/* RANGE: no such band, block or lba. FOREIGN, VERSION, GEOMETRY, MEMORY, IO. */
HFTL_MUST_USE enum hftl_status device_dump(struct hftl_media *medium, const struct world *world,
                                           const struct hftl_dump_options *options,
                                           struct why *why);

#endif
