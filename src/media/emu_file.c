/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "media/emu_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/bitmap.h"
#include "base/bytes.h"
#include "base/must.h"
#include "media/hold.h"

enum { PAGE_BYTES = 4096, RELOADS_MAX = 16, FORMAT_PAUSE_MS = 5, FORMAT_TRIES_MAX = 2000 };

int emu_file_write_all(int fd, const void *bytes, size_t count, uint64_t at)
{
    const uint8_t *from = bytes;
    while (count > 0) {
        ssize_t n = pwrite(fd, from, count, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = EIO;
        if (n <= 0)
            return -1;
        from += n;
        at += (uint64_t)n;
        count -= (size_t)n;
    }
    return 0;
}

int emu_file_read_all(int fd, void *bytes, size_t count, uint64_t at)
{
    uint8_t *to = bytes;
    while (count > 0) {
        ssize_t n = pread(fd, to, count, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = ENODATA; /* the end of the file */
        if (n <= 0)
            return -1;
        to += n;
        at += (uint64_t)n;
        count -= (size_t)n;
    }
    return 0;
}

void emu_file_boot_id(uint8_t id[16])
{
    memset(id, 0, 16);
    FILE *from = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (!from)
        return;
    unsigned digits = 0;
    for (int c = fgetc(from); c != EOF && digits < 32; c = fgetc(from)) {
        int value = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (value < 0)
            continue;
        id[digits / 2] = (uint8_t)(id[digits / 2] << 4 | value);
        digits++;
    }
    fclose(from);
}

static bool read_layout(int fd, struct emu_header *header, struct emu_layout *layout)
{
    uint8_t bytes[EMU_HEADER_BYTES];
    const char *what;
    if (emu_file_read_all(fd, bytes, sizeof bytes, 0) != 0 ||
        emu_header_decode(bytes, header, &what) != HFTL_OK)
        return false;
    emu_layout_of(header, layout);
    return true;
}

/* Byte `at` stands for a PU. */
static uint32_t read_holder(int fd, uint64_t at)
{
    uint8_t bytes[EMU_SESSION_BYTES];
    struct emu_header header;
    struct emu_layout layout;
    struct emu_session session = {.pu = (uint32_t)at};
    if (!read_layout(fd, &header, &layout) || at >= layout.pu_count ||
        emu_file_read_all(fd, bytes, sizeof bytes, EMU_SESSION_AT + at * EMU_SESSION_BYTES) != 0 ||
        emu_session_decode(bytes, header.facts.id, &session) != HFTL_OK || session.clean)
        return 0;
    return session.pid;
}

/* `theirs` is a lock of his. */
static enum hftl_status say_busy(int fd, const char *path, const struct hold_span *theirs,
                                 const struct say *to)
{
    struct emu_header header;
    struct emu_layout layout;
    char part[64] = "", who[40] = "another process";
    uint32_t pid = read_holder(fd, theirs->first);
    bool some = read_layout(fd, &header, &layout) && theirs->first < layout.pu_count &&
                theirs->count != 0 && theirs->count < layout.pu_count;
    if (some)
        snprintf(part, sizeof part, "its parallel units %llu-%llu are ",
                 (unsigned long long)theirs->first,
                 (unsigned long long)(theirs->first + theirs->count - 1));
    if (pid != 0)
        snprintf(who, sizeof who, "process %u", pid);
    return say(to, HFTL_BUSY, "%s: %sin use by %s", path, part, who);
}

enum hftl_status emu_file_claim_all(const char *path, int *fd, const struct say *to)
{
    struct hold_span all = {0};
    *fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    int command = *fd >= 0 ? F_OFD_SETLK : F_OFD_GETLK;
    if (*fd < 0)
        *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0)
        return HFTL_OK;
    if (hold_file(*fd, command, F_WRLCK, &all, read_holder) != EAGAIN)
        return HFTL_OK;
    enum hftl_status status = say_busy(*fd, path, &all, to);
    close(*fd);
    *fd = -1;
    return status;
}

bool emu_file_is_claimed(const struct emu_file *file, uint32_t pu_first, uint32_t pu_count,
                         struct holder *holder)
{
    struct hold_span span = {pu_first, pu_count};
    if (hold_file(file->fd, F_OFD_GETLK, F_RDLCK, &span, NULL) != EAGAIN)
        return false;
    uint64_t end =
        min_u64(span.count == 0 ? UINT64_MAX : span.first + span.count, file->layout.pu_count);
    *holder = (struct holder){.pu_first = (uint32_t)span.first,
                              .pu_count = (uint32_t)(end - span.first),
                              .pid = read_holder(file->fd, span.first)};
    return true;
}

/* One process at a time makes and removes devices. Whoever does it ends. */
static enum hftl_status claim_format(struct emu_file *file, const char *path, const struct say *to)
{
    const struct timespec pause = {.tv_nsec = FORMAT_PAUSE_MS * 1000000L};
    int error = EAGAIN;
    for (unsigned tries = 0; error == EAGAIN && tries < FORMAT_TRIES_MAX; tries++) {
        struct hold_span span = {EMU_FORMAT_BYTE, 1};
        if (tries > 0)
            nanosleep(&pause, NULL);
        error = hold_file(file->fd, F_OFD_SETLK, F_WRLCK, &span, NULL);
    }
    if (error == EAGAIN)
        return say(to, HFTL_BUSY, "%s: another process is formatting a part of it", path);
    if (error != 0)
        return say(to, status_of_errno(error), "%s: cannot lock it: %s", path, strerror(error));
    return HFTL_OK;
}

/* Between the open and the lock another drive may have taken the name. */
static bool is_still_there(const struct emu_file *file, const char *path)
{
    struct stat ours, now;
    return fstat(file->fd, &ours) != 0 ||
           (stat(path, &now) == 0 && ours.st_dev == now.st_dev && ours.st_ino == now.st_ino);
}

static enum hftl_status claim_pus(struct emu_file *file, const char *path,
                                  const struct emu_claim *claim, const struct say *to)
{
    uint32_t pus = file->layout.pu_count;
    bool all = claim->pu_first == 0 && claim->pu_count == 0;
    file->pu_first = claim->pu_first;
    file->pu_count = all ? pus : claim->pu_count;
    if (file->pu_count == 0 || file->pu_first >= pus || file->pu_count > pus - file->pu_first)
        return say(to, HFTL_INVALID, "%s: parallel units %u-%lld: the drive has 0-%u", path,
                   file->pu_first, (long long)file->pu_first + file->pu_count - 1, pus - 1);
    if (claim->how == EMU_CLAIM_NONE)
        return HFTL_OK;
    struct hold_span span = {file->pu_first, file->pu_count};
    int error = hold_file(file->fd, F_OFD_SETLK, claim->how == EMU_CLAIM_WRITE ? F_WRLCK : F_RDLCK,
                          &span, read_holder);
    if (error == EAGAIN)
        return say_busy(file->fd, path, &span, to);
    if (error != 0)
        return say(to, status_of_errno(error), "%s: cannot lock it: %s", path, strerror(error));
    if (!is_still_there(file, path))
        return say(to, HFTL_BUSY, "%s: another drive has just taken its place", path);
    return claim->format ? claim_format(file, path, to) : HFTL_OK;
}

static enum hftl_status read_header(struct emu_file *file, const char *path, const struct say *to)
{
    struct stat st;
    if (fstat(file->fd, &st) != 0)
        return say(to, HFTL_IO, "%s: cannot look at it: %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return say(to, HFTL_INVALID, "%s: a folder, not a drive", path);
    if (!S_ISREG(st.st_mode))
        return say(to, HFTL_UNSUPPORTED, "%s: not an ordinary file", path);
    uint8_t bytes[EMU_HEADER_BYTES];
    memset(bytes, 0, sizeof bytes);
    size_t there = min_u64((uint64_t)st.st_size, sizeof bytes);
    if (emu_file_read_all(file->fd, bytes, there, 0) != 0)
        return say(to, HFTL_IO, "%s: cannot read its header: %s", path, strerror(errno));
    /* With half of the magic it is ours; with less, chance would do too. */
    if (there >= 4 && there < sizeof bytes && memcmp(bytes, EMU_MAGIC, min_u64(there, 8)) == 0)
        return say(to, HFTL_TRUNCATED, "%s: it ends at byte %zu, inside its header", path, there);
    const char *what = NULL;
    enum hftl_status status = emu_header_decode(bytes, &file->header, &what);
    if (status == HFTL_FOREIGN)
        return say(to, status, "%s: not an emulated drive: %s", path, what);
    if (status != HFTL_OK)
        return say(to, status, "%s: an emulated drive that cannot be used: %s", path, what);
    emu_layout_of(&file->header, &file->layout);
    if ((uint64_t)st.st_size < file->layout.file_bytes)
        return say(to, HFTL_TRUNCATED, "%s: the file has %llu bytes, its header says %llu", path,
                   (unsigned long long)st.st_size, (unsigned long long)file->layout.file_bytes);
    return HFTL_OK;
}

static uint64_t count_pages(const struct emu_file *file)
{
    return div_round_up_u64((uint64_t)file->layout.chunk_count * EMU_RECORD_BYTES, PAGE_BYTES);
}

static bool is_ours(const struct emu_file *file, uint32_t pu)
{
    return pu >= file->pu_first && pu - file->pu_first < file->pu_count;
}

/* One that is being written may be torn; ours never is. */
static enum hftl_status read_session(struct emu_file *file, uint32_t pu, const char *path,
                                     const struct say *to)
{
    uint8_t bytes[EMU_SESSION_BYTES];
    uint64_t at = EMU_SESSION_AT + (uint64_t)pu * EMU_SESSION_BYTES;
    enum hftl_status status = HFTL_CORRUPT;
    for (unsigned tries = 0; status == HFTL_CORRUPT && tries < RELOADS_MAX; tries++) {
        if (emu_file_read_all(file->fd, bytes, sizeof bytes, at) != 0)
            return say(to, HFTL_IO, "%s: cannot read its session: %s", path, strerror(errno));
        file->sessions[pu].pu = pu;
        status = emu_session_decode(bytes, file->header.facts.id, &file->sessions[pu]);
    }
    if (status == HFTL_OK || !is_ours(file, pu))
        return HFTL_OK;
    return say(to, HFTL_CORRUPT, "%s: the session record at byte %llu fails its checks", path,
               (unsigned long long)at);
}

static enum hftl_status check_records(struct emu_file *file, const char *path, const struct say *to)
{
    uint32_t per_pu = file->header.facts.chunks_per_pu;
    for (uint32_t i = 0; i < file->pu_count * per_pu; i++) {
        uint32_t chunk = file->pu_first * per_pu + i;
        struct emu_record record;
        if (emu_file_record(file, chunk, &record) == HFTL_OK ||
            emu_file_reload(file, chunk, &record) == HFTL_OK)
            continue;
        return say(
            to, HFTL_CORRUPT, "%s: the record of chunk %u at byte %llu fails its checks", path,
            chunk,
            (unsigned long long)(file->layout.table_at + (uint64_t)chunk * EMU_RECORD_BYTES));
    }
    return HFTL_OK;
}

static enum hftl_status read_table(struct emu_file *file, const char *path, const struct say *to)
{
    uint64_t pages = count_pages(file);
    enum hftl_status status = HFTL_OK;
    file->sessions = calloc(file->layout.pu_count, sizeof *file->sessions);
    file->table = calloc(pages, PAGE_BYTES);
    file->changed = calloc(bitmap_words(pages), sizeof *file->changed);
    if (!file->sessions || !file->table || !file->changed)
        return say(to, HFTL_MEMORY, "%s: no memory for its chunk table", path);
    for (uint32_t pu = 0; status == HFTL_OK && pu < file->layout.pu_count; pu++)
        status = read_session(file, pu, path, to);
    if (status != HFTL_OK)
        return status;
    file->session = file->sessions[file->pu_first];
    uint64_t table_bytes = (uint64_t)file->layout.chunk_count * EMU_RECORD_BYTES;
    if (emu_file_read_all(file->fd, file->table, table_bytes, file->layout.table_at) != 0)
        return say(to, HFTL_IO, "%s: cannot read its chunk table: %s", path, strerror(errno));
    return check_records(file, path, to);
}

enum hftl_status emu_file_open_pus(struct emu_file *file, const char *path,
                                   const struct emu_claim *claim, const struct say *to)
{
    memset(file, 0, sizeof *file);
    file->read_only = claim->how != EMU_CLAIM_WRITE;
    file->fd = open(path, (file->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
    if (file->fd < 0 && errno == EISDIR)
        return say(to, HFTL_INVALID, "%s: a folder, not a drive", path);
    if (file->fd < 0)
        return say(to, status_of_errno(errno), "%s: cannot open it: %s", path, strerror(errno));
    enum hftl_status status = read_header(file, path, to);
    if (status == HFTL_OK)
        status = claim_pus(file, path, claim, to);
    if (status == HFTL_OK)
        status = read_table(file, path, to);
    if (status != HFTL_OK)
        emu_file_close(file);
    return status;
}

enum hftl_status emu_file_open(struct emu_file *file, const char *path, enum emu_file_how how,
                               const struct say *to)
{
    const struct emu_claim claim = {.how = how};
    return emu_file_open_pus(file, path, &claim, to);
}

void emu_file_close(struct emu_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    free(file->sessions);
    free(file->table);
    free(file->changed);
    memset(file, 0, sizeof *file);
    file->fd = -1;
}

enum hftl_status emu_file_record(const struct emu_file *file, uint32_t chunk,
                                 struct emu_record *record)
{
    return emu_record_decode(file->table + (size_t)chunk * EMU_RECORD_BYTES, &file->header.facts,
                             chunk, record);
}

enum hftl_status emu_file_reload(struct emu_file *file, uint32_t chunk, struct emu_record *record)
{
    size_t at = (size_t)chunk * EMU_RECORD_BYTES;
    enum hftl_status status = HFTL_CORRUPT;
    for (unsigned tries = 0; status == HFTL_CORRUPT && tries < RELOADS_MAX; tries++) {
        if (emu_file_read_all(file->fd, file->table + at, EMU_RECORD_BYTES,
                              file->layout.table_at + at) != 0)
            return HFTL_IO;
        status = emu_file_record(file, chunk, record);
    }
    return status;
}

void emu_file_note(struct emu_file *file, uint32_t chunk, const struct emu_record *record)
{
    size_t at = (size_t)chunk * EMU_RECORD_BYTES;
    must_show(is_ours(file, chunk / file->header.facts.chunks_per_pu), chunk, file->pu_first);
    emu_record_encode(record, &file->header.facts, chunk, file->table + at);
    bitmap_set(file->changed, at / PAGE_BYTES);
}

int emu_file_write_record(struct emu_file *file, uint32_t chunk)
{
    size_t at = (size_t)chunk * EMU_RECORD_BYTES;
    if (emu_file_write_all(file->fd, file->table + at, EMU_RECORD_BYTES,
                           file->layout.table_at + at) != 0)
        return errno;
    return 0;
}

/* What is beside our records in a page belongs to others, and what we know of it is old. */
int emu_file_write_table(struct emu_file *file)
{
    uint64_t pages = count_pages(file);
    uint64_t pu_bytes = (uint64_t)file->header.facts.chunks_per_pu * EMU_RECORD_BYTES;
    uint64_t first = file->pu_first * pu_bytes, end = first + file->pu_count * pu_bytes;
    for (uint64_t page = bitmap_find_set(file->changed, pages, 0); page < pages;
         page = bitmap_find_set(file->changed, pages, page + 1)) {
        uint64_t at = max_u64(page * PAGE_BYTES, first);
        uint64_t upto = min_u64((page + 1) * PAGE_BYTES, end);
        if (emu_file_write_all(file->fd, file->table + at, upto - at, file->layout.table_at + at) !=
            0)
            return errno;
        bitmap_clear(file->changed, page);
    }
    return 0;
}

int emu_file_write_session(struct emu_file *file)
{
    uint8_t bytes[EMU_SESSION_BYTES];
    for (uint32_t i = 0; i < file->pu_count; i++) {
        uint32_t pu = file->pu_first + i;
        struct emu_session session = file->session; /* the same life, an account of its own */
        if (i > 0) {
            session.pu = pu;
            session.opens = file->sessions[pu].opens;
            session.counters = file->sessions[pu].counters;
        }
        emu_session_encode(&session, file->header.facts.id, bytes);
        if (emu_file_write_all(file->fd, bytes, sizeof bytes,
                               EMU_SESSION_AT + (uint64_t)pu * EMU_SESSION_BYTES) != 0)
            return errno;
    }
    return 0;
}
