/* SPDX-License-Identifier: BSD-3-Clause */
#include "media/emu_format.h"

#include <string.h>

#include "base/bytes.h"
#include "base/crc.h"
#include "media/rules.h"

/*
 * Header: offset, width
 *     0  8 magic          8  4 version      12  4 kind          16  4 flags of the medium
 *    20  4 options (bit 0 outlives_host, 1 no_fsync, 2 reads_predefined)
 *    24  4 block_bytes   28  4 oob_bytes    32  4 groups        36  4 pus_per_group
 *    40  4 chunks_per_pu 44  4 zone_blocks  48  4 chunk_blocks  52  4 ws_min
 *    56  4 ws_opt        60  4 mw_cunits    64  4 open_max      68  4 active_max
 *    72  4 atomic_blocks 76  4 transfer_blocks_max              80  4 reset_limit
 *    84  4 zero          88  8 cache_bytes  96  8 seed         104 16 id
 *   120 .. 4092 zero   4092  4 crc
 */
enum { HEADER_USED = 120, HEADER_CRC = EMU_HEADER_BYTES - 4, WORDS_AT = 12 };
enum { SESSION_CRC = EMU_SESSION_BYTES - 4 };
enum { RECORD_CRC = EMU_RECORD_BYTES - 4 };

#define OPTION_OUTLIVES 1u
#define OPTION_NO_FSYNC 2u
#define OPTION_PREDEFINED 4u
#define SESSION_MAGIC "HFTLEMUs"

static bool is_zero(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

void emu_layout_of(const struct emu_header *header, struct emu_layout *layout)
{
    const struct hftl_media_facts *f = &header->facts;
    layout->chunk_count = hftl_media_chunks(f);
    layout->pu_count = hftl_media_pus(f);
    layout->table_at =
        round_up_u64(EMU_SESSION_AT + (uint64_t)layout->pu_count * EMU_SESSION_BYTES, 4096);
    uint64_t table_end = layout->table_at + (uint64_t)layout->chunk_count * EMU_RECORD_BYTES;
    layout->data_at = round_up_u64(table_end, 65536);
    layout->oob_in_chunk = round_up_u64((uint64_t)f->chunk_blocks * f->block_bytes, 4096);
    uint64_t oob_bytes = round_up_u64((uint64_t)f->chunk_blocks * f->oob_bytes, 4096);
    layout->chunk_stride = layout->oob_in_chunk + oob_bytes;
    layout->file_bytes = layout->data_at + layout->chunk_count * layout->chunk_stride;
}

void emu_header_encode(const struct emu_header *header, uint8_t bytes[EMU_HEADER_BYTES])
{
    const struct hftl_media_facts *f = &header->facts;
    uint32_t options = (header->outlives_host ? OPTION_OUTLIVES : 0) |
                       (header->no_fsync ? OPTION_NO_FSYNC : 0) |
                       (header->reads_predefined ? OPTION_PREDEFINED : 0);
    const uint32_t words[] = {
        (uint32_t)f->kind,      f->flags,        options,          f->block_bytes,
        f->oob_bytes,           f->groups,       f->pus_per_group, f->chunks_per_pu,
        header->zone_blocks,    f->chunk_blocks, f->ws_min,        f->ws_opt,
        f->mw_cunits,           f->open_max,     f->active_max,    f->atomic_blocks,
        f->transfer_blocks_max, f->reset_limit,
    };
    memset(bytes, 0, EMU_HEADER_BYTES);
    memcpy(bytes, EMU_MAGIC, 8);
    put_u32(bytes + 8, EMU_VERSION);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        put_u32(bytes + WORDS_AT + 4 * i, words[i]);
    put_u64(bytes + 88, header->cache_bytes);
    put_u64(bytes + 96, header->seed);
    memcpy(bytes + 104, f->id, sizeof f->id);
    put_u32(bytes + HEADER_CRC, crc32c(0, bytes, HEADER_CRC));
}

static void decode_facts(const uint8_t *bytes, struct emu_header *header)
{
    const uint8_t *w = bytes + WORDS_AT;
    header->facts = (struct hftl_media_facts){
        .size = sizeof header->facts,
        .kind = (enum hftl_media_kind)get_u32(w),
        .flags = get_u32(w + 4),
        .block_bytes = get_u32(w + 12),
        .oob_bytes = get_u32(w + 16),
        .groups = get_u32(w + 20),
        .pus_per_group = get_u32(w + 24),
        .chunks_per_pu = get_u32(w + 28),
        .chunk_blocks = get_u32(w + 36),
        .ws_min = get_u32(w + 40),
        .ws_opt = get_u32(w + 44),
        .mw_cunits = get_u32(w + 48),
        .open_max = get_u32(w + 52),
        .active_max = get_u32(w + 56),
        .atomic_blocks = get_u32(w + 60),
        .transfer_blocks_max = get_u32(w + 64),
        .reset_limit = get_u32(w + 68),
    };
    uint32_t options = get_u32(w + 8);
    header->zone_blocks = get_u32(w + 32);
    header->outlives_host = (options & OPTION_OUTLIVES) != 0;
    header->no_fsync = (options & OPTION_NO_FSYNC) != 0;
    header->reads_predefined = (options & OPTION_PREDEFINED) != 0;
    header->cache_bytes = get_u64(bytes + 88);
    header->seed = get_u64(bytes + 96);
    memcpy(header->facts.id, bytes + 104, sizeof header->facts.id);
    header->facts.volatile_cache = header->outlives_host || header->cache_bytes > 0;
}

enum hftl_status emu_header_decode(const uint8_t bytes[EMU_HEADER_BYTES], struct emu_header *header,
                                   const char **what)
{
    *what = "it does not begin with " EMU_MAGIC;
    if (memcmp(bytes, EMU_MAGIC, 7) != 0)
        return HFTL_FOREIGN;
    *what = "it was made by another version of this program";
    if (bytes[7] != EMU_MAGIC[7])
        return HFTL_VERSION;
    *what = "the checksum of its header (bytes 0 to 4095) is wrong";
    if (get_u32(bytes + HEADER_CRC) != crc32c(0, bytes, HEADER_CRC))
        return HFTL_CORRUPT;
    *what = "it was made by another version of this program";
    if (get_u32(bytes + 8) != EMU_VERSION)
        return HFTL_VERSION;
    *what = "reserved bytes of its header are not zero";
    uint32_t options = get_u32(bytes + 20);
    if (!is_zero(bytes + HEADER_USED, HEADER_CRC - HEADER_USED) || !is_zero(bytes + 84, 4) ||
        (options & ~(OPTION_OUTLIVES | OPTION_NO_FSYNC | OPTION_PREDEFINED)) != 0)
        return HFTL_CORRUPT;
    decode_facts(bytes, header);
    *what = hftl_media_facts_nonsense(&header->facts);
    if (*what)
        return HFTL_CORRUPT;
    *what = "its zones are smaller than their capacity";
    if (header->zone_blocks < header->facts.chunk_blocks)
        return HFTL_CORRUPT;
    *what = "its volatile cache is larger than 2^40 bytes";
    if (header->cache_bytes > 1ull << 40)
        return HFTL_CORRUPT;
    *what = NULL;
    return HFTL_OK;
}

/* Session: 0 8 magic, 8 4 state (1 clean, 2 open), 12 4 pid, 16 16 boot id, 32 8 opens,
 *          40 six counters of 8, 88 4 pu, 92 .. 508 zero, 508 4 crc */
static uint32_t sum(const uint8_t id[16], const uint8_t *bytes, size_t count)
{
    return crc32c(crc32c(0, id, 16), bytes, count);
}

void emu_session_encode(const struct emu_session *session, const uint8_t id[16],
                        uint8_t bytes[EMU_SESSION_BYTES])
{
    const struct emu_counters *c = &session->counters;
    memset(bytes, 0, EMU_SESSION_BYTES);
    memcpy(bytes, SESSION_MAGIC, 8);
    put_u32(bytes + 8, session->clean ? 1 : 2);
    put_u32(bytes + 12, session->pid);
    memcpy(bytes + 16, session->boot_id, 16);
    put_u64(bytes + 32, session->opens);
    put_u64(bytes + 40, c->blocks_written);
    put_u64(bytes + 48, c->blocks_read);
    put_u64(bytes + 56, c->resets);
    put_u64(bytes + 64, c->flushes);
    put_u64(bytes + 72, c->predefined_reads);
    put_u64(bytes + 80, c->early_blocks);
    put_u32(bytes + 88, session->pu);
    put_u32(bytes + SESSION_CRC, sum(id, bytes, SESSION_CRC));
}

enum hftl_status emu_session_decode(const uint8_t bytes[EMU_SESSION_BYTES], const uint8_t id[16],
                                    struct emu_session *session)
{
    uint32_t state = get_u32(bytes + 8);
    if (memcmp(bytes, SESSION_MAGIC, 8) != 0 ||
        get_u32(bytes + SESSION_CRC) != sum(id, bytes, SESSION_CRC) || state < 1 || state > 2 ||
        get_u32(bytes + 88) != session->pu || !is_zero(bytes + 92, SESSION_CRC - 92))
        return HFTL_CORRUPT;
    session->clean = state == 1;
    session->pid = get_u32(bytes + 12);
    memcpy(session->boot_id, bytes + 16, 16);
    session->opens = get_u64(bytes + 32);
    session->counters = (struct emu_counters){
        .blocks_written = get_u64(bytes + 40),
        .blocks_read = get_u64(bytes + 48),
        .resets = get_u64(bytes + 56),
        .flushes = get_u64(bytes + 64),
        .predefined_reads = get_u64(bytes + 72),
        .early_blocks = get_u64(bytes + 80),
    };
    return HFTL_OK;
}

void emu_counters_add(struct emu_counters *sum, const struct emu_counters *counters)
{
    sum->blocks_written += counters->blocks_written;
    sum->blocks_read += counters->blocks_read;
    sum->resets += counters->resets;
    sum->flushes += counters->flushes;
    sum->predefined_reads += counters->predefined_reads;
    sum->early_blocks += counters->early_blocks;
}

/* Record: 0 1 state, 1 1 finished, 2 2 zero, 4 4 written, 8 4 durable, 12 4 capacity, 16 4 wear,
 *         20 4 chunk, 24 4 zero, 28 4 crc. The states in the file are these numbers and not the
 *         enum's. */
static const uint8_t state_codes[HFTL_CHUNK_STATE_COUNT] = {
    [HFTL_CHUNK_FREE] = 1, [HFTL_CHUNK_OPEN] = 2,      [HFTL_CHUNK_PAUSED] = 3,
    [HFTL_CHUNK_FULL] = 4, [HFTL_CHUNK_READ_ONLY] = 5, [HFTL_CHUNK_OFFLINE] = 6,
};

void emu_record_encode(const struct emu_record *record, const struct hftl_media_facts *facts,
                       uint32_t chunk, uint8_t bytes[EMU_RECORD_BYTES])
{
    memset(bytes, 0, EMU_RECORD_BYTES);
    bytes[0] = state_codes[record->chunk.state];
    bytes[1] = record->finished;
    put_u32(bytes + 4, record->chunk.wp);
    put_u32(bytes + 8, record->durable);
    put_u32(bytes + 12, record->chunk.capacity);
    put_u32(bytes + 16, record->chunk.wear);
    put_u32(bytes + 20, chunk);
    put_u32(bytes + RECORD_CRC, sum(facts->id, bytes, RECORD_CRC));
}

enum hftl_status emu_record_decode(const uint8_t bytes[EMU_RECORD_BYTES],
                                   const struct hftl_media_facts *facts, uint32_t chunk,
                                   struct emu_record *record)
{
    unsigned state = 0;
    while (state < HFTL_CHUNK_STATE_COUNT && state_codes[state] != bytes[0])
        state++;
    if (get_u32(bytes + RECORD_CRC) != sum(facts->id, bytes, RECORD_CRC) ||
        get_u32(bytes + 20) != chunk || state == HFTL_CHUNK_STATE_COUNT || bytes[1] > 1 ||
        !is_zero(bytes + 2, 2) || !is_zero(bytes + 24, 4))
        return HFTL_CORRUPT;
    record->chunk = (struct hftl_chunk){
        .state = (enum hftl_chunk_state)state,
        .wp = get_u32(bytes + 4),
        .capacity = get_u32(bytes + 12),
        .wear = get_u32(bytes + 16),
    };
    record->durable = get_u32(bytes + 8);
    record->finished = bytes[1] == 1;
    if (!rules_chunk_sane(facts, &record->chunk) || record->durable > record->chunk.wp ||
        record->durable % facts->ws_min != 0) /* E1, E3 */
        return HFTL_CORRUPT;
    return HFTL_OK;
}
