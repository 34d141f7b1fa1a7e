/* SPDX-License-Identifier: BSD-3-Clause */
/* Moving what is valid: the seq stays, the newest wins, what cannot be read becomes lost. */
#include "test/core/stand.h"

#include <string.h>

#define COLD 24u /* lbas [0, COLD) are written once and then moved */

static uint64_t place_before;
static bool first_block_has_moved(struct stand *stand)
{
    return map_get(stand->device, (hftl_lba){0}).n != place_before;
}

/* Overwrites all but the cold blocks, anywhere: written around in a circle bands would empty
 * themselves, and nothing would have to move. */
static bool churn_anywhere(struct stand *stand, uint64_t most, bool (*done)(struct stand *stand))
{
    for (uint64_t i = 0; i < most && !done(stand); i++) {
        uint64_t lba = COLD + prng_below(&stand->prng, stand->expected_count - COLD);
        stand_write(stand, lba, 1, (stand->expected[lba] & 0xffff) + 1);
    }
    return done(stand);
}

/* Until lba 0 was relocated. */
static void move_the_cold(struct stand *stand)
{
    place_before = map_get(stand->device, (hftl_lba){0}).n;
    if (!churn_anywhere(stand, 40 * stand->expected_count, first_block_has_moved))
        fail_msg("lba 0 was never moved");
}

static bool is_moved_and_closed(struct stand *stand)
{
    uint32_t position;
    return first_block_has_moved(stand) && stand_band_of(stand, 0, &position)->state == BAND_CLOSED;
}

static void a_copy_carries_the_seq_of_its_original(void **state)
{
    (void)state;
    for (unsigned i = 0; i < stand_shapes(); i++) {
        struct stand stand;
        stand_begin(&stand, stand_shape(i)->name);
        stand.unchecked = true;
        stand_write_all(&stand, 1);
        struct ident before = stand_ident(&stand, 0);
        for (unsigned times = 0; times < 3; times++) {
            move_the_cold(&stand);
            struct ident after = stand_ident(&stand, 0);
            assert_int_equal(after.seq, before.seq);
            assert_int_equal(after.lba, 0);
            assert_int_equal(after.kind, IDENT_DATA);
            assert_int_not_equal(after.crc, before.crc); /* another place, another salt */
        }
        assert_true(stand.device->stats.written[HFTL_IO_RELOCATION].blocks > 0);
        assert_int_equal(stand.device->stats.blocks_lost, 0);
        stand_check(&stand);
        stand_verify(&stand);
        stand_end(&stand);
    }
}

/* Steps until the victim's blocks are being read, with reads of the medium kept back. */
static bool catch_a_batch(struct stand *stand)
{
    const struct mover *mover = &stand->device->relocation.movers[0];
    stand->unchecked = true;
    for (uint64_t i = 0; i < 20 * stand->expected_count; i++) {
        uint64_t lba = COLD + i % (stand->expected_count - COLD);
        stand->tap->hold_verbs = 1u << HFTL_MEDIA_READ;
        stand_write(stand, lba, 1, stand->expected[lba] + 1);
        while (stand->tap->held_count > 0) {
            const struct batch *batch = mover->ahead;
            if (batch->count > 0 && batch->op_count > 0 &&
                stand->tap->held[0]->data >= (void *)batch->data &&
                mover->errand.in_flight == stand->tap->held_count &&
                batch->moving[0].ident.kind == IDENT_DATA)
                return true;
            tap_release(stand->tap);
            stand->tap->hold_verbs = 1u << HFTL_MEDIA_READ;
            (void)stand_step(stand);
        }
    }
    return false;
}

static void what_is_overwritten_while_it_is_read_is_not_moved(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "two PUs");
    stand_write_all(&stand, 1);
    if (!catch_a_batch(&stand))
        fail_msg("no victim was ever read");
    const struct mover *mover = &stand.device->relocation.movers[0];
    stand.unchecked = false;
    uint32_t count = mover->ahead->count;
    struct moving batch[RELOCATION_BLOCKS_DEFAULT];
    memcpy(batch, mover->ahead->moving, sizeof(batch));
    for (uint32_t i = 0; i < count && i < 4; i++) { /* L3 */
        stand_write(&stand, batch[i].ident.lba, 1, 1000 + i);
        assert_true(stand_ident(&stand, batch[i].ident.lba).seq > batch[i].ident.seq);
    }
    stand_trim(&stand, batch[count - 1].ident.lba, 1);
    tap_release(stand.tap);
    stand_settle(&stand);
    for (uint32_t i = 0; i < count && i < 4 && i + 1 < count; i++)
        stand_expect(&stand, batch[i].ident.lba, 1, 1000 + i);
    assert_true(map_is_none(map_get(stand.device, (hftl_lba){batch[count - 1].ident.lba})));
    stand_verify(&stand);
    stand_flush(&stand);
    stand_crash(&stand, true, 3);
    stand_open(&stand);
    stand_verify(&stand);
    stand_end(&stand);
}

/* Steps until a mover has read a batch and waits for a unit to copy it to. */
static struct mover *catch_a_read_batch(struct stand *stand)
{
    struct mover *mover = &stand->device->relocation.movers[0];
    struct stream *stream = &stand->device->streams[STREAM_RELOCATION];
    assert_true(catch_a_batch(stand));
    uint32_t pool = stream->pool_count;
    stream->pool_count = 0;
    tap_release(stand->tap);
    for (unsigned i = 0; i < 10; i++)
        (void)stand_step(stand);
    stream->pool_count = pool;
    assert_true(mover->errand.in_flight == 0 && mover->now->next + 1 < mover->now->count);
    return mover;
}

static void damage_in_memory(struct mover *mover, uint32_t index)
{
    mover->now->moving[index].data[0] ^= 1;
}

static void what_is_damaged_before_it_is_copied_is_read_again(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "two PUs");
    stand_write_all(&stand, 1);
    struct mover *mover = catch_a_read_batch(&stand);
    damage_in_memory(mover, mover->now->count - 1);
    errand_wake_all(&stand.device->streams[STREAM_RELOCATION].waiting);
    stand_settle(&stand);
    assert_int_equal(stand.device->stats.blocks_lost, 0);
    stand_reopen(&stand);
    stand_verify(&stand);
    stand_end(&stand);
}

/* A copy has the checksum by which its original verified, not one of what memory holds by then. */
static void what_is_damaged_after_it_was_verified_is_not_made_good(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "two PUs");
    stand_write_all(&stand, 1);
    struct mover *mover = catch_a_read_batch(&stand);
    uint32_t last = mover->now->count - 1;
    uint64_t lba = mover->now->moving[last].ident.lba;
    damage_in_memory(mover, mover->now->next); /* so that the others are verified in place */
    errand_wake_all(&stand.device->streams[STREAM_RELOCATION].waiting);
    stand.tap->hold_verbs = 1u << HFTL_MEDIA_READ;
    for (unsigned i = 0; i < 10 && stand.tap->held_count == 0; i++)
        (void)stand_step(&stand);
    assert_int_equal(stand.tap->held_count, 1); /* it alone is read again */
    assert_true(mover->now->retried && mover->now->next <= last &&
                mover->now->moving[last].verified);
    damage_in_memory(mover, last);
    tap_release(stand.tap);
    stand_settle(&stand);
    stand_reopen(&stand); /* it is on the medium then */
    enum hftl_status status = stand_read_status(&stand, lba);
    assert_true(status == HFTL_MISMATCH || status == HFTL_LOST);
    stand_end(&stand);
}

static void damage(struct stand *stand, uint64_t lba)
{
    uint8_t *block = stand_media_block(stand, lba);
    assert_non_null(block);
    block[100] ^= 0x40;
}

static void expect_lost(struct stand *stand, uint64_t lba)
{
    assert_int_equal(stand_read_status(stand, lba), HFTL_LOST);
}

static void an_unreadable_block_is_lost_until_it_is_written_again(void **state)
{
    (void)state;
    for (unsigned i = 0; i < stand_shapes(); i++) {
        struct stand stand;
        stand_begin(&stand, stand_shape(i)->name);
        stand.unchecked = true;
        stand_write_all(&stand, 1);
        stand_write(&stand, 0, COLD, 2); /* an older version is there as well */
        (void)stand_churn(&stand, COLD, 300, is_moved_and_closed);
        damage(&stand, 0);
        assert_int_equal(stand_read_status(&stand, 0), HFTL_MISMATCH);
        stand_expect(&stand, 1, 1, 2); /* and only that block */
        assert_true(stand.device->stats.mismatches > 0);
        move_the_cold(&stand);
        assert_int_equal(stand.device->stats.blocks_lost, 1);
        assert_true(stand_logged(&stand, "lba 0 cannot be read any more"));
        expect_lost(&stand, 0);
        flush_ask(stand.device, true); /* a user's flush leaves the mark out, as it does any copy */
        stand_settle(&stand);
        stand_crash(&stand, true, i);
        stand_open(&stand);
        expect_lost(&stand, 0);
        move_the_cold(&stand); /* the mark moves on, and is counted once */
        assert_int_equal(stand.device->stats.blocks_lost, 0);
        assert_int_equal(stand_ident(&stand, 0).kind, IDENT_LOST);
        expect_lost(&stand, 0);
        stand_reopen(&stand);
        expect_lost(&stand, 0);
        stand_expect(&stand, 1, COLD - 1, 2);
        stand_write(&stand, 0, 1, 3);
        stand_expect(&stand, 0, 1, 3);
        move_the_cold(&stand);
        stand_reopen(&stand);
        stand_verify(&stand);
        stand_end(&stand);
    }
}

/* Reads that are not verified must still not return a lost block's filling. */
static void a_lost_block_fails_also_where_reads_are_not_verified(void **state)
{
    (void)state;
    struct stand stand;
    stand_init(&stand, stand_shape_named("zoned, two columns"));
    stand.options.verify = HFTL_VERIFY_RELOCATION;
    stand_format(&stand);
    stand_open(&stand);
    stand.unchecked = true;
    stand_write_all(&stand, 1);
    damage(&stand, 0);
    assert_int_equal(stand_read_status(&stand, 0), HFTL_OK); /* said loudly: not verified */
    move_the_cold(&stand);
    expect_lost(&stand, 0);
    stand_reopen(&stand);
    expect_lost(&stand, 0);
    stand_end(&stand);
}

/* Once more, and each block by itself: those that were asked for with a bad one are not lost. */
static void a_bad_read_of_a_victim_is_tried_once_more(void **state)
{
    (void)state;
    for (unsigned bad = 1; bad <= 2; bad++) {
        struct stand stand;
        stand_begin(&stand, "two PUs");
        stand_write_all(&stand, 1);
        if (!catch_a_batch(&stand))
            fail_msg("no victim was ever read");
        uint64_t lba = stand.device->relocation.movers[0].ahead->moving[0].ident.lba;
        uint32_t chunk = stand.tap->held[0]->chunk;
        assert_true(stand.tap->held[0]->blocks > 1);
        uint32_t victim = stand.device->relocation.movers[0].victim->index;
        tap_refuse_first(stand.tap, HFTL_IO);
        if (bad == 2) /* and the second time as well */
            tap_fail(stand.tap, HFTL_MEDIA_READ, chunk, 1, HFTL_IO);
        tap_release(stand.tap);
        stand_settle(&stand);
        assert_int_not_equal(
            map_get(stand.device, (hftl_lba){lba}).n / stand.device->geometry.stride, victim);
        if (bad == 1) {
            assert_int_equal(stand.device->stats.blocks_lost, 0);
            stand_verify(&stand);
        } else {
            assert_int_equal(stand.device->stats.blocks_lost, 1);
            assert_int_equal(stand_read_status(&stand, lba), HFTL_LOST);
        }
        stand_end(&stand);
    }
}

/* What was read with holes in it, of a batch that is held. */
static uint32_t count_read_over(const struct stand *stand, const struct batch *batch)
{
    uint32_t asked = 0, wanted = 0;
    for (uint32_t i = 0; i < batch->op_count; i++)
        asked += batch->ops[i].op.blocks;
    for (uint32_t i = 0; i < batch->count; i++)
        wanted += batch->moving[i].ident.kind != IDENT_LOST;
    assert_true(asked >= wanted);
    assert_true(asked <= stand->device->relocation.room);
    return asked - wanted;
}

/* Writes until a batch is held that has holes in what is read, after HELD_LEAST of them, or until
 * HELD_MOST were. The write may be one that waits for it. */
#define HELD_LEAST 60u
#define HELD_MOST 200u
static bool catch_holes(struct stand *stand, struct ask *ask, uint8_t *block)
{
    const struct mover *mover = &stand->device->relocation.movers[0];
    uint32_t seen = 0;
    while (seen < HELD_MOST) {
        uint64_t lba = prng_below(&stand->prng, stand->expected_count);
        stand_fill(stand, block, lba, 1, ++stand->expected[lba]);
        stand_ask(stand, ask, HFTL_WRITE, 0, lba, 1, block);
        do {
            tap_hold(stand->tap, HFTL_MEDIA_READ);
            while (stand_step(stand))
                continue;
            const struct batch *batch = mover->ahead;
            bool is_held = batch->op_count > 0 &&
                           mover->errand.in_flight == stand->tap->held_count && batch->count > 0 &&
                           stand->tap->held_count > 0 &&
                           stand->tap->held[0]->data == batch->ops[0].op.data;
            seen += is_held;
            if (is_held && count_read_over(stand, batch) > 0 && seen >= HELD_LEAST)
                return true;
            assert_true(list_is_empty(&stand->device->index.aside)); /* nothing is left behind */
            tap_release(stand->tap);
        } while (!ask->answered);
    }
    return false;
}

/* Of `keep` blocks one stays, and what is around it is cleaned at once. */
static void thin_out(struct stand *stand, uint32_t keep)
{
    struct hftl_limits limits = {.size = sizeof(limits)};
    for (uint64_t lba = 0; lba < stand->expected_count; lba++)
        if (lba % keep != 0)
            stand_trim(stand, lba, 1);
    for (unsigned i = 0; i < HFTL_LIMIT_COUNT; i++)
        limits.level[i] = (struct hftl_limit){0, 100};
    limits.level[HFTL_LIMIT_START].bands_free = stand->device->geometry.bands - 1;
    tap_hold(stand->tap, HFTL_MEDIA_READ);
    assert_int_equal(device_set_limits(stand->device, &limits, &stand->why), HFTL_OK);
}

/* No run of them longer than the medium says, and none where it says nothing. What was read with a
 * bad block is read again by itself, and a hole not at all. */
static void holes_are_read_through_where_that_is_cheaper(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t gap, blocks, keep; /* so few blocks, so far apart, that holes use up the buffer */
    } cases[] = {{"one PU", 0, 0, 0},        {"one PU", 3, 0, 0}, {"bare", 3, 0, 0},
                 {"zoned", 0, 4, 0},         {"zoned", 3, 0, 0},  {"one PU", 20, 8, 3},
                 {"ragged chunks", 3, 0, 0}, {"zoned", 20, 8, 3}, {"zoned", 9, 4, 7}};
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct stand_shape shape = *stand_shape_named(cases[i].name);
        shape.facts.read_gap_blocks = cases[i].gap;
        struct stand stand;
        stand_init(&stand, &shape);
        stand.options.relocation_victims = 1;
        stand.options.relocation_blocks = cases[i].blocks;
        stand_format(&stand);
        stand_open(&stand);
        stand.unchecked = true;
        struct ask ask;
        uint8_t block[512];
        const struct mover *mover = &stand.device->relocation.movers[0];
        stand_write_all(&stand, 1);
        if (cases[i].keep > 0)
            thin_out(&stand, cases[i].keep);
        bool over = catch_holes(&stand, &ask, block);
        assert_int_equal(over, shape.facts.read_gap_blocks > 0);
        for (uint32_t k = 1; over && k < mover->ahead->count; k++) {
            const struct moving *a = &mover->ahead->moving[k - 1], *b = &mover->ahead->moving[k];
            assert_true(b->data >= a->data + sizeof block);
            assert_true(b->data <= a->data + (shape.facts.read_gap_blocks + 1) * sizeof block);
        }
        if (over) {
            tap_clear(stand.tap);
            for (uint32_t k = mover->ahead->op_count; k > 0; k--)
                tap_refuse_first(stand.tap, HFTL_IO);
            uint32_t wanted = mover->ahead->count;
            tap_release(stand.tap);
            tap_hold(stand.tap, HFTL_MEDIA_READ);
            while (stand_step(&stand))
                continue;
            assert_int_equal(mover->now->op_count, wanted);
            assert_int_equal(count_read_over(&stand, mover->now), 0);
        }
        tap_release(stand.tap);
        assert_int_equal(stand_wait(&stand, &ask), HFTL_OK);
        stand_settle(&stand);
        assert_int_equal(stand.device->stats.blocks_lost, 0);
        stand_check(&stand);
        stand_verify(&stand);
        stand_end(&stand);
    }
}

static uint64_t page_before;
static bool page_has_moved(struct stand *stand)
{
    return map_page(stand->device, 0).n != page_before;
}

static void trim_pages_are_moved_like_data(void **state)
{
    (void)state;
    static const char *const names[] = {"two PUs", "bare", "zoned", "units of seven"};
    for (unsigned i = 0; i < 4; i++) {
        struct stand stand;
        stand_begin(&stand, names[i]);
        stand.unchecked = true;
        stand_write_all(&stand, 1);
        stand_trim(&stand, 3, 9);
        stand_flush(&stand);
        for (unsigned times = 0; times < 2; times++) {
            page_before = map_page(stand.device, 0).n;
            assert_true(stand_churn(&stand, COLD, 40 * stand.expected_count, page_has_moved));
        }
        stand_flush(&stand);
        stand_crash(&stand, true, i);
        stand_open(&stand);
        stand_verify(&stand); /* what was trimmed does not come back */
        stand_end(&stand);
    }
}

static void a_trim_page_that_cannot_be_read_is_made_anew_from_the_map(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "two PUs");
    stand.unchecked = true;
    stand_write_all(&stand, 1);
    stand_trim(&stand, 3, 9);
    stand_flush(&stand);
    for (uint64_t i = 0; i < 200; i++) /* beyond the unit and the window */
        stand_write(&stand, COLD + i, 1, 2);
    page_before = map_page(stand.device, 0).n;
    uint32_t position;
    struct hftl_media_op op;
    const struct band *band = band_of(stand.device, (hftl_pba){page_before}, &position);
    band_locate(stand.device, band, position, &op);
    mem_block(stand.store, op.chunk, op.offset)[200] ^= 1;
    assert_true(stand_churn(&stand, COLD, 40 * stand.expected_count, page_has_moved));
    stand_flush(&stand);
    stand_check(&stand);
    stand_crash(&stand, true, 1);
    stand_open(&stand);
    stand_verify(&stand);
    stand_end(&stand);
}

static bool never(struct stand *stand)
{
    (void)stand;
    return false;
}

static void a_victim_whose_tail_cannot_be_read_is_set_aside_and_others_are_cleaned(void **state)
{
    (void)state;
    struct stand stand;
    stand_begin(&stand, "two PUs");
    stand.unchecked = true;
    stand_write_all(&stand, 1);
    struct device *device = stand.device;
    uint32_t position;
    struct band *band = stand_band_of(&stand, 0, &position);
    struct hftl_media_op op;
    band_locate(device, band, geometry_tail(&device->geometry, band->width), &op);
    mem_block(stand.store, op.chunk, op.offset)[70] ^= 1;
    (void)stand_churn(&stand, COLD, 20 * stand.expected_count, never);
    assert_int_equal(band->state, BAND_CLOSED); /* L4 */
    assert_true(device->stats.bands_erased > 50);
    assert_true(stand_logged(&stand, "its tail cannot be read"));
    stand_check(&stand);
    stand_verify(&stand);
    stand_end(&stand);
}

static void sealed_bands_are_emptied_first_and_given_back(void **state)
{
    (void)state;
    for (unsigned i = 0; i < stand_shapes(); i++) {
        struct stand stand;
        stand_begin(&stand, stand_shape(i)->name);
        for (uint64_t n = 0; n < 60; n++) {
            stand_write(&stand, n * 3, 3, n + 1);
            stand_flush(&stand);
            stand_crash(&stand, true, n);
            stand_open(&stand);
            print_message("%u/%u/%u ", stand.device->bands_sealed, stand.device->bands_emptied,
                          stand.device->bands_free);
            stand_settle(&stand);
            assert_int_equal(stand_bands_in(&stand, BAND_SEALED), 0);
        }
        stand_verify(&stand);
        stand.unchecked = true;
        stand_write_all(&stand, 100); /* all of the space is still there */
        stand_verify(&stand);
        stand_end(&stand);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_carries_the_seq_of_its_original),
        cmocka_unit_test(what_is_overwritten_while_it_is_read_is_not_moved),
        cmocka_unit_test(what_is_damaged_before_it_is_copied_is_read_again),
        cmocka_unit_test(what_is_damaged_after_it_was_verified_is_not_made_good),
        cmocka_unit_test(an_unreadable_block_is_lost_until_it_is_written_again),
        cmocka_unit_test(a_lost_block_fails_also_where_reads_are_not_verified),
        cmocka_unit_test(a_bad_read_of_a_victim_is_tried_once_more),
        cmocka_unit_test(holes_are_read_through_where_that_is_cheaper),
        cmocka_unit_test(trim_pages_are_moved_like_data),
        cmocka_unit_test(a_trim_page_that_cannot_be_read_is_made_anew_from_the_map),
        cmocka_unit_test(a_victim_whose_tail_cannot_be_read_is_set_aside_and_others_are_cleaned),
        cmocka_unit_test(sealed_bands_are_emptied_first_and_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
