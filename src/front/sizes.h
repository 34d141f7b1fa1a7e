/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sizes.h - structs that grow: a caller built against another version of hostftl.h has another
 * size.
 *
 * Structs that come in (options) say their size first. A smaller one is an older one: what it lacks
 * has its default. A larger one is a newer one: fine as long as what we do not know is zero, which
 * means "as before"; a wish that we cannot read must not be ignored.
 * Structs that go out (info, stats) say how much room there is; no more is written.
 */
#ifndef HOSTFTL_FRONT_SIZES_H
#define HOSTFTL_FRONT_SIZES_H

#include "core/world.h"

#include <hostftl/hostftl.h>
#include <hostftl/observe.h>

/* They take NULL for all defaults. Not OK: INVALID or UNSUPPORTED, and why. */
HFTL_MUST_USE enum hftl_status sizes_take_open(struct hftl_open_options *known,
                                               const struct hftl_open_options *given,
                                               struct why *why);
HFTL_MUST_USE enum hftl_status sizes_take_format(struct hftl_format_options *known,
                                                 const struct hftl_format_options *given,
                                                 struct why *why);
HFTL_MUST_USE enum hftl_status sizes_take_examine(struct hftl_examine_options *known,
                                                  const struct hftl_examine_options *given,
                                                  struct why *why);
HFTL_MUST_USE enum hftl_status sizes_take_dump(struct hftl_dump_options *known,
                                               const struct hftl_dump_options *given,
                                               struct why *why);

/* No defaults: what a smaller struct lacks is refused. */
HFTL_MUST_USE enum hftl_status sizes_take_limits(struct hftl_limits *known,
                                                 const struct hftl_limits *given, struct why *why);

/* A size of 0 is taken for this version's. `given` may be NULL. */
void sizes_give_info(struct hftl_info *given, const struct hftl_info *known);
void sizes_give_examination(struct hftl_examination *given, const struct hftl_examination *known);
void sizes_give_limits(struct hftl_limits *given, const struct hftl_limits *known);
void sizes_give_stats(struct hftl_stats *given, const struct hftl_stats *known);
void sizes_give_latency(struct hftl_latency *given, const struct hftl_latency *known);
void sizes_give_bands(struct hftl_bands *given, const struct hftl_bands *known);

#endif
