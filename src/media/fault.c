/* SPDX-License-Identifier: BSD-3-Clause */
#include "media/fault.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/must.h"
#include "base/prng.h"
#include "media/rules.h"
#include "media/wrap.h"

/* A twin's `note`: what to do when it lands. With FAIL its `begun_ns` is the status; while it is
 * held its `due_ns` is the number of submissions to wait for. */
enum { NOTE_NOTHING, NOTE_FLIP, NOTE_FAIL };

struct fault_chunk {
    uint32_t writes; /* in flight, held ones too */
    uint32_t held;   /* of them */
    bool broken;     /* a write failed while others were behind it: they fail too */
    bool retired;
    bool to_finish; /* retired, and its slot not yet given back */
    enum hftl_chunk_state state;
};

struct fault {
    struct wrap wrap;
    struct fault_rule rules[FAULT_RULES_MAX];
    uint64_t matched[FAULT_RULES_MAX], fired[FAULT_RULES_MAX];
    uint32_t rule_count;
    struct prng prng;
    struct fault_chunk *chunks;
    struct wrap_twin *held_first, **held_last;
    uint64_t submitted;
    unsigned own_ops; /* of ours, in the inner medium */
};

static bool is_write(enum hftl_media_verb verb)
{
    return verb == HFTL_MEDIA_WRITE || verb == HFTL_MEDIA_APPEND;
}

static struct fault_chunk *find_chunk(struct fault *fault, const struct hftl_media_op *op)
{
    bool placed = rules_concern_chunk(op->verb);
    return placed && op->chunk < hftl_media_chunks(&fault->wrap.media.facts)
               ? &fault->chunks[op->chunk]
               : NULL;
}

/* ---- rules ------------------------------------------------------------------------------- */

static bool covers(uint32_t first, uint32_t count, uint32_t at, uint32_t n)
{
    return (uint64_t)at < (uint64_t)first + count && first < (uint64_t)at + n;
}

static bool applies(const struct fault_rule *rule, const struct hftl_media_op *op)
{
    if (rule->verbs != 0 && (rule->verbs & FAULT_VERB(op->verb)) == 0)
        return false;
    if (rule->deed == FAULT_FLIP && op->verb != HFTL_MEDIA_READ)
        return false;
    if (rule->chunk_count == 0 || rule->deed == FAULT_RETIRE) /* there they are the target */
        return true;
    bool report = op->verb == HFTL_MEDIA_REPORT;
    if (!rules_concern_chunk(op->verb) && !report)
        return false;
    if (!covers(rule->chunk_first, rule->chunk_count, op->chunk, report ? op->blocks : 1))
        return false;
    bool blocks = is_write(op->verb) || op->verb == HFTL_MEDIA_READ;
    return rule->offset_blocks == 0 || !blocks ||
           covers(rule->offset_first, rule->offset_blocks, op->offset, op->blocks);
}

static bool fires(struct fault *fault, uint32_t i)
{
    const struct fault_rule *rule = &fault->rules[i];
    uint64_t count = ++fault->matched[i];
    if (rule->nth != 0)
        return rule->onwards ? count >= rule->nth : count == rule->nth;
    return rule->per_million == 0 || prng_chance(&fault->prng, rule->per_million, 1000000);
}

/* The rule that decides on the op; NULL: none. */
static const struct fault_rule *consult(struct fault *fault, const struct hftl_media_op *op)
{
    const struct fault_rule *found = NULL;
    for (uint32_t i = 0; i < fault->rule_count; i++) {
        if (!applies(&fault->rules[i], op) || !fires(fault, i) || found)
            continue;
        found = &fault->rules[i];
        fault->fired[i]++;
    }
    return found;
}

/* ---- retiring ---------------------------------------------------------------------------- */

static void finish_own(struct hftl_media_op *op)
{
    struct fault *fault = op->owner;
    fault->own_ops--;
    wrap_drop(&fault->wrap, (struct wrap_twin *)op);
}

static void send_own(struct fault *fault, struct hftl_media_op *model,
                     void (*land)(struct hftl_media_op *op))
{
    struct wrap_twin *twin = wrap_twin(&fault->wrap, model, land);
    if (!twin)
        return; /* the slot stays taken, that is all */
    fault->own_ops++;
    wrap_send(&fault->wrap, twin);
}

static void finish_own_report(struct hftl_media_op *op)
{
    struct fault *fault = op->owner;
    const struct hftl_chunk c = *op->out.report;
    struct hftl_media_op finish = {.verb = HFTL_MEDIA_FINISH, .chunk = op->chunk};
    bool partial = c.state == HFTL_CHUNK_OPEN || c.state == HFTL_CHUNK_PAUSED;
    enum hftl_status status = op->status;
    free(op->out.report);
    finish_own(op);
    if (status == HFTL_OK && partial)
        send_own(fault, &finish, finish_own);
}

/* Gives back the slot of a chunk that was retired partly written, once nothing is written there. */
static void give_slot(struct fault *fault, uint32_t chunk)
{
    struct fault_chunk *c = &fault->chunks[chunk];
    if (!c->to_finish || c->writes > c->held)
        return;
    c->to_finish = false;
    struct hftl_chunk *report = malloc(sizeof *report);
    struct hftl_media_op op = {
        .verb = HFTL_MEDIA_REPORT, .chunk = chunk, .blocks = 1, .out.report = report};
    if (report)
        send_own(fault, &op, finish_own_report);
}

static void retire(struct fault *fault, uint32_t chunk, enum hftl_chunk_state state)
{
    struct fault_chunk *c = &fault->chunks[chunk];
    if (c->retired && c->state == HFTL_CHUNK_OFFLINE)
        return; /* M7: only further down */
    bool news = !c->retired;
    c->retired = true;
    c->state = state;
    c->to_finish = news && (fault->wrap.media.facts.flags & HFTL_MEDIA_CAN_FINISH) != 0;
    give_slot(fault, chunk);
}

static void retire_by_rule(struct fault *fault, const struct fault_rule *rule,
                           const struct hftl_media_op *op)
{
    uint32_t count = hftl_media_chunks(&fault->wrap.media.facts);
    if (rule->chunk_count == 0) {
        if (find_chunk(fault, op))
            retire(fault, op->chunk, rule->state);
        return;
    }
    for (uint32_t i = rule->chunk_first; i < count && i - rule->chunk_first < rule->chunk_count;
         i++)
        retire(fault, i, rule->state);
}

/* What a retired chunk answers without asking the inner medium. */
static enum hftl_status judge_retired(const struct fault_chunk *c, enum hftl_media_verb verb)
{
    if (c->state == HFTL_CHUNK_OFFLINE)
        return HFTL_OFFLINE;
    return verb == HFTL_MEDIA_READ ? HFTL_OK : HFTL_READ_ONLY;
}

/* ---- landing ----------------------------------------------------------------------------- */

static void flip_bit(struct fault *fault, const struct hftl_media_op *op)
{
    uint64_t bits = (uint64_t)op->blocks * fault->wrap.media.facts.block_bytes * 8;
    uint64_t bit = prng_below(&fault->prng, bits);
    ((uint8_t *)op->data)[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

static void show_retired(struct fault *fault, const struct hftl_media_op *op)
{
    for (uint32_t i = 0; i < op->blocks; i++) {
        const struct fault_chunk *c = &fault->chunks[op->chunk + i];
        if (c->retired && op->out.report[i].state != HFTL_CHUNK_OFFLINE)
            op->out.report[i].state = c->state;
    }
}

/* The status that the caller's op lands with. */
static enum hftl_status find_status(struct fault *fault, const struct wrap_twin *twin)
{
    const struct fault_chunk *c = find_chunk(fault, twin->outer);
    if (twin->note == NOTE_FAIL)
        return (enum hftl_status)twin->begun_ns;
    if (twin->op.verb == HFTL_MEDIA_READ && twin->op.status == HFTL_RULE_READ && c && c->retired)
        return HFTL_IO; /* in the window of a chunk that ended */
    return twin->op.status;
}

static void finish_op(struct hftl_media_op *op)
{
    struct wrap_twin *twin = (struct wrap_twin *)op;
    struct fault *fault = op->owner;
    struct hftl_media_op *outer = twin->outer;
    enum hftl_status status = find_status(fault, twin);
    if (twin->note == NOTE_FLIP && status == HFTL_OK)
        flip_bit(fault, outer);
    if (op->verb == HFTL_MEDIA_REPORT && status == HFTL_OK)
        show_retired(fault, op);
    outer->offset = op->offset; /* R7 */
    wrap_drop(&fault->wrap, twin);
    wrap_done(&fault->wrap, outer, status);
}

static void note_landing(struct wrap *wrap, struct hftl_media_op *op)
{
    struct fault *fault = (struct fault *)wrap;
    struct fault_chunk *c = find_chunk(fault, op);
    if (!c || !is_write(op->verb))
        return;
    must(c->writes > 0);
    if (--c->writes == 0)
        c->broken = false;
    give_slot(fault, op->chunk);
}

/* ---- doing ------------------------------------------------------------------------------- */

static void answer(struct fault *fault, struct wrap_twin *twin, enum hftl_status status)
{
    struct hftl_media_op *outer = twin->outer;
    wrap_drop(&fault->wrap, twin);
    wrap_done(&fault->wrap, outer, status);
}

/* The failing write's beginning reaches the medium, or the chunk is closed. */
static void fail_write(struct fault *fault, struct wrap_twin *twin, const struct fault_rule *rule)
{
    struct hftl_media_op *op = &twin->op;
    uint32_t ws_min = fault->wrap.media.facts.ws_min;
    uint32_t keep = min_u32(rule->keep, op->blocks) / ws_min * ws_min;
    if (rule->status == HFTL_WRITE_SKIPPED) /* the chunk goes on after it */
        keep = op->blocks;
    fault->chunks[op->chunk].broken = keep < op->blocks;
    if (rule->status == HFTL_CLOSED_EARLY)
        op->verb = HFTL_MEDIA_FINISH;
    else if (keep == 0) {
        answer(fault, twin, rule->status);
        return;
    }
    op->blocks = keep;
    twin->note = NOTE_FAIL;
    twin->begun_ns = rule->status;
    wrap_send(&fault->wrap, twin);
}

/* until 0: as soon as nothing is held before it in its chunk. */
static void hold(struct fault *fault, struct wrap_twin *twin, uint64_t until)
{
    struct fault_chunk *c = find_chunk(fault, twin->outer);
    if (c && is_write(twin->outer->verb))
        c->held++;
    twin->due_ns = until;
    twin->next = NULL;
    *fault->held_last = twin;
    fault->held_last = &twin->next;
}

/* The op's own fate, once it is not held. */
static void act(struct fault *fault, struct wrap_twin *twin, const struct fault_rule *rule)
{
    struct fault_chunk *c = find_chunk(fault, twin->outer);
    bool write = c && is_write(twin->outer->verb);
    bool fails = rule && rule->deed == FAULT_FAIL;
    enum hftl_status status = c && c->retired ? judge_retired(c, twin->outer->verb) : HFTL_OK;
    if (status == HFTL_OK && write && c->broken)
        status = HFTL_IO; /* behind a failed one */
    if (status == HFTL_OK && fails && write) {
        fail_write(fault, twin, rule);
        return;
    }
    if (status == HFTL_OK && fails)
        status = rule->status;
    if (status != HFTL_OK) {
        answer(fault, twin, status);
        return;
    }
    twin->note = rule && rule->deed == FAULT_FLIP ? NOTE_FLIP : NOTE_NOTHING;
    wrap_send(&fault->wrap, twin);
}

static void submit_op(struct fault *fault, struct hftl_media_op *op)
{
    struct fault_chunk *c = find_chunk(fault, op);
    bool write = c && is_write(op->verb);
    fault->submitted++;
    enum hftl_status status = wrap_take(&fault->wrap, op);
    if (write)
        c->writes++;
    if (status != HFTL_OK) {
        wrap_done(&fault->wrap, op, status);
        return;
    }
    const struct fault_rule *rule = consult(fault, op);
    if (rule && rule->deed == FAULT_RETIRE)
        retire_by_rule(fault, rule, op);
    struct wrap_twin *twin = wrap_twin(&fault->wrap, op, finish_op);
    if (!twin)
        wrap_done(&fault->wrap, op, HFTL_MEMORY);
    else if (rule && rule->deed == FAULT_HOLD)
        hold(fault, twin, rule->until == 0 ? UINT64_MAX : fault->submitted + rule->until);
    else if (write && c->held > 0) /* behind one that is held */
        hold(fault, twin, 0);
    else
        act(fault, twin, rule);
}

/* Those whose time has come go on, in the order in which they came. */
static unsigned let_go(struct fault *fault, bool all)
{
    struct wrap_twin *twin = fault->held_first;
    unsigned count = 0;
    fault->held_first = NULL;
    fault->held_last = &fault->held_first;
    for (struct wrap_twin *each = twin; each; each = each->next) {
        if (is_write(each->outer->verb) && find_chunk(fault, each->outer))
            find_chunk(fault, each->outer)->held = 0; /* counted anew, of those that stay */
    }
    for (struct wrap_twin *next; twin; twin = next) {
        next = twin->next;
        const struct fault_chunk *c = find_chunk(fault, twin->outer);
        bool behind = c && is_write(twin->outer->verb) && c->held > 0;
        if (behind || (!all && twin->due_ns > fault->submitted)) {
            hold(fault, twin, twin->due_ns);
            continue;
        }
        count++;
        act(fault, twin, NULL);
    }
    return count;
}

/* ---- the contract ------------------------------------------------------------------------ */

static void submit_ops(struct hftl_media *media, struct hftl_media_op **ops, unsigned count)
{
    struct fault *fault = (struct fault *)media;
    for (unsigned i = 0; i < count; i++) {
        submit_op(fault, ops[i]);
        if (fault->held_first)
            (void)let_go(fault, false);
    }
    wrap_settle(&fault->wrap);
}

static unsigned reap_ops(struct hftl_media *media, unsigned max)
{
    struct fault *fault = (struct fault *)media;
    wrap_reap_inner(&fault->wrap, max + fault->own_ops); /* ours land nowhere */
    return wrap_land(&fault->wrap, max);
}

static void free_fault(struct fault *fault)
{
    free(fault->chunks);
    wrap_free(&fault->wrap);
    free(fault);
}

static void close_media(struct hftl_media *media)
{
    struct fault *fault = (struct fault *)media;
    struct hftl_media *inner = fault->wrap.inner;
    must_show(fault->wrap.in_flight == 0, fault->wrap.in_flight, 0);
    while (fault->own_ops > 0) {
        if (inner->ops->reap(inner, fault->own_ops) > 0)
            continue;
        struct pollfd ready = {.fd = inner->ops->fd(inner), .events = POLLIN};
        if (ready.fd >= 0)
            (void)!poll(&ready, 1, 1000);
    }
    free_fault(fault);
    inner->ops->close(inner);
}

static const struct hftl_media_ops fault_ops = {
    .name = "fault",
    .submit = submit_ops,
    .reap = reap_ops,
    .fd = wrap_fd,
    .close = close_media,
};

static bool is_of_the_world(enum hftl_status status)
{
    return status == HFTL_MEMORY || status == HFTL_SPACE || status == HFTL_IO ||
           status == HFTL_CLOSED_EARLY || status == HFTL_WRITE_SKIPPED;
}

const char *fault_rule_nonsense(const struct fault_rule *rule, const struct hftl_media_facts *facts)
{
    uint32_t writes = FAULT_VERB(HFTL_MEDIA_WRITE) | FAULT_VERB(HFTL_MEDIA_APPEND);
    bool of_write = rule->status == HFTL_CLOSED_EARLY || rule->status == HFTL_WRITE_SKIPPED;
    bool finish = (facts->flags & HFTL_MEDIA_CAN_FINISH) != 0;
    bool queue = (facts->flags & HFTL_MEDIA_CAN_QUEUE) != 0;
    if (rule->deed == FAULT_FAIL && !is_of_the_world(rule->status))
        return "a medium may not fail with such a status";
    if (rule->deed == FAULT_FAIL && of_write && (rule->verbs == 0 || (rule->verbs & ~writes) != 0))
        return "only a write ends with such a status";
    if (rule->deed == FAULT_FAIL && rule->status == HFTL_CLOSED_EARLY && (!finish || queue))
        return "this medium cannot close a chunk early (it has no finish, or writes queue)";
    if (rule->deed == FAULT_RETIRE && rule->state != HFTL_CHUNK_READ_ONLY &&
        rule->state != HFTL_CHUNK_OFFLINE)
        return "a chunk retires to read-only or offline";
    if (rule->deed == FAULT_RETIRE && !finish && facts->open_max + facts->active_max > 0)
        return "a chunk of this medium cannot give its slot back (it has a limit and no finish)";
    if (rule->per_million > 1000000)
        return "a chance of more than one";
    return NULL;
}

static enum hftl_status check_rules(const struct fault_options *options,
                                    const struct hftl_media_facts *facts)
{
    if (options->rule_count > FAULT_RULES_MAX)
        return HFTL_INVALID;
    for (uint32_t i = 0; i < options->rule_count; i++) {
        if (fault_rule_nonsense(&options->rules[i], facts))
            return HFTL_INVALID;
    }
    return HFTL_OK;
}

enum hftl_status fault_open(struct hftl_media *inner, const struct fault_options *options,
                            struct hftl_media **media)
{
    must(options->size == sizeof *options);
    enum hftl_status status = check_rules(options, &inner->facts);
    if (status != HFTL_OK)
        return status;
    struct fault *fault = calloc(1, sizeof *fault);
    if (!fault)
        return HFTL_MEMORY;
    bool holds = false;
    for (uint32_t i = 0; i < options->rule_count; i++) {
        fault->rules[i] = options->rules[i];
        holds |= options->rules[i].deed == FAULT_HOLD;
    }
    fault->rule_count = options->rule_count;
    fault->held_last = &fault->held_first;
    prng_seed(&fault->prng, options->seed);
    status = wrap_init(&fault->wrap, &fault_ops, inner, holds);
    if (status != HFTL_OK) {
        free(fault);
        return status;
    }
    fault->wrap.landing = note_landing;
    fault->chunks = calloc(hftl_media_chunks(&inner->facts), sizeof *fault->chunks);
    if (!fault->chunks) {
        free_fault(fault);
        return HFTL_MEMORY;
    }
    *media = &fault->wrap.media;
    return HFTL_OK;
}

uint64_t fault_fired(const struct hftl_media *media, uint32_t rule)
{
    return rule < FAULT_RULES_MAX ? ((const struct fault *)media)->fired[rule] : 0;
}

unsigned fault_release(struct hftl_media *media)
{
    struct fault *fault = (struct fault *)media;
    unsigned count = let_go(fault, true);
    wrap_settle(&fault->wrap);
    return count;
}

void fault_retire(struct hftl_media *media, uint32_t chunk, enum hftl_chunk_state state)
{
    must(state == HFTL_CHUNK_READ_ONLY || state == HFTL_CHUNK_OFFLINE);
    retire((struct fault *)media, chunk, state);
    wrap_settle((struct wrap *)media);
}
