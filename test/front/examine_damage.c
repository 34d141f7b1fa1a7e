/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Images damaged on purpose, a bit at a time: check names what was damaged, where, and whose block
 * it was; dump shows it as bad, and everything else; neither changes a byte. Each image was closed
 * cleanly, so nothing but damage can explain what is found.
 */
#define _GNU_SOURCE
#include "front/live.h"
#include "lifecycle/look.h"
#include "lifecycle/look_super.h"
#include "lifecycle/superfind.h"
#include "test/front/lives.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DAMAGES_LEAST 200u
#define SPOTS_MAX 4096u
#define PER_TARGET 4u

/* What may be damaged. `what` is the word of the finding. */
#define TARGETS(X)                                                                                 \
    X(SUPER_ONE, "superblock")                                                                     \
    X(SUPER_BOTH, "superblock")                                                                    \
    X(HEAD, "head")                                                                                \
    X(TAIL, "tail")                                                                                \
    X(SUMMARY, "summary")                                                                          \
    X(LIVE, "data")                                                                                \
    X(STALE, "data")                                                                               \
    X(IDENTITY, "identity")                                                                        \
    X(PAGE, "trim page")                                                                           \
    X(LOST_MARK, "lost block")

enum target {
#define TARGET_ENUM(name, what) name,
    TARGETS(TARGET_ENUM)
#undef TARGET_ENUM
        TARGET_COUNT
};
static const char *const whats[] = {
#define TARGET_WHAT(name, what) what,
    TARGETS(TARGET_WHAT)
#undef TARGET_WHAT
};
static const char *const target_names[] = {
#define TARGET_NAME(name, what) #name,
    TARGETS(TARGET_NAME)
#undef TARGET_NAME
};

struct spot {
    enum target target;
    uint32_t chunk, offset;
    uint64_t lba;
};

/* What an image holds, seen from inside. */
struct map_of_spots {
    struct look look;
    struct hftl_media *medium;
    struct device *device;
    bool tailed; /* the band being walked has a tail */
    struct spot spots[TARGET_COUNT][SPOTS_MAX];
    unsigned counts[TARGET_COUNT];
    struct emu_inspection drive;
    unsigned done[TARGET_COUNT];
};

static void add(struct map_of_spots *map, enum target target, uint32_t chunk, uint32_t offset,
                uint64_t lba)
{
    if (map->counts[target] < SPOTS_MAX)
        map->spots[target][map->counts[target]++] = (struct spot){target, chunk, offset, lba};
}

static void take_block(void *arg, const struct look_block *block)
{
    struct map_of_spots *map = arg;
    struct look_verdict v = look_judge(&map->look, block);
    if (v.status != HFTL_OK || !v.named)
        return;
    hftl_pba pba = geometry_pba(&map->device->geometry, map->look.band->index, block->position);
    bool data = v.ident.kind == IDENT_DATA;
    uint64_t lba = data || v.ident.kind == IDENT_LOST ? v.ident.lba : HFTL_NO_LBA;
    bool mapped = lba != HFTL_NO_LBA && map_holds(map->device, lba, false, pba);
    if (data)
        add(map, mapped ? LIVE : STALE, block->chunk, block->offset, lba);
    if (v.ident.kind == IDENT_HEAD)
        add(map, HEAD, block->chunk, block->offset, HFTL_NO_LBA);
    if (v.ident.kind == IDENT_TAIL)
        add(map, TAIL, block->chunk, block->offset, HFTL_NO_LBA);
    if (v.ident.kind == IDENT_SUMMARY)
        add(map, SUMMARY, block->chunk, block->offset, HFTL_NO_LBA);
    if (v.ident.kind == IDENT_TRIM)
        add(map, PAGE, block->chunk, block->offset, HFTL_NO_LBA);
    if (v.ident.kind == IDENT_LOST)
        add(map, LOST_MARK, block->chunk, block->offset, lba);
    if (map->tailed && block->oob != NULL && v.source == LOOK_TAIL)
        add(map, IDENTITY, block->chunk, block->offset, lba);
}

static void take_record(void *arg, const struct look_record *record)
{
    struct spot *newest = arg;
    if (record->status == HFTL_OK)
        *newest = (struct spot){SUPER_ONE, record->chunk, record->offset, HFTL_NO_LBA};
}

static void take_superblocks(struct map_of_spots *map, const struct blocking *b)
{
    struct found found;
    struct why why;
    assert_int_equal(superfind(b, NULL, &found, &why), HFTL_OK);
    for (uint32_t copy = 0; copy < 2; copy++) {
        struct spot newest = {0};
        assert_int_equal(look_records(b, &found.record, copy, take_record, &newest), HFTL_OK);
        add(map, SUPER_ONE, newest.chunk, newest.offset, HFTL_NO_LBA);
        add(map, SUPER_BOTH, newest.chunk, newest.offset, HFTL_NO_LBA);
    }
    superfind_free(b, &found);
}

static void take_bands(struct map_of_spots *map)
{
    for (uint32_t i = 0; i < map->device->geometry.bands; i++) {
        const struct band *band = &map->device->bands[i];
        if (band->valid == 0)
            continue;
        look_begin(&map->look, band);
        look_take_own(&map->look);
        map->tailed = look_take_tail(&map->look, NULL, NULL);
        look_walk(&map->look, take_block, map);
    }
}

static void complete(void *arg, struct hftl_request *request)
{
    (void)arg;
    (void)request;
}

static struct map_of_spots *survey(const char *path)
{
    struct map_of_spots *map = calloc(1, sizeof(*map));
    struct live live;
    live_init(&live, NULL, NULL);
    struct world world = live_world(&live);
    struct device_options options = {.world = world, .complete = complete};
    struct why why;
    char text[256];
    assert_int_equal(
        hftl_media_open(path, HFTL_MEDIA_OPEN_PRIVATE, &map->medium, text, sizeof(text)), HFTL_OK);
    struct blocking b = {map->medium, &world, NULL, NULL};
    take_superblocks(map, &b); /* before opening adds a record */
    assert_int_equal(device_open(map->medium, &options, &map->device, &why), HFTL_OK);
    assert_int_equal(look_start(&map->look, &b, map->device), HFTL_OK);
    take_bands(map);
    device_discard(map->device);
    map->medium->ops->close(map->medium);
    assert_int_equal(emu_inspect(path, &map->drive, text, sizeof(text)), HFTL_OK);
    return map;
}

static void free_map(struct map_of_spots *map)
{
    emu_inspection_free(&map->drive);
    free(map);
}

/* ---- damaging ---- */

struct flip {
    off_t at;
    uint8_t bit;
};

static struct flip choose_bit(const struct map_of_spots *map, const struct spot *spot,
                              struct prng *prng)
{
    const struct hftl_media_facts *facts = &map->drive.header.facts;
    uint64_t at = map->drive.layout.data_at + spot->chunk * map->drive.layout.chunk_stride;
    if (spot->target == IDENTITY)
        at += map->drive.layout.oob_in_chunk + (uint64_t)spot->offset * facts->oob_bytes +
              prng_below(prng, FORMAT_IDENT_BYTES);
    else
        at += (uint64_t)spot->offset * facts->block_bytes + prng_below(prng, facts->block_bytes);
    return (struct flip){(off_t)at, (uint8_t)(1u << prng_below(prng, 8))};
}

static void flip(const char *path, const struct flip *flip)
{
    uint8_t byte;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0 && pread(fd, &byte, 1, flip->at) == 1);
    byte ^= flip->bit;
    assert_true(pwrite(fd, &byte, 1, flip->at) == 1);
    (void)close(fd);
}

/* The only record of a copy: when both are gone nobody knows what was where. */
static bool names(const struct hftl_finding *f, const struct spot *spot)
{
    if (spot->target == SUPER_BOTH && spot->offset == 0)
        return f->level == HFTL_FINDING_ERROR && strcmp(f->what, "superblock") == 0;
    return f->level == HFTL_FINDING_ERROR && strcmp(f->what, whats[spot->target]) == 0 &&
           f->place.chunk == spot->chunk && f->place.offset == spot->offset &&
           f->lba == spot->lba && (spot->target != LOST_MARK || f->status != HFTL_LOST);
}

static void must_be_named(const struct said *said, const struct spot *spot, const struct flip *flip)
{
    for (unsigned i = 0; i < said->count; i++)
        if (names(&said->findings[i], spot))
            return;
    said_print(said);
    fail_msg("%s at chunk %u, block %u, lba %lld (byte %lld, bit 0x%x) is not named",
             target_names[spot->target], spot->chunk, spot->offset, (long long)spot->lba,
             (long long)flip->at, flip->bit);
}

struct dumped {
    const struct spot *spot;
    unsigned items, bad;
    bool found; /* an item says that the spot is bad */
};

static void take_item(void *arg, const struct hftl_dump_item *item)
{
    struct dumped *dumped = arg;
    dumped->items++;
    dumped->bad += !item->ok;
    if (!item->ok && dumped->spot != NULL && item->place.chunk == dumped->spot->chunk &&
        item->place.offset == dumped->spot->offset)
        dumped->found = true;
}

static struct dumped dump(const char *path, const struct spot *spot)
{
    struct hftl_dump_options options;
    struct dumped dumped = {.spot = spot};
    char why[256];
    hftl_dump_options_init(&options);
    options.what = HFTL_DUMP_ALL;
    options.item = take_item;
    options.item_arg = &dumped;
    assert_int_equal(hftl_dump(path, &options, why, sizeof(why)), HFTL_OK);
    return dumped;
}

/* Everything else is still shown. */
static void must_be_dumped(const char *path, const struct spot *spot)
{
    struct dumped dumped = dump(path, spot);
    bool gone = spot->target == SUPER_BOTH && spot->offset == 0; /* a head says where all is */
    assert_true(dumped.found || gone);
    assert_true(dumped.items > 1000);
}

/* One spot, or the newest record of both copies. Undone at the end. */
static void damage(const char *path, struct map_of_spots *map, enum target target,
                   struct prng *prng)
{
    struct spot spots[2];
    struct flip flips[2];
    struct said said;
    unsigned count = target == SUPER_BOTH ? 2 : 1;
    for (unsigned i = 0; i < count; i++) {
        uint64_t nth = count == 2 ? i : prng_below(prng, map->counts[target]);
        spots[i] = map->spots[target][nth];
        flips[i] = choose_bit(map, &spots[i], prng);
        flip(path, &flips[i]);
    }
    uint32_t before = image_hash(path);
    image_examine(path, &said);
    for (unsigned i = 0; i < count; i++)
        must_be_named(&said, &spots[i], &flips[i]);
    for (unsigned i = 0; i < count && map->done[target] == 0; i++)
        must_be_dumped(path, &spots[i]);
    assert_true(image_hash(path) == before);
    for (unsigned i = 0; i < count; i++)
        flip(path, &flips[i]);
    map->done[target]++;
}

/* ---- images ---- */

static void make_clean(const char *path, const struct drive_shape *shape, uint64_t seed)
{
    image_make(path, shape, false, seed);
    for (unsigned i = 0; i < 3; i++) {
        struct life life = {
            .seed = seed * 10 + i + 1, .requests = 400, .fill = i == 0, .spared = HFTL_NO_LBA};
        assert_int_equal(image_live(path, &life), LIFE_CLOSED);
    }
}

/* A live block decays, and is left alone until it had to move. */
static void lose_a_block(const char *path, uint64_t seed)
{
    struct map_of_spots *map = survey(path);
    struct prng prng;
    prng_seed(&prng, seed);
    struct spot spot = map->spots[LIVE][prng_below(&prng, map->counts[LIVE])];
    struct flip chosen = choose_bit(map, &spot, &prng);
    flip(path, &chosen);
    free_map(map);
    for (unsigned i = 0; i < 6; i++) {
        struct life life = {.seed = seed + i, .requests = 2500, .spared = spot.lba};
        struct said said;
        assert_int_equal(image_live(path, &life), LIFE_CLOSED);
        image_examine(path, &said);
        if (said.result.blocks_lost > 0 && said.result.errors == 1) {
            assert_true(said.findings[0].lba == spot.lba);
            assert_int_equal(said.findings[0].status, HFTL_LOST);
            return;
        }
    }
    fail_msg("lba %llu was never lost", (unsigned long long)spot.lba);
}

static void examine_clean(const char *path, uint64_t errors)
{
    struct said said;
    uint32_t before = image_hash(path);
    image_examine(path, &said);
    if (said.result.errors != errors)
        said_print(&said);
    assert_int_equal(said.result.errors, errors);
    assert_true(said.result.clean && said.result.complete);
    assert_int_equal(dump(path, NULL).bad, 0);
    assert_true(image_hash(path) == before);
}

static unsigned damage_all(const char *path, uint64_t seed, bool lost, unsigned totals[])
{
    struct map_of_spots *map = survey(path);
    struct prng prng;
    unsigned sum = 0;
    prng_seed(&prng, seed);
    for (enum target target = 0; target < TARGET_COUNT; target++)
        for (unsigned i = 0; i < PER_TARGET && map->counts[target] > 0; i++)
            damage(path, map, target, &prng);
    for (enum target target = 0; target < TARGET_COUNT; target++) {
        totals[target] += map->done[target];
        sum += map->done[target];
    }
    assert_true(!lost || map->done[LOST_MARK] > 0);
    free_map(map);
    examine_clean(path, lost ? 1 : 0); /* all was undone */
    return sum;
}

static uint64_t choose_seed(void)
{
    const char *given = getenv("HFTL_SEED");
    return given != NULL ? strtoull(given, NULL, 0) : 1;
}

static void what_was_damaged_is_named(void **state)
{
    (void)state;
    const char *path = image_path("damaged.img");
    uint64_t seed = choose_seed();
    unsigned totals[TARGET_COUNT] = {0}, sum = 0;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (unsigned i = 0; i < drive_shape_count; i++) {
        bool lost = i % 3 == 1;
        make_clean(path, &drive_shapes[i], seed + i);
        examine_clean(path, 0);
        if (lost)
            lose_a_block(path, seed + 100 * i);
        sum += damage_all(path, seed + i, lost, totals);
    }
    for (enum target target = 0; target < TARGET_COUNT; target++) {
        print_message("%s: %u\n", target_names[target], totals[target]);
        assert_true(totals[target] > 0);
    }
    print_message("%u damages, all named\n", sum);
    assert_true(sum >= DAMAGES_LEAST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_damaged_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
