/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * turns.h - requests that wait: those of each sender in order of arrival, and senders in turn.
 *
 * OWNS      whose turn it is.
 * PROMISES  who has one request waits for TURN_BLOCKS blocks of each other sender, and not for all
 *           that they have sent: a crowd of requests takes no more than its sender's share.
 * IGNORES   what requests ask for.
 *
 *      line:  A ---> B ---> C          A has had its blocks: B ---> C ---> A
 *             |      |      |          B has no more:        C ---> A
 *             r r    r      r r r r
 *
 *     T1  a queue is in the line exactly while requests are in it.
 *     T2  the first one of the line has the turn, until it has no requests, or has had TURN_BLOCKS,
 *         of trims TURN_TRIMS times as many. Who waits alone keeps it. A read goes on to its end.
 */
#ifndef HOSTFTL_CORE_TURNS_H
#define HOSTFTL_CORE_TURNS_H

#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

#define TURN_BLOCKS 32u
/* So many trimmed blocks cost as much as a written one, which has to get through to the medium. */
#define TURN_TRIMS 1024u

/* Of one sender, and of one sort. */
struct turn_queue {
    struct list requests;
    struct list_link turn; /* in the line */
    int64_t left;          /* of this turn, in trims; 0 or less: it is over, if others wait */
};

/* Who sends requests: a channel of the front. */
struct sender {
    struct turn_queue writes, reads;
};

static inline void turn_queue_init(struct turn_queue *queue)
{
    list_init(&queue->requests);
    link_init(&queue->turn);
    queue->left = 0;
}

static inline void sender_init(struct sender *sender)
{
    turn_queue_init(&sender->writes);
    turn_queue_init(&sender->reads);
}

static inline void turns_add(struct list *line, struct turn_queue *queue, struct list_link *request)
{
    list_push_back(&queue->requests, request);
    if (link_is_linked(&queue->turn))
        return;
    queue->left = TURN_BLOCKS * TURN_TRIMS;
    list_push_back(line, &queue->turn);
}

/* Who has the turn; NULL: nobody waits. */
static inline struct turn_queue *turns_first(const struct list *line)
{
    struct list_link *first = list_first(line);
    return first == NULL ? NULL : list_of(first, struct turn_queue, turn);
}

/* Its eldest request. */
static inline struct list_link *turns_request(const struct turn_queue *first)
{
    return first->requests.head.next; /* T1 */
}

/* The first one had so many blocks; it may have more of them than were left. */
static inline void turns_spend(struct turn_queue *first, uint64_t blocks)
{
    first->left -= (int64_t)(blocks * TURN_TRIMS);
}

static inline void turns_spend_trim(struct turn_queue *first)
{
    first->left--;
}

/* It had all of them, and somebody else waits. */
static inline bool turns_is_over(const struct list *line, const struct turn_queue *first)
{
    return first->left <= 0 && list_next(line, &first->turn) != NULL;
}

/* After a request of the first one has left, or its turn is over. */
static inline void turns_pass(struct list *line, struct turn_queue *first)
{
    if (list_is_empty(&first->requests)) {
        list_remove(&first->turn);
    } else if (first->left <= 0) {
        first->left = TURN_BLOCKS * TURN_TRIMS;
        list_move_back(line, &first->turn);
    }
}

#endif
