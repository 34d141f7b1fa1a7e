/* SPDX-License-Identifier: BSD-3-Clause */
#define _POSIX_C_SOURCE 200809L

#include "sim/campaign.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define PAIRS_MAX 512u
#define POINTS_MIN 4u
#define POINTS_MAX 80u
/* A guess until it was measured: an op with its variants, recoveries and all. */
#define SECONDS_PER_POINT 0.01
/* Violations of one pair after which the others have their turn. */
#define PAIR_VIOLATIONS_MAX 2u

struct pair {
    const struct story *story;
    const struct shape *shape;
    uint64_t seed, pass, moments, violations;
    uint32_t points;
};

struct campaign {
    const struct campaign_options *options;
    struct tally *tally;
    struct pair pairs[PAIRS_MAX];
    uint32_t count;
    double begin, deadline;
    uint64_t points; /* done so far, for the cost of one */
};

double campaign_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double look_at_clock(const struct campaign *c)
{
    struct timespec now;
    if (!c->options->cpu_time)
        return campaign_clock();
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static bool is_over(void *arg)
{
    const struct campaign *c = arg;
    return look_at_clock(c) >= c->deadline;
}

/* Those for searches come last, and take part only when asked for. */
static unsigned shapes_of(const struct campaign_options *o)
{
    unsigned count = shape_count();
    while (count > 0 && shape_at(count - 1)->searched && !(o->shape && o->shape->searched))
        count--;
    return count;
}

static void add_pairs(struct campaign *c)
{
    const struct campaign_options *o = c->options;
    unsigned shapes = shapes_of(o);
    for (unsigned s = 0; s < shapes; s++) {
        for (unsigned t = 0; t < story_count(); t++) {
            /* Neighbours differ in both, so that a short budget sees a bit of all. */
            const struct shape *shape = shape_at((s + t) % shapes);
            const struct story *story = story_at(t);
            bool wanted = (!o->shape || o->shape == shape) && (!o->story || o->story == story);
            if (wanted && c->count < PAIRS_MAX)
                c->pairs[c->count++] = (struct pair){story, shape, o->seed, 0, 0, 0, 0};
        }
    }
}

static uint32_t points_for(const struct campaign *c, uint32_t pairs_left)
{
    double now = look_at_clock(c), cost = SECONDS_PER_POINT;
    if (c->points > 50)
        cost = (now - c->begin) / (double)c->points;
    double points = (c->deadline - now) / pairs_left / cost;
    if (points < POINTS_MIN)
        return POINTS_MIN;
    return points > POINTS_MAX ? POINTS_MAX : (uint32_t)points;
}

static void run_pair(struct campaign *c, struct pair *pair, uint32_t pairs_left)
{
    const struct campaign_options *o = c->options;
    if (pair->points == 0)
        pair->points = points_for(c, pairs_left);
    struct explore_options options = {.engine = o->engine,
                                      .story = pair->story,
                                      .shape = pair->shape,
                                      .seed = pair->seed,
                                      .op = o->op,
                                      .variant = o->variant,
                                      .pass = pair->pass,
                                      .moments = pair->moments,
                                      .points = pair->points,
                                      .violations_max = o->violations_max,
                                      .judges = o->judges,
                                      .verbose = o->verbose,
                                      .quiet = o->quiet,
                                      .is_over = is_over,
                                      .arg = c};
    uint64_t before = c->tally->violations;
    if (options.violations_max > before + PAIR_VIOLATIONS_MAX)
        options.violations_max = before + PAIR_VIOLATIONS_MAX;
    pair->moments = explore(&options, c->tally);
    pair->violations += c->tally->violations - before;
    c->points += pair->points;
    if (++pair->pass >= explore_passes(&options, pair->moments)) {
        pair->seed += 1000003;
        pair->pass = pair->moments = 0;
    }
}

static void show(const struct campaign *c, const struct pair *pair)
{
    if (c->options->progress)
        fprintf(stderr, "\r%3.0f s  cuts %" PRIu64 "  violations %" PRIu64 "  %s on %s\033[K",
                look_at_clock(c) - c->begin, c->tally->cuts, c->tally->violations,
                pair->story->name, pair->shape->name);
}

void campaign_run(const struct campaign_options *options, struct tally *tally)
{
    struct campaign c = {.options = options, .tally = tally};
    c.begin = look_at_clock(&c);
    c.deadline = c.begin + options->budget_seconds;
    add_pairs(&c);
    bool alive = true;
    for (uint64_t pass = 0; alive && !is_over(&c); pass++) {
        alive = false;
        for (uint32_t i = 0; i < c.count && !is_over(&c); i++) {
            if (c.pairs[i].violations >= PAIR_VIOLATIONS_MAX ||
                tally->violations >= options->violations_max)
                continue;
            show(&c, &c.pairs[i]);
            run_pair(&c, &c.pairs[i], pass == 0 ? c.count - i : 1);
            alive |= options->op < 0;
        }
    }
    if (options->progress)
        fprintf(stderr, "\r\033[K");
}
