/* SPDX-License-Identifier: BSD-3-Clause */
#include "test/format/samples.h"

#include "base/bytes.h"
#include "base/crc.h"

#include <string.h>

#define ROUNDS 20000u

_Static_assert(FORMAT_IDENT_BYTES == 16, "an identity is 16 bytes");
_Static_assert(FORMAT_SEQ_BITS == 56 && FORMAT_LBA_BITS == 36, "56 bits of seq, 36 of lba");

static void comes_back_as_it_was(void **state)
{
    struct prng prng;
    (void)state;
    prng_seed(&prng, 1);
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct ident ident = random_ident(&prng);
        struct ident back;
        uint8_t bytes[FORMAT_IDENT_BYTES];
        ident_encode(&ident, bytes);
        assert_int_equal(ident_decode(bytes, &back), HFTL_OK);
        assert_int_equal(back.crc, ident.crc);
        assert_int_equal(back.seq, ident.seq);
        assert_int_equal(back.lba, ident.lba);
        assert_int_equal(back.kind, ident.kind);
    }
}

static void gives_the_data_crc_back(void **state)
{
    struct prng prng;
    (void)state;
    prng_seed(&prng, 2);
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct ident ident = random_ident(&prng);
        uint32_t data_crc = random_u32(&prng);
        uint64_t salt = prng_next(&prng);
        ident.crc = ident_crc(&ident, data_crc, salt);
        assert_int_equal(ident_data_crc(&ident, salt), data_crc);
        assert_int_equal(ident_verifies(&ident, data_crc, salt), ident.kind != IDENT_LOST);
        assert_false(ident_verifies(&ident, data_crc ^ 1u, salt));
        assert_false(ident_verifies(&ident, data_crc, salt ^ 1u));
    }
}

/* The formulas of FORMAT.md, 2, written out a second time. */
static void place_salt_is_the_formula(void **state)
{
    struct format_context ctx = {.salt = 0x1122334455667788};
    (void)state;
    assert_int_equal(ident_place_salt(&ctx, 0, (hftl_pba){0}), 0x1122334455667788);
    assert_int_equal(ident_place_salt(&ctx, 3, (hftl_pba){0x12345678}),
                     UINT64_C(0x1122334455667788) ^ UINT64_C(0xdaa66d2c7ddf743f) ^ 0x12345678);
}

/* What was good at one place or in one life is not at another, nor in another. */
static void verifies_only_where_and_when_it_was_written(void **state)
{
    struct format_context ctx = sample_context();
    struct prng prng;
    (void)state;
    prng_seed(&prng, 4);
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct ident ident = {.kind = IDENT_DATA, .lba = 7, .seq = 99};
        uint64_t generation = format_generation(5, random_u32(&prng) >> 1);
        hftl_pba here = {random_u32(&prng)}, there = {random_u32(&prng)};
        ident.crc = ident_crc(&ident, 12, ident_place_salt(&ctx, generation, here));
        assert_true(ident_verifies(&ident, 12, ident_place_salt(&ctx, generation, here)));
        assert_false(ident_verifies(&ident, 12, ident_place_salt(&ctx, generation + 1, here)));
        assert_false(ident_verifies(&ident, 12, ident_place_salt(&ctx, generation, there)));
        assert_false(ident_verifies(&ident, 12, ident_place_salt(&ctx, generation + 1, there)));
    }
}

static void crc_is_the_formula(void **state)
{
    struct ident ident = {.kind = IDENT_DATA, .lba = 0x987654321, .seq = 0x11223344556677};
    uint8_t covered[20] = {0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0x21, 0x43, 0x65,
                           0x87, 0x19, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11};
    uint32_t expected = crc32c(0, "abcd", 4) ^ crc32c(0, covered, sizeof covered);
    (void)state;
    assert_int_equal(ident_crc(&ident, crc32c(0, "abcd", 4), 0x1122334455667788), expected);

    ident.kind = IDENT_LOST; /* inverted */
    covered[11] = 0x49;
    expected = ~(crc32c(0, "abcd", 4) ^ crc32c(0, covered, sizeof covered));
    assert_int_equal(ident_crc(&ident, crc32c(0, "abcd", 4), 0x1122334455667788), expected);
}

/* Neither over the data its crc was taken of, nor over data that its crc happens to fit. */
static void lost_never_verifies(void **state)
{
    struct prng prng;
    (void)state;
    prng_seed(&prng, 3);
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct ident ident = random_ident(&prng);
        uint32_t data_crc = random_u32(&prng);
        ident.kind = IDENT_LOST;
        ident.crc = ident_crc(&ident, data_crc, 5);
        assert_false(ident_verifies(&ident, data_crc, 5));
        ident.crc = prng_chance(&prng, 1, 2) ? ~ident.crc : random_u32(&prng);
        assert_false(ident_verifies(&ident, ident_data_crc(&ident, 5), 5));
    }
}

static enum hftl_status decode_and_verify(const uint8_t *bytes, void *argument)
{
    struct ident ident;
    const uint32_t *data_crc = argument;
    enum hftl_status status = ident_decode(bytes, &ident);
    if (status != HFTL_OK)
        return status;
    return ident_verifies(&ident, *data_crc, 6) ? HFTL_OK : HFTL_MISMATCH;
}

static void every_flip_is_seen(void **state)
{
    struct ident ident = {.kind = IDENT_DATA, .lba = 299, .seq = format_seq(5, 42).n};
    uint32_t data_crc = 0x12345678;
    uint8_t bytes[FORMAT_IDENT_BYTES];
    (void)state;
    ident.crc = ident_crc(&ident, data_crc, 6);
    ident_encode(&ident, bytes);
    assert_every_flip_refused(bytes, sizeof bytes, decode_and_verify, &data_crc);
}

static enum hftl_status decode_parts(uint64_t seq, uint64_t lba, unsigned kind)
{
    uint8_t bytes[FORMAT_IDENT_BYTES] = {0};
    struct ident ident;
    put_u56(bytes + 4, seq);
    put_u40(bytes + 11, lba | (uint64_t)kind << 36);
    return ident_decode(bytes, &ident);
}

static void I1_only_the_eight_kinds_without_map(void **state)
{
    (void)state;
    assert_int_equal(decode_parts(1, 0, 0), HFTL_CORRUPT);
    assert_int_equal(decode_parts(1, 0, IDENT_MAP), HFTL_UNSUPPORTED);
    for (unsigned kind = 9; kind < 16; kind++)
        assert_int_equal(decode_parts(1, 0, kind), HFTL_CORRUPT);
}

static void I3_seq_is_not_zero(void **state)
{
    (void)state;
    assert_int_equal(decode_parts(0, 1, IDENT_DATA), HFTL_CORRUPT);
    assert_int_equal(decode_parts(0, 1, IDENT_TRIM), HFTL_CORRUPT);
    assert_int_equal(decode_parts(0, 1, IDENT_LOST), HFTL_CORRUPT);
    assert_int_equal(decode_parts(0, 1, IDENT_HEAD), HFTL_OK);
}

static void fields_without_meaning_are_zero(void **state)
{
    (void)state;
    assert_int_equal(decode_parts(1, 0, IDENT_PAD), HFTL_CORRUPT);
    assert_int_equal(decode_parts(0, 1, IDENT_PAD), HFTL_CORRUPT);
    assert_int_equal(decode_parts(0, 0, IDENT_PAD), HFTL_OK);
    assert_int_equal(decode_parts(1, 1, IDENT_SUMMARY), HFTL_CORRUPT);
    assert_int_equal(decode_parts(1, 1, IDENT_TAIL), HFTL_CORRUPT);
    assert_int_equal(decode_parts(1, 256, IDENT_HEAD), HFTL_CORRUPT);
}

static void neither_erased_nor_all_ones_decodes(void **state)
{
    uint8_t bytes[FORMAT_IDENT_BYTES];
    struct ident ident;
    (void)state;
    memset(bytes, 0, sizeof bytes);
    assert_int_equal(ident_decode(bytes, &ident), HFTL_CORRUPT);
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(ident_decode(bytes, &ident), HFTL_CORRUPT);
}

static void has_a_text(void **state)
{
    struct ident ident = {.kind = IDENT_TRIM, .lba = 3, .seq = format_seq(5, 44).n, .crc = 0xabc};
    char text[100];
    (void)state;
    ident_to_text(&ident, text, sizeof text);
    assert_string_equal(text, "trim range 3 seq 5.44 crc 0x00000abc");
    ident_to_text(&ident, text, 8);
    assert_string_equal(text, "trim ra");
    ident_to_text(&ident, text, 0);
    assert_string_equal(text, "trim ra");
    assert_string_equal(ident_kind_text((enum ident_kind)0), "invalid");
    assert_string_equal(ident_kind_text(IDENT_TAIL), "tail");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back_as_it_was),
        cmocka_unit_test(gives_the_data_crc_back),
        cmocka_unit_test(place_salt_is_the_formula),
        cmocka_unit_test(verifies_only_where_and_when_it_was_written),
        cmocka_unit_test(crc_is_the_formula),
        cmocka_unit_test(lost_never_verifies),
        cmocka_unit_test(every_flip_is_seen),
        cmocka_unit_test(I1_only_the_eight_kinds_without_map),
        cmocka_unit_test(I3_seq_is_not_zero),
        cmocka_unit_test(fields_without_meaning_are_zero),
        cmocka_unit_test(neither_erased_nor_all_ones_decodes),
        cmocka_unit_test(has_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
