/* SPDX-License-Identifier: BSD-3-Clause */
#include "media/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"

enum hftl_status ledger_create(struct ledger *ledger, const struct hftl_media_facts *facts)
{
    memset(ledger, 0, sizeof *ledger);
    ledger->facts = facts;
    ledger->chunk_count = hftl_media_chunks(facts);
    ledger->chunks = calloc(ledger->chunk_count, sizeof *ledger->chunks);
    ledger->flights = calloc(ledger->chunk_count, sizeof *ledger->flights);
    if (facts->open_max != 0) {
        uint32_t slots =
            facts->open_max < ledger->chunk_count ? facts->open_max : ledger->chunk_count;
        ledger->opened = calloc(slots, sizeof *ledger->opened);
    }
    if (!ledger->chunks || !ledger->flights || (facts->open_max != 0 && !ledger->opened)) {
        ledger_destroy(ledger);
        return HFTL_MEMORY;
    }
    for (uint32_t i = 0; i < ledger->chunk_count; i++)
        ledger->chunks[i].capacity = facts->chunk_blocks;
    return HFTL_OK;
}

void ledger_destroy(struct ledger *ledger)
{
    free(ledger->chunks);
    free(ledger->flights);
    free(ledger->opened);
    memset(ledger, 0, sizeof *ledger);
}

bool ledger_recount(struct ledger *ledger)
{
    ledger->open_count = 0;
    ledger->active_count = 0;
    for (uint32_t i = 0; i < ledger->chunk_count; i++) {
        enum hftl_chunk_state state = ledger->chunks[i].state;
        if (state != HFTL_CHUNK_OPEN && state != HFTL_CHUNK_PAUSED)
            continue;
        ledger->active_count++;
        if (state != HFTL_CHUNK_OPEN)
            continue;
        if (ledger->opened && ledger->open_count >= ledger->facts->open_max)
            return false; /* L2 */
        if (ledger->opened)
            ledger->opened[ledger->open_count] = i;
        ledger->open_count++;
    }
    return true;
}

static struct rules_place find_place(const struct ledger *ledger, uint32_t chunk)
{
    const struct ledger_flight *flight = &ledger->flights[chunk];
    return (struct rules_place){
        .chunk = &ledger->chunks[chunk],
        .reads = flight->reads,
        .writes = flight->writes,
        .reset = flight->resets > 0,
        .finish = flight->finishes > 0,
        .open_count = ledger->open_count,
        .active_count = ledger->active_count,
    };
}

enum hftl_status ledger_judge(const struct ledger *ledger, const struct hftl_media_op *op)
{
    enum hftl_status status = rules_judge_shape(ledger->facts, op);
    if (status != HFTL_OK || !rules_concern_chunk(op->verb))
        return status;
    struct rules_place place = find_place(ledger, op->chunk);
    bool write = op->verb == HFTL_MEDIA_WRITE || op->verb == HFTL_MEDIA_APPEND;
    if (write && ledger->flights[op->chunk].broken)
        return HFTL_IO;
    return rules_judge(ledger->facts, &place, op);
}

static void count_flight(struct ledger *ledger, const struct hftl_media_op *op, bool arrives)
{
    if (!rules_concern_chunk(op->verb) || op->chunk >= ledger->chunk_count)
        return;
    struct ledger_flight *flight = &ledger->flights[op->chunk];
    uint32_t *count = op->verb == HFTL_MEDIA_READ     ? &flight->reads
                      : op->verb == HFTL_MEDIA_RESET  ? &flight->resets
                      : op->verb == HFTL_MEDIA_FINISH ? &flight->finishes
                                                      : &flight->writes;
    must(arrives ? *count > 0 : *count < UINT32_MAX);
    *count = arrives ? *count - 1 : *count + 1;
    if (flight->writes == 0)
        flight->broken = false;
}

void ledger_depart(struct ledger *ledger, const struct hftl_media_op *op)
{
    count_flight(ledger, op, false);
}

void ledger_arrive(struct ledger *ledger, const struct hftl_media_op *op)
{
    count_flight(ledger, op, true);
}

static void drop_opened(struct ledger *ledger, uint32_t chunk)
{
    must(ledger->open_count > 0);
    uint32_t left = --ledger->open_count;
    if (!ledger->opened)
        return;
    uint32_t at = 0;
    while (ledger->opened[at] != chunk) {
        at++;
        must_show(at <= left, at, left); /* L2 */
    }
    memmove(&ledger->opened[at], &ledger->opened[at + 1], (left - at) * sizeof *ledger->opened);
}

static void add_opened(struct ledger *ledger, uint32_t chunk)
{
    if (ledger->opened) {
        must_show(ledger->open_count < ledger->facts->open_max, ledger->open_count, chunk);
        ledger->opened[ledger->open_count] = chunk;
    }
    ledger->open_count++;
}

static bool is_active(enum hftl_chunk_state state)
{
    return state == HFTL_CHUNK_OPEN || state == HFTL_CHUNK_PAUSED;
}

/* L1, L2 after a chunk went from `before` to what it is now. */
static void recount_chunk(struct ledger *ledger, uint32_t chunk, enum hftl_chunk_state before)
{
    enum hftl_chunk_state now = ledger->chunks[chunk].state;
    if (before == HFTL_CHUNK_OPEN && now != HFTL_CHUNK_OPEN)
        drop_opened(ledger, chunk);
    if (before != HFTL_CHUNK_OPEN && now == HFTL_CHUNK_OPEN)
        add_opened(ledger, chunk);
    if (is_active(before) && !is_active(now))
        ledger->active_count--;
    if (!is_active(before) && is_active(now))
        ledger->active_count++;
}

void ledger_write(struct ledger *ledger, uint32_t chunk, uint32_t blocks)
{
    struct rules_place place = find_place(ledger, chunk);
    if (rules_write_pauses(ledger->facts, &place)) {
        uint32_t other = ledger->opened[0]; /* the longest open */
        ledger->chunks[other].state = HFTL_CHUNK_PAUSED;
        recount_chunk(ledger, other, HFTL_CHUNK_OPEN);
    }
    enum hftl_chunk_state before = ledger->chunks[chunk].state;
    rules_apply_write(&ledger->chunks[chunk], blocks);
    recount_chunk(ledger, chunk, before);
}

void ledger_reset(struct ledger *ledger, uint32_t chunk)
{
    enum hftl_chunk_state before = ledger->chunks[chunk].state;
    rules_apply_reset(&ledger->chunks[chunk]);
    recount_chunk(ledger, chunk, before);
}

void ledger_finish(struct ledger *ledger, uint32_t chunk)
{
    enum hftl_chunk_state before = ledger->chunks[chunk].state;
    rules_apply_finish(&ledger->chunks[chunk]);
    recount_chunk(ledger, chunk, before);
}

void ledger_fail_write(struct ledger *ledger, uint32_t chunk)
{
    ledger->flights[chunk].broken = true;
}

void ledger_retire(struct ledger *ledger, uint32_t chunk, enum hftl_chunk_state state)
{
    must(state == HFTL_CHUNK_READ_ONLY || state == HFTL_CHUNK_OFFLINE);
    enum hftl_chunk_state before = ledger->chunks[chunk].state;
    ledger->chunks[chunk].state = state;
    recount_chunk(ledger, chunk, before);
}
