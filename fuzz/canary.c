/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * canary.c - the superblock's target with a defect planted behind the checksum and all other rules.
 *
 * A fuzzer that does not find this in seconds does not reach what it is there for. Not run on kept
 * inputs: it would stop at what it has to find.
 */
#include "fuzz/fuzz.h"
#include "fuzz/superblock.h"

/* As if somebody had overlooked a band that is being closed where there are no verdicts. */
static void be_defective(const struct superblock *superblock)
{
    must(!(superblock->verdict_count == 0 && superblock->copy == 1 &&
           superblock->witness.slots[2].band == 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct superblock superblock;
    if (superblock_take(data, size, &superblock))
        be_defective(&superblock);
    return 0;
}
