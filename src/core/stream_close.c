/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stream_close.c - a full band becomes a closed one:
 *
 *   SETTLE   all of it has landed
 *   SYNC     medium flush: it covers everything but the tail (O1)
 *   TAIL     the tail blocks, as units become free
 *   LAND     they have landed; the band is CLOSED and the stream has none
 */
#include "base/bytes.h"
#include "base/must.h"
#include "base/mutant.h"
#include "core/engine.h"
#include "format/tail.h"

#include <string.h>

enum deed { SETTLE, SYNC, TAIL, LAND };

static struct tail_place place_of(const struct stream *stream)
{
    const struct geometry *g = &stream->device->geometry;
    return (struct tail_place){.band = stream->band->index,
                               .generation = stream->band->generation,
                               .band_blocks = stream->band->width * g->chunk_blocks,
                               .ws_min = g->ws_min,
                               .index = stream->position - stream->tail};
}

static void emit_tail(struct stream *stream)
{
    struct device *device = stream->device;
    uint32_t block_bytes = device->geometry.block_bytes;
    struct tail_place place = place_of(stream);
    uint32_t count = tail_idents(&place, block_bytes);
    if (count == 0) {
        memset(stream_slot_data(stream), 0, block_bytes);
        stream_commit_own(stream, IDENT_PAD, 0, 0);
        return;
    }
    size_t first = (size_t)place.index * device->geometry.tail_max;
    struct tail tail = {.seq_highest = stream->seq_highest,
                        .count = count,
                        .idents = stream->idents + first * FORMAT_IDENT_BYTES};
    tail_encode(&device->format, &place, &tail, stream_slot_data(stream));
    stream_commit_own(stream, IDENT_TAIL, 0, 0);
}

/* True when the whole tail is in units. */
static bool write_tail(struct stream *stream)
{
    uint32_t blocks = stream->band->width * stream->device->geometry.chunk_blocks;
    while (stream->position < blocks) {
        if (stream->unit == NULL && !stream_attach_unit(stream))
            return false;
        emit_tail(stream);
    }
    return true;
}

static void finish(struct stream *stream)
{
    struct device *device = stream->device;
    struct band *band = stream->band;
    must(list_is_empty(&stream->held));
    stream->band = NULL;
    stream->closing.at = SETTLE;
    device->stats.bands_closed++;
    band_enter(device, band, BAND_CLOSED);
    if (band->valid == 0)
        band_enter(device, band, BAND_EMPTIED);
    errand_wake_all(&stream->waiting);
    relocation_consider(device);
}

static void sync_medium(struct stream *stream)
{
    stream->flush_op.op = (struct hftl_media_op){.verb = HFTL_MEDIA_FLUSH};
    stream->device->stats.media_flushes++;
    stream->closing.at = SYNC;
    errand_send(&stream->closing, &stream->flush_op);
}

/* The band's copies are durable now, so what they made invalid may be erased. */
static void note_durable(struct stream *stream)
{
    struct device *device = stream->device;
    if (stream->kind != STREAM_RELOCATION)
        return;
    device->relocation_durable = max_u64(device->relocation_durable, stream->appended);
    erase_consider(device);
}

static void step(struct device *device, struct errand *errand)
{
    struct stream *stream = list_of(errand, struct stream, closing);
    if (device->read_only)
        return;
    if (errand->at == SETTLE) {
        if (!list_is_empty(&stream->unsettled)) {
            errand_wait(errand, &stream->waiting);
            return;
        }
        if (!mutant("tail-before-flush")) {
            sync_medium(stream);
            return;
        }
        errand->at = SYNC;
    }
    if (errand->at == SYNC) {
        enum hftl_status status = errand_take_status(errand);
        if (status != HFTL_OK) {
            device_degrade(device, status, "flushing the medium before a tail");
            return;
        }
        note_durable(stream);
        errand->at = TAIL;
    }
    if (errand->at == TAIL) {
        if (!write_tail(stream)) {
            errand_wait(errand, &stream->waiting);
            return;
        }
        errand->at = LAND;
    }
    if (list_is_empty(&stream->unsettled) && list_is_empty(&stream->held))
        finish(stream);
    else
        errand_wait(errand, &stream->waiting);
}

void stream_init(struct stream *stream, struct device *device, enum band_stream kind)
{
    stream->device = device;
    stream->kind = kind;
    list_init(&stream->pool);
    list_init(&stream->held);
    list_init(&stream->unsettled);
    list_init(&stream->waiting);
    for (uint32_t i = 0; i < stream->unit_count; i++) {
        struct unit *unit = &stream->unit_memory[i];
        unit->stream = stream;
        link_init(&unit->link);
        link_init(&unit->unsettled);
        list_push_back(&stream->pool, &unit->link);
    }
    errand_init(&stream->closing, device, "close band", step);
}

static enum hftl_status check_unit(const struct stream *stream, const struct unit *unit,
                                   struct why *why)
{
    uint32_t ws_min = stream->device->geometry.ws_min;
    bool order = unit->landed <= unit->sent && unit->sent <= unit->ready &&
                 unit->ready <= unit->filled && unit->filled <= unit->blocks;
    bool aligned =
        unit->landed % ws_min == 0 && unit->sent % ws_min == 0 && unit->ready % ws_min == 0;
    if (!order || !aligned)
        return why_say(why, HFTL_CORRUPT, "W1: unit %u of stream %d: %u %u %u %u %u", unit->index,
                       stream->kind, unit->landed, unit->sent, unit->ready, unit->filled,
                       unit->blocks);
    if (stream->units[unit->index] != unit)
        return why_say(why, HFTL_CORRUPT, "W2: unit %u of stream %d is held but not found",
                       unit->index, stream->kind);
    if ((unit->landed < unit->ready) != link_is_linked(&unit->unsettled))
        return why_say(why, HFTL_CORRUPT, "W3: unit %u of stream %d: settled %u of %u", unit->index,
                       stream->kind, unit->landed, unit->ready);
    return HFTL_OK;
}

enum hftl_status stream_check(const struct stream *stream, struct why *why)
{
    uint32_t count = 0;
    const struct list_link *at;
    for (at = list_first(&stream->pool); at != NULL; at = list_next(&stream->pool, at))
        count++;
    for (at = list_first(&stream->held); at != NULL; at = list_next(&stream->held, at)) {
        enum hftl_status status = check_unit(stream, list_of(at, struct unit, link), why);
        if (status != HFTL_OK)
            return status;
        count++;
    }
    if (count != stream->unit_count)
        return why_say(why, HFTL_CORRUPT, "W2: stream %d has %u of %u units", stream->kind, count,
                       stream->unit_count);
    if (!stream->device->geometry.oob && stream->band != NULL && stream->band->state == BAND_OPEN &&
        stream->since_summary > stream->device->geometry.summary_max)
        return why_say(why, HFTL_CORRUPT, "W5: %u positions without a summary",
                       stream->since_summary);
    return HFTL_OK;
}
