/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * twins.c - a victim whose erase a cut stopped half way leaves what is in its copy (V6).
 *
 * The original comes before the copy in a sealed band (V1, V3), so that a copy made half can go. Of
 * a victim that is half erased it is the other way round: what it has lost is in the copy alone,
 * what it has left is in both, and neither could be freed. A device that had one free band to clean
 * with would have none. So where the copy's band is needed in any case, and all that a band still
 * holds has a twin in such a band, the twins take over.
 *
 *      half erased      a . c . .        freed
 *      copy             a b c d .        a b c d .       all four are taken from here
 */
#include "base/must.h"
#include "lifecycle/opening.h"

void twins_note(struct opening *o, const struct ident *ident, hftl_pba held, hftl_pba loser)
{
    must_show(o->twin_count < o->tie_room, o->twin_count, o->tie_room);
    o->twins[o->twin_count++] = (struct twin){
        .index = ident->lba, .held = held, .pba = loser, .is_page = ident->kind == IDENT_TRIM};
}

/* The band that still holds what the twin gave way to, if the twin could do instead; or NULL. */
static struct band *band_to_free(struct opening *o, const struct twin *twin)
{
    uint32_t position;
    hftl_pba held = twin->is_page ? map_page(o->device, (uint32_t)twin->index)
                                  : map_get(o->device, (hftl_lba){twin->index});
    const struct band *other = band_of(o->device, twin->pba, &position);
    const struct scan *scan = &o->scans[o->sightings[other->index].scan - 1];
    if (held.n != twin->held.n || other->valid == 0 || (scan->flags[position] & SCAN_VERIFIED) == 0)
        return NULL;
    struct band *band = band_of(o->device, held, &position);
    return band == other ? NULL : band;
}

static void take_over(struct opening *o, const struct twin *twin, struct band *band)
{
    const struct map *map = &o->device->map;
    uint32_t position;
    map_table_set(twin->is_page ? &map->page_pba : &map->pba, twin->index, twin->pba);
    band->valid--;
    band_of(o->device, twin->pba, &position)->valid++;
}

enum hftl_status twins_settle(struct opening *o)
{
    struct device *device = o->device;
    uint32_t *missing; /* per band: valid blocks without a twin */
    if (o->twin_count == 0)
        return HFTL_OK;
    missing = build_alloc(device, device->geometry.bands * sizeof *missing);
    if (missing == NULL)
        return why_say(o->why, HFTL_MEMORY, "no memory to compare copies");
    for (uint32_t i = 0; i < device->geometry.bands; i++)
        missing[i] = device->bands[i].valid;
    for (uint64_t i = 0; i < o->twin_count; i++) {
        const struct band *band = band_to_free(o, &o->twins[i]);
        if (band != NULL && missing[band->index] > 0)
            missing[band->index]--;
    }
    for (uint64_t i = 0; i < o->twin_count; i++) {
        struct band *band = band_to_free(o, &o->twins[i]);
        if (band != NULL && missing[band->index] == 0)
            take_over(o, &o->twins[i], band);
    }
    build_free(device, missing);
    return HFTL_OK;
}
