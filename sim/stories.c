/* SPDX-License-Identifier: BSD-3-Clause */
#include "sim/stories.h"

#include <string.h>

static const struct story stories[] = {
    {.name = "fill",
     .text = "fill and overwrite, seldom flushing",
     .requests = 500,
     .fill_percent = 60,
     .span_percent = 80,
     .hot_percent = 30,
     .blocks_max = 12,
     .writes = 80,
     .reads = 12,
     .flushes = 2,
     .fua_percent = 1,
     .depth = 12},
    {.name = "trim",
     .text = "writes, trims and zeroes of the same blocks",
     .requests = 450,
     .fill_percent = 35,
     .span_percent = 50,
     .hot_percent = 60,
     .blocks_max = 8,
     .writes = 45,
     .reads = 10,
     .trims = 25,
     .zeroes = 8,
     .flushes = 10,
     .fua_percent = 4,
     .depth = 8},
    {.name = "flush",
     .text = "a flush after nearly everything, several at once",
     .requests = 400,
     .fill_percent = 10,
     .span_percent = 100,
     .hot_percent = 20,
     .blocks_max = 4,
     .writes = 50,
     .reads = 5,
     .trims = 6,
     .flushes = 40,
     .depth = 6},
    {.name = "fua",
     .text = "every write durable by itself, no flush",
     .requests = 350,
     .fill_percent = 20,
     .span_percent = 60,
     .hot_percent = 40,
     .blocks_max = 6,
     .writes = 70,
     .reads = 10,
     .trims = 8,
     .zeroes = 4,
     .fua_percent = 100,
     .depth = 6},
    {.name = "clean95",
     .text = "cleaning: overwrites of a device 95 percent full",
     .requests = 900,
     .fill_percent = 95,
     .span_percent = 95,
     .hot_percent = 50,
     .blocks_max = 3,
     .writes = 90,
     .reads = 4,
     .flushes = 4,
     .depth = 16},
    {.name = "clean100",
     .text = "cleaning: overwrites of a full device, some trims",
     .requests = 900,
     .fill_percent = 100,
     .span_percent = 100,
     .hot_percent = 20,
     .blocks_max = 2,
     .writes = 90,
     .reads = 3,
     .trims = 1,
     .flushes = 3,
     .fua_percent = 2,
     .depth = 16},
    {.name = "bands",
     .text = "bands closed before they are full, all the time, on a full device",
     .requests = 600,
     .fill_percent = 100,
     .span_percent = 100,
     .hot_percent = 40,
     .blocks_max = 3,
     .writes = 70,
     .reads = 5,
     .trims = 5,
     .flushes = 5,
     .closes = 20,
     .fua_percent = 5,
     .depth = 8},
    {.name = "reopen",
     .text = "closed and opened again all the time",
     .requests = 400,
     .fill_percent = 15,
     .span_percent = 50,
     .hot_percent = 30,
     .blocks_max = 6,
     .writes = 60,
     .reads = 10,
     .trims = 10,
     .flushes = 5,
     .fua_percent = 5,
     .reopen_every = 16,
     .depth = 8},
    {.name = "circular",
     .text = "a log that goes around: front to back and again, flushed now and then",
     .requests = 500,
     .fill_percent = 5,
     .span_percent = 90,
     .sequential_percent = 97,
     .blocks_max = 16,
     .writes = 90,
     .reads = 3,
     .trims = 2,
     .flushes = 5,
     .depth = 10},
    {.name = "journal",
     .text = "as a file system: a small journal written durably, data anywhere, trims of files",
     .requests = 500,
     .fill_percent = 50,
     .span_percent = 85,
     .hot_percent = 55,
     .sequential_percent = 45,
     .blocks_max = 8,
     .writes = 65,
     .reads = 10,
     .trims = 6,
     .zeroes = 3,
     .flushes = 14,
     .fua_percent = 25,
     .depth = 8},
    {.name = "same",
     .text = "few blocks, many requests for them at once",
     .requests = 600,
     .fill_percent = 1,
     .span_percent = 2,
     .blocks_max = 4,
     .writes = 55,
     .reads = 15,
     .trims = 10,
     .zeroes = 5,
     .flushes = 12,
     .fua_percent = 8,
     .depth = 24},
    {.name = "empty",
     .text = "filled, then trimmed away and filled again",
     .requests = 450,
     .fill_percent = 70,
     .span_percent = 100,
     .sequential_percent = 80,
     .blocks_max = 24,
     .writes = 40,
     .reads = 5,
     .trims = 35,
     .zeroes = 15,
     .flushes = 6,
     .fua_percent = 2,
     .depth = 8},
    {.name = "format",
     .text = "formatted over again and again, with force",
     .requests = 260,
     .fill_percent = 20,
     .span_percent = 60,
     .hot_percent = 20,
     .blocks_max = 8,
     .writes = 60,
     .reads = 10,
     .trims = 10,
     .flushes = 8,
     .fua_percent = 5,
     .format_every = 30,
     .depth = 6},
};

unsigned story_count(void)
{
    return sizeof stories / sizeof stories[0];
}

const struct story *story_at(unsigned index)
{
    return &stories[index];
}

const struct story *story_find(const char *name)
{
    for (unsigned i = 0; i < story_count(); i++)
        if (strcmp(stories[i].name, name) == 0)
            return &stories[i];
    return NULL;
}

void story_enter(struct telling *telling, const struct story *story, struct harness *harness,
                 uint64_t seed)
{
    *telling = (struct telling){.story = story, .harness = harness};
    prng_seed(&telling->prng, seed);
    uint64_t end = harness_blocks(harness) * story->fill_percent / 100;
    while (telling->filled < end && oracle_may_be_written(harness->oracle, telling->filled))
        telling->filled++;
}

static uint64_t at_least_one(uint64_t n)
{
    return n ? n : 1;
}

static void fill_on(struct telling *t)
{
    uint64_t end = at_least_one(harness_blocks(t->harness) * t->story->fill_percent / 100);
    uint64_t blocks = 1 + prng_below(&t->prng, HARNESS_BLOCKS_MAX);
    if (blocks > end - t->filled)
        blocks = end - t->filled;
    harness_send(t->harness, HFTL_WRITE, 0, t->filled, blocks);
    t->filled += blocks;
    if (prng_chance(&t->prng, 1, 25))
        harness_send(t->harness, HFTL_FLUSH, 0, 0, 0);
}

static enum hftl_verb choose_verb(struct telling *t)
{
    const struct story *s = t->story;
    const struct {
        enum hftl_verb verb;
        uint32_t share;
    } shares[] = {{HFTL_WRITE, s->writes},  {HFTL_READ, s->reads},
                  {HFTL_TRIM, s->trims},    {HFTL_WRITE_ZEROES, s->zeroes},
                  {HFTL_FLUSH, s->flushes}, {HFTL_FLUSH_BANDS, s->closes}};
    uint64_t sum = s->writes + s->reads + s->trims + s->zeroes + s->flushes + s->closes;
    uint64_t drawn = prng_below(&t->prng, sum);
    unsigned i = 0;
    while (drawn >= shares[i].share)
        drawn -= shares[i++].share;
    return shares[i].verb;
}

static void send_one(struct telling *t)
{
    const struct story *s = t->story;
    uint64_t span = at_least_one(harness_blocks(t->harness) * s->span_percent / 100);
    bool hot = prng_below(&t->prng, 100) < s->hot_percent;
    uint64_t lba = prng_below(&t->prng, hot ? at_least_one(span / 8) : span);
    uint64_t blocks = 1 + prng_below(&t->prng, s->blocks_max);
    if (prng_below(&t->prng, 100) < s->sequential_percent && t->next < span)
        lba = t->next;
    enum hftl_verb verb = choose_verb(t);
    if ((verb == HFTL_TRIM || verb == HFTL_WRITE_ZEROES) && prng_chance(&t->prng, 1, 6))
        blocks *= 8; /* long ones too */
    if (blocks > span - lba)
        blocks = span - lba;
    t->next = lba + blocks < span ? lba + blocks : 0;
    unsigned flags = prng_below(&t->prng, 100) < s->fua_percent ? HFTL_FUA : 0;
    bool flush = verb == HFTL_FLUSH || verb == HFTL_FLUSH_BANDS;
    if (verb == HFTL_READ || flush)
        flags = 0;
    if (flush)
        lba = blocks = 0;
    harness_send(t->harness, verb, flags, lba, blocks);
}

/* Some users hurry, some wait: steps between requests, sometimes until all is answered. */
static void let_pass(struct telling *t)
{
    uint64_t drawn = prng_below(&t->prng, 40);
    if (drawn == 0)
        harness_drain(t->harness);
    else if (drawn == 1)
        harness_settle(t->harness);
    for (uint64_t i = drawn % 4; i > 0 && !t->harness->failure.failed; i--)
        harness_step(t->harness);
}

void story_go_on(struct telling *telling)
{
    struct telling *t = telling;
    if (t->filled < harness_blocks(t->harness) * t->story->fill_percent / 100) {
        fill_on(t);
        let_pass(t);
        return;
    }
    t->told++;
    if (t->story->reopen_every && t->told % t->story->reopen_every == 0) {
        harness_close(t->harness);
        if (!t->harness->failure.failed && harness_open(t->harness))
            harness_verify_range(t->harness, 0, harness_blocks(t->harness) / 2);
        return;
    }
    if (t->story->format_every && t->told % t->story->format_every == 0) {
        if (harness_format(t->harness))
            t->filled = 0;
        return;
    }
    send_one(t);
    let_pass(t);
}

bool story_ends(const struct telling *telling)
{
    return telling->told >= telling->story->requests || telling->harness->failure.failed;
}
