/* SPDX-License-Identifier: BSD-3-Clause */
#include "test/format/samples.h"

#include <string.h>

_Static_assert(FORMAT_SUMMARY_IDENTS_AT == 136, "identities begin at 136");

static const struct band_mark there = {
    .band = 3, .position = 15, .generation = UINT64_C(5) << 32 | 7};

static enum hftl_status decode(const uint8_t *block, void *argument)
{
    struct format_context ctx = sample_context();
    return summary_decode(&ctx, &there, block, argument);
}

static void make(uint8_t *block)
{
    struct format_context ctx = sample_context();
    memset(block, 0x5a, BLOCK);
    struct summary summary = sample_summary(summary_ident_slot(block, 0));
    summary_encode(&ctx, &summary, block);
}

static enum hftl_status forged(size_t at, size_t count, uint64_t value)
{
    struct format_context ctx = sample_context();
    struct summary summary;
    uint8_t block[BLOCK];
    make(block);
    forge(&ctx, &(struct forgery){STAMP_SUMMARY, at, count, value}, block, BLOCK);
    return decode(block, &summary);
}

static void comes_back_as_it_was(void **state)
{
    struct layout layout = sample_layout();
    struct prng prng;
    (void)state;
    prng_seed(&prng, 40);
    for (unsigned i = 0; i < 3000; i++) {
        struct format_context ctx = random_context(&prng);
        uint8_t block[FORMAT_BLOCK_BYTES_MAX], packed[FORMAT_BLOCK_BYTES_MAX];
        uint32_t count = (uint32_t)prng_below(&prng, summary_idents_max(ctx.block_bytes) + 1u);
        struct summary back,
            summary = {
                .at = {random_u32(&prng), count + (uint32_t)prng_below(&prng, 1000),
                       prng_next(&prng)},
                .seq = prng_next(&prng) & FORMAT_SEQ_MAX,
                .count = count,
                .witness = random_witness(&prng, &layout),
                .idents = packed,
            };
        for (uint32_t j = 0; j < count; j++) {
            struct ident ident = random_ident(&prng);
            ident_encode(&ident, packed + j * FORMAT_IDENT_BYTES);
        }
        random_bytes(&prng, block, ctx.block_bytes);
        summary_encode(&ctx, &summary, block);
        assert_int_equal(summary_decode(&ctx, &summary.at, block, &back), HFTL_OK);
        assert_int_equal(back.seq, summary.seq);
        assert_int_equal(back.count, count);
        assert_memory_equal(&back.witness, &summary.witness, sizeof back.witness);
        for (uint32_t j = 0; j < count; j++) {
            struct ident ident;
            uint8_t bytes[FORMAT_IDENT_BYTES];
            assert_int_equal(summary_ident(&back, j, &ident), HFTL_OK);
            ident_encode(&ident, bytes);
            assert_memory_equal(bytes, packed + j * FORMAT_IDENT_BYTES, sizeof bytes);
        }
    }
}

static void every_flip_is_refused(void **state)
{
    uint8_t block[BLOCK];
    struct summary summary;
    (void)state;
    make(block);
    assert_every_flip_refused(block, BLOCK, decode, &summary);
}

static void U1_the_stamp_is_judged(void **state)
{
    (void)state;
    assert_int_equal(forged(0, 1, 'x'), HFTL_FOREIGN);
    assert_int_equal(forged(8, 2, 2), HFTL_VERSION);
    assert_int_equal(forged(16, 1, 0), HFTL_MISMATCH);
    assert_int_equal(forged(32, 8, 6), HFTL_MISMATCH); /* an earlier life of the band */
    assert_int_equal(forged(40, 4, 2), HFTL_MISMATCH);
    assert_int_equal(forged(44, 4, 14), HFTL_MISMATCH);
    assert_int_equal(forged(60, 4, 1), HFTL_CORRUPT);
}

static void U1_counts(void **state)
{
    struct format_context ctx = sample_context();
    struct band_mark early = {.band = 3, .position = 6, .generation = UINT64_C(5) << 32 | 7};
    struct summary summary;
    uint8_t block[BLOCK];
    (void)state;
    assert_int_equal(forged(56, 4, 24), HFTL_CORRUPT); /* n > N */
    assert_int_equal(forged(56, 4, UINT32_MAX), HFTL_CORRUPT);
    assert_int_equal(forged(56, 4, 6), HFTL_CORRUPT); /* the seventh is then not zero */
    assert_int_equal(forged(56, 4, 8), HFTL_OK);      /* the eighth is then all zero: U2's */
    make(block);
    forge(&ctx, &(struct forgery){STAMP_SUMMARY, 44, 4, 6}, block, BLOCK);
    assert_int_equal(summary_decode(&ctx, &early, block, &summary), HFTL_CORRUPT); /* n > p */
}

static void behind_the_identities_is_zero_and_the_witness_is_judged(void **state)
{
    (void)state;
    assert_int_equal(forged(136 + 16 * SAMPLE_IDENTS, 1, 1), HFTL_CORRUPT);
    assert_int_equal(forged(BLOCK - 1, 1, 1), HFTL_CORRUPT);
    assert_int_equal(forged(64, 8, UINT64_MAX), HFTL_CORRUPT);
    assert_int_equal(forged(92, 4, 1), HFTL_CORRUPT);
}

/* One bad identity does not take the others with it. */
static void U2_identities_are_judged_alone(void **state)
{
    struct format_context ctx = sample_context();
    struct summary summary;
    struct ident ident;
    uint8_t block[BLOCK];
    (void)state;
    make(block);
    forge(&ctx, &(struct forgery){STAMP_SUMMARY, 136 + 16 + 15, 1, 0xf0}, block, BLOCK);
    assert_int_equal(decode(block, &summary), HFTL_OK);
    assert_int_equal(summary_ident(&summary, 0, &ident), HFTL_OK);
    assert_int_equal(summary_ident(&summary, 1, &ident), HFTL_CORRUPT);
    assert_int_equal(summary_ident(&summary, 2, &ident), HFTL_OK);
}

static void has_a_text(void **state)
{
    uint8_t packed[16 * SAMPLE_IDENTS];
    struct summary summary = sample_summary(packed);
    char text[300];
    (void)state;
    summary_to_text(&summary, text, sizeof text);
    assert_string_equal(text, "summary of band 3 generation 5.7 position 15\n"
                              "7 identities from position 8 on, seq 5.44\n"
                              "witness: flush 5.3, stream 0: band 2 generation 5.6 below 100");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back_as_it_was),
        cmocka_unit_test(every_flip_is_refused),
        cmocka_unit_test(U1_the_stamp_is_judged),
        cmocka_unit_test(U1_counts),
        cmocka_unit_test(behind_the_identities_is_zero_and_the_witness_is_judged),
        cmocka_unit_test(U2_identities_are_judged_alone),
        cmocka_unit_test(has_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
