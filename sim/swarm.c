/* SPDX-License-Identifier: BSD-3-Clause */
#include "sim/swarm.h"

#include "base/must.h"
#include "sim/swarm_inside.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NESTED_MAX 3u
#define JOURNAL_PART 16u
#define OVERLAP_BLOCKS 5u
#define SALT_DRAW UINT64_C(0x5a31)
#define SALT_STILL UINT64_C(0x571e)
#define SALT_LATER UINT64_C(0x1a7e)
#define STILL_LATER 4u       /* one opening or closing in so many */
#define STILL_OPERATIONS 48u /* after at most so many */
#define PROBES 24u

_Static_assert(SWARM_CUT_FLAKY - SWARM_CUT_LOST + 1 == NAND_CUT_COUNT, "a switch for each cut");

static const char *const switch_names[] = {
#define SWARM_NAME(name, text) text,
    SWARM_LIST(SWARM_NAME)
#undef SWARM_NAME
};

const char *swarm_switch_name(unsigned number)
{
    return number < SWARM_COUNT ? switch_names[number] : "?";
}

bool swarm_switches(const char *list, uint64_t *switches)
{
    *switches = 0;
    while (*list) {
        size_t length = strcspn(list, ",");
        unsigned i = 0;
        while (i < SWARM_COUNT &&
               (strlen(switch_names[i]) != length || strncmp(switch_names[i], list, length) != 0))
            i++;
        if (i == SWARM_COUNT)
            return false;
        *switches |= UINT64_C(1) << i;
        list += length + (list[length] == ',');
    }
    return true;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t h = (a ^ UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xbf58476d1ce4e5b9);
    h = (h ^ h >> 29 ^ b) * UINT64_C(0x94d049bb133111eb);
    return h ^ h >> 32;
}

static bool is_on(const struct swarm *s, unsigned number)
{
    return s->on >> number & 1;
}

/* ---- what a run is --------------------------------------------------------------------------- */

static unsigned drawn_shapes(void)
{
    unsigned count = 0;
    while (count < shape_count() && !shape_at(count)->searched)
        count++;
    return count;
}

static enum nand_latency choose_latency(struct prng *prng)
{
    static const enum nand_latency models[] = {
        NAND_LATENCY_REAPS,     NAND_LATENCY_REAPS,     NAND_LATENCY_REAPS, NAND_LATENCY_ZERO,
        NAND_LATENCY_REALISTIC, NAND_LATENCY_REALISTIC, NAND_LATENCY_SLOW,  NAND_LATENCY_NEVER};
    return models[prng_below(prng, sizeof models / sizeof models[0])];
}

/* Everything that is drawn is drawn always, so that an option changes nothing but what it says. */
static void draw(struct swarm *s)
{
    const struct swarm_options *o = s->options;
    struct prng prng;
    struct shape random;
    prng_seed(&prng, mix(o->seed, SALT_DRAW));
    const struct shape *listed = shape_at((unsigned)prng_below(&prng, drawn_shapes()));
    bool of_its_own = prng_chance(&prng, 1, 3);
    s->on = prng_next(&prng) & ((UINT64_C(1) << SWARM_COUNT) - 1);
    if (!prng_chance(&prng, 1, 4)) /* what follows an error is another world: not in half of them */
        s->on &= ~(UINT64_C(1) << SWARM_ERRORS);
    s->on &= ~o->off;
    uint32_t deep = 16 + (uint32_t)prng_below(&prng, HARNESS_DEPTH_MAX - 16 + 1);
    uint32_t shallow = 1 + (uint32_t)prng_below(&prng, 8);
    s->depth = is_on(s, SWARM_DEEP) ? deep : shallow;
    s->fill_percent = 1 + (uint32_t)prng_below(&prng, 100);
    s->crash_every = 10 + (uint32_t)prng_below(&prng, 120);
    s->flush_every = 2 + (uint32_t)prng_below(&prng, 30);
    shape_random(&random, &prng);
    s->shape = o->shape ? *o->shape : of_its_own ? random : *listed;
    s->shape.latency = choose_latency(&prng);
    s->still_every = 20 + (uint32_t)prng_below(&prng, 150);
    if (!is_on(s, SWARM_DELAY)) {
        s->shape.delay_max = 0;
        s->shape.in_order = true;
        s->shape.latency = NAND_LATENCY_ZERO;
    }
}

/* ---- one act --------------------------------------------------------------------------------- */

static enum hftl_verb choose_verb(const struct swarm *s, struct prng *prng)
{
    static const struct {
        enum hftl_verb verb;
        unsigned number, share;
    } verbs[] = {{HFTL_READ, SWARM_READ, 25},
                 {HFTL_TRIM, SWARM_TRIM, 15},
                 {HFTL_WRITE_ZEROES, SWARM_ZEROES, 8},
                 {HFTL_FLUSH_BANDS, SWARM_BANDS, 4}};
    uint64_t drawn = prng_below(prng, 100);
    if (is_on(s, SWARM_FLUSH) && prng_below(prng, s->flush_every) == 0)
        return HFTL_FLUSH;
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (drawn < verbs[i].share)
            return is_on(s, verbs[i].number) ? verbs[i].verb : HFTL_WRITE;
        drawn -= verbs[i].share;
    }
    return HFTL_WRITE;
}

/* Small numbers often: the chance of n is about 1/n; then spread over the device. */
static uint64_t draw_zipf(struct prng *prng, uint64_t size)
{
    unsigned bits = 0;
    while (bits < 40 && UINT64_C(1) << (bits + 1) <= size)
        bits++;
    uint64_t rank = prng_below(prng, UINT64_C(1) << prng_below(prng, bits + 1));
    return rank * UINT64_C(2654435761) % size;
}

static uint64_t choose_place(const struct swarm *s, struct prng *prng, uint32_t act, uint64_t size)
{
    enum { KINDS = 4 };
    static const unsigned kinds[KINDS] = {SWARM_ZIPF, SWARM_HOT, SWARM_SEQUENTIAL, SWARM_OVERLAP};
    unsigned kind = kinds[prng_below(prng, KINDS)];
    uint64_t anywhere = prng_below(prng, size), zipf = draw_zipf(prng, size);
    if (!is_on(s, kind))
        return anywhere;
    switch (kind) {
    case SWARM_ZIPF:
        return zipf;
    case SWARM_HOT:
        return anywhere % (size / 8 + 1);
    case SWARM_SEQUENTIAL:
        return (uint64_t)act * 3 % size;
    default:
        return anywhere % OVERLAP_BLOCKS * 7 % size;
    }
}

static void send(struct swarm *s, struct prng *prng, uint32_t act)
{
    struct harness *h = &s->harness;
    uint64_t size = harness_blocks(h), lba = choose_place(s, prng, act, size);
    uint64_t blocks = 1 + prng_below(prng, is_on(s, SWARM_LONG) ? HARNESS_BLOCKS_MAX : 4);
    enum hftl_verb verb = choose_verb(s, prng);
    bool journal = prng_chance(prng, 1, 3) && is_on(s, SWARM_JOURNAL) && verb == HFTL_WRITE;
    unsigned flags = prng_chance(prng, 1, 8) && is_on(s, SWARM_FUA) ? HFTL_FUA : 0;
    if (journal) {
        lba = act % (size / JOURNAL_PART + 1);
        flags = HFTL_FUA;
    }
    if (blocks > size - lba)
        blocks = size - lba;
    if (verb == HFTL_READ)
        flags = 0;
    if (verb == HFTL_FLUSH || verb == HFTL_FLUSH_BANDS)
        flags = 0, lba = blocks = 0;
    if (s->options->verbose)
        fprintf(stderr, "  %4" PRIu32 " verb %d at %" PRIu64 ", %" PRIu64 " blocks%s\n", act,
                (int)verb, lba, blocks, flags ? ", FUA" : "");
    harness_send(h, verb, flags, lba, blocks);
}

static void say(const struct swarm *s, uint32_t act, const char *what)
{
    if (s->options->verbose)
        fprintf(stderr, "  %4" PRIu32 " %s\n", act, what);
}

/* ---- crashes --------------------------------------------------------------------------------- */

/* False: all are off; for those who have to cut it is LOST then. */
static bool choose_cut(const struct swarm *s, struct prng *prng, enum nand_cut *cut)
{
    unsigned first = (unsigned)prng_below(prng, NAND_CUT_COUNT);
    for (unsigned i = 0; i < NAND_CUT_COUNT; i++) {
        *cut = (enum nand_cut)((first + i) % NAND_CUT_COUNT);
        if (is_on(s, SWARM_CUT_LOST + (unsigned)*cut))
            return true;
    }
    *cut = NAND_CUT_LOST;
    return false;
}

/* A unit will stand still while the device opens or closes, or soon after. */
static void stand_still_later(struct swarm *s)
{
    uint64_t drawn = mix(s->options->seed ^ SALT_LATER, s->waited++);
    if (s->shape.latency != NAND_LATENCY_NEVER || s->ending || nand_stands_still(s->nand) ||
        drawn % STILL_LATER != 0)
        return;
    nand_stand_still_later(s->nand, (uint32_t)(drawn >> 32) % nand_units(s->nand),
                           (uint32_t)(drawn >> 8) % STILL_OPERATIONS);
}

/* An opening that waits for such a unit is killed, and the power goes. */
static bool reopen(struct swarm *s)
{
    struct harness *h = &s->harness;
    struct prng prng;
    for (;;) {
        if (h->oracle)
            stand_still_later(s);
        s->result->opens++;
        bool open = harness_open(h);
        if (!h->stuck)
            return open;
        enum nand_cut cut;
        prng_seed(&prng, mix(s->options->seed ^ ~SALT_LATER, s->waited));
        (void)choose_cut(s, &prng, &cut);
        harness_crash(h);
        nand_cut(s->nand, cut, prng_next(&prng));
        s->result->hung++;
    }
}

struct catcher {
    struct nand *nand, *fork;
    uint64_t at;
};

static void catch_moment(void *arg, uint64_t index, enum nand_moment moment,
                         const struct hftl_media_op *op)
{
    struct catcher *c = arg;
    (void)moment;
    (void)op;
    if (index >= c->at && !c->fork)
        c->fork = nand_fork(c->nand);
}

/* The nand as it was in the middle of a recovery takes the place of the one that got through. */
static void cut_recovery(struct swarm *s, struct prng *prng)
{
    struct harness *h = &s->harness;
    enum nand_cut cut;
    struct catcher catcher = {.nand = s->nand};
    catcher.at = nand_moments(s->nand) + prng_below(prng, 24);
    nand_watch(s->nand, catch_moment, &catcher);
    (void)reopen(s);
    nand_watch(s->nand, NULL, NULL);
    harness_crash(h);
    if (catcher.fork) {
        s->hash = mix(s->hash, nand_trace(s->nand));
        nand_destroy(s->nand);
        s->nand = h->options.nand = catcher.fork;
        s->result->nested++;
    }
    (void)choose_cut(s, prng, &cut);
    nand_cut(s->nand, cut, prng_next(prng));
}

static void cut_power(struct swarm *s, struct prng *prng, uint32_t act, enum nand_cut cut)
{
    struct harness *h = &s->harness;
    const struct nand_fault none = {0};
    say(s, act, nand_cut_name(cut));
    harness_crash(h);
    nand_set_fault(s->nand, &none);
    nand_cut(s->nand, cut, prng_next(prng));
    s->result->crashes++;
    for (unsigned i = 0; i < NESTED_MAX && !h->failure.failed; i++)
        if (prng_chance(prng, 1, 3) && is_on(s, SWARM_NESTED))
            cut_recovery(s, prng);
    if (!h->failure.failed && reopen(s) && prng_chance(prng, 2, 3))
        harness_verify(h);
}

static void crash(struct swarm *s, struct prng *prng, uint32_t act)
{
    enum nand_cut cut;
    if (choose_cut(s, prng, &cut))
        cut_power(s, prng, act, cut);
}

/* ---- units that stand still ------------------------------------------------------------------ */

static void stand_still(struct swarm *s, uint32_t act)
{
    uint64_t drawn = mix(s->options->seed ^ SALT_STILL, act);
    if (s->shape.latency != NAND_LATENCY_NEVER || nand_stands_still(s->nand) ||
        drawn % s->still_every != 0)
        return;
    say(s, act, "a unit stands still");
    nand_stand_still(s->nand, (uint32_t)(drawn >> 32) % nand_units(s->nand));
    s->result->still++;
}

/* The drive that stands still ends with its power: that is always on. */
static void end_standstill(struct swarm *s, uint32_t act)
{
    struct harness *h = &s->harness;
    enum nand_cut cut;
    struct prng prng;
    prng_seed(&prng, mix(s->options->seed ^ ~SALT_STILL, act));
    if (h->stuck && h->device)
        harness_probe(h, PROBES);
    if (h->failure.failed)
        return;
    s->result->waits += h->in_flight;
    (void)choose_cut(s, &prng, &cut);
    cut_power(s, &prng, act, cut);
}

static void inject(struct swarm *s, struct prng *prng, uint32_t act)
{
    struct nand_fault fault = {.armed = true};
    fault.kind = (enum nand_fault_kind)prng_below(prng, NAND_FAULT_LIE); /* none that lies */
    if (fault.kind == NAND_FAULT_ROT && !shape_checks_reads(&s->shape))
        fault.kind = NAND_FAULT_FAIL;
    fault.at = prng_below(prng, 40);
    fault.forever = prng_chance(prng, 1, 8);
    say(s, act, nand_fault_name(fault.kind));
    if (fault.kind == NAND_FAULT_OFFLINE)
        oracle_forgive_old(s->harness.oracle);
    nand_set_fault(s->nand, &fault);
    s->result->errors++;
}

/* ---- acts ------------------------------------------------------------------------------------ */

static void pause(struct swarm *s, struct prng *prng)
{
    struct harness *h = &s->harness;
    for (uint64_t i = prng_below(prng, 12); i > 0 && !h->failure.failed; i--)
        harness_step(h);
}

static void close_and_open(struct swarm *s, uint32_t act)
{
    if (nand_stands_still(s->nand)) { /* it would wait for ever */
        end_standstill(s, act);
        return;
    }
    say(s, act, "close, open");
    stand_still_later(s);
    harness_close(&s->harness);
    if (s->harness.stuck && !s->harness.device) {
        s->result->hung++;
        end_standstill(s, act);
        return;
    }
    if (!s->harness.stuck && !s->harness.failure.failed)
        (void)reopen(s);
}

/* What fails then, or stands still, has left no device; that is for `explore`. */
static void format(struct swarm *s, uint32_t act)
{
    if (is_on(s, SWARM_ERRORS) || s->shape.latency == NAND_LATENCY_NEVER)
        return;
    say(s, act, "format");
    s->result->opens++;
    (void)harness_format(&s->harness);
}

/* True: it was a part of the fill. */
static bool fill(struct swarm *s, uint32_t act)
{
    uint64_t end = harness_blocks(&s->harness) * s->fill_percent / 100;
    uint64_t lba = (uint64_t)act * HARNESS_BLOCKS_MAX, blocks = HARNESS_BLOCKS_MAX;
    if (!is_on(s, SWARM_FILL) || lba >= end)
        return false;
    harness_send(&s->harness, HFTL_WRITE, 0, lba, end - lba < blocks ? end - lba : blocks);
    return true;
}

static void do_act(struct swarm *s, uint32_t act)
{
    struct prng prng;
    prng_seed(&prng, mix(s->options->seed, act));
    uint64_t drawn = prng_below(&prng, 1000);
    stand_still(s, act);
    if (prng_below(&prng, s->crash_every) == 0)
        crash(s, &prng, act);
    else if (drawn < 8 && is_on(s, SWARM_REOPEN))
        close_and_open(s, act);
    else if (drawn >= 8 && drawn < 14 && is_on(s, SWARM_VERIFY))
        harness_verify(&s->harness);
    else if (drawn >= 14 && drawn < 24 && is_on(s, SWARM_SETTLE))
        harness_settle(&s->harness);
    else if (drawn >= 24 && drawn < 40 && is_on(s, SWARM_ERRORS))
        inject(s, &prng, act);
    else if (drawn >= 40 && drawn < 240 && is_on(s, SWARM_PAUSE))
        pause(s, &prng);
    else if (drawn >= 240 && drawn < 243 && is_on(s, SWARM_FORMAT))
        format(s, act);
    else if (!fill(s, act))
        send(s, &prng, act);
}

/* Faults are over: everything ends well, and stays. */
static void end_well(struct swarm *s)
{
    struct harness *h = &s->harness;
    const struct nand_fault none = {0};
    nand_set_fault(s->nand, &none);
    s->ending = true;
    nand_keeps_going(s->nand);
    if (nand_stands_still(s->nand))
        end_standstill(s, s->acts);
    if (h->failure.failed || (!h->device && !reopen(s)))
        return;
    harness_settle(h);
    if (!h->failure.failed)
        harness_verify(h);
    if (!h->failure.failed)
        harness_close(h);
    if (!h->failure.failed && reopen(s))
        harness_verify(h);
}

static void run_acts(void *arg)
{
    struct swarm *s = arg;
    struct harness *h = &s->harness;
    if (!reopen(s))
        return;
    for (uint32_t i = 0; i < s->acts && h->device && !h->failure.failed; i++) {
        if (s->skipped[i])
            continue;
        do_act(s, i);
        if (h->stuck)
            end_standstill(s, i);
        s->result->acts++;
    }
    if (!h->failure.failed)
        end_well(s);
}

void swarm_prepare(struct swarm *s, const struct swarm_options *options)
{
    memset(s, 0, sizeof *s);
    s->options = options;
    s->acts = options->acts < SWARM_ACTS_MAX ? options->acts : SWARM_ACTS_MAX;
    for (const char *at = options->skip; at && *at;) {
        char *rest;
        unsigned long first = strtoul(at, &rest, 10), last = first;
        if (*rest == '-')
            last = strtoul(rest + 1, &rest, 10);
        for (unsigned long i = first; i <= last && i < s->acts; i++)
            s->skipped[i] = true;
        at = *rest == ',' ? rest + 1 : NULL;
    }
}

static void make_world(struct swarm *s)
{
    const struct swarm_options *o = s->options;
    draw(s);
    s->nand = shape_make(&s->shape, o->seed);
    nand_set_traced(s->nand);
    struct harness_options options = shape_options(&s->shape, o->engine, s->nand, o->seed);
    options.depth = s->depth;
    options.check_every = 8;
    options.verbose = o->verbose;
    options.traced = true;
    options.judges = o->judges;
    options.may_stand_still = true;
    if (!is_on(s, SWARM_TUNING) && *tuning_option() == '\0')
        options.tuning = (struct tuning){0};
    harness_init(&s->harness, &options, NULL);
}

void swarm_run_prepared(struct swarm *s, struct swarm_result *result)
{
    memset(result, 0, sizeof *result);
    s->result = result;
    s->hash = s->options->seed;
    make_world(s);
    struct harness *h = &s->harness;
    result->on = s->on;
    snprintf(result->shape, sizeof result->shape, "%s", s->shape.name);
    if (!failure_trap(run_acts, s)) {
        failure_say(&result->failure, "%s", failure_why());
        return; /* what it owned is leaked */
    }
    if (h->device)
        harness_crash(h);
    result->failure = h->failure;
    result->hash = mix(mix(s->hash, nand_trace(s->nand)), h->trace);
    result->hash = mix(result->hash, nand_now(s->nand));
    result->steps = h->steps;
    uint64_t lap = nand_lap_ns(s->nand);
    result->laps = lap ? (double)h->longest_ns / (double)lap : 0;
    result->past_judged = h->history ? history_judged(h->history) : 0;
    result->judged = h->oracle ? oracle_judged(h->oracle) : 0;
    oracle_destroy(h->oracle);
    harness_free(h);
    nand_destroy(s->nand);
}

void swarm_run(const struct swarm_options *options, struct swarm_result *result)
{
    struct swarm *s = malloc(sizeof *s);
    must(s != NULL);
    swarm_prepare(s, options);
    swarm_run_prepared(s, result);
    if (result->failure.failed)
        swarm_write_replay(s, result);
    free(s);
}
