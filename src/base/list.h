/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * list.h - a doubly linked list through links that its members carry: no allocation, and a member
 * leaves in constant time without a search.
 *
 *       .-------------------------------------------------------.
 *       '-> head <--> a.link <--> b.link <--> ... <--> z.link <-'
 *
 * A link is in one list or in none. Not linked is a state of its own (the link points to itself),
 * and every way out of a list leads to it, so link_is_linked() never lies. A member that may be in
 * two lists at once has two links.
 *
 *     L1  list_init before anything else on a list; link_init before anything else on a link.
 *     L2  Only a link that is not linked is pushed, only one that is linked is removed (must).
 *     L3  A list or a linked member is not moved or copied: its neighbours point to it.
 *
 * To go through a list whose current member may leave, take the next one first:
 *
 *     for (struct list_link *at = list_first(l), *next; at; at = next) {
 *         next = list_next(l, at);
 *         ...
 *     }
 */
#ifndef HOSTFTL_BASE_LIST_H
#define HOSTFTL_BASE_LIST_H

#include "base/must.h"

#include <stdbool.h>
#include <stddef.h>

struct list_link {
    struct list_link *next, *prev;
};

struct list {
    struct list_link head;
};

/* The struct of `type` that carries *link as its `member`. */
#define list_of(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

static inline void link_init(struct list_link *link)
{
    link->next = link->prev = link;
}

static inline void list_init(struct list *list)
{
    link_init(&list->head);
}

static inline bool link_is_linked(const struct list_link *link)
{
    return link->next != link;
}

static inline bool list_is_empty(const struct list *list)
{
    return list->head.next == &list->head;
}

static inline void link_insert_between(struct list_link *link, struct list_link *before,
                                       struct list_link *after)
{
    must(!link_is_linked(link)); /* L2 */
    link->prev = before;
    link->next = after;
    before->next = link;
    after->prev = link;
}

static inline void list_push_back(struct list *list, struct list_link *link)
{
    link_insert_between(link, list->head.prev, &list->head);
}

static inline void list_push_front(struct list *list, struct list_link *link)
{
    link_insert_between(link, &list->head, list->head.next);
}

/* Takes the link out of whatever list it is in. */
static inline void list_remove(struct list_link *link)
{
    must(link_is_linked(link)); /* L2 */
    link->prev->next = link->next;
    link->next->prev = link->prev;
    link_init(link);
}

/* From the list it is in to the end of another, or of the same. */
static inline void list_move_back(struct list *list, struct list_link *link)
{
    must(link_is_linked(link)); /* L2 */
    link->prev->next = link->next;
    link->next->prev = link->prev;
    link->next = &list->head;
    link->prev = list->head.prev;
    link->prev->next = link;
    list->head.prev = link;
}

/* NULL when the list is empty. */
static inline struct list_link *list_first(const struct list *list)
{
    return list_is_empty(list) ? NULL : list->head.next;
}

/* The one after `link`, NULL when `link` is the last. */
static inline struct list_link *list_next(const struct list *list, const struct list_link *link)
{
    return link->next == &list->head ? NULL : link->next;
}

/* Takes the first out; NULL when the list is empty. */
static inline struct list_link *list_pop_front(struct list *list)
{
    struct list_link *link = list_first(list);
    if (link)
        list_remove(link);
    return link;
}

/* Moves all of src, in order, to the end of dst; src is empty afterwards. Constant time. */
static inline void list_splice_back(struct list *dst, struct list *src)
{
    must(dst != src);
    if (list_is_empty(src))
        return;
    struct list_link *first = src->head.next, *last = src->head.prev;
    first->prev = dst->head.prev;
    dst->head.prev->next = first;
    last->next = &dst->head;
    dst->head.prev = last;
    list_init(src);
}

#endif
