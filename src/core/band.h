/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * band.h - bands: one chunk from each column, written as one run, reclaimed whole.
 *
 * I own        every band's state, its columns, its count of valid blocks, the free ones.
 * I promise    a state changes only along an edge of the table; a band is erased only when nothing
 *              valid is in it, nobody reads it, and what made it invalid is durable (O8).
 * I ignore     what is in a block, and who wants a band.
 *
 * STATES
 *
 *              take                 last slot            tail landed
 *      FREE ----------> OPEN --------------> FULL --------------> CLOSED
 *       ^                                                           | valid == 0
 *       |  resets landed              nobody reads, durable         v
 *       '------------ ERASING <----------------------------------- EMPTIED <--- SEALED
 *                        | a reset failed                            valid == 0    ^
 *                        v                                                         |
 *                     RETIRED                             an old open band after a cut (recovery)
 *
 * INVARIANTS
 *   B1  valid counts exactly the map entries (user, trim page) that point into the band.
 *   B2  FREE, ERASING, RETIRED: valid == 0. EMPTIED: valid == 0 and the band never gets one again.
 *   B3  OPEN, FULL: exactly one stream has the band. SEALED never becomes OPEN (9.4).
 *   B4  EMPTIED -> ERASING only when readers == 0, user_mark <= device.user_durable and
 *       relocation_mark <= device.relocation_durable.
 *   B5  every band is in exactly one state, and found by it (D1); `bands_free` counts the FREE
 *   ones.
 */
#ifndef HOSTFTL_CORE_BAND_H
#define HOSTFTL_CORE_BAND_H

#include "core/band_index.h"
#include "core/geometry.h"
#include "core/world.h"
#include "format/head.h"

#include <hostftl/observe.h>

struct device;

#define BAND_STATE_LIST(X) HFTL_BAND_STATE_LIST(X)

enum band_state {
#define BAND_STATE_ENUM(name, text) BAND_##name,
    BAND_STATE_LIST(BAND_STATE_ENUM)
#undef BAND_STATE_ENUM
        BAND_STATE_COUNT
};

struct band {
    enum band_state state;
    uint32_t index;
    uint32_t width;           /* columns it has */
    uint64_t generation;      /* of its present or last life */
    uint32_t valid;           /* B1 */
    uint32_t readers;         /* reads of the medium in flight */
    uint32_t wear;            /* most resets of a chunk */
    uint64_t user_mark;       /* device.user_clock when a user write or trim last took a block */
    uint64_t relocation_mark; /* device.relocation_clock when relocation last took one */
    uint32_t *chunks;         /* width of them, in column order */
    uint16_t *columns;        /* the column each of them stands for */
    /* band_index.h */
    enum band_shelf shelf;
    uint32_t level, level_least; /* the level, and the fewest valid blocks that belong to it */
    bool taken;                  /* a mover has it */
    bool aside;                  /* L4 */
    struct heap_node node;
    struct list_link link;
    uint8_t *idents; /* SEALED: 16 bytes a position, as recovery believed them; otherwise NULL */
};

const char *band_state_text(enum band_state state);
/* The only place that writes the state. must(): the edge exists and the invariants hold. */
void band_enter(struct device *device, struct band *band, enum band_state state);

/* Opening only: the state a band is found in. Every band is loaded once. */
void band_load(struct device *device, struct band *band, enum band_state state);

/* The band and the position in it of a pba. */
struct band *band_of(struct device *device, hftl_pba pba, uint32_t *position);
/* Chunk and offset of a position. */
void band_locate(const struct device *device, const struct band *band, uint32_t position,
                 struct hftl_media_op *op);
/* The salt of identities at this place, in the band's present life (FORMAT.md, 2). */
uint64_t band_salt(const struct device *device, const struct band *band, uint32_t position);
/* So many more map entries point into the band. */
void band_gain(struct device *device, struct band *band, uint32_t blocks);
/* One less. `by_relocation`: the block was moved; otherwise overwritten or trimmed. */
void band_drop(struct device *device, struct band *band, bool by_relocation);
/* A read of the medium begins or ended: erase waits for readers. */
void band_read_begin(struct band *band);
void band_read_end(struct device *device, struct band *band);
/* The least worn FREE band, or NULL. */
struct band *band_pick_free(struct device *device);
/* B4's second half. */
bool band_is_durably_empty(const struct device *device, const struct band *band);

#endif
