/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * opening.c - how long it takes to open a device, and what is read for it, as devices grow.
 *
 *     bench-opening [--random] [--opens N] [--columns N] [--band MIB] [--units N] GIB...
 *
 * The device is written whole, in order, with zeros, on a drive that keeps none (hollow.h), in
 * bands of 1 GiB; then it is opened after a close ("clean"), written on a little and opened after
 * a power cut ("cut"): the drive is taken from the device, which gives its memory back first, as
 * that of a process that died would be. --random: blocks come one by one, each once, in no order,
 * so that neighbours in a tail are strangers in the map. --opens: closed and opened so often (1)
 * before the cut. --columns: zones of a band, 8. --band: 1024 MiB. --units: opened on a drive with
 * the times of `delay` that has so many parallel units (slow.h); MS is its virtual time. Says for
 * each opening
 *
 *     GIB clean|cut BLOCKS MS CPU_MS READS READ_BYTES
 *
 * CPU_MS is the processor time of the process, in which nothing else runs; the bar (tools/bench.py)
 * is what reading 16 bytes a block, and after a cut a band of 1 GiB, would take at 1 GB/s.
 */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>

#include <hostftl/hostftl.h>

#include "bench/hollow.h"
#include "bench/slow.h"
#include "media/mem.h"

#define BAND_MIB_DEFAULT 1024u
#define MIB_BLOCKS 256u
#define COLUMNS_DEFAULT 8u
#define REQUEST_BLOCKS 32u
#define DEPTH 32u
#define WRITTEN_ON 131072u /* blocks between a clean opening and the death of the process */

struct slot {
    struct hftl_request request;
    struct iovec iov;
    struct writer *writer;
};

struct writer {
    struct hftl_device *device;
    struct hftl_channel *channel;
    struct slot slots[DEPTH];
    uint64_t next, step; /* in the order of requests */
    uint64_t left;       /* requests */
    uint64_t blocks;     /* of the device */
    bool random;
    uint32_t in_flight;
};

struct shape {
    unsigned long opens, columns, units, band_mib;
    bool random;
};

static uint8_t zeros[REQUEST_BLOCKS * HFTL_BLOCK_BYTES];

static void expect(enum hftl_status status, const char *why)
{
    if (status == HFTL_OK)
        return;
    fprintf(stderr, "bench: %s: %s\n", hftl_status_text(status), why);
    exit(1);
}

static double now_ms(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Each number below 2^bits becomes another one: every step of it can be undone. */
static uint64_t stir(uint64_t n, unsigned bits)
{
    uint64_t mask = (UINT64_C(1) << bits) - 1;

    for (unsigned round = 0; round < 3; round++) {
        n = n * UINT64_C(0x9e3779b97f4a7c15) & mask;
        n ^= n >> bits / 2;
    }
    return n;
}

/* Each lba once, in no order: numbers beyond the end are stirred on until they are not. */
static uint64_t random_lba(uint64_t n, uint64_t blocks)
{
    unsigned bits = 64 - (unsigned)__builtin_clzll(blocks);

    do
        n = stir(n, bits);
    while (n >= blocks);
    return n;
}

static void submit(struct slot *slot)
{
    struct writer *w = slot->writer;

    slot->request.lba = w->random ? random_lba(w->next, w->blocks) : w->next * REQUEST_BLOCKS;
    w->next += w->step;
    w->left--;
    w->in_flight++;
    expect(hftl_submit(w->channel, &slot->request), "a request");
}

static void done(struct hftl_request *request)
{
    struct slot *slot = request->arg;

    expect(request->status, "a write");
    slot->writer->in_flight--;
    if (slot->writer->left > 0)
        submit(slot);
}

/* So many blocks of a device of `all`: the first ones, or, at random, ones out of all its bands. */
static void write_zeros(struct hftl_device *device, uint64_t blocks, uint64_t all, bool random)
{
    uint32_t each = random ? 1 : REQUEST_BLOCKS;
    struct writer w = {.device = device,
                       .step = random ? all / blocks : 1,
                       .left = blocks / each,
                       .blocks = all,
                       .random = random};

    w.channel = hftl_channel_open(device, 2 * DEPTH);
    if (w.channel == NULL)
        expect(HFTL_MEMORY, "a channel");
    for (uint32_t i = 0; i < DEPTH && w.left > 0; i++) {
        struct slot *slot = &w.slots[i];

        slot->writer = &w;
        slot->iov = (struct iovec){zeros, (size_t)each * HFTL_BLOCK_BYTES};
        slot->request.verb = HFTL_WRITE;
        slot->request.blocks = each;
        slot->request.iov = &slot->iov;
        slot->request.iov_count = 1;
        slot->request.done = done;
        slot->request.arg = slot;
        submit(slot);
    }
    while (w.in_flight > 0) {
        (void)hftl_step(device);
        (void)hftl_reap(w.channel, 0);
    }
    expect(hftl_flush(w.channel), "a flush");
    hftl_channel_close(w.channel);
}

static void say(uint64_t gib, const char *how, uint64_t all, double took_ms, double cpu_ms,
                struct hollow *hollow)
{
    uint64_t reads, blocks;

    hollow_count(hollow, &reads, &blocks);
    printf("%llu %s %llu %.1f %.1f %llu %llu\n", (unsigned long long)gib, how,
           (unsigned long long)all, took_ms, cpu_ms, (unsigned long long)reads,
           (unsigned long long)blocks * HFTL_BLOCK_BYTES);
    (void)fflush(stdout);
}

static struct hftl_device *open_it(struct hollow *hollow, uint64_t gib, const char *how)
{
    struct hftl_open_options options;
    struct hftl_info info = {.size = sizeof info};
    struct hftl_media *media = hollow_attach(hollow);
    struct hftl_device *device;
    uint64_t reads, blocks;
    char why[300] = "";

    if (media == NULL)
        expect(HFTL_MEMORY, "the medium");
    hollow_count(hollow, &reads, &blocks);
    hftl_open_options_init(&options);
    double before = now_ms(CLOCK_MONOTONIC), cpu = now_ms(CLOCK_PROCESS_CPUTIME_ID);
    expect(hftl_open_media(media, &options, &device, why, sizeof why), why);
    double took = now_ms(CLOCK_MONOTONIC) - before;
    cpu = now_ms(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    hftl_get_info(device, &info);
    if (how != NULL)
        say(gib, how, info.blocks, took, cpu, hollow);
    return device;
}

/* On the slow drive; closed again. */
static void look(struct hollow *hollow, uint64_t gib, const struct shape *shape, const char *how)
{
    struct hftl_media *media = hollow_attach(hollow);
    struct slow_opening opening;
    uint64_t reads, blocks;
    char why[300] = "";

    if (media == NULL)
        expect(HFTL_MEMORY, "the medium");
    hollow_count(hollow, &reads, &blocks);
    double cpu = now_ms(CLOCK_PROCESS_CPUTIME_ID);
    expect(slow_open(media, (uint32_t)shape->units, &opening, why, sizeof why), why);
    cpu = now_ms(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    say(gib, how, opening.blocks, (double)opening.took_ns / 1e6, cpu, hollow);
    expect(slow_close(&opening), "closing the device");
}

static struct hftl_device *open_clean(struct hollow *hollow, uint64_t gib,
                                      const struct shape *shape)
{
    if (shape->units > 0)
        look(hollow, gib, shape, "clean");
    return open_it(hollow, gib, shape->units > 0 ? NULL : "clean");
}

static void measure(uint64_t gib, const struct shape *shape)
{
    unsigned long opens = shape->opens;
    struct hftl_format_options format;
    struct hftl_info info = {.size = sizeof info};
    struct hftl_media_facts facts = mem_facts(HFTL_KIND_ZONED);
    char why[300] = "";

    facts.chunk_blocks = (uint32_t)(shape->band_mib * MIB_BLOCKS / shape->columns);
    facts.chunks_per_pu = (uint32_t)(gib * 1024 / shape->band_mib * shape->columns);
    facts.open_max = facts.active_max = 0;
    struct hollow *hollow = hollow_create(&facts);
    struct hftl_media *media = hollow == NULL ? NULL : hollow_attach(hollow);
    if (media == NULL)
        expect(HFTL_MEMORY, "the medium");
    hftl_format_options_init(&format);
    format.columns = (uint32_t)shape->columns;
    expect(hftl_format_media(media, &format, &info, why, sizeof why), why);
    media->ops->close(media);

    struct hftl_device *device = open_it(hollow, gib, NULL);
    write_zeros(device, info.blocks, info.blocks, shape->random);
    expect(hftl_close(device), "closing the device");
    while (opens-- > 1) {
        device = open_clean(hollow, gib, shape);
        expect(hftl_close(device), "closing the device");
    }
    device = open_clean(hollow, gib, shape);
    write_zeros(device, WRITTEN_ON, info.blocks, shape->random);
    hollow_cut(hollow);
    if (hftl_close(device) == HFTL_OK)
        expect(HFTL_IO, "a device that was cut off was closed in order");
    if (shape->units > 0)
        look(hollow, gib, shape, "cut");
    else
        expect(hftl_close(open_it(hollow, gib, "cut")), "closing the device");
    hollow_destroy(hollow);
}

static unsigned long number_of(const char *text, unsigned long least, unsigned long most)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);

    if (*text != '\0' && *end == '\0' && number >= least && number <= most)
        return number;
    fprintf(stderr, "bench-opening: '%s': %lu to %lu\n", text, least, most);
    exit(2);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"random", no_argument, NULL, 'r'},        {"opens", required_argument, NULL, 'o'},
        {"columns", required_argument, NULL, 'c'}, {"units", required_argument, NULL, 'u'},
        {"band", required_argument, NULL, 'b'},    {0}};
    struct shape shape = {.opens = 1, .columns = COLUMNS_DEFAULT, .band_mib = BAND_MIB_DEFAULT};

    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'r')
            shape.random = true;
        else if (c == 'o')
            shape.opens = number_of(optarg, 1, 100);
        else if (c == 'c')
            shape.columns = number_of(optarg, 1, 64);
        else if (c == 'u')
            shape.units = number_of(optarg, 1, 1024);
        else if (c == 'b')
            shape.band_mib = number_of(optarg, 16, 4096);
        else
            return 2;
    }
    if (optind == argc) {
        fprintf(stderr, "usage: bench-opening [--random] [--opens N] [--columns N] "
                        "[--band MIB] [--units N] GIB...\n");
        return 2;
    }
    for (int i = optind; i < argc; i++)
        measure(number_of(argv[i], 16, 4096), &shape);
    return 0;
}
