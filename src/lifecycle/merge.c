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
 * BINS. Where neighbours in a tail are strangers in the map, a survey puts them into bins first
 * (bins.h), and into the map later. It may, because the order in which versions come
 * decides nothing. Other tails go past the bins, which cost more than they give there.
 *
 * THE FIRST PASS over the tails is made while bands are classified (merge_take): that a band is
 * closed is known when all of its tail was read, and nobody reads it again. The order in which
 * versions come decides nothing, so closed bands may come first and sealed ones later. A band whose
 * tail turns out to be damaged further on is not closed: what was taken from it is no longer told
 * from the rest, so everything is forgotten, and that pass is made once more when all bands are
 * known (spoiled). A pass looks again at every checksum; it believes nothing from the one before.
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
#define AHEAD 16u /* entries of a tail whose lines of the map are on their way */

#define TOGETHER 16u /* lbas that share a line of the map */
#define SAMPLE 8u    /* of so many pairs of neighbours in a tail, one is looked at */

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
    o->ties[o->tie_count++] = (struct tie){
        .lba = e->ident.lba, .seq = e->ident.seq, .crc = data_crc_of(o, e), .pba = loser};
}

static void note_twin(struct opening *o, const struct entry *e, hftl_pba held, bool mine_goes)
{
    uint32_t position;
    const struct band *holder = band_of(o->device, held, &position);
    const struct band *loser = mine_goes ? e->band : holder;
    if (is_sealed(o, loser) && holder != e->band)
        twins_note(o, &e->ident, mine_goes ? held : pba_of(o, e), mine_goes ? pba_of(o, e) : held);
}

/* Two copies of one version. What was once marked as lost stays lost (C6), wherever it is. */
static bool gives_way_to_holder(struct opening *o, const struct entry *e, hftl_pba held)
{
    uint32_t position;
    const struct band *holder = band_of(o->device, held, &position);
    bool mine_lost = e->ident.kind == IDENT_LOST;
    bool holder_lost = bitmap_get(o->lost, slot_of(o, e->ident.lba));
    if (mine_lost != holder_lost)
        return holder_lost;
    bool mine_goes = holder == e->band ? e->position < position : gives_way(o, e->band, holder);
    if (!mine_lost && (is_sealed(o, holder) || is_sealed(o, e->band)))
        note_tie(o, e, mine_goes ? pba_of(o, e) : held);
    if (!mine_lost)
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

static void contest(struct opening *o, uint64_t lba, hftl_pba held)
{
    bitmap_set(o->contested, lba);
    want_tail(o, held);
}

void merge_contest(struct opening *o, uint64_t lba, hftl_pba held, hftl_pba later)
{
    contest(o, lba, held);
    want_tail(o, later);
}

static void survey_version(struct opening *o, const struct entry *e)
{
    bins_settle(o, e->ident.lba);
    hftl_pba held = map_table_get(&o->device->map.pba, e->ident.lba);
    if (map_is_none(held)) {
        set_map(o, e);
        return;
    }
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

static void consider(struct opening *o, struct band *band, uint32_t position, const uint8_t *bytes)
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
    if (o->seqs != NULL && o->contested != NULL) {
        __builtin_prefetch(o->contested + lba / BITMAP_WORD_BITS);
        return;
    }
    map_fetch(&o->device->map, (hftl_lba){lba});
    if (o->seqs != NULL)
        __builtin_prefetch(o->seqs + lba, 1);
}

/* Are most neighbours in this tail far from each other in the map? */
static bool holds_strangers(const struct tail *tail)
{
    uint32_t strangers = 0, pairs = 0;
    for (uint32_t i = 1; i < tail->count; i += SAMPLE, pairs++) {
        const uint8_t *bytes = tail->idents + (size_t)i * FORMAT_IDENT_BYTES;
        uint64_t apart = ident_peek_lba(bytes) - ident_peek_lba(bytes - FORMAT_IDENT_BYTES);
        strangers += apart + TOGETHER > 2 * TOGETHER; /* either way */
    }
    return 2 * strangers > pairs;
}

/* ---- tails ---- */

/* What the entries of a tail have in common. */
struct survey {
    struct map_table table;
    uint32_t *crc;                    /* or NULL */
    uint64_t blocks, first_pba, salt; /* the place salt, but for the pba */
    uint64_t seq_highest;
    bool contests;            /* somebody else named one of these lbas before */
    uint64_t settled, region; /* so many lbas from this one on may be looked at in the map */
};

/* In order this is asked for once a region, without bins once a tail. */
static inline void settle(struct opening *o, struct survey *s, uint64_t lba)
{
    s->settled = 0;
    s->region = UINT64_MAX;
    if (o->bins.lines == NULL)
        return;
    bins_settle(o, lba);
    s->region = UINT64_C(1) << o->bins.shift;
    s->settled = lba & ~(s->region - 1);
}

/* Of data, what nearly all entries of all tails are: as consider does, without a call. False: it is
 * something else, or means nothing. */
static inline bool survey_data(struct opening *o, struct survey *s, const uint8_t *bytes,
                               uint32_t index)
{
    hftl_pba pba = {s->first_pba + index};
    struct ident ident;
    if (!ident_decode_data(bytes, &ident) || ident.lba >= s->blocks)
        return false;
    s->seq_highest = max_u64(s->seq_highest, ident.seq);
    if (ident.lba - s->settled >= s->region)
        settle(o, s, ident.lba);
    hftl_pba held = map_table_get(&s->table, ident.lba);
    if (!map_is_none(held)) {
        contest(o, ident.lba, held);
        s->contests = true;
        return true;
    }
    map_table_set(&s->table, ident.lba, pba);
    if (s->crc != NULL)
        s->crc[ident.lba] = ident_bytes_data_crc(bytes, s->salt ^ pba.n);
    return true;
}

/* What a few entries of a tail name. */
#define FEW 64u
struct few {
    uint32_t lbas[FEW], crcs[FEW]; /* NO_DATA: it is something else */
};
#define NO_DATA UINT32_MAX

/* Returns the highest seq. Without a call, so that all of it is in registers. */
static uint64_t decode_few(const struct survey *s, const uint8_t *bytes, uint32_t count,
                           uint64_t pba, struct few *few)
{
    uint64_t salt = s->salt, blocks = s->blocks, highest = 0;
    bool crcs = s->crc != NULL;
    for (uint32_t i = 0; i < count; i++, bytes += FORMAT_IDENT_BYTES) {
        struct ident ident = {.lba = 0};
        bool is_data = ident_decode_data(bytes, &ident) && ident.lba < blocks;
        few->lbas[i] = is_data ? (uint32_t)ident.lba : NO_DATA;
        few->crcs[i] = crcs ? ident_bytes_data_crc(bytes, salt ^ (pba + i)) : 0;
        highest = is_data ? max_u64(highest, ident.seq) : highest;
    }
    return highest;
}

/* survey_tail, with bins between. */
static void bin_tail(struct opening *o, struct band *band, uint32_t first, const struct tail *tail,
                     const struct survey *s)
{
    const struct bins bins = o->bins;
    struct few few;
    uint64_t highest = 0;
    uint32_t count;
    for (uint32_t at = 0; at < tail->count; at += count) {
        const uint8_t *bytes = tail->idents + (size_t)at * FORMAT_IDENT_BYTES;
        count = min_u32(tail->count - at, FEW);
        highest = max_u64(highest, decode_few(s, bytes, count, s->first_pba + at, &few));
        for (uint32_t i = 0; i < count; i++) {
            if (few.lbas[i] == NO_DATA)
                consider(o, band, first + at + i, bytes + (size_t)i * FORMAT_IDENT_BYTES);
            else
                bins_put(o, &bins, few.lbas[i], (uint32_t)(s->first_pba + at + i), few.crcs[i]);
        }
    }
    o->epoch_named = max_u32(o->epoch_named, (uint32_t)(highest >> 32));
}

static void survey_tail(struct opening *o, struct band *band, uint32_t first,
                        const struct tail *tail)
{
    const struct device *device = o->device;
    struct survey survey = {
        .table = device->map.pba,
        .crc = device->map.crc,
        .blocks = device->geometry.blocks,
        .first_pba = geometry_pba(&device->geometry, band->index, first).n,
        .salt = ident_place_salt(&device->format, band->generation, (hftl_pba){0}),
    };
    if (o->bins.lines != NULL && holds_strangers(tail)) {
        struct survey same = survey; /* `survey` itself can stay in registers */
        bin_tail(o, band, first, tail, &same);
        return;
    }
    for (uint32_t i = 0; i < tail->count; i++) {
        const uint8_t *bytes = tail->idents + (size_t)i * FORMAT_IDENT_BYTES;
        if (i + AHEAD < tail->count)
            fetch_ahead(o, bytes + (size_t)AHEAD * FORMAT_IDENT_BYTES);
        if (!survey_data(o, &survey, bytes, i))
            consider(o, band, first + i, bytes);
    }
    if (survey.contests)
        bitmap_set(o->wanted, tails_number(o, band, first));
    o->epoch_named = max_u32(o->epoch_named, (uint32_t)(survey.seq_highest >> 32));
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
            consider(o, band, first + i, bytes);
    }
}

static void take_tail(struct opening *o, struct band *band, uint32_t index, const struct tail *tail)
{
    take_idents(o, band, index * o->device->geometry.tail_max, tail);
}

bool merge_take(struct opening *o, struct band *band)
{
    uint64_t before = o->tails.taken;
    o->tails.take = o->spoiled ? NULL : take_tail;
    if (tails_ask(o, band) == HFTL_OK && tails_take(o) == HFTL_OK)
        return true;
    o->spoiled = o->spoiled || o->tails.taken != before;
    return false;
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

/* `tails`: or those of sealed bands only, the tails were taken already. */
static enum hftl_status pass(struct opening *o, bool tails)
{
    struct device *device = o->device;
    enum hftl_status status = HFTL_OK;
    o->tails.take = take_tail;
    for (uint32_t i = 0; i < device->geometry.bands && status == HFTL_OK; i++) {
        const struct sighting *seen = &o->sightings[i];
        if (seen->scan != 0)
            pass_scan(o, &o->scans[seen->scan - 1]);
        else if (seen->head && tails)
            status = tails_ask(o, &device->bands[i]);
    }
    if (status == HFTL_OK)
        status = tails_take(o);
    if (status != HFTL_OK)
        return tails_say(o, status);
    o->pages_are_known = true;
    return HFTL_OK;
}

/* ---- ties ---- */

/* The version can be read there, as users read it: with OOB by the identity there, which a tail
 * that says the same does not make good. */
static bool holds_version(struct opening *o, uint64_t lba, hftl_pba pba, uint32_t crc)
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
    if (crc32c(0, o->block, g->block_bytes) != crc)
        return false;
    return !g->oob || (ident_decode(o->oob, &ident) == HFTL_OK && ident.lba == lba &&
                       ident_verifies(&ident, crc, band_salt(o->device, band, position)));
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
    if (bitmap_get(o->lost, slot))
        return; /* or a mark that the version is lost, which stays so (V5) */
    if (holds_version(o, tie->lba, held, tie->crc) ||
        !holds_version(o, tie->lba, tie->pba, tie->crc))
        return;
    map_table_set(&o->device->map.pba, tie->lba, tie->pba);
}

/* ---- trims ---- */

static void contest_trimmed(struct opening *o, uint64_t lba)
{
    hftl_pba held = map_get(o->device, (hftl_lba){lba});
    if (!map_is_none(held))
        contest(o, lba, held);
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
    return o->seqs_room < g->blocks ? alloc_survey(o) : alloc_window(o, g->blocks);
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
    for (uint64_t lba = 0; lba < g->blocks; lba++)
        map_table_set(&map->pba, lba, (hftl_pba){MAP_NONE});
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
