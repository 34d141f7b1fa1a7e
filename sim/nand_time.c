/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nand_time.c - when operations land: reaps by chance, or units and channels that are busy.
 */
#include "base/must.h"
#include "sim/nand_inside.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define REAP_NS 1000u
/* Inside a drive that shows one PU. */
#define HIDDEN_UNITS 4u
#define HIDDEN_UNITS_OF_A_CHANNEL 2u

static const struct nand_times {
    uint64_t read_ns, program_ns, erase_ns, flush_ns, transfer_ns;
} plain = {.read_ns = 60000,
           .program_ns = 600000,
           .erase_ns = 5000000,
           .flush_ns = 20000,
           .transfer_ns = 4000};

static const char *const latency_names[] = {
#define NAME(name, word, text) word,
    NAND_LATENCY_LIST(NAME)
#undef NAME
};

const char *nand_latency_name(enum nand_latency latency)
{
    return (unsigned)latency < NAND_LATENCY_COUNT ? latency_names[latency] : "?";
}

const char *nand_latency_text(enum nand_latency latency)
{
    static const char *const texts[] = {
#define TEXT(name, word, text) text,
        NAND_LATENCY_LIST(TEXT)
#undef TEXT
    };
    return (unsigned)latency < NAND_LATENCY_COUNT ? texts[latency] : "?";
}

enum nand_latency nand_latency_find(const char *name)
{
    unsigned latency = 0;
    while (latency < NAND_LATENCY_COUNT && strcmp(latency_names[latency], name) != 0)
        latency++;
    return (enum nand_latency)latency;
}

static struct nand_times times_of(const struct nand *nand)
{
    uint64_t reaps = (UINT64_C(1) + nand->options.delay_max) * REAP_NS;
    struct nand_times t = plain;
    switch (nand->options.latency) {
    case NAND_LATENCY_REAPS:
        return (struct nand_times){reaps, reaps, reaps, reaps, 0};
    case NAND_LATENCY_ZERO:
        return (struct nand_times){0};
    case NAND_LATENCY_SLOW:
        return (struct nand_times){100 * t.read_ns, 100 * t.program_ns, 1000 * t.erase_ns,
                                   100 * t.flush_ns, 100 * t.transfer_ns};
    default:
        return t;
    }
}

/* ---- units and channels ---------------------------------------------------------------------- */

static bool shows_units(const struct nand *nand)
{
    return hftl_media_pus(&nand->media.facts) > 1 || nand->media.facts.kind == HFTL_KIND_OCSSD;
}

uint32_t nand_units(const struct nand *nand)
{
    uint32_t pus = (uint32_t)hftl_media_pus(&nand->media.facts);
    if (!shows_units(nand))
        return HIDDEN_UNITS;
    return pus < NAND_UNITS_MAX ? pus : NAND_UNITS_MAX;
}

static uint32_t unit_of(const struct nand *nand, uint32_t chunk)
{
    uint32_t place = shows_units(nand) ? chunk / nand->media.facts.chunks_per_pu : chunk;
    return place % nand_units(nand);
}

static uint32_t channel_of(const struct nand *nand, uint32_t unit)
{
    return unit / (shows_units(nand) ? nand->media.facts.pus_per_group : HIDDEN_UNITS_OF_A_CHANNEL);
}

void nand_clock_begin(struct nand *nand)
{
    nand->clock = (struct nand_clock){.still = NAND_UNITS_MAX, .still_next = NAND_UNITS_MAX};
}

void nand_clock_forget(struct nand *nand)
{
    uint64_t now = nand->clock.now_ns;
    nand_clock_begin(nand);
    nand->clock.now_ns = now;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Takes a resource from `from` on for so long; returns when it is free again. */
static uint64_t occupy(uint64_t *free_ns, uint64_t from, uint64_t length)
{
    *free_ns = later(*free_ns, from) + length;
    return *free_ns;
}

static uint64_t vary_read(struct nand *nand, uint64_t length)
{
    return nand->options.seed && prng_chance(&nand->prng, 1, 64) ? 8 * length : length;
}

static uint64_t vary_program(struct nand *nand, uint64_t length)
{
    if (!nand->options.seed)
        return length;
    return length - length / 4 + prng_below(&nand->prng, length / 2 + 1);
}

static uint64_t find_due(struct nand *nand, const struct nand_flight *flight)
{
    const struct hftl_media_op *op = flight->op;
    const struct nand_times t = times_of(nand);
    struct nand_clock *c = &nand->clock;
    uint64_t *unit = &c->unit_free_ns[flight->unit];
    uint64_t *channel = &c->channel_free_ns[channel_of(nand, flight->unit)];
    uint64_t transfer = op->blocks * t.transfer_ns, at;
    uint32_t ws_opt = nand->media.facts.ws_opt;
    switch (op->verb) {
    case HFTL_MEDIA_READ:
        at = occupy(unit, c->now_ns, vary_read(nand, t.read_ns));
        return occupy(channel, at, transfer);
    case HFTL_MEDIA_WRITE:
        at = occupy(channel, c->now_ns, transfer);
        for (uint32_t left = op->blocks; left > 0; left -= left < ws_opt ? left : ws_opt)
            at = occupy(unit, at, vary_program(nand, t.program_ns));
        c->written_ns = later(c->written_ns, at);
        return at;
    case HFTL_MEDIA_RESET:
        return occupy(unit, c->now_ns, t.erase_ns);
    case HFTL_MEDIA_FINISH:
        return occupy(unit, c->now_ns, t.program_ns);
    case HFTL_MEDIA_FLUSH:
        return later(c->now_ns, c->written_ns) + t.flush_ns;
    default:
        return c->now_ns;
    }
}

void nand_schedule(struct nand *nand, struct nand_flight *flight)
{
    const struct nand_options *o = &nand->options;
    struct nand_clock *c = &nand->clock;
    if (c->still == NAND_UNITS_MAX && c->still_next != NAND_UNITS_MAX &&
        nand->serial >= c->still_at)
        c->still = c->still_next;
    bool placed = flight->verb == HFTL_MEDIA_READ || flight->verb == HFTL_MEDIA_WRITE ||
                  flight->verb == HFTL_MEDIA_RESET || flight->verb == HFTL_MEDIA_FINISH;
    flight->unit = placed ? unit_of(nand, flight->chunk) : NAND_UNITS_MAX;
    if (o->latency == NAND_LATENCY_REAPS) {
        if (o->delay_max && o->seed)
            flight->delay = (uint32_t)prng_below(&nand->prng, (uint64_t)o->delay_max + 1);
        return;
    }
    flight->due_ns = nand->clock.now_ns;
    if (o->latency != NAND_LATENCY_ZERO)
        flight->due_ns = find_due(nand, flight);
}

/* ---- landing --------------------------------------------------------------------------------- */

/* A flush waits for the writes before it. */
static bool is_behind_still(const struct nand *nand, const struct nand_flight *flush)
{
    for (uint32_t i = 0; i < nand->flight_count; i++) {
        const struct nand_flight *f = &nand->flight[i];
        if (f->verb == HFTL_MEDIA_WRITE && f->unit == nand->clock.still &&
            f->serial < flush->serial)
            return true;
    }
    return false;
}

static bool is_in_vain(const struct nand *nand, const struct nand_flight *flight)
{
    if (nand->clock.still == NAND_UNITS_MAX)
        return false;
    return flight->verb == HFTL_MEDIA_FLUSH ? is_behind_still(nand, flight)
                                            : flight->unit == nand->clock.still;
}

bool nand_is_due(const struct nand *nand, const struct nand_flight *flight)
{
    return flight->delay == 0 && flight->due_ns <= nand->clock.now_ns && !is_in_vain(nand, flight);
}

void nand_clock_reaped(struct nand *nand, unsigned landed)
{
    if (nand->options.latency == NAND_LATENCY_REAPS && landed == 0 && nand->flight_count > 0)
        nand->clock.now_ns += REAP_NS;
}

uint64_t nand_now(const struct nand *nand)
{
    return nand->clock.now_ns;
}

bool nand_pass(struct hftl_media *media)
{
    struct nand *nand = (struct nand *)media;
    uint64_t due = UINT64_MAX;
    if (nand->options.latency == NAND_LATENCY_REAPS)
        return nand_in_flight(nand) > 0;
    if (nand->refused_count > 0)
        return true; /* at the next reap, now */
    for (uint32_t i = 0; i < nand->flight_count; i++)
        if (nand->flight[i].due_ns < due && !is_in_vain(nand, &nand->flight[i]))
            due = nand->flight[i].due_ns;
    if (due == UINT64_MAX)
        return false;
    nand->clock.now_ns = later(nand->clock.now_ns, due);
    return true;
}

uint64_t nand_lap_ns(const struct nand *nand)
{
    const struct nand_times t = times_of(nand);
    const struct hftl_media_facts *f = &nand->media.facts;
    uint64_t blocks = f->chunk_blocks, writes = (blocks + f->ws_opt - 1) / f->ws_opt;
    uint64_t chunk = t.erase_ns + blocks * (t.read_ns + 2 * t.transfer_ns) + writes * t.program_ns;
    return nand->count * (chunk + t.flush_ns);
}

/* ---- standing still -------------------------------------------------------------------------- */

void nand_stand_still(struct nand *nand, uint32_t unit)
{
    must_show(unit < nand_units(nand), unit, nand_units(nand));
    must_show(nand->options.latency != NAND_LATENCY_REAPS, unit, 0);
    nand->clock.still = unit;
}

void nand_stand_still_later(struct nand *nand, uint32_t unit, uint32_t operations)
{
    must_show(unit < nand_units(nand), unit, nand_units(nand));
    must_show(nand->options.latency != NAND_LATENCY_REAPS, unit, 0);
    nand->clock.still_next = unit;
    nand->clock.still_at = nand->serial + operations;
}

void nand_keeps_going(struct nand *nand)
{
    nand->clock.still_next = NAND_UNITS_MAX;
}

bool nand_stands_still(const struct nand *nand)
{
    return nand->clock.still != NAND_UNITS_MAX;
}

uint32_t nand_in_vain(const struct nand *nand)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < nand->flight_count; i++)
        count += is_in_vain(nand, &nand->flight[i]);
    return count;
}

void nand_flight_text(const struct nand *nand, char *text, size_t room)
{
    static const char *const verbs[] = {
#define VERB_TEXT(name, word) word,
        HFTL_MEDIA_VERB_LIST(VERB_TEXT)
#undef VERB_TEXT
    };
    size_t used = 0;
    text[0] = 0;
    for (int vain = 1; vain >= 0; vain--)
        for (uint32_t i = 0; i < nand->flight_count && used + 64 < room; i++) {
            const struct nand_flight *f = &nand->flight[i];
            if (is_in_vain(nand, f) != (bool)vain)
                continue;
            used += (size_t)snprintf(text + used, room - used, "%s%s", used ? ", " : "",
                                     verbs[f->verb]);
            if (f->unit != NAND_UNITS_MAX)
                used += (size_t)snprintf(text + used, room - used, " of chunk %" PRIu32, f->chunk);
            if (vain)
                used += (size_t)snprintf(text + used, room - used, " (never)");
        }
}
