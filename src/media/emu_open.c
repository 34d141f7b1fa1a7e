/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * emu_open.c - an emulated drive powers up: what is left of each chunk, and in which state.
 *
 *     the last life ended          and the host          what is left of a chunk
 *     ------------------------------------------------------------------------------------------
 *     in order, or by a kill       goes on               all that the file holds ("written")
 *     in order                     was started anew      the same: it was synced at the end
 *     by a kill or with the host   was started anew      what was durable; the rest of the file's
 *                                                        bytes may never have reached the disk
 *
 * What is left is then durable, except on a drive that outlives its host: that one did not lose
 * power, so what was not flushed is still only written.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "media/emu_drive.h"

#define TMPFS_SUPER 0x01021994

static bool host_died(const struct emu_file *file, const uint8_t boot_id[16])
{
    static const uint8_t unknown[16];
    return !file->session.clean && memcmp(boot_id, unknown, 16) != 0 &&
           memcmp(file->session.boot_id, unknown, 16) != 0 &&
           memcmp(boot_id, file->session.boot_id, 16) != 0;
}

/* The chunk as it comes out of the record. FULL ones that lost their end wait for a decision. */
static void revive_chunk(struct emu *emu, uint32_t chunk, const struct emu_record *record,
                         bool died)
{
    struct hftl_chunk *c = &emu->ledger.chunks[chunk];
    struct emu_chunk *ours = &emu->chunks[chunk];
    *c = record->chunk;
    bool working = c->state != HFTL_CHUNK_READ_ONLY && c->state != HFTL_CHUNK_OFFLINE;
    if (died && working)
        c->wp = record->durable;
    ours->file_wp = c->wp;
    ours->durable = emu->file.header.outlives_host && working ? record->durable : c->wp;
    ours->finished = record->finished;
    if (c->state == HFTL_CHUNK_FULL && !ours->finished && c->wp == 0)
        c->state = HFTL_CHUNK_FREE;
    rules_apply_power_up(&emu->media.facts, c);
}

/* The states that limits allow (L2). A chunk that would be one too many is closed as it is. */
static void settle_states(struct emu *emu)
{
    const struct hftl_media_facts *f = &emu->media.facts;
    uint32_t most = f->active_max;
    if (f->kind != HFTL_KIND_ZONED && f->open_max != 0 && (most == 0 || f->open_max < most))
        most = f->open_max;
    uint32_t active = 0;
    for (int pass = 0; pass < 2; pass++) { /* those that are partly written go first */
        for (uint32_t i = 0; i < emu->ledger.chunk_count; i++) {
            struct hftl_chunk *c = &emu->ledger.chunks[i];
            bool partial = c->state == HFTL_CHUNK_OPEN || c->state == HFTL_CHUNK_PAUSED;
            bool cut =
                c->state == HFTL_CHUNK_FULL && c->wp < c->capacity && !emu->chunks[i].finished;
            if (pass == 0 ? !partial : !cut)
                continue;
            bool room = most == 0 || active < most;
            if (room && cut)
                c->state = f->kind == HFTL_KIND_ZONED ? HFTL_CHUNK_PAUSED : HFTL_CHUNK_OPEN;
            else if (!room)
                c->state = HFTL_CHUNK_FULL;
            emu->chunks[i].finished = !room;
            active += room;
        }
    }
}

static bool same_record(const struct emu *emu, uint32_t chunk, const struct emu_record *record)
{
    const struct hftl_chunk *c = &emu->ledger.chunks[chunk];
    return c->state == record->chunk.state && c->wp == record->chunk.wp &&
           emu->chunks[chunk].durable == record->durable &&
           emu->chunks[chunk].finished == record->finished;
}

static enum hftl_status revive_chunks(struct emu *emu, const uint8_t boot_id[16], const char *path,
                                      const struct say *to)
{
    bool died = host_died(&emu->file, boot_id);
    struct emu_record record;
    for (uint32_t i = 0; i < emu->ledger.chunk_count; i++) {
        emu->chunks[i].slot_first = emu->chunks[i].slot_last = EMU_NOWHERE;
        emu->chunks[i].dirty_at = emu->chunks[i].unsynced_at = EMU_NOWHERE;
        if (emu_file_record(&emu->file, i, &record) != HFTL_OK)
            return say(to, HFTL_CORRUPT, "%s: the record of chunk %u fails its checks", path, i);
        revive_chunk(emu, i, &record, died);
    }
    settle_states(emu);
    if (!ledger_recount(&emu->ledger))
        return say(to, HFTL_CORRUPT, "%s: more chunks are open than the drive can have", path);
    for (uint32_t i = 0; i < emu->ledger.chunk_count; i++) {
        emu_set_unsynced(emu, i);
        emu_cache_draw_pace(emu, i);
        if (emu_file_record(&emu->file, i, &record) == HFTL_OK && !same_record(emu, i, &record))
            emu_note(emu, i);
    }
    return HFTL_OK;
}

static enum hftl_status allocate(struct emu *emu, uint64_t cache_bytes, bool no_uring)
{
    size_t count = emu->file.layout.chunk_count;
    emu->chunks = calloc(count, sizeof *emu->chunks);
    emu->dirty.chunks = calloc(count, sizeof *emu->dirty.chunks);
    emu->unsynced.chunks = calloc(count, sizeof *emu->unsynced.chunks);
    emu->sync.captured = calloc(count, sizeof *emu->sync.captured);
    if (!emu->chunks || !emu->dirty.chunks || !emu->unsynced.chunks || !emu->sync.captured)
        return HFTL_MEMORY;
    enum hftl_status status = ledger_create(&emu->ledger, &emu->media.facts);
    if (status == HFTL_OK)
        status = emu_cache_create(emu, cache_bytes);
    emu->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (status == HFTL_OK && emu->eventfd < 0)
        status = HFTL_IO;
    if (status == HFTL_OK)
        status = fileio_create(&emu->io, emu->eventfd, no_uring);
    return status;
}

/* From here on a kill finds a drive that was in use. */
static enum hftl_status begin_session(struct emu *emu, const uint8_t boot_id[16])
{
    struct emu_session *session = &emu->file.session;
    bool was_clean = session->clean;
    session->clean = false;
    session->pid = (uint32_t)getpid();
    session->opens++;
    memcpy(session->boot_id, boot_id, 16);
    /* What the page cache still holds of the last life has to be on the disk before the table says
     * that it is durable. */
    if (!emu->no_fsync && !was_clean && fdatasync(emu->file.fd) != 0)
        return HFTL_IO;
    int error = emu_file_write_table(&emu->file);
    if (error == 0)
        error = emu_file_write_session(&emu->file);
    if (error == 0 && !emu->no_fsync && fdatasync(emu->file.fd) != 0)
        error = 1;
    return error == 1 ? HFTL_IO : status_of_errno(error);
}

static bool is_in_memory(int fd)
{
    struct statfs st;
    return fstatfs(fd, &st) == 0 && st.f_type == TMPFS_SUPER;
}

static enum hftl_status power_up(struct emu *emu, const struct emu_open_options *options,
                                 const char *path, const struct say *to)
{
    const struct emu_header *header = &emu->file.header;
    uint64_t cache_bytes = options->cache_given ? options->cache_bytes : header->cache_bytes;
    if (header->outlives_host)
        cache_bytes = 0;
    emu->media.ops = &emu_media_ops;
    emu->media.facts = header->facts;
    if (options->read_only && options->all_readable)
        emu->media.facts.mw_cunits = 0;
    emu->no_fsync = header->no_fsync || options->no_fsync;
    emu->counters = emu->file.session.counters;
    emu->done_last = &emu->done_first;
    emu->read_inline = is_in_memory(emu->file.fd);
    prng_seed(&emu->prng, options->seed ? options->seed : header->seed + emu->file.session.opens);
    if (cache_bytes > 1ull << 40)
        return say(to, HFTL_INVALID, "%s: a volatile cache of more than 2^40 bytes", path);
    enum hftl_status status = allocate(emu, cache_bytes, options->no_uring);
    if (status != HFTL_OK)
        return say(to, status, "%s: no memory or no threads for a drive of %u chunks", path,
                   emu->file.layout.chunk_count);
    emu->media.facts.volatile_cache = header->outlives_host || emu->cache.slot_count > 0;
    uint8_t boot_id[16];
    emu_file_boot_id(boot_id);
    status = revive_chunks(emu, boot_id, path, to);
    if (status != HFTL_OK || emu->file.read_only)
        return status;
    status = begin_session(emu, boot_id);
    if (status != HFTL_OK)
        return say(to, status, "%s: cannot write that it is in use", path);
    return HFTL_OK;
}

enum hftl_status emu_open(const char *path, const struct emu_open_options *options,
                          struct hftl_media **media, char *why, size_t why_bytes)
{
    static const struct emu_open_options plain = {.size = sizeof plain};
    const struct say to = {why, why_bytes};
    if (!options)
        options = &plain;
    if (options->size != sizeof *options)
        return say(&to, HFTL_INVALID, "the options come from another version");
    struct emu *emu = calloc(1, sizeof *emu);
    if (!emu)
        return say(&to, HFTL_MEMORY, "%s: no memory", path);
    emu->eventfd = -1;
    emu->file.fd = -1;
    enum hftl_status status =
        emu_file_open(&emu->file, path, options->read_only ? EMU_CLAIM_READ : EMU_CLAIM_WRITE, &to);
    if (status == HFTL_OK)
        status = power_up(emu, options, path, &to);
    if (status != HFTL_OK) {
        emu_abandon(&emu->media);
        return status;
    }
    *media = &emu->media;
    return HFTL_OK;
}
