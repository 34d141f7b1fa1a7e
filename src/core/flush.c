/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/flush.h"

#include "base/bitmap.h"
#include "base/bytes.h"
#include "base/crc.h"
#include "base/must.h"
#include "base/mutant.h"
#include "core/engine.h"
#include "format/trim_page.h"

#include <string.h>

enum deed { IDLE, DATA, SETTLE, SYNC, PAGES, PAGES_RUN, PAGES_SETTLE, PAGES_SYNC };

static size_t range_words(const struct device *device)
{
    return bitmap_words(device->geometry.ranges);
}

static void start_round(struct device *device)
{
    struct flush *flush = &device->flush;
    list_splice_back(&flush->riding, &flush->waiting);
    flush->with_relocation = flush->asked_relocation;
    flush->asked = false;
    flush->asked_relocation = false;
    flush->holding = false;
    flush->paged = false;
    flush->next_range = 0;
    flush->errand.at = DATA;
    flush->trace_id = trace_id(&device->trace);
    trace(device, FLUSH_BEGIN, flush->trace_id, 0, flush->count + 1);
}

static struct band_mark end_of(const struct pen *pen)
{
    if (pen->band == NULL)
        return (struct band_mark){.band = FORMAT_BAND_NONE};
    return (struct band_mark){pen->band->index, min_u32(pen->position, pen->tail),
                              pen->band->generation};
}

/* How far the round covers what the stream writes: the band that is being closed as well. */
static void note_ends(struct device *device, unsigned kind)
{
    const struct stream *stream = &device->streams[kind];
    device->flush.ended[kind] = end_of(stream->open);
    device->flush.ended[STREAMS + kind] = end_of(stream->closing);
}

/* Ends the runs; false: no unit, wait. */
static bool end_runs(struct device *device)
{
    struct flush *flush = &device->flush;
    struct stream *user = &device->streams[STREAM_USER];
    struct stream *relocation = &device->streams[STREAM_RELOCATION];
    uint64_t clock = device->user_clock;
    if (!stream_end_run(user, &flush->user_ticket)) {
        errand_wait(&flush->errand, &user->waiting);
        return false;
    }
    note_ends(device, STREAM_USER);
    /* F1: the clock that the round will call durable, and the trims it has to write pages for,
     * are of
     * one moment. */
    if (flush->errand.at == DATA)
        memcpy(flush->snapshot, device->map.dirty, range_words(device) * sizeof(uint64_t));
    if (flush->errand.at == DATA || device->map.dirty_count == 0)
        flush->user_target = clock;
    if (!flush->with_relocation)
        return true;
    uint64_t relocated = device->relocation_clock;
    if (!stream_end_run(relocation, &flush->relocation_ticket)) {
        errand_wait(&flush->errand, &relocation->waiting);
        return false;
    }
    note_ends(device, STREAM_RELOCATION);
    flush->relocation_target = relocated;
    return true;
}

static bool all_settled(struct device *device)
{
    struct flush *flush = &device->flush;
    struct stream *user = &device->streams[STREAM_USER];
    struct stream *relocation = &device->streams[STREAM_RELOCATION];
    if (!stream_settled(user, flush->user_ticket)) {
        errand_wait(&flush->errand, &user->waiting);
        return false;
    }
    if (flush->with_relocation && !stream_settled(relocation, flush->relocation_ticket)) {
        errand_wait(&flush->errand, &relocation->waiting);
        return false;
    }
    return true;
}

static void sync_medium(struct device *device, enum deed next)
{
    struct flush *flush = &device->flush;
    flush->op.op = (struct hftl_media_op){.verb = HFTL_MEDIA_FLUSH};
    flush->errand.at = next;
    errand_send(&flush->errand, &flush->op);
}

/* ---- trim pages ---- */

static void fill_bitmap(const struct device *device, uint32_t range, uint8_t *bitmap, uint32_t bits)
{
    uint64_t first = (uint64_t)range * device->geometry.trim_lbas;
    memset(bitmap, 0, device->geometry.trim_lbas / 8u);
    for (uint32_t i = 0; i < bits; i++)
        if (map_is_none(map_get(device, (hftl_lba){first + i})))
            bitmap[i / 8] = (uint8_t)(bitmap[i / 8] | 1u << i % 8);
}

static void write_page(struct device *device, struct slot *slot, uint32_t range, uint64_t seq)
{
    uint64_t left = device->geometry.blocks - (uint64_t)range * device->geometry.trim_lbas;
    uint32_t bits = (uint32_t)min_u64(left, device->geometry.trim_lbas);
    uint8_t *bitmap = slot->data + FORMAT_TRIM_BITMAP_AT;
    fill_bitmap(device, range, bitmap, bits);
    struct trim_page page = {.range = range, .seq = seq, .bits = bits, .bitmap = bitmap};
    trim_page_encode(&device->format, &page, slot->data);
    struct ident ident = {.seq = seq, .lba = range, .kind = IDENT_TRIM};
    struct stream *user = &device->streams[STREAM_USER];
    device->user_clock++;
    user->appended = device->user_clock;
    uint32_t crc = crc32c(0, slot->data, device->geometry.block_bytes);
    hftl_pba pba = stream_commit(user, slot, &ident, crc);
    map_set_page(device, range, pba, MAP_BY_USER);
    trace(device, TRIM_PAGE, device->flush.trace_id, pba.n, range);
    if (bitmap_get(device->map.dirty, range)) {
        bitmap_clear(device->map.dirty, range);
        device->map.dirty_count--;
    }
    bitmap_clear(device->flush.snapshot, range);
    device->flush.paged = true;
}

/* O2: what the flush just before covered is all that was ever written to the range. */
static bool range_is_durable(const struct device *device, uint32_t range)
{
    return device->map.written[range] <= device->flush.user_target ||
           mutant("trim-page-while-volatile");
}

static void hold_ranges(struct device *device)
{
    size_t words = range_words(device);
    for (size_t i = 0; i < words; i++)
        device->map.held[i] |= device->flush.snapshot[i];
    device->flush.holding = true;
    device->flush.next_range = 0;
    device->flush.errand.at = DATA;
}

static void let_ranges_go(struct device *device)
{
    if (device->flush.holding)
        memset(device->map.held, 0, range_words(device) * sizeof(uint64_t));
    device->flush.holding = false;
}

/* True: go on with the next deed, which is set; false: waiting. */
static bool make_pages(struct device *device)
{
    struct flush *flush = &device->flush;
    struct stream *user = &device->streams[STREAM_USER];
    uint32_t ranges = device->geometry.ranges;
    for (;;) {
        uint32_t range = (uint32_t)bitmap_find_set(flush->snapshot, ranges, flush->next_range);
        if (range >= ranges)
            break;
        if (!range_is_durable(device, range)) {
            hold_ranges(device); /* each round holds more ranges, so there are not many rounds */
            return true;
        }
        struct slot slot;
        uint64_t seq;
        if (!stream_take(user, FOR_ENGINE, 1, &slot)) {
            errand_wait(&flush->errand,
                        stream_band(user) == NULL ? &device->band_waiters : &user->waiting);
            return false;
        }
        if (!device_next_seq(device, &seq)) {
            errand_wait(&flush->errand, &device->super.waiters);
            return false;
        }
        write_page(device, &slot, range, seq);
        flush->next_range = range + 1;
    }
    let_ranges_go(device);
    flush->errand.at = PAGES_RUN;
    return true;
}

/* ---- the end of a round ---- */

static void end_riders(struct device *device, enum hftl_status status)
{
    struct list_link *link;
    while ((link = list_pop_front(&device->flush.riding)) != NULL)
        request_end(device, list_of(link, struct request, link), status);
}

/* The pen may have changed places, and its band been closed, since the run ended. */
static void note_flushed(struct device *device, unsigned kind, const struct band_mark *ended)
{
    struct stream *stream = &device->streams[kind];
    for (unsigned i = 0; i < 2; i++) {
        struct pen *pen = &stream->pens[i];
        if (pen->band == NULL || pen->band->index != ended->band ||
            pen->band->generation != ended->generation)
            continue;
        uint32_t position =
            mutant("witness-ahead-of-flush") ? min_u32(pen->position, pen->tail) : ended->position;
        pen->flushed = max_u32(pen->flushed, position);
    }
}

static void note_witness(struct device *device)
{
    struct flush *flush = &device->flush;
    flush->count++;
    device->witness.flush = (uint64_t)device->epoch << 32 | (flush->count & UINT32_MAX);
    for (unsigned i = 0; i < STREAMS; i++) {
        if (i != STREAM_RELOCATION || flush->with_relocation) {
            note_flushed(device, i, &flush->ended[i]);
            note_flushed(device, i, &flush->ended[STREAMS + i]);
        }
        device->witness.slots[i] = pen_mark(device->streams[i].open);
        device->witness.slots[STREAMS + i] = pen_mark(device->streams[i].closing);
    }
}

static void finish_round(struct device *device)
{
    struct flush *flush = &device->flush;
    device->user_durable = max_u64(device->user_durable, flush->user_target);
    if (flush->with_relocation)
        device->relocation_durable = max_u64(device->relocation_durable, flush->relocation_target);
    band_index_settle(device);
    note_witness(device);
    trace(device, FLUSH_END, flush->trace_id, 0, flush->count);
    flush->errand.at = IDLE;
    end_riders(device, HFTL_OK);
    errand_wake_all(&flush->done_waiters);
    errand_wake_all(&device->band_waiters); /* pages need no room any more (stream_for) */
    erase_consider(device);
    if (!list_is_empty(&flush->waiting) || flush->asked)
        errand_wake(&flush->errand);
}

/* One deed; false: it waits. */
static bool go_on(struct device *device)
{
    struct flush *flush = &device->flush;
    switch ((enum deed)flush->errand.at) {
    case IDLE:
        if (list_is_empty(&flush->waiting) && !flush->asked)
            return false;
        start_round(device);
        return true;
    case DATA:
        if (!end_runs(device))
            return false;
        flush->errand.at = SETTLE;
        return true;
    case SETTLE:
        if (!all_settled(device))
            return false;
        sync_medium(device, SYNC);
        return false;
    case SYNC:
        if (mutant("trim-forgotten-at-flush"))
            memset(flush->snapshot, 0, range_words(device) * sizeof(uint64_t));
        flush->errand.at = PAGES;
        return true;
    case PAGES:
        if (!make_pages(device))
            return false;
        if (flush->errand.at == PAGES_RUN && !flush->paged) {
            finish_round(device);
            return false;
        }
        return true;
    case PAGES_RUN:
        if (!end_runs(device))
            return false;
        flush->errand.at = PAGES_SETTLE;
        return true;
    case PAGES_SETTLE:
        if (!all_settled(device))
            return false;
        sync_medium(device, PAGES_SYNC);
        return false;
    case PAGES_SYNC:
        finish_round(device);
        return false;
    }
    return false;
}

static void step(struct device *device, struct errand *errand)
{
    enum hftl_status status = errand_take_status(errand);
    if (status != HFTL_OK && !mutant("failed-flush-answered")) {
        device->flush.failed = status;
        device_degrade(device, status, "flushing the medium");
    }
    if (device->read_only) {
        let_ranges_go(device);
        return;
    }
    while (go_on(device))
        continue;
}

void flush_init(struct device *device)
{
    struct flush *flush = &device->flush;
    errand_init(&flush->errand, device, "flush", step);
    list_init(&flush->waiting);
    list_init(&flush->riding);
    list_init(&flush->done_waiters);
}

void flush_join(struct device *device, struct request *request)
{
    list_push_back(&device->flush.waiting, &request->link);
    if (device->flush.errand.at == IDLE)
        errand_wake(&device->flush.errand);
}

void flush_ask(struct device *device, bool with_relocation)
{
    struct flush *flush = &device->flush;
    flush->asked = true;
    flush->asked_relocation = flush->asked_relocation || with_relocation;
    if (flush->errand.at == IDLE)
        errand_wake(&flush->errand);
}

bool flush_is_idle(const struct device *device)
{
    return device->flush.errand.at == IDLE && !device->flush.asked &&
           list_is_empty(&device->flush.waiting);
}

bool flush_covers_relocation(const struct device *device)
{
    const struct flush *flush = &device->flush;
    return flush->asked_relocation || (flush->with_relocation && flush->errand.at != IDLE);
}

void flush_fail_all(struct device *device, enum hftl_status status)
{
    struct list_link *link;
    if (device->flush.failed == HFTL_OK)
        device->flush.failed = status;
    while ((link = list_pop_front(&device->flush.waiting)) != NULL)
        request_end(device, list_of(link, struct request, link), status);
    end_riders(device, status);
}
