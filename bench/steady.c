/* SPDX-License-Identifier: BSD-3-Clause */
/* steady.c - see steady.h. */
#include "bench/steady.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "core/engine.h"
#include "media/guard.h"

#define BLOCK_BYTES 4096u
#define SUSPENDING_UNITS 32u
#define SUSPEND_NS 20000u
#define PROGRESS_NS 50000u

/* ---- the drives -------------------------------------------------------------------------- */

static const struct steady_shape ocssd = {
    .name = "ocssd",
    .facts = {.size = sizeof(struct hftl_media_facts),
              .kind = HFTL_KIND_OCSSD,
              .flags = HFTL_MEDIA_NEEDS_ERASE,
              .block_bytes = BLOCK_BYTES,
              .oob_bytes = 16,
              .groups = 2,
              .pus_per_group = 4,
              .chunks_per_pu = 64,
              .chunk_blocks = 128,
              .ws_min = 4,
              .ws_opt = 8,
              .mw_cunits = 16,
              .transfer_blocks_max = 64,
              .volatile_cache = true},
    .units = 8,
};

static const struct steady_shape zoned = {
    .name = "zoned",
    .facts = {.size = sizeof(struct hftl_media_facts),
              .kind = HFTL_KIND_ZONED,
              .flags = HFTL_MEDIA_NEEDS_ERASE | HFTL_MEDIA_CAN_RESET_OPEN | HFTL_MEDIA_CAN_FINISH,
              .block_bytes = BLOCK_BYTES,
              .groups = 1,
              .pus_per_group = 1,
              .chunks_per_pu = 512,
              .chunk_blocks = 128,
              .ws_min = 1,
              .ws_opt = 8,
              .open_max = 40,
              .active_max = 40,
              .transfer_blocks_max = 64,
              .volatile_cache = true},
    .units = 8,
    .columns = 8,
};

void steady_set_units(struct steady_shape *shape, uint32_t units)
{
    struct hftl_media_facts *f = &shape->facts;
    must_show(units > 0 && units % f->pus_per_group == 0, units, f->pus_per_group);
    if (f->kind == HFTL_KIND_OCSSD) {
        f->groups = units / f->pus_per_group;
    } else {
        f->chunks_per_pu = f->chunks_per_pu / shape->units * units;
        f->open_max = f->active_max = f->open_max / shape->units * units;
        shape->columns = units;
    }
    shape->units = units;
}

struct steady_shape steady_shape(enum hftl_media_kind kind, bool suspends)
{
    struct steady_shape shape = kind == HFTL_KIND_ZONED ? zoned : ocssd;
    if (!suspends)
        return shape;
    shape.name = kind == HFTL_KIND_ZONED ? "zoned-suspending" : "ocssd-suspending";
    shape.suspend_ns = SUSPEND_NS;
    shape.progress_ns = PROGRESS_NS;
    steady_set_units(&shape, SUSPENDING_UNITS);
    return shape;
}

/* ---- the world --------------------------------------------------------------------------- */

static uint64_t tell_now(void *arg)
{
    return ((struct steady *)arg)->now_ns;
}

static uint64_t tell_clock(void *arg)
{
    (void)arg;
    return 1700000000;
}

static uint64_t draw(void *arg)
{
    return prng_next(&((struct steady *)arg)->prng);
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

static void move_clock(struct steady *steady, uint64_t to_ns)
{
    must_show(to_ns != UINT64_MAX, steady->now_ns, steady->in_flight); /* nothing would ever end */
    if (to_ns > steady->now_ns)
        steady->now_ns = to_ns;
}

static void wait_for(void *arg, struct hftl_media *medium)
{
    struct steady *steady = arg;
    (void)medium;
    move_clock(steady, delay_due(steady->delay));
}

static void drop_line(void *arg, enum hftl_log_level level, const char *message)
{
    (void)arg;
    if (level == HFTL_LOG_ERROR)
        fprintf(stderr, "bench: %s\n", message);
}

static void expect(enum hftl_status status, const char *why)
{
    if (status == HFTL_OK)
        return;
    fprintf(stderr, "bench: %s: %s\n", hftl_status_text(status), why);
    exit(2);
}

/* ---- requests ---------------------------------------------------------------------------- */

static void keep(struct steady_figures *figures, uint64_t now_ns, uint64_t latency_ns)
{
    if (figures->count == figures->room) {
        figures->room = figures->room * 2 + 4096;
        figures->latency_ns = realloc(figures->latency_ns, figures->room * sizeof(uint64_t));
        figures->ended_ns = realloc(figures->ended_ns, figures->room * sizeof(uint64_t));
        must(figures->latency_ns != NULL && figures->ended_ns != NULL);
    }
    figures->latency_ns[figures->count] = latency_ns;
    figures->ended_ns[figures->count++] = now_ns;
}

static struct steady_stream *stream_of(struct steady *steady, const struct steady_slot *slot)
{
    return &steady->streams[slot >= steady->slots + STEADY_OPEN_MAX];
}

static void end(void *arg, struct hftl_request *request)
{
    struct steady *steady = arg;
    struct steady_slot *slot = request->arg;
    struct steady_stream *stream = stream_of(steady, slot);
    expect(request->status, "a request");
    steady->in_flight--;
    if (stream->figures != NULL) {
        uint64_t gap = steady->now_ns - stream->last_ns;
        keep(stream->figures, steady->now_ns, steady->now_ns - slot->begun_ns);
        stream->figures->gap_ns = gap > stream->figures->gap_ns ? gap : stream->figures->gap_ns;
        stream->last_ns = steady->now_ns;
    }
    slot->next = stream->idle;
    stream->idle = slot;
}

static void begin(struct steady *steady, struct steady_stream *stream, uint64_t lba,
                  uint64_t begun_ns)
{
    struct steady_slot *slot = stream->idle;
    stream->idle = slot->next;
    slot->begun_ns = begun_ns;
    slot->request.verb = stream->load.verb;
    slot->request.lba = lba;
    steady->in_flight++;
    device_submit(steady->device, &slot->request);
}

/* All that has arrived by now and finds a slot. */
static void begin_due(struct steady *steady, struct steady_stream *stream)
{
    uint64_t period = stream->load.period_ns, blocks = device_blocks(steady->device);
    while (stream->load.depth > 0 && stream->idle != NULL &&
           (period == 0 || stream->arrives_ns <= steady->now_ns)) {
        begin(steady, stream, prng_below(&steady->prng, blocks),
              period == 0 ? steady->now_ns : stream->arrives_ns);
        stream->arrives_ns += period;
    }
}

static uint64_t next_arrival(const struct steady_stream *stream)
{
    bool open = stream->load.depth > 0 && stream->load.period_ns > 0;
    return open && stream->idle != NULL ? stream->arrives_ns : UINT64_MAX;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Hands the first `depth` of the load's slots to it. */
static void set_up(struct steady *steady, unsigned index, const struct steady_load *load,
                   struct steady_figures *figures)
{
    struct steady_stream *stream = &steady->streams[index];
    uint32_t depth = load->depth > 0 && load->period_ns > 0 ? STEADY_OPEN_MAX : load->depth;
    must_show(depth <= STEADY_OPEN_MAX, depth, index);
    *stream = (struct steady_stream){
        .load = *load, .figures = figures, .arrives_ns = steady->now_ns, .last_ns = steady->now_ns};
    if (figures != NULL)
        figures->count = figures->gap_ns = 0;
    for (uint32_t i = depth; i-- > 0;) {
        struct steady_slot *slot = &steady->slots[index * STEADY_OPEN_MAX + i];
        slot->next = stream->idle;
        stream->idle = slot;
    }
}

static void let_end(struct steady *steady)
{
    for (unsigned i = 0; i < 2; i++)
        steady->streams[i].figures = NULL;
    while (steady->in_flight > 0)
        if (!device_step(steady->device))
            move_clock(steady, delay_due(steady->delay));
}

void steady_run(struct steady *steady, const struct steady_load loads[2],
                struct steady_figures *figures[2], uint64_t for_ns)
{
    uint64_t end_ns = steady->now_ns + for_ns;
    for (unsigned i = 0; i < 2; i++)
        set_up(steady, i, &loads[i], figures == NULL ? NULL : figures[i]);
    while (steady->now_ns < end_ns) {
        for (unsigned i = 0; i < 2; i++)
            begin_due(steady, &steady->streams[i]);
        if (device_step(steady->device))
            continue;
        uint64_t next = delay_due(steady->delay);
        for (unsigned i = 0; i < 2; i++)
            next = least(next, next_arrival(&steady->streams[i]));
        move_clock(steady, least(next, end_ns));
    }
    let_end(steady);
}

/* `blocks` blocks at a depth of STEADY_DEPTH, from 0 on or at random. */
static void write_blocks(struct steady *steady, uint64_t blocks, bool in_order)
{
    struct steady_stream *stream = &steady->streams[0];
    struct steady_load load = {.verb = HFTL_WRITE, .depth = STEADY_DEPTH};
    set_up(steady, 0, &load, NULL);
    for (uint64_t n = 0; n < blocks;) {
        for (; n < blocks && stream->idle != NULL; n++)
            begin(steady, stream,
                  in_order ? n : prng_below(&steady->prng, device_blocks(steady->device)),
                  steady->now_ns);
        if (!device_step(steady->device))
            move_clock(steady, delay_due(steady->delay));
    }
    let_end(steady);
}

void steady_fill(struct steady *steady)
{
    write_blocks(steady, device_blocks(steady->device), true);
}

void steady_overwrite(struct steady *steady, uint64_t blocks)
{
    write_blocks(steady, blocks, false);
}

/* ---- a life ------------------------------------------------------------------------------ */

static void make_slots(struct steady *steady)
{
    steady->data = calloc(1, BLOCK_BYTES);
    steady->slots = calloc(2 * STEADY_OPEN_MAX, sizeof *steady->slots);
    must(steady->data != NULL && steady->slots != NULL);
    for (uint32_t i = 0; i < 2 * STEADY_OPEN_MAX; i++) {
        struct steady_slot *slot = &steady->slots[i];
        slot->iov = (struct iovec){steady->data, BLOCK_BYTES};
        slot->request.blocks = 1;
        slot->request.iov = &slot->iov;
        slot->request.iov_count = 1;
        slot->request.arg = slot;
    }
}

static void open_drive(struct steady *steady, const struct steady_shape *shape)
{
    struct mem_options options = {.size = sizeof options, .facts = shape->facts};
    struct guard_options guard = {.size = sizeof guard};
    struct hftl_media *mem;
    char why[256] = "";
    expect(mem_store_create(&options, &steady->store, why, sizeof why), why);
    expect(mem_attach(steady->store, &mem), "the medium");
    steady->clock = (struct media_clock){.now_ns = tell_now, .arg = steady};
    steady->units = shape->units;
    steady->times = delay_plain();
    steady->times.units = shape->units;
    steady->times.suspend_ns = shape->suspend_ns;
    steady->times.progress_ns = shape->progress_ns;
    steady->times.clock = &steady->clock;
    expect(delay_open(mem, &steady->times, &steady->delay), "the delay");
    expect(guard_open(steady->delay, &guard, &steady->guard), "the guard");
}

void steady_begin(struct steady *steady, const struct steady_shape *shape, uint32_t op_permille,
                  uint64_t seed)
{
    struct hftl_format_options format;
    struct device_options options = {
        .world = {.arg = steady,
                  .now = tell_now,
                  .clock = tell_clock,
                  .random = draw,
                  .alloc = lend,
                  .release = take_back,
                  .wait = wait_for,
                  .log = drop_line},
        .complete = end,
        .complete_arg = steady,
    };
    struct hftl_info info;
    struct why why = {""};
    memset(steady, 0, sizeof *steady);
    prng_seed(&steady->prng, seed);
    make_slots(steady);
    open_drive(steady, shape);
    hftl_format_options_init(&format);
    format.op_permille = op_permille;
    format.columns = shape->columns;
    expect(device_format(steady->guard, &options.world, &format, &info, &why), why.text);
    expect(device_open(steady->guard, &options, &steady->device, &why), why.text);
}

void steady_end(struct steady *steady)
{
    expect(device_close(steady->device), "closing the device");
    steady->guard->ops->close(steady->guard);
    mem_store_destroy(steady->store);
    free(steady->slots);
    free(steady->data);
}

/* ---- figures ----------------------------------------------------------------------------- */

/* By the model of delay.h, from what landed: whole programs, since runs that are cut short are
 * few. */
static uint64_t busy_ns(const struct steady *steady)
{
    const struct hftl_stats *stats = &steady->device->stats;
    const struct delay_options *t = &steady->times;
    uint64_t blocks = 0;
    for (unsigned i = 0; i < HFTL_IO_COUNT; i++)
        blocks += stats->written[i].blocks;
    return blocks * t->program_ns / steady->device->medium->facts.ws_opt +
           stats->media_reads * t->read_ns + stats->media_resets * t->erase_ns +
           delay_suspensions(steady->delay) * t->suspend_ns;
}

void steady_mark(struct steady *steady)
{
    steady->marked_ns = steady->now_ns;
    steady->marked_busy_ns = busy_ns(steady);
}

double steady_busy(const struct steady *steady)
{
    uint64_t took = steady->now_ns - steady->marked_ns;
    return (double)(busy_ns(steady) - steady->marked_busy_ns) / ((double)took * steady->units);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

uint64_t steady_percentile(struct steady_figures *figures, uint32_t permille)
{
    if (figures->count == 0)
        return 0;
    qsort(figures->latency_ns, figures->count, sizeof(uint64_t), compare);
    return figures->latency_ns[(figures->count - 1) * permille / 1000];
}

uint64_t steady_longest(const struct steady_figures *figures)
{
    uint64_t longest = 0;
    for (uint64_t i = 0; i < figures->count; i++)
        longest = figures->latency_ns[i] > longest ? figures->latency_ns[i] : longest;
    return longest;
}

double steady_unevenness(const struct steady_figures *figures, uint64_t from_ns, uint64_t window_ns,
                         uint64_t windows)
{
    uint64_t *ended = calloc(windows, sizeof(uint64_t)), total = 0;
    double worst = 0;
    must(ended != NULL);
    for (uint64_t i = 0; i < figures->count; i++) {
        uint64_t window = (figures->ended_ns[i] - from_ns) / window_ns;
        if (window < windows) {
            ended[window]++;
            total++;
        }
    }
    double mean = (double)total / (double)windows;
    for (uint64_t i = 0; i < windows; i++) {
        double off = (double)ended[i] > mean ? (double)ended[i] - mean : mean - (double)ended[i];
        worst = off / mean > worst ? off / mean : worst;
    }
    free(ended);
    return worst;
}

void steady_forget(struct steady_figures *figures)
{
    free(figures->latency_ns);
    free(figures->ended_ns);
    *figures = (struct steady_figures){0};
}
