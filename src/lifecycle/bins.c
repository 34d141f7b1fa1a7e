/* SPDX-License-Identifier: BSD-3-Clause */
#include "lifecycle/bins.h"

#include "base/bytes.h"
#include "base/fetch.h"
#include "base/must.h"
#include "lifecycle/opening.h"

#include <string.h>
#if defined(__x86_64__)
#include <emmintrin.h>
#endif

#define BINS_FEW 256u
#define REGION_BITS_LEAST 9u
#define OWN_LINES_MOST 131072u /* of all bins: 16 MiB */
#define LBAS_A_LINE 100u       /* twice what does not fit, as lines may end early */
#define AHEAD_LINES 4u
#define IMAGE_AHEAD_LINES 16u

/* An entry of a region's image, which is in a cache while it is filled. */
struct pair {
    uint32_t pba, crc;
};

static uint64_t region_first(const struct bins *bins, uint64_t bin)
{
    return bin << bins->shift;
}

static uint64_t region_lbas(const struct opening *o, uint64_t bin)
{
    uint64_t first = region_first(&o->bins, bin);
    return min_u64(UINT64_C(1) << o->bins.shift, o->device->geometry.blocks - first);
}

static uint8_t *line_up(void *memory)
{
    uintptr_t place = (uintptr_t)memory;
    return (uint8_t *)memory + (BIN_LINE_BYTES - place % BIN_LINE_BYTES) % BIN_LINE_BYTES;
}

/* Memory for as many lines, whole lines of a cache. */
static void *alloc_lines(struct opening *o, uint64_t lines, uint8_t **aligned)
{
    void *memory = build_alloc(o->device, (size_t)(lines + 1) * BIN_LINE_BYTES);
    *aligned = memory == NULL ? NULL : line_up(memory);
    return memory;
}

enum hftl_status bins_start(struct opening *o)
{
    const struct geometry *g = &o->device->geometry;
    struct bins *bins = &o->bins;
    uint8_t *lines;
    if (o->device->map.pba.narrow == NULL)
        return HFTL_OK;
    bins->crcs = o->device->map.crc != NULL;
    bins->each = bins->crcs ? BIN_WORDS / 2 : BIN_WORDS;
    bins->shift = REGION_BITS_LEAST;
    while (bins->shift < BIN_REGION_BITS && (g->blocks - 1) >> bins->shift >= BINS_FEW)
        bins->shift++;
    bins->count = ((g->blocks - 1) >> bins->shift) + 1;
    uint64_t room = max_u64(min_u64(g->blocks / LBAS_A_LINE, OWN_LINES_MOST) / bins->count, 1);
    bins->room_bytes = (size_t)room * BIN_LINE_BYTES;
    bins->bins = build_alloc(o->device, (size_t)bins->count * sizeof(struct bin));
    bins->image = build_alloc(o->device, sizeof(struct pair) << bins->shift);
    bins->lines_memory = alloc_lines(o, bins->count, &lines);
    bins->own_memory = alloc_lines(o, bins->count * room, &bins->memory);
    if (bins->bins == NULL || bins->image == NULL || lines == NULL || bins->memory == NULL)
        return HFTL_MEMORY;
    bins->lines = (struct bin_line *)(void *)lines;
    return HFTL_OK;
}

/* ---- from lines into the map ---- */

static inline uint32_t below_of(const struct bin_line *line, uint32_t i)
{
    return line->words[i] & (BIN_SPAN - 1);
}

static inline uint32_t pba_in(const struct bin_line *line, uint32_t i)
{
    return line->base + (line->words[i] >> 16);
}

static void line_to_map(struct opening *o, uint64_t bin, const struct bin_line *line)
{
    const struct map *map = &o->device->map;
    uint64_t first = region_first(&o->bins, bin);
    for (uint32_t i = 0; i < line->count; i++) {
        uint64_t lba = first + below_of(line, i);
        uint32_t held = map->pba.narrow[lba];
        if (held != UINT32_MAX) {
            merge_contest(o, lba, (hftl_pba){held}, (hftl_pba){pba_in(line, i)});
            continue;
        }
        map->pba.narrow[lba] = pba_in(line, i);
        if (o->bins.crcs)
            map->crc[lba] = line->words[BIN_WORDS / 2 + i];
    }
}

static void fetch_line(const struct opening *o, uint64_t bin, const struct bin_line *line)
{
    uint64_t first = region_first(&o->bins, bin);
    for (uint32_t i = 0; i < line->count; i++)
        map_fetch(&o->device->map, (hftl_lba){first + below_of(line, i)});
}

static const struct bin_line *lines_at(const uint8_t *memory)
{
    return (const struct bin_line *)(const void *)memory;
}

static uint8_t *own_room(const struct bins *bins, uint64_t bin)
{
    return bins->memory + bin * bins->room_bytes;
}

/* From its own room into the map. */
static void empty_own(struct opening *o, uint64_t bin)
{
    const struct bin_line *line = lines_at(own_room(&o->bins, bin));
    const struct bin_line *end = lines_at(o->bins.bins[bin].at);
    for (; line < end; line++) {
        if (end - line > AHEAD_LINES)
            fetch_line(o, bin, line + AHEAD_LINES);
        line_to_map(o, bin, line);
    }
}

/* Memory of the region that full lines may have. */
struct lent {
    uint8_t *first, *end;
};

static struct lent lent_by(uint32_t *table, uint64_t lbas)
{
    uint8_t *first = line_up(table), *end = (uint8_t *)(table + lbas);
    if (first > end)
        return (struct lent){end, end};
    return (struct lent){first, end - (size_t)(end - first) % BIN_LINE_BYTES};
}

static void to_image(struct opening *o, uint64_t bin, const uint8_t *first, const uint8_t *end)
{
    struct pair *image = o->bins.image;
    bool crcs = o->bins.crcs;
    for (const struct bin_line *line = lines_at(first); line < lines_at(end); line++) {
        fetch_to_read(line + IMAGE_AHEAD_LINES);
        for (uint32_t i = 0; i < line->count; i++) {
            struct pair *pair = &image[below_of(line, i)];
            if (pair->pba != UINT32_MAX)
                merge_contest(o, region_first(&o->bins, bin) + below_of(line, i),
                              (hftl_pba){pair->pba}, (hftl_pba){pba_in(line, i)});
            else
                *pair = (struct pair){pba_in(line, i), crcs ? line->words[BIN_WORDS / 2 + i] : 0};
        }
    }
}

/* The region's memory is map again, with what had waited there, and in the bin's own room. */
static void give_back(struct opening *o, uint64_t bin)
{
    const struct bin *own = &o->bins.bins[bin];
    uint64_t lbas = region_lbas(o, bin);
    uint32_t *pbas = o->device->map.pba.narrow + region_first(&o->bins, bin);
    uint32_t *crcs = o->bins.crcs ? o->device->map.crc + region_first(&o->bins, bin) : NULL;
    struct lent by_map = lent_by(pbas, lbas), by_crc = {NULL, NULL};
    if (crcs != NULL)
        by_crc = lent_by(crcs, lbas);
    memset(o->bins.image, 0xff, (size_t)lbas * sizeof(struct pair));
    to_image(o, bin, by_map.first, own->state == BIN_MAP_LENT ? own->at : by_map.end);
    if (own->state >= BIN_CRC_LENT)
        to_image(o, bin, by_crc.first, own->state == BIN_CRC_LENT ? own->at : by_crc.end);
    if (own->state == BIN_ALL_LENT)
        to_image(o, bin, own_room(&o->bins, bin), own->at);
    for (uint64_t i = 0; i < lbas; i++)
        pbas[i] = o->bins.image[i].pba;
    for (uint64_t i = 0; i < lbas && crcs != NULL; i++)
        crcs[i] = o->bins.image[i].crc;
}

/* ---- lines in and out ---- */

static void lend(struct bin *own, enum bin_state state, struct lent lent)
{
    own->state = state;
    own->at = lent.first;
    own->end = lent.end;
}

static void begin_own(struct opening *o, uint64_t bin, enum bin_state state)
{
    uint8_t *room = own_room(&o->bins, bin);
    lend(&o->bins.bins[bin], state, (struct lent){room, room + o->bins.room_bytes});
}

static void next_room(struct opening *o, uint64_t bin)
{
    struct bin *own = &o->bins.bins[bin];
    const struct map *map = &o->device->map;
    uint64_t first = region_first(&o->bins, bin), lbas = region_lbas(o, bin);
    if (own->state == BIN_FRESH) {
        lend(own, BIN_MAP_LENT, lent_by(map->pba.narrow + first, lbas));
    } else if (own->state == BIN_MAP_LENT && o->bins.crcs) {
        lend(own, BIN_CRC_LENT, lent_by(map->crc + first, lbas));
    } else if (own->state < BIN_ALL_LENT) {
        begin_own(o, bin, BIN_ALL_LENT);
    } else {
        if (own->state == BIN_ALL_LENT)
            give_back(o, bin);
        else
            empty_own(o, bin);
        begin_own(o, bin, BIN_OWN);
    }
}

/* A line is written whole and not looked at for long: it goes past the caches. */
static inline void copy_line(uint8_t *to, const struct bin_line *line)
{
#if defined(__x86_64__)
    const __m128i *from = (const __m128i *)(const void *)line;
    __m128i *at = (__m128i *)(void *)to;
    for (unsigned i = 0; i < BIN_LINE_BYTES / sizeof(__m128i); i++)
        _mm_stream_si128(at + i, _mm_load_si128(from + i));
#else
    memcpy(to, line, BIN_LINE_BYTES);
#endif
}

void bins_pass_on(struct opening *o, uint64_t bin)
{
    struct bin *own = &o->bins.bins[bin];
    struct bin_line *line = &o->bins.lines[bin];
    while (own->at == own->end)
        next_room(o, bin);
    copy_line(own->at, line);
    own->at += BIN_LINE_BYTES;
    line->count = 0;
}

void bins_rebase(struct opening *o, uint64_t bin, uint32_t pba)
{
    struct bin_line *line = &o->bins.lines[bin];
    if (line->count > 0)
        bins_pass_on(o, bin);
    line->base = pba;
}

void bins_settle(struct opening *o, uint64_t lba)
{
    uint64_t bin = lba >> o->bins.shift;
    struct bin *own;
    if (o->bins.lines == NULL)
        return;
    own = &o->bins.bins[bin];
    if (own->state == BIN_OWN)
        return;
    if (own->state == BIN_FRESH)
        memset(o->device->map.pba.narrow + region_first(&o->bins, bin), 0xff,
               (size_t)region_lbas(o, bin) * sizeof(uint32_t)); /* MAP_NONE */
    else
        give_back(o, bin);
    begin_own(o, bin, BIN_OWN);
}

void bins_forget(struct opening *o)
{
    for (uint64_t bin = 0; o->bins.lines != NULL && bin < o->bins.count; bin++) {
        o->bins.bins[bin] = (struct bin){0};
        o->bins.lines[bin].count = 0;
    }
}

void bins_end(struct opening *o)
{
    struct bins *bins = &o->bins;
    for (uint64_t bin = 0; bins->lines != NULL && bin < bins->count; bin++) {
        bins_settle(o, region_first(bins, bin));
        empty_own(o, bin);
        line_to_map(o, bin, &bins->lines[bin]);
    }
    build_free(o->device, bins->bins);
    build_free(o->device, bins->image);
    build_free(o->device, bins->lines_memory);
    build_free(o->device, bins->own_memory);
    *bins = (struct bins){0};
}
