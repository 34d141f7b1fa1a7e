/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/pace.h"

#include "base/bytes.h"
#include "core/engine.h"

void pace_init(struct device *device)
{
    device->pace = (struct pace){.open = true};
}

int64_t pace_burst(const struct device *device)
{
    return max_u32(PACE_BURST_LEAST, PACE_BURST_COLUMN * device->geometry.columns);
}

static int64_t left_in(const struct pen *pen)
{
    return pen->band == NULL || pen->position >= pen->tail ? 0 : pen->tail - pen->position;
}

/* What the victim will be when it is empty, by how far it is. */
static int64_t given_by(const struct device *device, const struct mover *mover)
{
    if (mover->victim == NULL || mover->valid_first == 0)
        return 0;
    int64_t capacity = geometry_data_blocks(&device->geometry, mover->victim->width);
    uint32_t left = min_u32(mover->victim->valid, mover->valid_first);
    return (mover->valid_first - left) * capacity / mover->valid_first;
}

/* Those that users or relocation could open when what is under way has ended, the reserve's too. */
static int64_t bands_coming(const struct device *device)
{
    return (int64_t)device->bands_free + device->bands_emptied + (device->erase.band != NULL);
}

static int64_t space_of(const struct device *device, int64_t capacity)
{
    bool kept = device->streams[STREAM_USER].kept != NULL;
    int64_t space = (bands_coming(device) + kept - BANDS_RESERVE) * capacity;
    for (unsigned i = 0; i < STREAMS; i++)
        space += left_in(device->streams[i].open);
    for (uint32_t i = 0; i < device->relocation.depth; i++)
        space += given_by(device, &device->relocation.movers[i]);
    return space;
}

/* Where the end of a band is looked ahead at (pace.h). */
static bool foresees(const struct device *device, int64_t capacity)
{
    const struct mover *lead = relocation_lead(device);
    return lead != NULL && capacity >= (int64_t)PACE_BATCHES * device->relocation.batch &&
           (capacity - lead->valid_first) * device->geometry.bands >= PACE_SPARE_BANDS * capacity;
}

/* Users find a band to open while between `from` and `to` blocks were moved from now on. */
struct window {
    int64_t from, to;
};

/* What of the bands that are coming is free still takes a while. */
static int64_t delay_of_now(const struct device *device, int64_t delay)
{
    if (device->bands_free > BANDS_RESERVE)
        return 0;
    bool erasing = device->bands_free + (device->erase.band != NULL) > BANDS_RESERVE;
    return erasing ? delay / 4 : delay;
}

/* The first window that lasts until `end` at least: the future, were all victims like the lead's.
 * False: none that soon. */
static bool find_window(const struct device *device, int64_t capacity, int64_t end,
                        struct window *window)
{
    const struct mover *lead = relocation_lead(device);
    if (!foresees(device, capacity))
        return false;
    int64_t moved = 0, bands = bands_coming(device), delay = capacity / PACE_DELAY;
    int64_t left = left_in(device->streams[STREAM_RELOCATION].open); /* of relocation's band */
    int64_t valid = lead->victim->valid;                             /* and of its victim */
    window->from = delay_of_now(device, delay);
    for (unsigned i = 0; i < PACE_EVENTS_MAX; i++) {
        int64_t next = left < valid ? left : valid;
        moved += next;
        left -= next;
        valid -= next;
        if (bands <= BANDS_RESERVE)
            window->from = moved + delay;
        if (valid == 0) {
            bands++;
            valid = lead->valid_first;
        } else {
            bands--;
            left = capacity;
        }
        window->to = moved - 2 * (int64_t)device->relocation.batch;
        if (bands <= BANDS_RESERVE && window->to >= end && window->from < window->to)
            return true;
    }
    window->to = INT64_MAX / PACE_ONE; /* so much is gained that there always is one */
    return bands > BANDS_RESERVE;
}

/* The same, so that users find a window in the last part of their band. */
static int64_t in_time(const struct device *device, int64_t capacity, int64_t a_move)
{
    const struct stream *user = &device->streams[STREAM_USER];
    int64_t users = (left_in(user->open) + 1) * PACE_ONE;
    int64_t soon = users - capacity / PACE_KEEP * PACE_ONE;
    int64_t fast = a_move * PACE_HURRY, slow = a_move * PACE_SLOW_TENTHS / 10;
    struct window window;
    soon = soon > 0 ? soon : 0;
    if (user->kept != NULL || (soon == 0 && device->bands_free > BANDS_RESERVE) ||
        !find_window(device, capacity, soon / fast, &window))
        return a_move;
    int64_t least = soon / window.to, most = window.from > 0 ? users / window.from : INT64_MAX;
    most = most > slow ? most : slow;
    return a_move > most ? most : a_move < least ? least : a_move;
}

bool pace_keeps_a_band(const struct device *device)
{
    int64_t capacity = geometry_data_blocks(&device->geometry, device->geometry.columns);
    return foresees(device, capacity) &&
           left_in(device->streams[STREAM_USER].open) <= capacity / PACE_KEEP;
}

void pace_set(struct device *device, uint32_t valid, uint32_t capacity)
{
    struct pace *pace = &device->pace;
    int64_t space = space_of(device, capacity);
    int64_t twice_target = (int64_t)PACE_TARGET_QUARTERS * capacity / 2;
    pace->open = space >= twice_target || valid == 0 || capacity <= valid;
    if (pace->open)
        return;
    int64_t gain = (int64_t)(capacity - valid) * PACE_ONE / valid;
    if (gain > pace_burst(device) * PACE_ONE) /* more for one block is not kept (G1) */
        gain = pace_burst(device) * PACE_ONE;
    space = space > twice_target / PACE_LEAST ? space : twice_target / PACE_LEAST;
    int64_t least = gain / (PACE_LEAST - 1) + 1; /* that of the least space */
    pace->a_move = in_time(device, capacity, gain * space / (twice_target - space) + 1);
    if (pace->a_move < least)
        pace->a_move = least;
}

void pace_earn(struct device *device, uint32_t blocks)
{
    struct pace *pace = &device->pace;
    if (pace->open)
        return;
    pace->account += pace->a_move * blocks;
    if (pace->account > pace_burst(device) * PACE_ONE)
        pace->account = pace_burst(device) * PACE_ONE;
}

bool pace_is_in_force(const struct device *device)
{
    return device->bands_free <= device->limits.level[HFTL_LIMIT_START].bands_free &&
           !device->relocation.resting && limits_cleaning_is_at_work(device);
}

uint32_t pace_admit(const struct device *device)
{
    return device->pace.open ? UINT32_MAX : (uint32_t)(device->pace.account / PACE_ONE); /* G1 */
}

void pace_charge(struct device *device, uint32_t blocks)
{
    if (!device->pace.open)
        device->pace.account -= (int64_t)blocks * PACE_ONE;
}

enum hftl_status pace_check(const struct device *device, struct why *why)
{
    const struct pace *pace = &device->pace;
    if (pace->account < 0 || pace->account > pace_burst(device) * PACE_ONE)
        return why_say(why, HFTL_CORRUPT, "G1: the account of users' writes is at %lld",
                       (long long)pace->account);
    return HFTL_OK;
}
