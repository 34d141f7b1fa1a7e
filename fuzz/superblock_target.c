/* SPDX-License-Identifier: BSD-3-Clause */
#include "fuzz/fuzz.h"
#include "fuzz/superblock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct superblock superblock;
    (void)superblock_take(data, size, &superblock);
    return 0;
}
