/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "media/emu_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bitmap.h"
#include "base/bytes.h"
#include "media/hold.h"

enum { PAGE_BYTES = 4096 };

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

static uint32_t read_holder(int fd)
{
    uint8_t header_bytes[EMU_HEADER_BYTES], bytes[EMU_SESSION_BYTES];
    struct emu_header header;
    struct emu_session session;
    const char *what;
    if (emu_file_read_all(fd, header_bytes, sizeof header_bytes, 0) != 0 ||
        emu_header_decode(header_bytes, &header, &what) != HFTL_OK ||
        emu_file_read_all(fd, bytes, sizeof bytes, EMU_SESSION_AT) != 0 ||
        emu_session_decode(bytes, header.facts.id, &session) != HFTL_OK || session.clean)
        return 0;
    return session.pid;
}

static enum hftl_status say_busy(int fd, const char *path, const struct say *to)
{
    uint32_t pid = read_holder(fd);
    if (pid != 0)
        return say(to, HFTL_BUSY, "%s: in use by process %u", path, pid);
    return say(to, HFTL_BUSY, "%s: in use by another process", path);
}

enum hftl_status emu_file_check_unclaimed(const char *path, const struct say *to)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return HFTL_OK; /* cannot be opened, so nobody has it through us; rename will tell */
    enum hftl_status status = HFTL_OK;
    if (hold_file(fd, F_OFD_GETLK, F_WRLCK, read_holder) == EAGAIN)
        status = say_busy(fd, path, to);
    close(fd);
    return status;
}

bool emu_file_is_claimed(const struct emu_file *file, uint32_t *pid)
{
    *pid = 0;
    if (hold_file(file->fd, F_OFD_GETLK, F_RDLCK, NULL) != EAGAIN)
        return false;
    *pid = read_holder(file->fd);
    return true;
}

static enum hftl_status claim_file(struct emu_file *file, const char *path,
                                   enum emu_file_claim claim, const struct say *to)
{
    if (claim == EMU_CLAIM_NONE)
        return HFTL_OK;
    int error =
        hold_file(file->fd, F_OFD_SETLK, claim == EMU_CLAIM_WRITE ? F_WRLCK : F_RDLCK, read_holder);
    if (error == EAGAIN)
        return say_busy(file->fd, path, to);
    if (error != 0)
        return say(to, status_of_errno(error), "%s: cannot lock it: %s", path, strerror(error));
    return HFTL_OK;
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

static enum hftl_status read_table(struct emu_file *file, const char *path, const struct say *to)
{
    uint8_t bytes[EMU_SESSION_BYTES];
    if (emu_file_read_all(file->fd, bytes, sizeof bytes, EMU_SESSION_AT) != 0)
        return say(to, HFTL_IO, "%s: cannot read its session: %s", path, strerror(errno));
    if (emu_session_decode(bytes, file->header.facts.id, &file->session) != HFTL_OK)
        return say(to, HFTL_CORRUPT, "%s: the session record at byte %u fails its checks", path,
                   EMU_SESSION_AT);
    uint64_t pages = count_pages(file);
    file->table = calloc(pages, PAGE_BYTES);
    file->changed = calloc(bitmap_words(pages), sizeof *file->changed);
    if (!file->table || !file->changed)
        return say(to, HFTL_MEMORY, "%s: no memory for its chunk table", path);
    uint64_t table_bytes = (uint64_t)file->layout.chunk_count * EMU_RECORD_BYTES;
    if (emu_file_read_all(file->fd, file->table, table_bytes, EMU_TABLE_AT) != 0)
        return say(to, HFTL_IO, "%s: cannot read its chunk table: %s", path, strerror(errno));
    for (uint32_t i = 0; i < file->layout.chunk_count; i++) {
        struct emu_record record;
        if (emu_file_record(file, i, &record) != HFTL_OK)
            return say(to, HFTL_CORRUPT, "%s: the record of chunk %u at byte %llu fails its checks",
                       path, i, EMU_TABLE_AT + (unsigned long long)i * EMU_RECORD_BYTES);
    }
    return HFTL_OK;
}

enum hftl_status emu_file_open(struct emu_file *file, const char *path, enum emu_file_claim claim,
                               const struct say *to)
{
    memset(file, 0, sizeof *file);
    file->read_only = claim != EMU_CLAIM_WRITE;
    file->fd = open(path, (file->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
    if (file->fd < 0 && errno == EISDIR)
        return say(to, HFTL_INVALID, "%s: a folder, not a drive", path);
    if (file->fd < 0)
        return say(to, status_of_errno(errno), "%s: cannot open it: %s", path, strerror(errno));
    enum hftl_status status = read_header(file, path, to);
    if (status == HFTL_OK)
        status = claim_file(file, path, claim, to);
    if (status == HFTL_OK)
        status = read_table(file, path, to);
    if (status != HFTL_OK)
        emu_file_close(file);
    return status;
}

void emu_file_close(struct emu_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
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

void emu_file_note(struct emu_file *file, uint32_t chunk, const struct emu_record *record)
{
    size_t at = (size_t)chunk * EMU_RECORD_BYTES;
    emu_record_encode(record, &file->header.facts, chunk, file->table + at);
    bitmap_set(file->changed, at / PAGE_BYTES);
}

int emu_file_write_record(struct emu_file *file, uint32_t chunk)
{
    size_t at = (size_t)chunk * EMU_RECORD_BYTES;
    if (emu_file_write_all(file->fd, file->table + at, EMU_RECORD_BYTES, EMU_TABLE_AT + at) != 0)
        return errno;
    return 0;
}

int emu_file_write_table(struct emu_file *file)
{
    uint64_t pages = count_pages(file);
    uint64_t table_bytes = (uint64_t)file->layout.chunk_count * EMU_RECORD_BYTES;
    for (uint64_t page = bitmap_find_set(file->changed, pages, 0); page < pages;
         page = bitmap_find_set(file->changed, pages, page + 1)) {
        uint64_t at = page * PAGE_BYTES;
        size_t count = min_u64(PAGE_BYTES, table_bytes - at);
        if (emu_file_write_all(file->fd, file->table + at, count, EMU_TABLE_AT + at) != 0)
            return errno;
        bitmap_clear(file->changed, page);
    }
    return 0;
}

int emu_file_write_session(struct emu_file *file)
{
    uint8_t bytes[EMU_SESSION_BYTES];
    emu_session_encode(&file->session, file->header.facts.id, bytes);
    return emu_file_write_all(file->fd, bytes, sizeof bytes, EMU_SESSION_AT) != 0 ? errno : 0;
}
