/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/bitmap.h"
#include "base/prng.h"
#include "test/unit.h"

#include <string.h>

static void needs_a_word_for_each_begun_64_bits(void **state)
{
    (void)state;
    assert_int_equal(bitmap_words(0), 0);
    assert_int_equal(bitmap_words(1), 1);
    assert_int_equal(bitmap_words(64), 1);
    assert_int_equal(bitmap_words(65), 2);
    assert_int_equal(bitmap_words(UINT64_MAX), UINT64_C(1) << 58);
}

static void changes_one_bit_and_no_other(void **state)
{
    (void)state;
    for (uint64_t bit = 0; bit < 192; bit++) {
        uint64_t words[3] = {0};
        bitmap_set(words, bit);
        for (uint64_t i = 0; i < 192; i++)
            assert_int_equal(bitmap_get(words, i), i == bit);
        memset(words, 0xff, sizeof words);
        bitmap_clear(words, bit);
        for (uint64_t i = 0; i < 192; i++)
            assert_int_equal(bitmap_get(words, i), i != bit);
    }
}

static void finds_and_counts_as_a_plain_loop_would(void **state)
{
    (void)state;
    struct prng prng;
    prng_seed(&prng, 2);
    for (int round = 0; round < 200; round++) {
        uint64_t words[4] = {0}, bits = 1 + prng_below(&prng, 256), count = 0;
        for (uint64_t i = 0; i < bits; i++)
            if (prng_chance(&prng, 1, 20)) {
                bitmap_set(words, i);
                count++;
            }
        assert_int_equal(bitmap_count(words, bits), count);
        for (uint64_t from = 0; from <= bits; from++) {
            uint64_t found = from;
            while (found < bits && !bitmap_get(words, found))
                found++;
            assert_int_equal(bitmap_find_set(words, bits, from), found);
        }
    }
}

static void ignores_bits_beyond_the_length(void **state)
{
    (void)state;
    uint64_t words[2] = {0, UINT64_MAX << 5};
    uint64_t far[1] = {UINT64_C(1) << 40};
    assert_int_equal(bitmap_find_set(words, 69, 0), 69);
    assert_int_equal(bitmap_find_set(words, 70, 0), 69);
    assert_int_equal(bitmap_count(words, 69), 0);
    assert_int_equal(bitmap_count(words, 70), 1);
    assert_int_equal(bitmap_find_set(far, 30, 0), 30);
    assert_int_equal(bitmap_find_set(words, 70, 1000), 70);
    assert_int_equal(bitmap_find_set(NULL, 0, 0), 0);
    assert_int_equal(bitmap_count(NULL, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(needs_a_word_for_each_begun_64_bits),
        cmocka_unit_test(changes_one_bit_and_no_other),
        cmocka_unit_test(finds_and_counts_as_a_plain_loop_would),
        cmocka_unit_test(ignores_bits_beyond_the_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
