/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/heap.h"

#include "base/must.h"

/* Two tops become one. */
static struct heap_node *meld(struct heap_node *a, struct heap_node *b)
{
    if (a == NULL || b == NULL)
        return a == NULL ? b : a;
    if (b->key < a->key) {
        struct heap_node *swap = a;
        a = b;
        b = swap;
    }
    b->prev = a;
    b->next = a->child;
    if (b->next != NULL)
        b->next->prev = b;
    a->child = b;
    return a;
}

/* Siblings, of whom the first is given, become one: in pairs from the left, then the pairs from the
 * right. The pairs are strung through `prev` meanwhile. */
static struct heap_node *meld_siblings(struct heap_node *first)
{
    struct heap_node *pairs = NULL, *top = NULL;
    while (first != NULL) {
        struct heap_node *second = first->next;
        struct heap_node *rest = second == NULL ? NULL : second->next;
        first->next = first->prev = NULL;
        if (second != NULL)
            second->next = second->prev = NULL;
        struct heap_node *pair = meld(first, second);
        pair->prev = pairs;
        pairs = pair;
        first = rest;
    }
    while (pairs != NULL) {
        struct heap_node *before = pairs->prev;
        pairs->prev = NULL;
        top = meld(top, pairs);
        pairs = before;
    }
    return top;
}

void heap_put(struct heap *heap, struct heap_node *node, uint64_t key)
{
    *node = (struct heap_node){.key = key};
    heap->top = meld(heap->top, node);
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
    struct heap_node *below = meld_siblings(node->child);
    if (node == heap->top) {
        heap->top = below;
    } else {
        must(node->prev != NULL);
        if (node->prev->child == node)
            node->prev->child = node->next;
        else
            node->prev->next = node->next;
        if (node->next != NULL)
            node->next->prev = node->prev;
        heap->top = meld(heap->top, below);
    }
    *node = (struct heap_node){.key = node->key};
}

/* The node after this one when a parent comes before its children; NULL: it was the last. */
static const struct heap_node *after(const struct heap_node *node)
{
    if (node->child != NULL)
        return node->child;
    while (node != NULL && node->next == NULL) {
        while (node->prev != NULL && node->prev->child != node)
            node = node->prev;
        node = node->prev;
    }
    return node == NULL ? NULL : node->next;
}

bool heap_is_well(const struct heap *heap, uint64_t *count)
{
    const struct heap_node *top = heap->top;
    *count = 0;
    if (top == NULL)
        return true;
    if (top->prev != NULL || top->next != NULL)
        return false;
    for (const struct heap_node *node = top; node != NULL; node = after(node)) {
        ++*count;
        if (node->child != NULL && node->child->prev != node)
            return false;
        if (node->next != NULL && node->next->prev != node)
            return false;
        for (const struct heap_node *child = node->child; child != NULL; child = child->next)
            if (child->key < node->key)
                return false;
    }
    return true;
}
