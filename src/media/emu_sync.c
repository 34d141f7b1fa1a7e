/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * emu_sync.c - rounds of making durable. See emu_drive.h for the states.
 *
 * Why twice fdatasync? The table and the data reach the disk in any order; a table that is ahead
 * would make blocks durable that are not there. `written` in the table may be ahead (it is not
 * believed after the host died), `durable` never is.
 */
#define _GNU_SOURCE
#include <unistd.h>

#include "base/must.h"
#include "media/emu_drive.h"

static void finish_data(struct fileio_job *job);
static void finish_table(struct fileio_job *job);

static void land_served(struct emu *emu, enum hftl_status status)
{
    struct hftl_media_op *op = emu->sync.served;
    emu->sync.served = NULL;
    while (op) {
        struct hftl_media_op *next = op->link;
        emu_done(emu, op, status);
        op = next;
    }
}

static void start_job(struct emu *emu, enum emu_sync_state state,
                      void (*done)(struct fileio_job *job))
{
    emu->sync.state = state;
    emu->sync.job =
        (struct fileio_job){.verb = FILEIO_SYNC, .fd = emu->file.fd, .done = done, .owner = emu};
    fileio_submit(emu->io, &emu->sync.job);
}

/* The durable point of a chunk moves to what was captured. A chunk that was reset meanwhile holds
 * less: its reset lands, and with that its next write comes, only after a later round. */
static void advance(struct emu *emu, const struct emu_captured *captured)
{
    struct emu_chunk *c = &emu->chunks[captured->chunk];
    if (c->durable >= captured->wp || c->file_wp < captured->wp)
        return;
    c->durable = captured->wp;
    emu_set_unsynced(emu, captured->chunk);
    emu_note(emu, captured->chunk);
}

static int write_table(struct emu *emu)
{
    emu->file.session.counters = emu->counters;
    int error = emu_file_write_table(&emu->file);
    if (error == 0)
        error = emu_file_write_session(&emu->file);
    return error;
}

static void start_round(struct emu *emu);

static void end_round(struct emu *emu, enum hftl_status status)
{
    emu->sync.state = EMU_SYNC_IDLE;
    land_served(emu, status);
    if (emu->sync.waiting)
        start_round(emu);
}

static void start_table(struct emu *emu)
{
    int error = write_table(emu);
    if (error != 0) {
        end_round(emu, status_of_errno(error));
        return;
    }
    start_job(emu, EMU_SYNC_TABLE, finish_table);
}

static void finish_data(struct fileio_job *job)
{
    struct emu *emu = job->owner;
    must(emu->sync.state == EMU_SYNC_DATA);
    if (job->error != 0) {
        emu->sync.failed = true;
        end_round(emu, status_of_errno(job->error));
        return;
    }
    for (uint32_t i = 0; i < emu->sync.captured_count; i++)
        advance(emu, &emu->sync.captured[i]);
    start_table(emu);
}

static void finish_table(struct fileio_job *job)
{
    struct emu *emu = job->owner;
    must(emu->sync.state == EMU_SYNC_TABLE);
    if (job->error != 0)
        emu->sync.failed = true;
    end_round(emu, job->error == 0 ? HFTL_OK : status_of_errno(job->error));
}

static void start_round(struct emu *emu)
{
    struct emu_sync *sync = &emu->sync;
    sync->served = sync->waiting;
    sync->waiting = NULL;
    if (sync->failed) {
        land_served(emu, HFTL_IO);
        return;
    }
    sync->captured_count = emu->unsynced.count;
    for (uint32_t i = 0; i < emu->unsynced.count; i++) {
        uint32_t chunk = emu->unsynced.chunks[i];
        sync->captured[i] = (struct emu_captured){chunk, emu->chunks[chunk].file_wp};
    }
    if (sync->captured_count > 0)
        start_job(emu, EMU_SYNC_DATA, finish_data);
    else
        start_table(emu);
}

void emu_sync_join(struct emu *emu, struct hftl_media_op *op)
{
    op->link = emu->sync.waiting;
    emu->sync.waiting = op;
    if (emu->sync.state == EMU_SYNC_IDLE)
        start_round(emu);
}

enum hftl_status emu_sync_declare(struct emu *emu)
{
    while (emu->unsynced.count > 0) {
        uint32_t chunk = emu->unsynced.chunks[emu->unsynced.count - 1];
        emu->chunks[chunk].durable = emu->chunks[chunk].file_wp;
        emu_set_unsynced(emu, chunk);
        emu_note(emu, chunk);
    }
    return status_of_errno(write_table(emu));
}

enum hftl_status emu_sync_now(struct emu *emu)
{
    must(emu->sync.state == EMU_SYNC_IDLE);
    if (!emu->no_fsync && fdatasync(emu->file.fd) != 0)
        return HFTL_IO;
    enum hftl_status status = emu_sync_declare(emu);
    if (status == HFTL_OK && !emu->no_fsync && fdatasync(emu->file.fd) != 0)
        status = HFTL_IO;
    return status;
}
