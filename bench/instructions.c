/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * instructions.c - the hot paths, counted by callgrind, each on its own.
 *
 *     valgrind --tool=callgrind --collect-atstart=no bench-instructions MEDIUM
 *
 * For each part it says "NAME BLOCKS", and has callgrind dump what was collected in it, under that
 * name: tools/bench.py divides. Everything is as it ships: the public interface, checks and
 * histograms on, 32 requests in flight, random places. Without valgrind it runs too, and measures
 * nothing.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <valgrind/callgrind.h>

#include "bench/drive.h"
#include "tool/floor.h"

#define SEED 1u
#define FLOOR_BLOCKS 8192u
#define RUN_BLOCKS 32u /* of a long request: 128 KiB */
#define OP_PERMILLE 200u
#define LARGE_BYTES 65536 /* less than a chunk of any medium */

static void begin(void)
{
    CALLGRIND_ZERO_STATS;
    CALLGRIND_TOGGLE_COLLECT;
}

static void end(const char *name, uint64_t blocks)
{
    CALLGRIND_TOGGLE_COLLECT;
    CALLGRIND_DUMP_STATS_AT(name);
    printf("%s %llu\n", name, (unsigned long long)blocks);
}

static void count_floor(struct floor *floor)
{
    static const struct {
        const char *name;
        void (*act)(struct floor *floor, uint64_t blocks);
    } parts[] = {
        {"floor_write", floor_write}, {"floor_read", floor_read}, {"floor_move", floor_move},
        {"floor_copy", floor_copy},   {"floor_crc", floor_crc},
    };

    floor_write(floor, floor_blocks(floor)); /* so that there is something to read */
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        begin();
        parts[i].act(floor, FLOOR_BLOCKS);
        end(parts[i].name, FLOOR_BLOCKS);
    }
    fprintf(stderr, "bench: digest of what was read %08x\n", floor_digest(floor));
}

/* Each block of the device once, at random; then half of them are read. */
static void count_short(struct drive *drive)
{
    uint32_t blocks = (uint32_t)drive->info.blocks;
    uint32_t *order = draw_order(blocks, SEED);
    uint32_t *other = draw_order(blocks, SEED + 1);

    begin();
    drive_run(drive, HFTL_WRITE, order, blocks, 1);
    end("write", blocks);
    drive_flush(drive);
    begin();
    drive_run(drive, HFTL_READ, other, blocks / 2, 1);
    end("read", blocks / 2);
    free(order);
    free(other);
}

/* Cleaning is told to have an eighth of the bands more free than there are. */
static void raise_limit(const struct drive *drive)
{
    struct hftl_limits limits = {.size = sizeof limits};
    struct hftl_info info = {.size = sizeof info};
    char why[200];

    hftl_get_info(drive->device, &info);
    hftl_get_limits(drive->device, &limits);
    limits.level[HFTL_LIMIT_START].bands_free = info.bands_free + info.bands / 8;
    if (hftl_set_limits(drive->device, &limits, why, sizeof why) == HFTL_OK)
        return;
    fprintf(stderr, "bench: %s\n", why);
    exit(1);
}

/* Overwrites at random until cleaning has shaped the bands; then cleaning, without a user. */
static void count_move(struct drive *drive)
{
    uint64_t blocks = drive->info.blocks;
    uint32_t *places = draw_places(blocks, (uint32_t)blocks, SEED + 2);
    struct hftl_stats before = {.size = sizeof before}, after = {.size = sizeof after};

    drive_run(drive, HFTL_WRITE, places, blocks, 1);
    drive_flush(drive);
    hftl_get_stats(drive->device, &before);
    begin();
    raise_limit(drive);
    while (hftl_step(drive->device))
        ;
    hftl_get_stats(drive->device, &after);
    end("move",
        after.written[HFTL_IO_RELOCATION].blocks - before.written[HFTL_IO_RELOCATION].blocks);
    free(places);
}

static void count_long(struct drive *drive)
{
    uint32_t runs = (uint32_t)drive->info.blocks / RUN_BLOCKS;
    uint32_t *order = draw_order(runs, SEED);

    begin();
    drive_run(drive, HFTL_WRITE, order, runs, RUN_BLOCKS);
    end("long_write", (uint64_t)runs * RUN_BLOCKS);
    free(order);
}

int main(int argc, char **argv)
{
    struct drive drive;
    struct floor *floor;

    if (argc != 2) {
        fprintf(stderr, "usage: bench-instructions MEDIUM\n");
        return 2;
    }
    /* A chunk's memory comes clean from the kernel: else the medium's first writes would be charged
     * with clearing what somebody else had. */
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
    drive_open(&drive, argv[1], OP_PERMILLE);
    if (floor_open(&drive.info.facts, SEED, &floor) != HFTL_OK) {
        fprintf(stderr, "bench: no memory for the floor\n");
        return 1;
    }
    count_floor(floor);
    floor_close(floor);
    count_short(&drive);
    count_move(&drive);
    drive_close(&drive);
    drive_open(&drive, argv[1], OP_PERMILLE);
    count_long(&drive);
    drive_close(&drive);
    return 0;
}
