/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flat_sync.c - rounds of making durable. See flat_drive.h for the states.
 *
 * Why not write data and state together and sync once? Because they reach the disk in any order,
 * and a state page that is ahead would make blocks readable that are not there.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bitmap.h"
#include "base/must.h"
#include "media/flat_drive.h"

static void start_round(struct flat *flat);
static void start_table(struct flat *flat);

void flat_sync_note(struct flat *flat, uint32_t chunk)
{
    bitmap_set(flat->sync.changed, chunk / FLAT_PAGE_CHUNKS);
}

static void land_served(struct flat *flat)
{
    struct hftl_media_op *op = flat->sync.served;
    enum hftl_status status = flat->sync.status;
    flat->sync.served = NULL;
    while (op) {
        struct hftl_media_op *next = op->link;
        if (status == HFTL_OK && op->verb == HFTL_MEDIA_RESET)
            flat_end_reset(flat, op);
        else
            flat_done(flat, op, status);
        op = next;
    }
}

static void end_round(struct flat *flat)
{
    flat->sync.state = FLAT_SYNC_IDLE;
    land_served(flat);
    if (flat->sync.waiting)
        start_round(flat);
}

static void fail_round(struct flat *flat, enum hftl_status status)
{
    flat->sync.failed = true;
    if (flat->sync.status == HFTL_OK)
        flat->sync.status = status;
}

/* The durable point of a chunk moves to what was captured. A chunk that was reset meanwhile holds
 * less: its reset lands, and with that its next write comes, only after a later round. */
static void advance(struct flat *flat, const struct flat_captured *captured)
{
    struct flat_record *record = &flat->file.records[captured->chunk];
    if (flat->ledger.chunks[captured->chunk].wp < captured->wp || record->durable >= captured->wp)
        return;
    record->durable = captured->wp;
    flat_sync_note(flat, captured->chunk);
}

static void finish_data(struct fileio_job *job)
{
    struct flat *flat = job->owner;
    must(flat->sync.state == FLAT_SYNC_DATA);
    if (job->error != 0) {
        fail_round(flat, status_of_errno(job->error));
        end_round(flat);
        return;
    }
    for (uint32_t i = 0; i < flat->sync.captured_count; i++)
        advance(flat, &flat->sync.captured[i]);
    start_table(flat);
}

static void finish_page(struct fileio_job *job)
{
    struct flat_job *write = (struct flat_job *)job;
    struct flat *flat = write->flat;
    must(flat->sync.state == FLAT_SYNC_TABLE && flat->sync.pages_left > 0);
    if (job->error != 0)
        fail_round(flat, status_of_errno(job->error));
    else
        flat->file.generations[write->page]++;
    flat_give_job(flat, write);
    if (--flat->sync.pages_left == 0)
        end_round(flat);
}

static void write_page(struct flat *flat, uint32_t page)
{
    const struct flat_record *records = flat->file.records + (size_t)page * FLAT_PAGE_CHUNKS;
    uint64_t generation = flat->file.generations[page] + 1;
    struct flat_job *write = flat_take_job(flat, NULL);
    if (!write) {
        fail_round(flat, HFTL_MEMORY);
        return;
    }
    flat_page_encode(records, flat_file_page_records(&flat->file, page), page, generation,
                     flat->media.facts.id, write->bounce);
    write->page = page;
    write->job = (struct fileio_job){.verb = FILEIO_WRITE_DURABLE,
                                     .fd = flat->file.fd,
                                     .bytes = write->bounce,
                                     .count = FLAT_PAGE_BYTES,
                                     .at = flat_page_at(page, generation & 1),
                                     .done = finish_page};
    bitmap_clear(flat->sync.changed, page);
    flat->sync.pages_left++;
    fileio_submit(flat->io, &write->job);
}

/* A chunk is FULL by FINISH only now that all it holds was synced. */
static void note_finished(struct flat *flat)
{
    for (const struct hftl_media_op *op = flat->sync.served; op; op = op->link) {
        if (op->verb != HFTL_MEDIA_FINISH)
            continue;
        flat->file.records[op->chunk].finished = true;
        flat_sync_note(flat, op->chunk);
    }
}

static void start_table(struct flat *flat)
{
    uint32_t pages = flat_page_count(flat->ledger.chunk_count);
    flat->sync.state = FLAT_SYNC_TABLE;
    note_finished(flat);
    for (uint64_t page = bitmap_find_set(flat->sync.changed, pages, 0); page < pages;
         page = bitmap_find_set(flat->sync.changed, pages, page + 1))
        write_page(flat, (uint32_t)page);
    if (flat->sync.pages_left == 0)
        end_round(flat);
}

static void start_round(struct flat *flat)
{
    struct flat_sync *sync = &flat->sync;
    sync->served = sync->waiting;
    sync->waiting = NULL;
    sync->status = sync->failed ? HFTL_IO : HFTL_OK;
    if (sync->failed) {
        land_served(flat);
        return;
    }
    sync->captured_count = flat->unsynced_count;
    for (uint32_t i = 0; i < flat->unsynced_count; i++) {
        uint32_t chunk = flat->unsynced[i];
        sync->captured[i] = (struct flat_captured){chunk, flat->ledger.chunks[chunk].wp};
        flat->is_unsynced[chunk] = false;
    }
    flat->unsynced_count = 0; /* D2: the next write puts it back */
    if (sync->captured_count == 0) {
        start_table(flat);
        return;
    }
    sync->state = FLAT_SYNC_DATA;
    sync->job = (struct fileio_job){
        .verb = FILEIO_SYNC, .fd = flat->file.fd, .done = finish_data, .owner = flat};
    fileio_submit(flat->io, &sync->job);
}

void flat_sync_join(struct flat *flat, struct hftl_media_op *op)
{
    op->link = flat->sync.waiting;
    flat->sync.waiting = op;
    if (flat->sync.state == FLAT_SYNC_IDLE)
        start_round(flat);
}
