/* SPDX-License-Identifier: BSD-3-Clause */
#include "test/unit.h"

#include "base/heap.h"
#include "base/prng.h"

#include <string.h>

enum { MEMBERS = 500 };

static struct heap_node nodes[MEMBERS];
static bool in[MEMBERS];

static uint64_t least(void)
{
    uint64_t key = UINT64_MAX;
    for (unsigned i = 0; i < MEMBERS; i++)
        if (in[i] && nodes[i].key < key)
            key = nodes[i].key;
    return key;
}

static void the_least_key_is_on_top_whoever_comes_and_goes(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct prng prng;
        struct heap heap;
        uint64_t count = 0, found;
        prng_seed(&prng, seed);
        heap_init(&heap);
        memset(in, 0, sizeof in);
        for (unsigned step = 0; step < 4000; step++) {
            unsigned i = (unsigned)prng_below(&prng, MEMBERS);
            if (in[i])
                heap_remove(&heap, &nodes[i]);
            else /* few keys, so that many are equal */
                heap_put(&heap, &nodes[i], prng_below(&prng, 1 + seed * 40));
            count = in[i] ? count - 1 : count + 1;
            in[i] = !in[i];
            assert_true(heap_is_well(&heap, &found));
            assert_int_equal(found, count);
            assert_true(count == 0 ? heap_is_empty(&heap) : heap.top->key == least());
        }
    }
}

static void taken_from_the_top_they_come_in_order(void **state)
{
    (void)state;
    struct prng prng;
    struct heap heap;
    prng_seed(&prng, 7);
    heap_init(&heap);
    for (unsigned i = 0; i < MEMBERS; i++)
        heap_put(&heap, &nodes[i], prng_next(&prng));
    uint64_t before = 0;
    for (unsigned i = 0; i < MEMBERS; i++) {
        struct heap_node *top = heap.top;
        assert_true(top->key >= before);
        before = top->key;
        heap_remove(&heap, top);
    }
    assert_true(heap_is_empty(&heap));
}

static void what_is_not_a_heap_is_seen(void **state)
{
    (void)state;
    struct heap heap;
    uint64_t count;
    heap_init(&heap);
    for (unsigned i = 0; i < 20; i++)
        heap_put(&heap, &nodes[i], i);
    heap_remove(&heap, &nodes[0]); /* now it has a depth */
    assert_true(heap_is_well(&heap, &count));
    nodes[1].key = 90;
    assert_false(heap_is_well(&heap, &count));
    nodes[1].key = 1;
    struct heap_node *child = nodes[1].child;
    child->prev = child;
    assert_false(heap_is_well(&heap, &count));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_key_is_on_top_whoever_comes_and_goes),
        cmocka_unit_test(taken_from_the_top_they_come_in_order),
        cmocka_unit_test(what_is_not_a_heap_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
