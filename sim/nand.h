/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nand.h - a strict medium in memory that can be forked at any moment and loses power on demand.
 *
 * OWNS      the blocks, OOB bytes, states and write pointers of all chunks, what of it is durable,
 *           and the operations in flight. Open-Channel or zoned, as the facts say.
 * PROMISES  media.h, M1 to M7, and nothing that media.h does not promise: what may be lost is lost
 *           when the cut says so, what may land late lands late when the seed says so.
 *           Any rule R1 to R7 broken stops the process (must): a rule is a defect of the caller.
 *           The checks are a second opinion, on purpose not shared with src/media/rules.
 * IGNORES   what the blocks mean.
 *
 * WHERE A BLOCK IS
 *
 *       chunk  0              durable            wp              reach        capacity
 *              |--------------|------------------|---------------|------------|
 *              survives a cut    landed, may        in flight       erased
 *                                be lost
 *
 *   Data is taken when a write is submitted, so a fork needs nothing of the host that submitted it.
 *   `durable` moves when a flush lands, to where wp was when that flush was submitted (M4).
 *
 * FORK
 *   nand_fork() copies the table of chunks and shares their pages, which are copied when one side
 *   writes: a fork of a hundred chunks costs microseconds. The fork has no host: operations in
 *   flight stay what they are on a drive whose host died, possible.
 *
 * INVARIANTS (nand_check)
 *   N1  durable <= wp <= reach <= capacity, all multiples of ws_min.
 *   N2  FREE has wp = 0; OPEN and PAUSED have 0 < wp < capacity.
 *   N3  a chunk with reach > 0 has a page.
 *   N4  open and active chunks are within the limits.
 *
 * TIME
 *   The drive has the world's clock: nanoseconds that pass only when whoever drives it says that
 *   nothing else can be done (nand_pass). A PU does one thing at a time, and so does the channel of
 *   a group; a zoned or flat drive has four units inside, chunk by chunk, two to a channel:
 *
 *      read     |== unit ==|- channel, by the block -|
 *      write    |- channel, by the block -|== unit, once a write unit ==|
 *      reset    |== unit ==|
 *      finish   |== unit, once ==|
 *      flush    |== after all writes submitted before it ==|
 *
 *   So operations queue, and those of one unit overtake those of another. With a seed programs
 *   differ by a quarter, and a read in 64 takes eight times as long.
 */
#ifndef HOSTFTL_SIM_NAND_H
#define HOSTFTL_SIM_NAND_H

#include <hostftl/media.h>

struct nand;

/* X(NAME, name, text). When operations land. */
#define NAND_LATENCY_LIST(X)                                                                       \
    X(REAPS, "reaps", "after some reaps, by chance; one that lands nothing takes a microsecond")   \
    X(ZERO, "zero", "at the next reap")                                                            \
    X(REALISTIC, "realistic", "when its unit and its channel have done it")                        \
    X(SLOW, "slow", "as realistic, a hundred times slower, an erase a thousand times")             \
    X(NEVER, "never", "as realistic, until a unit stands still: nothing lands there any more")

enum nand_latency {
#define NAND_LATENCY_ENUM(name, word, text) NAND_LATENCY_##name,
    NAND_LATENCY_LIST(NAND_LATENCY_ENUM)
#undef NAND_LATENCY_ENUM
        NAND_LATENCY_COUNT
};
const char *nand_latency_name(enum nand_latency latency);
const char *nand_latency_text(enum nand_latency latency);
/* NAND_LATENCY_COUNT: there is none of that name. */
enum nand_latency nand_latency_find(const char *name);

struct nand_options {
    struct hftl_media_facts facts;
    uint64_t seed; /* 0: operations land in order, at the next reap */
    uint32_t
        delay_max; /* reaps that an operation may be held back; 0 with a seed: only reordered */
    enum nand_latency latency;
    uint32_t bad_every; /* 0: none; n: about one chunk in n is OFFLINE from the factory */
    uint32_t queue;     /* M8: with so many in flight what comes lands AGAIN; 0: never */
    bool steady;        /* what is there can always be read: FLAKY is as KEPT */
    bool traced;        /* nand_trace() folds in what is written, not only where */
};

struct nand *nand_create(const struct nand_options *options);
/* Operations in flight never land. */
void nand_destroy(struct nand *nand);
/* For the engine: close() destroys the nand. */
struct hftl_media *nand_media(struct nand *nand);

/* A medium of its own in the same state, without a host and without a watcher. The host it lost had
 * operations in flight: cut it before anything else. */
struct nand *nand_fork(const struct nand *nand);

/* ---- watching -------------------------------------------------------------------------------- */

/* After an operation became in flight; after it took effect, before the host is told. */
enum nand_moment { NAND_SUBMITTED, NAND_LANDED };

/*
 * Called for every WRITE, RESET, FINISH and FLUSH, twice. `index` counts these calls from 0. The
 * watcher may fork the nand and do nothing else to it.
 */
typedef void (*nand_watch_fn)(void *arg, uint64_t index, enum nand_moment moment,
                              const struct hftl_media_op *op);
void nand_watch(struct nand *nand, nand_watch_fn watch, void *arg);
uint64_t nand_moments(const struct nand *nand);

void nand_set_traced(struct nand *nand);
/* Everything that was submitted and landed so far, in order, folded. */
uint64_t nand_trace(const struct nand *nand);

/* ---- time ------------------------------------------------------------------------------------ */

uint64_t nand_now(const struct nand *nand);
/* Nothing else can be done: the clock moves on to the next landing, if it is not there. False:
 * nothing in flight ever lands. REAPS moves when it is reaped. */
bool nand_pass(struct hftl_media *media);
/* How long everything on it takes to be erased, written and read once, one after the other. */
uint64_t nand_lap_ns(const struct nand *nand);
uint32_t nand_units(const struct nand *nand);
/* From now on nothing lands that this unit has not done yet, nor a flush behind a write there. A
 * cut ends it. Not with REAPS. */
void nand_stand_still(struct nand *nand, uint32_t unit);
/* The same, once so many more operations were submitted. */
void nand_stand_still_later(struct nand *nand, uint32_t unit, uint32_t operations);
/* No unit will that does not yet. */
void nand_keeps_going(struct nand *nand);
bool nand_stands_still(const struct nand *nand);
/* Operations in flight that never land. */
uint32_t nand_in_vain(const struct nand *nand);
/* The operations in flight, those in vain first, as far as there is room. */
void nand_flight_text(const struct nand *nand, char *text, size_t room);

/* ---- failing --------------------------------------------------------------------------------- */

/* X(NAME, text). What becomes of an operation that fails; each is possible for some verbs. */
#define NAND_FAULT_LIST(X)                                                                         \
    X(FAIL, "an error, and nothing was done")                                                      \
    X(DONE, "an error, though all of it was done")                                                 \
    X(HALF, "an error; half of the write was done")                                                \
    X(HOLE, "the write unit failed: garbage there, and the chunk goes on behind it")               \
    X(CLOSED, "the drive closed the chunk in the middle of the write")                             \
    X(READ_ONLY, "the chunk became read-only")                                                     \
    X(OFFLINE, "the chunk is gone")                                                                \
    X(ROT, "a read returns a flipped bit and says that all is well")                               \
    X(LIE, "a flush says that all is well, and made nothing durable")

enum nand_fault_kind {
#define NAND_FAULT_ENUM(name, text) NAND_FAULT_##name,
    NAND_FAULT_LIST(NAND_FAULT_ENUM)
#undef NAND_FAULT_ENUM
        NAND_FAULT_COUNT
};
const char *nand_fault_name(enum nand_fault_kind kind);

struct nand_fault {
    bool armed; /* false: no fault */
    enum nand_fault_kind kind;
    uint64_t at;  /* the operation, counted from when this was set; of all verbs */
    bool forever; /* and all after it that the kind is possible for */
    bool struck;  /* inside: it happened */
};
/* From now on. Forks have no fault. */
void nand_set_fault(struct nand *nand, const struct nand_fault *fault);
bool nand_fault_struck(const struct nand *nand);
/* What was done to it so far, here and before it was forked. */
struct nand_harm {
    uint64_t reads;  /* made to fail, or to return a flipped bit */
    uint64_t others; /* other operations made to fail, and reads after which the chunk was gone */
    uint64_t gone;   /* chunks that went offline, with what they held */
    uint64_t bits;   /* flipped at rest */
    uint64_t lies;   /* flushes that were none */
};
struct nand_harm nand_harm(const struct nand *nand);
/* Submitted so far, of all verbs. */
uint64_t nand_operations(const struct nand *nand);
/* The same of all nands of this process: so many were judged by the rules. */
uint64_t nand_operations_judged(void);

/* Bytes behind block_bytes are the OOB's. The block was written. */
struct nand_place {
    uint32_t chunk, block, byte;
};
/* At rest: those bits change. */
void nand_flip(struct nand *nand, const struct nand_place *place, uint8_t mask);
/* Blocks of the chunk that have contents, from the first on; and one of them. */
uint32_t nand_blocks_there(const struct nand *nand, uint32_t chunk);
const void *nand_block(const struct nand *nand, uint32_t chunk, uint32_t block);

/* ---- losing power ---------------------------------------------------------------------------- */

/*
 * X(NAME, text). What a cut leaves of what was not durable; each says what of the volatile blocks
 * of a chunk survives. A reset or finish in flight is done or not by chance unless the kind says
 * more.
 */
#define NAND_CUT_LIST(X)                                                                           \
    X(LOST, "nothing volatile survives, a reset in flight did nothing")                            \
    X(KEPT, "everything survives, in flight too; a reset in flight is done")                       \
    X(PREFIX, "each chunk keeps a prefix of its own")                                              \
    X(TORN, "as PREFIX, and the write at its end is part garbage, part erased")                    \
    X(ONE_LOSES, "one chunk loses all that is volatile, the others nothing")                       \
    X(ONE_KEEPS, "one chunk keeps all that is volatile, the others nothing")                       \
    X(HALF_ERASED, "as PREFIX; a reset in flight leaves old blocks, garbage, and no FREE chunk")   \
    X(LIVES, "the host died, the drive did not: what landed is there, and still volatile")         \
    X(FLAKY, "everything survives; what was volatile on one chunk cannot be read until power is "  \
             "cut again")

enum nand_cut {
#define NAND_CUT_ENUM(name, text) NAND_CUT_##name,
    NAND_CUT_LIST(NAND_CUT_ENUM)
#undef NAND_CUT_ENUM
        NAND_CUT_COUNT
};
const char *nand_cut_name(enum nand_cut cut);
const char *nand_cut_text(enum nand_cut cut);

/* False when this kind leaves what a kind before it in the list leaves anyway. */
bool nand_cut_matters(const struct nand *nand, enum nand_cut cut);
/*
 * The host is gone and the power with it (but for LIVES). Operations in flight never land; their
 * owners' structs are not touched again. Afterwards what is there is durable (but for LIVES).
 */
void nand_cut(struct nand *nand, enum nand_cut cut, uint64_t seed);

/*
 * The same, exactly: everything that a power cut at this moment may leave, numbered from 0 (LOST)
 * to nand_ways() - 1. Each chunk on its own keeps any prefix, or any prefix whose last write is
 * garbage from any block on; a reset is done, not done, or half done; a finish is done or not.
 */
uint64_t nand_ways(const struct nand *nand);
void nand_cut_way(struct nand *nand, uint64_t way);
/* The state as a number: equal when nothing that a host could see now, or after a cut, differs. Of
 * a nand without operations in flight. */
uint64_t nand_hash(const struct nand *nand);
/* Folds bytes into a hash. */
uint64_t nand_fold(uint64_t hash, const void *bytes, size_t count);

/* ---- looking --------------------------------------------------------------------------------- */

/* As a report of the chunk would show it now. */
struct hftl_chunk nand_chunk(const struct nand *nand, uint32_t chunk);
uint32_t nand_durable(const struct nand *nand, uint32_t chunk);
uint32_t nand_in_flight(const struct nand *nand);
/* N1 to N4; must() when one does not hold. */
void nand_check(const struct nand *nand);

#endif
