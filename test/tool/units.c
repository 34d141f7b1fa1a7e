/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers as people write them: exact, or refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tool/progress.h"
#include "tool/units.h"

static void takes_sizes_with_binary_suffixes(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {
        {"0", 0},
        {"4096", 4096},
        {"1K", 1024},
        {"16M", 16ull << 20},
        {"1G", 1ull << 30},
        {"1g", 1ull << 30},
        {"1GiB", 1ull << 30},
        {"3TiB", 3ull << 40},
        {"16383P", 16383ull << 50},
        {"18446744073709551615", UINT64_MAX},
    };
    uint64_t bytes;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(units_parse_bytes(good[i].text, &bytes));
        assert_int_equal(bytes, good[i].bytes);
    }
}

static void refuses_what_is_not_exactly_a_size(void **state)
{
    static const char *const bad[] = {
        "",
        "G",
        "1Gx",
        "1GB",
        "1 G",
        " 1",
        "-1",
        "+1",
        "1.5G",
        "0x10",
        "1GiBx",
        "1iB",
        "1Gi",
        "1E",
        "1GG",
        "1e3",
        "16384P",
        "18446744073709551616",
        "99999999999999999999999",
    };
    uint64_t bytes;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(units_parse_bytes(bad[i], &bytes));
}

static void keeps_counts_within_their_bound(void **state)
{
    uint64_t n;

    (void)state;
    assert_true(units_parse_count("12", 12, &n));
    assert_int_equal(n, 12);
    assert_false(units_parse_count("13", 12, &n));
    assert_false(units_parse_count("1K", 5000, &n));
    assert_false(units_parse_count("", 5000, &n));
}

static void takes_percent_with_one_decimal(void **state)
{
    uint32_t permille;

    (void)state;
    assert_true(units_parse_permille("20", 1000, &permille));
    assert_int_equal(permille, 200);
    assert_true(units_parse_permille("12.5%", 1000, &permille));
    assert_int_equal(permille, 125);
    assert_false(units_parse_permille("12.55", 1000, &permille));
    assert_false(units_parse_permille("12.", 1000, &permille));
    assert_false(units_parse_permille(".5", 1000, &permille));
    assert_false(units_parse_permille("100.1", 1000, &permille));
    assert_false(units_parse_permille("18446744073709551615", 1000, &permille));
    assert_false(units_parse_permille("-1", 1000, &permille));
}

static void prints_sizes_that_people_can_read(void **state)
{
    char text[24];

    (void)state;
    assert_string_equal(units_bytes(0, text, sizeof text), "0 B");
    assert_string_equal(units_bytes(1023, text, sizeof text), "1023 B");
    assert_string_equal(units_bytes(4096, text, sizeof text), "4.0 KiB");
    assert_string_equal(units_bytes(3ull << 29, text, sizeof text), "1.5 GiB");
    assert_string_equal(units_bytes(UINT64_MAX, text, sizeof text), "16384.0 PiB");
    assert_string_equal(units_seconds(7, text, sizeof text), "0:07");
    assert_string_equal(units_seconds(3723, text, sizeof text), "1:02:03");
}

static void guesses_the_time_left_only_from_work_done(void **state)
{
    (void)state;
    assert_int_equal(progress_seconds_left(1000000000, 0, 10), UINT64_MAX);
    assert_int_equal(progress_seconds_left(1000000000, 1, 10), 9);
    assert_int_equal(progress_seconds_left(1000000000, 10, 10), 0);
    assert_int_equal(progress_seconds_left(1000000000, 11, 10), UINT64_MAX);
}

/* What a step prints on the standard output. */
static size_t printed(struct progress *progress, uint64_t done, char *text, size_t text_bytes)
{
    FILE *file = tmpfile();
    int out = dup(STDOUT_FILENO);

    assert_non_null(file);
    (void)fflush(stdout);
    (void)dup2(fileno(file), STDOUT_FILENO);
    progress_step(progress, done, 100);
    (void)fflush(stdout);
    (void)dup2(out, STDOUT_FILENO);
    (void)close(out);
    rewind(file);
    size_t n = fread(text, 1, text_bytes - 1, file);
    text[n] = '\0';
    (void)fclose(file);
    return n;
}

static void tells_programs_once_a_second_in_one_line(void **state)
{
    const struct tool tool = {.verb = "format", .output = TOOL_JSON};
    struct progress progress;
    char text[512];
    json_error_t error;
    const char *what;
    json_int_t done, total, left;

    (void)state;
    progress_begin(&progress, &tool, "chunks");
    assert_int_equal(printed(&progress, 25, text, sizeof text), 0); /* too early */
    progress.started_ns -= 3000000000u;
    progress.shown_ns -= 1000000000u;
    size_t n = printed(&progress, 25, text, sizeof text);
    assert_true(n > 0 && strchr(text, '\n') == text + n - 1);
    assert_int_equal(printed(&progress, 26, text + n, sizeof text - n), 0);
    json_t *envelope = json_loads(text, 0, &error);
    assert_non_null(envelope);
    assert_int_equal(json_unpack(envelope, "{s:{s:s, s:I, s:I, s:I}}", "progress", "what", &what,
                                 "done", &done, "total", &total, "seconds_left", &left),
                     0);
    assert_string_equal(what, "chunks");
    assert_int_equal(done, 25);
    assert_int_equal(total, 100);
    assert_in_range(left, 8, 10);
    json_decref(envelope);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_sizes_with_binary_suffixes),
        cmocka_unit_test(refuses_what_is_not_exactly_a_size),
        cmocka_unit_test(keeps_counts_within_their_bound),
        cmocka_unit_test(takes_percent_with_one_decimal),
        cmocka_unit_test(prints_sizes_that_people_can_read),
        cmocka_unit_test(guesses_the_time_left_only_from_work_done),
        cmocka_unit_test(tells_programs_once_a_second_in_one_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
