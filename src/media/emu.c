/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * emu.c - operations of an open emulated drive: each is judged and takes effect when it is
 * submitted, in the order of submission; what remains is to land it, at once or after the file.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/bytes.h"
#include "media/emu_drive.h"

/* A read that has to wait for the disk; up to two jobs an op (data, OOB), counted in scratch[0]. */
struct emu_read_job {
    struct fileio_job job;
    struct emu *emu;
    struct emu_read_job *spare;
};

uint64_t emu_data_at(const struct emu *emu, uint32_t chunk, uint32_t offset)
{
    return emu->file.layout.data_at + chunk * emu->file.layout.chunk_stride +
           (uint64_t)offset * emu->media.facts.block_bytes;
}

uint64_t emu_oob_at(const struct emu *emu, uint32_t chunk, uint32_t offset)
{
    return emu_data_at(emu, chunk, 0) + emu->file.layout.oob_in_chunk +
           (uint64_t)offset * emu->media.facts.oob_bytes;
}

void emu_note(struct emu *emu, uint32_t chunk)
{
    const struct emu_chunk *c = &emu->chunks[chunk];
    struct emu_record record = {
        .chunk = emu->ledger.chunks[chunk],
        .durable = c->durable,
        .finished = c->finished,
    };
    record.chunk.wp = c->file_wp;
    bool partial = record.chunk.state == HFTL_CHUNK_OPEN ||
                   record.chunk.state == HFTL_CHUNK_PAUSED ||
                   (record.chunk.state == HFTL_CHUNK_FULL && !c->finished);
    if (partial && c->file_wp == 0)
        record.chunk.state = HFTL_CHUNK_FREE;
    emu_file_note(&emu->file, chunk, &record);
}

void emu_done(struct emu *emu, struct hftl_media_op *op, enum hftl_status status)
{
    op->status = status;
    op->link = NULL;
    *emu->done_last = op;
    emu->done_last = &op->link;
}

/* ---- writing ---------------------------------------------------------------------------- */

static enum hftl_status write_to_file(struct emu *emu, const struct hftl_media_op *op)
{
    const struct hftl_media_facts *f = &emu->media.facts;
    uint32_t wp = emu->ledger.chunks[op->chunk].wp;
    if (emu_file_write_all(emu->file.fd, op->data, (size_t)op->blocks * f->block_bytes,
                           emu_data_at(emu, op->chunk, wp)) != 0)
        return status_of_errno(errno);
    if (f->oob_bytes == 0)
        return HFTL_OK;
    size_t oob_bytes = (size_t)op->blocks * f->oob_bytes;
    void *zeros = op->oob ? NULL : calloc(1, oob_bytes);
    if (!op->oob && !zeros)
        return HFTL_MEMORY;
    int failed = emu_file_write_all(emu->file.fd, op->oob ? op->oob : zeros, oob_bytes,
                                    emu_oob_at(emu, op->chunk, wp));
    int error = errno;
    free(zeros);
    return failed ? status_of_errno(error) : HFTL_OK;
}

/* The write goes straight to the file, after what the chunk has in the cache. */
static enum hftl_status write_through(struct emu *emu, const struct hftl_media_op *op)
{
    struct emu_chunk *c = &emu->chunks[op->chunk];
    enum hftl_status status = emu_cache_spill(emu, op->chunk, emu->ledger.chunks[op->chunk].wp);
    if (status == HFTL_OK)
        status = write_to_file(emu, op);
    if (status != HFTL_OK)
        return status;
    ledger_write(&emu->ledger, op->chunk, op->blocks);
    c->file_wp += op->blocks;
    if (!emu->media.facts.volatile_cache && emu->no_fsync)
        c->durable = c->file_wp;
    emu_set_unsynced(emu, op->chunk);
    emu_note(emu, op->chunk);
    return status_of_errno(emu_file_write_record(&emu->file, op->chunk));
}

static enum hftl_status write_to_cache(struct emu *emu, const struct hftl_media_op *op)
{
    enum hftl_status status = emu_cache_make_room(emu, op->chunk, op->blocks);
    if (status != HFTL_OK)
        return status;
    struct emu_chunk *c = &emu->chunks[op->chunk];
    emu_cache_hold(emu, op);
    ledger_write(&emu->ledger, op->chunk, op->blocks);
    emu_set_dirty(emu, op->chunk);
    /* A chunk that is partly in the file gave its slot back: the file must know before another
     * takes it, or after a crash more chunks would be open than the drive can have. */
    if (emu->ledger.chunks[op->chunk].state == HFTL_CHUNK_FULL && c->file_wp > 0) {
        emu_note(emu, op->chunk);
        (void)!emu_file_write_record(&emu->file, op->chunk);
    }
    emu_cache_tempt(emu, op->chunk);
    return HFTL_OK;
}

static void submit_write(struct emu *emu, struct hftl_media_op *op)
{
    struct hftl_chunk *chunk = &emu->ledger.chunks[op->chunk];
    if (op->verb == HFTL_MEDIA_APPEND)
        op->offset = chunk->wp;
    if (chunk->wp == 0)
        emu_cache_draw_pace(emu, op->chunk);
    bool cached = !emu->file.header.outlives_host && emu_cache_fits(emu, op->blocks);
    enum hftl_status status = cached ? write_to_cache(emu, op) : write_through(emu, op);
    if (status != HFTL_OK)
        ledger_fail_write(&emu->ledger, op->chunk);
    else
        emu->counters.blocks_written += op->blocks;
    if (status == HFTL_OK && !emu->media.facts.volatile_cache && !emu->no_fsync)
        emu_sync_join(emu, op);
    else
        emu_done(emu, op, status);
}

/* ---- reading ---------------------------------------------------------------------------- */

/* True when the bytes were in memory and are copied. */
static bool read_quickly(struct emu *emu, void *bytes, size_t count, uint64_t at)
{
    if (count == 0)
        return true;
    if (emu->read_inline)
        return emu_file_read_all(emu->file.fd, bytes, count, at) == 0;
    struct iovec piece = {bytes, count};
    ssize_t n = preadv2(emu->file.fd, &piece, 1, (off_t)at, RWF_NOWAIT);
    return n >= 0 && (size_t)n == count;
}

static void finish_read(struct fileio_job *job)
{
    struct emu_read_job *read = (struct emu_read_job *)job;
    struct emu *emu = read->emu;
    struct hftl_media_op *op = job->owner;
    if (job->error != 0)
        op->status = status_of_errno(job->error);
    read->spare = emu->spare_jobs;
    emu->spare_jobs = read;
    if (--op->scratch[0] == 0)
        emu_done(emu, op, op->status);
}

static void start_read(struct emu *emu, struct hftl_media_op *op, void *bytes, size_t count,
                       uint64_t at)
{
    struct emu_read_job *read = emu->spare_jobs;
    if (read)
        emu->spare_jobs = read->spare;
    else
        read = malloc(sizeof *read);
    if (!read) {
        op->status = HFTL_MEMORY;
        return;
    }
    read->emu = emu;
    read->job = (struct fileio_job){.verb = FILEIO_READ,
                                    .fd = emu->file.fd,
                                    .bytes = bytes,
                                    .count = count,
                                    .at = at,
                                    .done = finish_read,
                                    .owner = op};
    op->scratch[0]++;
    fileio_submit(emu->io, &read->job);
}

/* `blocks` from op->offset on, all of them in the file. */
static void read_file(struct emu *emu, struct hftl_media_op *op, uint32_t blocks)
{
    const struct hftl_media_facts *f = &emu->media.facts;
    size_t data_bytes = (size_t)blocks * f->block_bytes;
    size_t oob_bytes = op->oob ? (size_t)blocks * f->oob_bytes : 0;
    uint64_t data_at = emu_data_at(emu, op->chunk, op->offset);
    uint64_t oob_at = emu_oob_at(emu, op->chunk, op->offset);
    if (!read_quickly(emu, op->data, data_bytes, data_at))
        start_read(emu, op, op->data, data_bytes, data_at);
    if (!read_quickly(emu, op->oob, oob_bytes, oob_at))
        start_read(emu, op, op->oob, oob_bytes, oob_at);
}

/* How many blocks from `offset` on can be read (M2). */
static uint32_t count_readable(const struct emu *emu, const struct hftl_media_op *op)
{
    const struct hftl_chunk *c = &emu->ledger.chunks[op->chunk];
    uint32_t limit = 0;
    if (c->state == HFTL_CHUNK_FULL || c->state == HFTL_CHUNK_READ_ONLY)
        limit = c->wp;
    else if (c->state == HFTL_CHUNK_OPEN || c->state == HFTL_CHUNK_PAUSED)
        limit = c->wp > emu->media.facts.mw_cunits ? c->wp - emu->media.facts.mw_cunits : 0;
    return limit > op->offset ? min_u32(limit - op->offset, op->blocks) : 0;
}

static void fill_predefined(struct emu *emu, struct hftl_media_op *op, uint32_t from)
{
    const struct hftl_media_facts *f = &emu->media.facts;
    uint32_t blocks = op->blocks - from;
    memset((uint8_t *)op->data + (size_t)from * f->block_bytes, 0xFF,
           (size_t)blocks * f->block_bytes);
    if (op->oob && f->oob_bytes != 0)
        memset((uint8_t *)op->oob + (size_t)from * f->oob_bytes, 0xFF,
               (size_t)blocks * f->oob_bytes);
    emu->counters.predefined_reads += blocks;
}

static void submit_read(struct emu *emu, struct hftl_media_op *op)
{
    uint32_t readable = count_readable(emu, op);
    if (readable < op->blocks)
        fill_predefined(emu, op, readable);
    uint32_t file_wp = emu->chunks[op->chunk].file_wp;
    uint32_t in_file = file_wp > op->offset ? min_u32(file_wp - op->offset, readable) : 0;
    op->scratch[0] = 0;
    op->status = HFTL_OK;
    if (readable > in_file)
        emu_cache_read(emu, op->chunk, op->offset + in_file, readable - in_file, op);
    if (in_file > 0)
        read_file(emu, op, in_file);
    emu->counters.blocks_read += op->blocks;
    if (op->scratch[0] == 0)
        emu_done(emu, op, op->status);
}

/* ---- the rest --------------------------------------------------------------------------- */

/* A record was changed in the file; it has to be durable before the op lands (M5). */
static void land_record(struct emu *emu, struct hftl_media_op *op)
{
    int error = emu_file_write_record(&emu->file, op->chunk);
    if (error != 0 || emu->no_fsync)
        emu_done(emu, op, status_of_errno(error));
    else
        emu_sync_join(emu, op);
}

static void submit_reset(struct emu *emu, struct hftl_media_op *op)
{
    const struct hftl_media_facts *f = &emu->media.facts;
    struct hftl_chunk *chunk = &emu->ledger.chunks[op->chunk];
    struct emu_chunk *c = &emu->chunks[op->chunk];
    bool worn_out = f->reset_limit != 0 && chunk->wear >= f->reset_limit;
    emu_cache_drop(emu, op->chunk);
    c->file_wp = 0;
    c->durable = 0;
    c->finished = false;
    if (worn_out) {
        chunk->wp = 0;
        ledger_retire(&emu->ledger, op->chunk, HFTL_CHUNK_OFFLINE);
    } else {
        ledger_reset(&emu->ledger, op->chunk);
    }
    emu_set_dirty(emu, op->chunk);
    emu_set_unsynced(emu, op->chunk);
    emu->counters.resets++;
    emu_note(emu, op->chunk);
    if (worn_out) {
        (void)!emu_file_write_record(&emu->file, op->chunk);
        emu_done(emu, op, HFTL_IO);
        return;
    }
    land_record(emu, op);
    /* The record first: a chunk that is FREE may have old bytes, a FULL one may not have holes. A
     * file system that cannot make holes keeps the space, that is all. */
    (void)!fallocate(emu->file.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                     (off_t)emu_data_at(emu, op->chunk, 0), (off_t)emu->file.layout.chunk_stride);
}

static void submit_finish(struct emu *emu, struct hftl_media_op *op)
{
    struct emu_chunk *c = &emu->chunks[op->chunk];
    enum hftl_status status = emu_cache_spill(emu, op->chunk, emu->ledger.chunks[op->chunk].wp);
    if (status != HFTL_OK) {
        emu_done(emu, op, status);
        return;
    }
    ledger_finish(&emu->ledger, op->chunk);
    c->finished = true;
    if (emu->no_fsync)
        c->durable = c->file_wp;
    emu_set_unsynced(emu, op->chunk);
    emu_note(emu, op->chunk);
    land_record(emu, op);
}

static void submit_flush(struct emu *emu, struct hftl_media_op *op)
{
    emu->counters.flushes++;
    bool idle = emu->dirty.count == 0 && emu->unsynced.count == 0;
    if (emu->file.read_only || (idle && emu->sync.state == EMU_SYNC_IDLE && !emu->sync.failed)) {
        emu_done(emu, op, HFTL_OK);
        return;
    }
    enum hftl_status status = emu_cache_spill_all(emu);
    if (status != HFTL_OK)
        emu_done(emu, op, status);
    else if (emu->no_fsync)
        emu_done(emu, op, emu_sync_declare(emu));
    else
        emu_sync_join(emu, op);
}

static bool changes_drive(enum hftl_media_verb verb)
{
    return verb == HFTL_MEDIA_WRITE || verb == HFTL_MEDIA_APPEND || verb == HFTL_MEDIA_RESET ||
           verb == HFTL_MEDIA_FINISH;
}

/* What another process may have changed since. */
static enum hftl_status look_again(struct emu *emu, const struct hftl_media_op *op)
{
    uint32_t chunks = emu->ledger.chunk_count;
    uint32_t count = op->verb == HFTL_MEDIA_REPORT ? op->blocks : op->verb == HFTL_MEDIA_READ;
    enum hftl_status status = HFTL_OK;
    if (op->chunk >= chunks || count > chunks - op->chunk)
        return status; /* is refused */
    for (uint32_t i = 0; i < count && status == HFTL_OK; i++)
        status = emu_look_again(emu, op->chunk + i);
    return status;
}

static void submit_op(struct emu *emu, struct hftl_media_op *op)
{
    enum hftl_status look = emu->look ? look_again(emu, op) : HFTL_OK;
    enum hftl_status status = ledger_judge(&emu->ledger, op);
    if (status == HFTL_OK)
        status = look;
    ledger_depart(&emu->ledger, op);
    if (status == HFTL_RULE_READ && emu->file.header.reads_predefined)
        status = HFTL_OK;
    if (status == HFTL_OK && emu->file.read_only && changes_drive(op->verb))
        status = HFTL_READ_ONLY;
    if (status != HFTL_OK) {
        emu_done(emu, op, status);
        return;
    }
    switch (op->verb) {
    case HFTL_MEDIA_WRITE:
    case HFTL_MEDIA_APPEND:
        submit_write(emu, op);
        break;
    case HFTL_MEDIA_READ:
        submit_read(emu, op);
        break;
    case HFTL_MEDIA_RESET:
        submit_reset(emu, op);
        break;
    case HFTL_MEDIA_FINISH:
        submit_finish(emu, op);
        break;
    case HFTL_MEDIA_FLUSH:
        submit_flush(emu, op);
        break;
    case HFTL_MEDIA_REPORT: /* made when it lands, so that it is fresh */
        emu_done(emu, op, HFTL_OK);
        break;
    case HFTL_MEDIA_EVENT:
    case HFTL_MEDIA_VERB_COUNT:
        emu_done(emu, op, HFTL_AGAIN);
        break;
    }
}

/* ---- the contract ------------------------------------------------------------------------ */

static void submit_ops(struct hftl_media *media, struct hftl_media_op **ops, unsigned count)
{
    struct emu *emu = (struct emu *)media;
    for (unsigned i = 0; i < count; i++)
        submit_op(emu, ops[i]);
    emu->in_flight += count;
    fileio_kick(emu->io);
}

static unsigned reap_ops(struct hftl_media *media, unsigned max)
{
    struct emu *emu = (struct emu *)media;
    unsigned landed = 0;
    (void)fileio_reap(emu->io);
    while (landed < max && emu->done_first) {
        struct hftl_media_op *op = emu->done_first;
        emu->done_first = op->link;
        if (!emu->done_first)
            emu->done_last = &emu->done_first;
        ledger_arrive(&emu->ledger, op);
        if (op->verb == HFTL_MEDIA_REPORT && op->status == HFTL_OK)
            memcpy(op->out.report, &emu->ledger.chunks[op->chunk],
                   op->blocks * sizeof *op->out.report);
        emu->in_flight--;
        landed++;
        op->land(op); /* may submit again, or free the op */
    }
    return landed;
}

static int find_fd(struct hftl_media *media)
{
    struct emu *emu = (struct emu *)media;
    if (!emu->done_first)
        fileio_quieten(emu->io);
    if (emu->done_first)
        fileio_ring(emu->io);
    return emu->eventfd;
}

void emu_abandon(struct hftl_media *media)
{
    struct emu *emu = (struct emu *)media;
    fileio_destroy(emu->io);
    while (emu->spare_jobs) {
        struct emu_read_job *next = emu->spare_jobs->spare;
        free(emu->spare_jobs);
        emu->spare_jobs = next;
    }
    if (emu->eventfd >= 0)
        close(emu->eventfd);
    emu_cache_destroy(emu);
    ledger_destroy(&emu->ledger);
    emu_file_close(&emu->file);
    free(emu->chunks);
    free(emu->dirty.chunks);
    free(emu->unsynced.chunks);
    free(emu->sync.captured);
    free(emu);
}

/*
 * A drive whose cache is ours is switched off in order, so nothing is lost. One that outlives its
 * host does not notice: what was not flushed stays that way.
 */
static void close_media(struct hftl_media *media)
{
    struct emu *emu = (struct emu *)media;
    must_show(emu->in_flight == 0, emu->in_flight, 0);
    if (!emu->file.read_only) {
        enum hftl_status status = emu_cache_spill_all(emu);
        if (status == HFTL_OK && !emu->file.header.outlives_host)
            status = emu_sync_now(emu);
        else if (status == HFTL_OK && !emu->no_fsync && fdatasync(emu->file.fd) != 0)
            status = HFTL_IO;
        emu->file.session.clean = status == HFTL_OK && !emu->sync.failed;
        emu->file.session.counters = emu->counters;
        (void)!emu_file_write_table(&emu->file);
        (void)!emu_file_write_session(&emu->file);
    }
    emu_abandon(media);
}

const struct hftl_media_ops emu_media_ops = {
    .name = "emu",
    .submit = submit_ops,
    .reap = reap_ops,
    .fd = find_fd,
    .close = close_media,
};

enum hftl_status emu_retire(struct hftl_media *media, uint32_t chunk, enum hftl_chunk_state state)
{
    struct emu *emu = (struct emu *)media;
    enum hftl_status status = emu_cache_spill(emu, chunk, emu->ledger.chunks[chunk].wp);
    if (status != HFTL_OK)
        return status;
    ledger_retire(&emu->ledger, chunk, state);
    emu_note(emu, chunk);
    int error = emu_file_write_record(&emu->file, chunk);
    if (error == 0 && !emu->no_fsync && fdatasync(emu->file.fd) != 0)
        error = errno;
    return status_of_errno(error);
}

void emu_count(const struct hftl_media *media, struct emu_counters *counters)
{
    const struct emu *emu = (const struct emu *)media;
    *counters = emu->counters;
    for (uint32_t i = 1; i < emu->file.pu_count; i++)
        emu_counters_add(counters, &emu->file.sessions[emu->file.pu_first + i].counters);
}

const struct emu_header *emu_header_of(const struct hftl_media *media)
{
    return &((const struct emu *)media)->file.header;
}

bool emu_uses_uring(const struct hftl_media *media)
{
    return fileio_is_uring(((const struct emu *)media)->io);
}
