/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/map.h"

#include "base/bitmap.h"
#include "base/must.h"
#include "core/engine.h"

hftl_pba map_get(const struct device *device, hftl_lba lba)
{
    must_show(lba.n < device->geometry.blocks, lba.n, device->geometry.blocks);
    return (hftl_pba){device->map.pba[lba.n]};
}

static void drop_old(struct device *device, uint32_t old, enum map_by by)
{
    if (old == MAP_NONE)
        return;
    uint32_t position;
    struct band *band = band_of(device, (hftl_pba){old}, &position);
    band_drop(device, band, by == MAP_BY_RELOCATION);
}

static void gain_new(struct device *device, hftl_pba pba)
{
    uint32_t position;
    band_gain(device, band_of(device, pba, &position));
}

void map_set(struct device *device, hftl_lba lba, hftl_pba pba, uint32_t data_crc, enum map_by by)
{
    struct map *map = &device->map;
    uint32_t old = map->pba[lba.n];
    must(pba.n < MAP_NONE);
    gain_new(device, pba);
    map->pba[lba.n] = (uint32_t)pba.n;
    if (map->crc != NULL)
        map->crc[lba.n] = data_crc;
    if (old == MAP_NONE)
        map->mapped++;
    if (by == MAP_BY_USER)
        map->written[geometry_range(&device->geometry, lba)] = device->user_clock;
    drop_old(device, old, by);
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
    uint32_t old = map->pba[lba.n];
    if (old == MAP_NONE)
        return false;
    map->pba[lba.n] = MAP_NONE;
    map->mapped--;
    map_mark_dirty(device, geometry_range(&device->geometry, lba));
    drop_old(device, old, MAP_BY_USER);
    return true;
}

hftl_pba map_page(const struct device *device, uint32_t range)
{
    return (hftl_pba){device->map.page_pba[range]};
}

void map_set_page(struct device *device, uint32_t range, hftl_pba pba, enum map_by by)
{
    uint32_t old = device->map.page_pba[range];
    gain_new(device, pba);
    device->map.page_pba[range] = (uint32_t)pba.n;
    drop_old(device, old, by);
}

bool map_holds(const struct device *device, uint64_t lba_or_range, bool is_page, hftl_pba pba)
{
    if (is_page)
        return lba_or_range < device->geometry.ranges &&
               device->map.page_pba[lba_or_range] == pba.n;
    return lba_or_range < device->geometry.blocks && device->map.pba[lba_or_range] == pba.n;
}
