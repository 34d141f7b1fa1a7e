/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * map.h - L2P: which physical block holds each lba, and each range's trim page.
 *
 * I own        a pba an lba, in 4 bytes where they reach all blocks of the bands and in 8 elsewhere
 *              (map_is_wide decides, once, at open); 4 bytes more where the medium has no OOB and
 *              reads are verified (the crc of the data); and for each trim range its page's pba.
 * I promise    one entry changes in one place, and the counts of both bands with it (B1).
 * I ignore     whether a pba is in the buffer or on the medium: a block has its final pba from the
 *              moment it is accepted.
 *
 * INVARIANTS
 *   A1  an entry is MAP_NONE or the pba of a slot filled with that lba's newest accepted version.
 *   A2  no two entries hold one pba.
 */
#ifndef HOSTFTL_CORE_MAP_H
#define HOSTFTL_CORE_MAP_H

#include "base/fetch.h"
#include "base/must.h"
#include "core/geometry.h"
#include "core/world.h"

#include <hostftl/types.h>

struct band;
struct device;

#define MAP_NONE UINT64_MAX

/* Exactly one of the two is there. The branch on it goes the same way for the life of a device, so
 * that a processor predicts it. */
struct map_table {
    uint32_t *narrow; /* UINT32_MAX stands for MAP_NONE */
    uint64_t *wide;
};

struct map {
    struct map_table pba;      /* one an lba */
    uint32_t *crc;             /* of the data, one an lba; NULL: not kept */
    struct map_table page_pba; /* one a trim range */
    uint64_t *written;         /* one a range: device.user_clock at its last write (O2) */
    uint64_t *dirty;           /* bitmap of ranges trimmed since their page was made */
    uint64_t *held;            /* bitmap of ranges whose page is being made: writes wait */
    uint32_t dirty_count;
    uint64_t mapped;
};

/* Who changes the entry: it decides what must be durable before the old block's band is erased. */
enum map_by { MAP_BY_USER, MAP_BY_RELOCATION };

/* Blocks in a row, and in one band. */
struct map_run {
    struct band *band;
    hftl_lba lba;
    hftl_pba pba;
    uint32_t blocks;
    const uint32_t *crc; /* of the data of each, kept where crcs are */
};

static inline bool map_is_none(hftl_pba pba)
{
    return pba.n == MAP_NONE;
}

/* Do 4 bytes an entry not reach the last block of the last band, MAP_NONE beside it? */
static inline bool map_is_wide(const struct geometry *g)
{
    return (uint64_t)g->bands * g->stride > UINT32_MAX;
}

static inline size_t map_entry_bytes(const struct geometry *g)
{
    return map_is_wide(g) ? sizeof(uint64_t) : sizeof(uint32_t);
}

static inline hftl_pba map_table_get(const struct map_table *table, uint64_t index)
{
    if (table->wide != NULL)
        return (hftl_pba){table->wide[index]};
    uint32_t entry = table->narrow[index];
    return (hftl_pba){entry == UINT32_MAX ? MAP_NONE : entry};
}

/* The lba's entry and checksum are wanted soon: the processor fetches them meanwhile. */
static inline void map_fetch(const struct map *map, hftl_lba lba)
{
    if (map->pba.wide != NULL)
        fetch_to_write(&map->pba.wide[lba.n]);
    else
        fetch_to_write(&map->pba.narrow[lba.n]);
    if (map->crc != NULL)
        fetch_to_write(&map->crc[lba.n]);
}

/* For the map's own file and for who builds the map at open: counts nothing (B1). */
static inline void map_table_set(const struct map_table *table, uint64_t index, hftl_pba pba)
{
    if (table->wide != NULL) {
        table->wide[index] = pba.n;
        return;
    }
    must_show(pba.n < UINT32_MAX || map_is_none(pba), pba.n, index);
    table->narrow[index] = (uint32_t)pba.n; /* MAP_NONE becomes UINT32_MAX */
}

hftl_pba map_get(const struct device *device, hftl_lba lba);
/* Takes the entries from their old bands to the new one. Who sets entries for a user tells
 * map_note_written as well, once for all of a range. */
void map_set_run(struct device *device, const struct map_run *run, enum map_by by);
/* The same for one block that a user wrote. */
void map_set_user_block(struct device *device, struct band *band, hftl_lba lba, hftl_pba pba,
                        uint32_t crc);
/* Now is when a user wrote to the range last. */
void map_note_written(struct device *device, uint32_t range);
/* False: it was not mapped. Marks the range dirty in any case where it was. */
bool map_clear(struct device *device, hftl_lba lba);
hftl_pba map_page(const struct device *device, uint32_t range);
void map_set_page(struct device *device, uint32_t range, hftl_pba pba, enum map_by by);
/* True when the position still is what a map entry points to. */
bool map_holds(const struct device *device, uint64_t lba_or_range, bool is_page, hftl_pba pba);
void map_mark_dirty(struct device *device, uint32_t range);

#endif
