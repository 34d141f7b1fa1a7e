/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stats.h - what the device has done and what that cost.
 *
 * I own        hftl_stats' counters of the medium, the latencies, the clock of a stall; what is
 *              worked out when somebody asks: bands, wear, cleaning debt.
 * I promise    an operation of the medium is counted once, when it lands, here and nowhere else;
 *              each of its blocks once, by what it is (S1); counting costs a few additions and
 *              never allocates.
 * I ignore     why anything was done. Counters of events (bands opened, blocks lost) are raised
 *              where the event is.
 *
 * The kind of a block in a stream's unit is noted when it is filled (unit.kinds): a write of the
 * medium holds blocks of several kinds.
 *
 * S1   media_writes == sum of written[].operations + errors, media_reads likewise.
 */
#ifndef HOSTFTL_CORE_STATS_H
#define HOSTFTL_CORE_STATS_H

#include "core/trace.h"
#include "format/ident.h"

struct device;

/* What a block with this identity is, in the stream that relocation writes or in the users'. */
enum hftl_io_kind stats_kind(enum ident_kind kind, bool by_relocation);

/* An operation landed. All its blocks are of this kind. */
void stats_count(struct hftl_stats *stats, const struct hftl_media_op *op, enum hftl_io_kind kind);
/* A write of a stream landed; `kinds` has one for each of its blocks (enum hftl_io_kind). */
void stats_count_mixed(struct hftl_stats *stats, const struct hftl_media_op *op,
                       const uint8_t *kinds);

/* The first write of the queue cannot go on; or some write did. */
void stats_stall(struct device *device, hftl_lba lba);
void stats_go_on(struct device *device, hftl_lba lba);
/* Requests of one verb that were taken at one time, have succeeded, and are delivered now: all
 * took as long. */
struct done {
    enum hftl_verb verb;
    uint64_t taken_ns;
    uint32_t count;
};
void stats_done(struct device *device, const struct done *done);

#endif
