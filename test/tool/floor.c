/* SPDX-License-Identifier: BSD-3-Clause */
/* The floor keeps the rules of any medium (it stops where it does not), and does what it counts. */
#include "test/unit.h"

#include "media/mem.h"
#include "tool/floor.h"

static struct floor *must_open(const struct hftl_media_facts *facts)
{
    struct floor *floor;

    assert_int_equal(floor_open(facts, 1, &floor), HFTL_OK);
    return floor;
}

static void goes_round_media_of_any_shape(void **state)
{
    static const struct {
        uint32_t chunks, chunk_blocks, ws_opt, open_max;
    } shapes[] = {{32, 64, 8, 0}, {8, 16, 8, 1}, {3, 16, 4, 2}, {9, 18, 4, 4}, {20, 64, 32, 14}};

    (void)state;
    for (unsigned kind = HFTL_KIND_OCSSD; kind <= HFTL_KIND_ZONED; kind++) {
        for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
            struct hftl_media_facts facts = mem_facts((enum hftl_media_kind)kind);

            facts.ws_min = 1;
            facts.chunks_per_pu = shapes[i].chunks;
            facts.chunk_blocks = shapes[i].chunk_blocks;
            facts.ws_opt = shapes[i].ws_opt;
            facts.open_max = facts.active_max = shapes[i].open_max;
            facts.mw_cunits = 4;
            struct floor *floor = must_open(&facts);
            floor_write(floor, 3 * floor_blocks(floor) + 1);
            floor_read(floor, 2 * floor_blocks(floor));
            floor_move(floor, 3 * floor_blocks(floor) + 1);
            floor_close(floor);
        }
    }
}

/* No compiler may leave out what is measured. */
static void puts_each_block_into_its_digest(void **state)
{
    struct hftl_media_facts facts = mem_facts(HFTL_KIND_OCSSD);
    struct floor *floor = must_open(&facts);
    uint32_t before = floor_digest(floor);

    (void)state;
    floor_write(floor, 2 * floor_blocks(floor));
    for (unsigned i = 0; i < 10; i++) {
        before = floor_digest(floor);
        floor_read(floor, 1);
        assert_int_not_equal(floor_digest(floor), before);
    }
    floor_close(floor);
}

static void refuses_blocks_of_another_size(void **state)
{
    struct hftl_media_facts facts = mem_facts(HFTL_KIND_OCSSD);
    struct floor *floor;

    (void)state;
    facts.block_bytes = 512;
    assert_int_equal(floor_open(&facts, 1, &floor), HFTL_GEOMETRY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_round_media_of_any_shape),
        cmocka_unit_test(puts_each_block_into_its_digest),
        cmocka_unit_test(refuses_blocks_of_another_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
