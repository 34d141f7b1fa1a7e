/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * build.h - a device's memory, from a layout: all of it, before anything runs. The core allocates
 * nothing afterwards.
 */
#ifndef HOSTFTL_LIFECYCLE_BUILD_H
#define HOSTFTL_LIFECYCLE_BUILD_H

#include "core/engine.h"

/* Every allocation of a device begins with one of these, so that device_discard finds them all. */
struct allocation {
    struct allocation *next;
    size_t bytes;
    max_align_t memory[];
};

/* A device that can run the superblock's errand and nothing else: no bands, no map. NULL: no
 * memory. */
struct device *build_bare(struct hftl_media *medium, const struct world *world);
/* Its layout, geometry and superblock memory. */
HFTL_MUST_USE enum hftl_status build_super(struct device *device, const struct layout *layout,
                                           const uint8_t id[16]);
/* Bands, map, streams, errands. Needs build_super. Bands are FREE, without columns. What the map
 * says of lbas means nothing before build_clear_map, or before bins end (bins.h). */
HFTL_MUST_USE enum hftl_status build_rest(struct device *device,
                                          const struct device_options *options);
/* No lba is mapped. */
void build_clear_map(struct device *device);
/* Zeroed; freed by device_discard, or earlier by build_free. NULL: no memory. */
void *build_alloc(struct device *device, size_t bytes);
void build_free(struct device *device, void *memory);
/* Bytes of the longest superblock record with its pads: a whole chunk. */
size_t build_super_room(const struct geometry *g);

#endif
