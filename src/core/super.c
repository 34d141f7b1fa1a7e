/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/super.h"

#include "base/bytes.h"
#include "base/must.h"
#include "base/mutant.h"
#include "core/engine.h"

#include <string.h>

enum deed { IDLE, COPY, FILL, RESET, WRITE, SYNC };

uint32_t super_run_blocks(const struct geometry *g, uint64_t record_bytes)
{
    uint64_t blocks = div_round_up_u64(record_bytes, g->block_bytes) + g->mw_cunits;
    return (uint32_t)round_up_u64(blocks, g->ws_min);
}

static struct verdict_list verdicts_of(const struct super *super)
{
    return (struct verdict_list){.verdicts = super->verdicts, .count = super->verdict_count};
}

/* O14: a verdict stays as long as its band has not been erased. */
static void drop_verdicts(struct device *device)
{
    struct super *super = &device->super;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < super->verdict_count; i++) {
        const struct band *band = &device->bands[super->verdicts[i].band];
        /* Until it was erased a band keeps the generation it was found with; 0: not known. */
        bool same = band->generation == super->verdicts[i].generation || band->generation == 0;
        if (same && band->state != BAND_FREE && !mutant("verdict-not-repeated"))
            super->verdicts[kept++] = super->verdicts[i];
    }
    super->verdict_count = kept;
}

static void encode(struct device *device, struct super_copy *copy)
{
    struct super *super = &device->super;
    struct verdict_list list = verdicts_of(super);
    uint64_t bytes = superblock_bytes(device->geometry.block_bytes, &list);
    super->run_blocks = super_run_blocks(&device->geometry, bytes);
    must_show((uint64_t)super->run_blocks * device->geometry.block_bytes <= super->bytes_room,
              super->run_blocks, super->bytes_room);
    memset(super->bytes, 0, (size_t)super->run_blocks * device->geometry.block_bytes);
    super->record.copy = (uint32_t)super->copy;
    super->record.offset = copy->state.wp;
    superblock_encode(&device->format, &super->record, &list, super->bytes, (size_t)bytes);
    super->written = 0;
}

static bool has_room(const struct device *device, const struct super_copy *copy)
{
    const struct super *super = &device->super;
    struct verdict_list list = verdicts_of(super);
    uint64_t bytes = superblock_bytes(device->geometry.block_bytes, &list);
    uint32_t run = super_run_blocks(&device->geometry, bytes);
    bool open = copy->state.state == HFTL_CHUNK_FREE || copy->state.state == HFTL_CHUNK_OPEN ||
                copy->state.state == HFTL_CHUNK_PAUSED;
    /* Otherwise whatever is there goes. So does what a reset left that a cut stopped half way: an
     * old record may have been spared, and not the one that the chunk is found by. */
    bool ours = copy->state.wp == 0 ||
                (copy->newest > 0 && (!copy->headless || mutant("headless-copy-in-use")));
    return open && ours && (uint64_t)copy->state.wp + run <= device->geometry.chunk_blocks;
}

/* O5: left by a reset that a cut stopped half way. Whoever began it had all that counts in the
 * other copy. A newer record can be here all the same, one that a cut had left unreadable before
 * the reset (mw_cunits): nobody acknowledged it, and no opening that found it came to its end. */
static bool is_leftover(const struct super_copy *copy, const struct super_copy *other)
{
    return copy->headless && !other->headless && !other->dead && other->newest > 0;
}

static void send(struct device *device, enum deed deed, struct hftl_media_op op)
{
    struct super *super = &device->super;
    super->op.op = op;
    super->errand.at = deed;
    errand_send(&super->errand, &super->op);
}

static void send_write(struct device *device)
{
    struct super *super = &device->super;
    const struct super_copy *copy = &super->copies[super->copy];
    uint32_t max = device->medium->facts.transfer_blocks_max / device->geometry.ws_min *
                   device->geometry.ws_min;
    uint32_t blocks = min_u32(super->run_blocks - super->written, max);
    send(device, WRITE,
         (struct hftl_media_op){.verb = HFTL_MEDIA_WRITE,
                                .chunk = copy->chunk,
                                .offset = copy->state.wp,
                                .blocks = blocks,
                                .data = super->bytes +
                                        (size_t)super->written * device->geometry.block_bytes});
}

static void end(struct device *device, enum hftl_status status)
{
    struct super *super = &device->super;
    super->busy = false;
    super->result = status;
    super->errand.at = IDLE;
    if (status == HFTL_OK)
        device->epoch_durable = super->record.epoch;
    else
        device_degrade(device, status, "writing the superblock");
    errand_wake_all(&super->waiters);
}

static void start_copy(struct device *device);

static void go_to_other(struct device *device)
{
    struct super *super = &device->super;
    const struct super_copy *other = &super->copies[1 - super->copy];
    if (other->dead || other->newest == super->record.number) {
        end(device, HFTL_OK);
        return;
    }
    super->copy = 1 - super->copy;
    start_copy(device);
}

/* The copy takes no more records. With the record in the other one the device goes on. */
static void give_up_copy(struct device *device, enum hftl_status status)
{
    struct super *super = &device->super;
    struct super_copy *other = &super->copies[1 - super->copy];
    super->copies[super->copy].dead = true;
    device_log(device, HFTL_LOG_ERROR, "superblock copy %c (chunk %u) is given up: %s",
               'A' + super->copy, super->copies[super->copy].chunk, hftl_status_text(status));
    if (other->dead)
        end(device, status);
    else if (other->newest == super->record.number)
        end(device, HFTL_OK);
    else
        go_to_other(device);
}

static bool may_be_reset(const struct device *device, const struct super_copy *copy)
{
    return copy->state.state == HFTL_CHUNK_FULL ||
           (device->medium->facts.flags & HFTL_MEDIA_CAN_RESET_OPEN) != 0;
}

/* A chunk with a rest too short for a record, on a drive that resets full chunks only. */
static void send_fill(struct device *device)
{
    struct super *super = &device->super;
    const struct super_copy *copy = &super->copies[super->copy];
    uint32_t room = (uint32_t)(super->bytes_room / device->geometry.block_bytes);
    uint32_t max = min_u32(room, device->medium->facts.transfer_blocks_max) /
                   device->geometry.ws_min * device->geometry.ws_min;
    uint32_t blocks = min_u32(max, device->geometry.chunk_blocks - copy->state.wp);
    memset(super->bytes, 0, (size_t)blocks * device->geometry.block_bytes);
    send(device, FILL,
         (struct hftl_media_op){.verb = HFTL_MEDIA_WRITE,
                                .chunk = copy->chunk,
                                .offset = copy->state.wp,
                                .blocks = blocks,
                                .data = super->bytes});
}

static void send_reset(struct device *device)
{
    struct super *super = &device->super;
    const struct super_copy *copy = &super->copies[super->copy];
    if (!may_be_reset(device, copy)) {
        send_fill(device);
        return;
    }
    send(device, RESET, (struct hftl_media_op){.verb = HFTL_MEDIA_RESET, .chunk = copy->chunk});
}

static void after_fill(struct device *device)
{
    struct super_copy *copy = &device->super.copies[device->super.copy];
    copy->state.wp += device->super.op.op.blocks;
    if (copy->state.wp == device->geometry.chunk_blocks)
        copy->state.state = HFTL_CHUNK_FULL;
    send_reset(device);
}

/* O5: a full copy is reset only when the other holds the newest record but this one, or this one is
 * a leftover; and when the other is found without it. */
static void start_copy(struct device *device)
{
    struct super *super = &device->super;
    struct super_copy *copy = &super->copies[super->copy];
    const struct super_copy *other = &super->copies[1 - super->copy];
    if (copy->dead || copy->state.state == HFTL_CHUNK_OFFLINE ||
        copy->state.state == HFTL_CHUNK_READ_ONLY) {
        give_up_copy(device, HFTL_OFFLINE);
        return;
    }
    if (has_room(device, copy)) {
        encode(device, copy);
        send_write(device);
        return;
    }
    if (other->dead || (other->headless && !mutant("headless-copy-in-use")) ||
        (copy->newest > other->newest && !is_leftover(copy, other))) {
        give_up_copy(device, HFTL_SPACE);
        return;
    }
    send_reset(device);
}

static void after_write(struct device *device)
{
    struct super *super = &device->super;
    struct super_copy *copy = &super->copies[super->copy];
    uint32_t blocks = super->op.op.blocks;
    copy->state.wp += blocks;
    copy->state.state =
        copy->state.wp == device->geometry.chunk_blocks ? HFTL_CHUNK_FULL : HFTL_CHUNK_OPEN;
    super->written += blocks;
    if (super->written < super->run_blocks) {
        send_write(device);
        return;
    }
    if (mutant("superblock-both-at-once") &&
        super->copies[1 - super->copy].newest != super->record.number) {
        copy->newest = super->record.number;
        super->copy = 1 - super->copy;
        start_copy(device);
        return;
    }
    send(device, SYNC, (struct hftl_media_op){.verb = HFTL_MEDIA_FLUSH});
}

static void step(struct device *device, struct errand *errand)
{
    struct super *super = &device->super;
    enum hftl_status status = errand_take_status(errand);
    if (status != HFTL_OK && errand->at != SYNC) {
        give_up_copy(device, status);
        return;
    }
    if (status != HFTL_OK) { /* a flush that fails is not one chunk's matter */
        end(device, status);
        return;
    }
    switch ((enum deed)errand->at) {
    case IDLE:
        return;
    case COPY:
        start_copy(device);
        return;
    case FILL:
        after_fill(device);
        return;
    case RESET:
        super->copies[super->copy].state = (struct hftl_chunk){.state = HFTL_CHUNK_FREE};
        super->copies[super->copy].newest = 0;
        super->copies[super->copy].headless = false;
        encode(device, &super->copies[super->copy]);
        send_write(device);
        return;
    case WRITE:
        after_write(device);
        return;
    case SYNC:
        super->copies[super->copy].newest = super->record.number;
        go_to_other(device);
        return;
    }
}

void super_init(struct device *device)
{
    errand_init(&device->super.errand, device, "superblock", step);
    list_init(&device->super.waiters);
}

void super_write(struct device *device)
{
    struct super *super = &device->super;
    must(!super->busy);
    drop_verdicts(device);
    super->busy = true;
    /* A copy that missed the last record goes first: it is the one that may be reset. */
    super->copy = super->copies[1].newest < super->copies[0].newest ? 1 : 0;
    if (super->copies[0].newest == super->copies[1].newest && super->copies[1].headless)
        super->copy = 1;
    const struct super_copy *first = &super->copies[super->copy];
    const struct super_copy *second = &super->copies[1 - super->copy];
    if (is_leftover(second, first) && !has_room(device, first))
        super->copy = 1 - super->copy;
    if (mutant("newest-superblock-first"))
        super->copy = 1 - super->copy;
    if (super->copies[super->copy].dead)
        super->copy = 1 - super->copy;
    super->record.number++;
    super->record.layout = device->layout;
    super->record.seq = (uint64_t)device->epoch << 32 | (device->counter & UINT32_MAX);
    super->record.witness = device->witness;
    super->record.generation_next = (uint64_t)device->epoch << 32 | device->generation_count;
    super->errand.at = COPY;
    errand_wake(&super->errand);
}
