/* SPDX-License-Identifier: BSD-3-Clause */
/* Drives whose bands have more blocks than 32 bits can number. The memory medium is sparse, so that
 * they cost little: most of a drive is never written, or is bad. */
#include "test/core/stand.h"

#include "core/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define BEYOND (UINT64_C(1) << 32)
#define MEMORY_KIB_MAX (1536L << 10)

/* Two zones hold the superblocks. Of a band that is kept all columns but the first are bad. */
static void retire_all_but(struct stand *stand, uint32_t columns, uint32_t below, uint32_t from)
{
    uint32_t zones = hftl_media_chunks(&stand->mem->facts) - 2;
    stand_detach(stand);
    for (uint32_t zone = 0; zone < zones; zone++) {
        uint32_t band = zone / columns;
        if ((band >= below && band < from) || zone % columns != 0)
            mem_retire(stand->store, 2 + zone, HFTL_CHUNK_OFFLINE);
    }
    stand_attach(stand);
}

static void start(struct stand *stand, uint32_t zone_blocks, uint32_t block_bytes, uint32_t columns)
{
    struct stand_shape shape = {"large", mem_facts(HFTL_KIND_ZONED), columns, 1};
    shape.facts.chunks_per_pu = (1u << 18) + 2 + 16 * columns;
    shape.facts.chunk_blocks = zone_blocks;
    shape.facts.block_bytes = block_bytes;
    shape.facts.open_max = shape.facts.active_max = 0;
    stand_init(stand, &shape);
    stand->unchecked = true; /* a check looks at every band; where it matters it is asked for */
}

static void finish_start(struct stand *stand)
{
    stand_format(stand);
    stand_open(stand);
    assert_true(map_is_wide(&stand->device->geometry));
}

static uint64_t count_beyond(const struct stand *stand)
{
    uint64_t beyond = 0;
    for (uint64_t lba = 0; lba < stand->expected_count; lba++) {
        hftl_pba pba = map_get(stand->device, (hftl_lba){lba});
        beyond += !map_is_none(pba) && pba.n >= BEYOND;
    }
    return beyond;
}

static void assert_little_memory(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    if (getenv("STAND_LOG") != NULL)
        fprintf(stderr, "    %ld KiB at most\n", usage.ru_maxrss);
    assert_true(usage.ru_maxrss < MEMORY_KIB_MAX);
}

/* 262162 zones of 256 MiB. The first sixteen tebibytes and some more are bad, so every block lies
 * beyond 2^32. */
static void keeps_blocks_beyond_32_bits_on_64_tebibytes(void **state)
{
    (void)state;
    struct stand stand;
    start(&stand, 1u << 16, 4096, 1);
    retire_all_but(&stand, 1, 0, 65540);
    stand.format.blocks = 12345;
    finish_start(&stand);
    assert_int_equal(stand.info.blocks, 12345);
    stand_write_all(&stand, 1);
    assert_int_equal(count_beyond(&stand), 12345);
    stand_trim(&stand, 100, 50);
    stand_write(&stand, 120, 7, 2);
    stand_flush(&stand);
    assert_true(map_page(stand.device, 0).n >= BEYOND);
    stand_verify(&stand);
    stand_reopen(&stand); /* identities of an open band */
    stand_verify(&stand);
    stand_write(&stand, 3000, 5000, 3);
    stand_flush(&stand);
    stand_crash(&stand, true, 7);
    stand_open(&stand); /* a band that is read block by block */
    assert_int_equal(count_beyond(&stand), 12345 - 50 + 7);
    stand_check(&stand);
    stand_verify(&stand);
    assert_little_memory();
    stand_end(&stand);
}

/* 2^32 blocks and some more, of which sixteen bands are good: half of them below 2^32 and half
 * above. Blocks are moved from either side to the other. */
static void moves_blocks_across_32_bits(void **state)
{
    (void)state;
    const uint32_t columns = 64, bands = (1u << 18) / columns + 16;
    struct stand stand;
    start(&stand, 1u << 14, 512, columns);
    retire_all_but(&stand, columns, 8, bands - 8);
    finish_start(&stand);
    stand_write_all(&stand, 1);
    assert_true(count_beyond(&stand) > 0 && count_beyond(&stand) < stand.expected_count);
    uint64_t version = 2;
    for (uint64_t left = 2 * stand.expected_count; left >= 64; left -= 64)
        stand_write(&stand, prng_below(&stand.prng, stand.expected_count - 64), 64, version++);
    assert_true(stand.device->stats.written[HFTL_IO_RELOCATION].blocks > 0);
    stand_check(&stand);
    stand_verify(&stand);
    stand_reopen(&stand); /* from tails */
    stand_verify(&stand);
    for (unsigned i = 0; i < 500; i++)
        stand_write(&stand, prng_below(&stand.prng, stand.expected_count - 64), 64, version++);
    stand_flush(&stand);
    stand_crash(&stand, true, 11);
    stand_open(&stand);
    stand_check(&stand);
    stand_verify(&stand);
    assert_little_memory();
    stand_end(&stand);
}

/* The pages of the bands in [below, from) that hold nothing else cannot be touched, or can
 * again. */
static void protect(struct stand *stand, uint32_t below, uint32_t from, int how)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t first = (uintptr_t)&stand->device->bands[below] + page - 1;
    uintptr_t end = (uintptr_t)&stand->device->bands[from];
    first = first / page * page;
    end = end / page * page;
    assert_true(end - first > (from - below) / 2 * sizeof(struct band));
    assert_int_equal(mprotect((void *)first, end - first, how), 0);
}

/* 262162 bands, of which all but fifty are bad: whoever looks at one of those dies. So writing,
 * overwriting, cleaning, erasing, trimming and reading go through no bands but their own. */
static void nobody_goes_through_all_bands(void **state)
{
    (void)state;
    struct stand stand;
    start(&stand, 128, 512, 1);
    uint32_t bands = hftl_media_chunks(&stand.mem->facts) - 2, good = 25;
    retire_all_but(&stand, 1, good, bands - good);
    stand.format.blocks = 3500;
    stand_format(&stand);
    stand_open(&stand);
    assert_int_equal(stand_bands_in(&stand, BAND_RETIRED), bands - 2 * good);
    protect(&stand, good, bands - good, PROT_NONE);
    stand_write_all(&stand, 1);
    for (unsigned i = 0; i < 20000; i++)
        stand_write(&stand, prng_below(&stand.prng, stand.expected_count), 1, i + 2);
    stand_trim(&stand, 0, 2000);
    stand_flush(&stand);
    for (unsigned i = 0; i < 2000; i++)
        stand_write(&stand, prng_below(&stand.prng, stand.expected_count), 1, i + 2);
    stand_settle(&stand);
    stand_verify(&stand);
    const struct hftl_stats *stats = &stand.device->stats;
    assert_true(stats->victims > 50 && stats->bands_erased > 100);
    assert_true(stand.device->index.looked <= stats->victims * stand.device->index.slots * 2);
    protect(&stand, good, bands - good, PROT_READ | PROT_WRITE);
    stand_check(&stand);
    assert_little_memory();
    stand_end(&stand);
}

/* Eight bytes an entry begin exactly where the last block is one that four cannot tell from none.
 */
static void entries_are_wide_only_where_they_have_to_be(void **state)
{
    (void)state;
    struct geometry g = {.bands = 65535, .stride = 65537}; /* 2^32 - 1 */
    assert_false(map_is_wide(&g));
    assert_int_equal(map_entry_bytes(&g), 4);
    g = (struct geometry){.bands = 65536, .stride = 65536}; /* 2^32: the last is UINT32_MAX */
    assert_true(map_is_wide(&g));
    assert_int_equal(map_entry_bytes(&g), 8);
    uint32_t narrow[2] = {0};
    uint64_t wide[2] = {0};
    struct map_table tables[] = {{.narrow = narrow}, {.wide = wide}};
    for (unsigned i = 0; i < 2; i++) {
        map_table_set(&tables[i], 1, (hftl_pba){UINT32_MAX - 1});
        assert_int_equal(map_table_get(&tables[i], 1).n, UINT32_MAX - 1);
        assert_int_equal(map_table_get(&tables[i], 0).n, 0);
        map_table_set(&tables[i], 1, (hftl_pba){MAP_NONE});
        assert_true(map_is_none(map_table_get(&tables[i], 1)));
    }
    map_table_set(&tables[1], 0, (hftl_pba){UINT32_MAX});
    assert_false(map_is_none(map_table_get(&tables[1], 0)));
    map_table_set(&tables[1], 0, (hftl_pba){BEYOND + 5});
    assert_int_equal(map_table_get(&tables[1], 0).n, BEYOND + 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_wide_only_where_they_have_to_be),
        cmocka_unit_test(keeps_blocks_beyond_32_bits_on_64_tebibytes),
        cmocka_unit_test(moves_blocks_across_32_bits),
        cmocka_unit_test(nobody_goes_through_all_bands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
