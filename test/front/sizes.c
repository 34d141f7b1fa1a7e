/* SPDX-License-Identifier: BSD-3-Clause */
/* Callers built against an older or a newer hostftl.h, and what opening refuses. */
#define _GNU_SOURCE
#include "test/front/kit.h"

#include "front/sizes.h"

static void an_older_caller_gets_defaults_for_what_it_does_not_know(void **state)
{
    struct hftl_open_options given = {.size = offsetof(struct hftl_open_options, verify),
                                      .flags = HFTL_OPEN_THREAD,
                                      .verify = (enum hftl_verify)0x7777,
                                      .write_buffer_bytes = 1};
    struct hftl_open_options known;
    struct why why = {0};
    (void)state;

    assert_int_equal(sizes_take_open(&known, &given, &why), HFTL_OK);
    assert_int_equal(known.flags, HFTL_OPEN_THREAD);
    assert_int_equal(known.verify, HFTL_VERIFY_ALWAYS);
    assert_int_equal(known.write_buffer_bytes, 0);
    assert_int_equal(known.size, sizeof known);
}

static void a_newer_caller_is_refused_only_if_it_wants_more(void **state)
{
    struct {
        struct hftl_format_options known;
        uint64_t newer;
    } given;
    struct hftl_format_options known;
    struct why why = {0};
    (void)state;

    memset(&given, 0, sizeof given);
    given.known.size = sizeof given;
    assert_int_equal(sizes_take_format(&known, &given.known, &why), HFTL_OK);
    given.newer = 1;
    assert_int_equal(sizes_take_format(&known, &given.known, &why), HFTL_UNSUPPORTED);
    assert_non_null(strstr(why.text, "newer"));
}

static void refuses_options_that_make_no_sense(void **state)
{
    struct hftl_open_options options, known;
    struct hftl_format_options format, format_known;
    struct why why = {0};
    (void)state;

    memset(&options, 0, sizeof options);
    assert_int_equal(sizes_take_open(&known, &options, &why), HFTL_INVALID);
    hftl_open_options_init(&options);
    options.flags = 1u << 30;
    assert_int_equal(sizes_take_open(&known, &options, &why), HFTL_INVALID);
    hftl_open_options_init(&options);
    options.verify = (enum hftl_verify)9;
    assert_int_equal(sizes_take_open(&known, &options, &why), HFTL_INVALID);
    hftl_open_options_init(&options);
    options.relocation_victims = HFTL_RELOCATION_VICTIMS_MAX;
    options.relocation_blocks = HFTL_RELOCATION_BLOCKS_MAX;
    assert_int_equal(sizes_take_open(&known, &options, &why), HFTL_OK);
    options.relocation_victims++;
    assert_int_equal(sizes_take_open(&known, &options, &why), HFTL_INVALID);
    options.relocation_victims = 0;
    options.relocation_blocks++;
    assert_int_equal(sizes_take_open(&known, &options, &why), HFTL_INVALID);
    assert_int_equal(sizes_take_open(&known, NULL, &why), HFTL_OK);
    hftl_format_options_init(&format);
    memset(format.name, 'x', sizeof format.name);
    assert_int_equal(sizes_take_format(&format_known, &format, &why), HFTL_INVALID);
}

static void gives_no_more_than_there_is_room_for(void **state)
{
    struct hftl_stats known, given;
    (void)state;

    memset(&known, 0x11, sizeof known);
    memset(&given, 0xee, sizeof given);
    given.size = offsetof(struct hftl_stats, failed);
    sizes_give_stats(&given, &known);
    assert_int_equal(given.size, offsetof(struct hftl_stats, failed));
    assert_int_equal(given.requests[0], 0x1111111111111111u);
    assert_int_equal(given.failed[0], 0xeeeeeeeeeeeeeeeeu);
    given.size = 0;
    sizes_give_stats(&given, &known);
    assert_int_equal(given.size, sizeof given);
    assert_int_equal(given.stalls, 0x1111111111111111u);
}

static void the_medium_is_closed_whatever_the_reason_of_failing(void **state)
{
    struct hftl_open_options options;
    struct hftl_device *device = (void *)state;
    unsigned before = stand_closes();
    char why[128] = "";

    hftl_open_options_init(&options);
    options.flags = 1u << 30;
    assert_int_equal(hftl_open_media(stand_medium(16), &options, &device, why, sizeof why),
                     HFTL_INVALID);
    assert_null(device);
    assert_int_equal(hftl_open_media(stand_small_blocks(), NULL, &device, why, sizeof why),
                     HFTL_GEOMETRY);
    assert_non_null(strstr(why, "512"));
    assert_int_equal(hftl_open_media(stand_medium(16), NULL, NULL, NULL, 0), HFTL_INVALID);
    assert_int_equal(stand_closes(), before + 3);
    if (!stand_has_manners())
        return;
    stand.open_fails = HFTL_CORRUPT;
    for (unsigned flags = 0; flags <= HFTL_OPEN_THREAD; flags++) {
        hftl_open_options_init(&options);
        options.flags = flags;
        assert_int_equal(hftl_open_media(stand_medium(16), &options, &device, why, sizeof why),
                         HFTL_CORRUPT);
        assert_string_equal(why, "the fake was told to fail");
        assert_int_equal(hftl_open_media(stand_medium(16), &options, &device, why, 4),
                         HFTL_CORRUPT);
        assert_string_equal(why, "the");
    }
    kit_reset_manners();
    assert_int_equal(stand_closes(), before + 7);
}

static void opening_a_path_that_is_not_there_names_it(void **state)
{
    struct hftl_device *device;
    struct hftl_info info = {.size = sizeof info};
    char why[128];
    (void)state;

    assert_int_equal(hftl_open("/nowhere/at/all", NULL, &device, why, sizeof why), HFTL_ABSENT);
    assert_non_null(strstr(why, "/nowhere/at/all"));
    assert_int_equal(hftl_probe("/nowhere/at/all", &info, why, sizeof why), HFTL_ABSENT);
    assert_int_equal(hftl_format("/nowhere/at/all", NULL, &info, why, sizeof why), HFTL_ABSENT);
    assert_int_equal(hftl_open("", NULL, &device, why, sizeof why), HFTL_INVALID);
    assert_int_equal(hftl_open(NULL, NULL, &device, why, sizeof why), HFTL_INVALID);
}

static void formatting_leaves_the_medium_open(void **state)
{
    struct hftl_media *media = stand_medium(16);
    struct hftl_info info = {.size = sizeof info};
    struct hftl_format_options options;
    unsigned before = stand_closes();
    char why[128];
    (void)state;

    hftl_format_options_init(&options);
    options.force = true;
    assert_int_equal(hftl_format_media(media, &options, &info, why, sizeof why), HFTL_OK);
    assert_true(info.blocks > 0);
    assert_int_equal(info.size, sizeof info);
    assert_int_equal(stand_closes(), before);
    media->ops->close(media);
    media = stand_small_blocks();
    assert_int_equal(hftl_format_media(media, &options, NULL, why, sizeof why), HFTL_GEOMETRY);
    media->ops->close(media);
    assert_int_equal(hftl_format_media(NULL, NULL, NULL, NULL, 0), HFTL_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_older_caller_gets_defaults_for_what_it_does_not_know),
        cmocka_unit_test(a_newer_caller_is_refused_only_if_it_wants_more),
        cmocka_unit_test(refuses_options_that_make_no_sense),
        cmocka_unit_test(gives_no_more_than_there_is_room_for),
        cmocka_unit_test(the_medium_is_closed_whatever_the_reason_of_failing),
        cmocka_unit_test(opening_a_path_that_is_not_there_names_it),
        cmocka_unit_test(formatting_leaves_the_medium_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
