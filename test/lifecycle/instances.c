/* SPDX-License-Identifier: BSD-3-Clause */
/* Several devices on disjoint parallel units of one drive: who may be made where, which one is
 * opened, and that none of them touches what is another's. */
#include "test/core/stand.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PUS 4u

/* One device of the drive, while another one is open. */
struct shelf {
    uint64_t *expected, expected_count;
};

static struct stand_shape four_pus(const char *like)
{
    struct stand_shape shape = *stand_shape_named(like);
    shape.facts.groups = 2;
    shape.facts.pus_per_group = 2;
    return shape;
}

static void ask_for(struct stand *stand, const char *name, uint32_t first, uint32_t count)
{
    memset(stand->format.name, 0, sizeof stand->format.name);
    memcpy(stand->format.name, name, strlen(name));
    stand->format.pu_first = first;
    stand->format.pu_count = count;
    tap_clear(stand->tap);
}

static void make(struct stand *stand, const char *name, uint32_t first, uint32_t count)
{
    ask_for(stand, name, first, count);
    stand_format(stand);
    stand->options.name = NULL;
}

static void assert_untouched(const struct stand *stand)
{
    assert_int_equal(tap_count(stand->tap, HFTL_MEDIA_WRITE), 0);
    assert_int_equal(tap_count(stand->tap, HFTL_MEDIA_RESET), 0);
    assert_int_equal(tap_count(stand->tap, HFTL_MEDIA_FINISH), 0);
}

static void refuse(struct stand *stand, enum hftl_status status, const char *text)
{
    enum hftl_status got = stand_try_format(stand);
    if (got != status || strstr(stand->why.text, text) == NULL)
        fail_msg("%s: \"%s\", expected %s: \"%s\"", hftl_status_name(got), stand->why.text,
                 hftl_status_name(status), text);
    assert_untouched(stand);
    assert_int_equal(stand->pieces, 0);
}

/* Nothing but reads and flushes was done outside of these PUs. */
static void assert_inside(const struct stand *stand, uint32_t first, uint32_t count)
{
    uint32_t per_pu = stand->guard->facts.chunks_per_pu;
    for (uint32_t i = 0; i < stand->tap->note_count; i++) {
        const struct tap_note *note = &stand->tap->notes[i];
        bool changes = note->verb == HFTL_MEDIA_WRITE || note->verb == HFTL_MEDIA_RESET ||
                       note->verb == HFTL_MEDIA_FINISH || note->verb == HFTL_MEDIA_APPEND;
        uint32_t pu = note->chunk / per_pu;
        if (changes && (pu < first || pu >= first + count))
            fail_msg("operation %u in chunk %u of PU %u", note->verb, note->chunk, pu);
    }
}

static void swap_expected(struct stand *stand, struct shelf *shelf)
{
    struct shelf other = {stand->expected, stand->expected_count};
    stand->expected = shelf->expected;
    stand->expected_count = shelf->expected_count;
    *shelf = other;
}

/* Two devices, "a" on PU 0 and "b" on PUs 1-3; the expectations of `a` are on the shelf. */
static void begin_two(struct stand *stand, const struct stand_shape *shape, struct shelf *a)
{
    *a = (struct shelf){0};
    stand_init(stand, shape);
    make(stand, "a", 0, 1);
    swap_expected(stand, a);
    make(stand, "b", 1, 3);
}

static void end_two(struct stand *stand, struct shelf *a)
{
    free(a->expected);
    stand_end(stand);
}

static void open_named(struct stand *stand, const char *name)
{
    stand->options.name = name;
    stand_open(stand);
}

static void a_device_on_some_units_stays_there_all_its_life(void **state)
{
    (void)state;
    static const char *const shapes[] = {"two PUs", "three PUs", "bare"};
    for (unsigned i = 0; i < 3; i++) {
        struct stand_shape shape = four_pus(shapes[i]);
        struct stand stand;
        stand_init(&stand, &shape);
        make(&stand, "middle", 1, 2);
        assert_inside(&stand, 1, 2);
        assert_int_equal(stand.info.columns, 2);
        assert_int_equal(stand.info.pu_first, 1);
        assert_int_equal(stand.info.pu_count, 2);
        stand.unchecked = true;
        tap_clear(stand.tap);
        open_named(&stand, NULL);
        for (uint64_t version = 1; version < 4; version++)
            stand_write_all(&stand, version);
        assert_inside(&stand, 1, 2);
        stand_crash(&stand, true, i);
        tap_clear(stand.tap);
        open_named(&stand, "middle");
        stand_verify(&stand);
        assert_inside(&stand, 1, 2);
        stand_end(&stand);
    }
}

static void part_of_a_device_is_never_destroyed(void **state)
{
    (void)state;
    struct stand_shape shape = four_pus("two PUs");
    struct stand stand;
    stand_init(&stand, &shape);
    make(&stand, "all", 0, 0);
    open_named(&stand, NULL);
    stand_write_all(&stand, 1);
    stand_close(&stand);
    stand.format.force = true;
    ask_for(&stand, "half", 0, 2);
    refuse(&stand, HFTL_INVALID, "part of it is never destroyed: give 0-3 at least");
    ask_for(&stand, "half", 2, 2); /* its superblocks are elsewhere, and it is seen all the same */
    refuse(&stand, HFTL_INVALID, "part of it is never destroyed: give 0-3 at least");
    open_named(&stand, NULL);
    stand_verify(&stand);
    stand_close(&stand);
    make(&stand, "all again", 0, 4);
    assert_int_equal(stand.info.pu_count, 4);
    stand_end(&stand);
}

static void what_is_outside_the_drive_is_refused(void **state)
{
    (void)state;
    struct stand_shape shape = four_pus("two PUs");
    struct stand stand;
    stand_init(&stand, &shape);
    ask_for(&stand, "x", 2, 3);
    refuse(&stand, HFTL_INVALID, "parallel units 2-4: the drive has 0-3");
    ask_for(&stand, "x", 4, 1);
    refuse(&stand, HFTL_INVALID, "parallel units 4-4: the drive has 0-3");
    ask_for(&stand, "x", 1, UINT32_MAX);
    refuse(&stand, HFTL_INVALID, "the drive has 0-3");
    ask_for(&stand, "x", 2, 0);
    refuse(&stand, HFTL_INVALID, "no parallel units from 2 on");
    stand_end(&stand);
    stand_init(&stand, stand_shape_named("zoned"));
    ask_for(&stand, "x", 0, 2);
    refuse(&stand, HFTL_INVALID, "the drive has 0-0");
    stand_end(&stand);
}

static void overlaps_and_names_that_are_taken_are_refused(void **state)
{
    (void)state;
    struct stand_shape shape = four_pus("two PUs");
    struct stand stand;
    struct shelf a;
    begin_two(&stand, &shape, &a);
    ask_for(&stand, "c", 0, 1);
    refuse(&stand, HFTL_EXISTS, "there is a hostftl device \"a\" already, on parallel units 0-0");
    ask_for(&stand, "c", 2, 1);
    refuse(&stand, HFTL_EXISTS, "\"b\" already, on parallel units 1-3");
    ask_for(&stand, "c", 0, 0);
    refuse(&stand, HFTL_EXISTS, "there is a hostftl device \"a\" already");
    stand.format.force = true;
    ask_for(&stand, "c", 2, 2);
    refuse(&stand, HFTL_INVALID, "give 1-3 at least");
    ask_for(&stand, "c", 0, 2);
    refuse(&stand, HFTL_INVALID, "give 0-3 at least");
    ask_for(&stand, "b", 0, 1);
    refuse(&stand, HFTL_INVALID, "named \"b\" already, on parallel units 1-3: give another name");
    end_two(&stand, &a);
}

static void force_replaces_what_lies_inside_and_leaves_the_rest(void **state)
{
    (void)state;
    struct stand_shape shape = four_pus("two PUs");
    struct stand stand;
    struct shelf a;
    begin_two(&stand, &shape, &a);
    swap_expected(&stand, &a);
    open_named(&stand, "a");
    stand_write_all(&stand, 7);
    stand_close(&stand);
    swap_expected(&stand, &a);
    stand.format.force = true;
    make(&stand, "new", 1, 3);
    assert_inside(&stand, 1, 3);
    stand.options.name = "b";
    assert_int_equal(stand_try_open(&stand), HFTL_ABSENT);
    assert_non_null(strstr(stand.why.text, "no device 'b' there; there is: a, new"));
    open_named(&stand, "new");
    stand_verify(&stand);
    stand_close(&stand);
    swap_expected(&stand, &a);
    open_named(&stand, "a");
    stand_verify(&stand);
    stand_close(&stand);
    make(&stand, "whole", 0, 0); /* and now both */
    open_named(&stand, NULL);
    end_two(&stand, &a);
}

static void one_of_several_is_opened_by_its_name(void **state)
{
    (void)state;
    struct stand_shape shape = four_pus("three PUs");
    struct stand stand;
    struct hftl_info info;
    struct shelf a;
    begin_two(&stand, &shape, &a);
    stand.options.name = NULL;
    assert_int_equal(stand_try_open(&stand), HFTL_INVALID);
    assert_non_null(strstr(stand.why.text, "name one as DRIVE#NAME: a, b"));
    stand.options.name = "c";
    assert_int_equal(stand_try_open(&stand), HFTL_ABSENT);
    assert_non_null(strstr(stand.why.text, "no device 'c' there; there is: a, b"));
    assert_int_equal(device_probe(stand.guard, &stand.world, "b", &info, &stand.why), HFTL_OK);
    assert_string_equal(info.name, "b");
    assert_int_equal(info.pu_first, 1);
    assert_int_equal(info.pu_count, 3);
    open_named(&stand, "b");
    device_get_info(stand.device, &info);
    assert_string_equal(info.name, "b");
    end_two(&stand, &a);
}

static void note_name(void *arg, const struct hftl_info *info)
{
    char *text = arg;
    size_t used = strlen(text);
    snprintf(text + used, 200 - used, "%s %u+%u%s; ", info->name, info->pu_first, info->pu_count,
             info->reason[0] == '\0' ? "" : " bad");
}

static void all_of_them_are_listed(void **state)
{
    (void)state;
    struct stand_shape shape = four_pus("two PUs");
    struct stand stand;
    struct shelf a;
    char text[200] = "";
    stand_init(&stand, &shape);
    assert_int_equal(device_list(stand.guard, &stand.world, note_name, text, &stand.why), HFTL_OK);
    assert_string_equal(text, "");
    stand_end(&stand);
    begin_two(&stand, &shape, &a);
    assert_int_equal(device_list(stand.guard, &stand.world, note_name, text, &stand.why), HFTL_OK);
    assert_string_equal(text, "a 0+1; b 1+3; ");
    assert_int_equal(stand.pieces, 0);
    end_two(&stand, &a);
}

/* A life of one device: writes, perhaps a cut, while the other is as it was. */
static void live(struct stand *stand, const char *name, uint64_t round, uint32_t first,
                 uint32_t count)
{
    tap_clear(stand->tap);
    open_named(stand, name);
    stand_verify(stand);
    for (uint64_t i = 0; i < 40; i++) {
        uint64_t lba = prng_below(&stand->prng, stand->expected_count);
        stand_write(stand, lba, 1, 2 * round + 1 + i);
    }
    stand_trim(stand, round % stand->expected_count, 1);
    stand_flush(stand);
    assert_inside(stand, first, count);
    if (round % 3 == 0)
        stand_close(stand);
    else
        stand_crash(stand, round % 3 == 1, round);
}

static void the_cut_of_one_leaves_the_other_as_it_was(void **state)
{
    (void)state;
    static const char *const shapes[] = {"two PUs", "three PUs", "bare", "units of 24"};
    for (unsigned i = 0; i < 4; i++) {
        struct stand_shape shape = four_pus(shapes[i]);
        struct stand stand;
        struct shelf a;
        begin_two(&stand, &shape, &a);
        stand.unchecked = true;
        for (uint64_t round = 0; round < 24; round++) {
            bool on_a = (round & 1) == 0;
            if (on_a)
                swap_expected(&stand, &a);
            live(&stand, on_a ? "a" : "b", round, on_a ? 0 : 1, on_a ? 1 : 3);
            if (on_a)
                swap_expected(&stand, &a);
        }
        end_two(&stand, &a);
    }
}

static void a_damaged_device_hides_no_other_and_is_not_built_beside(void **state)
{
    (void)state;
    struct stand_shape shape = four_pus("two PUs");
    struct stand stand;
    struct shelf a;
    begin_two(&stand, &shape, &a);
    mem_block(stand.store, 0, 0)[300] ^= 1; /* both copies of a */
    mem_block(stand.store, 1, 0)[300] ^= 1;
    open_named(&stand, "b");
    stand_close(&stand);
    stand.format.force = true;
    ask_for(&stand, "a", 0, 1);
    refuse(&stand, HFTL_INVALID, "cannot be known: only a forced format of the whole drive");
    make(&stand, "whole", 0, 0);
    open_named(&stand, NULL);
    end_two(&stand, &a);
}

static void each_device_has_its_part_of_the_open_limit(void **state)
{
    (void)state;
    struct stand_shape shape = four_pus("two PUs");
    struct stand stand;
    shape.facts.open_max = shape.facts.active_max = 23; /* a half of it is 11, a quarter 5 */
    stand_init(&stand, &shape);
    make(&stand, "half", 0, 2);
    stand_end(&stand);
    shape.facts.open_max = shape.facts.active_max = 11; /* 5 are left, 6 are needed */
    stand_init(&stand, &shape);
    ask_for(&stand, "half", 0, 2);
    refuse(&stand, HFTL_GEOMETRY, "need 6 open chunks");
    assert_non_null(strstr(stand.why.text, "the drive allows 5"));
    make(&stand, "most", 0, 3); /* 8, and as many are needed */
    stand_end(&stand);
}

/* A cut while one is replaced leaves the old one whole or gone, and the neighbour alone. */
static void a_cut_while_one_is_replaced_leaves_it_whole_or_gone(void **state)
{
    (void)state;
    struct stand_shape shape = four_pus("two PUs");
    bool whole = false, gone = false, done = false;
    for (uint32_t after = 0; !done; after++) {
        struct stand stand;
        struct shelf a;
        a = (struct shelf){0};
        stand_init(&stand, &shape);
        make(&stand, "a", 0, 1);
        swap_expected(&stand, &a);
        make(&stand, "b", 2, 2); /* its superblocks are not where those of the new one will be */
        stand.unchecked = true;
        open_named(&stand, "b");
        stand_write_all(&stand, 3);
        stand_close(&stand);
        struct shelf b = {0};
        swap_expected(&stand, &b);
        swap_expected(&stand, &a);
        stand.format.force = true;
        ask_for(&stand, "c", 1, 3);
        tap_fail(stand.tap, HFTL_MEDIA_RESET, ANY_CHUNK, UINT32_MAX, HFTL_IO);
        stand.tap->fail_after = after;
        done = stand_try_format(&stand) == HFTL_OK;
        stand_crash(&stand, true, after);
        stand.options.name = "b";
        swap_expected(&stand, &b);
        if (stand_try_open(&stand) == HFTL_OK) {
            stand_verify(&stand);
            stand_close(&stand);
            whole = true;
        } else {
            gone = true;
        }
        swap_expected(&stand, &b);
        open_named(&stand, "a");
        stand_verify(&stand);
        stand_close(&stand);
        free(b.expected);
        end_two(&stand, &a);
    }
    assert_true(whole && gone);
}

/* A band of "a" is not taken for a device that may reach anywhere. */
static void an_unreadable_band_of_one_hinders_no_format_beside_it(void **state)
{
    (void)state;
    struct stand_shape shape = four_pus("two PUs");
    struct stand stand;
    struct shelf a = {0};
    stand_init(&stand, &shape);
    make(&stand, "a", 0, 2);
    stand.unchecked = true;
    open_named(&stand, "a");
    stand_write_all(&stand, 1);
    uint32_t chunk = stand.device->layout.superblock_chunk[0] + 1;
    stand_close(&stand);
    swap_expected(&stand, &a);
    ask_for(&stand, "b", 2, 2);
    tap_fail(stand.tap, HFTL_MEDIA_READ, chunk, UINT32_MAX, HFTL_IO);
    stand_format(&stand);
    stand.options.name = NULL;
    assert_int_not_equal(stand.tap->fail_count, UINT32_MAX);
    stand.tap->fail_count = 0;
    swap_expected(&stand, &a);
    open_named(&stand, "a");
    stand_verify(&stand);
    end_two(&stand, &a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_on_some_units_stays_there_all_its_life),
        cmocka_unit_test(part_of_a_device_is_never_destroyed),
        cmocka_unit_test(what_is_outside_the_drive_is_refused),
        cmocka_unit_test(overlaps_and_names_that_are_taken_are_refused),
        cmocka_unit_test(force_replaces_what_lies_inside_and_leaves_the_rest),
        cmocka_unit_test(one_of_several_is_opened_by_its_name),
        cmocka_unit_test(all_of_them_are_listed),
        cmocka_unit_test(the_cut_of_one_leaves_the_other_as_it_was),
        cmocka_unit_test(a_damaged_device_hides_no_other_and_is_not_built_beside),
        cmocka_unit_test(each_device_has_its_part_of_the_open_limit),
        cmocka_unit_test(a_cut_while_one_is_replaced_leaves_it_whole_or_gone),
        cmocka_unit_test(an_unreadable_band_of_one_hinders_no_format_beside_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
