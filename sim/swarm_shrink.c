/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * swarm_shrink.c - a failing run made small: whatever can go and it still fails, goes.
 */
#include "base/must.h"
#include "sim/swarm_inside.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct shrink {
    struct swarm_options options;
    struct swarm *swarm;
    struct swarm_result *best;
    uint32_t tries;
};

static const char *skip_to_word(const char *text)
{
    while (*text && !isalpha((unsigned char)*text))
        text++;
    return text;
}

/* Two failures whose texts begin with the same two words: a small run that fails otherwise says
 * nothing of the large one. */
static bool is_same_kind(const struct failure *a, const struct failure *b)
{
    const char *x = a->text, *y = b->text;
    for (int word = 0; word < 2; word++) {
        x = skip_to_word(x);
        y = skip_to_word(y);
        while (isalpha((unsigned char)*x) && *x == *y)
            x++, y++;
        if (isalpha((unsigned char)*x) || isalpha((unsigned char)*y))
            return false;
    }
    return true;
}

/* Runs what the options and `skipped` say now; true, and kept, if it fails. */
static bool fails(struct shrink *k)
{
    struct swarm_result trial;
    if (k->tries == 0)
        return false;
    k->tries--;
    swarm_run_prepared(k->swarm, &trial);
    if (!trial.failure.failed || !is_same_kind(&trial.failure, &k->best->failure))
        return false;
    *k->best = trial;
    return true;
}

/* From the end of the list: errors and cuts before kinds of requests. */
static void drop_switches(struct shrink *k)
{
    for (unsigned i = SWARM_COUNT; i-- > 0;) {
        uint64_t bit = UINT64_C(1) << i;
        if (!(k->best->on & bit))
            continue;
        k->options.off |= bit;
        if (!fails(k))
            k->options.off &= ~bit;
    }
}

static void drop_end(struct shrink *k)
{
    for (uint32_t step = k->swarm->acts / 2; step > 0; step /= 2) {
        uint32_t acts = k->swarm->acts;
        while (acts > step) {
            k->swarm->acts = acts - step;
            if (!fails(k)) {
                k->swarm->acts = acts;
                break;
            }
            acts = k->swarm->acts;
        }
    }
}

static bool leave_out(struct shrink *k, uint32_t first, uint32_t count)
{
    bool before[SWARM_ACTS_MAX];
    bool *skipped = k->swarm->skipped;
    uint32_t changed = 0, end = first + count < k->swarm->acts ? first + count : k->swarm->acts;
    memcpy(before, skipped, sizeof before);
    for (uint32_t i = first; i < end; i++) {
        changed += !skipped[i];
        skipped[i] = true;
    }
    if (changed > 0 && fails(k))
        return true;
    memcpy(skipped, before, sizeof before);
    return false;
}

static void drop_acts(struct shrink *k)
{
    for (uint32_t part = k->swarm->acts / 2; part > 0; part /= 2)
        for (uint32_t at = 0; at < k->swarm->acts && k->tries > 0; at += part)
            (void)leave_out(k, at, part);
}

static uint64_t size_of(const struct shape *shape)
{
    return (uint64_t)hftl_media_chunks(&shape->facts) * shape->facts.chunk_blocks;
}

static void drop_drive(struct shrink *k)
{
    for (unsigned i = shape_count(); i-- > 0;) { /* the small ones are at the end */
        const struct shape *shape = shape_at(i), *before = k->options.shape;
        if (before ? size_of(shape) >= size_of(before) : !shape->searched)
            continue;
        k->options.shape = shape;
        if (fails(k))
            return;
        k->options.shape = before;
    }
}

void swarm_write_replay(const struct swarm *swarm, struct swarm_result *result)
{
    const struct swarm_options *o = swarm->options;
    char *text = result->replay;
    size_t room = sizeof result->replay, used = 0;
    const char *lead = " --off ";
    used += (size_t)snprintf(
        text, room, "build/hostftl-sim swarm --runs 1 --seed 0x%" PRIx64 " --acts %" PRIu32,
        o->seed, swarm->acts);
    if (o->shape)
        used += (size_t)snprintf(text + used, room - used, " --geometry %s", o->shape->name);
    used +=
        (size_t)snprintf(text + used, room - used, "%s%s", tuning_option(), shape_latency_option());
    if (o->judges == HARNESS_HISTORY)
        used += (size_t)snprintf(text + used, room - used, " --judge history");
    for (unsigned i = 0; i < SWARM_COUNT; i++) {
        if (!(o->off >> i & 1))
            continue;
        used += (size_t)snprintf(text + used, room - used, "%s%s", lead, swarm_switch_name(i));
        lead = ",";
    }
    lead = " --skip ";
    for (uint32_t i = 0; i < swarm->acts && used + 32 < room; i++) {
        if (!swarm->skipped[i])
            continue;
        uint32_t last = i;
        while (last + 1 < swarm->acts && swarm->skipped[last + 1])
            last++;
        used += (size_t)snprintf(text + used, room - used, "%s%" PRIu32, lead, i);
        if (last > i)
            used += (size_t)snprintf(text + used, room - used, "-%" PRIu32, last);
        lead = ",";
        i = last;
    }
}

void swarm_shrink(const struct swarm_options *options, uint32_t tries, struct swarm_result *result)
{
    struct swarm *swarm = malloc(sizeof *swarm);
    must(swarm != NULL);
    struct shrink k = {.options = *options, .swarm = swarm, .best = result, .tries = tries};
    swarm_prepare(swarm, &k.options);
    drop_switches(&k);
    drop_end(&k);
    drop_acts(&k);
    drop_drive(&k);
    swarm_write_replay(swarm, result);
    free(swarm);
}
