/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * golden.c - the bytes of each record, written down. A test that fails here says that drives of
 * yesterday are not read today: then it is the version that must change, not these digits.
 */
#include "test/format/samples.h"

#include "base/crc.h"
#include "format/lost.h"

#include <string.h>

static void identities(void **state)
{
    uint8_t packed[SAMPLE_IDENTS * FORMAT_IDENT_BYTES];
    (void)state;
    sample_idents(packed);
    assert_bytes(packed, sizeof packed,
                 "58fc0c70 00000000 00000001 00000070 19f008c6 2a000000 0500002b 01000010"
                 "0d935bcf 2b000000 05000000 00000010 a70fbbe8 2c000000 05000000 00000030"
                 "a5842f33 09000000 0400004d 00000040 c91ce8c2 00000000 00000000 00000050"
                 "c12fb086 00000000 00000000 00000060");
}

static void a_layout(void **state)
{
    struct layout layout = sample_layout();
    uint8_t bytes[FORMAT_LAYOUT_BYTES];
    (void)state;
    layout_encode(&layout, bytes);
    assert_bytes(bytes, sizeof bytes,
                 "02020002 00000000 01000000 01000000 0c000000 40000000 04000000 08000000"
                 "00000000 02000000 00000000 01000000 04000000 80000000 2c010000 00000000"
                 "fa000100 17000000 00000000 01000000 01000100 00000000 01000000 00000000"
                 "02000100 01000000 01000000 00000000 03000100 02000000 08000000 02000000"
                 "00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000"
                 "62c3bc63 68657200 00000000 00000000 00000000 00000000 00000000 00000000"
                 "00f15365 00000000 88776655 44332211");
}

static void an_open_channel_layout(void **state)
{
    struct layout layout = sample_layout_ocssd();
    uint8_t bytes[FORMAT_LAYOUT_BYTES];
    (void)state;
    layout_encode(&layout, bytes);
    assert_bytes(bytes, sizeof bytes,
                 "01010002 10000000 02000000 02000000 08000000 40000000 04000000 08000000"
                 "08000000 02000000 01000000 02000000 08000000 80000000 f4010000 00000000"
                 "fa000100 00000000 08000000 11000000 01000100 08000000 01000000 00000000"
                 "02000100 11000000 01000000 00000000 03000100 08000000 10000000 02000000"
                 "00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000"
                 "62c3bc63 68657200 00000000 00000000 00000000 00000000 00000000 00000000"
                 "00f15365 00000000 88776655 44332211");
}

static void a_head(void **state)
{
    struct format_context ctx = sample_context();
    struct head head = sample_head();
    uint8_t block[BLOCK];
    (void)state;
    head_encode(&ctx, &head, block);
    assert_bytes(block, sizeof block,
                 "4846544c 48454144 01000700 6058bcca a0a1a2a3 a4a5a6a7 a8a9aaab acadaeaf"
                 "07000000 05000000 03000000 08000000 29000000 05000000 00000000 00000000"
                 "02020002 00000000 01000000 01000000 0c000000 40000000 04000000 08000000"
                 "00000000 02000000 00000000 01000000 04000000 80000000 2c010000 00000000"
                 "fa000100 17000000 00000000 01000000 01000100 00000000 01000000 00000000"
                 "02000100 01000000 01000000 00000000 03000100 02000000 08000000 02000000"
                 "00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000"
                 "62c3bc63 68657200 00000000 00000000 00000000 00000000 00000000 00000000"
                 "00f15365 00000000 88776655 44332211 01000100 05000000 03000000 00000000"
                 "00000000 00000000 00000000 00000000 00000000 00000000 03000000 05000000"
                 "02000000 64000000 06000000 05000000 ffffffff 00000000 00000000 00000000"
                 "ffffffff 00000000 00000000 00000000 ffffffff");
}

static void a_summary(void **state)
{
    struct format_context ctx = sample_context();
    uint8_t block[BLOCK];
    (void)state;
    struct summary summary = sample_summary(summary_ident_slot(block, 0));
    summary_encode(&ctx, &summary, block);
    assert_bytes(block, sizeof block,
                 "4846544c 53554d4d 01000600 27ac7e8b a0a1a2a3 a4a5a6a7 a8a9aaab acadaeaf"
                 "07000000 05000000 03000000 0f000000 2c000000 05000000 07000000 00000000"
                 "03000000 05000000 02000000 64000000 06000000 05000000 ffffffff 00000000"
                 "00000000 00000000 ffffffff 00000000 00000000 00000000 ffffffff 00000000"
                 "00000000 00000000 58fc0c70 00000000 00000001 00000070 19f008c6 2a000000"
                 "0500002b 01000010 0d935bcf 2b000000 05000000 00000010 a70fbbe8 2c000000"
                 "05000000 00000030 a5842f33 09000000 0400004d 00000040 c91ce8c2 00000000"
                 "00000000 00000050 c12fb086 00000000 00000000 00000060");
}

static void a_tail(void **state)
{
    struct format_context ctx = sample_context();
    struct tail_place place = {
        .band = 3, .generation = format_generation(5, 7), .band_blocks = 8, .ws_min = 1};
    uint8_t block[BLOCK];
    struct tail tail = {.seq_highest = format_seq(5, 44).n,
                        .count = SAMPLE_IDENTS,
                        .idents = tail_ident_slot(block, 0)};
    (void)state;
    sample_idents(tail_ident_slot(block, 0));
    tail_encode(&ctx, &place, &tail, block);
    assert_bytes(block, sizeof block,
                 "4846544c 5441494c 01000800 8e3e16ab a0a1a2a3 a4a5a6a7 a8a9aaab acadaeaf"
                 "07000000 05000000 03000000 07000000 2c000000 05000000 07000000 00000000"
                 "58fc0c70 00000000 00000001 00000070 19f008c6 2a000000 0500002b 01000010"
                 "0d935bcf 2b000000 05000000 00000010 a70fbbe8 2c000000 05000000 00000030"
                 "a5842f33 09000000 0400004d 00000040 c91ce8c2 00000000 00000000 00000050"
                 "c12fb086 00000000 00000000 00000060");
}

static void a_trim_page(void **state)
{
    struct format_context ctx = sample_context();
    uint8_t bitmap[38] = {[0] = 0x81, [37] = 0x08};
    struct trim_page page = {.range = 0, .seq = format_seq(5, 44).n, .bits = 300, .bitmap = bitmap};
    uint8_t block[BLOCK];
    (void)state;
    trim_page_encode(&ctx, &page, block);
    assert_bytes(block, sizeof block,
                 "4846544c 5452494d 01000300 6b51ac2f a0a1a2a3 a4a5a6a7 a8a9aaab acadaeaf"
                 "00000000 00000000 00000000 00000000 2c000000 05000000 2c010000 00000000"
                 "81000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000"
                 "00000000 0008");
}

static void a_lost_block(void **state)
{
    struct format_context ctx = sample_context();
    struct lost lost = {.seq = format_seq(4, 9).n};
    uint8_t block[BLOCK];
    (void)state;
    lost_encode(&ctx, &lost, block);
    assert_bytes(block, sizeof block,
                 "4846544c 4c4f5354 01000400 4a9c283f a0a1a2a3 a4a5a6a7 a8a9aaab acadaeaf"
                 "00000000 00000000 00000000 00000000 09000000 04");
}

static void a_superblock(void **state)
{
    struct format_context ctx = sample_context();
    struct superblock superblock = sample_superblock();
    struct verdict_list verdicts = sample_verdicts();
    uint8_t record[2 * BLOCK];
    (void)state;
    superblock_encode(&ctx, &superblock, &verdicts, record, sizeof record);
    assert_bytes(record, sizeof record,
                 "4846544c 53555052 01001000 f86973ba a0a1a2a3 a4a5a6a7 a8a9aaab acadaeaf"
                 "0c000000 00000000 01000000 08000000 2c000000 05000000 00040000 00000000"
                 "02020002 00000000 01000000 01000000 0c000000 40000000 04000000 08000000"
                 "00000000 02000000 00000000 01000000 04000000 80000000 2c010000 00000000"
                 "fa000100 17000000 00000000 01000000 01000100 00000000 01000000 00000000"
                 "02000100 01000000 01000000 00000000 03000100 02000000 08000000 02000000"
                 "00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000"
                 "62c3bc63 68657200 00000000 00000000 00000000 00000000 00000000 00000000"
                 "00f15365 00000000 88776655 44332211 01000000 00000080 00000000 00000000"
                 "00000000 00000000 06000000 01000000 00000000 06000000 01020300 00000000"
                 "00000000 00000000 04000000 00000000 02000000 00000000 00000000 00000000"
                 "00000000 00000000 03000000 10000000 07000000 05000000 ffffffff 00000000"
                 "00000000 00000000 ffffffff 00000000 00000000 00000000 ffffffff 00000000"
                 "00000000 00000000 03000000 05000000 02000000 64000000 06000000 05000000"
                 "ffffffff 00000000 00000000 00000000 ffffffff 00000000 00000000 00000000"
                 "ffffffff 00000000 00000000 00000000 02000000 00000000 00000000 00000000"
                 "00000000 02000000 05000000 05000000 28000000 40000000 02000000 01000000"
                 "06000000 05");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identities),
        cmocka_unit_test(a_layout),
        cmocka_unit_test(an_open_channel_layout),
        cmocka_unit_test(a_head),
        cmocka_unit_test(a_summary),
        cmocka_unit_test(a_tail),
        cmocka_unit_test(a_trim_page),
        cmocka_unit_test(a_lost_block),
        cmocka_unit_test(a_superblock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
