/* SPDX-License-Identifier: BSD-3-Clause */
#include "sim/model.h"

#include "base/must.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum act_kind { SEND, PASS, DRAIN, SETTLE, VERIFY, REOPEN, CRASH };

/* Sizes are shares, so that an act means something on every device. */
struct act {
    enum act_kind kind;
    enum hftl_verb verb;
    unsigned flags;
    uint32_t where;  /* of 2^32: the lba */
    uint32_t blocks; /* or steps, or the kind of cut */
    uint64_t seed;
    bool skipped;
};

struct model {
    const struct model_options *options;
    struct model_result *result;
    struct shape shape;
    struct harness harness;
    struct nand *nand;
    struct act acts[MODEL_ACTS_MAX];
    uint32_t count;
};

/* ---- the list -------------------------------------------------------------------------------- */

static enum hftl_verb choose_verb(struct prng *prng, unsigned taste)
{
    static const uint8_t shares[4][6] = {/* write, read, trim, zeroes, flush, flush of bands */
                                         {50, 25, 8, 4, 13, 0},
                                         {80, 10, 2, 1, 3, 1},
                                         {35, 20, 30, 10, 8, 2},
                                         {40, 10, 5, 2, 40, 0}};
    static const enum hftl_verb verbs[] = {HFTL_WRITE,        HFTL_READ,  HFTL_TRIM,
                                           HFTL_WRITE_ZEROES, HFTL_FLUSH, HFTL_FLUSH_BANDS};
    uint64_t sum = 0;
    for (int i = 0; i < 6; i++)
        sum += shares[taste][i];
    uint64_t drawn = prng_below(prng, sum);
    int i = 0;
    while (drawn >= shares[taste][i])
        drawn -= shares[taste][i++];
    return verbs[i];
}

static struct act make_act(struct prng *prng, unsigned taste, uint32_t span)
{
    struct act act = {.kind = SEND, .seed = prng_next(prng)};
    uint64_t drawn = prng_below(prng, 200);
    act.verb = choose_verb(prng, taste);
    act.where = (uint32_t)(prng_below(prng, UINT64_C(1) << 32) / span);
    act.blocks = 1 + (uint32_t)prng_below(prng, prng_chance(prng, 1, 8) ? HARNESS_BLOCKS_MAX : 4);
    if (prng_chance(prng, 1, 12) && act.verb != HFTL_READ && act.verb != HFTL_FLUSH &&
        act.verb != HFTL_FLUSH_BANDS)
        act.flags = HFTL_FUA;
    if (drawn < 40) {
        act.kind = PASS;
        act.blocks = 1 + (uint32_t)prng_below(prng, 12);
    } else if (drawn < 44) {
        act.kind = drawn < 43 ? DRAIN : SETTLE;
    } else if (drawn == 44) {
        act.kind = prng_chance(prng, 1, 3) ? VERIFY : REOPEN;
    } else if (drawn < 47) {
        act.kind = CRASH;
        act.blocks = (uint32_t)prng_below(prng, NAND_CUT_COUNT);
    }
    return act;
}

static void make_list(struct model *m)
{
    struct prng prng;
    prng_seed(&prng, m->options->seed);
    if (m->options->shape)
        m->shape = *m->options->shape;
    else
        shape_random(&m->shape, &prng);
    unsigned taste = (unsigned)prng_below(&prng, 4);
    uint32_t span = prng_chance(&prng, 1, 3) ? 8 : 1;
    m->count = m->options->acts < MODEL_ACTS_MAX ? m->options->acts : MODEL_ACTS_MAX;
    for (uint32_t i = 0; i < m->count; i++)
        m->acts[i] = make_act(&prng, taste, span);
    for (const char *at = m->options->skip; at && *at;) {
        char *rest;
        unsigned long first = strtoul(at, &rest, 10), last = first;
        if (*rest == '-')
            last = strtoul(rest + 1, &rest, 10);
        for (unsigned long i = first; i <= last && i < m->count; i++)
            m->acts[i].skipped = true;
        at = *rest == ',' ? rest + 1 : NULL;
    }
}

/* ---- running it ------------------------------------------------------------------------------ */

static void send(struct model *m, const struct act *act)
{
    struct harness *h = &m->harness;
    uint64_t size = harness_blocks(h), lba = (act->where * size) >> 32, blocks = act->blocks;
    if (act->verb == HFTL_FLUSH || act->verb == HFTL_FLUSH_BANDS)
        lba = blocks = 0;
    else if (blocks > size - lba)
        blocks = size - lba;
    harness_send(h, act->verb, act->flags, lba, blocks);
}

static void crash(struct model *m, const struct act *act)
{
    struct harness *h = &m->harness;
    harness_crash(h);
    nand_cut(m->nand, (enum nand_cut)act->blocks, act->seed);
    m->result->crashes++;
    if (harness_open(h) && act->seed % 3 != 0)
        harness_verify(h);
}

static void do_act(struct model *m, const struct act *act)
{
    struct harness *h = &m->harness;
    switch (act->kind) {
    case SEND:
        send(m, act);
        break;
    case PASS:
        for (uint32_t i = 0; i < act->blocks && !h->failure.failed; i++)
            harness_step(h);
        break;
    case DRAIN:
        harness_drain(h);
        break;
    case SETTLE:
        harness_settle(h);
        break;
    case VERIFY:
        harness_verify(h);
        break;
    case REOPEN:
        harness_close(h);
        if (!h->failure.failed)
            (void)harness_open(h);
        break;
    case CRASH:
        crash(m, act);
        break;
    }
}

static void say_act(const struct model *m, uint32_t at)
{
    static const char *const kinds[] = {"send",   "pass",   "drain", "settle",
                                        "verify", "reopen", "crash"};
    static const char *const verbs[] = {"read", "write", "flush", "trim", "zeroes", "extents"};
    const struct act *act = &m->acts[at];
    if (!m->options->verbose)
        return;
    fprintf(stderr, "  %4" PRIu32 " %s", at, kinds[act->kind]);
    if (act->kind == SEND)
        fprintf(stderr, " %s at %" PRIu64 ", %" PRIu32 " blocks%s", verbs[act->verb],
                (act->where * harness_blocks(&m->harness)) >> 32, act->blocks,
                act->flags ? ", FUA" : "");
    if (act->kind == CRASH)
        fprintf(stderr, " %s", nand_cut_name((enum nand_cut)act->blocks));
    fprintf(stderr, "\n");
}

static void run_acts(void *arg)
{
    struct model *m = arg;
    struct harness *h = &m->harness;
    if (!harness_open(h))
        return;
    for (uint32_t i = 0; i < m->count && !h->failure.failed; i++) {
        if (m->acts[i].skipped)
            continue;
        say_act(m, i);
        do_act(m, &m->acts[i]);
        m->result->acts++;
    }
    if (!h->failure.failed)
        harness_verify(h);
    if (!h->failure.failed)
        harness_close(h);
    if (!h->failure.failed && harness_open(h))
        harness_verify(h);
    if (!h->failure.failed)
        harness_close(h);
}

static void run_list(struct model *m, struct model_result *result)
{
    memset(result, 0, sizeof *result);
    m->result = result;
    m->nand = shape_make(&m->shape, m->options->seed);
    struct harness_options options =
        shape_options(&m->shape, m->options->engine, m->nand, m->options->seed);
    options.depth = 1 + (uint32_t)(m->options->seed % 32);
    options.check_every = 1;
    options.judges = m->options->judges;
    options.verbose = m->options->verbose;
    harness_init(&m->harness, &options, NULL);
    if (!failure_trap(run_acts, m)) {
        failure_say(&result->failure, "%s", failure_why());
        return; /* what it owned is leaked */
    }
    if (m->harness.failure.failed)
        result->failure = m->harness.failure;
    if (m->harness.device)
        harness_crash(&m->harness);
    result->steps = m->harness.steps;
    result->judged = m->harness.oracle ? oracle_judged(m->harness.oracle) : 0;
    oracle_destroy(m->harness.oracle);
    harness_free(&m->harness);
    nand_destroy(m->nand);
}

static struct model *make(const struct model_options *options)
{
    struct model *m = calloc(1, sizeof *m);
    must(m != NULL);
    m->options = options;
    make_list(m);
    return m;
}

void model_run(const struct model_options *options, struct model_result *result)
{
    struct model *m = make(options);
    run_list(m, result);
    free(m);
}

/* ---- making it small ------------------------------------------------------------------------- */

/* Leaves out acts [first, first + count) if the rest still fails. */
static bool leave_out(struct model *m, uint32_t first, uint32_t count, struct model_result *result)
{
    bool before[MODEL_ACTS_MAX];
    struct model_result trial;
    uint32_t changed = 0;
    for (uint32_t i = first; i < first + count && i < m->count; i++) {
        before[i] = m->acts[i].skipped;
        changed += !before[i];
        m->acts[i].skipped = true;
    }
    if (changed == 0)
        return true;
    run_list(m, &trial);
    if (trial.failure.failed) {
        *result = trial;
        return true;
    }
    for (uint32_t i = first; i < first + count && i < m->count; i++)
        m->acts[i].skipped = before[i];
    return false;
}

static void write_replay(const struct model *m, struct model_result *result)
{
    size_t used = 0, room = sizeof result->replay;
    char *text = result->replay;
    used +=
        (size_t)snprintf(text, room, "build/hostftl-sim model --seed %" PRIu64 " --acts %" PRIu32,
                         m->options->seed, m->count);
    if (m->options->shape)
        used += (size_t)snprintf(text + used, room - used, " --geometry %s", m->shape.name);
    used +=
        (size_t)snprintf(text + used, room - used, "%s%s", tuning_option(), shape_latency_option());
    const char *lead = " --skip ";
    for (uint32_t i = 0; i < m->count && used + 32 < room; i++) {
        if (!m->acts[i].skipped)
            continue;
        uint32_t last = i;
        while (last + 1 < m->count && m->acts[last + 1].skipped)
            last++;
        used += (size_t)snprintf(text + used, room - used, "%s%" PRIu32 "-%" PRIu32, lead, i, last);
        lead = ",";
        i = last;
    }
}

void model_run_and_shrink(const struct model_options *options, uint32_t tries,
                          struct model_result *result)
{
    struct model *m = make(options);
    run_list(m, result);
    if (result->failure.failed) {
        uint32_t part = (m->count + 1) / 2;
        bool again = false;
        while (part > 0 && tries > 0) {
            for (uint32_t at = 0; at < m->count && tries > 0; at += part, tries--)
                again |= !m->acts[at].skipped && leave_out(m, at, part, result);
            if (part == 1 && !again)
                break;
            part = part > 1 ? part / 2 : 1;
            if (part == 1)
                again = false;
        }
        write_replay(m, result);
    }
    free(m);
}
