/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * image.h - drives that hold a device, and what an input does to them.
 *
 * A BASE is a drive of the simulator (sim/nand.h) with a device on it that lived through a fixed
 * history: made once a process, forked for each input. An EDIT is eight bytes of the input:
 *
 *     deed 1 | chunk 1 | block 2 | at 2 | value 2
 *
 * Blocks are counted from the chunk's write pointer backwards where the deed's highest bit is set,
 * since a tail is there; chunks from 192 on are superblocks, and edits of them go to their newest
 * records; `at` with the highest bit set is where some record has a number.
 */
#ifndef HOSTFTL_FUZZ_IMAGE_H
#define HOSTFTL_FUZZ_IMAGE_H

#include "core/geometry.h"
#include "fuzz/fuzz.h"
#include "sim/shapes.h"

#define EDIT_BYTES 8u

struct base {
    const struct shape *shape;
    bool clean;    /* closed in order; otherwise the host died and the power went */
    uint32_t acts; /* requests of its history */
    struct nand *nand;
    struct format_context ctx;
    struct layout layout;
    struct geometry geometry;
    uint64_t blocks;
    uint64_t *versions; /* of each lba, when it is opened as it is */
};

/* The base of this number, whatever it is. */
struct base *base_get(unsigned number);
unsigned base_count(void);

/* A world whose memory ends at some point, so that a claim of a petabyte is only refused. */
void image_world(struct sim_world *sim);
enum hftl_status image_open(struct nand *nand, const struct base *base, struct sim_world *sim,
                            struct device **device, bool read_only,
                            void (*complete)(void *arg, struct hftl_request *request), void *arg);

/* Content that names lba and version, and whether a block is such; version 0: zeros. */
void image_fill(uint8_t *block, uint32_t bytes, uint64_t lba, uint64_t version);
bool image_is(const uint8_t *block, uint32_t bytes, uint64_t lba, uint64_t *version);

/* Does what the input's next bytes say, and computes checksums anew when `fix`. What a drive cannot
 * be is left out. */
void image_edit(struct nand *nand, const struct base *base, struct input *input, bool fix);

#endif
