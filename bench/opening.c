/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * opening.c - how long it takes to open a device, and what is read for it, as devices grow.
 *
 *     bench-opening GIB...
 *
 * The device is written whole, in order, with zeros, on a drive that keeps none (hollow.h), in
 * bands of 1 GiB; then it is opened after a close ("clean"), written on a little and opened after
 * the death of its process ("cut"). Says for each
 *
 *     GIB clean|cut BLOCKS MS CPU_MS READS READ_BYTES
 *
 * The bar is what reading took at 1 GB/s: READ_BYTES / 1e9 seconds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <hostftl/hostftl.h>

#include "bench/hollow.h"
#include "media/mem.h"

#define ZONE_BLOCKS 32768u
#define COLUMNS 8u /* of a band, 1 GiB in all */
#define REQUEST_BLOCKS 32u
#define DEPTH 32u
#define WRITTEN_ON 4096u /* requests between a clean opening and the death of the process */

struct slot {
    struct hftl_request request;
    struct iovec iov;
    struct writer *writer;
};

struct writer {
    struct hftl_device *device;
    struct hftl_channel *channel;
    struct slot slots[DEPTH];
    uint64_t next, left; /* blocks; requests */
    uint32_t in_flight;
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

static void submit(struct slot *slot)
{
    struct writer *w = slot->writer;

    slot->request.lba = w->next;
    w->next += REQUEST_BLOCKS;
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

static void write_zeros(struct hftl_device *device, uint64_t requests)
{
    struct writer w = {.device = device, .left = requests};

    w.channel = hftl_channel_open(device, 2 * DEPTH);
    if (w.channel == NULL)
        expect(HFTL_MEMORY, "a channel");
    for (uint32_t i = 0; i < DEPTH && w.left > 0; i++) {
        struct slot *slot = &w.slots[i];

        slot->writer = &w;
        slot->iov = (struct iovec){zeros, sizeof zeros};
        slot->request.verb = HFTL_WRITE;
        slot->request.blocks = REQUEST_BLOCKS;
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
    hollow_count(hollow, &reads, &blocks);
    hftl_get_info(device, &info);
    if (how != NULL)
        printf("%llu %s %llu %.1f %.1f %llu %llu\n", (unsigned long long)gib, how,
               (unsigned long long)info.blocks, took, cpu, (unsigned long long)reads,
               (unsigned long long)blocks * HFTL_BLOCK_BYTES);
    (void)fflush(stdout);
    return device;
}

static void measure(uint64_t gib)
{
    struct hftl_format_options format;
    struct hftl_info info = {.size = sizeof info};
    struct hftl_media_facts facts = mem_facts(HFTL_KIND_ZONED);
    char why[300] = "";

    facts.chunk_blocks = ZONE_BLOCKS;
    facts.chunks_per_pu = (uint32_t)gib * COLUMNS;
    facts.open_max = facts.active_max = 0;
    struct hollow *hollow = hollow_create(&facts);
    struct hftl_media *media = hollow == NULL ? NULL : hollow_attach(hollow);
    if (media == NULL)
        expect(HFTL_MEMORY, "the medium");
    hftl_format_options_init(&format);
    format.columns = COLUMNS;
    expect(hftl_format_media(media, &format, &info, why, sizeof why), why);
    media->ops->close(media);

    struct hftl_device *device = open_it(hollow, gib, NULL);
    write_zeros(device, info.blocks / REQUEST_BLOCKS);
    expect(hftl_close(device), "closing the device");
    device = open_it(hollow, gib, "clean");
    write_zeros(device, WRITTEN_ON);
    (void)open_it(hollow, gib, "cut"); /* the one before is dead: nobody steps it */
    hollow_destroy(hollow);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: bench-opening GIB...\n");
        return 2;
    }
    for (int i = 1; i < argc; i++) {
        char *end;
        unsigned long gib = strtoul(argv[i], &end, 10);

        if (*end != '\0' || gib < 16 || gib > 4096) {
            fprintf(stderr, "bench-opening: '%s': 16 to 4096 GiB\n", argv[i]);
            return 2;
        }
        measure(gib);
    }
    _exit(0); /* what died was closed by nobody: to those who look for leaks it is one */
}
