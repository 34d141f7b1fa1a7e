/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bins.h - versions on their way into the map, by region of the map.
 *
 * I own        a bin for each region of the map: a line, two of a cache's, that is filled entry by
 *              entry, and room of its own for full lines, at most 16 MiB in all.
 * I promise    what was put is in the map, or contested, after bins_end; what the map says of a
 *              region after bins_settle is so.
 * I ignore     who is right: whoever comes into the map first stays.
 *
 *      FRESH --bins_put--> MAP_LENT --full--> CRC_LENT --full--> ALL_LENT
 *        |                    |                  |                  |
 *        |                    '-------------bins_settle, full-------'--> OWN
 *        '----bins_settle-------------------------------------------------'
 *
 *   ALL_LENT   the room of its own is being filled as well; when that is full, all of it goes into
 *              the map at once, and the region's memory is map again
 *   OWN        the region's memory is map; what is in the bin's own room goes there when it is full
 *
 *   B1  Of a FRESH region nothing is mapped, and none of its lbas is in a bin. Its memory means
 *       nothing: nobody wrote to it, and it becomes map when it is settled.
 *   B2  The map's memory of a lent region, and that of its checksums, holds full lines up to the
 *       bin's `at`, and is no map. Nobody looks at such an entry without bins_settle.
 *   B3  What is in bin b has an lba of b << shift and above, below (b + 1) << shift.
 *
 * Where users write in no order, neighbours in a tail are strangers in the map, and each entry
 * waits for memory. Set together, those of one region find it in a cache and in few entries of
 * the TLB. The region's own memory is where most of them wait: a device that is open has it, and
 * nothing is in it yet.
 */
#ifndef HOSTFTL_LIFECYCLE_BINS_H
#define HOSTFTL_LIFECYCLE_BINS_H

#include "core/device.h"

struct opening;

#define BIN_LINE_BYTES 128u
#define BIN_REGION_BITS 16u /* at most: an lba in its region has two bytes */
#define BIN_SPAN (UINT32_C(1) << 16)
#define BIN_WORDS 30u /* one an entry, and one more where checksums are kept */

/* `base` and the pbas up to 65535 above it; tails name blocks in the order of their pbas. */
struct bin_line {
    uint32_t base, count;
    uint32_t words[BIN_WORDS]; /* pba - base, and in the low half the lba less its region's first;
                                  then checksums, in the second half */
};

enum bin_state { BIN_FRESH, BIN_MAP_LENT, BIN_CRC_LENT, BIN_ALL_LENT, BIN_OWN };

struct bin {
    uint8_t *at, *end; /* where the next full line goes; NULL: nowhere yet */
    enum bin_state state;
};

struct bins {
    struct bin_line *lines; /* the one of each bin that is being filled; NULL: there are no bins */
    struct bin *bins;
    uint8_t *memory;    /* rooms of their own */
    struct pair *image; /* of one region */
    void *lines_memory, *own_memory;
    size_t room_bytes; /* own, of each */
    uint64_t count;
    unsigned shift; /* lba >> shift is its bin's number */
    uint32_t each;  /* entries of a line */
    bool crcs;
};

/* There are none where entries of the map are wide. */
HFTL_MUST_USE enum hftl_status bins_start(struct opening *o);
/* The line is full. */
void bins_pass_on(struct opening *o, uint64_t bin);
/* The line is to begin with this pba. */
void bins_rebase(struct opening *o, uint64_t bin, uint32_t pba);
/* The map is about to be looked at, or set, in the lba's region. */
void bins_settle(struct opening *o, uint64_t lba);
/* What is in them is forgotten; the map has nothing in it. */
void bins_forget(struct opening *o);
/* All that is in them goes into the map. */
void bins_end(struct opening *o);

/* Where there are bins. */
static inline void bins_put(struct opening *o, const struct bins *bins, uint32_t lba, uint32_t pba,
                            uint32_t crc)
{
    uint32_t bin = lba >> bins->shift;
    struct bin_line *line = &bins->lines[bin];
    if (pba - line->base >= BIN_SPAN)
        bins_rebase(o, bin, pba);
    uint32_t at = line->count;
    line->words[at] = (pba - line->base) << 16 | (lba & ((1u << bins->shift) - 1));
    if (bins->crcs)
        line->words[BIN_WORDS / 2 + at] = crc;
    line->count = at + 1;
    if (at + 1 == bins->each)
        bins_pass_on(o, bin);
}

#endif
