/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of what to think of a block: total, without contradiction, and saying what FORMAT.md
 * says. */
#include "test/unit.h"

#include "lifecycle/believe.h"

#include <string.h>

static void each(void (*check)(const struct clues *clues))
{
    for (unsigned bits = 0; bits < 3u << 4; bits++) {
        struct clues clues = {.verdict = (enum clue_verdict)(bits >> 4),
                              .witnessed = (bits & 1) != 0,
                              .identity = (bits & 2) != 0,
                              .verified = (bits & 4) != 0,
                              .followed = (bits & 8) != 0};
        check(&clues);
    }
}

static void check_one_row(const struct clues *clues)
{
    const char *why = NULL;
    assert_int_equal(believe_rows(clues), 1);
    assert_int_equal(believe_block(clues, &why), believe_block(clues, NULL));
    assert_non_null(why);
    assert_true(strlen(why) > 10);
}

static void exactly_one_row_applies_to_each_of_all_combinations(void **state)
{
    (void)state;
    each(check_one_row);
}

/* FORMAT.md, 9.4.5 and 9.4.6, said once more in another way. */
static enum believe expected(const struct clues *c)
{
    bool good = c->identity && c->verified;
    if (c->verdict == VERDICT_OUTSIDE)
        return REJECT;
    if (good)
        return BELIEVE;
    if (c->verdict == VERDICT_INSIDE || c->witnessed)
        return c->identity ? UNREADABLE : SKIP;
    return c->identity && c->followed ? UNREADABLE : REJECT;
}

static void check_decision(const struct clues *clues)
{
    assert_int_equal(believe_block(clues, NULL), expected(clues));
}

static void the_decision_is_that_of_the_format(void **state)
{
    (void)state;
    each(check_decision);
}

static void check_properties(const struct clues *clues)
{
    enum believe then = believe_block(clues, NULL);
    struct clues other = *clues;
    if (then == BELIEVE)
        assert_true(clues->identity && clues->verified && clues->verdict != VERDICT_OUTSIDE);
    if (then == UNREADABLE)
        assert_true(clues->identity && !clues->verified);
    if (clues->verdict == VERDICT_INSIDE) /* once accepted it is never rejected (O12) */
        assert_int_not_equal(then, REJECT);
    if (clues->verdict == VERDICT_NONE && clues->witnessed) /* C1: what was flushed stays */
        assert_int_not_equal(then, REJECT);
    other.witnessed = true; /* more evidence of a flush never makes it less believed */
    if (then != REJECT)
        assert_int_not_equal(believe_block(&other, NULL), REJECT);
}

static void what_was_accepted_or_flushed_is_never_rejected(void **state)
{
    (void)state;
    each(check_properties);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exactly_one_row_applies_to_each_of_all_combinations),
        cmocka_unit_test(the_decision_is_that_of_the_format),
        cmocka_unit_test(what_was_accepted_or_flushed_is_never_rejected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
