/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flat_create.c - a file or device becomes a flat medium.
 *
 * The order, each step durable before the next: no header; state pages, and nothing else where
 * signatures of other things may have been (the first megabyte or more, and the last); the header.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "media/emu_file.h"
#include "media/flat.h"
#include "media/flat_file.h"

#define SMALLEST_BYTES (16ull << 20)
#define UNIT_BYTES_MAX (64ull << 20)
#define UNIT_BYTES_PLAIN (64u << 10)
#define OPTIMAL_BYTES_MAX (1u << 20)
#define CHUNK_BYTES_MIN (256ull << 10)
#define CHUNK_BYTES_MAX (256ull << 20)
#define UNITS_A_CHUNK 8u

static enum hftl_status plan_unit(const struct flat_create_options *o, const struct flat_file *file,
                                  struct hftl_media_facts *f, const struct say *to)
{
    uint64_t unit = o->write_unit_bytes;
    if (unit % FLAT_BLOCK_BYTES != 0 || unit > UNIT_BYTES_MAX)
        return say(to, HFTL_GEOMETRY,
                   "a write unit of %llu bytes is not a multiple of 4096, or more than 64 MiB",
                   (unsigned long long)unit);
    if (unit != 0) { /* declared: never less than that */
        f->ws_min = f->ws_opt = (uint32_t)(unit / FLAT_BLOCK_BYTES);
        return HFTL_OK;
    }
    uint64_t best = file->optimal_bytes;
    if (best == 0 || best % FLAT_BLOCK_BYTES != 0 || best > OPTIMAL_BYTES_MAX)
        best = UNIT_BYTES_PLAIN;
    f->ws_min = max_u32(1, file->physical_bytes / FLAT_BLOCK_BYTES);
    f->ws_opt = (uint32_t)round_up_u64(best / FLAT_BLOCK_BYTES, f->ws_min);
    return HFTL_OK;
}

static uint64_t floor_power(uint64_t x)
{
    return 1ull << (63 - __builtin_clzll(x));
}

static enum hftl_status plan_chunks(const struct flat_create_options *o,
                                    const struct flat_file *file, struct flat_header *header,
                                    const struct say *to)
{
    struct hftl_media_facts *f = &header->facts;
    uint64_t unit = (uint64_t)f->ws_opt * FLAT_BLOCK_BYTES;
    uint64_t chunk = o->chunk_bytes;
    if (chunk % FLAT_BLOCK_BYTES != 0)
        return say(to, HFTL_GEOMETRY, "a chunk of %llu bytes is not a multiple of 4096",
                   (unsigned long long)chunk);
    if (chunk == 0) {
        chunk = floor_power(min_u64(max_u64(file->bytes / 128, CHUNK_BYTES_MIN), CHUNK_BYTES_MAX));
        chunk = max_u64(chunk, UNITS_A_CHUNK * unit) / unit * unit;
    }
    f->chunk_blocks = (uint32_t)min_u64(chunk / FLAT_BLOCK_BYTES, UINT32_MAX);
    uint64_t count = (file->bytes - FLAT_ALIGN_BYTES) / chunk;
    count = min_u64(count, 1u << 24);
    while (count > 0 && flat_data_at((uint32_t)count) + count * chunk > file->bytes)
        count--;
    f->chunks_per_pu = (uint32_t)count;
    header->data_at = flat_data_at(f->chunks_per_pu);
    return HFTL_OK;
}

static enum hftl_status plan_id(struct hftl_media_facts *f, const struct say *to)
{
    FILE *chance = fopen("/dev/urandom", "rb");
    size_t got = chance ? fread(f->id, 1, sizeof f->id, chance) : 0;
    if (chance)
        fclose(chance);
    f->id[0] |= 1; /* never all zeros */
    return got == sizeof f->id ? HFTL_OK
                               : say(to, HFTL_IO, "cannot read /dev/urandom for an identity");
}

static enum hftl_status plan(const char *path, const struct flat_create_options *o,
                             const struct flat_file *file, struct flat_header *header,
                             const struct say *to)
{
    struct hftl_media_facts *f = &header->facts;
    memset(header, 0, sizeof *header);
    if (o->size != sizeof *o)
        return say(to, HFTL_INVALID, "the options come from another version");
    if (file->bytes < SMALLEST_BYTES)
        return say(to, HFTL_GEOMETRY, "%s: it has %llu bytes; the smallest medium has 16 MiB", path,
                   (unsigned long long)file->bytes);
    f->size = sizeof *f;
    f->kind = HFTL_KIND_FLAT;
    f->flags = HFTL_MEDIA_NEEDS_ERASE | HFTL_MEDIA_CAN_RESET_OPEN | HFTL_MEDIA_CAN_FINISH;
    f->block_bytes = FLAT_BLOCK_BYTES;
    f->groups = f->pus_per_group = 1;
    f->volatile_cache = true;
    enum hftl_status status = plan_unit(o, file, f, to);
    f->transfer_blocks_max = max_u32((1u << 20) / FLAT_BLOCK_BYTES, f->ws_opt);
    if (status == HFTL_OK)
        status = plan_chunks(o, file, header, to);
    if (status == HFTL_OK)
        status = plan_id(f, to);
    if (status != HFTL_OK)
        return status;
    const char *nonsense = hftl_media_facts_nonsense(f);
    if (nonsense)
        return say(to, HFTL_GEOMETRY, "%s: no such medium: %s", path, nonsense);
    return HFTL_OK;
}

enum hftl_status flat_plan(const char *path, const struct flat_create_options *options,
                           struct flat_header *header, char *why, size_t why_bytes)
{
    const struct say to = {why, why_bytes};
    struct flat_file file;
    enum hftl_status status = flat_file_open(&file, path, FLAT_READS, &to);
    if (status != HFTL_OK)
        return status;
    status = plan(path, options, &file, header, &to);
    flat_file_close(&file);
    return status;
}

/* ---- writing ----------------------------------------------------------------------------- */

struct making {
    const char *path;
    struct flat_file file;
    struct flat_header header;
    const struct say *to;
    uint8_t *buffer; /* FLAT_ALIGN_BYTES */
};

static enum hftl_status complain(const struct making *m, const char *deed)
{
    int error = errno;
    return say(m->to, status_of_errno(error), "%s: cannot %s: %s", m->path, deed, strerror(error));
}

/* The first and the last megabyte: what is there has a reason. An empty file has only zeros. */
static enum hftl_status check_empty(struct making *m)
{
    const uint64_t places[] = {0, m->file.bytes - FLAT_ALIGN_BYTES};
    for (unsigned i = 0; i < 2; i++) {
        if (emu_file_read_all(m->file.fd, m->buffer, FLAT_ALIGN_BYTES, places[i]) != 0)
            return complain(m, "read what is there");
        for (size_t at = 0; at < FLAT_ALIGN_BYTES; at++) {
            if (m->buffer[at] != 0)
                return say(m->to, HFTL_EXISTS, "%s: it has contents (byte %llu is not zero)",
                           m->path, (unsigned long long)(places[i] + at));
        }
    }
    return HFTL_OK;
}

static enum hftl_status write_zeros(struct making *m, uint64_t from, uint64_t upto)
{
    memset(m->buffer, 0, FLAT_ALIGN_BYTES);
    while (from < upto) {
        size_t count = min_u64(FLAT_ALIGN_BYTES, upto - from);
        if (emu_file_write_all(m->file.fd, m->buffer, count, from) != 0)
            return complain(m, "write");
        from += count;
    }
    return HFTL_OK;
}

static enum hftl_status write_pages(struct making *m)
{
    static const struct flat_record fresh[FLAT_PAGE_CHUNKS];
    const struct hftl_media_facts *f = &m->header.facts;
    uint32_t pages = flat_page_count(f->chunks_per_pu);
    for (uint32_t i = 0; i < pages; i++) {
        uint32_t count = min_u32(FLAT_PAGE_CHUNKS, f->chunks_per_pu - i * FLAT_PAGE_CHUNKS);
        flat_page_encode(fresh, count, i, 1, f->id, m->buffer);
        if (emu_file_write_all(m->file.fd, m->buffer, FLAT_PAGE_BYTES, flat_page_at(i, 1)) != 0)
            return complain(m, "write its state");
    }
    return HFTL_OK;
}

static enum hftl_status sync_all(struct making *m)
{
    return fsync(m->file.fd) == 0 ? HFTL_OK : complain(m, "make it durable");
}

static enum hftl_status make(struct making *m)
{
    enum hftl_status status = write_zeros(m, 0, 2 * FLAT_PAGE_BYTES);
    if (status == HFTL_OK)
        status = sync_all(m);
    if (status == HFTL_OK)
        status = write_zeros(m, 2 * FLAT_PAGE_BYTES, m->header.data_at);
    if (status == HFTL_OK)
        status = write_zeros(m, m->file.bytes - FLAT_ALIGN_BYTES, m->file.bytes);
    if (status == HFTL_OK)
        status = write_pages(m);
    if (status == HFTL_OK)
        status = sync_all(m);
    if (status != HFTL_OK)
        return status;
    flat_header_encode(&m->header, m->buffer);
    for (unsigned copy = 0; copy < 2; copy++) {
        if (emu_file_write_all(m->file.fd, m->buffer, FLAT_PAGE_BYTES, copy * FLAT_PAGE_BYTES) != 0)
            return complain(m, "write its header");
    }
    return sync_all(m);
}

enum hftl_status flat_create(const char *path, const struct flat_create_options *options, char *why,
                             size_t why_bytes)
{
    const struct say to = {why, why_bytes};
    struct making m = {.path = path, .to = &to};
    enum hftl_status status = flat_file_open(&m.file, path, FLAT_WRITES, &to);
    if (status != HFTL_OK)
        return status;
    m.buffer = flat_take_bytes(FLAT_ALIGN_BYTES);
    status = m.buffer ? plan(path, options, &m.file, &m.header, &to)
                      : say(&to, HFTL_MEMORY, "%s: no memory", path);
    if (status == HFTL_OK && !options->overwrite)
        status = check_empty(&m);
    if (status == HFTL_OK)
        status = make(&m);
    free(m.buffer);
    flat_file_close(&m.file);
    return status;
}
