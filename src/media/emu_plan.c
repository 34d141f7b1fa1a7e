/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * emu_plan.c - from what somebody asked for to a whole geometry.
 *
 * What was asked for is kept to the digit; only what is 0 is chosen. The choice aims at 32 chunks
 * or more a parallel unit down to 16 MiB, so that a small drive exercises the same code as a large
 * one.
 */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/prng.h"
#include "media/emu.h"
#include "media/say.h"

#define SMALLEST_BYTES (16ull << 20)
#define LARGEST_BYTES (1ull << 52)

static uint32_t choose(uint32_t asked, uint32_t otherwise)
{
    return asked == 0 ? otherwise : asked == EMU_NONE ? 0 : asked;
}

/* The greatest power of two <= x; x > 0. */
static uint64_t floor_power(uint64_t x)
{
    return 1ull << (63 - __builtin_clzll(x));
}

static void plan_pus(const struct emu_create_options *o, struct hftl_media_facts *f)
{
    uint32_t groups = o->bytes != 0 && o->bytes < (64ull << 20) ? 1 : 2;
    uint32_t pus = o->bytes >= (256ull << 30) ? 8 : o->bytes >= (16ull << 30) ? 4 : 2;
    f->groups = choose(o->groups, groups);
    f->pus_per_group = choose(o->pus_per_group, pus);
}

static void plan_ocssd(const struct emu_create_options *o, struct hftl_media_facts *f)
{
    plan_pus(o, f);
    f->flags = HFTL_MEDIA_NEEDS_ERASE;
    f->oob_bytes = choose(o->oob_bytes, 64);
    f->ws_min = choose(o->ws_min, o->ws_opt ? o->ws_opt : 4);
    f->ws_opt = choose(o->ws_opt, o->ws_min ? o->ws_min : 8);
    f->mw_cunits = choose(o->mw_cunits, 16);
    f->open_max = choose(o->open_max, 0);
    f->active_max = choose(o->active_max, 0);
    uint64_t pu_blocks =
        o->bytes / f->block_bytes / max_u32(1, f->groups) / max_u32(1, f->pus_per_group);
    uint64_t blocks = 1024; /* 64 chunks a PU, or 32 where they would be smaller than 128 blocks */
    if (o->chunks_per_pu != 0 && o->bytes != 0)
        blocks = max_u64(1, min_u64(pu_blocks / o->chunks_per_pu, 1u << 30));
    else {
        while (blocks > 128 && pu_blocks / blocks < 64)
            blocks /= 2;
        while (blocks > 64 && pu_blocks / blocks < 32)
            blocks /= 2;
        while (blocks < 65536 && pu_blocks / blocks > 2048)
            blocks *= 2;
    }
    if (f->ws_opt != 0 && f->ws_opt <= blocks)
        blocks -= blocks % f->ws_opt;
    f->chunk_blocks = choose(o->chunk_blocks, (uint32_t)max_u64(blocks, 2ull * f->ws_opt));
    if (o->mw_cunits == 0 && f->mw_cunits > f->chunk_blocks / 4)
        f->mw_cunits = f->chunk_blocks / 4;
}

static void plan_zoned(const struct emu_create_options *o, struct hftl_media_facts *f,
                       uint32_t *zone_blocks)
{
    f->groups = choose(o->groups, 1);
    f->pus_per_group = choose(o->pus_per_group, 1);
    f->flags = HFTL_MEDIA_NEEDS_ERASE | HFTL_MEDIA_CAN_RESET_OPEN | HFTL_MEDIA_CAN_FINISH;
    f->oob_bytes = choose(o->oob_bytes, 0);
    f->ws_min = choose(o->ws_min, o->ws_opt && o->ws_opt % 4 ? o->ws_opt : 1);
    f->ws_opt = choose(o->ws_opt, o->ws_min ? o->ws_min : 4);
    f->mw_cunits = choose(o->mw_cunits, 0);
    f->open_max = choose(o->open_max, o->active_max && o->active_max < 14 ? o->active_max : 14);
    f->active_max =
        choose(o->active_max, o->open_max > 14 && o->open_max != EMU_NONE ? o->open_max : 14);
    if (o->open_max == EMU_NONE && o->active_max == 0)
        f->active_max = 0;
    uint64_t size = o->bytes / 128;
    if (o->chunks_per_pu != 0 && o->bytes != 0)
        size = o->bytes / o->chunks_per_pu;
    else
        size = floor_power(min_u64(max_u64(size, 256u << 10), 256u << 20));
    uint32_t blocks = (uint32_t)min_u64(size / f->block_bytes, 1u << 30);
    uint32_t round = max_u32(f->ws_opt, 1);
    uint32_t capacity = choose(o->zone_blocks, blocks);
    capacity -= capacity / 8;
    capacity -= capacity % round;
    f->chunk_blocks = choose(o->chunk_blocks, max_u32(capacity, 2 * round));
    *zone_blocks = choose(o->zone_blocks, max_u32(blocks, f->chunk_blocks));
}

static void plan_count(const struct emu_create_options *o, struct emu_header *header)
{
    struct hftl_media_facts *f = &header->facts;
    uint64_t stride = (uint64_t)header->zone_blocks * f->block_bytes;
    uint64_t pus = (uint64_t)f->groups * f->pus_per_group;
    uint64_t count = 0;
    if (stride != 0 && pus != 0)
        count = o->bytes / stride / pus;
    f->chunks_per_pu = choose(o->chunks_per_pu, (uint32_t)min_u64(count, UINT32_MAX - 1));
}

/* The id and the seed come from chance unless a seed was given; then both follow from it. */
static enum hftl_status plan_identity(const struct emu_create_options *o, struct emu_header *header,
                                      const struct say *to)
{
    header->seed = o->seed;
    if (o->seed == 0) {
        FILE *chance = fopen("/dev/urandom", "rb");
        size_t got = chance ? fread(&header->seed, 1, sizeof header->seed, chance) : 0;
        if (chance)
            fclose(chance);
        if (got != sizeof header->seed)
            return say(to, HFTL_IO, "cannot read /dev/urandom for an identity");
    }
    struct prng prng;
    prng_seed(&prng, header->seed);
    put_u64(header->facts.id, prng_next(&prng));
    put_u64(header->facts.id + 8, prng_next(&prng) | 1); /* never all zeros */
    return HFTL_OK;
}

static enum hftl_status check_asked(const struct emu_create_options *o, const struct say *to)
{
    if (o->size != sizeof *o)
        return say(to, HFTL_INVALID, "the options come from another version");
    if (o->kind != HFTL_KIND_OCSSD && o->kind != HFTL_KIND_ZONED)
        return say(to, HFTL_INVALID, "an emulated drive is of kind ocssd or zoned");
    if (o->bytes == 0 && o->chunks_per_pu == 0)
        return say(to, HFTL_INVALID, "neither a size nor a number of chunks was given");
    if (o->bytes > LARGEST_BYTES)
        return say(to, HFTL_GEOMETRY, "more than 2^52 bytes were asked for");
    bool whole = o->chunks_per_pu != 0 && o->chunk_blocks != 0;
    if (!whole && o->bytes == 0)
        return say(to, HFTL_GEOMETRY, "%u chunks, but neither their blocks nor a size are given",
                   o->chunks_per_pu);
    if (!whole && o->bytes < SMALLEST_BYTES)
        return say(to, HFTL_GEOMETRY, "%llu bytes are asked for; the smallest drive has 16 MiB",
                   (unsigned long long)o->bytes);
    if (o->kind == HFTL_KIND_OCSSD && o->zone_blocks != 0 && o->zone_blocks != o->chunk_blocks)
        return say(to, HFTL_INVALID, "only a zoned drive has a zone size besides its capacity");
    return HFTL_OK;
}

static enum hftl_status check_plan(const struct emu_create_options *o,
                                   const struct emu_header *header, const struct say *to)
{
    const struct hftl_media_facts *f = &header->facts;
    uint64_t asked = o->bytes / max_u64(1, f->block_bytes);
    if (o->bytes != 0 && f->chunks_per_pu == 0)
        return say(to, HFTL_GEOMETRY,
                   "%llu bytes do not hold one chunk of %u blocks in each of "
                   "%u x %u parallel units",
                   (unsigned long long)o->bytes, f->chunk_blocks, f->groups, f->pus_per_group);
    const char *nonsense = hftl_media_facts_nonsense(f);
    if (nonsense)
        return say(to, HFTL_GEOMETRY, "no such drive: %s", nonsense);
    if (header->zone_blocks < f->chunk_blocks)
        return say(to, HFTL_GEOMETRY, "zones of %u blocks cannot have a capacity of %u",
                   header->zone_blocks, f->chunk_blocks);
    if (o->bytes != 0 && (uint64_t)hftl_media_chunks(f) * header->zone_blocks > asked)
        return say(to, HFTL_GEOMETRY, "%u chunks of %u blocks are more than the size asked for",
                   hftl_media_chunks(f), header->zone_blocks);
    if ((uint64_t)o->bad_chunks + o->short_chunks >= hftl_media_chunks(f))
        return say(to, HFTL_GEOMETRY, "%u chunks, and %u of them bad or short: none is left",
                   hftl_media_chunks(f), o->bad_chunks + o->short_chunks);
    if (header->cache_bytes > 1ull << 40)
        return say(to, HFTL_GEOMETRY, "a volatile cache of more than 2^40 bytes");
    return HFTL_OK;
}

enum hftl_status emu_plan(const struct emu_create_options *options, struct emu_header *header,
                          char *why, size_t why_bytes)
{
    const struct say to = {why, why_bytes};
    enum hftl_status status = check_asked(options, &to);
    if (status != HFTL_OK)
        return status;
    memset(header, 0, sizeof *header);
    struct hftl_media_facts *f = &header->facts;
    f->size = sizeof *f;
    f->kind = options->kind;
    f->block_bytes = choose(options->block_bytes, 4096);
    if (f->block_bytes < 512)
        return say(&to, HFTL_GEOMETRY, "no such drive: blocks of less than 512 bytes");
    if (f->kind == HFTL_KIND_ZONED) {
        plan_zoned(options, f, &header->zone_blocks);
    } else {
        plan_ocssd(options, f);
        header->zone_blocks = f->chunk_blocks;
    }
    plan_count(options, header);
    f->flags = (f->flags | options->flags_set) & ~options->flags_clear;
    f->atomic_blocks = options->atomic_blocks;
    f->reset_limit = options->reset_limit;
    uint32_t transfer = max_u32((1u << 20) / f->block_bytes, f->ws_opt);
    f->transfer_blocks_max = choose(options->transfer_blocks_max, transfer);
    header->cache_bytes = options->cache_given ? options->cache_bytes : EMU_CACHE_DEFAULT;
    header->outlives_host = options->outlives_host;
    header->no_fsync = options->no_fsync;
    header->reads_predefined = options->reads == EMU_READS_BY_KIND
                                   ? f->kind == HFTL_KIND_OCSSD
                                   : options->reads == EMU_READS_PREDEFINED;
    f->volatile_cache = header->outlives_host || header->cache_bytes > 0;
    status = plan_identity(options, header, &to);
    return status == HFTL_OK ? check_plan(options, header, &to) : status;
}
