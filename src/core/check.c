/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * check.c - the invariants of a running device, all of them, from scratch: valid counts recounted
 * from the map (B1), states of bands against streams (B2, B3, B5), units and pens (W1-W8), movers
 * and limits (L7, P1), no two entries on one block (A2), entries only where something was written.
 */
#include "base/bitmap.h"
#include "core/engine.h"

static enum hftl_status check_entry(const struct device *device, uint64_t pba, struct why *why,
                                    const char *what, uint64_t index)
{
    const struct geometry *g = &device->geometry;
    uint64_t number = pba / g->stride;
    if (number >= g->bands)
        return why_say(why, HFTL_CORRUPT, "A1: %s %llu points beyond the last band", what,
                       (unsigned long long)index);
    const struct band *band = &device->bands[number];
    uint32_t position = (uint32_t)(pba % g->stride);
    if (band->state == BAND_FREE || band->state == BAND_EMPTIED || band->state == BAND_ERASING ||
        band->state == BAND_RETIRED)
        return why_say(why, HFTL_CORRUPT, "B2: %s %llu points into band %u, which is %s", what,
                       (unsigned long long)index, band->index, band_state_text(band->state));
    uint32_t tail = geometry_tail(g, band->width);
    const struct stream *stream = stream_of_band((struct device *)(uintptr_t)device, band);
    uint32_t end = band->state == BAND_OPEN && stream != NULL ? stream->open->position : tail;
    if (position >= end)
        return why_say(why, HFTL_CORRUPT,
                       "A1: %s %llu points to position %u of band %u, written to %u", what,
                       (unsigned long long)index, position, band->index, end);
    return HFTL_OK;
}

/* B1, summed over all bands: an entry that points into another band than the one that counts it
 * shows when one of them is emptied (B2, B4). */
static enum hftl_status check_counts(const struct device *device, struct why *why)
{
    uint64_t entries = device->map.mapped, valid = 0;
    for (uint32_t range = 0; range < device->geometry.ranges; range++)
        entries += !map_is_none(map_page(device, range));
    for (uint32_t i = 0; i < device->geometry.bands; i++)
        valid += device->bands[i].valid;
    if (entries != valid)
        return why_say(why, HFTL_CORRUPT, "B1: %llu map entries, %llu valid blocks",
                       (unsigned long long)entries, (unsigned long long)valid);
    return HFTL_OK;
}

static enum hftl_status check_map(const struct device *device, struct why *why)
{
    uint64_t mapped = 0;
    enum hftl_status status = HFTL_OK;
    for (uint64_t lba = 0; lba < device->geometry.blocks && status == HFTL_OK; lba++) {
        hftl_pba pba = map_get(device, (hftl_lba){lba});
        if (map_is_none(pba))
            continue;
        mapped++;
        status = check_entry(device, pba.n, why, "lba", lba);
    }
    for (uint32_t range = 0; range < device->geometry.ranges && status == HFTL_OK; range++)
        if (!map_is_none(map_page(device, range)))
            status = check_entry(device, map_page(device, range).n, why, "trim range", range);
    if (status == HFTL_OK && mapped != device->map.mapped)
        status = why_say(why, HFTL_CORRUPT, "%llu lbas are mapped, %llu counted",
                         (unsigned long long)mapped, (unsigned long long)device->map.mapped);
    return status;
}

static enum hftl_status check_bands(const struct device *device, struct why *why)
{
    uint32_t counts[BAND_STATE_COUNT] = {0};
    for (uint32_t i = 0; i < device->geometry.bands; i++) {
        const struct band *band = &device->bands[i];
        bool streamed = stream_of_band((struct device *)(uintptr_t)device, band) != NULL ||
                        band == device->streams[STREAM_USER].kept;
        bool writing = band->state == BAND_OPEN || band->state == BAND_FULL;
        counts[band->state]++;
        if (streamed != writing)
            return why_say(why, HFTL_CORRUPT, "B3: band %u is %s, stream %d", i,
                           band_state_text(band->state), streamed);
        if ((band->state == BAND_CLOSED || band->state == BAND_SEALED) && band->valid == 0)
            return why_say(why, HFTL_CORRUPT, "B2: band %u is %s and empty", i,
                           band_state_text(band->state));
    }
    if (counts[BAND_FREE] != device->bands_free || counts[BAND_SEALED] != device->bands_sealed ||
        counts[BAND_EMPTIED] != device->bands_emptied)
        return why_say(why, HFTL_CORRUPT, "B5: free %u counted %u, sealed %u %u, emptied %u %u",
                       counts[BAND_FREE], device->bands_free, counts[BAND_SEALED],
                       device->bands_sealed, counts[BAND_EMPTIED], device->bands_emptied);
    return HFTL_OK;
}

static enum hftl_status check_line(const struct list *line, const char *what, struct why *why)
{
    for (struct list_link *at = list_first(line); at != NULL; at = list_next(line, at))
        if (list_is_empty(&list_of(at, struct turn_queue, turn)->requests))
            return why_say(why, HFTL_CORRUPT, "T1: somebody without %s waits for his turn", what);
    return HFTL_OK;
}

enum hftl_status device_check(const struct device *device, struct why *why)
{
    enum hftl_status status = check_line(&device->writes, "writes", why);
    if (status == HFTL_OK)
        status = check_line(&device->reads, "reads", why);
    if (status == HFTL_OK)
        status = check_bands(device, why);
    if (status == HFTL_OK)
        status = check_map(device, why);
    if (status == HFTL_OK)
        status = check_counts(device, why);
    if (status == HFTL_OK)
        status = relocation_check(device, why);
    if (status == HFTL_OK)
        status = band_index_check(device, why);
    if (status == HFTL_OK)
        status = limits_check(device, why);
    if (status == HFTL_OK)
        status = pace_check(device, why);
    if (status == HFTL_OK)
        status = tail_cache_check(device, why);
    for (unsigned i = 0; i < STREAMS && status == HFTL_OK; i++)
        status = stream_check(&device->streams[i], why);
    return status;
}
