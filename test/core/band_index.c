/* SPDX-License-Identifier: BSD-3-Clause */
/* What is found through the index is what a walk over all bands would find; and it costs no
 * walk. */
#include "test/core/stand.h"

#include "base/bitmap.h"

#include <stdlib.h>
#include <string.h>

static bool may_be_victim(const struct band *band)
{
    return band->state == BAND_CLOSED && !band->aside && !band->taken;
}

/* The best score of all bands. */
static double best_of_walk(const struct stand *stand)
{
    double best = 0;
    for (uint32_t i = 0; i < stand->device->geometry.bands; i++) {
        const struct band *band = &stand->device->bands[i];
        double score = may_be_victim(band) ? relocation_score(stand->device, band) : 0;
        best = score > best ? score : best;
    }
    return best;
}

static double best_of_index(const struct stand *stand)
{
    const struct band_index *index = &stand->device->index;
    double best = 0;
    for (uint64_t level = bitmap_find_set(index->occupied, index->slots, 0); level < index->slots;
         level = bitmap_find_set(index->occupied, index->slots, level + 1)) {
        const struct band *band = list_of(index->level[level].top, struct band, node);
        double score = relocation_score(stand->device, band);
        best = score > best ? score : best;
    }
    return best;
}

static void the_best_victim_of_the_levels_is_the_best_of_all(void **state)
{
    (void)state;
    unsigned looked = 0;
    for (unsigned i = 0; i < stand_shapes(); i++) {
        struct stand stand;
        stand_begin(&stand, stand_shape(i)->name);
        stand.unchecked = true;
        stand_write_all(&stand, 1);
        unsigned worth = 0;
        for (unsigned n = 0; n < 4000; n++) {
            if (n % 500 == 0)
                assert_int_equal(
                    device_set_policy(stand.device, victim_policy_at(n / 500 % 4)->name), HFTL_OK);
            stand_write(&stand, prng_below(&stand.prng, stand.expected_count), 1, n + 2);
            double walk = best_of_walk(&stand);
            assert_true(best_of_index(&stand) == walk);
            worth += walk > 0;
        }
        looked += worth;
        stand_check(&stand);
        stand_end(&stand);
    }
    assert_true(looked > 5000); /* otherwise there was nothing to choose */
}

/* Two PUs of which one has a bad chunk in every third band. */
static void narrower_bands_have_levels_of_their_own(void **state)
{
    (void)state;
    struct stand stand;
    stand_init(&stand, stand_shape_named("two PUs"));
    stand_detach(&stand);
    for (uint32_t chunk = 2; chunk < 24; chunk += 3)
        mem_retire(stand.store, chunk, HFTL_CHUNK_OFFLINE);
    stand_attach(&stand);
    stand_format(&stand);
    stand_open(&stand);
    stand_write_all(&stand, 1);
    for (unsigned n = 0; n < 4000; n++)
        stand_write(&stand, prng_below(&stand.prng, stand.expected_count), 1, n + 2);
    stand_verify(&stand); /* and the check after each step */
    stand_end(&stand);
}

static void the_check_sees_a_band_that_is_elsewhere(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "two PUs");
    struct device *device = stand.device;
    stand_write_all(&stand, 1);
    struct band *band = NULL;
    for (unsigned n = 0; n < 300; n++)
        stand_write(&stand, prng_below(&stand.prng, stand.expected_count), 1, n + 2);
    for (uint32_t i = 0; i < device->geometry.bands && band == NULL; i++)
        if (device->bands[i].shelf == SHELF_LEVEL)
            band = &device->bands[i];
    assert_non_null(band);
    band->aside = true;
    assert_int_equal(device_check(device, &stand.why), HFTL_CORRUPT);
    assert_non_null(strstr(stand.why.text, "D1"));
    band->aside = false;
    bitmap_clear(device->index.occupied, band->level);
    assert_int_equal(device_check(device, &stand.why), HFTL_CORRUPT);
    assert_non_null(strstr(stand.why.text, "D3"));
    bitmap_set(device->index.occupied, band->level);
    stand_check(&stand);
    stand_end(&stand);
}

/* Bands trimmed away by the thousand wait for one flush; until then nobody goes through them. */
static void what_is_emptied_is_erased_after_the_flush_that_covers_it(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "zoned");
    struct device *device = stand.device;
    stand_write_all(&stand, 1);
    stand.tap->hold_verbs = 1u << HFTL_MEDIA_FLUSH;
    struct ask ask;
    stand_ask(&stand, &ask, HFTL_TRIM, 0, 0, stand.expected_count, NULL);
    while (!ask.answered)
        stand_step(&stand);
    for (unsigned i = 0; i < 200; i++)
        stand_step(&stand);
    assert_int_equal(device->index.ready_count, 0);
    assert_true(device->index.volatile_count > 20);
    uint32_t free = device->bands_free;
    tap_release(stand.tap);
    stand_flush(&stand);
    memset(stand.expected, 0, stand.expected_count * sizeof(*stand.expected));
    assert_int_equal(device->index.volatile_count, 0);
    stand_settle(&stand);
    assert_true(device->bands_free > free + 20);
    stand_verify(&stand);
    stand_end(&stand);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_victim_of_the_levels_is_the_best_of_all),
        cmocka_unit_test(narrower_bands_have_levels_of_their_own),
        cmocka_unit_test(the_check_sees_a_band_that_is_elsewhere),
        cmocka_unit_test(what_is_emptied_is_erased_after_the_flush_that_covers_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
