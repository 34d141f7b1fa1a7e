/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * media.h - the contract between the translation layer and whatever stores the blocks.
 *
 * WHAT A MEDIUM IS
 *   A number of chunks (a zone is a chunk), each written front to back and erased whole. Chunks are
 *   numbered flat: chunk = pu * chunks_per_pu + index, pu = group * pus_per_group + unit. A zoned
 *   drive has one group and one PU.
 *
 *       chunk   0        ws_min                    wp - mw_cunits     wp              capacity
 *               |--------|--------|-- ... --|------|------------------|---------------|
 *               '------------ readable -------------'-- written, not --'-- next write --'
 *                                                      readable yet       starts at wp
 *
 * WHAT IT PROMISES
 *   M1  Every operation submitted lands exactly once, through its own `land`, from reap() and never
 *       from inside submit().
 *   M2  A read that lands OK returned what was last written there. A block is readable when
 *       offset < wp - mw_cunits, or, in a FULL or READ_ONLY chunk, when offset < wp.
 *   M3  A write that lands OK moved the chunk's write pointer by exactly its length. A write that
 *       lands with another status may have moved it by anything from 0 to its length: report the
 *       chunk before using it again.
 *   M4  FLUSH makes durable every write and finish that landed before the flush was submitted. It
 *       says nothing of those in flight. `volatile_cache` false: what landed is durable already.
 *   M5  RESET and FINISH that landed OK are durable, a FINISH with all that its chunk held. A reset
 *       cut by a power failure leaves the chunk FREE, or not FREE with any content.
 *   M6  A power cut leaves each chunk, on its own, some prefix of its writes since its last durable
 *       point; in the write at the end of the prefix any sector may be old, new or garbage. The
 *       write pointer after it is a multiple of ws_min and not below what was durable. A chunk
 *       that was FULL by a write and lost its end is partly written again, or FULL at its shorter
 *       length where R3 leaves it no slot.
 *   M7  Facts do not change while the medium is open. Chunk states may, at any time (only towards
 *       READ_ONLY and OFFLINE when nobody asked).
 *   M8  An operation that lands AGAIN was not begun: a queue of the medium's own was full of others
 *       when it came. It may be submitted again when one of those has landed. A medium that has
 *       nothing in flight takes what it is given. (EVENT lands AGAIN when there is none.)
 *
 * WHAT IT MAY DEMAND
 *   (the rules; a refusal with one of the RULE_ statuses is a defect of the caller)
 *   R1  A write starts at the write pointer, and is a multiple of ws_min. It does not cross the
 *       capacity and has at most `transfer_blocks_max` blocks.
 *   R2  Without HFTL_MEDIA_CAN_QUEUE at most one write is in flight in a chunk.
 *   R3  At most open_max chunks are OPEN and active_max are OPEN or PAUSED (0: no limit). A write
 *       to a FREE or PAUSED chunk opens it; a write that fills a chunk, or FINISH, makes it FULL. A
 *       zoned drive at its open limit pauses another open chunk by itself; active_max is hard.
 *   R4  Only readable blocks are read (M2). A drive may answer predefined data in the window
 *       instead of an error: that is why this is a rule and not an error code to rely on.
 *   R5  RESET is legal on a FULL chunk; on an OPEN or PAUSED one when HFTL_MEDIA_CAN_RESET_OPEN is
 *       there; never on a FREE one. No operation is in flight in the chunk.
 *   R6  FINISH is legal on OPEN, PAUSED (and FREE, on zoned kinds) chunks; no write in flight.
 *   R7  APPEND only with HFTL_MEDIA_CAN_APPEND; it lands with the offset it got.
 *
 * WHAT IT DOES NOT KNOW
 *   Lba, bands, maps, who calls it. A medium never interprets data or OOB bytes.
 *
 * Wrappers (guard, fault, delay, trace, overlay) are media around media and obey the same contract.
 * Threads: submit, reap, fd and close are called by one thread, or with HFTL_OPEN_HELP by one at a
 * time; any thread may wait on the descriptor.
 */
#ifndef HOSTFTL_MEDIA_H
#define HOSTFTL_MEDIA_H

#include <hostftl/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum hftl_media_kind { HFTL_KIND_OCSSD = 1, HFTL_KIND_ZONED = 2, HFTL_KIND_FLAT = 3 };

enum hftl_media_flag {
    HFTL_MEDIA_CAN_QUEUE = 1u << 0,      /* several writes in flight in a chunk land in order */
    HFTL_MEDIA_CAN_APPEND = 1u << 1,     /* APPEND is there */
    HFTL_MEDIA_NEEDS_ERASE = 1u << 2,    /* a chunk must be reset before it is written again */
    HFTL_MEDIA_CAN_RESET_OPEN = 1u << 3, /* RESET of a chunk that is not FULL is legal */
    HFTL_MEDIA_CAN_FINISH = 1u << 4,     /* FINISH is there */
};

/* What a medium says of itself once, when it is opened. Counts are in blocks unless named. */
struct hftl_media_facts {
    uint32_t size; /* sizeof this struct, for growth */
    enum hftl_media_kind kind;
    uint32_t flags;       /* enum hftl_media_flag */
    uint32_t block_bytes; /* 512 .. 4096, a power of two */
    uint32_t oob_bytes;   /* per block; 0 = none. The identity needs 16 */
    uint32_t groups;
    uint32_t pus_per_group;
    uint32_t chunks_per_pu;
    uint32_t chunk_blocks; /* usable blocks of a chunk: the capacity of a zone, not its size */
    uint32_t ws_min;       /* smallest write and the multiple of every write; >= 1 */
    uint32_t ws_opt;       /* best write, a multiple of ws_min */
    uint32_t mw_cunits;    /* distance behind the write pointer that is not readable yet */
    uint32_t open_max;     /* 0 = not reported, no limit */
    uint32_t active_max;   /* 0 = not reported, no limit */
    /* blocks of one write that survive a cut whole or not at all; 0 = nothing */
    uint32_t atomic_blocks;
    uint32_t transfer_blocks_max; /* longest read or write */
    uint32_t reset_limit;         /* resets a chunk is good for; 0 = not known */
    bool volatile_cache;          /* false: what landed is durable */
    uint8_t id[16]; /* the drive's own identity (a serial, hashed); zeros when it has none */
    /* longest run of blocks between two wanted ones that is better read in vain than left out,
     * which takes another read; below chunk_blocks. 0 = none: a medium that copies, memory */
    uint32_t read_gap_blocks;
};

/* Chunk states. Every drive's own vocabulary is translated to these by its medium, once. */
#define HFTL_CHUNK_STATE_LIST(X)                                                                   \
    X(FREE, "free")           /* erased, wp = 0 */                                                 \
    X(OPEN, "open")           /* partly written, holds an open slot and an active slot */          \
    X(PAUSED, "paused")       /* partly written, holds an active slot only (ZNS: closed) */        \
    X(FULL, "full")           /* takes no more writes; readable up to wp */                        \
    X(READ_ONLY, "read-only") /* never comes back; readable up to wp */                            \
    X(OFFLINE, "offline")     /* never comes back; nothing readable */

enum hftl_chunk_state {
#define HFTL_CHUNK_ENUM(name, text) HFTL_CHUNK_##name,
    HFTL_CHUNK_STATE_LIST(HFTL_CHUNK_ENUM)
#undef HFTL_CHUNK_ENUM
        HFTL_CHUNK_STATE_COUNT
};

struct hftl_chunk {
    enum hftl_chunk_state state;
    uint32_t wp;       /* blocks written; in a FULL chunk how far it can be read */
    uint32_t capacity; /* usable blocks of this chunk; facts.chunk_blocks unless it deviates */
    uint32_t wear;     /* resets so far; 0 when the drive does not say */
};

/* A media-management event: the drive's notice that a range degrades. */
enum hftl_media_severity {
    HFTL_EVENT_LOW,
    HFTL_EVENT_MEDIUM,
    HFTL_EVENT_HIGH,
    HFTL_EVENT_UNRECOVERABLE,
    HFTL_EVENT_REFRESHED,
    HFTL_EVENT_WEAR
};
struct hftl_media_event {
    uint64_t counter; /* rises by one with each event */
    enum hftl_media_severity severity;
    uint32_t chunk_first, chunk_count;
    uint32_t offset, blocks; /* blocks = 0: the whole chunks */
};

#define HFTL_MEDIA_VERB_LIST(X)                                                                    \
    X(READ, "read")                                                                                \
    X(WRITE, "write")                                                                              \
    X(APPEND, "append")                                                                            \
    X(RESET, "reset")                                                                              \
    X(FINISH, "finish")                                                                            \
    X(FLUSH, "flush")                                                                              \
    X(REPORT, "report")                                                                            \
    X(EVENT, "event")

enum hftl_media_verb {
#define HFTL_VERB_ENUM(name, text) HFTL_MEDIA_##name,
    HFTL_MEDIA_VERB_LIST(HFTL_VERB_ENUM)
#undef HFTL_VERB_ENUM
        HFTL_MEDIA_VERB_COUNT
};

/*
 * One operation. The caller owns it and everything it points to, and must not touch them between
 * submit and land. The medium may use `link` and `scratch` in that time, and nothing of the op
 * after it called land (which may free or resubmit the op).
 */
struct hftl_media_op {
    enum hftl_media_verb verb;
    uint32_t chunk;
    uint32_t offset; /* READ, WRITE: first block in the chunk. APPEND: set by the medium */
    uint32_t blocks; /* READ, WRITE, APPEND; REPORT: number of chunks from `chunk` on */
    void *data;      /* blocks * block_bytes */
    void *oob;       /* blocks * oob_bytes, or NULL: not read, written as zeros */
    union {
        struct hftl_chunk *report;      /* REPORT: `blocks` elements */
        struct hftl_media_event *event; /* EVENT: one; lands AGAIN when there is none */
    } out;
    enum hftl_status status; /* set before land */
    void (*land)(struct hftl_media_op *op);
    void *owner; /* the caller's */
    struct hftl_media_op *link;
    uint64_t scratch[4];
};

struct hftl_media;

struct hftl_media_ops {
    const char *name; /* "emu", "guard", ... */
    /* Takes the ops in order. Never fails: what is wrong with an op is its status when it lands. */
    void (*submit)(struct hftl_media *media, struct hftl_media_op **ops, unsigned count);
    /* Lands up to `max` finished ops; returns how many. Never blocks. */
    unsigned (*reap)(struct hftl_media *media, unsigned max);
    /* A descriptor to wait on, always the same; -1 when the medium is always ready (work that was
     * submitted can be reaped at once). Asked for anew before each wait, with no submit and no reap
     * in between: then it is readable if reap() has work, and as soon as it has. Only the asking
     * makes it so, or quiet, because that is a system call, of no use to a caller who does not
     * wait. Now and then it is readable for nothing. */
    int (*fd)(struct hftl_media *media);
    /* No op may be in flight. Frees the medium (and a wrapper's inner medium). */
    void (*close)(struct hftl_media *media);
};

/* Concrete media begin with this struct. */
struct hftl_media {
    const struct hftl_media_ops *ops;
    struct hftl_media_facts facts;
};

static inline uint32_t hftl_media_pus(const struct hftl_media_facts *f)
{
    return f->groups * f->pus_per_group;
}

static inline uint32_t hftl_media_chunks(const struct hftl_media_facts *f)
{
    return f->groups * f->pus_per_group * f->chunks_per_pu;
}

/* The part of a limit on open or active chunks that so many PUs of the drive may use; parts of
 * disjoint PUs never add up to more than the limit. Of a limit that is there (not 0), 0 means that
 * nothing is left. */
static inline uint32_t hftl_media_share(const struct hftl_media_facts *f, uint32_t limit,
                                        uint32_t pu_count)
{
    return (uint32_t)((uint64_t)limit * pu_count / hftl_media_pus(f));
}

/* True when block `offset` of a chunk in this state can be read (M2). */
static inline bool hftl_media_readable(const struct hftl_media_facts *f, const struct hftl_chunk *c,
                                       uint32_t offset)
{
    if (c->state == HFTL_CHUNK_FULL || c->state == HFTL_CHUNK_READ_ONLY)
        return offset < c->wp;
    if (c->state == HFTL_CHUNK_OPEN || c->state == HFTL_CHUNK_PAUSED)
        return (uint64_t)offset + f->mw_cunits < c->wp;
    return false;
}

#define HFTL_MEDIA_OPEN_READ_ONLY 1u
/* Everything may be written, and nothing is: changes live in the memory of this process and are
 * forgotten at close. The file or device is opened read-only and does not change by a byte, so
 * whatever repairs can be tried on it. Others may read it meanwhile. */
#define HFTL_MEDIA_OPEN_PRIVATE 2u
/* Read-only, takes nothing and is never BUSY: what others have is seen as it is on the drive at
 * that moment, and may change at any time (M7 does not hold). For finding out what to take. Of a
 * stack, only its drive is opened. */
#define HFTL_MEDIA_OPEN_LOOK 4u
/* Takes also the right to make and remove devices, which one process at a time has. It is waited
 * for (10 seconds at most), because whoever has it is at work. */
#define HFTL_MEDIA_OPEN_FORMAT 8u

/*
 * Opens the medium that `path` names and takes it for this process alone: BUSY when somebody has
 * it. A path names a drive's file or device by itself. A stack puts wrappers around it, the first
 * one outermost, and may say what the drive is:
 *
 *      stack    = { wrapper ":" } ( path | drive )
 *      drive    = "emu" options ":" path  |  "mem:" size options
 *      wrapper  = ( "delay" | "trace=" file | "fault=" verb | "overlay" | "guard" ) options
 *      options  = { "," key [ "=" value ] }
 *
 *      delay,read=80us:d.img      trace=t.txt:fault=write,nth=9:emu:d.img      mem:64M,kind=zoned
 *
 * A text is a path unless it begins with one of these names, its options and a colon, so paths may
 * have colons; what begins like a stack is reached as ./delay:x or emu:delay:x. In values a
 * backslash takes the meaning of ',', ':' and '\' away. hostftl-media(7) has all options.
 *
 * On failure `why`, of why_bytes, holds a sentence that names what and where; in a stack, the byte.
 * The caller closes with (*media)->ops->close.
 */
HFTL_PUBLIC HFTL_MUST_USE enum hftl_status hftl_media_open(const char *path, unsigned flags,
                                                           struct hftl_media **media, char *why,
                                                           size_t why_bytes);

/*
 * A part of a drive: its parallel units pu_first to pu_first + pu_count - 1, for this process
 * alone, while others have others. Facts and chunk numbers are the whole drive's; chunks of other
 * PUs are OFFLINE; of the limits of open and active chunks the part is hftl_media_share. Where the
 * PUs are not all of the drive, only an emulated one can do it.
 *
 * THE PROTOCOL. Which PUs a device has is written in its superblock, so they have to be looked at
 * before they can be taken:
 *
 *     to open                                     to make
 *     1  LOOK: which PUs?                         1  take the PUs that were asked for, and FORMAT
 *     2  take them                                2  LOOK: who else is on the drive?
 *     3  look again, now nobody can change it:    3  nobody overlaps, no name is taken: write
 *        still the same device and PUs?
 *        no: give them back, begin anew
 *
 * Whoever writes any block of a device has all of its PUs. So what has a PU in common with those we
 * have taken does not change any more, wherever its superblock is; and of two that begin at the
 * same time with overlapping PUs, one is told BUSY. Without step 3 of opening, the device could be
 * replaced by a larger one between 1 and 2, and two processes would write to it. Without FORMAT,
 * two formats on disjoint PUs could both find that a name is free.
 */
struct hftl_media_open_options {
    size_t size;                 /* sizeof this struct */
    unsigned flags;              /* HFTL_MEDIA_OPEN_ */
    uint32_t pu_first, pu_count; /* 0, 0: the whole drive */
};
/* As hftl_media_open, which is this without PUs. INVALID: there are no such PUs; UNSUPPORTED: not
 * on this kind of drive; GEOMETRY: their part of a limit is nothing. */
HFTL_PUBLIC HFTL_MUST_USE enum hftl_status hftl_media_open_pus(
    const char *path, const struct hftl_media_open_options *options, struct hftl_media **media,
    char *why, size_t why_bytes);

/* One sentence on the first fact that makes no sense, or NULL when all is well. Static text. */
HFTL_PUBLIC const char *hftl_media_facts_nonsense(const struct hftl_media_facts *facts);

#ifdef __cplusplus
}
#endif
#endif
