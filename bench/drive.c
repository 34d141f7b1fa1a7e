/* SPDX-License-Identifier: BSD-3-Clause */
/* drive.c - see drive.h. */
#include "bench/drive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/prng.h"

static void give_up(const char *what, const char *why)
{
    fprintf(stderr, "bench: %s: %s\n", what, why);
    exit(1);
}

static void expect(enum hftl_status status, const char *what, const char *why)
{
    if (status != HFTL_OK)
        give_up(what, why == NULL || *why == '\0' ? hftl_status_text(status) : why);
}

static void *made(void *pointer)
{
    if (pointer == NULL)
        give_up("memory", "there is none");
    return pointer;
}

uint32_t *draw_order(uint32_t n, uint64_t seed)
{
    uint32_t *order = made(calloc(n, sizeof *order));
    struct prng prng;

    prng_seed(&prng, seed);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = (uint32_t)prng_below(&prng, (uint64_t)i + 1);

        order[i] = order[at];
        order[at] = i;
    }
    return order;
}

uint32_t *draw_places(uint64_t count, uint32_t n, uint64_t seed)
{
    uint32_t *places = made(calloc(count, sizeof *places));
    struct prng prng;

    prng_seed(&prng, seed);
    for (uint64_t i = 0; i < count; i++)
        places[i] = (uint32_t)prng_below(&prng, n);
    return places;
}

static void submit(struct drive_slot *slot)
{
    struct drive *drive = slot->drive;

    slot->request.lba = (uint64_t)*drive->places++ * drive->blocks;
    drive->left--;
    drive->in_flight++;
    expect(hftl_submit(drive->channel, &slot->request), "a request", NULL);
}

static void done(struct hftl_request *request)
{
    struct drive_slot *slot = request->arg;

    if (request->status != HFTL_OK)
        expect(request->status, "a request", NULL);
    slot->drive->in_flight--;
    if (slot->drive->left > 0)
        submit(slot);
}

void drive_run(struct drive *drive, enum hftl_verb verb, const uint32_t *places, uint64_t count,
               uint32_t blocks)
{
    drive->places = places;
    drive->left = count;
    drive->blocks = blocks;
    for (uint32_t i = 0; i < DRIVE_DEPTH && drive->left > 0; i++) {
        struct drive_slot *slot = &drive->slots[i];

        slot->iov.iov_len = (size_t)blocks * HFTL_BLOCK_BYTES;
        slot->request.verb = verb;
        slot->request.blocks = blocks;
        slot->request.iov = &slot->iov;
        slot->request.iov_count = 1;
        submit(slot);
    }
    while (drive->in_flight > 0) {
        (void)hftl_step(drive->device);
        (void)hftl_reap(drive->channel, 0);
    }
}

void drive_flush(struct drive *drive)
{
    expect(hftl_flush(drive->channel), "a flush", NULL);
}

static void log_line(void *arg, enum hftl_log_level level, const char *message)
{
    (void)arg;
    if (level <= HFTL_LOG_WARN)
        fprintf(stderr, "bench: %s\n", message);
}

static void open_device(struct drive *drive, const char *spec, uint32_t op_permille)
{
    struct hftl_format_options format;
    struct hftl_open_options options;
    struct hftl_media *media;
    char why[300] = "";

    hftl_format_options_init(&format);
    format.op_permille = op_permille;
    drive->info.size = sizeof drive->info;
    expect(hftl_media_open(spec, 0, &media, why, sizeof why), spec, why);
    expect(hftl_format_media(media, &format, &drive->info, why, sizeof why), spec, why);
    hftl_open_options_init(&options);
    options.log = log_line;
    expect(hftl_open_media(media, &options, &drive->device, why, sizeof why), spec, why);
    hftl_get_info(drive->device, &drive->info);
}

void drive_open(struct drive *drive, const char *spec, uint32_t op_permille)
{
    size_t bytes = (size_t)DRIVE_BLOCKS_MAX * HFTL_BLOCK_BYTES;
    struct prng prng;

    memset(drive, 0, sizeof *drive);
    open_device(drive, spec, op_permille);
    drive->channel = made(hftl_channel_open(drive->device, 2 * DRIVE_DEPTH));
    drive->memory = made(aligned_alloc(HFTL_BLOCK_BYTES, bytes * DRIVE_DEPTH));
    prng_seed(&prng, 1);
    for (size_t i = 0; i < bytes * DRIVE_DEPTH; i++)
        drive->memory[i] = (uint8_t)prng_next(&prng);
    for (uint32_t i = 0; i < DRIVE_DEPTH; i++) {
        struct drive_slot *slot = &drive->slots[i];

        slot->drive = drive;
        slot->request.done = done;
        slot->request.arg = slot;
        slot->iov.iov_base = drive->memory + i * bytes;
    }
}

void drive_close(struct drive *drive)
{
    hftl_channel_close(drive->channel);
    expect(hftl_close(drive->device), "closing the device", NULL);
    free(drive->memory);
}
