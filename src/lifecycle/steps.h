/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * steps.h - a procedure that happens once is a table of named steps, run in order; each is logged
 * with its time, and told to `ended`. The first that fails ends it. Memory is the device's, so
 * undoing is device_discard.
 */
#ifndef HOSTFTL_LIFECYCLE_STEPS_H
#define HOSTFTL_LIFECYCLE_STEPS_H

#include "core/world.h"

struct step {
    const char *name;
    enum hftl_status (*act)(void *arg);
};

enum hftl_status steps_run(const struct world *world, const struct step *steps, unsigned count,
                           void *arg,
                           void (*ended)(void *arg, unsigned index, enum hftl_status status));

#endif
