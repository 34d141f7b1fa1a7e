/* SPDX-License-Identifier: BSD-3-Clause */
#include "sim/nand.h"

#include "base/must.h"
#include "sim/nand_inside.h"

#include <stdlib.h>
#include <string.h>

/* Whoever asks so often for what cannot come waits for ever. */
#define IDLE_REAPS_MAX 200000u

/* ---- pages ----------------------------------------------------------------------------------- */

static size_t page_bytes(const struct hftl_media_facts *f)
{
    return sizeof(struct nand_page) + (size_t)f->chunk_blocks * (f->block_bytes + f->oob_bytes + 1);
}

struct nand_page *nand_page_new(const struct hftl_media_facts *facts)
{
    struct nand_page *page = calloc(1, page_bytes(facts));
    must(page != NULL);
    page->refs = 1;
    page->data = (uint8_t *)(page + 1);
    page->oob = page->data + (size_t)facts->chunk_blocks * facts->block_bytes;
    page->starts = page->oob + (size_t)facts->chunk_blocks * facts->oob_bytes;
    return page;
}

void nand_page_drop(struct nand_page *page)
{
    if (page && --page->refs == 0)
        free(page);
}

struct nand_page *nand_page_own(struct nand *nand, struct nand_cell *cell)
{
    const struct hftl_media_facts *f = &nand->media.facts;
    if (cell->page && cell->page->refs == 1) {
        cell->page->hash = 0;
        return cell->page;
    }
    struct nand_page *own = nand_page_new(f);
    if (cell->page) {
        size_t bytes = page_bytes(f) - sizeof(struct nand_page);
        memcpy(own->data, cell->page->data, bytes);
        nand_page_drop(cell->page);
    }
    cell->page = own;
    return own;
}

/* ---- the rules: a second opinion ------------------------------------------------------------- */

static bool is_zoned(const struct nand *nand)
{
    return nand->media.facts.kind == HFTL_KIND_ZONED;
}

static bool can(const struct nand *nand, uint32_t flag)
{
    return (nand->media.facts.flags & flag) != 0;
}

/* A chunk that will be OPEN when its first write lands holds its slots already. */
static bool holds_open(const struct nand_cell *cell)
{
    return cell->chunk.state == HFTL_CHUNK_OPEN || cell->writes > 0;
}

static bool holds_active(const struct nand_cell *cell)
{
    return holds_open(cell) || cell->chunk.state == HFTL_CHUNK_PAUSED;
}

static void count_held(const struct nand *nand, uint32_t *open, uint32_t *active)
{
    *open = *active = 0;
    for (uint32_t i = 0; i < nand->count; i++) {
        *open += holds_open(&nand->cells[i]);
        *active += holds_active(&nand->cells[i]);
    }
}

/* A zoned drive at its open limit pauses a chunk that nobody is writing to. */
static void pause_one(struct nand *nand)
{
    uint32_t first = (uint32_t)prng_below(&nand->prng, nand->count);
    for (uint32_t i = 0; i < nand->count; i++) {
        struct nand_cell *cell = &nand->cells[(first + i) % nand->count];
        if (cell->chunk.state == HFTL_CHUNK_OPEN && cell->writes == 0) {
            cell->chunk.state = HFTL_CHUNK_PAUSED;
            return;
        }
    }
    must_show(!"R3: every open chunk has a write in flight", nand->media.facts.open_max, 0);
}

static void take_slots(struct nand *nand, const struct nand_cell *cell)
{
    const struct hftl_media_facts *f = &nand->media.facts;
    uint32_t open, active;
    if (holds_open(cell))
        return;
    count_held(nand, &open, &active);
    if (f->active_max && !holds_active(cell))
        must_show(active < f->active_max, active, f->active_max); /* R3 */
    if (f->open_max && open >= f->open_max) {
        must_show(is_zoned(nand), open, f->open_max); /* R3 */
        pause_one(nand);
    }
}

static void judge_write(const struct nand *nand, const struct nand_cell *cell,
                        const struct hftl_media_op *op)
{
    const struct hftl_media_facts *f = &nand->media.facts;
    enum hftl_chunk_state state = cell->chunk.state;
    must_show(state == HFTL_CHUNK_FREE || state == HFTL_CHUNK_OPEN || state == HFTL_CHUNK_PAUSED,
              op->chunk, state);                                                            /* R3 */
    must_show(op->blocks > 0 && op->blocks % f->ws_min == 0, op->blocks, f->ws_min);        /* R1 */
    must_show(op->blocks <= f->transfer_blocks_max, op->blocks, f->transfer_blocks_max);    /* R1 */
    must_show(op->offset == cell->reach, op->offset, cell->reach);                          /* R1 */
    must_show(op->blocks <= cell->chunk.capacity - op->offset, op->offset, op->blocks);     /* R1 */
    must_show(cell->writes == 0 || can(nand, HFTL_MEDIA_CAN_QUEUE), op->chunk, op->offset); /* R2 */
    must_show(!cell->reset && !cell->finish, op->chunk, op->offset); /* R5, R6 */
    must(op->data != NULL);
}

static void judge_read(const struct nand *nand, const struct nand_cell *cell,
                       const struct hftl_media_op *op)
{
    const struct hftl_media_facts *f = &nand->media.facts;
    must_show(op->blocks > 0 && op->blocks <= f->transfer_blocks_max, op->blocks, op->chunk);
    must_show(!cell->reset, op->chunk, op->offset); /* R5 */
    uint64_t last = (uint64_t)op->offset + op->blocks - 1;
    uint32_t state = cell->chunk.state;
    bool full = state == HFTL_CHUNK_FULL || state == HFTL_CHUNK_READ_ONLY;
    bool open = state == HFTL_CHUNK_OPEN || state == HFTL_CHUNK_PAUSED;
    must_show(full || open || state == HFTL_CHUNK_OFFLINE, op->chunk, state); /* R4 */
    if (full)
        must_show(last < cell->chunk.wp, last, cell->chunk.wp); /* R4 */
    if (open)
        must_show(last + f->mw_cunits < cell->chunk.wp, last, cell->chunk.wp); /* R4 */
    must(op->data != NULL);
}

static void judge_reset(const struct nand *nand, const struct nand_cell *cell,
                        const struct hftl_media_op *op)
{
    enum hftl_chunk_state state = cell->chunk.state;
    must_show(state == HFTL_CHUNK_FULL || state == HFTL_CHUNK_OPEN || state == HFTL_CHUNK_PAUSED,
              op->chunk, state); /* R5 */
    must_show(state == HFTL_CHUNK_FULL || can(nand, HFTL_MEDIA_CAN_RESET_OPEN), op->chunk, state);
    must_show(cell->reads == 0 && cell->writes == 0, cell->reads, cell->writes); /* R5 */
    must_show(!cell->reset && !cell->finish, op->chunk, state);                  /* R5 */
}

static void judge_finish(const struct nand *nand, const struct nand_cell *cell,
                         const struct hftl_media_op *op)
{
    enum hftl_chunk_state state = cell->chunk.state;
    must(can(nand, HFTL_MEDIA_CAN_FINISH)); /* R6 */
    must_show(state == HFTL_CHUNK_OPEN || state == HFTL_CHUNK_PAUSED ||
                  (state == HFTL_CHUNK_FREE && is_zoned(nand)),
              op->chunk, state);                                                     /* R6 */
    must_show(cell->writes == 0 && !cell->reset && !cell->finish, op->chunk, state); /* R6 */
}

/* ---- submitting ------------------------------------------------------------------------------ */

static void take_data(struct nand *nand, struct nand_cell *cell, const struct hftl_media_op *op)
{
    const struct hftl_media_facts *f = &nand->media.facts;
    struct nand_page *page = nand_page_own(nand, cell);
    memcpy(page->data + (size_t)op->offset * f->block_bytes, op->data,
           (size_t)op->blocks * f->block_bytes);
    uint8_t *oob = page->oob + (size_t)op->offset * f->oob_bytes;
    if (op->oob)
        memcpy(oob, op->oob, (size_t)op->blocks * f->oob_bytes);
    else
        memset(oob, 0, (size_t)op->blocks * f->oob_bytes);
    memset(page->starts + op->offset, 0, op->blocks);
    page->starts[op->offset] = 1;
    cell->reach = op->offset + op->blocks;
}

static struct nand_flush *begin_flush(struct nand *nand)
{
    struct nand_flush *flush = nand->flush_free;
    if (flush)
        nand->flush_free = flush->next;
    else
        flush = malloc(sizeof(*flush) + nand->count * sizeof(flush->at[0]));
    must(flush != NULL);
    for (uint32_t i = 0; i < nand->count; i++) {
        flush->at[i].wp = nand->cells[i].real; /* landed, M4 */
        flush->at[i].life = nand->cells[i].life;
    }
    return flush;
}

static bool is_retired(const struct nand_cell *cell)
{
    return cell->chunk.state == HFTL_CHUNK_OFFLINE || cell->chunk.state == HFTL_CHUNK_READ_ONLY;
}

static void begin(struct nand *nand, struct nand_flight *flight)
{
    struct hftl_media_op *op = flight->op;
    bool placed = op->verb != HFTL_MEDIA_FLUSH && op->verb != HFTL_MEDIA_EVENT;
    must_show(!placed || op->chunk < nand->count, op->chunk, nand->count);
    struct nand_cell *cell = placed ? &nand->cells[op->chunk] : NULL;
    if (cell && op->verb != HFTL_MEDIA_REPORT && op->verb != HFTL_MEDIA_READ &&
        is_retired(cell)) { /* M7: at any time, so it is no defect of the caller */
        op->status = cell->chunk.state == HFTL_CHUNK_OFFLINE ? HFTL_OFFLINE : HFTL_READ_ONLY;
        return;
    }
    if (cell && cell->broken && op->verb == HFTL_MEDIA_WRITE) {
        op->status = HFTL_IO; /* the host may not know yet that the chunk failed */
        return;
    }
    op->status = HFTL_OK;
    switch (op->verb) {
    case HFTL_MEDIA_READ:
        judge_read(nand, cell, op);
        cell->reads++;
        break;
    case HFTL_MEDIA_WRITE:
        judge_write(nand, cell, op);
        take_slots(nand, cell);
        take_data(nand, cell, op);
        cell->writes++;
        break;
    case HFTL_MEDIA_RESET:
        judge_reset(nand, cell, op);
        cell->reset = true;
        break;
    case HFTL_MEDIA_FINISH:
        judge_finish(nand, cell, op);
        cell->finish = true;
        break;
    case HFTL_MEDIA_FLUSH:
        flight->flush = begin_flush(nand);
        break;
    case HFTL_MEDIA_REPORT:
        must_show(op->blocks > 0 && op->blocks <= nand->count - op->chunk, op->chunk, op->blocks);
        must(op->out.report != NULL);
        break;
    case HFTL_MEDIA_EVENT:
        must(op->out.event != NULL);
        break;
    default:
        must_show(!"R7: no append here", op->verb, op->chunk);
    }
}

static bool is_watched(const struct hftl_media_op *op)
{
    return op->verb == HFTL_MEDIA_WRITE || op->verb == HFTL_MEDIA_RESET ||
           op->verb == HFTL_MEDIA_FINISH || op->verb == HFTL_MEDIA_FLUSH;
}

/* What was asked, with its data, and what came of it. */
static void trace(struct nand *nand, const struct hftl_media_op *op, bool landed)
{
    const struct hftl_media_facts *f = &nand->media.facts;
    const uint32_t words[] = {landed ? 1u + (uint32_t)op->status : 0u, op->verb, op->chunk,
                              op->offset, op->blocks};
    nand->trace = nand_fold(nand->trace, words, sizeof words);
    if (op->verb == HFTL_MEDIA_WRITE && !landed && nand->options.traced) {
        nand->trace = nand_fold(nand->trace, op->data, (size_t)op->blocks * f->block_bytes);
        if (op->oob)
            nand->trace = nand_fold(nand->trace, op->oob, (size_t)op->blocks * f->oob_bytes);
    }
}

static void tell_watcher(struct nand *nand, enum nand_moment moment, const struct hftl_media_op *op)
{
    if (!is_watched(op))
        return;
    uint64_t index = nand->moments++;
    if (nand->watch)
        nand->watch(nand->watch_arg, index, moment, op);
}

static uint64_t judged; /* operations, of all nands */

uint64_t nand_operations_judged(void)
{
    return judged;
}

/* M8: it is not begun. */
static bool has_no_room(const struct nand *nand)
{
    return nand->options.queue != 0 && nand->flight_count >= nand->options.queue;
}

static void refuse(struct nand *nand, struct hftl_media_op *op)
{
    if (nand->refused_count == nand->refused_room) {
        nand->refused_room = nand->refused_room ? nand->refused_room * 2 : 16;
        nand->refused = realloc(nand->refused, nand->refused_room * sizeof(*nand->refused));
        must(nand->refused != NULL);
    }
    nand->refused[nand->refused_count++] = op;
    trace(nand, op, false);
}

static void nand_submit(struct hftl_media *media, struct hftl_media_op **ops, unsigned count)
{
    struct nand *nand = (struct nand *)media;
    judged += count;
    for (unsigned i = 0; i < count; i++) {
        struct hftl_media_op *op = ops[i];
        must(op->land != NULL);
        if (has_no_room(nand)) {
            refuse(nand, op);
            continue;
        }
        if (nand->flight_count == nand->flight_room) {
            nand->flight_room = nand->flight_room ? nand->flight_room * 2 : 64;
            nand->flight = realloc(nand->flight, nand->flight_room * sizeof *nand->flight);
            must(nand->flight != NULL);
        }
        struct nand_flight flight = {
            .op = op, .verb = op->verb, .chunk = op->chunk, .serial = nand->serial++};
        nand_schedule(nand, &flight);
        begin(nand, &flight);
        nand->flight[nand->flight_count++] = flight;
        trace(nand, op, false);
        tell_watcher(nand, NAND_SUBMITTED, op);
    }
}

/* ---- landing --------------------------------------------------------------------------------- */

static void land_write(struct nand *nand, struct nand_cell *cell, const struct hftl_media_op *op)
{
    const struct hftl_media_facts *f = &nand->media.facts;
    size_t at = (size_t)op->offset * f->block_bytes, bytes = (size_t)op->blocks * f->block_bytes;
    must_show(memcmp(cell->page->data + at, op->data, bytes) == 0, op->chunk, op->offset);
    cell->writes--;
    cell->chunk.wp = cell->real = op->offset + op->blocks;
    bool full = cell->chunk.wp == cell->chunk.capacity;
    cell->chunk.state = full ? HFTL_CHUNK_FULL : HFTL_CHUNK_OPEN;
    if (!f->volatile_cache)
        cell->durable = cell->real;
}

static void land_read(const struct nand *nand, struct nand_cell *cell, struct hftl_media_op *op)
{
    const struct hftl_media_facts *f = &nand->media.facts;
    cell->reads--;
    if (cell->chunk.state == HFTL_CHUNK_OFFLINE) {
        op->status = HFTL_OFFLINE;
        return;
    }
    if (op->offset < cell->flaky_to && op->offset + op->blocks > cell->flaky_from) {
        op->status = HFTL_IO;
        return;
    }
    uint32_t there = op->offset < cell->real ? cell->real - op->offset : 0;
    if (there > op->blocks)
        there = op->blocks;
    size_t block = f->block_bytes, oob = f->oob_bytes;
    uint8_t *data = op->data, *spare = op->oob;
    memset(data + there * block, 0, (op->blocks - there) * block);
    if (there)
        memcpy(data, cell->page->data + op->offset * block, there * block);
    if (!spare || !oob)
        return;
    memset(spare + there * oob, 0, (op->blocks - there) * oob);
    if (there)
        memcpy(spare, cell->page->oob + op->offset * oob, there * oob);
}

static void land_reset(struct nand_cell *cell)
{
    cell->flaky_from = cell->flaky_to = 0;
    nand_page_drop(cell->page);
    cell->page = NULL;
    cell->chunk.state = HFTL_CHUNK_FREE;
    cell->chunk.wp = cell->durable = cell->reach = cell->real = 0;
    cell->chunk.wear++;
    cell->life++;
    cell->reset = false;
}

/* The write pointer of a finished zone says nothing: it shows the capacity (contract 2.3). */
static void land_finish(const struct nand *nand, struct nand_cell *cell)
{
    cell->finish = false;
    cell->chunk.state = HFTL_CHUNK_FULL;
    if (is_zoned(nand))
        cell->chunk.wp = cell->chunk.capacity;
}

static void land_flush(struct nand *nand, struct nand_flush *flush, bool done)
{
    for (uint32_t i = 0; i < nand->count && done; i++) {
        struct nand_cell *cell = &nand->cells[i];
        if (cell->life == flush->at[i].life && cell->durable < flush->at[i].wp)
            cell->durable = flush->at[i].wp;
    }
    flush->next = nand->flush_free;
    nand->flush_free = flush;
}

void nand_land_effect(struct nand *nand, struct nand_flight *flight, bool done)
{
    struct hftl_media_op *op = flight->op;
    struct nand_cell *cell = &nand->cells[op->chunk < nand->count ? op->chunk : 0];
    if (op->verb == HFTL_MEDIA_READ && done)
        land_read(nand, cell, op);
    else if (op->verb == HFTL_MEDIA_READ)
        cell->reads--;
    else if (op->verb == HFTL_MEDIA_FLUSH)
        land_flush(nand, flight->flush, done);
    else if (op->verb == HFTL_MEDIA_WRITE)
        land_write(nand, cell, op);
    else if (op->verb == HFTL_MEDIA_RESET && done)
        land_reset(cell);
    else if (op->verb == HFTL_MEDIA_FINISH && done)
        land_finish(nand, cell);
    if (op->verb == HFTL_MEDIA_RESET)
        cell->reset = false;
    if (op->verb == HFTL_MEDIA_FINISH)
        cell->finish = false;
}

static void land_report(struct nand *nand, const struct hftl_media_op *op)
{
    for (uint32_t i = 0; i < op->blocks; i++) {
        op->out.report[i] = nand->cells[op->chunk + i].chunk;
        if (nand->cells[op->chunk + i].writes == 0)
            nand->cells[op->chunk + i].broken = false;
    }
}

static void land(struct nand *nand, struct nand_flight *flight)
{
    struct hftl_media_op *op = flight->op;
    struct nand_cell *cell = &nand->cells[op->chunk < nand->count ? op->chunk : 0];
    if (op->verb == HFTL_MEDIA_EVENT)
        op->status = HFTL_AGAIN;
    else if (op->status != HFTL_OK)
        ; /* refused: nothing happened */
    else if (op->verb == HFTL_MEDIA_WRITE && cell->broken)
        nand_refuse_write(cell, op);
    else if (nand_fault_strikes(nand, flight))
        nand_land_fault(nand, flight);
    else if (op->verb == HFTL_MEDIA_REPORT)
        land_report(nand, op);
    else
        nand_land_effect(nand, flight, true);
    trace(nand, op, true);
    tell_watcher(nand, NAND_LANDED, op);
    op->land(op); /* M1; the op is not ours any more */
}

/* Writes of one chunk land in order; everything else may overtake. */
static bool may_land(const struct nand *nand, uint32_t at, uint64_t serial_end)
{
    const struct nand_flight *flight = &nand->flight[at];
    if (flight->serial >= serial_end || !nand_is_due(nand, flight))
        return false;
    if (flight->verb != HFTL_MEDIA_WRITE)
        return true;
    for (uint32_t i = 0; i < at; i++)
        if (nand->flight[i].verb == HFTL_MEDIA_WRITE && nand->flight[i].chunk == flight->chunk)
            return false;
    return true;
}

/* Takes one that may land, by chance when there is a seed; false: none. */
static bool pick(struct nand *nand, uint64_t serial_end, struct nand_flight *picked)
{
    if (nand->flight_count == 0)
        return false;
    uint32_t first = 0;
    if (nand->options.seed)
        first = (uint32_t)prng_below(&nand->prng, nand->flight_count);
    for (uint32_t i = 0; i < nand->flight_count; i++) {
        uint32_t at = (first + i) % nand->flight_count;
        if (!may_land(nand, at, serial_end))
            continue;
        *picked = nand->flight[at];
        memmove(&nand->flight[at], &nand->flight[at + 1],
                (nand->flight_count - at - 1) * sizeof *nand->flight);
        nand->flight_count--;
        return true;
    }
    return false;
}

/* Those that came before this reap: a landing may submit. */
static unsigned land_refused(struct nand *nand, unsigned max)
{
    uint32_t count = nand->refused_count < max ? nand->refused_count : max;
    for (uint32_t i = 0; i < count; i++) {
        struct hftl_media_op *op = nand->refused[0];
        memmove(nand->refused, nand->refused + 1, --nand->refused_count * sizeof(*nand->refused));
        op->status = HFTL_AGAIN;
        trace(nand, op, true);
        op->land(op);
    }
    return count;
}

static unsigned nand_reap(struct hftl_media *media, unsigned max)
{
    struct nand *nand = (struct nand *)media;
    must(!nand->reaping);
    nand->reaping = true;
    uint64_t serial_end = nand->serial;
    nand->idle_reaps = nand_in_flight(nand) ? 0 : nand->idle_reaps + 1;
    must_show(nand->idle_reaps < IDLE_REAPS_MAX, nand->idle_reaps, nand->moments); /* C12 */
    for (uint32_t i = 0; i < nand->flight_count; i++)
        if (nand->flight[i].delay > 0)
            nand->flight[i].delay--;
    unsigned landed = land_refused(nand, max);
    for (struct nand_flight flight; landed < max && pick(nand, serial_end, &flight); landed++)
        land(nand, &flight);
    nand_clock_reaped(nand, landed);
    nand->reaping = false;
    return landed;
}

static int nand_fd(struct hftl_media *media)
{
    (void)media;
    return -1;
}

/* ---- a life ---------------------------------------------------------------------------------- */

static void nand_close(struct hftl_media *media)
{
    must_show(nand_in_flight((struct nand *)media) == 0, nand_in_flight((struct nand *)media), 0);
    nand_destroy((struct nand *)media);
}

static const struct hftl_media_ops nand_ops = {
    .name = "nand", .submit = nand_submit, .reap = nand_reap, .fd = nand_fd, .close = nand_close};

static struct nand *allocate(const struct nand_options *options)
{
    struct nand *nand = calloc(1, sizeof(*nand));
    must(nand != NULL);
    nand->media.ops = &nand_ops;
    nand->media.facts = options->facts;
    nand->options = *options;
    nand->count = hftl_media_chunks(&options->facts);
    nand->cells = calloc(nand->count, sizeof(*nand->cells));
    must(nand->cells != NULL);
    return nand;
}

struct nand *nand_create(const struct nand_options *options)
{
    struct nand *nand = allocate(options);
    prng_seed(&nand->prng, options->seed);
    nand_clock_begin(nand);
    for (uint32_t i = 0; i < nand->count; i++) {
        nand->cells[i].chunk.capacity = options->facts.chunk_blocks;
        if (options->bad_every && (i + 3) % options->bad_every == 0)
            nand->cells[i].chunk.state = HFTL_CHUNK_OFFLINE;
    }
    return nand;
}

void nand_forget(struct nand *nand)
{
    for (uint32_t i = 0; i < nand->flight_count; i++) {
        struct nand_flush *flush = nand->flight[i].flush;
        if (!flush)
            continue;
        flush->next = nand->flush_free;
        nand->flush_free = flush;
    }
    nand->flight_count = nand->refused_count = 0;
    nand->reaping = false;
    nand_clock_forget(nand);
}

void nand_destroy(struct nand *nand)
{
    nand_forget(nand);
    for (uint32_t i = 0; i < nand->count; i++)
        nand_page_drop(nand->cells[i].page);
    while (nand->flush_free) {
        struct nand_flush *next = nand->flush_free->next;
        free(nand->flush_free);
        nand->flush_free = next;
    }
    free(nand->flight);
    free(nand->refused);
    free(nand->cells);
    free(nand);
}

struct hftl_media *nand_media(struct nand *nand)
{
    return &nand->media;
}

struct nand *nand_fork(const struct nand *nand)
{
    struct nand *fork = allocate(&nand->options);
    memcpy(fork->cells, nand->cells, nand->count * sizeof(*fork->cells));
    for (uint32_t i = 0; i < fork->count; i++)
        if (fork->cells[i].page)
            fork->cells[i].page->refs++;
    fork->prng = nand->prng;
    fork->clock = nand->clock;
    fork->harm = nand->harm;
    return fork;
}

void nand_watch(struct nand *nand, nand_watch_fn watch, void *arg)
{
    nand->watch = watch;
    nand->watch_arg = arg;
}

void nand_set_traced(struct nand *nand)
{
    nand->options.traced = true;
}

uint64_t nand_trace(const struct nand *nand)
{
    return nand->trace;
}

uint64_t nand_moments(const struct nand *nand)
{
    return nand->moments;
}

struct hftl_chunk nand_chunk(const struct nand *nand, uint32_t chunk)
{
    must_show(chunk < nand->count, chunk, nand->count);
    return nand->cells[chunk].chunk;
}

uint32_t nand_durable(const struct nand *nand, uint32_t chunk)
{
    must_show(chunk < nand->count, chunk, nand->count);
    return nand->cells[chunk].durable;
}

uint32_t nand_in_flight(const struct nand *nand)
{
    return nand->flight_count + nand->refused_count;
}

void nand_check(const struct nand *nand)
{
    const struct hftl_media_facts *f = &nand->media.facts;
    for (uint32_t i = 0; i < nand->count; i++) {
        const struct nand_cell *cell = &nand->cells[i];
        const struct hftl_chunk *c = &cell->chunk;
        must_show(cell->durable <= cell->real && cell->real <= cell->reach, i,
                  cell->durable); /* N1 */
        must_show(cell->reach <= c->capacity && c->wp <= c->capacity, i, cell->reach);
        must_show(cell->durable % f->ws_min == 0 && cell->reach % f->ws_min == 0, i, cell->reach);
        if (c->state == HFTL_CHUNK_FREE)
            must_show(c->wp == 0, i, c->wp); /* N2 */
        if (c->state == HFTL_CHUNK_OPEN || c->state == HFTL_CHUNK_PAUSED)
            must_show(c->wp > 0 && c->wp < c->capacity, i, c->wp);
        must_show(cell->reach == 0 || cell->page != NULL, i, cell->reach); /* N3 */
    }
    uint32_t open, active;
    count_held(nand, &open, &active);
    must_show(f->open_max == 0 || open <= f->open_max, open, f->open_max); /* N4 */
    must_show(f->active_max == 0 || active <= f->active_max, active, f->active_max);
}
