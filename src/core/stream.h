/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stream.h - a write pointer with a purpose, the band it writes, the one it closes meanwhile, and
 * the write buffer behind both.
 *
 * I own        the bands being written, the position of the next slot, the units (buffers of one
 *              write unit each) that hold what was accepted, the identities collected for tails.
 * I promise    slots are handed out in the band's order; a filled slot can be read from its unit
 *              until the medium can be read there instead; at most one write is in flight on a
 *              chunk; writes start and end at ws_min; a run ended by stream_end_run has all its
 *              identities in it (O11); the tail is written after a medium flush that covers the
 *              rest of the band (O1); a band's end does not stop who writes, as long as the drive
 *              has chunks enough (device.overlap) and the band after it is not full as well.
 * I ignore     lbas, the map, flush, who asks for slots.
 *
 * TWO PENS. A pen writes one band, from its first block to its tail. A stream has two, and they
 * change places when a band is full: `open` hands out slots, `closing` writes the tail of the band
 * before (stream_close.c). Why two and no more: a band takes far longer to fill than to close, and
 * each one more costs a band's identities, units and open chunks.
 *
 *      open    none -- OPEN ------------ full -. OPEN ------------- FULL (waits: W6) -. OPEN
 *                                               \                                      \
 *      closing none --------------------------- FULL  SETTLE SYNC TAIL LAND  none ----- FULL ...
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
 * The pool is one for both pens. Each is owed `units_least` as long as its band is not all in
 * units: what the other pen may take leaves that much (W7). So the closing band never waits for
 * units that the open one holds, nor the other way round, and that is all there is against waiting
 * in a circle: with units_least a pen gets along by itself (stream_units_least).
 *
 * INVARIANTS
 *   W1  landed <= sent <= ready <= filled <= blocks; all but filled multiples of ws_min.
 *   W2  a unit is in the pool, or in its pen's `held` in order of index; `units` finds the held
 *       ones.
 *   W3  a unit with landed < ready is in its pen's `unsettled`, in order of tickets.
 *   W4  positions below `position` are filled; exactly those in units that are not yet readable on
 *       the medium are in memory.
 *   W5  summary mode: since_summary < summary_max; position tail - 1 is a summary.
 *   W6  the closing pen's band is FULL; the open one's is OPEN, or FULL while a band is closing.
 *   W7  the pool has at least what the closing pen is owed.
 *   W8  at most device.overlap streams have both an open band and a closing one.
 *   W9  only the users' stream has a band kept for it: OPEN, without a block and without a pen.
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
    struct pen *pen;
    uint32_t index; /* in the band */
    uint32_t blocks;
    uint32_t from; /* blocks before it were written by an earlier life, and are on the medium */
    uint32_t filled, ready, sent, landed;
    uint32_t column; /* which of the band's chunks */
    uint32_t offset; /* in the chunk */
    uint64_t ticket;
    uint8_t *data;
    uint8_t *oob;   /* NULL without OOB */
    uint8_t *kinds; /* enum hftl_io_kind of each block */
    bool plain;     /* all of them are io.kind: nothing but data is in it */
    struct hftl_media_op op;
    struct io io;
};

/* Where the next `blocks` blocks go, one behind the other. Fill `data`, then stream_commit. It is
 * good until somebody else commits to the stream; what is not used of it costs nothing. */
struct slot {
    uint8_t *data;
    hftl_pba pba;
    uint32_t blocks;
    struct band *band;
    /* the stream's own: */
    uint8_t *ident; /* the first block's among those for the tail */
    uint8_t *oob;   /* its OOB; NULL: identities are not there */
    uint64_t salt;  /* of identities, without the pba */
};

/* What writes one band. */
struct pen {
    struct stream *stream;
    struct band *band; /* OPEN or FULL; NULL: none */
    uint32_t position; /* next slot */
    uint32_t tail;     /* first position of the tail */
    uint32_t since_summary;
    uint64_t seq_highest;
    uint64_t appended;  /* FULL: the stream's `appended` when the band's last block was given */
    uint64_t ticket;    /* FULL: the stream's `ticket` then; what is ready later is tail */
    struct unit *unit;  /* the next slot is in it; NULL at the end of a slice */
    uint32_t slice_end; /* position where the unit has to be looked up again */
    struct list held, unsettled;
    uint32_t held_count;
    struct unit **units; /* by index in the band; NULL: not held */
    uint32_t *column_wp;
    struct unit **column_busy; /* the unit in flight on each chunk */
    uint32_t *column_oldest;   /* index of the oldest unit of each chunk that may be held */
    uint8_t *idents;           /* 16 bytes a position, for the tail */
    uint32_t flushed;          /* all positions below are flushed (witness) */
    struct errand errand;      /* closes the band (stream_close.c) */
    struct errand_op flush_op;
};

struct stream {
    struct device *device;
    enum band_stream kind;
    struct pen pens[2];
    struct pen *open, *closing; /* one each of them */
    struct band *kept;          /* the next one to open, W9; NULL: any that is free */
    struct list pool;
    uint32_t pool_count;
    /* errands: woken when a unit is released, a run settles or a band closes */
    struct list waiting;
    uint64_t ticket;   /* of the newest ready run */
    bool lent;         /* the open band is there for trim pages only: users wait */
    uint64_t appended; /* device clock of the last commit */
    struct unit *unit_memory;
    uint32_t unit_count, units_least;
};

/* Units a pen needs at least for a geometry, and bytes of one. */
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
 * Nor does relocation take the last one while a cut could take back what emptied some band: users
 * had the last word there, and it is not durable. The copies of the rest may be, so the band would
 * come back with one block, and so might all the others: none to go on in (DESIGN.md, "A cut leaves
 * a band"). So that a flush does not take it for its pages meanwhile, what is due has room by then.
 *
 * A band is kept for users when relocation would take the last one that they get and they come to
 * the end of theirs soon (pace.h): from then on it is theirs, as if they had opened it.
 *
 * A band that a flush opened for its pages below the users' floor is lent: users may not fill it
 * until as many bands are free as if they had opened it. Otherwise each flush with a trim would
 * hand them one band of the reserve more, until relocation has none to go on in.
 */
enum stream_for { FOR_USER, FOR_ENGINE, FOR_RELOCATION };

/*
 * The next slot, after whatever must come before it (a head, a summary); as many in a row as there
 * are until something has to come between, at most `most`. False: wait on `waiting` (no unit, the
 * band is closing) or for a free band; nothing was taken.
 */
HFTL_MUST_USE bool stream_take(struct stream *stream, enum stream_for who, uint32_t most,
                               struct slot *slot);
/* The slot's first block holds what `ident` says, over data with `data_crc`; its crc is taken here,
 * where the place is known. The slot becomes what follows. Returns where the block is. */
hftl_pba stream_commit(struct stream *stream, struct slot *slot, const struct ident *ident,
                       uint32_t data_crc);
/* The same for data and nothing else, as users' blocks are. */
hftl_pba stream_commit_data(struct stream *stream, struct slot *slot, const struct ident *ident,
                            uint32_t data_crc);
/* The same for `blocks` of data in a row, at most the slot's: seq and lba rise by one from block to
 * block, `crc` has one for each. */
void stream_commit_run(struct stream *stream, struct slot *slot, const struct ident *first,
                       const uint32_t *crc, uint32_t blocks);
/*
 * Makes everything accepted so far ready to be written, with its identities, padded to ws_min.
 * True: done, and *ticket is what to pass to stream_settled. False: no unit; wait and call again.
 */
HFTL_MUST_USE bool stream_end_run(struct stream *stream, uint64_t *ticket);
/* Everything made ready up to this ticket has landed. */
bool stream_settled(const struct stream *stream, uint64_t ticket);
/* The user stream's band takes the trim pages due, and `more` of them, without a new band. */
bool stream_has_page_room(const struct device *device, uint32_t more);
/* Relocation may open a band now: how low it may go is told at stream_for. */
bool stream_relocation_may_open(const struct device *device);
/* Users may not append now, nor trim (a trim's page is an append to come). */
bool stream_users_wait(struct device *device);
/* Everything made ready has landed, and no band is being closed. */
bool stream_is_settled(const struct stream *stream);
/* One block more in the open band, a pad where nothing else is due; never in a band not opened yet.
 * False: no unit, or no band that is open. */
HFTL_MUST_USE bool stream_pad(struct stream *stream);
/* The unit that holds this position of a band being written, or NULL: read the medium. */
const struct unit *stream_find(const struct stream *stream, const struct band *band,
                               uint32_t position);
/* The block of a position that the unit holds. */
const uint8_t *unit_block(const struct unit *unit, uint32_t position);
/* The band that slots come from; NULL: the next one opens a band. */
static inline struct band *stream_band(const struct stream *stream)
{
    return stream->open->band;
}
/* The pen that writes the band, or NULL. */
struct pen *stream_pen(struct stream *stream, const struct band *band);
/* Takes up an open band where a clean close left it. */
void stream_resume(struct stream *stream, struct band *band, uint32_t position);
/* The witness's slot for what this pen writes. */
struct band_mark pen_mark(const struct pen *pen);
/* For stream_close.c. Makes sure of the unit at `position`; false: none is free for this pen. */
HFTL_MUST_USE bool pen_attach_unit(struct pen *pen);
/* The bytes of the next slot; a block of the engine's own is in it. */
uint8_t *pen_slot_data(const struct pen *pen);
void pen_commit_own(struct pen *pen, enum ident_kind kind, uint64_t seq, uint64_t lba);
/* The open band is full: it is closed, at once or when the one before it is. */
void stream_hand_over(struct stream *stream);
void pen_init(struct pen *pen, struct stream *stream);
/* Units the pen may still claim from the pool (W7). */
uint32_t pen_owed(const struct pen *pen);
/* W1-W8. */
HFTL_MUST_USE enum hftl_status stream_check(const struct stream *stream, struct why *why);

#endif
