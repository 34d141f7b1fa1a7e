/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/pace.h"

#include "base/bytes.h"
#include "core/engine.h"

void pace_init(struct device *device)
{
    device->pace = (struct pace){.open = true};
}

/* Without bad chunks. */
static int64_t band_blocks(const struct device *device)
{
    return geometry_data_blocks(&device->geometry, device->geometry.columns);
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

static int64_t space_of(const struct device *device)
{
    int64_t bands = (int64_t)device->bands_free + device->bands_emptied +
                    (device->erase.band != NULL) - BANDS_RESERVE;
    int64_t space = bands * band_blocks(device);
    for (unsigned i = 0; i < STREAMS; i++)
        space += left_in(device->streams[i].open);
    for (uint32_t i = 0; i < device->relocation.depth; i++)
        space += given_by(device, &device->relocation.movers[i]);
    return space;
}

static int64_t twice_target_of(const struct device *device)
{
    return PACE_TARGET_QUARTERS * band_blocks(device) / 2;
}

void pace_set(struct device *device, uint32_t valid, uint32_t capacity)
{
    struct pace *pace = &device->pace;
    int64_t space = space_of(device);
    int64_t twice_target = twice_target_of(device);
    pace->open = space >= twice_target || valid == 0 || capacity <= valid;
    if (pace->open)
        return;
    int64_t gain = (int64_t)(capacity - valid) * PACE_ONE / valid;
    space = space > twice_target / PACE_LEAST ? space : twice_target / PACE_LEAST;
    pace->a_move = gain * space / (twice_target - space) + 1;
}

void pace_earn(struct device *device, uint32_t blocks)
{
    struct pace *pace = &device->pace;
    if (pace->open)
        return;
    pace->account += pace->a_move * blocks;
    if (pace->account > PACE_BURST_BLOCKS * PACE_ONE)
        pace->account = PACE_BURST_BLOCKS * PACE_ONE;
}

bool pace_is_in_force(const struct device *device)
{
    return device->bands_free <= device->limits.level[HFTL_LIMIT_START].bands_free &&
           limits_cleaning_is_at_work(device);
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
    if (pace->account < 0 || pace->account > PACE_BURST_BLOCKS * PACE_ONE)
        return why_say(why, HFTL_CORRUPT, "G1: the account of users' writes is at %lld",
                       (long long)pace->account);
    return HFTL_OK;
}
