/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bins.h - versions on their way into the map, by region of the map.
 *
 * I own        the memory of the bins: room for as many as a quarter of the lbas, at most 33 MiB.
 * I promise    what was put into a bin stays there, in order, until its count is set to 0.
 * I ignore     what the map says already, and who is right.
 *
 *      all zeros --bins_start--> there are bins, or none (memory NULL) --bins_end--> all zeros
 *
 *   B1  counts[bin] < room between two calls of bins_put: whoever fills a bin empties it at once.
 *   B2  What is in bin b has an lba of b << shift and above, below (b + 1) << shift.
 *
 * Where users write in no order, neighbours in a tail are strangers in the map, and each entry
 * waits for memory. Set together, those of one region find it in a cache and in few entries of
 * the TLB.
 */
#ifndef HOSTFTL_LIFECYCLE_BINS_H
#define HOSTFTL_LIFECYCLE_BINS_H

#include "core/device.h"

#define BINS 256u

/* `place` is pba << shift | lba below its bin's first. */
struct binned {
    uint32_t place_low, place_high, crc;
};

struct bins {
    uint8_t *memory;    /* NULL: there are none */
    uint32_t *counts;   /* entries in each */
    uint32_t room;      /* most of one */
    size_t pitch_bytes; /* from one to the next */
    unsigned shift;     /* lba >> shift is its bin's number */
};

/* There are none where 64 bits do not hold a place: above 256 TiB of 4 KiB blocks. */
HFTL_MUST_USE enum hftl_status bins_start(struct bins *bins, struct device *device);
/* What is in them is forgotten. */
void bins_forget(struct bins *bins);
void bins_end(struct bins *bins, struct device *device);

static inline struct binned *bins_at(const struct bins *bins, uint64_t bin)
{
    return (struct binned *)(void *)(bins->memory + bin * bins->pitch_bytes);
}

static inline uint64_t bins_region(const struct bins *bins)
{
    return UINT64_C(1) << bins->shift; /* lbas */
}

/* Where there are bins. Returns the bin, which may be full now (B1). */
static inline uint64_t bins_put(struct bins *bins, uint64_t lba, hftl_pba pba, uint32_t crc)
{
    uint64_t bin = lba >> bins->shift;
    uint64_t place = pba.n << bins->shift | (lba & (bins_region(bins) - 1));
    bins_at(bins, bin)[bins->counts[bin]++] =
        (struct binned){(uint32_t)place, (uint32_t)(place >> 32), crc};
    return bin;
}

static inline uint64_t bins_lba(const struct bins *bins, uint64_t bin, const struct binned *entry)
{
    uint64_t place = entry->place_low | (uint64_t)entry->place_high << 32;
    return bin << bins->shift | (place & (bins_region(bins) - 1));
}

static inline hftl_pba bins_pba(const struct bins *bins, const struct binned *entry)
{
    uint64_t place = entry->place_low | (uint64_t)entry->place_high << 32;
    return (hftl_pba){place >> bins->shift};
}

#endif
