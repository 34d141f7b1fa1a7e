/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * emu_create.c - a new drive's file: made whole under a temporary name beside it, then named.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/prng.h"
#include "media/emu.h"
#include "media/emu_file.h"
#include "media/say.h"

enum { RECORDS_AT_ONCE = 2048 };

struct making {
    const char *path;
    const struct emu_create_options *options;
    struct emu_header header;
    struct emu_layout layout;
    const struct say *to;
    char *temporary;
    int fd;
    uint8_t *kinds; /* per chunk: 1 bad, 2 short */
};

static enum hftl_status complain(const struct making *m, const char *deed)
{
    int error = errno;
    return say(m->to, status_of_errno(error), "%s: cannot %s: %s", m->path, deed, strerror(error));
}

/* Draws chunks until enough different ones have the mark. */
static void mark_chunks(struct making *m, struct prng *prng, uint32_t count, uint8_t mark)
{
    while (count > 0) {
        uint64_t chunk = prng_below(prng, m->layout.chunk_count);
        if (m->kinds[chunk] != 0)
            continue;
        m->kinds[chunk] = mark;
        count--;
    }
}

static enum hftl_status choose_chunks(struct making *m)
{
    struct prng prng;
    prng_seed(&prng, m->header.seed ^ 0xBADC4A9C5ull);
    m->kinds = calloc(m->layout.chunk_count, 1);
    if (!m->kinds)
        return say(m->to, HFTL_MEMORY, "%s: no memory for its chunk table", m->path);
    mark_chunks(m, &prng, m->options->bad_chunks, 1);
    mark_chunks(m, &prng, m->options->short_chunks, 2);
    return HFTL_OK;
}

static void describe_chunk(const struct making *m, uint32_t chunk, struct emu_record *record)
{
    const struct hftl_media_facts *f = &m->header.facts;
    *record = (struct emu_record){.chunk = {.state = HFTL_CHUNK_FREE, .capacity = f->chunk_blocks}};
    if (m->kinds[chunk] == 1)
        record->chunk.state = HFTL_CHUNK_OFFLINE;
    if (m->kinds[chunk] == 2) { /* loses an eighth, at least one smallest write */
        uint32_t less = round_up_u32(max_u32(f->chunk_blocks / 8, 1), f->ws_min);
        record->chunk.capacity -= less;
    }
}

static enum hftl_status write_table(struct making *m)
{
    static uint8_t bytes[RECORDS_AT_ONCE * EMU_RECORD_BYTES];
    uint32_t chunk = 0;
    while (chunk < m->layout.chunk_count) {
        uint32_t n = min_u32(RECORDS_AT_ONCE, m->layout.chunk_count - chunk);
        for (uint32_t i = 0; i < n; i++) {
            struct emu_record record;
            describe_chunk(m, chunk + i, &record);
            emu_record_encode(&record, &m->header.facts, chunk + i, bytes + i * EMU_RECORD_BYTES);
        }
        uint64_t at = EMU_TABLE_AT + (uint64_t)chunk * EMU_RECORD_BYTES;
        if (emu_file_write_all(m->fd, bytes, (size_t)n * EMU_RECORD_BYTES, at) != 0)
            return complain(m, "write its chunk table");
        chunk += n;
    }
    return HFTL_OK;
}

static enum hftl_status write_file(struct making *m)
{
    if (m->layout.file_bytes > INT64_MAX)
        return say(m->to, HFTL_GEOMETRY, "%s: a file cannot be that long", m->path);
    if (ftruncate(m->fd, (off_t)m->layout.file_bytes) != 0)
        return complain(m, "make the file that long");
    uint8_t header[EMU_HEADER_BYTES];
    emu_header_encode(&m->header, header);
    if (emu_file_write_all(m->fd, header, sizeof header, 0) != 0)
        return complain(m, "write its header");
    struct emu_session session = {.clean = true};
    emu_file_boot_id(session.boot_id);
    uint8_t bytes[EMU_SESSION_BYTES];
    emu_session_encode(&session, m->header.facts.id, bytes);
    if (emu_file_write_all(m->fd, bytes, sizeof bytes, EMU_SESSION_AT) != 0)
        return complain(m, "write its header");
    enum hftl_status status = write_table(m);
    if (status != HFTL_OK)
        return status;
    if (!m->header.no_fsync && fsync(m->fd) != 0)
        return complain(m, "make it durable");
    return HFTL_OK;
}

/* What is there already may be replaced: asked for, an ordinary file, and nobody's drive in use. */
static enum hftl_status check_replaceable(const struct making *m)
{
    struct stat st;
    if (lstat(m->path, &st) != 0)
        return errno == ENOENT ? HFTL_OK : complain(m, "look at it");
    if (!S_ISREG(st.st_mode))
        return say(m->to, HFTL_UNSUPPORTED,
                   "%s: there is something that is no ordinary file; "
                   "name another path",
                   m->path);
    if (!m->options->overwrite)
        return say(m->to, HFTL_EXISTS, "%s: already there; it is not overwritten unasked", m->path);
    return emu_file_check_unclaimed(m->path, m->to);
}

static enum hftl_status name_file(const struct making *m)
{
    if (!m->options->overwrite) {
        if (link(m->temporary, m->path) != 0)
            return complain(m, "give the file its name");
        unlink(m->temporary);
    } else if (rename(m->temporary, m->path) != 0) {
        return complain(m, "give the file its name");
    }
    char *copy = strdup(m->path);
    int folder = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (folder >= 0) {
        (void)!fsync(folder); /* a file system that cannot do it has the name anyway */
        close(folder);
    }
    free(copy);
    return HFTL_OK;
}

static enum hftl_status make(struct making *m)
{
    enum hftl_status status = check_replaceable(m);
    if (status != HFTL_OK)
        return status;
    size_t bytes = strlen(m->path) + 32;
    m->temporary = malloc(bytes);
    if (!m->temporary)
        return say(m->to, HFTL_MEMORY, "%s: no memory", m->path);
    snprintf(m->temporary, bytes, "%s.making.%ld", m->path, (long)getpid());
    m->fd = open(m->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (m->fd < 0)
        return complain(m, "create the file");
    status = choose_chunks(m);
    if (status == HFTL_OK)
        status = write_file(m);
    if (status == HFTL_OK)
        status = name_file(m);
    close(m->fd);
    if (status != HFTL_OK)
        unlink(m->temporary);
    return status;
}

enum hftl_status emu_create(const char *path, const struct emu_create_options *options, char *why,
                            size_t why_bytes)
{
    const struct say to = {why, why_bytes};
    struct making m = {.path = path, .options = options, .to = &to, .fd = -1};
    enum hftl_status status = emu_plan(options, &m.header, why, why_bytes);
    if (status != HFTL_OK)
        return status;
    if (m.options->short_chunks != 0 &&
        m.header.facts.chunk_blocks - m.header.facts.chunk_blocks / 8 < 2 * m.header.facts.ws_min)
        return say(&to, HFTL_GEOMETRY, "chunks of %u blocks cannot be shorter still",
                   m.header.facts.chunk_blocks);
    emu_layout_of(&m.header, &m.layout);
    status = make(&m);
    free(m.kinds);
    free(m.temporary);
    return status;
}
