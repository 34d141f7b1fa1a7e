/* SPDX-License-Identifier: BSD-3-Clause */
#include "sim/explore.h"

#include "base/must.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Steps between two checks of all invariants, in the run itself and in what follows a cut. */
#define CHECK_EVERY_RUN 16u
#define CHECK_EVERY_CASE 64u
#define NESTED_MAX 3u

struct explorer {
    const struct explore_options *options;
    struct tally *tally;
    struct harness *harness; /* the run's */
    struct nand *nand;
    uint64_t op;    /* of the next moment */
    uint64_t slots; /* 0: only counting */
    bool stop;
};

/* What follows one cut. */
struct trial {
    const struct explore_options *options;
    struct tally *tally;
    struct nand *nand;
    struct oracle *oracle;
    struct harness harness;
    struct prng prng;
    struct failure failure;
    enum nand_cut cut;
    uint64_t judged; /* by the oracle before this harness had it */
    /* a fork taken in the middle of a recovery */
    struct nand *nested;
    uint64_t nested_at;
};

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t h = (a ^ UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xbf58476d1ce4e5b9);
    h = (h ^ h >> 29 ^ b) * UINT64_C(0x94d049bb133111eb);
    return h ^ h >> 32;
}

static void report(const struct explore_options *o, struct tally *tally, int64_t op, int variant,
                   const char *text)
{
    char replay[256], where[64] = "";
    if (op >= 0)
        snprintf(where, sizeof where, " --op %" PRId64 " --variant %d", op, variant);
    snprintf(replay, sizeof replay,
             "build/hostftl-sim --story %s --geometry %s%s --seed %" PRIu64 "%s%s", o->story->name,
             o->shape->name, where, o->seed, tuning_option(), shape_latency_option());
    if (tally->violations++ == 0) {
        snprintf(tally->first, sizeof tally->first, "%s", text);
        snprintf(tally->replay, sizeof tally->replay, "%s", replay);
    }
    if (!o->quiet)
        fprintf(stderr, "violation: %s\n    replay: %s\n", text, replay);
}

/* ---- what follows a cut ---------------------------------------------------------------------- */

static void say(const struct trial *t, const char *what)
{
    if (t->options->verbose)
        fprintf(stderr, "  %s\n", what);
}

static void cut(struct trial *t, struct nand *nand, enum nand_cut kind)
{
    uint64_t seed = prng_next(&t->prng);
    if (t->options->verbose)
        fprintf(stderr, "  cut %s (%s)\n", nand_cut_name(kind), nand_cut_text(kind));
    nand_cut(nand, kind, seed);
}

static enum nand_cut any_cut(struct trial *t)
{
    return (enum nand_cut)prng_below(&t->prng, NAND_CUT_COUNT);
}

static void begin(struct trial *t, struct nand *nand, struct oracle *oracle)
{
    struct harness_options options =
        shape_options(t->options->shape, t->options->engine, nand, prng_next(&t->prng));
    options.check_every = CHECK_EVERY_CASE;
    options.depth = t->options->story->depth;
    options.verbose = t->options->verbose;
    options.judges = t->options->judges;
    harness_init(&t->harness, &options, oracle);
    t->judged = oracle ? oracle_judged(oracle) : 0;
}

static void end(struct trial *t)
{
    struct harness *h = &t->harness;
    if (h->failure.failed)
        failure_say(&t->failure, "%s", h->failure.text);
    if (h->device)
        harness_crash(h);
    if (h->oracle)
        t->tally->judged += oracle_judged(h->oracle) - t->judged;
    harness_free(h);
}

static bool recover(struct trial *t)
{
    say(t, "recover");
    t->tally->recoveries++;
    return harness_open(&t->harness);
}

static void go_on(struct trial *t, uint32_t requests)
{
    struct telling telling;
    if (t->options->verbose)
        fprintf(stderr, "  go on for %" PRIu32 " requests\n", requests);
    story_enter(&telling, t->options->story, &t->harness, prng_next(&t->prng));
    for (uint32_t i = 0; i < requests && !t->harness.failure.failed; i++)
        story_go_on(&telling);
}

static bool is_well(const struct trial *t)
{
    return !t->harness.failure.failed;
}

/* Crash wherever the requests are, cut, recover, judge everything. */
static void crash_again(struct trial *t)
{
    if (!is_well(t))
        return;
    harness_crash(&t->harness);
    cut(t, t->harness.options.nand, any_cut(t));
    if (recover(t))
        harness_verify(&t->harness);
}

/* Many crashes with little between: no band may leak, and the device goes on at the end (9.5). */
static void weather_a_storm(struct trial *t)
{
    uint64_t crashes = 5 + prng_below(&t->prng, 20);
    for (uint64_t i = 0; i < crashes && is_well(t); i++) {
        go_on(t, (uint32_t)prng_below(&t->prng, 6));
        if (!is_well(t))
            return;
        harness_crash(&t->harness);
        cut(t, t->harness.options.nand, any_cut(t));
        (void)recover(t);
    }
    if (is_well(t))
        harness_verify(&t->harness);
    if (is_well(t))
        go_on(t, 60);
    if (is_well(t))
        harness_settle(&t->harness);
}

/*
 * Ways to go on after a recovery; each finds something the others cannot:
 *   0  judge (C6 pins what was seen), use the device, crash again
 *   1  judge, crash at once: what was rejected must stay rejected
 *   2  use the device without having looked, crash twice
 *   3  judge, use, close, open
 * and now and then a storm, whichever of them it was.
 */
static void live_on(struct trial *t)
{
    uint64_t way = prng_below(&t->prng, 4);
    if (!recover(t))
        return;
    if (way != 2)
        harness_verify(&t->harness);
    if (way != 1 && is_well(t))
        go_on(t, 2 + (uint32_t)prng_below(&t->prng, 24));
    if (way != 3)
        crash_again(t);
    if (way == 2 && is_well(t)) {
        go_on(t, 2 + (uint32_t)prng_below(&t->prng, 8));
        crash_again(t);
    }
    if (is_well(t) && prng_chance(&t->prng, 1, 24))
        weather_a_storm(t);
    if (!is_well(t))
        return;
    say(t, "close, open, judge");
    harness_close(&t->harness);
    if (is_well(t) && harness_open(&t->harness))
        harness_verify(&t->harness);
    if (is_well(t))
        harness_close(&t->harness);
}

/* ---- cuts inside a recovery ------------------------------------------------------------------ */

static void catch_moment(void *arg, uint64_t index, enum nand_moment moment,
                         const struct hftl_media_op *op)
{
    struct trial *t = arg;
    (void)moment;
    (void)op;
    if (index == t->nested_at && !t->nested)
        t->nested = nand_fork(t->harness.options.nand);
}

/* Recovers `nand`, which is used up, and forks it at a moment of that; NULL: it came to no moment.
 * The moments of a recovery are counted by doing it once on another fork. */
static struct nand *cut_recovery(struct trial *t, struct nand *nand)
{
    uint64_t chance = prng_next(&t->prng), moments = 0;
    t->nested = NULL;
    for (int counting = 1; counting >= 0; counting--) {
        struct nand *fork = nand_fork(nand);
        struct prng prng = t->prng;
        begin(t, fork, t->oracle ? oracle_copy(t->oracle) : NULL);
        t->nested_at = counting ? UINT64_MAX : chance % moments;
        nand_watch(fork, catch_moment, t);
        (void)harness_open(&t->harness);
        moments = nand_moments(fork);
        if (t->harness.device)
            harness_crash(&t->harness);
        struct oracle *oracle = t->harness.oracle;
        end(t);
        oracle_destroy(oracle);
        nand_destroy(fork);
        if (moments == 0)
            break;
        if (counting)
            t->prng = prng; /* the same recovery again */
    }
    nand_destroy(nand);
    return t->nested;
}

static void nest(struct trial *t, struct nand *nand)
{
    for (unsigned depth = 0; depth < NESTED_MAX && !t->failure.failed; depth++) {
        say(t, "nested: recover and cut that");
        struct nand *fork = cut_recovery(t, nand);
        nand = NULL;
        if (!fork)
            return;
        t->tally->nested++;
        cut(t, fork, any_cut(t));
        nand = fork;
        if (prng_chance(&t->prng, 1, 2))
            break;
    }
    begin(t, nand, t->oracle ? oracle_copy(t->oracle) : NULL);
    live_on(t);
    struct oracle *oracle = t->harness.oracle;
    end(t);
    oracle_destroy(oracle);
    nand_destroy(nand);
}

/* ---- one case -------------------------------------------------------------------------------- */

static void try_case(void *arg)
{
    struct trial *t = arg;
    cut(t, t->nand, t->cut);
    if (t->oracle)
        oracle_crash(t->oracle);
    nand_check(t->nand);
    if (prng_chance(&t->prng, 1, 3))
        nest(t, nand_fork(t->nand));
    if (!t->failure.failed) {
        begin(t, t->nand, t->oracle);
        live_on(t);
        t->oracle = t->harness.oracle;
        end(t);
    }
    oracle_destroy(t->oracle);
    nand_destroy(t->nand);
}

static void run_case(struct explorer *e, uint64_t op, enum nand_cut kind)
{
    const struct explore_options *o = e->options;
    struct trial t = {.options = o, .tally = e->tally, .cut = kind};
    prng_seed(&t.prng, mix(mix(o->seed, op), kind));
    t.nand = nand_fork(e->nand);
    t.oracle = e->harness->oracle ? oracle_copy(e->harness->oracle) : NULL;
    e->tally->cuts++;
    if (!failure_trap(try_case, &t))
        failure_say(&t.failure, "%s", failure_why());
    if (t.failure.failed)
        report(o, e->tally, (int64_t)op, (int)kind, t.failure.text);
    e->stop |= e->tally->violations >= o->violations_max;
    e->stop |= o->is_over && o->is_over(o->arg);
}

static bool is_chosen(const struct explorer *e, uint64_t op)
{
    const struct explore_options *o = e->options;
    if (e->slots == 0 || e->stop)
        return false;
    if (o->op >= 0)
        return op == (uint64_t)o->op;
    return mix(op, o->seed) % e->slots == o->pass;
}

static void at_moment(void *arg)
{
    struct explorer *e = arg;
    const struct explore_options *o = e->options;
    uint64_t op = e->op++;
    if (!is_chosen(e, op))
        return;
    for (unsigned kind = 0; kind < NAND_CUT_COUNT && !e->stop; kind++) {
        if (o->variant >= 0 ? kind != (unsigned)o->variant
                            : !nand_cut_matters(e->nand, (enum nand_cut)kind))
            continue;
        run_case(e, op, (enum nand_cut)kind);
    }
}

/* ---- the run --------------------------------------------------------------------------------- */

static void tell(void *arg)
{
    struct explorer *e = arg;
    struct telling telling;
    struct harness *h = e->harness;
    if (!harness_open(h))
        return;
    story_enter(&telling, e->options->story, h, e->options->seed);
    while (!story_ends(&telling) && !e->stop)
        story_go_on(&telling);
    if (e->stop || h->failure.failed)
        return;
    harness_verify(h);
    harness_close(h);
    if (!h->failure.failed && harness_open(h))
        harness_verify(h);
    if (!h->failure.failed)
        harness_close(h);
}

static void run(struct explorer *e)
{
    const struct explore_options *o = e->options;
    struct harness harness;
    struct nand *nand = shape_make(o->shape, o->seed);
    struct harness_options options = shape_options(o->shape, o->engine, nand, o->seed);
    options.check_every = e->slots == 0 ? CHECK_EVERY_RUN : 0;
    options.depth = o->story->depth;
    options.verbose = o->verbose && e->slots == 0 && o->op < 0;
    options.judges = o->judges;
    harness_init(&harness, &options, NULL);
    e->harness = &harness;
    e->nand = nand;
    e->op = 0;
    harness_watch(&harness, at_moment, e);
    if (!failure_trap(tell, e)) {
        report(o, e->tally, -1, -1, failure_why());
        e->stop = true;
        return; /* what the run owned is leaked */
    }
    if (harness.failure.failed) {
        report(o, e->tally, -1, -1, harness.failure.text);
        e->stop = true;
    }
    if (harness.device)
        harness_crash(&harness);
    oracle_destroy(harness.oracle);
    harness_free(&harness);
    nand_destroy(nand);
}

uint64_t explore_passes(const struct explore_options *options, uint64_t moments)
{
    return moments / options->points + 1;
}

uint64_t explore(const struct explore_options *options, struct tally *tally)
{
    struct explorer e = {.options = options, .tally = tally, .op = options->moments};
    if (options->moments == 0)
        run(&e);
    if (e.stop)
        return e.op;
    tally->runs++;
    tally->moments += options->moments ? 0 : e.op;
    e.slots = explore_passes(options, e.op);
    uint64_t moments = e.op;
    if (options->pass < e.slots || options->op >= 0)
        run(&e);
    return moments;
}
