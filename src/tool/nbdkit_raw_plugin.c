/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nbdkit_raw_plugin.c - an emulated drive as it is, over NBD.
 *
 *     byte 0           chunk_blocks * block_bytes
 *     | chunk 0         | chunk 1         | ...          one after the other, capacities only
 *
 * WHAT A CLIENT MAY DO
 *   read    anything; what was not written reads as zeros. A block that is written but not readable
 *           yet (mw_cunits) fails.
 *   write   only at a chunk's write pointer (R1): anything else fails, and the message says which
 *           rule it broke and where the write pointer is.
 *   flush   as the drive's own.
 *   trim    whole chunks: they are reset. Anything less fails.
 *
 * One request at a time: this is for looking at a drive, not for speed.
 *
 * AT THE END clients are let go (nbdkit_farewell.h), the drive is closed, and the socket that the
 * server was handed (socket=PATH) is removed: nbdkit leaves it, because others may have made it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include <hostftl/media.h>

#include "front/nbdkit_farewell.h"

#define THREAD_MODEL NBDKIT_THREAD_MODEL_SERIALIZE_ALL_REQUESTS

static char *drive;
static struct hftl_media *medium;            /* under `lock`, from then on; NULL: closed */
static struct hftl_media_facts medium_facts; /* its facts, which outlive it */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *socket_path; /* NULL: somebody else removes it */
static struct stat socket_file;

static int raw_config(const char *key, const char *value)
{
    if (strcmp(key, "socket") == 0) {
        free(socket_path);
        socket_path = stat(value, &socket_file) == 0 ? nbdkit_absolute_path(value) : NULL;
        return 0;
    }
    if (strcmp(key, "drive") != 0) {
        nbdkit_error("no such setting: %s: use drive=PATH", key);
        return -1;
    }
    free(drive);
    drive = nbdkit_absolute_path(value);
    return drive == NULL ? -1 : 0;
}

static int raw_config_complete(void)
{
    if (drive != NULL)
        return 0;
    nbdkit_error("which drive? write drive=PATH");
    return -1;
}

/* Unless another server has put its own there. Also when nbdkit ends without having served. */
__attribute__((destructor)) static void remove_socket(void)
{
    struct stat now;

    if (socket_path == NULL)
        return;
    if (lstat(socket_path, &now) == 0 && now.st_dev == socket_file.st_dev &&
        now.st_ino == socket_file.st_ino)
        (void)unlink(socket_path);
    free(socket_path);
    socket_path = NULL;
}

static void close_medium(void)
{
    pthread_mutex_lock(&lock);
    if (medium != NULL)
        medium->ops->close(medium);
    medium = NULL;
    pthread_mutex_unlock(&lock);
}

static void give_up(void)
{
    close_medium();
    remove_socket();
    nbdkit_error("clients that do not take their answers are cut off; the drive is closed");
}

/* After nbdkit forked: a medium may have threads. */
static int raw_after_fork(void)
{
    char why[4608] = ""; /* the longest path, and some words */
    enum hftl_status status = hftl_media_open(drive, 0, &medium, why, sizeof why);

    if (status == HFTL_OK) {
        medium_facts = medium->facts;
        int error = farewell_start(give_up);
        if (error != 0)
            nbdkit_error("warning: SIGTERM will wait for clients to go: %s", strerror(error));
        return 0;
    }
    nbdkit_error("%s", why[0] != '\0' ? why : hftl_status_text(status));
    return -1;
}

static void raw_cleanup(void)
{
    farewell_stop();
    close_medium();
}

static void raw_unload(void)
{
    free(drive);
}

static void *raw_open(int readonly)
{
    (void)readonly;
    return NBDKIT_HANDLE_NOT_NEEDED;
}

static int64_t raw_get_size(void *handle)
{
    const struct hftl_media_facts *facts = &medium_facts;

    (void)handle;
    return (int64_t)hftl_media_chunks(facts) * facts->chunk_blocks * facts->block_bytes;
}

static int raw_can_multi_conn(void *handle)
{
    (void)handle;
    return 1; /* there is one drive and one cache, whoever flushes it */
}

/* The largest power of two up to n. */
static uint32_t power_of_two(uint32_t n)
{
    uint32_t power = 1;

    while (power <= n / 2)
        power *= 2;
    return power;
}

static int raw_block_size(void *handle, uint32_t *minimum, uint32_t *preferred, uint32_t *maximum)
{
    const struct hftl_media_facts *facts = &medium_facts;

    (void)handle;
    *minimum = facts->block_bytes;
    *preferred = power_of_two(facts->ws_opt) * facts->block_bytes;
    *maximum = UINT32_MAX;
    return 0;
}

static void landed(struct hftl_media_op *op)
{
    *(bool *)op->owner = true;
}

/* Submits and waits; CLOSING when clients were given up. */
static enum hftl_status perform(struct hftl_media_op *op)
{
    struct hftl_media_op *ops[] = {op};
    bool done = false;

    op->land = landed;
    op->owner = &done;
    pthread_mutex_lock(&lock);
    if (medium == NULL) {
        pthread_mutex_unlock(&lock);
        return HFTL_CLOSING;
    }
    medium->ops->submit(medium, ops, 1);
    while (!done) {
        if (medium->ops->reap(medium, 1) > 0)
            continue;
        struct pollfd fd = {.fd = medium->ops->fd(medium), .events = POLLIN};
        if (fd.fd >= 0)
            (void)poll(&fd, 1, -1);
    }
    pthread_mutex_unlock(&lock);
    return op->status;
}

static enum hftl_status report(uint32_t chunk, struct hftl_chunk *state)
{
    struct hftl_media_op op = {
        .verb = HFTL_MEDIA_REPORT, .chunk = chunk, .blocks = 1, .out.report = state};

    return perform(&op);
}

/* A part of a request that lies in one chunk. */
struct part {
    uint32_t chunk, offset, blocks;
};

/* Takes the next part off a range; `most` blocks at most. */
static struct part next_part(uint64_t *block, uint64_t *left, uint32_t most)
{
    const struct hftl_media_facts *facts = &medium_facts;
    struct part part = {
        .chunk = (uint32_t)(*block / facts->chunk_blocks),
        .offset = (uint32_t)(*block % facts->chunk_blocks),
    };

    part.blocks = facts->chunk_blocks - part.offset;
    if (part.blocks > *left)
        part.blocks = (uint32_t)*left;
    if (part.blocks > most)
        part.blocks = most;
    *block += part.blocks;
    *left -= part.blocks;
    return part;
}

/* Bytes to blocks. False: told the client why not. */
static bool to_blocks(uint32_t count, uint64_t offset, uint64_t *block, uint64_t *blocks)
{
    uint32_t bytes = medium_facts.block_bytes;

    *block = offset / bytes;
    *blocks = count / bytes;
    if (offset % bytes == 0 && count % bytes == 0)
        return true;
    nbdkit_error("%" PRIu32 " bytes at %" PRIu64 ": the drive's blocks have %" PRIu32 " bytes",
                 count, offset, bytes);
    errno = EINVAL;
    return false;
}

static int refuse(const char *verb, const struct part *part, uint32_t wp, enum hftl_status status)
{
    nbdkit_error("%s of %" PRIu32 " blocks at block %" PRIu32 " of chunk %" PRIu32
                 " refused: %s (write pointer %" PRIu32 ")",
                 verb, part->blocks, part->offset, part->chunk, hftl_status_text(status), wp);
    errno = hftl_status_errno(status);
    return -1;
}

/* Reads what was written of a part; the rest is zeros. */
static int read_part(const struct part *part, uint8_t *data)
{
    size_t bytes = medium_facts.block_bytes;
    struct hftl_chunk state;
    enum hftl_status status = report(part->chunk, &state);
    uint32_t written = 0;

    if (status != HFTL_OK)
        return refuse("read", part, 0, status);
    if (state.state == HFTL_CHUNK_OFFLINE)
        return refuse("read", part, 0, HFTL_OFFLINE);
    if (state.wp > part->offset)
        written = state.wp - part->offset < part->blocks ? state.wp - part->offset : part->blocks;
    memset(data + written * bytes, 0, (part->blocks - written) * bytes);
    if (written == 0)
        return 0;
    if (!hftl_media_readable(&medium_facts, &state, part->offset + written - 1))
        return refuse("read", part, state.wp, HFTL_RULE_READ);
    struct hftl_media_op op = {.verb = HFTL_MEDIA_READ,
                               .chunk = part->chunk,
                               .offset = part->offset,
                               .blocks = written,
                               .data = data};
    status = perform(&op);
    return status == HFTL_OK ? 0 : refuse("read", part, state.wp, status);
}

static int raw_pread(void *handle, void *data, uint32_t count, uint64_t offset, uint32_t flags)
{
    uint64_t block, left;
    uint8_t *at = data;

    (void)handle;
    (void)flags;
    if (!to_blocks(count, offset, &block, &left))
        return -1;
    while (left > 0) {
        struct part part = next_part(&block, &left, medium_facts.transfer_blocks_max);

        if (read_part(&part, at) != 0)
            return -1;
        at += (size_t)part.blocks * medium_facts.block_bytes;
    }
    return 0;
}

/* The drive judges; where its rules are the client's fault, say where the write pointer is. */
static int write_part(const struct part *part, const uint8_t *data)
{
    struct hftl_chunk state = {0};
    struct hftl_media_op op = {.verb = HFTL_MEDIA_WRITE,
                               .chunk = part->chunk,
                               .offset = part->offset,
                               .blocks = part->blocks,
                               .data = (void *)(uintptr_t)data};
    enum hftl_status status = report(part->chunk, &state);

    if (status != HFTL_OK)
        return refuse("write", part, 0, status);
    if (state.state != HFTL_CHUNK_OFFLINE && part->offset != state.wp)
        return refuse("write", part, state.wp, HFTL_RULE_ORDER);
    status = perform(&op);
    return status == HFTL_OK ? 0 : refuse("write", part, state.wp, status);
}

static int raw_pwrite(void *handle, const void *data, uint32_t count, uint64_t offset,
                      uint32_t flags)
{
    uint64_t block, left;
    const uint8_t *at = data;

    (void)handle;
    (void)flags;
    if (!to_blocks(count, offset, &block, &left))
        return -1;
    uint32_t most = medium_facts.transfer_blocks_max;
    most -= most % medium_facts.ws_min;
    while (left > 0) {
        struct part part = next_part(&block, &left, most);

        if (write_part(&part, at) != 0)
            return -1;
        at += (size_t)part.blocks * medium_facts.block_bytes;
    }
    return 0;
}

static int raw_flush(void *handle, uint32_t flags)
{
    struct hftl_media_op op = {.verb = HFTL_MEDIA_FLUSH};
    enum hftl_status status = perform(&op);

    (void)handle;
    (void)flags;
    if (status == HFTL_OK)
        return 0;
    nbdkit_error("flush: %s", hftl_status_text(status));
    errno = hftl_status_errno(status);
    return -1;
}

static int reset_chunk(const struct part *part)
{
    struct hftl_media_op op = {.verb = HFTL_MEDIA_RESET, .chunk = part->chunk};
    struct hftl_chunk state;
    enum hftl_status status = report(part->chunk, &state);

    if (status == HFTL_OK && state.state == HFTL_CHUNK_FREE)
        return 0; /* nothing to reset (R5), and it reads as zeros already */
    if (status == HFTL_OK)
        status = perform(&op);
    return status == HFTL_OK ? 0 : refuse("reset", part, state.wp, status);
}

static int raw_trim(void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
    uint64_t block, left;
    uint32_t chunk_blocks = medium_facts.chunk_blocks;

    (void)handle;
    (void)flags;
    if (!to_blocks(count, offset, &block, &left))
        return -1;
    if (block % chunk_blocks != 0 || left % chunk_blocks != 0) {
        nbdkit_error("trim of %" PRIu64 " blocks at block %" PRIu64
                     " refused: only whole chunks of %" PRIu32 " blocks can be reset",
                     left, block, chunk_blocks);
        errno = EINVAL;
        return -1;
    }
    while (left > 0) {
        struct part part = next_part(&block, &left, chunk_blocks);

        if (reset_chunk(&part) != 0)
            return -1;
    }
    return 0;
}

static struct nbdkit_plugin plugin = {
    .name = "hostftl-raw",
    .longname = "an emulated drive of hostftl as it is",
    .version = TOOL_VERSION,
    .config = raw_config,
    .config_complete = raw_config_complete,
    .config_help = "drive=PATH (required)  the file of the emulated drive",
    .magic_config_key = "drive",
    .after_fork = raw_after_fork,
    .cleanup = raw_cleanup,
    .unload = raw_unload,
    .open = raw_open,
    .get_size = raw_get_size,
    .can_multi_conn = raw_can_multi_conn,
    .block_size = raw_block_size,
    .pread = raw_pread,
    .pwrite = raw_pwrite,
    .flush = raw_flush,
    .trim = raw_trim,
    .errno_is_preserved = 1,
};

NBDKIT_REGISTER_PLUGIN(plugin)
