/* SPDX-License-Identifier: BSD-3-Clause */
#include "test/format/samples.h"

#include <string.h>

_Static_assert(FORMAT_HEAD_BYTES == 408, "a head is 408 bytes");
_Static_assert(FORMAT_WITNESS_BYTES == 72, "a witness is 72 bytes");

static const struct format_place there = {.place = 3, .position = 8};

static enum hftl_status decode(const uint8_t *block, void *argument)
{
    struct format_context ctx = sample_context();
    return head_decode(&ctx, &there, block, argument);
}

static void make(uint8_t *block)
{
    struct format_context ctx = sample_context();
    struct head head = sample_head();
    memset(block, 0x5a, BLOCK);
    head_encode(&ctx, &head, block);
}

static enum hftl_status forged(size_t at, size_t count, uint64_t value)
{
    struct format_context ctx = sample_context();
    struct head head;
    uint8_t block[BLOCK];
    make(block);
    forge(&ctx, &(struct forgery){STAMP_HEAD, at, count, value}, block, BLOCK);
    return decode(block, &head);
}

static void comes_back_as_it_was(void **state)
{
    struct prng prng;
    (void)state;
    prng_seed(&prng, 30);
    for (unsigned i = 0; i < 5000; i++) {
        struct format_context ctx = random_context(&prng);
        struct head back, head = sample_head();
        uint8_t block[FORMAT_BLOCK_BYTES_MAX], again[FORMAT_BLOCK_BYTES_MAX];
        head.layout.block_bytes = ctx.block_bytes;
        head.layout.bands = 1u + (random_u32(&prng) >> 1);
        head.layout.band_stride = 1u + (random_u32(&prng) >> 1);
        head.layout.columns = 1u + (uint32_t)prng_below(&prng, FORMAT_COLUMNS_MAX);
        head.band = (uint32_t)prng_below(&prng, head.layout.bands);
        head.position = (uint32_t)prng_below(&prng, head.layout.band_stride);
        head.seq = prng_next(&prng) & FORMAT_SEQ_MAX;
        head.epoch = random_u32(&prng) & FORMAT_EPOCH_MAX;
        head.generation = format_generation(head.epoch, random_u32(&prng));
        head.column = (uint32_t)prng_below(&prng, head.layout.columns);
        memset(head.present, 0, sizeof head.present);
        head_add_column(&head, head.column);
        for (unsigned j = 0; j < 9; j++)
            head_add_column(&head, (uint32_t)prng_below(&prng, head.layout.columns));
        head.witness = random_witness(&prng, &head.layout);
        head_encode(&ctx, &head, block);
        struct format_place where = {head.band, head.position};
        assert_int_equal(head_decode(&ctx, &where, block, &back), HFTL_OK);
        assert_memory_equal(back.id, ctx.id, sizeof ctx.id);
        assert_int_equal(back.generation, head.generation);
        assert_int_equal(back.column, head.column);
        assert_int_equal(head_columns(&back), head_columns(&head));
        assert_true(layout_equal(&back.layout, &head.layout));
        head_encode(&ctx, &back, again);
        assert_memory_equal(block, again, ctx.block_bytes);
    }
}

static void every_flip_is_refused(void **state)
{
    uint8_t block[BLOCK];
    struct head head;
    (void)state;
    make(block);
    assert_every_flip_refused(block, BLOCK, decode, &head);
}

static void H1_the_stamp_is_judged(void **state)
{
    (void)state;
    assert_int_equal(forged(0, 1, 'x'), HFTL_FOREIGN);
    assert_int_equal(forged(8, 2, 2), HFTL_VERSION);
    assert_int_equal(forged(16, 1, 0), HFTL_MISMATCH);
    assert_int_equal(forged(40, 4, 2), HFTL_MISMATCH);
    assert_int_equal(forged(44, 4, 0), HFTL_MISMATCH);
    assert_int_equal(forged(56, 4, 1), HFTL_CORRUPT);
    assert_int_equal(forged(60, 4, 1), HFTL_CORRUPT);
    assert_int_equal(forged(32, 4, 99), HFTL_OK);     /* the generation is what a head tells */
    assert_int_equal(forged(36, 4, 4), HFTL_CORRUPT); /* but its epoch is there twice */
}

static void H2_the_layout_is_judged(void **state)
{
    (void)state;
    assert_int_equal(forged(64, 1, 0), HFTL_CORRUPT);    /* media kind */
    assert_int_equal(forged(66, 2, 4096), HFTL_CORRUPT); /* other blocks than it stands in */
    assert_int_equal(forged(112, 4, 3), HFTL_CORRUPT);   /* three bands: no band 3 */
    assert_int_equal(forged(116, 4, 8), HFTL_CORRUPT);   /* stride 8: no position 8 */
}

static void H3_columns(void **state)
{
    (void)state;
    assert_int_equal(forged(280, 1, 1), HFTL_CORRUPT); /* its own is not there */
    assert_int_equal(forged(280, 1, 7), HFTL_CORRUPT); /* a third of two */
    assert_int_equal(forged(311, 1, 0x80), HFTL_CORRUPT);
    assert_int_equal(forged(274, 2, 2), HFTL_CORRUPT);
    assert_int_equal(forged(274, 2, 0xffff), HFTL_CORRUPT);
    assert_int_equal(forged(280, 1, 2), HFTL_OK);
}

static void fields_in_their_bounds_and_reserved_zero(void **state)
{
    (void)state;
    assert_int_equal(forged(272, 1, 2), HFTL_CORRUPT); /* a third stream */
    assert_int_equal(forged(272, 1, 0), HFTL_OK);
    assert_int_equal(forged(273, 1, 1), HFTL_CORRUPT);
    assert_int_equal(forged(276, 4, 6), HFTL_CORRUPT); /* not the generation's epoch */
    struct format_context ctx = sample_context();
    struct head head;
    uint8_t block[BLOCK];
    make(block); /* 25 bits of epoch, in both places */
    forge(&ctx, &(struct forgery){STAMP_HEAD, 36, 4, 0x01000000}, block, BLOCK);
    forge(&ctx, &(struct forgery){STAMP_HEAD, 276, 4, 0x01000000}, block, BLOCK);
    assert_int_equal(decode(block, &head), HFTL_CORRUPT);
    assert_int_equal(forged(384, 1, 1), HFTL_CORRUPT);
    assert_int_equal(forged(407, 1, 1), HFTL_CORRUPT);
    assert_int_equal(forged(BLOCK - 1, 1, 1), HFTL_CORRUPT);
}

static void the_witness_is_judged(void **state)
{
    (void)state;
    assert_int_equal(forged(312, 8, UINT64_C(1) << 56), HFTL_CORRUPT);
    assert_int_equal(forged(320, 4, 4), HFTL_CORRUPT);   /* no band 4 */
    assert_int_equal(forged(324, 4, 129), HFTL_CORRUPT); /* behind its end */
    assert_int_equal(forged(340, 4, 1), HFTL_CORRUPT);   /* an unused slot with a number */
    assert_int_equal(forged(344, 8, 1), HFTL_CORRUPT);
    assert_int_equal(forged(320, 4, UINT32_MAX), HFTL_CORRUPT); /* used, then not */
}

static void rescue_needs_no_device_id(void **state)
{
    struct format_context ctx = {.block_bytes = BLOCK, .any_device = true};
    struct format_context sample = sample_context();
    struct head head;
    uint8_t block[BLOCK];
    (void)state;
    make(block);
    assert_int_equal(head_decode(&ctx, &there, block, &head), HFTL_OK);
    assert_memory_equal(head.id, sample.id, sizeof head.id);
    assert_int_equal(head.layout.salt, sample.salt);
}

static void has_a_text(void **state)
{
    struct head head = sample_head();
    char text[1500];
    (void)state;
    head_to_text(&head, text, sizeof text);
    assert_ptr_equal(strstr(text, "head of band 3 generation 5.7 position 8\n"
                                  "stream relocation, column 1 (2 present), epoch 5, seq 5.41\n"
                                  "witness: flush 5.3, stream 0: band 2 generation 5.6 below 100\n"
                                  "device \"bücher\""),
                     text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back_as_it_was),
        cmocka_unit_test(every_flip_is_refused),
        cmocka_unit_test(H1_the_stamp_is_judged),
        cmocka_unit_test(H2_the_layout_is_judged),
        cmocka_unit_test(H3_columns),
        cmocka_unit_test(fields_in_their_bounds_and_reserved_zero),
        cmocka_unit_test(the_witness_is_judged),
        cmocka_unit_test(rescue_needs_no_device_id),
        cmocka_unit_test(has_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
