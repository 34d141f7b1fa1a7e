/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Chunks that are bad from the factory, any number of them anywhere: what format promises then can
 * be written, overwritten and read, and where nothing can be promised format says so.
 */
#include "test/core/stand.h"

#include <string.h>

#define SEEDS 12u

/* Bad are about `permille` of all chunks, or, for clustering, of those of some units only. */
static void retire_some(struct stand *stand, const struct hftl_media_facts *facts, unsigned seed,
                        unsigned permille)
{
    struct prng prng;
    prng_seed(&prng, 1000 + seed);
    uint32_t chunks = hftl_media_chunks(facts);
    uint32_t pus = chunks / facts->chunks_per_pu;
    uint32_t worst = (uint32_t)prng_below(&prng, pus);
    stand_detach(stand);
    for (uint32_t chunk = 0; chunk < chunks; chunk++) {
        bool here = seed % 3 != 0 || chunk / facts->chunks_per_pu == worst;
        if (here && prng_chance(&prng, permille, 1000))
            mem_retire(stand->store, chunk,
                       seed % 2 == 0 ? HFTL_CHUNK_OFFLINE : HFTL_CHUNK_READ_ONLY);
    }
    stand_attach(stand);
}

/* All of it twice in order, twice as much at random places, a clean close and a cut. */
static void use_all_of_it(struct stand *stand, unsigned seed)
{
    struct prng prng;
    prng_seed(&prng, seed);
    stand_open(stand);
    stand->unchecked = true;
    stand_write_all(stand, 1);
    stand_write_all(stand, 2);
    for (uint64_t i = 0; i < 2 * stand->info.blocks; i++)
        stand_write(stand, prng_below(&prng, stand->info.blocks), 1, 3 + i);
    stand_check(stand);
    assert_false(stand->device->read_only);
    stand_reopen(stand);
    stand_verify(stand);
    stand_flush(stand);
    stand_crash(stand, true, seed);
    stand_open(stand);
    stand_verify(stand);
    assert_false(stand->device->read_only);
}

static void what_is_promised_on_bad_chunks_is_kept(void **state)
{
    (void)state;
    unsigned made = 0, refused = 0;
    for (unsigned shape = 0; shape < stand_shapes(); shape++)
        for (unsigned seed = 0; seed < SEEDS; seed++) {
            struct stand stand;
            stand_init(&stand, stand_shape(shape));
            retire_some(&stand, &stand_shape(shape)->facts, seed, seed * 80);
            stand.format.op_permille = 1; /* all that the geometry carries */
            enum hftl_status status = stand_try_format(&stand);
            if (status == HFTL_OK) {
                stand.format.force = true;
                stand_format(&stand);
                use_all_of_it(&stand, seed);
                made++;
            } else {
                assert_int_equal(status, HFTL_GEOMETRY);
                assert_true(strstr(stand.why.text, "bands are needed") != NULL ||
                            strstr(stand.why.text, "nothing is left to export") != NULL ||
                            strstr(stand.why.text, "no good chunk for a superblock") != NULL);
                refused++;
            }
            stand_end(&stand);
        }
    print_message("%u devices made, %u refused\n", made, refused);
    assert_true(made >= 4 * stand_shapes());
    assert_true(refused > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_promised_on_bad_chunks_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
