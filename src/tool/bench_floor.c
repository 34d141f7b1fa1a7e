/* SPDX-License-Identifier: BSD-3-Clause */
/* bench_floor.c - the floor's time, on a medium in memory of the same shape as the device's. */
#include <stdio.h>
#include <stdlib.h>

#include "tool/bench.h"
#include "tool/floor.h"

#define FRESH_PASSES 3u
#define SEED 1u
#define PASS_BLOCKS 65536u

static double time_of(void (*act)(struct floor *floor, uint64_t blocks), struct floor *floor,
                      uint64_t blocks)
{
    uint64_t before = load_thread_ns();

    act(floor, blocks);
    return (double)(load_thread_ns() - before) / (double)blocks;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Of an odd number. */
static double median(double *values, unsigned count)
{
    qsort(values, count, sizeof values[0], compare);
    return values[count / 2];
}

/* The parts are measured in turn, so that a busy moment of the machine is not one part's alone. */
static void measure_passes(struct bench_floor *floor, struct floor *bottom)
{
    double write[BENCH_FLOOR_PASSES], read[BENCH_FLOOR_PASSES];
    double copy[BENCH_FLOOR_PASSES], crc[BENCH_FLOOR_PASSES];
    uint64_t all = floor_blocks(bottom);
    uint64_t blocks = all < PASS_BLOCKS ? all : PASS_BLOCKS;

    for (unsigned i = 0; i < BENCH_FLOOR_PASSES; i++) {
        write[i] = time_of(floor_write, bottom, blocks);
        read[i] = time_of(floor_read, bottom, blocks);
        copy[i] = time_of(floor_copy, bottom, blocks);
        crc[i] = time_of(floor_crc, bottom, blocks);
    }
    floor->write_ns = median(write, BENCH_FLOOR_PASSES);
    floor->read_ns = median(read, BENCH_FLOOR_PASSES);
    floor->copy_ns = median(copy, BENCH_FLOOR_PASSES);
    floor->crc_ns = median(crc, BENCH_FLOOR_PASSES);
}

/* Fewer chunks, where all of them would be too much memory. */
static struct hftl_media_facts shrink(const struct hftl_media_facts *facts)
{
    struct hftl_media_facts small = *facts;
    uint64_t row = (uint64_t)hftl_media_pus(facts) * facts->chunk_blocks * facts->block_bytes;

    if (row * facts->chunks_per_pu > BENCH_FLOOR_BYTES)
        small.chunks_per_pu = row < BENCH_FLOOR_BYTES ? (uint32_t)(BENCH_FLOOR_BYTES / row) : 1;
    return small;
}

/*
 * The first pass is thrown away. It gets the memory from the kernel, page by page, which costs more
 * than all that is measured here; the passes after it, and the device itself where it is in memory,
 * get it from the heap (bench.c sees to that).
 */
void bench_floor_measure(struct bench_floor *floor, const struct hftl_media_facts *facts)
{
    struct hftl_media_facts small = shrink(facts);
    double fresh[FRESH_PASSES];

    for (unsigned i = 0; i <= FRESH_PASSES; i++) {
        struct floor *bottom;

        if (floor_open(&small, SEED, &bottom) != HFTL_OK)
            return;
        double ns = time_of(floor_write, bottom, floor_blocks(bottom));
        if (i > 0)
            fresh[i - 1] = ns;
        if (i == FRESH_PASSES)
            measure_passes(floor, bottom);
        floor->bytes = floor_blocks(bottom) * HFTL_BLOCK_BYTES;
        floor_close(bottom);
    }
    floor->fresh_ns = median(fresh, FRESH_PASSES);
    floor->measured = true;
}

void bench_forget_peak(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "we");

    if (file == NULL)
        return;
    (void)fputs("5", file); /* proc(5): the peak becomes what there is now */
    (void)fclose(file);
}
