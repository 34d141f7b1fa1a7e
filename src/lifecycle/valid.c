/* SPDX-License-Identifier: BSD-3-Clause */
/* valid.c - how many blocks of each band the map that was built points to. */
#include "base/must.h"
#include "lifecycle/opening.h"

static void count_entry(struct opening *o, hftl_pba pba)
{
    uint32_t position;
    band_of(o->device, pba, &position)->valid++;
}

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

static uint64_t count_wide(struct device *device)
{
    uint64_t mapped = 0;
    uint32_t position;
    for (uint64_t lba = 0; lba < device->geometry.blocks; lba++) {
        hftl_pba pba = map_table_get(&device->map.pba, lba);
        if (map_is_none(pba))
            continue;
        mapped++;
        band_of(device, pba, &position)->valid++;
    }
    return mapped;
}

void valid_count(struct opening *o)
{
    struct device *device = o->device;
    device->map.mapped +=
        device->map.pba.narrow != NULL ? count_narrow(device) : count_wide(device);
    for (uint32_t range = 0; range < device->geometry.ranges; range++)
        if (!map_is_none(map_page(device, range)))
            count_entry(o, map_page(device, range));
}
