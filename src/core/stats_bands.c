/* SPDX-License-Identifier: BSD-3-Clause */
/* stats_bands.c - bands by state, by what is valid in them, by wear; and the cleaning debt. */
#include "base/bytes.h"
#include "core/engine.h"

#include <string.h>

/* How finely bands are told apart when the emptiest are looked for: without memory to sort them in,
 * and in two passes whatever their number is. */
#define DEBT_STEPS 256u

struct debt {
    uint32_t bands[DEBT_STEPS];
    uint64_t valid[DEBT_STEPS]; /* blocks in them */
};

static uint32_t capacity_of(const struct device *device, const struct band *band)
{
    return max_u32(geometry_data_blocks(&device->geometry, band->width), 1);
}

static bool can_be_emptied(const struct band *band)
{
    return band->state == BAND_CLOSED || band->state == BAND_SEALED;
}

/* Which of `steps` equal parts of the band is the last with something valid. */
static uint32_t share_of(const struct device *device, const struct band *band, uint32_t steps)
{
    uint64_t step = (uint64_t)band->valid * steps / capacity_of(device, band);
    return (uint32_t)min_u64(step, steps - 1);
}

static void count_bands(const struct device *device, struct hftl_bands *bands, struct debt *debt)
{
    for (uint32_t i = 0; i < device->geometry.bands; i++) {
        const struct band *band = &device->bands[i];
        bands->count[band->state]++;
        if (!can_be_emptied(band))
            continue;
        bands->valid_share[share_of(device, band, HFTL_SHARE_STEPS)]++;
        bands->aside += band->aside;
        if (band->aside)
            continue; /* cleaning has tried */
        uint32_t step = share_of(device, band, DEBT_STEPS);
        debt->bands[step]++;
        debt->valid[step] += band->valid;
    }
}

static void count_wear(const struct device *device, struct hftl_bands *bands)
{
    uint64_t sum = 0;
    uint32_t count = 0;
    for (uint32_t i = 0; i < device->geometry.bands; i++) {
        const struct band *band = &device->bands[i];
        if (band->state == BAND_RETIRED)
            continue;
        bands->wear_min = count == 0 ? band->wear : min_u32(bands->wear_min, band->wear);
        bands->wear_max = max_u32(bands->wear_max, band->wear);
        sum += band->wear;
        count++;
    }
    bands->wear_mean = count == 0 ? 0.0 : (double)sum / (double)count;
    bands->wear_step = (bands->wear_max - bands->wear_min) / HFTL_WEAR_STEPS + 1;
    for (uint32_t i = 0; i < device->geometry.bands; i++) {
        const struct band *band = &device->bands[i];
        if (band->state != BAND_RETIRED)
            bands->wear_bands[(band->wear - bands->wear_min) / bands->wear_step]++;
    }
}

/* hftl_bands.debt_blocks has the formula. Emptying one band more of the same step costs the step's
 * mean. */
static void add_debt(const struct device *device, struct hftl_bands *bands, const struct debt *debt)
{
    uint64_t free = (uint64_t)bands->count[BAND_FREE] + bands->count[BAND_EMPTIED] +
                    bands->count[BAND_ERASING] + (device->streams[STREAM_USER].kept != NULL);
    uint64_t band_blocks =
        max_u32(geometry_data_blocks(&device->geometry, device->geometry.columns), 1);
    uint64_t wanted =
        (uint64_t)device->limits.level[HFTL_LIMIT_START].bands_free + !device->relocation.resting;
    uint64_t freed = 0, moved = 0;
    for (uint32_t step = 0; step < DEBT_STEPS; step++) {
        for (uint32_t i = 0; i < debt->bands[step]; i++) {
            if (free + freed >= wanted + div_round_up_u64(moved, band_blocks))
                goto paid;
            freed++;
            moved += debt->valid[step] * (i + 1) / debt->bands[step] -
                     debt->valid[step] * i / debt->bands[step];
        }
    }
    bands->debt_blocks = moved;
    bands->debt_is_payable = free + freed >= wanted + div_round_up_u64(moved, band_blocks);
    return;
paid:
    bands->debt_blocks = moved;
    bands->debt_is_payable = true;
}

void device_get_bands(const struct device *device, struct hftl_bands *bands)
{
    struct debt debt;
    memset(&debt, 0, sizeof(debt));
    memset(bands, 0, sizeof(*bands));
    bands->size = sizeof(*bands);
    count_bands(device, bands, &debt);
    count_wear(device, bands);
    add_debt(device, bands, &debt);
}
