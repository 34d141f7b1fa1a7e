/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bands.c - what each band is, before any of it is believed:
 *
 *   all chunks FREE                                    -> FREE
 *   no head, no tail that can be recognised            -> to be erased
 *   named by a verdict of the newest record            -> sealed (O12)
 *   named by a clean close, write pointers agree       -> resumed
 *   all chunks FULL, every tail block good             -> closed; what it names is in the map
 *   anything else                                      -> sealed
 */
#include "base/bytes.h"
#include "base/must.h"
#include "base/mutant.h"
#include "format/head.h"
#include "format/stamp.h"
#include "format/tail.h"
#include "lifecycle/opening.h"

#include <string.h>

static bool is_superblock(const struct opening *o, uint32_t chunk)
{
    return chunk == o->device->layout.superblock_chunk[0] ||
           chunk == o->device->layout.superblock_chunk[1];
}

static bool is_usable(const struct opening *o, uint32_t chunk)
{
    const struct hftl_chunk *c = &o->chunks[chunk];
    return !is_superblock(o, chunk) && c->state != HFTL_CHUNK_OFFLINE &&
           c->state != HFTL_CHUNK_READ_ONLY && c->capacity == o->device->geometry.chunk_blocks;
}

static bool is_partly_written(const struct hftl_chunk *c)
{
    return c->state == HFTL_CHUNK_OPEN || c->state == HFTL_CHUNK_PAUSED;
}

/* ---- chunks ---- */

static enum hftl_status pad_chunk(struct opening *o, uint32_t chunk, uint32_t blocks)
{
    struct hftl_chunk *c = &o->chunks[chunk];
    uint32_t now = min_u32(blocks, c->capacity - c->wp);
    enum hftl_status status = blocking_pad(&o->b, chunk, c->wp, now);
    if (status != HFTL_OK)
        return why_say(o->why, status, "padding chunk %u at block %u: %s", chunk, c->wp,
                       hftl_status_text(status));
    c->wp += now;
    if (c->wp == c->capacity)
        c->state = HFTL_CHUNK_FULL;
    return HFTL_OK;
}

/* So that what was flushed can be read (9.4.4). */
enum hftl_status bands_pad_open_chunks(struct opening *o)
{
    const struct geometry *g = &o->device->geometry;
    uint32_t blocks = round_up_u32(g->mw_cunits, g->ws_min);
    enum hftl_status status = HFTL_OK;
    if (blocks == 0 || mutant("window-not-padded"))
        return HFTL_OK;
    for (uint32_t band = 0; band < g->bands && status == HFTL_OK; band++)
        for (uint32_t column = 0; column < g->columns && status == HFTL_OK; column++) {
            uint32_t chunk = layout_band_chunk(&o->device->layout, band, column);
            if (!is_superblock(o, chunk) && is_partly_written(&o->chunks[chunk]))
                status = pad_chunk(o, chunk, blocks);
        }
    return status;
}

static bool holds_slot(const struct opening *o, uint32_t chunk)
{
    return !is_superblock(o, chunk) && is_partly_written(&o->chunks[chunk]);
}

/* The bands' chunk that holds a slot of the drive and is the cheapest to fill. */
static uint32_t fullest_chunk(const struct opening *o, uint32_t *holders)
{
    const struct layout *layout = &o->device->layout;
    const struct geometry *g = &o->device->geometry;
    uint32_t best = UINT32_MAX;
    *holders = 0;
    for (uint32_t i = 0; i < g->bands * g->columns; i++) {
        uint32_t chunk = layout_band_chunk(layout, i / g->columns, i % g->columns);
        if (!holds_slot(o, chunk))
            continue;
        ++*holders;
        if (best == UINT32_MAX || o->chunks[chunk].wp > o->chunks[best].wp)
            best = chunk;
    }
    return best;
}

/*
 * A chunk that was FULL and lost its end in the cut holds a slot of the drive once more. The record
 * that comes next needs two at most; sealed bands let theirs go only after it. Pads decide nothing,
 * so they may be written before it, where a finish would hide how far a chunk is written (O13).
 */
enum hftl_status bands_leave_slots(struct opening *o)
{
    uint32_t limit = geometry_open_limit(&o->device->layout, &o->b.medium->facts);
    enum hftl_status status = HFTL_OK;
    uint32_t holders = 0;
    if (limit == UINT32_MAX || mutant("no-slot-for-the-record"))
        return HFTL_OK;
    for (uint32_t chunk = fullest_chunk(o, &holders);
         status == HFTL_OK && chunk != UINT32_MAX && holders + 2 > limit;
         chunk = fullest_chunk(o, &holders))
        status = pad_chunk(o, chunk, o->chunks[chunk].capacity);
    return status;
}

static enum hftl_status release_chunk(struct opening *o, uint32_t chunk)
{
    const struct hftl_media_facts *facts = &o->b.medium->facts;
    struct hftl_chunk *c = &o->chunks[chunk];
    if (!is_partly_written(c))
        return HFTL_OK;
    if ((facts->flags & HFTL_MEDIA_CAN_FINISH) != 0) {
        enum hftl_status status = blocking_chunk(&o->b, HFTL_MEDIA_FINISH, chunk);
        if (status != HFTL_OK)
            return why_say(o->why, status, "finishing chunk %u: %s", chunk,
                           hftl_status_text(status));
        c->state = HFTL_CHUNK_FULL;
        return HFTL_OK;
    }
    if ((facts->flags & HFTL_MEDIA_CAN_RESET_OPEN) != 0 && facts->open_max == 0 &&
        facts->active_max == 0)
        return HFTL_OK;
    return pad_chunk(o, chunk, c->capacity);
}

/* Sealed bands hold no open chunk: the drive's slots are for those being written. */
enum hftl_status bands_release_chunks(struct opening *o)
{
    struct device *device = o->device;
    enum hftl_status status = HFTL_OK;
    for (uint32_t i = 0; i < device->geometry.bands && status == HFTL_OK; i++) {
        const struct band *band = &device->bands[i];
        if (band->state != BAND_SEALED && band->state != BAND_EMPTIED)
            continue;
        for (uint32_t c = 0; c < band->width && status == HFTL_OK; c++)
            status = release_chunk(o, band->chunks[c]);
    }
    return status;
}

/* ---- witnesses ---- */

static bool is_of_a_life(const struct opening *o, const struct band_mark *mark)
{
    return o->device->bands[mark->band].generation == mark->generation;
}

/* So the order in which witnesses are found does not matter: of each band's life there is room for
 * one mark, the highest. */
void opening_keep_lives(struct opening *o)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < o->mark_count; i++)
        if (is_of_a_life(o, &o->marks[i]))
            o->marks[kept++] = o->marks[i];
    o->mark_count = kept;
    o->lives_are_known = true;
}

void opening_note_witness(struct opening *o, const struct witness *witness)
{
    for (unsigned i = 0; i < FORMAT_STREAMS; i++) {
        const struct band_mark *mark = &witness->slots[i];
        uint32_t at = 0;
        if (mark->band == FORMAT_BAND_NONE || !layout_holds_mark(&o->device->layout, mark))
            continue;
        if (o->lives_are_known && !is_of_a_life(o, mark))
            continue;
        while (at < o->mark_count &&
               (o->marks[at].band != mark->band || o->marks[at].generation != mark->generation))
            at++;
        if (at == o->mark_count && o->mark_count == o->mark_room)
            continue; /* room for two lives of every band: older ones do not matter */
        if (at == o->mark_count)
            o->marks[o->mark_count++] = *mark;
        o->marks[at].position = max_u32(o->marks[at].position, mark->position);
    }
    if (witness->flush > o->witness.flush)
        o->witness = *witness;
}

uint32_t opening_witnessed(const struct opening *o, const struct band *band)
{
    for (uint32_t i = 0; i < o->mark_count; i++)
        if (o->marks[i].band == band->index && o->marks[i].generation == band->generation)
            return o->marks[i].position;
    return 0;
}

/* ---- what a band is ---- */

static void take_columns(struct opening *o, struct band *band, const struct head *head)
{
    band->width = 0;
    for (uint32_t column = 0; column < o->device->geometry.columns; column++) {
        uint32_t chunk = layout_band_chunk(&o->device->layout, band->index, column);
        if (head != NULL ? !head_has_column(head, column) : !is_usable(o, chunk))
            continue;
        band->columns[band->width] = (uint16_t)column;
        band->chunks[band->width++] = chunk;
    }
    for (uint32_t i = 0; i < band->width; i++)
        band->wear = max_u32(band->wear, o->chunks[band->chunks[i]].wear);
}

static bool has_readable(const struct opening *o, uint32_t chunk, uint32_t offset)
{
    return hftl_media_readable(&o->b.medium->facts, &o->chunks[chunk], offset);
}

/* Twice before it is given up: what hangs on a head or a tail is a whole band. */
static enum hftl_status read_block(struct opening *o, uint32_t chunk, uint32_t offset)
{
    struct hftl_media_op op = {.chunk = chunk, .offset = offset, .blocks = 1, .data = o->block};
    if (blocking_read(&o->b, op) == HFTL_OK)
        return HFTL_OK;
    return blocking_read(&o->b, op);
}

static uint32_t rank_of(const struct head *head, uint32_t column)
{
    uint32_t rank = 0;
    for (uint32_t i = 0; i < column; i++)
        rank += head_has_column(head, i);
    return rank;
}

/* No head of ours does. */
static bool names_superblock(const struct opening *o, const struct band *band,
                             const struct head *head)
{
    for (uint32_t i = 0; i < o->device->geometry.columns; i++)
        if (head_has_column(head, i) &&
            is_superblock(o, layout_band_chunk(&o->device->layout, band->index, i)))
            return true;
    return false;
}

/* H1-H3 of a block that was read. */
static bool is_head(const struct opening *o, const struct band *band, uint32_t column,
                    const uint8_t *block, struct head *head)
{
    /* Which position it has depends on the columns it names, so that is compared afterwards. */
    struct format_place where = {.place = band->index, .position = get_u32(block + 44)};
    if (head_decode(&o->device->format, &where, block, head) != HFTL_OK)
        return false;
    if (names_superblock(o, band, head))
        return false;
    return head->column == column && layout_equal(&head->layout, &o->device->layout) &&
           head->position == rank_of(head, column) * o->device->geometry.slice;
}

/* Of one chunk. A bit that flipped on the way hides a band like an error does: twice as well. */
static bool read_head(struct opening *o, const struct band *band, uint32_t column,
                      struct head *head)
{
    uint32_t chunk = layout_band_chunk(&o->device->layout, band->index, column);
    const struct sighting *seen = &o->sightings[band->index];
    unsigned tries = mutant("head-decoded-once") ? 1 : 2;
    if (seen->asked && seen->column == column)
        tries--;
    if (is_superblock(o, chunk) || !has_readable(o, chunk, 0))
        return false;
    while (tries-- > 0)
        if (read_block(o, chunk, 0) == HFTL_OK && is_head(o, band, column, o->block, head))
            return true;
    return false;
}

static void adopt_head(struct opening *o, struct band *band, const struct head *head)
{
    take_columns(o, band, head);
    band->generation = head->generation;
    o->sightings[band->index].stream = head->stream;
    o->sightings[band->index].head = true;
    o->epoch_seen = max_u32(o->epoch_seen, head->epoch);
    opening_note_witness(o, &head->witness);
}

static void take_head(struct opening *o, const struct ahead_block *block)
{
    struct head head;
    if (block->status == HFTL_OK && is_head(o, block->band, block->number, block->data, &head))
        adopt_head(o, block->band, &head);
}

/* A chunk that was retired keeps the head of an earlier life: the others are asked first. */
static bool find_head(struct opening *o, struct band *band)
{
    uint32_t columns = o->device->geometry.columns;
    struct head head;
    for (uint32_t i = 0; i < 2 * columns; i++) {
        uint32_t column = i % columns;
        bool usable = is_usable(o, layout_band_chunk(&o->device->layout, band->index, column));
        if (usable != (i < columns) || !read_head(o, band, column, &head))
            continue;
        adopt_head(o, band, &head);
        return true;
    }
    return false;
}

/* Without any head the tail may still name the generation. Which stream filled the band it does not
 * say, and that no longer matters: it is not written again. */
static bool find_by_tail(struct opening *o, struct band *band)
{
    struct hftl_media_op op;
    struct stamp stamp;
    take_columns(o, band, NULL);
    uint32_t tail = band->width == 0 ? 0 : geometry_tail(&o->device->geometry, band->width);
    if (tail == 0)
        return false;
    band_locate(o->device, band, tail, &op);
    if (!has_readable(o, op.chunk, op.offset) || read_block(o, op.chunk, op.offset) != HFTL_OK)
        return false;
    struct stamp_expected expected = {.kind = STAMP_TAIL, .place = band->index, .position = tail};
    if (stamp_decode(&o->device->format, &expected, o->block, o->device->geometry.block_bytes,
                     &stamp) != HFTL_OK)
        return false;
    band->generation = stamp.number;
    o->sightings[band->index].stream = STREAM_USER;
    device_log(o->device, HFTL_LOG_WARN, "band %u has no readable head; its tail names it",
               band->index);
    return true;
}

/* The last resort: a summary names the band and its generation too. */
static bool is_summary_of(struct opening *o, struct band *band, uint32_t position)
{
    struct stamp stamp;
    struct stamp_expected expected = {
        .kind = STAMP_SUMMARY, .place = band->index, .position = position};
    if (memcmp(o->block, "HFTLSUMM", 8) != 0 ||
        stamp_decode(&o->device->format, &expected, o->block, o->device->geometry.block_bytes,
                     &stamp) != HFTL_OK)
        return false;
    band->generation = stamp.number;
    return true;
}

static bool find_by_summary(struct opening *o, struct band *band)
{
    const struct geometry *g = &o->device->geometry;
    struct hftl_media_op op;
    take_columns(o, band, NULL);
    for (uint32_t position = 0; !g->oob && position < band->width * g->chunk_blocks; position++) {
        band_locate(o->device, band, position, &op);
        if (!has_readable(o, op.chunk, op.offset) ||
            read_block(o, op.chunk, op.offset) != HFTL_OK || !is_summary_of(o, band, position))
            continue;
        o->sightings[band->index].stream = STREAM_USER;
        device_log(o->device, HFTL_LOG_WARN, "band %u has no readable head; a summary names it",
                   band->index);
        return true;
    }
    return false;
}

static bool is_all(const struct opening *o, const struct band *band, enum hftl_chunk_state state)
{
    for (uint32_t i = 0; i < band->width; i++)
        if (o->chunks[band->chunks[i]].state != state)
            return false;
    return true;
}

static const struct verdict *verdict_of(const struct opening *o, const struct band *band)
{
    for (uint32_t i = 0; i < o->earlier_count; i++) {
        const struct verdict *verdict = &o->earlier[i];
        bool same = verdict->generation == band->generation;
        bool bound =
            generation_is_bound(verdict->generation) && verdict->generation > band->generation;
        if (verdict->band == band->index && (same || bound))
            return verdict;
    }
    return NULL;
}

static const struct band_mark *clean_mark_of(const struct opening *o, const struct band *band)
{
    /* One band a stream, the stream its head names: whatever else the record says. */
    const struct band_mark *mark = &o->found.record.open[o->sightings[band->index].stream];
    bool same = mark->band == band->index && mark->generation == band->generation;
    return o->clean && same ? mark : NULL;
}

/* A planted bug: goes on writing a band that a cut left open, where its chunks happen to agree. */
static bool mutant_resumes(struct opening *o, const struct band *band)
{
    const struct geometry *g = &o->device->geometry;
    uint32_t wp[FORMAT_COLUMNS_MAX];
    uint32_t tail = geometry_tail(g, band->width);
    unsigned stream = o->sightings[band->index].stream;
    if (!mutant("sealed-band-written-again") ||
        o->found.record.open[stream].band != FORMAT_BAND_NONE)
        return false;
    for (uint32_t position = g->ws_min; position < tail; position += g->ws_min) {
        bool same = true;
        geometry_write_pointers(g, band->width, position, wp);
        for (uint32_t c = 0; c < band->width && same; c++)
            same = o->chunks[band->chunks[c]].wp == wp[c];
        if (same) {
            o->found.record.open[stream] =
                (struct band_mark){band->index, position, band->generation};
            return true;
        }
    }
    return false;
}

static void add_scan(struct opening *o, struct band *band, const uint32_t *earlier, bool resumed)
{
    struct scan *scan = &o->scans[o->scan_count++];
    scan->band = band;
    scan->earlier = earlier;
    scan->resumed = resumed;
    scan->flushed = o->clean && earlier == NULL && !resumed && is_all(o, band, HFTL_CHUNK_FULL);
    o->sightings[band->index].scan = o->scan_count;
}

/* A chunk that the drive made read-only may hold the only copy of what was flushed there. */
static bool has_retired_data(const struct opening *o, const struct band *band)
{
    for (uint32_t column = 0; column < o->device->geometry.columns; column++) {
        uint32_t chunk = layout_band_chunk(&o->device->layout, band->index, column);
        const struct hftl_chunk *c = &o->chunks[chunk];
        if (!is_superblock(o, chunk) && c->state == HFTL_CHUNK_READ_ONLY && c->wp > 0)
            return true;
    }
    return false;
}

/* A clean close names the bands it left open, and their streams: it is asked before tails and
 * summaries, which do not. */
static bool find_by_record(struct opening *o, struct band *band)
{
    for (unsigned i = 0; o->clean && i < STREAMS; i++) {
        const struct band_mark *mark = &o->found.record.open[i];
        if (mark->band != band->index)
            continue;
        take_columns(o, band, NULL);
        band->generation = mark->generation;
        o->sightings[band->index].stream = (enum band_stream)i;
        device_log(o->device, HFTL_LOG_WARN,
                   "band %u has no readable head; the superblock names it", band->index);
        return true;
    }
    return false;
}

/* Free, or one of its heads is asked for ahead where all of them should be there: of another column
 * for each band, so that all parallel units have some to read. */
static void look_at(struct opening *o, struct band *band)
{
    struct sighting *seen = &o->sightings[band->index];
    take_columns(o, band, NULL);
    if (band->width > 0 && geometry_data_blocks(&o->device->geometry, band->width) > 0 &&
        is_all(o, band, HFTL_CHUNK_FREE) && !has_retired_data(o, band)) {
        band_load(o->device, band, BAND_FREE);
        seen->free = true;
        return;
    }
    if (band->width == 0 || !is_all(o, band, HFTL_CHUNK_FULL))
        return;
    uint32_t at = band->index % band->width;
    if (!has_readable(o, band->chunks[at], 0)) /* finished empty */
        return;
    seen->asked = true;
    seen->column = band->columns[at];
    ahead_ask(
        o, &(struct ahead_block){
               .band = band, .number = seen->column, .chunk = band->chunks[at], .take = take_head});
}

/* Nobody could say what it is. */
static void leave_unknown(struct opening *o, struct band *band)
{
    band->generation = 0;
    take_columns(o, band, NULL);
    o->sightings[band->index].unknown = true;
    bool none = band->width == 0 || geometry_data_blocks(&o->device->geometry, band->width) == 0;
    band_load(o->device, band, none ? BAND_RETIRED : BAND_EMPTIED);
}

/* Its tail is asked for ahead where it may be closed. */
static void classify(struct opening *o, struct band *band)
{
    struct sighting *seen = &o->sightings[band->index];
    if (!seen->head && !find_head(o, band) && !find_by_record(o, band) && !find_by_tail(o, band) &&
        !find_by_summary(o, band)) {
        leave_unknown(o, band);
        return;
    }
    seen->head = true;
    seen->resumed = clean_mark_of(o, band) != NULL || mutant_resumes(o, band);
    o->epoch_seen = max_u32(o->epoch_seen, (uint32_t)(band->generation >> 32));
    seen->maybe_closed =
        verdict_of(o, band) == NULL && !seen->resumed && is_all(o, band, HFTL_CHUNK_FULL);
    if (seen->maybe_closed)
        merge_ask(o, band);
}

/* Closed bands are loaded when their valid blocks are counted. */
static void scan_unless_closed(struct opening *o, struct band *band)
{
    const struct sighting *seen = &o->sightings[band->index];
    if (!seen->head || (seen->maybe_closed && !seen->tail_bad))
        return;
    const struct verdict *verdict = verdict_of(o, band);
    bool same = verdict != NULL &&
                (verdict->columns == band->width || generation_is_bound(verdict->generation));
    add_scan(o, band, same ? verdict->accepted : NULL, seen->resumed);
}

enum hftl_status bands_classify(struct opening *o)
{
    uint32_t bands = o->device->geometry.bands;
    opening_note_witness(o, &o->found.record.witness);
    for (uint32_t i = 0; i < bands; i++)
        look_at(o, &o->device->bands[i]);
    ahead_finish(o);
    for (uint32_t i = 0; i < bands; i++)
        if (!o->sightings[i].free)
            classify(o, &o->device->bands[i]);
    ahead_finish(o);
    opening_keep_lives(o);
    for (uint32_t i = 0; i < bands; i++)
        scan_unless_closed(o, &o->device->bands[i]);
    return HFTL_OK;
}

/* After a clean close only bands left open hold slots of a drive that has few. Where others do, it
 * has lost what it said was flushed. Not so a chunk of another capacity, which counts as bad: what
 * is in it is not ours, and format could not erase it. */
static bool has_stray_slots(const struct opening *o)
{
    const struct layout *layout = &o->device->layout;
    uint32_t columns = o->device->geometry.columns;
    if (geometry_open_limit(layout, &o->b.medium->facts) == UINT32_MAX)
        return false;
    for (uint32_t i = 0; i < o->device->geometry.bands * columns; i++) {
        uint32_t chunk = layout_band_chunk(layout, i / columns, i % columns);
        bool marked = false;
        for (unsigned stream = 0; stream < STREAMS; stream++)
            marked |= o->found.record.open[stream].band == i / columns;
        if (!marked && is_usable(o, chunk) && holds_slot(o, chunk))
            return true;
    }
    return false;
}

/* Every chunk of a band left open is written exactly as far as the record says. */
bool bands_clean_marks_hold(const struct opening *o)
{
    const struct device *device = o->device;
    const struct geometry *g = &device->geometry;
    uint32_t wp[FORMAT_COLUMNS_MAX];
    if (has_stray_slots(o))
        return false;
    for (unsigned i = 0; i < STREAMS; i++) {
        const struct band_mark *mark = &o->found.record.open[i];
        if (mark->band == FORMAT_BAND_NONE)
            continue;
        struct band probe = device->bands[mark->band];
        take_columns((struct opening *)(uintptr_t)o, &probe, NULL);
        if (probe.width == 0 || mark->position % g->ws_min != 0 ||
            mark->position >= geometry_tail(g, probe.width))
            return false;
        geometry_write_pointers(g, probe.width, mark->position, wp);
        for (uint32_t c = 0; c < probe.width; c++)
            if (o->chunks[probe.chunks[c]].wp != wp[c])
                return false;
    }
    return true;
}
