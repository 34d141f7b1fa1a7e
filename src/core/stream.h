/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stream.h - a write pointer with a purpose, its open band, and the write buffer behind it.
 *
 * I own        the band being written, the position of the next slot, the units (buffers of one
 *              write unit each) that hold what was accepted, the identities collected for the tail.
 * I promise    slots are handed out in the band's order; a filled slot can be read from its unit
 *              until the medium can be read there instead; at most one write is in flight on a
 *              chunk; writes start and end at ws_min; a run ended by stream_end_run has all its
 *              identities in it (O11); the tail is written after a medium flush that covers the
 *              rest of the band (O1).
 * I ignore     lbas, the map, flush, who asks for slots.
 *
 * A UNIT'S LIFE
 *                 take/commit            full, or end of run          landed
 *      pool --> filling (filled grows) --> ready (ready <= filled) --> sent --> landed == blocks
 *        ^                                                                            |
 *        '------------- released when the medium can be read there -------------------'
 *
 *        | landed | in flight | ready, not sent | filled, not ready | empty |      one unit
 *        0        landed      sent              ready               filled  blocks
 *
 * INVARIANTS
 *   W1  landed <= sent <= ready <= filled <= blocks; all but filled multiples of ws_min.
 *   W2  a unit is in the pool, or in `held` in order of position; `units` finds the held ones.
 *   W3  a unit with landed < ready is in `unsettled`, in order of tickets.
 *   W4  positions below `position` are filled; exactly those at or above the first held unit that
 *       is not yet readable on the medium are in memory.
 *   W5  summary mode: since_summary < summary_max; position tail - 1 is a summary.
 */
#ifndef HOSTFTL_CORE_STREAM_H
#define HOSTFTL_CORE_STREAM_H

#include "base/list.h"
#include "core/band.h"
#include "core/errand.h"
#include "format/ident.h"

struct unit {
    struct list_link link;      /* pool or held */
    struct list_link unsettled; /* W3 */
    struct stream *stream;
    uint32_t index; /* in the band */
    uint32_t first; /* position of its first block */
    uint32_t blocks;
    uint32_t from; /* blocks before it were written by an earlier life, and are on the medium */
    uint32_t filled, ready, sent, landed;
    uint32_t column; /* which of the band's chunks */
    uint32_t offset; /* in the chunk */
    uint64_t ticket;
    uint8_t *data;
    uint8_t *oob; /* NULL without OOB */
    struct hftl_media_op op;
};

/* Where a block goes. Fill `data`, then stream_commit. */
struct slot {
    uint8_t *data;
    hftl_pba pba;
};

struct stream {
    struct device *device;
    enum band_stream kind;
    struct band *band; /* OPEN or FULL; NULL: none */
    uint32_t position; /* next slot */
    uint32_t tail;     /* first position of the tail */
    uint32_t since_summary;
    uint64_t seq_highest;
    struct unit *unit; /* being filled; NULL at a unit's boundary */
    struct list pool, held, unsettled;
    struct list
        waiting;     /* errands: woken when a unit is released, a run settles or a band closes */
    uint64_t ticket; /* of the newest ready run */
    struct unit **units; /* by index in the band; NULL: not held */
    uint32_t *column_wp;
    struct unit **column_busy; /* the unit in flight on each chunk */
    uint32_t *column_oldest;   /* index of the oldest unit of each chunk that may be held */
    uint8_t *idents;           /* 16 bytes a position, for the tail */
    uint32_t flushed;          /* all positions below are flushed (witness) */
    bool lent;                 /* the band was opened for trim pages only: users wait */
    uint64_t appended;         /* device clock of the last commit */
    struct unit *unit_memory;
    uint32_t unit_count;
    struct errand closing;
    struct errand_op flush_op;
    uint32_t tail_next; /* next tail block to write */
};

/* Units a stream needs at least for a geometry, and bytes of one. */
uint32_t stream_units_least(const struct geometry *g);
size_t stream_unit_bytes(const struct geometry *g);

void stream_init(struct stream *stream, struct device *device, enum band_stream kind);

/*
 * Who asks: users are refused the last BANDS_RESERVE free bands. Relocation may go down to one. The
 * last is for the engine's own appends, the trim pages of a flush: without that flush what
 * relocation emptied could not be erased, and both would wait for ever. When the user stream's
 * band has room for those pages relocation may take the last band too, and nobody may then use up
 * that room.
 *
 * A band that a flush opened for its pages below the users' floor is lent: users may not fill it
 * until as many bands are free as if they had opened it. Otherwise each flush with a trim would
 * hand them one band of the reserve more, until relocation has none to go on in.
 */
enum stream_for { FOR_USER, FOR_ENGINE, FOR_RELOCATION };

/*
 * The next slot, after whatever must come before it (a head, a summary). False: wait on `waiting`
 * (no unit, the band is closing) or for a free band; nothing was taken.
 */
HFTL_MUST_USE bool stream_take(struct stream *stream, enum stream_for who, struct slot *slot);
/* The slot just taken holds what `ident` says, over data with `data_crc`; its crc is taken here,
 * where the place is known. */
void stream_commit(struct stream *stream, struct ident ident, uint32_t data_crc);
/*
 * Makes everything accepted so far ready to be written, with its identities, padded to ws_min.
 * True: done, and *ticket is what to pass to stream_settled. False: no unit; wait and call again.
 */
HFTL_MUST_USE bool stream_end_run(struct stream *stream, uint64_t *ticket);
/* Everything made ready up to this ticket has landed. */
bool stream_settled(const struct stream *stream, uint64_t ticket);
/* The user stream's band takes the trim pages due, and `more` of them, without a new band. */
bool stream_has_page_room(const struct device *device, uint32_t more);
/* Users may not append now, nor trim (a trim's page is an append to come). */
bool stream_users_wait(struct device *device);
/* Nothing ready has yet to land, and no band is being closed. */
bool stream_is_settled(const struct stream *stream);
/* Appends one pad; like stream_take. For a clean close, which pads until `held` is readable. */
HFTL_MUST_USE bool stream_pad(struct stream *stream);
/* The unit that holds this position of the stream's band, or NULL: read the medium. */
const struct unit *stream_find(const struct stream *stream, const struct band *band,
                               uint32_t position);
/* Takes up an open band where a clean close left it. */
void stream_resume(struct stream *stream, struct band *band, uint32_t position);
/* The witness's slot for this stream. */
struct band_mark stream_mark(const struct stream *stream);
/* For stream_close.c: a unit at `position`; its bytes there; a block of the engine's own is in
 * it. */
HFTL_MUST_USE bool stream_attach_unit(struct stream *stream);
uint8_t *stream_slot_data(const struct stream *stream);
void stream_commit_own(struct stream *stream, enum ident_kind kind, uint64_t seq, uint64_t lba);
/* W1-W5. */
HFTL_MUST_USE enum hftl_status stream_check(const struct stream *stream, struct why *why);

#endif
