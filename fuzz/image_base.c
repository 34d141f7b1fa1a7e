/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/prng.h"
#include "format/superblock.h"
#include "fuzz/image.h"
#include "sim/nand_inside.h"

#include <stdlib.h>
#include <string.h>

#define MEMORY_MAX (UINT64_C(64) << 20)
#define STEPS_MAX 200000u

struct plan {
    const char *shape;
    bool clean;
    uint32_t acts;
};

/* OOB and summaries, windows, slices, bad chunks; young, worn, and cut ones. */
static const struct plan plans[] = {
    {"oc", true, 300},         {"oc", false, 900},          {"oc-bare", true, 900},
    {"oc-bare", false, 300},   {"zoned", true, 900},        {"zoned", false, 900},
    {"zoned-2", false, 300},   {"zoned-cached", true, 500}, {"flat", true, 300},
    {"flat", false, 600},      {"oc-strict", false, 500},   {"oc-bad", true, 500},
    {"oc-slices", false, 500}, {"bare-slices", true, 500},  {"zoned-tight", false, 500},
    {"oc-1pu", true, 100},
};

#define PLANS (sizeof plans / sizeof plans[0])
static struct base bases[PLANS];

unsigned base_count(void)
{
    return PLANS;
}

/* ---- the world ------------------------------------------------------------------------------- */

static void *(*lend)(void *arg, size_t bytes);

static void *lend_some(void *arg, size_t bytes)
{
    const struct sim_world *sim = arg;
    return bytes > MEMORY_MAX || sim->bytes + bytes > MEMORY_MAX ? NULL : lend(arg, bytes);
}

void image_world(struct sim_world *sim)
{
    sim_world_init(sim, 1);
    sim->verbose = getenv("HFTL_VERBOSE") != NULL;
    lend = sim->world.alloc;
    sim->world.alloc = lend_some;
}

enum hftl_status image_open(struct nand *nand, const struct base *base, struct sim_world *sim,
                            struct device **device, bool read_only,
                            void (*complete)(void *arg, struct hftl_request *request), void *arg)
{
    struct why why = {""};
    struct device_options options = {
        .world = sim->world,
        .complete = complete,
        .complete_arg = arg,
        .read_only = read_only,
        .verify = base->shape->verify,
        .verify_cache_bytes = base->shape->verify_cache_bytes,
        .write_buffer_bytes = 64u << 10,
        .recovery_memory_bytes = 256u << 10,
    };
    enum hftl_status status = device_open(nand_media(nand), &options, device, &why);
    must_show(status == HFTL_OK || why.text[0] != '\0', status, 0); /* C13: with a reason */
    return status;
}

/* ---- contents -------------------------------------------------------------------------------- */

void image_fill(uint8_t *block, uint32_t bytes, uint64_t lba, uint64_t version)
{
    memset(block, 0, bytes);
    for (uint32_t at = 0; version != 0 && at + 16 <= bytes; at += 16) {
        memcpy(block + at, &lba, 8);
        memcpy(block + at + 8, &version, 8);
    }
}

bool image_is(const uint8_t *block, uint32_t bytes, uint64_t lba, uint64_t *version)
{
    uint8_t expected[FORMAT_BLOCK_BYTES_MAX];
    memcpy(version, block + 8, 8);
    image_fill(expected, bytes, lba, *version);
    return memcmp(block, expected, bytes) == 0;
}

/* ---- a history ------------------------------------------------------------------------------- */

static void note_answer(void *arg, struct hftl_request *request)
{
    bool *answered = arg;
    must_show(request->status == HFTL_OK, request->status, request->lba);
    *answered = true;
}

struct life {
    struct device *device;
    bool answered;
    uint32_t block_bytes;
    uint64_t version;
    uint8_t data[8 * FORMAT_BLOCK_BYTES_MAX];
};

static void act(struct life *life, enum hftl_verb verb, uint64_t lba, uint64_t blocks)
{
    struct iovec iov = {life->data, (size_t)blocks * life->block_bytes};
    struct hftl_request request = {.verb = verb, .lba = lba, .blocks = blocks};
    if (verb == HFTL_WRITE || verb == HFTL_READ) {
        request.iov = &iov;
        request.iov_count = 1;
    }
    if (verb == HFTL_WRITE) {
        life->version++;
        for (uint64_t i = 0; i < blocks; i++)
            image_fill(life->data + i * life->block_bytes, life->block_bytes, lba + i,
                       life->version);
    }
    life->answered = false;
    device_submit(life->device, &request);
    for (uint32_t i = 0; !life->answered; i++) {
        must_show(i < STEPS_MAX, verb, lba);
        (void)device_step(life->device);
    }
}

static void live(struct life *life, uint64_t total, uint32_t acts, struct prng *prng)
{
    for (uint64_t lba = 0; lba + 8 <= total && lba < total * 3 / 4; lba += 8)
        act(life, HFTL_WRITE, lba, 8);
    act(life, HFTL_FLUSH, 0, 0);
    for (uint32_t i = 0; i < acts; i++) {
        uint64_t blocks = 1 + prng_below(prng, 8), lba = prng_below(prng, total - blocks);
        uint64_t what = prng_below(prng, 20);
        act(life,
            what < 2   ? HFTL_TRIM
            : what < 4 ? HFTL_FLUSH
                       : HFTL_WRITE,
            what >= 2 && what < 4 ? 0 : lba, what >= 2 && what < 4 ? 0 : blocks);
    }
}

static void learn_versions(struct base *base, struct life *life)
{
    struct nand *copy = nand_fork(base->nand);
    struct sim_world sim;
    base->versions = calloc(base->blocks, sizeof *base->versions);
    must(base->versions != NULL);
    image_world(&sim);
    must(image_open(copy, base, &sim, &life->device, false, note_answer, &life->answered) ==
         HFTL_OK);
    for (uint64_t lba = 0; lba < base->blocks; lba++) {
        act(life, HFTL_READ, lba, 1);
        must_show(image_is(life->data, life->block_bytes, lba, &base->versions[lba]), lba, 0);
    }
    device_discard(life->device);
    must(sim.blocks == 0);
    nand_destroy(copy);
}

/* The layout and salt, from the record that the drive begins with. */
static void learn(struct base *base, const uint8_t id[FORMAT_ID_BYTES])
{
    const struct hftl_media_facts *facts = &nand_media(base->nand)->facts;
    struct format_context any = {.block_bytes = facts->block_bytes, .any_device = true};
    for (uint32_t i = 0; i < base->nand->count; i++) {
        const struct nand_cell *cell = &base->nand->cells[i];
        struct format_place where = {0, 0};
        struct superblock record;
        if (cell->page &&
            superblock_decode(&any, &where, cell->page->data,
                              (size_t)cell->reach * facts->block_bytes, &record) == HFTL_OK)
            base->layout = record.layout;
    }
    must(base->layout.bands > 0);
    geometry_init(&base->geometry, &base->layout);
    base->ctx =
        (struct format_context){.salt = base->layout.salt, .block_bytes = facts->block_bytes};
    memcpy(base->ctx.id, id, FORMAT_ID_BYTES);
}

static void make(struct base *base, const struct plan *plan)
{
    struct hftl_format_options options = {.size = sizeof options, .name = "fuzz"};
    struct hftl_info info = {.size = sizeof info};
    struct why why = {""};
    struct sim_world sim;
    struct shape shape = *shape_find(plan->shape);
    struct prng prng;
    struct life *life = calloc(1, sizeof *life);

    must(life != NULL);
    shape.in_order = true;
    shape.delay_max = 0;
    *base =
        (struct base){.shape = shape_find(plan->shape), .clean = plan->clean, .acts = plan->acts};
    base->nand = shape_make(&shape, 1);
    image_world(&sim);
    prng_seed(&prng, plan->acts);
    options.columns = shape.columns;
    options.interleave = shape.interleave;
    must(device_format(nand_media(base->nand), &sim.world, &options, &info, &why) == HFTL_OK);
    must(image_open(base->nand, base, &sim, &life->device, false, note_answer, &life->answered) ==
         HFTL_OK);
    life->block_bytes = shape.facts.block_bytes;
    base->blocks = device_blocks(life->device);
    live(life, base->blocks, plan->acts, &prng);
    if (plan->clean) {
        must(device_close(life->device) == HFTL_OK);
    } else {
        device_discard(life->device);
        nand_cut(base->nand, NAND_CUT_TORN, plan->acts);
    }
    must(sim.blocks == 0);
    learn_versions(base, life);
    free(life);
    learn(base, info.id);
}

struct base *base_get(unsigned number)
{
    struct base *base = &bases[number % PLANS];
    if (base->nand == NULL)
        make(base, &plans[number % PLANS]);
    return base;
}
