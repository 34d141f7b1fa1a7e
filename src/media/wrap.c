/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "media/wrap.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/must.h"
#include "media/rules.h"

enum { REAP_MAX = 256 };

static enum hftl_status open_descriptors(struct wrap *wrap, int inner_fd)
{
    wrap->epoll = epoll_create1(EPOLL_CLOEXEC);
    wrap->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wrap->epoll < 0 || wrap->eventfd < 0)
        return HFTL_IO;
    if (!wrap_watch(wrap, wrap->eventfd))
        return HFTL_IO;
    if (inner_fd >= 0 && !wrap_watch(wrap, inner_fd))
        return HFTL_IO;
    wrap->inner_waits = inner_fd >= 0;
    return HFTL_OK;
}

enum hftl_status wrap_init(struct wrap *wrap, const struct hftl_media_ops *ops,
                           struct hftl_media *inner, bool wants_fd)
{
    wrap->media.ops = ops;
    wrap->media.facts = inner->facts;
    wrap->inner = inner;
    wrap->done_last = &wrap->done_first;
    wrap->epoll = -1;
    wrap->eventfd = -1;
    wrap->flights = calloc(hftl_media_chunks(&inner->facts), sizeof *wrap->flights);
    if (!wrap->flights)
        return HFTL_MEMORY;
    int inner_fd = inner->ops->fd(inner);
    if (inner_fd < 0 && !wants_fd)
        return HFTL_OK;
    enum hftl_status status = open_descriptors(wrap, inner_fd);
    if (status != HFTL_OK)
        wrap_free(wrap);
    return status;
}

void wrap_free(struct wrap *wrap)
{
    while (wrap->made) {
        struct wrap_twin *next = wrap->made->made_before;
        free(wrap->made);
        wrap->made = next;
    }
    free(wrap->flights);
    if (wrap->eventfd >= 0)
        close(wrap->eventfd);
    if (wrap->epoll >= 0)
        close(wrap->epoll);
    wrap->eventfd = wrap->epoll = -1;
}

bool wrap_watch(struct wrap *wrap, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};
    return epoll_ctl(wrap->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* NULL: the op goes to no chunk, or to none that is there. */
static uint32_t *find_count(struct wrap *wrap, const struct hftl_media_op *op)
{
    if (!rules_concern_chunk(op->verb) || op->chunk >= hftl_media_chunks(&wrap->media.facts))
        return NULL;
    struct wrap_flight *flight = &wrap->flights[op->chunk];
    return op->verb == HFTL_MEDIA_READ     ? &flight->reads
           : op->verb == HFTL_MEDIA_RESET  ? &flight->resets
           : op->verb == HFTL_MEDIA_FINISH ? &flight->finishes
                                           : &flight->writes;
}

enum hftl_status wrap_take(struct wrap *wrap, const struct hftl_media_op *op)
{
    uint32_t *count = find_count(wrap, op);
    wrap->in_flight++;
    if (!count)
        return HFTL_OK;
    const struct wrap_flight *flight = &wrap->flights[op->chunk];
    const struct rules_place place = {
        .reads = flight->reads,
        .writes = flight->writes,
        .reset = flight->resets > 0,
        .finish = flight->finishes > 0,
    };
    enum hftl_status status = rules_judge_flight(&wrap->media.facts, &place, op->verb);
    ++*count;
    return status;
}

static void note_arrival(struct wrap *wrap, const struct hftl_media_op *op)
{
    uint32_t *count = find_count(wrap, op);
    must(wrap->in_flight > 0);
    must(!count || *count > 0);
    wrap->in_flight--;
    if (count)
        --*count;
}

struct wrap_twin *wrap_twin(struct wrap *wrap, struct hftl_media_op *outer,
                            void (*land)(struct hftl_media_op *op))
{
    struct wrap_twin *twin = wrap->spare;
    struct wrap_twin *made_before;
    if (twin) {
        wrap->spare = twin->next;
        made_before = twin->made_before;
    } else {
        twin = malloc(sizeof *twin);
        if (!twin)
            return NULL;
        made_before = wrap->made;
        wrap->made = twin;
    }
    *twin = (struct wrap_twin){
        .op = {.verb = outer->verb,
               .chunk = outer->chunk,
               .offset = outer->offset,
               .blocks = outer->blocks,
               .data = outer->data,
               .oob = outer->oob,
               .out = outer->out,
               .land = land,
               .owner = wrap},
        .outer = outer,
        .made_before = made_before,
    };
    return twin;
}

void wrap_send(struct wrap *wrap, struct wrap_twin *twin)
{
    struct hftl_media_op *op = &twin->op;
    wrap->inner->ops->submit(wrap->inner, &op, 1);
}

void wrap_drop(struct wrap *wrap, struct wrap_twin *twin)
{
    twin->next = wrap->spare;
    wrap->spare = twin;
}

void wrap_return(struct wrap *wrap, struct wrap_twin *twin)
{
    struct hftl_media_op *outer = twin->outer;
    outer->offset = twin->op.offset; /* R7: an append says where it landed */
    enum hftl_status status = twin->op.status;
    wrap_drop(wrap, twin);
    wrap_done(wrap, outer, status);
}

void wrap_done(struct wrap *wrap, struct hftl_media_op *outer, enum hftl_status status)
{
    outer->status = status;
    outer->link = NULL;
    *wrap->done_last = outer;
    wrap->done_last = &outer->link;
}

/* An inner medium that is always ready cannot make our descriptor ready: what it has is fetched at
 * once. */
void wrap_settle(struct wrap *wrap)
{
    if (wrap->eventfd < 0 || wrap->inner_waits)
        return;
    while (wrap->inner->ops->reap(wrap->inner, REAP_MAX) > 0)
        ;
}

void wrap_reap_inner(struct wrap *wrap, unsigned max)
{
    unsigned queued = 0;
    for (const struct hftl_media_op *op = wrap->done_first; op && queued < max; op = op->link)
        queued++;
    if (queued < max)
        (void)wrap->inner->ops->reap(wrap->inner, max - queued);
}

unsigned wrap_land(struct wrap *wrap, unsigned max)
{
    unsigned landed = 0;
    while (landed < max && wrap->done_first) {
        struct hftl_media_op *op = wrap->done_first;
        wrap->done_first = op->link;
        if (!wrap->done_first)
            wrap->done_last = &wrap->done_first;
        if (wrap->landing)
            wrap->landing(wrap, op);
        note_arrival(wrap, op);
        landed++;
        op->land(op); /* may submit again, or free the op */
    }
    wrap_settle(wrap);
    return landed;
}

int wrap_fd(struct hftl_media *media)
{
    struct wrap *wrap = (struct wrap *)media;
    uint64_t count = 1;
    if (wrap->inner_waits)
        (void)wrap->inner->ops->fd(wrap->inner);
    if (wrap->eventfd < 0 || wrap->rung == (wrap->done_first != NULL))
        return wrap->epoll;
    if (wrap->rung)
        (void)!read(wrap->eventfd, &count, sizeof count);
    else
        (void)!write(wrap->eventfd, &count, sizeof count);
    wrap->rung = !wrap->rung; /* W1 */
    return wrap->epoll;
}

static void note_landing(struct hftl_media_op *op)
{
    *(bool *)op->owner = true;
}

enum hftl_status wrap_report_all(struct hftl_media *medium, struct hftl_chunk *chunks)
{
    bool landed = false;
    struct hftl_media_op op = {.verb = HFTL_MEDIA_REPORT,
                               .blocks = hftl_media_chunks(&medium->facts),
                               .out.report = chunks,
                               .land = note_landing,
                               .owner = &landed};
    struct hftl_media_op *ops[] = {&op};
    medium->ops->submit(medium, ops, 1);
    while (!landed) {
        if (medium->ops->reap(medium, 1) > 0)
            continue;
        struct pollfd ready = {.fd = medium->ops->fd(medium), .events = POLLIN};
        if (ready.fd >= 0)
            (void)!poll(&ready, 1, 1000);
    }
    return op.status;
}
