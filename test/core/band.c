/* SPDX-License-Identifier: BSD-3-Clause */
/* The life of a band: every pair of states, what each state demands, who is picked. */
#include "test/core/stand.h"

struct edge {
    struct device *device;
    struct band *band;
    enum band_state to;
};

static void enter(void *arg)
{
    struct edge *edge = arg;
    band_enter(edge->device, edge->band, edge->to);
}

static bool is_allowed(enum band_state from, enum band_state to)
{
    static const enum band_state edges[][2] = {
        {BAND_FREE, BAND_OPEN},       {BAND_FREE, BAND_RETIRED},   {BAND_OPEN, BAND_FULL},
        {BAND_FULL, BAND_CLOSED},     {BAND_CLOSED, BAND_EMPTIED}, {BAND_SEALED, BAND_EMPTIED},
        {BAND_EMPTIED, BAND_ERASING}, {BAND_ERASING, BAND_FREE},   {BAND_ERASING, BAND_RETIRED},
    };
    for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++)
        if (edges[i][0] == from && edges[i][1] == to)
            return true;
    return false;
}

static void every_edge_of_the_table_exists_and_no_other(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "one PU");
    struct band *band = &stand.device->bands[7];
    for (unsigned from = 0; from < BAND_STATE_COUNT; from++)
        for (unsigned to = 0; to < BAND_STATE_COUNT; to++) {
            struct edge edge = {stand.device, band, (enum band_state)to};
            band->state = (enum band_state)from;
            bool stopped = aborts(enter, &edge);
            if (stopped == is_allowed((enum band_state)from, (enum band_state)to))
                fail_msg("%s -> %s: %s", band_state_text((enum band_state)from),
                         band_state_text((enum band_state)to), stopped ? "stopped" : "allowed");
        }
    band->state = BAND_FREE;
    stand_end(&stand);
}

static void refuses_states_whose_invariant_does_not_hold(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "one PU");
    struct device *device = stand.device;
    struct band *band = &device->bands[7];
    struct edge edge = {device, band, BAND_EMPTIED};
    band->state = BAND_CLOSED;
    band->valid = 1;
    assert_true(aborts(enter, &edge)); /* B2 */
    band->state = BAND_ERASING;
    edge.to = BAND_FREE;
    assert_true(aborts(enter, &edge));
    band->state = BAND_EMPTIED;
    band->valid = 0;
    edge.to = BAND_ERASING;
    assert_false(aborts(enter, &edge));
    band->readers = 1;
    assert_true(aborts(enter, &edge)); /* B4 */
    band->readers = 0;
    band->user_mark = device->user_durable + 1;
    assert_true(aborts(enter, &edge));
    band->user_mark = 0;
    band->relocation_mark = device->relocation_durable + 1;
    assert_true(aborts(enter, &edge));
    band->relocation_mark = 0;
    band->state = BAND_FREE;
    stand_end(&stand);
}

static void gain(void *arg)
{
    struct edge *edge = arg;
    band_gain(edge->device, edge->band, 1);
}

static void drop(void *arg)
{
    struct edge *edge = arg;
    band_drop(edge->device, edge->band, false);
}

static void end_read(void *arg)
{
    struct edge *edge = arg;
    band_read_end(edge->device, edge->band);
}

static void counts_neither_below_zero_nor_where_nothing_may_be(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "one PU");
    struct band *band = &stand.device->bands[7];
    struct edge edge = {stand.device, band, BAND_FREE};
    for (unsigned at = 0; at < BAND_STATE_COUNT; at++) {
        bool holds = at == BAND_OPEN || at == BAND_FULL || at == BAND_CLOSED || at == BAND_SEALED;
        band->state = (enum band_state)at;
        assert_int_equal(aborts(gain, &edge), !holds);
    }
    band->state = BAND_FREE;
    assert_true(aborts(drop, &edge));
    assert_true(aborts(end_read, &edge));
    stand_end(&stand);
}

static void the_last_block_dropped_empties_a_closed_band_but_not_an_open_one(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "one PU");
    struct device *device = stand.device;
    struct band *band = &device->bands[7];
    device->closing = true; /* nothing is erased under our hands */
    device->bands_free--;
    for (unsigned at = BAND_OPEN; at <= BAND_SEALED; at++) {
        band->state = (enum band_state)at;
        device->bands_sealed = at == BAND_SEALED;
        band->valid = 2;
        device->user_clock = 100 + at;
        device->relocation_clock = 200 + at;
        band_drop(device, band, true);
        assert_int_equal(band->relocation_mark, 200 + at);
        assert_int_equal(band->state, at);
        band_drop(device, band, false);
        assert_int_equal(band->user_mark, 100 + at);
        bool empties = at == BAND_CLOSED || at == BAND_SEALED;
        assert_int_equal(band->state, empties ? BAND_EMPTIED : at);
        device->bands_emptied -= empties;
    }
    assert_int_equal(device->bands_sealed, 0);
    band->state = BAND_FREE;
    device->bands_free++;
    device->user_clock = device->relocation_clock = 0;
    stand_end(&stand);
}

static void set_wear(struct device *device, uint32_t band, uint32_t wear)
{
    band_index_remove(device, &device->bands[band]);
    device->bands[band].wear = wear;
    band_index_put(device, &device->bands[band]);
}

static void picks_the_least_worn_free_band_and_the_first_of_equals(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "one PU");
    struct device *device = stand.device;
    for (uint32_t i = 0; i < device->geometry.bands; i++)
        set_wear(device, i, 9);
    set_wear(device, 17, 3);
    set_wear(device, 11, 3);
    set_wear(device, 5, 1);
    assert_ptr_equal(band_pick_free(device), &device->bands[5]);
    band_enter(device, &device->bands[5], BAND_RETIRED); /* not free, however fresh */
    assert_ptr_equal(band_pick_free(device), &device->bands[11]);
    set_wear(device, 11, 4);
    assert_ptr_equal(band_pick_free(device), &device->bands[17]);
    stand_check(&stand);
    while (band_pick_free(device) != NULL)
        band_enter(device, band_pick_free(device), BAND_RETIRED);
    assert_int_equal(device->bands_free, 0);
    stand.device->read_only = true;
    assert_int_not_equal(stand_try_close(&stand), HFTL_OK);
    stand_end(&stand);
}

static void a_pba_leads_to_its_band_and_chunk(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "three PUs");
    struct device *device = stand.device;
    const struct geometry *g = &device->geometry;
    for (uint64_t pba = 0; pba < (uint64_t)g->bands * g->stride; pba += 7) {
        uint32_t position;
        struct hftl_media_op op;
        struct band *band = band_of(device, (hftl_pba){pba}, &position);
        assert_int_equal(geometry_pba(g, band->index, position).n, pba);
        if (position >= band->width * g->chunk_blocks)
            continue; /* band 0 lacks the superblocks' chunks */
        band_locate(device, band, position, &op);
        assert_int_equal(op.chunk % 24, band->index);
        assert_int_not_equal(op.chunk, device->layout.superblock_chunk[0]);
        assert_int_not_equal(op.chunk, device->layout.superblock_chunk[1]);
    }
    stand_end(&stand);
}

/* Of those that were free before and still are, none is less worn than the one that was opened. */
static void check_choice(const struct stand *stand, const enum band_state *before)
{
    const struct band *bands = stand->device->bands;
    for (uint32_t i = 0; i < stand->device->geometry.bands; i++) {
        if (before[i] != BAND_FREE || bands[i].state != BAND_OPEN)
            continue;
        for (uint32_t other = 0; other < stand->device->geometry.bands; other++)
            if (before[other] == BAND_FREE && bands[other].state == BAND_FREE &&
                bands[other].wear < bands[i].wear)
                fail_msg("band %u, reset %u times, was taken before band %u, reset %u times", i,
                         bands[i].wear, other, bands[other].wear);
    }
}

static void every_band_opened_was_the_least_worn_and_all_take_part(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "units of seven");
    enum band_state before[64];
    uint32_t bands = stand.device->geometry.bands;
    for (uint64_t i = 0; i < 12 * stand.expected_count; i++) {
        for (uint32_t band = 0; band < bands; band++)
            before[band] = stand.device->bands[band].state;
        stand.unchecked = i % 64 != 0;
        stand_write(&stand, i % stand.expected_count, 1, i + 1);
        check_choice(&stand, before);
    }
    for (uint32_t i = 0; i < bands; i++)
        assert_true(stand.device->bands[i].wear > 3);
    stand_verify(&stand);
    stand_end(&stand);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_edge_of_the_table_exists_and_no_other),
        cmocka_unit_test(refuses_states_whose_invariant_does_not_hold),
        cmocka_unit_test(counts_neither_below_zero_nor_where_nothing_may_be),
        cmocka_unit_test(the_last_block_dropped_empties_a_closed_band_but_not_an_open_one),
        cmocka_unit_test(picks_the_least_worn_free_band_and_the_first_of_equals),
        cmocka_unit_test(a_pba_leads_to_its_band_and_chunk),
        cmocka_unit_test(every_band_opened_was_the_least_worn_and_all_take_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
