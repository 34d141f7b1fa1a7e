/* SPDX-License-Identifier: BSD-3-Clause */
#include "test/format/samples.h"

#include "base/bytes.h"
#include "base/crc.h"
#include "format/lost.h"

#include <string.h>

_Static_assert(FORMAT_STAMP_BYTES == 64, "a stamp is 64 bytes");

static const enum stamp_kind kinds[] = {STAMP_SUPERBLOCK, STAMP_HEAD, STAMP_SUMMARY,
                                        STAMP_TAIL,       STAMP_TRIM, STAMP_LOST};
#define KINDS (sizeof kinds / sizeof kinds[0])

static const struct stamp sample = {
    .number = 7,
    .place = 3,
    .position = 15,
    .seq = 99,
    .count = 5,
};

static void make(enum stamp_kind kind, uint8_t *block)
{
    struct format_context ctx = sample_context();
    struct stamp stamp = sample;
    stamp.kind = kind;
    memset(block, 0x5a, BLOCK);
    stamp_encode(&ctx, &stamp, block);
    stamp_seal(&ctx, kind, block, BLOCK);
}

static struct stamp_expected expect(enum stamp_kind kind)
{
    return (struct stamp_expected){
        .kind = kind,
        .place = 3,
        .position = 15,
        .number_known = true,
        .number = 7,
    };
}

static enum hftl_status decode_as(enum stamp_kind kind, const uint8_t *block)
{
    struct format_context ctx = sample_context();
    struct stamp_expected expected = expect(kind);
    struct stamp stamp;
    return stamp_decode(&ctx, &expected, block, BLOCK, &stamp);
}

static enum hftl_status forged(enum stamp_kind kind, size_t at, size_t count, uint64_t value)
{
    struct format_context ctx = sample_context();
    uint8_t block[BLOCK];
    make(kind, block);
    forge(&ctx, &(struct forgery){kind, at, count, value}, block, BLOCK);
    return decode_as(kind, block);
}

static void comes_back_as_it_was(void **state)
{
    struct prng prng;
    (void)state;
    prng_seed(&prng, 10);
    for (unsigned i = 0; i < 5000; i++) {
        struct format_context ctx = random_context(&prng);
        struct stamp stamp = {
            .kind = kinds[i % KINDS],
            .number = prng_next(&prng),
            .place = random_u32(&prng),
            .position = random_u32(&prng),
            .seq = prng_next(&prng) & FORMAT_SEQ_MAX,
            .count = random_u32(&prng),
        };
        struct stamp_expected expected = {
            .kind = stamp.kind, .place = stamp.place, .position = stamp.position};
        struct stamp back;
        uint8_t block[FORMAT_BLOCK_BYTES_MAX];
        random_bytes(&prng, block, 128);
        stamp_encode(&ctx, &stamp, block);
        stamp_seal(&ctx, stamp.kind, block, 128);
        assert_int_equal(stamp_decode(&ctx, &expected, block, 128, &back), HFTL_OK);
        assert_memory_equal(back.id, ctx.id, sizeof ctx.id);
        assert_int_equal(back.number, stamp.number);
        assert_int_equal(back.place, stamp.place);
        assert_int_equal(back.position, stamp.position);
        assert_int_equal(back.seq, stamp.seq);
        assert_int_equal(back.count, stamp.count);
    }
}

static void S1_magic_and_kind(void **state)
{
    uint8_t block[BLOCK];
    (void)state;
    for (size_t made = 0; made < KINDS; made++) {
        make(kinds[made], block);
        for (size_t read = 0; read < KINDS; read++)
            assert_int_equal(decode_as(kinds[read], block), made == read ? HFTL_OK : HFTL_FOREIGN);
        assert_int_equal(forged(kinds[made], 0, 1, 'h'), HFTL_FOREIGN);
        assert_int_equal(forged(kinds[made], 10, 2, 1), HFTL_FOREIGN);
    }
}

/* Before the crc: another version may checksum in another way. */
static void S2_version(void **state)
{
    uint8_t block[BLOCK];
    (void)state;
    make(STAMP_HEAD, block);
    put_u16(block + 8, 2);
    assert_int_equal(decode_as(STAMP_HEAD, block), HFTL_VERSION);
    assert_int_equal(stamp_version(block), 2);
    assert_int_equal(forged(STAMP_SUMMARY, 8, 2, 0), HFTL_VERSION);
}

static void S3_crc(void **state)
{
    uint8_t block[BLOCK];
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        make(kinds[i], block);
        block[BLOCK - 1] ^= 1;
        assert_int_equal(decode_as(kinds[i], block), HFTL_CORRUPT);
    }
}

/* Who does not know the salt cannot make a summary; a head carries the salt, so it does without. */
static void S3_crc_needs_the_salt_except_in_superblock_and_head(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        struct format_context ctx = sample_context();
        uint8_t block[BLOCK];
        bool plain = kinds[i] == STAMP_SUPERBLOCK || kinds[i] == STAMP_HEAD;
        make(kinds[i], block);
        ctx.salt ^= 1;
        stamp_seal(&ctx, kinds[i], block, BLOCK);
        assert_int_equal(decode_as(kinds[i], block), plain ? HFTL_OK : HFTL_CORRUPT);
    }
}

/* FORMAT.md, 3, written out a second time. */
static void S3_crc_is_the_formula(void **state)
{
    uint8_t salted[8 + BLOCK];
    (void)state;
    make(STAMP_TAIL, salted + 8);
    uint32_t crc = get_u32(salted + 8 + 12);
    put_u64(salted, sample_context().salt);
    put_u32(salted + 8 + 12, 0);
    assert_int_equal(crc, crc32c(0, salted, sizeof salted));

    make(STAMP_HEAD, salted + 8);
    crc = get_u32(salted + 8 + 12);
    put_u32(salted + 8 + 12, 0);
    assert_int_equal(crc, crc32c(0, salted + 8, BLOCK));
}

static void S4_device_id(void **state)
{
    struct format_context ctx = sample_context();
    struct stamp_expected expected = expect(STAMP_HEAD);
    struct stamp stamp;
    uint8_t block[BLOCK];
    (void)state;
    assert_int_equal(forged(STAMP_HEAD, 16, 1, 0), HFTL_MISMATCH);
    assert_int_equal(forged(STAMP_TRIM, 31, 1, 0), HFTL_MISMATCH);

    make(STAMP_HEAD, block);
    memset(ctx.id, 0, sizeof ctx.id);
    assert_int_equal(stamp_decode(&ctx, &expected, block, BLOCK, &stamp), HFTL_MISMATCH);
    ctx.any_device = true;
    assert_int_equal(stamp_decode(&ctx, &expected, block, BLOCK, &stamp), HFTL_OK);
    ctx = sample_context();
    assert_memory_equal(stamp.id, ctx.id, sizeof ctx.id);
}

static void S5_place_position_and_generation(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        assert_int_equal(forged(kinds[i], 32, 8, 8), HFTL_MISMATCH);
        assert_int_equal(forged(kinds[i], 40, 4, 4), HFTL_MISMATCH);
        assert_int_equal(forged(kinds[i], 44, 4, 14), HFTL_MISMATCH);
    }
}

static void S6_reserved_is_zero_and_seq_has_56_bits(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        assert_int_equal(forged(kinds[i], 60, 4, 1), HFTL_CORRUPT);
        assert_int_equal(forged(kinds[i], 55, 1, 1), HFTL_CORRUPT);
    }
}

static void the_first_broken_rule_answers(void **state)
{
    (void)state;
    uint8_t block[BLOCK];
    make(STAMP_TAIL, block);
    memset(block + 16, 0xee, BLOCK - 16); /* S3 to S6 */
    assert_int_equal(decode_as(STAMP_TAIL, block), HFTL_CORRUPT);
    block[8] = 9; /* and S2 */
    assert_int_equal(decode_as(STAMP_TAIL, block), HFTL_VERSION);
    block[0] = 0; /* and S1 */
    assert_int_equal(decode_as(STAMP_TAIL, block), HFTL_FOREIGN);
}

static void leaves_the_struct_alone_when_it_refuses(void **state)
{
    struct format_context ctx = sample_context();
    struct stamp_expected expected = expect(STAMP_TAIL);
    struct stamp stamp, before;
    uint8_t block[BLOCK];
    (void)state;
    memset(&stamp, 0x77, sizeof stamp);
    memcpy(&before, &stamp, sizeof stamp);
    make(STAMP_TAIL, block);
    expected.place++;
    assert_int_equal(stamp_decode(&ctx, &expected, block, BLOCK, &stamp), HFTL_MISMATCH);
    assert_memory_equal(&stamp, &before, sizeof stamp);
}

static void has_a_text(void **state)
{
    char text[200];
    struct stamp stamp = sample;
    (void)state;
    stamp.kind = STAMP_LOST;
    stamp_to_text(&stamp, text, sizeof text);
    assert_string_equal(text, "HFTLLOST number 7 place 3 position 15 seq 0.99 count 5 device "
                              "00000000000000000000000000000000");
}

/* The lost block is a stamp and nothing else, so it is tested here. */
static enum hftl_status decode_lost(const uint8_t *block, void *argument)
{
    struct format_context ctx = sample_context();
    struct ident ident = {.kind = IDENT_LOST, .lba = 5, .seq = *(const uint64_t *)argument};
    struct lost lost = {0};
    enum hftl_status status = lost_decode(&ctx, &ident, block, &lost);
    assert_int_equal(lost.seq, status == HFTL_OK ? ident.seq : 0);
    return status;
}

static enum hftl_status forged_lost(size_t at, size_t count, uint64_t value)
{
    struct format_context ctx = sample_context();
    uint64_t seq = 9;
    uint8_t block[BLOCK];
    lost_encode(&ctx, &(struct lost){.seq = seq}, block);
    forge(&ctx, &(struct forgery){STAMP_LOST, at, count, value}, block, BLOCK);
    return decode_lost(block, &seq);
}

static void a_lost_block_is_a_stamp_and_zeros(void **state)
{
    struct format_context ctx = sample_context();
    uint64_t seq = 9;
    uint8_t block[BLOCK];
    char text[100];
    (void)state;
    memset(block, 0x5a, sizeof block);
    lost_encode(&ctx, &(struct lost){.seq = seq}, block);
    assert_every_flip_refused(block, BLOCK, decode_lost, &seq);
    assert_int_equal(forged_lost(0, 1, 'x'), HFTL_FOREIGN);
    assert_int_equal(forged_lost(8, 2, 2), HFTL_VERSION);
    assert_int_equal(forged_lost(16, 1, 2), HFTL_MISMATCH);
    assert_int_equal(forged_lost(32, 8, 1), HFTL_MISMATCH);
    assert_int_equal(forged_lost(40, 4, 1), HFTL_MISMATCH);
    assert_int_equal(forged_lost(44, 4, 1), HFTL_MISMATCH);
    assert_int_equal(forged_lost(48, 8, 8), HFTL_MISMATCH);
    assert_int_equal(forged_lost(56, 4, 1), HFTL_CORRUPT);
    assert_int_equal(forged_lost(64, 1, 1), HFTL_CORRUPT);
    assert_int_equal(forged_lost(BLOCK - 1, 1, 1), HFTL_CORRUPT);
    lost_to_text(&(struct lost){.seq = seq}, text, sizeof text);
    assert_string_equal(text, "lost block, seq 0.9");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back_as_it_was),
        cmocka_unit_test(S1_magic_and_kind),
        cmocka_unit_test(S2_version),
        cmocka_unit_test(S3_crc),
        cmocka_unit_test(S3_crc_needs_the_salt_except_in_superblock_and_head),
        cmocka_unit_test(S3_crc_is_the_formula),
        cmocka_unit_test(S4_device_id),
        cmocka_unit_test(S5_place_position_and_generation),
        cmocka_unit_test(S6_reserved_is_zero_and_seq_has_56_bits),
        cmocka_unit_test(the_first_broken_rule_answers),
        cmocka_unit_test(leaves_the_struct_alone_when_it_refuses),
        cmocka_unit_test(has_a_text),
        cmocka_unit_test(a_lost_block_is_a_stamp_and_zeros),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
