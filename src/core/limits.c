/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/limits.h"

#include "base/bytes.h"
#include "base/must.h"
#include "base/mutant.h"
#include "core/engine.h"

#include <string.h>

static const char *const names[HFTL_LIMIT_COUNT] = {"critical", "high", "low", "start"};

void limits_init(struct device *device)
{
    struct hftl_limit *level = device->limits.level;
    level[HFTL_LIMIT_CRITICAL] = (struct hftl_limit){BANDS_RESERVE - 3, 0};
    level[HFTL_LIMIT_HIGH] = (struct hftl_limit){BANDS_RESERVE - 2, 20};
    level[HFTL_LIMIT_LOW] = (struct hftl_limit){BANDS_RESERVE - 1, 50};
    level[HFTL_LIMIT_START] = (struct hftl_limit){BANDS_RESERVE + 1, 100};
    device->limits.at = HFTL_LIMIT_COUNT;
    device->limits.account = 0;
}

enum hftl_status limits_validate(const struct device *device, const struct hftl_limits *limits,
                                 struct why *why)
{
    const struct hftl_limit *level = limits->level;
    for (unsigned i = 0; i < HFTL_LIMIT_COUNT; i++) {
        if (level[i].percent > 100)
            return why_say(why, HFTL_INVALID, "the %s limit gives users %u percent: 100 is all",
                           names[i], level[i].percent);
        if (level[i].bands_free >= device->geometry.bands)
            return why_say(why, HFTL_INVALID,
                           "the %s limit is at %u free bands: the device has %u in all", names[i],
                           level[i].bands_free, device->geometry.bands);
        if (i > 0 && level[i].bands_free < level[i - 1].bands_free)
            return why_say(why, HFTL_INVALID,
                           "the %s limit is at %u free bands, below the %s limit's %u", names[i],
                           level[i].bands_free, names[i - 1], level[i - 1].bands_free);
        if (i > 0 && level[i].percent < level[i - 1].percent)
            return why_say(why, HFTL_INVALID,
                           "the %s limit gives users %u percent, less than the %s limit's %u",
                           names[i], level[i].percent, names[i - 1], level[i - 1].percent);
    }
    if (level[HFTL_LIMIT_START].bands_free < BANDS_RESERVE)
        return why_say(why, HFTL_INVALID,
                       "the start limit is at %u free bands: cleaning must start at %u or more, "
                       "where users get no more of them",
                       level[HFTL_LIMIT_START].bands_free, BANDS_RESERVE);
    return HFTL_OK;
}

void limits_set(struct device *device, const struct hftl_limits *limits)
{
    memcpy(device->limits.level, limits->level, sizeof(limits->level));
    device->limits.at = HFTL_LIMIT_COUNT;
    device->limits.account = 0;
}

enum hftl_limit_level limits_level(const struct limits *limits, uint32_t bands_free)
{
    unsigned i = 0;
    while (i < HFTL_LIMIT_COUNT && bands_free > limits->level[i].bands_free)
        i++;
    return (enum hftl_limit_level)i;
}

bool limits_cleaning_is_at_work(const struct device *device)
{
    return !relocation_is_done(device) || erase_is_at_work(device);
}

static enum hftl_limit_level level_now(const struct device *device)
{
    return limits_level(&device->limits, device->bands_free + (device->erase.band != NULL));
}

enum hftl_limit_level limits_in_force(const struct device *device)
{
    const struct limits *limits = &device->limits;
    enum hftl_limit_level level = level_now(device);
    if (level == HFTL_LIMIT_COUNT || limits->level[level].percent == 100 ||
        !limits_cleaning_is_at_work(device))
        return HFTL_LIMIT_COUNT;
    return level;
}

/* Another limit, another account. */
static void turn_to(struct limits *limits, enum hftl_limit_level level)
{
    if (limits->at == level)
        return;
    limits->at = level;
    limits->account = 0;
}

static int64_t price(const struct limits *limits)
{
    return 100 - (int64_t)limits->level[limits->at].percent;
}

uint32_t limits_admit(struct device *device, enum hftl_limit_level level)
{
    if (level == HFTL_LIMIT_COUNT || mutant("limit-ignored"))
        return UINT32_MAX;
    turn_to(&device->limits, level);
    return (uint32_t)(device->limits.account / price(&device->limits)); /* P1: it is small */
}

void limits_charge(struct device *device, enum hftl_limit_level level, uint32_t blocks)
{
    if (level == HFTL_LIMIT_COUNT)
        return;
    turn_to(&device->limits, level);
    device->limits.account -= price(&device->limits) * blocks;
    must_show(device->limits.account >= 0, device->limits.account, level); /* P1 */
}

void limits_earn(struct device *device, uint32_t blocks)
{
    struct limits *limits = &device->limits;
    turn_to(limits, level_now(device));
    if (limits->at == HFTL_LIMIT_COUNT)
        return;
    int64_t most = price(limits) * LIMITS_BURST_BLOCKS;
    limits->account += (int64_t)limits->level[limits->at].percent * blocks;
    if (limits->account > most)
        limits->account = most;
}

void limits_note_taken(struct device *device)
{
    enum hftl_limit_level level = limits_level(&device->limits, device->bands_free);
    if (level == limits_level(&device->limits, device->bands_free + 1))
        return;
    device->stats.limit_hits[level]++;
    trace(device, LIMIT, 0, device->bands_free, level);
}

enum hftl_status limits_check(const struct device *device, struct why *why)
{
    const struct limits *limits = &device->limits;
    if (limits->at == HFTL_LIMIT_COUNT)
        return limits->account == 0 ? HFTL_OK
                                    : why_say(why, HFTL_CORRUPT, "P1: an account of no limit");
    if (limits->account < 0 || limits->account > price(limits) * LIMITS_BURST_BLOCKS)
        return why_say(why, HFTL_CORRUPT, "P1: the %s limit's account is at %lld hundredths",
                       names[limits->at], (long long)limits->account);
    return HFTL_OK;
}
