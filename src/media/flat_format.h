/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flat_format.h - every byte of a flat medium that is not user data.
 *
 *     0         header   4096 bytes, never changes after creation
 *     4096      header   the same once more
 *     8192      holder   4096 bytes: the process that has it for writing; not synced, not trusted
 *     12288     state    two copies of 4096 bytes for each 252 chunks: copy 0, copy 1, next page
 *     data_at   chunk 0, chunk 1, ...  chunk_blocks x 4096 bytes apart; a multiple of 1 MiB
 *
 * All numbers are little-endian; reserved bytes are zero and checked. Each piece ends with a
 * CRC-32C over all of it before; state pages and the holder are salted with the medium's id.
 *
 * A STATE PAGE is written to its two copies in turn, with a generation that rises by one, and the
 * next write of a page starts only after the last one is durable. So a cut tears at most the older
 * copy of what is there, and the other one holds: of two valid copies the higher generation counts.
 *
 * INVARIANTS of a record
 *   F1  durable <= chunk_blocks, a multiple of ws_min. The data below it was synced before the page
 *       was written.
 *   F2  The state follows: finished, or durable = chunk_blocks: FULL. durable = 0: FREE. Else OPEN.
 */
#ifndef HOSTFTL_MEDIA_FLAT_FORMAT_H
#define HOSTFTL_MEDIA_FLAT_FORMAT_H

#include <hostftl/media.h>

#define FLAT_MAGIC "HFTLFLT1"
#define FLAT_VERSION 1u
#define FLAT_BLOCK_BYTES 4096u
#define FLAT_PAGE_BYTES 4096u
#define FLAT_HOLDER_AT 8192u
#define FLAT_STATE_AT 12288u
#define FLAT_ALIGN_BYTES (1u << 20)
#define FLAT_PAGE_CHUNKS 252u

struct flat_header {
    struct hftl_media_facts facts;
    uint64_t data_at;
};

struct flat_record {
    uint32_t durable; /* blocks */
    uint32_t wear;    /* resets */
    bool finished;
};

/* Where the data begins with so many chunks. */
uint64_t flat_data_at(uint32_t chunks);
uint32_t flat_page_count(uint32_t chunks);
uint64_t flat_page_at(uint32_t page, unsigned copy);

void flat_header_encode(const struct flat_header *header, uint8_t bytes[FLAT_PAGE_BYTES]);
/* FOREIGN, VERSION, CORRUPT; `what` is then a clause that says why. Static text. */
HFTL_MUST_USE enum hftl_status flat_header_decode(const uint8_t bytes[FLAT_PAGE_BYTES],
                                                  struct flat_header *header, const char **what);

void flat_holder_encode(uint32_t pid, const uint8_t id[16], uint8_t bytes[FLAT_PAGE_BYTES]);
/* 0: nobody, or not known. */
uint32_t flat_holder_decode(const uint8_t bytes[FLAT_PAGE_BYTES], const uint8_t id[16]);

/* `records` are those of the page: FLAT_PAGE_CHUNKS, or what is left in the last page. */
void flat_page_encode(const struct flat_record *records, uint32_t count, uint32_t page,
                      uint64_t generation, const uint8_t id[16], uint8_t bytes[FLAT_PAGE_BYTES]);
/* The generation, 0: not a valid copy. */
uint64_t flat_page_decode(const uint8_t bytes[FLAT_PAGE_BYTES], uint32_t page,
                          const struct hftl_media_facts *facts, struct flat_record *records,
                          uint32_t count);

/* F2. */
struct hftl_chunk flat_chunk_of(const struct flat_record *record,
                                const struct hftl_media_facts *facts);

#endif
