/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stream_close.c - a full band becomes a closed one, while the stream's other pen writes the next:
 *
 *   SETTLE   all of it has landed
 *   SYNC     medium flush: it covers everything but the tail (O1)
 *   TAIL     the tail blocks, as units become free (W7: the other pen cannot keep them all)
 *   LAND     they have landed; the band is CLOSED. Is the other pen's band full as well by now, it
 *            is closed next
 *
 * A user's flush that comes meanwhile waits for what is unsettled here as well (stream_settled),
 * and its witness names this band next to the one that is open (flush.c).
 */
#include "base/bytes.h"
#include "base/must.h"
#include "base/mutant.h"
#include "core/engine.h"
#include "format/tail.h"

#include <string.h>

enum deed { SETTLE, SYNC, TAIL, LAND };

static struct tail_place place_of(const struct pen *pen)
{
    const struct geometry *g = &pen->stream->device->geometry;
    return (struct tail_place){.band = pen->band->index,
                               .generation = pen->band->generation,
                               .band_blocks = pen->band->width * g->chunk_blocks,
                               .ws_min = g->ws_min,
                               .index = pen->position - pen->tail};
}

static void emit_tail(struct pen *pen)
{
    struct device *device = pen->stream->device;
    uint32_t block_bytes = device->geometry.block_bytes;
    struct tail_place place = place_of(pen);
    uint32_t count = tail_idents(&place, block_bytes);
    if (count == 0) {
        memset(pen_slot_data(pen), 0, block_bytes);
        pen_commit_own(pen, IDENT_PAD, 0, 0);
        return;
    }
    size_t first = (size_t)place.index * device->geometry.tail_max;
    struct tail tail = {.seq_highest = pen->seq_highest,
                        .count = count,
                        .idents = pen->idents + first * FORMAT_IDENT_BYTES};
    tail_encode(&device->format, &place, &tail, pen_slot_data(pen));
    pen_commit_own(pen, IDENT_TAIL, 0, 0);
}

/* True when the whole tail is in units. */
static bool write_tail(struct pen *pen)
{
    uint32_t blocks = pen->band->width * pen->stream->device->geometry.chunk_blocks;
    while (pen->position < blocks) {
        if (!pen_attach_unit(pen))
            return false;
        emit_tail(pen);
    }
    return true;
}

static void finish(struct pen *pen)
{
    struct stream *stream = pen->stream;
    struct device *device = stream->device;
    struct band *band = pen->band;
    must(pen == stream->closing && list_is_empty(&pen->held));
    pen->band = NULL;
    pen->errand.at = SETTLE;
    device->stats.bands_closed++;
    band_enter(device, band, BAND_CLOSED);
    if (band->valid == 0)
        band_enter(device, band, BAND_EMPTIED);
    if (stream_band(stream) != NULL && stream_band(stream)->state == BAND_FULL)
        stream_hand_over(stream);
    errand_wake_all(&stream->waiting);
    errand_wake_all(&device->band_waiters); /* the drive has chunks for one more (W8) */
    relocation_consider(device);
}

static void sync_medium(struct pen *pen)
{
    pen->flush_op.op = (struct hftl_media_op){.verb = HFTL_MEDIA_FLUSH};
    pen->errand.at = SYNC;
    errand_send(&pen->errand, &pen->flush_op);
}

/* The band's copies are durable now, so what they made invalid may be erased; not so the copies
 * that its stream's next band took meanwhile. */
static void note_durable(struct pen *pen)
{
    struct device *device = pen->stream->device;
    pen->flushed = pen->tail;
    if (pen->stream->kind != STREAM_RELOCATION)
        return;
    uint64_t covered = mutant("next-band-counted-durable") ? pen->stream->appended : pen->appended;
    device->relocation_durable = max_u64(device->relocation_durable, covered);
    band_index_settle(device);
    erase_consider(device);
}

static void step(struct device *device, struct errand *errand)
{
    struct pen *pen = list_of(errand, struct pen, errand);
    struct list *waiting = &pen->stream->waiting;
    if (device->read_only)
        return;
    if (errand->at == SETTLE) {
        if (!list_is_empty(&pen->unsettled)) {
            errand_wait(errand, waiting);
            return;
        }
        if (!mutant("tail-before-flush")) {
            sync_medium(pen);
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
        note_durable(pen);
        errand->at = TAIL;
    }
    if (errand->at == TAIL) {
        if (!write_tail(pen)) {
            errand_wait(errand, waiting);
            return;
        }
        errand->at = LAND;
    }
    if (list_is_empty(&pen->unsettled) && list_is_empty(&pen->held))
        finish(pen);
    else
        errand_wait(errand, waiting);
}

void pen_init(struct pen *pen, struct stream *stream)
{
    pen->stream = stream;
    list_init(&pen->held);
    list_init(&pen->unsettled);
    errand_init(&pen->errand, stream->device, "close band", step);
}
