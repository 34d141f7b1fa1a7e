/* SPDX-License-Identifier: BSD-3-Clause */
#include "test/unit.h"

#include <errno.h>
#include <hostftl/types.h>
#include <string.h>

static void only_success_has_no_errno(void **state)
{
    (void)state;
    assert_int_equal(hftl_status_errno(HFTL_OK), 0);
    for (int status = HFTL_OK + 1; status < HFTL_STATUS_COUNT; status++)
        assert_true(hftl_status_errno((enum hftl_status)status) > 0);
}

static void each_has_a_name_and_a_text_of_its_own(void **state)
{
    (void)state;
    for (int a = 0; a < HFTL_STATUS_COUNT; a++)
        for (int b = 0; b < a; b++) {
            enum hftl_status x = (enum hftl_status)a, y = (enum hftl_status)b;
            assert_string_not_equal(hftl_status_name(x), hftl_status_name(y));
            assert_string_not_equal(hftl_status_text(x), hftl_status_text(y));
        }
}

static void says_what_the_list_says(void **state)
{
    (void)state;
    assert_string_equal(hftl_status_name(HFTL_RULE_ORDER), "RULE_ORDER");
    assert_string_equal(hftl_status_text(HFTL_SPACE), "no space left");
    assert_int_equal(hftl_status_errno(HFTL_SPACE), ENOSPC);
    assert_int_equal(hftl_status_errno(HFTL_READ_ONLY), EROFS);
}

static void answers_for_numbers_that_it_does_not_know(void **state)
{
    (void)state;
    static const int strangers[] = {-1, HFTL_STATUS_COUNT, 1 << 20};
    for (int i = 0; i < 3; i++) {
        enum hftl_status status = (enum hftl_status)strangers[i];
        assert_string_equal(hftl_status_name(status), "UNKNOWN");
        assert_true(strlen(hftl_status_text(status)) > 0);
        assert_int_equal(hftl_status_errno(status), EIO);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_success_has_no_errno),
        cmocka_unit_test(each_has_a_name_and_a_text_of_its_own),
        cmocka_unit_test(says_what_the_list_says),
        cmocka_unit_test(answers_for_numbers_that_it_does_not_know),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
