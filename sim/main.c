/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hostftl-sim: the simulator's command. Without a verb it draws cuts; `explore` goes through all of
 * a small world; `swarm` draws everything, from one seed; `model` runs random lists of requests;
 * `mutants` proves that planted bugs are caught.
 *
 * Exit: 0 no violation, 1 there are, 2 usage, 77 this build cannot.
 */
#define _DEFAULT_SOURCE /* getentropy */

#include "sim/campaign.h"
#include "sim/model.h"
#include "sim/mutants.h"
#include "sim/search.h"
#include "sim/swarm.h"
#include "sim/tuning.h"

#include "base/mutant.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_VIOLATION = 1, EXIT_USAGE = 2, EXIT_CANNOT = 77 };

struct arguments {
    const char *verb;
    const char *mutant; /* plant this one */
    struct campaign_options campaign;
    struct model_options model;
    struct search_options search;
    struct swarm_options swarm;
    enum nand_latency latency;
    uint64_t runs;
    bool list, json, seeded;
};

static const struct argp_option argp_options[] = {
    {"story", 'S', "NAME", 0, "only this story", 0},
    {"geometry", 'g', "NAME", 0, "only this drive", 0},
    {"seed", 's', "N", 0, "chance begins here (1)", 0},
    {"op", 'n', "N", 0, "cut at this operation only", 0},
    {"variant", 'v', "N", 0, "cut in this way only; --list names them", 0},
    {"budget", 'b', "SECONDS", 0,
     "stop looking after so long: of processor time (60; mutants: 20 for each; swarm: "
     "after --runs), of time that passes for model (60) and explore (3600)",
     0},
    {"violations", 'k', "N", 0, "go on until there were so many (10)", 0},
    {"runs", 'r', "N", 0, "swarm: how many (1000; with a budget: as many as fit)", 0},
    {"off", 'O', "LIST", 0, "swarm: switches that are off, as in torn,deep; --list names them", 0},
    {"acts", 'a', "N", 0, "model, swarm: acts in a list (400)", 0},
    {"skip", 'x', "LIST", 0, "model, swarm: leave out these acts, as in 3-9,12; runs one list", 0},
    {"tuning", 't', "WORDS", 0,
     "run devices so: default, or any of victims=N,blocks=N,policy=NAME,"
     "percent=N,start=N,paused; otherwise the seed chooses",
     0},
    {"latency", 'y', "NAME", 0,
     "operations land so: reaps, zero, realistic, slow, or (swarm) never; --list says what that "
     "is; otherwise reaps, and in the swarm the seed chooses",
     0},
    {"judge", 'j', "NAME", 0, "who judges what is read: oracle, history, or both (the default)", 0},
    {"mode", 'M', "NAME", 0, "explore: exhaustive, nested, ace, oom, ioerr, bitflip or storm", 0},
    {"case", 'c', "PATH", 0, "explore: this case only, as in 3.120.4", 0},
    {"length", 'L', "N", 0,
     "explore: requests of a run (24; nested: 8, storm: 80); ace: of a word (2)", 0},
    {"depth", 'D', "N", 0, "explore, nested: recoveries cut, one inside the other (2)", 0},
    {"ways", 'w', "N", 0, "explore: ways to cut at one moment, at most (all; nested: 64)", 0},
    {"blocks", 'B', "N", 0, "explore, ace: blocks that the requests are for (2)", 0},
    {"cuts", 'C', "N", 0, "explore, storm: cuts in a row (10000)", 0},
    {"mutant", 'm', "NAME", 0, "plant this bug (a build with -Dmutants=true)", 0},
    {"verbose", 'V', NULL, 0, "say what happens", 0},
    {"list", 'l', NULL, 0, "list stories, drives and ways to cut", 0},
    {"output", 'o', "FORMAT", 0, "json: one object on standard output", 0},
    {0}};

static uint64_t number(const char *text, struct argp_state *state)
{
    char *rest;
    errno = 0;
    unsigned long long n = strtoull(text, &rest, 0);
    if (*text == 0 || *rest || errno == ERANGE)
        argp_error(state, "'%s' is not a number", text);
    return n;
}

static double seconds(const char *text, struct argp_state *state)
{
    char *rest;
    double n = strtod(text, &rest);
    if (*text == 0 || *rest || !(n > 0 && n < 1e9))
        argp_error(state, "'%s' is no number of seconds", text);
    return n;
}

static void set_seed(struct arguments *a, uint64_t seed)
{
    a->campaign.seed = a->model.seed = a->swarm.seed = seed;
    a->seeded = true;
}

static error_t parse_search(int key, char *text, struct argp_state *state, struct arguments *a)
{
    struct search_options *o = &a->search;
    switch (key) {
    case 'M':
        o->mode = search_mode_find(text);
        if (o->mode == SEARCH_MODE_COUNT)
            argp_error(state, "there is no mode '%s'; see --list", text);
        break;
    case 'c':
        if (*text == 0 || text[strspn(text, "0123456789.")] != 0)
            argp_error(state, "'%s' is no path; one is as in 3.120.4", text);
        o->path = text;
        break;
    case 'L':
        o->length = (uint32_t)number(text, state);
        break;
    case 'D':
        o->depth = (uint32_t)number(text, state);
        if (o->depth > SEARCH_DEPTH_MAX)
            argp_error(state, "so deep there is no path; %u is the deepest", SEARCH_DEPTH_MAX);
        break;
    case 'w':
        o->ways = (uint32_t)number(text, state);
        break;
    case 'B':
        o->blocks = (uint32_t)number(text, state);
        break;
    case 'r':
        a->runs = number(text, state);
        break;
    case 'O':
        if (!swarm_switches(text, &a->swarm.off))
            argp_error(state, "'%s' has a switch that is none; see --list", text);
        break;
    case 'C':
        o->cuts = (uint32_t)number(text, state);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static bool is_verb(const char *text)
{
    return strcmp(text, "model") == 0 || strcmp(text, "swarm") == 0 ||
           strcmp(text, "mutants") == 0 || strcmp(text, "explore") == 0;
}

static void set_latency(struct arguments *a, const char *text, struct argp_state *state)
{
    a->latency = nand_latency_find(text);
    if (a->latency == NAND_LATENCY_COUNT)
        argp_error(state, "there is no latency '%s'; see --list", text);
    shape_fix_latency(a->latency);
}

static void set_judges(struct arguments *a, const char *text, struct argp_state *state)
{
    unsigned judges = strcmp(text, "oracle") == 0    ? HARNESS_ORACLE
                      : strcmp(text, "history") == 0 ? HARNESS_HISTORY
                      : strcmp(text, "both") == 0    ? HARNESS_ORACLE | HARNESS_HISTORY
                                                     : 0;
    if (judges == 0)
        argp_error(state, "'%s' judges nothing; oracle, history and both do", text);
    a->campaign.judges = a->model.judges = a->swarm.judges = a->search.judges = judges;
}

static error_t parse_more(int key, char *text, struct argp_state *state, struct arguments *a)
{
    switch (key) {
    case 'a':
        a->model.acts = a->swarm.acts = (uint32_t)number(text, state);
        break;
    case 'x':
        a->model.skip = a->swarm.skip = text;
        break;
    case 't':
        if (!tuning_fix(text))
            argp_error(state, "'%s' is no tuning; see --help", text);
        break;
    case 'y':
        set_latency(a, text, state);
        break;
    case 'j':
        set_judges(a, text, state);
        break;
    case 'm':
        a->mutant = text;
        break;
    case 'V':
        a->campaign.verbose = a->model.verbose = a->swarm.verbose = true;
        break;
    case 'l':
        a->list = true;
        break;
    case 'o':
        a->json = strcmp(text, "json") == 0;
        if (!a->json)
            argp_error(state, "the only output format is json");
        break;
    case ARGP_KEY_ARG:
        if (a->verb || !is_verb(text))
            argp_error(state, "'%s' is no verb; there are explore, swarm, model and mutants", text);
        a->verb = text;
        break;
    case ARGP_KEY_END:
        if (a->latency == NAND_LATENCY_NEVER && (!a->verb || strcmp(a->verb, "swarm") != 0))
            argp_error(state, "'never' is for swarm");
        break;
    default:
        return parse_search(key, text, state, a);
    }
    return 0;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *a = state->input;
    switch (key) {
    case 'S':
        a->campaign.story = story_find(text);
        if (!a->campaign.story)
            argp_error(state, "there is no story '%s'; see --list", text);
        break;
    case 'g':
        a->campaign.shape = a->model.shape = a->swarm.shape = shape_find(text);
        if (!a->campaign.shape)
            argp_error(state, "there is no drive '%s'; see --list", text);
        break;
    case 's':
        set_seed(a, number(text, state));
        break;
    case 'n':
        a->campaign.op = (int64_t)number(text, state);
        break;
    case 'v':
        a->campaign.variant = (int)number(text, state);
        if (a->campaign.variant >= NAND_CUT_COUNT)
            argp_error(state, "ways to cut are 0 to %d", NAND_CUT_COUNT - 1);
        break;
    case 'b':
        a->campaign.budget_seconds = seconds(text, state);
        break;
    case 'k':
        a->campaign.violations_max = number(text, state);
        if (a->campaign.violations_max == 0)
            argp_error(state, "to find none there is nothing to do");
        break;
    default:
        return parse_more(key, text, state, a);
    }
    return 0;
}

/* ---- explore --------------------------------------------------------------------------------- */

static json_t *tally_to_json(const struct tally *t)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:s}", "cuts", (json_int_t)t->cuts,
                     "recoveries", (json_int_t)t->recoveries, "nested", (json_int_t)t->nested,
                     "blocks_judged", (json_int_t)t->judged, "runs", (json_int_t)t->runs,
                     "operations", (json_int_t)t->moments, "violations", (json_int_t)t->violations,
                     "first", t->first, "replay", t->replay);
}

static void print_json(json_t *object)
{
    json_dumpf(object, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
    putchar('\n');
    json_decref(object);
}

static int explore_all(const struct arguments *a)
{
    struct tally tally = {0};
    double begin = campaign_clock();
    campaign_run(&a->campaign, &tally);
    if (a->json)
        print_json(tally_to_json(&tally));
    else
        printf("cuts %" PRIu64 ", recoveries %" PRIu64 ", nested %" PRIu64 ", violations %" PRIu64
               "  (%.0f s, %" PRIu64 " blocks judged, seed %" PRIu64 ")\n",
               tally.cuts, tally.recoveries, tally.nested, tally.violations,
               campaign_clock() - begin, tally.judged, a->campaign.seed);
    return tally.violations ? EXIT_VIOLATION : 0;
}

/* ---- model ----------------------------------------------------------------------------------- */

#define SHRINK_TRIES 300u

static int run_models(const struct arguments *a)
{
    struct model_options options = a->model;
    struct model_result result, sum = {0};
    double begin = campaign_clock(), deadline = begin + a->campaign.budget_seconds;
    uint64_t lists = 0, violations = 0;
    bool once = options.skip != NULL || options.verbose;
    do {
        if (once)
            model_run(&options, &result);
        else
            model_run_and_shrink(&options, SHRINK_TRIES, &result);
        lists++;
        sum.acts += result.acts;
        sum.crashes += result.crashes;
        sum.steps += result.steps;
        sum.judged += result.judged;
        if (result.failure.failed) {
            violations++;
            fprintf(stderr, "violation: %s\n    replay: %s\n", result.failure.text, result.replay);
        }
        options.seed++;
    } while (!once && campaign_clock() < deadline && violations < a->campaign.violations_max);
    if (a->json)
        print_json(json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "lists", (json_int_t)lists, "acts",
                             (json_int_t)sum.acts, "crashes", (json_int_t)sum.crashes, "steps",
                             (json_int_t)sum.steps, "blocks_judged", (json_int_t)sum.judged,
                             "violations", (json_int_t)violations));
    else
        printf("lists %" PRIu64 ", acts %" PRIu32 ", crashes %" PRIu32 ", steps %" PRIu64
               ", violations %" PRIu64 "  (%.0f s, seed %" PRIu64 ")\n",
               lists, sum.acts, sum.crashes, sum.steps, violations, campaign_clock() - begin,
               a->model.seed);
    return violations ? EXIT_VIOLATION : 0;
}

/* ---- swarm ----------------------------------------------------------------------------------- */

#define SWARM_TRIES 2000u
#define TWICE_EVERY 1000u /* the first run, and each so many behind it */

struct swarm_sum {
    uint64_t runs, violations, hash;
    struct swarm_result of; /* numbers, summed */
};

static uint64_t next_seed(uint64_t seed)
{
    struct prng prng;
    prng_seed(&prng, seed);
    return prng_next(&prng);
}

static void swarm_add(struct swarm_sum *sum, const struct swarm_result *r)
{
    sum->runs++;
    sum->hash = nand_fold(sum->hash, &r->hash, sizeof r->hash);
    sum->of.acts += r->acts;
    sum->of.crashes += r->crashes;
    sum->of.nested += r->nested;
    sum->of.errors += r->errors;
    sum->of.opens += r->opens;
    sum->of.judged += r->judged;
    sum->of.still += r->still;
    sum->of.waits += r->waits;
    sum->of.hung += r->hung;
    sum->of.past_judged += r->past_judged;
    if (r->laps > sum->of.laps)
        sum->of.laps = r->laps;
}

static void swarm_one(const struct arguments *a, const struct swarm_options *options,
                      struct swarm_sum *sum)
{
    struct swarm_result result, again;
    swarm_run(options, &result);
    if (a->runs > 1 && sum->runs % TWICE_EVERY == 0 && !result.failure.failed) {
        swarm_run(options, &again);
        if (again.hash != result.hash || again.failure.failed)
            failure_say(&result.failure, "run twice it is not the same");
    }
    if (result.failure.failed) {
        sum->violations++;
        if (!options->verbose && !options->skip)
            swarm_shrink(options, SWARM_TRIES, &result);
        fprintf(stderr, "violation: %s\n    replay: %s\n", result.failure.text, result.replay);
    }
    swarm_add(sum, &result);
}

static bool is_spent(const struct arguments *a)
{
    double budget = a->campaign.budget_seconds;
    return budget > 0 && (double)clock() >= budget * CLOCKS_PER_SEC;
}

/* The seed of the first run is the seed; a run of one is a replay. */
static int run_swarm(const struct arguments *a)
{
    struct swarm_options options = a->swarm;
    struct swarm_sum sum = {0};
    if (!a->seeded && !a->json) {
        if (getentropy(&options.seed, sizeof options.seed) != 0)
            return EXIT_CANNOT;
        options.seed >>= 16; /* short enough to be copied by hand */
        printf("seed 0x%" PRIx64 "\n", options.seed);
        fflush(stdout);
    }
    uint64_t seed = options.seed;
    for (; sum.runs < a->runs && sum.violations < a->campaign.violations_max && !is_spent(a);
         options.seed = next_seed(options.seed))
        swarm_one(a, &options, &sum);
    if (a->json) {
        print_json(json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "mode",
                             "swarm", "seed", (json_int_t)seed, "runs", (json_int_t)sum.runs,
                             "points", (json_int_t)(sum.of.crashes + sum.of.nested + sum.of.errors),
                             "errors", (json_int_t)sum.of.errors, "still", (json_int_t)sum.of.still,
                             "nested", (json_int_t)sum.of.nested, "recoveries",
                             (json_int_t)sum.of.opens, "blocks_judged", (json_int_t)sum.of.judged,
                             "operations", (json_int_t)nand_operations_judged(), "violations",
                             (json_int_t)sum.violations));
        return sum.violations ? EXIT_VIOLATION : 0;
    }
    printf("seed 0x%" PRIx64 "\n", seed);
    printf("runs %" PRIu64 ", acts %" PRIu64 ", cuts %" PRIu64 ", in recovery %" PRIu64
           ", errors %" PRIu64 ", opens %" PRIu64 ", blocks judged %" PRIu64 ", hash %016" PRIx64
           "\n",
           sum.runs, sum.of.acts, sum.of.crashes, sum.of.nested, sum.of.errors, sum.of.opens,
           sum.of.judged, sum.hash);
    printf("blocks in histories %" PRIu64 ", units that stood still %" PRIu64
           ", requests that waited for them %" PRIu64 ", openings and closings %" PRIu64
           ", longest wait %.2f laps\n",
           sum.of.past_judged, sum.of.still, sum.of.waits, sum.of.hung, sum.of.laps);
    printf("violations %" PRIu64 ": %s\n", sum.violations, sum.violations ? "FAILED" : "passed");
    return sum.violations ? EXIT_VIOLATION : 0;
}

/* ---- explore --mode -------------------------------------------------------------------------- */

static bool is_late(void *arg)
{
    return campaign_clock() >= *(double *)arg;
}

static json_t *search_to_json(const struct search_options *o, const struct search_report *r,
                              double seconds)
{
    json_t *json = json_pack(
        "{s:s, s:s, s:I, s:I, s:I, s:I, s:b, s:I, s:s, s:s}", "mode", search_mode_name(o->mode),
        "geometry", o->shape->name, "seed", (json_int_t)o->seed, "points", (json_int_t)r->points,
        "trials", (json_int_t)r->trials, "sampled", (json_int_t)r->sampled, "complete", r->complete,
        "violations", (json_int_t)r->violations, "first", r->first, "replay", r->replay);
    json_t *more = json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f}", "runs", (json_int_t)r->runs, "recoveries",
        (json_int_t)r->recoveries, "blocks_judged", (json_int_t)r->judged, "operations",
        (json_int_t)nand_operations_judged(), "old_served", (json_int_t)r->old, "changed",
        (json_int_t)r->changed, "refused", (json_int_t)r->refused, "seconds", seconds,
        "recoveries_per_second", seconds > 0 ? (double)r->recoveries / seconds : 0);
    json_object_update(json, more);
    json_decref(more);
    return json;
}

static int run_search(const struct arguments *a)
{
    struct search_options options = a->search;
    struct search_report report;
    double begin = campaign_clock(), deadline = begin + a->campaign.budget_seconds;
    options.engine = a->campaign.engine;
    options.shape = a->campaign.shape ? a->campaign.shape : shape_find("tiny");
    options.story = a->campaign.story;
    options.seed = a->campaign.seed;
    options.verbose = a->campaign.verbose;
    options.violations_max = a->campaign.violations_max;
    options.is_over = is_late;
    options.arg = &deadline;
    search_run(&options, &report);
    double took = campaign_clock() - begin;
    if (report.missed && report.violations == 0) {
        fprintf(stderr, "hostftl-sim: there is no case %s in this search\n", options.path);
        return EXIT_USAGE;
    }
    if (a->json)
        print_json(search_to_json(&options, &report, took));
    else
        printf("%s on %s: cut points %" PRIu64 ", trials %" PRIu64 ", recoveries %" PRIu64
               ", violations %" PRIu64 "%s  (%.0f s, %.0f recoveries a second, seed %" PRIu64 ")\n",
               search_mode_name(options.mode), options.shape->name, report.points, report.trials,
               report.recoveries, report.violations, report.complete ? ", complete" : "", took,
               took > 0 ? (double)report.recoveries / took : 0, options.seed);
    return report.violations ? EXIT_VIOLATION : 0;
}

/* ---- mutants --------------------------------------------------------------------------------- */

static void print_mutant(const struct mutant_result *r, json_t *all)
{
    if (all) {
        json_t *one = json_pack("{s:s, s:b, s:I, s:f}", "name", r->name, "caught", r->caught,
                                "seed", (json_int_t)r->seed, "cpu_s", r->cpu_seconds);
        json_t *more = tally_to_json(&r->tally);
        json_object_update(one, more);
        json_decref(more);
        json_array_append_new(all, one);
        return;
    }
    printf("%-32s %-9s %5.1f s  %6" PRIu64 " cuts\n", r->name, r->caught ? "caught" : "survives",
           r->cpu_seconds, r->tally.cuts);
    if (r->caught)
        printf("    %s\n    %s --mutant %s\n", r->tally.first, r->tally.replay, r->name);
    fflush(stdout);
}

static int try_mutants(const struct arguments *a)
{
    json_t *all = a->json ? json_array() : NULL;
    struct mutant_result result;
    unsigned tried = 0, survivors = 0;
    if (!mutants_are_here()) {
        printf("this build has no mutants; one made with -Dmutants=true has\n");
        return EXIT_CANNOT;
    }
    mutants_try(&a->campaign, NULL, &result);
    if (!all)
        print_mutant(&result, NULL);
    bool sound = !result.caught;
    for (unsigned i = 0; i < mutants_count(); i++) {
        if (a->mutant && strcmp(a->mutant, mutants_name(i)) != 0)
            continue;
        mutants_try(&a->campaign, mutants_name(i), &result);
        print_mutant(&result, all);
        survivors += !result.caught;
        tried++;
    }
    if (all)
        print_json(json_pack("{s:b, s:i, s:o}", "sound", sound, "survivors", (int)survivors,
                             "mutants", all));
    else
        printf("mutants %u, survivors %u%s\n", tried, survivors,
               sound ? "" : "; without a mutant there are violations too, so this proves nothing");
    return survivors || !sound || tried == 0 ? EXIT_VIOLATION : 0;
}

/* ---- main ------------------------------------------------------------------------------------ */

static void list(void)
{
    printf("stories\n");
    for (unsigned i = 0; i < story_count(); i++)
        printf("    %-12s %s\n", story_at(i)->name, story_at(i)->text);
    printf("geometries\n");
    for (unsigned i = 0; i < shape_count(); i++)
        printf("    %-12s %s\n", shape_at(i)->name, shape_at(i)->text);
    printf("variants\n");
    for (unsigned i = 0; i < NAND_CUT_COUNT; i++)
        printf("    %u %-12s %s\n", i, nand_cut_name((enum nand_cut)i),
               nand_cut_text((enum nand_cut)i));
    printf("latencies\n");
    for (unsigned i = 0; i < NAND_LATENCY_COUNT; i++)
        printf("    %-12s %s\n", nand_latency_name((enum nand_latency)i),
               nand_latency_text((enum nand_latency)i));
    printf("switches of swarm\n   ");
    for (unsigned i = 0; i < SWARM_COUNT; i++)
        printf(" %s", swarm_switch_name(i));
    printf("\nmodes of explore\n");
    for (unsigned i = 0; i < SEARCH_MODE_COUNT; i++)
        printf("    %-12s %s\n", search_mode_name((enum search_mode)i),
               search_mode_text((enum search_mode)i));
    printf("mutants%s\n", mutants_are_here() ? "" : " (not in this build)");
    for (unsigned i = 0; i < mutants_count(); i++)
        printf("    %s\n", mutants_name(i));
}

static bool plant(const char *name)
{
#ifdef HFTL_MUTANTS
    mutant_set(name);
    return true;
#else
    return name == NULL;
#endif
}

int main(int argc, char **argv)
{
    static const struct argp argp = {argp_options,
                                     parse,
                                     "[explore | swarm | model | mutants]",
                                     "Cuts the power of simulated drives and judges what is left.",
                                     NULL,
                                     NULL,
                                     NULL};
    const unsigned both = HARNESS_ORACLE | HARNESS_HISTORY;
    struct arguments a = {
        .campaign = {.engine = &engine_hostftl, .op = -1, .variant = -1, .judges = both},
        .model = {.engine = &engine_hostftl, .acts = 400, .judges = both},
        .swarm = {.engine = &engine_hostftl, .acts = 400, .judges = both},
        .latency = NAND_LATENCY_COUNT};
    a.campaign.violations_max = 10;
    a.campaign.cpu_time = true; /* as many cuts on a loaded machine */
    argp_err_exit_status = EXIT_USAGE;
    set_seed(&a, 1);
    a.seeded = false;
    argp_parse(&argp, argc, argv, 0, NULL, &a);
    bool mutants = a.verb && strcmp(a.verb, "mutants") == 0;
    bool searches = a.verb && strcmp(a.verb, "explore") == 0;
    bool swarm = a.verb && strcmp(a.verb, "swarm") == 0;
    if (a.runs == 0)
        a.runs = a.campaign.budget_seconds > 0 ? UINT64_MAX : 1000;
    if (a.campaign.budget_seconds <= 0 && !swarm)
        a.campaign.budget_seconds = mutants ? 20 : searches ? 3600 : 60;
    a.campaign.progress = !a.campaign.verbose && isatty(STDERR_FILENO);
    /* Forks come and go by the thousand: keep their memory. */
    mallopt(M_MMAP_THRESHOLD, 1 << 28);
    mallopt(M_TRIM_THRESHOLD, 1 << 28);
    if (a.list) {
        list();
        return 0;
    }
    if (mutants)
        return try_mutants(&a);
    if (!plant(a.mutant)) {
        fprintf(stderr, "hostftl-sim: this build has no mutants\n");
        return EXIT_CANNOT;
    }
    if (searches)
        return run_search(&a);
    if (swarm)
        return run_swarm(&a);
    if (a.verb)
        return run_models(&a);
    return explore_all(&a);
}
