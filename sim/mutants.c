/* SPDX-License-Identifier: BSD-3-Clause */
#define _DEFAULT_SOURCE /* wait4 */

#include "sim/mutants.h"

#include "base/must.h"
#include "base/mutant.h"
#include "sim/search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const names[] = {
    "flush-before-erase-missing",
    "erase-while-overwrite-volatile",
    "seq-without-epoch",
    "reseq-on-relocation",
    "summary-forgotten-at-flush",
    "tail-before-flush",
    "trim-page-while-volatile",
    "sealed-band-written-again",
    "verdict-not-durable",
    "flush-does-not-wait",
    "superblock-both-at-once",
    "trim-forgotten-at-flush",
    "format-erases-bands-first",
    "clean-record-without-flush",
    "opening-does-not-flush",
    "resume-without-identities",
    "pads-prove-stored",
    "believed-behind-a-rejected",
    "trim-pages-not-applied",
    "tie-settled-unread",
    "window-not-padded",
    "no-slot-for-the-record",
    "headless-copy-in-use",
    "verdict-not-repeated",
    "newest-superblock-first",
    "relocation-overrules-a-write",
    "fua-answered-at-once",
    "trim-without-a-clock",
    "erased-under-a-reader",
    "witness-ahead-of-flush",
    "victim-taken-twice",
    "reserve-shared-by-movers",
    "limit-ignored",
    "flush-forgets-closing-band",
    "next-band-counted-durable",
    "overlap-beyond-the-limit",
    "flush-forgets-a-column",
    "verify-cache-stale-generation",
    "level-not-kept",
    "failed-read-served",
    "bad-read-not-repeated",
    "moved-block-lost-at-once",
    "failed-write-unseen",
    "failed-flush-answered",
    "failed-erase-is-free",
    "torn-read-once",
    "head-decoded-once",
    "data-crc-not-checked",
    "leak-when-opening-fails",
    "movers-let-a-closing-wait",
};

/*
 * Bugs that need a drive or a story of their own. Half of the budget goes there, the rest
 * everywhere: how long the search takes must not hang on which drives there are besides.
 */
static const struct hint {
    const char *name, *story, *shape, *mode; /* mode: of sim/search; cuts do not show it */
} hints[] = {
    {"clean-record-without-flush", "reopen", "oc-bare", NULL},
    {"opening-does-not-flush", "fua", NULL, NULL},
    {"format-erases-bands-first", "format", NULL, NULL},
    {"verify-cache-stale-generation", NULL, "zoned-cached", NULL},
    {"no-slot-for-the-record", NULL, "zoned-exact", NULL},
    {"erased-under-a-reader", "same", "oc-3pu", NULL},
    {"trim-page-while-volatile", "trim", NULL, NULL},
    {"trim-without-a-clock", "trim", "tiny", NULL},
    {"failed-read-served", NULL, NULL, "ioerr"},
    {"bad-read-not-repeated", NULL, "tiny-oob", "ioerr"},
    {"moved-block-lost-at-once", NULL, "tiny-oob", "ioerr"},
    {"failed-write-unseen", NULL, NULL, "ioerr"},
    {"failed-flush-answered", NULL, NULL, "ioerr"},
    {"failed-erase-is-free", NULL, NULL, "ioerr"},
    {"torn-read-once", "trim", "tiny-oob", "ioerr"},
    {"head-decoded-once", "flush", "tiny-oob", "ioerr"},
    {"data-crc-not-checked", NULL, NULL, "bitflip"},
    {"leak-when-opening-fails", NULL, NULL, "oom"},
    {"headless-copy-in-use", NULL, "tiny", "storm"},
    {"movers-let-a-closing-wait", "bands", NULL, NULL},
};

unsigned mutants_count(void)
{
    return sizeof names / sizeof names[0];
}

const char *mutants_name(unsigned index)
{
    return names[index];
}

bool mutants_are_here(void)
{
#ifdef HFTL_MUTANTS
    return true;
#else
    return false;
#endif
}

static void plant(const char *name)
{
#ifdef HFTL_MUTANTS
    mutant_set(name);
#else
    must(name == NULL);
#endif
}

/* What a search finds, as a tally. */
static void search_mode(const struct campaign_options *options, const struct hint *hint,
                        struct tally *tally)
{
    struct search_report report;
    struct search_options search = {.engine = options->engine,
                                    .mode = search_mode_find(hint->mode),
                                    .shape = shape_find(hint->shape ? hint->shape : "tiny"),
                                    .story = hint->story ? story_find(hint->story) : NULL,
                                    .seed = options->seed,
                                    .judges = options->judges,
                                    .quiet = true,
                                    .violations_max = 1};
    search_run(&search, &report);
    tally->cuts += report.points;
    tally->recoveries += report.recoveries;
    tally->judged += report.judged;
    tally->runs += report.runs;
    tally->violations += report.violations;
    memcpy(tally->first, report.first, sizeof tally->first);
    snprintf(tally->replay, sizeof tally->replay, "%s", report.replay);
}

static void search(struct campaign_options *options, const char *name, struct tally *tally)
{
    bool asked = options->story != NULL || options->shape != NULL;
    for (size_t i = 0; name != NULL && !asked && i < sizeof hints / sizeof hints[0]; i++) {
        if (strcmp(hints[i].name, name) != 0)
            continue;
        if (hints[i].mode != NULL) {
            search_mode(options, &hints[i], tally);
            return;
        }
        struct campaign_options there = *options;
        there.budget_seconds /= 2;
        options->budget_seconds -= there.budget_seconds;
        there.story = hints[i].story == NULL ? NULL : story_find(hints[i].story);
        there.shape = hints[i].shape == NULL ? NULL : shape_find(hints[i].shape);
        campaign_run(&there, tally);
    }
    if (tally->violations == 0)
        campaign_run(options, tally);
}

static _Noreturn void explore_in_child(const struct campaign_options *options, const char *name,
                                       int out)
{
    struct campaign_options quiet = *options;
    struct tally tally = {0};
    quiet.quiet = true;
    quiet.cpu_time = true;
    quiet.violations_max = 1;
    if (!freopen("/dev/null", "w", stderr))
        _exit(2);
    plant(name);
    search(&quiet, name, &tally);
    ssize_t written = write(out, &tally, sizeof tally);
    _exit(written == (ssize_t)sizeof tally ? 0 : 2);
}

static double seconds_of(const struct timeval *time)
{
    return (double)time->tv_sec + (double)time->tv_usec * 1e-6;
}

void mutants_try(const struct campaign_options *options, const char *name,
                 struct mutant_result *result)
{
    int ends[2];
    struct rusage used;
    *result = (struct mutant_result){.name = name ? name : "none"};
    fflush(NULL);
    must(pipe(ends) == 0);
    pid_t child = fork();
    must(child >= 0);
    if (child == 0)
        explore_in_child(options, name, ends[1]);
    close(ends[1]);
    size_t got = 0;
    for (ssize_t n = 1; n > 0 && got<sizeof result->tally; got += n> 0 ? (size_t)n : 0)
        n = read(ends[0], (char *)&result->tally + got, sizeof result->tally - got);
    close(ends[0]);
    int status = 0;
    must(wait4(child, &status, 0, &used) == child);
    if (got < sizeof result->tally) {
        memset(&result->tally, 0, sizeof result->tally);
        result->tally.violations = 1;
        snprintf(result->tally.first, sizeof result->tally.first, "the process died");
    }
    result->caught = result->tally.violations > 0;
    result->cpu_seconds = seconds_of(&used.ru_utime) + seconds_of(&used.ru_stime);
    const char *seed = strstr(result->tally.replay, "--seed ");
    result->seed = seed ? strtoull(seed + strlen("--seed "), NULL, 10) : options->seed;
}
