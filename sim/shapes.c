/* SPDX-License-Identifier: BSD-3-Clause */
#include "sim/shapes.h"

#include "base/crc.h"

#include <stdio.h>
#include <string.h>

/* Of all lbas of these drives, and of an eighth of them. */
#define RECOVERY_BYTES_MUCH (256u * 1024)
#define RECOVERY_BYTES_LITTLE 2048u
#define OLD_NUMBERS_MAX 600u

#define ERASE HFTL_MEDIA_NEEDS_ERASE
#define RESET_OPEN HFTL_MEDIA_CAN_RESET_OPEN
#define FINISH HFTL_MEDIA_CAN_FINISH
#define QUEUE HFTL_MEDIA_CAN_QUEUE

/* groups, PUs a group, chunks a PU, blocks a chunk; ws_min, ws_opt, mw_cunits */
#define OCSSD(can, oob, g, p, c, b, min, opt, mw)                                                  \
    {                                                                                              \
        .size = sizeof(struct hftl_media_facts), .kind = HFTL_KIND_OCSSD, .flags = ERASE | (can),  \
        .block_bytes = 512, .oob_bytes = (oob), .groups = (g), .pus_per_group = (p),               \
        .chunks_per_pu = (c), .chunk_blocks = (b), .ws_min = (min), .ws_opt = (opt),               \
        .mw_cunits = (mw), .transfer_blocks_max = 4 * (opt), .volatile_cache = true,               \
        .read_gap_blocks = (opt)                                                                   \
    }
/* Gap: read_gap_blocks. */
#define ZONED(can, z, b, min, opt, open, active, gap)                                              \
    {                                                                                              \
        .size = sizeof(struct hftl_media_facts), .kind = HFTL_KIND_ZONED,                          \
        .flags = ERASE | RESET_OPEN | (can), .block_bytes = 512, .groups = 1, .pus_per_group = 1,  \
        .chunks_per_pu = (z), .chunk_blocks = (b), .ws_min = (min), .ws_opt = (opt),               \
        .open_max = (open), .active_max = (active), .transfer_blocks_max = 64,                     \
        .volatile_cache = true, .read_gap_blocks = (gap)                                           \
    }

#define FLAT(c, b, unit)                                                                           \
    {                                                                                              \
        .size = sizeof(struct hftl_media_facts), .kind = HFTL_KIND_FLAT,                           \
        .flags = ERASE | RESET_OPEN | FINISH, .block_bytes = 512, .groups = 1, .pus_per_group = 1, \
        .chunks_per_pu = (c), .chunk_blocks = (b), .ws_min = (unit), .ws_opt = (unit),             \
        .transfer_blocks_max = 64, .volatile_cache = true                                          \
    }

static const struct shape shapes[] = {
    {.name = "oc",
     .text = "Open-Channel, 2 x 2 PUs, OOB, readable 6 blocks behind the write pointer",
     .facts = OCSSD(RESET_OPEN, 16, 2, 2, 22, 24, 2, 4, 6),
     .delay_max = 3},
    {.name = "oc-strict",
     .text = "as oc, with a window of two write units, and only full chunks can be reset",
     .facts = OCSSD(0, 32, 2, 2, 22, 32, 4, 8, 16),
     .delay_max = 2},
    {.name = "oc-1pu",
     .text = "Open-Channel, a single PU",
     .facts = OCSSD(RESET_OPEN, 16, 1, 1, 28, 72, 2, 6, 6),
     .delay_max = 2},
    {.name = "oc-3pu",
     .text = "Open-Channel, three PUs, write units of seven blocks",
     .facts = OCSSD(RESET_OPEN, 16, 1, 3, 22, 35, 7, 7, 7),
     .delay_max = 4},
    {.name = "oc-rest",
     .text = "Open-Channel, chunks that are not a whole number of write units, queued writes, a "
             "queue of its own of six",
     .facts = OCSSD(RESET_OPEN | QUEUE, 24, 3, 1, 22, 33, 1, 6, 0),
     .queue = 6,
     .delay_max = 3},
    {.name = "oc-bad",
     .text = "Open-Channel, one chunk in seventeen bad from the factory",
     .facts = OCSSD(RESET_OPEN, 16, 2, 2, 26, 24, 2, 4, 8),
     .bad_every = 17,
     .delay_max = 2},
    {.name = "oc-bare",
     .text = "Open-Channel without OOB: summaries and a window",
     .facts = OCSSD(RESET_OPEN, 0, 1, 2, 24, 48, 2, 4, 6),
     .delay_max = 2},
    {.name = "oc-24",
     .text = "Open-Channel, write units of 24 blocks, a window of as many",
     .facts = OCSSD(RESET_OPEN, 16, 1, 2, 20, 72, 6, 24, 24),
     .delay_max = 2},
    {.name = "oc-slices",
     .text = "Open-Channel, three PUs, write units of six blocks in three slices, a short stripe",
     .facts = OCSSD(RESET_OPEN | QUEUE, 16, 1, 3, 22, 34, 2, 6, 4),
     .interleave = 3,
     .delay_max = 3},
    {.name = "bare-slices",
     .text = "Open-Channel without OOB, write units in two slices, a window beyond one",
     .facts = OCSSD(RESET_OPEN, 0, 2, 1, 24, 52, 2, 8, 10),
     .interleave = 2,
     .delay_max = 3},
    {.name = "oc-ranges",
     .text = "Open-Channel, large enough for three trim ranges",
     .facts = OCSSD(RESET_OPEN, 16, 1, 2, 60, 96, 2, 4, 8),
     .delay_max = 2},
    {.name = "zoned",
     .text = "zoned, one column, blocks written singly",
     .facts = ZONED(FINISH, 24, 90, 1, 4, 8, 14, 6),
     .columns = 1,
     .delay_max = 2},
    {.name = "zoned-2",
     .text = "zoned, two columns, no finish, queued writes",
     .facts = ZONED(QUEUE, 44, 46, 1, 8, 14, 14, 8),
     .columns = 2,
     .delay_max = 3},
    {.name = "zoned-slices",
     .text = "zoned, two columns, slices of one block, room for one overlap",
     .facts = ZONED(FINISH, 44, 47, 1, 3, 8, 16, 0),
     .columns = 2,
     .interleave = 3,
     .delay_max = 2},
    {.name = "zoned-tight",
     .text = "zoned, the fewest open zones, the drive pauses what it likes",
     .facts = ZONED(FINISH, 26, 77, 1, 7, 4, 8, 3),
     .columns = 1,
     .verify = HFTL_VERIFY_RELOCATION,
     .delay_max = 2},
    {.name = "zoned-exact",
     .text = "zoned, two columns, no more active zones than are needed, no finish",
     .facts = ZONED(0, 44, 46, 1, 4, 6, 6, 0),
     .columns = 2,
     .delay_max = 3},
    {.name = "zoned-cached",
     .text = "zoned, two columns, reads verified through a cache of some tail blocks",
     .facts = ZONED(FINISH, 44, 46, 1, 4, 8, 14, 4),
     .columns = 2,
     .verify = HFTL_VERIFY_CACHED,
     .verify_cache_bytes = 16000,
     .delay_max = 3},
    {.name = "zoned-many",
     .text = "zoned, 46 small bands, a quarter of them spare, cleaned two blocks at a time",
     .facts = ZONED(FINISH, 48, 30, 1, 2, 8, 14, 2),
     .columns = 1,
     .op_permille = 300,
     .batch = 2,
     .delay_max = 2},
    {.name = "oc-many",
     .text = "Open-Channel, 44 small bands, a quarter of them spare, cleaned two blocks at a time",
     .facts = OCSSD(RESET_OPEN, 16, 1, 2, 46, 18, 2, 2, 2),
     .op_permille = 300,
     .batch = 2,
     .delay_max = 3},
    {.name = "flat",
     .text = "a flat medium, no write smaller than twelve blocks",
     .facts = FLAT(48, 96, 12),
     .delay_max = 3},
    {.name = "tiny",
     .text = "zoned, ten bands of twelve blocks: every cut of a run can be tried",
     .facts = ZONED(FINISH, 12, 12, 1, 2, 6, 8, 0),
     .columns = 1,
     .searched = true,
     .delay_max = 1},
    {.name = "tiny-oob",
     .text = "Open-Channel, one PU, ten bands of twelve blocks, a window of two",
     .facts = OCSSD(RESET_OPEN, 16, 1, 1, 12, 12, 1, 2, 2),
     .searched = true,
     .delay_max = 1},
};

unsigned shape_count(void)
{
    return sizeof shapes / sizeof shapes[0];
}

const struct shape *shape_at(unsigned index)
{
    return &shapes[index];
}

const struct shape *shape_find(const char *name)
{
    for (unsigned i = 0; i < shape_count(); i++)
        if (strcmp(shapes[i].name, name) == 0)
            return &shapes[i];
    return NULL;
}

static uint32_t between(struct prng *prng, uint32_t low, uint32_t high)
{
    return low + (uint32_t)prng_below(prng, (uint64_t)high - low + 1);
}

/* Many small bands, of which many are spare: there the end of a band is looked ahead at. */
static struct hftl_media_facts random_ocssd(struct prng *prng, bool many)
{
    uint32_t can = prng_chance(prng, 3, 4) ? RESET_OPEN : 0;
    can |= prng_chance(prng, 1, 3) ? QUEUE : 0;
    uint32_t groups = between(prng, 1, 2), units = between(prng, 1, 3);
    uint32_t min = between(prng, 1, 6), opt = min * between(prng, 1, 4);
    uint32_t mw = prng_chance(prng, 1, 4) ? 0 : between(prng, 1, 2 * opt);
    uint32_t want = (many ? between(prng, 36, 60) : between(prng, 90, 160)) / (groups * units);
    if (want < 3 * (opt + mw))
        want = 3 * (opt + mw);
    uint32_t blocks = (want + min - 1) / min * min;
    static const uint32_t oobs[] = {16, 16, 20, 64, 0};
    uint32_t oob = oobs[prng_below(prng, 5)];
    uint32_t chunks = between(prng, 22, 34) + (many ? 20 : 0);
    return (struct hftl_media_facts)OCSSD(can, oob, groups, units, chunks, blocks, min, opt, mw);
}

static struct hftl_media_facts random_zoned(struct prng *prng, uint32_t columns, bool many)
{
    uint32_t can = prng_chance(prng, 1, 2) ? FINISH : 0;
    can |= prng_chance(prng, 1, 2) ? QUEUE : 0;
    uint32_t opt = between(prng, 1, 12);
    uint32_t blocks = (many ? between(prng, 36, 60) : between(prng, 90, 150)) / columns;
    if (blocks < 3 * opt)
        blocks = 3 * opt;
    uint32_t zones = 2 + columns * (between(prng, 22, 30) + (many ? 20 : 0));
    uint32_t least = 2 + 2 * columns; /* without any overlap of bands; with all, 2 columns more */
    uint32_t open = prng_chance(prng, 1, 4) ? 0 : least + between(prng, 0, 3 * columns);
    /* A cut makes full zones active again that lose their end, so more than may be open. */
    uint32_t active = open ? least + 3 * columns + between(prng, 0, 4) : 0;
    return (struct hftl_media_facts)ZONED(can, zones, blocks, 1, opt, open, active, 0);
}

/* What is better read in vain than left out, and how much an operation may have. */
static void vary_io(struct hftl_media_facts *facts, struct prng *prng)
{
    uint32_t opt = facts->ws_opt;
    facts->read_gap_blocks = prng_chance(prng, 1, 3) ? 0 : between(prng, 1, 2 * opt);
    if (facts->read_gap_blocks >= facts->chunk_blocks)
        facts->read_gap_blocks = facts->chunk_blocks - 1;
    if (prng_chance(prng, 1, 2))
        facts->transfer_blocks_max = between(prng, opt, 4 * opt);
}

void shape_random(struct shape *shape, struct prng *prng)
{
    *shape = (struct shape){.name = "random", .text = "made from the seed"};
    shape->columns = between(prng, 1, 2);
    bool many = prng_chance(prng, 1, 2);
    if (prng_chance(prng, 1, 2))
        shape->facts = random_ocssd(prng, many);
    else
        shape->facts = random_zoned(prng, shape->columns, many);
    vary_io(&shape->facts, prng);
    if (shape->facts.kind == HFTL_KIND_OCSSD && prng_chance(prng, 1, 4))
        shape->bad_every = between(prng, 13, 40);
    uint32_t slices = shape->facts.ws_opt / shape->facts.ws_min;
    uint32_t divisor = between(prng, 1, slices);
    /* 0: none is asked for, and small units are joined. */
    shape->interleave = slices % divisor == 0 ? divisor : 0;
    shape->delay_max = between(prng, 0, 6);
    shape->queue = prng_chance(prng, 1, 2) ? between(prng, 3, 16) : 0;
    shape->in_order = prng_chance(prng, 1, 6);
    shape->verify = (enum hftl_verify)prng_below(prng, HFTL_VERIFY_CACHED + 1);
    shape->verify_cache_bytes = 1 + prng_below(prng, 20000);
    shape->op_permille = prng_chance(prng, 1, 2) ? 0 : between(prng, 100, 400);
    if (many) {
        shape->op_permille = between(prng, 250, 400);
        shape->batch = between(prng, 1, 2);
    }
}

static enum nand_latency fixed_latency = NAND_LATENCY_COUNT;
static char fixed_option[32];

void shape_fix_latency(enum nand_latency latency)
{
    fixed_latency = latency;
    snprintf(fixed_option, sizeof fixed_option, " --latency %s", nand_latency_name(latency));
}

bool shape_latency_is_fixed(void)
{
    return fixed_latency != NAND_LATENCY_COUNT;
}

const char *shape_latency_option(void)
{
    return fixed_option;
}

bool shape_checks_reads(const struct shape *shape)
{
    return shape->facts.oob_bytes > 0 || shape->verify != HFTL_VERIFY_RELOCATION;
}

struct nand *shape_make(const struct shape *shape, uint64_t seed)
{
    struct nand_options options = {.facts = shape->facts,
                                   .steady = shape->steady,
                                   .seed = shape->in_order ? 0 : seed | 1,
                                   .delay_max = shape->delay_max,
                                   .latency =
                                       shape_latency_is_fixed() ? fixed_latency : shape->latency,
                                   .bad_every = shape->bad_every,
                                   .queue = shape->queue};
    if (options.latency == NAND_LATENCY_NEVER)
        options.queue = 0; /* what stands still in it would keep all others out */
    return nand_create(&options);
}

struct harness_options shape_options(const struct shape *shape, const struct engine *engine,
                                     struct nand *nand, uint64_t seed)
{
    struct harness_options options = {.engine = engine,
                                      .nand = nand,
                                      .seed = seed,
                                      .depth = 8,
                                      .check_every = 0,
                                      .verify = shape->verify,
                                      .verify_cache_bytes = shape->verify_cache_bytes,
                                      .op_permille = shape->op_permille,
                                      .columns = shape->columns,
                                      .interleave = shape->interleave,
                                      .batch = shape->batch};
    /* One seed runs all shapes: each with a tuning of its own. */
    uint64_t own = seed ^ crc32c(0, shape->name, strlen(shape->name));
    tuning_choose(&options.tuning, own);
    options.recovery_memory_bytes = own & 1 ? RECOVERY_BYTES_MUCH : RECOVERY_BYTES_LITTLE;
    if (own >> 1 & 7) /* one in eight comes to the end of its numbers, again and again */
        return options;
    options.numbers_left = 1 + (uint32_t)(own >> 8) % OLD_NUMBERS_MAX;
    return options;
}
