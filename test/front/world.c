/* SPDX-License-Identifier: BSD-3-Clause */
/* The live world's memory: zeroed, all given back; large pages where they are asked for. */
#include "test/unit.h"

#include "front/live.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HUGE ((size_t)2 << 20)

/* Is the address in a mapping for which large pages were asked ("hg")? */
static bool is_advised(const void *address)
{
    FILE *maps = fopen("/proc/self/smaps", "re");
    unsigned long from, to, at = (unsigned long)(uintptr_t)address;
    bool inside = false, advised = false;
    char line[512];
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps) != NULL) {
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            inside = at >= from && at < to;
        else if (inside && strncmp(line, "VmFlags:", 8) == 0)
            advised = strstr(line, " hg") != NULL;
    }
    fclose(maps);
    return advised;
}

static void what_is_spread_is_in_large_pages_and_nothing_beside_it(void **state)
{
    (void)state;
    struct live live;
    if (access("/sys/kernel/mm/transparent_hugepage/enabled", R_OK) != 0)
        skip();
    live_init(&live, NULL, NULL);
    struct world world = live_world(&live);
    uint8_t *small = world.alloc(world.arg, HUGE / 2), *plain = world.alloc(world.arg, 5 * HUGE);
    uint8_t *large = world.alloc(world.arg, 5 * HUGE);
    assert_true(small != NULL && plain != NULL && large != NULL);
    world.spread(world.arg, small, HUGE / 2); /* not one of them is whole in it */
    world.spread(world.arg, large, 5 * HUGE);
    assert_false(is_advised(small + HUGE / 4));
    assert_false(is_advised(plain + 2 * HUGE));
    assert_true(is_advised(large + HUGE));
    assert_true(is_advised(large + 3 * HUGE));
    assert_false(is_advised(large - 16)); /* others' memory may be there */
    for (size_t at = 0; at < 5 * HUGE; at += 4096)
        assert_int_equal(large[at] | plain[at], 0);
    world.release(world.arg, small, HUGE / 2);
    world.release(world.arg, plain, 5 * HUGE);
    world.release(world.arg, large, 5 * HUGE);
    assert_int_equal(live.bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_spread_is_in_large_pages_and_nothing_beside_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
