/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "media/flat_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "media/emu_file.h"
#include "media/flat.h"
#include "media/hold.h"

void *flat_take_bytes(size_t count)
{
    void *bytes = NULL;
    return posix_memalign(&bytes, FLAT_PAGE_BYTES, count) == 0 ? bytes : NULL;
}

/* One page at `at`; false: errno. */
static bool read_page(int fd, uint64_t at, uint8_t *page)
{
    return emu_file_read_all(fd, page, FLAT_PAGE_BYTES, at) == 0;
}

/* The first of the two headers that is one. */
static enum hftl_status read_header(int fd, uint8_t *page, struct flat_header *header,
                                    const char **what)
{
    enum hftl_status first = HFTL_FOREIGN;
    *what = "it is shorter than a header";
    const char *clause;
    for (unsigned copy = 0; copy < 2; copy++) {
        if (!read_page(fd, copy * FLAT_PAGE_BYTES, page)) {
            if (errno != ENODATA && first == HFTL_FOREIGN)
                first = HFTL_IO;
            continue;
        }
        enum hftl_status status = flat_header_decode(page, header, &clause);
        if (status == HFTL_OK)
            return HFTL_OK;
        if (copy == 0 || first == HFTL_FOREIGN || first == HFTL_IO) {
            first = status;
            *what = clause;
        }
    }
    return first;
}

static uint32_t find_holder(int fd, uint64_t at)
{
    (void)at; /* one has all of it */
    struct flat_header header;
    const char *what;
    uint8_t *page = flat_take_bytes(FLAT_PAGE_BYTES);
    uint32_t pid = 0;
    if (page && read_header(fd, page, &header, &what) == HFTL_OK &&
        read_page(fd, FLAT_HOLDER_AT, page))
        pid = flat_holder_decode(page, header.facts.id);
    free(page);
    return pid;
}

bool flat_is(const char *path)
{
    struct flat_header header;
    const char *what;
    struct stat st;
    uint8_t *page = flat_take_bytes(FLAT_PAGE_BYTES);
    bool is = false;
    int fd = page ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    if (fd >= 0 && fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode))) {
        enum hftl_status status = read_header(fd, page, &header, &what);
        is = status == HFTL_OK || status == HFTL_VERSION || status == HFTL_CORRUPT;
    }
    if (fd >= 0)
        close(fd);
    free(page);
    return is;
}

bool flat_find_holder(const char *path, struct holder *holder)
{
    struct hold_span all = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool is = fd >= 0 && hold_file(fd, F_OFD_GETLK, F_RDLCK, &all, NULL) == EAGAIN;
    if (is)
        *holder = (struct holder){.pu_count = 1, .pid = find_holder(fd, 0)};
    if (fd >= 0)
        close(fd);
    return is;
}

static enum hftl_status measure_device(struct flat_file *file, const char *path,
                                       const struct say *to)
{
    unsigned optimal = 0, physical = 0;
    int logical = 0;
    if (ioctl(file->fd, BLKGETSIZE64, &file->bytes) != 0 ||
        ioctl(file->fd, BLKSSZGET, &logical) != 0)
        return say(to, HFTL_IO, "%s: cannot ask the device for its size: %s", path,
                   strerror(errno));
    if (logical > (int)FLAT_BLOCK_BYTES)
        return say(to, HFTL_UNSUPPORTED, "%s: its sectors have %d bytes, more than 4096", path,
                   logical);
    if (ioctl(file->fd, BLKIOOPT, &optimal) == 0)
        file->optimal_bytes = optimal;
    if (ioctl(file->fd, BLKPBSZGET, &physical) == 0)
        file->physical_bytes = physical;
    return HFTL_OK;
}

static enum hftl_status measure(struct flat_file *file, const char *path, const struct say *to)
{
    struct stat st;
    if (fstat(file->fd, &st) != 0)
        return say(to, HFTL_IO, "%s: cannot look at it: %s", path, strerror(errno));
    file->block_device = S_ISBLK(st.st_mode);
    if (file->block_device)
        return measure_device(file, path, to);
    if (!S_ISREG(st.st_mode))
        return say(to, HFTL_UNSUPPORTED, "%s: neither a file nor a block device", path);
    file->bytes = (uint64_t)st.st_size;
    return HFTL_OK;
}

static enum hftl_status claim(struct flat_file *file, const char *path, int how,
                              const struct say *to)
{
    struct hold_span all = {0};
    if (how == FLAT_LOOKS)
        return HFTL_OK;
    int error =
        hold_file(file->fd, F_OFD_SETLK, how == FLAT_READS ? F_RDLCK : F_WRLCK, &all, find_holder);
    uint32_t pid = error == EAGAIN ? find_holder(file->fd, 0) : 0;
    if (pid != 0)
        return say(to, HFTL_BUSY, "%s: in use by process %u", path, pid);
    if (error == EAGAIN)
        return say(to, HFTL_BUSY, "%s: in use by another process", path);
    if (error != 0)
        return say(to, status_of_errno(error), "%s: cannot lock it: %s", path, strerror(error));
    return HFTL_OK;
}

/* O_EXCL on a block device, and only there, is the kernel's own lock: no file system is mounted and
 * no other driver sits on it. */
static int open_flags(const struct stat *st, int how)
{
    int flags = (how == FLAT_WRITES ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK;
    return S_ISBLK(st->st_mode) && how == FLAT_WRITES ? flags | O_EXCL : flags;
}

enum hftl_status flat_file_open(struct flat_file *file, const char *path, int how,
                                const struct say *to)
{
    struct stat st;
    memset(file, 0, sizeof *file);
    file->fd = -1;
    if (stat(path, &st) != 0)
        return say(to, status_of_errno(errno), "%s: cannot open it: %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return say(to, HFTL_INVALID, "%s: a folder, not a drive", path);
    file->fd = open(path, open_flags(&st, how));
    if (file->fd < 0 && errno == EBUSY)
        return say(to, HFTL_BUSY, "%s: in use by another process, or mounted", path);
    if (file->fd < 0)
        return say(to, status_of_errno(errno), "%s: cannot open it: %s", path, strerror(errno));
    enum hftl_status status = measure(file, path, to);
    if (status == HFTL_OK)
        status = claim(file, path, how, to);
    if (status != HFTL_OK)
        flat_file_close(file);
    return status;
}

void flat_file_go_direct(struct flat_file *file)
{
    int flags = fcntl(file->fd, F_GETFL);
    file->direct = flags >= 0 && fcntl(file->fd, F_SETFL, flags | O_DIRECT) == 0;
}

uint32_t flat_file_page_records(const struct flat_file *file, uint32_t page)
{
    uint32_t chunks = file->header.facts.chunks_per_pu;
    return min_u32(FLAT_PAGE_CHUNKS, chunks - page * FLAT_PAGE_CHUNKS);
}

/* The newer valid copy of a page. */
static enum hftl_status load_page(struct flat_file *file, uint32_t page, uint8_t *bytes,
                                  const char *path, const struct say *to)
{
    struct flat_record copy[FLAT_PAGE_CHUNKS];
    struct flat_record *records = file->records + (size_t)page * FLAT_PAGE_CHUNKS;
    uint32_t count = flat_file_page_records(file, page);
    bool failed = false;
    for (unsigned i = 0; i < 2; i++) {
        uint64_t generation = 0;
        if (read_page(file->fd, flat_page_at(page, i), bytes))
            generation = flat_page_decode(bytes, page, &file->header.facts, copy, count);
        else
            failed = true;
        if (generation <= file->generations[page])
            continue;
        file->generations[page] = generation;
        memcpy(records, copy, count * sizeof *copy);
    }
    if (failed) /* the other copy may be the older one */
        return say(to, HFTL_IO, "%s: cannot read state page %u", path, page);
    if (file->generations[page] == 0)
        return say(to, HFTL_CORRUPT, "%s: both copies of state page %u, at byte %llu, are damaged",
                   path, page, (unsigned long long)flat_page_at(page, 0));
    return HFTL_OK;
}

static enum hftl_status load_pages(struct flat_file *file, uint8_t *page, const char *path,
                                   const struct say *to)
{
    uint32_t pages = flat_page_count(file->header.facts.chunks_per_pu);
    enum hftl_status status = HFTL_OK;
    file->records = calloc((size_t)pages * FLAT_PAGE_CHUNKS, sizeof *file->records);
    file->generations = calloc(pages, sizeof *file->generations);
    if (!file->records || !file->generations)
        return say(to, HFTL_MEMORY, "%s: no memory for its chunk table", path);
    for (uint32_t i = 0; status == HFTL_OK && i < pages; i++)
        status = load_page(file, i, page, path, to);
    return status;
}

enum hftl_status flat_file_load(struct flat_file *file, const char *path, bool claim_it,
                                const struct say *to)
{
    const char *what = NULL;
    uint8_t *page = flat_take_bytes(FLAT_PAGE_BYTES);
    if (!page)
        return say(to, HFTL_MEMORY, "%s: no memory", path);
    enum hftl_status status = read_header(file->fd, page, &file->header, &what);
    if (status != HFTL_OK)
        status = say(to, status, "%s: no flat medium that can be used: %s", path, what);
    const struct hftl_media_facts *f = &file->header.facts;
    uint64_t wanted = file->header.data_at +
                      (uint64_t)f->chunks_per_pu * f->chunk_blocks * (uint64_t)f->block_bytes;
    if (status == HFTL_OK && file->bytes < wanted)
        status = say(to, HFTL_TRUNCATED, "%s: it has %llu bytes, its header says %llu", path,
                     (unsigned long long)file->bytes, (unsigned long long)wanted);
    if (status == HFTL_OK)
        status = load_pages(file, page, path, to);
    if (status == HFTL_OK && claim_it) {
        flat_holder_encode((uint32_t)getpid(), f->id, page);
        if (emu_file_write_all(file->fd, page, FLAT_PAGE_BYTES, FLAT_HOLDER_AT) != 0)
            status = say(to, status_of_errno(errno), "%s: cannot write that it is in use: %s", path,
                         strerror(errno));
    }
    free(page);
    return status;
}

void flat_file_close(struct flat_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    free(file->records);
    free(file->generations);
    memset(file, 0, sizeof *file);
    file->fd = -1;
}
