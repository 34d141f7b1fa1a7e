/* SPDX-License-Identifier: BSD-3-Clause */
#include "test/format/samples.h"

#include <string.h>

_Static_assert(FORMAT_SUPERBLOCK_BYTES == 512, "a record without verdicts is 512 bytes");

#define RECORD (2u * BLOCK) /* the sample, with its two verdicts */

static const struct format_place there = {.place = 1, .position = 8};
static const struct verdict_list no_verdicts = {.count = 0};

static void make(uint8_t *record)
{
    struct format_context ctx = sample_context();
    struct superblock superblock = sample_superblock();
    struct verdict_list verdicts = sample_verdicts();
    memset(record, 0x5a, RECORD);
    assert_int_equal(superblock_bytes(BLOCK, &verdicts), RECORD);
    superblock_encode(&ctx, &superblock, &verdicts, record, RECORD);
}

static enum hftl_status decode(const uint8_t *record, void *argument)
{
    struct format_context ctx = sample_context();
    struct superblock superblock;
    return superblock_decode(&ctx, &there, record, *(const size_t *)argument, &superblock);
}

static enum hftl_status forged(size_t at, size_t count, uint64_t value)
{
    struct format_context ctx = sample_context();
    size_t bytes = RECORD;
    uint8_t record[RECORD];
    make(record);
    forge(&ctx, &(struct forgery){STAMP_SUPERBLOCK, at, count, value}, record, RECORD);
    return decode(record, &bytes);
}

static void assert_same(const struct superblock *a, const struct superblock *b)
{
    assert_int_equal(a->copy, b->copy);
    assert_int_equal(a->offset, b->offset);
    assert_int_equal(a->number, b->number);
    assert_int_equal(a->seq, b->seq);
    assert_true(layout_equal(&a->layout, &b->layout));
    assert_int_equal(a->features_compatible, b->features_compatible);
    assert_int_equal(a->features_read_only, b->features_read_only);
    assert_int_equal(a->features_incompatible, b->features_incompatible);
    assert_int_equal(a->epoch, b->epoch);
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->generation_next, b->generation_next);
    assert_memory_equal(a->cache_id, b->cache_id, sizeof a->cache_id);
    assert_int_equal(a->cache_generation, b->cache_generation);
    assert_int_equal(a->cache_state, b->cache_state);
    assert_memory_equal(a->open, b->open, sizeof a->open);
    assert_memory_equal(&a->witness, &b->witness, sizeof a->witness);
}

static void assert_verdicts(const struct superblock *superblock, const uint8_t *record,
                            const struct verdict_list *expected)
{
    struct verdict_walk walk = verdict_walk_start(superblock, record);
    uint32_t accepted[FORMAT_COLUMNS_MAX];
    struct verdict verdict;
    uint32_t count = 0;

    for (; verdict_next(&walk, &verdict, accepted); count++) {
        const struct verdict *want = &expected->verdicts[count];
        assert_true(count < expected->count);
        assert_int_equal(verdict.band, want->band);
        assert_int_equal(verdict.columns, want->columns);
        assert_int_equal(verdict.generation, want->generation);
        assert_memory_equal(verdict.accepted, want->accepted, 4u * verdict.columns);
    }
    assert_int_equal(count, expected->count);
}

static void the_sample_comes_back(void **state)
{
    struct format_context ctx = sample_context();
    struct superblock back, sample = sample_superblock();
    struct verdict_list verdicts = sample_verdicts();
    uint8_t record[RECORD];
    (void)state;
    make(record);
    assert_int_equal(superblock_decode(&ctx, &there, record, RECORD, &back), HFTL_OK);
    assert_memory_equal(back.id, ctx.id, sizeof ctx.id);
    assert_int_equal(back.bytes, RECORD);
    assert_same(&back, &sample);
    assert_verdicts(&back, record, &verdicts);
}

static void fill_random(struct prng *prng, struct superblock *superblock, uint32_t block_bytes)
{
    *superblock = sample_superblock();
    superblock->layout.block_bytes = block_bytes;
    superblock->layout.columns = 256;
    superblock->layout.chunk_blocks = 100000;
    superblock->layout.bands = 1u + (uint32_t)prng_below(prng, 1000);
    superblock->copy = (uint32_t)prng_below(prng, 2);
    superblock->offset = (uint32_t)prng_below(prng, 90000);
    superblock->number = prng_next(prng);
    superblock->seq = prng_next(prng) & FORMAT_SEQ_MAX;
    superblock->features_compatible = prng_next(prng);
    superblock->features_read_only = prng_next(prng);
    superblock->epoch = random_u32(prng) & FORMAT_EPOCH_MAX;
    superblock->state = (uint32_t)prng_below(prng, 4);
    superblock->generation_next = prng_next(prng);
    random_bytes(prng, superblock->cache_id, sizeof superblock->cache_id);
    superblock->cache_generation = prng_next(prng);
    superblock->cache_state = random_u32(prng);
    superblock->witness = random_witness(prng, &superblock->layout);
    struct witness open = random_witness(prng, &superblock->layout);
    memcpy(superblock->open, open.slots, sizeof superblock->open);
}

static void any_record_comes_back(void **state)
{
    static uint32_t accepted[30][FORMAT_COLUMNS_MAX];
    static uint8_t record[65536];
    struct verdict list[30];
    struct prng prng;
    (void)state;
    prng_seed(&prng, 70);
    for (unsigned i = 0; i < 500; i++) {
        struct format_context ctx = random_context(&prng);
        struct verdict_list verdicts = {list, (uint32_t)prng_below(&prng, 31)};
        struct superblock back, superblock;
        fill_random(&prng, &superblock, ctx.block_bytes);
        for (uint32_t v = 0; v < verdicts.count; v++) {
            list[v] = (struct verdict){
                .band = (uint32_t)prng_below(&prng, superblock.layout.bands),
                .columns = 1u + (uint32_t)prng_below(&prng, 256),
                .generation = prng_next(&prng),
                .accepted = accepted[v],
            };
            for (uint32_t c = 0; c < list[v].columns; c++)
                accepted[v][c] = (uint32_t)prng_below(&prng, 100001);
        }
        size_t bytes = superblock_bytes(ctx.block_bytes, &verdicts);
        assert_true(bytes <= sizeof record);
        superblock_encode(&ctx, &superblock, &verdicts, record, bytes);
        struct format_place where = {superblock.copy, superblock.offset};
        assert_int_equal(superblock_decode(&ctx, &where, record, sizeof record, &back), HFTL_OK);
        assert_int_equal(back.bytes, bytes);
        assert_same(&back, &superblock);
        assert_verdicts(&back, record, &verdicts);
    }
}

static void every_flip_is_refused(void **state)
{
    struct format_context ctx = sample_context();
    struct superblock superblock = sample_superblock();
    size_t bytes = RECORD;
    uint8_t record[RECORD];
    (void)state;
    make(record);
    assert_every_flip_refused(record, RECORD, decode, &bytes);
    bytes = BLOCK;
    superblock_encode(&ctx, &superblock, &no_verdicts, record, BLOCK);
    assert_every_flip_refused(record, BLOCK, decode, &bytes);
}

static void P1_the_stamp_is_judged(void **state)
{
    (void)state;
    assert_int_equal(forged(0, 1, 'x'), HFTL_FOREIGN);
    assert_int_equal(forged(10, 2, 7), HFTL_FOREIGN);
    assert_int_equal(forged(8, 2, 2), HFTL_VERSION);
    assert_int_equal(forged(16, 1, 0), HFTL_MISMATCH);
    assert_int_equal(forged(40, 4, 0), HFTL_MISMATCH);
    assert_int_equal(forged(44, 4, 9), HFTL_MISMATCH);
    assert_int_equal(forged(60, 4, 1), HFTL_CORRUPT);
}

static void P2_the_layout_is_judged(void **state)
{
    (void)state;
    assert_int_equal(forged(64, 1, 9), HFTL_CORRUPT);
    assert_int_equal(forged(66, 2, 1024), HFTL_CORRUPT);
}

static void P3_features_that_are_not_known(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t feature = UINT64_C(1) << bit;
        assert_int_equal(forged(272, 8, feature), HFTL_OK);
        assert_int_equal(forged(280, 8, feature), HFTL_OK);
        assert_int_equal(forged(288, 8, feature), HFTL_UNSUPPORTED);
    }
    struct superblock superblock = sample_superblock();
    assert_false(superblock_read_only(&superblock));
    superblock.features_read_only = 8;
    assert_true(superblock_read_only(&superblock));
    superblock.features_read_only = 0;
    superblock.state |= SUPERBLOCK_READ_ONLY;
    assert_true(superblock_read_only(&superblock));
}

static void P3_state_bits(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 32; bit++) {
        enum hftl_status right = bit < 2                ? HFTL_OK
                                 : bit >= 8 && bit < 16 ? HFTL_UNSUPPORTED
                                                        : HFTL_CORRUPT;
        assert_int_equal(forged(300, 4, UINT64_C(1) << bit), right);
    }
}

static void P4_count(void **state)
{
    (void)state;
    assert_int_equal(forged(56, 4, 0), HFTL_CORRUPT);
    assert_int_equal(forged(56, 4, 511), HFTL_CORRUPT);
    assert_int_equal(forged(56, 4, 1000), HFTL_CORRUPT);
    assert_int_equal(forged(56, 4, BLOCK), HFTL_CORRUPT); /* the crc is another then */
    assert_int_equal(forged(56, 4, 3 * BLOCK), HFTL_TRUNCATED);
    assert_int_equal(forged(56, 4, 0xfffffe00), HFTL_TRUNCATED);
}

static void P4_a_record_ends_within_its_chunk(void **state)
{
    struct format_context ctx = sample_context();
    struct superblock superblock = sample_superblock();
    size_t bytes = BLOCK;
    uint8_t record[BLOCK];
    (void)state;
    superblock_encode(&ctx, &superblock, &no_verdicts, record, BLOCK); /* at block 8 */
    forge(&ctx, &(struct forgery){STAMP_SUPERBLOCK, 84, 4, 9}, record, BLOCK);
    assert_int_equal(decode(record, &bytes), HFTL_OK);
    forge(&ctx, &(struct forgery){STAMP_SUPERBLOCK, 84, 4, 8}, record, BLOCK);
    assert_int_equal(decode(record, &bytes), HFTL_CORRUPT);
}

static void P4_verdicts(void **state)
{
    (void)state;
    assert_int_equal(forged(496, 4, 3), HFTL_CORRUPT); /* the third is zeros: no columns */
    assert_int_equal(forged(496, 4, 1), HFTL_CORRUPT); /* what follows is not zero */
    assert_int_equal(forged(496, 4, UINT32_MAX), HFTL_CORRUPT);
    assert_int_equal(forged(512, 4, 4), HFTL_CORRUPT); /* no such band */
    assert_int_equal(forged(516, 4, 0), HFTL_CORRUPT);
    assert_int_equal(forged(516, 4, 3), HFTL_CORRUPT); /* more columns than there are */
    assert_int_equal(forged(516, 4, 0x40000002), HFTL_CORRUPT);
    assert_int_equal(forged(528, 4, 65), HFTL_CORRUPT); /* more than a chunk */
    assert_int_equal(forged(528, 4, 64), HFTL_OK);
    assert_int_equal(forged(520, 8, UINT64_MAX), HFTL_OK);
    assert_int_equal(forged(560, 1, 1), HFTL_CORRUPT); /* behind the last */
    assert_int_equal(forged(RECORD - 1, 1, 1), HFTL_CORRUPT);
}

/* A verdict that begins inside the record and would end behind it. */
static void P4_a_verdict_cut_by_the_end(void **state)
{
    struct format_context ctx = sample_context();
    struct superblock superblock = sample_superblock();
    size_t bytes = BLOCK;
    uint8_t record[RECORD];
    (void)state;
    superblock_encode(&ctx, &superblock, &no_verdicts, record, BLOCK);
    forge(&ctx, &(struct forgery){STAMP_SUPERBLOCK, 496, 4, 1}, record, BLOCK);
    assert_int_equal(decode(record, &bytes), HFTL_CORRUPT);

    make(record); /* a verdict of one column has 20 bytes: the 26th of 512 bytes is cut */
    memset(record + BLOCK, 0, BLOCK);
    for (size_t at = BLOCK; at + 20 <= RECORD; at += 20)
        record[at + 4] = 1;
    forge(&ctx, &(struct forgery){STAMP_SUPERBLOCK, 496, 4, 25}, record, RECORD);
    bytes = RECORD;
    assert_int_equal(decode(record, &bytes), HFTL_OK);
    forge(&ctx, &(struct forgery){STAMP_SUPERBLOCK, 496, 4, 26}, record, RECORD);
    assert_int_equal(decode(record, &bytes), HFTL_CORRUPT);

    memset(record + BLOCK, 0, BLOCK); /* 19 x 24 + 2 x 20 + 16: the last lacks its column */
    size_t at = BLOCK;
    for (unsigned i = 0; i < 22; i++) {
        record[at + 4] = i < 19 ? 2 : 1;
        at += i < 19 ? 24 : 20;
    }
    assert_int_equal(at, RECORD + 4);
    forge(&ctx, &(struct forgery){STAMP_SUPERBLOCK, 496, 4, 21}, record, RECORD);
    assert_int_equal(decode(record, &bytes), HFTL_CORRUPT); /* what is left of it is not zero */
    forge(&ctx, &(struct forgery){STAMP_SUPERBLOCK, 496, 4, 22}, record, RECORD);
    assert_int_equal(decode(record, &bytes), HFTL_CORRUPT);
}

static void fields_in_their_bounds_and_reserved_zero(void **state)
{
    (void)state;
    assert_int_equal(forged(296, 4, 0x01000000), HFTL_CORRUPT); /* 25 bits of epoch */
    for (size_t at = 340; at < 360; at++)
        assert_int_equal(forged(at, 1, 1), HFTL_CORRUPT);
    for (size_t at = 500; at < 512; at++)
        assert_int_equal(forged(at, 1, 1), HFTL_CORRUPT);
    assert_int_equal(forged(360, 4, 4), HFTL_CORRUPT); /* an open band that is not there */
    assert_int_equal(forged(364, 4, 129), HFTL_CORRUPT);
    assert_int_equal(forged(380, 4, 1), HFTL_CORRUPT); /* an unused slot with a number */
    assert_int_equal(forged(432, 4, 4), HFTL_CORRUPT); /* the witness's */
}

static void a_record_that_is_cut_is_refused(void **state)
{
    uint8_t record[RECORD];
    (void)state;
    make(record);
    for (size_t bytes = 0; bytes < RECORD; bytes++)
        assert_int_equal(decode(record, &bytes), HFTL_TRUNCATED);
}

static void peek_says_how_much_to_read(void **state)
{
    struct format_context ctx = sample_context();
    uint8_t record[RECORD];
    uint32_t bytes = 0;
    (void)state;
    make(record);
    assert_int_equal(superblock_peek(&ctx, record, &bytes), HFTL_OK);
    assert_int_equal(bytes, RECORD);
    assert_int_equal(superblock_peek(&ctx, record + BLOCK, &bytes), HFTL_FOREIGN);
    record[57] = 3; /* 768 */
    assert_int_equal(superblock_peek(&ctx, record, &bytes), HFTL_CORRUPT);
    record[8] = 2;
    assert_int_equal(superblock_peek(&ctx, record, &bytes), HFTL_VERSION);
}

static void discovery_needs_no_device_id(void **state)
{
    struct format_context ctx = {.block_bytes = BLOCK, .any_device = true};
    struct format_context sample = sample_context();
    struct superblock superblock;
    uint8_t record[RECORD];
    (void)state;
    make(record);
    assert_int_equal(superblock_decode(&ctx, &there, record, RECORD, &superblock), HFTL_OK);
    assert_memory_equal(superblock.id, sample.id, sizeof sample.id);
}

static void has_a_text(void **state)
{
    struct superblock superblock = sample_superblock();
    struct verdict_list verdicts = sample_verdicts();
    char text[1500];
    (void)state;
    superblock.bytes = RECORD;
    superblock.verdict_count = 2;
    superblock_to_text(&superblock, text, sizeof text);
    assert_ptr_equal(strstr(text, "superblock copy B record 12 at block 8, 1024 bytes\n"
                                  "epoch 6, seq 5.44, next generation 6.0, clean\n"
                                  "features 0x8000000000000001 read-only 0x0 incompatible 0x0\n"
                                  "open in stream 0: band 3 generation 5.7 position 16\n"
                                  "witness: flush 5.3, stream 0: band 2 generation 5.6 below 100\n"
                                  "2 verdicts\n"),
                     text);
    verdict_to_text(&verdicts.verdicts[0], text, sizeof text);
    assert_string_equal(text, "band 0 generation 5.5 accepted 40 64");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sample_comes_back),
        cmocka_unit_test(any_record_comes_back),
        cmocka_unit_test(every_flip_is_refused),
        cmocka_unit_test(P1_the_stamp_is_judged),
        cmocka_unit_test(P2_the_layout_is_judged),
        cmocka_unit_test(P3_features_that_are_not_known),
        cmocka_unit_test(P3_state_bits),
        cmocka_unit_test(P4_count),
        cmocka_unit_test(P4_a_record_ends_within_its_chunk),
        cmocka_unit_test(P4_verdicts),
        cmocka_unit_test(P4_a_verdict_cut_by_the_end),
        cmocka_unit_test(fields_in_their_bounds_and_reserved_zero),
        cmocka_unit_test(a_record_that_is_cut_is_refused),
        cmocka_unit_test(peek_says_how_much_to_read),
        cmocka_unit_test(discovery_needs_no_device_id),
        cmocka_unit_test(has_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
