/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Images that power cuts left, and nothing else: check finds nothing wrong with any of them, and
 * does not change a byte. Some are cut in their first life, some again while they recover, some
 * outlive their process and lose their power afterwards, or do not.
 */
#include "test/front/lives.h"

#include <stdlib.h>
#include <string.h>

/* One thread, so nothing for a search for races, which takes ten times as long. */
#ifdef __SANITIZE_THREAD__
#define IMAGES 14u
#else
#define IMAGES 200u
#endif

/* How many bands it says a cut left open. */
static unsigned examine(const char *path, const struct drive_shape *shape, uint64_t seed,
                        bool *clean)
{
    struct said said;
    uint32_t before = image_hash(path);
    image_examine(path, &said);
    if (said.result.errors != 0) {
        said_print(&said);
        fail_msg("%s, seed %llu: %llu errors", shape->name, (unsigned long long)seed,
                 (unsigned long long)said.result.errors);
    }
    assert_true(said.result.complete);
    assert_true(said.result.blocks_proven == said.result.blocks_mapped);
    assert_true(image_hash(path) == before);
    *clean = said.result.clean;
    unsigned bands = 0;
    for (unsigned i = 0; i < said.count; i++)
        bands += strcmp(said.findings[i].what, "band") == 0;
    return bands;
}

/* Nested: every second life dies early, most of these while they recover. Some are long enough to
 * close; the last one dies. */
static void cut(const char *path, struct prng *prng, bool outlives_host)
{
    unsigned lives = 1 + (unsigned)prng_below(prng, 4);
    bool died = false;
    char why[256];
    for (unsigned i = 0; i < lives || !died; i++) {
        struct life life = {.seed = prng_next(prng) | 1,
                            .requests = 80 + (unsigned)prng_below(prng, 300),
                            .fill = i == 0,
                            .spared = HFTL_NO_LBA};
        life.dies_after = 1 + (unsigned)prng_below(prng, i % 2 == 0 ? 2000 : 60);
        died = image_live(path, &life) == LIFE_DIED;
        if (outlives_host && died && prng_chance(prng, 1, 2))
            assert_int_equal(emu_power_cut(path, life.seed, why, sizeof(why)), HFTL_OK);
    }
}

static uint64_t choose_seed(void)
{
    const char *given = getenv("HFTL_SEED");
    return given != NULL ? strtoull(given, NULL, 0) : 1;
}

static void nothing_is_wrong_after_cuts(void **state)
{
    (void)state;
    uint64_t first = choose_seed();
    const char *path = image_path("cut.img");
    unsigned images = 0, unclean = 0, sealed = 0;
    for (; images < IMAGES; images++) {
        const struct drive_shape *shape = &drive_shapes[images % drive_shape_count];
        uint64_t seed = first + images;
        struct prng prng;
        bool clean;
        prng_seed(&prng, seed);
        bool outlives_host = prng_chance(&prng, 1, 3);
        image_make(path, shape, outlives_host, seed);
        cut(path, &prng, outlives_host);
        sealed += examine(path, shape, seed, &clean);
        unclean += !clean;
    }
    print_message("seeds %llu to %llu: %u images, %u not clean, %u bands cut\n",
                  (unsigned long long)first, (unsigned long long)first + images - 1, images,
                  unclean, sealed);
    assert_true(images == IMAGES && unclean > IMAGES / 2 && sealed > IMAGES / 2); /* not idle */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_wrong_after_cuts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
