/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * engine.h - core/device.h as a table, so that the simulator can be pointed at another engine.
 *
 * The tests of the simulator run it on a toy that tells planted lies; everybody else runs it on the
 * engine that ships. Each member is the function of device.h of the same name.
 */
#ifndef HOSTFTL_SIM_ENGINE_H
#define HOSTFTL_SIM_ENGINE_H

#include "core/device.h"

struct engine {
    enum hftl_status (*format)(struct hftl_media *medium, const struct world *world,
                               const struct hftl_format_options *options, struct hftl_info *info,
                               struct why *why);
    enum hftl_status (*open)(struct hftl_media *medium, const struct device_options *options,
                             struct device **device, struct why *why);
    enum hftl_status (*close)(struct device *device);
    void (*discard)(struct device *device);
    void (*submit)(struct device *device, struct sender *sender, struct hftl_request *request);
    bool (*step)(struct device *device);
    bool (*is_idle)(const struct device *device);
    void (*get_info)(const struct device *device, struct hftl_info *info);
    void (*get_stats)(const struct device *device, struct hftl_stats *stats);
    void (*get_bands)(const struct device *device, struct hftl_bands *bands); /* may be NULL */
    uint64_t (*blocks)(const struct device *device);
    enum hftl_status (*check)(const struct device *device, struct why *why);
    /* NULL, all three, for an engine that has no cleaning to tune. */
    enum hftl_status (*set_limits)(struct device *device, const struct hftl_limits *limits,
                                   struct why *why);
    enum hftl_status (*set_policy)(struct device *device, const char *name);
    void (*pause_cleaning)(struct device *device, bool paused);
    /* No function of device.h: as if the device had been open for so long that of the sequence
     * numbers of this life so many are left. NULL: it has none. */
    void (*grow_old)(struct device *device, uint32_t numbers_left);
};

/* The one that ships. */
extern const struct engine engine_hostftl;

#endif
