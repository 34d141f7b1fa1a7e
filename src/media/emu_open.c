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

/* Since the chunk's PU was last written. */
static bool host_died(const struct emu *emu, uint32_t chunk)
{
    static const uint8_t unknown[16];
    const struct emu_session *session = &emu->file.sessions[chunk / emu->media.facts.chunks_per_pu];
    return !session->clean && memcmp(emu->boot_id, unknown, 16) != 0 &&
           memcmp(session->boot_id, unknown, 16) != 0 &&
           memcmp(emu->boot_id, session->boot_id, 16) != 0;
}

static bool is_ours(const struct emu *emu, uint32_t chunk)
{
    uint32_t pu = chunk / emu->media.facts.chunks_per_pu;
    return pu >= emu->file.pu_first && pu - emu->file.pu_first < emu->file.pu_count;
}

/* The chunk as it comes out of the record. FULL ones that lost their end wait for a decision. */
static void revive_chunk(struct emu *emu, uint32_t chunk, const struct emu_record *record)
{
    struct hftl_chunk *c = &emu->ledger.chunks[chunk];
    struct emu_chunk *ours = &emu->chunks[chunk];
    *c = record->chunk;
    bool working = c->state != HFTL_CHUNK_READ_ONLY && c->state != HFTL_CHUNK_OFFLINE;
    if (working && host_died(emu, chunk))
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
    const struct hftl_media_facts *f = &emu->limited_facts;
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

enum hftl_status emu_look_again(struct emu *emu, uint32_t chunk)
{
    struct emu_record record;
    enum hftl_status status = emu_file_reload(&emu->file, chunk, &record);
    if (status == HFTL_OK)
        revive_chunk(emu, chunk, &record);
    return status;
}

static enum hftl_status revive_chunks(struct emu *emu, const char *path, const struct say *to)
{
    struct emu_record record;
    for (uint32_t i = 0; i < emu->ledger.chunk_count; i++) {
        emu->chunks[i].slot_first = emu->chunks[i].slot_last = EMU_NOWHERE;
        emu->chunks[i].dirty_at = emu->chunks[i].unsynced_at = EMU_NOWHERE;
        if (!is_ours(emu, i)) {
            emu->ledger.chunks[i].state = HFTL_CHUNK_OFFLINE;
            continue;
        }
        if (emu_file_record(&emu->file, i, &record) != HFTL_OK)
            return say(to, HFTL_CORRUPT, "%s: the record of chunk %u fails its checks", path, i);
        revive_chunk(emu, i, &record);
    }
    if (emu->look)
        return HFTL_OK;
    settle_states(emu);
    if (!ledger_recount(&emu->ledger))
        return say(to, HFTL_CORRUPT, "%s: more chunks are open than the drive can have", path);
    for (uint32_t i = 0; i < emu->ledger.chunk_count; i++) {
        if (!is_ours(emu, i))
            continue;
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
    enum hftl_status status = ledger_create(&emu->ledger, &emu->limited_facts);
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
static enum hftl_status begin_session(struct emu *emu)
{
    struct emu_session *session = &emu->file.session;
    bool was_clean = true;
    for (uint32_t i = 0; i < emu->file.pu_count; i++)
        was_clean = was_clean && emu->file.sessions[emu->file.pu_first + i].clean;
    session->clean = false;
    session->pid = (uint32_t)getpid();
    session->opens++;
    memcpy(session->boot_id, emu->boot_id, 16);
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

/* What of the limits our PUs may use. Who only looks opens nothing. */
static enum hftl_status limit(struct emu *emu, const char *path, const struct say *to)
{
    struct hftl_media_facts *f = &emu->limited_facts;
    uint32_t open_max = emu->media.facts.open_max, active_max = emu->media.facts.active_max;
    *f = emu->media.facts;
    f->open_max = emu->look ? 0 : hftl_media_share(f, open_max, emu->file.pu_count);
    f->active_max = emu->look ? 0 : hftl_media_share(f, active_max, emu->file.pu_count);
    if (emu->file.read_only ||
        ((open_max == 0 || f->open_max != 0) && (active_max == 0 || f->active_max != 0)))
        return HFTL_OK;
    return say(to, HFTL_GEOMETRY,
               "%s: the drive allows %u open chunks, too few to leave one for %u of %u parallel "
               "units",
               path, open_max != 0 ? open_max : active_max, emu->file.pu_count,
               emu->file.layout.pu_count);
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
    if (header->outlives_host || options->look)
        cache_bytes = 0;
    emu->media.ops = &emu_media_ops;
    emu->media.facts = header->facts;
    if (options->read_only && options->all_readable)
        emu->media.facts.mw_cunits = 0;
    emu->no_fsync = header->no_fsync || options->no_fsync;
    emu->counters = emu->file.session.counters;
    emu->done_last = &emu->done_first;
    emu->read_inline = is_in_memory(emu->file.fd);
    emu->look = options->look;
    emu_file_boot_id(emu->boot_id);
    prng_seed(&emu->prng, (options->seed ? options->seed : header->seed + emu->file.session.opens) +
                              emu->file.pu_first * UINT64_C(0x9E3779B97F4A7C15));
    if (cache_bytes > 1ull << 40)
        return say(to, HFTL_INVALID, "%s: a volatile cache of more than 2^40 bytes", path);
    enum hftl_status status = limit(emu, path, to);
    if (status != HFTL_OK)
        return status;
    status = allocate(emu, cache_bytes, options->no_uring);
    if (status != HFTL_OK)
        return say(to, status, "%s: no memory or no threads for a drive of %u chunks", path,
                   emu->file.layout.chunk_count);
    emu->media.facts.volatile_cache = header->outlives_host || emu->cache.slot_count > 0;
    status = revive_chunks(emu, path, to);
    if (status != HFTL_OK || emu->file.read_only)
        return status;
    status = begin_session(emu);
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
    const struct emu_claim claim = {
        .how = options->look        ? EMU_CLAIM_NONE
               : options->read_only ? EMU_CLAIM_READ
                                    : EMU_CLAIM_WRITE,
        .pu_first = options->pu_first,
        .pu_count = options->pu_count,
        .format = options->format && !options->read_only,
    };
    enum hftl_status status = emu_file_open_pus(&emu->file, path, &claim, &to);
    if (status == HFTL_OK)
        status = power_up(emu, options, path, &to);
    if (status != HFTL_OK) {
        emu_abandon(&emu->media);
        return status;
    }
    *media = &emu->media;
    return HFTL_OK;
}
