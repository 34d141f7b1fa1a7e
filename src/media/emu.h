/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * emu.h - the emulated drive: an Open-Channel or zoned drive in an ordinary file.
 *
 * OWNS      one file: geometry, chunk states, write pointers, wear, OOB and data. The file is
 *           sparse; a reset gives its space back.
 * PROMISES  the contract of media.h, every rule of the drive's kind enforced, and the behaviour of
 *           a drive when power goes:
 *
 *           volatile cache (default 8 MiB, in the memory of the process)
 *               What was written stays in memory until FLUSH, or until the cache is full, or until
 *               chance has it: each chunk is by the seed eager, lazy or neither, so that SIGKILL at
 *               any instant leaves any prefix per chunk, as a power cut would (M6). The file never
 *               says that a block is there before it is.
 *           no volatile cache (cache 0)
 *               A write that landed is durable (power-loss protection).
 *           outlives host
 *               The other crash: the process dies, the drive lives. All that was written is in the
 *               file and readable, and only a FLUSH makes it durable; emu_power_cut() then does
 *               what a real power cut would do next.
 *
 *           Unless no_fsync is set, what is durable survives the death of the host as well: FLUSH,
 *           RESET and FINISH land after fdatasync. When the host died, blocks that were written but
 *           not durable are gone at the next open, even where the file still has them.
 * IGNORES   what the bytes mean; time (no latency is emulated).
 *
 * READS of blocks that are not readable: an Open-Channel drive answers with bytes 0xFF, in OOB too,
 * and counts them; a zoned drive refuses (RULE_READ). An option at creation chooses otherwise.
 *
 * POWER-UP: OPEN chunks of a zoned drive are PAUSED after an open; a chunk of which nothing is left
 * is FREE. A chunk that was FULL and lost its end in a cut is FULL at its shorter length when the
 * drive has no slot for one more partly written chunk.
 *
 * A full or failing disk below: the write lands SPACE or IO, the chunk is as before (M3); a FLUSH
 * that cannot lands the same, and what it could not write is still in the cache. After a failed
 * fdatasync nobody knows what is there, so every later FLUSH fails until the drive is opened again.
 *
 * SEVERAL PROCESSES, each with parallel units of its own
 *     A process takes PUs, by default all, for writing; readers share (locks on the open file, so
 *     they end with the process: emu_file.h). Everything that changes is of one PU and written by
 *     who has it: records, sessions, data. So the death of one process, and what its cache loses,
 *     is none of the others' business. The limits of open and active chunks are shared by PUs
 *     (hftl_media_share); the counters are each process's own, and their sum is the drive's.
 *
 *     own PUs         everything, as if the drive were ours alone
 *     other PUs       OFFLINE; their chunks change, and the contract has no room for that
 *     LOOK (media.h)  takes nothing, writes nothing, and sees all chunks as the file has them at
 *                     the time of each operation, which is what a power-up would find
 *
 * A file that is replaced (emu_create) is held as a whole until the new one has its place, and who
 * has locked a file looks whether it still is what its name says: so nobody ends up with a drive
 * that no name leads to.
 */
#ifndef HOSTFTL_MEDIA_EMU_H
#define HOSTFTL_MEDIA_EMU_H

#include "media/emu_file.h"

#define EMU_NONE UINT32_MAX /* "none" where 0 means "choose" */
#define EMU_CACHE_DEFAULT (8ull << 20)

enum emu_read_answer { EMU_READS_BY_KIND, EMU_READS_REFUSED, EMU_READS_PREDEFINED };

/* Everything 0 but size, kind and bytes gives a sensible drive. Counts are in blocks. */
struct emu_create_options {
    uint32_t size; /* sizeof this struct */
    enum hftl_media_kind kind;
    uint64_t bytes; /* in all; the drive has at most this. 0: from the dimensions */
    uint32_t block_bytes;
    uint32_t oob_bytes; /* a block; EMU_NONE: none */
    uint32_t groups;
    uint32_t pus_per_group;
    uint32_t chunks_per_pu; /* zoned: the number of zones */
    uint32_t zone_blocks;   /* zoned: size of a zone, of which chunk_blocks are usable */
    uint32_t chunk_blocks;
    uint32_t ws_min;
    uint32_t ws_opt;
    uint32_t mw_cunits;  /* EMU_NONE: none */
    uint32_t open_max;   /* EMU_NONE: no limit */
    uint32_t active_max; /* EMU_NONE: no limit */
    uint32_t atomic_blocks;
    uint32_t transfer_blocks_max;
    uint32_t reset_limit;
    uint32_t flags_set, flags_clear; /* hftl_media_flag, applied to those of the kind */
    uint32_t bad_chunks;             /* offline from the start, chosen by the seed */
    uint32_t short_chunks;           /* of less capacity, chosen by the seed */
    enum emu_read_answer reads;
    bool cache_given; /* cache_bytes is meant, 0 included */
    uint64_t cache_bytes;
    bool outlives_host;
    bool no_fsync;
    bool overwrite; /* an existing drive or file of that name is replaced */
    uint64_t seed;  /* 0: by chance */
};

struct emu_open_options {
    uint32_t size; /* sizeof this struct */
    bool read_only;
    bool no_uring; /* a pool of threads instead of io_uring */
    bool no_fsync; /* as at creation, for this time */
    /* read_only: every block that was written can be read, and mw_cunits is 0 (overlay.h) */
    bool all_readable;
    uint32_t pu_first, pu_count; /* only these; 0, 0: all */
    bool look;                   /* read_only, and takes nothing */
    bool format; /* also the right to make and remove devices, one process at a time */
    bool cache_given;
    uint64_t cache_bytes; /* instead of what the drive says, for this time */
    uint64_t seed;        /* 0: the drive's, and how often it was opened */
};

/* The header that such options give, without making anything. GEOMETRY, INVALID. */
HFTL_MUST_USE enum hftl_status emu_plan(const struct emu_create_options *options,
                                        struct emu_header *header, char *why, size_t why_bytes);

/* The whole drive or nothing appears at `path`. EXISTS, BUSY (overwrite of one in use), GEOMETRY,
 * SPACE, FORBIDDEN, ABSENT (no such folder), IO. */
HFTL_MUST_USE enum hftl_status emu_create(const char *path,
                                          const struct emu_create_options *options, char *why,
                                          size_t why_bytes);

/* options may be NULL. ABSENT, FORBIDDEN, INVALID (a folder), FOREIGN, VERSION, CORRUPT, TRUNCATED,
 * BUSY, MEMORY, IO, GEOMETRY (PUs that have no part in a limit). Close with ops->close, which
 * writes out what is cached. */
HFTL_MUST_USE enum hftl_status emu_open(const char *path, const struct emu_open_options *options,
                                        struct hftl_media **media, char *why, size_t why_bytes);

/* As SIGKILL, without the process: what is in the cache is gone, ops in flight never land. */
void emu_abandon(struct hftl_media *media);

/* The drive's own decision (M7): READ_ONLY or OFFLINE. Durable. IO. */
HFTL_MUST_USE enum hftl_status emu_retire(struct hftl_media *media, uint32_t chunk,
                                          enum hftl_chunk_state state);

/* Live, exact. */
void emu_count(const struct hftl_media *media, struct emu_counters *counters);
const struct emu_header *emu_header_of(const struct hftl_media *media);
/* True when file I/O goes through io_uring. */
bool emu_uses_uring(const struct hftl_media *media);

/* Nobody has the drive. Each chunk keeps, by the seed, some prefix of what is not durable. Of use
 * after the death of a process on a drive that outlives it. BUSY and as emu_open. */
HFTL_MUST_USE enum hftl_status emu_power_cut(const char *path, uint64_t seed, char *why,
                                             size_t why_bytes);

/* What a drive is like, read without taking it (in use: as of the last flush or so). */
struct emu_inspection {
    struct emu_header header;
    struct emu_layout layout;
    struct emu_session session; /* clean: all PUs are; counters: their sum; pid: the last unclean */
    bool in_use;
    uint32_t in_use_pid;    /* of the first holder */
    struct holder *holders; /* in the order of their PUs */
    uint32_t holder_count;
    uint64_t disk_bytes; /* the file really takes */
    uint32_t wear_min, wear_max;
    double wear_mean; /* of chunks that are not offline */
    uint32_t state_counts[HFTL_CHUNK_STATE_COUNT];
    struct emu_record *chunks; /* layout.chunk_count of them */
};
HFTL_MUST_USE enum hftl_status emu_inspect(const char *path, struct emu_inspection *inspection,
                                           char *why, size_t why_bytes);
void emu_inspection_free(struct emu_inspection *inspection);

/* Has a process some of these PUs (0, 0: all) for writing? Anything that is no drive: no. */
bool emu_find_holder(const char *path, uint32_t pu_first, uint32_t pu_count, struct holder *holder);

#endif
