/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/must.h"
#include "sim/nand_inside.h"

#include <string.h>

const char *nand_cut_name(enum nand_cut cut)
{
    static const char *const names[] = {
#define NAME(name, text) #name,
        NAND_CUT_LIST(NAME)
#undef NAME
    };
    return (unsigned)cut < NAND_CUT_COUNT ? names[cut] : "?";
}

const char *nand_cut_text(enum nand_cut cut)
{
    static const char *const texts[] = {
#define TEXT(name, text) text,
        NAND_CUT_LIST(TEXT)
#undef TEXT
    };
    return (unsigned)cut < NAND_CUT_COUNT ? texts[cut] : "?";
}

static bool is_volatile(const struct nand_cell *cell)
{
    return cell->durable < cell->reach && !cell->reset;
}

bool nand_cut_matters(const struct nand *nand, enum nand_cut cut)
{
    uint32_t volatiles = 0, resets = 0, finishes = 0, most = 0;
    for (uint32_t i = 0; i < nand->count; i++) {
        const struct nand_cell *cell = &nand->cells[i];
        volatiles += is_volatile(cell);
        resets += cell->reset;
        finishes += cell->finish;
        if (is_volatile(cell) && cell->reach - cell->durable > most)
            most = cell->reach - cell->durable;
    }
    if (cut == NAND_CUT_LOST || cut == NAND_CUT_LIVES)
        return true;
    if (cut == NAND_CUT_HALF_ERASED)
        return resets > 0;
    if (cut == NAND_CUT_ONE_LOSES || cut == NAND_CUT_ONE_KEEPS)
        return volatiles > 1;
    if (cut == NAND_CUT_FLAKY)
        return volatiles > 0 && !nand->options.steady;
    if (cut == NAND_CUT_TORN)
        return volatiles > 0;
    if (cut == NAND_CUT_PREFIX)
        return most > nand->media.facts.ws_min || volatiles > 1;
    return volatiles + resets + finishes > 0;
}

/* ---- what is left of one chunk --------------------------------------------------------------- */

void nand_fill_garbage(struct prng *prng, uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)prng_next(prng);
}

/* Block `at` becomes garbage, half garbage, or erased. */
static void spoil(struct nand *nand, struct nand_cell *cell, uint32_t at, struct prng *prng)
{
    const struct hftl_media_facts *f = &nand->media.facts;
    struct nand_page *page = nand_page_own(nand, cell);
    uint8_t *data = page->data + (size_t)at * f->block_bytes;
    uint8_t *oob = page->oob + (size_t)at * f->oob_bytes;
    switch (prng_below(prng, 4)) {
    case 0:
        memset(data, 0, f->block_bytes);
        memset(oob, 0, f->oob_bytes);
        break;
    case 1:
        nand_fill_garbage(prng, data + f->block_bytes / 2, f->block_bytes / 2);
        break;
    case 2: /* the OOB made it, the data did not */
        memset(data, 0xff, f->block_bytes);
        break;
    default:
        nand_fill_garbage(prng, data, f->block_bytes);
        nand_fill_garbage(prng, oob, f->oob_bytes);
    }
}

/* In the write at the end of the prefix any sector may be old, new or garbage (M6). */
static void tear(struct nand *nand, struct nand_cell *cell, struct prng *prng)
{
    uint32_t first = cell->real;
    if (cell->real <= cell->durable)
        return;
    do
        first--;
    while (first > cell->durable && !cell->page->starts[first]);
    for (uint32_t at = first; at < cell->real; at++)
        if (prng_chance(prng, 1, 2))
            spoil(nand, cell, at, prng);
}

/* The state that a drive finds for a chunk with `real` blocks when power comes back. */
void nand_wake(struct nand *nand, struct nand_cell *cell)
{
    bool zoned = nand->media.facts.kind == HFTL_KIND_ZONED;
    cell->chunk.wp = cell->real;
    cell->reach = cell->real;
    if (cell->real == 0) {
        nand_page_drop(cell->page);
        cell->page = NULL;
        cell->chunk.state = HFTL_CHUNK_FREE;
    } else if (cell->real == cell->chunk.capacity) {
        cell->chunk.state = HFTL_CHUNK_FULL;
    } else {
        cell->chunk.state = zoned ? HFTL_CHUNK_PAUSED : HFTL_CHUNK_OPEN;
    }
}

void nand_erase_now(struct nand *nand, struct nand_cell *cell)
{
    cell->real = cell->durable = 0;
    cell->chunk.wear++;
    cell->life++;
    nand_wake(nand, cell);
}

/* Old blocks and garbage under a write pointer that means nothing. */
static void erase_half(struct nand *nand, struct nand_cell *cell, struct prng *prng)
{
    const struct hftl_media_facts *f = &nand->media.facts;
    uint32_t units = cell->chunk.capacity / f->ws_min;
    bool open = (f->flags & HFTL_MEDIA_CAN_RESET_OPEN) && prng_chance(prng, 1, 2);
    cell->real = open && units > 1 ? f->ws_min * (1 + (uint32_t)prng_below(prng, units - 1))
                                   : cell->chunk.capacity;
    uint32_t keep = (uint32_t)prng_below(prng, 4); /* of four blocks, this many are old */
    nand_page_own(nand, cell);
    for (uint32_t at = 0; at < cell->real; at++)
        if (prng_below(prng, 4) >= keep)
            spoil(nand, cell, at, prng);
    nand_wake(nand, cell);
}

static uint32_t some_prefix(const struct nand *nand, const struct nand_cell *cell,
                            struct prng *prng)
{
    uint32_t ws_min = nand->media.facts.ws_min;
    uint32_t units = (cell->reach - cell->durable) / ws_min;
    return cell->durable + ws_min * (uint32_t)prng_below(prng, (uint64_t)units + 1);
}

/* Where the chunk's data ends after the cut; `chosen` is the one of ONE_LOSES and ONE_KEEPS. */
static uint32_t end_of(const struct nand *nand, uint32_t chunk, uint32_t chosen, enum nand_cut cut,
                       struct prng *prng)
{
    const struct nand_cell *cell = &nand->cells[chunk];
    switch (cut) {
    case NAND_CUT_LOST:
        return cell->durable;
    case NAND_CUT_KEPT:
    case NAND_CUT_FLAKY:
        return cell->reach;
    case NAND_CUT_ONE_LOSES:
        return chunk == chosen ? cell->durable : cell->reach;
    case NAND_CUT_ONE_KEEPS:
        return chunk == chosen ? cell->reach : cell->durable;
    default:
        return some_prefix(nand, cell, prng);
    }
}

static bool by_chance(enum nand_cut cut, struct prng *prng)
{
    if (cut == NAND_CUT_LOST)
        return false;
    return cut == NAND_CUT_KEPT || cut == NAND_CUT_FLAKY || prng_chance(prng, 1, 2);
}

/* The chunk stays FULL whatever of its data is left; only a zoned drive hides where that ends. */
void nand_finish_now(struct nand *nand, struct nand_cell *cell)
{
    cell->chunk.state = HFTL_CHUNK_FULL;
    cell->chunk.wp = cell->real;
    if (nand->media.facts.kind == HFTL_KIND_ZONED)
        cell->chunk.wp = cell->chunk.capacity;
    cell->reach = cell->real;
}

static void cut_chunk(struct nand *nand, uint32_t chunk, uint32_t chosen, enum nand_cut cut,
                      struct prng *prng)
{
    struct nand_cell *cell = &nand->cells[chunk];
    if (cell->chunk.state == HFTL_CHUNK_OFFLINE || cell->chunk.state == HFTL_CHUNK_READ_ONLY)
        return;
    if (cell->reset && cut == NAND_CUT_HALF_ERASED) {
        erase_half(nand, cell, prng);
    } else if (cell->reset && by_chance(cut, prng)) {
        nand_erase_now(nand, cell);
    } else {
        bool finished = cell->chunk.state == HFTL_CHUNK_FULL && cell->reach < cell->chunk.capacity;
        if (cell->finish)
            finished = by_chance(cut, prng);
        cell->real = end_of(nand, chunk, chosen, cut, prng);
        if (cut == NAND_CUT_FLAKY && chunk == chosen && !nand->options.steady) {
            cell->flaky_from = cell->durable;
            cell->flaky_to = cell->real;
        }
        if (cut == NAND_CUT_TORN)
            tear(nand, cell, prng);
        if (finished)
            nand_finish_now(nand, cell);
        else
            nand_wake(nand, cell);
    }
    cell->durable = cell->real;
}

/* The drive goes on: what was in flight is done or is cut short, nothing becomes durable. */
static void orphan_chunk(struct nand *nand, struct nand_cell *cell, bool drop_flight,
                         struct prng *prng)
{
    uint32_t ws_min = nand->media.facts.ws_min;
    if (cell->reset) {
        if (prng_chance(prng, 1, 2))
            nand_erase_now(nand, cell);
        return;
    }
    if (cell->finish) {
        if (prng_chance(prng, 1, 2))
            nand_finish_now(nand, cell);
        return;
    }
    if (cell->reach == cell->real)
        return;
    uint32_t units = (cell->reach - cell->real) / ws_min;
    if (!drop_flight)
        cell->real += ws_min * (uint32_t)prng_below(prng, (uint64_t)units + 1);
    enum hftl_chunk_state before = cell->chunk.state;
    uint32_t wp = cell->chunk.wp;
    nand_wake(nand, cell);
    if (cell->real == wp && wp > 0)
        cell->chunk.state = before;
    else if (cell->chunk.state == HFTL_CHUNK_PAUSED)
        cell->chunk.state = HFTL_CHUNK_OPEN;
}

static uint32_t choose_volatile(const struct nand *nand, struct prng *prng)
{
    uint32_t first = (uint32_t)prng_below(prng, nand->count);
    for (uint32_t i = 0; i < nand->count; i++)
        if (is_volatile(&nand->cells[(first + i) % nand->count]))
            return (first + i) % nand->count;
    return first;
}

static bool is_partly_written(const struct nand_cell *cell)
{
    return cell->chunk.state == HFTL_CHUNK_OPEN || cell->chunk.state == HFTL_CHUNK_PAUSED;
}

/*
 * A chunk that was FULL and lost its end, or was half erased, would be active again, beyond what a
 * zoned drive has resources for: its controller finishes as many as it must, whichever it likes.
 */
void nand_finish_surplus(struct nand *nand, struct prng *prng)
{
    const struct hftl_media_facts *f = &nand->media.facts;
    uint32_t active = 0;
    if (f->kind != HFTL_KIND_ZONED || f->active_max == 0)
        return;
    for (uint32_t i = 0; i < nand->count; i++)
        active += is_partly_written(&nand->cells[i]);
    uint32_t first = active > f->active_max ? (uint32_t)prng_below(prng, nand->count) : 0;
    for (uint32_t i = 0; i < nand->count && active > f->active_max; i++) {
        struct nand_cell *cell = &nand->cells[(first + i) % nand->count];
        if (!is_partly_written(cell))
            continue;
        nand_finish_now(nand, cell);
        active--;
    }
}

void nand_cut(struct nand *nand, enum nand_cut cut, uint64_t seed)
{
    struct prng prng;
    prng_seed(&prng, seed);
    uint32_t chosen = choose_volatile(nand, &prng);
    bool drop_flight = prng_chance(&prng, 1, 3);
    nand_forget(nand);
    for (uint32_t i = 0; i < nand->count; i++) {
        struct nand_cell *cell = &nand->cells[i];
        cell->flaky_from = cell->flaky_to = 0;
        if (cut == NAND_CUT_LIVES)
            orphan_chunk(nand, cell, drop_flight, &prng);
        else
            cut_chunk(nand, i, chosen, cut, &prng);
        cell->reads = cell->writes = 0;
        cell->reset = cell->finish = cell->broken = false;
    }
    nand_finish_surplus(nand, &prng);
    nand_check(nand);
}
