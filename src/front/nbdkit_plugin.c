/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nbdkit-hostftl-plugin - serves a device over NBD. See nbdkit-hostftl-plugin(1).
 *
 * OWNS      the one device that this server exports, and a pool of channels.
 * PROMISES  flush, FUA, trim and zero as NBD has them, over any number of connections: there is one
 *           engine, so a flush on one connection covers what was answered on all (C1). SIGTERM and
 *           SIGINT leave a device that was closed cleanly.
 * IGNORES   sockets, TLS, exports by name: that is nbdkit.
 *
 *      get_ready    the path is probed: most mistakes are seen while nbdkit still has a terminal
 *      after_fork   the device is opened and recovered. Not earlier, for a thread does not survive
 *                   nbdkit's going into the background
 *      cleanup      all connections are gone: the device is closed
 *
 * nbdkit calls from many threads at once and each call may wait. Each takes a channel of depth one
 * out of the pool and puts it back: there are as many as there were calls at one time. A call
 * always waits for its answer, also when the client is gone: nothing is ever abandoned. While the
 * engine's thread sleeps, the call runs the engine itself (HFTL_OPEN_HELP).
 */
#define _GNU_SOURCE
#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include "front/nbdkit_farewell.h"
#include "front/nbdkit_heard.h"
#include "front/rpc.h"
#include "media/stack.h"

#include <hostftl/hostftl.h>
#include <hostftl/observe.h>

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <unistd.h>

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL
#define TRANSFER_BYTES_MAX (32u << 20)
#define EXTENTS_MAX 64u
#define WHY_BYTES 4608 /* the longest path, and a sentence */
/* Of one answer to block status. nbdkit before 1.44 miscounts where an answer reaches 4 GiB. */
#define EXTENTS_BLOCKS_MAX ((1u << 31) / HFTL_BLOCK_BYTES)

static char *drive;
static enum hftl_verify verify = HFTL_VERIFY_ALWAYS;
static uint64_t verify_cache_bytes; /* 0: the library's default */
static bool read_only;
static char *rpc_wanted; /* rpc=: NULL the usual place, "none" none */
static char rpc_path[PATH_MAX];
static struct rpc *rpc;
static struct hftl_device *device;
static struct hftl_info info; /* as it was after the open */

/* ---- configuration --------------------------------------------------------------------------- */

static int set_verify(const char *value)
{
    verify_cache_bytes = 0;
    if (strcmp(value, "always") == 0)
        verify = HFTL_VERIFY_ALWAYS;
    else if (strcmp(value, "relocation") == 0)
        verify = HFTL_VERIFY_RELOCATION;
    else if (strcmp(value, "cached") == 0)
        verify = HFTL_VERIFY_CACHED;
    else if (strncmp(value, "cached:", 7) == 0) {
        int64_t bytes = nbdkit_parse_size(value + 7);
        verify = HFTL_VERIFY_CACHED;
        verify_cache_bytes = bytes > 0 ? (uint64_t)bytes : 0;
        if (bytes == 0)
            nbdkit_error("verify=%s: a cache of nothing", value);
        return bytes > 0 ? 0 : -1;
    } else {
        nbdkit_error("verify=%s: it is \"always\", \"cached\", \"cached:SIZE\" or \"relocation\"",
                     value);
        return -1;
    }
    return 0;
}

static int set_rpc(const char *value)
{
    free(rpc_wanted);
    rpc_wanted = strcmp(value, "none") == 0 ? strdup(value) : nbdkit_absolute_path(value);
    return rpc_wanted ? 0 : -1;
}

static int plugin_config(const char *key, const char *value)
{
    if (strcmp(key, "verify") == 0)
        return set_verify(value);
    if (strcmp(key, "rpc") == 0)
        return set_rpc(value);
    if (strcmp(key, "read-only") == 0) {
        int yes = nbdkit_parse_bool(value);
        read_only = yes == 1;
        return yes < 0 ? -1 : 0;
    }
    if (strcmp(key, "drive") != 0) {
        nbdkit_error("unknown parameter '%s'", key);
        return -1;
    }
    if (drive) {
        nbdkit_error("drive= was given twice: one server exports one device");
        return -1;
    }
    char *here = nbdkit_realpath("."); /* nbdkit changes its directory */
    drive = here ? stack_absolute(value, here) : NULL;
    free(here);
    return drive ? 0 : -1;
}

static int plugin_config_complete(void)
{
    if (drive)
        return 0;
    nbdkit_error("which device? Give drive=PATH");
    return -1;
}

static void plugin_unload(void)
{
    free(drive);
    free(rpc_wanted);
    drive = rpc_wanted = NULL;
}

static void plugin_dump(void)
{
    printf("hostftl_block_bytes=%u\n", HFTL_BLOCK_BYTES);
    printf("hostftl_transfer_bytes_max=%u\n", TRANSFER_BYTES_MAX);
    printf("hostftl_multi_conn=1\n");
    printf("hostftl_verify=always,cached,relocation\n");
}

/* ---- the device's life ----------------------------------------------------------------------- */

/* nbdkit has errors and debugging only. In the background its own messages go to the system's log,
 * and the standard error is /dev/null. */
static void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void warn(const char *format, ...)
{
    char line[WHY_BYTES];
    struct stat err, null;
    va_list list;

    va_start(list, format);
    (void)vsnprintf(line, sizeof line, format, list);
    va_end(list);
    if (fstat(STDERR_FILENO, &err) == 0 && stat("/dev/null", &null) == 0 &&
        err.st_rdev == null.st_rdev)
        syslog(LOG_WARNING, "hostftl: warning: %s", line);
    else
        fprintf(stderr, "nbdkit: hostftl: warning: %s\n", line);
}

/* Asked before anything is said while the device is served: it must not wait for a reader. */
static bool heard(void)
{
    uint64_t unheard;

    if (!heard_now(&unheard))
        return false;
    if (unheard > 0)
        warn("%llu messages are left out here: nobody was reading", (unsigned long long)unheard);
    return true;
}

static void pass_on(void *arg, enum hftl_log_level level, const char *message)
{
    (void)arg;
    if (!heard())
        return;
    if (level == HFTL_LOG_WARN)
        warn("%s", message);
    else if (level < HFTL_LOG_WARN)
        nbdkit_error("%s", message);
    else
        nbdkit_debug("%s", message);
}

static int plugin_get_ready(void)
{
    struct hftl_info found = {.size = sizeof found};
    char why[WHY_BYTES];

    if (hftl_probe(drive, &found, why, sizeof why) == HFTL_OK)
        return 0;
    nbdkit_error("%s", why);
    return -1;
}

/*
 * A file system on this device may write to it because memory is short. Were the server swapped
 * out, or did it wait for memory that such a write is to free, both would wait for ever. Needs
 * privileges. MCL_ONFAULT: what is used stays; the unused part of each thread's stack need not be
 * there.
 */
static void keep_in_memory(void)
{
    struct rlimit limit = {0};
    const char *missing = "";
    int error = 0;

    getrlimit(RLIMIT_MEMLOCK, &limit);
    /* With a limit, locking would succeed now and make an allocation fail later. */
    if (geteuid() != 0 && limit.rlim_cur != RLIM_INFINITY)
        missing = "the server's memory is not locked (memlock limit)";
    else if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0) {
        missing = "the server's memory is not locked (mlockall)";
        error = errno;
    }
#ifdef PR_SET_IO_FLUSHER
    if (prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) != 0 && missing[0] == '\0') {
        missing = "the server may wait for memory (PR_SET_IO_FLUSHER)";
        error = errno;
    }
#endif
    if (missing[0] != '\0')
        warn("when memory is short, a file system on this device, on this machine, may hang: "
             "%s%s%s",
             missing, error != 0 ? ": " : "", error != 0 ? strerror(error) : "");
}

/*
 * Managing is not worth a device that is not served: where the usual place cannot be had, it is
 * served without. A place that was asked for must be had. False: that, and it was said.
 */
static bool start_rpc(void)
{
    enum hftl_status status = HFTL_OK;
    char why[WHY_BYTES / 2];

    if (rpc_wanted && strcmp(rpc_wanted, "none") == 0)
        return true;
    if (rpc_wanted && strlen(rpc_wanted) < sizeof rpc_path)
        strcpy(rpc_path, rpc_wanted);
    else if (rpc_wanted)
        status = HFTL_RANGE;
    else
        status = hftl_rpc_path(drive, rpc_path, sizeof rpc_path);
    if (status == HFTL_OK)
        rpc = rpc_start(rpc_path, device, drive, why, sizeof why);
    else
        snprintf(why, sizeof why, "%s",
                 status == HFTL_RANGE ? "the path of a socket has at most 107 bytes"
                                      : hftl_status_text(status));
    if (rpc)
        return true;
    if (rpc_wanted)
        nbdkit_error("%s: no management socket: %s", rpc_wanted, why);
    else
        warn("%s: no management socket: %s; rpc=PATH names another place, rpc=none asks for none",
             rpc_path[0] ? rpc_path : drive, why);
    return !rpc_wanted;
}

static void give_up(void);
static void close_device(void);

static int plugin_after_fork(void)
{
    struct hftl_open_options options;
    char why[WHY_BYTES];

    if (!read_only)       /* memory is never freed by writing to it */
        keep_in_memory(); /* before the engine's thread is born: it inherits */
    hftl_open_options_init(&options);
    options.flags = HFTL_OPEN_THREAD | HFTL_OPEN_HELP;
    if (read_only)
        options.flags |= HFTL_OPEN_READ_ONLY;
    options.verify = verify;
    options.verify_cache_bytes = verify_cache_bytes;
    options.log = pass_on;
    if (hftl_open(drive, &options, &device, why, sizeof why) != HFTL_OK) {
        nbdkit_error("%s", why);
        return -1;
    }
    if (!start_rpc()) {
        close_device();
        return -1;
    }
    int error = farewell_start(give_up);
    if (error != 0)
        warn("SIGTERM will wait for clients to go: %s", strerror(error));
    info.size = sizeof info;
    hftl_get_info(device, &info);
    if (info.read_only && !read_only)
        warn("%s is read-only: %s", drive, info.reason);
    return 0;
}

/* ---- channels -------------------------------------------------------------------------------- */

struct lane {
    struct hftl_channel *channel;
    struct lane *next;
};

static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t pool_whole = PTHREAD_COND_INITIALIZER;
static struct lane *pool;
static unsigned lanes_out; /* requests under way; all these are under pool_lock */
static bool pool_closed;   /* no more */

/* Opens one where the pool has none. */
static enum hftl_status open_lane(struct lane **lane)
{
    *lane = malloc(sizeof **lane);
    if (!*lane)
        return HFTL_MEMORY;
    (*lane)->channel = hftl_channel_open(device, 1);
    if ((*lane)->channel)
        return HFTL_OK;
    free(*lane);
    return HFTL_MEMORY;
}

static enum hftl_status take_lane(struct lane **lane)
{
    enum hftl_status status = HFTL_OK;

    pthread_mutex_lock(&pool_lock);
    *lane = pool;
    if (pool_closed)
        status = HFTL_CLOSING;
    else if (pool)
        pool = pool->next;
    else
        status = open_lane(lane);
    lanes_out += status == HFTL_OK;
    pthread_mutex_unlock(&pool_lock);
    return status;
}

static void put_lane(struct lane *lane)
{
    pthread_mutex_lock(&pool_lock);
    lane->next = pool;
    pool = lane;
    lanes_out--;
    pthread_cond_signal(&pool_whole);
    pthread_mutex_unlock(&pool_lock);
}

/* When the requests under way have ended; later ones are refused. */
static void close_device(void)
{
    enum hftl_status status;

    pthread_mutex_lock(&pool_lock);
    pool_closed = true;
    while (lanes_out > 0)
        pthread_cond_wait(&pool_whole, &pool_lock);
    pthread_mutex_unlock(&pool_lock);
    rpc_stop(rpc);
    rpc = NULL;
    while (pool) {
        struct lane *lane = pool;
        pool = lane->next;
        hftl_channel_close(lane->channel);
        free(lane);
    }
    if (!device)
        return;
    status = hftl_close(device);
    device = NULL;
    if (status != HFTL_OK)
        nbdkit_error("%s: not closed cleanly, the next open recovers: %s", drive,
                     hftl_status_text(status));
}

static void give_up(void)
{
    close_device();
    nbdkit_error("clients that do not take their answers are cut off; the device is closed");
}

static void plugin_cleanup(void)
{
    farewell_stop(); /* from here on nobody else closes the device */
    close_device();
}

/* ---- requests -------------------------------------------------------------------------------- */

/* What a client can understand. nbdkit turns EROFS into the protocol's EPERM. */
static int error_for_client(enum hftl_status status)
{
    int error = hftl_status_errno(status);

    switch (error) {
    case EINVAL:
    case ENOMEM:
    case ENOSPC:
    case EROFS:
    case ESHUTDOWN:
        return error;
    case EOPNOTSUPP:
        return ENOTSUP;
    case ENXIO: /* beyond the end */
        return EINVAL;
    default:
        return EIO;
    }
}

static int refuse(enum hftl_status status, const char *verb, uint64_t offset)
{
    if (heard())
        nbdkit_error("%s at %llu: %s", verb, (unsigned long long)offset, hftl_status_text(status));
    nbdkit_set_error(error_for_client(status));
    return -1;
}

static enum hftl_status run(struct hftl_request *request)
{
    struct lane *lane;
    enum hftl_status status = take_lane(&lane);

    if (status != HFTL_OK)
        return status;
    status = hftl_run(lane->channel, request);
    put_lane(lane);
    return status;
}

/* nbdkit has checked the range. The block size is advertised; clients that cannot keep to it need
 * nbdkit-blocksize-filter(1). */
static bool is_aligned(const char *verb, uint32_t count, uint64_t offset)
{
    if (count % HFTL_BLOCK_BYTES == 0 && offset % HFTL_BLOCK_BYTES == 0)
        return true;
    if (heard())
        nbdkit_error("%s of %u bytes at %llu is not in blocks of %u: use nbdkit --filter=blocksize",
                     verb, count, (unsigned long long)offset, HFTL_BLOCK_BYTES);
    nbdkit_set_error(EINVAL);
    return false;
}

static int transfer(enum hftl_verb verb, const char *name, struct iovec iov, uint64_t offset,
                    uint32_t flags)
{
    struct hftl_request request = {
        .verb = verb,
        .flags = flags & NBDKIT_FLAG_FUA ? HFTL_FUA : 0,
        .lba = offset / HFTL_BLOCK_BYTES,
        .blocks = iov.iov_len / HFTL_BLOCK_BYTES,
    };
    enum hftl_status status;

    if (!is_aligned(name, (uint32_t)iov.iov_len, offset))
        return -1;
    if (iov.iov_len == 0)
        return 0;
    if (iov.iov_base) {
        request.iov = &iov;
        request.iov_count = 1;
    }
    status = run(&request);
    return status == HFTL_OK ? 0 : refuse(status, name, offset);
}

static int plugin_pread(void *handle, void *data, uint32_t count, uint64_t offset, uint32_t flags)
{
    (void)handle;
    return transfer(HFTL_READ, "read", (struct iovec){data, count}, offset, flags);
}

static int plugin_pwrite(void *handle, const void *data, uint32_t count, uint64_t offset,
                         uint32_t flags)
{
    struct iovec iov = {(void *)(uintptr_t)data, count}; /* only read from */
    (void)handle;
    return transfer(HFTL_WRITE, "write", iov, offset, flags);
}

static int plugin_trim(void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
    (void)handle;
    return transfer(HFTL_TRIM, "trim", (struct iovec){NULL, count}, offset, flags);
}

/* Always fast: nothing but the map changes. */
static int plugin_zero(void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
    (void)handle;
    return transfer(HFTL_WRITE_ZEROES, "zero", (struct iovec){NULL, count}, offset, flags);
}

static int plugin_flush(void *handle, uint32_t flags)
{
    struct hftl_request request = {.verb = HFTL_FLUSH};
    enum hftl_status status;

    (void)handle;
    (void)flags;
    status = run(&request);
    return status == HFTL_OK ? 0 : refuse(status, "flush", 0);
}

/* May tell of less than was asked, never of nothing. The range is widened to whole blocks; nbdkit
 * leaves out what lies before it. */
static int plugin_extents(void *handle, uint32_t count, uint64_t offset, uint32_t flags,
                          struct nbdkit_extents *extents)
{
    struct hftl_extent found[EXTENTS_MAX];
    uint64_t first = offset / HFTL_BLOCK_BYTES;
    uint64_t end = (offset + count + HFTL_BLOCK_BYTES - 1) / HFTL_BLOCK_BYTES;
    struct hftl_request request = {
        .verb = HFTL_EXTENTS,
        .lba = first,
        .blocks = end - first < EXTENTS_BLOCKS_MAX ? end - first : EXTENTS_BLOCKS_MAX,
        .extents = found,
        .extent_count = flags & NBDKIT_FLAG_REQ_ONE ? 1 : EXTENTS_MAX,
    };
    enum hftl_status status = run(&request);

    (void)handle;
    if (status != HFTL_OK)
        return refuse(status, "block status", offset);
    for (uint32_t i = 0; i < request.extent_count; i++) {
        uint32_t type = found[i].mapped ? 0 : NBDKIT_EXTENT_HOLE | NBDKIT_EXTENT_ZERO;
        if (nbdkit_add_extent(extents, first * HFTL_BLOCK_BYTES, found[i].blocks * HFTL_BLOCK_BYTES,
                              type) != 0)
            return -1;
        first += found[i].blocks;
    }
    return 0;
}

/* ---- what a client is told ------------------------------------------------------------------- */

static void *plugin_open(int readonly)
{
    (void)readonly;
    return NBDKIT_HANDLE_NOT_NEEDED;
}

static int64_t plugin_get_size(void *handle)
{
    (void)handle;
    return (int64_t)(info.blocks * HFTL_BLOCK_BYTES);
}

static int plugin_can_write(void *handle)
{
    (void)handle;
    return !info.read_only;
}

static int say_yes(void *handle)
{
    (void)handle;
    return 1;
}

static int say_no(void *handle)
{
    (void)handle;
    return 0;
}

static int plugin_can_fua(void *handle)
{
    (void)handle;
    return NBDKIT_FUA_NATIVE;
}

static int plugin_can_cache(void *handle)
{
    (void)handle;
    return NBDKIT_CACHE_NONE;
}

/* Preferred is one block: the write buffer makes write units of any blocks. */
static int plugin_block_size(void *handle, uint32_t *minimum, uint32_t *preferred,
                             uint32_t *maximum)
{
    (void)handle;
    *minimum = HFTL_BLOCK_BYTES;
    *preferred = HFTL_BLOCK_BYTES;
    *maximum = TRANSFER_BYTES_MAX;
    return 0;
}

static struct nbdkit_plugin plugin = {
    .name = "hostftl",
    .longname = "hostftl: a block device on sequential-write drives",
    .description = "Serves a device that hostftl(1) made: any block, any order, power-safe.",
    .magic_config_key = "drive",
    .config = plugin_config,
    .config_complete = plugin_config_complete,
    .config_help =
        "[drive=]PATH           (required) The drive, or emulated drive's file, that was "
        "formatted.\n"
        "verify=always          (default) Check each block that is read.\n"
        "verify=cached[:SIZE]   Check each block, with SIZE of memory (16M) for checksums, if "
        "they\n"
        "                       stand apart from blocks.\n"
        "verify=relocation      Check only blocks that move, if checksums stand apart from "
        "blocks.\n"
        "rpc=PATH               Where the management socket is, or none (default: DRIVE.rpc).\n"
        "read-only=true         Write nothing at all, not even recovery (nbdkit -r refuses "
        "clients'\n"
        "                       writes only). Needs a device that was closed cleanly.",
    .dump_plugin = plugin_dump,
    .unload = plugin_unload,
    .get_ready = plugin_get_ready,
    .after_fork = plugin_after_fork,
    .cleanup = plugin_cleanup,
    .open = plugin_open,
    .get_size = plugin_get_size,
    .block_size = plugin_block_size,
    .can_write = plugin_can_write,
    .can_flush = say_yes,
    .can_fua = plugin_can_fua,
    .can_trim = say_yes,
    .can_zero = say_yes,
    .can_fast_zero = say_yes,
    .can_extents = say_yes,
    .can_multi_conn = say_yes,
    .can_cache = plugin_can_cache,
    .is_rotational = say_no,
    .pread = plugin_pread,
    .pwrite = plugin_pwrite,
    .flush = plugin_flush,
    .trim = plugin_trim,
    .zero = plugin_zero,
    .extents = plugin_extents,
    .errno_is_preserved = 1,
};

NBDKIT_REGISTER_PLUGIN(plugin)
