/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "front/check.h"

#include "test/front/kit.h"

#define BLOCKS 100u

static uint8_t page[8 * HFTL_BLOCK_BYTES];

static void never(struct hftl_request *request)
{
    (void)request;
}

static struct hftl_request make(enum hftl_verb verb, uint64_t lba, uint64_t blocks,
                                const struct iovec *iov, int count)
{
    return (struct hftl_request){
        .verb = verb, .lba = lba, .blocks = blocks, .iov = iov, .iov_count = count, .done = never};
}

static void expect(enum hftl_status expected, struct hftl_request request)
{
    assert_string_equal(hftl_status_name(check_request(&request, BLOCKS)),
                        hftl_status_name(expected));
}

static void takes_each_verb_as_it_should_be(void **state)
{
    struct iovec one = {page, HFTL_BLOCK_BYTES};
    struct hftl_extent extent;
    struct hftl_request request;
    (void)state;

    expect(HFTL_OK, make(HFTL_READ, 0, 1, &one, 1));
    expect(HFTL_OK, make(HFTL_WRITE, BLOCKS - 1, 1, &one, 1));
    expect(HFTL_OK, make(HFTL_FLUSH, 0, 0, NULL, 0));
    expect(HFTL_OK, make(HFTL_FLUSH_BANDS, 0, 0, NULL, 0));
    expect(HFTL_OK, make(HFTL_TRIM, 0, BLOCKS, NULL, 0));
    expect(HFTL_OK, make(HFTL_WRITE_ZEROES, 0, BLOCKS, NULL, 0));
    request = make(HFTL_EXTENTS, 0, BLOCKS, NULL, 0);
    expect(HFTL_INVALID, request);
    request.extents = &extent;
    expect(HFTL_INVALID, request);
    request.extent_count = 1;
    expect(HFTL_OK, request);
}

static bool has_range(enum hftl_verb verb)
{
    return verb != HFTL_FLUSH && verb != HFTL_FLUSH_BANDS;
}

static void refuses_verbs_and_flags_that_it_does_not_know(void **state)
{
    struct iovec one = {page, HFTL_BLOCK_BYTES};
    (void)state;

    expect(HFTL_INVALID, make(HFTL_VERB_COUNT, 0, 1, &one, 1));
    expect(HFTL_INVALID, make((enum hftl_verb)77, 0, 1, &one, 1));
    for (int verb = 0; verb < HFTL_VERB_COUNT; verb++) {
        struct hftl_extent extent;
        bool range = has_range((enum hftl_verb)verb);
        struct hftl_request request = make((enum hftl_verb)verb, 0, range, &one, 1);
        request.extents = &extent;
        request.extent_count = 1;
        expect(HFTL_OK, request);
        request.flags = HFTL_FUA;
        expect(!range || verb == HFTL_EXTENTS ? HFTL_INVALID : HFTL_OK, request);
        request.flags = 2;
        expect(HFTL_INVALID, request);
        request.flags = HFTL_FUA | 0x80000000u;
        expect(HFTL_INVALID, request);
        request.flags = 0;
        request.done = NULL;
        expect(HFTL_INVALID, request);
    }
}

static void refuses_no_blocks_but_for_flushes(void **state)
{
    struct iovec one = {page, HFTL_BLOCK_BYTES};
    (void)state;

    for (int verb = 0; verb < HFTL_VERB_COUNT; verb++)
        expect(has_range((enum hftl_verb)verb) ? HFTL_INVALID : HFTL_OK,
               make((enum hftl_verb)verb, 0, 0, &one, 1));
    expect(HFTL_INVALID, make(HFTL_FLUSH, 1, 0, NULL, 0));
    expect(HFTL_INVALID, make(HFTL_FLUSH, 0, 1, NULL, 0));
    expect(HFTL_INVALID, make(HFTL_FLUSH_BANDS, 1, 0, NULL, 0));
    expect(HFTL_INVALID, make(HFTL_FLUSH_BANDS, 0, 1, NULL, 0));
}

static void refuses_what_lies_beyond_the_end_also_when_it_overflows(void **state)
{
    (void)state;

    expect(HFTL_RANGE, make(HFTL_TRIM, BLOCKS, 1, NULL, 0));
    expect(HFTL_RANGE, make(HFTL_TRIM, 0, BLOCKS + 1, NULL, 0));
    expect(HFTL_RANGE, make(HFTL_TRIM, BLOCKS - 1, 2, NULL, 0));
    expect(HFTL_RANGE, make(HFTL_TRIM, UINT64_MAX, 1, NULL, 0));
    expect(HFTL_RANGE, make(HFTL_TRIM, 1, UINT64_MAX, NULL, 0));
    expect(HFTL_RANGE, make(HFTL_TRIM, UINT64_MAX, UINT64_MAX, NULL, 0));
    /* 2^52 blocks are 2^64 bytes: nothing, if one multiplied first. */
    struct iovec one = {page, HFTL_BLOCK_BYTES};
    expect(HFTL_RANGE, make(HFTL_READ, 0, (1ull << 52) + 1, &one, 1));
}

static void refuses_iovecs_that_do_not_add_up(void **state)
{
    struct iovec two[2] = {{page, HFTL_BLOCK_BYTES}, {page + 4096, 2 * HFTL_BLOCK_BYTES}};
    static struct iovec many[CHECK_IOV_MAX + 1];
    (void)state;

    expect(HFTL_OK, make(HFTL_READ, 0, 3, two, 2));
    expect(HFTL_INVALID, make(HFTL_READ, 0, 2, two, 2));
    expect(HFTL_INVALID, make(HFTL_READ, 0, 4, two, 2));
    expect(HFTL_INVALID, make(HFTL_READ, 0, 1, two, 0));
    expect(HFTL_INVALID, make(HFTL_READ, 0, 1, two, -1));
    expect(HFTL_INVALID, make(HFTL_READ, 0, 1, NULL, 1));
    two[1].iov_len = SIZE_MAX - 4095; /* wraps around to nothing, if one added */
    expect(HFTL_INVALID, make(HFTL_READ, 0, 1, two, 2));
    two[1] = (struct iovec){NULL, HFTL_BLOCK_BYTES};
    expect(HFTL_INVALID, make(HFTL_READ, 0, 2, two, 2));
    two[1] = (struct iovec){page, 0};
    expect(HFTL_INVALID, make(HFTL_READ, 0, 1, two, 2));
    for (int i = 0; i <= CHECK_IOV_MAX; i++)
        many[i] = (struct iovec){page, HFTL_BLOCK_BYTES};
    struct hftl_request request = make(HFTL_WRITE, 0, CHECK_IOV_MAX, many, CHECK_IOV_MAX);
    assert_int_equal(check_request(&request, 2 * CHECK_IOV_MAX), HFTL_OK);
    request.blocks = (uint64_t)++request.iov_count;
    assert_int_equal(check_request(&request, 2 * CHECK_IOV_MAX), HFTL_INVALID);
}

static void refuses_iovecs_that_are_not_whole_blocks(void **state)
{
    struct iovec two[2] = {{page, 512}, {page + 512, HFTL_BLOCK_BYTES - 512}};
    (void)state;

    expect(HFTL_UNALIGNED, make(HFTL_WRITE, 0, 1, two, 2));
    two[0].iov_len = 4095;
    expect(HFTL_UNALIGNED, make(HFTL_WRITE, 0, 1, two, 1));
    two[0].iov_len = 4097;
    expect(HFTL_UNALIGNED, make(HFTL_WRITE, 0, 1, two, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_each_verb_as_it_should_be),
        cmocka_unit_test(refuses_verbs_and_flags_that_it_does_not_know),
        cmocka_unit_test(refuses_no_blocks_but_for_flushes),
        cmocka_unit_test(refuses_what_lies_beyond_the_end_also_when_it_overflows),
        cmocka_unit_test(refuses_iovecs_that_do_not_add_up),
        cmocka_unit_test(refuses_iovecs_that_are_not_whole_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
