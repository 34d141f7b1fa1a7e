/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wrap.h - what media around media share: a twin of each operation, and landing in order.
 *
 * OWNS      the inner medium; one twin for each of the caller's operations that the inner medium
 *           has (a medium may use an op's `link` and `scratch`, so the two cannot share one op);
 *           the queue of operations that are done and wait for reap.
 * PROMISES  M1 for any wrapper that hands each op to wrap_done or wrap_return once: it lands once,
 *           from reap, with at most `max` a call. fd() is -1 when the inner medium's is and nobody
 *           asked for more; otherwise what it gives is readable as media.h has it.
 * IGNORES   what the wrapper does with an operation between submit and done.
 *
 *      submit --> wrap_twin --> wrap_send --> inner medium --reap--> twin's land --> wrap_return
 *            \                                                                          |
 *             '----------------- wrap_done (an answer of one's own) ------------------> done queue
 *                                                                                       |
 *                                      caller's land  <--  wrap_land  <-- reap ---------'
 *
 * INVARIANTS
 *   W1  with descriptors: `rung` exactly if the eventfd is readable, and from fd() to the next
 *       submit or reap it is rung exactly if the done queue is not empty.
 *   W2  with descriptors: an inner medium that is always ready has nothing after submit and reap.
 */
#ifndef HOSTFTL_MEDIA_WRAP_H
#define HOSTFTL_MEDIA_WRAP_H

#include <hostftl/media.h>

/* The twin of an op. What is below `op` is the wrapper's. */
struct wrap_twin {
    struct hftl_media_op op;
    struct hftl_media_op *outer;
    struct wrap_twin *next; /* in one of the wrapper's lists, or of the spare ones */
    uint64_t begun_ns, due_ns;
    uint64_t note, left_ns;
    bool below;                    /* the inner medium has it */
    struct wrap_twin *made_before; /* all that were ever made, for freeing */
};

/* What is in flight in a chunk as the caller sees it. The inner medium may have landed it already,
 * so it cannot refuse what clashes with it. */
struct wrap_flight {
    uint32_t reads, writes, resets, finishes;
};

/* A wrapper begins with this struct. */
struct wrap {
    struct hftl_media media;
    struct hftl_media *inner;
    struct wrap_twin *spare, *made;
    struct hftl_media_op *done_first, **done_last;
    unsigned in_flight;                                     /* taken by wrap_take, not landed */
    struct wrap_flight *flights;                            /* per chunk */
    void (*landing)(struct wrap *, struct hftl_media_op *); /* just before each lands; or NULL */
    int epoll, eventfd;                                     /* -1: always ready */
    bool inner_waits; /* the inner medium has a descriptor, and it is in `epoll` */
    bool rung;
};

/*
 * Facts are the inner medium's. `wants_fd`: the wrapper will make ops wait by itself, so that there
 * must be a descriptor even if the inner medium has none. MEMORY, IO; nothing is taken then.
 */
HFTL_MUST_USE enum hftl_status wrap_init(struct wrap *wrap, const struct hftl_media_ops *ops,
                                         struct hftl_media *inner, bool wants_fd);
/* Frees what wrap_init and the twins took, ops in flight or not; the inner medium stays open. */
void wrap_free(struct wrap *wrap);
/* Makes the wrapper's descriptor ready when `fd` is. False: errno says why. */
HFTL_MUST_USE bool wrap_watch(struct wrap *wrap, int fd);

/* For each op that is submitted, refused ones too. RULE_FLIGHT (R2, R5, R6): it clashes with what
 * has not landed; hand it to wrap_done. */
HFTL_MUST_USE enum hftl_status wrap_take(struct wrap *wrap, const struct hftl_media_op *op);
/* A copy for the inner medium, with `land` and the wrapper as owner. NULL: no memory. */
HFTL_MUST_USE struct wrap_twin *wrap_twin(struct wrap *wrap, struct hftl_media_op *outer,
                                          void (*land)(struct hftl_media_op *op));
void wrap_send(struct wrap *wrap, struct wrap_twin *twin);
/* The twin landed and is given back; the caller's op is done as the twin says. */
void wrap_return(struct wrap *wrap, struct wrap_twin *twin);
/* The twin is given back, unsent or landed; the caller's op stays where it is. */
void wrap_drop(struct wrap *wrap, struct wrap_twin *twin);
/* The caller's op is done and lands at the next reap. */
void wrap_done(struct wrap *wrap, struct hftl_media_op *outer, enum hftl_status status);

/* Reaps the inner medium, at most as many as still fit in `max`. */
void wrap_reap_inner(struct wrap *wrap, unsigned max);
/* Lands up to `max`; how many. Last thing of every reap. */
unsigned wrap_land(struct wrap *wrap, unsigned max);
/* Last thing of every submit (W2). */
void wrap_settle(struct wrap *wrap);

/* Ready-made for the table of operations. */
int wrap_fd(struct hftl_media *media);

/* Reads all chunk states of a medium, waiting for it. For constructors. */
HFTL_MUST_USE enum hftl_status wrap_report_all(struct hftl_media *medium,
                                               struct hftl_chunk *chunks);

#endif
