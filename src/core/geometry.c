/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/geometry.h"

#include "base/bytes.h"
#include "base/must.h"
#include "format/format.h"

#include <string.h>

/* A tenth of what all bands hold; of bands that hold many times what a flush pads a twentieth. */
#define SLACK 10u
#define SLACK_LARGE 20u
#define SLACK_LARGE_BAND 48u

void geometry_init(struct geometry *g, const struct layout *layout)
{
    memset(g, 0, sizeof(*g));
    g->block_bytes = layout->block_bytes;
    g->oob_bytes = layout->oob_bytes;
    g->ws_min = layout->ws_min;
    g->ws_opt = layout->ws_opt;
    g->slice = layout->ws_opt / layout->interleave;
    g->rest = layout->chunk_blocks % g->slice;
    g->chunk_units = div_round_up_u32(layout->chunk_blocks, layout->ws_opt);
    g->mw_cunits = layout->mw_cunits;
    g->chunk_blocks = layout->chunk_blocks;
    g->columns = layout->columns;
    g->bands = layout->bands;
    g->stride = layout->band_stride;
    g->oob = layout->ident_place == IDENT_IN_OOB;
    g->summary_max = layout->summary_idents;
    g->tail_max = tail_idents_max(g->block_bytes);
    g->trim_lbas = trim_page_lbas(g->block_bytes);
    g->blocks = layout->exported_blocks;
    g->ranges = (uint32_t)layout_trim_ranges(layout);
    /* What a victim gives must be more than the flush before its erase pads. */
    uint32_t pads = 2 * g->ws_min + 2;
    g->slack = geometry_data_blocks(g, g->columns) >= SLACK_LARGE_BAND * pads ? SLACK_LARGE : SLACK;
}

/* Blocks of a band before the short last round. */
static uint32_t full_blocks(const struct geometry *g, uint32_t width)
{
    return (g->chunk_blocks - g->rest) * width;
}

struct place geometry_place(const struct geometry *g, uint32_t width, uint32_t position)
{
    uint32_t full = full_blocks(g, width);
    must_show(position < width * g->chunk_blocks, position, width);
    if (position < full) {
        uint32_t round = position / (g->slice * width);
        uint32_t in_round = position % (g->slice * width);
        return (struct place){in_round / g->slice, round * g->slice + in_round % g->slice};
    }
    uint32_t rest = g->rest;
    uint32_t beyond = position - full;
    return (struct place){beyond / rest, g->chunk_blocks - rest + beyond % rest};
}

uint32_t geometry_position(const struct geometry *g, uint32_t width, struct place place)
{
    uint32_t rest = g->rest;
    if (place.offset < g->chunk_blocks - rest) {
        uint32_t round = place.offset / g->slice;
        return (round * width + place.column) * g->slice + place.offset % g->slice;
    }
    return full_blocks(g, width) + place.column * rest + place.offset - (g->chunk_blocks - rest);
}

uint32_t geometry_unit(const struct geometry *g, uint32_t width, uint32_t position)
{
    return geometry_unit_at(g, width, geometry_place(g, width, position));
}

struct place geometry_unit_place(const struct geometry *g, uint32_t width, uint32_t unit)
{
    return (struct place){unit % width, unit / width * g->ws_opt};
}

uint32_t geometry_unit_blocks(const struct geometry *g, uint32_t width, uint32_t unit)
{
    return min_u32(g->ws_opt, g->chunk_blocks - geometry_unit_place(g, width, unit).offset);
}

uint32_t geometry_units(const struct geometry *g, uint32_t width)
{
    return g->chunk_units * width;
}

uint32_t geometry_slice_end(const struct geometry *g, uint32_t width, uint32_t position)
{
    uint32_t full = full_blocks(g, width);
    if (position < full)
        return position - position % g->slice + g->slice;
    return position - (position - full) % g->rest + g->rest;
}

uint32_t geometry_side_by_side(const struct geometry *g, uint32_t width, uint32_t position)
{
    /* With one column a slice's neighbour is its chunk's next slice: they touch. */
    uint32_t end = width == 1 ? g->chunk_blocks : geometry_slice_end(g, width, position);
    return end - position;
}

uint32_t geometry_tail(const struct geometry *g, uint32_t width)
{
    uint32_t blocks = width * g->chunk_blocks;
    uint64_t tail = tail_blocks(blocks, g->block_bytes, g->ws_min);
    return tail >= blocks ? 0 : blocks - (uint32_t)tail;
}

uint32_t geometry_data_blocks(const struct geometry *g, uint32_t width)
{
    uint32_t tail = geometry_tail(g, width);
    if (tail <= width)
        return 0;
    uint32_t blocks = tail - width;
    if (g->oob)
        return blocks;
    /* A summary comes after every summary_max - 1 positions: one is kept for a head in the way. */
    uint32_t summaries = div_round_up_u32(tail, g->summary_max);
    return blocks <= summaries ? 0 : blocks - summaries;
}

void geometry_write_pointers(const struct geometry *g, uint32_t width, uint32_t position,
                             uint32_t *wp)
{
    uint32_t full = full_blocks(g, width);
    bool last = position >= full;
    uint32_t slice = last ? g->rest : g->slice;
    uint32_t base = last ? g->chunk_blocks - slice : position / (slice * width) * slice;
    uint32_t in_round = position - base * width;
    for (uint32_t column = 0; column < width; column++) {
        uint32_t before = column * slice;
        wp[column] = base + (in_round <= before ? 0 : min_u32(slice, in_round - before));
    }
}

uint32_t geometry_chunks_open(uint32_t columns, uint32_t overlap)
{
    return 2 + (FORMAT_STREAMS_USED + overlap) * columns;
}

/* 0: nothing is left of it for so few PUs. UINT32_MAX: there is no limit. */
static uint32_t share_of(uint32_t limit, const struct layout *layout,
                         const struct hftl_media_facts *facts)
{
    return limit == 0 ? UINT32_MAX : hftl_media_share(facts, limit, layout->pu_count);
}

uint32_t geometry_open_limit(const struct layout *layout, const struct hftl_media_facts *facts)
{
    return min_u32(share_of(facts->open_max, layout, facts),
                   share_of(facts->active_max, layout, facts));
}

uint32_t geometry_overlap(const struct layout *layout, const struct hftl_media_facts *facts)
{
    uint32_t overlap = FORMAT_STREAMS_USED;
    while (overlap > 0 &&
           geometry_chunks_open(layout->columns, overlap) > geometry_open_limit(layout, facts))
        overlap--;
    return overlap;
}

uint32_t layout_band_chunk(const struct layout *layout, uint32_t band, uint32_t column)
{
    if (layout->media_kind == HFTL_KIND_OCSSD)
        return (layout->pu_first + column) * layout->chunks_per_pu + band;
    const struct region *region = layout_region(layout, REGION_BANDS);
    must(region != NULL);
    return region->chunk_first + band * layout->columns + column;
}
