/* SPDX-License-Identifier: BSD-3-Clause */
/* stream_check.c - the invariants of streams and their pens (W1-W8), from scratch. */
#include "core/engine.h"

static enum hftl_status check_unit(const struct pen *pen, const struct unit *unit, struct why *why)
{
    enum band_stream kind = pen->stream->kind;
    uint32_t ws_min = pen->stream->device->geometry.ws_min;
    bool order = unit->landed <= unit->sent && unit->sent <= unit->ready &&
                 unit->ready <= unit->filled && unit->filled <= unit->blocks;
    bool aligned =
        unit->landed % ws_min == 0 && unit->sent % ws_min == 0 && unit->ready % ws_min == 0;
    if (!order || !aligned)
        return why_say(why, HFTL_CORRUPT, "W1: unit %u of stream %d: %u %u %u %u %u", unit->index,
                       kind, unit->landed, unit->sent, unit->ready, unit->filled, unit->blocks);
    if (unit->pen != pen || pen->units[unit->index] != unit)
        return why_say(why, HFTL_CORRUPT, "W2: unit %u of stream %d is held but not found",
                       unit->index, kind);
    if ((unit->landed < unit->ready) != link_is_linked(&unit->unsettled))
        return why_say(why, HFTL_CORRUPT, "W3: unit %u of stream %d: settled %u of %u", unit->index,
                       kind, unit->landed, unit->ready);
    return HFTL_OK;
}

static enum hftl_status check_held(const struct pen *pen, struct why *why)
{
    enum hftl_status status = HFTL_OK;
    uint32_t count = 0;
    const struct list_link *at;
    for (at = list_first(&pen->held); at != NULL && status == HFTL_OK;
         at = list_next(&pen->held, at)) {
        status = check_unit(pen, list_of(at, struct unit, link), why);
        count++;
    }
    if (status == HFTL_OK && count != pen->held_count)
        return why_say(why, HFTL_CORRUPT, "W2: a pen of stream %d holds %u units, counted %u",
                       pen->stream->kind, count, pen->held_count);
    return status;
}

/* What has to be in memory is: each position from the first column's write pointer on. */
static enum hftl_status check_positions(const struct pen *pen, struct why *why)
{
    const struct geometry *g = &pen->stream->device->geometry;
    uint32_t width = pen->band == NULL ? 0 : pen->band->width;
    uint32_t filled[FORMAT_COLUMNS_MAX];
    if (width > 0)
        geometry_write_pointers(g, width, pen->position, filled);
    for (uint32_t column = 0; column < width; column++) {
        uint32_t wp = pen->column_wp[column];
        for (uint32_t at = wp; at < filled[column]; at++) {
            const struct unit *unit = pen->units[at / g->ws_opt * width + column];
            if (unit == NULL || at >= unit->offset + unit->filled)
                return why_say(why, HFTL_CORRUPT,
                               "W4: stream %d, band %u: block %u of column %u is nowhere",
                               pen->stream->kind, pen->band->index, at, column);
        }
        if (wp > filled[column])
            return why_say(why, HFTL_CORRUPT, "W4: column %u is written to %u and filled to %u",
                           column, wp, filled[column]);
    }
    return HFTL_OK;
}

static enum hftl_status check_pens(const struct stream *stream, struct why *why)
{
    const struct band *open = stream->open->band, *closing = stream->closing->band;
    const struct geometry *g = &stream->device->geometry;
    if (closing != NULL && closing->state != BAND_FULL)
        return why_say(why, HFTL_CORRUPT, "W6: the closing band %u is %s", closing->index,
                       band_state_text(closing->state));
    if (open != NULL && open->state != BAND_OPEN && (open->state != BAND_FULL || closing == NULL))
        return why_say(why, HFTL_CORRUPT, "W6: the open band %u is %s", open->index,
                       band_state_text(open->state));
    const struct band *kept = stream->kept;
    if (kept != NULL && (stream->kind != STREAM_USER || kept->state != BAND_OPEN ||
                         kept->valid > 0 || kept == open || kept == closing))
        return why_say(why, HFTL_CORRUPT, "W9: stream %d has band %u kept for it, which is %s",
                       stream->kind, kept->index, band_state_text(kept->state));
    if (stream->pool_count < pen_owed(stream->closing))
        return why_say(why, HFTL_CORRUPT, "W7: stream %d has %u units left, %u are owed",
                       stream->kind, stream->pool_count, pen_owed(stream->closing));
    if (!g->oob && open != NULL && open->state == BAND_OPEN &&
        stream->open->since_summary > g->summary_max)
        return why_say(why, HFTL_CORRUPT, "W5: %u positions without a summary",
                       stream->open->since_summary);
    return HFTL_OK;
}

static enum hftl_status check_overlap(const struct device *device, struct why *why)
{
    uint32_t overlapping = 0;
    for (unsigned i = 0; i < STREAMS; i++)
        overlapping +=
            device->streams[i].open->band != NULL && device->streams[i].closing->band != NULL;
    if (overlapping > device->overlap)
        return why_say(why, HFTL_CORRUPT, "W8: %u streams overlap, the drive has room for %u",
                       overlapping, device->overlap);
    return HFTL_OK;
}

enum hftl_status stream_check(const struct stream *stream, struct why *why)
{
    uint32_t pool = 0;
    const struct list_link *at;
    for (at = list_first(&stream->pool); at != NULL; at = list_next(&stream->pool, at))
        pool++;
    if (pool != stream->pool_count ||
        pool + stream->pens[0].held_count + stream->pens[1].held_count != stream->unit_count)
        return why_say(why, HFTL_CORRUPT, "W2: stream %d has %u units in the pool, counted %u",
                       stream->kind, pool, stream->pool_count);
    enum hftl_status status = check_pens(stream, why);
    for (unsigned i = 0; i < 2 && status == HFTL_OK; i++)
        status = check_held(&stream->pens[i], why);
    for (unsigned i = 0; i < 2 && status == HFTL_OK; i++)
        status = check_positions(&stream->pens[i], why);
    return status == HFTL_OK ? check_overlap(stream->device, why) : status;
}
