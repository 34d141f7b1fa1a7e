/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The moments that are a few nanoseconds wide: a submit while the engine finds the ring empty, a
 * submit while it falls asleep, a landing while the client does. Spinning clients hit them.
 */
#define _GNU_SOURCE
#include "front/channel.h"
#include "front/host.h"

#include "test/front/kit.h"

#include <pthread.h>
#include <sched.h>

#define SECONDS 4 /* of meeting, at most: on a busy machine threads meet seldom */
#define STUCK_SECONDS 20
#define SPINS_MAX 2000 /* before the other thread is let run, if it has no processor */

static uint64_t now_s(void)
{
    struct timespec at;
    must(clock_gettime(CLOCK_MONOTONIC, &at) == 0);
    return (uint64_t)at.tv_sec;
}

static void count_landing(struct hftl_request *request)
{
    ++*(uint64_t *)request->arg;
}

/* Spins for a little while so that two threads meet at ever other moments. */
static void dawdle(struct prng *prng)
{
    for (uint64_t i = prng_below(prng, 300); i > 0; i--)
        atomic_signal_fence(memory_order_seq_cst);
}

static void spin(uint64_t *spins)
{
    if (++*spins % SPINS_MAX == 0)
        sched_yield();
}

/* Reaps without ever polling until `wanted` have landed. */
static void reap_spinning(struct hftl_channel *channel, const uint64_t *landed, uint64_t wanted)
{
    uint64_t spins = 0, since = now_s();

    while (*landed < wanted) {
        hftl_reap(channel, 0);
        spin(&spins);
        if (spins % SPINS_MAX == 0 && now_s() - since > STUCK_SECONDS)
            fail_msg("stuck after %llu requests", (unsigned long long)*landed);
    }
}

static _Atomic bool over;

/* The engine's side of N2 and nothing else of the engine. */
static void *take_for_ever(void *arg)
{
    struct hftl_device *host = arg;
    uint64_t spins = 0;
    bool again;

    while (!over) {
        struct hftl_channel *channel = atomic_exchange(&host->ready, NULL);
        if (!channel) {
            spin(&spins);
            continue;
        }
        do {
            struct hftl_request *request = channel_take(channel, &again);
            if (!request)
                break;
            request->status = HFTL_OK;
            channel_land(request);
        } while (again);
    }
    return NULL;
}

static void no_request_stays_behind_in_the_ring(void **state)
{
    struct hftl_device host = {.blocks = 1};
    struct hftl_request requests[2];
    uint64_t landed = 0, submitted = 0, end = now_s() + SECONDS;
    struct prng prng;
    pthread_t engine;
    (void)state;

    prng_seed(&prng, 1);
    over = false;
    assert_true(bell_init(&host.doorbell));
    bell_awake(&host.doorbell);
    struct hftl_channel *channel = channel_create(&host, 2);
    assert_int_equal(pthread_create(&engine, NULL, take_for_ever, &host), 0);
    memset(requests, 0, sizeof requests);
    while (landed < 300000 && now_s() < end) {
        struct hftl_request *request = &requests[submitted % 2];
        *request = (struct hftl_request){.verb = HFTL_FLUSH, .done = count_landing, .arg = &landed};
        assert_int_equal(hftl_submit(channel, request), HFTL_OK);
        submitted++;
        dawdle(&prng);
        reap_spinning(channel, &landed, submitted - 1); /* one stays in flight */
    }
    reap_spinning(channel, &landed, submitted);
    over = true;
    pthread_join(engine, NULL);
    channel_free(channel);
    bell_free(&host.doorbell);
}

static void the_engine_does_not_oversleep_a_submit(void **state)
{
    struct hftl_device *device = kit_open(HFTL_OPEN_THREAD);
    struct hftl_channel *channel = hftl_channel_open(device, 1);
    uint64_t landed = 0, end = now_s() + SECONDS;
    struct prng prng;
    (void)state;

    prng_seed(&prng, 2);
    for (uint64_t i = 0; i < 50000 && now_s() < end; i++) {
        struct hftl_request request = {.verb = HFTL_FLUSH, .done = count_landing, .arg = &landed};
        assert_int_equal(hftl_submit(channel, &request), HFTL_OK);
        reap_spinning(channel, &landed, i + 1); /* the next comes while the engine lies down */
        dawdle(&prng);
    }
    assert_int_equal(hftl_close(device), HFTL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_request_stays_behind_in_the_ring),
        cmocka_unit_test(the_engine_does_not_oversleep_a_submit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
