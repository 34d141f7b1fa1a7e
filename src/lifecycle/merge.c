/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * merge.c - the map from all identities. The newest seq of each lba wins; copies of one version are
 * decided by where they are and, when one is in a sealed band, by reading (V1-V3); then trim pages
 * are applied.
 *
 * SEQS are 8 bytes an lba, and only needed where there is something to compare. Where those of all
 * lbas fit into what opening may take, one pass over all tails and sealed bands does it. Otherwise
 * the first pass is a survey: it takes what it finds first, and marks as contested each lba that
 * comes a second time or that a trim page names. These alone are then decided, window by window,
 * a pass for each:
 *
 *      contested   0 1 1 0 0 0 1 0 | 0 0 1 0 1 0 0 1 | ...     a bit an lba
 *      seqs          0 1       2         0   1     2           by rank in the window
 *
 * Of the tails, such a pass reads the blocks that name a contested lba (wanted, a bit a block): the
 * one of the version that came first, when a second one comes, and the ones of all that come later.
 *
 * Nearly all identities that a survey meets are of data and the first of their lba: these do not
 * come here one by one (survey.c).
 *
 * THE FIRST PASS over the tails is made while bands are classified (merge_ask): that a band is
 * closed is known when all of its tail was read, and nobody reads it again. The order in which
 * versions come decides nothing, so closed bands may come first and sealed ones later. A band whose
 * tail turns out to be damaged further on is not closed: what was taken from it is no longer told
 * from the rest, so everything is forgotten, and that pass is made once more when all bands are
 * known (spoiled). A pass looks again at every checksum; it believes nothing from the one before.
 */
#include "base/bitmap.h"
#include "base/bytes.h"
#include "base/crc.h"
#include "base/fetch.h"
#include "base/must.h"
#include "base/mutant.h"
#include "format/tail.h"
#include "format/trim_page.h"
#include "lifecycle/opening.h"

#include <string.h>

#define WINDOW_BYTES_DEFAULT (UINT64_C(64) << 20)
#define AHEAD 16u /* entries of a tail whose lines of the map are on their way */

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

static enum hftl_status no_memory(struct opening *o)
{
    return why_say(o->why, HFTL_MEMORY, "no memory to build the map");
}

/* ---- the window ---- */

static bool is_in_window(const struct opening *o, uint64_t lba)
{
    return lba >= o->window_first && lba < o->window_end &&
           (o->contested == NULL || bitmap_get(o->contested, lba));
}

/* Contested lbas below this one. */
static uint64_t rank_of(const struct opening *o, uint64_t lba)
{
    uint64_t below =
        o->contested[lba / BITMAP_WORD_BITS] & ((UINT64_C(1) << lba % BITMAP_WORD_BITS) - 1);
    return o->ranks[lba / BITMAP_WORD_BITS] + (uint64_t)__builtin_popcountll(below);
}

/* Where the seq of an lba in the window is. */
static uint64_t slot_of(const struct opening *o, uint64_t lba)
{
    return o->contested == NULL ? lba - o->window_first
                                : rank_of(o, lba) - o->ranks[o->window_first / BITMAP_WORD_BITS];
}

/* ---- versions ---- */

static void set_map(struct opening *o, const struct entry *e)
{
    struct map *map = &o->device->map;
    map_table_set(&map->pba, e->ident.lba, pba_of(o, e));
    if (map->crc != NULL)
        map->crc[e->ident.lba] =
            e->ident.kind == IDENT_LOST ? ~data_crc_of(o, e) : data_crc_of(o, e);
}

static void set_entry(struct opening *o, const struct entry *e, uint64_t slot)
{
    set_map(o, e);
    o->seqs[slot] = e->ident.seq;
    if (e->ident.kind == IDENT_LOST)
        bitmap_set(o->lost, slot);
    else
        bitmap_clear(o->lost, slot);
}

static void note_tie(struct opening *o, const struct entry *e, hftl_pba loser)
{
    must_show(o->tie_count < o->tie_room, o->tie_count, o->tie_room);
    o->ties[o->tie_count++] = (struct tie){.lba = e->ident.lba,
                                           .seq = e->ident.seq,
                                           .crc = data_crc_of(o, e),
                                           .pba = loser,
                                           .lost = e->ident.kind == IDENT_LOST};
}

static void note_twin(struct opening *o, const struct entry *e, hftl_pba held, bool mine_goes)
{
    uint32_t position;
    const struct band *holder = band_of(o->device, held, &position);
    const struct band *loser = mine_goes ? e->band : holder;
    if (is_sealed(o, loser) && holder != e->band)
        twins_note(o, &e->ident, mine_goes ? held : pba_of(o, e), mine_goes ? pba_of(o, e) : held);
}

/* Two copies of one version. What was once marked as lost stays lost (C6), wherever it is. Two
 * marks are copies like others. */
static bool gives_way_to_holder(struct opening *o, const struct entry *e, hftl_pba held)
{
    uint32_t position;
    const struct band *holder = band_of(o->device, held, &position);
    bool mine_lost = e->ident.kind == IDENT_LOST;
    bool holder_lost = bitmap_get(o->lost, slot_of(o, e->ident.lba));
    if (mine_lost != holder_lost)
        return holder_lost;
    bool mine_goes = holder == e->band ? e->position < position : gives_way(o, e->band, holder);
    if (is_sealed(o, holder) || is_sealed(o, e->band))
        note_tie(o, e, mine_goes ? pba_of(o, e) : held);
    note_twin(o, e, held, mine_goes);
    return mine_goes;
}

/* The tail block that names this one is to be read once more. */
static void want_tail(struct opening *o, hftl_pba pba)
{
    uint32_t position;
    const struct band *band = band_of(o->device, pba, &position);
    bitmap_set(o->wanted, tails_number(o, band, position));
}

void merge_contest_holder(struct opening *o, uint64_t lba, hftl_pba held)
{
    if (!bitmap_get(o->contested, lba))
        valid_drop(o, held);
    bitmap_set(o->contested, lba);
    want_tail(o, held);
}

void merge_contest(struct opening *o, uint64_t lba, hftl_pba held, hftl_pba later)
{
    merge_contest_holder(o, lba, held);
    valid_drop(o, later);
    want_tail(o, later);
}

static void survey_version(struct opening *o, const struct entry *e)
{
    bins_settle(o, e->ident.lba);
    hftl_pba held = map_table_get(&o->device->map.pba, e->ident.lba);
    valid_take(o, e->band, 1);
    if (map_is_none(held))
        set_map(o, e);
    else
        merge_contest(o, e->ident.lba, held, pba_of(o, e));
}

static void take_version(struct opening *o, const struct entry *e)
{
    uint64_t lba = e->ident.lba;
    if (!is_in_window(o, lba))
        return;
    hftl_pba held = map_get(o->device, (hftl_lba){lba});
    uint64_t slot = slot_of(o, lba), seq = o->seqs[slot];
    if (map_is_none(held) || e->ident.seq > seq) {
        set_entry(o, e, slot);
        return;
    }
    if (e->ident.seq < seq || gives_way_to_holder(o, e, held))
        return;
    set_entry(o, e, slot);
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
    if (o->pages_are_known)
        return;
    if (!map_is_none(held) && e->ident.seq < o->page_seqs[range])
        return;
    if (!map_is_none(held) && e->ident.seq == o->page_seqs[range]) {
        bool mine_goes = page_gives_way(o, e, held);
        note_twin(o, e, held, mine_goes);
        if (mine_goes)
            return;
    }
    map_table_set(&o->device->map.page_pba, range, pba_of(o, e));
    o->page_seqs[range] = e->ident.seq;
}

void merge_consider(struct opening *o, struct band *band, uint32_t position, const uint8_t *bytes)
{
    struct entry e = {.band = band, .position = position};
    if (ident_decode(bytes, &e.ident) != HFTL_OK ||
        !layout_holds_ident(&o->device->layout, &e.ident))
        return;
    bool is_version = e.ident.kind == IDENT_DATA || e.ident.kind == IDENT_LOST;
    if (is_version && o->seqs == NULL)
        survey_version(o, &e);
    else if (is_version)
        take_version(o, &e);
    else if (e.ident.kind == IDENT_TRIM)
        take_page(o, &e);
    else
        return;
    o->epoch_named = max_u32(o->epoch_named, (uint32_t)(e.ident.seq >> 32));
}

/* ---- passes ---- */

static void fetch_ahead(const struct opening *o, const uint8_t *bytes)
{
    uint64_t lba = ident_peek_lba(bytes);
    if (lba >= o->device->geometry.blocks)
        return;
    if (o->contested != NULL) {
        fetch_to_read(o->contested + lba / BITMAP_WORD_BITS);
        return;
    }
    map_fetch(&o->device->map, (hftl_lba){lba});
    fetch_to_write(o->seqs + lba);
}

/* Data of an lba that is not to be decided now; the survey saw to its epoch. Most of what passes
 * over windows meet. */
static inline bool is_of_no_window(const struct opening *o, const uint8_t *bytes)
{
    struct ident ident;
    return o->contested != NULL && ident_decode_data(bytes, &ident) &&
           ident.lba < o->device->geometry.blocks && !is_in_window(o, ident.lba);
}

static void take_idents(struct opening *o, struct band *band, uint32_t first,
                        const struct tail *tail)
{
    if (o->seqs == NULL) {
        survey_tail(o, band, first, tail);
        return;
    }
    for (uint32_t i = 0; i < tail->count; i++) {
        const uint8_t *bytes = tail->idents + (size_t)i * FORMAT_IDENT_BYTES;
        if (i + AHEAD < tail->count)
            fetch_ahead(o, bytes + (size_t)AHEAD * FORMAT_IDENT_BYTES);
        if (!is_of_no_window(o, bytes))
            merge_consider(o, band, first + i, bytes);
    }
}

static void take_tail(struct opening *o, struct band *band, uint32_t index, const struct tail *tail)
{
    take_idents(o, band, index * o->device->geometry.tail_max, tail);
}

/* Of a band that is closed if its whole tail is good. */
static void take_perhaps(struct opening *o, struct band *band, uint32_t index,
                         const struct tail *tail)
{
    struct sighting *seen = &o->sightings[band->index];
    if (seen->tail_bad || o->spoiled)
        return;
    seen->tail_taken = true;
    take_tail(o, band, index, tail);
}

static void give_up(struct opening *o, enum hftl_status status, const struct ahead_block *block)
{
    struct sighting *seen = &o->sightings[block->band->index];
    (void)status;
    seen->tail_bad = true;
    o->spoiled = o->spoiled || seen->tail_taken;
}

void merge_ask(struct opening *o, struct band *band)
{
    o->tails.take = take_perhaps;
    o->tails.fail = give_up;
    tails_ask(o, band);
}

/* In a survey as if its identities were tails. */
static void pass_scan(struct opening *o, const struct scan *scan)
{
    const struct geometry *g = &o->device->geometry;
    uint32_t end = geometry_tail(g, scan->band->width), count;
    for (uint32_t position = 0; position < end; position += count) {
        const uint8_t *idents = scan->idents + (size_t)position * FORMAT_IDENT_BYTES;
        count = min_u32(end - position, g->tail_max);
        take_idents(o, scan->band, position, &(struct tail){.count = count, .idents = idents});
    }
}

static void take_surely(struct opening *o, struct band *band, uint32_t index,
                        const struct tail *tail)
{
    if (o->tails.status == HFTL_OK)
        take_tail(o, band, index, tail);
}

static void fail_pass(struct opening *o, enum hftl_status status, const struct ahead_block *block)
{
    if (o->tails.status == HFTL_OK)
        o->tails.status = tails_say(o, status, block);
}

/* `tails`: or those of sealed bands only, the tails were taken already. */
static enum hftl_status pass(struct opening *o, bool tails)
{
    struct device *device = o->device;
    o->tails.take = take_surely;
    o->tails.fail = fail_pass;
    o->tails.status = HFTL_OK;
    for (uint32_t i = 0; i < device->geometry.bands && o->tails.status == HFTL_OK; i++) {
        const struct sighting *seen = &o->sightings[i];
        if (seen->scan != 0)
            pass_scan(o, &o->scans[seen->scan - 1]);
        else if (seen->head && tails)
            tails_ask(o, &device->bands[i]);
    }
    ahead_finish(o);
    if (o->tails.status == HFTL_OK)
        o->pages_are_known = true;
    return o->tails.status;
}

/* ---- ties ---- */

/* I4, of a mark as well, which never verifies as good data. */
static bool is_of(const struct tie *tie, const struct ident *ident, uint64_t salt)
{
    return ident->lba == tie->lba && (ident->kind == IDENT_LOST) == tie->lost &&
           ident_data_crc(ident, salt) == tie->crc;
}

/* The version can be read there, as users read it: with OOB by the identity there, which a tail
 * that says the same does not make good. */
static bool holds_version(struct opening *o, const struct tie *tie, hftl_pba pba)
{
    const struct geometry *g = &o->device->geometry;
    uint32_t position;
    struct band *band = band_of(o->device, pba, &position);
    struct hftl_media_op op = {.blocks = 1, .data = o->block, .oob = g->oob ? o->oob : NULL};
    struct ident ident;
    band_locate(o->device, band, position, &op);
    if (!hftl_media_readable(&o->b.medium->facts, &o->chunks[op.chunk], op.offset))
        return false;
    if (blocking_read(&o->b, op) != HFTL_OK && blocking_read(&o->b, op) != HFTL_OK)
        return false;
    if (crc32c(0, o->block, g->block_bytes) != tie->crc)
        return false;
    return !g->oob || (ident_decode(o->oob, &ident) == HFTL_OK &&
                       is_of(tie, &ident, band_salt(o->device, band, position)));
}

/* The copy that holds the lba is only kept when it can be read; the other one was. */
static void settle_tie(struct opening *o, const struct tie *tie)
{
    hftl_pba held = map_get(o->device, (hftl_lba){tie->lba});
    if (mutant("tie-settled-unread"))
        return;
    uint64_t slot = slot_of(o, tie->lba);
    if (o->seqs[slot] != tie->seq || held.n == tie->pba.n || map_is_none(held))
        return; /* a newer version won meanwhile */
    if (bitmap_get(o->lost, slot) != tie->lost)
        return; /* or a mark that the version is lost, which stays so (V5) */
    if (holds_version(o, tie, held) || !holds_version(o, tie, tie->pba))
        return;
    map_table_set(&o->device->map.pba, tie->lba, tie->pba);
}

/* ---- trims ---- */

static void contest_trimmed(struct opening *o, uint64_t lba)
{
    hftl_pba held = map_get(o->device, (hftl_lba){lba});
    if (!map_is_none(held))
        merge_contest_holder(o, lba, held);
}

static void apply_page(struct opening *o, const struct trim_page *page)
{
    const struct geometry *g = &o->device->geometry;
    uint64_t first = (uint64_t)page->range * g->trim_lbas;
    for (uint32_t i = 0; i < page->bits && first + i < g->blocks; i++) {
        uint64_t lba = first + i;
        bool is_set = trim_page_has(page, i);
        if (is_set && o->seqs == NULL)
            contest_trimmed(o, lba);
        else if (is_set && is_in_window(o, lba) && o->seqs[slot_of(o, lba)] < page->seq)
            map_table_set(&o->device->map.pba, lba, (hftl_pba){MAP_NONE});
    }
}

/* In a survey: what they name is contested. */
static void apply_trims(struct opening *o)
{
    struct device *device = o->device;
    uint32_t lbas = device->geometry.trim_lbas;
    for (uint32_t range = (uint32_t)(o->window_first / lbas);
         range < device->geometry.ranges && (uint64_t)range * lbas < o->window_end; range++) {
        hftl_pba held = map_page(device, range);
        struct trim_page page;
        if (map_is_none(held) || mutant("trim-pages-not-applied"))
            continue;
        enum hftl_status status = read_page(o, held, range, &page);
        if (status == HFTL_OK) {
            apply_page(o, &page);
            continue;
        }
        device_log(device, HFTL_LOG_ERROR, "the trim page of range %u cannot be read: %s", range,
                   hftl_status_text(status));
        device_degrade(device, status, "trim page of range %u", range);
    }
}

/* ---- the whole ---- */

static uint64_t count_sealed_entries(const struct opening *o)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < o->scan_count; i++)
        count += geometry_tail(&o->device->geometry, o->scans[i].band->width);
    return count;
}

static enum hftl_status alloc_window(struct opening *o, uint64_t slots)
{
    o->seqs = build_alloc(o->device, (size_t)slots * sizeof(uint64_t));
    o->lost = build_alloc(o->device, bitmap_words(slots) * sizeof(uint64_t));
    return o->seqs == NULL || o->lost == NULL ? no_memory(o) : HFTL_OK;
}

static enum hftl_status alloc_survey(struct opening *o)
{
    uint64_t words = bitmap_words(o->device->geometry.blocks);
    uint64_t tails = bitmap_words(o->device->geometry.bands * tails_a_band(o));
    o->contested = build_alloc(o->device, (size_t)words * sizeof(uint64_t));
    o->ranks = build_alloc(o->device, (size_t)(words + 1) * sizeof(uint64_t));
    o->wanted = build_alloc(o->device, (size_t)tails * sizeof(uint64_t));
    if (o->contested == NULL || o->ranks == NULL || o->wanted == NULL)
        return no_memory(o);
    return bins_start(o) == HFTL_OK ? HFTL_OK : no_memory(o);
}

enum hftl_status merge_start(struct opening *o)
{
    const struct geometry *g = &o->device->geometry;
    uint64_t bytes = o->options->recovery_memory_bytes == 0 ? WINDOW_BYTES_DEFAULT
                                                            : o->options->recovery_memory_bytes;
    o->seqs_room = bytes / sizeof(uint64_t);
    o->window_first = 0;
    o->window_end = g->blocks;
    o->page_seqs = build_alloc(o->device, (size_t)g->ranges * sizeof(uint64_t));
    if (o->page_seqs == NULL)
        return no_memory(o);
    enum hftl_status status =
        o->seqs_room < g->blocks ? alloc_survey(o) : alloc_window(o, g->blocks);
    if (o->bins.lines == NULL)
        build_clear_map(o->device);
    return status;
}

static enum hftl_status alloc_ties(struct opening *o)
{
    o->tie_room = count_sealed_entries(o);
    o->ties = build_alloc(o->device, (size_t)(o->tie_room + 1) * sizeof(struct tie));
    o->twins = build_alloc(o->device, (size_t)(o->tie_room + 1) * sizeof(struct twin));
    return o->ties == NULL || o->twins == NULL ? no_memory(o) : HFTL_OK;
}

/* As merge_start left it. */
static void forget_all(struct opening *o)
{
    const struct geometry *g = &o->device->geometry;
    const struct map *map = &o->device->map;
    valid_forget(o);
    if (o->bins.lines == NULL)
        build_clear_map(o->device);
    for (uint32_t range = 0; range < g->ranges; range++)
        map_table_set(&map->page_pba, range, (hftl_pba){MAP_NONE});
    memset(o->page_seqs, 0, (size_t)g->ranges * sizeof(uint64_t));
    if (o->contested != NULL) {
        memset(o->contested, 0, bitmap_words(g->blocks) * sizeof(uint64_t));
        memset(o->wanted, 0, bitmap_words(g->bands * tails_a_band(o)) * sizeof(uint64_t));
        bins_forget(o);
    } else {
        memset(o->seqs, 0, (size_t)g->blocks * sizeof(uint64_t));
        memset(o->lost, 0, bitmap_words(g->blocks) * sizeof(uint64_t));
    }
    o->epoch_named = 0;
}

/* What everybody who may hold an lba of the window has to say. */
static enum hftl_status decide(struct opening *o, bool tails)
{
    o->tie_count = 0;
    enum hftl_status status = pass(o, tails);
    for (uint64_t i = 0; i < o->tie_count && status == HFTL_OK; i++)
        settle_tie(o, &o->ties[i]);
    if (status == HFTL_OK)
        apply_trims(o);
    return status;
}

/* Finds out what is contested, and takes all else; returns the ranks' total in *count. */
static enum hftl_status survey(struct opening *o, uint64_t *count)
{
    uint64_t words = bitmap_words(o->device->geometry.blocks);
    enum hftl_status status = pass(o, o->spoiled);
    bins_end(o); /* before trims, which look for holders */
    if (status == HFTL_OK)
        apply_trims(o);
    for (uint64_t i = 0; i < words; i++)
        o->ranks[i + 1] = o->ranks[i] + (uint64_t)__builtin_popcountll(o->contested[i]);
    *count = o->ranks[words];
    return status;
}

/* As many lbas as have room for their seqs. A word of them always has. */
static void begin_window(struct opening *o, uint64_t slots)
{
    uint64_t words = bitmap_words(o->device->geometry.blocks);
    uint64_t first = o->window_end / BITMAP_WORD_BITS, end = first + 1;
    while (end < words && o->ranks[end + 1] - o->ranks[first] <= slots)
        end++;
    o->window_first = o->window_end;
    o->window_end = min_u64(end * BITMAP_WORD_BITS, o->device->geometry.blocks);
    memset(o->seqs, 0, (size_t)slots * sizeof(uint64_t));
    memset(o->lost, 0, bitmap_words(slots) * sizeof(uint64_t));
    for (uint64_t lba = bitmap_find_set(o->contested, o->window_end, o->window_first);
         lba < o->window_end; lba = bitmap_find_set(o->contested, o->window_end, lba + 1))
        map_table_set(&o->device->map.pba, lba, (hftl_pba){MAP_NONE});
}

static enum hftl_status decide_in_windows(struct opening *o)
{
    uint64_t contested = 0;
    enum hftl_status status = survey(o, &contested);
    uint64_t slots = max_u64(min_u64(o->seqs_room, contested), BITMAP_WORD_BITS);
    if (status == HFTL_OK && contested > 0)
        status = alloc_window(o, slots);
    o->tails.only = o->wanted;
    o->window_end = 0;
    while (contested > 0 && o->window_end < o->device->geometry.blocks && status == HFTL_OK) {
        begin_window(o, slots);
        if (o->ranks[bitmap_words(o->window_end)] > o->ranks[o->window_first / BITMAP_WORD_BITS])
            status = decide(o, true);
    }
    return status;
}

enum hftl_status merge_map(struct opening *o)
{
    enum hftl_status status = alloc_ties(o);
    if (o->spoiled)
        forget_all(o);
    if (status == HFTL_OK)
        status = o->contested != NULL ? decide_in_windows(o) : decide(o, o->spoiled);
    o->epoch_seen = max_u32(o->epoch_seen, o->epoch_named);
    if (status == HFTL_OK) {
        if (o->contested != NULL)
            valid_end_survey(o);
        else
            valid_count(o);
        status = twins_settle(o);
    }
    build_free(o->device, o->seqs);
    build_free(o->device, o->lost);
    build_free(o->device, o->contested);
    build_free(o->device, o->ranks);
    build_free(o->device, o->wanted);
    build_free(o->device, o->page_seqs);
    build_free(o->device, o->ties);
    build_free(o->device, o->twins);
    return status;
}
