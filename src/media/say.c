/* SPDX-License-Identifier: BSD-3-Clause */
#include "media/say.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

enum hftl_status say(const struct say *say, enum hftl_status status, const char *format, ...)
{
    if (!say || !say->why || say->why_bytes == 0)
        return status;
    va_list args;
    va_start(args, format);
    vsnprintf(say->why, say->why_bytes, format, args);
    va_end(args);
    return status;
}

enum hftl_status status_of_errno(int error)
{
    switch (error) {
    case 0:
        return HFTL_OK;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return HFTL_SPACE;
    case ENOMEM:
        return HFTL_MEMORY;
    case ENOENT:
    case ENOTDIR:
        return HFTL_ABSENT;
    case EACCES:
    case EPERM:
    case EROFS:
        return HFTL_FORBIDDEN;
    case EEXIST:
        return HFTL_EXISTS;
    case EBUSY:
        return HFTL_BUSY;
    default:
        return HFTL_IO;
    }
}
