/* SPDX-License-Identifier: BSD-3-Clause */
#include "sim/search.h"

#include "base/must.h"
#include "sim/search_inside.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_DEFAULT 2u
#define IN_FLIGHT_MAX 8u
#define NESTED_WAYS 64u /* of a moment, with so many moments inside */
#define CHECK_EVERY 64u
#define SEEN_ROOM_LEAST ((size_t)1 << 12)

static const char *const mode_names[] = {
#define NAME(name, word, text) word,
    SEARCH_MODE_LIST(NAME)
#undef NAME
};

const char *search_mode_name(enum search_mode mode)
{
    return (unsigned)mode < SEARCH_MODE_COUNT ? mode_names[mode] : "?";
}

const char *search_mode_text(enum search_mode mode)
{
    static const char *const texts[] = {
#define TEXT(name, word, text) text,
        SEARCH_MODE_LIST(TEXT)
#undef TEXT
    };
    return (unsigned)mode < SEARCH_MODE_COUNT ? texts[mode] : "?";
}

enum search_mode search_mode_find(const char *name)
{
    unsigned mode = 0;
    while (mode < SEARCH_MODE_COUNT && strcmp(mode_names[mode], name) != 0)
        mode++;
    return (enum search_mode)mode;
}

/* ---- where we are ---------------------------------------------------------------------------- */

bool search_enter(struct search *s, uint64_t number)
{
    if (s->over || (s->depth < s->want_depth && s->want[s->depth] != number))
        return false;
    must_show(s->depth < SEARCH_PATH_MAX, s->depth, number);
    s->path[s->depth++] = number;
    s->report->missed &= s->depth != s->want_depth;
    return true;
}

void search_leave(struct search *s)
{
    must(s->depth > 0);
    s->depth--;
}

bool search_is_over(struct search *s)
{
    const struct search_options *o = s->options;
    if (!s->over && o->is_over && o->is_over(o->arg)) {
        s->over = true;
        s->report->complete = false;
    }
    return s->over;
}

/* Options without which a path leads elsewhere, or nowhere. */
static void write_bounds(const struct search *s, char *text, size_t room)
{
    const struct search_options *o = s->options;
    const struct {
        const char *name;
        uint32_t value;
    } bounds[] = {{"length", s->length},
                  {"depth", o->depth},
                  {"ways", o->ways},
                  {"blocks", o->blocks},
                  {"cuts", o->cuts}};
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++)
        if (bounds[i].value != 0)
            used += (size_t)snprintf(text + used, room - used, " --%s %" PRIu32, bounds[i].name,
                                     bounds[i].value);
    if (o->judges == HARNESS_HISTORY)
        snprintf(text + used, room - used, " --judge history");
}

void search_violation(struct search *s, const char *text)
{
    const struct search_options *o = s->options;
    struct search_report *r = s->report;
    char path[SEARCH_PATH_MAX * 21 + 1] = "", replay[sizeof r->replay], bounds[120];
    size_t used = 0;
    write_bounds(s, bounds, sizeof bounds);
    for (uint32_t i = 0; i < s->depth; i++)
        used += (size_t)snprintf(path + used, sizeof path - used, "%s%" PRIu64, i ? "." : "",
                                 s->path[i]);
    snprintf(
        replay, sizeof replay,
        "build/hostftl-sim explore --mode %s --geometry %s --seed %" PRIu64 "%s%s%s%s%s --case %s",
        search_mode_name(o->mode), o->shape->name, o->seed, bounds, o->story ? " --story " : "",
        o->story ? o->story->name : "", tuning_option(), shape_latency_option(), used ? path : "0");
    if (r->violations++ == 0) {
        snprintf(r->first, sizeof r->first, "%s", text);
        snprintf(r->replay, sizeof r->replay, "%s", replay);
    }
    if (!o->quiet)
        fprintf(stderr, "violation: %s\n    replay: %s\n", text, replay);
    if (r->violations >= o->violations_max) {
        s->over = true;
        r->complete = false;
    }
}

/* ---- what was seen --------------------------------------------------------------------------- */

uint64_t search_mix(uint64_t a, uint64_t b)
{
    uint64_t h = (a ^ UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xbf58476d1ce4e5b9);
    h = (h ^ h >> 29 ^ b) * UINT64_C(0x94d049bb133111eb);
    return h ^ h >> 32;
}

static bool put(uint64_t *slots, size_t room, uint64_t key)
{
    size_t at = (size_t)key & (room - 1);
    while (slots[at] != 0 && slots[at] != key)
        at = (at + 1) & (room - 1);
    bool is_new = slots[at] == 0;
    slots[at] = key;
    return is_new;
}

bool search_is_new(struct search *s, uint64_t key)
{
    key |= 1;
    if (2 * (s->seen_count + 1) > s->seen_room) {
        size_t room = s->seen_room ? 2 * s->seen_room : SEEN_ROOM_LEAST;
        uint64_t *slots = calloc(room, sizeof *slots);
        must(slots != NULL);
        for (size_t i = 0; i < s->seen_room; i++)
            if (s->seen[i])
                (void)put(slots, room, s->seen[i]);
        free(s->seen);
        s->seen = slots;
        s->seen_room = room;
    }
    bool is_new = put(s->seen, s->seen_room, key);
    s->seen_count += is_new;
    return is_new;
}

/* ---- one life -------------------------------------------------------------------------------- */

struct search_state search_state_of(const struct harness *harness)
{
    return (struct search_state){harness->options.nand, harness->oracle, harness->history};
}

struct search_state search_fork(const struct search_state *state)
{
    return (struct search_state){nand_fork(state->nand),
                                 state->oracle ? oracle_copy(state->oracle) : NULL,
                                 state->history ? history_copy(state->history) : NULL};
}

void search_begin(struct search *s, struct harness *harness, const struct search_state *state,
                  uint64_t seed)
{
    const struct search_options *o = s->options;
    struct harness_options options = shape_options(o->shape, o->engine, state->nand, seed);
    options.check_every = CHECK_EVERY;
    options.verbose = o->verbose;
    options.judges = o->judges ? o->judges : HARNESS_ORACLE | HARNESS_HISTORY;
    harness_init(harness, &options, state->oracle);
    harness->history = state->history;
}

void search_end(struct search *s, struct harness *harness, uint64_t judged)
{
    if (harness->device)
        harness_crash(harness);
    if (harness->failure.failed)
        search_violation(s, harness->failure.text);
    if (harness->oracle)
        s->report->judged += oracle_judged(harness->oracle) - judged;
    harness_free(harness);
}

struct life {
    struct search *search;
    struct harness harness;
    struct prng prng;
    uint32_t depth;
    uint64_t moments;
};

static void at_recovery(void *arg, uint64_t index, enum nand_moment moment,
                        const struct hftl_media_op *op)
{
    struct life *l = arg;
    (void)index;
    (void)moment;
    (void)op;
    if (!search_enter(l->search, l->moments++))
        return;
    struct search_state state = search_state_of(&l->harness);
    search_cut(l->search, &state, l->depth - 1);
    search_leave(l->search);
}

static bool recover(struct life *l)
{
    l->search->report->recoveries++;
    if (!harness_open(&l->harness))
        return false;
    nand_watch(l->harness.options.nand, NULL, NULL);
    harness_verify(&l->harness);
    return !l->harness.failure.failed;
}

static void use(struct life *l)
{
    struct harness *h = &l->harness;
    uint64_t size = harness_blocks(h);
    for (int i = 0; i < 6 && !h->failure.failed; i++) {
        uint64_t lba = prng_below(&l->prng, size);
        harness_send(h, i == 4 ? HFTL_TRIM : HFTL_WRITE, i == 2 ? HFTL_FUA : 0, lba, 1);
        if (i >= 3 && !h->failure.failed) /* beside it */
            harness_send(h, HFTL_READ, 0, lba, 1);
    }
    if (!h->failure.failed && prng_chance(&l->prng, 1, 2))
        harness_send(h, HFTL_FLUSH, 0, 0, 0);
}

/* What the recovery decided must hold: across a crash at once, with use between, across a close. */
static void live(void *arg)
{
    struct life *l = arg;
    struct harness *h = &l->harness;
    uint64_t way = prng_below(&l->prng, 4);
    if (l->depth > 0)
        nand_watch(h->options.nand, at_recovery, l);
    if (!recover(l) || way == 0)
        return;
    if (way == 1) {
        harness_close(h);
    } else {
        if (way == 2)
            use(l);
        harness_crash(h);
        nand_cut(h->options.nand, way == 2 ? NAND_CUT_LOST : NAND_CUT_KEPT, 1);
    }
    if (!h->failure.failed)
        (void)recover(l);
}

/* Of medium and promises: what a history keeps beyond a cut, what a block that nobody wrote to was
 * seen to hold, is a promise too, and has no other version. */
static uint64_t key_of(const struct nand *nand, const struct oracle *oracle, uint32_t depth)
{
    uint64_t key = search_mix(nand_hash(nand), depth);
    return search_mix(key, oracle ? oracle_hash(oracle) : 0);
}

/* Takes nand and oracle. The history is copied when it is needed: most states were seen before. */
static void try_state(struct search *s, struct nand *nand, struct oracle *oracle,
                      const struct history *history, uint32_t depth)
{
    uint64_t key = key_of(nand, oracle, depth);
    struct life life = {.search = s, .depth = depth};
    if (!search_is_new(s, key) || search_is_over(s)) {
        oracle_destroy(oracle);
        nand_destroy(nand);
        return;
    }
    struct search_state state = {nand, oracle, history ? history_copy(history) : NULL};
    if (state.history)
        history_cut(state.history);
    uint64_t judged = oracle ? oracle_judged(oracle) : 0;
    uint32_t place = s->depth;
    s->report->trials++;
    prng_seed(&life.prng, key);
    search_begin(s, &life.harness, &state, search_mix(s->options->seed, key));
    if (!failure_trap(live, &life)) {
        s->depth = place;
        search_violation(s, failure_why());
        return; /* what it owned is leaked */
    }
    oracle = life.harness.oracle;
    search_end(s, &life.harness, judged);
    oracle_destroy(oracle);
    nand_destroy(nand);
}

/* ---- all ways of a moment -------------------------------------------------------------------- */

/* Beside the ways of nand_ways: the host dies and the drive lives; a chunk that cannot be read. */
static const enum nand_cut more_ways[] = {NAND_CUT_LIVES, NAND_CUT_FLAKY};
#define MORE_WAYS (sizeof more_ways / sizeof more_ways[0])

static void cut_once(struct search *s, const struct search_state *state, uint64_t way,
                     uint32_t depth)
{
    const struct nand *nand = state->nand;
    struct nand *fork;
    if (way < MORE_WAYS && !nand_cut_matters(nand, more_ways[way]))
        return;
    if (!search_enter(s, way))
        return;
    fork = nand_fork(nand);
    if (way < MORE_WAYS)
        nand_cut(fork, more_ways[way], s->options->seed);
    else
        nand_cut_way(fork, way - MORE_WAYS);
    struct oracle *copy = state->oracle ? oracle_copy(state->oracle) : NULL;
    if (copy)
        oracle_crash(copy);
    s->report->points++;
    try_state(s, fork, copy, state->history, depth);
    search_leave(s);
}

void search_cut(struct search *s, const struct search_state *state, uint32_t depth)
{
    uint64_t ways = nand_ways(state->nand), tried = ways < s->ways ? ways : s->ways;
    if (tried < ways) {
        s->report->sampled++;
        s->report->complete = false;
    }
    for (uint64_t way = 0; way < MORE_WAYS; way++)
        cut_once(s, state, way, depth);
    /* The first is LOST, the last everything kept; those between are spread. */
    for (uint64_t i = 0; i < tried; i++) {
        uint64_t way = tried == ways || tried == 1 ? i
                       : i == tried - 1            ? ways - 1
                                                   : ways / (tried - 1) * i;
        cut_once(s, state, way + MORE_WAYS, depth);
    }
}

/* ---- a run ----------------------------------------------------------------------------------- */

static void at_moment(void *arg)
{
    struct search_run *run = arg;
    struct search *s = run->search;
    if (!run->cuts || !search_enter(s, run->moments++))
        return;
    struct search_state state = search_state_of(&run->harness);
    search_cut(s, &state, run->depth);
    search_leave(s);
}

static void tell_story(struct search_run *run)
{
    struct harness *h = &run->harness;
    struct telling telling;
    story_enter(&telling, run->story, h, run->seed);
    while (h->device && !story_ends(&telling) && telling.told < run->search->length &&
           !run->search->over)
        story_go_on(&telling);
    if (!run->search->over && !h->failure.failed)
        harness_verify(h);
}

static void tell(void *arg)
{
    struct search_run *run = arg;
    if (!harness_open(&run->harness))
        return;
    if (run->tell)
        run->tell(run);
    else
        tell_story(run);
}

bool search_tell(struct search_run *run)
{
    struct search *s = run->search;
    uint32_t place = s->depth;
    if (!run->nand)
        run->nand = shape_make(s->options->shape, run->seed);
    struct search_state state = {run->nand, run->harness.oracle, run->harness.history};
    search_begin(s, &run->harness, &state, run->seed);
    run->harness.options.check_every = 0;
    if (run->story)
        run->harness.options.depth =
            run->story->depth < IN_FLIGHT_MAX ? run->story->depth : IN_FLIGHT_MAX;
    harness_watch(&run->harness, at_moment, run);
    s->report->runs++;
    bool well = failure_trap(tell, run);
    if (!well) {
        s->depth = place;
        search_violation(s, failure_why());
        memset(&run->harness, 0, sizeof run->harness); /* what it owned is leaked */
        run->nand = NULL;
        return false;
    }
    nand_watch(run->nand, NULL, NULL);
    if (run->harness.failure.failed)
        search_violation(s, run->harness.failure.text);
    return !run->harness.failure.failed;
}

void search_forget(struct search_run *run)
{
    if (!run->nand)
        return;
    if (run->harness.device)
        harness_crash(&run->harness);
    harness_free(&run->harness);
    oracle_destroy(run->harness.oracle);
    nand_destroy(run->nand);
    run->nand = NULL;
}

/* A story that was asked for is the only one. */
unsigned search_stories(const struct search *s)
{
    return s->options->story ? 1 : story_count();
}

const struct story *search_story(const struct search *s, unsigned index)
{
    return s->options->story ? s->options->story : story_at(index);
}

void search_exhaustive(struct search *s, uint32_t depth)
{
    for (unsigned i = 0; i < search_stories(s) && !search_is_over(s); i++) {
        struct search_run run = {.search = s,
                                 .story = search_story(s, i),
                                 .seed = s->options->seed,
                                 .depth = depth,
                                 .cuts = true};
        if (!search_enter(s, i))
            continue;
        (void)search_tell(&run);
        search_forget(&run);
        search_leave(s);
    }
}

/* ---- the search ------------------------------------------------------------------------------ */

static void read_path(struct search *s)
{
    for (const char *at = s->options->path; at && *at && s->want_depth < SEARCH_PATH_MAX;) {
        char *rest;
        s->want[s->want_depth++] = strtoull(at, &rest, 10);
        at = *rest == '.' ? rest + 1 : NULL;
    }
}

/* 0: it has none. */
static uint32_t default_length(enum search_mode mode)
{
    static const uint32_t lengths[SEARCH_MODE_COUNT] = {[SEARCH_EXHAUSTIVE] = 24,
                                                        [SEARCH_NESTED] = 8,
                                                        [SEARCH_ACE] = 2,
                                                        [SEARCH_IOERR] = 24,
                                                        [SEARCH_LIAR] = 24};
    return lengths[mode];
}

void search_run(const struct search_options *options, struct search_report *report)
{
    struct search s = {.options = options, .report = report};
    uint32_t depth = options->depth ? options->depth : DEPTH_DEFAULT;
    memset(report, 0, sizeof *report);
    report->complete = options->path == NULL;
    report->missed = options->path != NULL;
    s.length = options->length ? options->length : default_length(options->mode);
    s.ways = options->ways                    ? options->ways
             : options->mode == SEARCH_NESTED ? NESTED_WAYS
                                              : UINT32_MAX;
    read_path(&s);
    switch (options->mode) {
    case SEARCH_EXHAUSTIVE:
        search_exhaustive(&s, 0);
        break;
    case SEARCH_NESTED:
        search_exhaustive(&s, depth);
        break;
    case SEARCH_ACE:
        search_ace(&s);
        break;
    case SEARCH_OOM:
        search_oom(&s);
        break;
    case SEARCH_IOERR:
        search_ioerr(&s);
        break;
    case SEARCH_BITFLIP:
        search_bitflip(&s);
        break;
    case SEARCH_LIAR:
        search_liar(&s);
        break;
    default:
        search_storm(&s);
    }
    free(s.seen);
}
