/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/map.h"

#include "base/bitmap.h"
#include "base/must.h"
#include "core/engine.h"

hftl_pba map_get(const struct device *device, hftl_lba lba)
{
    must_show(lba.n < device->geometry.blocks, lba.n, device->geometry.blocks);
    return map_table_get(&device->map.pba, lba.n);
}

static void drop_old(struct device *device, hftl_pba old, enum map_by by)
{
    if (map_is_none(old))
        return;
    uint32_t position;
    struct band *band = band_of(device, old, &position);
    band_drop(device, band, by == MAP_BY_RELOCATION);
}

static inline void set(struct device *device, hftl_lba lba, hftl_pba pba, uint32_t crc,
                       enum map_by by)
{
    struct map *map = &device->map;
    hftl_pba old = map_table_get(&map->pba, lba.n);
    map_table_set(&map->pba, lba.n, pba);
    if (map->crc != NULL)
        map->crc[lba.n] = crc;
    if (map_is_none(old))
        map->mapped++;
    else
        drop_old(device, old, by);
}

/* Apart, so that one block, as most runs are, pays nothing for the loop. */
__attribute__((noinline)) static void set_many(struct device *device, const struct map_run *run,
                                               enum map_by by)
{
    for (uint32_t i = 0; i < run->blocks; i++)
        set(device, (hftl_lba){run->lba.n + i}, (hftl_pba){run->pba.n + i}, run->crc[i], by);
}

void map_set_run(struct device *device, const struct map_run *run, enum map_by by)
{
    must(!map_is_none(run->pba));
    band_gain(device, run->band, run->blocks);
    if (run->blocks == 1)
        set(device, run->lba, run->pba, run->crc[0], by);
    else
        set_many(device, run, by);
}

void map_set_user_block(struct device *device, struct band *band, hftl_lba lba, hftl_pba pba,
                        uint32_t crc)
{
    must(!map_is_none(pba));
    band_gain(device, band, 1);
    set(device, lba, pba, crc, MAP_BY_USER);
}

void map_note_written(struct device *device, uint32_t range)
{
    device->map.written[range] = device->user_clock;
}

void map_mark_dirty(struct device *device, uint32_t range)
{
    if (bitmap_get(device->map.dirty, range))
        return;
    bitmap_set(device->map.dirty, range);
    device->map.dirty_count++;
}

bool map_clear(struct device *device, hftl_lba lba)
{
    struct map *map = &device->map;
    hftl_pba old = map_table_get(&map->pba, lba.n);
    if (map_is_none(old))
        return false;
    map_table_set(&map->pba, lba.n, (hftl_pba){MAP_NONE});
    map->mapped--;
    map_mark_dirty(device, geometry_range(&device->geometry, lba));
    drop_old(device, old, MAP_BY_USER);
    return true;
}

hftl_pba map_page(const struct device *device, uint32_t range)
{
    return map_table_get(&device->map.page_pba, range);
}

void map_set_page(struct device *device, uint32_t range, hftl_pba pba, enum map_by by)
{
    hftl_pba old = map_page(device, range);
    uint32_t position;
    band_gain(device, band_of(device, pba, &position), 1);
    map_table_set(&device->map.page_pba, range, pba);
    drop_old(device, old, by);
}

bool map_holds(const struct device *device, uint64_t lba_or_range, bool is_page, hftl_pba pba)
{
    const struct map *map = &device->map;
    if (is_page)
        return lba_or_range < device->geometry.ranges &&
               map_table_get(&map->page_pba, lba_or_range).n == pba.n;
    return lba_or_range < device->geometry.blocks &&
           map_table_get(&map->pba, lba_or_range).n == pba.n;
}
