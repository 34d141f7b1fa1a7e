/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/bytes.h"
#include "base/crc.h"
#include "base/prng.h"
#include "test/unit.h"

#include <string.h>

/* The definition, a bit at a time: reflected polynomial 0x1edc6f41, inverted at both ends. */
static uint32_t crc_by_definition(uint32_t crc, const uint8_t *data, size_t bytes)
{
    crc = ~crc;
    for (size_t i = 0; i < bytes; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
    }
    return ~crc;
}

static void fill(uint8_t *data, size_t bytes)
{
    struct prng prng;
    prng_seed(&prng, 1);
    for (size_t i = 0; i < bytes; i++)
        data[i] = (uint8_t)prng_next(&prng);
}

/* RFC 3720, appendix B.4, and the check value that catalogues of checksums give. */
static void agrees_with_the_published_values(void **state)
{
    (void)state;
    uint8_t data[32];
    assert_int_equal(crc32c(0, "123456789", 9), UINT32_C(0xe3069283));
    for (unsigned i = 0; i < 32; i++)
        data[i] = 0;
    assert_int_equal(crc32c(0, data, 32), UINT32_C(0x8a9136aa));
    for (unsigned i = 0; i < 32; i++)
        data[i] = 0xff;
    assert_int_equal(crc32c(0, data, 32), UINT32_C(0x62a8ab43));
    for (unsigned i = 0; i < 32; i++)
        data[i] = (uint8_t)i;
    assert_int_equal(crc32c(0, data, 32), UINT32_C(0x46dd794e));
}

static void agrees_with_the_definition_at_every_length_and_alignment(void **state)
{
    (void)state;
    static uint8_t data[1024 + 16];
    fill(data, sizeof data);
    for (size_t start = 0; start < 16; start++)
        for (size_t bytes = 0; bytes <= 1024; bytes += bytes < 70 ? 1 : 53)
            assert_int_equal(crc32c(7, data + start, bytes),
                             crc_by_definition(7, data + start, bytes));
}

static void sums_up_numbers_as_their_bytes(void **state)
{
    (void)state;
    struct prng prng;
    prng_seed(&prng, 2);
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t first = prng_next(&prng), third = prng_next(&prng);
        uint32_t second = (uint32_t)prng_next(&prng);
        uint8_t bytes[20];
        put_u64(bytes, first);
        put_u32(bytes + 8, second);
        put_u64(bytes + 12, third);
        uint32_t wanted = crc_by_definition(0, bytes, sizeof bytes);
        assert_int_equal(crc32c_20(first, second, third), wanted);
        assert_int_equal(crc32c_20_bytes(first, second, third), wanted);
    }
}

static void chains_over_parts(void **state)
{
    (void)state;
    static uint8_t data[300];
    fill(data, sizeof data);
    for (size_t cut = 0; cut <= sizeof data; cut++)
        assert_int_equal(crc32c(crc32c(0, data, cut), data + cut, sizeof data - cut),
                         crc32c(0, data, sizeof data));
}

static void check_copy(size_t start, size_t end, size_t bytes)
{
    static uint8_t from[4096 + 64], to[4096 + 64], before[4096 + 64];
    fill(from, sizeof from);
    memset(before, 0xee, sizeof before);
    memcpy(to, before, sizeof to);
    assert_int_equal(crc32c_copy(to + end, from + start, bytes),
                     crc_by_definition(0, from + start, bytes));
    assert_memory_equal(to + end, from + start, bytes);
    assert_memory_equal(to, before, end);
    assert_memory_equal(to + end + bytes, before, sizeof to - end - bytes);
}

static void copies_and_sums_up_at_every_length_and_alignment(void **state)
{
    (void)state;
    for (size_t bytes = 0; bytes <= 1100; bytes++)
        check_copy(bytes % 61, bytes % 59, bytes);
    for (size_t at = 0; at < 64; at++)
        check_copy(at, 63 - at, 4096);
}

static void leaves_the_checksum_alone_when_there_is_no_data(void **state)
{
    (void)state;
    assert_int_equal(crc32c(0, NULL, 0), 0);
    assert_int_equal(crc32c(UINT32_C(0x12345678), NULL, 0), UINT32_C(0x12345678));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_published_values),
        cmocka_unit_test(agrees_with_the_definition_at_every_length_and_alignment),
        cmocka_unit_test(sums_up_numbers_as_their_bytes),
        cmocka_unit_test(chains_over_parts),
        cmocka_unit_test(copies_and_sums_up_at_every_length_and_alignment),
        cmocka_unit_test(leaves_the_checksum_alone_when_there_is_no_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
