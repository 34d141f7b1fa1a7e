/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * layout.h - the drive's shape and this device's place on it (FORMAT.md, 4): 208 bytes in every
 * superblock record and every head, so that one surviving chunk is enough to know the device.
 *
 * RULES
 *   L1  every field agrees with the medium's facts, and every product is computed with overflow
 *       checks before it is used. A difference names the field and both values.   layout_check
 *   L2  regions lie inside the medium and do not overlap.                         layout_check
 *   L3  chunk blocks is a multiple of ws_min, or no chunk would ever be full.      layout_check
 *   L4  interleave divides ws_opt into multiples of ws_min.                        layout_check
 *   L5  ws_opt is the medium's, or a multiple of it that fits twice in a chunk.    layout_check
 * On an Open-Channel drive chunk i of every PU belongs to band i *without the superblock chunks*,
 * so there, and only there, regions 1 and 2 lie inside region 3 and are cut out of it.
 *
 * Regions 1 and 2 are one chunk each, at superblock_chunk[0] and [1]. Region 3 is, on an
 * Open-Channel drive, all chunks of the instance's PUs (first PU * chunks per PU, PUs * chunks per
 * PU); elsewhere at least bands * columns chunks. Its parameter is `columns`.
 */
#ifndef HOSTFTL_FORMAT_LAYOUT_H
#define HOSTFTL_FORMAT_LAYOUT_H

#include "format/format.h"
#include "format/ident.h"

#include <hostftl/media.h>

enum ident_place { IDENT_IN_OOB = 1, IDENT_IN_SUMMARY = 2 };

enum region_type {
    REGION_UNUSED = 0,
    REGION_SUPERBLOCK_A = 1,
    REGION_SUPERBLOCK_B = 2,
    REGION_BANDS = 3,
    REGION_MAP = 4,   /* reserved */
    REGION_SHARD = 5, /* reserved */
};

#define REGION_VERSION 1u

struct region {
    uint16_t type; /* enum region_type, or one that this version does not know */
    uint16_t version;
    uint32_t chunk_first;
    uint32_t chunk_count;
    uint32_t parameter;
};

struct layout {
    enum hftl_media_kind media_kind;
    enum ident_place ident_place;
    uint32_t block_bytes;
    uint32_t oob_bytes;
    uint32_t groups;
    uint32_t pus_per_group;
    uint32_t chunks_per_pu;
    uint32_t chunk_blocks;
    uint32_t ws_min;
    uint32_t ws_opt; /* of the device: L5 */
    uint32_t mw_cunits;
    uint32_t columns;
    uint32_t pu_first; /* of the instance */
    uint32_t pu_count; /* of the instance */
    uint32_t bands;
    uint32_t band_stride; /* columns * chunk_blocks */
    uint64_t exported_blocks;
    uint32_t op_permille;    /* over-provisioning, tenths of a percent; 16 bits on the medium */
    uint32_t interleave;     /* slices of a write unit, at least 1; 16 bits on the medium */
    uint32_t summary_idents; /* 0 when identities are in OOB */
    uint32_t superblock_chunk[2];
    struct region regions[FORMAT_REGIONS];
    char name[FORMAT_NAME_BYTES + 1]; /* UTF-8 without control characters, ended */
    uint64_t created;                 /* seconds since 1970 */
    uint64_t salt;
};

/*
 * For who creates a device. Copies the medium's shape (media kind to mw_cunits) into the layout and
 * derives the place of identities and the summary's size from it; nothing else is touched.
 */
void layout_take_facts(struct layout *layout, const struct hftl_media_facts *facts);

/*
 * Derives band_stride and the three regions from columns, bands, the PUs and the superblock chunks.
 * Where the drive is not an Open-Channel one, bands begin right after the higher superblock chunk.
 */
void layout_set_regions(struct layout *layout);

/* L1 to L5. GEOMETRY, and one sentence in `why` (which may be NULL when why_bytes is 0). */
HFTL_MUST_USE enum hftl_status layout_check(const struct layout *layout,
                                            const struct hftl_media_facts *facts, char *why,
                                            size_t why_bytes);

bool layout_equal(const struct layout *a, const struct layout *b);

/* Do two devices of one drive have a PU in common? */
bool layout_share_pus(const struct layout *a, const struct layout *b);

/* The region of this type, or NULL. */
const struct region *layout_region(const struct layout *layout, enum region_type type);

/* Ranges that trim pages cover the exported blocks with. */
uint64_t layout_trim_ranges(const struct layout *layout);

/* I2 (and a head's column below `columns`). */
bool layout_holds_ident(const struct layout *layout, const struct ident *ident);

/* Unused, or a band of the device with a position not beyond its end. */
bool layout_holds_mark(const struct layout *layout, const struct band_mark *mark);

void layout_encode(const struct layout *layout, uint8_t bytes[FORMAT_LAYOUT_BYTES]);
/* CORRUPT for values that mean nothing on any medium; what fits this one is layout_check's. */
HFTL_MUST_USE enum hftl_status layout_decode(const uint8_t bytes[FORMAT_LAYOUT_BYTES],
                                             struct layout *layout);
void layout_to_text(const struct layout *layout, char *text, size_t text_bytes);

#endif
