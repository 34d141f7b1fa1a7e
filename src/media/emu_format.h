/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * emu_format.h - every byte of an emulated drive's file that is not user data.
 *
 *     0         header    4096 bytes, never changes after creation
 *     4096      sessions  512 bytes for each parallel unit: who has it, was it closed, counters
 *     table_at  table     32 bytes a chunk: state, write pointers, wear; on a page of 4096 bytes
 *     data_at   chunk 0: data, then OOB (oob_in_chunk bytes further), then chunk 1, ...
 *               chunk_stride bytes apart; sparse
 *
 * All numbers are little-endian; reserved bytes are zero and checked. Each piece ends with a
 * CRC-32C over all of it before; session and records are salted with the drive's id, so that those
 * of another drive are not taken for this one's.
 *
 * A record never straddles a sector and a session is one sector: either is old or new, never
 * mixed, after the death of the process or of the host.
 *
 * Sessions and records of a PU are written by nobody but the process that has the PU (emu.h), and
 * only they: a page of the table may hold records of two processes.
 *
 * INVARIANTS of a record
 *   E1  durable <= written <= capacity <= chunk_blocks, all multiples of ws_min.
 *   E2  The file holds the data below `written` before the record says so. `durable` is advanced
 *       only after that data was made safe from the death of the host (unless no_fsync).
 *   E3  rules.h: U1 with wp = written.
 */
#ifndef HOSTFTL_MEDIA_EMU_FORMAT_H
#define HOSTFTL_MEDIA_EMU_FORMAT_H

#include <hostftl/media.h>

#define EMU_MAGIC "HFTLEMU1"
#define EMU_VERSION 2u
#define EMU_HEADER_BYTES 4096u
#define EMU_SESSION_AT 4096u
#define EMU_SESSION_BYTES 512u
#define EMU_RECORD_BYTES 32u

struct emu_header {
    struct hftl_media_facts facts; /* volatile_cache follows from the two below */
    uint32_t zone_blocks;          /* distance of chunks as the drive addresses them; >= capacity */
    bool outlives_host;            /* a dead process leaves all it wrote, durable or not */
    bool no_fsync;                 /* the death of the host is not survived */
    bool reads_predefined;         /* an unreadable block reads as 0xFF instead of an error */
    uint64_t cache_bytes;          /* volatile cache; 0 = power-loss protected */
    uint64_t seed;                 /* of what leaves the cache early */
};

/* Where things are; a function of the header. */
struct emu_layout {
    uint32_t chunk_count;
    uint32_t pu_count;
    uint64_t table_at;
    uint64_t data_at;
    uint64_t oob_in_chunk;
    uint64_t chunk_stride;
    uint64_t file_bytes;
};

struct emu_counters {
    uint64_t blocks_written; /* by the host */
    uint64_t blocks_read;    /* by the host */
    uint64_t resets;
    uint64_t flushes;
    uint64_t predefined_reads; /* blocks read that were not readable; a defect of the host */
    uint64_t early_blocks;     /* left the volatile cache before a flush asked */
};

/* Of one PU. What a process that has several of them counts goes to the first; the sum over all PUs
 * is the drive's. */
struct emu_session {
    uint32_t pu;
    bool clean;          /* closed in order: nothing was in the cache */
    uint32_t pid;        /* of the last process that had it for writing */
    uint8_t boot_id[16]; /* of the host at that time; zeros: not known */
    uint64_t opens;      /* for writing, since creation, with this one as the first */
    struct emu_counters counters;
};

struct emu_record {
    struct hftl_chunk chunk; /* wp is what the file holds ("written") */
    uint32_t durable;
    bool finished; /* FULL by FINISH or for good; otherwise FULL with wp < capacity lost its end */
};

/* Overflow is impossible for facts that make sense. */
void emu_layout_of(const struct emu_header *header, struct emu_layout *layout);

void emu_header_encode(const struct emu_header *header, uint8_t bytes[EMU_HEADER_BYTES]);
/* FOREIGN, VERSION, CORRUPT; `what` is then a clause that says why. Static text. */
HFTL_MUST_USE enum hftl_status emu_header_decode(const uint8_t bytes[EMU_HEADER_BYTES],
                                                 struct emu_header *header, const char **what);

void emu_session_encode(const struct emu_session *session, const uint8_t id[16],
                        uint8_t bytes[EMU_SESSION_BYTES]);
/* CORRUPT, and when it is not that of session->pu. */
HFTL_MUST_USE enum hftl_status emu_session_decode(const uint8_t bytes[EMU_SESSION_BYTES],
                                                  const uint8_t id[16],
                                                  struct emu_session *session);
void emu_counters_add(struct emu_counters *sum, const struct emu_counters *counters);

void emu_record_encode(const struct emu_record *record, const struct hftl_media_facts *facts,
                       uint32_t chunk, uint8_t bytes[EMU_RECORD_BYTES]);
HFTL_MUST_USE enum hftl_status emu_record_decode(const uint8_t bytes[EMU_RECORD_BYTES],
                                                 const struct hftl_media_facts *facts,
                                                 uint32_t chunk, struct emu_record *record);

#endif
