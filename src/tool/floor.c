/* SPDX-License-Identifier: BSD-3-Clause */
/* floor.c - see floor.h. */
#include "tool/floor.h"

#include <stdlib.h>
#include <string.h>

#include "base/crc.h"
#include "base/must.h"
#include "base/prng.h"
#include "media/mem.h"

#define BLOCK HFTL_BLOCK_BYTES
#define REQUESTS 32u                     /* blocks of users' memory */
#define BUFFER_BYTES (UINT64_C(4) << 20) /* of write units, as a device has */
#define DRAWS 65536u
#define LANES_MAX 4u /* chunks that are written beside each other */

/* A chunk that is being written. */
struct lane {
    uint32_t chunk, wp;
};

struct floor {
    struct hftl_media *media;
    struct hftl_media_op op;
    uint32_t chunks, chunk_blocks, unit_blocks, units;
    uint8_t *requests, *buffer, *oob; /* the buffer has `units` write units */
    uint32_t *order;                  /* all chunks, shuffled: in which they are written */
    uint32_t taken;                   /* chunks taken from the order, again and again */
    bool written;                     /* all of the order once */
    struct lane lanes[LANES_MAX];
    uint32_t lane_count;
    uint8_t *unit;      /* being filled */
    uint32_t unit_fill; /* blocks in it */
    uint32_t draws[DRAWS];
    uint32_t draw;
    uint32_t digest;
};

/* 0 .. n - 1 */
static inline uint32_t draw(struct floor *floor, uint32_t n)
{
    uint32_t random = floor->draws[floor->draw++ % DRAWS];

    return (uint32_t)(((uint64_t)random * n) >> 32);
}

static void land(struct hftl_media_op *op)
{
    *(bool *)op->owner = true;
}

/* One operation, from submission to landing. */
static void access_medium(struct floor *floor)
{
    struct hftl_media_op *op = &floor->op;
    bool landed = false;

    op->owner = &landed;
    op->land = land;
    floor->media->ops->submit(floor->media, &op, 1);
    while (!landed)
        (void)floor->media->ops->reap(floor->media, UINT32_MAX);
    must(op->status == HFTL_OK);
}

static bool is_in_lane(const struct floor *floor, uint32_t chunk)
{
    for (uint32_t i = 0; i < floor->lane_count; i++) {
        const struct lane *lane = &floor->lanes[i];

        if (lane->chunk == chunk && lane->wp != floor->chunk_blocks)
            return true;
    }
    return false;
}

static uint32_t take_from_order(struct floor *floor)
{
    uint32_t chunk = floor->order[floor->taken++];

    if (floor->taken == floor->chunks) {
        floor->taken = 0;
        floor->written = true;
    }
    return chunk;
}

static void take_chunk(struct floor *floor, struct lane *lane)
{
    struct hftl_chunk state;
    uint32_t chunk;

    do
        chunk = take_from_order(floor);
    while (is_in_lane(floor, chunk));
    *lane = (struct lane){.chunk = chunk};
    floor->op = (struct hftl_media_op){
        .verb = HFTL_MEDIA_REPORT, .chunk = lane->chunk, .blocks = 1, .out.report = &state};
    access_medium(floor);
    if (state.state == HFTL_CHUNK_FREE)
        return;
    floor->op = (struct hftl_media_op){.verb = HFTL_MEDIA_RESET, .chunk = lane->chunk};
    access_medium(floor);
}

static void write_unit(struct floor *floor)
{
    struct lane *lane = &floor->lanes[draw(floor, floor->lane_count)];

    if (lane->wp == floor->chunk_blocks)
        take_chunk(floor, lane);
    floor->op = (struct hftl_media_op){.verb = HFTL_MEDIA_WRITE,
                                       .chunk = lane->chunk,
                                       .offset = lane->wp,
                                       .blocks = floor->unit_blocks,
                                       .data = floor->unit,
                                       .oob = floor->oob};
    access_medium(floor);
    lane->wp += floor->unit_blocks;
    floor->unit_fill = 0;
    floor->unit = floor->buffer + (size_t)draw(floor, floor->units) * floor->unit_blocks * BLOCK;
}

/* Where the next block of the write unit goes. */
static uint8_t *next_slot(struct floor *floor)
{
    return floor->unit + (size_t)floor->unit_fill++ * BLOCK;
}

static uint8_t *any_request(struct floor *floor)
{
    return floor->requests + (size_t)draw(floor, REQUESTS) * BLOCK;
}

static void add_digest(struct floor *floor, const uint8_t *block)
{
    floor->digest ^= crc32c(0, block, BLOCK);
}

void floor_write(struct floor *floor, uint64_t blocks)
{
    for (uint64_t i = 0; i < blocks; i++) {
        uint8_t *slot = next_slot(floor);

        memcpy(slot, any_request(floor), BLOCK);
        add_digest(floor, slot);
        if (floor->unit_fill == floor->unit_blocks)
            write_unit(floor);
    }
}

/* Of a chunk that is full, so that every block of it can be read. */
static void read_block(struct floor *floor, uint8_t *to)
{
    uint32_t chunk;

    do
        chunk = draw(floor, floor->chunks);
    while (is_in_lane(floor, chunk));
    floor->op = (struct hftl_media_op){.verb = HFTL_MEDIA_READ,
                                       .chunk = chunk,
                                       .offset = draw(floor, floor->chunk_blocks),
                                       .blocks = 1,
                                       .data = to,
                                       .oob = floor->oob};
    access_medium(floor);
}

void floor_read(struct floor *floor, uint64_t blocks)
{
    must(floor->written);
    for (uint64_t i = 0; i < blocks; i++) {
        uint8_t *to = any_request(floor);

        read_block(floor, to);
        add_digest(floor, to);
        memcpy(any_request(floor), to, BLOCK);
    }
}

void floor_move(struct floor *floor, uint64_t blocks)
{
    must(floor->written);
    for (uint64_t i = 0; i < blocks; i++) {
        uint8_t *to = any_request(floor);

        read_block(floor, to);
        add_digest(floor, to);
        memcpy(next_slot(floor), to, BLOCK);
        if (floor->unit_fill == floor->unit_blocks)
            write_unit(floor);
    }
}

void floor_copy(struct floor *floor, uint64_t blocks)
{
    uint32_t slots = floor->units * floor->unit_blocks;

    for (uint64_t i = 0; i < blocks; i++)
        memcpy(floor->buffer + (size_t)draw(floor, slots) * BLOCK, any_request(floor), BLOCK);
}

void floor_crc(struct floor *floor, uint64_t blocks)
{
    uint32_t slots = floor->units * floor->unit_blocks;

    for (uint64_t i = 0; i < blocks; i++)
        add_digest(floor, floor->buffer + (size_t)draw(floor, slots) * BLOCK);
}

uint64_t floor_blocks(const struct floor *floor)
{
    return (uint64_t)floor->chunks * floor->chunk_blocks;
}

uint32_t floor_digest(const struct floor *floor)
{
    return floor->digest;
}

/* ---- opening and closing --------------------------------------------------------------------- */

static void draw_all(struct floor *floor, uint64_t seed)
{
    struct prng prng;

    prng_seed(&prng, seed);
    for (uint32_t i = 0; i < DRAWS; i++)
        floor->draws[i] = (uint32_t)(prng_next(&prng) >> 32);
    for (uint32_t i = 0; i < floor->chunks; i++) { /* Fisher and Yates, inside out */
        uint32_t at = (uint32_t)prng_below(&prng, (uint64_t)i + 1);

        floor->order[i] = floor->order[at];
        floor->order[at] = i;
    }
    for (size_t i = 0; i < (size_t)REQUESTS * BLOCK; i++)
        floor->requests[i] = (uint8_t)prng_next(&prng);
    memset(floor->buffer, 1, (size_t)floor->units * floor->unit_blocks * BLOCK);
}

static bool take_memory(struct floor *floor, const struct hftl_media_facts *facts)
{
    size_t unit_bytes = (size_t)floor->unit_blocks * BLOCK;

    floor->units = unit_bytes < BUFFER_BYTES ? (uint32_t)(BUFFER_BYTES / unit_bytes) : 1;
    floor->requests = aligned_alloc(BLOCK, (size_t)REQUESTS * BLOCK);
    floor->buffer = aligned_alloc(BLOCK, floor->units * unit_bytes);
    floor->order = calloc(floor->chunks, sizeof *floor->order);
    floor->oob = facts->oob_bytes == 0 ? NULL : calloc(floor->unit_blocks, facts->oob_bytes);
    return floor->requests != NULL && floor->buffer != NULL && floor->order != NULL &&
           (floor->oob != NULL || facts->oob_bytes == 0);
}

enum hftl_status floor_open(const struct hftl_media_facts *facts, uint64_t seed,
                            struct floor **made)
{
    struct mem_options options = {.size = sizeof options, .facts = *facts};
    struct floor *floor = calloc(1, sizeof *floor);
    char why[200];

    if (floor == NULL)
        return HFTL_MEMORY;
    options.facts.size = sizeof options.facts;
    options.facts.chunk_blocks -=
        facts->chunk_blocks % facts->ws_opt; /* whole units fill a chunk */
    enum hftl_status status = facts->block_bytes != BLOCK ? HFTL_GEOMETRY : HFTL_OK;
    if (status == HFTL_OK)
        status = mem_open(&options, &floor->media, why, sizeof why);
    floor->chunks = hftl_media_chunks(facts);
    floor->unit_blocks = facts->ws_opt;
    floor->chunk_blocks = options.facts.chunk_blocks;
    if (status == HFTL_OK && !take_memory(floor, facts))
        status = HFTL_MEMORY;
    if (status != HFTL_OK) {
        floor_close(floor);
        return status;
    }
    draw_all(floor, seed);
    uint32_t lanes = floor->chunks <= 2 * LANES_MAX ? 1 : LANES_MAX;
    if (facts->open_max != 0 && lanes > facts->open_max)
        lanes = facts->open_max;
    while (floor->lane_count < lanes) {
        take_chunk(floor, &floor->lanes[floor->lane_count]);
        floor->lane_count++;
    }
    floor->unit = floor->buffer;
    *made = floor;
    return HFTL_OK;
}

void floor_close(struct floor *floor)
{
    if (floor->media != NULL)
        floor->media->ops->close(floor->media);
    free(floor->requests);
    free(floor->buffer);
    free(floor->order);
    free(floor->oob);
    free(floor);
}
