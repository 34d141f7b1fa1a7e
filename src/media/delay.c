/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "media/delay.h"

#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/must.h"
#include "media/delay_units.h"
#include "media/wrap.h"

struct delay {
    struct wrap wrap;
    struct delay_options options;
    uint32_t units, channels;
    uint64_t *unit_free_ns, *channel_free_ns;
    struct units queues; /* where reads suspend; unit_free_ns and written_ns are not used then */
    uint64_t written_ns; /* when the last write submitted so far is programmed */
    uint64_t sequence;   /* twin->note: who came first */
    /* twin->begun_ns: of a read, what is still to come when it is due, the transfer */
    /* Finished by the inner medium, waiting for their time: a heap, the next due at [0]. */
    struct wrap_twin **waiting;
    size_t waiting_count, waiting_room;
    size_t below; /* in the inner medium */
    int timer;    /* -1: virtual time */
    uint64_t timer_ns;
};

struct delay_options delay_plain(void)
{
    return (struct delay_options){
        .size = sizeof(struct delay_options),
        .read_ns = 60000,
        .program_ns = 600000,
        .erase_ns = 5000000,
        .flush_ns = 20000,
        .transfer_ns = 4000,
        .progress_ns = 50000,
    };
}

/* ---- the model --------------------------------------------------------------------------- */

struct where {
    uint32_t unit;
    uint64_t *unit_free, *channel_free;
};

static bool suspends(const struct delay *delay)
{
    return delay->options.suspend_ns > 0;
}

/* Takes a resource from `from` on for `length`; returns when it is free again. */
static uint64_t occupy(uint64_t *free_ns, uint64_t from, uint64_t length)
{
    *free_ns = max_u64(*free_ns, from) + length;
    return *free_ns;
}

static struct where where_is(const struct delay *delay, uint32_t chunk)
{
    const struct hftl_media_facts *f = &delay->wrap.media.facts;
    uint32_t pu = chunk / f->chunks_per_pu;
    bool shown = delay->units == hftl_media_pus(f);
    uint32_t unit = (shown ? pu : chunk) % delay->units;
    return (struct where){unit, &delay->unit_free_ns[unit],
                          &delay->channel_free_ns[shown ? unit / f->pus_per_group : unit]};
}

/* When it lands; of a read when it leaves the unit for the channel. */
static uint64_t find_due(struct delay *delay, const struct hftl_media_op *op, uint64_t now)
{
    const struct delay_options *o = &delay->options;
    const struct hftl_media_facts *f = &delay->wrap.media.facts;
    struct where where = where_is(delay, op->chunk);
    uint64_t due = now;

    switch (op->verb) {
    case HFTL_MEDIA_READ:
        return occupy(where.unit_free, now, o->read_ns);
    case HFTL_MEDIA_WRITE:
    case HFTL_MEDIA_APPEND:
        due = occupy(where.channel_free, now, op->blocks * o->transfer_ns);
        due = occupy(where.unit_free, due, div_round_up_u32(op->blocks, f->ws_opt) * o->program_ns);
        break;
    case HFTL_MEDIA_RESET:
        return occupy(where.unit_free, now, o->erase_ns);
    case HFTL_MEDIA_FINISH:
        due = occupy(where.unit_free, now, o->program_ns);
        break;
    case HFTL_MEDIA_FLUSH:
        return max_u64(now, delay->written_ns) + o->flush_ns;
    case HFTL_MEDIA_REPORT:
    case HFTL_MEDIA_EVENT:
    case HFTL_MEDIA_VERB_COUNT:
        return now;
    }
    delay->written_ns = max_u64(delay->written_ns, due);
    return due;
}

/* The same where reads suspend: what is not over at once is due when `queues` says so. */
static void enqueue(struct delay *delay, struct wrap_twin *twin, uint64_t now)
{
    const struct delay_options *o = &delay->options;
    const struct hftl_media_op *op = &twin->op;
    struct where where = where_is(delay, op->chunk);
    switch (op->verb) {
    case HFTL_MEDIA_READ:
        units_add_read(&delay->queues, where.unit, twin, now);
        return;
    case HFTL_MEDIA_WRITE:
    case HFTL_MEDIA_APPEND:
        twin->begun_ns = occupy(where.channel_free, now, op->blocks * o->transfer_ns);
        twin->left_ns =
            div_round_up_u32(op->blocks, delay->wrap.media.facts.ws_opt) * o->program_ns;
        units_add_work(&delay->queues, where.unit, twin, now);
        return;
    case HFTL_MEDIA_RESET:
    case HFTL_MEDIA_FINISH:
        twin->begun_ns = now;
        twin->left_ns = op->verb == HFTL_MEDIA_RESET ? o->erase_ns : o->program_ns;
        units_add_work(&delay->queues, where.unit, twin, now);
        return;
    case HFTL_MEDIA_FLUSH:
        units_add_flush(&delay->queues, twin, now);
        return;
    case HFTL_MEDIA_REPORT:
    case HFTL_MEDIA_EVENT:
    case HFTL_MEDIA_VERB_COUNT:
        twin->due_ns = now;
    }
}

/* ---- the heap ---------------------------------------------------------------------------- */

static bool is_before(const struct wrap_twin *a, const struct wrap_twin *b)
{
    return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->note < b->note;
}

static void swap(struct wrap_twin **a, struct wrap_twin **b)
{
    struct wrap_twin *t = *a;
    *a = *b;
    *b = t;
}

/* There is room: it was made before the op was sent. */
static void push_waiting(struct delay *delay, struct wrap_twin *twin)
{
    size_t at = delay->waiting_count++;
    must_show(delay->waiting_count <= delay->waiting_room, delay->waiting_count, at);
    delay->waiting[at] = twin;
    while (at > 0 && is_before(delay->waiting[at], delay->waiting[(at - 1) / 2])) {
        swap(&delay->waiting[at], &delay->waiting[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

static struct wrap_twin *pop_waiting(struct delay *delay)
{
    struct wrap_twin *first = delay->waiting[0];
    struct wrap_twin **heap = delay->waiting;
    size_t count = --delay->waiting_count, at = 0, next;
    heap[0] = heap[count];
    for (next = 1; next < count; next = 2 * at + 1) {
        if (next + 1 < count && is_before(heap[next + 1], heap[next]))
            next++;
        if (!is_before(heap[next], heap[at]))
            break;
        swap(&heap[next], &heap[at]);
        at = next;
    }
    return first;
}

static bool make_room(struct delay *delay)
{
    size_t wanted = delay->wrap.in_flight;
    if (wanted <= delay->waiting_room)
        return true;
    size_t room = delay->waiting_room * 2 + 64;
    struct wrap_twin **more = realloc(delay->waiting, room * sizeof(struct wrap_twin *));
    if (!more)
        return false;
    delay->waiting = more;
    delay->waiting_room = room;
    return true;
}

/* ---- the contract ------------------------------------------------------------------------ */

static void finish_below(struct hftl_media_op *op)
{
    struct delay *delay = op->owner;
    struct wrap_twin *twin = (struct wrap_twin *)op;
    delay->below--;
    twin->below = false;
    if (twin->due_ns != UNITS_PENDING)
        push_waiting(delay, twin);
}

/* What the units have ended by now. */
static void run_units(struct delay *delay, uint64_t now)
{
    struct wrap_twin *twin;
    while (suspends(delay) && (twin = units_next(&delay->queues, now)) != NULL)
        if (!twin->below)
            push_waiting(delay, twin);
}

/* When something happens next, in a unit or to what waits. */
static uint64_t next_due(const struct delay *delay)
{
    uint64_t waits = delay->waiting_count > 0 ? delay->waiting[0]->due_ns : UINT64_MAX;
    return suspends(delay) ? min_u64(waits, units_due(&delay->queues)) : waits;
}

static void place(struct delay *delay, struct wrap_twin *twin, uint64_t now)
{
    const struct hftl_media_op *op = &twin->op;
    twin->note = delay->sequence++;
    twin->due_ns = now;
    if (op->chunk >= hftl_media_chunks(&delay->wrap.media.facts))
        return; /* a bad address is refused below */
    if (op->verb == HFTL_MEDIA_READ)
        twin->begun_ns = op->blocks * delay->options.transfer_ns;
    if (!suspends(delay)) {
        twin->due_ns = find_due(delay, op, now);
        return;
    }
    run_units(delay, now);
    enqueue(delay, twin, now);
}

static void submit_op(struct delay *delay, struct hftl_media_op *op)
{
    enum hftl_status status = wrap_take(&delay->wrap, op);
    if (status != HFTL_OK) {
        wrap_done(&delay->wrap, op, status);
        return;
    }
    struct wrap_twin *twin = make_room(delay) ? wrap_twin(&delay->wrap, op, finish_below) : NULL;
    if (!twin) {
        wrap_done(&delay->wrap, op, HFTL_MEMORY);
        return;
    }
    place(delay, twin, media_clock_now(delay->options.clock));
    twin->below = true;
    delay->below++;
    wrap_send(&delay->wrap, twin);
}

/* The timer rings at the next landing; 0 switches it off. */
static void set_timer(struct delay *delay)
{
    uint64_t next = next_due(delay), due = next == UINT64_MAX ? 0 : next;
    if (delay->timer < 0 || due == delay->timer_ns)
        return;
    struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(due / 1000000000u), .tv_nsec = (long)(due % 1000000000u)}};
    (void)timerfd_settime(delay->timer, TFD_TIMER_ABSTIME, &when, NULL);
    delay->timer_ns = due;
}

static void submit_ops(struct hftl_media *media, struct hftl_media_op **ops, unsigned count)
{
    struct delay *delay = (struct delay *)media;
    for (unsigned i = 0; i < count; i++)
        submit_op(delay, ops[i]);
    wrap_settle(&delay->wrap);
    set_timer(delay);
}

static void reap_below(struct delay *delay)
{
    struct hftl_media *inner = delay->wrap.inner;
    unsigned landed;
    do
        landed = inner->ops->reap(inner, (unsigned)min_u64(delay->below + 1, 1u << 20));
    while (landed > 0 && delay->below > 0 && !delay->wrap.inner_waits);
}

static bool moves_clock(const struct delay_options *options)
{
    return options->clock != NULL && options->clock->advance_ns != NULL;
}

/* The first of those that wait is due. A read has left its unit then and takes the channel: not
 * when it came, because others have that meanwhile. */
static void release_first(struct delay *delay)
{
    struct wrap_twin *twin = pop_waiting(delay);
    if (twin->begun_ns == 0) {
        wrap_return(&delay->wrap, twin);
        return;
    }
    struct where where = where_is(delay, twin->op.chunk);
    twin->due_ns = occupy(where.channel_free, twin->due_ns, twin->begun_ns);
    twin->begun_ns = 0;
    push_waiting(delay, twin);
}

/* What is due by now goes to the done queue; when nothing is, and the clock is ours, the clock goes
 * to what is next. */
static void release_due(struct delay *delay)
{
    for (;;) {
        uint64_t now = media_clock_now(delay->options.clock);
        run_units(delay, now);
        while (delay->waiting_count > 0 && delay->waiting[0]->due_ns <= now)
            release_first(delay);
        uint64_t next = next_due(delay);
        if (!moves_clock(&delay->options) || delay->below > 0 || next == UINT64_MAX ||
            delay->wrap.done_first != NULL)
            return;
        delay->options.clock->advance_ns(delay->options.clock->arg, next);
    }
}

uint64_t delay_due(const struct hftl_media *media)
{
    const struct delay *delay = (const struct delay *)media;
    if (delay->below > 0 || delay->wrap.done_first != NULL)
        return media_clock_now(delay->options.clock);
    return next_due(delay);
}

uint64_t delay_suspensions(const struct hftl_media *media)
{
    return ((const struct delay *)media)->queues.suspensions;
}

static unsigned reap_ops(struct hftl_media *media, unsigned max)
{
    struct delay *delay = (struct delay *)media;
    reap_below(delay);
    release_due(delay);
    set_timer(delay);
    return wrap_land(&delay->wrap, max);
}

static void free_delay(struct delay *delay)
{
    if (delay->timer >= 0)
        close(delay->timer);
    free(delay->unit_free_ns);
    free(delay->channel_free_ns);
    units_free(&delay->queues);
    free(delay->waiting);
    wrap_free(&delay->wrap);
    free(delay);
}

static void close_media(struct hftl_media *media)
{
    struct delay *delay = (struct delay *)media;
    struct hftl_media *inner = delay->wrap.inner;
    must_show(delay->wrap.in_flight == 0, delay->wrap.in_flight, 0);
    free_delay(delay);
    inner->ops->close(inner);
}

static const struct hftl_media_ops delay_ops = {
    .name = "delay",
    .submit = submit_ops,
    .reap = reap_ops,
    .fd = wrap_fd,
    .close = close_media,
};

/* What a block read in vain costs is its transfer; left out it costs a read. */
static uint32_t read_gap(const struct delay_options *options, const struct hftl_media_facts *inner)
{
    uint64_t most = inner->chunk_blocks - 1;
    uint64_t own = options->transfer_ns > 0 ? options->read_ns / options->transfer_ns
                   : options->read_ns > 0   ? most
                                            : 0;
    return max_u32(inner->read_gap_blocks, (uint32_t)min_u64(own, most));
}

static enum hftl_status build_model(struct delay *delay)
{
    const struct hftl_media_facts *f = &delay->wrap.media.facts;
    uint32_t pus = hftl_media_pus(f);
    delay->units = delay->options.units ? delay->options.units : pus;
    delay->channels = delay->units == pus ? f->groups : delay->units;
    delay->unit_free_ns = calloc(delay->units, sizeof *delay->unit_free_ns);
    delay->channel_free_ns = calloc(delay->channels, sizeof *delay->channel_free_ns);
    if (!delay->unit_free_ns || !delay->channel_free_ns)
        return HFTL_MEMORY;
    const struct delay_options *o = &delay->options;
    const struct units_times times = {.read_ns = o->read_ns,
                                      .program_ns = o->program_ns,
                                      .flush_ns = o->flush_ns,
                                      .suspend_ns = o->suspend_ns,
                                      .progress_ns = o->progress_ns};
    if (suspends(delay) && units_init(&delay->queues, delay->units, &times) != HFTL_OK)
        return HFTL_MEMORY;
    if (delay->options.clock)
        return HFTL_OK;
    delay->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (delay->timer < 0 || !wrap_watch(&delay->wrap, delay->timer))
        return HFTL_IO;
    return HFTL_OK;
}

enum hftl_status delay_open(struct hftl_media *inner, const struct delay_options *options,
                            struct hftl_media **media)
{
    must(options->size == sizeof *options);
    struct delay *delay = calloc(1, sizeof *delay);
    if (!delay)
        return HFTL_MEMORY;
    delay->options = *options;
    delay->timer = -1;
    enum hftl_status status = wrap_init(&delay->wrap, &delay_ops, inner, !moves_clock(options));
    if (status != HFTL_OK) {
        free(delay);
        return status;
    }
    delay->wrap.media.facts.read_gap_blocks = read_gap(options, &inner->facts);
    status = build_model(delay);
    if (status != HFTL_OK) {
        free_delay(delay);
        return status;
    }
    *media = &delay->wrap.media;
    return HFTL_OK;
}
