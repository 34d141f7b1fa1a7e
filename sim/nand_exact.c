/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nand_exact.c - all ways in which power can go at a moment, numbered, and the state as a number.
 *
 * A way is a mixed-radix number with a digit for each chunk, which says what is left of it:
 *
 *      finish in flight     not done, done                          times the ends
 *      reset in flight      not done, done, half done in two ways   (not done: all of it is there)
 *      otherwise            the ends
 *      the ends             for each prefix p of what is volatile: p whole; and of the write that
 *                           ends at p only its first 0, 1, ... blocks, garbage behind them
 *
 * Garbage is the same for the same place, so that states that are alike have one hash.
 */
#include "base/must.h"
#include "sim/nand_inside.h"

#include <string.h>

#define WAYS_RESET 4u
#define WAYS_MAX (UINT64_C(1) << 62) /* beyond that a count says no more than "many" */

/* The first block of the write that ends at `end`, of those that are volatile. */
static uint32_t write_begin(const struct nand_cell *cell, uint32_t end)
{
    uint32_t at = end;
    do
        at--;
    while (at > cell->durable && !cell->page->starts[at]);
    return at;
}

static uint64_t ends_of(const struct nand *nand, const struct nand_cell *cell)
{
    uint64_t ends = 1;
    for (uint32_t p = cell->durable + nand->media.facts.ws_min; p <= cell->reach;
         p += nand->media.facts.ws_min)
        ends += 1 + p - write_begin(cell, p);
    return ends;
}

static bool is_bad(const struct nand_cell *cell)
{
    return cell->chunk.state == HFTL_CHUNK_OFFLINE || cell->chunk.state == HFTL_CHUNK_READ_ONLY;
}

static uint64_t radix_of(const struct nand *nand, const struct nand_cell *cell)
{
    if (is_bad(cell))
        return 1;
    if (cell->reset)
        return WAYS_RESET;
    return ends_of(nand, cell) * (cell->finish ? 2u : 1u);
}

uint64_t nand_ways(const struct nand *nand)
{
    uint64_t ways = 1;
    for (uint32_t i = 0; i < nand->count; i++) {
        uint64_t radix = radix_of(nand, &nand->cells[i]);
        ways = ways > WAYS_MAX / radix ? WAYS_MAX : ways * radix;
    }
    return ways;
}

static void spoil_here(struct nand *nand, uint32_t chunk, uint32_t first, uint32_t end)
{
    const struct hftl_media_facts *f = &nand->media.facts;
    struct nand_cell *cell = &nand->cells[chunk];
    if (first >= end)
        return;
    struct nand_page *page = nand_page_own(nand, cell);
    for (uint32_t at = first; at < end; at++) {
        struct prng prng;
        prng_seed(&prng, (uint64_t)chunk << 32 | at);
        nand_fill_garbage(&prng, page->data + (size_t)at * f->block_bytes, f->block_bytes);
        if (at > first) /* of the first the OOB made it, the data did not */
            nand_fill_garbage(&prng, page->oob + (size_t)at * f->oob_bytes, f->oob_bytes);
    }
}

static void leave_end(struct nand *nand, uint32_t chunk, uint64_t digit)
{
    struct nand_cell *cell = &nand->cells[chunk];
    uint32_t ws_min = nand->media.facts.ws_min, end = cell->durable;
    while (digit > 0) {
        end += ws_min;
        uint32_t first = write_begin(cell, end);
        if (digit <= end - first) { /* all but the first digit - 1 blocks of it is garbage */
            spoil_here(nand, chunk, first + (uint32_t)digit - 1, end);
            break;
        }
        digit -= end - first;
        if (--digit == 0) /* whole */
            break;
    }
    cell->real = end;
}

static void cut_exactly(struct nand *nand, uint32_t chunk, uint64_t digit)
{
    struct nand_cell *cell = &nand->cells[chunk];
    if (is_bad(cell))
        return;
    uint32_t capacity = cell->chunk.capacity;
    bool finished = cell->chunk.state == HFTL_CHUNK_FULL && cell->reach < capacity;
    if (cell->reset && digit == 1) {
        nand_erase_now(nand, cell);
    } else if (cell->reset && digit > 1) {
        nand_page_own(nand, cell);
        spoil_here(nand, chunk, digit == 2 ? 0 : capacity / 2, capacity);
        cell->real = capacity;
        nand_wake(nand, cell);
    } else {
        if (cell->finish) {
            finished = digit % 2 == 1;
            digit /= 2;
        }
        if (cell->reset)
            cell->real = cell->reach;
        else
            leave_end(nand, chunk, digit);
        if (finished)
            nand_finish_now(nand, cell);
        else
            nand_wake(nand, cell);
    }
    cell->durable = cell->real;
}

void nand_cut_way(struct nand *nand, uint64_t way)
{
    struct prng prng;
    prng_seed(&prng, way);
    nand_forget(nand);
    for (uint32_t i = 0; i < nand->count; i++) {
        struct nand_cell *cell = &nand->cells[i];
        uint64_t radix = radix_of(nand, cell);
        cell->flaky_from = cell->flaky_to = 0;
        cut_exactly(nand, i, way % radix);
        way /= radix;
        cell->reads = cell->writes = 0;
        cell->reset = cell->finish = cell->broken = false;
    }
    nand_finish_surplus(nand, &prng);
    nand_check(nand);
}

/* ---- the state as a number ------------------------------------------------------------------- */

static uint64_t fold(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

uint64_t nand_fold(uint64_t hash, const void *bytes, size_t count)
{
    const uint8_t *at = bytes;
    for (; count >= 8; at += 8, count -= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        hash = fold(hash, word);
    }
    uint64_t rest = count;
    for (; count > 0; count--)
        rest = rest << 8 | *at++;
    return fold(hash, rest);
}

/* Of the first `blocks` blocks; kept in the page, because forks ask again and again. */
static uint64_t hash_page(const struct nand *nand, struct nand_page *page, uint32_t blocks)
{
    const struct hftl_media_facts *f = &nand->media.facts;
    if (page->hash == 0 || page->hash_blocks != blocks) {
        page->hash = nand_fold(1, page->data, (size_t)blocks * f->block_bytes);
        page->hash = nand_fold(page->hash, page->oob, (size_t)blocks * f->oob_bytes);
        page->hash_blocks = blocks;
    }
    return page->hash;
}

uint64_t nand_hash(const struct nand *nand)
{
    uint64_t hash = nand->count;
    for (uint32_t i = 0; i < nand->count; i++) {
        const struct nand_cell *cell = &nand->cells[i];
        hash = fold(hash, (uint64_t)cell->chunk.state << 32 | cell->chunk.wp);
        hash = fold(hash, (uint64_t)cell->durable << 32 | cell->real);
        hash = fold(hash, (uint64_t)cell->chunk.wear << 32 | cell->reach);
        hash = fold(hash, (uint64_t)cell->flaky_from << 32 | cell->flaky_to);
        if (cell->page && cell->reach > 0)
            hash = fold(hash, hash_page(nand, cell->page, cell->reach));
    }
    return hash;
}
