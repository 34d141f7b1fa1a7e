/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/relocation.h"

#include "base/bytes.h"
#include "base/crc.h"
#include "base/must.h"
#include "base/mutant.h"
#include "core/engine.h"
#include "format/lost.h"
#include "format/tail.h"

#include <string.h>

enum deed { PICK, IDENTS, IDENTS_READ, GATHER, APPEND, AGAIN, AHEAD };

/* ---- movers ---- */

static struct mover *mover_of(struct errand *errand)
{
    return list_of(errand, struct mover, errand);
}

const struct mover *relocation_lead(const struct device *device)
{
    const struct mover *lead = NULL;
    for (uint32_t i = 0; i < device->relocation.depth; i++) {
        const struct mover *mover = &device->relocation.movers[i];
        if (mover->victim != NULL && (lead == NULL || mover->taken < lead->taken))
            lead = mover;
    }
    return lead;
}

bool relocation_has(const struct device *device, const struct band *band)
{
    for (uint32_t i = 0; i < device->relocation.depth; i++)
        if (device->relocation.movers[i].victim == band)
            return true;
    return false;
}

/* L8 */
static bool may_append(const struct device *device, const struct mover *mover)
{
    return device->bands_free > BANDS_RESERVE || relocation_lead(device) == mover;
}

/* The band stays as it is, emptier than before; this mover has no part in it any more. */
static void let_go_of(struct device *device, struct mover *mover, bool aside)
{
    struct band *victim = mover->victim;
    must_show(mover->errand.in_flight == 0, victim->index, mover->errand.in_flight);
    mover->now->count = mover->now->next = mover->ahead->count = 0;
    mover->has_next_tail = false;
    trace(device, VICTIM_END, mover->trace_id, victim->index, victim->valid);
    mover->victim = NULL;
    mover->errand.at = PICK;
    band_index_give_back(device, victim, aside);
    band_read_end(device, victim);
}

static void let_go(struct device *device, struct mover *mover)
{
    let_go_of(device, mover, false);
}

static void set_aside(struct device *device, struct mover *mover, const char *what,
                      enum hftl_status status)
{
    struct band *victim = mover->victim;
    device_log(device, HFTL_LOG_ERROR, "band %u cannot be cleaned: %s: %s", victim->index, what,
               hftl_status_text(status));
    let_go_of(device, mover, true); /* L4 */
}

/* ---- identities of the victim ---- */

static struct tail_place tail_of(const struct device *device, const struct band *band,
                                 uint32_t index)
{
    return (struct tail_place){.band = band->index,
                               .generation = band->generation,
                               .band_blocks = band->width * device->geometry.chunk_blocks,
                               .ws_min = device->geometry.ws_min,
                               .index = index};
}

static void send_tail(struct device *device, struct mover *mover, uint32_t index, uint8_t *to)
{
    uint32_t position = geometry_tail(&device->geometry, mover->victim->width) + index;
    mover->tail_op.op = (struct hftl_media_op){.verb = HFTL_MEDIA_READ, .blocks = 1, .data = to};
    band_locate(device, mover->victim, position, &mover->tail_op.op);
    errand_send(&mover->errand, &mover->tail_op);
}

static void read_tail(struct device *device, struct mover *mover)
{
    mover->errand.at = IDENTS_READ;
    send_tail(device, mover, mover->tail_index, mover->tail_block);
}

/* Identities are taken in portions: a tail block's, or as many positions of a sealed band. */
static bool has_portion(const struct device *device, const struct mover *mover, uint32_t index)
{
    return (uint64_t)index * device->geometry.tail_max <
           geometry_tail(&device->geometry, mover->victim->width);
}

static void read_next_tail(struct device *device, struct mover *mover)
{
    if (mover->victim->idents != NULL || mover->has_next_tail ||
        !has_portion(device, mover, mover->tail_index + 1))
        return;
    mover->has_next_tail = true;
    send_tail(device, mover, mover->tail_index + 1, mover->next_tail);
}

static void take_next_tail(struct mover *mover)
{
    uint8_t *next = mover->next_tail;
    mover->next_tail = mover->tail_block;
    mover->tail_block = next;
    mover->has_next_tail = false;
    mover->errand.at = IDENTS_READ;
}

static void start_portion(struct device *device, struct mover *mover)
{
    uint32_t tail = geometry_tail(&device->geometry, mover->victim->width);
    uint32_t first = mover->tail_index * device->geometry.tail_max;
    mover->idents_count = min_u32(device->geometry.tail_max, tail - first);
    mover->ident_next = 0;
    mover->errand.at = GATHER;
}

/* False: it is being read again, or will be when what is at hand was appended, or the victim was
 * set aside. */
static bool decode_tail(struct device *device, struct mover *mover)
{
    struct tail_place place = tail_of(device, mover->victim, mover->tail_index);
    struct tail tail;
    enum hftl_status status = mover->tail_op.op.status; /* the errand's is of blocks as well */
    (void)errand_take_status(&mover->errand);
    if (status == HFTL_OK)
        status = tail_decode(&device->format, &place, mover->tail_block, &tail);
    if (status == HFTL_OK)
        return true;
    if (!mover->tail_retried) {
        mover->tail_retried = true;
        read_tail(device, mover);
        return false;
    }
    if (mover->now->next < mover->now->count) { /* what was read before goes first */
        mover->tail_index--;
        mover->errand.at = APPEND;
        return false;
    }
    set_aside(device, mover, "its tail cannot be read", status);
    return false;
}

/* Those of the portion. */
static const uint8_t *idents_of(const struct mover *mover, uint32_t tail_max)
{
    if (mover->victim->idents != NULL)
        return mover->victim->idents + (size_t)mover->tail_index * tail_max * FORMAT_IDENT_BYTES;
    return mover->tail_block + FORMAT_TAIL_IDENTS_AT;
}

static bool is_needed(const struct device *device, const struct band *victim,
                      const struct moving *moving)
{
    const struct ident *ident = &moving->ident;
    hftl_pba pba = geometry_pba(&device->geometry, victim->index, moving->position);
    if (ident->kind == IDENT_DATA || ident->kind == IDENT_LOST)
        return map_holds(device, ident->lba, false, pba);
    return ident->kind == IDENT_TRIM && map_holds(device, ident->lba, true, pba);
}

/* The map's entries of a victim's blocks lie anywhere. So they are fetched while others are looked
 * at, so many identities ahead, and again blocks ahead of what is copied, as reads pushed some out
 * of the processor's caches. */
#define FETCH_AHEAD 16u
#define APPEND_AHEAD 4u

static void fetch_entry(const struct device *device, uint64_t lba)
{
    if (lba < device->geometry.blocks)
        map_fetch(&device->map, (hftl_lba){lba});
}

/* Those of the first identities of the portion. */
static void fetch_first(const struct device *device, const uint8_t *idents, uint32_t from,
                        uint32_t count)
{
    for (uint32_t i = from; i < min_u32(count, from + FETCH_AHEAD); i++)
        fetch_entry(device, ident_peek_lba(idents + (size_t)i * FORMAT_IDENT_BYTES));
}

/* The next blocks of the portion that the map points to. */
static void gather(struct device *device, struct mover *mover)
{
    uint32_t tail_max = device->geometry.tail_max, most = device->relocation.batch;
    const uint8_t *idents = idents_of(mover, tail_max);
    struct batch *batch = mover->ahead;
    struct moving *moving = batch->moving, *end = batch->moving + most;
    uint32_t next = mover->ident_next;
    fetch_first(device, idents, next, mover->idents_count);
    for (; next < mover->idents_count && moving < end; next++) {
        if (next + FETCH_AHEAD < mover->idents_count)
            fetch_entry(device,
                        ident_peek_lba(idents + (size_t)(next + FETCH_AHEAD) * FORMAT_IDENT_BYTES));
        moving->position = mover->tail_index * tail_max + next;
        moving->verified = false;
        if (ident_decode(idents + (size_t)next * FORMAT_IDENT_BYTES, &moving->ident) == HFTL_OK &&
            is_needed(device, mover->victim, moving))
            moving++;
    }
    mover->ident_next = next;
    batch->count = (uint32_t)(moving - batch->moving);
    batch->next = 0;
    batch->used = 0;
    batch->retried = false;
}

/* ---- reading ---- */

/* How many of the batch can be read in one go from `first` on, with the holes that the medium likes
 * better read than left out. Gives them their places. The second time each by itself, in the place
 * it has: one that cannot be read takes those with it that were asked for in the same operation. */
static uint32_t join_neighbours(const struct device *device, const struct mover *mover,
                                struct batch *batch, uint32_t first)
{
    struct moving *moving = &batch->moving[first];
    uint32_t n = 1, count = batch->count - first, last = moving->position;
    uint32_t gap = device->medium->facts.read_gap_blocks;
    uint32_t block_bytes = device->geometry.block_bytes;
    if (batch->retried)
        return 1;
    uint32_t most =
        min_u32(device->medium->facts.transfer_blocks_max, device->relocation.room - batch->used);
    most = min_u32(
        most, geometry_side_by_side(&device->geometry, mover->victim->width, moving->position));
    moving->data = batch->data + (size_t)batch->used * block_bytes;
    for (; n < count && moving[n].position - moving->position < most &&
           moving[n].position - last - 1 <= gap && moving[n].ident.kind != IDENT_LOST;
         n++) {
        last = moving[n].position;
        moving[n].data = moving->data + (size_t)(last - moving->position) * block_bytes;
    }
    batch->used += last - moving->position + 1;
    return n;
}

/* Blocks [first, first + blocks) of the batch, and the holes between them. */
static void send_read(struct device *device, struct mover *mover, struct batch *batch,
                      uint32_t first, uint32_t blocks)
{
    const struct geometry *g = &device->geometry;
    const struct moving *moving = &batch->moving[first];
    struct errand_op *op = &batch->ops[batch->op_count++];
    op->op = (struct hftl_media_op){.verb = HFTL_MEDIA_READ,
                                    .blocks = moving[blocks - 1].position - moving->position + 1,
                                    .data = moving->data};
    if (g->oob)
        op->op.oob =
            batch->oob + (size_t)(moving->data - batch->data) / g->block_bytes * g->oob_bytes;
    band_locate(device, mover->victim, moving->position, &op->op);
    errand_send_moved(&mover->errand, op);
}

/* The batch ends before this one: holes have used up the buffer. */
static void cut_batch(const struct device *device, struct mover *mover, uint32_t count)
{
    mover->ident_next =
        mover->ahead->moving[count].position - mover->tail_index * device->geometry.tail_max;
    mover->ahead->count = count;
}

/* Reads what is left of the batch and not verified; neighbours on the medium in one go. */
static void read_batch(struct device *device, struct mover *mover, struct batch *batch)
{
    batch->op_count = 0;
    for (uint32_t i = batch->next; i < batch->count;) {
        uint32_t n = 1;
        if (!batch->moving[i].verified && batch->moving[i].ident.kind != IDENT_LOST) {
            if (batch->used == device->relocation.room && !batch->retried) {
                cut_batch(device, mover, i);
                return;
            }
            n = join_neighbours(device, mover, batch, i);
            send_read(device, mover, batch, i, n);
        }
        i += n;
    }
}

/* Blocks are verified while they are copied to where they go (copy_block), so that each is fetched
 * once. Where one of them does not verify, all that are left are, here: what does not is read a
 * second time. */
static void verify_rest(struct device *device, struct mover *mover)
{
    const struct geometry *g = &device->geometry;
    for (uint32_t i = mover->now->next; i < mover->now->count; i++) {
        struct moving *moving = &mover->now->moving[i];
        if (moving->verified || moving->ident.kind == IDENT_LOST)
            continue;
        moving->crc = crc32c(0, moving->data, g->block_bytes);
        moving->verified = ident_verifies(&moving->ident, moving->crc,
                                          band_salt(device, mover->victim, moving->position));
    }
}

/* What was read ahead is what is appended now. A block that was not read does not verify: what the
 * reads' status was says nothing more. */
static void take_ahead(struct device *device, struct mover *mover)
{
    struct batch *ahead = mover->ahead;
    (void)errand_take_status(&mover->errand);
    mover->ahead = mover->now;
    mover->now = ahead;
    mover->ahead->count = 0;
    pace_set(device, mover->valid_first,
             geometry_data_blocks(&device->geometry, mover->victim->width));
}

static void read_again(struct device *device, struct mover *mover)
{
    mover->errand.at = AGAIN;
    mover->now->retried = true;
    verify_rest(device, mover);
    if (!mutant("moved-block-lost-at-once"))
        read_batch(device, mover, mover->now);
}

static void end_reading_again(struct device *device, struct mover *mover)
{
    (void)errand_take_status(&mover->errand);
    verify_rest(device, mover);
    mover->errand.at = APPEND;
}

/* ---- appending ---- */

/* What cannot be read any more: a mark in its place (O3); a trim page is made anew from the map. */
static bool give_up_block(struct device *device, struct moving *moving, struct slot *slot)
{
    if (moving->ident.kind == IDENT_TRIM) {
        map_mark_dirty(device, (uint32_t)moving->ident.lba);
        flush_ask(device, false);
        return false;
    }
    if (moving->ident.kind == IDENT_DATA) {
        device->stats.blocks_lost++;
        device_log(device, HFTL_LOG_ERROR, "lba %llu cannot be read any more: marked as lost",
                   (unsigned long long)moving->ident.lba);
    }
    moving->ident.kind = IDENT_LOST;
    lost_encode(&device->format, &(struct lost){.seq = moving->ident.seq}, slot->data);
    return true;
}

/* To where it goes. False: it does not verify, and may yet when it is read again. Nothing is
 * committed there, so what was copied is overwritten. */
static bool copy_block(struct device *device, struct mover *mover, uint32_t index, uint8_t *to)
{
    struct moving *moving = &mover->now->moving[index];
    uint32_t block_bytes = device->geometry.block_bytes;
    const uint8_t *from = moving->data;
    if (moving->verified)
        memcpy(to, from, block_bytes);
    if (moving->verified || mover->now->retried || moving->ident.kind == IDENT_LOST)
        return true;
    moving->crc = crc32c_copy(to, from, block_bytes);
    moving->verified = ident_verifies(&moving->ident, moving->crc,
                                      band_salt(device, mover->victim, moving->position));
    return moving->verified;
}

/* What copy_block left there, or a mark in its place. */
static void move_block(struct device *device, struct mover *mover, uint32_t index,
                       struct slot *slot)
{
    struct stream *stream = &device->streams[STREAM_RELOCATION];
    struct moving *moving = &mover->now->moving[index];
    uint32_t block_bytes = device->geometry.block_bytes;
    if (!moving->verified && !give_up_block(device, moving, slot))
        return;
    /* A good block's is the one it was verified by, not one of what is in memory by now: were it
     * damaged meanwhile, a new one would make that good. */
    uint32_t crc = moving->verified ? moving->crc : crc32c(0, slot->data, block_bytes);
    if (mutant("reseq-on-relocation") && moving->ident.kind == IDENT_DATA)
        moving->ident.seq = (uint64_t)device->epoch << 32 | ++device->counter;
    device->relocation_clock++;
    stream->appended = device->relocation_clock;
    struct band *band = slot->band;
    hftl_pba pba = stream_commit(stream, slot, &moving->ident, crc);
    uint32_t known = moving->ident.kind == IDENT_LOST ? ~crc : crc;
    if (moving->ident.kind == IDENT_TRIM)
        map_set_page(device, (uint32_t)moving->ident.lba, pba, MAP_BY_RELOCATION);
    else
        map_set_run(device, &(struct map_run){band, (hftl_lba){moving->ident.lba}, pba, 1, &known},
                    MAP_BY_RELOCATION);
    trace(device, MOVE_FILL, mover->trace_id, moving->ident.lba, pba.n);
}

/* L8. True: this mover may not append, and its victim is let go of, or will be when what is being
 * read for it has come. */
static bool gives_way(struct device *device, struct mover *mover)
{
    if (may_append(device, mover) || mutant("reserve-shared-by-movers"))
        return false;
    if (mover->errand.in_flight == 0) {
        device->stats.victims_let_go++;
        let_go(device, mover);
    }
    return true;
}

/* The mover goes on when there is a unit or a band again; or what it reads has come, and then it
 * looks again. */
static void wait_for_room(struct device *device, struct mover *mover)
{
    struct stream *stream = &device->streams[STREAM_RELOCATION];
    if (mover->errand.in_flight == 0)
        errand_wait(&mover->errand,
                    stream_band(stream) == NULL ? &device->band_waiters : &stream->waiting);
    erase_consider(device); /* we are stuck now: it may have to ask for a flush */
}

/* True when the batch is used up, the victim was let go, or what is left is being read again. */
static bool append_some(struct device *device, struct mover *mover)
{
    struct stream *stream = &device->streams[STREAM_RELOCATION];
    struct batch *batch = mover->now;
    struct slot slot = {.blocks = 0};
    while (batch->next < batch->count) {
        struct moving *moving = &batch->moving[batch->next];
        if (batch->next + APPEND_AHEAD < batch->count)
            fetch_entry(device, moving[APPEND_AHEAD].ident.lba);
        if (!is_needed(device, mover->victim, moving) &&
            !mutant("relocation-overrules-a-write")) { /* L3 */
            batch->next++;
            continue;
        }
        if (gives_way(device, mover))
            return mover->victim == NULL;
        must_show(may_append(device, mover), mover->taken, device->bands_free); /* L8 */
        uint32_t most = batch->count - batch->next;
        if (slot.blocks == 0 && !stream_take(stream, FOR_RELOCATION, most, &slot)) {
            wait_for_room(device, mover);
            return false;
        }
        if (!copy_block(device, mover, batch->next, slot.data)) {
            read_again(device, mover);
            return true;
        }
        move_block(device, mover, batch->next++, &slot);
    }
    mover->errand.at = mover->ahead->count > 0 ? AHEAD : GATHER;
    return true;
}

/* The same; what was moved earns users their blocks. */
static bool append_batch(struct device *device, struct mover *mover)
{
    uint64_t before = device->relocation_clock;
    bool done = append_some(device, mover);
    uint32_t moved = (uint32_t)(device->relocation_clock - before);
    if (moved > 0) {
        limits_earn(device, moved);
        pace_earn(device, moved);
    }
    return done;
}

/* ---- users first ---- */

/* There are requests, and none of them is anything but a read. */
static bool users_only_read(const struct device *device)
{
    const struct list *others[] = {&device->writes, &device->flush.waiting, &device->flush.riding,
                                   &device->flush_bands.waiting, &device->flush_bands.riding};
    for (unsigned i = 0; i < sizeof others / sizeof others[0]; i++)
        if (!list_is_empty(others[i]) && !(i > 2 && mutant("movers-let-a-closing-wait")))
            return false;
    return device->requests_in_flight > 0;
}

/* Nobody wrote since the last batch, and users have read little since. */
static bool yields(const struct device *device)
{
    const struct relocation *relocation = &device->relocation;
    uint64_t reads = device->stats.read[HFTL_IO_USER].operations - relocation->yielded_read;
    return users_only_read(device) && !device->closing && !device->read_only &&
           device->user_clock == relocation->yielded_user &&
           reads < (uint64_t)RELOCATION_READS * relocation->batch;
}

/* Nobody asks for anything that a band less could keep waiting, and nothing has to be emptied for a
 * reason of its own. */
static bool may_rest(const struct device *device)
{
    return !device->relocation.writes_wait && list_is_empty(&device->flush_bands.waiting) &&
           list_is_empty(&device->flush_bands.riding) && device->bands_sealed == 0 &&
           device->index.emptied_sealed == 0 && !device->relocation.paused && !device->closing &&
           !device->read_only;
}

/* JUST IN TIME: users are not soon at the end of their band, and have another. */
static bool rests(const struct device *device)
{
    const struct pen *pen = device->streams[STREAM_USER].open;
    uint32_t start = device->limits.level[HFTL_LIMIT_START].bands_free;
    if (device->bands_free < max_u32(start, BANDS_RESERVE + 1) || pen->band == NULL ||
        !may_rest(device))
        return false;
    return pen->position + pen->tail * RELOCATION_REST_TENTHS / 10 <= pen->tail;
}

static bool users_go_first(struct device *device)
{
    device->relocation.resting = rests(device);
    return device->relocation.resting || yields(device);
}

void relocation_resume(struct device *device)
{
    device->relocation.writes_wait = !list_is_empty(&device->writes);
    if (!list_is_empty(&device->relocation.yielding) && !users_go_first(device))
        errand_wake_all(&device->relocation.yielding);
}

static void note_begun(struct device *device)
{
    struct relocation *relocation = &device->relocation;
    relocation->yielded_user = device->user_clock;
    relocation->yielded_read = device->stats.read[HFTL_IO_USER].operations;
}

/* ---- the errand ---- */

static void end_victim(struct device *device, struct mover *mover)
{
    /* A trim page that is made anew keeps it until the next flush. */
    let_go_of(device, mover, mover->victim->valid > 0 && !device->closing);
}

static bool pick(struct device *device, struct mover *mover)
{
    struct band *victim = relocation_pick(device, mover);
    if (victim == NULL) {
        erase_consider(device);
        return false;
    }
    must_show(!relocation_has(device, victim), victim->index, device->relocation.taken); /* L7 */
    must_show(relocation_is_due(device), victim->index, device->bands_free); /* or nobody asks */
    device->relocation.in_vain += victim->state == BAND_CLOSED;
    band_index_take(device, victim);
    mover->victim = victim;
    mover->valid_first = victim->valid;
    mover->taken = ++device->relocation.taken;
    band_read_begin(victim); /* it may be emptied on the way, but is not erased under our feet */
    mover->tail_index = 0;
    mover->errand.at = IDENTS;
    device->stats.victims++;
    mover->trace_id = trace_id(&device->trace);
    trace(device, VICTIM_BEGIN, mover->trace_id, victim->index, victim->valid);
    return true;
}

/* There still is something in it to move. */
static bool goes_on(const struct device *device, const struct mover *mover)
{
    const struct band *victim = mover->victim;
    return (victim->state == BAND_SEALED || victim->state == BAND_CLOSED) && victim->valid > 0 &&
           !device->closing;
}

static bool next_idents(struct device *device, struct mover *mover)
{
    if (!goes_on(device, mover) || !has_portion(device, mover, mover->tail_index)) {
        end_victim(device, mover);
        return true;
    }
    mover->tail_retried = false;
    if (mover->victim->idents != NULL)
        start_portion(device, mover);
    else if (mover->has_next_tail)
        take_next_tail(mover);
    else
        read_tail(device, mover);
    return mover->errand.in_flight == 0;
}

/* The next portion is here. */
static bool has_next_idents(const struct device *device, const struct mover *mover)
{
    return (mover->has_next_tail || mover->victim->idents != NULL) &&
           has_portion(device, mover, mover->tail_index + 1);
}

/* NO FURTHER */
static bool lags(const struct device *device)
{
    const struct geometry *g = &device->geometry;
    const struct pen *pen = device->streams[STREAM_RELOCATION].open;
    const struct list_link *eldest = list_first(&pen->unsettled);
    if (pen->band == NULL || eldest == NULL)
        return false;
    uint32_t at = geometry_unit(g, pen->band->width, min_u32(pen->position, pen->tail - 1));
    return at >= list_of(eldest, struct unit, unsettled)->index + RELOCATION_LAG * pen->band->width;
}

/* Nothing is being read. Asks for the next batch; what has come is appended meanwhile. */
static bool read_ahead(struct device *device, struct mover *mover)
{
    bool has_now = mover->now->next < mover->now->count;
    if (gives_way(device, mover)) /* before it reads what it may not append */
        return true;
    mover->errand.at = has_now ? APPEND : IDENTS;
    if (!goes_on(device, mover))
        return true;
    struct list *wait = lags(device)             ? &device->streams[STREAM_RELOCATION].waiting
                        : users_go_first(device) ? &device->relocation.yielding
                                                 : NULL;
    if (wait != NULL) {
        mover->errand.at = has_now ? APPEND : GATHER;
        if (!has_now)
            errand_wait(&mover->errand, wait);
        return has_now;
    }
    note_begun(device);
    gather(device, mover);
    if (mover->ahead->count > 0) {
        read_batch(device, mover, mover->ahead);
        read_next_tail(device, mover);
        mover->errand.at = APPEND;
    } else if (!has_now || has_next_idents(device, mover)) {
        mover->tail_index++;
        mover->errand.at = IDENTS;
    }
    return true;
}

static bool go_on(struct device *device, struct mover *mover)
{
    switch ((enum deed)mover->errand.at) {
    case PICK:
        return pick(device, mover);
    case IDENTS:
        return next_idents(device, mover);
    case IDENTS_READ:
        if (decode_tail(device, mover))
            start_portion(device, mover);
        return mover->errand.in_flight == 0;
    case GATHER:
        return read_ahead(device, mover);
    case APPEND:
        return append_batch(device, mover) && mover->errand.in_flight == 0;
    case AGAIN:
        end_reading_again(device, mover);
        return true;
    case AHEAD:
        take_ahead(device, mover);
        mover->errand.at = GATHER;
        return true;
    }
    return false;
}

static void step(struct device *device, struct errand *errand)
{
    if (device->read_only)
        return;
    while (go_on(device, mover_of(errand)))
        continue;
}

/* ---- all of them ---- */

void relocation_init(struct device *device)
{
    device->relocation.policy = &victim_merit;
    list_init(&device->relocation.yielding);
    for (uint32_t i = 0; i < device->relocation.depth; i++) {
        struct mover *mover = &device->relocation.movers[i];
        errand_init(&mover->errand, device, "relocation", step);
        mover->now = &mover->batches[0];
        mover->ahead = &mover->batches[1];
    }
}

void relocation_consider(struct device *device)
{
    for (uint32_t i = 0; i < device->relocation.depth; i++)
        if (device->relocation.movers[i].errand.at == PICK)
            errand_wake(&device->relocation.movers[i].errand);
}

bool relocation_is_due(const struct device *device)
{
    return device->bands_free <= device->limits.level[HFTL_LIMIT_START].bands_free ||
           !list_is_empty(&device->index.sealed) || device->bands_emptied > 0;
}

bool relocation_is_idle(const struct device *device)
{
    return relocation_lead(device) == NULL;
}

bool relocation_is_done(const struct device *device)
{
    if (device->read_only)
        return true;
    for (uint32_t i = 0; i < device->relocation.depth; i++) {
        const struct mover *mover = &device->relocation.movers[i];
        if (mover->victim != NULL || link_is_linked(&mover->errand.link))
            return false;
    }
    return true;
}

bool relocation_try_again(struct device *device)
{
    struct relocation *relocation = &device->relocation;
    if (list_is_empty(&device->index.aside) || relocation->second_chances == RELOCATION_CHANCES_MAX)
        return false;
    relocation->second_chances++;
    relocation->in_vain = 0;
    (void)band_index_forgive(device);
    relocation_consider(device);
    return true;
}

enum hftl_status relocation_check(const struct device *device, struct why *why)
{
    const struct relocation *relocation = &device->relocation;
    for (uint32_t i = 0; i < relocation->depth; i++) {
        const struct mover *mover = &relocation->movers[i];
        if (mover->victim == NULL && mover->errand.at != PICK)
            return why_say(why, HFTL_CORRUPT, "L7: mover %u is at %d without a victim", i,
                           mover->errand.at);
        for (uint32_t j = 0; mover->victim != NULL && j < i; j++)
            if (relocation->movers[j].victim == mover->victim)
                return why_say(why, HFTL_CORRUPT, "L7: band %u is the victim of movers %u and %u",
                               mover->victim->index, j, i);
        if (mover->victim != NULL && mover->victim->readers == 0)
            return why_say(why, HFTL_CORRUPT, "L7: band %u is a victim that may be erased",
                           mover->victim->index);
    }
    return HFTL_OK;
}
