/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * conformance.c - every promise and every rule of media.h, on every medium, in every shape.
 *
 * A subject (subject.h) is a medium in one of its manners, alone and behind the guard, in a shape.
 * Tests that break rules run with a guard that lets refusals pass; all others with one that
 * does not.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/prng.h"
#include "test/media/subject.h"
#include "test/unit.h"

typedef void (*test_fn)(struct subject *subject);

struct test_case {
    const char *name;
    test_fn run;
    bool breaks_rules;
};

struct run {
    struct subject subject;
    const struct test_case *test;
    char name[160];
};

/* ---- promises ---------------------------------------------------------------------------- */

static void reads_back_as_far_as_readable(struct subject *s)
{
    const struct hftl_media_facts *f = &s->media->facts;
    uint32_t chunk = pick_chunk(s, 1);
    uint32_t wp = 0;
    while (wp < f->chunk_blocks) {
        uint32_t blocks = min_u32(f->ws_opt, f->chunk_blocks - wp);
        assert_int_equal(do_write(s->media, chunk, wp, blocks, 3), HFTL_OK);
        wp += blocks;
        struct hftl_chunk c = do_report(s->media, chunk);
        assert_int_equal(c.wp, wp);
        assert_int_equal(c.state, wp == c.capacity ? HFTL_CHUNK_FULL : HFTL_CHUNK_OPEN);
        assert_holds(s, chunk, 0, count_readable(f, &c), 3);
    }
    assert_int_equal(do_simple(s->media, HFTL_MEDIA_FLUSH, 0), HFTL_OK);
    for (uint32_t i = 0; i < wp; i++)
        assert_holds(s, chunk, i, 1, 3);
}

static void writes_zeros_where_no_oob_is_given(struct subject *s)
{
    const struct hftl_media_facts *f = &s->media->facts;
    uint32_t chunk = pick_chunk(s, 0), n = 0;
    fill_chunk(s, chunk, f->ws_min, 1); /* so that what is there is not zero by chance */
    uint32_t blocks = f->chunk_blocks - f->ws_min;
    uint8_t *data = calloc(blocks, f->block_bytes);
    uint8_t *oob = malloc((size_t)f->chunk_blocks * f->oob_bytes + 1);
    struct hftl_media_op op = {.verb = HFTL_MEDIA_WRITE, .chunk = chunk, .data = data};
    op.offset = f->ws_min;
    for (; blocks > 0; blocks -= op.blocks, op.offset += op.blocks) {
        op.blocks = longest(f, blocks);
        assert_int_equal(do_op(s->media, &op), HFTL_OK);
    }
    memset(oob, 1, (size_t)f->chunk_blocks * f->oob_bytes + 1);
    struct hftl_media_op read = {.verb = HFTL_MEDIA_READ,
                                 .chunk = chunk,
                                 .offset = f->ws_min,
                                 .blocks = f->ws_min,
                                 .data = data,
                                 .oob = oob};
    assert_int_equal(do_op(s->media, &read), HFTL_OK);
    while (n < f->ws_min * f->oob_bytes)
        assert_int_equal(oob[n++], 0);
    free(data);
    free(oob);
}

static void erases_and_counts_wear(struct subject *s)
{
    const struct hftl_media_facts *f = &s->media->facts;
    uint32_t chunk = pick_chunk(s, 2);
    for (uint32_t life = 0; life < 4; life++) {
        fill_chunk(s, chunk, f->chunk_blocks, life);
        assert_int_equal(do_report(s->media, chunk).state, HFTL_CHUNK_FULL);
        assert_holds(s, chunk, 0, min_u32(f->chunk_blocks, f->transfer_blocks_max), life);
        assert_int_equal(do_simple(s->media, HFTL_MEDIA_RESET, chunk), HFTL_OK);
        struct hftl_chunk c = do_report(s->media, chunk);
        assert_int_equal(c.state, HFTL_CHUNK_FREE);
        assert_int_equal(c.wp, 0);
        assert_int_equal(c.wear, life + 1);
    }
}

static void finishes_a_chunk_where_it_stands(struct subject *s)
{
    const struct hftl_media_facts *f = &s->media->facts;
    if (!has(s, HFTL_MEDIA_CAN_FINISH))
        skip();
    uint32_t chunk = pick_chunk(s, 0), empty = pick_chunk(s, 1);
    fill_chunk(s, chunk, 2 * f->ws_min, 1);
    assert_int_equal(do_simple(s->media, HFTL_MEDIA_FINISH, chunk), HFTL_OK);
    struct hftl_chunk c = do_report(s->media, chunk);
    assert_int_equal(c.state, HFTL_CHUNK_FULL);
    assert_int_equal(c.wp, 2 * f->ws_min);
    assert_holds(s, chunk, 0, c.wp, 1);
    assert_int_equal(do_simple(s->media, HFTL_MEDIA_RESET, chunk), HFTL_OK);
    if (f->kind != HFTL_KIND_ZONED) /* R6 */
        fill_chunk(s, empty, f->ws_min, 2);
    assert_int_equal(do_simple(s->media, HFTL_MEDIA_FINISH, empty), HFTL_OK);
    assert_int_equal(do_report(s->media, empty).state, HFTL_CHUNK_FULL);
    if (s->manner->forgets)
        return;
    close_subject(s);
    open_subject(s);
    assert_int_equal(do_report(s->media, empty).state, HFTL_CHUNK_FULL);
}

static void appends_and_says_where(struct subject *s)
{
    const struct hftl_media_facts *f = &s->media->facts;
    if (!has(s, HFTL_MEDIA_CAN_APPEND))
        skip();
    uint32_t chunk = pick_chunk(s, 0), blocks = f->ws_min * 2;
    uint8_t *data = malloc((size_t)blocks * f->block_bytes);
    for (uint32_t at = 0; at < 3 * blocks; at += blocks) {
        fill_blocks(f, chunk, at, blocks, 5, data, NULL);
        struct hftl_media_op op = {.verb = HFTL_MEDIA_APPEND,
                                   .chunk = chunk,
                                   .offset = 7777, /* of no meaning: the medium says where (R7) */
                                   .blocks = blocks,
                                   .data = data};
        assert_int_equal(do_op(s->media, &op), HFTL_OK);
        assert_int_equal(op.offset, at);
    }
    if (f->oob_bytes == 0)
        assert_holds(s, chunk, 0, 3 * blocks, 5);
    free(data);
}

/* Pausing (R3): a drive at its open limit makes room by itself, and nothing is lost. */
static void pauses_another_at_the_open_limit(struct subject *s)
{
    const struct hftl_media_facts *f = &s->media->facts;
    if (f->kind != HFTL_KIND_ZONED || f->open_max == 0 || f->open_max == f->active_max)
        skip();
    uint32_t states[HFTL_CHUNK_STATE_COUNT] = {0};
    uint32_t chunks[64];
    for (uint32_t i = 0; i < f->active_max; i++) {
        chunks[i] = pick_chunk(s, 0);
        fill_chunk(s, chunks[i], 2 * f->ws_min, i);
    }
    for (uint32_t i = 0; i < f->active_max; i++)
        states[do_report(s->media, chunks[i]).state]++;
    assert_int_equal(states[HFTL_CHUNK_OPEN], f->open_max);
    assert_int_equal(states[HFTL_CHUNK_PAUSED], f->active_max - f->open_max);
    for (uint32_t i = 0; i < f->active_max; i++) /* paused ones go on */
        fill_chunk(s, chunks[i], f->chunk_blocks, i);
    for (uint32_t i = 0; i < f->active_max; i++)
        assert_holds(s, chunks[i], 0, f->chunk_blocks, i);
}

/* ---- how ops land (M1) ------------------------------------------------------------------- */

enum { BATCH = 12 };

struct batch {
    struct hftl_media_op ops[BATCH];
    unsigned landed[BATCH];
    unsigned count;
    struct hftl_media *again; /* the first lands and is submitted once more from there */
};

static void count_landing(struct hftl_media_op *op)
{
    struct batch *batch = op->owner;
    batch->landed[op - batch->ops]++;
    batch->count++;
    if (!batch->again || op != batch->ops)
        return;
    struct hftl_media *media = batch->again;
    batch->again = NULL;
    media->ops->submit(media, &op, 1);
}

static bool becomes_ready(struct hftl_media *media, int ms)
{
    struct pollfd ready = {.fd = media->ops->fd(media), .events = POLLIN};
    return ready.fd < 0 || poll(&ready, 1, ms) == 1;
}

/* There is nothing to reap: the descriptor may say so late, but not for ever. */
static void assert_quiet(struct hftl_media *media)
{
    for (unsigned i = 0; i < 3 && media->ops->fd(media) >= 0; i++) {
        if (!becomes_ready(media, 0))
            return;
        assert_int_equal(media->ops->reap(media, BATCH), 0);
    }
    assert_int_equal(media->ops->fd(media), -1);
}

static void lands_each_once_and_never_in_submit(struct subject *s)
{
    struct batch batch = {.again = s->media};
    struct hftl_chunk reports[BATCH];
    struct hftl_media_op *ops[BATCH];
    for (unsigned i = 0; i < BATCH; i++) {
        ops[i] = &batch.ops[i];
        *ops[i] = (struct hftl_media_op){.verb = i % 3 == 2 ? HFTL_MEDIA_FLUSH : HFTL_MEDIA_REPORT,
                                         .chunk = i % 4,
                                         .blocks = 1,
                                         .out.report = &reports[i],
                                         .land = count_landing,
                                         .owner = &batch};
    }
    assert_quiet(s->media);
    s->media->ops->submit(s->media, ops, BATCH);
    assert_int_equal(batch.count, 0);
    assert_true(becomes_ready(s->media, 1000));
    assert_int_equal(s->media->ops->reap(s->media, 1), 1);
    assert_int_equal(batch.count, 1);
    assert_true(becomes_ready(s->media, 1000)); /* there is more */
    for (unsigned tries = 0; batch.count < BATCH + 1 && tries < 100; tries++)
        wait_reap(s->media, 3);
    assert_int_equal(batch.landed[0], 2);
    for (unsigned i = 1; i < BATCH; i++)
        assert_int_equal(batch.landed[i], 1);
    assert_int_equal(s->media->ops->reap(s->media, BATCH), 0);
    assert_quiet(s->media);
}

static void has_no_media_event(struct subject *s)
{
    struct hftl_media_event event;
    struct hftl_media_op op = {.verb = HFTL_MEDIA_EVENT, .out.event = &event};
    assert_int_equal(do_op(s->media, &op), HFTL_AGAIN);
}

static void queues_writes_in_order(struct subject *s)
{
    const struct hftl_media_facts *f = &s->media->facts;
    if (!has(s, HFTL_MEDIA_CAN_QUEUE))
        skip();
    uint32_t chunk = pick_chunk(s, 0);
    struct batch batch = {.count = 0};
    struct hftl_media_op *ops[BATCH];
    uint8_t *data = malloc((size_t)BATCH * f->ws_min * f->block_bytes);
    fill_blocks(f, chunk, 0, BATCH * f->ws_min, 4, data, NULL);
    for (uint32_t i = 0; i < BATCH; i++) {
        ops[i] = &batch.ops[i];
        *ops[i] = (struct hftl_media_op){.verb = HFTL_MEDIA_WRITE,
                                         .chunk = chunk,
                                         .offset = i * f->ws_min,
                                         .blocks = f->ws_min,
                                         .data = data + (size_t)i * f->ws_min * f->block_bytes,
                                         .land = count_landing,
                                         .owner = &batch};
    }
    s->media->ops->submit(s->media, ops, BATCH);
    for (unsigned tries = 0; batch.count < BATCH && tries < 100; tries++)
        wait_reap(s->media, 2);
    for (unsigned i = 0; i < BATCH; i++)
        assert_int_equal(batch.ops[i].status, HFTL_OK);
    if (f->oob_bytes == 0)
        assert_holds(s, chunk, 0, BATCH * f->ws_min, 4);
    free(data);
}

/* Appends in flight together: whatever their order, each says where its data is, and there are
 * neither holes nor overlaps. Fills the chunk; one more has no room. */
static void appends_side_by_side(struct subject *s)
{
    const struct hftl_media_facts *f = &s->media->facts;
    if (!has(s, HFTL_MEDIA_CAN_APPEND) || !has(s, HFTL_MEDIA_CAN_QUEUE))
        skip();
    uint32_t chunk = pick_chunk(s, 0), n = f->chunk_blocks / BATCH / f->ws_min * f->ws_min;
    struct batch batch = {.count = 0};
    struct hftl_media_op *ops[BATCH];
    size_t bytes = (size_t)n * f->block_bytes;
    uint8_t *data = malloc(BATCH * bytes), *back = malloc(bytes);
    bool *taken = calloc(f->chunk_blocks, sizeof *taken);
    fill_blocks(f, chunk, 0, BATCH * n, 4, data, NULL);
    for (uint32_t i = 0; i < BATCH; i++) {
        ops[i] = &batch.ops[i];
        *ops[i] = (struct hftl_media_op){.verb = HFTL_MEDIA_APPEND,
                                         .chunk = chunk,
                                         .offset = UINT32_MAX,
                                         .blocks = n,
                                         .data = data + i * bytes,
                                         .land = count_landing,
                                         .owner = &batch};
    }
    s->media->ops->submit(s->media, ops, BATCH);
    for (unsigned tries = 0; batch.count < BATCH && tries < 100; tries++)
        wait_reap(s->media, 5);
    assert_int_equal(do_report(s->media, chunk).wp, BATCH * n);
    for (uint32_t i = 0; i < BATCH; i++) {
        assert_int_equal(ops[i]->status, HFTL_OK);
        assert_true(ops[i]->offset % n == 0 && ops[i]->offset < BATCH * n);
        assert_false(taken[ops[i]->offset]);
        taken[ops[i]->offset] = true;
        struct hftl_media_op read = *ops[i];
        read.verb = HFTL_MEDIA_READ;
        read.data = back;
        assert_int_equal(do_op(s->media, &read), HFTL_OK);
        assert_memory_equal(back, data + i * bytes, bytes);
    }
    free(taken);
    free(data);
    free(back);
}

/* R7: an append that does not fit is refused as a write would be, and nothing moves. */
static void refuses_an_append_without_room(struct subject *s)
{
    const struct hftl_media_facts *f = &s->media->facts;
    if (!has(s, HFTL_MEDIA_CAN_APPEND))
        skip();
    uint32_t chunk = pick_chunk(s, 0), left = 2 * f->ws_min, offset = 0;
    fill_chunk(s, chunk, f->chunk_blocks - left, 0);
    assert_int_equal(do_append(s->media, chunk, left + f->ws_min, 0, &offset), HFTL_RULE_BOUNDS);
    if (f->ws_min > 1)
        assert_int_equal(do_append(s->media, chunk, 1, 0, &offset), HFTL_RULE_ALIGN);
    assert_int_equal(do_report(s->media, chunk).wp, f->chunk_blocks - left);
    assert_int_equal(do_append(s->media, chunk, left, 0, &offset), HFTL_OK);
    assert_int_equal(offset, f->chunk_blocks - left);
    assert_int_equal(do_append(s->media, chunk, f->ws_min, 0, &offset), HFTL_RULE_STATE);
}

/* ---- a long walk with a model ------------------------------------------------------------ */

struct model_chunk {
    struct hftl_chunk chunk;
    uint32_t life;
};

struct walk {
    struct subject *s;
    struct prng prng;
    struct model_chunk *chunks;
    uint32_t count, active;
};

static void compare_all(struct walk *w)
{
    struct hftl_chunk *reports = calloc(w->count, sizeof *reports);
    struct hftl_media_op op = {
        .verb = HFTL_MEDIA_REPORT, .blocks = w->count, .out.report = reports};
    assert_int_equal(do_op(w->s->media, &op), HFTL_OK);
    w->active = 0;
    for (uint32_t i = 0; i < w->count; i++) {
        struct hftl_chunk *want = &w->chunks[i].chunk;
        assert_int_equal(reports[i].wp, want->wp);
        assert_int_equal(reports[i].wear, want->wear);
        bool partial = want->wp > 0 && want->state == HFTL_CHUNK_OPEN;
        w->active += partial;
        if (reports[i].state == HFTL_CHUNK_PAUSED)
            assert_true(partial);
        else
            assert_int_equal(reports[i].state, want->state);
    }
    free(reports);
}

static void walk_write(struct walk *w, uint32_t i)
{
    const struct hftl_media_facts *f = &w->s->media->facts;
    struct hftl_chunk *c = &w->chunks[i].chunk;
    if (c->state != HFTL_CHUNK_FREE && c->state != HFTL_CHUNK_OPEN)
        return;
    uint32_t most = f->active_max ? f->active_max : f->open_max;
    if (c->state == HFTL_CHUNK_FREE && most != 0 && w->active >= most)
        return;
    uint32_t units = min_u32(longest(f, c->capacity - c->wp), 40) / f->ws_min;
    uint32_t blocks = ((uint32_t)prng_below(&w->prng, max_u32(units, 1)) + 1) * f->ws_min;
    assert_int_equal(do_write(w->s->media, i, c->wp, blocks, w->chunks[i].life), HFTL_OK);
    w->active += c->state == HFTL_CHUNK_FREE;
    c->wp += blocks;
    c->state = c->wp == c->capacity ? HFTL_CHUNK_FULL : HFTL_CHUNK_OPEN;
    w->active -= c->state == HFTL_CHUNK_FULL;
}

static void walk_read(struct walk *w, uint32_t i)
{
    const struct hftl_media_facts *f = &w->s->media->facts;
    uint32_t readable = count_readable(f, &w->chunks[i].chunk);
    if (readable == 0)
        return;
    uint32_t from = (uint32_t)prng_below(&w->prng, readable);
    uint32_t most = min_u32(readable - from, f->transfer_blocks_max);
    uint32_t blocks = 1 + (uint32_t)prng_below(&w->prng, most);
    assert_holds(w->s, i, from, blocks, w->chunks[i].life);
}

static void walk_reset(struct walk *w, uint32_t i)
{
    struct hftl_chunk *c = &w->chunks[i].chunk;
    bool legal = c->state == HFTL_CHUNK_FULL ||
                 (c->state == HFTL_CHUNK_OPEN && has(w->s, HFTL_MEDIA_CAN_RESET_OPEN));
    if (!legal)
        return;
    assert_int_equal(do_simple(w->s->media, HFTL_MEDIA_RESET, i), HFTL_OK);
    w->active -= c->state == HFTL_CHUNK_OPEN;
    c->state = HFTL_CHUNK_FREE;
    c->wp = 0;
    c->wear++;
    w->chunks[i].life++;
}

static void walk_finish(struct walk *w, uint32_t i)
{
    struct hftl_chunk *c = &w->chunks[i].chunk;
    if (c->state != HFTL_CHUNK_OPEN || !has(w->s, HFTL_MEDIA_CAN_FINISH))
        return;
    assert_int_equal(do_simple(w->s->media, HFTL_MEDIA_FINISH, i), HFTL_OK);
    w->active--;
    c->state = HFTL_CHUNK_FULL;
}

static void walk_reopen(struct walk *w)
{
    if (w->s->manner->forgets)
        return;
    close_subject(w->s);
    open_subject(w->s);
    compare_all(w);
}

static void walk_step(struct walk *w)
{
    uint32_t i = (uint32_t)prng_below(&w->prng, min_u32(w->count, 9));
    uint64_t dice = prng_below(&w->prng, 100);
    if (dice < 55)
        walk_write(w, i);
    else if (dice < 85)
        walk_read(w, i);
    else if (dice < 91)
        walk_reset(w, i);
    else if (dice < 93)
        walk_finish(w, i);
    else if (dice < 98)
        assert_int_equal(do_simple(w->s->media, HFTL_MEDIA_FLUSH, 0), HFTL_OK);
    else if (dice < 99)
        compare_all(w);
    else
        walk_reopen(w);
}

static void keeps_everything_on_a_long_walk(struct subject *s)
{
    struct walk w = {.s = s, .count = hftl_media_chunks(&s->media->facts)};
    prng_seed(&w.prng, 20);
    w.chunks = calloc(w.count, sizeof *w.chunks);
    for (uint32_t i = 0; i < w.count; i++)
        w.chunks[i].chunk = do_report(s->media, i);
    for (int step = 0; step < (s->manner->fsync ? 250 : 800); step++)
        walk_step(&w);
    for (uint32_t i = 0; i < min_u32(w.count, 9); i++) {
        uint32_t readable = count_readable(&s->media->facts, &w.chunks[i].chunk);
        assert_holds(s, i, 0, min_u32(readable, s->media->facts.transfer_blocks_max),
                     w.chunks[i].life);
    }
    free(w.chunks);
}

/* ---- rules (each refusal names its rule and changes nothing) ----------------------------- */

static void refuses_a_write_off_the_write_pointer(struct subject *s)
{
    uint32_t chunk = pick_chunk(s, 0), u = s->media->facts.ws_min;
    assert_int_equal(do_write(s->media, chunk, u, u, 0), HFTL_RULE_ORDER);
    assert_int_equal(do_write(s->media, chunk, 0, u, 0), HFTL_OK);
    assert_int_equal(do_write(s->media, chunk, 0, u, 0), HFTL_RULE_ORDER);
    assert_int_equal(do_write(s->media, chunk, 2 * u, u, 0), HFTL_RULE_ORDER);
    assert_int_equal(do_report(s->media, chunk).wp, u);
}

static void refuses_sizes_and_bounds(struct subject *s)
{
    const struct hftl_media_facts *f = &s->media->facts;
    uint32_t chunk = pick_chunk(s, 0), count = hftl_media_chunks(f);
    bool right;
    if (f->ws_min > 1)
        assert_int_equal(do_write(s->media, chunk, 0, f->ws_min - 1, 0), HFTL_RULE_ALIGN);
    assert_int_equal(do_write(s->media, chunk, 0, 0, 0), HFTL_INVALID);
    assert_int_equal(do_write(s->media, count, 0, f->ws_min, 0), HFTL_RULE_BOUNDS);
    assert_int_equal(do_write(s->media, chunk, f->chunk_blocks, f->ws_min, 0), HFTL_RULE_BOUNDS);
    assert_int_equal(do_write(s->media, chunk, UINT32_MAX - 1, f->ws_min, 0), HFTL_RULE_BOUNDS);
    assert_int_equal(do_write(s->media, chunk, 0, f->transfer_blocks_max + f->ws_min, 0),
                     HFTL_RULE_BOUNDS);
    assert_int_equal(do_read(s->media, count, 0, 1, 0, &right), HFTL_RULE_BOUNDS);
    assert_int_equal(do_read(s->media, chunk, f->chunk_blocks - 1, 2, 0, &right), HFTL_RULE_BOUNDS);
    assert_int_equal(do_simple(s->media, HFTL_MEDIA_RESET, count), HFTL_RULE_BOUNDS);
    struct hftl_chunk reports[2];
    struct hftl_media_op op = {
        .verb = HFTL_MEDIA_REPORT, .chunk = count - 1, .blocks = 2, .out.report = reports};
    assert_int_equal(do_op(s->media, &op), HFTL_RULE_BOUNDS);
    assert_int_equal(do_report(s->media, chunk).wp, 0);
}

static void refuses_reads_of_what_is_not_readable(struct subject *s)
{
    const struct hftl_media_facts *f = &s->media->facts;
    uint32_t chunk = pick_chunk(s, 0);
    bool right;
    assert_int_equal(do_read(s->media, chunk, 0, 1, 0, &right), HFTL_RULE_READ);
    while (do_report(s->media, chunk).wp <= f->mw_cunits)
        fill_chunk(s, chunk, do_report(s->media, chunk).wp + f->ws_min, 0);
    struct hftl_chunk c = do_report(s->media, chunk);
    uint32_t readable = count_readable(f, &c);
    assert_int_equal(readable, c.wp - f->mw_cunits);
    assert_int_equal(do_read(s->media, chunk, 0, readable, 0, &right), HFTL_OK);
    assert_true(right);
    assert_int_equal(do_read(s->media, chunk, 0, readable + 1, 0, &right), HFTL_RULE_READ);
    assert_int_equal(do_read(s->media, chunk, readable, 1, 0, &right), HFTL_RULE_READ);
}

static void refuses_by_state(struct subject *s)
{
    const struct hftl_media_facts *f = &s->media->facts;
    uint32_t chunk = pick_chunk(s, 0);
    assert_int_equal(do_simple(s->media, HFTL_MEDIA_RESET, chunk), HFTL_RULE_STATE);
    fill_chunk(s, chunk, f->ws_min, 0);
    if (!has(s, HFTL_MEDIA_CAN_RESET_OPEN))
        assert_int_equal(do_simple(s->media, HFTL_MEDIA_RESET, chunk), HFTL_RULE_STATE);
    if (!has(s, HFTL_MEDIA_CAN_FINISH))
        assert_int_equal(do_simple(s->media, HFTL_MEDIA_FINISH, chunk), HFTL_UNSUPPORTED);
    uint32_t offset = f->ws_min;
    if (!has(s, HFTL_MEDIA_CAN_APPEND))
        assert_int_equal(do_append(s->media, chunk, f->ws_min, 0, &offset), HFTL_UNSUPPORTED);
    fill_chunk(s, chunk, f->chunk_blocks, 0);
    assert_int_equal(do_write(s->media, chunk, f->chunk_blocks, f->ws_min, 0), HFTL_RULE_STATE);
    if (has(s, HFTL_MEDIA_CAN_FINISH))
        assert_int_equal(do_simple(s->media, HFTL_MEDIA_FINISH, chunk), HFTL_RULE_STATE);
    assert_holds(s, chunk, 0, min_u32(f->chunk_blocks, f->transfer_blocks_max), 0);
}

static void refuses_one_open_chunk_too_many(struct subject *s)
{
    const struct hftl_media_facts *f = &s->media->facts;
    uint32_t most = f->kind == HFTL_KIND_ZONED ? f->active_max : f->open_max;
    if (most == 0 || most >= hftl_media_chunks(f))
        skip();
    uint32_t first = pick_chunk(s, 0);
    for (uint32_t i = 0; i < most; i++)
        fill_chunk(s, pick_chunk(s, 0), f->ws_min, 0);
    uint32_t next = pick_chunk(s, 0);
    assert_int_equal(do_write(s->media, next, 0, f->ws_min, 0), HFTL_RULE_OPEN_LIMIT);
    assert_int_equal(do_report(s->media, next).state, HFTL_CHUNK_FREE);
    fill_chunk(s, first, f->chunk_blocks, 0);
    assert_int_equal(do_write(s->media, next, 0, f->ws_min, 0), HFTL_OK);
}

static void refuses_two_in_flight(struct subject *s)
{
    const struct hftl_media_facts *f = &s->media->facts;
    uint32_t chunk = pick_chunk(s, 0);
    uint32_t half = f->chunk_blocks / f->ws_min / 2 * f->ws_min;
    fill_chunk(s, chunk, half, 0);
    uint8_t *data = calloc(f->ws_min, f->block_bytes);
    struct batch batch = {.count = 0};
    struct hftl_media_op write = {.verb = HFTL_MEDIA_WRITE,
                                  .chunk = chunk,
                                  .offset = half,
                                  .blocks = f->ws_min,
                                  .data = data,
                                  .land = count_landing,
                                  .owner = &batch};
    batch.ops[0] = write;
    write.offset += f->ws_min;
    batch.ops[1] = write;
    write.verb = HFTL_MEDIA_RESET;
    batch.ops[2] = write;
    struct hftl_media_op *ops[] = {&batch.ops[0], &batch.ops[1], &batch.ops[2]};
    s->media->ops->submit(s->media, ops, 3);
    for (unsigned tries = 0; batch.count < 3 && tries < 100; tries++)
        wait_reap(s->media, 8);
    bool queue = has(s, HFTL_MEDIA_CAN_QUEUE);
    assert_int_equal(batch.ops[0].status, HFTL_OK);
    assert_int_equal(batch.ops[1].status, queue ? HFTL_OK : HFTL_RULE_FLIGHT);
    assert_int_equal(batch.ops[2].status, HFTL_RULE_FLIGHT);
    assert_int_equal(do_report(s->media, chunk).wp, half + f->ws_min * (queue ? 2 : 1));
    free(data);
}

/* ---- the runs ---------------------------------------------------------------------------- */

static const struct test_case tests[] = {
#define KEEPS(name)                                                                                \
    {                                                                                              \
#name, name, false                                                                         \
    }
#define BREAKS(name)                                                                               \
    {                                                                                              \
#name, name, true                                                                          \
    }
    KEEPS(reads_back_as_far_as_readable),
    KEEPS(writes_zeros_where_no_oob_is_given),
    KEEPS(erases_and_counts_wear),
    KEEPS(finishes_a_chunk_where_it_stands),
    KEEPS(appends_and_says_where),
    KEEPS(pauses_another_at_the_open_limit),
    KEEPS(lands_each_once_and_never_in_submit),
    KEEPS(has_no_media_event),
    KEEPS(queues_writes_in_order),
    KEEPS(appends_side_by_side),
    KEEPS(keeps_everything_on_a_long_walk),
    BREAKS(refuses_a_write_off_the_write_pointer),
    BREAKS(refuses_sizes_and_bounds),
    BREAKS(refuses_reads_of_what_is_not_readable),
    BREAKS(refuses_by_state),
    BREAKS(refuses_one_open_chunk_too_many),
    BREAKS(refuses_two_in_flight),
    BREAKS(refuses_an_append_without_room),
};
enum { TESTS = sizeof tests / sizeof tests[0] };

static int set_up(void **state)
{
    struct run *run = *state;
    make_subject(&run->subject);
    return 0;
}

static int tear_down(void **state)
{
    struct run *run = *state;
    unmake_subject(&run->subject);
    return 0;
}

static void run_case(void **state)
{
    struct run *run = *state;
    run->test->run(&run->subject);
}

/* All tests on one subject; `part` of their names selects, NULL: all. How many failed. */
static int run_subject(const struct manner *manner, const struct shape *shape, const char *part)
{
    static struct run runs[TESTS];
    static struct CMUnitTest list[TESTS];
    char group[100];
    size_t count = 0;
    snprintf(group, sizeof group, "%s %s", manner->name, shape->name);
    for (size_t t = 0; t < TESTS; t++) {
        struct run *run = &runs[count];
        *run = (struct run){.test = &tests[t], .subject = {.manner = manner, .shape = shape}};
        run->subject.tolerate = tests[t].breaks_rules;
        snprintf(run->name, sizeof run->name, "%s: %s", group, tests[t].name);
        if (part && !strstr(run->name, part))
            continue;
        list[count++] = (struct CMUnitTest){run->name, run_case, set_up, tear_down, run};
    }
    return count > 0 ? _cmocka_run_group_tests(group, list, count, NULL, NULL) : 0;
}

/* An argument is a part of the names of the tests to run. */
int main(int argc, char **argv)
{
    char path[PATH_BYTES];
    int failed = 0;
    make_path(path, "x"); /* so that one process, this, removes the folder */
    for (const struct manner *manner = manners; manner->name; manner++) {
        for (const struct shape *shape = shapes; shape->name; shape++)
            failed +=
                !suits(manner, shape) ? 0 : run_subject(manner, shape, argc > 1 ? argv[1] : NULL);
    }
    return failed != 0;
}
