/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * check.h - the edge: what a stranger's request must satisfy before the engine sees it.
 *
 * I promise   after OK: the verb is one; the flags are known; the range is inside the device and,
 *             but for FLUSH, not empty; the iovecs of a READ or WRITE are not NULL, each a positive
 *             multiple of 4096, together exactly `blocks`; EXTENTS has room; `done` is there.
 * I ignore    whether the device can do it (it may be read-only): the engine answers that.
 *
 * What is wrong with a request, in the order of looking:
 *   INVALID    verb, flags, done, no blocks, a FLUSH with a range, iovecs or extents missing or
 *              empty, more than CHECK_IOV_MAX iovecs, iovecs that do not add up
 *   RANGE      lba + blocks beyond the end (computed so that nothing overflows)
 *   UNALIGNED  an iovec that is not a multiple of 4096 bytes long
 */
#ifndef HOSTFTL_FRONT_CHECK_H
#define HOSTFTL_FRONT_CHECK_H

#include <hostftl/hostftl.h>

#define CHECK_IOV_MAX 1024 /* as the operating system's IOV_MAX; bounds the time of a submit */

/* device_blocks: how many blocks the device exports. */
HFTL_MUST_USE enum hftl_status check_request(const struct hftl_request *request,
                                             uint64_t device_blocks);

#endif
