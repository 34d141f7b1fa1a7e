/* SPDX-License-Identifier: BSD-3-Clause */
#include "media/flat_format.h"

#include <string.h>

#include "base/bytes.h"
#include "base/crc.h"

/*
 * Header: offset, width
 *     0  8 magic          8  4 version       12  4 flags of the medium   16  4 block_bytes
 *    20  4 chunk_blocks  24  4 chunks        28  4 ws_min                32  4 ws_opt
 *    36  4 transfer_blocks_max               40  8 data_at               48 16 id
 *    64 .. 4092 zero   4092  4 crc
 */
enum { HEADER_USED = 64, CRC_AT = FLAT_PAGE_BYTES - 4 };

/* Holder: 0 8 magic, 8 4 pid, 12 .. 4092 zero, 4092 4 crc. */
#define HOLDER_MAGIC "HFTLFLTh"
/* Page: 0 8 magic, 8 4 page, 12 4 zero, 16 8 generation, 24 8 zero, 32 records of 16, zero, crc.
 * Record: 0 4 durable, 4 4 wear, 8 1 finished, 9 7 zero. */
#define PAGE_MAGIC "HFTLFLTs"
enum { RECORDS_AT = 32, RECORD_BYTES = 16 };
_Static_assert(RECORDS_AT + FLAT_PAGE_CHUNKS * RECORD_BYTES <= CRC_AT, "records fit in a page");

static bool is_zero(const uint8_t *bytes, size_t from, size_t upto)
{
    for (; from < upto; from++) {
        if (bytes[from] != 0)
            return false;
    }
    return true;
}

static uint32_t sum(const uint8_t id[16], const uint8_t *bytes)
{
    return crc32c(crc32c(0, id, 16), bytes, CRC_AT);
}

uint32_t flat_page_count(uint32_t chunks)
{
    return div_round_up_u32(chunks, FLAT_PAGE_CHUNKS);
}

uint64_t flat_page_at(uint32_t page, unsigned copy)
{
    return FLAT_STATE_AT + (2 * (uint64_t)page + copy) * FLAT_PAGE_BYTES;
}

uint64_t flat_data_at(uint32_t chunks)
{
    return round_up_u64(flat_page_at(flat_page_count(chunks), 0), FLAT_ALIGN_BYTES);
}

void flat_header_encode(const struct flat_header *header, uint8_t bytes[FLAT_PAGE_BYTES])
{
    const struct hftl_media_facts *f = &header->facts;
    memset(bytes, 0, FLAT_PAGE_BYTES);
    memcpy(bytes, FLAT_MAGIC, 8);
    put_u32(bytes + 8, FLAT_VERSION);
    put_u32(bytes + 12, f->flags);
    put_u32(bytes + 16, f->block_bytes);
    put_u32(bytes + 20, f->chunk_blocks);
    put_u32(bytes + 24, f->chunks_per_pu);
    put_u32(bytes + 28, f->ws_min);
    put_u32(bytes + 32, f->ws_opt);
    put_u32(bytes + 36, f->transfer_blocks_max);
    put_u64(bytes + 40, header->data_at);
    memcpy(bytes + 48, f->id, 16);
    put_u32(bytes + CRC_AT, crc32c(0, bytes, CRC_AT));
}

static const char *find_nonsense(const struct flat_header *header)
{
    const struct hftl_media_facts *f = &header->facts;
    const char *nonsense = hftl_media_facts_nonsense(f);
    if (nonsense)
        return nonsense;
    if (f->block_bytes != FLAT_BLOCK_BYTES)
        return "its blocks are not of 4096 bytes";
    if (f->flags & ((uint32_t)HFTL_MEDIA_CAN_QUEUE | HFTL_MEDIA_CAN_APPEND))
        return "its writes queue or append";
    if (header->data_at != flat_data_at(f->chunks_per_pu))
        return "its data does not begin behind its state area";
    return NULL;
}

enum hftl_status flat_header_decode(const uint8_t bytes[FLAT_PAGE_BYTES],
                                    struct flat_header *header, const char **what)
{
    *what = "it does not begin with " FLAT_MAGIC;
    if (memcmp(bytes, FLAT_MAGIC, 7) != 0)
        return HFTL_FOREIGN;
    *what = "it was made by another version of this program";
    if (bytes[7] != FLAT_MAGIC[7])
        return HFTL_VERSION;
    *what = "the checksum of its header is wrong";
    if (get_u32(bytes + CRC_AT) != crc32c(0, bytes, CRC_AT))
        return HFTL_CORRUPT;
    *what = "it was made by another version of this program";
    if (get_u32(bytes + 8) != FLAT_VERSION)
        return HFTL_VERSION;
    *what = "reserved bytes of its header are not zero";
    if (!is_zero(bytes, HEADER_USED, CRC_AT))
        return HFTL_CORRUPT;
    *header = (struct flat_header){
        .facts = {.size = sizeof header->facts,
                  .kind = HFTL_KIND_FLAT,
                  .flags = get_u32(bytes + 12),
                  .block_bytes = get_u32(bytes + 16),
                  .groups = 1,
                  .pus_per_group = 1,
                  .chunks_per_pu = get_u32(bytes + 24),
                  .chunk_blocks = get_u32(bytes + 20),
                  .ws_min = get_u32(bytes + 28),
                  .ws_opt = get_u32(bytes + 32),
                  .transfer_blocks_max = get_u32(bytes + 36),
                  .volatile_cache = true},
        .data_at = get_u64(bytes + 40),
    };
    memcpy(header->facts.id, bytes + 48, 16);
    *what = find_nonsense(header);
    return *what ? HFTL_CORRUPT : HFTL_OK;
}

void flat_holder_encode(uint32_t pid, const uint8_t id[16], uint8_t bytes[FLAT_PAGE_BYTES])
{
    memset(bytes, 0, FLAT_PAGE_BYTES);
    memcpy(bytes, HOLDER_MAGIC, 8);
    put_u32(bytes + 8, pid);
    put_u32(bytes + CRC_AT, sum(id, bytes));
}

uint32_t flat_holder_decode(const uint8_t bytes[FLAT_PAGE_BYTES], const uint8_t id[16])
{
    if (memcmp(bytes, HOLDER_MAGIC, 8) != 0 || get_u32(bytes + CRC_AT) != sum(id, bytes))
        return 0;
    return get_u32(bytes + 8);
}

void flat_page_encode(const struct flat_record *records, uint32_t count, uint32_t page,
                      uint64_t generation, const uint8_t id[16], uint8_t bytes[FLAT_PAGE_BYTES])
{
    memset(bytes, 0, FLAT_PAGE_BYTES);
    memcpy(bytes, PAGE_MAGIC, 8);
    put_u32(bytes + 8, page);
    put_u64(bytes + 16, generation);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *to = bytes + RECORDS_AT + i * RECORD_BYTES;
        put_u32(to, records[i].durable);
        put_u32(to + 4, records[i].wear);
        to[8] = records[i].finished;
    }
    put_u32(bytes + CRC_AT, sum(id, bytes));
}

static bool decode_record(const uint8_t *from, const struct hftl_media_facts *facts,
                          struct flat_record *record)
{
    record->durable = get_u32(from);
    record->wear = get_u32(from + 4);
    record->finished = from[8] == 1;
    return from[8] <= 1 && is_zero(from, 9, RECORD_BYTES) &&
           record->durable <= facts->chunk_blocks && record->durable % facts->ws_min == 0; /* F1 */
}

uint64_t flat_page_decode(const uint8_t bytes[FLAT_PAGE_BYTES], uint32_t page,
                          const struct hftl_media_facts *facts, struct flat_record *records,
                          uint32_t count)
{
    if (memcmp(bytes, PAGE_MAGIC, 8) != 0 || get_u32(bytes + CRC_AT) != sum(facts->id, bytes) ||
        get_u32(bytes + 8) != page || !is_zero(bytes, 12, 16) || !is_zero(bytes, 24, RECORDS_AT) ||
        !is_zero(bytes, RECORDS_AT + count * RECORD_BYTES, CRC_AT))
        return 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!decode_record(bytes + RECORDS_AT + i * RECORD_BYTES, facts, &records[i]))
            return 0;
    }
    return get_u64(bytes + 16);
}

struct hftl_chunk flat_chunk_of(const struct flat_record *record,
                                const struct hftl_media_facts *facts)
{
    bool full = record->finished || record->durable == facts->chunk_blocks;
    return (struct hftl_chunk){
        .state = full                   ? HFTL_CHUNK_FULL
                 : record->durable == 0 ? HFTL_CHUNK_FREE
                                        : HFTL_CHUNK_OPEN,
        .wp = record->durable,
        .capacity = facts->chunk_blocks,
        .wear = record->wear,
    };
}
