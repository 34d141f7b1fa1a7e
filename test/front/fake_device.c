/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A RAM disk that behaves as device.h says, with manners (stand.h). Its medium has no chunks to
 * speak of; it is a mapped file or plain memory, and the timer that a slow drive would be.
 */
#define _GNU_SOURCE
#include "base/list.h"
#include "base/must.h"
#include "base/recorder.h"
#include "base/prng.h"
#include "core/device.h"
#include "test/front/stand.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

#define STEP_MAX 64u
#define HOLD_NS 1000000u /* how often a held answer is looked at again */

struct stand_manners stand;
static _Atomic unsigned closes;

bool stand_has_manners(void)
{
    return true;
}

unsigned stand_closes(void)
{
    return closes;
}

/* ---- the medium ------------------------------------------------------------------------------ */

struct fake_medium {
    struct hftl_media media;
    uint8_t *data;
    uint64_t blocks;
    int file, timer;
    uint64_t due; /* 0: nothing */
    bool asked;
};

static void set_timer(struct fake_medium *medium, uint64_t due)
{
    struct itimerspec at = {
        .it_value = {.tv_sec = (time_t)(due / 1000000000u), .tv_nsec = (long)(due % 1000000000u)}};

    must(timerfd_settime(medium->timer, TFD_TIMER_ABSTIME, &at, NULL) == 0);
    medium->asked = due != 0;
}

/* The timer runs from here to the next call of the engine: no longer than media.h promises. */
static int timer_fd(struct hftl_media *media)
{
    struct fake_medium *medium = (struct fake_medium *)media;

    if (stand.always_ready)
        return -1;
    set_timer(medium, medium->due);
    return medium->timer;
}

static void forget_timer(struct fake_medium *medium)
{
    if (medium->asked)
        set_timer(medium, 0);
}

static void close_medium(struct hftl_media *media)
{
    struct fake_medium *medium = (struct fake_medium *)media;

    munmap(medium->data, medium->blocks * HFTL_BLOCK_BYTES);
    close(medium->timer);
    if (medium->file >= 0)
        close(medium->file);
    free(medium);
    closes++;
}

static const struct hftl_media_ops fake_ops = {
    .name = "fake", .fd = timer_fd, .close = close_medium};

static struct hftl_media *make_medium(uint64_t blocks, int file)
{
    struct fake_medium *medium = calloc(1, sizeof *medium);

    must(medium != NULL);
    medium->media.ops = &fake_ops;
    medium->media.facts = (struct hftl_media_facts){
        .size = sizeof medium->media.facts,
        .kind = HFTL_KIND_FLAT,
        .block_bytes = HFTL_BLOCK_BYTES,
        .groups = 1,
        .pus_per_group = 1,
        .chunks_per_pu = (uint32_t)(blocks / 64),
        .chunk_blocks = 64,
        .ws_min = 1,
        .ws_opt = 4,
        .transfer_blocks_max = 256,
        .volatile_cache = true,
    };
    medium->blocks = blocks;
    medium->file = file;
    medium->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    medium->data = mmap(NULL, blocks * HFTL_BLOCK_BYTES, PROT_READ | PROT_WRITE,
                        file < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, file, 0);
    must(medium->data != MAP_FAILED && medium->timer >= 0);
    return &medium->media;
}

struct hftl_media *stand_medium(uint64_t mib)
{
    return make_medium(mib * 256, -1);
}

struct hftl_media *stand_small_blocks(void)
{
    struct hftl_media *media = make_medium(256, -1);
    media->facts.block_bytes = 512;
    return media;
}

enum hftl_status hftl_media_open_pus(const char *path,
                                     const struct hftl_media_open_options *options,
                                     struct hftl_media **media, char *why, size_t why_bytes)
{
    struct stat stat;
    int file = open(path, O_RDWR | O_CLOEXEC);

    if (file < 0) {
        snprintf(why, why_bytes, "%s: %s", path, strerror(errno));
        return errno == ENOENT ? HFTL_ABSENT : HFTL_FORBIDDEN;
    }
    if ((options->flags & HFTL_MEDIA_OPEN_LOOK) == 0 && flock(file, LOCK_EX | LOCK_NB) != 0) {
        close(file);
        return HFTL_BUSY;
    }
    must(fstat(file, &stat) == 0 && stat.st_size >= 256 * HFTL_BLOCK_BYTES);
    *media = make_medium((uint64_t)stat.st_size / HFTL_BLOCK_BYTES, file);
    return HFTL_OK;
}

/* ---- the engine ------------------------------------------------------------------------------ */

/* The fake's part of a request: the first words of `internal`. The rest of them but the last is
 * scribbled over, as an engine may. */
struct __attribute__((may_alias)) waiting {
    struct list_link link;
    uint64_t due;
};

struct device {
    struct device_options options;
    struct fake_medium *medium;
    struct list queue;
    uint64_t queued;
    uint8_t *mapped;
    struct prng prng;
    struct hftl_stats stats;
    struct hftl_limits limits;
    const char *policy;
    bool paused;
    struct recorder recorder;
    bool entered, *door; /* the front calls it from one thread at a time */
};

static void enter(const struct device *device)
{
    must(!*device->door);
    *device->door = true;
    if (stand.called)
        stand.called();
}

static void leave(const struct device *device)
{
    *device->door = false;
}

static struct waiting *waiting_of(struct hftl_request *request)
{
    return (struct waiting *)request->internal;
}

static struct hftl_request *request_of(struct waiting *waiting)
{
    return (struct hftl_request *)(void *)((char *)waiting -
                                           offsetof(struct hftl_request, internal));
}

enum hftl_status device_format(struct hftl_media *medium, const struct world *world,
                               const struct hftl_format_options *options, struct hftl_info *info,
                               struct why *why)
{
    struct fake_medium *fake = (struct fake_medium *)medium;

    (void)world;
    (void)why;
    if (!options->dry_run)
        memset(fake->data, 0, fake->blocks * HFTL_BLOCK_BYTES);
    return device_probe(medium, world, NULL, info, why);
}

enum hftl_status device_probe(struct hftl_media *medium, const struct world *world,
                              const char *name, struct hftl_info *info, struct why *why)
{
    (void)world;
    (void)name;
    (void)why;
    info->blocks = ((struct fake_medium *)medium)->blocks;
    info->block_bytes = HFTL_BLOCK_BYTES;
    info->pu_count = 1;
    info->facts = medium->facts;
    snprintf(info->name, sizeof info->name, "fake");
    return HFTL_OK;
}

enum hftl_status device_list(struct hftl_media *medium, const struct world *world,
                             void (*each)(void *arg, const struct hftl_info *info), void *arg,
                             struct why *why)
{
    struct hftl_info info = {.size = sizeof info};
    enum hftl_status status = device_probe(medium, world, NULL, &info, why);

    each(arg, &info);
    return status;
}

enum hftl_status device_open(struct hftl_media *medium, const struct device_options *options,
                             struct device **out, struct why *why)
{
    const struct world *world = &options->world;
    struct device *device;

    world_log(world, HFTL_LOG_INFO, "the fake opens");
    if (stand.open_fails != HFTL_OK)
        return why_say(why, stand.open_fails, "the fake was told to fail");
    device = world->alloc(world->arg, sizeof *device);
    must(device != NULL);
    device->options = *options;
    device->door = &device->entered;
    device->medium = (struct fake_medium *)medium;
    device->mapped = world->alloc(world->arg, device->medium->blocks);
    must(device->mapped != NULL);
    for (uint64_t i = 0; i < device->medium->blocks; i++) {
        const uint8_t *block = device->medium->data + i * HFTL_BLOCK_BYTES;
        device->mapped[i] = block[0] != 0 || memcmp(block, block + 1, HFTL_BLOCK_BYTES - 1) != 0;
    }
    list_init(&device->queue);
    prng_seed(&device->prng, world->random(world->arg));
    *out = device;
    return HFTL_OK;
}

static void move_bytes(struct device *device, const struct hftl_request *request)
{
    uint8_t *at = device->medium->data + request->lba * HFTL_BLOCK_BYTES;

    for (int i = 0; i < request->iov_count; i++) {
        const struct iovec *iov = &request->iov[i];
        if (request->verb == HFTL_READ)
            memcpy(iov->iov_base, at, iov->iov_len);
        else
            memcpy(at, iov->iov_base, iov->iov_len);
        at += iov->iov_len;
    }
}

static void find_extents(const struct device *device, struct hftl_request *request)
{
    uint32_t count = 0;

    for (uint64_t i = 0; i < request->blocks; i++) {
        bool mapped = device->mapped[request->lba + i];
        if (count == 0 || request->extents[count - 1].mapped != mapped) {
            if (count == request->extent_count)
                break;
            request->extents[count++] = (struct hftl_extent){.mapped = mapped};
        }
        request->extents[count - 1].blocks++;
    }
    request->extent_count = count;
}

static enum hftl_status serve(struct device *device, struct hftl_request *request)
{
    uint64_t first = request->lba, blocks = request->blocks;

    switch (request->verb) {
    case HFTL_READ:
        if (first < stand.bad_lba_first + stand.bad_lba_count &&
            stand.bad_lba_first < first + blocks)
            return HFTL_IO;
        move_bytes(device, request);
        return HFTL_OK;
    case HFTL_WRITE:
        if (device->options.read_only)
            return HFTL_READ_ONLY;
        move_bytes(device, request);
        memset(device->mapped + first, 1, blocks);
        device->stats.user_blocks_written += blocks;
        return HFTL_OK;
    case HFTL_TRIM:
    case HFTL_WRITE_ZEROES:
        memset(device->medium->data + first * HFTL_BLOCK_BYTES, 0, blocks * HFTL_BLOCK_BYTES);
        memset(device->mapped + first, 0, blocks);
        return HFTL_OK;
    case HFTL_EXTENTS:
        find_extents(device, request);
        return HFTL_OK;
    case HFTL_FLUSH:
    case HFTL_FLUSH_BANDS:
        return HFTL_OK;
    case HFTL_VERB_COUNT:
        break;
    }
    return HFTL_INVALID;
}

static void finish(struct device *device, struct waiting *waiting)
{
    struct hftl_request *request = request_of(waiting);

    list_remove(&waiting->link);
    device->queued--;
    request->status = serve(device, request);
    device->stats.requests[request->verb]++;
    device->stats.status[request->status]++;
    if (request->status != HFTL_OK)
        device->stats.failed[request->verb]++;
    memset(request->internal, 0xa5, 15 * sizeof request->internal[0]);
    device->options.complete(device->options.complete_arg, request);
}

void device_submit(struct device *device, struct hftl_request *request)
{
    const struct world *world = &device->options.world;
    struct waiting *waiting = waiting_of(request);

    enter(device);
    if (stand.taken)
        stand.taken(request);
    memset(request->internal, 0x5a, 15 * sizeof request->internal[0]);
    link_init(&waiting->link);
    waiting->due = world->now(world->arg);
    if (stand.delay_ns > 0)
        waiting->due += prng_below(&device->prng, stand.delay_ns);
    if (stand.shuffle && prng_chance(&device->prng, 1, 2))
        list_push_front(&device->queue, &waiting->link);
    else
        list_push_back(&device->queue, &waiting->link);
    device->queued++;
    forget_timer(device->medium);
    leave(device);
}

void device_submit_from(struct device *device, struct sender *sender, struct hftl_request *request)
{
    (void)sender;
    device_submit(device, request);
}

bool device_step(struct device *device)
{
    const struct world *world = &device->options.world;
    uint64_t now = world->now(world->arg), next = UINT64_MAX;
    unsigned done = 0;

    enter(device);
    if (stand.hold) {
        next = now + HOLD_NS;
    } else {
        for (struct list_link *at = list_first(&device->queue), *after; at; at = after) {
            struct waiting *waiting = list_of(at, struct waiting, link);
            after = list_next(&device->queue, at);
            if (done < STEP_MAX && waiting->due <= now) {
                finish(device, waiting);
                done++;
            } else if (waiting->due < next) {
                next = waiting->due;
            }
        }
    }
    device->medium->due = device->queued > 0 ? next : 0;
    forget_timer(device->medium);
    leave(device);
    return done == STEP_MAX;
}

bool device_is_idle(const struct device *device)
{
    return device->queued == 0;
}

void device_discard(struct device *device)
{
    struct device_options options = device->options;
    const struct world *world = &options.world;

    world->release(world->arg, device->mapped, device->medium->blocks);
    world->release(world->arg, device, sizeof *device);
}

enum hftl_status device_close(struct device *device)
{
    struct list_link *link;

    enter(device);
    while ((link = list_first(&device->queue)))
        finish(device, list_of(link, struct waiting, link));
    device_discard(device);
    return stand.close_fails;
}

void device_get_stats(const struct device *device, struct hftl_stats *stats)
{
    enter(device);
    *stats = device->stats;
    leave(device);
}

void device_get_limits(const struct device *device, struct hftl_limits *limits)
{
    enter(device);
    *limits = device->limits;
    leave(device);
}

enum hftl_status device_set_limits(struct device *device, const struct hftl_limits *limits,
                                   struct why *why)
{
    if (limits->level[HFTL_LIMIT_START].percent > 100)
        return why_say(why, HFTL_INVALID, "too much");
    enter(device);
    device->limits = *limits;
    leave(device);
    return HFTL_OK;
}

enum hftl_status device_set_policy(struct device *device, const char *name)
{
    if (strcmp(name, "greedy") != 0)
        return HFTL_INVALID; /* the fake knows but one */
    enter(device);
    device->policy = "greedy";
    leave(device);
    return HFTL_OK;
}

const char *device_get_policy(const struct device *device)
{
    return device->policy;
}

void device_pause_cleaning(struct device *device, bool paused)
{
    enter(device);
    device->paused = paused;
    leave(device);
}

bool device_cleaning_is_paused(const struct device *device)
{
    return device->paused;
}

void device_get_latency(const struct device *device, enum hftl_verb verb,
                        struct hftl_latency *latency)
{
    enter(device);
    latency->count = device->stats.requests[verb];
    leave(device);
}

void device_get_bands(const struct device *device, struct hftl_bands *bands)
{
    enter(device);
    bands->count[HFTL_BAND_FREE] = (uint32_t)device->medium->blocks;
    leave(device);
}

enum hftl_status device_check(const struct device *device, struct why *why)
{
    enter(device);
    enum hftl_status status =
        device->queued == 0 ? HFTL_OK : why_say(why, HFTL_CORRUPT, "the fake has work");
    leave(device);
    return status;
}

struct recorder *device_recorder(struct device *device)
{
    return &device->recorder;
}

void device_get_info(const struct device *device, struct hftl_info *info)
{
    struct why why;
    enter(device);
    enum hftl_status status = device_probe(&device->medium->media, NULL, NULL, info, &why);
    must(status == HFTL_OK);
    info->read_only = device->options.read_only;
    leave(device);
}

const struct hftl_media_facts *device_facts(const struct device *device)
{
    return &device->medium->media.facts;
}

uint64_t device_blocks(const struct device *device)
{
    return device->medium->blocks;
}

/* The engine's own are used where there are any. */
__attribute__((weak)) enum hftl_status why_say(struct why *why, enum hftl_status status,
                                               const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(why->text, sizeof why->text, format, args);
    va_end(args);
    return status;
}

__attribute__((weak)) void world_log(const struct world *world, enum hftl_log_level level,
                                     const char *format, ...)
{
    char line[256];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    world->log(world->arg, level, line);
}
