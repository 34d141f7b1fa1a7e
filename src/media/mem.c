/* SPDX-License-Identifier: BSD-3-Clause */
#include "media/mem.h"

#include <stdlib.h>
#include <string.h>

#include "base/bitmap.h"
#include "base/fetch.h"
#include "base/must.h"
#include "base/prng.h"
#include "media/ledger.h"
#include "media/say.h"

enum { SPARES_MAX = 32, LINE_BYTES = 64, SECTOR_BYTES = 512 };

struct mem_store {
    struct hftl_media_facts facts;
    struct ledger ledger;
    uint8_t **bytes;             /* per chunk: data, then OOB; NULL until written */
    uint32_t *durable_wp;        /* per chunk: what a cut leaves at least */
    uint64_t *written;           /* bitmap of chunks: any whose durable_wp is behind, others too */
    uint8_t *spares[SPARES_MAX]; /* of chunks that were reset */
    unsigned spare_count;
    bool attached;
};

struct mem {
    struct hftl_media media;
    struct mem_store *store;
    bool owns_store;
    struct hftl_media_op *first; /* done, not landed */
    struct hftl_media_op **last;
};

struct hftl_media_facts mem_facts(enum hftl_media_kind kind)
{
    struct hftl_media_facts facts = {
        .size = sizeof facts,
        .kind = kind,
        .flags = HFTL_MEDIA_NEEDS_ERASE,
        .block_bytes = 4096,
        .oob_bytes = 64,
        .groups = 1,
        .pus_per_group = 2,
        .chunks_per_pu = 32,
        .chunk_blocks = 64,
        .ws_min = 4,
        .ws_opt = 8,
        .mw_cunits = 16,
        .transfer_blocks_max = 256,
        .volatile_cache = true,
    };
    if (kind == HFTL_KIND_ZONED) {
        facts.flags |= HFTL_MEDIA_CAN_RESET_OPEN | HFTL_MEDIA_CAN_FINISH;
        facts.oob_bytes = 0;
        facts.pus_per_group = 1;
        facts.chunks_per_pu = 64;
        facts.ws_min = 1;
        facts.ws_opt = 4;
        facts.mw_cunits = 0;
        facts.open_max = 14;
        facts.active_max = 14;
    }
    return facts;
}

static size_t count_data_bytes(const struct mem_store *store)
{
    return (size_t)store->facts.chunk_blocks * store->facts.block_bytes;
}

enum hftl_status mem_store_create(const struct mem_options *options, struct mem_store **store,
                                  char *why, size_t why_bytes)
{
    const struct say to = {why, why_bytes};
    if (options->size != sizeof *options)
        return say(&to, HFTL_INVALID, "the options come from another version");
    const char *nonsense = hftl_media_facts_nonsense(&options->facts);
    if (nonsense)
        return say(&to, HFTL_GEOMETRY, "a medium in memory: %s", nonsense);

    struct mem_store *made = calloc(1, sizeof *made);
    if (!made)
        return say(&to, HFTL_MEMORY, "no memory for a medium");
    made->facts = options->facts;
    if (ledger_create(&made->ledger, &made->facts) != HFTL_OK)
        goto no_memory;
    made->bytes = calloc(made->ledger.chunk_count, sizeof *made->bytes);
    made->durable_wp = calloc(made->ledger.chunk_count, sizeof *made->durable_wp);
    made->written = calloc(bitmap_words(made->ledger.chunk_count), sizeof *made->written);
    if (!made->bytes || !made->durable_wp || !made->written)
        goto no_memory;
    *store = made;
    return HFTL_OK;

no_memory:
    mem_store_destroy(made);
    return say(&to, HFTL_MEMORY, "no memory for the chunk table of a medium");
}

void mem_store_destroy(struct mem_store *store)
{
    if (!store)
        return;
    must(!store->attached);
    for (uint32_t i = 0; store->bytes && i < store->ledger.chunk_count; i++)
        free(store->bytes[i]);
    while (store->spare_count > 0)
        free(store->spares[--store->spare_count]);
    free(store->bytes);
    free(store->durable_wp);
    free(store->written);
    ledger_destroy(&store->ledger);
    free(store);
}

uint8_t *mem_block(struct mem_store *store, uint32_t chunk, uint32_t offset)
{
    uint8_t *bytes = store->bytes[chunk];
    return bytes ? bytes + (size_t)offset * store->facts.block_bytes : NULL;
}

uint8_t *mem_block_oob(struct mem_store *store, uint32_t chunk, uint32_t offset)
{
    uint8_t *bytes = store->bytes[chunk];
    if (!bytes || store->facts.oob_bytes == 0)
        return NULL;
    return bytes + count_data_bytes(store) + (size_t)offset * store->facts.oob_bytes;
}

static uint8_t *take_bytes(struct mem_store *store)
{
    if (store->spare_count > 0)
        return store->spares[--store->spare_count];
    size_t oob = (size_t)store->facts.chunk_blocks * store->facts.oob_bytes;
    return calloc(1, count_data_bytes(store) + oob);
}

static void give_bytes(struct mem_store *store, uint8_t *bytes)
{
    if (bytes && store->spare_count < SPARES_MAX)
        store->spares[store->spare_count++] = bytes;
    else
        free(bytes);
}

static enum hftl_status write_blocks(struct mem_store *store, struct hftl_media_op *op)
{
    const struct hftl_media_facts *facts = &store->facts;
    if (!store->bytes[op->chunk])
        store->bytes[op->chunk] = take_bytes(store);
    if (!store->bytes[op->chunk]) {
        ledger_fail_write(&store->ledger, op->chunk);
        return HFTL_MEMORY;
    }
    uint32_t at = store->ledger.chunks[op->chunk].wp;
    if (op->verb == HFTL_MEDIA_APPEND)
        op->offset = at;
    memcpy(mem_block(store, op->chunk, at), op->data, (size_t)op->blocks * facts->block_bytes);
    if (facts->oob_bytes != 0 && op->oob)
        memcpy(mem_block_oob(store, op->chunk, at), op->oob, (size_t)op->blocks * facts->oob_bytes);
    else if (facts->oob_bytes != 0)
        memset(mem_block_oob(store, op->chunk, at), 0, (size_t)op->blocks * facts->oob_bytes);
    ledger_write(&store->ledger, op->chunk, op->blocks);
    if (facts->volatile_cache)
        bitmap_set(store->written, op->chunk);
    else
        store->durable_wp[op->chunk] = store->ledger.chunks[op->chunk].wp;
    return HFTL_OK;
}

/*
 * The next block that is read is fetched while this one is copied: blocks lie anywhere, so nothing
 * else tells the processor of it. Of two or more reads in one submission; one by itself waits.
 */
static void fetch_block(const uint8_t *block, uint32_t bytes)
{
    for (const uint8_t *end = block + bytes; block < end; block += SECTOR_BYTES)
        for (uint32_t line = 0; line < SECTOR_BYTES; line += LINE_BYTES)
            fetch_to_read(block + line);
}

/* What an operation that nobody has judged yet reads first, if it is one. */
static void fetch_first(struct mem_store *store, const struct hftl_media_op *op)
{
    if (op->verb != HFTL_MEDIA_READ || op->chunk >= store->ledger.chunk_count ||
        op->offset >= store->facts.chunk_blocks || !store->bytes[op->chunk])
        return;
    fetch_block(mem_block(store, op->chunk, op->offset), store->facts.block_bytes);
    if (store->facts.oob_bytes != 0)
        fetch_to_read(mem_block_oob(store, op->chunk, op->offset));
}

/* `next`: the operation after this one, or NULL. */
static enum hftl_status read_blocks(struct mem_store *store, struct hftl_media_op *op,
                                    const struct hftl_media_op *next)
{
    const struct hftl_media_facts *facts = &store->facts;
    const uint8_t *from = mem_block(store, op->chunk, op->offset);
    uint8_t *to = op->data;
    for (uint32_t left = op->blocks; left > 0; left--) {
        if (left > 1)
            fetch_block(from + facts->block_bytes, facts->block_bytes);
        else if (next)
            fetch_first(store, next);
        memcpy(to, from, facts->block_bytes);
        from += facts->block_bytes;
        to += facts->block_bytes;
    }
    if (facts->oob_bytes != 0 && op->oob)
        memcpy(op->oob, mem_block_oob(store, op->chunk, op->offset),
               (size_t)op->blocks * facts->oob_bytes);
    return HFTL_OK;
}

static enum hftl_status reset_chunk(struct mem_store *store, uint32_t chunk)
{
    struct hftl_chunk *c = &store->ledger.chunks[chunk];
    give_bytes(store, store->bytes[chunk]);
    store->bytes[chunk] = NULL;
    store->durable_wp[chunk] = 0;
    if (store->facts.reset_limit != 0 && c->wear >= store->facts.reset_limit) {
        ledger_retire(&store->ledger, chunk, HFTL_CHUNK_OFFLINE); /* worn out */
        return HFTL_IO;
    }
    ledger_reset(&store->ledger, chunk);
    return HFTL_OK;
}

/* Those that were written since the last flush: asking all would be most of what a flush costs. */
static void flush_chunks(struct mem_store *store)
{
    uint64_t count = store->ledger.chunk_count, i = 0;
    for (; (i = bitmap_find_set(store->written, count, i)) < count; i++) {
        store->durable_wp[i] = store->ledger.chunks[i].wp;
        bitmap_clear(store->written, i);
    }
}

static enum hftl_status act(struct mem_store *store, struct hftl_media_op *op,
                            const struct hftl_media_op *next)
{
    switch (op->verb) {
    case HFTL_MEDIA_WRITE:
    case HFTL_MEDIA_APPEND:
        return write_blocks(store, op);
    case HFTL_MEDIA_READ:
        return read_blocks(store, op, next);
    case HFTL_MEDIA_RESET:
        return reset_chunk(store, op->chunk);
    case HFTL_MEDIA_FINISH: /* durable when it lands (M5), and with it what was written before */
        ledger_finish(&store->ledger, op->chunk);
        store->durable_wp[op->chunk] = store->ledger.chunks[op->chunk].wp;
        return HFTL_OK;
    case HFTL_MEDIA_FLUSH:
        flush_chunks(store);
        return HFTL_OK;
    case HFTL_MEDIA_EVENT:
        return HFTL_AGAIN;
    case HFTL_MEDIA_REPORT: /* made when it lands, so that it is fresh */
    case HFTL_MEDIA_VERB_COUNT:
        break;
    }
    return HFTL_OK;
}

static void submit_ops(struct hftl_media *media, struct hftl_media_op **ops, unsigned count)
{
    struct mem *mem = (struct mem *)media;
    struct ledger *ledger = &mem->store->ledger;
    for (unsigned i = 0; i < count; i++) {
        struct hftl_media_op *op = ops[i];
        op->status = ledger_judge(ledger, op);
        ledger_depart(ledger, op);
        if (op->status == HFTL_OK)
            op->status = act(mem->store, op, i + 1 < count ? ops[i + 1] : NULL);
        op->link = NULL;
        *mem->last = op;
        mem->last = &op->link;
    }
}

static unsigned reap_ops(struct hftl_media *media, unsigned max)
{
    struct mem *mem = (struct mem *)media;
    unsigned landed = 0;
    while (landed < max && mem->first) {
        struct hftl_media_op *op = mem->first;
        mem->first = op->link;
        if (!mem->first)
            mem->last = &mem->first;
        ledger_arrive(&mem->store->ledger, op);
        if (op->verb == HFTL_MEDIA_REPORT && op->status == HFTL_OK)
            memcpy(op->out.report, &mem->store->ledger.chunks[op->chunk],
                   op->blocks * sizeof *op->out.report);
        landed++;
        op->land(op); /* may submit again, or free the op */
    }
    return landed;
}

static int find_fd(struct hftl_media *media)
{
    (void)media;
    return -1;
}

void mem_abandon(struct hftl_media *media)
{
    struct mem *mem = (struct mem *)media;
    struct mem_store *store = mem->store;
    memset(store->ledger.flights, 0, store->ledger.chunk_count * sizeof *store->ledger.flights);
    store->attached = false;
    if (mem->owns_store)
        mem_store_destroy(store);
    free(mem);
}

static void close_media(struct hftl_media *media)
{
    must(((struct mem *)media)->first == NULL);
    mem_abandon(media);
}

static const struct hftl_media_ops mem_ops = {
    .name = "mem",
    .submit = submit_ops,
    .reap = reap_ops,
    .fd = find_fd,
    .close = close_media,
};

enum hftl_status mem_attach(struct mem_store *store, struct hftl_media **media)
{
    if (store->attached)
        return HFTL_BUSY;
    struct mem *mem = calloc(1, sizeof *mem);
    if (!mem)
        return HFTL_MEMORY;
    for (uint32_t i = 0; i < store->ledger.chunk_count; i++)
        rules_apply_power_up(&store->facts, &store->ledger.chunks[i]);
    must(ledger_recount(&store->ledger));
    mem->media.ops = &mem_ops;
    mem->media.facts = store->facts;
    mem->store = store;
    mem->last = &mem->first;
    store->attached = true;
    *media = &mem->media;
    return HFTL_OK;
}

enum hftl_status mem_open(const struct mem_options *options, struct hftl_media **media, char *why,
                          size_t why_bytes)
{
    struct mem_store *store = NULL;
    enum hftl_status status = mem_store_create(options, &store, why, why_bytes);
    if (status != HFTL_OK)
        return status;
    status = mem_attach(store, media);
    if (status != HFTL_OK) {
        mem_store_destroy(store);
        return status;
    }
    ((struct mem *)*media)->owns_store = true;
    return HFTL_OK;
}

/* What is left of a chunk that lost its end. One that was FULL stays FULL, at its shorter length,
 * where the drive has no slot for one more that is partly written. */
static void shorten(struct mem_store *store, uint32_t chunk, uint32_t wp)
{
    struct hftl_chunk *c = &store->ledger.chunks[chunk];
    uint32_t most = store->facts.active_max ? store->facts.active_max : store->facts.open_max;
    bool room = most == 0 || store->ledger.active_count < most;
    if (c->state == HFTL_CHUNK_FULL && wp < c->capacity && room) {
        c->state = HFTL_CHUNK_OPEN;
        store->ledger.active_count++;
    }
    c->wp = wp;
    store->durable_wp[chunk] = wp;
    if (wp == 0 && c->state != HFTL_CHUNK_FULL)
        c->state = HFTL_CHUNK_FREE;
}

void mem_cut(struct mem_store *store, uint64_t seed)
{
    must(!store->attached);
    struct prng prng;
    prng_seed(&prng, seed);
    for (uint32_t i = 0; i < store->ledger.chunk_count; i++) {
        uint32_t durable = store->durable_wp[i];
        uint32_t units = (store->ledger.chunks[i].wp - durable) / store->facts.ws_min;
        if (units == 0)
            continue;
        uint32_t kept = (uint32_t)prng_below(&prng, (uint64_t)units + 1);
        if (kept < units)
            shorten(store, i, durable + kept * store->facts.ws_min);
        store->durable_wp[i] = store->ledger.chunks[i].wp;
    }
}

void mem_retire(struct mem_store *store, uint32_t chunk, enum hftl_chunk_state state)
{
    ledger_retire(&store->ledger, chunk, state);
    store->durable_wp[chunk] = store->ledger.chunks[chunk].wp;
}

void mem_shorten(struct mem_store *store, uint32_t chunk, uint32_t capacity)
{
    struct hftl_chunk *c = &store->ledger.chunks[chunk];
    must(!store->attached);
    must_show(c->state == HFTL_CHUNK_FREE && capacity <= c->capacity, chunk, capacity);
    c->capacity = capacity;
}

struct mem_store *mem_store_of(struct hftl_media *media)
{
    return ((struct mem *)media)->store;
}
