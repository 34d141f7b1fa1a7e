/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/bytes.h"
#include "test/unit.h"

#include <string.h>

static void puts_the_least_byte_first(void **state)
{
    (void)state;
    static const uint8_t expected[] = {0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01};
    uint8_t p[8];
    put_u64(p, UINT64_C(0x0102030405060708));
    assert_memory_equal(p, expected, 8);
    assert_int_equal(get_u16(p), 0x0708);
    assert_int_equal(get_u32(p), 0x05060708);
    assert_int_equal(get_u40(p), UINT64_C(0x0405060708));
    assert_int_equal(get_u56(p), UINT64_C(0x02030405060708));
    assert_int_equal(get_u64(p), UINT64_C(0x0102030405060708));
}

static void writes_exactly_its_width(void **state)
{
    (void)state;
    static const unsigned widths[] = {2, 4, 5, 7, 8};
    for (unsigned i = 0; i < 5; i++) {
        uint8_t p[10];
        memset(p, 0xaa, sizeof p);
        if (widths[i] == 2)
            put_u16(p + 1, UINT16_MAX);
        else if (widths[i] == 4)
            put_u32(p + 1, UINT32_MAX);
        else if (widths[i] == 5)
            put_u40(p + 1, UINT64_MAX >> 24);
        else if (widths[i] == 7)
            put_u56(p + 1, UINT64_MAX >> 8);
        else
            put_u64(p + 1, UINT64_MAX);
        for (unsigned at = 0; at < 10; at++)
            assert_int_equal(p[at], at >= 1 && at <= widths[i] ? 0xff : 0xaa);
    }
}

static void gives_back_what_was_put(void **state)
{
    (void)state;
    uint8_t p[8];
    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t value = UINT64_C(1) << bit;
        put_u64(p, value);
        assert_int_equal(get_u64(p), value);
        put_u56(p, value & UINT64_MAX >> 8);
        assert_int_equal(get_u56(p), value & UINT64_MAX >> 8);
        put_u40(p, value & UINT64_MAX >> 24);
        assert_int_equal(get_u40(p), value & UINT64_MAX >> 24);
        put_u32(p, (uint32_t)value);
        assert_int_equal(get_u32(p), (uint32_t)value);
        put_u16(p, (uint16_t)value);
        assert_int_equal(get_u16(p), (uint16_t)value);
    }
}

static void says_when_a_sum_or_product_does_not_fit(void **state)
{
    (void)state;
    uint64_t out;
    assert_false(add_overflows_u64(UINT64_MAX - 1, 1, &out));
    assert_int_equal(out, UINT64_MAX);
    assert_true(add_overflows_u64(UINT64_MAX, 1, &out));
    assert_false(mul_overflows_u64(UINT32_MAX, UINT32_MAX, &out));
    assert_int_equal(out, UINT64_C(0xfffffffe00000001));
    assert_true(mul_overflows_u64(UINT64_C(1) << 32, UINT64_C(1) << 32, &out));
}

static void rounds_to_multiples_that_are_no_powers_of_two(void **state)
{
    (void)state;
    assert_int_equal(round_up_u32(0, 24), 0);
    assert_int_equal(round_up_u32(1, 24), 24);
    assert_int_equal(round_up_u32(24, 24), 24);
    assert_int_equal(round_up_u32(25, 24), 48);
    assert_int_equal(round_up_u32(UINT32_MAX, 1), UINT32_MAX);
    assert_int_equal(round_up_u64(UINT64_MAX - 1, 5), UINT64_MAX);
    assert_int_equal(div_round_up_u32(UINT32_MAX, 2), UINT32_C(1) << 31);
    assert_int_equal(div_round_up_u64(UINT64_MAX, UINT64_MAX), 1);
    assert_int_equal(div_round_up_u64(0, 7), 0);
}

static void picks_the_lesser_and_the_greater(void **state)
{
    (void)state;
    assert_int_equal(min_u32(1, UINT32_MAX), 1);
    assert_int_equal(max_u32(1, UINT32_MAX), UINT32_MAX);
    assert_int_equal(min_u64(UINT64_MAX, 2), 2);
    assert_int_equal(max_u64(UINT64_MAX, 2), UINT64_MAX);
}

static void put_41_bits_in_40(void *arg)
{
    put_u40(arg, UINT64_C(1) << 40);
}

static void put_57_bits_in_56(void *arg)
{
    put_u56(arg, UINT64_C(1) << 56);
}

static void round_up_beyond_32_bits(void *arg)
{
    put_u32(arg, round_up_u32(UINT32_MAX, 2));
}

static void round_up_beyond_64_bits(void *arg)
{
    put_u64(arg, round_up_u64(UINT64_MAX, 2));
}

static void divide_by_nothing(void *arg)
{
    put_u32(arg, div_round_up_u32(1, 0));
}

static void stops_what_would_be_cut_off(void **state)
{
    (void)state;
    uint8_t p[8];
    assert_true(aborts(put_41_bits_in_40, p));
    assert_true(aborts(put_57_bits_in_56, p));
    assert_true(aborts(round_up_beyond_32_bits, p));
    assert_true(aborts(round_up_beyond_64_bits, p));
    assert_true(aborts(divide_by_nothing, p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(puts_the_least_byte_first),
        cmocka_unit_test(writes_exactly_its_width),
        cmocka_unit_test(gives_back_what_was_put),
        cmocka_unit_test(says_when_a_sum_or_product_does_not_fit),
        cmocka_unit_test(rounds_to_multiples_that_are_no_powers_of_two),
        cmocka_unit_test(stops_what_would_be_cut_off),
        cmocka_unit_test(picks_the_lesser_and_the_greater),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
