/* SPDX-License-Identifier: BSD-3-Clause */
#include "lifecycle/steps.h"

enum hftl_status steps_run(const struct world *world, const struct step *steps, unsigned count,
                           void *arg,
                           void (*ended)(void *arg, unsigned index, enum hftl_status status))
{
    for (unsigned i = 0; i < count; i++) {
        uint64_t begin = world->now(world->arg);
        enum hftl_status status = steps[i].act(arg);
        uint64_t microseconds = (world->now(world->arg) - begin) / 1000u;
        world_log(world, HFTL_LOG_DEBUG, "%s: %s, %llu us", steps[i].name, hftl_status_text(status),
                  (unsigned long long)microseconds);
        ended(arg, i, status);
        if (status != HFTL_OK)
            return status;
    }
    return HFTL_OK;
}
