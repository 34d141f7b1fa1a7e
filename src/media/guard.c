/* SPDX-License-Identifier: BSD-3-Clause */
#include "media/guard.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "media/rules.h"

struct guard_chunk {
    struct hftl_chunk known; /* as of what landed; PAUSED is kept as OPEN */
    uint32_t wp_sent;        /* where the next write has to start */
    uint32_t wp_high;        /* unsure: the write pointer is in known.wp .. wp_high */
    uint32_t pending;        /* blocks of appends that landed out of order */
    uint32_t reads, writes, resets, finishes; /* in flight */
    uint64_t changed; /* when an op that changes it was last submitted or landed */
    bool unsure;
    bool counted; /* among the active ones */
};

/* The guard's own op for one of the caller's, so that the medium's scratch is not shared. */
struct shadow {
    struct hftl_media_op op;
    struct hftl_media_op *outer;
    struct shadow *next;
    uint64_t when;
    bool busy;
    bool illegal; /* a breach that is tolerated */
};

struct guard {
    struct hftl_media media;
    struct hftl_media *inner;
    struct guard_options options;
    struct guard_counts counts;
    struct guard_chunk *chunks;
    uint32_t active_count;
    uint64_t now; /* counts submissions and landings */
    struct shadow *spare;
    bool submitting, reaping;
    unsigned landed; /* during this reap */
};

static bool is_change(enum hftl_media_verb verb)
{
    return rules_concern_chunk(verb) && verb != HFTL_MEDIA_READ;
}

static bool is_write(enum hftl_media_verb verb)
{
    return verb == HFTL_MEDIA_WRITE || verb == HFTL_MEDIA_APPEND;
}

static bool is_rule(enum hftl_status status)
{
    return status == HFTL_RULE_ORDER || status == HFTL_RULE_ALIGN || status == HFTL_RULE_BOUNDS ||
           status == HFTL_RULE_STATE || status == HFTL_RULE_OPEN_LIMIT ||
           status == HFTL_RULE_READ || status == HFTL_RULE_FLIGHT;
}

static bool is_gone(enum hftl_chunk_state state)
{
    return state == HFTL_CHUNK_READ_ONLY || state == HFTL_CHUNK_OFFLINE;
}

static void tell(const struct hftl_media_op *op, const char *what)
{
    fprintf(stderr, "hostftl: guard: %s of chunk %u, offset %u, %u blocks: %s\n",
            rules_verb_text(op->verb), op->chunk, op->offset, op->blocks, what);
}

/* An active slot is taken when the first write is submitted, not when it lands. */
static void recount(struct guard *guard, struct guard_chunk *c)
{
    bool active =
        c->known.state == HFTL_CHUNK_OPEN || (c->known.state == HFTL_CHUNK_FREE && c->writes > 0);
    if (active && !c->counted)
        guard->active_count++;
    if (!active && c->counted)
        guard->active_count--;
    c->counted = active;
}

/* ---- the caller's side ------------------------------------------------------------------- */

/* The verdict of the rules on what the caller may know. */
static enum hftl_status judge(const struct guard *guard, const struct hftl_media_op *op)
{
    const struct hftl_media_facts *facts = &guard->media.facts;
    enum hftl_status status = rules_judge_shape(facts, op);
    if (status != HFTL_OK || !rules_concern_chunk(op->verb))
        return status;
    const struct guard_chunk *c = &guard->chunks[op->chunk];
    struct hftl_chunk view = c->known;
    if (is_write(op->verb) && !is_gone(view.state)) {
        view.wp = c->wp_sent;
        if (view.state == HFTL_CHUNK_FREE && view.wp > 0)
            view.state = HFTL_CHUNK_OPEN;
        if (view.wp == view.capacity)
            view.state = HFTL_CHUNK_FULL;
    }
    struct rules_place place = {
        .chunk = &view,
        .reads = c->reads,
        .writes = c->writes,
        .reset = c->resets > 0,
        .finish = c->finishes > 0,
        .open_count = guard->active_count,
        .active_count = guard->active_count,
    };
    return rules_judge(facts, &place, op);
}

/* True: a breach that the options tolerate. */
static bool check_caller(struct guard *guard, const struct hftl_media_op *op)
{
    enum hftl_status status = judge(guard, op);
    if (status == HFTL_RULE_READ && guard->options.tolerate_reads) {
        guard->counts.unreadable_reads += op->blocks;
        return true;
    }
    /* READ_ONLY and OFFLINE are the world's doing; the caller may not know yet. */
    bool breach = status != HFTL_OK && status != HFTL_READ_ONLY && status != HFTL_OFFLINE;
    if (breach && guard->options.tolerate_refusals)
        return true;
    if (breach) {
        tell(op, hftl_status_name(status));
        must_show(status == HFTL_OK, op->chunk, op->offset);
    }
    if (is_change(op->verb) && guard->chunks[op->chunk].unsure) {
        tell(op, "used after a failure without a report (M3)");
        must_show(!"the chunk was reported", op->chunk, op->offset);
    }
    return false;
}

static struct shadow *take_shadow(struct guard *guard, struct hftl_media_op *outer)
{
    struct shadow *shadow = guard->spare;
    if (shadow)
        guard->spare = shadow->next;
    else
        shadow = malloc(sizeof *shadow);
    must(shadow != NULL);
    memset(shadow, 0, sizeof *shadow);
    shadow->outer = outer;
    shadow->busy = true;
    shadow->op.verb = outer->verb;
    shadow->op.chunk = outer->chunk;
    shadow->op.offset = outer->offset;
    shadow->op.blocks = outer->blocks;
    shadow->op.data = outer->data;
    shadow->op.oob = outer->oob;
    shadow->op.out = outer->out;
    shadow->op.owner = guard;
    return shadow;
}

static uint32_t *find_count(struct guard_chunk *c, enum hftl_media_verb verb)
{
    switch (verb) {
    case HFTL_MEDIA_READ:
        return &c->reads;
    case HFTL_MEDIA_RESET:
        return &c->resets;
    case HFTL_MEDIA_FINISH:
        return &c->finishes;
    default:
        return &c->writes;
    }
}

static void note_departure(struct guard *guard, struct shadow *shadow)
{
    const struct hftl_media_op *op = &shadow->op;
    guard->counts.submitted[op->verb]++;
    guard->counts.ops++;
    guard->counts.in_flight++;
    shadow->when = ++guard->now;
    if (shadow->illegal || !rules_concern_chunk(op->verb))
        return;
    struct guard_chunk *c = &guard->chunks[op->chunk];
    (*find_count(c, op->verb))++;
    if (is_change(op->verb))
        c->changed = guard->now;
    if (is_write(op->verb) && !is_gone(c->known.state))
        c->wp_sent += op->blocks;
    recount(guard, c);
}

/* ---- the medium's side ------------------------------------------------------------------- */

static void land_write(struct guard_chunk *c, const struct hftl_media_op *op)
{
    if (op->status != HFTL_OK) {
        c->unsure = true;
        c->wp_high = c->wp_sent > c->known.wp ? c->wp_sent : c->known.wp;
        return;
    }
    if (c->unsure) { /* behind a failed one: at least this far */
        c->known.wp = op->offset + op->blocks;
    } else if (op->offset == c->known.wp) {
        c->known.wp += op->blocks;
    } else {
        bool ahead = op->offset > c->known.wp && op->offset + op->blocks <= c->wp_sent;
        must_show(op->verb == HFTL_MEDIA_APPEND && ahead, op->offset, c->known.wp); /* M3 */
        c->pending += op->blocks;
    }
    if (c->writes == 0) {
        c->known.wp += c->unsure ? 0 : c->pending;
        c->pending = 0;
        must_show(c->unsure || c->known.wp == c->wp_sent, c->known.wp, c->wp_sent); /* M3 */
    }
    c->known.state = c->known.wp == c->known.capacity ? HFTL_CHUNK_FULL : HFTL_CHUNK_OPEN;
}

static void land_reset(struct guard_chunk *c, const struct hftl_media_op *op)
{
    if (op->status == HFTL_OK) {
        c->known.state = HFTL_CHUNK_FREE;
        c->known.wear += c->known.wear > 0;
    } else {
        c->unsure = true;
        c->wp_high = c->known.wp;
    }
    c->known.wp = 0;
    c->wp_sent = 0;
}

static void land_change(struct guard *guard, const struct hftl_media_op *op)
{
    struct guard_chunk *c = &guard->chunks[op->chunk];
    c->changed = guard->now;
    if (op->status == HFTL_AGAIN) { /* M8: as if it had never been sent */
        if (is_write(op->verb) && !is_gone(c->known.state))
            c->wp_sent -= op->blocks;
    } else if (is_gone(c->known.state)) {
        must_show(op->status != HFTL_OK, op->chunk, c->known.state); /* M7 */
    } else if (is_write(op->verb)) {
        land_write(c, op);
    } else if (op->verb == HFTL_MEDIA_RESET) {
        land_reset(c, op);
    } else if (op->status == HFTL_OK) {
        c->known.state = HFTL_CHUNK_FULL;
    } else {
        c->unsure = true;
        c->wp_high = c->known.wp;
    }
}

/* What the medium says of a chunk against what must be so. */
static void check_report(const struct guard *guard, uint32_t chunk, const struct hftl_chunk *said)
{
    const struct guard_chunk *c = &guard->chunks[chunk];
    must_show(rules_chunk_sane(&guard->media.facts, said), chunk, said->wp);
    must_show(said->capacity == c->known.capacity, chunk, said->capacity);
    must_show(said->wear >= c->known.wear, chunk, said->wear);
    if (said->state == HFTL_CHUNK_OFFLINE)
        return;
    if (is_gone(c->known.state)) /* M7: never comes back */
        must_show(said->state == c->known.state, chunk, said->state);
    if (c->unsure) {
        must_show(said->wp >= c->known.wp && said->wp <= c->wp_high, said->wp, c->known.wp);
        return;
    }
    must_show(said->wp == c->known.wp, said->wp, c->known.wp); /* M3 */
    enum hftl_chunk_state state = said->state == HFTL_CHUNK_PAUSED ? HFTL_CHUNK_OPEN : said->state;
    must_show(state == c->known.state || is_gone(state), state, c->known.state);
}

static void adopt(struct guard *guard, uint32_t chunk, const struct hftl_chunk *said)
{
    struct guard_chunk *c = &guard->chunks[chunk];
    c->known = *said;
    if (said->state == HFTL_CHUNK_PAUSED)
        c->known.state = HFTL_CHUNK_OPEN;
    c->wp_sent = said->wp;
    c->pending = 0;
    c->unsure = false;
    recount(guard, c);
}

static void land_report(struct guard *guard, const struct shadow *shadow)
{
    const struct hftl_media_op *op = &shadow->op;
    for (uint32_t i = 0; i < op->blocks; i++) {
        const struct guard_chunk *c = &guard->chunks[op->chunk + i];
        bool busy = c->writes + c->resets + c->finishes > 0;
        if (busy || c->changed > shadow->when)
            continue; /* made before or after: no telling */
        check_report(guard, op->chunk + i, &op->out.report[i]);
        adopt(guard, op->chunk + i, &op->out.report[i]);
    }
}

static void land_op(struct guard *guard, const struct shadow *shadow)
{
    const struct hftl_media_op *op = &shadow->op;
    if (!rules_concern_chunk(op->verb)) {
        if (op->verb == HFTL_MEDIA_REPORT && op->status == HFTL_OK && !shadow->illegal)
            land_report(guard, shadow);
        return;
    }
    if (shadow->illegal) { /* the medium must have seen it too */
        must_show(op->status != HFTL_OK || op->verb == HFTL_MEDIA_READ, op->chunk, op->offset);
        return;
    }
    if (is_rule(op->status)) {
        tell(op, "refused, though it is legal");
        must_show(!is_rule(op->status), op->status, op->chunk);
    }
    struct guard_chunk *c = &guard->chunks[op->chunk];
    uint32_t *count = find_count(c, op->verb);
    must(*count > 0);
    (*count)--;
    if (is_change(op->verb))
        land_change(guard, op);
    recount(guard, c);
}

static void receive(struct hftl_media_op *op)
{
    struct shadow *shadow = (struct shadow *)op;
    struct guard *guard = op->owner;
    must(shadow->busy);       /* M1: once */
    must(!guard->submitting); /* M1: not from submit */
    must(guard->reaping);     /* M1: from reap */
    must_show((unsigned)op->status < HFTL_STATUS_COUNT, op->status, op->chunk);
    guard->now++;
    guard->landed++;
    guard->counts.in_flight--;
    if (op->status != HFTL_OK)
        guard->counts.failed[op->verb]++;
    else if (is_write(op->verb))
        guard->counts.blocks_written += op->blocks;
    else if (op->verb == HFTL_MEDIA_READ)
        guard->counts.blocks_read += op->blocks;
    land_op(guard, shadow);
    struct hftl_media_op *outer = shadow->outer;
    outer->status = op->status;
    outer->offset = op->offset;
    shadow->busy = false;
    shadow->next = guard->spare;
    guard->spare = shadow;
    outer->land(outer);
}

/* ---- the contract ------------------------------------------------------------------------- */

static void submit_ops(struct hftl_media *media, struct hftl_media_op **ops, unsigned count)
{
    struct guard *guard = (struct guard *)media;
    must(!guard->submitting);
    for (unsigned i = 0; i < count; i++) {
        must(ops[i]->land != NULL);
        must((unsigned)ops[i]->verb < HFTL_MEDIA_VERB_COUNT);
        bool illegal = check_caller(guard, ops[i]);
        struct shadow *shadow = take_shadow(guard, ops[i]);
        shadow->illegal = illegal;
        shadow->op.land = receive;
        note_departure(guard, shadow);
        struct hftl_media_op *one = &shadow->op;
        guard->submitting = true;
        guard->inner->ops->submit(guard->inner, &one, 1);
        guard->submitting = false;
    }
}

static unsigned reap_ops(struct hftl_media *media, unsigned max)
{
    struct guard *guard = (struct guard *)media;
    must(!guard->reaping && !guard->submitting);
    bool due = guard->counts.in_flight > 0 && max > 0;
    guard->reaping = true;
    guard->landed = 0;
    unsigned landed = guard->inner->ops->reap(guard->inner, max);
    guard->reaping = false;
    must_show(landed <= max && landed == guard->landed, landed, guard->landed);
    /* fd() = -1: work that was submitted can be reaped at once */
    must(landed > 0 || !due || guard->inner->ops->fd(guard->inner) >= 0);
    return landed;
}

static int find_fd(struct hftl_media *media)
{
    struct hftl_media *inner = ((struct guard *)media)->inner;
    return inner->ops->fd(inner);
}

struct hftl_media *guard_abandon(struct hftl_media *media)
{
    struct guard *guard = (struct guard *)media;
    struct hftl_media *inner = guard->inner;
    while (guard->spare) {
        struct shadow *next = guard->spare->next;
        free(guard->spare);
        guard->spare = next;
    }
    free(guard->chunks);
    free(guard);
    return inner;
}

static void close_media(struct hftl_media *media)
{
    struct guard *guard = (struct guard *)media;
    must_show(guard->counts.in_flight == 0, guard->counts.in_flight, 0);
    struct hftl_media *inner = guard_abandon(media);
    inner->ops->close(inner);
}

static const struct hftl_media_ops guard_ops = {
    .name = "guard",
    .submit = submit_ops,
    .reap = reap_ops,
    .fd = find_fd,
    .close = close_media,
};

static void note_landing(struct hftl_media_op *op)
{
    *(bool *)op->owner = true;
}

static enum hftl_status read_chunks(struct guard *guard, uint32_t count, struct hftl_chunk *said)
{
    bool landed = false;
    struct hftl_media *inner = guard->inner;
    struct hftl_media_op op = {.verb = HFTL_MEDIA_REPORT,
                               .blocks = count,
                               .out.report = said,
                               .land = note_landing,
                               .owner = &landed};
    struct hftl_media_op *ops[] = {&op};
    inner->ops->submit(inner, ops, 1);
    must(!landed); /* M1 */
    while (!landed) {
        if (inner->ops->reap(inner, 1) > 0)
            continue;
        struct pollfd ready = {.fd = inner->ops->fd(inner), .events = POLLIN};
        must(ready.fd >= 0);
        (void)!poll(&ready, 1, 1000);
    }
    return op.status;
}

enum hftl_status guard_open(struct hftl_media *inner, const struct guard_options *options,
                            struct hftl_media **media)
{
    uint32_t count = hftl_media_chunks(&inner->facts);
    struct guard *guard = calloc(1, sizeof *guard);
    struct hftl_chunk *said = calloc(count, sizeof *said);
    enum hftl_status status = HFTL_MEMORY;
    if (!guard || !said)
        goto fail;
    guard->chunks = calloc(count, sizeof *guard->chunks);
    if (!guard->chunks)
        goto fail;
    guard->media.ops = &guard_ops;
    guard->media.facts = inner->facts;
    guard->inner = inner;
    if (options) {
        must(options->size == sizeof *options);
        guard->options = *options;
    }
    must(hftl_media_facts_nonsense(&inner->facts) == NULL);
    status = read_chunks(guard, count, said);
    if (status != HFTL_OK)
        goto fail;
    for (uint32_t i = 0; i < count; i++) {
        must_show(rules_chunk_sane(&inner->facts, &said[i]), i, said[i].wp);
        adopt(guard, i, &said[i]);
    }
    must_show(inner->facts.active_max == 0 || guard->active_count <= inner->facts.active_max,
              guard->active_count, inner->facts.active_max); /* R3 binds the drive as well */
    free(said);
    *media = &guard->media;
    return HFTL_OK;

fail:
    free(said);
    if (guard)
        free(guard->chunks);
    free(guard);
    return status;
}

void guard_count(const struct hftl_media *media, struct guard_counts *counts)
{
    *counts = ((const struct guard *)media)->counts;
}

struct hftl_media *guard_inner(struct hftl_media *media)
{
    return ((struct guard *)media)->inner;
}
