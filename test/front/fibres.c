/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fibres.c - the host and its clients in one thread, in any order: at each atomic operation of the
 * front (points.h) a seed decides whose turn it is. Who has nothing to do sleeps as real ones do,
 * until his descriptor is readable. When everybody sleeps and somebody still waits for an answer, a
 * ring was lost.
 *
 * With PLANTED the front has a bug of that kind (hasty_channel.c), which has to be found.
 */
#include "test/front/kit.h"

#include <ucontext.h>

#define CLIENTS 2u
#define FIBRES (CLIENTS + 1)
#define DEPTH 3u
#define ROUNDS 6u
#define SEEDS 400u
#define STACK_BYTES (256u * 1024)
#define SLEEPS_MAX 2000u /* in a row, by all together: nobody will ever wake */

void fibre_point(void);

struct fibre {
    ucontext_t context;
    void (*run)(void *arg);
    void *arg;
    bool over;
};

static struct fibre fibres[FIBRES];
static ucontext_t outside;
static unsigned current, sleeps;
static bool running;
static struct prng chance;

static void go_to(unsigned next)
{
    unsigned from = current;
    if (next == from)
        return;
    current = next;
    must(swapcontext(&fibres[from].context, &fibres[next].context) == 0);
}

static unsigned count_awake(void)
{
    unsigned count = 0;
    for (unsigned i = 0; i < FIBRES; i++)
        count += !fibres[i].over;
    return count;
}

static unsigned draw(void)
{
    unsigned next;
    do
        next = (unsigned)prng_below(&chance, FIBRES);
    while (fibres[next].over);
    return next;
}

void fibre_point(void)
{
    if (!running)
        return;
    sleeps = 0;
    if (prng_chance(&chance, 1, 2))
        go_to(draw());
}

static void leave(void)
{
    running = false;
    must(setcontext(&outside) == 0);
}

static void sleep_once(void)
{
    if (++sleeps > SLEEPS_MAX)
        leave();
    go_to(draw());
}

static void enter(void)
{
    struct fibre *fibre = &fibres[current];
    fibre->run(fibre->arg);
    fibre->over = true;
    if (count_awake() == 0)
        leave();
    unsigned next = draw();
    current = next;
    must(setcontext(&fibres[next].context) == 0);
}

static void spawn(unsigned index, void (*run)(void *arg), void *arg)
{
    static char stacks[FIBRES][STACK_BYTES] __attribute__((aligned(16)));
    struct fibre *fibre = &fibres[index];
    *fibre = (struct fibre){.run = run, .arg = arg};
    must(getcontext(&fibre->context) == 0);
    fibre->context.uc_stack.ss_sp = stacks[index];
    fibre->context.uc_stack.ss_size = STACK_BYTES;
    makecontext(&fibre->context, enter, 0);
}

/* False: everybody sleeps. */
static bool run_all(uint64_t seed)
{
    volatile bool came_back = false; /* survives setcontext */
    prng_seed(&chance, seed);
    sleeps = 0;
    must(getcontext(&outside) == 0);
    if (!came_back) {
        came_back = true;
        running = true;
        current = draw();
        must(setcontext(&fibres[current].context) == 0);
    }
    return count_awake() == 0;
}

/* ---- the host and its clients ---------------------------------------------------------------- */

struct client {
    struct hftl_channel *channel;
    struct hftl_request requests[DEPTH];
    struct iovec iov;
    unsigned in_flight, answered;
};

static struct client clients[CLIENTS];
static unsigned clients_left;
static struct hftl_device *device;

static void answered(struct hftl_request *request)
{
    struct client *client = request->arg;
    must_show(request->status == HFTL_OK, request->status, 0);
    client->in_flight--;
    client->answered++;
}

static void send(struct client *client, unsigned index)
{
    client->requests[index] = (struct hftl_request){.verb = HFTL_WRITE,
                                                    .lba = index,
                                                    .blocks = 1,
                                                    .iov = &client->iov,
                                                    .iov_count = 1,
                                                    .done = answered,
                                                    .arg = client};
    client->in_flight++;
    must(hftl_submit(client->channel, &client->requests[index]) == HFTL_OK);
}

static void be_client(void *arg)
{
    struct client *client = arg;
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned count = 1 + (unsigned)prng_below(&chance, DEPTH);
        for (unsigned i = 0; i < count; i++)
            send(client, i);
        while (client->in_flight > 0) {
            if (hftl_reap(client->channel, (unsigned)prng_below(&chance, 2)) > 0)
                continue;
            while (!kit_readable(hftl_channel_fd(client->channel), 0))
                sleep_once();
        }
    }
    clients_left--;
}

static void be_host(void *arg)
{
    (void)arg;
    while (clients_left > 0)
        if (!hftl_step(device))
            while (clients_left > 0 && !kit_readable(hftl_fd(device), 0))
                sleep_once();
}

/* True when all went on to their end. */
static bool live(uint64_t seed)
{
    static uint8_t page[HFTL_BLOCK_BYTES];
    device = kit_open(0);
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i] = (struct client){.channel = hftl_channel_open(device, DEPTH),
                                     .iov = {page, sizeof page}};
        spawn(i, be_client, &clients[i]);
    }
    clients_left = CLIENTS;
    spawn(CLIENTS, be_host, NULL);
    if (!run_all(seed))
        return false; /* with the device in the middle of things */
    assert_int_equal(hftl_close(device), HFTL_OK);
    return true;
}

static void nobody_sleeps_while_there_is_something_to_do(void **state)
{
    (void)state;
    const char *first = getenv("HFTL_SEED");
    uint64_t seed = first == NULL ? 1 : strtoull(first, NULL, 0);
    bool all = true;
    for (unsigned i = 0; i < SEEDS && all; i++, seed++)
        all = live(seed);
#ifdef PLANTED
    assert_false(all);
#else
    if (!all)
        fail_msg("everybody sleeps; HFTL_SEED=%llu", (unsigned long long)seed - 1);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_sleeps_while_there_is_something_to_do),
    };
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    puts("skipped: sanitizers do not follow one thread from stack to stack");
    return 77;
#endif
    return cmocka_run_group_tests(tests, NULL, NULL);
}
