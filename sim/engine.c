/* SPDX-License-Identifier: BSD-3-Clause */
#include "sim/engine.h"

#include "core/engine.h"

static void grow_old(struct device *device, uint32_t numbers_left)
{
    device->counter = UINT32_MAX - numbers_left;
}

const struct engine engine_hostftl = {
    .format = device_format,
    .open = device_open,
    .close = device_close,
    .discard = device_discard,
    .submit = device_submit_from,
    .step = device_step,
    .is_idle = device_is_idle,
    .get_info = device_get_info,
    .get_stats = device_get_stats,
    .get_bands = device_get_bands,
    .blocks = device_blocks,
    .check = device_check,
    .set_limits = device_set_limits,
    .set_policy = device_set_policy,
    .pause_cleaning = device_pause_cleaning,
    .grow_old = grow_old,
};
