/* SPDX-License-Identifier: BSD-3-Clause */
/* superblock.h - the superblock's target as a function; the canary has one more thing to say. */
#ifndef HOSTFTL_FUZZ_SUPERBLOCK_H
#define HOSTFTL_FUZZ_SUPERBLOCK_H

#include "format/superblock.h"

/* Does all that superblock.c says; true when the record was accepted. */
bool superblock_take(const uint8_t *data, size_t size, struct superblock *superblock);

#endif
