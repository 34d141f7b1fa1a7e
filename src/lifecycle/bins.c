/* SPDX-License-Identifier: BSD-3-Clause */
#include "lifecycle/bins.h"

#include "base/bytes.h"
#include "lifecycle/build.h"

#include <string.h>

#define ROOM_LEAST 3u
#define ROOM_MOST 11264u /* 33 pages */
#define LINE_BYTES 64u

enum hftl_status bins_start(struct bins *bins, struct device *device)
{
    const struct geometry *g = &device->geometry;
    uint64_t room = g->blocks / 4 / BINS;
    while ((g->blocks - 1) >> bins->shift >= BINS)
        bins->shift++;
    if ((uint64_t)g->bands * g->stride > UINT64_MAX >> bins->shift)
        return HFTL_OK;
    bins->room = (uint32_t)max_u64(min_u64(room, ROOM_MOST), ROOM_LEAST);
    size_t lines = (bins->room * sizeof(struct binned) + LINE_BYTES - 1) / LINE_BYTES;
    /* An odd number: the ends of bins that are equally full are in different sets of a cache. */
    bins->pitch_bytes = (lines | 1) * LINE_BYTES;
    bins->counts = build_alloc(device, BINS * sizeof(uint32_t));
    bins->memory = build_alloc(device, BINS * bins->pitch_bytes);
    return bins->counts == NULL || bins->memory == NULL ? HFTL_MEMORY : HFTL_OK;
}

void bins_forget(struct bins *bins)
{
    if (bins->counts != NULL)
        memset(bins->counts, 0, BINS * sizeof(uint32_t));
}

void bins_end(struct bins *bins, struct device *device)
{
    build_free(device, bins->memory);
    build_free(device, bins->counts);
    *bins = (struct bins){0};
}
