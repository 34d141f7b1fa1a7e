/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * emu_create.c - a new drive's file: made whole without a name, then named.
 *
 * A file without a name (O_TMPFILE) goes with its process, whatever ends it. A name beside the
 * drive's is needed where the file system has no such files, or for the moment in which the file
 * takes another's place: meanwhile signals that ask the process to end wait, so that only SIGKILL
 * leaves it behind.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pthread.h>
#include <signal.h>
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
    char *temporary; /* the name beside it */
    bool named;      /* a file of ours has that name */
    int fd;
    int replaced;   /* holds the drive whose place is taken; -1: none */
    uint8_t *kinds; /* per chunk: 1 bad, 2 short */
};

static enum hftl_status complain(const struct making *m, const char *deed)
{
    int error = errno;
    /* Room would not help against a limit of the file system's or the process's. */
    enum hftl_status status = error == EFBIG ? HFTL_GEOMETRY : status_of_errno(error);
    return say(m->to, status, "%s: cannot %s: %s", m->path, deed, strerror(error));
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
        uint64_t at = m->layout.table_at + (uint64_t)chunk * EMU_RECORD_BYTES;
        if (emu_file_write_all(m->fd, bytes, (size_t)n * EMU_RECORD_BYTES, at) != 0)
            return complain(m, "write its chunk table");
        chunk += n;
    }
    return HFTL_OK;
}

static enum hftl_status write_sessions(struct making *m)
{
    struct emu_session session = {.clean = true};
    uint8_t bytes[EMU_SESSION_BYTES];
    emu_file_boot_id(session.boot_id);
    for (; session.pu < m->layout.pu_count; session.pu++) {
        emu_session_encode(&session, m->header.facts.id, bytes);
        if (emu_file_write_all(m->fd, bytes, sizeof bytes,
                               EMU_SESSION_AT + (uint64_t)session.pu * EMU_SESSION_BYTES) != 0)
            return complain(m, "write its header");
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
    enum hftl_status status = write_sessions(m);
    if (status == HFTL_OK)
        status = write_table(m);
    if (status != HFTL_OK)
        return status;
    if (!m->header.no_fsync && fsync(m->fd) != 0)
        return complain(m, "make it durable");
    return HFTL_OK;
}

/* What is there already may be replaced: asked for, an ordinary file, and nobody's drive in use. It
 * is held until the new one has its place, so that nobody begins to use what goes away. */
static enum hftl_status check_replaceable(struct making *m)
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
    return emu_file_claim_all(m->path, &m->replaced, m->to);
}

/* Signals that end a process by default wait until they are let in; `before` is what was held. */
static void hold_signals(sigset_t *before)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        sigaddset(&set, signals[i]);
    pthread_sigmask(SIG_BLOCK, &set, before);
}

/* Gives the nameless file a name. Through /proc, because AT_EMPTY_PATH needs privileges. */
static int link_nameless(const struct making *m, const char *name)
{
    char itself[40];
    snprintf(itself, sizeof itself, "/proc/self/fd/%d", m->fd);
    return linkat(AT_FDCWD, itself, AT_FDCWD, name, AT_SYMLINK_FOLLOW);
}

static int take_place(struct making *m)
{
    if (!m->named && link_nameless(m, m->temporary) != 0)
        return -1;
    m->named = true;
    if (rename(m->temporary, m->path) != 0)
        return -1;
    m->named = false;
    return 0;
}

static enum hftl_status name_file(struct making *m)
{
    int error;
    if (m->options->overwrite)
        error = take_place(m);
    else if (m->named)
        error = link(m->temporary, m->path);
    else
        error = link_nameless(m, m->path);
    if (error != 0)
        return complain(m, "give the file its name");
    char *copy = strdup(m->path);
    int folder = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (folder >= 0) {
        (void)!fsync(folder); /* a file system that cannot do it has the name anyway */
        close(folder);
    }
    free(copy);
    return HFTL_OK;
}

/* A file in the drive's folder, without a name; -1 where that cannot be, or could not be named. */
static int open_nameless(const struct making *m)
{
    if (access("/proc/self/fd", X_OK) != 0)
        return -1;
    char *copy = strdup(m->path);
    int fd = copy ? open(dirname(copy), O_RDWR | O_TMPFILE | O_CLOEXEC, 0666) : -1;
    free(copy);
    return fd;
}

static enum hftl_status make_named(struct making *m)
{
    sigset_t before;
    m->fd = open_nameless(m);
    bool nameless = m->fd >= 0;
    if (!nameless) {
        hold_signals(&before);
        m->fd = open(m->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        m->named = m->fd >= 0;
    }
    enum hftl_status status = m->fd >= 0 ? choose_chunks(m) : complain(m, "create the file");
    if (status == HFTL_OK)
        status = write_file(m);
    if (nameless)
        hold_signals(&before);
    if (status == HFTL_OK)
        status = name_file(m);
    if (m->named)
        unlink(m->temporary);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (m->fd >= 0)
        close(m->fd);
    return status;
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
    return make_named(m);
}

enum hftl_status emu_create(const char *path, const struct emu_create_options *options, char *why,
                            size_t why_bytes)
{
    const struct say to = {why, why_bytes};
    struct making m = {.path = path, .options = options, .to = &to, .fd = -1, .replaced = -1};
    enum hftl_status status = emu_plan(options, &m.header, why, why_bytes);
    if (status != HFTL_OK)
        return status;
    if (m.options->short_chunks != 0 &&
        m.header.facts.chunk_blocks - m.header.facts.chunk_blocks / 8 < 2 * m.header.facts.ws_min)
        return say(&to, HFTL_GEOMETRY, "chunks of %u blocks cannot be shorter still",
                   m.header.facts.chunk_blocks);
    emu_layout_of(&m.header, &m.layout);
    status = make(&m);
    if (m.replaced >= 0)
        close(m.replaced);
    free(m.kinds);
    free(m.temporary);
    return status;
}
