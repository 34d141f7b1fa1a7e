/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * claim.h - is it safe to write over what is there?
 *
 * PROMISES  writes nothing, and leaves nothing open.
 * IGNORES   hostftl devices: hftl_format looks for those.
 */
#ifndef HOSTFTL_TOOL_CLAIM_H
#define HOSTFTL_TOOL_CLAIM_H

#include <stddef.h>

#include <hostftl/types.h>

/*
 * A block device that is mounted, has holders (device mapper, RAID) or is open exclusively: BUSY.
 * `why` then says which. Anything that is not in use: OK.
 */
HFTL_MUST_USE enum hftl_status claim_check_use(const char *path, char *why, size_t why_bytes);

/* A file system, partition table, RAID member, ... that libblkid knows: EXISTS, and `why` names
 * it. */
HFTL_MUST_USE enum hftl_status claim_check_signature(const char *path, char *why, size_t why_bytes);

#endif
