/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/tail_cache.h"

#include "base/bytes.h"
#include "base/must.h"
#include "base/mutant.h"
#include "core/engine.h"
#include "format/tail.h"

/* ---- finding ---- */

static uint32_t bucket_of(const struct tail_cache *cache, uint32_t band, uint32_t index)
{
    uint64_t key = ((uint64_t)band << 32 | index) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(key >> 32) & cache->buckets_mask;
}

static uint32_t number_of(const struct tail_cache *cache, const struct tail_entry *entry)
{
    return (uint32_t)(entry - cache->entries);
}

static bool is_for(const struct tail_entry *entry, const struct band *band, uint32_t index)
{
    bool same_life =
        entry->generation == band->generation || mutant("verify-cache-stale-generation"); /* K1 */
    return entry->band == band && entry->index == index && same_life;
}

static struct tail_entry *find(struct tail_cache *cache, const struct band *band, uint32_t index)
{
    uint32_t next = cache->buckets[bucket_of(cache, band->index, index)];
    while (next != 0) {
        struct tail_entry *entry = &cache->entries[next - 1];
        if (is_for(entry, band, index))
            return entry;
        next = entry->next;
    }
    return NULL;
}

static void enter_bucket(struct tail_cache *cache, struct tail_entry *entry)
{
    uint32_t *head = &cache->buckets[bucket_of(cache, entry->band->index, entry->index)];
    entry->next = *head;
    *head = number_of(cache, entry) + 1;
}

static void leave_bucket(struct tail_cache *cache, struct tail_entry *entry)
{
    uint32_t *at = &cache->buckets[bucket_of(cache, entry->band->index, entry->index)];
    while (*at != number_of(cache, entry) + 1) {
        must_show(*at != 0, entry->band->index, entry->index);
        at = &cache->entries[*at - 1].next;
    }
    *at = entry->next;
}

/* ---- loading ---- */

static void land_tail(struct hftl_media_op *op);

static void send_load(struct tail_entry *entry)
{
    struct device *device = entry->device;
    uint32_t tail = geometry_tail(&device->geometry, entry->band->width);
    entry->op = (struct hftl_media_op){.verb = HFTL_MEDIA_READ,
                                       .blocks = 1,
                                       .data = entry->block,
                                       .land = land_tail,
                                       .owner = entry};
    band_locate(device, entry->band, tail + entry->index, &entry->op);
    device_send(device, &entry->op, entry->io);
}

/* NULL: every entry is being loaded. */
static struct tail_entry *load(struct device *device, struct band *band, uint32_t index)
{
    struct tail_cache *cache = &device->tail_cache;
    struct list_link *link = list_pop_front(&cache->idle);
    if (link == NULL)
        return NULL;
    struct tail_entry *entry = list_of(link, struct tail_entry, link);
    if (entry->state == TAIL_HELD) {
        leave_bucket(cache, entry);
        device->stats.verify_evictions++;
    }
    device->stats.verify_misses++;
    entry->state = TAIL_LOADING;
    entry->retried = false;
    entry->band = band;
    entry->generation = band->generation;
    entry->index = index;
    entry->io = (struct io){HFTL_IO_METADATA, trace_id(&device->trace)};
    enter_bucket(cache, entry);
    band_read_begin(band); /* K3 */
    send_load(entry);
    return entry;
}

static enum hftl_status decode(struct device *device, const struct tail_entry *entry)
{
    const struct geometry *g = &device->geometry;
    struct tail_place place = {.band = entry->band->index,
                               .generation = entry->generation,
                               .band_blocks = entry->band->width * g->chunk_blocks,
                               .ws_min = g->ws_min,
                               .index = entry->index};
    struct tail tail;
    if (entry->op.status != HFTL_OK)
        return entry->op.status;
    enum hftl_status status = tail_decode(&device->format, &place, entry->block, &tail);
    /* Who reads a block is not told that there is no device, or another version's. */
    return status == HFTL_FOREIGN || status == HFTL_VERSION ? HFTL_CORRUPT : status;
}

/* What waited goes on. The entry is in no list meanwhile, so that none of them loads another tail
 * over what the next one waits for. */
static void feed(struct device *device, struct list *waiting, enum hftl_status status)
{
    struct list_link *link;
    while ((link = list_pop_front(waiting)) != NULL)
        read_go_on(device, list_of(link, struct read_part, link), status);
}

static void feed_hungry(struct device *device)
{
    struct tail_cache *cache = &device->tail_cache;
    while (!list_is_empty(&cache->idle) && !list_is_empty(&cache->hungry)) {
        struct list_link *link = list_pop_front(&cache->hungry);
        read_go_on(device, list_of(link, struct read_part, link), HFTL_OK);
    }
}

static void land_tail(struct hftl_media_op *op)
{
    struct tail_entry *entry = list_of(op, struct tail_entry, op);
    struct device *device = entry->device;
    struct tail_cache *cache = &device->tail_cache;
    if (device_land(device, op, entry->io, NULL))
        return;
    enum hftl_status status = decode(device, entry);
    if (status != HFTL_OK && !entry->retried) {
        entry->retried = true; /* as with data: once */
        send_load(entry);
        return;
    }
    if (status == HFTL_OK) {
        entry->state = TAIL_HELD;
    } else {
        device_log(device, HFTL_LOG_ERROR,
                   "tail block %u of band %u cannot be read: %s: what lies there is not verified",
                   entry->index, entry->band->index, hftl_status_text(status));
        leave_bucket(cache, entry);
        entry->state = TAIL_EMPTY;
    }
    feed(device, &entry->waiting, status);
    if (entry->state == TAIL_HELD)
        list_push_back(&cache->idle, &entry->link);
    else
        list_push_front(&cache->idle, &entry->link);
    band_read_end(device, entry->band);
    feed_hungry(device);
}

/* ---- for readers ---- */

void tail_cache_expect(struct device *device, struct band *band, uint32_t position, uint32_t blocks)
{
    uint32_t max = device->geometry.tail_max;
    for (uint32_t index = position / max; index <= (position + blocks - 1) / max; index++) {
        if (find(&device->tail_cache, band, index) != NULL)
            device->stats.verify_hits++;
        else if (list_is_empty(&device->tail_cache.hungry)) /* K4: they come first */
            (void)load(device, band, index);
    }
}

const uint8_t *tail_cache_ident(struct device *device, struct band *band, uint32_t position,
                                struct read_part *part)
{
    struct tail_cache *cache = &device->tail_cache;
    uint32_t max = device->geometry.tail_max;
    struct tail_entry *entry = find(cache, band, position / max);
    if (entry == NULL)
        entry = load(device, band, position / max);
    if (entry == NULL) {
        list_push_back(&cache->hungry, &part->link);
        return NULL;
    }
    if (entry->state == TAIL_LOADING) {
        list_push_back(&entry->waiting, &part->link);
        return NULL;
    }
    if (link_is_linked(&entry->link)) { /* not while those who waited for it are fed */
        list_remove(&entry->link);
        list_push_back(&cache->idle, &entry->link);
    }
    return tail_ident_slot(entry->block, position % max);
}

/* ---- making, checking ---- */

uint32_t tail_cache_entries(const struct geometry *g, uint64_t bytes)
{
    uint64_t each = g->block_bytes + sizeof(struct tail_entry) + 2 * sizeof(uint32_t);
    uint64_t tails =
        (uint64_t)g->bands * ((geometry_tail(g, g->columns) + g->tail_max - 1) / g->tail_max);
    uint64_t entries = (bytes == 0 ? TAIL_CACHE_BYTES_DEFAULT : bytes) / each;
    return (uint32_t)max_u64(1, min_u64(min_u64(entries, tails), UINT32_MAX / 4));
}

uint32_t tail_cache_buckets(uint32_t entries)
{
    uint32_t buckets = 1;
    while (buckets < entries)
        buckets *= 2;
    return buckets;
}

void tail_cache_init(struct device *device)
{
    struct tail_cache *cache = &device->tail_cache;
    list_init(&cache->idle);
    list_init(&cache->hungry);
    for (uint32_t i = 0; i < cache->count; i++) {
        struct tail_entry *entry = &cache->entries[i];
        link_init(&entry->link);
        list_init(&entry->waiting);
        entry->device = device;
        list_push_back(&cache->idle, &entry->link);
    }
}

enum hftl_status tail_cache_check(const struct device *device, struct why *why)
{
    const struct tail_cache *cache = &device->tail_cache;
    uint32_t linked = 0, in_buckets = 0;
    for (uint32_t i = 0; i < cache->count; i++) {
        const struct tail_entry *entry = &cache->entries[i];
        bool loading = entry->state == TAIL_LOADING;
        linked += entry->state != TAIL_EMPTY;
        if (link_is_linked(&entry->link) == loading ||
            (!loading && !list_is_empty(&entry->waiting)))
            return why_say(why, HFTL_CORRUPT, "K2: tail entry %u is in state %d, idle %d", i,
                           (int)entry->state, link_is_linked(&entry->link));
        if (loading && (entry->band->readers == 0 || entry->band->generation != entry->generation))
            return why_say(why, HFTL_CORRUPT,
                           "K3: tail entry %u loads from band %u with %u readers", i,
                           entry->band->index, entry->band->readers);
    }
    for (uint32_t i = 0; cache->count > 0 && i <= cache->buckets_mask; i++)
        for (uint32_t next = cache->buckets[i]; next != 0; next = cache->entries[next - 1].next)
            in_buckets++;
    if (linked != in_buckets)
        return why_say(why, HFTL_CORRUPT, "K1: %u tail entries, %u in buckets", linked, in_buckets);
    if (!list_is_empty(&cache->hungry) && !list_is_empty(&cache->idle))
        return why_say(why, HFTL_CORRUPT, "K4: reads wait for a tail entry while one is idle");
    return HFTL_OK;
}
