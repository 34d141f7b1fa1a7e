/* SPDX-License-Identifier: BSD-3-Clause */
#include "front/check.h"

#include <sys/uio.h>

static bool flags_make_sense(const struct hftl_request *request)
{
    if (request->flags == 0)
        return true;
    switch (request->verb) {
    case HFTL_READ: /* FUA on a read is senseless but arrives; it is ignored */
    case HFTL_WRITE:
    case HFTL_TRIM:
    case HFTL_WRITE_ZEROES:
        return (request->flags & ~HFTL_FUA) == 0;
    case HFTL_FLUSH:
    case HFTL_EXTENTS:
    case HFTL_FLUSH_BANDS:
    case HFTL_VERB_COUNT:
        break;
    }
    return false;
}

/* `blocks` is inside the device, so its bytes fit in 64 bits. */
static enum hftl_status check_iovecs(const struct hftl_request *request)
{
    uint64_t left = request->blocks * HFTL_BLOCK_BYTES;
    bool aligned = true;

    if (!request->iov || request->iov_count < 1 || request->iov_count > CHECK_IOV_MAX)
        return HFTL_INVALID;
    if (request->iov_count == 1 && request->iov->iov_base && request->iov->iov_len == left)
        return HFTL_OK; /* nearly all are like that */
    for (int i = 0; i < request->iov_count; i++) {
        const struct iovec *iov = &request->iov[i];
        if (!iov->iov_base || iov->iov_len == 0)
            return HFTL_INVALID;
        if (iov->iov_len % HFTL_BLOCK_BYTES != 0)
            aligned = false;
        if (iov->iov_len > left)
            return aligned ? HFTL_INVALID : HFTL_UNALIGNED;
        left -= iov->iov_len;
    }
    if (!aligned)
        return HFTL_UNALIGNED;
    return left == 0 ? HFTL_OK : HFTL_INVALID;
}

enum hftl_status check_request(const struct hftl_request *request, uint64_t device_blocks)
{
    if ((unsigned)request->verb >= HFTL_VERB_COUNT || !request->done || !flags_make_sense(request))
        return HFTL_INVALID;
    if (request->verb == HFTL_FLUSH || request->verb == HFTL_FLUSH_BANDS)
        return request->lba == 0 && request->blocks == 0 ? HFTL_OK : HFTL_INVALID;
    if (request->blocks == 0)
        return HFTL_INVALID;
    if (request->blocks > device_blocks || request->lba > device_blocks - request->blocks)
        return HFTL_RANGE;
    if (request->verb == HFTL_READ || request->verb == HFTL_WRITE)
        return check_iovecs(request);
    if (request->verb == HFTL_EXTENTS)
        return request->extents && request->extent_count > 0 ? HFTL_OK : HFTL_INVALID;
    return HFTL_OK;
}
