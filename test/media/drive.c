/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "test/media/drive.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"

#define DIMENSIONS(k, g, p, n, b)                                                                  \
    .size = sizeof(struct emu_create_options), .kind = (k), .groups = (g), .pus_per_group = (p),   \
    .chunks_per_pu = (n), .chunk_blocks = (b), .seed = 1
#define OCSSD(g, p, n, b) DIMENSIONS(HFTL_KIND_OCSSD, g, p, n, b)
#define FLAT .size = sizeof(struct flat_create_options)
#define ZONED(n, b) DIMENSIONS(HFTL_KIND_ZONED, 1, 1, n, b)

const struct shape shapes[] = {
    {.name = "ocssd", .options = {OCSSD(2, 2, 8, 64)}},
    {.name = "ocssd-1-pu-unit-7",
     .options = {OCSSD(1, 1, 9, 70), .ws_min = 7, .ws_opt = 7, .mw_cunits = 15}},
    {.name = "ocssd-3-pus-unit-24",
     .options = {OCSSD(1, 3, 5, 96), .ws_min = 24, .ws_opt = 24, .mw_cunits = 24, .oob_bytes = 16}},
    {.name = "ocssd-1478-chunks",
     .options = {OCSSD(1, 2, 1478, 16), .ws_min = 4, .ws_opt = 8, .mw_cunits = EMU_NONE}},
    {.name = "ocssd-limits",
     .options = {OCSSD(1, 2, 8, 64), .open_max = 3, .flags_set = HFTL_MEDIA_CAN_RESET_OPEN}},
    {.name = "ocssd-small-blocks",
     .options = {OCSSD(1, 2, 6, 128), .block_bytes = 512, .oob_bytes = 24}},
    {.name = "ocssd-bad-and-short",
     .options = {OCSSD(1, 4, 8, 64), .bad_chunks = 5, .short_chunks = 7}},
    {.name = "zoned", .options = {ZONED(16, 56), .zone_blocks = 64}},
    {.name = "zoned-limits",
     .options = {ZONED(16, 48), .zone_blocks = 64, .open_max = 3, .active_max = 5}},
    {.name = "zoned-queue-append",
     .options = {ZONED(8, 100), .open_max = EMU_NONE,
                 .flags_set = HFTL_MEDIA_CAN_QUEUE | HFTL_MEDIA_CAN_APPEND}},
    {.name = "zoned-append-unit-4",
     .options = {ZONED(8, 96), .ws_min = 4, .ws_opt = 8, .flags_set = HFTL_MEDIA_CAN_APPEND}},
    {.name = "zoned-unit-12-oob",
     .options = {ZONED(7, 96), .ws_min = 12, .ws_opt = 12, .oob_bytes = 64, .mw_cunits = 12}},
    {.name = "flat-blocks", .flat_bytes = 16 << 20, .flat = {FLAT, .chunk_bytes = 256 << 10}},
    {.name = "flat-unit-24",
     .flat_bytes = 20000000,
     .flat = {FLAT, .write_unit_bytes = 24 * 4096, .chunk_bytes = 96 * 4096}},
    {.name = "flat-unit-128k",
     .flat_bytes = 64 << 20,
     .flat = {FLAT, .write_unit_bytes = 128 << 10}},
    {.name = NULL},
};

static void land_flag(struct hftl_media_op *op)
{
    *(bool *)op->owner = true;
}

unsigned wait_reap(struct hftl_media *media, unsigned max)
{
    unsigned landed = media->ops->reap(media, max);
    if (landed > 0)
        return landed;
    struct pollfd ready = {.fd = media->ops->fd(media), .events = POLLIN};
    (void)!poll(&ready, 1, 1000);
    return media->ops->reap(media, max);
}

enum hftl_status do_op(struct hftl_media *media, struct hftl_media_op *op)
{
    bool landed = false;
    op->land = land_flag;
    op->owner = &landed;
    media->ops->submit(media, &op, 1);
    for (int tries = 0; !landed; tries++) {
        wait_reap(media, 4);
        must_show(tries < 1000, op->verb, op->chunk); /* it never lands */
    }
    return op->status;
}

enum hftl_status do_simple(struct hftl_media *media, enum hftl_media_verb verb, uint32_t chunk)
{
    struct hftl_media_op op = {.verb = verb, .chunk = chunk};
    return do_op(media, &op);
}

struct hftl_chunk do_report(struct hftl_media *media, uint32_t chunk)
{
    struct hftl_chunk report;
    struct hftl_media_op op = {
        .verb = HFTL_MEDIA_REPORT, .chunk = chunk, .blocks = 1, .out.report = &report};
    must(do_op(media, &op) == HFTL_OK);
    return report;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t x = a * 0x9E3779B97F4A7C15u ^ (b + 0x7F4A7C15u);
    x ^= x >> 29;
    x *= 0xBF58476D1CE4E5B9u;
    return x ^ x >> 32;
}

static void fill_bytes(uint8_t *bytes, uint32_t count, uint64_t seed)
{
    uint8_t word[8];
    for (uint32_t i = 0; i < count; i += 8) {
        put_u64(word, mix(seed, i));
        memcpy(bytes + i, word, min_u32(8, count - i));
    }
}

static uint64_t name_block(uint32_t chunk, uint32_t offset, uint32_t life)
{
    return mix(mix(chunk, offset), life);
}

void fill_blocks(const struct hftl_media_facts *facts, uint32_t chunk, uint32_t offset,
                 uint32_t blocks, uint32_t life, uint8_t *data, uint8_t *oob)
{
    for (uint32_t i = 0; i < blocks; i++) {
        uint64_t seed = name_block(chunk, offset + i, life);
        fill_bytes(data + (size_t)i * facts->block_bytes, facts->block_bytes, seed);
        if (oob)
            fill_bytes(oob + (size_t)i * facts->oob_bytes, facts->oob_bytes, ~seed);
    }
}

bool check_blocks(const struct hftl_media_facts *facts, uint32_t chunk, uint32_t offset,
                  uint32_t blocks, uint32_t life, const uint8_t *data, const uint8_t *oob)
{
    uint8_t want[4096];
    for (uint32_t i = 0; i < blocks; i++) {
        uint64_t seed = name_block(chunk, offset + i, life);
        fill_bytes(want, facts->block_bytes, seed);
        if (memcmp(want, data + (size_t)i * facts->block_bytes, facts->block_bytes) != 0)
            return false;
        fill_bytes(want, facts->oob_bytes, ~seed);
        if (oob && memcmp(want, oob + (size_t)i * facts->oob_bytes, facts->oob_bytes) != 0)
            return false;
    }
    return true;
}

/* Exactly as long as they have to be, so that a sanitizer sees a byte too much. */
static void *take_bytes(size_t count)
{
    void *bytes = malloc(count ? count : 1);
    must(bytes != NULL);
    return bytes;
}

static enum hftl_status write_somehow(struct hftl_media *media, struct hftl_media_op *op,
                                      uint32_t life)
{
    const struct hftl_media_facts *f = &media->facts;
    op->data = take_bytes((size_t)op->blocks * f->block_bytes);
    op->oob = f->oob_bytes ? take_bytes((size_t)op->blocks * f->oob_bytes) : NULL;
    fill_blocks(f, op->chunk, op->offset, op->blocks, life, op->data, op->oob);
    enum hftl_status status = do_op(media, op);
    free(op->data);
    free(op->oob);
    return status;
}

enum hftl_status do_write(struct hftl_media *media, uint32_t chunk, uint32_t offset,
                          uint32_t blocks, uint32_t life)
{
    struct hftl_media_op op = {
        .verb = HFTL_MEDIA_WRITE, .chunk = chunk, .offset = offset, .blocks = blocks};
    return write_somehow(media, &op, life);
}

enum hftl_status do_append(struct hftl_media *media, uint32_t chunk, uint32_t blocks, uint32_t life,
                           uint32_t *offset)
{
    /* The data is made for the place where it has to land when one appends at a time. */
    struct hftl_media_op op = {
        .verb = HFTL_MEDIA_APPEND, .chunk = chunk, .offset = *offset, .blocks = blocks};
    enum hftl_status status = write_somehow(media, &op, life);
    *offset = op.offset;
    return status;
}

enum hftl_status do_read(struct hftl_media *media, uint32_t chunk, uint32_t offset, uint32_t blocks,
                         uint32_t life, bool *right)
{
    const struct hftl_media_facts *f = &media->facts;
    struct hftl_media_op op = {
        .verb = HFTL_MEDIA_READ, .chunk = chunk, .offset = offset, .blocks = blocks};
    op.data = take_bytes((size_t)blocks * f->block_bytes);
    op.oob = f->oob_bytes ? take_bytes((size_t)blocks * f->oob_bytes) : NULL;
    enum hftl_status status = do_op(media, &op);
    *right = status == HFTL_OK && check_blocks(f, chunk, offset, blocks, life, op.data, op.oob);
    free(op.data);
    free(op.oob);
    return status;
}

uint32_t count_readable(const struct hftl_media_facts *facts, const struct hftl_chunk *chunk)
{
    uint32_t n = 0;
    while (n < chunk->capacity && hftl_media_readable(facts, chunk, n))
        n++;
    return n;
}

static char folder[PATH_BYTES];

static void remove_folder(void)
{
    char command[PATH_BYTES + 16];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    (void)!system(command);
}

void make_path(char path[PATH_BYTES], const char *name)
{
    static pid_t owner;
    if (owner == 0) {
        const char *base = getenv("TMPDIR");
        snprintf(folder, sizeof folder, "%s/hostftl-media-XXXXXX", base ? base : "/tmp");
        must(mkdtemp(folder) != NULL);
        owner = getpid();
        atexit(remove_folder);
    }
    int n = snprintf(path, PATH_BYTES, "%.200s/%s", folder, name);
    must(n > 0 && n < PATH_BYTES);
}
