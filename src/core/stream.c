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

struct pen *stream_pen(struct stream *stream, const struct band *band)
{
    if (stream->open->band == band)
        return stream->open;
    return stream->closing->band == band ? stream->closing : NULL;
}

/* ---- sending and landing ---- */

static void send_unit(struct unit *unit);

/* What data is here. */
static enum hftl_io_kind unit_kind(const struct pen *pen)
{
    return stats_kind(IDENT_DATA, pen->stream->kind != STREAM_USER);
}

static bool is_readable(const struct pen *pen, const struct unit *unit)
{
    const struct geometry *g = &pen->stream->device->geometry;
    uint32_t wp = pen->column_wp[unit->column];
    if (unit->landed < unit->blocks)
        return false;
    return wp == g->chunk_blocks || (uint64_t)unit->offset + unit->blocks + g->mw_cunits <= wp;
}

static void release_unit(struct pen *pen, struct unit *unit)
{
    must(pen->unit != unit);
    must_show(unit->landed == unit->blocks, unit->landed, unit->blocks);
    pen->units[unit->index] = NULL;
    pen->held_count--;
    list_remove(&unit->link);
    list_push_back(&pen->stream->pool, &unit->link);
    pen->stream->pool_count++;
}

/* Gives back the units of one chunk that the medium can serve by now (W4). */
static void release_column(struct pen *pen, uint32_t column)
{
    const struct geometry *g = &pen->stream->device->geometry;
    uint32_t width = pen->band->width;
    uint32_t units = geometry_units(g, width);
    uint32_t index = pen->column_oldest[column];
    while (index < units && pen->units[index] != NULL && is_readable(pen, pen->units[index])) {
        release_unit(pen, pen->units[index]);
        index += width;
    }
    pen->column_oldest[column] = index;
}

static void settle_unit(struct unit *unit)
{
    if (unit->landed == unit->ready && link_is_linked(&unit->unsettled))
        list_remove(&unit->unsettled);
}

static void send_next_of_column(struct unit *landed)
{
    const struct pen *pen = landed->pen;
    if (landed->sent < landed->ready) {
        send_unit(landed);
        return;
    }
    uint32_t next = landed->index + pen->band->width;
    if (landed->landed < landed->blocks ||
        next >= geometry_units(&pen->stream->device->geometry, pen->band->width))
        return;
    if (pen->units[next] != NULL)
        send_unit(pen->units[next]);
}

static void land_unit(struct hftl_media_op *op)
{
    struct unit *unit = list_of(op, struct unit, op);
    struct pen *pen = unit->pen;
    struct stream *stream = pen->stream;
    struct device *device = stream->device;
    if (device_land(device, op, unit->io, unit->plain ? NULL : unit->kinds + unit->landed))
        return;
    pen->column_busy[unit->column] = NULL;
    if (op->status != HFTL_OK && !mutant("failed-write-unseen")) {
        device->stats.write_errors++;
        device_degrade(device, op->status, "writing chunk %u at block %u", op->chunk, op->offset);
        errand_wake_all(&stream->waiting);
        return;
    }
    unit->landed += op->blocks;
    pen->column_wp[unit->column] += op->blocks;
    settle_unit(unit);
    send_next_of_column(unit);
    release_column(pen, unit->column);
    errand_wake_all(&stream->waiting);
}

/* Sends what is ready of the unit when its chunk has no write in flight (R2) and its turn has
 * come. */
static void send_unit(struct unit *unit)
{
    struct pen *pen = unit->pen;
    struct device *device = pen->stream->device;
    if (unit->sent == unit->ready || pen->column_busy[unit->column] != NULL || device->read_only ||
        unit->offset + unit->sent != pen->column_wp[unit->column])
        return;
    uint32_t blocks = unit->ready - unit->sent, most = device->medium->facts.transfer_blocks_max;
    if (blocks > most)
        blocks = most / device->geometry.ws_min * device->geometry.ws_min;
    unit->op = (struct hftl_media_op){
        .verb = HFTL_MEDIA_WRITE,
        .chunk = pen->band->chunks[unit->column],
        .offset = unit->offset + unit->sent,
        .blocks = blocks,
        .data = unit->data + (size_t)unit->sent * device->geometry.block_bytes,
        .land = land_unit,
        .owner = pen,
    };
    if (unit->oob != NULL)
        unit->op.oob = unit->oob + (size_t)unit->sent * device->geometry.oob_bytes;
    unit->sent += blocks;
    pen->column_busy[unit->column] = unit;
    unit->io = (struct io){unit_kind(pen), trace_id(&device->trace)};
    device_send(device, &unit->op, unit->io);
}

static void make_ready(struct unit *unit)
{
    struct pen *pen = unit->pen;
    if (unit->ready == unit->filled)
        return;
    must_show(unit->filled % pen->stream->device->geometry.ws_min == 0, unit->filled, unit->index);
    unit->ready = unit->filled;
    pen->stream->ticket++;
    if (!link_is_linked(&unit->unsettled)) {
        unit->ticket = pen->stream->ticket;
        list_push_back(&pen->unsettled, &unit->unsettled);
    }
    send_unit(unit);
}

/* ---- the units that are being filled ---- */

/* The units of the stripe in which the last block was given, one a column, NULL where none is held.
 * Only these can hold what is not ready: whatever came before is full. */
static struct unit **filling_units(const struct pen *pen)
{
    const struct geometry *g = &pen->stream->device->geometry;
    uint32_t last = pen->position == 0 ? 0 : pen->position - 1;
    uint32_t stripe = geometry_place(g, pen->band->width, last).offset / g->ws_opt;
    return pen->units + (size_t)stripe * pen->band->width;
}

static void make_all_ready(struct pen *pen)
{
    struct unit **units = filling_units(pen);
    for (uint32_t column = 0; column < pen->band->width; column++)
        if (units[column] != NULL &&
            (units[column] == pen->unit || !mutant("flush-forgets-a-column")))
            make_ready(units[column]);
}

static bool is_all_ready(const struct pen *pen)
{
    struct unit **units = filling_units(pen);
    for (uint32_t column = 0; column < pen->band->width; column++)
        if (units[column] != NULL && units[column]->ready < units[column]->filled &&
            (units[column] == pen->unit || !mutant("flush-forgets-a-column")))
            return false;
    return true;
}

/* ---- slots ---- */

uint32_t pen_owed(const struct pen *pen)
{
    uint32_t least = pen->stream->units_least;
    if (pen->band == NULL || pen->held_count >= least ||
        pen->position == pen->band->width * pen->stream->device->geometry.chunk_blocks)
        return 0;
    return least - pen->held_count;
}

/* W7: what the other pen is owed stays. */
static struct unit *take_unit(struct pen *pen)
{
    struct stream *stream = pen->stream;
    const struct pen *other = pen == stream->open ? stream->closing : stream->open;
    if (stream->pool_count <= pen_owed(other))
        return NULL;
    stream->pool_count--;
    return list_of(list_pop_front(&stream->pool), struct unit, link);
}

bool pen_attach_unit(struct pen *pen)
{
    const struct geometry *g = &pen->stream->device->geometry;
    uint32_t width = pen->band->width;
    if (pen->unit != NULL)
        return true;
    struct place place = geometry_place(g, width, pen->position);
    uint32_t index = geometry_unit_at(g, width, place);
    struct unit *unit = pen->units[index];
    if (unit == NULL) {
        if ((unit = take_unit(pen)) == NULL)
            return false;
        unit->pen = pen;
        unit->index = index;
        unit->column = place.column;
        unit->offset = place.offset - place.offset % g->ws_opt;
        unit->blocks = min_u32(g->ws_opt, g->chunk_blocks - unit->offset);
        uint32_t done = place.offset - unit->offset; /* not 0 when a clean close is taken up */
        unit->plain = true;
        unit->from = unit->filled = unit->ready = unit->sent = unit->landed = done;
        list_push_back(&pen->held, &unit->link);
        pen->held_count++;
        pen->units[index] = unit;
    }
    must_show(unit->offset + unit->filled == place.offset, unit->filled, place.offset);
    pen->unit = unit;
    pen->slice_end = geometry_slice_end(g, width, pen->position);
    return true;
}

uint8_t *pen_slot_data(const struct pen *pen)
{
    return pen->unit->data + (size_t)pen->unit->filled * pen->stream->device->geometry.block_bytes;
}

void stream_hand_over(struct stream *stream)
{
    struct pen *full = stream->open;
    if (stream->closing->band != NULL) /* W6: when that one is closed */
        return;
    stream->open = stream->closing;
    stream->closing = full;
    errand_wake(&full->errand);
}

static void fill_up(struct pen *pen)
{
    struct stream *stream = pen->stream;
    make_all_ready(pen);
    pen->appended = stream->appended;
    pen->ticket = stream->ticket;
    band_enter(stream->device, pen->band, BAND_FULL);
    stream_hand_over(stream);
}

/* What the pen is at. */
static void make_slot(const struct pen *pen, uint32_t blocks, struct slot *slot)
{
    const struct device *device = pen->stream->device;
    const struct geometry *g = &device->geometry;
    struct unit *unit = pen->unit;
    must(unit != NULL && pen->position + blocks <= pen->slice_end);
    slot->data = pen_slot_data(pen);
    slot->pba = geometry_pba(g, pen->band->index, pen->position);
    slot->blocks = blocks;
    slot->band = pen->band;
    slot->ident = pen->idents + (size_t)pen->position * FORMAT_IDENT_BYTES;
    slot->oob = g->oob ? unit->oob + (size_t)unit->filled * g->oob_bytes : NULL;
    slot->salt = ident_place_salt(&device->format, pen->band->generation, (hftl_pba){0});
}

/* The identity of the slot's first block, which ends that. What follows it in the OOB is zero from
 * the start. */
static inline void put_ident(const struct geometry *g, struct slot *slot, const struct ident *ident,
                             uint32_t data_crc)
{
    ident_seal(ident, data_crc, slot->salt ^ slot->pba.n, slot->ident);
    if (slot->oob != NULL) {
        memcpy(slot->oob, slot->ident, FORMAT_IDENT_BYTES);
        slot->oob += g->oob_bytes;
    }
    slot->ident += FORMAT_IDENT_BYTES;
    slot->data += g->block_bytes;
    slot->pba.n++;
    slot->blocks--;
}

/* At the end of a slice, or at the tail. Apart, so that the blocks before it pay nothing for it. */
__attribute__((noinline)) static void pass_end(struct pen *pen)
{
    struct unit *unit = pen->unit;
    if (pen->position == pen->slice_end)
        pen->unit = NULL;
    if (unit->filled == unit->blocks)
        make_ready(unit);
    if (pen->position == pen->tail && pen->band->state == BAND_OPEN)
        fill_up(pen);
}

/* The pen goes past blocks that are there. */
static inline void advance(struct pen *pen, uint32_t blocks, uint64_t seq)
{
    pen->seq_highest = max_u64(pen->seq_highest, seq);
    pen->position += blocks;
    pen->since_summary += blocks;
    pen->unit->filled += blocks;
    if (pen->position == pen->slice_end || pen->position == pen->tail)
        pass_end(pen);
}

/* The next block is no data. */
__attribute__((noinline)) static void note_kind(struct unit *unit, enum hftl_io_kind kind)
{
    if (unit->plain)
        memset(unit->kinds, unit_kind(unit->pen), unit->blocks);
    unit->plain = false;
    unit->kinds[unit->filled] = (uint8_t)kind;
}

hftl_pba stream_commit(struct stream *stream, struct slot *slot, const struct ident *ident,
                       uint32_t data_crc)
{
    struct pen *pen = stream->open;
    hftl_pba pba = slot->pba;
    must_show(slot->blocks > 0 && slot->band == pen->band, pba.n, slot->blocks);
    if (ident->kind != IDENT_DATA && ident->kind != IDENT_LOST)
        note_kind(pen->unit, HFTL_IO_METADATA);
    put_ident(&stream->device->geometry, slot, ident, data_crc);
    advance(pen, 1, ident->seq);
    return pba;
}

hftl_pba stream_commit_data(struct stream *stream, struct slot *slot, const struct ident *ident,
                            uint32_t data_crc)
{
    struct pen *pen = stream->open;
    hftl_pba pba = slot->pba;
    must_show(slot->blocks > 0 && slot->band == pen->band, pba.n, slot->blocks);
    must_show(ident->kind == IDENT_DATA, ident->kind, stream->kind);
    put_ident(&stream->device->geometry, slot, ident, data_crc);
    advance(pen, 1, ident->seq);
    return pba;
}

void stream_commit_run(struct stream *stream, struct slot *slot, const struct ident *first,
                       const uint32_t *crc, uint32_t blocks)
{
    struct pen *pen = stream->open;
    struct ident ident = *first;
    must_show(slot->blocks >= blocks && slot->band == pen->band, slot->pba.n, slot->blocks);
    must_show(first->kind == IDENT_DATA, first->kind, stream->kind);
    for (uint32_t i = 0; i < blocks; i++) {
        put_ident(&stream->device->geometry, slot, &ident, crc[i]);
        ident.seq++;
        ident.lba++;
    }
    advance(pen, blocks, ident.seq - 1);
}

void pen_commit_own(struct pen *pen, enum ident_kind kind, uint64_t seq, uint64_t lba)
{
    const struct geometry *g = &pen->stream->device->geometry;
    struct unit *unit = pen->unit;
    struct ident ident = {.seq = seq, .lba = lba, .kind = kind};
    struct slot slot;
    make_slot(pen, 1, &slot);
    trace(pen->stream->device, META_FILL, 0, slot.pba.n, kind);
    note_kind(unit, stats_kind(kind, pen->stream->kind != STREAM_USER));
    put_ident(g, &slot, &ident, crc32c(0, pen_slot_data(pen), g->block_bytes));
    if (kind == IDENT_SUMMARY)
        pen->since_summary = UINT32_MAX; /* the summary itself makes it 0 */
    advance(pen, 1, seq);
}

static void emit_pad(struct pen *pen)
{
    memset(pen_slot_data(pen), 0, pen->stream->device->geometry.block_bytes);
    pen_commit_own(pen, IDENT_PAD, 0, 0);
}

static uint64_t last_seq(const struct device *device)
{
    return (uint64_t)device->epoch << 32 | device->counter;
}

static void emit_head(struct pen *pen, uint32_t column_at)
{
    struct device *device = pen->stream->device;
    const struct band *band = pen->band;
    struct head head = {.band = band->index,
                        .position = pen->position,
                        .generation = band->generation,
                        .seq = last_seq(device),
                        .layout = device->layout,
                        .stream = pen->stream->kind,
                        .column = band->columns[column_at],
                        .epoch = (uint32_t)(band->generation >> 32),
                        .witness = device->witness};
    for (uint32_t i = 0; i < band->width; i++)
        head_add_column(&head, band->columns[i]);
    head_encode(&device->format, &head, pen_slot_data(pen));
    pen_commit_own(pen, IDENT_HEAD, 0, band->columns[column_at]);
}

static void emit_summary(struct pen *pen)
{
    struct device *device = pen->stream->device;
    struct summary summary = {
        .at = {.band = pen->band->index,
               .position = pen->position,
               .generation = pen->band->generation},
        .seq = last_seq(device),
        .count = pen->since_summary,
        .witness = device->witness,
        .idents = pen->idents + (size_t)(pen->position - pen->since_summary) * FORMAT_IDENT_BYTES,
    };
    summary_encode(&device->format, &summary, pen_slot_data(pen));
    pen_commit_own(pen, IDENT_SUMMARY, 0, 0);
}

/* A cut now takes back what emptied these: the users' last words of it are not durable, while the
 * copies of the rest may be. All of them come back, and none is a target (DESIGN.md, "A cut
 * leaves a band"). */
static bool may_come_back(const struct device *device)
{
    return !list_is_empty(&device->index.user_volatile);
}

bool stream_relocation_may_open(const struct device *device)
{
    if (device->bands_free > 2)
        return true;
    bool leaves_pages_room = stream_has_page_room(device, 0);
    if (device->bands_free == 2)
        return leaves_pages_room || !may_come_back(device);
    return device->bands_free == 1 && leaves_pages_room && !may_come_back(device);
}

static bool may_open(const struct device *device, enum stream_for who)
{
    if (who == FOR_RELOCATION)
        return stream_relocation_may_open(device);
    if (who == FOR_ENGINE)
        return device->bands_free > 0;
    return device->bands_free > BANDS_RESERVE && device->bands_sealed <= SEALED_MAX;
}

/* Enough for a band of the users: relocation's own was taken from the reserve. */
static bool has_reserve(const struct device *device)
{
    uint32_t relocation = stream_band(&device->streams[STREAM_RELOCATION]) != NULL;
    return device->bands_free + relocation >= BANDS_RESERVE && device->bands_sealed <= SEALED_MAX;
}

bool stream_users_wait(struct device *device)
{
    struct stream *user = &device->streams[STREAM_USER];
    if (stream_band(user) == NULL)
        return user->kept == NULL && !may_open(device, FOR_USER);
    user->lent = user->lent && !has_reserve(device);
    return user->lent;
}

static void start_band(struct pen *pen, struct band *band, uint32_t position)
{
    const struct geometry *g = &pen->stream->device->geometry;
    pen->band = band;
    pen->position = position;
    pen->tail = geometry_tail(g, band->width);
    pen->since_summary = 0;
    pen->seq_highest = 0;
    pen->unit = NULL;
    pen->slice_end = position;
    pen->flushed = position;
    must(pen->held_count == 0 && list_is_empty(&pen->held) && list_is_empty(&pen->unsettled));
    for (uint32_t i = 0; i < band->width; i++) {
        pen->column_oldest[i] = i;
        pen->column_busy[i] = NULL;
        pen->column_wp[i] = 0;
    }
    memset(pen->units, 0, geometry_units(g, band->width) * sizeof(struct unit *));
}

/* W8: the drive has chunks for this stream's next band while its last one is being closed. */
static bool may_overlap(const struct stream *stream)
{
    const struct device *device = stream->device;
    uint32_t overlapping = 0;
    if (stream->closing->band == NULL || mutant("overlap-beyond-the-limit"))
        return true;
    for (unsigned i = 0; i < STREAMS; i++)
        overlapping +=
            device->streams[i].open->band != NULL && device->streams[i].closing->band != NULL;
    return overlapping < device->overlap;
}

/* Relocation is going to take a band. Theirs is one of those above the floor, so this is no other
 * than if users had opened it now. */
static void keep_for_users(struct device *device)
{
    struct stream *user = &device->streams[STREAM_USER];
    if (device->bands_free != BANDS_RESERVE + 1 || user->kept != NULL || user->lent ||
        !may_open(device, FOR_USER) || !pace_keeps_a_band(device))
        return;
    user->kept = band_pick_free(device);
    must(user->kept != NULL); /* B5 */
    band_enter(device, user->kept, BAND_OPEN);
}

static bool open_band(struct stream *stream, enum stream_for who)
{
    struct device *device = stream->device;
    bool kept = stream->kept != NULL;
    if ((!kept && !may_open(device, who)) || !may_overlap(stream))
        return false;
    if (who == FOR_RELOCATION)
        keep_for_users(device);
    struct band *band = kept ? stream->kept : band_pick_free(device);
    must(band != NULL); /* B5 */
    band->generation = (uint64_t)device->epoch << 32 | device->generation_count++;
    if (!kept)
        band_enter(device, band, BAND_OPEN);
    stream->kept = NULL;
    start_band(stream->open, band, 0);
    stream->lent = who == FOR_ENGINE && !kept && !has_reserve(device);
    device->stats.bands_opened++;
    relocation_consider(device);
    return true;
}

void stream_resume(struct stream *stream, struct band *band, uint32_t position)
{
    const struct geometry *g = &stream->device->geometry;
    struct pen *pen = stream->open;
    start_band(pen, band, position);
    stream->lent = true; /* nobody noted whose it was; with the reserve there it is the users' */
    geometry_write_pointers(g, band->width, position, pen->column_wp);
    for (uint32_t column = 0; column < band->width; column++)
        pen->column_oldest[column] =
            pen->column_wp[column] / g->ws_opt * band->width + column; /* before: on the medium */
}

/* W5: a summary is due when the next one would not hold one more, or as the last before the
 * tail. */
static bool summary_is_due(const struct pen *pen)
{
    const struct geometry *g = &pen->stream->device->geometry;
    if (g->oob)
        return false;
    return pen->since_summary + 1 >= g->summary_max || pen->position + 1 == pen->tail;
}

/* What has to be at the position: a head, a summary. False: it is free for a block. */
static bool emit_due(struct pen *pen)
{
    if (pen->unit->offset + pen->unit->filled == 0)
        emit_head(pen, pen->unit->column);
    else if (summary_is_due(pen))
        emit_summary(pen);
    else
        return false;
    return true;
}

/* A unit at the position, with heads and summaries that come first written. */
static bool prepare_slot(struct stream *stream, enum stream_for who)
{
    for (;;) {
        if (stream_band(stream) == NULL && !open_band(stream, who))
            return false;
        struct pen *pen = stream->open; /* not before: what is emitted may fill the band */
        if (pen->band->state != BAND_OPEN || !pen_attach_unit(pen))
            return false;
        if (!emit_due(pen))
            return true;
    }
}

bool stream_has_page_room(const struct device *device, uint32_t more)
{
    const struct pen *user = device->streams[STREAM_USER].open;
    uint32_t pages = device->map.dirty_count + more;
    if (pages == 0)
        return true;
    if (user->band == NULL || user->band->state != BAND_OPEN)
        return false;
    /* Each page may bring a summary or a head with it, and the run's end its padding; where slices
     * are of one block the heads come in a row. */
    uint32_t heads =
        user->position < user->band->width * device->geometry.slice ? user->band->width : 0;
    uint64_t needed = 2u * (uint64_t)pages + 2u * device->geometry.ws_min + 2u + heads;
    return user->tail - user->position > needed;
}

/* Blocks that fit where the pen is before the slice ends, or a summary or the tail is due. */
static uint32_t count_room(const struct pen *pen)
{
    const struct geometry *g = &pen->stream->device->geometry;
    uint32_t end = min_u32(pen->slice_end, pen->tail);
    if (g->oob)
        return end - pen->position;
    uint32_t last = min_u32(end, pen->tail - 1) - pen->position;
    return min_u32(last, g->summary_max - 1 - pen->since_summary);
}

bool stream_take(struct stream *stream, enum stream_for who, uint32_t most, struct slot *slot)
{
    struct device *device = stream->device;
    if (device->read_only)
        return false;
    if (who == FOR_USER && (stream_users_wait(device) ||
                            (device->bands_free <= 1 && !stream_has_page_room(device, 0))))
        return false;
    if (!prepare_slot(stream, who))
        return false;
    const struct pen *pen = stream->open;
    make_slot(pen, min_u32(most, count_room(pen)), slot);
    return true;
}

/* Everything accepted has its identity on the way to the medium, or in a summary before it. */
static bool is_identified(const struct pen *pen)
{
    return pen->stream->device->geometry.oob || pen->since_summary == 0 ||
           mutant("summary-forgotten-at-flush");
}

/* Nothing accepted is without identity or still unsent. */
static bool run_is_ended(const struct pen *pen)
{
    if (pen->band == NULL || pen->band->state != BAND_OPEN)
        return true;
    return is_identified(pen) && is_all_ready(pen);
}

bool stream_end_run(struct stream *stream, uint64_t *ticket)
{
    const struct geometry *g = &stream->device->geometry;
    struct pen *pen = stream->open; /* filled up on the way it is ready as well (fill_up) */
    while (!run_is_ended(pen)) {
        if (pen->position % g->ws_min == 0 && is_identified(pen)) {
            make_all_ready(pen);
            continue;
        }
        if (!pen_attach_unit(pen))
            return false;
        if (pen->unit->offset + pen->unit->filled == 0)
            emit_head(pen, pen->unit->column);
        else if (!g->oob && ((pen->position + 1) % g->ws_min == 0 || summary_is_due(pen)) &&
                 !mutant("summary-forgotten-at-flush"))
            emit_summary(pen);
        else
            emit_pad(pen);
    }
    *ticket = stream->ticket;
    return true;
}

static bool pen_settled(const struct pen *pen, uint64_t ticket)
{
    const struct list_link *link = list_first(&pen->unsettled);
    return link == NULL || list_of(link, struct unit, unsettled)->ticket > ticket;
}

bool stream_settled(const struct stream *stream, uint64_t ticket)
{
    if (mutant("flush-does-not-wait"))
        return true;
    /* Of the band that is closed only what was accepted: nobody's data hangs on its tail. */
    uint64_t accepted = min_u64(ticket, stream->closing->ticket);
    return pen_settled(stream->open, ticket) &&
           (pen_settled(stream->closing, accepted) || mutant("flush-forgets-closing-band"));
}

bool stream_is_settled(const struct stream *stream)
{
    const struct band *band = stream_band(stream);
    return list_is_empty(&stream->open->unsettled) && stream->closing->band == NULL &&
           (band == NULL || band->state == BAND_OPEN);
}

bool stream_pad(struct stream *stream)
{
    struct pen *pen = stream->open;
    if (pen->band == NULL || pen->band->state != BAND_OPEN || !pen_attach_unit(pen))
        return false;
    if (!emit_due(pen))
        emit_pad(pen);
    return true;
}

const struct unit *stream_find(const struct stream *stream, const struct band *band,
                               uint32_t position)
{
    const struct geometry *g = &stream->device->geometry;
    const struct pen *pen = stream_pen((struct stream *)(uintptr_t)stream, band);
    if (pen == NULL)
        return NULL;
    const struct unit *unit = pen->units[geometry_unit(g, band->width, position)];
    uint32_t offset = geometry_place(g, band->width, position).offset;
    if (unit == NULL || offset < unit->offset + unit->from)
        return NULL;
    must_show(offset < unit->offset + unit->filled, position, unit->offset);
    return unit;
}

const uint8_t *unit_block(const struct unit *unit, uint32_t position)
{
    const struct geometry *g = &unit->pen->stream->device->geometry;
    uint32_t offset = geometry_place(g, unit->pen->band->width, position).offset;
    return unit->data + (size_t)(offset - unit->offset) * g->block_bytes;
}

struct band_mark pen_mark(const struct pen *pen)
{
    if (pen->band == NULL)
        return (struct band_mark){.band = FORMAT_BAND_NONE};
    return (struct band_mark){
        .band = pen->band->index, .position = pen->flushed, .generation = pen->band->generation};
}

void stream_init(struct stream *stream, struct device *device, enum band_stream kind)
{
    stream->device = device;
    stream->kind = kind;
    stream->open = &stream->pens[0];
    stream->closing = &stream->pens[1];
    stream->units_least = stream_units_least(&device->geometry);
    list_init(&stream->pool);
    list_init(&stream->waiting);
    for (uint32_t i = 0; i < stream->unit_count; i++) {
        struct unit *unit = &stream->unit_memory[i];
        link_init(&unit->link);
        link_init(&unit->unsettled);
        list_push_back(&stream->pool, &unit->link);
    }
    stream->pool_count = stream->unit_count;
    for (unsigned i = 0; i < 2; i++)
        pen_init(&stream->pens[i], stream);
}
