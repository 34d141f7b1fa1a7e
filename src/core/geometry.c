/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/geometry.h"

#include "base/bytes.h"
#include "base/must.h"
#include "format/format.h"

#include <string.h>

void geometry_init(struct geometry *g, const struct layout *layout)
{
    memset(g, 0, sizeof(*g));
    g->block_bytes = layout->block_bytes;
    g->oob_bytes = layout->oob_bytes;
    g->ws_min = layout->ws_min;
    g->ws_opt = layout->ws_opt;
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
}

/* Blocks of a band before the short last stripe. */
static uint32_t full_blocks(const struct geometry *g, uint32_t width)
{
    return g->chunk_blocks / g->ws_opt * g->ws_opt * width;
}

static uint32_t rest_blocks(const struct geometry *g)
{
    return g->chunk_blocks % g->ws_opt;
}

struct place geometry_place(const struct geometry *g, uint32_t width, uint32_t position)
{
    uint32_t full = full_blocks(g, width);
    must_show(position < width * g->chunk_blocks, position, width);
    if (position < full) {
        uint32_t stripe = position / (g->ws_opt * width);
        uint32_t in_stripe = position % (g->ws_opt * width);
        return (struct place){in_stripe / g->ws_opt, stripe * g->ws_opt + in_stripe % g->ws_opt};
    }
    uint32_t rest = rest_blocks(g);
    uint32_t beyond = position - full;
    return (struct place){beyond / rest, g->chunk_blocks - rest + beyond % rest};
}

uint32_t geometry_position(const struct geometry *g, uint32_t width, struct place place)
{
    uint32_t rest = rest_blocks(g);
    if (place.offset < g->chunk_blocks - rest) {
        uint32_t stripe = place.offset / g->ws_opt;
        return (stripe * width + place.column) * g->ws_opt + place.offset % g->ws_opt;
    }
    return full_blocks(g, width) + place.column * rest + place.offset - (g->chunk_blocks - rest);
}

uint32_t geometry_unit(const struct geometry *g, uint32_t width, uint32_t position)
{
    uint32_t full = full_blocks(g, width);
    if (position < full)
        return position / g->ws_opt;
    return full / g->ws_opt + (position - full) / rest_blocks(g);
}

uint32_t geometry_unit_first(const struct geometry *g, uint32_t width, uint32_t unit)
{
    uint32_t full_units = full_blocks(g, width) / g->ws_opt;
    if (unit < full_units)
        return unit * g->ws_opt;
    return full_blocks(g, width) + (unit - full_units) * rest_blocks(g);
}

uint32_t geometry_unit_blocks(const struct geometry *g, uint32_t width, uint32_t unit)
{
    return unit < full_blocks(g, width) / g->ws_opt ? g->ws_opt : rest_blocks(g);
}

uint32_t geometry_units(const struct geometry *g, uint32_t width)
{
    return full_blocks(g, width) / g->ws_opt + (rest_blocks(g) != 0 ? width : 0);
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
    uint32_t units = geometry_units(g, width);
    memset(wp, 0, width * sizeof(*wp));
    for (uint32_t unit = 0; unit < units; unit++) {
        uint32_t first = geometry_unit_first(g, width, unit);
        if (first >= position)
            break;
        struct place place = geometry_place(g, width, first);
        wp[place.column] =
            place.offset + min_u32(geometry_unit_blocks(g, width, unit), position - first);
    }
}

uint32_t layout_band_chunk(const struct layout *layout, uint32_t band, uint32_t column)
{
    if (layout->media_kind == HFTL_KIND_OCSSD)
        return (layout->pu_first + column) * layout->chunks_per_pu + band;
    const struct region *region = layout_region(layout, REGION_BANDS);
    must(region != NULL);
    return region->chunk_first + band * layout->columns + column;
}
