/* SPDX-License-Identifier: BSD-3-Clause */
#include "lifecycle/build.h"

#include "base/bitmap.h"
#include "base/bytes.h"

#include <string.h>

void *build_alloc(struct device *device, size_t bytes)
{
    size_t whole = sizeof(struct allocation) + bytes;
    struct allocation *allocation = device->world.alloc(device->world.arg, whole);
    if (allocation == NULL)
        return NULL;
    allocation->bytes = whole;
    allocation->next = device->allocations;
    device->allocations = allocation;
    device->memory_bytes += whole;
    return allocation->memory;
}

void build_free(struct device *device, void *memory)
{
    struct allocation **at = &device->allocations;
    if (memory == NULL)
        return;
    while ((*at)->memory != memory)
        at = &(*at)->next;
    struct allocation *found = *at;
    *at = found->next;
    device->memory_bytes -= found->bytes;
    device->world.release(device->world.arg, found, found->bytes);
}

void device_discard(struct device *device)
{
    struct world world = device->world;
    while (device->allocations != NULL) {
        struct allocation *allocation = device->allocations;
        device->allocations = allocation->next;
        world.release(world.arg, allocation, allocation->bytes);
    }
    world.release(world.arg, device, sizeof(*device));
}

struct device *build_bare(struct hftl_media *medium, const struct world *world)
{
    struct device *device = world->alloc(world->arg, sizeof(*device));
    if (device == NULL)
        return NULL;
    device->world = *world;
    device->medium = medium;
    device->memory_bytes = sizeof(*device);
    device->witness = witness_none();
    list_init(&device->writes);
    list_init(&device->reads);
    sender_init(&device->nobody);
    list_init(&device->completed);
    list_init(&device->parts_free);
    list_init(&device->ready);
    list_init(&device->band_waiters);
    device->again_end = &device->again;
    flush_init(device);
    flush_bands_init(device);
    super_init(device);
    return device;
}

size_t build_super_room(const struct geometry *g)
{
    return (size_t)g->chunk_blocks * g->block_bytes;
}

enum hftl_status build_super(struct device *device, const struct layout *layout,
                             const uint8_t id[16])
{
    device->layout = *layout;
    geometry_init(&device->geometry, layout);
    memcpy(device->format.id, id, sizeof(device->format.id));
    device->format.salt = layout->salt;
    device->format.block_bytes = layout->block_bytes;
    struct super *super = &device->super;
    super->copies[0].chunk = layout->superblock_chunk[0];
    super->copies[1].chunk = layout->superblock_chunk[1];
    super->record.witness = witness_none();
    for (unsigned i = 0; i < FORMAT_STREAMS; i++)
        super->record.open[i] = (struct band_mark){.band = FORMAT_BAND_NONE};
    super->bytes_room = build_super_room(&device->geometry);
    super->bytes = build_alloc(device, super->bytes_room);
    return super->bytes == NULL ? HFTL_MEMORY : HFTL_OK;
}

/* The map and what goes with it: users choose which of it is looked at. */
static void *build_spread(struct device *device, size_t bytes)
{
    void *memory = build_alloc(device, bytes);
    if (memory != NULL && device->world.spread != NULL)
        device->world.spread(device->world.arg, memory, bytes);
    return memory;
}

static bool build_table(struct device *device, struct map_table *table, uint64_t entries, bool wide)
{
    size_t bytes = (size_t)entries * (wide ? sizeof(uint64_t) : sizeof(uint32_t));
    void *memory = build_spread(device, bytes);
    if (memory == NULL)
        return false;
    *table = wide ? (struct map_table){.wide = memory} : (struct map_table){.narrow = memory};
    return true;
}

static void clear_table(const struct map_table *table, uint64_t entries)
{
    void *memory = table->wide != NULL ? (void *)table->wide : (void *)table->narrow;
    size_t each = table->wide != NULL ? sizeof(uint64_t) : sizeof(uint32_t);
    memset(memory, 0xff, (size_t)entries * each); /* MAP_NONE, in either width */
}

void build_clear_map(struct device *device)
{
    clear_table(&device->map.pba, device->geometry.blocks);
}

static bool build_map(struct device *device, enum hftl_verify verify, bool wide)
{
    struct map *map = &device->map;
    const struct geometry *g = &device->geometry;
    size_t words = bitmap_words(g->ranges) * sizeof(uint64_t);
    map->written = build_alloc(device, (size_t)g->ranges * sizeof(uint64_t));
    map->dirty = build_alloc(device, words);
    map->held = build_alloc(device, words);
    device->flush.snapshot = build_alloc(device, words);
    bool keep = !g->oob && verify == HFTL_VERIFY_ALWAYS;
    if (keep)
        map->crc = build_spread(device, (size_t)g->blocks * sizeof(uint32_t));
    if (map->written == NULL || map->dirty == NULL || map->held == NULL ||
        device->flush.snapshot == NULL || (keep && map->crc == NULL) ||
        !build_table(device, &map->pba, g->blocks, wide) ||
        !build_table(device, &map->page_pba, g->ranges, wide))
        return false;
    clear_table(&map->page_pba, g->ranges);
    return true;
}

static bool build_bands(struct device *device)
{
    const struct geometry *g = &device->geometry;
    device->bands = build_alloc(device, g->bands * sizeof(struct band));
    uint32_t *chunks = build_alloc(device, (size_t)g->bands * g->columns * sizeof(uint32_t));
    uint16_t *columns = build_alloc(device, (size_t)g->bands * g->columns * sizeof(uint16_t));
    uint32_t slots = band_index_slots(g);
    device->index.level = build_alloc(device, slots * sizeof(struct heap));
    device->index.occupied = build_alloc(device, bitmap_words(slots) * sizeof(uint64_t));
    if (device->bands == NULL || chunks == NULL || columns == NULL || device->index.level == NULL ||
        device->index.occupied == NULL)
        return false;
    for (uint32_t i = 0; i < g->bands; i++) {
        device->bands[i].index = i;
        device->bands[i].chunks = chunks + (size_t)i * g->columns;
        device->bands[i].columns = columns + (size_t)i * g->columns;
    }
    band_index_init(device);
    return true;
}

static bool build_pen(struct device *device, struct pen *pen)
{
    const struct geometry *g = &device->geometry;
    pen->units = build_alloc(device, (size_t)geometry_units(g, g->columns) * sizeof(struct unit *));
    pen->column_wp = build_alloc(device, g->columns * sizeof(uint32_t));
    pen->column_busy = build_alloc(device, g->columns * sizeof(struct unit *));
    pen->column_oldest = build_alloc(device, g->columns * sizeof(uint32_t));
    pen->idents = build_alloc(device, (size_t)g->stride * FORMAT_IDENT_BYTES);
    return pen->units != NULL && pen->column_wp != NULL && pen->column_busy != NULL &&
           pen->column_oldest != NULL && pen->idents != NULL;
}

static bool build_stream(struct device *device, enum band_stream kind, uint32_t units)
{
    struct stream *stream = &device->streams[kind];
    const struct geometry *g = &device->geometry;
    size_t unit_data = (size_t)g->ws_opt * g->block_bytes;
    size_t unit_oob = (size_t)g->ws_opt * g->oob_bytes;
    stream->unit_count = units;
    stream->unit_memory = build_alloc(device, units * sizeof(struct unit));
    uint8_t *data = build_alloc(device, units * unit_data);
    uint8_t *oob = unit_oob == 0 ? NULL : build_alloc(device, units * unit_oob);
    uint8_t *kinds = build_alloc(device, (size_t)units * g->ws_opt);
    if (stream->unit_memory == NULL || data == NULL || kinds == NULL ||
        (unit_oob != 0 && oob == NULL) || !build_pen(device, &stream->pens[0]))
        return false;
    stream->pens[1] = stream->pens[0]; /* without overlap only one of them has a band */
    if (device->overlap > 0 && !build_pen(device, &stream->pens[1]))
        return false;
    for (uint32_t i = 0; i < units; i++) {
        stream->unit_memory[i].data = data + i * unit_data;
        stream->unit_memory[i].kinds = kinds + (size_t)i * g->ws_opt;
        stream->unit_memory[i].oob = oob == NULL ? NULL : oob + i * unit_oob;
    }
    stream_init(stream, device, kind);
    return true;
}

static bool build_batch(struct device *device, struct batch *batch)
{
    const struct geometry *g = &device->geometry;
    uint32_t blocks = device->relocation.batch, room = device->relocation.room;
    batch->moving = build_alloc(device, blocks * sizeof(struct moving));
    batch->ops = build_alloc(device, blocks * sizeof(struct errand_op));
    batch->data = build_alloc(device, (size_t)room * g->block_bytes);
    batch->oob = g->oob_bytes == 0 ? NULL : build_alloc(device, (size_t)room * g->oob_bytes);
    return batch->moving != NULL && batch->ops != NULL && batch->data != NULL &&
           (g->oob_bytes == 0 || batch->oob != NULL);
}

static bool build_mover(struct device *device, struct mover *mover)
{
    mover->tail_block = build_alloc(device, device->geometry.block_bytes);
    mover->next_tail = build_alloc(device, device->geometry.block_bytes);
    return mover->tail_block != NULL && mover->next_tail != NULL &&
           build_batch(device, &mover->batches[0]) && build_batch(device, &mover->batches[1]);
}

static bool build_movers(struct device *device, const struct device_options *options)
{
    struct relocation *relocation = &device->relocation;
    relocation->depth = options->relocation_victims == 0
                            ? RELOCATION_VICTIMS_DEFAULT
                            : min_u32(options->relocation_victims, HFTL_RELOCATION_VICTIMS_MAX);
    relocation->batch = options->relocation_blocks == 0
                            ? RELOCATION_BLOCKS_DEFAULT
                            : min_u32(options->relocation_blocks, HFTL_RELOCATION_BLOCKS_MAX);
    relocation->room = relocation->batch;
    if (device->medium->facts.read_gap_blocks > 0)
        relocation->room *= 2;
    for (uint32_t i = 0; i < relocation->depth; i++)
        if (!build_mover(device, &relocation->movers[i]))
            return false;
    relocation_init(device);
    return true;
}

/* Without OOB; with it each read brings its identities along. */
static bool build_tail_cache(struct device *device, const struct device_options *options)
{
    const struct geometry *g = &device->geometry;
    struct tail_cache *cache = &device->tail_cache;
    uint32_t count = 0;
    if (!g->oob && options->verify == HFTL_VERIFY_CACHED)
        count = tail_cache_entries(g, options->verify_cache_bytes);
    uint32_t buckets = tail_cache_buckets(count);
    if (count > 0) {
        cache->entries = build_alloc(device, (size_t)count * sizeof(struct tail_entry));
        cache->buckets = build_alloc(device, (size_t)buckets * sizeof(uint32_t));
        uint8_t *blocks = build_alloc(device, (size_t)count * g->block_bytes);
        if (cache->entries == NULL || cache->buckets == NULL || blocks == NULL)
            return false;
        for (uint32_t i = 0; i < count; i++)
            cache->entries[i].block = blocks + (size_t)i * g->block_bytes;
    }
    cache->count = count;
    cache->buckets_mask = buckets - 1;
    tail_cache_init(device);
    return true;
}

static bool build_bridges(struct device *device)
{
    const struct geometry *g = &device->geometry;
    size_t bytes = (size_t)BRIDGE_BLOCKS * g->block_bytes;
    list_init(&device->bridges_free);
    if (g->oob)
        return true;
    device->bridges = build_alloc(device, BRIDGES_MAX * sizeof(struct bridge));
    uint8_t *data = build_alloc(device, BRIDGES_MAX * bytes);
    if (device->bridges == NULL || data == NULL)
        return false;
    for (uint32_t i = 0; i < BRIDGES_MAX; i++) {
        device->bridges[i].data = data + i * bytes;
        link_init(&device->bridges[i].link);
        list_push_back(&device->bridges_free, &device->bridges[i].link);
    }
    return true;
}

static bool build_errands(struct device *device)
{
    const struct geometry *g = &device->geometry;
    device->erase.ops = build_alloc(device, g->columns * sizeof(struct errand_op));
    device->erase.reports = build_alloc(device, g->columns * sizeof(struct hftl_chunk));
    device->parts = build_alloc(device, READS_MAX * sizeof(struct read_part));
    uint8_t *oob =
        g->oob ? build_alloc(device, (size_t)READS_MAX * READ_RUN_MAX * g->oob_bytes) : NULL;
    if (device->erase.ops == NULL || device->erase.reports == NULL || device->parts == NULL ||
        (g->oob && oob == NULL))
        return false;
    for (uint32_t i = 0; i < READS_MAX; i++) {
        struct read_part *part = &device->parts[i];
        part->device = device;
        part->oob = oob == NULL ? NULL : oob + (size_t)i * READ_RUN_MAX * g->oob_bytes;
        link_init(&part->link);
        list_push_back(&device->parts_free, &part->link);
    }
    erase_init(device);
    return true;
}

static bool build_trace(struct device *device, const struct device_options *options)
{
    struct recorder_slot *slots = NULL;
    uint64_t capacity = 1;
    while (capacity < options->trace_records)
        capacity *= 2;
    if (options->trace_records > 0) {
        slots = build_alloc(device, (size_t)capacity * sizeof(struct recorder_slot));
        if (slots == NULL)
            return false;
    }
    recorder_init(&device->trace.recorder, slots, slots == NULL ? 0 : capacity);
    recorder_want(&device->trace.recorder, options->trace_mask);
    return true;
}

/*
 * Units beyond those that the geometry needs. A buffer of more than a band takes a band's worth of
 * writes at the speed of memory and then makes the next writer wait for all of it, as the third
 * band is not opened before the first is closed; so unless somebody asks for it, it is a quarter.
 */
static uint64_t extra_units(const struct geometry *g, const struct device_options *options)
{
    uint64_t unit_bytes = (uint64_t)g->ws_opt * g->block_bytes;
    if (options->write_buffer_bytes != 0)
        return options->write_buffer_bytes / unit_bytes;
    return min_u64((4u << 20) / unit_bytes, geometry_units(g, g->columns) / 4);
}

enum hftl_status build_rest(struct device *device, const struct device_options *options)
{
    const struct geometry *g = &device->geometry;
    device->overlap = geometry_overlap(&device->layout, &device->medium->facts);
    if (device->overlap < STREAMS)
        device_log(device, HFTL_LOG_INFO,
                   "the drive allows %u open chunks: %u of %u streams may write on while a band of "
                   "theirs is closed",
                   geometry_open_limit(&device->layout, &device->medium->facts), device->overlap,
                   STREAMS);
    uint32_t pens = device->overlap > 0 ? 2 : 1; /* that have a band at once */
    uint32_t least = pens * stream_units_least(g);
    uint32_t most = pens * geometry_units(g, g->columns);
    uint32_t user = (uint32_t)min_u64(least + extra_units(g, options), max_u32(most, least));
    device->complete = options->complete;
    device->complete_arg = options->complete_arg;
    device->verify = options->verify;
    device->read_only = options->read_only;
    device->opened_read_only = options->read_only;
    if (!build_trace(device, options) || !build_bands(device) ||
        !build_map(device, options->verify, options->wide_map || map_is_wide(&device->geometry)) ||
        !build_stream(device, STREAM_USER, user) ||
        !build_stream(device, STREAM_RELOCATION, least) || !build_errands(device) ||
        !build_movers(device, options) || !build_tail_cache(device, options) ||
        !build_bridges(device))
        return HFTL_MEMORY;
    limits_init(device);
    pace_init(device);
    return HFTL_OK;
}
