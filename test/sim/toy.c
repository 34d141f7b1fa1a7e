/* SPDX-License-Identifier: BSD-3-Clause */
#include "test/sim/toy.h"

#include "base/crc.h"
#include "base/must.h"

#include "sim/nand.h"

#include <string.h>

#define BLOCKS 150u
#define BLOCK_BYTES 512u
#define QUEUE 64u
#define SALT 0x70795au

enum toy_lie toy_lie = TOY_NONE;

const char *toy_lie_name(enum toy_lie lie)
{
    static const char *const names[] = {
#define NAME(name) #name,
        TOY_LIE_LIST(NAME)
#undef NAME
    };
    return names[lie];
}

const struct shape toy_shape = {
    .name = "toy",
    .steady = true, /* the toy keeps no verdicts */
    .text = "a medium that never fills",
    .facts = {.size = sizeof(struct hftl_media_facts),
              .kind = HFTL_KIND_OCSSD,
              .flags = HFTL_MEDIA_NEEDS_ERASE | HFTL_MEDIA_CAN_RESET_OPEN,
              .block_bytes = BLOCK_BYTES,
              .oob_bytes = 16,
              .groups = 1,
              .pus_per_group = 1,
              .chunks_per_pu = 120,
              .chunk_blocks = 24,
              .ws_min = 1,
              .ws_opt = 4,
              .transfer_blocks_max = 16,
              .volatile_cache = true},
    .delay_max = 2};

const struct story toy_story = {.name = "toy",
                                .text = "a bit of everything",
                                .requests = 160,
                                .fill_percent = 20,
                                .span_percent = 50,
                                .hot_percent = 60,
                                .blocks_max = 3,
                                .writes = 50,
                                .reads = 20,
                                .trims = 10,
                                .zeroes = 4,
                                .flushes = 12,
                                .fua_percent = 8,
                                .reopen_every = 45,
                                .depth = 6};

struct label {
    uint32_t crc, lba, seq, trim;
};

struct place {
    uint32_t seq, chunk, offset;
    bool trim;
};

struct device {
    struct world world;
    void (*complete)(void *arg, struct hftl_request *request);
    void *complete_arg;
    struct hftl_media *medium;
    struct place now[BLOCKS], before[BLOCKS];
    struct hftl_request *queue[QUEUE];
    uint32_t queued, done; /* done: blocks of queue[0] */
    uint32_t chunk, offset, seq, reads;
    bool waiting, flushing, landed;
    struct hftl_media_op op;
    struct label label;
    uint8_t block[BLOCK_BYTES];
};

static bool lies(enum toy_lie lie)
{
    return toy_lie == lie;
}

static void land(struct hftl_media_op *op)
{
    *(bool *)op->owner = true;
}

/* Does not return where the drive stands still: the world gives it up. */
static enum hftl_status run_op(const struct world *world, struct hftl_media *medium,
                               struct hftl_media_op *op)
{
    bool landed = false;
    op->land = land;
    op->owner = &landed;
    medium->ops->submit(medium, &op, 1);
    while (!landed)
        if (medium->ops->reap(medium, 16) == 0)
            world->wait(world->arg, medium);
    return op->status;
}

static uint32_t sum(const struct label *label, const uint8_t *block)
{
    struct label clean = *label;
    clean.crc = SALT;
    return crc32c(crc32c(0, &clean, sizeof clean), block, BLOCK_BYTES);
}

/* ---- opening --------------------------------------------------------------------------------- */

static enum hftl_status toy_format(struct hftl_media *medium, const struct world *world,
                                   const struct hftl_format_options *options,
                                   struct hftl_info *info, struct why *why)
{
    (void)options;
    (void)info;
    (void)why;
    for (uint32_t i = 0; i < hftl_media_chunks(&medium->facts); i++) {
        struct hftl_chunk chunk;
        struct hftl_media_op ask = {.verb = HFTL_MEDIA_REPORT, .chunk = i, .blocks = 1};
        ask.out.report = &chunk;
        struct hftl_media_op reset = {.verb = HFTL_MEDIA_RESET, .chunk = i};
        if (run_op(world, medium, &ask) == HFTL_OK && chunk.state != HFTL_CHUNK_FREE)
            (void)run_op(world, medium, &reset);
    }
    return HFTL_OK;
}

static void believe(struct device *d, const struct label *label, const uint8_t *block,
                    uint32_t chunk, uint32_t offset)
{
    if (label->crc != sum(label, block) && !(lies(TOY_BELIEVES_TORN_BLOCKS) && label->crc))
        return;
    if (label->lba >= BLOCKS)
        return;
    struct place *p = &d->now[label->lba];
    bool older = lies(TOY_OLDER_WINS) && p->seq && label->seq < p->seq;
    if (label->seq > d->seq)
        d->seq = label->seq;
    if (older || (label->seq > p->seq && !(lies(TOY_OLDER_WINS) && p->seq)))
        *p = (struct place){label->seq, chunk, offset, label->trim != 0};
}

static void load_chunk(struct device *d, uint32_t at)
{
    struct hftl_chunk chunk;
    struct label label;
    struct hftl_media_op ask = {.verb = HFTL_MEDIA_REPORT, .chunk = at, .blocks = 1};
    ask.out.report = &chunk;
    (void)run_op(&d->world, d->medium, &ask);
    for (uint32_t i = 0; i < chunk.wp; i++) {
        struct hftl_media_op read = {.verb = HFTL_MEDIA_READ,
                                     .chunk = at,
                                     .offset = i,
                                     .blocks = 1,
                                     .data = d->block,
                                     .oob = &label};
        if (run_op(&d->world, d->medium, &read) == HFTL_OK)
            believe(d, &label, d->block, at, i);
    }
    if (chunk.wp) {
        d->chunk = chunk.state == HFTL_CHUNK_FULL ? at + 1 : at;
        d->offset = chunk.state == HFTL_CHUNK_FULL ? 0 : chunk.wp;
    }
}

static enum hftl_status toy_open(struct hftl_media *medium, const struct device_options *options,
                                 struct device **device, struct why *why)
{
    (void)why;
    struct device *d = options->world.alloc(options->world.arg, sizeof *d);
    must(d != NULL);
    *device = d;
    d->world = options->world;
    d->complete = options->complete;
    d->complete_arg = options->complete_arg;
    d->medium = medium;
    if (lies(TOY_LEAKS))
        (void)d->world.alloc(d->world.arg, 24);
    struct hftl_media_op flush = {.verb = HFTL_MEDIA_FLUSH};
    if (!lies(TOY_NO_FLUSH_AT_OPEN))
        (void)run_op(&d->world, medium, &flush);
    for (uint32_t i = 0; i < hftl_media_chunks(&medium->facts); i++)
        load_chunk(d, i);
    return HFTL_OK;
}

static void toy_discard(struct device *d)
{
    d->world.release(d->world.arg, d, sizeof *d);
}

static enum hftl_status toy_close(struct device *d)
{
    struct hftl_media_op flush = {.verb = HFTL_MEDIA_FLUSH};
    if (!lies(TOY_FLUSH_DOES_NOTHING))
        (void)run_op(&d->world, d->medium, &flush);
    toy_discard(d);
    return HFTL_OK;
}

/* ---- running --------------------------------------------------------------------------------- */

static void toy_submit(struct device *d, struct sender *sender, struct hftl_request *request)
{
    (void)sender;
    must(d->queued < QUEUE);
    d->queue[d->queued++] = request;
}

static uint8_t *block_of(const struct hftl_request *r, uint64_t index)
{
    size_t at = index * BLOCK_BYTES;
    int i = 0;
    for (; at >= r->iov[i].iov_len; i++)
        at -= r->iov[i].iov_len;
    return (uint8_t *)r->iov[i].iov_base + at;
}

static void answer(struct device *d, enum hftl_status status)
{
    struct hftl_request *r = d->queue[0];
    bool twice = lies(TOY_ANSWERS_TWICE) && d->seq % 16 == 15;
    memmove(d->queue, d->queue + 1, (d->queued - 1) * sizeof *d->queue);
    d->queued--;
    d->done = 0;
    d->flushing = false;
    r->status = status;
    d->complete(d->complete_arg, r);
    if (twice)
        d->complete(d->complete_arg, r);
}

static void send(struct device *d, enum hftl_media_verb verb)
{
    struct hftl_media_op *op = &d->op;
    d->op.verb = verb;
    d->op.land = land;
    d->op.owner = &d->landed;
    d->landed = false;
    d->waiting = true;
    d->medium->ops->submit(d->medium, &op, 1);
}

static void send_flush(struct device *d)
{
    d->flushing = true;
    send(d, HFTL_MEDIA_FLUSH);
}

static void send_block(struct device *d, const struct hftl_request *r)
{
    uint32_t lba = (uint32_t)(r->lba + d->done);
    bool trim = r->verb != HFTL_WRITE;
    memset(d->block, 0, BLOCK_BYTES);
    if (!trim)
        memcpy(d->block, block_of(r, d->done), BLOCK_BYTES);
    d->label = (struct label){0, lba, ++d->seq, trim};
    d->label.crc = sum(&d->label, d->block);
    bool kept =
        !(lies(TOY_LOST_UPDATE) && !trim && d->seq % 8 == 7) && !(lies(TOY_FORGETS_A_TRIM) && trim);
    if (kept) {
        d->before[lba] = d->now[lba];
        d->now[lba] = (struct place){d->seq, d->chunk, d->offset, trim};
    }
    uint32_t jump = lies(TOY_WRITES_OUT_OF_ORDER) && d->seq == 60;
    d->op = (struct hftl_media_op){.chunk = d->chunk,
                                   .offset = d->offset + jump,
                                   .blocks = 1,
                                   .data = d->block,
                                   .oob = &d->label};
    if (++d->offset == d->medium->facts.chunk_blocks) {
        d->offset = 0;
        d->chunk++;
    }
    d->done++;
    if (trim && lies(TOY_TRIM_IN_MEMORY))
        d->label.lba = BLOCKS, d->label.crc = sum(&d->label, d->block);
    send(d, HFTL_MEDIA_WRITE);
}

/* Writes to the last chunk and erases it, again and again. */
static void dawdle(struct device *d)
{
    static uint8_t garbage[BLOCK_BYTES];
    bool erase = d->op.chunk == toy_shape.facts.chunks_per_pu - 1 && d->op.verb == HFTL_MEDIA_WRITE;
    d->op = (struct hftl_media_op){
        .chunk = toy_shape.facts.chunks_per_pu - 1, .blocks = 1, .data = garbage};
    send(d, erase ? HFTL_MEDIA_RESET : HFTL_MEDIA_WRITE);
}

static void change(struct device *d, const struct hftl_request *r)
{
    bool fua = (r->flags & HFTL_FUA) && !lies(TOY_FUA_DOES_NOTHING);
    if (lies(TOY_DAWDLES) && d->seq == 100) {
        dawdle(d);
        return;
    }
    if (d->done < r->blocks)
        send_block(d, r);
    else if (fua && !d->flushing)
        send_flush(d);
    else
        answer(d, HFTL_OK);
}

static void read_on(struct device *d, const struct hftl_request *r)
{
    if (d->done == r->blocks) {
        bool fails = lies(TOY_FAILS_A_READ) && ++d->reads % 10 == 0;
        answer(d, fails ? HFTL_IO : HFTL_OK);
        return;
    }
    uint32_t lba = (uint32_t)(r->lba + d->done);
    uint32_t shift = lies(TOY_WRONG_BLOCK) && lba % 9 == 8;
    struct place p = d->now[lba - shift];
    if (lies(TOY_STALE_READ) && d->before[lba].seq && lba % 5 == 0)
        p = d->before[lba];
    if (lies(TOY_GOES_BACK) && d->before[lba].seq && ++d->reads % 2 == 0)
        p = d->before[lba];
    uint8_t *block = block_of(r, d->done++);
    memset(block, 0, BLOCK_BYTES);
    if (p.seq == 0 || p.trim)
        return;
    d->op = (struct hftl_media_op){
        .chunk = p.chunk, .offset = p.offset, .blocks = 1, .data = block, .oob = &d->label};
    send(d, HFTL_MEDIA_READ);
}

static bool toy_step(struct device *d)
{
    d->medium->ops->reap(d->medium, 16);
    if (d->waiting && !d->landed)
        return false;
    d->waiting = false;
    if (d->queued == 0)
        return false;
    struct hftl_request *r = d->queue[0];
    if (lies(TOY_NEVER_ANSWERS) && d->seq == 100)
        return false;
    if (r->verb == HFTL_READ)
        read_on(d, r);
    else if (r->verb != HFTL_FLUSH)
        change(d, r);
    else if (d->flushing || lies(TOY_FLUSH_DOES_NOTHING))
        answer(d, HFTL_OK);
    else
        send_flush(d);
    return true;
}

static bool toy_is_idle(const struct device *d)
{
    return d->queued == 0 && !d->waiting;
}

static void toy_get_info(const struct device *d, struct hftl_info *info)
{
    (void)d;
    info->blocks = BLOCKS;
}

static void toy_get_stats(const struct device *d, struct hftl_stats *stats)
{
    (void)d;
    (void)stats;
}

static uint64_t toy_blocks(const struct device *d)
{
    (void)d;
    return BLOCKS;
}

static enum hftl_status toy_check(const struct device *d, struct why *why)
{
    (void)d;
    (void)why;
    return HFTL_OK;
}

const struct engine engine_toy = {.format = toy_format,
                                  .open = toy_open,
                                  .close = toy_close,
                                  .discard = toy_discard,
                                  .submit = toy_submit,
                                  .step = toy_step,
                                  .is_idle = toy_is_idle,
                                  .get_info = toy_get_info,
                                  .get_stats = toy_get_stats,
                                  .blocks = toy_blocks,
                                  .check = toy_check};

/* Lies leak on purpose, and what an abort interrupts leaks too. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return 1;
}
