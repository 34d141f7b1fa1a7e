/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * floor.h - what moving a block costs without a translation layer: the measure of one.
 *
 * OWNS      a medium in memory of the same shape as a device's, written and read at random places,
 *           and as much memory around it as a device has for requests and its write buffer.
 * PROMISES  the floor of a block is one copy of it, one CRC-32C of it, and the access of the bare
 *           medium, through its interface: submitted, reaped, landed. Nothing is drawn or allocated
 *           while it is counted, and each function does exactly as many blocks as it is told.
 * IGNORES   clocks and counters: the caller puts them around a call.
 *
 *     write   copy of a request's memory to a write unit, CRC, and when the unit is whole, its
 *             write; to a chunk that is chosen at random among those that may be open
 *     read    read of one block from anywhere, CRC, copy. A layer can do without that copy
 *     move    read of one block from anywhere, CRC, copy to a write unit, and its write
 *
 * Why so? A figure of time says more of the machine than of the layer. The floor is of the same
 * machine, minute and memory, so that their quotient is the layer's own, and can be compared.
 */
#ifndef HOSTFTL_TOOL_FLOOR_H
#define HOSTFTL_TOOL_FLOOR_H

#include <hostftl/media.h>

struct floor;

/* The medium is empty. MEMORY; GEOMETRY: blocks are not of 4096 bytes. */
HFTL_MUST_USE enum hftl_status floor_open(const struct hftl_media_facts *facts, uint64_t seed,
                                          struct floor **made);
/* Blocks of the medium; so many writes from the start fill it, further ones reset first. */
uint64_t floor_blocks(const struct floor *floor);
void floor_write(struct floor *floor, uint64_t blocks);
/* The following need a medium that was written once. */
void floor_read(struct floor *floor, uint64_t blocks);
void floor_move(struct floor *floor, uint64_t blocks);
/* Parts of the above, to tell them apart. */
void floor_copy(struct floor *floor, uint64_t blocks);
void floor_crc(struct floor *floor, uint64_t blocks);
/* Everything that was read has gone into this, so that no compiler leaves it out. */
uint32_t floor_digest(const struct floor *floor);
void floor_close(struct floor *floor);

#endif
