/* SPDX-License-Identifier: BSD-3-Clause */
/* Several devices on one emulated drive, through the public calls: how one is named, and that
 * whoever gets a device has all of it and nothing else, whatever others do at the same time. */
#define _GNU_SOURCE
#include "front/instance.h"
#include "media/emu.h"
#include "test/unit.h"

#include <hostftl/hostftl.h>

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define WHY_BYTES 4608
#define PUS 4u

static char folder[] = "/tmp/hostftl-instance-XXXXXX";
static char drive[64];

static enum hftl_status try_make_drive(char why[WHY_BYTES])
{
    struct emu_create_options options = {.size = sizeof options,
                                         .kind = HFTL_KIND_OCSSD,
                                         .groups = 2,
                                         .pus_per_group = PUS / 2,
                                         .chunks_per_pu = 16,
                                         .chunk_blocks = 32,
                                         .ws_min = 4,
                                         .ws_opt = 4,
                                         .mw_cunits = EMU_NONE,
                                         .no_fsync = true,
                                         .overwrite = true,
                                         .seed = 1};
    why[0] = '\0';
    return emu_create(drive, &options, why, WHY_BYTES);
}

static void make_drive(const char *name)
{
    char why[WHY_BYTES];
    snprintf(drive, sizeof drive, "%s/%s", folder, name);
    if (try_make_drive(why) != HFTL_OK)
        fail_msg("%s", why);
}

static enum hftl_status format(const char *name, uint32_t first, uint32_t count, bool force,
                               char why[WHY_BYTES])
{
    struct hftl_format_options options;
    hftl_format_options_init(&options);
    snprintf(options.name, sizeof options.name, "%s", name);
    options.pu_first = first;
    options.pu_count = count;
    options.force = force;
    why[0] = '\0';
    return hftl_format(drive, &options, NULL, why, WHY_BYTES);
}

static void make(const char *name, uint32_t first, uint32_t count)
{
    char why[WHY_BYTES];
    if (format(name, first, count, false, why) != HFTL_OK)
        fail_msg("%s", why);
}

static const char *named(const char *name)
{
    static char text[128];
    snprintf(text, sizeof text, "%s#%s", drive, name);
    return text;
}

static struct hftl_device *open_device(const char *path)
{
    char why[WHY_BYTES] = "";
    struct hftl_device *device = NULL;
    if (hftl_open(path, NULL, &device, why, sizeof why) != HFTL_OK)
        fail_msg("%s", why);
    return device;
}

static void refuse_open(const char *path, enum hftl_status status, const char *text)
{
    char why[WHY_BYTES] = "";
    struct hftl_device *device = NULL;
    enum hftl_status got = hftl_open(path, NULL, &device, why, sizeof why);
    if (got != status || strstr(why, text) == NULL)
        fail_msg("%s: %s, expected %s: %s", hftl_status_name(got), why, hftl_status_name(status),
                 text);
}

static struct hftl_info info_of(struct hftl_device *device)
{
    struct hftl_info info = {.size = sizeof info};
    hftl_get_info(device, &info);
    return info;
}

static bool are_free(uint32_t first, uint32_t count)
{
    struct hftl_media_open_options options = {
        .size = sizeof options, .pu_first = first, .pu_count = count};
    struct hftl_media *media;
    char why[WHY_BYTES];
    if (hftl_media_open_pus(drive, &options, &media, why, sizeof why) != HFTL_OK)
        return false;
    media->ops->close(media);
    return true;
}

/* ---- names -------------------------------------------------------------------------------- */

static void expect_name(const char *text, const char *drive_wanted, const char *name)
{
    struct instance_name taken;
    struct why why = {""};
    assert_int_equal(instance_name_take(&taken, text, &why), HFTL_OK);
    if (strcmp(taken.drive, drive_wanted) != 0 || (taken.name == NULL) != (name == NULL) ||
        (name != NULL && strcmp(taken.name, name) != 0))
        fail_msg("%s: \"%s\" and \"%s\"", text, taken.drive, taken.name ? taken.name : "(none)");
    instance_name_free(&taken);
}

static void what_follows_the_last_hash_is_a_name_unless_it_is_a_path(void **state)
{
    (void)state;
    char path[128], text[160];
    struct instance_name taken;
    struct why why = {""};
    expect_name("d.img", "d.img", NULL);
    expect_name("d.img#a", "d.img", "a");
    expect_name("d#e.img#a", "d#e.img", "a");
    expect_name("delay,read=1ms:emu:d.img#a", "delay,read=1ms:emu:d.img", "a");
    expect_name("x#y/d.img", "x#y/d.img", NULL); /* names have no slash */
    expect_name("d.img#", "d.img#", NULL);
    expect_name("#a", "#a", NULL);
    snprintf(path, sizeof path, "%s/with#hash", folder);
    fclose(fopen(path, "w"));
    expect_name(path, path, NULL);
    snprintf(text, sizeof text, "%s#a", path);
    expect_name(text, path, "a");
    snprintf(text, sizeof text, "emu:%s", path);
    expect_name(text, text, NULL);
    assert_int_equal(instance_name_take(&taken, "", &why), HFTL_INVALID);
    instance_name_free(&taken);
}

static void a_drive_with_a_hash_in_its_path_is_opened(void **state)
{
    (void)state;
    make_drive("hash#a");
    make("a", 0, 2);
    make("b", 2, 2);
    struct hftl_device *a = open_device(named("a")), *b = open_device(named("b"));
    assert_string_equal(info_of(b).name, "b");
    assert_int_equal(hftl_close(a), HFTL_OK);
    assert_int_equal(hftl_close(b), HFTL_OK);
    refuse_open(drive, HFTL_INVALID, "name one as DRIVE#NAME: a, b");
}

static void count_devices(void *arg, const struct hftl_info *info)
{
    unsigned *counts = arg;
    counts[0]++;
    counts[1] += info->in_use;
    if (info->in_use)
        assert_int_equal(info->in_use_pid, getpid());
}

static void two_are_open_at_once_and_a_third_that_overlaps_is_refused(void **state)
{
    (void)state;
    char why[WHY_BYTES];
    struct hftl_info info = {.size = sizeof info};
    unsigned counts[2] = {0, 0};
    make_drive("two");
    make("a", 0, 2);
    struct hftl_device *a = open_device(drive); /* the only one needs no name */
    assert_int_equal(format("b", 1, 3, false, why), HFTL_BUSY);
    assert_non_null(strstr(why, "its parallel units 0-1 are in use by process"));
    assert_int_equal(format("b", 1, 3, true, why), HFTL_INVALID); /* whoever has it */
    assert_int_equal(format("b", 0, 2, true, why), HFTL_BUSY);
    make("b", 2, 2); /* while a is open */
    assert_int_equal(format("a", 2, 2, true, why), HFTL_INVALID);
    assert_non_null(strstr(why, "named \"a\" already"));
    struct hftl_device *b = open_device(named("b"));
    refuse_open(named("a"), HFTL_BUSY, "its parallel units 0-1 are in use by process");
    refuse_open(named("c"), HFTL_ABSENT, "no device 'c' there; there is: a, b");
    assert_int_equal(hftl_probe(named("b"), &info, why, sizeof why), HFTL_BUSY);
    assert_int_equal(hftl_list(drive, count_devices, counts, why, sizeof why), HFTL_OK);
    assert_int_equal(counts[0], 2);
    assert_int_equal(counts[1], 2);
    assert_int_equal(hftl_close(a), HFTL_OK);
    counts[1] = counts[0] = 0;
    assert_int_equal(hftl_list(drive, count_devices, counts, why, sizeof why), HFTL_OK);
    assert_int_equal(counts[1], 1);
    assert_int_equal(hftl_probe(named("a"), &info, why, sizeof why), HFTL_OK);
    assert_int_equal(info.pu_count, 2);
    assert_true(info.clean);
    assert_int_equal(hftl_close(b), HFTL_OK);
}

static void the_options_may_say_the_name_too(void **state)
{
    (void)state;
    char why[WHY_BYTES];
    struct hftl_open_options options;
    struct hftl_device *device;
    make_drive("options");
    make("a", 0, 2);
    make("b", 2, 2);
    hftl_open_options_init(&options);
    options.name = "b";
    assert_int_equal(hftl_open(named("a"), &options, &device, why, sizeof why), HFTL_INVALID);
    assert_int_equal(hftl_open(drive, &options, &device, why, sizeof why), HFTL_OK);
    assert_int_equal(info_of(device).pu_first, 2);
    assert_int_equal(hftl_close(device), HFTL_OK);
}

static void a_medium_of_ones_own_holds_several_too(void **state)
{
    (void)state;
    char why[WHY_BYTES];
    struct hftl_open_options options;
    struct hftl_media *media;
    struct hftl_device *device;
    make_drive("own");
    make("a", 0, 2);
    make("b", 2, 2);
    hftl_open_options_init(&options);
    for (unsigned i = 0; i < 2; i++) {
        options.name = i == 0 ? "a" : "b";
        assert_int_equal(hftl_media_open(drive, 0, &media, why, sizeof why), HFTL_OK);
        assert_int_equal(hftl_open_media(media, &options, &device, why, sizeof why), HFTL_OK);
        assert_int_equal(info_of(device).pu_first, 2 * i);
        assert_int_equal(hftl_close(device), HFTL_OK);
    }
}

/* ---- races -------------------------------------------------------------------------------- */

struct shared {
    atomic_uint arrived, won, busy, other, stop;
};

static struct shared *share(void)
{
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(shared != MAP_FAILED);
    return shared;
}

struct runner {
    const char *name;
    uint32_t first, count;
};

static _Noreturn void run_format(struct shared *shared, const struct runner *runner, unsigned all)
{
    char why[WHY_BYTES];
    shared->arrived++;
    while (shared->arrived < all)
        sched_yield();
    enum hftl_status status = format(runner->name, runner->first, runner->count, false, why);
    if (status == HFTL_OK)
        shared->won++;
    else if (status == HFTL_BUSY)
        shared->busy++;
    else if (status == HFTL_EXISTS || status == HFTL_INVALID)
        shared->other++;
    else
        fprintf(stderr, "%s: %s\n", hftl_status_name(status), why);
    _exit(0);
}

/* All at once on a fresh drive; how many made a device. */
static unsigned race(const struct runner *runners, unsigned count)
{
    struct shared *shared = share();
    pid_t children[8];
    for (unsigned i = 0; i < count; i++) {
        children[i] = fork();
        if (children[i] == 0)
            run_format(shared, &runners[i], count);
    }
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(waitpid(children[i], NULL, 0), children[i]);
    assert_int_equal(shared->won + shared->busy + shared->other, count);
    unsigned won = shared->won;
    munmap(shared, sizeof *shared);
    return won;
}

static void of_formats_that_overlap_exactly_one_succeeds(void **state)
{
    (void)state;
    static const struct runner runners[] = {{"a", 0, 3}, {"b", 1, 3}, {"c", 2, 1},
                                            {"d", 2, 2}, {"e", 0, 4}, {"f", 1, 2}};
    for (unsigned round = 0; round < 12; round++) {
        char why[WHY_BYTES];
        unsigned counts[2] = {0, 0};
        make_drive("formats");
        assert_int_equal(race(runners, 6), 1);
        assert_int_equal(hftl_list(drive, count_devices, counts, why, sizeof why), HFTL_OK);
        assert_int_equal(counts[0], 1);
    }
}

static void of_formats_with_one_name_exactly_one_succeeds(void **state)
{
    (void)state;
    static const struct runner runners[] = {{"a", 0, 1}, {"a", 1, 1}, {"a", 2, 1}, {"a", 3, 1}};
    for (unsigned round = 0; round < 12; round++) {
        make_drive("names");
        assert_int_equal(race(runners, 4), 1);
        assert_int_equal(hftl_close(open_device(named("a"))), HFTL_OK);
    }
}

static void formats_on_disjoint_units_all_succeed(void **state)
{
    (void)state;
    static const struct runner runners[] = {{"a", 0, 1}, {"b", 1, 1}, {"c", 2, 1}, {"d", 3, 1}};
    for (unsigned round = 0; round < 6; round++) {
        make_drive("disjoint");
        assert_int_equal(race(runners, 4), 4);
    }
}

/* On 2 units, then on all 4, then a new drive takes the place of the old one. */
static _Noreturn void make_small_and_large(struct shared *shared)
{
    char why[WHY_BYTES];
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails does not stop it */
    while (shared->stop == 0) {
        if (try_make_drive(why) != HFTL_OK)
            continue;
        shared->won += format("a", 0, 2, true, why) == HFTL_OK;
        usleep(2000);
        shared->won += format("a", 0, 4, true, why) == HFTL_OK;
        usleep(2000);
    }
    _exit(0);
}

static void a_device_that_was_replaced_after_a_look_is_not_taken(void **state)
{
    (void)state;
    char why_text[WHY_BYTES];
    struct instance_name name;
    struct hftl_media *medium = NULL;
    struct hftl_info chosen;
    struct why why = {""};
    make_drive("between");
    make("a", 0, 2);
    assert_int_equal(instance_name_take(&name, named("a"), &why), HFTL_OK);
    assert_int_equal(instance_look(&name, &chosen, &why), HFTL_OK);
    assert_int_equal(format("a", 0, 4, true, why_text), HFTL_OK);
    assert_int_equal(instance_take(&name, 0, &chosen, &medium, &why), HFTL_AGAIN);
    assert_true(are_free(0, 4));
    assert_int_equal(instance_open(&name, 0, &medium, &chosen, &why), HFTL_OK);
    assert_int_equal(chosen.pu_count, 4);
    assert_false(are_free(3, 1));
    medium->ops->close(medium);
    instance_name_free(&name);
}

/* The device is replaced by a larger one and back between looking and taking. */
static void whoever_opens_a_device_has_all_its_units_and_no_others(void **state)
{
    (void)state;
    struct shared *shared = share();
    unsigned small = 0, large = 0;
    make_drive("replaced");
    make("a", 0, 2);
    pid_t child = fork();
    if (child == 0)
        make_small_and_large(shared);
    for (unsigned tries = 0; tries < 20000 && (small < 100 || large < 100); tries++) {
        char why[WHY_BYTES];
        struct hftl_device *device;
        if (hftl_open(named("a"), NULL, &device, why, sizeof why) != HFTL_OK)
            continue;
        uint32_t count = info_of(device).pu_count;
        for (uint32_t pu = 0; pu < count; pu++)
            if (are_free(pu, 1))
                fail_msg("PU %u of a device with %u is free", pu, count);
        small += count == 2;
        large += count == 4;
        assert_int_equal(hftl_close(device), HFTL_OK);
    }
    shared->stop = 1;
    assert_int_equal(waitpid(child, NULL, 0), child);
    print_message("opened %u times on 2 units, %u times on 4, while it was made %u times\n", small,
                  large, shared->won);
    assert_true(small >= 10 && large >= 10);
    munmap(shared, sizeof *shared);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    char command[64];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command) != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_follows_the_last_hash_is_a_name_unless_it_is_a_path),
        cmocka_unit_test(a_drive_with_a_hash_in_its_path_is_opened),
        cmocka_unit_test(two_are_open_at_once_and_a_third_that_overlaps_is_refused),
        cmocka_unit_test(the_options_may_say_the_name_too),
        cmocka_unit_test(a_medium_of_ones_own_holds_several_too),
        cmocka_unit_test(of_formats_that_overlap_exactly_one_succeeds),
        cmocka_unit_test(of_formats_with_one_name_exactly_one_succeeds),
        cmocka_unit_test(formats_on_disjoint_units_all_succeed),
        cmocka_unit_test(a_device_that_was_replaced_after_a_look_is_not_taken),
        cmocka_unit_test(whoever_opens_a_device_has_all_its_units_and_no_others),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
