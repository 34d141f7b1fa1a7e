/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flat_drive.h - the inside of an open flat medium, shared by flat.c (operations) and flat_sync.c
 * (making durable).
 *
 *     0             durable                wp (of the ledger)
 *     |-- survives ----|---- on its way -----|
 *
 * INVARIANTS
 *   D1  records[c].durable <= the ledger's wp, but for a chunk whose reset is under way.
 *   D2  A chunk with durable < wp, or with a FINISH under way, is in `unsynced`.
 *   D3  The bytes of a state page that is being written were made from records of which F1 holds.
 */
#ifndef HOSTFTL_MEDIA_FLAT_DRIVE_H
#define HOSTFTL_MEDIA_FLAT_DRIVE_H

#include "media/fileio.h"
#include "media/flat.h"
#include "media/flat_file.h"
#include "media/ledger.h"

struct flat;

/* A job for an op, or for a state page (op NULL). `bounce` where the caller's bytes lie where the
 * device cannot take them. */
struct flat_job {
    struct fileio_job job;
    struct flat *flat;
    struct hftl_media_op *op;
    void *bounce;
    uint32_t page;
    struct flat_job *spare;
};

struct flat_captured {
    uint32_t chunk, wp;
};

/*
 * Making durable, in rounds:  IDLE --> DATA --> TABLE --> IDLE
 *   DATA    a sync is under way for what was written when the round began
 *   TABLE   the state pages that changed are being written durably
 * An op that asks during a round is for the next one. A round with nothing to sync begins at TABLE.
 */
enum flat_sync_state { FLAT_SYNC_IDLE, FLAT_SYNC_DATA, FLAT_SYNC_TABLE };

struct flat_sync {
    enum flat_sync_state state;
    bool failed; /* for good, until the next open */
    enum hftl_status status;
    uint32_t pages_left;
    struct fileio_job job;
    struct flat_captured *captured;
    uint32_t captured_count;
    struct hftl_media_op *waiting, *served; /* for the next round, by this one */
    uint64_t *changed;                      /* bit per state page: differs from what is durable */
};

struct flat {
    struct hftl_media media;
    struct flat_file file;
    struct ledger ledger;
    uint32_t *unsynced; /* chunks, in no order */
    bool *is_unsynced;
    uint32_t unsynced_count;
    struct flat_sync sync;
    struct fileio *io;
    bool read_only, no_discard;
    int eventfd;
    unsigned in_flight;
    struct hftl_media_op *done_first, **done_last;
    struct flat_job *spare_jobs;
};

/* flat.c */
void flat_done(struct flat *flat, struct hftl_media_op *op, enum hftl_status status);
/* A job with bytes to move, its bounce buffer made; NULL: no memory. */
HFTL_MUST_USE struct flat_job *flat_take_job(struct flat *flat, struct hftl_media_op *op);
void flat_give_job(struct flat *flat, struct flat_job *job);
void flat_set_unsynced(struct flat *flat, uint32_t chunk);
/* The chunk is FREE in the state area, durably: the device may forget it, then the op lands. */
void flat_end_reset(struct flat *flat, struct hftl_media_op *op);
uint64_t flat_data_of(const struct flat *flat, uint32_t chunk, uint32_t offset);

/* flat_sync.c: the op (FLUSH, FINISH, RESET) lands when what it asks for is durable. */
void flat_sync_join(struct flat *flat, struct hftl_media_op *op);
/* The record of a chunk changed. */
void flat_sync_note(struct flat *flat, uint32_t chunk);

#endif
