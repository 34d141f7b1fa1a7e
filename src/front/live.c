/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "front/live.h"

#include "base/must.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>

#define PAGE_BYTES 4096u
#define HUGE_BYTES (UINT64_C(2) << 20)

static uint64_t read_clock(clockid_t which)
{
    struct timespec at;
    must(clock_gettime(which, &at) == 0);
    return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

static uint64_t now(void *arg)
{
    (void)arg;
    return read_clock(CLOCK_MONOTONIC);
}

static uint64_t seconds(void *arg)
{
    (void)arg;
    return read_clock(CLOCK_REALTIME) / 1000000000u;
}

static uint64_t draw(void *arg)
{
    struct live *live = arg;

    if (live->random_left == 0) {
        ssize_t got;
        do
            got = getrandom(live->random, sizeof live->random, 0);
        while (got < 0 && errno == EINTR);
        /* Up to 256 bytes are never given in part. */
        must_show(got == (ssize_t)sizeof live->random, got, errno);
        live->random_left = LIVE_RANDOM_WORDS;
    }
    return live->random[--live->random_left];
}

/*
 * Why not aligned_alloc? It does not zero, and touching every page of a large map to zero it would
 * take the memory that the map may never need. calloc of a large piece gives untouched pages.
 * The start that calloc gave stands in the word before the piece.
 */
static void *lend(void *arg, size_t bytes)
{
    struct live *live = arg;
    void *memory;

    if (bytes < PAGE_BYTES) {
        memory = calloc(1, bytes > 0 ? bytes : 1);
    } else {
        if (bytes > SIZE_MAX - 2 * PAGE_BYTES)
            return NULL;
        void *start = calloc(1, bytes + PAGE_BYTES + sizeof start);
        if (!start)
            return NULL;
        uintptr_t place = (uintptr_t)start + sizeof start + PAGE_BYTES - 1;
        memory = (char *)start + (place - place % PAGE_BYTES - (uintptr_t)start);
        memcpy((char *)memory - sizeof start, &start, sizeof start);
    }
    if (memory)
        live->bytes += bytes;
    return memory;
}

static void take_back(void *arg, void *memory, size_t bytes)
{
    struct live *live = arg;
    void *start = memory;

    if (!memory)
        return;
    must_show(live->bytes >= bytes, live->bytes, bytes);
    live->bytes -= bytes;
    if (bytes >= PAGE_BYTES)
        memcpy(&start, (char *)memory - sizeof start, sizeof start);
    free(start);
}

/*
 * The map is looked at in no order, and most of it is filled when a device is opened: in large
 * pages that takes a fifth of the kernel's time, and later fewer translations of addresses are
 * missed. Where the system gives no such pages, or none is free, all stays as it was.
 */
static void spread(void *arg, void *memory, size_t bytes)
{
    uintptr_t first = (uintptr_t)memory, end = first + bytes;

    (void)arg;
    first += (HUGE_BYTES - first % HUGE_BYTES) % HUGE_BYTES; /* whole ones only */
    end -= end % HUGE_BYTES;
    if (first < end)
        (void)madvise((char *)memory + (first - (uintptr_t)memory), end - first, MADV_HUGEPAGE);
}

static void wait_medium(void *arg, struct hftl_media *medium)
{
    struct pollfd ready = {.fd = medium->ops->fd(medium), .events = POLLIN};

    (void)arg;
    if (ready.fd < 0)
        return; /* always ready */
    while (poll(&ready, 1, -1) < 0 && errno == EINTR)
        ;
}

static void pass_on(void *arg, enum hftl_log_level level, const char *message)
{
    struct live *live = arg;
    if (live->log)
        live->log(live->log_arg, level, message);
}

void live_init(struct live *live, hftl_log_fn log, void *log_arg)
{
    memset(live, 0, sizeof *live);
    live->log = log;
    live->log_arg = log_arg;
}

struct world live_world(struct live *live)
{
    return (struct world){
        .arg = live,
        .now = now,
        .clock = seconds,
        .random = draw,
        .alloc = lend,
        .release = take_back,
        .spread = spread,
        .wait = wait_medium,
        .log = pass_on,
    };
}
