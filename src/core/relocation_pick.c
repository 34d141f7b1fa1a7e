/* SPDX-License-Identifier: BSD-3-Clause */
/* relocation_pick.c - which band is the next victim, and whether there is to be one at all. */
#include "base/bitmap.h"
#include "base/bytes.h"
#include "core/engine.h"

/* So few bands are free that users get none, or nothing but cleaning may write. */
static bool is_short(const struct device *device)
{
    const struct limits *limits = &device->limits;
    return device->bands_free <=
           max_u32(limits->level[HFTL_LIMIT_CRITICAL].bands_free, BANDS_RESERVE);
}

/* C11: somebody writes and would stop, or only cleaning may write. */
static bool is_needed(const struct device *device)
{
    return (is_short(device) || device->bands_sealed > SEALED_MAX) &&
           !list_is_empty(&device->writes);
}

static bool is_worth(const struct device *device, const struct band *band)
{
    uint32_t capacity = geometry_data_blocks(&device->geometry, band->width);
    uint32_t invalid = capacity > band->valid ? capacity - band->valid : 0;
    /* L5: the flush that its erase may ask for pads a run of each stream. Somebody who gets no band
     * takes what there is; for nobody, less than that is no gain, and cleaning would never end. Nor
     * is it for somebody whom a limit slows: a band moved for the sake of one block would cost him
     * more than it gives. */
    uint32_t cost = 2 * device->geometry.ws_min + 2;
    if (device->bands_free <= BANDS_RESERVE && !list_is_empty(&device->writes))
        return invalid > 0;
    return invalid > max_u32(cost, capacity / device->geometry.slack);
}

/* L6 */
static bool is_in_vain(struct device *device)
{
    struct relocation *relocation = &device->relocation;
    if (list_is_empty(&device->writes) || relocation->user_clock != device->user_clock)
        relocation->in_vain = 0;
    relocation->user_clock = device->user_clock;
    return relocation->in_vain >= device->geometry.bands;
}

double relocation_score(const struct device *device, const struct band *band)
{
    if (!is_worth(device, band))
        return 0;
    struct victim_view view = {
        .valid = band->valid,
        .capacity = geometry_data_blocks(&device->geometry, band->width),
        .age = ((uint64_t)device->epoch << 32 | device->generation_count) - band->generation,
        .wear = band->wear,
    };
    const struct victim_policy *policy =
        is_short(device) ? &victim_greedy : device->relocation.policy;
    return policy->score(&view);
}

static struct band *pick_closed(struct device *device)
{
    struct band_index *index = &device->index;
    struct band *best = NULL;
    double best_score = 0;
    for (uint64_t level = bitmap_find_set(index->occupied, index->slots, 0); level < index->slots;
         level = bitmap_find_set(index->occupied, index->slots, level + 1)) {
        struct band *band = list_of(index->level[level].top, struct band, node);
        index->looked++;
        double this_score = relocation_score(device, band);
        if (this_score > best_score) {
            best_score = this_score;
            best = band;
        }
    }
    return best;
}

struct band *relocation_pick(struct device *device, const struct mover *mover)
{
    const struct mover *lead = relocation_lead(device);
    struct band *victim = NULL;
    if (device->closing)
        return NULL;
    if (device->relocation.paused && !is_needed(device))
        return NULL;
    /* L8: a helper begins where it may append, and with a band to spare: were it to begin at the
     * edge, the next band that somebody opens would have it let go of what it has just read. */
    if (lead != NULL && lead != mover && device->bands_free <= BANDS_RESERVE + 1)
        return NULL;
    if (!list_is_empty(&device->index.sealed))
        victim = list_of(list_first(&device->index.sealed), struct band, link);
    /* Bands on their way to be free count. Otherwise each moment that a flush or a reset takes
     * would have more victims taken, ever less empty ones: a slow medium multiplied the blocks
     * written. */
    if (victim == NULL && !erase_is_enough(device) && !is_in_vain(device))
        victim = pick_closed(device);
    return victim;
}
