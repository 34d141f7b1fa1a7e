/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flat.c - operations of an open flat medium. Each is judged when it is submitted; a write moves
 * the write pointer when the file or device has taken it.
 */
#define _GNU_SOURCE
#include "media/flat.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/bitmap.h"
#include "base/bytes.h"
#include "base/must.h"
#include "media/flat_drive.h"

#define READ_GAP_BYTES (32u << 10)

uint64_t flat_data_of(const struct flat *flat, uint32_t chunk, uint32_t offset)
{
    const struct hftl_media_facts *f = &flat->media.facts;
    return flat->file.header.data_at +
           ((uint64_t)chunk * f->chunk_blocks + offset) * (uint64_t)f->block_bytes;
}

void flat_done(struct flat *flat, struct hftl_media_op *op, enum hftl_status status)
{
    op->status = status;
    op->link = NULL;
    *flat->done_last = op;
    flat->done_last = &op->link;
}

void flat_set_unsynced(struct flat *flat, uint32_t chunk)
{
    if (flat->is_unsynced[chunk])
        return;
    flat->is_unsynced[chunk] = true;
    flat->unsynced[flat->unsynced_count++] = chunk;
}

/* ---- jobs -------------------------------------------------------------------------------- */

static bool needs_bounce(const struct flat *flat, const struct hftl_media_op *op)
{
    return !op || (flat->file.direct && (uintptr_t)op->data % FLAT_PAGE_BYTES != 0);
}

struct flat_job *flat_take_job(struct flat *flat, struct hftl_media_op *op)
{
    struct flat_job *job = flat->spare_jobs;
    if (job)
        flat->spare_jobs = job->spare;
    else
        job = malloc(sizeof *job);
    if (!job)
        return NULL;
    memset(job, 0, sizeof *job);
    job->flat = flat;
    job->op = op;
    size_t count = op ? (size_t)op->blocks * FLAT_BLOCK_BYTES : FLAT_PAGE_BYTES;
    if (needs_bounce(flat, op))
        job->bounce = flat_take_bytes(count);
    if (needs_bounce(flat, op) && !job->bounce) {
        flat_give_job(flat, job);
        return NULL;
    }
    if (op)
        job->job = (struct fileio_job){.fd = flat->file.fd,
                                       .bytes = job->bounce ? job->bounce : op->data,
                                       .count = count,
                                       .at = flat_data_of(flat, op->chunk, op->offset)};
    return job;
}

void flat_give_job(struct flat *flat, struct flat_job *job)
{
    free(job->bounce);
    job->bounce = NULL;
    job->spare = flat->spare_jobs;
    flat->spare_jobs = job;
}

/* ---- operations -------------------------------------------------------------------------- */

static void finish_write(struct fileio_job *job)
{
    struct flat_job *write = (struct flat_job *)job;
    struct flat *flat = write->flat;
    struct hftl_media_op *op = write->op;
    if (job->error == 0) {
        ledger_write(&flat->ledger, op->chunk, op->blocks);
        flat_set_unsynced(flat, op->chunk);
    }
    flat_done(flat, op, status_of_errno(job->error));
    flat_give_job(flat, write);
}

static void submit_write(struct flat *flat, struct hftl_media_op *op)
{
    struct flat_job *write = flat_take_job(flat, op);
    if (!write) {
        flat_done(flat, op, HFTL_MEMORY);
        return;
    }
    if (write->bounce)
        memcpy(write->bounce, op->data, write->job.count);
    write->job.verb = FILEIO_WRITE;
    write->job.done = finish_write;
    fileio_submit(flat->io, &write->job);
}

static void finish_read(struct fileio_job *job)
{
    struct flat_job *read = (struct flat_job *)job;
    struct flat *flat = read->flat;
    struct hftl_media_op *op = read->op;
    if (job->error == 0 && read->bounce)
        memcpy(op->data, read->bounce, job->count);
    flat_done(flat, op, status_of_errno(job->error));
    flat_give_job(flat, read);
}

/* True when the page cache had it all. */
static bool read_quickly(struct flat *flat, const struct hftl_media_op *op)
{
    size_t count = (size_t)op->blocks * FLAT_BLOCK_BYTES;
    struct iovec piece = {op->data, count};
    if (flat->file.direct)
        return false;
    uint64_t at = flat_data_of(flat, op->chunk, op->offset);
    ssize_t n = preadv2(flat->file.fd, &piece, 1, (off_t)at, RWF_NOWAIT);
    return n >= 0 && (size_t)n == count;
}

static void submit_read(struct flat *flat, struct hftl_media_op *op)
{
    if (read_quickly(flat, op)) {
        flat_done(flat, op, HFTL_OK);
        return;
    }
    struct flat_job *read = flat_take_job(flat, op);
    if (!read) {
        flat_done(flat, op, HFTL_MEMORY);
        return;
    }
    read->job.verb = FILEIO_READ;
    read->job.done = finish_read;
    fileio_submit(flat->io, &read->job);
}

static void submit_reset(struct flat *flat, struct hftl_media_op *op)
{
    struct flat_record *record = &flat->file.records[op->chunk];
    ledger_reset(&flat->ledger, op->chunk);
    record->durable = 0;
    record->finished = false;
    record->wear = flat->ledger.chunks[op->chunk].wear;
    flat_sync_note(flat, op->chunk);
    flat_sync_join(flat, op);
}

static void finish_discard(struct fileio_job *job)
{
    struct flat_job *discard = (struct flat_job *)job;
    struct flat *flat = discard->flat;
    /* What the device makes of it is its own affair, the reset is done. */
    if (job->error == EOPNOTSUPP || job->error == ENOTTY)
        flat->no_discard = true;
    flat_done(flat, discard->op, HFTL_OK);
    flat_give_job(flat, discard);
}

/* The op lands after the discard: before, it could eat the next write to the chunk. */
void flat_end_reset(struct flat *flat, struct hftl_media_op *op)
{
    struct flat_job *discard = flat->no_discard ? NULL : flat_take_job(flat, NULL);
    if (!discard) {
        flat_done(flat, op, HFTL_OK);
        return;
    }
    discard->op = op;
    discard->job = (struct fileio_job){.verb = FILEIO_DISCARD,
                                       .fd = flat->file.fd,
                                       .count = flat_data_of(flat, 1, 0) - flat_data_of(flat, 0, 0),
                                       .at = flat_data_of(flat, op->chunk, 0),
                                       .done = finish_discard};
    fileio_submit(flat->io, &discard->job);
}

static void submit_finish(struct flat *flat, struct hftl_media_op *op)
{
    ledger_finish(&flat->ledger, op->chunk);
    flat_set_unsynced(flat, op->chunk);
    flat_sync_join(flat, op);
}

static void submit_flush(struct flat *flat, struct hftl_media_op *op)
{
    bool idle = flat->unsynced_count == 0 && flat->sync.state == FLAT_SYNC_IDLE;
    if (flat->read_only || (idle && !flat->sync.failed))
        flat_done(flat, op, HFTL_OK);
    else
        flat_sync_join(flat, op);
}

static void act(struct flat *flat, struct hftl_media_op *op)
{
    switch (op->verb) {
    case HFTL_MEDIA_WRITE:
        submit_write(flat, op);
        break;
    case HFTL_MEDIA_READ:
        submit_read(flat, op);
        break;
    case HFTL_MEDIA_RESET:
        submit_reset(flat, op);
        break;
    case HFTL_MEDIA_FINISH:
        submit_finish(flat, op);
        break;
    case HFTL_MEDIA_FLUSH:
        submit_flush(flat, op);
        break;
    case HFTL_MEDIA_REPORT: /* made when it lands, so that it is fresh */
        flat_done(flat, op, HFTL_OK);
        break;
    case HFTL_MEDIA_APPEND: /* the ledger refused it */
    case HFTL_MEDIA_EVENT:
    case HFTL_MEDIA_VERB_COUNT:
        flat_done(flat, op, HFTL_AGAIN);
        break;
    }
}

static void submit_op(struct flat *flat, struct hftl_media_op *op)
{
    bool changes = op->verb == HFTL_MEDIA_WRITE || op->verb == HFTL_MEDIA_RESET ||
                   op->verb == HFTL_MEDIA_FINISH;
    enum hftl_status status = ledger_judge(&flat->ledger, op);
    ledger_depart(&flat->ledger, op);
    if (status == HFTL_OK && flat->read_only && changes)
        status = HFTL_READ_ONLY;
    if (status != HFTL_OK)
        flat_done(flat, op, status);
    else
        act(flat, op);
}

/* ---- the contract ------------------------------------------------------------------------ */

static void submit_ops(struct hftl_media *media, struct hftl_media_op **ops, unsigned count)
{
    struct flat *flat = (struct flat *)media;
    for (unsigned i = 0; i < count; i++)
        submit_op(flat, ops[i]);
    flat->in_flight += count;
    fileio_kick(flat->io);
}

static unsigned reap_ops(struct hftl_media *media, unsigned max)
{
    struct flat *flat = (struct flat *)media;
    unsigned landed = 0;
    (void)fileio_reap(flat->io);
    while (landed < max && flat->done_first) {
        struct hftl_media_op *op = flat->done_first;
        flat->done_first = op->link;
        if (!flat->done_first)
            flat->done_last = &flat->done_first;
        ledger_arrive(&flat->ledger, op);
        if (op->verb == HFTL_MEDIA_REPORT && op->status == HFTL_OK)
            memcpy(op->out.report, &flat->ledger.chunks[op->chunk],
                   op->blocks * sizeof *op->out.report);
        flat->in_flight--;
        landed++;
        op->land(op); /* may submit again, or free the op */
    }
    return landed;
}

static int find_fd(struct hftl_media *media)
{
    struct flat *flat = (struct flat *)media;
    if (!flat->done_first)
        fileio_quieten(flat->io);
    if (flat->done_first)
        fileio_ring(flat->io);
    return flat->eventfd;
}

void flat_abandon(struct hftl_media *media)
{
    struct flat *flat = (struct flat *)media;
    fileio_destroy(flat->io);
    while (flat->spare_jobs) {
        struct flat_job *next = flat->spare_jobs->spare;
        free(flat->spare_jobs);
        flat->spare_jobs = next;
    }
    if (flat->eventfd >= 0)
        close(flat->eventfd);
    ledger_destroy(&flat->ledger);
    flat_file_close(&flat->file);
    free(flat->unsynced);
    free(flat->is_unsynced);
    free(flat->sync.captured);
    free(flat->sync.changed);
    free(flat);
}

static void note_landing(struct hftl_media_op *op)
{
    *(bool *)op->owner = true;
}

static void close_media(struct hftl_media *media)
{
    struct flat *flat = (struct flat *)media;
    bool landed = false;
    struct hftl_media_op flush = {.verb = HFTL_MEDIA_FLUSH, .land = note_landing, .owner = &landed};
    struct hftl_media_op *ops[] = {&flush};
    must_show(flat->in_flight == 0, flat->in_flight, 0);
    submit_ops(media, ops, 1);
    while (!landed) {
        if (reap_ops(media, 1) > 0)
            continue;
        struct pollfd ready = {.fd = find_fd(media), .events = POLLIN};
        (void)!poll(&ready, 1, 1000);
    }
    flat_abandon(media);
}

static const struct hftl_media_ops flat_media_ops = {
    .name = "flat",
    .submit = submit_ops,
    .reap = reap_ops,
    .fd = find_fd,
    .close = close_media,
};

/* ---- opening ----------------------------------------------------------------------------- */

static enum hftl_status allocate(struct flat *flat, bool no_uring)
{
    uint32_t count = flat->media.facts.chunks_per_pu;
    flat->unsynced = calloc(count, sizeof *flat->unsynced);
    flat->is_unsynced = calloc(count, sizeof *flat->is_unsynced);
    flat->sync.captured = calloc(count, sizeof *flat->sync.captured);
    flat->sync.changed = calloc(bitmap_words(flat_page_count(count)), sizeof *flat->sync.changed);
    if (!flat->unsynced || !flat->is_unsynced || !flat->sync.captured || !flat->sync.changed)
        return HFTL_MEMORY;
    enum hftl_status status = ledger_create(&flat->ledger, &flat->media.facts);
    flat->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (status == HFTL_OK && flat->eventfd < 0)
        status = HFTL_IO;
    if (status == HFTL_OK)
        status = fileio_create(&flat->io, flat->eventfd, no_uring);
    return status;
}

/* Around the page cache: within a write unit, 32 KiB at most, for that is less than another request
 * takes. In the page cache a block read in vain costs a copy. */
static uint32_t read_gap(const struct flat *flat)
{
    uint32_t unit = flat->media.facts.ws_opt - 1;
    return flat->file.direct ? min_u32(unit, READ_GAP_BYTES / FLAT_BLOCK_BYTES) : 0;
}

static enum hftl_status power_up(struct flat *flat, const struct flat_open_options *options,
                                 const char *path, const struct say *to)
{
    flat->media.ops = &flat_media_ops;
    flat->media.facts = flat->file.header.facts;
    flat->media.facts.read_gap_blocks = read_gap(flat);
    flat->read_only = options->read_only;
    flat->done_last = &flat->done_first;
    enum hftl_status status = allocate(flat, options->no_uring);
    if (status != HFTL_OK)
        return say(to, status, "%s: no memory or no threads for %u chunks", path,
                   flat->media.facts.chunks_per_pu);
    if (options->watch)
        fileio_watch(flat->io, options->watch, options->watch_arg);
    for (uint32_t i = 0; i < flat->ledger.chunk_count; i++)
        flat->ledger.chunks[i] = flat_chunk_of(&flat->file.records[i], &flat->media.facts);
    return ledger_recount(&flat->ledger) ? HFTL_OK : HFTL_CORRUPT;
}

enum hftl_status flat_open(const char *path, const struct flat_open_options *options,
                           struct hftl_media **media, char *why, size_t why_bytes)
{
    static const struct flat_open_options plain = {.size = sizeof plain};
    const struct say to = {why, why_bytes};
    if (!options)
        options = &plain;
    if (options->size != sizeof *options)
        return say(&to, HFTL_INVALID, "the options come from another version");
    struct flat *flat = calloc(1, sizeof *flat);
    if (!flat)
        return say(&to, HFTL_MEMORY, "%s: no memory", path);
    flat->eventfd = -1;
    int how = options->look ? FLAT_LOOKS : options->read_only ? FLAT_READS : FLAT_WRITES;
    enum hftl_status status = flat_file_open(&flat->file, path, how, &to);
    if (status == HFTL_OK)
        status = flat_file_load(&flat->file, path, !options->read_only, &to);
    if (status == HFTL_OK) {
        bool around = flat->file.block_device;
        if (options->cache != FLAT_CACHE_AUTO)
            around = options->cache == FLAT_CACHE_AROUND;
        if (around)
            flat_file_go_direct(&flat->file);
        status = power_up(flat, options, path, &to);
    }
    if (status != HFTL_OK) {
        flat_abandon(&flat->media);
        return status;
    }
    *media = &flat->media;
    return HFTL_OK;
}
