/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/ring.h"
#include "test/unit.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

static void holds_as_many_as_its_capacity(void **state)
{
    (void)state;
    static const uint32_t capacities[] = {1, 2, 4, 64};
    static int things[65];
    struct ring_slot slots[64];
    struct ring ring;
    void *item = NULL;

    for (unsigned c = 0; c < 4; c++) {
        ring_init(&ring, slots, capacities[c]);
        for (int lap = 0; lap < 5; lap++) {
            for (uint32_t i = 0; i < capacities[c]; i++)
                assert_true(ring_push(&ring, &things[i]));
            assert_false(ring_push(&ring, &things[64]));
            for (uint32_t i = 0; i < capacities[c]; i++) {
                assert_true(ring_pop(&ring, &item));
                assert_ptr_equal(item, &things[i]);
            }
            assert_false(ring_pop(&ring, &item));
        }
    }
}

static void keeps_order_while_half_full(void **state)
{
    (void)state;
    static int things[1000];
    struct ring_slot slots[4];
    struct ring ring;
    void *item;

    ring_init(&ring, slots, 4);
    assert_true(ring_push(&ring, &things[0]));
    assert_true(ring_push(&ring, &things[1]));
    for (int i = 2; i < 1000; i++) {
        assert_true(ring_push(&ring, &things[i]));
        assert_true(ring_pop(&ring, &item));
        assert_ptr_equal(item, &things[i - 2]);
    }
}

#define PRODUCERS 4
#define PUSHES 50000

struct note {
    int producer;
    int number;
};

struct producer {
    pthread_t thread;
    struct ring *ring;
    int index;
    struct note notes[PUSHES];
};

static void *produce(void *arg)
{
    struct producer *self = arg;
    for (int i = 0; i < PUSHES; i++) {
        /* Written just before the push, so that a missing release shows (Q2). */
        self->notes[i] = (struct note){self->index, i};
        while (!ring_push(self->ring, &self->notes[i]))
            sched_yield();
    }
    return NULL;
}

static void run_many_to_one(uint32_t capacity)
{
    struct ring_slot slots[64];
    struct ring ring;
    struct producer *producers = calloc(PRODUCERS, sizeof *producers);
    int next[PRODUCERS] = {0};
    void *item;

    assert_non_null(producers);
    ring_init(&ring, slots, capacity);
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i].ring = &ring;
        producers[i].index = i;
        assert_int_equal(pthread_create(&producers[i].thread, NULL, produce, &producers[i]), 0);
    }
    for (int taken = 0; taken < PRODUCERS * PUSHES;) {
        if (!ring_pop(&ring, &item)) {
            sched_yield();
            continue;
        }
        const struct note *note = item;
        assert_int_equal(note->number, next[note->producer]++);
        taken++;
    }
    for (int i = 0; i < PRODUCERS; i++) {
        assert_int_equal(pthread_join(producers[i].thread, NULL), 0);
        assert_int_equal(next[i], PUSHES);
    }
    assert_false(ring_pop(&ring, &item));
    free(producers);
}

static void loses_doubles_and_reorders_nothing_between_threads(void **state)
{
    (void)state;
    run_many_to_one(64);
    run_many_to_one(2);
    run_many_to_one(1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_as_many_as_its_capacity),
        cmocka_unit_test(keeps_order_while_half_full),
        cmocka_unit_test(loses_doubles_and_reorders_nothing_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
