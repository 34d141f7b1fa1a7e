/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hostftl-sim: the simulator's command. Without a verb it explores cuts; `model` runs random lists
 * of requests; `mutants` proves that planted bugs are caught. Exit: 0 no violation, 1 there are,
 * 2 usage, 77 this build cannot.
 */
#define _POSIX_C_SOURCE 200809L

#include "sim/campaign.h"
#include "sim/model.h"
#include "sim/mutants.h"
#include "sim/tuning.h"

#include "base/mutant.h"

#include <argp.h>
#include <inttypes.h>
#include <jansson.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_VIOLATION = 1, EXIT_USAGE = 2, EXIT_CANNOT = 77 };

struct arguments {
    const char *verb;
    const char *mutant; /* plant this one */
    struct campaign_options campaign;
    struct model_options model;
    bool list, json, seeded;
};

static const struct argp_option argp_options[] = {
    {"story", 'S', "NAME", 0, "only this story", 0},
    {"geometry", 'g', "NAME", 0, "only this drive", 0},
    {"seed", 's', "N", 0, "chance begins here (1)", 0},
    {"op", 'n', "N", 0, "cut at this operation only", 0},
    {"variant", 'v', "N", 0, "cut in this way only; --list names them", 0},
    {"budget", 'b', "SECONDS", 0, "stop looking after so long (60; mutants: 20 for each)", 0},
    {"violations", 'k', "N", 0, "go on until there were so many (10)", 0},
    {"acts", 'a', "N", 0, "model: acts in a list (400)", 0},
    {"skip", 'x', "LIST", 0, "model: leave out these acts, as in 3-9,12; runs one list", 0},
    {"tuning", 't', "WORDS", 0,
     "run devices so: default, or any of victims=N,blocks=N,policy=NAME,"
     "percent=N,start=N,paused; otherwise the seed chooses",
     0},
    {"mutant", 'm', "NAME", 0, "plant this bug (a build with -Dmutants=true)", 0},
    {"verbose", 'V', NULL, 0, "say what happens", 0},
    {"list", 'l', NULL, 0, "list stories, drives and ways to cut", 0},
    {"output", 'o', "FORMAT", 0, "json: one object on standard output", 0},
    {0}};

static uint64_t number(const char *text, struct argp_state *state)
{
    char *rest;
    unsigned long long n = strtoull(text, &rest, 10);
    if (*text == 0 || *rest)
        argp_error(state, "'%s' is not a number", text);
    return n;
}

static void set_seed(struct arguments *a, uint64_t seed)
{
    a->campaign.seed = a->model.seed = seed;
    a->seeded = true;
}

static error_t parse_more(int key, char *text, struct argp_state *state, struct arguments *a)
{
    switch (key) {
    case 'a':
        a->model.acts = (uint32_t)number(text, state);
        break;
    case 'x':
        a->model.skip = text;
        break;
    case 't':
        if (!tuning_fix(text))
            argp_error(state, "'%s' is no tuning; see --help", text);
        break;
    case 'm':
        a->mutant = text;
        break;
    case 'V':
        a->campaign.verbose = a->model.verbose = true;
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
        if (a->verb || (strcmp(text, "model") != 0 && strcmp(text, "mutants") != 0))
            argp_error(state, "'%s' is no verb; there are model and mutants", text);
        a->verb = text;
        break;
    default:
        return ARGP_ERR_UNKNOWN;
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
        a->campaign.shape = a->model.shape = shape_find(text);
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
        a->campaign.budget_seconds = strtod(text, NULL);
        break;
    case 'k':
        a->campaign.violations_max = number(text, state);
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

/* ---- mutants --------------------------------------------------------------------------------- */

static void print_mutant(const struct mutant_result *r, json_t *all)
{
    if (all) {
        json_t *one = tally_to_json(&r->tally);
        json_object_set_new(one, "mutant", json_string(r->name));
        json_object_set_new(one, "caught", json_boolean(r->caught));
        json_array_append_new(all, one);
        return;
    }
    printf("%-32s %-9s %5.1f s  %6" PRIu64 " cuts\n", r->name, r->caught ? "caught" : "survives",
           r->seconds, r->tally.cuts);
    if (r->caught)
        printf("    %s\n    %s --mutant %s\n", r->tally.first, r->tally.replay, r->name);
    fflush(stdout);
}

static int try_mutants(const struct arguments *a)
{
    json_t *all = a->json ? json_array() : NULL;
    struct mutant_result result;
    unsigned survivors = 0;
    if (!mutants_are_here()) {
        printf("this build has no mutants; one made with -Dmutants=true has\n");
        return EXIT_CANNOT;
    }
    mutants_try(&a->campaign, NULL, &result);
    print_mutant(&result, all);
    bool sound = !result.caught;
    for (unsigned i = 0; i < mutants_count(); i++) {
        if (a->mutant && strcmp(a->mutant, mutants_name(i)) != 0)
            continue;
        mutants_try(&a->campaign, mutants_name(i), &result);
        print_mutant(&result, all);
        survivors += !result.caught;
    }
    if (all)
        print_json(json_pack("{s:b, s:i, s:o}", "sound", sound, "survivors", (int)survivors,
                             "mutants", all));
    else
        printf("mutants %u, survivors %u%s\n", mutants_count(), survivors,
               sound ? "" : "; without a mutant there are violations too, so this proves nothing");
    return survivors || !sound ? EXIT_VIOLATION : 0;
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
                                     "[model | mutants]",
                                     "Cuts the power of simulated drives and judges what is left.",
                                     NULL,
                                     NULL,
                                     NULL};
    struct arguments a = {.campaign = {.engine = &engine_hostftl, .op = -1, .variant = -1},
                          .model = {.engine = &engine_hostftl, .acts = 400}};
    a.campaign.violations_max = 10;
    argp_err_exit_status = EXIT_USAGE;
    set_seed(&a, 1);
    argp_parse(&argp, argc, argv, 0, NULL, &a);
    bool mutants = a.verb && strcmp(a.verb, "mutants") == 0;
    if (a.campaign.budget_seconds <= 0)
        a.campaign.budget_seconds = mutants ? 20 : 60;
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
    if (a.verb)
        return run_models(&a);
    return explore_all(&a);
}
