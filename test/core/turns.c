/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/turns.h"
#include "test/core/stand.h"
#include "test/unit.h"

#include <string.h>

struct asked {
    struct list_link link;
    unsigned sender;
};

/* Who is served, in that order: each of three senders with eight requests of so many blocks. */
static void serve_all(const uint64_t blocks[3], char *served)
{
    struct asked asked[24];
    struct turn_queue queues[3], *first;
    struct list line;

    list_init(&line);
    for (unsigned i = 0; i < 3; i++)
        turn_queue_init(&queues[i]);
    for (unsigned i = 0; i < 24; i++) {
        asked[i].sender = i / 8;
        link_init(&asked[i].link);
        turns_add(&line, &queues[i / 8], &asked[i].link);
    }
    while ((first = turns_first(&line)) != NULL) {
        struct asked *request = list_of(turns_request(first), struct asked, link);
        *served++ = (char)('a' + request->sender);
        list_remove(&request->link);
        turns_spend(first, blocks[request->sender]);
        turns_pass(&line, first);
    }
    *served = '\0';
    for (unsigned i = 0; i < 3; i++)
        assert_false(link_is_linked(&queues[i].turn));
}

static void senders_have_equal_turns_in_blocks(void **state)
{
    char served[25];
    (void)state;

    serve_all((uint64_t[]){TURN_BLOCKS, TURN_BLOCKS, TURN_BLOCKS}, served);
    assert_string_equal(served, "abcabcabcabcabcabcabcabc");
    serve_all((uint64_t[]){1, 1, 1}, served); /* all of one's are less than a turn */
    assert_string_equal(served, "aaaaaaaabbbbbbbbcccccccc");
    serve_all((uint64_t[]){TURN_BLOCKS / 4, TURN_BLOCKS / 2, 1000 * TURN_BLOCKS}, served);
    assert_string_equal(served, "aaaabbcaaaabbcbbcbbccccc");
}

static void a_turn_is_over_only_for_who_is_not_alone(void **state)
{
    struct asked asked[2];
    struct turn_queue one, other;
    struct list line;
    (void)state;

    list_init(&line);
    turn_queue_init(&one);
    turn_queue_init(&other);
    link_init(&asked[0].link);
    link_init(&asked[1].link);
    turns_add(&line, &one, &asked[0].link);
    turns_spend(&one, TURN_BLOCKS - 1);
    assert_false(turns_is_over(&line, &one));
    turns_spend(&one, UINT32_MAX);
    assert_false(turns_is_over(&line, &one));
    turns_add(&line, &other, &asked[1].link);
    assert_true(turns_is_over(&line, &one));
    turns_pass(&line, &one); /* its request goes on later */
    assert_ptr_equal(turns_first(&line), &other);
    assert_false(turns_is_over(&line, &other));
}

/* Sent through a channel of his own. */
static void ask_from(struct stand *stand, struct ask *ask, struct sender *sender,
                     enum hftl_verb verb, uint64_t lba, uint64_t blocks, void *data)
{
    memset(ask, 0, sizeof *ask);
    ask->iov[0] = (struct iovec){data, (size_t)(blocks * stand->device->geometry.block_bytes)};
    ask->request = (struct hftl_request){.verb = verb,
                                         .lba = lba,
                                         .blocks = blocks,
                                         .iov = ask->iov,
                                         .iov_count = verb == HFTL_WRITE,
                                         .arg = ask};
    device_submit_from(stand->device, sender, &ask->request);
}

#define LARGE_BLOCKS 600u
static uint8_t large[LARGE_BLOCKS * 512u], small[512];

static void a_large_write_lets_others_have_their_turns_in_its_midst(void **state)
{
    (void)state;
    struct stand stand;
    struct sender crowd, single;
    struct ask slow, quick;
    stand_begin(&stand, "two PUs");
    sender_init(&crowd);
    sender_init(&single);
    assert_true(stand.info.blocks > LARGE_BLOCKS);
    stand_fill(&stand, large, 0, LARGE_BLOCKS, 1);
    stand_fill(&stand, small, 3, 1, 2);
    tap_hold(stand.tap, HFTL_MEDIA_WRITE);
    ask_from(&stand, &slow, &crowd, HFTL_WRITE, 0, LARGE_BLOCKS, large);
    stand_settle(&stand); /* no more slots */
    assert_false(slow.answered);
    ask_from(&stand, &quick, &single, HFTL_WRITE, 3, 1, small);
    stand_settle(&stand);
    assert_false(quick.answered);
    tap_release(stand.tap);
    assert_int_equal(stand_wait(&stand, &slow), HFTL_OK);
    assert_int_equal(stand_wait(&stand, &quick), HFTL_OK);
    assert_true(quick.turn < slow.turn);
    stand_end(&stand);
}

static uint64_t progress_of(struct ask *ask)
{
    return ((struct request *)(void *)ask->request.internal)->progress;
}

static void a_large_trim_does_not_keep_to_the_pace_of_writes_beside_it(void **state)
{
    (void)state;
    struct stand stand;
    struct sender writer, trimmer;
    struct ask write, trim;
    stand_begin(&stand, "two PUs");
    sender_init(&writer);
    sender_init(&trimmer);
    stand_fill(&stand, large, 0, LARGE_BLOCKS, 1);
    tap_hold(stand.tap, HFTL_MEDIA_WRITE);
    ask_from(&stand, &write, &writer, HFTL_WRITE, 0, LARGE_BLOCKS, large);
    stand_settle(&stand); /* no more slots */
    uint64_t before = progress_of(&write);
    ask_from(&stand, &trim, &trimmer, HFTL_TRIM, 0, stand.info.blocks, NULL);
    stand_settle(&stand);
    tap_release(stand.tap);
    assert_int_equal(stand_wait(&stand, &trim), HFTL_OK);
    assert_true(write.answered == false);
    assert_true(progress_of(&write) - before <= 3 * TURN_BLOCKS);
    assert_int_equal(stand_wait(&stand, &write), HFTL_OK);
    stand_end(&stand);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(senders_have_equal_turns_in_blocks),
        cmocka_unit_test(a_turn_is_over_only_for_who_is_not_alone),
        cmocka_unit_test(a_large_trim_does_not_keep_to_the_pace_of_writes_beside_it),
        cmocka_unit_test(a_large_write_lets_others_have_their_turns_in_its_midst),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
