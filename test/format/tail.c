/* SPDX-License-Identifier: BSD-3-Clause */
#include "test/format/samples.h"

#include <string.h>

/* 128 blocks, ws_min 4: T = 8 of which 5 hold the 120 identities, the last one 8 of them. */
static const struct tail_place band = {
    .band = 3, .generation = 7, .band_blocks = 128, .ws_min = 4, .index = 4};

static enum hftl_status decode(const uint8_t *block, void *argument)
{
    struct format_context ctx = sample_context();
    return tail_decode(&ctx, &band, block, argument);
}

static void make(uint8_t *block)
{
    struct format_context ctx = sample_context();
    struct tail tail = {
        .seq_highest = format_seq(5, 44).n, .count = 8, .idents = tail_ident_slot(block, 0)};
    memset(block, 0x5a, BLOCK);
    memset(tail_ident_slot(block, 7), 0, FORMAT_IDENT_BYTES);
    sample_idents(tail_ident_slot(block, 0));
    tail_encode(&ctx, &band, &tail, block);
}

static enum hftl_status forged(size_t at, size_t count, uint64_t value)
{
    struct format_context ctx = sample_context();
    struct tail tail;
    uint8_t block[BLOCK];
    make(block);
    forge(&ctx, &(struct forgery){STAMP_TAIL, at, count, value}, block, BLOCK);
    return decode(block, &tail);
}

static void counts_are_those_of_the_band(void **state)
{
    struct tail_place place = band;
    (void)state;
    assert_int_equal(tail_blocks(128, BLOCK, 4), 8);
    assert_int_equal(tail_first(&place, BLOCK), 120);
    for (place.index = 0; place.index < 4; place.index++)
        assert_int_equal(tail_idents(&place, BLOCK), 28);
    assert_int_equal(tail_idents(&place, BLOCK), 8);
    for (place.index = 5; place.index < 8; place.index++)
        assert_int_equal(tail_idents(&place, BLOCK), 0);
}

/* Every position before the tail has its identity in exactly one tail block. */
static void all_blocks_hold_all_identities(void **state)
{
    struct prng prng;
    (void)state;
    prng_seed(&prng, 50);
    for (unsigned i = 0; i < 2000; i++) {
        uint32_t block_bytes = FORMAT_BLOCK_BYTES_MIN << prng_below(&prng, 4);
        struct tail_place place = {.ws_min = 1u + (uint32_t)prng_below(&prng, 24)};
        place.band_blocks = place.ws_min * (2u + (uint32_t)prng_below(&prng, 5000));
        uint32_t first = tail_first(&place, block_bytes);
        uint64_t held = 0;
        for (; place.index < place.band_blocks - first; place.index++)
            held += tail_idents(&place, block_bytes);
        assert_int_equal(held, first);
    }
}

static void comes_back_as_it_was(void **state)
{
    struct prng prng;
    (void)state;
    prng_seed(&prng, 51);
    for (unsigned i = 0; i < 3000; i++) {
        struct format_context ctx = random_context(&prng);
        uint8_t block[FORMAT_BLOCK_BYTES_MAX], packed[FORMAT_BLOCK_BYTES_MAX];
        struct tail_place place = {.band = random_u32(&prng),
                                   .generation = prng_next(&prng),
                                   .band_blocks = 2000,
                                   .ws_min = 1};
        place.index = (uint32_t)prng_below(&prng, 2000u - tail_first(&place, ctx.block_bytes));
        struct tail back, tail = {
                              .seq_highest = prng_next(&prng) & FORMAT_SEQ_MAX,
                              .count = tail_idents(&place, ctx.block_bytes),
                              .idents = packed,
                          };
        random_bytes(&prng, packed, sizeof packed);
        tail_encode(&ctx, &place, &tail, block);
        assert_int_equal(tail_decode(&ctx, &place, block, &back), HFTL_OK);
        assert_int_equal(back.seq_highest, tail.seq_highest);
        assert_int_equal(back.count, tail.count);
        assert_memory_equal(back.idents, packed, (size_t)tail.count * FORMAT_IDENT_BYTES);
    }
}

static void every_flip_is_refused(void **state)
{
    uint8_t block[BLOCK];
    struct tail tail;
    (void)state;
    make(block);
    assert_every_flip_refused(block, BLOCK, decode, &tail);
}

static void T1_the_stamp_is_judged(void **state)
{
    (void)state;
    assert_int_equal(forged(0, 1, 'x'), HFTL_FOREIGN);
    assert_int_equal(forged(8, 2, 2), HFTL_VERSION);
    assert_int_equal(forged(16, 1, 0), HFTL_MISMATCH);
    assert_int_equal(forged(32, 8, 6), HFTL_MISMATCH); /* not the head's generation */
    assert_int_equal(forged(40, 4, 2), HFTL_MISMATCH);
    assert_int_equal(forged(44, 4, 123), HFTL_MISMATCH); /* another block of the same tail */
    assert_int_equal(forged(60, 4, 1), HFTL_CORRUPT);
}

static void T2_count_is_what_is_left(void **state)
{
    (void)state;
    assert_int_equal(forged(56, 4, 7), HFTL_CORRUPT);
    assert_int_equal(forged(56, 4, 9), HFTL_CORRUPT);
    assert_int_equal(forged(56, 4, 0), HFTL_CORRUPT);
    assert_int_equal(forged(56, 4, UINT32_MAX), HFTL_CORRUPT);
    assert_int_equal(forged(64 + 8 * 16, 1, 1), HFTL_CORRUPT); /* behind them is zero */
    assert_int_equal(forged(BLOCK - 1, 1, 1), HFTL_CORRUPT);
}

/* A pad at a tail's place is no tail block, whatever it contains. */
static void T2_a_pad_is_not_a_tail_block(void **state)
{
    struct format_context ctx = sample_context();
    struct tail_place pad = band;
    struct tail tail;
    uint8_t block[BLOCK];
    (void)state;
    pad.index = 5;
    make(block);
    memset(block + 64, 0, BLOCK - 64);
    block[44]++; /* position 125 */
    forge(&ctx, &(struct forgery){STAMP_TAIL, 56, 4, 0}, block, BLOCK);
    assert_int_equal(tail_decode(&ctx, &pad, block, &tail), HFTL_CORRUPT);
}

static void identities_are_judged_alone(void **state)
{
    struct tail tail;
    struct ident ident;
    uint8_t block[BLOCK];
    char text[100];
    (void)state;
    make(block);
    assert_int_equal(decode(block, &tail), HFTL_OK);
    for (uint32_t i = 0; i < SAMPLE_IDENTS; i++)
        assert_int_equal(tail_ident(&tail, i, &ident), HFTL_OK);
    assert_int_equal(tail_ident(&tail, SAMPLE_IDENTS, &ident), HFTL_CORRUPT);
    tail_to_text(&tail, text, sizeof text);
    assert_string_equal(text, "tail block of 8 identities, highest seq 5.44");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_those_of_the_band),
        cmocka_unit_test(all_blocks_hold_all_identities),
        cmocka_unit_test(comes_back_as_it_was),
        cmocka_unit_test(every_flip_is_refused),
        cmocka_unit_test(T1_the_stamp_is_judged),
        cmocka_unit_test(T2_count_is_what_is_left),
        cmocka_unit_test(T2_a_pad_is_not_a_tail_block),
        cmocka_unit_test(identities_are_judged_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
