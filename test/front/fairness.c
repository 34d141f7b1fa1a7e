/* SPDX-License-Identifier: BSD-3-Clause */
/* No channel starves another: one request at a time gets on beside a thousand. */
#include "test/front/kit.h"

#define CROWD_DEPTH 1024u
#define CROWD_DONE 100000u

static bool over;

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
}

static void written(struct hftl_request *request)
{
    struct writer *writer = request->arg;
    assert_int_equal(request->status, HFTL_OK);
    ++*writer->done;
    if (!over)
        submit(writer);
}

static void begin(struct writer *writer, struct hftl_channel *channel, uint64_t blocks,
                  uint64_t *done, struct prng *prng)
{
    static uint8_t page[HFTL_BLOCK_BYTES];
    *writer = (struct writer){.channel = channel, .blocks = blocks, .done = done, .prng = prng};
    writer->iov = (struct iovec){page, sizeof page};
    writer->request = (struct hftl_request){.verb = HFTL_WRITE,
                                            .blocks = 1,
                                            .iov = &writer->iov,
                                            .iov_count = 1,
                                            .done = written,
                                            .arg = writer};
    submit(writer);
}

/* Both write at random to a full device, so that all have to wait. Whoever has one request among so
 * many gets his share of them, and not less than half of it. */
static void one_request_gets_on_beside_a_thousand(void **state)
{
    static struct writer crowd[CROWD_DEPTH], single;
    struct hftl_device *device = kit_open(0);
    struct hftl_channel *many = hftl_channel_open(device, CROWD_DEPTH);
    struct hftl_channel *one = hftl_channel_open(device, 1);
    uint64_t blocks = kit_blocks(device), many_done = 0, one_done = 0;
    struct prng prng;
    (void)state;

    prng_seed(&prng, 1);
    for (unsigned i = 0; i < CROWD_DEPTH; i++)
        begin(&crowd[i], many, blocks, &many_done, &prng);
    begin(&single, one, blocks, &one_done, &prng);
    while (many_done < CROWD_DONE) {
        (void)hftl_step(device);
        (void)hftl_reap(many, 0);
        (void)hftl_reap(one, 0);
    }
    over = true;
    assert_true(one_done >= CROWD_DONE / CROWD_DEPTH / 2);
    assert_int_equal(hftl_close(device), HFTL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_request_gets_on_beside_a_thousand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
