/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * scan.c - a band without a tail, read block by block, ahead over all columns (ahead.h). Identities
 * come from OOB or from the summaries found on the way; each is held against the data of its block;
 * then `believe` decides. What is noted of a block does not depend on the order blocks are taken in
 * (doc/adr/0043); judging begins when all were.
 */
#include "base/bytes.h"
#include "base/crc.h"
#include "base/must.h"
#include "base/mutant.h"
#include "format/lost.h"
#include "format/summary.h"
#include "lifecycle/believe.h"
#include "lifecycle/opening.h"

#include <string.h>

static uint32_t blocks_of(const struct opening *o, const struct scan *scan)
{
    return scan->band->width * o->device->geometry.chunk_blocks;
}

/* How much of a chunk may be looked at. */
static uint32_t readable_length(const struct opening *o, uint32_t chunk)
{
    const struct hftl_chunk *c = &o->chunks[chunk];
    uint32_t mw_cunits = o->device->geometry.mw_cunits;
    switch (c->state) {
    case HFTL_CHUNK_FULL:
    case HFTL_CHUNK_READ_ONLY:
        return min_u32(c->wp, o->device->geometry.chunk_blocks);
    case HFTL_CHUNK_OPEN:
    case HFTL_CHUNK_PAUSED:
        return c->wp > mw_cunits ? c->wp - mw_cunits : 0;
    default:
        return 0;
    }
}

enum hftl_status scan_start(struct opening *o, struct scan *scan)
{
    struct device *device = o->device;
    uint32_t blocks = blocks_of(o, scan), width = scan->band->width;
    scan->idents = build_alloc(device, (size_t)blocks * FORMAT_IDENT_BYTES);
    scan->crcs = build_alloc(device, (size_t)blocks * sizeof(uint32_t));
    scan->flags = build_alloc(device, blocks);
    scan->accepted = build_alloc(device, width * sizeof(uint32_t));
    scan->wp = build_alloc(device, width * sizeof(uint32_t));
    if (scan->idents == NULL || scan->crcs == NULL || scan->flags == NULL ||
        scan->accepted == NULL || scan->wp == NULL)
        return why_say(o->why, HFTL_MEMORY, "no memory to read band %u", scan->band->index);
    /* All of it, also beyond an earlier verdict: a summary there may name blocks that were
     * accepted. */
    for (uint32_t c = 0; c < width; c++)
        scan->wp[c] = readable_length(o, scan->band->chunks[c]);
    return HFTL_OK;
}

/* An identity that can be true: of this device, and of no life to come. */
static bool makes_sense(const struct opening *o, const uint8_t *bytes, struct ident *ident)
{
    uint32_t epoch = max_u32(o->found.record.epoch, o->epoch_seen);
    return ident_decode(bytes, ident) == HFTL_OK && layout_holds_ident(&o->device->layout, ident) &&
           ident->seq >> 32 <= epoch;
}

static bool data_agrees(const struct opening *o, const struct scan *scan, const struct ident *ident,
                        uint32_t position)
{
    uint64_t salt = band_salt(o->device, scan->band, position);
    return ident_data_crc(ident, salt) == scan->crcs[position];
}

static bool proves_stored(enum ident_kind kind)
{
    return kind == IDENT_DATA || kind == IDENT_TRIM || kind == IDENT_LOST || kind == IDENT_HEAD ||
           kind == IDENT_SUMMARY;
}

static void judge_ident(const struct opening *o, struct scan *scan, uint32_t position)
{
    struct ident ident;
    if (!makes_sense(o, scan->idents + (size_t)position * FORMAT_IDENT_BYTES, &ident))
        return;
    scan->flags[position] |= SCAN_IDENT;
    if ((scan->flags[position] & SCAN_READ) == 0 || !data_agrees(o, scan, &ident, position))
        return;
    scan->flags[position] |= SCAN_VERIFIED;
    if (proves_stored(ident.kind))
        scan->flags[position] |= SCAN_STORED;
}

/* Returns how many identities before it the block holds; 0 also when it is no summary. */
static uint32_t take_summary(struct opening *o, struct scan *scan, uint32_t position,
                             const uint8_t *block)
{
    struct band_mark at = {scan->band->index, position, scan->band->generation};
    struct summary summary;
    if (memcmp(block, "HFTLSUMM", 8) != 0 ||
        summary_decode(&o->device->format, &at, block, &summary) != HFTL_OK)
        return 0;
    memcpy(scan->idents + (size_t)(position - summary.count) * FORMAT_IDENT_BYTES, summary.idents,
           (size_t)summary.count * FORMAT_IDENT_BYTES);
    /* Nobody names a summary but itself and the tail; it has just proved what it is. */
    struct ident own = {.kind = IDENT_SUMMARY};
    own.crc = ident_crc(&own, scan->crcs[position], band_salt(o->device, scan->band, position));
    ident_encode(&own, scan->idents + (size_t)position * FORMAT_IDENT_BYTES);
    opening_note_witness(o, &summary.witness);
    return summary.count;
}

/* `oob`: of media without it, nothing. */
static void take_block(struct opening *o, struct scan *scan, uint32_t position,
                       const uint8_t *block, const uint8_t *oob)
{
    const struct geometry *g = &o->device->geometry;
    scan->flags[position] |= SCAN_READ;
    scan->crcs[position] = crc32c(0, block, g->block_bytes);
    if (g->oob)
        memcpy(scan->idents + (size_t)position * FORMAT_IDENT_BYTES, oob, FORMAT_IDENT_BYTES);
    else
        (void)take_summary(o, scan, position, block);
}

static enum hftl_status read_run(struct opening *o, const struct scan *scan, struct place place,
                                 uint32_t blocks)
{
    return blocking_read(&o->b,
                         (struct hftl_media_op){.chunk = scan->band->chunks[place.column],
                                                .offset = place.offset,
                                                .blocks = blocks,
                                                .data = o->block,
                                                .oob = o->device->geometry.oob ? o->oob : NULL});
}

/* What was read with it may be why it failed: by itself, twice before it is given up. */
static void take_alone(struct opening *o, struct scan *scan, uint32_t position)
{
    struct place at = geometry_place(&o->device->geometry, scan->band->width, position);
    if (read_run(o, scan, at, 1) == HFTL_OK || read_run(o, scan, at, 1) == HFTL_OK)
        take_block(o, scan, position, o->block, o->oob);
}

/* A block that came ahead. */
static void take_asked(struct opening *o, const struct ahead_block *asked)
{
    struct scan *scan = &o->scans[o->sightings[asked->band->index].scan - 1];
    scan->flags[asked->number] |= SCAN_WRITTEN;
    if (asked->status == HFTL_OK)
        take_block(o, scan, asked->number, asked->data, asked->oob);
    else
        take_alone(o, scan, asked->number);
}

static void ask_run(struct opening *o, const struct scan *scan, struct place place, uint32_t blocks)
{
    const struct geometry *g = &o->device->geometry;
    struct ahead_block block = {.band = scan->band,
                                .chunk = scan->band->chunks[place.column],
                                .with_oob = g->oob,
                                .take = take_asked};
    for (uint32_t end = place.offset + blocks; place.offset < end; place.offset++) {
        block.offset = place.offset;
        block.number = geometry_position(g, scan->band->width, place);
        ahead_ask(o, &block);
    }
    ahead_send(o);
}

/* Ahead, a run of each column in turn, so that all parallel units have some. */
static void read_columns(struct opening *o, const struct scan *scan)
{
    uint32_t end = 0;
    for (uint32_t c = 0; c < scan->band->width; c++)
        end = max_u32(end, scan->wp[c]);
    for (uint32_t at = 0; at < end; at += AHEAD_BLOCKS)
        for (uint32_t c = 0; c < scan->band->width; c++)
            if (at < scan->wp[c])
                ask_run(o, scan, (struct place){c, at}, min_u32(AHEAD_BLOCKS, scan->wp[c] - at));
    ahead_finish(o);
}

/* The block at this position. MISMATCH: the drive does not show it yet, so a close padded it. */
static enum hftl_status read_at(struct opening *o, const struct scan *scan, uint32_t position)
{
    struct hftl_media_op op = {.blocks = 1, .data = o->block};
    band_locate(o->device, scan->band, position, &op);
    if (!hftl_media_readable(&o->b.medium->facts, &o->chunks[op.chunk], op.offset))
        return HFTL_MISMATCH;
    enum hftl_status status = blocking_read(&o->b, op);
    return status == HFTL_OK ? HFTL_OK : blocking_read(&o->b, op);
}

/* Heads of later columns may stand alone, and so may the pads of a close. */
static bool needs_no_name(const struct opening *o, const uint8_t *block)
{
    uint32_t bytes = o->device->geometry.block_bytes;
    return memcmp(block, "HFTLHEAD", 8) == 0 ||
           (block[0] == 0 && memcmp(block, block + 1, bytes - 1) == 0);
}

/*
 * A band that a clean close left open needs no judging, only its identities: from the last summary
 * to the one before what it names, and so on. Where one is not found, not by a second reading
 * either, a block further down.
 */
static void read_summaries(struct opening *o, struct scan *scan)
{
    const struct geometry *g = &o->device->geometry;
    enum band_stream stream = o->sightings[scan->band->index].stream;
    uint32_t end = o->found.record.open[stream].position, nameless = 0;
    while (end > 0) {
        uint32_t position = --end, named = 0;
        bool is_fine = false;
        for (unsigned tries = 0; tries < 2 && named == 0; tries++) {
            enum hftl_status status = read_at(o, scan, position);
            is_fine = is_fine || status == HFTL_MISMATCH;
            if (status != HFTL_OK)
                break;
            scan->crcs[position] = crc32c(0, o->block, g->block_bytes);
            named = take_summary(o, scan, position, o->block);
            is_fine = is_fine || named > 0 || needs_no_name(o, o->block);
        }
        nameless += !is_fine;
        end -= named;
    }
    if (nameless > 0)
        device_log(
            o->device, HFTL_LOG_ERROR,
            "band %u, left open by a clean close: %u blocks are damaged, or lost the summary "
            "that names them; of what they held, versions before are served",
            scan->band->index, nameless);
}

/*
 * A block that does not agree with its identity, or has none, may have been read badly once: it is
 * read again before it is called torn, which is for ever. What the second reading shows counts only
 * if it agrees.
 */
static void take_again(struct opening *o, struct scan *scan, uint32_t position, uint32_t index)
{
    const struct geometry *g = &o->device->geometry;
    uint8_t *ident = scan->idents + (size_t)position * FORMAT_IDENT_BYTES,
            before[FORMAT_IDENT_BYTES];
    uint32_t crc = scan->crcs[position];
    uint8_t flags = scan->flags[position];
    if ((flags & SCAN_VERIFIED) != 0)
        return;
    memcpy(before, ident, sizeof(before));
    take_block(o, scan, position, o->block + (size_t)index * g->block_bytes,
               o->oob + (size_t)index * g->oob_bytes);
    judge_ident(o, scan, position);
    if ((scan->flags[position] & SCAN_VERIFIED) != 0)
        return;
    memcpy(ident, before, sizeof(before));
    scan->crcs[position] = crc;
    scan->flags[position] = flags;
}

/* The second time: whom a summary named that was read the first time. */
static bool is_doubtful(const struct opening *o, const struct scan *scan, struct place place,
                        unsigned time)
{
    uint32_t position = geometry_position(&o->device->geometry, scan->band->width, place);
    uint8_t flags = scan->flags[position];
    return (flags & SCAN_READ) != 0 && (flags & SCAN_VERIFIED) == 0 &&
           (time == 0 || (flags & SCAN_IDENT) != 0);
}

static void read_doubtful(struct opening *o, struct scan *scan, uint32_t column, unsigned time)
{
    for (uint32_t at = 0; at < scan->wp[column]; at++) {
        struct place place = {column, at};
        uint32_t blocks = 0;
        while (blocks < o->scratch_blocks && at + blocks < scan->wp[column] &&
               is_doubtful(o, scan, (struct place){column, at + blocks}, time))
            blocks++;
        if (blocks == 0)
            continue;
        bool read = read_run(o, scan, place, blocks) == HFTL_OK;
        for (uint32_t i = 0; read && i < blocks; i++) {
            struct place again = {column, at + i};
            take_again(o, scan, geometry_position(&o->device->geometry, scan->band->width, again),
                       i);
        }
        at += blocks - 1;
    }
}

static void judge_idents(struct opening *o, struct scan *scan)
{
    for (uint32_t position = 0; position < blocks_of(o, scan); position++)
        if ((scan->flags[position] & SCAN_WRITTEN) != 0)
            judge_ident(o, scan, position);
}

enum hftl_status scan_read(struct opening *o, struct scan *scan)
{
    if (scan->resumed && !o->device->geometry.oob) {
        read_summaries(o, scan);
        return HFTL_OK;
    }
    read_columns(o, scan);
    judge_idents(o, scan);
    for (unsigned time = 0; time < (o->device->geometry.oob ? 1u : 2u); time++) {
        for (uint32_t c = 0; c < scan->band->width && !mutant("torn-read-once"); c++)
            read_doubtful(o, scan, c, time);
        judge_idents(o, scan);
    }
    return HFTL_OK;
}

/* ---- judging ---- */

/* One past the last offset of a column at which something stored verifies. */
static uint32_t last_stored(const struct opening *o, const struct scan *scan, uint32_t column)
{
    for (uint32_t at = scan->wp[column]; at > 0; at--) {
        uint32_t position = geometry_position(&o->device->geometry, scan->band->width,
                                              (struct place){column, at - 1});
        if ((scan->flags[position] & SCAN_STORED) != 0 || mutant("pads-prove-stored"))
            return at;
    }
    return 0;
}

static enum clue_verdict verdict_on(const struct scan *scan, struct place place)
{
    if (scan->earlier == NULL)
        return VERDICT_NONE;
    return place.offset < scan->earlier[place.column] ? VERDICT_INSIDE : VERDICT_OUTSIDE;
}

static struct clues clues_of(const struct opening *o, const struct scan *scan, struct place place,
                             bool followed)
{
    uint32_t position = geometry_position(&o->device->geometry, scan->band->width, place);
    uint8_t flags = scan->flags[position];
    return (struct clues){.verdict = verdict_on(scan, place),
                          .witnessed = scan->flushed || position < opening_witnessed(o, scan->band),
                          .identity = (flags & SCAN_IDENT) != 0,
                          .verified = (flags & SCAN_VERIFIED) != 0,
                          .followed = followed};
}

static void forget(struct scan *scan, uint32_t position)
{
    memset(scan->idents + (size_t)position * FORMAT_IDENT_BYTES, 0, FORMAT_IDENT_BYTES);
    scan->flags[position] = 0;
}

/* Said, not acted upon: an erase that was cut leaves just this, and is no evidence of a loss
 * (U3). */
static void note_unidentified(struct opening *o, const struct scan *scan, uint32_t position)
{
    device_log(o->device, HFTL_LOG_DEBUG,
               "band %u, position %u was flushed once, but what it was cannot be told any more",
               scan->band->index, position);
}

static void judge_column(struct opening *o, struct scan *scan, uint32_t column)
{
    const struct geometry *g = &o->device->geometry;
    uint32_t stored = last_stored(o, scan, column);
    bool rejected = false;
    scan->accepted[column] = scan->wp[column];
    for (uint32_t at = 0; at < scan->wp[column]; at++) {
        uint32_t position = geometry_position(g, scan->band->width, (struct place){column, at});
        bool followed = stored > 0 && (stored - 1) / g->ws_opt > at / g->ws_opt;
        struct clues clues = clues_of(o, scan, (struct place){column, at}, followed);
        enum believe then = rejected && !mutant("believed-behind-a-rejected")
                                ? REJECT
                                : believe_block(&clues, NULL);
        if (then == REJECT && !rejected) {
            rejected = true;
            scan->accepted[column] = at;
        }
        if (then == SKIP && clues.witnessed)
            note_unidentified(o, scan, position);
        scan->unnamed += then == SKIP && position < geometry_tail(g, scan->band->width);
        if (then == REJECT || then == SKIP)
            forget(scan, position);
    }
    /* A summary may name what its chunk lost. */
    for (uint32_t at = scan->wp[column]; at < g->chunk_blocks; at++)
        forget(scan, geometry_position(g, scan->band->width, (struct place){column, at}));
}

void scan_judge(struct opening *o, struct scan *scan)
{
    for (uint32_t c = 0; !scan->resumed && c < scan->band->width; c++)
        judge_column(o, scan, c);
    if (scan->flushed)
        device_log(o->device, HFTL_LOG_ERROR,
                   "band %u was closed and its tail cannot be read; of %u of its blocks nobody "
                   "knows what they held: older versions may be served in their place",
                   scan->band->index, scan->unnamed);
}

void scan_end(struct opening *o, struct scan *scan)
{
    build_free(o->device, scan->crcs);
    build_free(o->device, scan->flags);
    build_free(o->device, scan->wp);
    scan->crcs = NULL;
    scan->flags = NULL;
    scan->wp = NULL;
}
