/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * relocation.h - moving what is valid out of victims, so that their bands can be erased.
 *
 * Up to `depth` movers work at once, each an errand with one victim and buffers for one batch. They
 * share the relocation stream: while one waits for its reads another appends.
 *
 *   PICK     a sealed band first (9.4); otherwise, when free bands are at or below the start limit,
 *            what the victim policy chooses (relocation_pick.c)
 *   IDENTS   the next tail block of the victim (a sealed band's identities are in memory)
 *   GATHER   the blocks of it that the map still points to, `batch` at a time, are asked for; holes
 *            between them as well where the medium says that one read more takes longer. Nobody
 *            looks at those
 *   APPEND   each block of the batch before, that has come, and is still mapped here, is verified
 *            while it is copied to the relocation stream, and keeps its own seq; where one does
 *            not verify, those that are left are verified in place, and those that do not are
 *            read AGAIN once; one that does not verify then becomes a lost block (O3)
 *   AHEAD    what was asked for has come
 *   ...      until the victim's identities are used up
 *
 * READ AHEAD. A batch is asked for before the one that came is appended, and a tail block with the
 * first batch of the one before it. So reads do not queue behind the programs of what was read just
 * before, and the drive has something to do while a batch is on its way:
 *
 *      reads      |1|  |2|      |3|        |4|         the second is asked for as the first comes
 *      programs         |==1==|==2==|==3==|==4==
 *
 * THE LEAD is the mover whose victim was taken first; when that victim has ended, the one whose was
 * taken next. The others are HELPERS. Only the lead may work while free bands are down to
 * BANDS_RESERVE: a helper that would append then lets go of its victim, and none is taken by
 * another mover than a first. So what is moved from the reserve comes from one victim at a time,
 * which is what the proof in DESIGN.md ("Why cleaning always goes on") needs.
 *
 *            pick                 lead's victim ended, this one is the eldest
 *    IDLE ---------> HELPER ----------------------------------------------------> LEAD
 *      ^  \             | ended, or free <= BANDS_RESERVE                           |  ended
 *      |   \------------+------------------------> LEAD (nobody else has a victim)  |
 *      '----------------'<----------------------------------------------------------'
 *
 * L1  a copy carries the seq of its original.
 * L2  relocation never waits for user resources: its stream has units of its own, and bands are
 *     kept back for it (stream_for).
 * L3  the map is looked at again after the read: an overwrite meanwhile wins.
 * L4  a victim that cannot be emptied (its tail cannot be read) is set aside and logged; relocation
 *     goes on with others, and comes back to it when nothing else is left, a few times.
 * L5  without anybody waiting only what gains more than its erase's flush may pad is cleaned: so
 *     cleaning ends on an idle device.
 * L6  with as many victims as there are bands and still no block accepted of the writes that wait,
 *     all that is left to clean is what cleaning padded: it rests, and either the bands it leaves
 *     free are enough or the device is full (C12).
 * L7  no band is the victim of two movers.
 * L8  a helper appends only while free bands are above BANDS_RESERVE.
 *
 * READS FIRST. While users do nothing but read, a mover begins its next batch only when
 * RELOCATION_READS reads of the medium for each block of one have landed since the last: nobody
 * waits for cleaning then, and the drive is theirs. It goes on as soon as somebody asks for
 * something else, or nothing is asked for any more. Users who read without end, and nothing that
 * the medium has to be asked for, keep cleaning off until they write.
 *
 * NO FURTHER. Units of a band go to its columns in turn, and a column may be slow: a drive whose
 * reads suspend programs has one that many reads wait for. Whatever is appended then goes to the
 * others, until all units of the stream are held by the slow one; and a flush has to wait for all
 * of them. So no batch is begun while the eldest unit that has not landed is RELOCATION_LAG stripes
 * behind. It was sent, or will be when the one before it in its column lands: its landing wakes.
 *
 * JUST IN TIME. What cleaning keeps free is spare space that holds no old versions, so victims are
 * less empty and more is moved. While as many bands are free as the start limit, so that users have
 * one to go on with, nobody's write waits, and RELOCATION_REST_TENTHS of the band they write are
 * left, movers stop where they are; what users overwrite meanwhile need not be moved. A device at
 * rest stays so. Not while paused or closing, and not while something has to be emptied for another
 * reason: sealed bands, a closing of bands that was asked for.
 *
 * PAUSED  no victim is taken, and those in hand are finished; but when writers wait and free bands
 * are at or below the critical limit, or users get no band (BANDS_RESERVE, SEALED_MAX), relocation
 * goes on all the same: overwriting never fails for want of space (C11).
 */
#ifndef HOSTFTL_CORE_RELOCATION_H
#define HOSTFTL_CORE_RELOCATION_H

#include "core/errand.h"
#include "core/victim.h"
#include "core/world.h"
#include "format/ident.h"

#include <hostftl/hostftl.h>

struct band;

#define RELOCATION_CHANCES_MAX 4u
#define RELOCATION_VICTIMS_DEFAULT 3u
#define RELOCATION_BLOCKS_DEFAULT 64u
/* Users' reads for each block moved while they do nothing else. */
#define RELOCATION_READS 16u
/* Stripes of write units that the relocation stream may be ahead of its eldest unlanded unit. */
#define RELOCATION_LAG 3u
/* Tenths of a band: so much of theirs is left when users are to have another. */
#define RELOCATION_REST_TENTHS 3u

struct moving {
    struct ident ident;
    uint8_t *data; /* in the mover's */
    uint32_t position;
    uint32_t crc; /* of the data, where it verified */
    bool verified;
};

/* Blocks that are read in one go and then appended. */
struct batch {
    struct moving *moving; /* relocation.batch of them, as of ops */
    uint32_t count, next;
    uint8_t *data, *oob; /* relocation.room blocks */
    uint32_t used;       /* of them: blocks that are read, and holes */
    struct errand_op *ops;
    uint32_t op_count;
    bool retried;
};

struct mover {
    struct errand errand;
    struct band *victim;
    uint64_t trace_id;
    uint32_t valid_first; /* blocks of the victim that were valid when it was taken */
    uint64_t taken;       /* the victims are numbered; 0: none. The smallest is the lead's */
    uint32_t tail_index;  /* CLOSED: tail block. SEALED: portion of the positions */
    uint8_t *tail_block;  /* the one being worked on */
    uint8_t *next_tail;   /* CLOSED: the one after it, read ahead */
    struct errand_op tail_op;
    uint32_t idents_count; /* in it */
    uint32_t ident_next;
    struct batch batches[2];
    struct batch *now;   /* what was read, and is appended */
    struct batch *ahead; /* what is being read meanwhile */
    bool has_next_tail, tail_retried;
};

struct relocation {
    struct mover movers[HFTL_RELOCATION_VICTIMS_MAX];
    uint32_t depth; /* movers in use */
    uint32_t batch; /* blocks a mover reads and then appends */
    uint32_t room;  /* and blocks of its buffer: more where holes are read as well */
    uint64_t taken; /* victims so far */
    uint32_t second_chances;
    uint64_t user_clock; /* L6: device.user_clock when it was last seen to move */
    uint32_t in_vain;    /* victims since then, with a write waiting */
    const struct victim_policy *policy;
    bool paused;
    bool writes_wait;      /* some did at the end of the last step, and not merely came since */
    bool resting;          /* they do so because users have a band to go on with */
    struct list yielding;  /* movers that let users go first */
    uint64_t yielded_user; /* when the last batch began: device.user_clock */
    uint64_t yielded_read; /* and operations of users' reads so far */
};

void relocation_init(struct device *device);
/* Something changed that may make it worth to pick a victim. */
void relocation_consider(struct device *device);
/* False: more bands are free than cleaning keeps, none is sealed and none emptied, so that no mover
 * would find a victim, nor erase a band. For who would ask often. */
bool relocation_is_due(const struct device *device);
/* The end of a step: movers that let users go first go on, when they may. */
void relocation_resume(struct device *device);
/* Nothing else is left: forgets who was set aside. False: nobody was, or it was done too often. */
bool relocation_try_again(struct device *device);
/* No mover has a victim. */
bool relocation_is_idle(const struct device *device);
/* None has one, and none is about to look for one: there is nothing to clean. */
bool relocation_is_done(const struct device *device);
/* Whose victim was taken first; NULL: nobody has one. */
const struct mover *relocation_lead(const struct device *device);
/* A mover has this victim. */
bool relocation_has(const struct device *device, const struct band *band);
/* L7. */
HFTL_MUST_USE enum hftl_status relocation_check(const struct device *device, struct why *why);

/* relocation_pick.c: the victim for this mover, or NULL: there is none that is worth it. */
struct band *relocation_pick(struct device *device, const struct mover *mover);
/* What the policy in force makes of a CLOSED band; 0: not worth it. */
double relocation_score(const struct device *device, const struct band *band);

#endif
