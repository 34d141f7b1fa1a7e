/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stack.c - the text that names a stack of media: what it means, and where it is wrong.
 */
#include "media/stack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "media/fault.h"
#include "test/media/subject.h"

static char why[WHY_BYTES];

static enum hftl_status open_text(const char *text, struct hftl_media **media)
{
    why[0] = '\0';
    return hftl_media_open(text, 0, media, why, sizeof why);
}

static struct hftl_media *must_open(const char *text)
{
    struct hftl_media *media = NULL;
    if (open_text(text, &media) != HFTL_OK)
        fail_msg("%s", why);
    return media;
}

static void close_media(struct hftl_media *media)
{
    media->ops->close(media);
}

/* Makes an emulated drive of that name in the test's folder, and goes there. */
static void make_drive(const char *name)
{
    char path[PATH_BYTES], folder[PATH_BYTES];
    struct emu_create_options options = {
        .size = sizeof options, .kind = HFTL_KIND_ZONED, .bytes = 16 << 20, .seed = 1};
    options.overwrite = true;
    make_path(path, name);
    snprintf(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = '\0';
    assert_int_equal(chdir(folder), 0);
    if (emu_create(path, &options, why, sizeof why) != HFTL_OK)
        fail_msg("%s", why);
}

static void puts_the_first_named_outermost(void **state)
{
    (void)state;
    make_drive("d.img");
    struct hftl_media *media = must_open("trace=t.txt:fault=write,nth=2:delay,read=1us:emu:d.img");
    if (strcmp(media->ops->name, "guard") != 0) /* a build that guards everything */
        assert_string_equal(media->ops->name, "trace");
    assert_int_equal(do_write(media, 0, 0, 1, 1), HFTL_OK);
    assert_int_equal(do_write(media, 0, 1, 1, 1), HFTL_IO);
    close_media(media);
    char text[512] = "";
    FILE *file = fopen("t.txt", "r");
    assert_true(fread(text, 1, sizeof text - 1, file) > 0);
    fclose(file);
    assert_non_null(strstr(text, " write 0 1 1 IO ")); /* the trace sees what the fault did */
}

static void takes_a_path_with_colons_and_commas(void **state)
{
    (void)state;
    static const char *const names[] = {"a:b", "trace,x", "c=d:e", "delay", "mem", "emu"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        make_drive(names[i]);
        close_media(must_open(names[i]));
    }
    static const char *const hidden[] = {"delay:x", "emu:x", "mem:16M", "trace=x:y"};
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++) {
        char path[64];
        make_drive(hidden[i]);
        snprintf(path, sizeof path, "./%s", hidden[i]);
        close_media(must_open(path));
        snprintf(path, sizeof path, "emu:%s", hidden[i]);
        close_media(must_open(path));
    }
}

static void makes_drives_in_memory(void **state)
{
    (void)state;
    struct hftl_media *media = must_open("mem:16M,kind=zoned,append");
    assert_int_equal(media->facts.kind, HFTL_KIND_ZONED);
    assert_true((media->facts.flags & HFTL_MEDIA_CAN_APPEND) != 0);
    close_media(media);
    media = must_open("mem:64M,groups=1,pus=3,chunk-blocks=40,chunks=9");
    assert_int_equal(hftl_media_pus(&media->facts), 3);
    assert_int_equal(media->facts.chunk_blocks, 40);
    assert_int_equal(media->facts.chunks_per_pu, 9);
    media->ops->close(media);
    media = must_open("delay,read=1us:mem:32M");
    assert_int_equal(media->facts.kind, HFTL_KIND_OCSSD);
    close_media(media);
}

static void takes_the_meaning_of_a_mark_away(void **state)
{
    (void)state;
    make_drive("d.img");
    struct hftl_media *media = must_open("trace=t\\:1\\,2,binary:d.img");
    close_media(media);
    assert_int_equal(access("t:1,2", F_OK), 0);
}

static void forgets_what_is_done_above_an_overlay(void **state)
{
    (void)state;
    make_drive("d.img");
    struct hftl_media *media = must_open("fault=read,nth=9:overlay:emu:d.img");
    assert_int_equal(do_write(media, 3, 0, 4, 1), HFTL_OK);
    close_media(media);
    media = must_open("d.img");
    assert_int_equal(do_report(media, 3).state, HFTL_CHUNK_FREE);
    close_media(media);
}

static void names_the_byte_that_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned at;
        const char *what;
    } wrong[] = {
        {"delay,raed=5us:d.img", 7, "no option 'raed'"},
        {"delay,read=5:d.img", 7, "not a time"},
        {"delay,read=:d.img", 7, "needs a value"},
        {"delay,read=1us,read=2us:d.img", 16, "twice"},
        {"delay=5:d.img", 7, "no value of its own"},
        {"trace=t,binary=1:d.img", 9, "takes no value"},
        {"trace:d.img", 1, "which file"},
        {"fault=wriet:d.img", 7, "none of"},
        {"fault=write,chance=2:d.img", 13, "not a chance"},
        {"fault=write,chance=0.0000001:d.img", 13, "not a chance"},
        {"fault=read,as=skipped:d.img", 1, "only a write"},
        {"fault=read,do=retire,as=io:d.img", 1, "does not go with"},
        {"fault=read,chunk=9-5:d.img", 12, "not a range"},
        {"fault=read,onwards:d.img", 1, "from which one"},
        {"delay:fault=read,nth=99999999999999999999:d.img", 18, "not a number"},
        {"delay:overlay:trace=t:d.img", 15, "around a drive"},
        {"delay:", 7, "no path"},
        {"delay,suspend=20us,progress=0us:d.img", 1, "never end"},
        {"mem:", 5, "which size"},
        {"mem:16Q", 5, "not a size"},
        {"mem:16M,kind=tape", 9, "none of"},
        {"emu,cahce=5:d.img", 5, "no option 'cahce'"},
    };
    make_drive("d.img");
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char place[32];
        struct hftl_media *media;
        assert_int_equal(open_text(wrong[i].text, &media), HFTL_INVALID);
        snprintf(place, sizeof place, ": at byte %u: ", wrong[i].at);
        if (!strstr(why, place) || !strstr(why, wrong[i].what))
            fail_msg("%s: %s", wrong[i].text, why);
        close_media(must_open("d.img")); /* nothing stayed open */
    }
}

static void says_which_word_is_no_medium(void **state)
{
    (void)state;
    struct hftl_media *media;
    assert_int_equal(open_text("dealy:emu:d.img", &media), HFTL_ABSENT);
    assert_non_null(strstr(why, "'dealy'"));
}

static void finds_the_path_at_the_bottom(void **state)
{
    (void)state;
    const struct say to = {why, sizeof why};
    struct stack_bottom bottom;
    assert_int_equal(stack_find_bottom("delay:trace=a\\:b:emu,seed=4:x:y", &bottom, &to), HFTL_OK);
    assert_string_equal(bottom.path, "x:y");
    assert_int_equal(bottom.kind, STACK_EMU);
    assert_true(bottom.wrapped);
    assert_int_equal(stack_find_bottom("x:y", &bottom, &to), HFTL_OK);
    assert_string_equal(bottom.path, "x:y");
    assert_int_equal(bottom.kind, STACK_ANY);
    assert_false(bottom.wrapped);
    assert_int_equal(stack_find_bottom("mem:1G", &bottom, &to), HFTL_OK);
    assert_null(bottom.path);
}

/* The same stack seen from another folder. */
static void makes_every_path_absolute(void **state)
{
    (void)state;
    static const struct {
        const char *text, *absolute;
    } pairs[] = {
        {"d.img", "/a,b/c:d/d.img"},
        {"/d.img", "/d.img"},
        {"delay:emu,seed=1:d.img", "delay:emu,seed=1:/a,b/c:d/d.img"},
        {"trace=t:fault=read:d.img", "trace=/a\\,b/c\\:d/t:fault=read:/a,b/c:d/d.img"},
        {"trace=/t,binary:mem:1G", "trace=/t,binary:mem:1G"},
        {"trace=t:delay:trace=u:/x", "trace=/a\\,b/c\\:d/t:delay:trace=/a\\,b/c\\:d/u:/x"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char *text = stack_absolute(pairs[i].text, "/a,b/c:d");
        assert_string_equal(text, pairs[i].absolute);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(puts_the_first_named_outermost),
        cmocka_unit_test(takes_a_path_with_colons_and_commas),
        cmocka_unit_test(makes_drives_in_memory),
        cmocka_unit_test(takes_the_meaning_of_a_mark_away),
        cmocka_unit_test(forgets_what_is_done_above_an_overlay),
        cmocka_unit_test(names_the_byte_that_is_wrong),
        cmocka_unit_test(says_which_word_is_no_medium),
        cmocka_unit_test(finds_the_path_at_the_bottom),
        cmocka_unit_test(makes_every_path_absolute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
