/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "test/media/subject.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "media/delay.h"
#include "media/overlay.h"
#include "media/stack.h"

#define IDLE_FAULT "fault=any,nth=1000000000"
#define IDLE_HOLD "fault=any,do=hold,nth=1000000000"
#define IDLE_RETIRE "fault=reset,do=retire,nth=1000000000"
#define SHORT_DELAY "delay,read=3us,program=9us,erase=20us,flush=2us,transfer=50ns"
#define SUSPENDING SHORT_DELAY ",suspend=1us,progress=2us"
#define TRACE "trace=/dev/null"

const struct manner manners[] = {
    {.name = "mem", .base = ON_MEM},
    {.name = "guard-mem", .base = ON_MEM, .guarded = true},
    {.name = "emu"},
    {.name = "guard-emu", .guarded = true},
    {.name = "emu-threads-fsync", .threads = true, .fsync = true},
    {.name = "guard-emu-fsync", .guarded = true, .fsync = true},
    {.name = "guard-emu-tiny-cache", .guarded = true, .cache_given = true, .cache_bytes = 600000},
    {.name = "guard-emu-no-cache", .guarded = true, .cache_given = true},
    {.name = "emu-no-cache-fsync", .cache_given = true, .fsync = true},
    {.name = "guard-emu-outlives", .guarded = true, .outlives = true},
    {.name = "guard-overlay-emu", .guarded = true, .forgets = true},
    {.name = "guard-trace-mem", .base = ON_MEM, .guarded = true, .wrappers = {TRACE}},
    {.name = "guard-trace-emu", .guarded = true, .wrappers = {TRACE}},
    {.name = "guard-fault-mem", .base = ON_MEM, .guarded = true, .wrappers = {IDLE_FAULT}},
    {.name = "guard-fault-holding-mem", .base = ON_MEM, .guarded = true, .wrappers = {IDLE_HOLD}},
    {.name = "guard-fault-emu", .guarded = true, .wrappers = {IDLE_FAULT, IDLE_HOLD}},
    {.name = "guard-delay-mem", .base = ON_MEM, .guarded = true, .wrappers = {SHORT_DELAY}},
    {.name = "guard-delay-emu", .guarded = true, .wrappers = {SHORT_DELAY}},
    {.name = "guard-delay-suspends-mem", .base = ON_MEM, .guarded = true, .wrappers = {SUSPENDING}},
    {.name = "guard-delay-suspends-emu", .guarded = true, .wrappers = {SUSPENDING}},
    {.name = "guard-delay-virtual-mem", .base = ON_MEM, .guarded = true, .virtual_delay = true},
    {.name = "guard-delay-virtual-emu", .guarded = true, .virtual_delay = true},
    {.name = "guard-stack-mem",
     .base = ON_MEM,
     .guarded = true,
     .wrappers = {IDLE_FAULT, SHORT_DELAY, TRACE}},
    {.name = "stack-emu-threads-fsync",
     .threads = true,
     .fsync = true,
     .wrappers = {TRACE, IDLE_HOLD, SHORT_DELAY, TRACE}},
    {.name = "guard-stack-overlay",
     .guarded = true,
     .forgets = true,
     .wrappers = {SHORT_DELAY, IDLE_FAULT, "guard", TRACE}},
    {.name = "flat", .base = ON_FLAT, .fsync = true},
    {.name = "guard-flat-threads",
     .base = ON_FLAT,
     .guarded = true,
     .threads = true,
     .fsync = true},
    {.name = "guard-flat-direct",
     .base = ON_FLAT,
     .guarded = true,
     .cache = FLAT_CACHE_AROUND,
     .fsync = true},
    {.name = "guard-overlay-flat", .base = ON_FLAT, .guarded = true, .forgets = true},
    {.name = "guard-stack-flat",
     .base = ON_FLAT,
     .guarded = true,
     .fsync = true,
     .wrappers = {IDLE_FAULT, SHORT_DELAY, TRACE}},
    {.name = "guard-loop", .base = ON_LOOP, .guarded = true, .fsync = true},
    {.name = "guard-loop-buffered-threads",
     .base = ON_LOOP,
     .guarded = true,
     .threads = true,
     .cache = FLAT_CACHE_THROUGH,
     .fsync = true},
    {.name = NULL},
};

bool suits(const struct manner *manner, const struct shape *shape)
{
    bool flat = manner->base == ON_FLAT || manner->base == ON_LOOP;
    return flat == (shape->flat_bytes != 0);
}

static struct hftl_media *open_emu(struct subject *s)
{
    char why[WHY_BYTES] = "";
    struct hftl_media *drive = NULL, *media = NULL;
    struct emu_open_options options = {.size = sizeof options,
                                       .no_uring = s->manner->threads,
                                       .read_only = s->manner->forgets,
                                       .all_readable = s->manner->forgets};
    if (emu_open(s->path, &options, &drive, why, sizeof why) != HFTL_OK)
        fail_msg("%s", why);
    assert_true(!s->manner->threads || !emu_uses_uring(drive));
    if (!s->manner->forgets)
        return drive;
    struct hftl_media_facts facts = emu_header_of(drive)->facts;
    assert_int_equal(overlay_open(drive, &facts, &media), HFTL_OK);
    return media;
}

static struct hftl_media *open_flat(struct subject *s)
{
    char why[WHY_BYTES] = "";
    struct hftl_media *drive = NULL, *media = NULL;
    struct flat_open_options options = {.size = sizeof options,
                                        .no_uring = s->manner->threads,
                                        .read_only = s->manner->forgets,
                                        .cache = s->manner->cache};
    const char *path = s->manner->base == ON_LOOP ? s->loop : s->path;
    if (flat_open(path, &options, &drive, why, sizeof why) != HFTL_OK)
        fail_msg("%s", why);
    if (!s->manner->forgets)
        return drive;
    assert_int_equal(overlay_open(drive, &drive->facts, &media), HFTL_OK);
    return media;
}

/* One line of what a command prints. False: it failed. */
static bool ask(const char *command, char *line, size_t line_bytes)
{
    FILE *from = popen(command, "r");
    bool got = from && fgets(line, (int)line_bytes, from) != NULL;
    line[got ? strcspn(line, "\n") : 0] = '\0';
    return from && pclose(from) == 0 && got;
}

static void make_flat(struct subject *s)
{
    char why[WHY_BYTES] = "", command[2 * PATH_BYTES];
    make_path(s->path, s->shape->name);
    int fd = open(s->path, O_CREAT | O_TRUNC | O_RDWR, 0600);
    assert_true(fd >= 0 && ftruncate(fd, (off_t)s->shape->flat_bytes) == 0);
    close(fd);
    const char *path = s->path;
    if (s->manner->base == ON_LOOP) {
        snprintf(command, sizeof command, "losetup -f --show '%s' 2>/dev/null", s->path);
        if (geteuid() != 0 || !ask(command, s->loop, sizeof s->loop))
            skip();
        path = s->loop;
    }
    if (flat_create(path, &s->shape->flat, why, sizeof why) != HFTL_OK)
        fail_msg("%s", why);
}

static void unmake_loop(struct subject *s)
{
    char command[2 * PATH_BYTES];
    if (!s->loop[0])
        return;
    snprintf(command, sizeof command, "losetup -d '%s'", s->loop);
    (void)!system(command);
    s->loop[0] = '\0';
}

static uint64_t read_now(void *arg)
{
    return ((const struct subject *)arg)->now_ns;
}

static void advance_now(void *arg, uint64_t to_ns)
{
    struct subject *s = arg;
    assert_true(to_ns > s->now_ns);
    s->now_ns = to_ns;
}

static void wrap_subject(struct subject *s)
{
    char why[WHY_BYTES] = "";
    const struct say to = {why, sizeof why};
    for (size_t i = 0; i < 4 && s->manner->wrappers[i]; i++) {
        bool guard = strcmp(s->manner->wrappers[i], "guard") == 0;
        struct hftl_media *inner = s->media;
        if (guard && s->tolerate)
            continue; /* that one would not let them pass */
        if (stack_wrap(s->manner->wrappers[i], inner, &s->media, &to) != HFTL_OK)
            fail_msg("%s", why);
    }
    if (!s->manner->virtual_delay)
        return;
    s->clock = (struct media_clock){read_now, advance_now, s};
    struct delay_options options = delay_plain();
    struct hftl_media *inner = s->media;
    options.clock = &s->clock;
    assert_int_equal(delay_open(inner, &options, &s->media), HFTL_OK);
}

void open_subject(struct subject *s)
{
    if (s->manner->base == ON_MEM)
        assert_int_equal(mem_attach(s->store, &s->media), HFTL_OK);
    else if (s->shape->flat_bytes != 0)
        s->media = open_flat(s);
    else
        s->media = open_emu(s);
    wrap_subject(s);
    if (!s->manner->guarded)
        return;
    struct hftl_media *media = s->media;
    struct guard_options options = {
        .size = sizeof options, .tolerate_reads = s->tolerate, .tolerate_refusals = s->tolerate};
    assert_int_equal(guard_open(media, &options, &s->media), HFTL_OK);
}

static void make_emu(struct subject *s)
{
    char why[WHY_BYTES] = "";
    struct emu_create_options options = s->shape->options;
    options.cache_given = s->manner->cache_given;
    options.cache_bytes = s->manner->cache_bytes;
    options.outlives_host = s->manner->outlives;
    options.no_fsync = !s->manner->fsync;
    options.overwrite = true;
    options.reads = EMU_READS_REFUSED;
    if (s->manner->base == ON_MEM) {
        struct emu_header header;
        assert_int_equal(emu_plan(&options, &header, why, sizeof why), HFTL_OK);
        struct mem_options mem = {.size = sizeof mem, .facts = header.facts};
        assert_int_equal(mem_store_create(&mem, &s->store, why, sizeof why), HFTL_OK);
    } else {
        make_path(s->path, s->shape->name);
        if (emu_create(s->path, &options, why, sizeof why) != HFTL_OK)
            fail_msg("%s", why);
    }
}

void make_subject(struct subject *s)
{
    if (s->shape->flat_bytes != 0)
        make_flat(s);
    else
        make_emu(s);
    open_subject(s);
}

void close_subject(struct subject *s)
{
    s->media->ops->close(s->media);
    s->media = NULL;
}

void unmake_subject(struct subject *s)
{
    if (s->media)
        close_subject(s);
    mem_store_destroy(s->store);
    s->store = NULL;
    unmake_loop(s);
    if (s->manner->base != ON_MEM)
        remove(s->path);
}

/* The n-th chunk of this subject that is FREE and of full capacity. */
uint32_t pick_chunk(struct subject *s, uint32_t n)
{
    for (uint32_t i = 0; i < hftl_media_chunks(&s->media->facts); i++) {
        struct hftl_chunk c = do_report(s->media, i);
        if (c.state == HFTL_CHUNK_FREE && c.capacity == s->media->facts.chunk_blocks && n-- == 0)
            return i;
    }
    fail_msg("no such chunk");
    return 0;
}

void fill_chunk(struct subject *s, uint32_t chunk, uint32_t upto, uint32_t life)
{
    uint32_t step = s->media->facts.ws_min;
    for (uint32_t at = do_report(s->media, chunk).wp; at < upto; at += step)
        assert_int_equal(do_write(s->media, chunk, at, step, life), HFTL_OK);
}

void assert_holds(struct subject *s, uint32_t chunk, uint32_t from, uint32_t blocks, uint32_t life)
{
    bool right = false;
    if (blocks == 0)
        return;
    assert_int_equal(do_read(s->media, chunk, from, blocks, life, &right), HFTL_OK);
    assert_true(right);
}

uint32_t longest(const struct hftl_media_facts *f, uint32_t left)
{
    uint32_t most = min_u32(f->transfer_blocks_max, left);
    return most - most % f->ws_min;
}

bool has(const struct subject *s, enum hftl_media_flag flag)
{
    return (s->media->facts.flags & (uint32_t)flag) != 0;
}
