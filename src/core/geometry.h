/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * geometry.h - where a position of a band is on the medium, and how much of a band holds data.
 *
 * Pure arithmetic on the layout (FORMAT.md, section 1). Three numbers, never mixed:
 *   position   a block in its band, in writing order
 *   place      {column, offset in the chunk}
 *   pba        band * stride + position: what the map stores
 * Positions are dealt out in slices: `slice` blocks of a chunk, then as many of the next chunk, and
 * round again. A unit is what is written at once: ws_opt blocks of one chunk, a whole number of
 * slices, fewer blocks in a short last stripe. Units are numbered by stripe, then column; unit u
 * and u + w are neighbours on one chunk. With one slice a unit, a unit's positions are consecutive;
 * otherwise the units of a stripe fill side by side (FORMAT.md, 1).
 */
#ifndef HOSTFTL_CORE_GEOMETRY_H
#define HOSTFTL_CORE_GEOMETRY_H

#include "format/layout.h"

struct geometry {
    uint32_t block_bytes, oob_bytes;
    uint32_t ws_min, ws_opt, mw_cunits, chunk_blocks, columns;
    uint32_t slice; /* ws_opt / interleave */
    uint32_t rest;  /* blocks of a chunk in the short last round: chunk_blocks % slice */
    uint32_t chunk_units;
    uint32_t bands, stride;
    uint32_t summary_max; /* identities in a summary; 0 with OOB */
    uint32_t tail_max;    /* identities in a tail block */
    uint32_t trim_lbas;   /* lbas in a trim page */
    uint32_t ranges;      /* trim ranges */
    uint32_t slack;       /* one of so many blocks is always invalid (format), and worth cleaning */
    uint64_t blocks;      /* exported */
    bool oob;             /* identities in OOB */
};

struct place {
    uint32_t column, offset;
};

void geometry_init(struct geometry *geometry, const struct layout *layout);

/* `width`: columns this band really has; position below width * chunk_blocks. */
struct place geometry_place(const struct geometry *g, uint32_t width, uint32_t position);
/* The inverse. */
uint32_t geometry_position(const struct geometry *g, uint32_t width, struct place place);
uint32_t geometry_unit(const struct geometry *g, uint32_t width, uint32_t position);
/* Where the unit's first block is. */
struct place geometry_unit_place(const struct geometry *g, uint32_t width, uint32_t unit);
uint32_t geometry_unit_blocks(const struct geometry *g, uint32_t width, uint32_t unit);
uint32_t geometry_units(const struct geometry *g, uint32_t width);
/* The position after the last one that lies in the same slice. */
uint32_t geometry_slice_end(const struct geometry *g, uint32_t width, uint32_t position);
/* Blocks from this position on that lie side by side on the medium, this one included. */
uint32_t geometry_side_by_side(const struct geometry *g, uint32_t width, uint32_t position);
/* First position of the tail. */
uint32_t geometry_tail(const struct geometry *g, uint32_t width);
/* Data blocks a band of this width holds when nobody flushes: without heads, tail and summaries. */
uint32_t geometry_data_blocks(const struct geometry *g, uint32_t width);

/* How far each of a band's `width` chunks is written when the band is written up to `position`. */
void geometry_write_pointers(const struct geometry *g, uint32_t width, uint32_t position,
                             uint32_t *wp);
/*
 * Chunks that are open, and active, at most: two superblocks, a band of `columns` for each stream,
 * and `overlap` bands that are closed while their stream writes the next one. (A band prepared for
 * later costs none: a FREE band was erased already, and is opened by its first write.)
 */
uint32_t geometry_chunks_open(uint32_t columns, uint32_t overlap);
/* How many bands may overlap with the next: all streams' (2), or what the device's limit leaves. */
uint32_t geometry_overlap(const struct layout *layout, const struct hftl_media_facts *facts);
/* The least of the drive's limits of open and active chunks, of which a device has the part that
 * its PUs are of the drive's (hftl_media_share); UINT32_MAX: there is none. */
uint32_t geometry_open_limit(const struct layout *layout, const struct hftl_media_facts *facts);
/* The medium's chunk that stands for a band's column, present or not. */
uint32_t layout_band_chunk(const struct layout *layout, uint32_t band, uint32_t column);

/* The unit that has the place in it. */
static inline uint32_t geometry_unit_at(const struct geometry *g, uint32_t width,
                                        struct place place)
{
    return place.offset / g->ws_opt * width + place.column;
}

static inline hftl_pba geometry_pba(const struct geometry *g, uint32_t band, uint32_t position)
{
    return (hftl_pba){(uint64_t)band * g->stride + position};
}

static inline uint32_t geometry_range(const struct geometry *g, hftl_lba lba)
{
    return (uint32_t)(lba.n / g->trim_lbas);
}

#endif
