/* SPDX-License-Identifier: BSD-3-Clause */
/* load.c - see load.h. */
#include "tool/load.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <time.h>

#define SECOND_NS UINT64_C(1000000000)
#define ROUNDS_A_LOOK 8u /* looking at the clock costs something too */

struct slot {
    struct hftl_request request;
    struct load *load;
    struct iovec iov;
    uint64_t begun_ns;
    enum load_verb verb;
};

struct load {
    struct load_options options;
    struct hftl_channel *channel;
    struct chooser chooser;
    uint64_t blocks; /* of the device */
    struct slot *slots;
    uint8_t *memory; /* request_blocks for each slot */
    uint32_t in_flight;
    uint64_t begun;   /* requests of this run, without flushes */
    uint64_t written; /* in all: stamped on each block, so that no two are alike */
    uint64_t rounds;
    uint64_t started_ns;
    uint64_t now_ns; /* when the clock was looked at last */
    struct load_end end;
    struct load_result *result;
};

static uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

uint64_t load_thread_ns(void)
{
    struct timespec used;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * SECOND_NS + (uint64_t)used.tv_nsec;
}

static uint64_t ns_of(const struct timeval *time)
{
    return (uint64_t)time->tv_sec * SECOND_NS + (uint64_t)time->tv_usec * 1000;
}

static uint64_t cpu_ns(void)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage);
    return ns_of(&usage.ru_utime) + ns_of(&usage.ru_stime);
}

static bool is_over(const struct load *load, uint64_t now)
{
    return *load->options.stop != 0 || (load->end.count != 0 && load->begun >= load->end.count) ||
           (load->end.ns != 0 && now - load->started_ns >= load->end.ns);
}

static void note(struct load *load, enum hftl_status status)
{
    if (status == HFTL_OK)
        return;
    load->result->failed++;
    if (load->result->error == HFTL_OK)
        load->result->error = status;
}

static void submit(struct load *load, struct slot *slot)
{
    slot->begun_ns = load->now_ns;
    enum hftl_status status = hftl_submit(load->channel, &slot->request);
    if (status == HFTL_OK)
        load->in_flight++;
    else
        note(load, status);
}

static enum load_verb draw_verb(struct load *load)
{
    const struct load_mix *mix = &load->options.mix;

    if (mix->reads_permille == 0 && mix->trims_permille == 0)
        return LOAD_WRITE;
    if (mix->reads_permille == 1000)
        return LOAD_READ;
    uint64_t draw = chooser_below(&load->chooser, 1000);
    if (draw < mix->reads_permille)
        return LOAD_READ;
    return draw < mix->reads_permille + mix->trims_permille ? LOAD_TRIM : LOAD_WRITE;
}

/* A medium that compresses or finds doubles must not have it easier than with data. */
static void stamp(struct load *load, const struct slot *slot)
{
    for (uint64_t i = 0; i < slot->request.blocks; i++) {
        load->written++;
        memcpy((uint8_t *)slot->iov.iov_base + i * HFTL_BLOCK_BYTES, &load->written,
               sizeof load->written);
    }
}

static void begin(struct load *load, struct slot *slot)
{
    static const enum hftl_verb verbs[] = {HFTL_READ, HFTL_WRITE, HFTL_TRIM};
    struct hftl_request *request = &slot->request;

    slot->verb = draw_verb(load);
    request->verb = verbs[slot->verb];
    request->lba = chooser_next(&load->chooser) * load->options.request_blocks;
    request->blocks = load->options.request_blocks;
    if (request->blocks > load->blocks - request->lba)
        request->blocks = load->blocks - request->lba;
    slot->iov.iov_len = request->blocks * HFTL_BLOCK_BYTES;
    request->iov = slot->verb == LOAD_TRIM ? NULL : &slot->iov;
    request->iov_count = slot->verb == LOAD_TRIM ? 0 : 1;
    if (slot->verb == LOAD_WRITE)
        stamp(load, slot);
    load->begun++;
    submit(load, slot);
}

static void flush(struct load *load, struct slot *slot)
{
    slot->verb = LOAD_FLUSH;
    slot->request.verb = HFTL_FLUSH;
    slot->request.lba = 0;
    slot->request.blocks = 0;
    slot->request.iov = NULL;
    slot->request.iov_count = 0;
    submit(load, slot);
}

static void count(struct load_result *result, const struct slot *slot)
{
    result->counts[slot->verb]++;
    if (slot->request.status != HFTL_OK)
        return;
    if (slot->verb == LOAD_READ)
        result->blocks_read += slot->request.blocks;
    if (slot->verb == LOAD_WRITE)
        result->blocks_written += slot->request.blocks;
    if (slot->verb == LOAD_TRIM)
        result->blocks_trimmed += slot->request.blocks;
}

/* A request ends when it is reaped, and the next one in its slot begins then (drive). */
static void done(struct hftl_request *request)
{
    struct slot *slot = request->arg;
    struct load *load = slot->load;
    uint64_t now = load->now_ns;

    load->in_flight--;
    count(load->result, slot);
    histogram_add(&load->result->latency_ns[slot->verb], now - slot->begun_ns);
    note(load, request->status);
    if (slot->verb == LOAD_WRITE && load->options.mix.flush_each)
        flush(load, slot);
    else if (!is_over(load, now))
        begin(load, slot);
}

/* The last flush is no one of the workload's. */
static void flushed(struct hftl_request *request)
{
    struct slot *slot = request->arg;

    slot->load->in_flight--;
    note(slot->load, request->status);
}

/* Every second step goes, so that the rest lasts twice as long. */
static void thin_out(struct load_series *series)
{
    series->count /= 2;
    for (uint32_t i = 0; i < series->count; i++)
        series->counts[i] = series->counts[2 * i + 1];
    series->step_ns *= 2;
}

static void add_to_series(struct load *load, uint64_t passed_ns)
{
    struct load_series *series = &load->result->series;

    while ((series->count + UINT64_C(1)) * series->step_ns <= passed_ns) {
        if (series->count == LOAD_STEPS_MAX)
            thin_out(series);
        else
            series->counts[series->count++] = load->begun;
    }
}

static void show(struct load *load)
{
    const struct load_options *options = &load->options;

    if (load->rounds++ % ROUNDS_A_LOOK != 0)
        return;
    uint64_t passed_ns = load->now_ns - load->started_ns;
    add_to_series(load, passed_ns);
    if (options->progress == NULL)
        return;
    if (load->end.count != 0)
        options->progress(options->progress_arg, load->begun, load->end.count);
    else if (load->end.ns != 0)
        options->progress(options->progress_arg, passed_ns / 1000000, load->end.ns / 1000000);
}

/*
 * Until nothing is in flight. The clock is looked at once for all that a round reaps: what is made
 * of the first ones would be in the time of the others otherwise, and the clock itself in all.
 */
static void drive(struct load *load)
{
    struct pollfd ready = {.fd = hftl_fd(load->options.device), .events = POLLIN};

    while (load->in_flight > 0) {
        bool more = hftl_step(load->options.device);

        load->now_ns = now_ns();
        if (hftl_reap(load->channel, 0) == 0 && !more && load->in_flight > 0)
            (void)poll(&ready, 1, -1); /* a signal: what is in flight comes back all the same */
        show(load);
    }
}

struct load *load_open(const struct load_options *options)
{
    struct load *load = calloc(1, sizeof *load);
    struct hftl_info info = {.size = sizeof info};
    size_t bytes = (size_t)options->request_blocks * HFTL_BLOCK_BYTES;
    struct prng prng;

    if (load == NULL)
        return NULL;
    load->options = *options;
    hftl_get_info(options->device, &info);
    load->blocks = info.blocks;
    load->channel = hftl_channel_open(options->device, options->depth);
    load->slots = calloc(options->depth, sizeof *load->slots);
    load->memory = aligned_alloc(HFTL_BLOCK_BYTES, bytes * options->depth);
    if (load->channel == NULL || load->slots == NULL || load->memory == NULL) {
        load_close(load);
        return NULL;
    }
    uint64_t places = (info.blocks + options->request_blocks - 1) / options->request_blocks;
    chooser_init(&load->chooser, &options->places, places, options->seed);
    prng_seed(&prng, options->seed);
    for (size_t i = 0; i < bytes * options->depth; i += sizeof(uint64_t)) {
        uint64_t word = prng_next(&prng);

        memcpy(load->memory + i, &word, sizeof word);
    }
    for (uint32_t i = 0; i < options->depth; i++) {
        load->slots[i].load = load;
        load->slots[i].iov.iov_base = load->memory + i * bytes;
    }
    return load;
}

void load_run(struct load *load, const struct load_end *end, struct load_result *result)
{
    memset(result, 0, sizeof *result);
    for (unsigned i = 0; i < LOAD_VERB_COUNT; i++)
        histogram_init(&result->latency_ns[i]);
    load->result = result;
    load->end = *end;
    load->begun = 0;
    result->series.step_ns = LOAD_STEP_NS;
    uint64_t cpu_before = cpu_ns(), thread_before = load_thread_ns();
    load->started_ns = load->now_ns = now_ns();

    for (uint32_t i = 0; i < load->options.depth; i++) {
        struct slot *slot = &load->slots[i];

        memset(&slot->request, 0, sizeof slot->request);
        slot->request.done = done;
        slot->request.arg = slot;
        if (!is_over(load, load->started_ns))
            begin(load, slot);
    }
    drive(load);
    load->slots[0].request.done = flushed;
    flush(load, &load->slots[0]);
    drive(load);

    result->elapsed_ns = now_ns() - load->started_ns;
    result->cpu_ns = cpu_ns() - cpu_before;
    result->thread_ns = load_thread_ns() - thread_before;
}

void load_close(struct load *load)
{
    if (load->channel != NULL)
        hftl_channel_close(load->channel);
    free(load->slots);
    free(load->memory);
    free(load);
}
