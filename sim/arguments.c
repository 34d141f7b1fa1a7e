/* SPDX-License-Identifier: BSD-3-Clause */
#include "sim/arguments.h"

#include "sim/mutants.h"
#include "sim/tuning.h"

#include <argp.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ACTS_DEFAULT 400u
#define CUT_SECONDS 60
#define EXPLORE_SECONDS 3600
#define MUTANT_SECONDS 20
#define SWARM_RUNS 1000u

static const struct argp_option argp_options[] = {
    {"story", 'S', "NAME", 0, "only this story; not for swarm, model and explore --mode ace", 0},
    {"geometry", 'g', "NAME", 0, "only this drive", 0},
    {"seed", 's', "N", 0, "chance begins here (1; swarm: another each time, which it prints)", 0},
    {"op", 'n', "N", 0, "without a verb: cut at this operation only", 0},
    {"variant", 'v', "N", 0, "without a verb: cut in this way only; --list names them", 0},
    {"budget", 'b', "SECONDS", 0,
     "stop looking after so long: of processor time (60; mutants: 20 for each; swarm: "
     "after --runs), of time that passes for model (60) and explore (3600)",
     0},
    {"violations", 'k', "N", 0, "go on until there were so many (10); not for mutants", 0},
    {"runs", 'r', "N", 0, "swarm: how many (1000; with a budget: as many as fit; with --skip: one)",
     0},
    {"off", 'O', "LIST", 0, "swarm: switches that are off, as in cut-torn,deep; --list names them",
     0},
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
    {"mode", 'M', "NAME", 0,
     "explore: exhaustive, nested, ace, oom, ioerr, bitflip, storm or liar; --list says what that "
     "is",
     0},
    {"case", 'c', "PATH", 0, "explore: this case only, as in 3.120.4", 0},
    {"length", 'L', "N", 0,
     "explore: requests of a run (24; nested: 8); ace: of a word (2); not for oom, bitflip, storm",
     0},
    {"depth", 'D', "N", 0, "explore, nested: recoveries cut, one inside the other (2)", 0},
    {"ways", 'w', "N", 0,
     "explore, exhaustive, nested, ace: ways to cut at one moment, at most (all; nested: 64)", 0},
    {"blocks", 'B', "N", 0, "explore, ace: blocks that the requests are for (2)", 0},
    {"cuts", 'C', "N", 0, "explore, storm: cuts in a row (10000)", 0},
    {"mutant", 'm', "NAME", 0, "plant this bug (a build with -Dmutants=true)", 0},
    {"verbose", 'V', NULL, 0, "say what happens; not for mutants", 0},
    {"list", 'l', NULL, 0, "list stories, drives and ways to cut", 0},
    {"output", 'o', "FORMAT", 0,
     "json: one object on standard output; mutants: one a line, as they are tried", 0},
    {0}};

/* ---- who takes what -------------------------------------------------------------------------- */

static const char *const verb_names[VERB_COUNT] = {"", "explore", "swarm", "model", "mutants"};

#define CUTS (1u << VERB_CUTS)
#define EXPLORE (1u << VERB_EXPLORE)
#define SWARM (1u << VERB_SWARM)
#define MODEL (1u << VERB_MODEL)
#define MUTANTS (1u << VERB_MUTANTS)
#define ALL_MODES ((1u << SEARCH_MODE_COUNT) - 1)
#define MODE(name) (1u << SEARCH_##name)
#define CUT_MODES (MODE(EXHAUSTIVE) | MODE(NESTED) | MODE(ACE))

/* What is not here everybody takes. */
static const struct taker {
    int key;
    unsigned verbs, modes; /* modes: of explore */
} takers[] = {
    {'S', CUTS | EXPLORE | MUTANTS, ALL_MODES & ~MODE(ACE)},
    {'n', CUTS, 0},
    {'v', CUTS, 0},
    {'k', CUTS | EXPLORE | SWARM | MODEL, ALL_MODES},
    {'r', SWARM, 0},
    {'O', SWARM, 0},
    {'a', SWARM | MODEL, 0},
    {'x', SWARM | MODEL, 0},
    {'M', EXPLORE, ALL_MODES},
    {'c', EXPLORE, ALL_MODES},
    {'L', EXPLORE, CUT_MODES | MODE(IOERR) | MODE(LIAR)},
    {'D', EXPLORE, MODE(NESTED)},
    {'w', EXPLORE, CUT_MODES},
    {'B', EXPLORE, MODE(ACE)},
    {'C', EXPLORE, MODE(STORM)},
    {'V', CUTS | EXPLORE | SWARM | MODEL, ALL_MODES},
};

static uint64_t bit_of(int key)
{
    return key > 'A' - 1 && key <= 'z' ? UINT64_C(1) << (key - 'A') : 0;
}

static bool is_given(const struct arguments *a, int key)
{
    return (a->given & bit_of(key)) != 0;
}

static const char *name_of(int key)
{
    const struct argp_option *option = argp_options;
    while (option->key != key)
        option++;
    return option->name;
}

static void refuse_what_is_not_taken(const struct arguments *a, struct argp_state *state)
{
    for (size_t i = 0; i < sizeof takers / sizeof takers[0]; i++) {
        const struct taker *t = &takers[i];
        if (!is_given(a, t->key))
            continue;
        if (!(t->verbs >> a->verb & 1))
            argp_error(state, "--%s is not for %s", name_of(t->key),
                       a->verb == VERB_CUTS ? "a run without a verb" : verb_names[a->verb]);
        if (a->verb == VERB_EXPLORE && !(t->modes >> a->search.mode & 1))
            argp_error(state, "--%s is not for explore --mode %s", name_of(t->key),
                       search_mode_name(a->search.mode));
    }
}

/* ---- values ---------------------------------------------------------------------------------- */

/* Decimal, or 0x and hexadecimal. False: neither, or too large. */
static bool read_number(const char *text, uint64_t *number)
{
    int base = strncmp(text, "0x", 2) == 0 ? 16 : 10;
    const char *digits = base == 16 ? text + 2 : text;
    char *rest;
    if (!isxdigit((unsigned char)*digits))
        return false;
    errno = 0;
    *number = strtoull(digits, &rest, base);
    return *rest == 0 && errno == 0;
}

/* Of an option, where the one of that letter was given. */
struct value {
    int key;
    const char *text;
    struct argp_state *state;
};

static uint64_t number(const struct value *value, uint64_t least, uint64_t most)
{
    uint64_t n = 0;
    if (!read_number(value->text, &n))
        argp_error(value->state, "--%s %s: not a number", name_of(value->key), value->text);
    if (n < least || n > most)
        argp_error(value->state, "--%s %s: from %llu to %llu", name_of(value->key), value->text,
                   (unsigned long long)least, (unsigned long long)most);
    return n;
}

static uint32_t count(const struct value *value, uint32_t most)
{
    return (uint32_t)number(value, 1, most);
}

static double seconds(const char *text, struct argp_state *state)
{
    char *rest;
    double n = strtod(text, &rest);
    if (*text == 0 || *rest || !(n > 0 && n < 1e9))
        argp_error(state, "'%s' is no number of seconds", text);
    return n;
}

/* "3.120.4" */
static bool is_path(const char *text)
{
    unsigned numbers = 0;
    for (; numbers < SEARCH_PATH_MAX; numbers++) {
        char *rest;
        errno = 0;
        (void)strtoull(text, &rest, 10);
        if (!isdigit((unsigned char)*text) || errno != 0)
            return false;
        if (*rest == 0)
            return true;
        if (*rest != '.')
            return false;
        text = rest + 1;
    }
    return false;
}

/* "3-9,12": acts of a list of so many. */
static bool is_list_of_acts(const char *text, uint32_t acts)
{
    for (;;) {
        char *rest;
        if (!isdigit((unsigned char)*text))
            return false;
        unsigned long first = strtoul(text, &rest, 10), last = first;
        if (*rest == '-') {
            if (!isdigit((unsigned char)rest[1]))
                return false;
            last = strtoul(rest + 1, &rest, 10);
        }
        if (last < first || last >= acts || (*rest != 0 && *rest != ','))
            return false;
        if (*rest == 0)
            return true;
        text = rest + 1;
    }
}

/* ---- options --------------------------------------------------------------------------------- */

static void set_seed(struct arguments *a, uint64_t seed)
{
    a->campaign.seed = a->model.seed = a->swarm.seed = a->search.seed = seed;
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

static void set_mutant(struct arguments *a, const char *text, struct argp_state *state)
{
    unsigned i = 0;
    while (i < mutants_count() && strcmp(mutants_name(i), text) != 0)
        i++;
    if (i == mutants_count())
        argp_error(state, "there is no mutant '%s'; see --list", text);
    a->mutant = text;
}

static void set_verb(struct arguments *a, const char *text, struct argp_state *state)
{
    unsigned verb = VERB_EXPLORE;
    if (a->verb != VERB_CUTS)
        argp_error(state, "'%s' is too much, behind %s", text, verb_names[a->verb]);
    while (verb < VERB_COUNT && strcmp(verb_names[verb], text) != 0)
        verb++;
    if (verb == VERB_COUNT)
        argp_error(state, "'%s' is no verb; there are explore, swarm, model and mutants", text);
    a->verb = (enum verb)verb;
}

static error_t parse_search(int key, char *text, struct argp_state *state, struct arguments *a)
{
    struct search_options *o = &a->search;
    const struct value value = {key, text, state};
    switch (key) {
    case 'M':
        o->mode = search_mode_find(text);
        if (o->mode == SEARCH_MODE_COUNT)
            argp_error(state, "there is no mode '%s'; see --list", text);
        break;
    case 'c':
        if (!is_path(text))
            argp_error(state, "'%s' is no path; one is as in 3.120.4, with %u numbers at most",
                       text, SEARCH_PATH_MAX);
        o->path = text;
        break;
    case 'L':
        o->length = count(&value, UINT32_MAX);
        break;
    case 'D':
        o->depth = count(&value, SEARCH_DEPTH_MAX);
        break;
    case 'w':
        o->ways = count(&value, UINT32_MAX);
        break;
    case 'B':
        o->blocks = count(&value, HARNESS_BLOCKS_MAX);
        break;
    case 'C':
        o->cuts = count(&value, UINT32_MAX);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static error_t parse_swarm(int key, char *text, struct argp_state *state, struct arguments *a)
{
    const struct value value = {key, text, state};
    switch (key) {
    case 'r':
        a->runs = number(&value, 1, UINT64_MAX);
        break;
    case 'O':
        if (!swarm_switches(text, &a->swarm.off))
            argp_error(state, "'%s' has a switch that is none; see --list", text);
        break;
    case 'a':
        a->model.acts = a->swarm.acts = count(&value, SWARM_ACTS_MAX);
        break;
    case 'x':
        a->model.skip = a->swarm.skip = text;
        break;
    case 't':
        if (*text == 0 || !tuning_fix(text))
            argp_error(state, "'%s' is no tuning; see --help", text);
        break;
    case 'y':
        set_latency(a, text, state);
        break;
    case 'j':
        set_judges(a, text, state);
        break;
    default:
        return parse_search(key, text, state, a);
    }
    return 0;
}

static error_t parse_cuts(int key, char *text, struct argp_state *state, struct arguments *a)
{
    const struct value value = {key, text, state};
    switch (key) {
    case 'S':
        a->campaign.story = a->search.story = story_find(text);
        if (!a->campaign.story)
            argp_error(state, "there is no story '%s'; see --list", text);
        break;
    case 'g':
        a->campaign.shape = a->model.shape = a->swarm.shape = a->search.shape = shape_find(text);
        if (!a->campaign.shape)
            argp_error(state, "there is no drive '%s'; see --list", text);
        break;
    case 's':
        set_seed(a, number(&value, 0, UINT64_MAX));
        a->seeded = true;
        break;
    case 'n':
        a->campaign.op = (int64_t)number(&value, 0, INT64_MAX);
        break;
    case 'v':
        a->campaign.variant = (int)number(&value, 0, NAND_CUT_COUNT - 1);
        break;
    case 'b':
        a->campaign.budget_seconds = seconds(text, state);
        break;
    case 'k':
        a->campaign.violations_max = number(&value, 1, UINT64_MAX);
        break;
    default:
        return parse_swarm(key, text, state, a);
    }
    return 0;
}

/* What one option says of another. */
static void check_all(const struct arguments *a, struct argp_state *state)
{
    const char *skip = a->verb == VERB_MODEL ? a->model.skip : a->swarm.skip;
    if (a->list)
        return;
    refuse_what_is_not_taken(a, state);
    if (a->latency == NAND_LATENCY_NEVER && a->verb != VERB_SWARM)
        argp_error(state, "'never' is for swarm");
    if (a->verb == VERB_MODEL && a->model.acts > MODEL_ACTS_MAX)
        argp_error(state, "model has %u acts at most", MODEL_ACTS_MAX);
    if (skip && !is_list_of_acts(skip, a->swarm.acts))
        argp_error(state, "'%s' is no list of acts as in 3-9,12, out of %u", skip, a->swarm.acts);
    if (a->search.mode == SEARCH_ACE && a->search.length > SEARCH_ACE_LENGTH_MAX)
        argp_error(state, "a word has %u requests at most", SEARCH_ACE_LENGTH_MAX);
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *a = state->input;
    a->given |= bit_of(key);
    switch (key) {
    case 'm':
        set_mutant(a, text, state);
        break;
    case 'V':
        a->campaign.verbose = a->model.verbose = a->swarm.verbose = a->search.verbose = true;
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
        set_verb(a, text, state);
        break;
    case ARGP_KEY_END:
        check_all(a, state);
        break;
    default:
        return parse_cuts(key, text, state, a);
    }
    return 0;
}

static void fill_in(struct arguments *a)
{
    static const double budgets[VERB_COUNT] = {[VERB_CUTS] = CUT_SECONDS,
                                               [VERB_EXPLORE] = EXPLORE_SECONDS,
                                               [VERB_MODEL] = CUT_SECONDS,
                                               [VERB_MUTANTS] = MUTANT_SECONDS};
    if (!is_given(a, 'r'))
        a->runs = a->swarm.skip ? 1 : is_given(a, 'b') ? UINT64_MAX : SWARM_RUNS;
    if (!is_given(a, 'b'))
        a->campaign.budget_seconds = budgets[a->verb];
    if (!a->search.shape)
        a->search.shape = shape_find("tiny");
    a->search.violations_max = a->campaign.violations_max;
}

void arguments_parse(struct arguments *arguments, int argc, char **argv)
{
    static const struct argp argp = {argp_options,
                                     parse,
                                     "[explore | swarm | model | mutants]",
                                     "Cuts the power of simulated drives and judges what is left.",
                                     NULL,
                                     NULL,
                                     NULL};
    const unsigned both = HARNESS_ORACLE | HARNESS_HISTORY;
    const struct engine *engine = &engine_hostftl;
    *arguments =
        (struct arguments){.campaign = {.engine = engine, .op = -1, .variant = -1, .judges = both},
                           .model = {.engine = engine, .acts = ACTS_DEFAULT, .judges = both},
                           .search = {.engine = engine, .judges = both},
                           .swarm = {.engine = engine, .acts = ACTS_DEFAULT, .judges = both},
                           .latency = NAND_LATENCY_COUNT};
    arguments->campaign.violations_max = 10;
    arguments->campaign.cpu_time = true; /* as many cuts on a loaded machine */
    argp_err_exit_status = EXIT_USAGE;
    set_seed(arguments, 1);
    argp_parse(&argp, argc, argv, 0, NULL, arguments);
    fill_in(arguments);
}
