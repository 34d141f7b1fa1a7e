/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "front/bell.h"

#include "test/front/kit.h"

#include <pthread.h>
#include <unistd.h>

static void first_ring_while_listening_makes_the_descriptor_readable(void **state)
{
    struct bell bell;
    (void)state;

    assert_true(bell_init(&bell));
    assert_false(kit_readable(bell.fd, 0));
    assert_true(bell_ring(&bell));
    assert_false(bell_ring(&bell)); /* one write is enough */
    assert_true(kit_readable(bell.fd, 0));
    bell_listen(&bell);
    assert_false(kit_readable(bell.fd, 0));
    assert_true(bell_ring(&bell));
    bell_free(&bell);
}

static void rings_to_one_who_is_awake_write_nothing(void **state)
{
    struct bell bell;
    (void)state;

    assert_true(bell_init(&bell));
    bell_awake(&bell);
    assert_false(bell_ring(&bell));
    assert_false(kit_readable(bell.fd, 0));
    bell_listen(&bell);
    assert_true(bell_ring(&bell));
    bell_awake(&bell);
    assert_false(kit_readable(bell.fd, 0));
    bell_free(&bell);
}

/* Sees the ringer between its change of the word and its write. */
static void a_write_that_comes_late_is_read_off_later(void **state)
{
    struct bell bell;
    uint64_t one = 1;
    (void)state;

    assert_true(bell_init(&bell));
    atomic_fetch_or(&bell.state, BELL_RUNG);
    bell_listen(&bell);
    assert_int_equal(bell.owed, 1);
    assert_true(bell_ring(&bell));
    assert_int_equal(write(bell.fd, &one, sizeof one), sizeof one); /* the late one */
    bell_listen(&bell);
    assert_int_equal(bell.owed, 0);
    assert_false(kit_readable(bell.fd, 0));
    bell_free(&bell);
}

#define RINGERS 3
#define RINGS 20000u

struct shared {
    struct bell bell;
    _Atomic unsigned queued;
};

static void *ring_often(void *arg)
{
    struct shared *shared = arg;
    for (unsigned i = 0; i < RINGS; i++) {
        atomic_fetch_add(&shared->queued, 1);
        bell_ring(&shared->bell); /* W1 */
    }
    return NULL;
}

static void nothing_queued_before_a_ring_is_slept_over(void **state)
{
    struct shared shared;
    pthread_t ringers[RINGERS];
    (void)state;

    assert_true(bell_init(&shared.bell));
    atomic_init(&shared.queued, 0);
    for (int i = 0; i < RINGERS; i++)
        assert_int_equal(pthread_create(&ringers[i], NULL, ring_often, &shared), 0);
    for (unsigned seen = 0; seen < RINGERS * RINGS;) {
        bell_listen(&shared.bell); /* W2 */
        unsigned now = atomic_load(&shared.queued);
        if (now == seen && !kit_readable(shared.bell.fd, 5000))
            fail_msg("asleep with %u of %u", seen, RINGERS * RINGS);
        seen = now;
        if (seen % 3 == 0) /* sometimes awake in between, as the engine is */
            bell_awake(&shared.bell);
    }
    for (int i = 0; i < RINGERS; i++)
        pthread_join(ringers[i], NULL);
    bell_listen(&shared.bell);
    bell_listen(&shared.bell);
    assert_int_equal(shared.bell.owed, 0);
    assert_false(kit_readable(shared.bell.fd, 0));
    bell_free(&shared.bell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_ring_while_listening_makes_the_descriptor_readable),
        cmocka_unit_test(rings_to_one_who_is_awake_write_nothing),
        cmocka_unit_test(a_write_that_comes_late_is_read_off_later),
        cmocka_unit_test(nothing_queued_before_a_ring_is_slept_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
