/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * survey.c - a tail, in a survey (merge.c): identities into the map, or into bins.
 *
 * BINS. Where neighbours in a tail are strangers in the map, they go into bins first (bins.h), and
 * into the map later. They may, because the order in which versions come decides nothing. Other
 * tails go past the bins, which cost more than they give there.
 *
 * Here opening spends its time, so what is done for each identity is done without a call and, where
 * nobody can foretell it, without a branch; what is rare goes to merge.c.
 */
#include "base/bitmap.h"
#include "base/bytes.h"
#include "base/crc.h"
#include "format/tail.h"
#include "lifecycle/opening.h"

#define AHEAD 16u    /* entries whose lines of the map are on their way */
#define TOGETHER 16u /* lbas that share a line of the map */
#define SAMPLE 8u    /* of so many pairs of neighbours in a tail, one is looked at */

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

/* What the entries of a tail have in common. */
struct survey {
    struct map_table table;
    uint32_t *crc;                    /* or NULL */
    uint64_t blocks, first_pba, salt; /* the place salt, but for the pba */
    uint64_t seq_highest;
    uint32_t taken;           /* and not yet counted */
    bool processor;           /* as in crc.h */
    bool contests;            /* somebody else named one of these lbas before */
    uint64_t settled, region; /* so many lbas from this one on may be looked at in the map */
};

static void fetch_ahead(const struct survey *s, const struct map *map, const uint8_t *bytes)
{
    uint64_t lba = ident_peek_lba(bytes);
    if (lba < s->blocks)
        map_fetch(map, (hftl_lba){lba});
}

/* Before anything that was taken may be dropped. */
static inline void count_taken(struct opening *o, struct survey *s, struct band *band)
{
    valid_take(o, band, s->taken);
    s->taken = 0;
}

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
static inline bool survey_data(struct opening *o, struct survey *s, struct band *band,
                               const uint8_t *bytes, uint32_t index)
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
        count_taken(o, s, band);
        merge_contest_holder(o, ident.lba, held);
        s->contests = true;
        return true;
    }
    s->taken++;
    map_table_set(&s->table, ident.lba, pba);
    if (s->crc != NULL)
        s->crc[ident.lba] = ident_bytes_data_crc(bytes, s->salt ^ pba.n, s->processor);
    return true;
}

/* What a few entries of a tail name. */
#define FEW 64u
struct few {
    uint32_t lbas[FEW], crcs[FEW]; /* NO_DATA: it is something else */
    uint32_t data;                 /* so many are */
};
#define NO_DATA UINT32_MAX

/* Returns the highest seq. Without a call, so that all of it is in registers. */
static uint64_t decode_few(const struct survey *s, const uint8_t *bytes, uint32_t count,
                           uint64_t pba, struct few *few)
{
    uint64_t salt = s->salt, blocks = s->blocks, highest = 0;
    uint32_t data = 0;
    bool crcs = s->crc != NULL, processor = s->processor;
    for (uint32_t i = 0; i < count; i++, bytes += FORMAT_IDENT_BYTES) {
        uint64_t seq, lba = ident_data_lba(bytes, &seq);
        bool is_data = lba < blocks;
        few->lbas[i] = is_data ? (uint32_t)lba : NO_DATA;
        if (crcs)
            few->crcs[i] = ident_bytes_data_crc(bytes, salt ^ (pba + i), processor);
        highest = max_u64(highest, is_data ? seq : 0);
        data += is_data;
    }
    few->data = data;
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
        valid_take(o, band, few.data);
        for (uint32_t i = 0; i < count; i++) {
            if (few.lbas[i] == NO_DATA)
                merge_consider(o, band, first + at + i, bytes + (size_t)i * FORMAT_IDENT_BYTES);
            else
                bins_put(o, &bins, few.lbas[i], (uint32_t)(s->first_pba + at + i), few.crcs[i]);
        }
    }
    o->epoch_named = max_u32(o->epoch_named, (uint32_t)(highest >> 32));
}

void survey_tail(struct opening *o, struct band *band, uint32_t first, const struct tail *tail)
{
    const struct device *device = o->device;
    struct survey survey = {
        .table = device->map.pba,
        .crc = device->map.crc,
        .blocks = device->geometry.blocks,
        .first_pba = geometry_pba(&device->geometry, band->index, first).n,
        .salt = ident_place_salt(&device->format, band->generation, (hftl_pba){0}),
        .processor = crc32c_processor(),
    };
    if (o->bins.lines != NULL && holds_strangers(tail)) {
        struct survey same = survey; /* `survey` itself can stay in registers */
        bin_tail(o, band, first, tail, &same);
        return;
    }
    /* Neighbours come by themselves; without bins these may be strangers all the same. */
    uint32_t fetched = o->bins.lines == NULL ? tail->count : 0;
    for (uint32_t i = 0; i < tail->count; i++) {
        const uint8_t *bytes = tail->idents + (size_t)i * FORMAT_IDENT_BYTES;
        if (i + AHEAD < fetched)
            fetch_ahead(&survey, &device->map, bytes + (size_t)AHEAD * FORMAT_IDENT_BYTES);
        if (survey_data(o, &survey, band, bytes, i))
            continue;
        count_taken(o, &survey, band);
        merge_consider(o, band, first + i, bytes);
    }
    count_taken(o, &survey, band);
    if (survey.contests)
        bitmap_set(o->wanted, tails_number(o, band, first));
    o->epoch_named = max_u32(o->epoch_named, (uint32_t)(survey.seq_highest >> 32));
}
