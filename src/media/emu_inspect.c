/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * emu_inspect.c - an emulated drive that is not powered: looked at, or cut from its power.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/must.h"
#include "base/prng.h"
#include "media/emu.h"
#include "media/emu_file.h"

static void count_chunks(struct emu_inspection *in)
{
    uint64_t wear = 0, counted = 0;
    in->wear_min = UINT32_MAX;
    for (uint32_t i = 0; i < in->layout.chunk_count; i++) {
        const struct hftl_chunk *c = &in->chunks[i].chunk;
        in->state_counts[c->state]++;
        if (c->state == HFTL_CHUNK_OFFLINE)
            continue;
        counted++;
        wear += c->wear;
        in->wear_min = c->wear < in->wear_min ? c->wear : in->wear_min;
        in->wear_max = c->wear > in->wear_max ? c->wear : in->wear_max;
    }
    if (counted == 0)
        in->wear_min = 0;
    else
        in->wear_mean = (double)wear / (double)counted;
}

static void sum_sessions(struct emu_inspection *in, const struct emu_file *file)
{
    in->session = file->sessions[0];
    for (uint32_t pu = 1; pu < file->layout.pu_count; pu++) {
        const struct emu_session *session = &file->sessions[pu];
        emu_counters_add(&in->session.counters, &session->counters);
        in->session.opens += session->opens;
        if (in->session.clean && !session->clean)
            in->session.pid = session->pid;
        in->session.clean = in->session.clean && session->clean;
    }
}

/* PU by PU: which of several locks the kernel names is its own affair. */
static enum hftl_status find_holders(struct emu_inspection *in, const struct emu_file *file)
{
    struct holder holder;
    in->holders = calloc(file->layout.pu_count, sizeof *in->holders);
    if (!in->holders)
        return HFTL_MEMORY;
    for (uint32_t pu = 0; pu < file->layout.pu_count; pu++) {
        if (!emu_file_is_claimed(file, pu, 1, &holder))
            continue;
        in->holders[in->holder_count++] = holder;
        pu = holder.pu_first + holder.pu_count - 1;
    }
    in->in_use = in->holder_count > 0;
    in->in_use_pid = in->in_use ? in->holders[0].pid : 0;
    return HFTL_OK;
}

bool emu_find_holder(const char *path, uint32_t pu_first, uint32_t pu_count, struct holder *holder)
{
    const struct say nobody = {NULL, 0};
    struct emu_file file;
    if (emu_file_open(&file, path, EMU_CLAIM_NONE, &nobody) != HFTL_OK)
        return false;
    if (pu_count == 0)
        pu_count = file.layout.pu_count;
    bool is = emu_file_is_claimed(&file, pu_first, pu_count, holder);
    emu_file_close(&file);
    return is;
}

enum hftl_status emu_inspect(const char *path, struct emu_inspection *inspection, char *why,
                             size_t why_bytes)
{
    const struct say to = {why, why_bytes};
    struct emu_file file;
    memset(inspection, 0, sizeof *inspection);
    enum hftl_status status = emu_file_open(&file, path, EMU_CLAIM_NONE, &to);
    if (status != HFTL_OK)
        return status;
    inspection->header = file.header;
    inspection->layout = file.layout;
    sum_sessions(inspection, &file);
    if (find_holders(inspection, &file) != HFTL_OK)
        status = say(&to, HFTL_MEMORY, "%s: no memory for its holders", path);
    struct stat st;
    if (fstat(file.fd, &st) == 0)
        inspection->disk_bytes = (uint64_t)st.st_blocks * 512;
    inspection->chunks = calloc(file.layout.chunk_count, sizeof *inspection->chunks);
    if (status == HFTL_OK && !inspection->chunks)
        status =
            say(&to, HFTL_MEMORY, "%s: no memory for %u chunks", path, file.layout.chunk_count);
    for (uint32_t i = 0; status == HFTL_OK && i < file.layout.chunk_count; i++)
        status = emu_file_record(&file, i, &inspection->chunks[i]);
    emu_file_close(&file);
    if (status != HFTL_OK)
        emu_inspection_free(inspection);
    else
        count_chunks(inspection);
    return status;
}

void emu_inspection_free(struct emu_inspection *inspection)
{
    free(inspection->chunks);
    free(inspection->holders);
    inspection->chunks = NULL;
    inspection->holders = NULL;
}

/* Shortens one chunk to a prefix that holds all that is durable. */
static void cut_chunk(struct emu_file *file, struct prng *prng, uint32_t chunk)
{
    struct emu_record record;
    if (emu_file_record(file, chunk, &record) != HFTL_OK)
        must(false); /* emu_file_open checked them all */
    struct hftl_chunk *c = &record.chunk;
    if (c->wp == record.durable)
        return;
    uint32_t ws_min = file->header.facts.ws_min;
    uint32_t units = (c->wp - record.durable) / ws_min;
    c->wp = record.durable + (uint32_t)prng_below(prng, (uint64_t)units + 1) * ws_min;
    record.durable = c->wp;
    bool working = c->state != HFTL_CHUNK_READ_ONLY && c->state != HFTL_CHUNK_OFFLINE;
    if (c->wp == 0 && working && !record.finished)
        c->state = HFTL_CHUNK_FREE;
    emu_file_note(file, chunk, &record);
}

enum hftl_status emu_power_cut(const char *path, uint64_t seed, char *why, size_t why_bytes)
{
    const struct say to = {why, why_bytes};
    struct emu_file file;
    enum hftl_status status = emu_file_open(&file, path, EMU_CLAIM_WRITE, &to);
    if (status != HFTL_OK)
        return status;
    struct prng prng;
    prng_seed(&prng, seed);
    for (uint32_t i = 0; i < file.layout.chunk_count; i++)
        cut_chunk(&file, &prng, i);
    int error = emu_file_write_table(&file);
    if (error == 0 && fdatasync(file.fd) != 0)
        error = errno;
    emu_file_close(&file);
    if (error != 0)
        return say(&to, status_of_errno(error), "%s: cannot write its chunk table: %s", path,
                   strerror(error));
    return HFTL_OK;
}
