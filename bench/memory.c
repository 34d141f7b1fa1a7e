/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * memory.c - the most memory that a device takes, in two sizes.
 *
 *     bench-memory ocssd|zoned
 *
 * Says "BLOCKS PEAK" for each size: exported blocks, and the most bytes that were allocated at a
 * time while the device was made, opened, written, and opened again after its process died. All of
 * it counts, requested and rounded up by malloc, but for what the medium in memory took before and
 * its chunks of data. tools/bench.py divides, and tells what a block costs from what is constant.
 *
 * The linker sends every malloc, calloc, aligned_alloc and free of the program here (--wrap).
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hostftl/hostftl.h>

#include "media/mem.h"

#define GIB (UINT64_C(1) << 30)
#define CHUNK_BLOCKS 4096u
#define WRITES 2048u

#define SIZES 2u

static uint64_t live, peak, chunk_bytes;

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_aligned_alloc(size_t alignment, size_t bytes);
void __real_free(void *memory);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);
void __wrap_free(void *memory);

/* A chunk's data is the medium's, and in no drive but this one in memory. */
static bool is_chunk(uint64_t bytes)
{
    return bytes >= chunk_bytes && bytes < chunk_bytes + 8192;
}

static void *count_in(void *memory)
{
    uint64_t bytes = memory == NULL ? 0 : malloc_usable_size(memory);

    if (!is_chunk(bytes))
        live += bytes;
    if (live > peak)
        peak = live;
    return memory;
}

void *__wrap_malloc(size_t bytes)
{
    return count_in(__real_malloc(bytes));
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    return count_in(__real_calloc(count, bytes));
}

void *__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
    return count_in(__real_aligned_alloc(alignment, bytes));
}

void __wrap_free(void *memory)
{
    uint64_t bytes = memory == NULL ? 0 : malloc_usable_size(memory);

    if (!is_chunk(bytes))
        live -= bytes;
    __real_free(memory);
}

static void expect(enum hftl_status status, const char *why)
{
    if (status == HFTL_OK)
        return;
    fprintf(stderr, "bench: %s: %s\n", hftl_status_text(status), why);
    exit(1);
}

static struct hftl_device *open_device(struct hftl_media *media)
{
    struct hftl_open_options options;
    struct hftl_device *device;
    char why[300] = "";

    hftl_open_options_init(&options);
    expect(hftl_open_media(media, &options, &device, why, sizeof why), why);
    return device;
}

/* All over the device, so that there is something to recover. */
static void write_some(struct hftl_device *device, uint64_t blocks)
{
    struct hftl_channel *channel = hftl_channel_open(device, 32);
    static uint8_t block[HFTL_BLOCK_BYTES];

    if (channel == NULL)
        expect(HFTL_MEMORY, "a channel");
    for (uint64_t i = 0; i < WRITES; i++) {
        memcpy(block, &i, sizeof i);
        expect(hftl_write(channel, i * (blocks / WRITES), 1, block, 0), "a write");
    }
    expect(hftl_flush(channel), "a flush");
}

static struct mem_store *make_store(enum hftl_media_kind kind, uint64_t bytes)
{
    struct mem_options options = {.size = sizeof options, .facts = mem_facts(kind)};
    struct hftl_media_facts *facts = &options.facts;
    struct mem_store *store;
    char why[200] = "";

    facts->chunk_blocks = CHUNK_BLOCKS;
    facts->chunks_per_pu =
        (uint32_t)(bytes / HFTL_BLOCK_BYTES / CHUNK_BLOCKS / facts->pus_per_group);
    chunk_bytes = (uint64_t)CHUNK_BLOCKS * (facts->block_bytes + facts->oob_bytes);
    expect(mem_store_create(&options, &store, why, sizeof why), why);
    return store;
}

/* From the second opening on, what the first one left, having died, is not the device's. */
static uint64_t measure(enum hftl_media_kind kind, uint64_t bytes, uint64_t *blocks)
{
    struct hftl_format_options format;
    struct hftl_info info = {.size = sizeof info};
    struct mem_store *store = make_store(kind, bytes);
    struct hftl_media *media;
    char why[300] = "";

    uint64_t before = live;
    peak = live;
    expect(mem_attach(store, &media), "the medium");
    hftl_format_options_init(&format);
    expect(hftl_format_media(media, &format, &info, why, sizeof why), why);
    struct hftl_device *device = open_device(media);
    write_some(device, info.blocks);
    uint64_t most = peak - before;
    mem_abandon(media);

    before = live;
    peak = live;
    expect(mem_attach(store, &media), "the medium");
    device = open_device(media);
    write_some(device, info.blocks);
    most = peak - before > most ? peak - before : most;
    expect(hftl_close(device), "closing the device");
    mem_store_destroy(store);
    *blocks = info.blocks;
    return most;
}

int main(int argc, char **argv)
{
    static const uint64_t sizes[SIZES] = {64 * GIB, 256 * GIB};
    bool zoned = argc == 2 && strcmp(argv[1], "zoned") == 0;

    if (argc != 2 || (!zoned && strcmp(argv[1], "ocssd") != 0)) {
        fprintf(stderr, "usage: bench-memory ocssd|zoned\n");
        return 2;
    }
    for (size_t i = 0; i < SIZES; i++) {
        uint64_t blocks = 0;
        uint64_t most = measure(zoned ? HFTL_KIND_ZONED : HFTL_KIND_OCSSD, sizes[i], &blocks);

        printf("%llu %llu\n", (unsigned long long)blocks, (unsigned long long)most);
    }
    (void)fflush(stdout);
    _exit(0); /* what died was closed by nobody: to those who look for leaks it is one */
}
