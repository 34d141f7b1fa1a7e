/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * emu_drive.h - the inside of an open emulated drive, shared by its three files:
 *
 *     emu.c        operations: judged, done, landed
 *     emu_cache.c  what is written and not yet in the file
 *     emu_sync.c   what is in the file and not yet durable
 *
 * Where the blocks of a chunk are:
 *
 *     0            durable           file_wp               wp (of the ledger)
 *     |-- file ------|----- file -------|---- cache slots ----|
 *     '- survives ---'- survives SIGKILL '- dies with us
 *        all          of the process
 *
 * INVARIANTS
 *   D1  durable <= file_wp <= wp.
 *   D2  file_wp < wp exactly if the chunk is in `dirty`, and then its slots hold all of
 *       [file_wp, wp), the first of them beginning at file_wp rounded down to slot_blocks.
 *   D3  durable < file_wp exactly if the chunk is in `unsynced`.
 *   D4  The table never says more than file_wp and durable (E2).
 */
#ifndef HOSTFTL_MEDIA_EMU_DRIVE_H
#define HOSTFTL_MEDIA_EMU_DRIVE_H

#include "base/prng.h"
#include "media/emu.h"
#include "media/emu_file.h"
#include "media/fileio.h"
#include "media/ledger.h"

#define EMU_NOWHERE UINT32_MAX

/* How readily a chunk's blocks leave the cache unasked; drawn for each life of a chunk. */
enum emu_pace { EMU_LAZY, EMU_SELDOM, EMU_OFTEN, EMU_EAGER, EMU_PACE_COUNT };

struct emu_chunk {
    uint32_t file_wp;
    uint32_t durable;
    uint32_t slot_first, slot_last; /* EMU_NOWHERE: none */
    uint32_t dirty_at, unsynced_at; /* place in the sets; EMU_NOWHERE: not there */
    bool finished;
    uint8_t pace;
};

/* A set of chunks without order; each chunk knows its place. */
struct emu_set {
    uint32_t *chunks;
    uint32_t count;
};

struct emu_cache {
    uint8_t *bytes; /* slot_count slots of slot_bytes: slot_blocks of data, then their OOB */
    uint32_t *next; /* per slot: the next of its chunk, or of the free list */
    uint32_t slot_count, slot_blocks;
    size_t slot_bytes;
    uint32_t free_first, free_count;
};

struct emu_captured {
    uint32_t chunk, wp;
};

enum emu_sync_state { EMU_SYNC_IDLE, EMU_SYNC_DATA, EMU_SYNC_TABLE };

/*
 * Making durable, in rounds:  IDLE --> DATA --> TABLE --> IDLE
 *   DATA    fdatasync is under way for the data of what was captured when the round began
 *   TABLE   the table says so; fdatasync is under way for the table
 * An op that asks during a round is for the next one. A round without data begins at TABLE.
 */
struct emu_sync {
    enum emu_sync_state state;
    bool failed; /* for good, until the next open */
    struct fileio_job job;
    struct emu_captured *captured;
    uint32_t captured_count;
    struct hftl_media_op *waiting, *served; /* for the next round, by this one */
};

struct emu {
    struct hftl_media media;
    struct emu_file file;
    bool look;                             /* every operation sees the file as it is then */
    uint8_t boot_id[16];                   /* of this run of the host */
    struct hftl_media_facts limited_facts; /* with our part of the limits; the ledger's */
    struct ledger ledger;
    struct emu_chunk *chunks;
    struct emu_set dirty, unsynced;
    struct emu_cache cache;
    struct emu_sync sync;
    struct fileio *io;
    struct prng prng;
    struct emu_counters counters;
    bool no_fsync;
    bool read_inline; /* the file is in memory anyway */
    int eventfd;
    unsigned in_flight; /* ops that have not landed */
    struct hftl_media_op *done_first, **done_last;
    struct emu_read_job *spare_jobs;
};

/* emu.c */
extern const struct hftl_media_ops emu_media_ops;
void emu_done(struct emu *emu, struct hftl_media_op *op, enum hftl_status status);
/* Brings the table's record of a chunk up to date, in memory. */
void emu_note(struct emu *emu, uint32_t chunk);
uint64_t emu_data_at(const struct emu *emu, uint32_t chunk, uint32_t offset);
uint64_t emu_oob_at(const struct emu *emu, uint32_t chunk, uint32_t offset);

/* emu_open.c. The chunk as the file has it now (look). CORRUPT, IO. */
HFTL_MUST_USE enum hftl_status emu_look_again(struct emu *emu, uint32_t chunk);

/* emu_cache.c. Sets: */
void emu_set_dirty(struct emu *emu, uint32_t chunk);    /* D2 made true */
void emu_set_unsynced(struct emu *emu, uint32_t chunk); /* D3 made true */
/* The cache: */
HFTL_MUST_USE enum hftl_status emu_cache_create(struct emu *emu, uint64_t bytes);
void emu_cache_destroy(struct emu *emu);
/* True when the cache can ever hold such a write. */
bool emu_cache_fits(const struct emu *emu, uint32_t blocks);
/* Room for the write at the chunk's wp; others leave for it. Status of the file below. */
HFTL_MUST_USE enum hftl_status emu_cache_make_room(struct emu *emu, uint32_t chunk,
                                                   uint32_t blocks);
/* Copies the write in. There is room; the ledger's wp is still before it. */
void emu_cache_hold(struct emu *emu, const struct hftl_media_op *op);
/* Copies out blocks that are all in the cache. */
void emu_cache_read(const struct emu *emu, uint32_t chunk, uint32_t offset, uint32_t blocks,
                    struct hftl_media_op *op);
/* The blocks before `upto` leave for the file. On failure nothing has changed. */
HFTL_MUST_USE enum hftl_status emu_cache_spill(struct emu *emu, uint32_t chunk, uint32_t upto);
HFTL_MUST_USE enum hftl_status emu_cache_spill_all(struct emu *emu);
/* Chance may have some of this chunk leave. */
void emu_cache_tempt(struct emu *emu, uint32_t chunk);
/* What the chunk has in the cache is forgotten. */
void emu_cache_drop(struct emu *emu, uint32_t chunk);
void emu_cache_draw_pace(struct emu *emu, uint32_t chunk);

/* emu_sync.c */
/* The op lands when all that is in the file now is durable. */
void emu_sync_join(struct emu *emu, struct hftl_media_op *op);
/* Without fdatasync: what is in the file counts as durable at once. */
HFTL_MUST_USE enum hftl_status emu_sync_declare(struct emu *emu);
/* All of it, blocking, for open and close. */
HFTL_MUST_USE enum hftl_status emu_sync_now(struct emu *emu);

#endif
