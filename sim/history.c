/* SPDX-License-Identifier: BSD-3-Clause */
#include "sim/history.h"

#include "base/must.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX
#define NEVER UINT32_MAX
#define READS_MAX 256u

enum kind { WRITTEN, BEGINNING, ZERO_READ };

struct cluster {
    uint32_t next;
    uint32_t number; /* of the version; of a BEGINNING, NONE: not known */
    uint32_t begin;  /* of the write */
    uint32_t f, s;
    uint32_t failed; /* when; NEVER: not */
    uint8_t kind;
    bool zero, read; /* read: since the write */
};

struct block {
    uint32_t first;
    uint32_t life; /* of `first`; an older one: nothing happened in this */
    uint32_t held; /* what it held when that life began; NONE: not known */
    bool written;  /* in that life, whatever came of it */
};

struct history {
    uint64_t count;
    struct block *blocks;
    struct cluster *clusters;
    uint32_t room, used, spare;
    uint32_t tick, life, life_began, newest; /* newest: number */
    uint32_t reads[READS_MAX], read_count;   /* in flight: when each began */
    uint64_t judged;
    uint32_t zones_max;
};

/* ---- a life ---------------------------------------------------------------------------------- */

struct history *history_create(uint64_t blocks)
{
    struct history *h = calloc(1, sizeof *h);
    must(h != NULL);
    h->count = blocks;
    h->room = (uint32_t)blocks * 2 + 16;
    h->blocks = malloc(blocks * sizeof *h->blocks);
    h->clusters = malloc(h->room * sizeof *h->clusters);
    must(h->blocks && h->clusters);
    h->tick = h->life_began = h->life = 1;
    h->spare = NONE;
    for (uint64_t lba = 0; lba < blocks; lba++)
        h->blocks[lba] = (struct block){.first = NONE, .life = 0, .held = HISTORY_ZEROS};
    return h;
}

void history_destroy(struct history *history)
{
    if (!history)
        return;
    free(history->blocks);
    free(history->clusters);
    free(history);
}

struct history *history_copy(const struct history *history)
{
    struct history *h = malloc(sizeof *h);
    must(h != NULL);
    *h = *history;
    h->room = history->used + 16;
    h->blocks = malloc(h->count * sizeof *h->blocks);
    h->clusters = malloc(h->room * sizeof *h->clusters);
    must(h->blocks && h->clusters);
    memcpy(h->blocks, history->blocks, h->count * sizeof *h->blocks);
    memcpy(h->clusters, history->clusters, h->used * sizeof *h->clusters);
    return h;
}

static void end_life(struct history *h)
{
    h->life++;
    h->life_began = ++h->tick;
    h->read_count = 0;
}

static struct cluster *add(struct history *h, struct block *b)
{
    uint32_t at = h->spare;
    if (at != NONE) {
        h->spare = h->clusters[at].next;
    } else {
        if (h->used == h->room) {
            h->room *= 2;
            h->clusters = realloc(h->clusters, h->room * sizeof *h->clusters);
            must(h->clusters != NULL);
        }
        at = h->used++;
    }
    h->clusters[at] = (struct cluster){.next = b->first, .failed = NEVER};
    b->first = at;
    return &h->clusters[at];
}

/* What is known of a block at the end of a life: what it was seen to hold, if nobody wrote. */
static uint32_t held_at_the_end(const struct history *h, const struct block *b)
{
    if (b->written)
        return NONE;
    for (uint32_t at = b->first; at != NONE; at = h->clusters[at].next)
        if (h->clusters[at].kind == BEGINNING)
            return h->clusters[at].number;
    return b->held;
}

/* The block as it is in this life. */
static struct block *enter(struct history *h, uint64_t lba)
{
    struct block *b = &h->blocks[lba];
    must_show(lba < h->count, lba, h->count);
    if (b->life == h->life)
        return b;
    b->held = held_at_the_end(h, b);
    while (b->first != NONE) {
        uint32_t at = b->first;
        b->first = h->clusters[at].next;
        h->clusters[at].next = h->spare;
        h->spare = at;
    }
    b->life = h->life;
    b->written = false;
    struct cluster *c = add(h, b);
    c->kind = BEGINNING;
    c->number = b->held;
    c->zero = b->held == HISTORY_ZEROS;
    c->begin = c->f = c->s = h->life_began;
    return b;
}

void history_cut(struct history *history)
{
    end_life(history);
}

void history_forget(struct history *history, uint32_t newest)
{
    struct history *h = history;
    must_show(newest >= h->newest, newest, h->newest);
    h->newest = newest;
    h->spare = NONE;
    h->used = 0;
    end_life(h);
    for (uint64_t lba = 0; lba < h->count; lba++)
        h->blocks[lba] = (struct block){.first = NONE, .life = 0, .held = NONE};
}

/* ---- zones ----------------------------------------------------------------------------------- */

/* When it ended for those who read it: a write that failed had happened by then. */
static uint32_t end_of(const struct cluster *c)
{
    return c->failed < c->f ? c->failed : c->f;
}

static bool is_forward(const struct cluster *c)
{
    return c->f < c->s;
}

/* x a forward zone that leaves no room for y: Z1, Z2. */
static bool crosses(const struct cluster *x, const struct cluster *y)
{
    if (!is_forward(x))
        return false;
    return x->f < y->s && y->f < x->s; /* of a backward y: it lies in x */
}

static const struct cluster *find_quarrel(const struct history *h, const struct block *b,
                                          const struct cluster *c)
{
    for (uint32_t at = b->first; at != NONE; at = h->clusters[at].next) {
        const struct cluster *other = &h->clusters[at];
        if (other == c || (other->zero && c->zero))
            continue;
        if (crosses(c, other) || crosses(other, c))
            return other;
    }
    return NULL;
}

/* Nothing that may come needs it any more. */
static bool is_over(const struct history *h, const struct block *b, const struct cluster *c,
                    uint32_t reads_since)
{
    uint32_t end = end_of(c), last = end > c->s ? end : c->s;
    for (uint32_t at = b->first; at != NONE; at = h->clusters[at].next) {
        const struct cluster *d = &h->clusters[at];
        if (d != c && d->kind != ZERO_READ && d->s > last && d->f < reads_since)
            return true;
    }
    return false;
}

static uint32_t first_read(const struct history *h)
{
    uint32_t first = NEVER;
    for (uint32_t i = 0; i < h->read_count; i++)
        if (h->reads[i] < first)
            first = h->reads[i];
    return first;
}

static void drop_what_is_over(struct history *h, struct block *b, uint32_t reads_since)
{
    uint32_t zones = 0;
    for (uint32_t *link = &b->first; *link != NONE;) {
        struct cluster *c = &h->clusters[*link];
        if (!is_over(h, b, c, reads_since)) {
            link = &c->next;
            zones++;
            continue;
        }
        uint32_t at = *link;
        *link = c->next;
        c->next = h->spare;
        h->spare = at;
    }
    if (zones > h->zones_max)
        h->zones_max = zones;
}

/* ---- reads ----------------------------------------------------------------------------------- */

struct sight { /* a read that was answered */
    uint64_t lba;
    uint32_t value, begin, end;
};

static void put_in(struct cluster *c, const struct sight *seen)
{
    uint32_t end = end_of(c);
    c->f = end < seen->end ? end : seen->end;
    if (c->s < seen->begin)
        c->s = seen->begin;
    c->read = true;
}

static void say_value(char *text, size_t room, const struct cluster *c)
{
    if (c->kind == BEGINNING && c->number == NONE)
        snprintf(text, room, "what it held first");
    else if (c->zero)
        snprintf(text, room, "zeros (version %" PRIu32 ")", c->number);
    else
        snprintf(text, room, "version %" PRIu32, c->number);
}

static void say_quarrel(const struct sight *seen, const struct cluster *c,
                        const struct cluster *other, struct failure *failure)
{
    char mine[64], theirs[64];
    say_value(mine, sizeof mine, c);
    say_value(theirs, sizeof theirs, other);
    failure_say(failure,
                "history of lba %" PRIu64 " has no order: %s (zone %" PRIu32 " to %" PRIu32
                ") and %s (zone %" PRIu32 " to %" PRIu32 ")",
                seen->lba, mine, c->f, c->s, theirs, other->f, other->s);
}

/* It may be what the block held when this life began, if that is not known yet. */
static struct cluster *find_value(struct history *h, struct block *b, uint32_t value)
{
    struct cluster *beginning = NULL;
    for (uint32_t at = b->first; at != NONE; at = h->clusters[at].next) {
        struct cluster *c = &h->clusters[at];
        if (c->kind == BEGINNING)
            beginning = c;
        if (c->number == value && c->kind != ZERO_READ && !c->zero)
            return c;
    }
    if (!beginning || beginning->number != NONE)
        return NULL;
    beginning->number = value;
    return beginning;
}

static void read_value(struct history *h, struct block *b, const struct sight *seen,
                       struct failure *failure)
{
    if (seen->value == HISTORY_FOREIGN || seen->value > h->newest) {
        failure_say(failure, "history of lba %" PRIu64 ": reads as something never written there",
                    seen->lba);
        return;
    }
    struct cluster *c = find_value(h, b, seen->value);
    if (!c) {
        failure_say(failure,
                    "history of lba %" PRIu64 ": version %" PRIu32 " is over, and read again",
                    seen->lba, seen->value);
        return;
    }
    put_in(c, seen);
    const struct cluster *other = find_quarrel(h, b, c);
    if (other)
        say_quarrel(seen, c, other, failure);
}

static bool may_be_zero(const struct cluster *c)
{
    return c->kind != ZERO_READ && (c->zero || (c->kind == BEGINNING && c->number == NONE));
}

static bool explains(const struct history *h, const struct block *b, const struct cluster *c,
                     const struct sight *seen)
{
    struct cluster with = *c;
    with.zero = true;
    put_in(&with, seen);
    for (uint32_t at = b->first; at != NONE; at = h->clusters[at].next) {
        const struct cluster *other = &h->clusters[at];
        if (other != c && !other->zero && (crosses(&with, other) || crosses(other, &with)))
            return false;
    }
    return true;
}

static void read_zeros(struct history *h, struct block *b, const struct sight *seen,
                       struct failure *failure)
{
    struct cluster *only = NULL;
    unsigned count = 0;
    for (uint32_t at = b->first; at != NONE; at = h->clusters[at].next)
        if (may_be_zero(&h->clusters[at]) && explains(h, b, &h->clusters[at], seen)) {
            only = &h->clusters[at];
            count++;
        }
    if (count == 0) {
        failure_say(failure,
                    "history of lba %" PRIu64 ": no version of zeros explains zeros read from "
                    "%" PRIu32 " to %" PRIu32,
                    seen->lba, seen->begin, seen->end);
        return;
    }
    if (count == 1) {
        put_in(only, seen);
        if (only->kind == BEGINNING)
            only->number = HISTORY_ZEROS;
        only->zero = true;
        return;
    }
    only = add(h, b);
    only->kind = ZERO_READ;
    only->zero = true;
    only->begin = only->s = seen->begin;
    only->f = seen->end;
}

/* ---- requests -------------------------------------------------------------------------------- */

static bool makes_versions(enum hftl_verb verb)
{
    return verb == HFTL_WRITE || verb == HFTL_TRIM || verb == HFTL_WRITE_ZEROES;
}

void history_invoke(struct history *history, struct history_request *request)
{
    struct history *h = history;
    request->begin = ++h->tick;
    if (request->verb == HFTL_READ) {
        must_show(h->read_count < READS_MAX, h->read_count, READS_MAX);
        h->reads[h->read_count++] = request->begin;
    }
    if (!makes_versions(request->verb))
        return;
    must_show(request->number > h->newest, request->number, h->newest);
    for (uint64_t i = 0; i < request->blocks; i++) {
        struct block *b = enter(h, request->lba + i);
        struct cluster *c = add(h, b);
        b->written = true;
        c->number = h->newest = request->number + (uint32_t)i;
        c->begin = c->s = request->begin;
        c->f = NEVER;
        c->zero = request->verb != HFTL_WRITE;
    }
}

static void answer_read(struct history *h, const struct history_request *r, enum hftl_status status,
                        const uint32_t *values, struct failure *failure)
{
    uint32_t at = 0;
    while (at < h->read_count && h->reads[at] != r->begin)
        at++;
    must_show(at < h->read_count, r->begin, h->read_count);
    h->reads[at] = h->reads[--h->read_count];
    uint32_t since = first_read(h);
    for (uint64_t i = 0; status == HFTL_OK && i < r->blocks; i++) {
        struct sight seen = {r->lba + i, values[i], r->begin, h->tick};
        struct block *b = enter(h, seen.lba);
        h->judged++;
        if (seen.value == HISTORY_ZEROS)
            read_zeros(h, b, &seen, failure);
        else
            read_value(h, b, &seen, failure);
        drop_what_is_over(h, b, since);
    }
}

static void answer_write(struct history *h, const struct history_request *r,
                         enum hftl_status status, struct failure *failure)
{
    uint32_t since = first_read(h);
    for (uint64_t i = 0; i < r->blocks; i++) {
        struct block *b = enter(h, r->lba + i);
        struct cluster *c = NULL;
        for (uint32_t at = b->first; at != NONE && !c; at = h->clusters[at].next)
            if (h->clusters[at].kind == WRITTEN && h->clusters[at].number == r->number + i)
                c = &h->clusters[at];
        if (c && status != HFTL_OK)
            c->failed = h->tick; /* unless it was read before: then f says when it had happened */
        if (c && status == HFTL_OK && c->f > h->tick)
            c->f = h->tick;
        const struct cluster *other = c && status == HFTL_OK ? find_quarrel(h, b, c) : NULL;
        struct sight seen = {.lba = r->lba + i};
        if (other)
            say_quarrel(&seen, c, other, failure);
        drop_what_is_over(h, b, since);
    }
}

void history_answer(struct history *history, const struct history_request *request,
                    enum hftl_status status, const uint32_t *values, struct failure *failure)
{
    history->tick++;
    if (request->verb == HFTL_READ)
        answer_read(history, request, status, values, failure);
    else if (makes_versions(request->verb))
        answer_write(history, request, status, failure);
}

uint64_t history_judged(const struct history *history)
{
    return history->judged;
}

uint32_t history_zones_max(const struct history *history)
{
    return history->zones_max;
}
