/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/slow.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "base/prng.h"
#include "core/device.h"
#include "media/delay.h"

struct slow {
    struct media_clock clock;
    uint64_t now_ns;
    struct hftl_media *delay;
    struct prng prng;
};

static uint64_t tell_now(void *arg)
{
    return ((struct slow *)arg)->now_ns;
}

static uint64_t tell_clock(void *arg)
{
    (void)arg;
    return 1700000000;
}

static uint64_t draw(void *arg)
{
    return prng_next(&((struct slow *)arg)->prng);
}

static void *lend(void *arg, size_t bytes)
{
    (void)arg;
    return calloc(1, bytes);
}

static void take_back(void *arg, void *memory, size_t bytes)
{
    (void)arg;
    (void)bytes;
    free(memory);
}

static void wait_for(void *arg, struct hftl_media *medium)
{
    struct slow *slow = arg;
    uint64_t due = delay_due(slow->delay);
    (void)medium;
    must_show(due != UINT64_MAX, due, slow->now_ns); /* nothing would ever end */
    if (due > slow->now_ns)
        slow->now_ns = due;
}

static void drop_line(void *arg, enum hftl_log_level level, const char *message)
{
    (void)arg;
    if (level == HFTL_LOG_ERROR)
        fprintf(stderr, "bench: %s\n", message);
}

static void complete_nothing(void *arg, struct hftl_request *request)
{
    (void)arg;
    (void)request;
}

enum hftl_status slow_open(struct hftl_media *medium, uint32_t units, struct slow_opening *opening,
                           char *why_text, size_t why_bytes)
{
    struct slow *slow = calloc(1, sizeof *slow);
    struct delay_options times = delay_plain();
    struct why why = {""};
    must(slow != NULL);
    prng_seed(&slow->prng, 1);
    slow->clock = (struct media_clock){.now_ns = tell_now, .arg = slow};
    times.units = units;
    times.clock = &slow->clock;
    enum hftl_status status = delay_open(medium, &times, &slow->delay);
    if (status != HFTL_OK) {
        free(slow);
        return status;
    }
    struct device_options options = {
        .world = {.arg = slow,
                  .now = tell_now,
                  .clock = tell_clock,
                  .random = draw,
                  .alloc = lend,
                  .release = take_back,
                  .wait = wait_for,
                  .log = drop_line},
        .complete = complete_nothing,
    };
    opening->slow = slow;
    status = device_open(slow->delay, &options, &opening->device, &why);
    opening->took_ns = slow->now_ns;
    if (status == HFTL_OK)
        opening->blocks = device_blocks(opening->device);
    (void)snprintf(why_text, why_bytes, "%s", why.text);
    return status;
}

enum hftl_status slow_close(struct slow_opening *opening)
{
    struct slow *slow = opening->slow;
    enum hftl_status status = device_close(opening->device);
    slow->delay->ops->close(slow->delay);
    free(slow);
    return status;
}
