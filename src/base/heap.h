/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * heap.h - a pairing heap through nodes that its members carry: the least key is at the top, and
 * any member leaves without a search. (Fredman, Sedgewick, Sleator and Tarjan, The Pairing Heap: A
 * New Form of Self-Adjusting Heap, Algorithmica 1, 1986.)
 *
 *          top        Each node has its first child and its next sibling; the first child's
 *         / | \       `prev` is its parent, any other's the sibling before it. A heap of one has
 *        c--d--e      nothing but its top.
 *        |
 *        f--g
 *
 * COST    putting and looking at the top: constant. Leaving: of the order of log n in the mean over
 *         many, n at worst once. No recursion, no memory.
 *
 *     P1  heap_init before anything else on a heap; a node that is in no heap is put, only one that
 *         is in it leaves. The caller knows which.
 *     P2  no member's key is less than its parent's. Of equal keys any may be on top.
 *     P3  a heap may be copied, its members may not be moved.
 */
#ifndef HOSTFTL_BASE_HEAP_H
#define HOSTFTL_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
    struct heap_node *child, *next, *prev;
    uint64_t key;
};

struct heap {
    struct heap_node *top; /* NULL: empty */
};

static inline void heap_init(struct heap *heap)
{
    heap->top = NULL;
}

static inline bool heap_is_empty(const struct heap *heap)
{
    return heap->top == NULL;
}

void heap_put(struct heap *heap, struct heap_node *node, uint64_t key);
void heap_remove(struct heap *heap, struct heap_node *node);
/* P2, and every link against the one that leads back. The number of members below and at the top
 * goes to *count. For checks: goes through all of them. */
bool heap_is_well(const struct heap *heap, uint64_t *count);

#endif
