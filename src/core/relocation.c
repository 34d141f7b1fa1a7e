/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/relocation.h"

#include "base/bitmap.h"
#include "base/crc.h"
#include "base/bytes.h"
#include "base/must.h"
#include "base/mutant.h"
#include "core/engine.h"
#include "core/victim.h"
#include "format/lost.h"
#include "format/tail.h"

#include <string.h>

enum deed { PICK, IDENTS, IDENTS_READ, GATHER, READ, APPEND };

/* ---- choosing ---- */

static bool is_worth(const struct device *device, const struct band *band)
{
    uint32_t capacity = geometry_data_blocks(&device->geometry, band->width);
    uint32_t invalid = capacity > band->valid ? capacity - band->valid : 0;
    /* L5: the flush that its erase may ask for pads a run of each stream. Somebody who waits takes
     * what there is; for nobody, less than that is no gain, and cleaning would never end. */
    uint32_t cost = 2 * device->geometry.ws_min + 2;
    if (device->bands_free <= device->limits.critical && !list_is_empty(&device->writes))
        return invalid > 0;
    return invalid > max_u32(cost, capacity / 10);
}

/* L6 */
static bool is_in_vain(struct device *device)
{
    struct relocation *r = &device->relocation;
    if (list_is_empty(&device->writes) || r->user_clock != device->user_clock)
        r->in_vain = 0;
    r->user_clock = device->user_clock;
    return r->in_vain >= device->geometry.bands;
}

static double score(const struct device *device, const struct band *band)
{
    struct victim_view view = {
        .valid = band->valid,
        .capacity = geometry_data_blocks(&device->geometry, band->width),
        .age = ((uint64_t)device->epoch << 32 | device->generation_count) - band->generation,
        .wear = band->wear,
    };
    const struct victim_policy *policy =
        device->bands_free <= device->limits.critical ? &victim_greedy : &victim_merit;
    return policy->score(&view);
}

static struct band *pick_sealed(struct device *device)
{
    for (uint32_t i = 0; i < device->geometry.bands; i++) {
        struct band *band = &device->bands[i];
        if (band->state == BAND_SEALED && !bitmap_get(device->relocation.set_aside, i))
            return band;
    }
    return NULL;
}

static struct band *pick_victim(struct device *device)
{
    struct band *best = NULL;
    double best_score = 0;
    if (device->bands_sealed > 0 && (best = pick_sealed(device)) != NULL)
        return best;
    if (device->bands_free > device->limits.start || is_in_vain(device))
        return NULL;
    for (uint32_t i = 0; i < device->geometry.bands; i++) {
        struct band *band = &device->bands[i];
        if (band->state != BAND_CLOSED || bitmap_get(device->relocation.set_aside, i) ||
            !is_worth(device, band))
            continue;
        double this_score = score(device, band);
        if (this_score > best_score) {
            best_score = this_score;
            best = band;
        }
    }
    return best;
}

static void set_aside(struct device *device, const char *what, enum hftl_status status)
{
    struct band *victim = device->relocation.victim;
    device_log(device, HFTL_LOG_ERROR, "band %u cannot be cleaned: %s: %s", victim->index, what,
               hftl_status_text(status));
    bitmap_set(device->relocation.set_aside, victim->index); /* L4 */
    device->relocation.victim = NULL;
    device->relocation.errand.at = PICK;
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

static void read_tail(struct device *device)
{
    struct relocation *r = &device->relocation;
    struct errand_op *op = &r->ops[0];
    uint32_t position = geometry_tail(&device->geometry, r->victim->width) + r->tail_index;
    op->op = (struct hftl_media_op){.verb = HFTL_MEDIA_READ, .blocks = 1, .data = r->tail_block};
    band_locate(device, r->victim, position, &op->op);
    device->stats.media_reads++;
    device->stats.blocks_read_meta++;
    r->errand.at = IDENTS_READ;
    errand_send(&r->errand, op);
}

/* Identities are taken in portions: a tail block's, or as many positions of a sealed band. */
static bool has_portion(const struct device *device)
{
    const struct relocation *r = &device->relocation;
    return (uint64_t)r->tail_index * device->geometry.tail_max <
           geometry_tail(&device->geometry, r->victim->width);
}

static void start_portion(struct device *device)
{
    struct relocation *r = &device->relocation;
    uint32_t tail = geometry_tail(&device->geometry, r->victim->width);
    uint32_t first = r->tail_index * device->geometry.tail_max;
    r->idents_count = min_u32(device->geometry.tail_max, tail - first);
    r->ident_next = 0;
    r->errand.at = GATHER;
}

/* False: it is being read again, or the victim was set aside. */
static bool decode_tail(struct device *device)
{
    struct relocation *r = &device->relocation;
    struct tail_place place = tail_of(device, r->victim, r->tail_index);
    struct tail tail;
    enum hftl_status status = errand_take_status(&r->errand);
    if (status == HFTL_OK)
        status = tail_decode(&device->format, &place, r->tail_block, &tail);
    if (status == HFTL_OK)
        return true;
    if (!r->tail_retried) {
        r->tail_retried = true;
        read_tail(device);
        return false;
    }
    struct band *victim = r->victim;
    set_aside(device, "its tail cannot be read", status);
    band_read_end(device, victim);
    return false;
}

static const uint8_t *ident_bytes(const struct relocation *r, uint32_t tail_max, uint32_t index)
{
    if (r->victim->idents != NULL)
        return r->victim->idents + ((size_t)r->tail_index * tail_max + index) * FORMAT_IDENT_BYTES;
    return r->tail_block + FORMAT_TAIL_IDENTS_AT + (size_t)index * FORMAT_IDENT_BYTES;
}

static bool is_needed(const struct device *device, const struct ident *ident, uint32_t position)
{
    hftl_pba pba = geometry_pba(&device->geometry, device->relocation.victim->index, position);
    if (ident->kind == IDENT_DATA || ident->kind == IDENT_LOST)
        return map_holds(device, ident->lba, false, pba);
    return ident->kind == IDENT_TRIM && map_holds(device, ident->lba, true, pba);
}

/* The next blocks of the portion that the map points to. */
static void gather(struct device *device)
{
    struct relocation *r = &device->relocation;
    uint32_t tail_max = device->geometry.tail_max;
    r->batch_count = 0;
    r->batch_next = 0;
    r->retried = false;
    while (r->ident_next < r->idents_count && r->batch_count < RELOCATION_BATCH) {
        struct moving *moving = &r->batch[r->batch_count];
        uint32_t index = r->ident_next++;
        moving->position = r->tail_index * tail_max + index;
        moving->verified = false;
        if (ident_decode(ident_bytes(r, tail_max, index), &moving->ident) != HFTL_OK)
            continue;
        if (is_needed(device, &moving->ident, moving->position))
            r->batch_count++;
    }
}

/* ---- reading ---- */

static bool follows(const struct device *device, const struct moving *a, const struct moving *b)
{
    uint32_t width = device->relocation.victim->width;
    return b->position == a->position + 1 &&
           geometry_unit(&device->geometry, width, a->position) ==
               geometry_unit(&device->geometry, width, b->position);
}

static void send_read(struct device *device, struct errand_op *op, uint32_t first, uint32_t blocks)
{
    struct relocation *r = &device->relocation;
    const struct geometry *g = &device->geometry;
    op->op = (struct hftl_media_op){.verb = HFTL_MEDIA_READ,
                                    .blocks = blocks,
                                    .data = r->data + (size_t)first * g->block_bytes};
    if (g->oob)
        op->op.oob = r->oob + (size_t)first * g->oob_bytes;
    band_locate(device, r->victim, r->batch[first].position, &op->op);
    device->stats.media_reads++;
    device->stats.blocks_read_relocation += blocks;
    errand_send(&r->errand, op);
}

/* Reads what of the batch is not verified; neighbours on the medium in one go. */
static void read_batch(struct device *device)
{
    struct relocation *r = &device->relocation;
    uint32_t max = min_u32(RELOCATION_BATCH, device->medium->facts.transfer_blocks_max);
    uint32_t ops = 0;
    r->errand.at = READ;
    for (uint32_t i = 0; i < r->batch_count;) {
        uint32_t n = 1;
        if (r->batch[i].verified || r->batch[i].ident.kind == IDENT_LOST) {
            i++;
            continue;
        }
        while (i + n < r->batch_count && n < max && !r->batch[i + n].verified &&
               r->batch[i + n].ident.kind != IDENT_LOST &&
               follows(device, &r->batch[i + n - 1], &r->batch[i + n]))
            n++;
        send_read(device, &r->ops[ops++], i, n);
        i += n;
    }
    r->op_count = ops;
}

/* True when every block that was read verifies. */
static bool verify_batch(struct device *device)
{
    struct relocation *r = &device->relocation;
    const struct geometry *g = &device->geometry;
    bool all = true;
    (void)errand_take_status(&r->errand); /* a block that was not read does not verify */
    for (uint32_t i = 0; i < r->batch_count; i++) {
        struct moving *moving = &r->batch[i];
        if (moving->verified || moving->ident.kind == IDENT_LOST)
            continue;
        uint32_t crc = crc32c(0, r->data + (size_t)i * g->block_bytes, g->block_bytes);
        moving->verified =
            ident_verifies(&moving->ident, crc, band_salt(device, r->victim, moving->position));
        all = all && moving->verified;
    }
    return all;
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

static void move_block(struct device *device, uint32_t index, struct slot *slot)
{
    struct relocation *r = &device->relocation;
    struct stream *stream = &device->streams[STREAM_RELOCATION];
    struct moving *moving = &r->batch[index];
    uint32_t block_bytes = device->geometry.block_bytes;
    if (moving->verified)
        memcpy(slot->data, r->data + (size_t)index * block_bytes, block_bytes);
    else if (!give_up_block(device, moving, slot))
        return;
    uint32_t crc = crc32c(0, slot->data, block_bytes);
    if (mutant("reseq-on-relocation") && moving->ident.kind == IDENT_DATA)
        moving->ident.seq = (uint64_t)device->epoch << 32 | ++device->counter;
    device->relocation_clock++;
    stream->appended = device->relocation_clock;
    stream_commit(stream, moving->ident, crc);
    if (moving->ident.kind == IDENT_TRIM)
        map_set_page(device, (uint32_t)moving->ident.lba, slot->pba, MAP_BY_RELOCATION);
    else
        map_set(device, (hftl_lba){moving->ident.lba}, slot->pba,
                moving->ident.kind == IDENT_LOST ? ~crc : crc, MAP_BY_RELOCATION);
}

/* True when the batch is used up. */
static bool append_batch(struct device *device)
{
    struct relocation *r = &device->relocation;
    struct stream *stream = &device->streams[STREAM_RELOCATION];
    while (r->batch_next < r->batch_count) {
        struct moving *moving = &r->batch[r->batch_next];
        struct slot slot;
        if (!is_needed(device, &moving->ident, moving->position) &&
            !mutant("relocation-overrules-a-write")) { /* L3 */
            r->batch_next++;
            continue;
        }
        if (!stream_take(stream, FOR_RELOCATION, &slot)) {
            errand_wait(&r->errand,
                        stream->band == NULL ? &device->band_waiters : &stream->waiting);
            erase_consider(device); /* we are stuck now: it may have to ask for a flush */
            return false;
        }
        move_block(device, r->batch_next++, &slot);
    }
    return true;
}

/* ---- the errand ---- */

static void end_victim(struct device *device)
{
    struct relocation *r = &device->relocation;
    if (r->victim->valid > 0 &&
        !device->closing) /* a trim page that is made anew keeps it until the next flush */
        bitmap_set(r->set_aside, r->victim->index);
    r->victim = NULL;
    r->errand.at = PICK;
}

static bool pick(struct device *device)
{
    struct relocation *r = &device->relocation;
    r->victim = device->closing ? NULL : pick_victim(device);
    if (r->victim == NULL) {
        erase_consider(device);
        return false;
    }
    r->in_vain += r->victim->state == BAND_CLOSED;
    band_read_begin(r->victim); /* it may be emptied on the way, but is not erased under our feet */
    r->tail_index = 0;
    r->errand.at = IDENTS;
    device->stats.victims++;
    return true;
}

static bool next_idents(struct device *device)
{
    struct relocation *r = &device->relocation;
    bool there = r->victim->state == BAND_SEALED || r->victim->state == BAND_CLOSED;
    if (!there || r->victim->valid == 0 || device->closing || !has_portion(device)) {
        band_read_end(device, r->victim);
        end_victim(device);
        return true;
    }
    r->tail_retried = false;
    if (r->victim->idents != NULL)
        start_portion(device);
    else
        read_tail(device);
    return r->errand.in_flight == 0;
}

static bool go_on(struct device *device)
{
    struct relocation *r = &device->relocation;
    switch ((enum deed)r->errand.at) {
    case PICK:
        return pick(device);
    case IDENTS:
        return next_idents(device);
    case IDENTS_READ:
        if (decode_tail(device))
            start_portion(device);
        return r->errand.in_flight == 0;
    case GATHER:
        gather(device);
        if (r->batch_count > 0) {
            read_batch(device);
            return r->errand.in_flight == 0;
        }
        r->tail_index++;
        r->errand.at = IDENTS;
        return true;
    case READ:
        if (!verify_batch(device) && !r->retried) {
            r->retried = true;
            read_batch(device);
            return false;
        }
        r->errand.at = APPEND;
        return true;
    case APPEND:
        if (!append_batch(device))
            return false;
        r->errand.at = GATHER;
        return true;
    }
    return false;
}

static void step(struct device *device, struct errand *errand)
{
    (void)errand;
    if (device->read_only)
        return;
    while (go_on(device))
        continue;
}

void relocation_init(struct device *device)
{
    errand_init(&device->relocation.errand, device, "relocation", step);
}

void relocation_consider(struct device *device)
{
    if (device->relocation.errand.at == PICK)
        errand_wake(&device->relocation.errand);
}

bool relocation_is_idle(const struct device *device)
{
    return device->relocation.errand.at == PICK;
}

bool relocation_try_again(struct device *device)
{
    struct relocation *r = &device->relocation;
    size_t words = bitmap_words(device->geometry.bands);
    bool any = false;
    for (size_t i = 0; i < words; i++)
        any = any || r->set_aside[i] != 0;
    if (!any || r->second_chances == RELOCATION_CHANCES_MAX)
        return false;
    r->second_chances++;
    r->in_vain = 0;
    memset(r->set_aside, 0, words * sizeof(uint64_t));
    relocation_consider(device);
    return true;
}
