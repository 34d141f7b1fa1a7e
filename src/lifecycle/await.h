/* SPDX-License-Identifier: BSD-3-Clause */
/* await.h - lifecycle lets the core's errands run and waits for them. */
#ifndef HOSTFTL_LIFECYCLE_AWAIT_H
#define HOSTFTL_LIFECYCLE_AWAIT_H

#include "core/engine.h"

/* super_write, until both copies have the record. */
HFTL_MUST_USE enum hftl_status super_write_now(struct device *device);
/* Steps the device until `done` says so. False: it never will, nothing is left that could move. */
bool device_await(struct device *device, bool (*done)(struct device *device));

#endif
