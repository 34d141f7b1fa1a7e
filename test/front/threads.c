/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Four threads, each with a channel and blocks of its own, write, read and check as fast as they
 * can, while others look at the statistics, and open and close channels. Run it under TSan.
 */
#define _GNU_SOURCE
#include "test/front/kit.h"

#include <pthread.h>

#define CLIENTS 4u
#define DEPTH 16u
#define SPAN 256u /* blocks of a client */
#define ROUNDS 4000u

struct job {
    struct hftl_request request;
    struct iovec iov[2];
    struct client *client;
    uint64_t version;
    bool busy;
    _Alignas(uint64_t) uint8_t data[2 * HFTL_BLOCK_BYTES];
};

struct client {
    struct hftl_channel *channel;
    uint64_t first;
    struct prng prng;
    uint64_t version[SPAN]; /* what a read must see */
    bool in_use[SPAN];      /* a request on it is in flight */
    struct job jobs[DEPTH];
    unsigned submitted, landed;
};

/* Callbacks run on the client's own thread: no lock. */
static void check_landing(struct hftl_request *request)
{
    struct job *job = request->arg;
    struct client *client = job->client;
    uint64_t at = request->lba - client->first;

    must_show(request->status == HFTL_OK, request->status, request->lba);
    for (uint64_t i = 0; i < request->blocks; i++) {
        if (request->verb == HFTL_WRITE)
            client->version[at + i] = job->version;
        else if (client->version[at + i] != 0)
            must(kit_matches(job->data + i * HFTL_BLOCK_BYTES, request->lba + i,
                             client->version[at + i]));
        client->in_use[at + i] = false;
    }
    job->busy = false;
    client->landed++;
}

static void submit_job(struct client *client, struct job *job)
{
    uint64_t at = prng_below(&client->prng, SPAN - 1);

    if (client->in_use[at] || client->in_use[at + 1])
        return;
    client->in_use[at] = client->in_use[at + 1] = true;
    memset(&job->request, 0, sizeof job->request);
    job->request.verb = prng_chance(&client->prng, 1, 2) ? HFTL_WRITE : HFTL_READ;
    job->request.lba = client->first + at;
    job->request.blocks = 2;
    job->request.iov = job->iov;
    job->request.iov_count = 2;
    job->request.done = check_landing;
    job->request.arg = job;
    job->version = client->submitted + 1;
    job->client = client;
    for (int i = 0; i < 2; i++)
        job->iov[i] = (struct iovec){job->data + i * (int)HFTL_BLOCK_BYTES, HFTL_BLOCK_BYTES};
    if (job->request.verb == HFTL_WRITE)
        kit_fill(job->data, job->request.lba, 2, job->version);
    job->busy = true;
    client->submitted++;
    must(hftl_submit(client->channel, &job->request) == HFTL_OK);
}

static void *hammer(void *arg)
{
    struct client *client = arg;

    while (client->landed < ROUNDS) {
        for (unsigned i = 0; i < DEPTH && client->submitted < ROUNDS; i++)
            if (!client->jobs[i].busy)
                submit_job(client, &client->jobs[i]);
        if (hftl_reap(client->channel, 0) == 0 && client->landed < client->submitted)
            must(kit_readable(hftl_channel_fd(client->channel), 20000));
    }
    return NULL;
}

static _Atomic bool over;

static void *look(void *arg)
{
    struct hftl_device *device = arg;
    uint64_t before = 0;

    while (!over) {
        struct hftl_stats stats = {.size = sizeof stats};
        struct hftl_info info = {.size = sizeof info};
        hftl_get_stats(device, &stats);
        hftl_get_info(device, &info);
        must(info.blocks > 0);
        must_show(stats.requests[HFTL_WRITE] >= before, stats.requests[HFTL_WRITE], before);
        before = stats.requests[HFTL_WRITE];
    }
    return NULL;
}

static void *come_and_go(void *arg)
{
    struct hftl_device *device = arg;
    static uint8_t page[HFTL_BLOCK_BYTES];

    while (!over) {
        struct hftl_channel *channel = hftl_channel_open(device, 2);
        must(channel != NULL);
        must(hftl_read(channel, 0, 1, page) == HFTL_OK);
        hftl_channel_close(channel);
    }
    return NULL;
}

/* One request at a time, as a server's thread has: beside others it waits and helps. */
static void *write_and_read(void *arg)
{
    struct client *client = arg;
    _Alignas(uint64_t) uint8_t page[HFTL_BLOCK_BYTES];

    for (uint64_t version = 1; version <= ROUNDS / 2; version++) {
        uint64_t lba = client->first + prng_below(&client->prng, SPAN);
        kit_fill(page, lba, 1, version);
        must(hftl_write(client->channel, lba, 1, page, 0) == HFTL_OK);
        client->version[lba - client->first] = version;
        lba = client->first + prng_below(&client->prng, SPAN);
        must(hftl_read(client->channel, lba, 1, page) == HFTL_OK);
        uint64_t expected = client->version[lba - client->first];
        must(expected == 0 || kit_matches(page, lba, expected));
        client->landed += 2;
    }
    return NULL;
}

static void start_client(struct client *client, struct hftl_device *device, unsigned index)
{
    memset(client, 0, sizeof *client);
    client->channel = hftl_channel_open(device, DEPTH);
    client->first = (uint64_t)index * SPAN;
    prng_seed(&client->prng, index + 1);
}

struct manner {
    uint64_t delay_ns;
    unsigned flags;
    void *(*use)(void *client);
};

static void many_threads_see_what_they_wrote(void **state)
{
    const struct manner *manner = *state;
    static struct client clients[CLIENTS];
    struct hftl_device *device;
    pthread_t threads[CLIENTS], looker, goer;
    struct hftl_stats stats = {.size = sizeof stats};

    stand.shuffle = true;
    stand.delay_ns = manner->delay_ns;
    device = kit_open(HFTL_OPEN_THREAD | manner->flags);
    over = false;
    for (unsigned i = 0; i < CLIENTS; i++)
        start_client(&clients[i], device, i);
    assert_int_equal(pthread_create(&looker, NULL, look, device), 0);
    assert_int_equal(pthread_create(&goer, NULL, come_and_go, device), 0);
    for (unsigned i = 0; i < CLIENTS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, manner->use, &clients[i]), 0);
    for (unsigned i = 0; i < CLIENTS; i++)
        pthread_join(threads[i], NULL);
    over = true;
    pthread_join(looker, NULL);
    pthread_join(goer, NULL);
    hftl_get_stats(device, &stats);
    assert_true(stats.requests[HFTL_READ] + stats.requests[HFTL_WRITE] >= CLIENTS * ROUNDS);
    assert_int_equal(stats.failed[HFTL_WRITE], 0);
    for (unsigned i = 0; i < CLIENTS; i++) {
        assert_int_equal(clients[i].landed, ROUNDS);
        hftl_channel_close(clients[i].channel);
    }
    assert_int_equal(hftl_close(device), HFTL_OK);
    kit_reset_manners();
}

/* A client on a thread of its own may use the caller's loop that another thread runs. */
static void *one_by_one(void *arg)
{
    struct hftl_channel *channel = arg;
    static uint8_t page[HFTL_BLOCK_BYTES];
    struct iovec iov = {page, sizeof page};

    for (unsigned i = 0; i < 500; i++) {
        unsigned landed = 0;
        struct job job = {.iov = {iov}};
        struct client client = {.channel = channel, .first = i};
        job.client = &client;
        job.busy = true;
        job.request = (struct hftl_request){.verb = HFTL_READ,
                                            .lba = i,
                                            .blocks = 1,
                                            .iov = job.iov,
                                            .iov_count = 1,
                                            .done = check_landing,
                                            .arg = &job};
        must(hftl_submit(channel, &job.request) == HFTL_OK);
        while (landed == 0) {
            must(kit_readable(hftl_channel_fd(channel), 20000));
            landed = hftl_reap(channel, 0);
        }
    }
    over = true;
    return NULL;
}

static void another_threads_submit_wakes_the_callers_loop(void **state)
{
    struct hftl_device *device = kit_open(0);
    struct hftl_channel *channel = hftl_channel_open(device, 1);
    pthread_t client;
    (void)state;

    over = false;
    assert_int_equal(pthread_create(&client, NULL, one_by_one, channel), 0);
    while (!over) {
        kit_readable(hftl_fd(device), 100);
        while (hftl_step(device))
            ;
    }
    pthread_join(client, NULL);
    assert_int_equal(hftl_close(device), HFTL_OK);
}

int main(void)
{
    static struct manner manners[] = {
        {0, 0, hammer},
        {0, HFTL_OPEN_HELP, hammer},
        {0, HFTL_OPEN_HELP, write_and_read},
        {200000, 0, hammer},
        {200000, HFTL_OPEN_HELP, hammer},
        {50000, HFTL_OPEN_HELP, write_and_read},
    };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(many_threads_see_what_they_wrote, &manners[0]),
        cmocka_unit_test_prestate(many_threads_see_what_they_wrote, &manners[1]),
        cmocka_unit_test_prestate(many_threads_see_what_they_wrote, &manners[2]),
        cmocka_unit_test_prestate(many_threads_see_what_they_wrote, &manners[3]),
        cmocka_unit_test_prestate(many_threads_see_what_they_wrote, &manners[4]),
        cmocka_unit_test_prestate(many_threads_see_what_they_wrote, &manners[5]),
        cmocka_unit_test(another_threads_submit_wakes_the_callers_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
