/* SPDX-License-Identifier: BSD-3-Clause */
#include "test/format/samples.h"

#include <string.h>

static const struct ident identity = {.kind = IDENT_TRIM, .lba = 2, .seq = 99};

static enum hftl_status decode(const uint8_t *block, void *argument)
{
    struct format_context ctx = sample_context();
    return trim_page_decode(&ctx, &identity, block, argument);
}

/* 300 lbas: bitmap of 38 bytes, 4 bits of the last. */
static void make(uint8_t *block)
{
    struct format_context ctx = sample_context();
    uint8_t bitmap[38];
    struct trim_page page = {.range = 2, .seq = 99, .bits = 300, .bitmap = bitmap};
    memset(block, 0x5a, BLOCK);
    memset(bitmap, 0, sizeof bitmap);
    bitmap[0] = 0x81;
    bitmap[37] = 0x08;
    trim_page_encode(&ctx, &page, block);
}

static enum hftl_status forged(size_t at, size_t count, uint64_t value)
{
    struct format_context ctx = sample_context();
    struct trim_page page;
    uint8_t block[BLOCK];
    make(block);
    forge(&ctx, &(struct forgery){STAMP_TRIM, at, count, value}, block, BLOCK);
    return decode(block, &page);
}

static void comes_back_as_it_was(void **state)
{
    struct prng prng;
    (void)state;
    prng_seed(&prng, 60);
    for (unsigned i = 0; i < 2000; i++) {
        struct format_context ctx = random_context(&prng);
        uint8_t block[FORMAT_BLOCK_BYTES_MAX], bitmap[FORMAT_BLOCK_BYTES_MAX];
        struct ident ident = {.kind = IDENT_TRIM,
                              .lba = random_u32(&prng),
                              .seq = (prng_next(&prng) & FORMAT_SEQ_MAX) | 1u};
        struct trim_page back,
            page = {
                .range = (uint32_t)ident.lba,
                .seq = ident.seq,
                .bits = 1u + (uint32_t)prng_below(&prng, trim_page_lbas(ctx.block_bytes)),
                .bitmap = bitmap,
            };
        random_bytes(&prng, bitmap, sizeof bitmap);
        if (page.bits % 8u != 0)
            bitmap[page.bits / 8u] &= (uint8_t)((1u << page.bits % 8u) - 1u);
        trim_page_encode(&ctx, &page, block);
        assert_int_equal(trim_page_decode(&ctx, &ident, block, &back), HFTL_OK);
        assert_int_equal(back.range, page.range);
        assert_int_equal(back.seq, page.seq);
        assert_int_equal(back.bits, page.bits);
        for (uint32_t bit = 0; bit < page.bits; bit++)
            assert_int_equal(trim_page_has(&back, bit), bitmap[bit / 8u] >> bit % 8u & 1);
    }
}

static void bits_are_where_the_format_says(void **state)
{
    struct trim_page page;
    uint8_t block[BLOCK];
    (void)state;
    make(block);
    assert_int_equal(decode(block, &page), HFTL_OK);
    for (uint32_t bit = 0; bit < 300; bit++)
        assert_int_equal(trim_page_has(&page, bit), bit == 0 || bit == 7 || bit == 299);
}

static void every_flip_is_refused(void **state)
{
    uint8_t block[BLOCK];
    struct trim_page page;
    (void)state;
    make(block);
    assert_every_flip_refused(block, BLOCK, decode, &page);
}

static void the_stamp_is_judged(void **state)
{
    (void)state;
    assert_int_equal(forged(0, 1, 'x'), HFTL_FOREIGN);
    assert_int_equal(forged(8, 2, 2), HFTL_VERSION);
    assert_int_equal(forged(16, 1, 0), HFTL_MISMATCH);
    assert_int_equal(forged(32, 8, 1), HFTL_MISMATCH);
    assert_int_equal(forged(40, 4, 1), HFTL_MISMATCH); /* another range */
    assert_int_equal(forged(44, 4, 1), HFTL_MISMATCH);
    assert_int_equal(forged(48, 8, 98), HFTL_MISMATCH); /* another version of it */
    assert_int_equal(forged(60, 4, 1), HFTL_CORRUPT);
}

static void counts_and_zeros_are_judged(void **state)
{
    (void)state;
    assert_int_equal(forged(56, 4, 0), HFTL_CORRUPT);
    assert_int_equal(forged(56, 4, 3585), HFTL_CORRUPT);
    assert_int_equal(forged(56, 4, UINT32_MAX), HFTL_CORRUPT);
    assert_int_equal(forged(56, 4, 3584), HFTL_OK);
    assert_int_equal(forged(56, 4, 299), HFTL_CORRUPT); /* bit 299 speaks of no lba then */
    assert_int_equal(forged(64 + 37, 1, 0x18), HFTL_CORRUPT);
    assert_int_equal(forged(64 + 38, 1, 1), HFTL_CORRUPT);
    assert_int_equal(forged(BLOCK - 1, 1, 1), HFTL_CORRUPT);
}

/* A range beyond what a stamp can say comes from a wrong identity, not from a defect of ours. */
static void a_range_beyond_32_bits_is_refused(void **state)
{
    struct format_context ctx = sample_context();
    struct ident far = {.kind = IDENT_TRIM, .lba = UINT64_C(0x100000002), .seq = 99};
    struct trim_page page;
    uint8_t block[BLOCK];
    (void)state;
    make(block);
    assert_int_equal(trim_page_decode(&ctx, &far, block, &page), HFTL_MISMATCH);
}

static void has_a_text(void **state)
{
    struct trim_page page;
    uint8_t block[BLOCK];
    char text[100];
    (void)state;
    make(block);
    assert_int_equal(decode(block, &page), HFTL_OK);
    trim_page_to_text(&page, text, sizeof text);
    assert_string_equal(text, "trim page of range 2 seq 0.99, 3 of 300 lbas unmapped");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back_as_it_was),
        cmocka_unit_test(bits_are_where_the_format_says),
        cmocka_unit_test(every_flip_is_refused),
        cmocka_unit_test(the_stamp_is_judged),
        cmocka_unit_test(counts_and_zeros_are_judged),
        cmocka_unit_test(a_range_beyond_32_bits_is_refused),
        cmocka_unit_test(has_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
