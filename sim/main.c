/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hostftl-sim: the simulator's command. Without a verb it draws cuts; `explore` goes through all of
 * a small world; `swarm` draws everything, from one seed; `model` runs random lists of requests;
 * `mutants` proves that planted bugs are caught.
 *
 * Exit: 0 no violation, 1 there are, 2 usage, 77 this build cannot.
 */
#define _DEFAULT_SOURCE /* getentropy */

#include "sim/arguments.h"
#include "sim/mutants.h"

#include "base/mutant.h"

#include <inttypes.h>
#include <jansson.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- being stopped --------------------------------------------------------------------------- */

static volatile sig_atomic_t stopped;

/* The first time swarm, model and explore end with what they have; the second time at once. */
static void stop(int number)
{
    stopped = 1;
    signal(number, SIG_DFL);
}

static void listen_for_stops(void)
{
    signal(SIGTERM, stop);
    signal(SIGINT, stop);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

/* All 64 bits: numbers of JSON have fewer. */
static json_t *hexadecimal(uint64_t number)
{
    return json_sprintf("0x%" PRIx64, number);
}

static json_t *tally_to_json(const struct tally *t)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:s}", "cuts", (json_int_t)t->cuts,
                     "recoveries", (json_int_t)t->recoveries, "nested", (json_int_t)t->nested,
                     "blocks_judged", (json_int_t)t->judged, "runs", (json_int_t)t->runs,
                     "operations", (json_int_t)t->moments, "violations", (json_int_t)t->violations,
                     "first", t->first, "replay", t->replay);
}

/* At once: who is stopped later has said it. */
static void print_json(json_t *object)
{
    json_dumpf(object, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
    putchar('\n');
    fflush(stdout);
    json_decref(object);
}

static int say_nothing_done(const char *why)
{
    fprintf(stderr, "hostftl-sim: %s\n", why);
    return EXIT_USAGE;
}

/* ---- explore --------------------------------------------------------------------------------- */

static int explore_all(const struct arguments *a)
{
    struct tally tally = {0};
    double begin = campaign_clock();
    campaign_run(&a->campaign, &tally);
    if (tally.cuts == 0 && tally.violations == 0) /* that none was found would say nothing */
        return say_nothing_done(a->campaign.op < 0 ? "the time was over before the first cut"
                                                   : "no run came to that operation in time");
    if (a->json) {
        json_t *json = tally_to_json(&tally);
        json_object_set_new(json, "seed", hexadecimal(a->campaign.seed));
        print_json(json);
    } else {
        printf("cuts %" PRIu64 ", recoveries %" PRIu64 ", nested %" PRIu64 ", violations %" PRIu64
               "  (%.0f s, %" PRIu64 " blocks judged, seed %" PRIu64 ")\n",
               tally.cuts, tally.recoveries, tally.nested, tally.violations,
               campaign_clock() - begin, tally.judged, a->campaign.seed);
    }
    return tally.violations ? EXIT_VIOLATION : 0;
}

/* ---- model ----------------------------------------------------------------------------------- */

#define SHRINK_TRIES 300u

static int run_models(const struct arguments *a)
{
    struct model_options options = a->model;
    struct model_result result, sum = {0}, first = {0};
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
            if (violations++ == 0)
                first = result;
            fprintf(stderr, "violation: %s\n    replay: %s\n", result.failure.text, result.replay);
        }
        options.seed++;
    } while (!once && !stopped && campaign_clock() < deadline &&
             violations < a->campaign.violations_max);
    if (a->json)
        print_json(json_pack("{s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:s}", "mode", "model",
                             "seed", hexadecimal(a->model.seed), "lists", (json_int_t)lists, "acts",
                             (json_int_t)sum.acts, "crashes", (json_int_t)sum.crashes, "steps",
                             (json_int_t)sum.steps, "blocks_judged", (json_int_t)sum.judged,
                             "violations", (json_int_t)violations, "first", first.failure.text,
                             "replay", first.replay));
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
    struct swarm_result of;    /* numbers, summed */
    struct swarm_result first; /* that failed */
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
        if (!options->verbose && !options->skip)
            swarm_shrink(options, SWARM_TRIES, &result);
        if (sum->violations++ == 0)
            sum->first = result;
        fprintf(stderr, "violation: %s\n    replay: %s\n", result.failure.text, result.replay);
    }
    swarm_add(sum, &result);
}

static bool is_spent(const struct arguments *a)
{
    double budget = a->campaign.budget_seconds;
    return stopped || (budget > 0 && (double)clock() >= budget * CLOCKS_PER_SEC);
}

/* Said at once, where there may be no end: of JSON that is on standard error. */
static bool choose_seed(const struct arguments *a, uint64_t *seed)
{
    if (a->seeded)
        return true;
    if (getentropy(seed, sizeof *seed) != 0)
        return false;
    *seed >>= 16; /* short enough to be copied by hand */
    fprintf(a->json ? stderr : stdout, "seed 0x%" PRIx64 "\n", *seed);
    fflush(stdout);
    return true;
}

static json_t *swarm_to_json(const struct swarm_sum *sum, uint64_t seed)
{
    json_t *json = json_pack(
        "{s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "mode", "swarm", "seed",
        hexadecimal(seed), "runs", (json_int_t)sum->runs, "points",
        (json_int_t)(sum->of.crashes + sum->of.nested + sum->of.errors), "errors",
        (json_int_t)sum->of.errors, "still", (json_int_t)sum->of.still, "nested",
        (json_int_t)sum->of.nested, "recoveries", (json_int_t)sum->of.opens, "blocks_judged",
        (json_int_t)sum->of.judged, "operations", (json_int_t)nand_operations_judged());
    json_t *more = json_pack("{s:o, s:I, s:s, s:s}", "hash", json_sprintf("%016" PRIx64, sum->hash),
                             "violations", (json_int_t)sum->violations, "first",
                             sum->first.failure.text, "replay", sum->first.replay);
    json_object_update(json, more);
    json_decref(more);
    return json;
}

/* The seed of the first run is the seed; a run of one is a replay. */
static int run_swarm(const struct arguments *a)
{
    struct swarm_options options = a->swarm;
    struct swarm_sum sum = {0};
    if (!choose_seed(a, &options.seed))
        return EXIT_CANNOT;
    uint64_t seed = options.seed;
    do {
        swarm_one(a, &options, &sum);
        options.seed = next_seed(options.seed);
    } while (sum.runs < a->runs && sum.violations < a->campaign.violations_max && !is_spent(a));
    if (a->json) {
        print_json(swarm_to_json(&sum, seed));
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
    return stopped || campaign_clock() >= *(double *)arg;
}

static json_t *search_to_json(const struct search_options *o, const struct search_report *r,
                              double seconds)
{
    json_t *json = json_pack(
        "{s:s, s:s, s:o, s:I, s:I, s:I, s:b, s:I, s:s, s:s}", "mode", search_mode_name(o->mode),
        "geometry", o->shape->name, "seed", hexadecimal(o->seed), "points", (json_int_t)r->points,
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
    options.is_over = is_late;
    options.arg = &deadline;
    search_run(&options, &report);
    double took = campaign_clock() - begin;
    if (report.missed && report.violations == 0)
        return say_nothing_done("there is no such case in this search");
    if (report.points == 0 && report.violations == 0)
        return say_nothing_done("the time was over before the first case");
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

static void print_mutant(const struct mutant_result *r, bool as_json)
{
    if (as_json) {
        json_t *one = json_pack("{s:s, s:b, s:o, s:f}", "name", r->name, "caught", r->caught,
                                "seed", hexadecimal(r->seed), "cpu_s", r->cpu_seconds);
        json_t *more = tally_to_json(&r->tally);
        json_object_update(one, more);
        json_decref(more);
        print_json(one);
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
    struct mutant_result result;
    unsigned tried = 0, survivors = 0;
    if (!mutants_are_here()) {
        fprintf(a->json ? stderr : stdout,
                "this build has no mutants; one made with -Dmutants=true has\n");
        return EXIT_CANNOT;
    }
    mutants_try(&a->campaign, NULL, &result);
    print_mutant(&result, a->json);
    bool sound = !result.caught;
    for (unsigned i = 0; i < mutants_count(); i++) {
        if (a->mutant && strcmp(a->mutant, mutants_name(i)) != 0)
            continue;
        mutants_try(&a->campaign, mutants_name(i), &result);
        print_mutant(&result, a->json);
        survivors += !result.caught;
        tried++;
    }
    if (a->json)
        print_json(json_pack("{s:b, s:i, s:i}", "sound", sound, "mutants", (int)tried, "survivors",
                             (int)survivors));
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

static int run(const struct arguments *a)
{
    if (a->verb == VERB_MUTANTS)
        return try_mutants(a);
    if (!plant(a->mutant)) {
        fprintf(stderr, "hostftl-sim: this build has no mutants\n");
        return EXIT_CANNOT;
    }
    if (a->verb != VERB_CUTS)
        listen_for_stops();
    switch (a->verb) {
    case VERB_EXPLORE:
        return run_search(a);
    case VERB_SWARM:
        return run_swarm(a);
    case VERB_MODEL:
        return run_models(a);
    default:
        return explore_all(a);
    }
}

int main(int argc, char **argv)
{
    struct arguments a;
    int status = 0;
    arguments_parse(&a, argc, argv);
    a.campaign.progress = !a.campaign.verbose && isatty(STDERR_FILENO);
    /* Forks come and go by the thousand: keep their memory. */
    mallopt(M_MMAP_THRESHOLD, 1 << 28);
    mallopt(M_TRIM_THRESHOLD, 1 << 28);
    if (a.list)
        list();
    else
        status = run(&a);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "hostftl-sim: what was found cannot be written\n");
        return status ? status : EXIT_USAGE;
    }
    return status;
}
