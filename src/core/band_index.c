/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/band_index.h"

#include "base/bitmap.h"
#include "base/bytes.h"
#include "base/must.h"
#include "base/mutant.h"
#include "core/engine.h"

/* ---- where a band belongs ---- */

static uint32_t capacity_of(const struct device *device, const struct band *band)
{
    return geometry_data_blocks(&device->geometry, band->width);
}

/* Were `valid` of its blocks valid. */
static uint32_t level_at(const struct device *device, const struct band *band, uint32_t valid)
{
    uint32_t levels = device->index.levels;
    uint64_t step = (uint64_t)valid * levels / capacity_of(device, band);
    return (band->width - 1) * levels + (uint32_t)step;
}

static uint32_t level_of(const struct device *device, const struct band *band)
{
    return level_at(device, band, band->valid);
}

static enum band_shelf shelf_of(const struct device *device, const struct band *band)
{
    switch (band->state) {
    case BAND_FREE:
        return SHELF_FREE;
    case BAND_EMPTIED:
        return band->user_mark > device->user_durable               ? SHELF_USER_VOLATILE
               : band->relocation_mark > device->relocation_durable ? SHELF_RELOCATION_VOLATILE
                                                                    : SHELF_READY;
    case BAND_CLOSED:
    case BAND_SEALED:
        if (band->taken)
            return SHELF_NONE;
        if (band->aside)
            return SHELF_ASIDE;
        if (band->state == BAND_SEALED)
            return SHELF_SEALED;
        return band->valid < capacity_of(device, band) ? SHELF_LEVEL : SHELF_NONE;
    default:
        return SHELF_NONE;
    }
}

static struct list *list_of_shelf(struct band_index *index, enum band_shelf shelf)
{
    switch (shelf) {
    case SHELF_SEALED:
        return &index->sealed;
    case SHELF_READY:
        return &index->ready;
    case SHELF_USER_VOLATILE:
        return &index->user_volatile;
    case SHELF_RELOCATION_VOLATILE:
        return &index->relocation_volatile;
    case SHELF_ASIDE:
        return &index->aside;
    default:
        return NULL;
    }
}

static uint64_t mark_of(const struct band *band, enum band_shelf shelf)
{
    return shelf == SHELF_USER_VOLATILE ? band->user_mark : band->relocation_mark;
}

static struct band *band_at(struct list_link *link)
{
    return list_of(link, struct band, link);
}

/* ---- putting and removing ---- */

/* Behind all with the same mark or a lesser one: nearly always at the end, as clocks rise. */
static void put_in_order(struct list *list, struct band *band, enum band_shelf shelf)
{
    struct list_link *before = list->head.prev;
    while (before != &list->head && mark_of(band_at(before), shelf) > mark_of(band, shelf))
        before = before->prev;
    must(!link_is_linked(&band->link));
    link_insert_between(&band->link, before, before->next);
}

static void put_on_level(struct device *device, struct band *band)
{
    struct band_index *index = &device->index;
    uint32_t level = level_of(device, band);
    band->level = level;
    uint64_t step = level % index->levels;
    band->level_least = (uint32_t)div_round_up_u64(step * capacity_of(device, band), index->levels);
    heap_put(&index->level[level], &band->node, band->generation);
    bitmap_set(index->occupied, level);
}

void band_index_put(struct device *device, struct band *band)
{
    struct band_index *index = &device->index;
    enum band_shelf shelf = shelf_of(device, band);
    must_show(band->shelf == SHELF_NONE, band->index, band->shelf);
    band->shelf = shelf;
    index->emptied_sealed += band->state == BAND_EMPTIED && band->idents != NULL;
    index->ready_count += shelf == SHELF_READY;
    index->volatile_count += shelf == SHELF_USER_VOLATILE || shelf == SHELF_RELOCATION_VOLATILE;
    if (shelf == SHELF_FREE) {
        heap_put(&index->free, &band->node, (uint64_t)band->wear << 32 | band->index);
    } else if (shelf == SHELF_LEVEL) {
        put_on_level(device, band);
    } else if (shelf == SHELF_USER_VOLATILE || shelf == SHELF_RELOCATION_VOLATILE) {
        if (list_is_empty(&index->user_volatile))
            index->relocation_mark_max = 0;
        if (shelf == SHELF_USER_VOLATILE)
            index->relocation_mark_max = max_u64(index->relocation_mark_max, band->relocation_mark);
        put_in_order(list_of_shelf(index, shelf), band, shelf);
    } else if (shelf != SHELF_NONE) {
        list_push_back(list_of_shelf(index, shelf), &band->link);
    }
}

void band_index_remove(struct device *device, struct band *band)
{
    struct band_index *index = &device->index;
    enum band_shelf shelf = band->shelf;
    band->shelf = SHELF_NONE;
    index->emptied_sealed -= band->state == BAND_EMPTIED && band->idents != NULL;
    index->ready_count -= shelf == SHELF_READY;
    index->volatile_count -= shelf == SHELF_USER_VOLATILE || shelf == SHELF_RELOCATION_VOLATILE;
    if (shelf == SHELF_FREE) {
        heap_remove(&index->free, &band->node);
    } else if (shelf == SHELF_LEVEL) {
        heap_remove(&index->level[band->level], &band->node);
        if (heap_is_empty(&index->level[band->level]))
            bitmap_clear(index->occupied, band->level);
    } else if (shelf != SHELF_NONE) {
        list_remove(&band->link);
    }
}

void band_index_warm(struct device *device)
{
    struct heap *heap = &device->index.free;
    struct heap_node *top = heap->top;
    if (top == NULL)
        return;
    heap_remove(heap, top);
    heap_put(heap, top, top->key);
}

void band_index_move(struct device *device, struct band *band)
{
    if (band->shelf == SHELF_LEVEL && band->valid >= band->level_least)
        return;
    if (band->taken || band->aside || mutant("level-not-kept"))
        return;
    band_index_remove(device, band);
    band_index_put(device, band);
}

/* ---- what becomes durable ---- */

static void settle(struct device *device, struct list *list, enum band_shelf shelf,
                   uint64_t durable)
{
    struct list_link *link;
    while ((link = list_first(list)) != NULL && mark_of(band_at(link), shelf) <= durable) {
        band_index_remove(device, band_at(link));
        band_index_put(device, band_at(link)); /* elsewhere now */
    }
}

void band_index_settle(struct device *device)
{
    struct band_index *index = &device->index;
    settle(device, &index->user_volatile, SHELF_USER_VOLATILE, device->user_durable);
    settle(device, &index->relocation_volatile, SHELF_RELOCATION_VOLATILE,
           device->relocation_durable);
}

/* ---- victims ---- */

void band_index_take(struct device *device, struct band *band)
{
    if (mutant("victim-taken-twice"))
        return;
    band_index_remove(device, band);
    band->taken = true;
}

void band_index_give_back(struct device *device, struct band *band, bool aside)
{
    band_index_remove(device, band);
    band->taken = false;
    band->aside = band->aside || (aside && band->state != BAND_EMPTIED);
    band_index_put(device, band);
}

bool band_index_forgive(struct device *device)
{
    struct list_link *link;
    bool any = false;
    while ((link = list_first(&device->index.aside)) != NULL) {
        struct band *band = band_at(link);
        band_index_remove(device, band);
        band->aside = false;
        band_index_put(device, band);
        any = true;
    }
    return any;
}

/* ---- making, checking ---- */

static uint32_t levels_of(const struct geometry *g)
{
    return max_u32(1, min_u32(geometry_data_blocks(g, g->columns), BAND_LEVELS_MAX));
}

uint32_t band_index_slots(const struct geometry *g)
{
    return levels_of(g) * g->columns;
}

void band_index_init(struct device *device)
{
    struct band_index *index = &device->index;
    index->levels = levels_of(&device->geometry);
    index->slots = band_index_slots(&device->geometry);
    heap_init(&index->free);
    list_init(&index->sealed);
    list_init(&index->ready);
    list_init(&index->user_volatile);
    list_init(&index->relocation_volatile);
    list_init(&index->aside);
    for (uint32_t i = 0; i < index->slots; i++)
        heap_init(&index->level[i]);
    for (uint32_t i = 0; i < device->geometry.bands; i++)
        link_init(&device->bands[i].link);
}

static bool list_is_well(const struct list *list, enum band_shelf shelf, uint64_t *count)
{
    uint64_t mark = 0;
    *count = 0;
    for (struct list_link *link = list_first(list); link != NULL; link = list_next(list, link)) {
        const struct band *band = band_at(link);
        bool ordered = shelf == SHELF_USER_VOLATILE || shelf == SHELF_RELOCATION_VOLATILE;
        if (band->shelf != shelf || (ordered && mark_of(band, shelf) < mark))
            return false;
        mark = mark_of(band, shelf);
        ++*count;
    }
    return true;
}

/* Each shelf has as many as think that they are on it. */
static enum hftl_status check_shelves(const struct device *device, const uint64_t *wanted,
                                      struct why *why)
{
    struct band_index *index = &((struct device *)(uintptr_t)device)->index;
    uint64_t found = 0, levels = 0;
    for (enum band_shelf shelf = SHELF_SEALED; shelf <= SHELF_ASIDE; shelf++) {
        const struct list *list = list_of_shelf(index, shelf);
        if (list != NULL && (!list_is_well(list, shelf, &found) || found != wanted[shelf]))
            return why_say(why, HFTL_CORRUPT,
                           "D2: list %d has %llu bands, out of order or not %llu", (int)shelf,
                           (unsigned long long)found, (unsigned long long)wanted[shelf]);
    }
    for (uint32_t i = 0; i < index->slots; i++) {
        if (!heap_is_well(&index->level[i], &found) ||
            bitmap_get(index->occupied, i) != (found > 0))
            return why_say(why, HFTL_CORRUPT, "D3: level %u is not a heap, or not known", i);
        levels += found;
    }
    if (!heap_is_well(&index->free, &found) || found != wanted[SHELF_FREE] ||
        levels != wanted[SHELF_LEVEL])
        return why_say(why, HFTL_CORRUPT, "D1: %llu free bands of %llu, %llu on levels of %llu",
                       (unsigned long long)found, (unsigned long long)wanted[SHELF_FREE],
                       (unsigned long long)levels, (unsigned long long)wanted[SHELF_LEVEL]);
    return HFTL_OK;
}

static bool is_on_its_level(const struct device *device, const struct band *band)
{
    return band->level == level_of(device, band) &&
           level_at(device, band, band->level_least) == band->level &&
           (band->level_least == 0 || level_at(device, band, band->level_least - 1) != band->level);
}

enum hftl_status band_index_check(const struct device *device, struct why *why)
{
    uint64_t wanted[SHELF_ASIDE + 1] = {0};
    uint32_t emptied_sealed = 0;
    for (uint32_t i = 0; i < device->geometry.bands; i++) {
        const struct band *band = &device->bands[i];
        bool level_wrong = band->shelf == SHELF_LEVEL && !is_on_its_level(device, band);
        wanted[band->shelf]++;
        emptied_sealed += band->state == BAND_EMPTIED && band->idents != NULL;
        if (band->shelf != shelf_of(device, band) || level_wrong)
            return why_say(
                why, HFTL_CORRUPT, "D1: band %u, %s with %u valid blocks, is on shelf %d, level %u",
                i, band_state_text(band->state), band->valid, (int)band->shelf, band->level);
        if (band->taken != relocation_has(device, band))
            return why_say(why, HFTL_CORRUPT, "D1: band %u is taken: %d", i, band->taken);
    }
    const struct band_index *index = &device->index;
    if (emptied_sealed != index->emptied_sealed || wanted[SHELF_READY] != index->ready_count ||
        wanted[SHELF_USER_VOLATILE] + wanted[SHELF_RELOCATION_VOLATILE] != index->volatile_count)
        return why_say(why, HFTL_CORRUPT, "D1: emptied bands: %u sealed, %u ready, %u not yet",
                       index->emptied_sealed, index->ready_count, index->volatile_count);
    return check_shelves(device, wanted, why);
}
