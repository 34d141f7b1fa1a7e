/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/crc.h"

#include "base/bytes.h"

#include <isa-l.h>
#include <limits.h>

uint32_t crc32c(uint32_t crc, const void *data, size_t bytes)
{
    /* The library neither inverts nor takes a const pointer, and counts in int. */
    unsigned char *at = (unsigned char *)data;
    crc = ~crc;
    for (; bytes > INT_MAX; bytes -= INT_MAX, at += INT_MAX)
        crc = crc32_iscsi(at, INT_MAX, crc);
    return ~crc32_iscsi(at, (int)bytes, crc);
}

uint32_t crc32c_20_bytes(uint64_t first, uint32_t second, uint64_t third)
{
    uint8_t bytes[20];
    put_u64(bytes, first);
    put_u32(bytes + 8, second);
    put_u64(bytes + 12, third);
    return crc32c(0, bytes, sizeof bytes);
}
