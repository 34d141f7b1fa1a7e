/* SPDX-License-Identifier: BSD-3-Clause */
/* No channel starves another: one request at a time gets on beside a thousand, and in turn. */
#include "test/front/kit.h"

#define CROWD_DEPTH 1024u
#define CROWD_DONE 100000u

static bool over;
static unsigned in_flight;

struct writer {
    struct hftl_request request;
    struct iovec iov;
    struct hftl_channel *channel;
    uint64_t blocks, *done;
    struct prng *prng;
};

static void submit(struct writer *writer)
{
    writer->request.lba = prng_below(writer->prng, writer->blocks);
    assert_int_equal(hftl_submit(writer->channel, &writer->request), HFTL_OK);
    in_flight++;
}

static void written(struct hftl_request *request)
{
    struct writer *writer = request->arg;
    assert_int_equal(request->status, HFTL_OK);
    ++*writer->done;
    in_flight--;
    if (!over)
        submit(writer);
}

static void begin(struct writer *writer, enum hftl_verb verb, struct hftl_channel *channel,
                  uint64_t blocks, uint64_t *done, struct prng *prng)
{
    static uint8_t page[HFTL_BLOCK_BYTES];
    *writer = (struct writer){.channel = channel, .blocks = blocks, .done = done, .prng = prng};
    writer->iov = (struct iovec){page, sizeof page};
    writer->request = (struct hftl_request){.verb = verb,
                                            .blocks = 1,
                                            .iov = &writer->iov,
                                            .iov_count = 1,
                                            .done = written,
                                            .arg = writer};
    submit(writer);
}

/* Requests of one by the time that the crowd beside it had CROWD_DONE. */
static uint64_t count_beside_a_crowd(struct hftl_device *device, enum hftl_verb verb)
{
    static struct writer crowd[CROWD_DEPTH], single;
    struct hftl_channel *many = hftl_channel_open(device, CROWD_DEPTH);
    struct hftl_channel *one = hftl_channel_open(device, 1);
    uint64_t blocks = kit_blocks(device), many_done = 0, one_done = 0, counted = 0;
    struct prng prng;

    over = false;
    prng_seed(&prng, 1);
    for (unsigned i = 0; i < CROWD_DEPTH; i++)
        begin(&crowd[i], verb, many, blocks, &many_done, &prng);
    begin(&single, verb, one, blocks, &one_done, &prng);
    while (in_flight > 0) {
        (void)hftl_step(device);
        (void)hftl_reap(many, 0);
        (void)hftl_reap(one, 0);
        if (many_done >= CROWD_DONE && !over) {
            over = true;
            counted = one_done;
        }
    }
    hftl_channel_close(many);
    hftl_channel_close(one);
    return counted;
}

/* Both write at random to a full device, so that all have to wait; then both read. On the fake,
 * which knows no senders, whoever has one request among so many gets his share of them, and not
 * less than half of it. The engine gives him a turn after 32 blocks of the crowd's (turns.h), or
 * after the 256 reads that it has in flight; twice that, as he asks anew when he had the last. */
static void one_request_gets_on_beside_a_thousand(void **state)
{
    struct hftl_device *device = kit_open(0);
    uint64_t written_beside = count_beside_a_crowd(device, HFTL_WRITE);
    uint64_t read_beside = count_beside_a_crowd(device, HFTL_READ);
    (void)state;

    print_message("one: %llu writes, %llu reads; the crowd: %u of each\n",
                  (unsigned long long)written_beside, (unsigned long long)read_beside, CROWD_DONE);
    assert_true(written_beside >= CROWD_DONE / (stand_has_manners() ? 2 * CROWD_DEPTH : 128));
    assert_true(read_beside >= CROWD_DONE / (stand_has_manners() ? 2 * CROWD_DEPTH : 512));
    assert_int_equal(hftl_close(device), HFTL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_request_gets_on_beside_a_thousand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
