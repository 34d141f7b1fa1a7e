/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/stream.h"

#include "base/bytes.h"
#include "base/crc.h"
#include "base/must.h"
#include "base/mutant.h"
#include "core/engine.h"
#include "format/head.h"
#include "format/summary.h"

#include <string.h>

uint32_t stream_units_least(const struct geometry *g)
{
    /* On each chunk: what the window keeps unreadable, one in flight or being filled, one more. */
    return g->columns * (div_round_up_u32(g->mw_cunits, g->ws_opt) + 2u);
}

size_t stream_unit_bytes(const struct geometry *g)
{
    return (size_t)g->ws_opt * (g->block_bytes + g->oob_bytes);
}

/* ---- sending and landing ---- */

static void send_unit(struct stream *stream, struct unit *unit);

static bool is_readable(const struct stream *stream, const struct unit *unit)
{
    const struct geometry *g = &stream->device->geometry;
    uint32_t wp = stream->column_wp[unit->column];
    if (unit->landed < unit->blocks)
        return false;
    return wp == g->chunk_blocks || (uint64_t)unit->offset + unit->blocks + g->mw_cunits <= wp;
}

static void release_unit(struct stream *stream, struct unit *unit)
{
    must(stream->unit != unit);
    must_show(unit->landed == unit->blocks, unit->landed, unit->blocks);
    stream->units[unit->index] = NULL;
    list_remove(&unit->link);
    list_push_back(&stream->pool, &unit->link);
}

/* Gives back the units of one chunk that the medium can serve by now (W4). */
static void release_column(struct stream *stream, uint32_t column)
{
    const struct geometry *g = &stream->device->geometry;
    uint32_t width = stream->band->width;
    uint32_t units = geometry_units(g, width);
    uint32_t index = stream->column_oldest[column];
    while (index < units && stream->units[index] != NULL &&
           is_readable(stream, stream->units[index])) {
        release_unit(stream, stream->units[index]);
        index += width;
    }
    stream->column_oldest[column] = index;
}

static void settle_unit(struct unit *unit)
{
    if (unit->landed == unit->ready && link_is_linked(&unit->unsettled))
        list_remove(&unit->unsettled);
}

static void send_next_of_column(struct stream *stream, struct unit *landed)
{
    if (landed->sent < landed->ready) {
        send_unit(stream, landed);
        return;
    }
    uint32_t next = landed->index + stream->band->width;
    if (landed->landed < landed->blocks ||
        next >= geometry_units(&stream->device->geometry, stream->band->width))
        return;
    if (stream->units[next] != NULL)
        send_unit(stream, stream->units[next]);
}

static void land_unit(struct hftl_media_op *op)
{
    struct unit *unit = list_of(op, struct unit, op);
    struct stream *stream = unit->stream;
    struct device *device = stream->device;
    if (device_land(device, op))
        return;
    stream->column_busy[unit->column] = NULL;
    if (op->status != HFTL_OK) {
        device->stats.write_errors++;
        device_degrade(device, op->status, "writing chunk %u at block %u", op->chunk, op->offset);
        errand_wake_all(&stream->waiting);
        return;
    }
    unit->landed += op->blocks;
    stream->column_wp[unit->column] += op->blocks;
    settle_unit(unit);
    send_next_of_column(stream, unit);
    release_column(stream, unit->column);
    errand_wake_all(&stream->waiting);
}

/* Sends what is ready of the unit when its chunk has no write in flight (R2) and its turn has
 * come. */
static void send_unit(struct stream *stream, struct unit *unit)
{
    struct device *device = stream->device;
    if (unit->sent == unit->ready || stream->column_busy[unit->column] != NULL ||
        device->read_only || unit->offset + unit->sent != stream->column_wp[unit->column])
        return;
    uint32_t blocks =
        min_u32(unit->ready - unit->sent, device->medium->facts.transfer_blocks_max /
                                              device->geometry.ws_min * device->geometry.ws_min);
    memset(&unit->op, 0, sizeof(unit->op));
    unit->op.verb = HFTL_MEDIA_WRITE;
    unit->op.chunk = stream->band->chunks[unit->column];
    unit->op.offset = unit->offset + unit->sent;
    unit->op.blocks = blocks;
    unit->op.data = unit->data + (size_t)unit->sent * device->geometry.block_bytes;
    if (unit->oob != NULL)
        unit->op.oob = unit->oob + (size_t)unit->sent * device->geometry.oob_bytes;
    unit->op.land = land_unit;
    unit->op.owner = stream;
    unit->sent += blocks;
    stream->column_busy[unit->column] = unit;
    device->stats.media_writes++;
    device_send(device, &unit->op);
}

static void make_ready(struct stream *stream, struct unit *unit)
{
    if (unit->ready == unit->filled)
        return;
    must_show(unit->filled % stream->device->geometry.ws_min == 0, unit->filled, unit->index);
    unit->ready = unit->filled;
    stream->ticket++;
    if (!link_is_linked(&unit->unsettled)) {
        unit->ticket = stream->ticket;
        list_push_back(&stream->unsettled, &unit->unsettled);
    }
    send_unit(stream, unit);
}

/* ---- slots ---- */

bool stream_attach_unit(struct stream *stream)
{
    const struct geometry *g = &stream->device->geometry;
    struct list_link *link = list_pop_front(&stream->pool);
    if (link == NULL)
        return false;
    struct unit *unit = list_of(link, struct unit, link);
    uint32_t width = stream->band->width;
    uint32_t index = geometry_unit(g, width, stream->position);
    struct place place = geometry_place(g, width, geometry_unit_first(g, width, index));
    unit->index = index;
    unit->first = geometry_unit_first(g, width, index);
    unit->blocks = geometry_unit_blocks(g, width, index);
    unit->column = place.column;
    unit->offset = place.offset;
    uint32_t done = stream->position - unit->first; /* not 0 only when a clean close is taken up */
    unit->from = unit->filled = unit->ready = unit->sent = unit->landed = done;
    list_push_back(&stream->held, &unit->link);
    stream->units[index] = unit;
    stream->unit = unit;
    return true;
}

uint8_t *stream_slot_data(const struct stream *stream)
{
    return stream->unit->data +
           (size_t)(stream->position - stream->unit->first) * stream->device->geometry.block_bytes;
}

static void count_written(struct device *device, enum ident_kind kind, enum band_stream stream)
{
    if (kind == IDENT_PAD)
        device->stats.blocks_written_pad++;
    else if (kind != IDENT_DATA && kind != IDENT_LOST)
        device->stats.blocks_written_meta++;
    else if (stream == STREAM_USER)
        device->stats.blocks_written_user++;
    else
        device->stats.blocks_written_relocation++;
}

void stream_commit(struct stream *stream, struct ident ident, uint32_t data_crc)
{
    struct device *device = stream->device;
    const struct geometry *g = &device->geometry;
    struct unit *unit = stream->unit;
    uint8_t packed[FORMAT_IDENT_BYTES];
    must(unit != NULL && stream->position == unit->first + unit->filled);
    ident.crc = ident_crc(&ident, data_crc, band_salt(device, stream->band, stream->position));
    ident_encode(&ident, packed);
    if (stream->position < stream->tail)
        memcpy(stream->idents + (size_t)stream->position * FORMAT_IDENT_BYTES, packed,
               sizeof(packed));
    if (unit->oob != NULL) {
        uint8_t *oob = unit->oob + (size_t)unit->filled * g->oob_bytes;
        memset(oob, 0, g->oob_bytes);
        if (g->oob)
            memcpy(oob, packed, sizeof(packed));
    }
    count_written(device, ident.kind, stream->kind);
    stream->seq_highest = max_u64(stream->seq_highest, ident.seq);
    stream->position++;
    stream->since_summary = ident.kind == IDENT_SUMMARY ? 0 : stream->since_summary + 1;
    unit->filled++;
    if (unit->filled == unit->blocks) {
        stream->unit = NULL;
        make_ready(stream, unit);
    }
    if (stream->position == stream->tail && stream->band->state == BAND_OPEN) {
        if (stream->unit != NULL && stream->unit->filled % g->ws_min == 0)
            make_ready(stream, stream->unit);
        band_enter(device, stream->band, BAND_FULL);
        errand_wake(&stream->closing);
    }
}

void stream_commit_own(struct stream *stream, enum ident_kind kind, uint64_t seq, uint64_t lba)
{
    const struct device *device = stream->device;
    struct ident ident = {.seq = seq, .lba = lba, .kind = kind};
    stream_commit(stream, ident, crc32c(0, stream_slot_data(stream), device->geometry.block_bytes));
}

static void emit_pad(struct stream *stream)
{
    memset(stream_slot_data(stream), 0, stream->device->geometry.block_bytes);
    stream_commit_own(stream, IDENT_PAD, 0, 0);
}

static uint64_t last_seq(const struct device *device)
{
    return (uint64_t)device->epoch << 32 | device->counter;
}

static void emit_head(struct stream *stream, uint32_t column_at)
{
    struct device *device = stream->device;
    const struct band *band = stream->band;
    struct head head = {.band = band->index,
                        .position = stream->position,
                        .generation = band->generation,
                        .seq = last_seq(device),
                        .layout = device->layout,
                        .stream = stream->kind,
                        .column = band->columns[column_at],
                        .epoch = (uint32_t)(band->generation >> 32),
                        .witness = device->witness};
    for (uint32_t i = 0; i < band->width; i++)
        head_add_column(&head, band->columns[i]);
    head_encode(&device->format, &head, stream_slot_data(stream));
    stream_commit_own(stream, IDENT_HEAD, 0, band->columns[column_at]);
}

static void emit_summary(struct stream *stream)
{
    struct device *device = stream->device;
    struct summary summary = {
        .at = {.band = stream->band->index,
               .position = stream->position,
               .generation = stream->band->generation},
        .seq = last_seq(device),
        .count = stream->since_summary,
        .witness = device->witness,
        .idents = stream->idents +
                  (size_t)(stream->position - stream->since_summary) * FORMAT_IDENT_BYTES,
    };
    summary_encode(&device->format, &summary, stream_slot_data(stream));
    stream_commit_own(stream, IDENT_SUMMARY, 0, 0);
}

static bool may_open(const struct device *device, enum stream_for who)
{
    if (who == FOR_RELOCATION)
        return device->bands_free > 1 ||
               (device->bands_free == 1 && stream_has_page_room(device, 0));
    if (who == FOR_ENGINE)
        return device->bands_free > 0;
    return device->bands_free > BANDS_RESERVE && device->bands_sealed <= SEALED_MAX;
}

/* Enough for a band of the users: relocation's own was taken from the reserve. */
static bool has_reserve(const struct device *device)
{
    uint32_t relocation = device->streams[STREAM_RELOCATION].band != NULL;
    return device->bands_free + relocation >= BANDS_RESERVE && device->bands_sealed <= SEALED_MAX;
}

bool stream_users_wait(struct device *device)
{
    struct stream *user = &device->streams[STREAM_USER];
    if (user->band == NULL)
        return !may_open(device, FOR_USER);
    user->lent = user->lent && !has_reserve(device);
    return user->lent;
}

static void start_band(struct stream *stream, struct band *band, uint32_t position)
{
    const struct geometry *g = &stream->device->geometry;
    stream->band = band;
    stream->position = position;
    stream->tail = geometry_tail(g, band->width);
    stream->since_summary = 0;
    stream->unit = NULL;
    stream->flushed = position;
    must(list_is_empty(&stream->held) && list_is_empty(&stream->unsettled));
    for (uint32_t i = 0; i < band->width; i++) {
        stream->column_oldest[i] = i;
        stream->column_busy[i] = NULL;
        stream->column_wp[i] = 0;
    }
    memset(stream->units, 0, geometry_units(g, band->width) * sizeof(struct unit *));
}

static bool open_band(struct stream *stream, enum stream_for who)
{
    struct device *device = stream->device;
    if (!may_open(device, who))
        return false;
    struct band *band = band_pick_free(device);
    must(band != NULL); /* B5 */
    band->generation = (uint64_t)device->epoch << 32 | device->generation_count++;
    band_enter(device, band, BAND_OPEN);
    start_band(stream, band, 0);
    stream->lent = who == FOR_ENGINE && !has_reserve(device);
    stream->seq_highest = 0;
    device->stats.bands_opened++;
    relocation_consider(device);
    return true;
}

void stream_resume(struct stream *stream, struct band *band, uint32_t position)
{
    const struct geometry *g = &stream->device->geometry;
    start_band(stream, band, position);
    stream->lent = true; /* nobody noted whose it was; with the reserve there it is the users' */
    geometry_write_pointers(g, band->width, position, stream->column_wp);
    for (uint32_t unit = 0; unit < geometry_units(g, band->width); unit++) {
        uint32_t end =
            geometry_unit_first(g, band->width, unit) + geometry_unit_blocks(g, band->width, unit);
        if (end <= position) /* it is on the medium; the next one of its chunk may be held */
            stream->column_oldest[geometry_place(g, band->width, end - 1).column] =
                unit + band->width;
    }
}

/* W5: a summary is due when the next one would not hold one more, or as the last before the
 * tail. */
static bool summary_is_due(const struct stream *stream)
{
    const struct geometry *g = &stream->device->geometry;
    if (g->oob)
        return false;
    return stream->since_summary + 1 >= g->summary_max || stream->position + 1 == stream->tail;
}

/* A unit at the position, with heads and summaries that come first written. */
static bool prepare_slot(struct stream *stream, enum stream_for who)
{
    const struct geometry *g = &stream->device->geometry;
    for (;;) {
        if (stream->band == NULL && !open_band(stream, who))
            return false;
        if (stream->band->state != BAND_OPEN)
            return false;
        if (stream->unit == NULL && !stream_attach_unit(stream))
            return false;
        struct place place = geometry_place(g, stream->band->width, stream->position);
        if (place.offset == 0)
            emit_head(stream, place.column);
        else if (summary_is_due(stream))
            emit_summary(stream);
        else
            return true;
    }
}

bool stream_has_page_room(const struct device *device, uint32_t more)
{
    const struct stream *user = &device->streams[STREAM_USER];
    uint32_t pages = device->map.dirty_count + more;
    if (pages == 0)
        return true;
    /* Each page may bring a summary or a head with it, and the run's end its padding. */
    uint64_t needed = 2u * (uint64_t)pages + 2u * device->geometry.ws_min + 2u;
    return user->band != NULL && user->band->state == BAND_OPEN &&
           user->tail - user->position > needed;
}

bool stream_take(struct stream *stream, enum stream_for who, struct slot *slot)
{
    struct device *device = stream->device;
    if (device->read_only)
        return false;
    if (who == FOR_USER && (stream_users_wait(device) ||
                            (device->bands_free == 0 && !stream_has_page_room(device, 0))))
        return false;
    if (!prepare_slot(stream, who))
        return false;
    slot->data = stream_slot_data(stream);
    slot->pba = geometry_pba(&device->geometry, stream->band->index, stream->position);
    return true;
}

/* Nothing accepted is without identity or still unsent. */
static bool run_is_ended(const struct stream *stream)
{
    if (stream->band == NULL || stream->band->state != BAND_OPEN)
        return true;
    if (stream->unit != NULL && stream->unit->ready < stream->unit->filled)
        return false;
    return stream->device->geometry.oob || stream->since_summary == 0 ||
           mutant("summary-forgotten-at-flush");
}

bool stream_end_run(struct stream *stream, uint64_t *ticket)
{
    const struct geometry *g = &stream->device->geometry;
    while (!run_is_ended(stream)) {
        if (stream->unit == NULL && !stream_attach_unit(stream))
            return false;
        struct place place = geometry_place(g, stream->band->width, stream->position);
        bool last = (stream->position + 1) % g->ws_min == 0;
        bool aligned = stream->position % g->ws_min == 0;
        if (aligned && stream->unit->filled > stream->unit->ready &&
            (g->oob || stream->since_summary == 0 || mutant("summary-forgotten-at-flush")))
            make_ready(stream, stream->unit);
        else if (place.offset == 0)
            emit_head(stream, place.column);
        else if (!g->oob && (last || summary_is_due(stream)) &&
                 !mutant("summary-forgotten-at-flush"))
            emit_summary(stream);
        else
            emit_pad(stream);
    }
    *ticket = stream->ticket;
    return true;
}

bool stream_settled(const struct stream *stream, uint64_t ticket)
{
    const struct list_link *link = list_first(&stream->unsettled);
    if (link == NULL || mutant("flush-does-not-wait"))
        return true;
    return list_of(link, struct unit, unsettled)->ticket > ticket;
}

bool stream_is_settled(const struct stream *stream)
{
    return list_is_empty(&stream->unsettled) &&
           (stream->band == NULL || stream->band->state == BAND_OPEN);
}

bool stream_pad(struct stream *stream)
{
    if (!prepare_slot(stream, FOR_ENGINE))
        return false;
    emit_pad(stream);
    return true;
}

const struct unit *stream_find(const struct stream *stream, const struct band *band,
                               uint32_t position)
{
    if (stream->band != band)
        return NULL;
    uint32_t index = geometry_unit(&stream->device->geometry, band->width, position);
    const struct unit *unit = stream->units[index];
    if (unit == NULL || position < unit->first + unit->from)
        return NULL;
    must_show(position < unit->first + unit->filled, position, unit->first);
    return unit;
}

struct band_mark stream_mark(const struct stream *stream)
{
    if (stream->band == NULL)
        return (struct band_mark){.band = FORMAT_BAND_NONE};
    return (struct band_mark){.band = stream->band->index,
                              .position = stream->flushed,
                              .generation = stream->band->generation};
}
