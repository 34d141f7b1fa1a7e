/* SPDX-License-Identifier: BSD-3-Clause */
#include "test/format/samples.h"

#include "base/bytes.h"

#include <stdio.h>
#include <string.h>

_Static_assert(FORMAT_LAYOUT_BYTES == 208, "a layout is 208 bytes");

static char why[200];

static enum hftl_status check(const struct layout *layout)
{
    struct hftl_media_facts facts =
        layout->media_kind == HFTL_KIND_OCSSD ? sample_facts_ocssd() : sample_facts();
    return layout_check(layout, &facts, why, sizeof why);
}

/* Refused, and the sentence names the field and both numbers. */
static void assert_refused(const struct layout *layout, const char *field, uint64_t ours,
                           uint64_t other)
{
    char numbers[2][24];
    snprintf(numbers[0], sizeof numbers[0], "%llu", (unsigned long long)ours);
    snprintf(numbers[1], sizeof numbers[1], "%llu", (unsigned long long)other);
    assert_int_equal(check(layout), HFTL_GEOMETRY);
    if (strncmp(why, field, strlen(field)) != 0 || strstr(why, numbers[0]) == NULL ||
        strstr(why, numbers[1]) == NULL)
        fail_msg("\"%s\" should name %s, %s and %s", why, field, numbers[0], numbers[1]);
}

static void the_samples_are_good(void **state)
{
    struct layout zoned = sample_layout();
    struct layout ocssd = sample_layout_ocssd();
    (void)state;
    if (check(&zoned) != HFTL_OK)
        fail_msg("%s", why);
    assert_string_equal(why, "");
    if (check(&ocssd) != HFTL_OK)
        fail_msg("%s", why);
    struct hftl_media_facts facts = sample_facts();
    zoned.bands = 99;
    assert_int_equal(layout_check(&zoned, &facts, NULL, 0), HFTL_GEOMETRY);
}

static void L1_every_fact_is_compared(void **state)
{
    struct {
        size_t at;
        const char *field;
    } const facts[] = {
        {offsetof(struct layout, oob_bytes), "OOB bytes"},
        {offsetof(struct layout, groups), "groups"},
        {offsetof(struct layout, pus_per_group), "PUs per group"},
        {offsetof(struct layout, chunks_per_pu), "chunks per PU"},
        {offsetof(struct layout, chunk_blocks), "chunk blocks"},
        {offsetof(struct layout, ws_min), "ws_min"},
        {offsetof(struct layout, ws_opt), "ws_opt"},
        {offsetof(struct layout, mw_cunits), "mw_cunits"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++) {
        struct layout layout = sample_layout();
        uint32_t value;
        memcpy(&value, (char *)&layout + facts[i].at, sizeof value);
        uint32_t wrong = value + 1u;
        memcpy((char *)&layout + facts[i].at, &wrong, sizeof wrong);
        assert_refused(&layout, facts[i].field, wrong, value);
    }
    struct layout layout = sample_layout();
    layout.block_bytes = 1024;
    assert_refused(&layout, "block bytes", 1024, 512);
    layout = sample_layout();
    layout.media_kind = HFTL_KIND_FLAT;
    assert_refused(&layout, "media kind", HFTL_KIND_FLAT, HFTL_KIND_ZONED);
}

static void L1_what_follows_is_computed_again(void **state)
{
    struct layout layout = sample_layout();
    (void)state;
    layout.band_stride = 127;
    assert_refused(&layout, "band stride", 127, 128);
    layout = sample_layout();
    layout.summary_idents = 24;
    assert_refused(&layout, "identities in a summary", 24, 23);
    layout = sample_layout(); /* ws_opt 8, ws_min 4 */
    layout.interleave = 2;
    assert_int_equal(check(&layout), HFTL_OK);
    layout.interleave = 4; /* L4: slices of half a ws_min */
    assert_refused(&layout, "ws_opt as interleave slices of whole ws_min", 8, 0);
    layout.interleave = 3;
    assert_refused(&layout, "ws_opt as interleave slices of whole ws_min", 8, 0);
    layout = sample_layout();
    layout.ident_place = IDENT_IN_OOB;
    assert_refused(&layout, "OOB bytes", 0, 16);
    layout = sample_layout_ocssd();
    layout.columns = 1;
    assert_refused(&layout, "columns", 1, 2);
    layout = sample_layout();
    layout.superblock_chunk[1] = 11;
    assert_refused(&layout, "superblock chunk B", 11, 1);
}

static void L1_limits_are_kept(void **state)
{
    struct layout layout = sample_layout();
    (void)state;
    layout.columns = 0;
    assert_refused(&layout, "columns", 0, 1);
    layout.columns = 257;
    assert_refused(&layout, "columns", 257, 256);
    layout = sample_layout();
    layout.bands = 0;
    assert_refused(&layout, "bands", 0, 1);
    layout = sample_layout();
    layout.exported_blocks = 0;
    assert_refused(&layout, "exported blocks", 0, 1);
    layout.exported_blocks = 4 * 128 + 1;
    assert_refused(&layout, "exported blocks", 4 * 128 + 1, 4 * 128);
    layout.exported_blocks = FORMAT_EXPORTED_MAX + 1;
    assert_refused(&layout, "exported blocks", FORMAT_EXPORTED_MAX + 1, FORMAT_EXPORTED_MAX);
    layout = sample_layout();
    layout.pu_count = 2;
    assert_refused(&layout, "last PU of the instance", 2, 1);
    layout.pu_count = 0;
    assert_refused(&layout, "PUs of the instance", 0, 1);
    layout = sample_layout_ocssd();
    layout.pu_first = 3;
    assert_refused(&layout, "last PU of the instance", 5, 4);
    layout = sample_layout_ocssd();
    layout.bands = 9;
    assert_refused(&layout, "bands", 9, 8);
}

/* The medium lies in step with the layout: only the arithmetic can notice. */
static void L1_products_do_not_wrap(void **state)
{
    struct layout layout = sample_layout();
    struct hftl_media_facts facts = sample_facts();
    (void)state;
    layout.chunk_blocks = facts.chunk_blocks = UINT32_C(0x80000000); /* x 2 columns is 0 */
    layout.band_stride = 0;
    assert_int_equal(layout_check(&layout, &facts, why, sizeof why), HFTL_GEOMETRY);
    assert_non_null(strstr(why, "blocks of a band"));

    layout = sample_layout();
    facts = sample_facts();
    layout.groups = facts.groups = 65536;
    layout.pus_per_group = facts.pus_per_group = 65536; /* 2^32 PUs */
    layout.chunks_per_pu = facts.chunks_per_pu = UINT32_C(0xffffffff);
    assert_int_equal(layout_check(&layout, &facts, why, sizeof why), HFTL_GEOMETRY);
    assert_non_null(strstr(why, "chunks of the medium"));

    layout = sample_layout();
    facts = sample_facts();
    layout.chunk_blocks = facts.chunk_blocks = UINT32_C(0x7ffffffc);
    layout.band_stride = UINT32_C(0xfffffff8);
    layout.bands = 257; /* of nearly 2^32 blocks: the product is beyond FORMAT_PHYSICAL_MAX */
    assert_int_equal(layout_check(&layout, &facts, why, sizeof why), HFTL_GEOMETRY);
    assert_non_null(strstr(why, "blocks of all bands"));

    layout = sample_layout();
    facts = sample_facts();
    layout.chunk_blocks = facts.chunk_blocks = 4; /* as much as ws_min: all of it is tail */
    layout.band_stride = 8;
    layout.exported_blocks = 8;
    assert_int_equal(layout_check(&layout, &facts, why, sizeof why), HFTL_GEOMETRY);
    assert_non_null(strstr(why, "tail"));
}

static void L3_a_chunk_is_whole_writes(void **state)
{
    struct layout layout = sample_layout();
    struct hftl_media_facts facts = sample_facts();
    (void)state;
    layout.chunk_blocks = facts.chunk_blocks = 62;
    layout.band_stride = 124;
    assert_int_equal(layout_check(&layout, &facts, why, sizeof why), HFTL_GEOMETRY);
    assert_non_null(strstr(why, "chunk blocks as a multiple of ws_min"));
    assert_non_null(strstr(why, "62"));
    assert_non_null(strstr(why, "60"));
}

static void L2_regions_lie_inside_the_medium(void **state)
{
    struct layout layout = sample_layout();
    (void)state;
    layout.regions[2].chunk_count = 11;
    assert_refused(&layout, "end of a region", 13, 12);
    layout.regions[2].chunk_count = UINT32_MAX; /* would wrap in 32 bits */
    assert_refused(&layout, "end of a region", UINT64_C(0x100000001), 12);
    layout.regions[2].chunk_count = 0;
    assert_refused(&layout, "chunks of a region", 0, 1);
    layout.regions[2].chunk_count = 7;
    assert_refused(&layout, "chunks of the bands", 7, 8);
    layout = sample_layout();
    layout.bands = 6;
    assert_refused(&layout, "chunks of the bands", 8, 12);
    layout = sample_layout();
    layout.regions[3].chunk_first = 1;
    assert_refused(&layout, "numbers of an unused region", 1, 0);
    layout = sample_layout_ocssd();
    layout.regions[2].chunk_first = 7;
    assert_refused(&layout, "first chunk of the bands", 7, 8);
    layout = sample_layout_ocssd();
    layout.superblock_chunk[0] = layout.regions[0].chunk_first = 7;
    assert_refused(&layout, "superblock chunk A", 7, 8);
    layout.superblock_chunk[0] = layout.regions[0].chunk_first = 24;
    assert_refused(&layout, "superblock chunk A", 25, 24);
}

static void L2_regions_do_not_overlap(void **state)
{
    struct layout layout = sample_layout();
    (void)state;
    layout.regions[2].chunk_first = 1; /* superblock B is there */
    assert_refused(&layout, "begin of a region that overlaps", 1, 2);
    layout = sample_layout();
    layout.regions[1].chunk_first = layout.superblock_chunk[1] = 0;
    assert_refused(&layout, "begin of a region that overlaps", 0, 1);
    layout = sample_layout();
    layout.regions[4] = (struct region){.type = 900, .chunk_first = 9, .chunk_count = 1};
    assert_refused(&layout, "begin of a region that overlaps", 9, 10);
    layout.regions[4].chunk_first = 10; /* a type we do not know, where there is room */
    assert_int_equal(check(&layout), HFTL_OK);
    layout = sample_layout_ocssd(); /* superblocks cut out of the bands, but not of each other */
    layout.regions[1].chunk_first = layout.superblock_chunk[1] = 8;
    assert_refused(&layout, "begin of a region that overlaps", 8, 9);
}

static void L2_the_three_regions_are_there_once(void **state)
{
    struct layout layout = sample_layout();
    (void)state;
    layout.regions[2].type = REGION_MAP;
    assert_refused(&layout, "regions of bands", 0, 1);
    layout = sample_layout();
    layout.regions[4] = (struct region){
        .type = REGION_SUPERBLOCK_A, .version = 1, .chunk_first = 11, .chunk_count = 1};
    assert_refused(&layout, "regions of superblock A", 2, 1);
    layout = sample_layout();
    layout.regions[1].version = 2;
    assert_refused(&layout, "version of a region", 2, 1);
    layout = sample_layout();
    layout.regions[1].parameter = 2;
    assert_refused(&layout, "parameter of a superblock region", 2, 0);
    layout = sample_layout();
    layout.regions[2].parameter = 3;
    assert_refused(&layout, "columns in the region of the bands", 3, 2);
}

static void comes_back_as_it_was(void **state)
{
    struct prng prng;
    (void)state;
    prng_seed(&prng, 20);
    for (unsigned i = 0; i < 5000; i++) {
        struct layout back, layout = sample_layout();
        uint8_t bytes[FORMAT_LAYOUT_BYTES], again[FORMAT_LAYOUT_BYTES];
        layout_encode(&layout, bytes);
        random_bytes(&prng, bytes + 4, 156); /* all that decode leaves to layout_check */
        random_bytes(&prng, bytes + 192, 16);
        put_u32(bytes + 36, 1 + (uint32_t)prng_below(&prng, 256)); /* columns */
        put_u32(bytes + 20, random_u32(&prng) | 1u);               /* chunk blocks */
        put_u32(bytes + 24, random_u32(&prng) | 1u);               /* ws_min */
        assert_int_equal(layout_decode(bytes, &back), HFTL_OK);
        layout_encode(&back, again);
        assert_memory_equal(bytes, again, sizeof bytes);
        assert_true(layout_equal(&back, &back));
        assert_false(layout_equal(&back, &layout));
    }
}

/* Whatever is on the medium, it is refused or checked without a trap. */
static void random_layouts_do_no_harm(void **state)
{
    struct prng prng;
    (void)state;
    prng_seed(&prng, 21);
    for (unsigned i = 0; i < 50000; i++) {
        struct layout layout = sample_layout();
        struct hftl_media_facts facts = sample_facts();
        uint8_t bytes[FORMAT_LAYOUT_BYTES];
        layout_encode(&layout, bytes);
        for (unsigned j = 0; j <= i % 4u; j++)
            random_bytes(&prng, bytes + 4u * prng_below(&prng, 40), 4);
        if (layout_decode(bytes, &layout) != HFTL_OK)
            continue;
        facts.chunk_blocks = layout.chunk_blocks;
        facts.chunks_per_pu = layout.chunks_per_pu;
        facts.groups = layout.groups;
        enum hftl_status status = layout_check(&layout, &facts, why, sizeof why);
        assert_true(status == HFTL_OK || status == HFTL_GEOMETRY);
    }
}

static enum hftl_status with_byte(size_t at, uint8_t value)
{
    struct layout layout = sample_layout();
    uint8_t bytes[FORMAT_LAYOUT_BYTES];
    layout_encode(&layout, bytes);
    bytes[at] = value;
    return layout_decode(bytes, &layout);
}

static enum hftl_status with_name(const char *name)
{
    struct layout layout = sample_layout();
    uint8_t bytes[FORMAT_LAYOUT_BYTES];
    layout_encode(&layout, bytes);
    memset(bytes + 160, 0, FORMAT_NAME_BYTES);
    memcpy(bytes + 160, name, strlen(name));
    enum hftl_status status = layout_decode(bytes, &layout);
    if (status == HFTL_OK)
        assert_string_equal(layout.name, name);
    return status;
}

static void values_that_mean_nothing_are_corrupt(void **state)
{
    (void)state;
    assert_int_equal(with_byte(0, 1), HFTL_OK);
    assert_int_equal(with_byte(0, 0), HFTL_CORRUPT);
    assert_int_equal(with_byte(0, 4), HFTL_CORRUPT);
    assert_int_equal(with_byte(1, 0), HFTL_CORRUPT);
    assert_int_equal(with_byte(1, 3), HFTL_CORRUPT);
    assert_int_equal(with_byte(3, 3), HFTL_CORRUPT);  /* blocks of 768 */
    assert_int_equal(with_byte(3, 1), HFTL_CORRUPT);  /* of 256 */
    assert_int_equal(with_byte(3, 32), HFTL_CORRUPT); /* of 8192 */
    assert_int_equal(with_byte(36, 0), HFTL_CORRUPT); /* columns */
    assert_int_equal(with_byte(37, 1), HFTL_CORRUPT); /* 258 */
    assert_int_equal(with_byte(20, 0), HFTL_CORRUPT); /* chunk blocks */
    assert_int_equal(with_byte(24, 0), HFTL_CORRUPT); /* ws_min */
}

static void a_name_is_text_and_nothing_else(void **state)
{
    (void)state;
    assert_int_equal(with_name(""), HFTL_OK);
    assert_int_equal(with_name("Zürich \xe2\x82\xac \xf0\x9f\x92\xbe"), HFTL_OK);
    assert_int_equal(with_name("exactly thirty-two bytes of name"), HFTL_OK);
    assert_int_equal(with_name("a\x1b[2J"), HFTL_CORRUPT);
    assert_int_equal(with_name("\x7f"), HFTL_CORRUPT);
    assert_int_equal(with_name("\xc2\x9b"), HFTL_CORRUPT);         /* a C1 control */
    assert_int_equal(with_name("\xc1\xa1"), HFTL_CORRUPT);         /* overlong */
    assert_int_equal(with_name("\xe0\x80\xaf"), HFTL_CORRUPT);     /* overlong */
    assert_int_equal(with_name("\xed\xa0\x80"), HFTL_CORRUPT);     /* a surrogate */
    assert_int_equal(with_name("\xf4\x90\x80\x80"), HFTL_CORRUPT); /* beyond Unicode */
    assert_int_equal(with_name("\xf8\x88\x80\x80\x80"), HFTL_CORRUPT);
    assert_int_equal(with_name("\x80"), HFTL_CORRUPT);
    assert_int_equal(with_name("exactly thirty-one bytes and a \xc3"), HFTL_CORRUPT); /* cut */
    assert_int_equal(with_byte(190, 'x'), HFTL_CORRUPT); /* behind the end of the name */
}

static void I2_holds_what_is_exported(void **state)
{
    struct layout layout = sample_layout();
    struct ident data = {.kind = IDENT_DATA, .lba = 299, .seq = 1};
    struct ident trim = {.kind = IDENT_TRIM, .lba = 0, .seq = 1};
    struct ident head = {.kind = IDENT_HEAD, .lba = 1};
    struct band_mark mark = {.band = 3, .position = 128};
    (void)state;
    assert_true(layout_holds_ident(&layout, &data));
    data.lba = 300;
    assert_false(layout_holds_ident(&layout, &data));
    data.kind = IDENT_LOST;
    assert_false(layout_holds_ident(&layout, &data));
    assert_true(layout_holds_ident(&layout, &trim));
    trim.lba = 1;
    assert_false(layout_holds_ident(&layout, &trim));
    layout.exported_blocks = 3585;
    assert_int_equal(layout_trim_ranges(&layout), 2);
    assert_true(layout_holds_ident(&layout, &trim));
    assert_true(layout_holds_ident(&layout, &head));
    head.lba = 2;
    assert_false(layout_holds_ident(&layout, &head));
    assert_true(layout_holds_mark(&layout, &mark));
    mark.position = 129;
    assert_false(layout_holds_mark(&layout, &mark));
    mark = (struct band_mark){.band = 4};
    assert_false(layout_holds_mark(&layout, &mark));
    mark.band = FORMAT_BAND_NONE;
    assert_true(layout_holds_mark(&layout, &mark));
}

static void derived_counts_are_those_of_section_11(void **state)
{
    (void)state;
    assert_int_equal(summary_idents_max(4096), 247);
    assert_int_equal(summary_idents_max(512), 23);
    assert_int_equal(tail_idents_max(4096), 252);
    assert_int_equal(tail_idents_max(512), 28);
    assert_int_equal(trim_page_lbas(4096), 32256);
    assert_int_equal(trim_page_lbas(512), 3584);
}

/* Against the definition: T is a multiple, is enough, and one multiple less is not. */
static void tail_blocks_is_the_smallest(void **state)
{
    struct prng prng;
    (void)state;
    prng_seed(&prng, 22);
    for (unsigned i = 0; i < 50000; i++) {
        uint32_t block_bytes = FORMAT_BLOCK_BYTES_MIN << prng_below(&prng, 4);
        uint32_t ws_min = 1u + (uint32_t)prng_below(&prng, 96);
        uint32_t band = random_u32(&prng) >> prng_below(&prng, 30);
        uint64_t m = tail_idents_max(block_bytes);
        uint64_t t = tail_blocks(band, block_bytes, ws_min);
        assert_int_equal(t % ws_min, 0);
        assert_true(t * m + t >= band);
        assert_true(t == 0 || (t - ws_min) * m + (t - ws_min) < band);
    }
}

/* The sample's chunks have 64 blocks, and the medium's ws_opt is 8. */
static void L5_a_unit_is_whole_units_of_the_medium(void **state)
{
    (void)state;
    for (uint32_t unit = 1; unit <= 64; unit++) {
        struct layout layout = sample_layout();
        layout.ws_opt = unit;
        if (unit % 8 == 0 && unit <= 32)
            assert_int_equal(check(&layout), HFTL_OK);
        else if (unit < 8)
            assert_refused(&layout, "ws_opt", unit, 8);
        else
            assert_refused(&layout, "ws_opt", unit, unit % 8 != 0 ? unit / 8 * 8 : 32);
    }
    struct layout layout = sample_layout();
    layout.ws_opt = UINT32_MAX - 7; /* a multiple: its double would wrap */
    assert_refused(&layout, "ws_opt", UINT32_MAX - 7, 32);
    layout.ws_opt = 0;
    assert_refused(&layout, "ws_opt", 0, 8);
}

static void has_a_text(void **state)
{
    struct layout layout = sample_layout();
    char text[1024];
    (void)state;
    layout_to_text(&layout, text, sizeof text);
    assert_non_null(strstr(text, "device \"bücher\" on zoned medium, identities in summaries"));
    assert_non_null(strstr(text, "300 blocks exported, over-provisioning 25.0%"));
    assert_non_null(strstr(text, "region type 3 version 1: chunks 2 + 8, parameter 2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_samples_are_good),
        cmocka_unit_test(L1_every_fact_is_compared),
        cmocka_unit_test(L1_what_follows_is_computed_again),
        cmocka_unit_test(L1_limits_are_kept),
        cmocka_unit_test(L1_products_do_not_wrap),
        cmocka_unit_test(L2_regions_lie_inside_the_medium),
        cmocka_unit_test(L2_regions_do_not_overlap),
        cmocka_unit_test(L2_the_three_regions_are_there_once),
        cmocka_unit_test(comes_back_as_it_was),
        cmocka_unit_test(random_layouts_do_no_harm),
        cmocka_unit_test(values_that_mean_nothing_are_corrupt),
        cmocka_unit_test(a_name_is_text_and_nothing_else),
        cmocka_unit_test(I2_holds_what_is_exported),
        cmocka_unit_test(derived_counts_are_those_of_section_11),
        cmocka_unit_test(tail_blocks_is_the_smallest),
        cmocka_unit_test(L3_a_chunk_is_whole_writes),
        cmocka_unit_test(L5_a_unit_is_whole_units_of_the_medium),
        cmocka_unit_test(has_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
