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

    for (unsigned c = 0; c < 4; c++) {
        ring_init(&ring, slots, capacities[c]);
        for (int lap = 0; lap < 5; lap++) {
            for (uint32_t i = 0; i < capacities[c]; i++)
                assert_true(ring_push(&ring, &things[i]));
            assert_false(ring_push(&ring, &things[64]));
            for (uint32_t i = 0; i < capacities[c]; i++) {
                assert_ptr_equal(ring_pop(&ring), &things[i]);
            }
            assert_null(ring_pop(&ring));
        }
    }
}

static void keeps_order_while_half_full(void **state)
{
    (void)state;
    static int things[1000];
    struct ring_slot slots[4];
    struct ring ring;

    ring_init(&ring, slots, 4);
    assert_true(ring_push(&ring, &things[0]));
    assert_true(ring_push(&ring, &things[1]));
    for (int i = 2; i < 1000; i++) {
        assert_true(ring_push(&ring, &things[i]));
        assert_ptr_equal(ring_pop(&ring), &things[i - 2]);
    }
}

#define PUSHES 200000

struct producer {
    pthread_t thread;
    struct ring *ring;
    int notes[PUSHES];
};

static void *produce(void *arg)
{
    struct producer *self = arg;
    for (int i = 0; i < PUSHES; i++) {
        /* Written just before the push, so that a missing release shows (Q2). */
        self->notes[i] = i + 1;
        while (!ring_push(self->ring, &self->notes[i]))
            sched_yield();
    }
    return NULL;
}

static void run_one_to_another(uint32_t capacity)
{
    struct ring_slot slots[64];
    struct ring ring;
    struct producer *producer = calloc(1, sizeof *producer);

    assert_non_null(producer);
    ring_init(&ring, slots, capacity);
    producer->ring = &ring;
    assert_int_equal(pthread_create(&producer->thread, NULL, produce, producer), 0);
    for (int taken = 0; taken < PUSHES;) {
        const int *note = ring_pop(&ring);
        if (note == NULL) {
            sched_yield();
            continue;
        }
        assert_int_equal(*note, ++taken);
    }
    assert_int_equal(pthread_join(producer->thread, NULL), 0);
    assert_null(ring_pop(&ring));
    free(producer);
}

static void loses_doubles_and_reorders_nothing_between_threads(void **state)
{
    (void)state;
    run_one_to_another(64);
    run_one_to_another(2);
    run_one_to_another(1);
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
