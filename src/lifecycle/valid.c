/* SPDX-License-Identifier: BSD-3-Clause */
#include "lifecycle/valid.h"

#include "base/bitmap.h"
#include "base/must.h"
#include "lifecycle/opening.h"

static void count_at(struct opening *o, hftl_pba pba)
{
    uint32_t position;
    band_of(o->device, pba, &position)->valid++;
}

static void count_lba(struct opening *o, uint64_t lba)
{
    hftl_pba pba = map_get(o->device, (hftl_lba){lba});
    if (map_is_none(pba))
        return;
    count_at(o, pba);
    o->device->map.mapped++;
}

void valid_take(struct opening *o, struct band *band, uint32_t entries)
{
    band->valid += entries;
    o->device->map.mapped += entries;
}

void valid_drop(struct opening *o, hftl_pba pba)
{
    uint32_t position;
    struct band *band = band_of(o->device, pba, &position);
    must_show(band->valid > 0, band->index, position);
    band->valid--;
    o->device->map.mapped--;
}

void valid_forget(struct opening *o)
{
    for (uint32_t i = 0; i < o->device->geometry.bands; i++)
        o->device->bands[i].valid = 0;
    o->device->map.mapped = 0;
}

static void count_pages(struct opening *o)
{
    for (uint32_t range = 0; range < o->device->geometry.ranges; range++)
        if (!map_is_none(map_page(o->device, range)))
            count_at(o, map_page(o->device, range));
}

void valid_end_survey(struct opening *o)
{
    uint64_t blocks = o->device->geometry.blocks;
    for (uint64_t lba = bitmap_find_set(o->contested, blocks, 0); lba < blocks;
         lba = bitmap_find_set(o->contested, blocks, lba + 1))
        count_lba(o, lba);
    count_pages(o);
}

/* ---- all of the map ---- */

/* The band of each pba of a map, without dividing: pbas below 2^32, a stride of at least 2. */
static uint64_t inverse_of(uint32_t stride)
{
    return UINT64_MAX / stride + 1;
}

static inline uint32_t divide(uint32_t pba, uint64_t inverse)
{
    return (uint32_t)(((inverse >> 32) * pba + ((uint32_t)inverse * (uint64_t)pba >> 32)) >> 32);
}

/* In order neighbours are mostly in one band, and counted together. */
static uint64_t count_narrow(struct device *device)
{
    const uint32_t *table = device->map.pba.narrow;
    struct band *bands = device->bands;
    uint32_t stride = device->geometry.stride, first = 0, run = 0, index = 0;
    uint64_t inverse = inverse_of(stride), mapped = 0;
    for (uint64_t lba = 0; lba < device->geometry.blocks; lba++) {
        uint32_t pba = table[lba];
        if (pba == UINT32_MAX)
            continue;
        mapped++;
        if (pba - first >= stride) {
            bands[index].valid += run;
            run = 0;
            index = divide(pba, inverse);
            must_show(index < device->geometry.bands, index, pba);
            first = index * stride;
        }
        run++;
    }
    bands[index].valid += run;
    return mapped;
}

void valid_count(struct opening *o)
{
    struct map *map = &o->device->map;
    if (map->pba.narrow != NULL)
        map->mapped += count_narrow(o->device);
    for (uint64_t lba = 0; map->pba.wide != NULL && lba < o->device->geometry.blocks; lba++)
        count_lba(o, lba);
    count_pages(o);
}
