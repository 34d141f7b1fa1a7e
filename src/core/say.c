/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * say.c - sentences for people: what the engine logs, why something failed, and the one fault that
 * ends in a sentence of its own, becoming read-only.
 */
#include "core/engine.h"

#include <stdarg.h>
#include <stdio.h>

enum hftl_status why_say(struct why *why, enum hftl_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (why != NULL)
        vsnprintf(why->text, sizeof(why->text), format, args);
    va_end(args);
    return status;
}

static void log_line(const struct world *world, enum hftl_log_level level, const char *format,
                     va_list args)
{
    char text[256];
    if (world->log == NULL)
        return;
    vsnprintf(text, sizeof(text), format, args);
    world->log(world->arg, level, text);
}

void world_log(const struct world *world, enum hftl_log_level level, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_line(world, level, format, args);
    va_end(args);
}

void device_log(struct device *device, enum hftl_log_level level, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_line(&device->world, level, format, args);
    va_end(args);
}

void device_degrade(struct device *device, enum hftl_status status, const char *format, ...)
{
    char what[80];
    va_list args;
    if (device->read_only)
        return;
    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    device->read_only = true;
    trace(device, DEGRADED, 0, 0, status);
    snprintf(device->reason, sizeof(device->reason), "%s: %s", what, hftl_status_text(status));
    device_log(device, HFTL_LOG_ERROR, "read-only from now on: %s", device->reason);
    request_fail_writes(device, status);
    flush_fail_all(device, status);
    flush_bands_fail_all(device, status);
    errand_wake_all(&device->band_waiters);
}
