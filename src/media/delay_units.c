/* SPDX-License-Identifier: BSD-3-Clause */
/* delay_units.c - see delay_units.h. */
#include "media/delay_units.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/must.h"

enum doing { IDLE, READING, WORKING, SUSPENDING };

struct unit {
    enum doing doing;
    struct units_queue reads, works;
    uint32_t waiting;   /* reads in the queue */
    uint32_t first_now; /* of them, that go before work */
    bool counted;       /* first_now is of work that could go on */
    struct wrap_twin *reading;
    uint64_t since_ns, until_ns; /* what it does now */
};

/* ---- queues ------------------------------------------------------------------------------ */

static void append(struct units_queue *queue, struct wrap_twin *twin)
{
    twin->next = NULL;
    if (queue->first == NULL)
        queue->first = twin;
    else
        queue->last->next = twin;
    queue->last = twin;
}

static struct wrap_twin *take_first(struct units_queue *queue)
{
    struct wrap_twin *twin = queue->first;
    queue->first = twin->next;
    return twin;
}

/* ---- where something happens next -------------------------------------------------------- */

static uint32_t sooner(const struct units *units, uint32_t a, uint32_t b)
{
    uint64_t x = units->unit[a].until_ns, y = units->unit[b].until_ns;
    return x != y ? (x < y ? a : b) : min_u32(a, b);
}

static void sort_in(struct units *units, uint32_t unit)
{
    for (uint32_t at = (unit + units->count) / 2; at >= 1; at /= 2)
        units->soonest[at] = sooner(units, units->soonest[2 * at], units->soonest[2 * at + 1]);
}

uint64_t units_due(const struct units *units)
{
    return units->unit[units->soonest[1]].until_ns;
}

/* ---- a unit ------------------------------------------------------------------------------ */

static void put(struct unit *unit, enum doing doing, uint64_t since_ns, uint64_t until_ns)
{
    unit->doing = doing;
    unit->since_ns = since_ns;
    unit->until_ns = until_ns;
}

/* Of an erase all that is left, of a write what is left of a program. */
static uint64_t length_of_run(const struct units *units, const struct wrap_twin *work)
{
    uint64_t program = units->times.program_ns;
    if (work->op.verb == HFTL_MEDIA_RESET || work->left_ns == 0)
        return work->left_ns;
    return (work->left_ns - 1) % program + 1;
}

/* Until its end, or until it is suspended for a read that waits. */
static void plan_work(const struct units *units, struct unit *unit, uint64_t now)
{
    uint64_t end = unit->since_ns + length_of_run(units, unit->works.first);
    uint64_t stop = max_u64(now, unit->since_ns + units->times.progress_ns);
    bool suspends = unit->waiting > 0 && stop + units->times.suspend_ns < end;
    unit->until_ns = suspends ? stop : end;
}

/* What a unit does that has ended what it did. */
static void go_on(const struct units *units, struct unit *unit, uint64_t now)
{
    const struct wrap_twin *work = unit->works.first;
    bool come = work != NULL && work->begun_ns <= now;
    if (come && !unit->counted) {
        unit->counted = true;
        unit->first_now = unit->waiting;
    }
    if (unit->waiting > 0 && (!come || unit->first_now > 0)) {
        unit->reading = take_first(&unit->reads);
        unit->waiting--;
        unit->first_now -= come;
        put(unit, READING, now, now + units->times.read_ns);
    } else if (come) {
        unit->counted = false;
        put(unit, WORKING, now, now);
        plan_work(units, unit, now);
    } else {
        put(unit, IDLE, now, work != NULL ? work->begun_ns : UINT64_MAX); /* U2 */
    }
}

/* Of those that are done left_ns is when. */
static void end(struct units *units, struct wrap_twin *twin, uint64_t at_ns)
{
    twin->left_ns = at_ns;
    append(&units->done, twin);
}

/* The flushes that came after a program which has ended wait for one less. */
static void end_program(struct units *units, const struct wrap_twin *work, uint64_t at_ns)
{
    struct units_queue all = units->flushes;
    units->flushes.first = NULL;
    units->programs--;
    while (all.first != NULL) {
        struct wrap_twin *flush = take_first(&all);
        if (flush->note > work->note && --flush->left_ns == 0)
            end(units, flush, at_ns + units->times.flush_ns);
        else
            append(&units->flushes, flush);
    }
}

static void end_run(struct units *units, struct unit *unit, uint64_t now)
{
    struct wrap_twin *work = unit->works.first;
    bool suspended = length_of_run(units, work) > now - unit->since_ns;
    work->left_ns -= now - unit->since_ns; /* U1 */
    if (suspended) {
        units->suspensions++;
        put(unit, SUSPENDING, now, now + units->times.suspend_ns);
        return;
    }
    if (work->left_ns == 0) {
        (void)take_first(&unit->works);
        if (work->op.verb != HFTL_MEDIA_RESET)
            end_program(units, work, now);
        work->begun_ns = 0;
        end(units, work, now);
    }
    go_on(units, unit, now);
}

static void happen(struct units *units, uint32_t index)
{
    struct unit *unit = &units->unit[index];
    uint64_t now = unit->until_ns;
    if (unit->doing == WORKING) {
        end_run(units, unit, now);
    } else {
        if (unit->doing == READING)
            end(units, unit->reading, now);
        go_on(units, unit, now);
    }
    sort_in(units, index);
}

struct wrap_twin *units_next(struct units *units, uint64_t now)
{
    while (units->done.first == NULL && units_due(units) <= now)
        happen(units, units->soonest[1]);
    if (units->done.first == NULL)
        return NULL;
    struct wrap_twin *twin = take_first(&units->done);
    twin->due_ns = twin->left_ns; /* U3 */
    return twin;
}

/* ---- what comes -------------------------------------------------------------------------- */

void units_add_read(struct units *units, uint32_t index, struct wrap_twin *twin, uint64_t now)
{
    struct unit *unit = &units->unit[index];
    twin->due_ns = UNITS_PENDING; /* U3 */
    append(&unit->reads, twin);
    unit->waiting++;
    if (unit->doing == IDLE)
        go_on(units, unit, now);
    else if (unit->doing == WORKING)
        plan_work(units, unit, now);
    sort_in(units, index);
}

void units_add_work(struct units *units, uint32_t index, struct wrap_twin *twin, uint64_t now)
{
    struct unit *unit = &units->unit[index];
    twin->due_ns = UNITS_PENDING; /* U3 */
    append(&unit->works, twin);
    units->programs += twin->op.verb != HFTL_MEDIA_RESET;
    if (unit->doing == IDLE)
        go_on(units, unit, now);
    sort_in(units, index);
}

void units_add_flush(struct units *units, struct wrap_twin *twin, uint64_t now)
{
    twin->due_ns = UNITS_PENDING; /* U3 */
    twin->left_ns = units->programs;
    if (units->programs > 0)
        append(&units->flushes, twin);
    else
        end(units, twin, now + units->times.flush_ns);
}

/* ---- a life ------------------------------------------------------------------------------ */

enum hftl_status units_init(struct units *units, uint32_t count, const struct units_times *times)
{
    must_show(times->suspend_ns > 0 && times->progress_ns > 0, times->suspend_ns,
              times->progress_ns);
    *units = (struct units){.times = *times, .count = count};
    units->unit = calloc(count, sizeof *units->unit);
    units->soonest = calloc(2 * (size_t)count, sizeof *units->soonest);
    if (units->unit == NULL || units->soonest == NULL)
        return HFTL_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        put(&units->unit[i], IDLE, 0, UINT64_MAX);
        units->soonest[count + i] = i;
    }
    for (uint32_t at = count; --at >= 1;)
        units->soonest[at] = sooner(units, units->soonest[2 * at], units->soonest[2 * at + 1]);
    return HFTL_OK;
}

void units_free(struct units *units)
{
    free(units->unit);
    free(units->soonest);
}
