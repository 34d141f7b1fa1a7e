/* SPDX-License-Identifier: BSD-3-Clause */
#include "lifecycle/await.h"

void device_await(struct device *device, bool (*done)(struct device *device))
{
    while (!done(device)) {
        if (device_step(device))
            continue;
        if (device->media_in_flight > 0)
            device->world.wait(device->world.arg, device->medium);
        else if (device->read_only)
            return;
    }
}

static bool super_is_written(struct device *device)
{
    return !device->super.busy;
}

enum hftl_status super_write_now(struct device *device)
{
    super_write(device);
    device_await(device, super_is_written);
    return device->super.busy ? HFTL_IO : device->super.result;
}
