/* SPDX-License-Identifier: BSD-3-Clause */
#include "lifecycle/await.h"

bool device_await(struct device *device, bool (*done)(struct device *device))
{
    while (!done(device)) {
        if (device_step(device))
            continue;
        if (device->media_in_flight == 0)
            return done(device);
        device->world.wait(device->world.arg, device->medium);
    }
    return true;
}

static bool super_is_written(struct device *device)
{
    return !device->super.busy;
}

enum hftl_status super_write_now(struct device *device)
{
    super_write(device);
    return device_await(device, super_is_written) ? device->super.result : HFTL_IO;
}
