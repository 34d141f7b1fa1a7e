/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * merge.c - the map from all identities. The newest seq of each lba wins; copies of one version are
 * decided by where they are and, when one is in a sealed band, by reading (V1-V3); then trim pages
 * are applied.
 *
 * Seqs are not kept for every lba: the work is done window by window, each with one pass over all
 * tails and sealed bands.
 */
#include "base/bitmap.h"
#include "base/bytes.h"
#include "base/crc.h"
#include "base/must.h"
#include "base/mutant.h"
#include "format/tail.h"
#include "format/trim_page.h"
#include "lifecycle/opening.h"

#include <string.h>

#define WINDOW_BYTES_DEFAULT (UINT64_C(64) << 20)

struct entry {
    struct band *band;
    uint32_t position;
    struct ident ident;
};

static bool is_sealed(const struct opening *o, const struct band *band)
{
    uint32_t scan = o->sightings[band->index].scan;
    return scan != 0 && !o->scans[scan - 1].resumed;
}

/*
 * Two copies of one version: does the one at hand give way to the other? In bands with tails (or
 * left open cleanly) both are durable unless an erase was cut in the older, which relocation had
 * emptied: the copy made by relocation is preferred, then the later one. Among sealed bands both
 * were read: the original is preferred, so that a half-made copy can be dropped. Between the
 * kinds: the one with the tail, on trial (see settle_tie).
 */
static bool gives_way(const struct opening *o, const struct band *mine, const struct band *other)
{
    bool sealed = is_sealed(o, mine);
    if (sealed != is_sealed(o, other))
        return sealed;
    enum band_stream my_stream = o->sightings[mine->index].stream;
    enum band_stream other_stream = o->sightings[other->index].stream;
    if (my_stream != other_stream)
        return sealed ? my_stream == STREAM_RELOCATION : my_stream == STREAM_USER;
    return sealed ? mine->generation > other->generation : mine->generation < other->generation;
}

static hftl_pba pba_of(const struct opening *o, const struct entry *e)
{
    return geometry_pba(&o->device->geometry, e->band->index, e->position);
}

static uint32_t data_crc_of(const struct opening *o, const struct entry *e)
{
    return ident_data_crc(&e->ident, band_salt(o->device, e->band, e->position));
}

static void set_entry(struct opening *o, const struct entry *e)
{
    struct map *map = &o->device->map;
    map_table_set(&map->pba, e->ident.lba, pba_of(o, e));
    o->seqs[e->ident.lba - o->window_first] = e->ident.seq;
    if (e->ident.kind == IDENT_LOST)
        bitmap_set(o->lost, e->ident.lba - o->window_first);
    else
        bitmap_clear(o->lost, e->ident.lba - o->window_first);
    if (map->crc != NULL)
        map->crc[e->ident.lba] =
            e->ident.kind == IDENT_LOST ? ~data_crc_of(o, e) : data_crc_of(o, e);
}

static void note_tie(struct opening *o, const struct entry *e, hftl_pba loser)
{
    must_show(o->tie_count < o->tie_room, o->tie_count, o->tie_room);
    o->ties[o->tie_count++] = (struct tie){
        .lba = e->ident.lba, .seq = e->ident.seq, .crc = data_crc_of(o, e), .pba = loser};
}

/* Two copies of one version. What was once marked as lost stays lost (C6), wherever it is. */
static bool gives_way_to_holder(struct opening *o, const struct entry *e, hftl_pba held)
{
    uint32_t position;
    const struct band *holder = band_of(o->device, held, &position);
    bool mine_lost = e->ident.kind == IDENT_LOST;
    bool holder_lost = bitmap_get(o->lost, e->ident.lba - o->window_first);
    if (mine_lost != holder_lost)
        return holder_lost;
    bool mine_goes = holder == e->band ? e->position < position : gives_way(o, e->band, holder);
    if (!mine_lost && (is_sealed(o, holder) || is_sealed(o, e->band)))
        note_tie(o, e, mine_goes ? pba_of(o, e) : held);
    return mine_goes;
}

static void take_version(struct opening *o, const struct entry *e)
{
    struct device *device = o->device;
    uint64_t lba = e->ident.lba;
    if (lba < o->window_first || lba - o->window_first >= o->window_blocks)
        return;
    hftl_pba held = map_get(device, (hftl_lba){lba});
    uint64_t seq = o->seqs[lba - o->window_first];
    if (map_is_none(held) || e->ident.seq > seq) {
        set_entry(o, e);
        return;
    }
    if (e->ident.seq < seq || gives_way_to_holder(o, e, held))
        return;
    set_entry(o, e);
}

/* The page of this identity, read from where one of its copies is. */
static enum hftl_status read_page(struct opening *o, hftl_pba pba, uint32_t range,
                                  struct trim_page *page)
{
    struct ident ident = {.kind = IDENT_TRIM, .lba = range, .seq = o->page_seqs[range]};
    uint32_t position;
    struct band *band = band_of(o->device, pba, &position);
    struct hftl_media_op op = {.blocks = 1, .data = o->trial};
    band_locate(o->device, band, position, &op);
    if (!hftl_media_readable(&o->b.medium->facts, &o->chunks[op.chunk], op.offset))
        return HFTL_MISMATCH;
    enum hftl_status status = HFTL_IO;
    /* Twice: what cannot be read opens the device read-only. */
    for (unsigned attempt = 0; attempt < 2 && status != HFTL_OK; attempt++) {
        status = blocking_read(&o->b, op);
        if (status == HFTL_OK)
            status = trim_page_decode(&o->device->format, &ident, o->trial, page);
    }
    return status;
}

/* Two copies of one page: the preferred one, unless only the other can be read. */
static bool page_gives_way(struct opening *o, const struct entry *e, hftl_pba held)
{
    uint32_t range = (uint32_t)e->ident.lba, position;
    struct trim_page page;
    const struct band *holder = band_of(o->device, held, &position);
    if (gives_way(o, e->band, holder))
        return read_page(o, held, range, &page) == HFTL_OK ||
               read_page(o, pba_of(o, e), range, &page) != HFTL_OK;
    return read_page(o, pba_of(o, e), range, &page) != HFTL_OK &&
           read_page(o, held, range, &page) == HFTL_OK;
}

static void take_page(struct opening *o, const struct entry *e)
{
    uint32_t range = (uint32_t)e->ident.lba;
    hftl_pba held = map_page(o->device, range);
    if (o->window_first != 0)
        return; /* all pages were seen in the first pass */
    if (!map_is_none(held) && e->ident.seq < o->page_seqs[range])
        return;
    if (!map_is_none(held) && e->ident.seq == o->page_seqs[range] && page_gives_way(o, e, held))
        return;
    map_table_set(&o->device->map.page_pba, range, pba_of(o, e));
    o->page_seqs[range] = e->ident.seq;
}

static void consider(struct opening *o, struct band *band, uint32_t position, const uint8_t *bytes)
{
    struct entry e = {.band = band, .position = position};
    if (ident_decode(bytes, &e.ident) != HFTL_OK ||
        !layout_holds_ident(&o->device->layout, &e.ident))
        return;
    if (e.ident.kind == IDENT_DATA || e.ident.kind == IDENT_LOST)
        take_version(o, &e);
    else if (e.ident.kind == IDENT_TRIM)
        take_page(o, &e);
    else
        return;
    o->epoch_seen = max_u32(o->epoch_seen, (uint32_t)(e.ident.seq >> 32));
}

/* ---- passes ---- */

/* Twice before it is given up, as when the band was found to be closed. */
static enum hftl_status read_tail(struct opening *o, struct hftl_media_op op,
                                  const struct tail_place *place, struct tail *tail)
{
    enum hftl_status status = HFTL_IO;
    for (unsigned tries = 0; tries < 2 && status != HFTL_OK; tries++) {
        status = blocking_read(&o->b, op);
        if (status == HFTL_OK)
            status = tail_decode(&o->device->format, place, o->block, tail);
    }
    return status;
}

static enum hftl_status pass_tails(struct opening *o, struct band *band)
{
    const struct geometry *g = &o->device->geometry;
    struct tail_place place = {.band = band->index,
                               .generation = band->generation,
                               .band_blocks = band->width * g->chunk_blocks,
                               .ws_min = g->ws_min};
    uint32_t first = tail_first(&place, g->block_bytes);
    for (; first + place.index < band->width * g->chunk_blocks; place.index++) {
        struct hftl_media_op op = {.blocks = 1, .data = o->block};
        struct tail tail;
        if (tail_idents(&place, g->block_bytes) == 0)
            break;
        band_locate(o->device, band, first + place.index, &op);
        enum hftl_status status = read_tail(o, op, &place, &tail);
        if (status != HFTL_OK)
            return why_say(o->why, status, "tail %u of band %u (chunk %u, block %u): %s",
                           place.index, band->index, op.chunk, op.offset, hftl_status_text(status));
        for (uint32_t i = 0; i < tail.count; i++)
            consider(o, band, place.index * g->tail_max + i,
                     tail.idents + (size_t)i * FORMAT_IDENT_BYTES);
    }
    return HFTL_OK;
}

static void pass_scan(struct opening *o, const struct scan *scan)
{
    uint32_t tail = geometry_tail(&o->device->geometry, scan->band->width);
    for (uint32_t position = 0; position < tail; position++)
        consider(o, scan->band, position, scan->idents + (size_t)position * FORMAT_IDENT_BYTES);
}

static enum hftl_status pass(struct opening *o)
{
    struct device *device = o->device;
    enum hftl_status status = HFTL_OK;
    o->tie_count = 0;
    memset(o->seqs, 0, (size_t)o->window_blocks * sizeof(uint64_t));
    memset(o->lost, 0, bitmap_words(o->window_blocks) * sizeof(uint64_t));
    for (uint32_t i = 0; i < device->geometry.bands && status == HFTL_OK; i++) {
        const struct sighting *seen = &o->sightings[i];
        if (seen->scan != 0)
            pass_scan(o, &o->scans[seen->scan - 1]);
        else if (seen->head)
            status = pass_tails(o, &device->bands[i]);
    }
    return status;
}

/* ---- ties ---- */

static bool holds_version(struct opening *o, hftl_pba pba, uint32_t crc)
{
    uint32_t position;
    struct band *band = band_of(o->device, pba, &position);
    struct hftl_media_op op = {.blocks = 1, .data = o->block};
    band_locate(o->device, band, position, &op);
    if (!hftl_media_readable(&o->b.medium->facts, &o->chunks[op.chunk], op.offset))
        return false;
    if (blocking_read(&o->b, op) != HFTL_OK && blocking_read(&o->b, op) != HFTL_OK)
        return false;
    return crc32c(0, o->block, o->device->geometry.block_bytes) == crc;
}

/* The copy that holds the lba is only kept when it can be read; the other one was. */
static void settle_tie(struct opening *o, const struct tie *tie)
{
    hftl_pba held = map_get(o->device, (hftl_lba){tie->lba});
    if (mutant("tie-settled-unread"))
        return;
    if (o->seqs[tie->lba - o->window_first] != tie->seq || held.n == tie->pba.n ||
        map_is_none(held))
        return; /* a newer version won meanwhile */
    if (bitmap_get(o->lost, tie->lba - o->window_first))
        return; /* or a mark that the version is lost, which stays so (V5) */
    if (holds_version(o, held, tie->crc) || !holds_version(o, tie->pba, tie->crc))
        return;
    map_table_set(&o->device->map.pba, tie->lba, tie->pba);
}

/* ---- trims ---- */

static void apply_page(struct opening *o, const struct trim_page *page)
{
    const struct geometry *g = &o->device->geometry;
    uint64_t first = (uint64_t)page->range * g->trim_lbas;
    for (uint32_t i = 0; i < page->bits; i++) {
        uint64_t lba = first + i;
        if (lba < o->window_first || lba - o->window_first >= o->window_blocks || lba >= g->blocks)
            continue;
        if (trim_page_has(page, i) && o->seqs[lba - o->window_first] < page->seq)
            map_table_set(&o->device->map.pba, lba, (hftl_pba){MAP_NONE});
    }
}

static void apply_trims(struct opening *o, uint32_t range)
{
    struct device *device = o->device;
    hftl_pba held = map_page(device, range);
    struct trim_page page;
    if (map_is_none(held) || mutant("trim-pages-not-applied"))
        return;
    enum hftl_status status = read_page(o, held, range, &page);
    if (status == HFTL_OK) {
        apply_page(o, &page);
        return;
    }
    device_log(device, HFTL_LOG_ERROR, "the trim page of range %u cannot be read: %s", range,
               hftl_status_text(status));
    device_degrade(device, status, "trim page of range %u", range);
}

/* ---- the whole ---- */

static uint64_t count_sealed_entries(const struct opening *o)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < o->scan_count; i++)
        count += geometry_tail(&o->device->geometry, o->scans[i].band->width);
    return count;
}

static enum hftl_status alloc_merge(struct opening *o)
{
    struct device *device = o->device;
    const struct geometry *g = &device->geometry;
    uint64_t bytes = o->options->recovery_memory_bytes == 0 ? WINDOW_BYTES_DEFAULT
                                                            : o->options->recovery_memory_bytes;
    uint64_t ranges = max_u64(1, bytes / sizeof(uint64_t) / g->trim_lbas);
    o->window_blocks = min_u64(ranges * g->trim_lbas, g->blocks);
    o->tie_room = count_sealed_entries(o);
    o->seqs = build_alloc(device, (size_t)o->window_blocks * sizeof(uint64_t));
    o->lost = build_alloc(device, bitmap_words(o->window_blocks) * sizeof(uint64_t));
    o->page_seqs = build_alloc(device, (size_t)g->ranges * sizeof(uint64_t));
    o->ties = build_alloc(device, (size_t)(o->tie_room + 1) * sizeof(struct tie));
    if (o->seqs == NULL || o->lost == NULL || o->page_seqs == NULL || o->ties == NULL)
        return why_say(o->why, HFTL_MEMORY, "no memory to build the map");
    return HFTL_OK;
}

static void count_entry(struct opening *o, hftl_pba pba)
{
    uint32_t position;
    band_of(o->device, pba, &position)->valid++;
}

static void count_valid(struct opening *o)
{
    struct device *device = o->device;
    for (uint64_t lba = 0; lba < device->geometry.blocks; lba++) {
        hftl_pba pba = map_get(device, (hftl_lba){lba});
        if (map_is_none(pba))
            continue;
        device->map.mapped++;
        count_entry(o, pba);
    }
    for (uint32_t range = 0; range < device->geometry.ranges; range++)
        if (!map_is_none(map_page(device, range)))
            count_entry(o, map_page(device, range));
}

enum hftl_status merge_map(struct opening *o)
{
    const struct geometry *g = &o->device->geometry;
    enum hftl_status status = alloc_merge(o);
    for (o->window_first = 0; o->window_first < g->blocks && status == HFTL_OK;
         o->window_first += o->window_blocks) {
        status = pass(o);
        for (uint64_t i = 0; i < o->tie_count && status == HFTL_OK; i++)
            settle_tie(o, &o->ties[i]);
        for (uint32_t range = 0; range < g->ranges && status == HFTL_OK; range++)
            apply_trims(o, range);
    }
    if (status == HFTL_OK)
        count_valid(o);
    build_free(o->device, o->seqs);
    build_free(o->device, o->lost);
    build_free(o->device, o->page_seqs);
    build_free(o->device, o->ties);
    return status;
}
