/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shapes.h - the drives that the simulator tries: small, and odd on purpose.
 *
 * Small, so that a recovery takes less than a millisecond; but a band holds at least 60 blocks and
 * there are at least 14 of them, or 30 and 42, so that all of the engine's life happens: streams,
 * cleaning, tails, superblock logs that run full. Nothing here is a power of two where a drive need
 * not be.
 */
#ifndef HOSTFTL_SIM_SHAPES_H
#define HOSTFTL_SIM_SHAPES_H

#include "base/prng.h"
#include "sim/harness.h"

struct shape {
    const char *name, *text;
    struct hftl_media_facts facts;
    uint32_t bad_every, delay_max, queue;      /* nand_options */
    bool steady;                               /* nand_options */
    bool searched;                             /* for sim/search, too small for campaigns */
    bool in_order;                             /* nothing of chance in when operations land */
    enum nand_latency latency;                 /* nand_options */
    uint32_t columns, op_permille, interleave; /* harness_options */
    uint32_t batch;                            /* the same */
    enum hftl_verify verify;
    uint64_t verify_cache_bytes;
};

unsigned shape_count(void);
const struct shape *shape_at(unsigned index);
/* NULL: no such name. */
const struct shape *shape_find(const char *name);
/* A shape like none in the list, that a device fits on. */
void shape_random(struct shape *shape, struct prng *prng);

/* All drives of this process land so: --latency. */
void shape_fix_latency(enum nand_latency latency);
bool shape_latency_is_fixed(void);
/* "", or " --latency ...", for a command that replays. */
const char *shape_latency_option(void);

/* Devices on it check what they read. With HFTL_VERIFY_RELOCATION, and no OOB, a damaged block is
 * returned: so it is said, and so no damage to users' data is injected. */
bool shape_checks_reads(const struct shape *shape);
struct nand *shape_make(const struct shape *shape, uint64_t seed);
/* Options of a harness on it; what is not given here is the shape's or a default. */
struct harness_options shape_options(const struct shape *shape, const struct engine *engine,
                                     struct nand *nand, uint64_t seed);

#endif
