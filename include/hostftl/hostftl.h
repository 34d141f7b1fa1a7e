/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hostftl.h - an ordinary, power-safe block device on media that must be written front to back.
 *
 * WHAT YOU GET
 *   A device of `info.blocks` blocks of 4096 bytes, numbered by lba. Any block may be read, written
 *   or trimmed at any time, in any order.
 *
 * WHAT IS PROMISED (the numbers are those of doc/durability.md)
 *   C1   When a flush completes, every write, trim and write-zeroes that had completed before the
 *        flush was submitted survives any crash. A request with HFTL_FUA survives when it
 *        completes.
 *   C2   After a crash each block holds exactly one whole version: the last durable one, or one
 *        submitted after it. Never a mix, never older, never another block's. Unwritten or trimmed
 *        blocks read as zeros. A request of n blocks is n separate blocks.
 *   C4   Two requests for one block, the second submitted after the first completed, are never seen
 *        in the other order.
 *   C7   A block that cannot be proved right fails to read (MISMATCH, LOST). It is never returned.
 *   C11  Overwriting never runs out of space.
 *   Completion of a write without HFTL_FUA is not durability: this device has a volatile cache.
 *
 * HOW IT RUNS: one engine, two ways
 *   HFTL_OPEN_THREAD: the engine runs on a thread of the library's own. Any thread may submit on
 *   its own channel.
 *   With HFTL_OPEN_HELP besides, threads that wait for a request of theirs run the engine while its
 *   own sleeps, which saves them waking one another.
 *   Otherwise the engine runs on the caller's loop: call hftl_step() when hftl_fd() is readable and
 *   after submitting; everything then happens inside hftl_step(), on one thread.
 *
 *      client thread              |  engine (own thread, or hftl_step)   |  medium
 *      hftl_submit  --- ring ---> |  device, buffer, map, bands   ----> |  read write reset flush
 *      callback <- hftl_reap <--- |  completion ring             <----  |
 *
 *   Submitting never blocks and never allocates. A channel's callbacks run inside hftl_reap(), on
 *   the thread that calls it; hftl_channel_fd() is readable when there is something to reap.
 *
 * WHO OWNS WHAT
 *   A request and the memory its iovecs point to belong to the library from hftl_submit() to the
 *   callback; the iovec array itself too. A channel belongs to one thread at a time.
 */
#ifndef HOSTFTL_HOSTFTL_H
#define HOSTFTL_HOSTFTL_H

#include <hostftl/media.h>
#include <hostftl/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct iovec; /* <sys/uio.h> */
struct hftl_device;
struct hftl_channel;

/* ---- requests ---- */

/*
 * READ         fills the iovecs; blocks never written or trimmed give zeros
 * WRITE        takes the iovecs' bytes
 * FLUSH        C1; lba and blocks are 0: it has no range
 * TRIM         the blocks read as zeros afterwards, durably after the next flush (or with HFTL_FUA)
 * WRITE_ZEROES the same; kept apart because protocols do
 * EXTENTS      fills `extents` for the range in order, from lba on, at most extent_count entries
 * FLUSH_BANDS  closes the bands that are being written: pads them to their ends, whatever that
 *              costs in space, so that the drive has no chunk of them open. lba and blocks are 0.
 *              No promise of durability: FLUSH gives it. SPACE: too few bands are free to do
 *              without the rest of the open ones; READ_ONLY: nothing is written any more
 */
#define HFTL_VERB_LIST(X)                                                                          \
    X(READ, "read")                                                                                \
    X(WRITE, "write")                                                                              \
    X(FLUSH, "flush")                                                                              \
    X(TRIM, "trim")                                                                                \
    X(WRITE_ZEROES, "write-zeroes")                                                                \
    X(EXTENTS, "extents")                                                                          \
    X(FLUSH_BANDS, "flush-bands")

enum hftl_verb {
#define HFTL_VERB_NAME(name, text) HFTL_##name,
    HFTL_VERB_LIST(HFTL_VERB_NAME)
#undef HFTL_VERB_NAME
        HFTL_VERB_COUNT
};

#define HFTL_FUA 1u /* flag of WRITE, TRIM, WRITE_ZEROES; ignored on READ; refused on others */

struct hftl_extent {
    uint64_t blocks;
    bool mapped; /* false: reads as zeros */
};

/* Zero the whole struct, fill the first part, submit. Reusable from inside its own callback. */
struct hftl_request {
    enum hftl_verb verb;
    unsigned flags;
    uint64_t lba;
    uint64_t blocks;
    /* READ, WRITE: lengths add up to blocks * 4096, each a multiple of 4096 */
    const struct iovec *iov;
    int iov_count;               /* at most 1024, none of them empty */
    struct hftl_extent *extents; /* EXTENTS */
    uint32_t extent_count;       /* EXTENTS: room in, entries filled out */
    void (*done)(struct hftl_request *request);
    void *arg;               /* the caller's */
    enum hftl_status status; /* valid in done */
    uint64_t internal[16];   /* the library's while in flight */
};

/* ---- opening and closing ---- */

enum hftl_open_flag {
    /* run the engine on a thread of the library's own */
    HFTL_OPEN_THREAD = 1u << 0,
    /* writes nothing at all, not even recovery: needs a cleanly closed device */
    HFTL_OPEN_READ_ONLY = 1u << 1,
    /* with HFTL_OPEN_THREAD: who waits in hftl_run, hftl_read and the like runs the engine himself
     * while its thread sleeps. The medium is still called by one thread at a time, but not always
     * by the same */
    HFTL_OPEN_HELP = 1u << 2,
};

/*
 * How far reads are verified where the medium has no OOB. With OOB every read is verified, free.
 *
 *   ALWAYS       against a crc in memory: 4 bytes a block
 *   RELOCATION   not at all; only what cleaning moves, and what recovery looks at
 *   CACHED       against the identities in the bands' tails, of which verify_cache_bytes are kept
 *                in memory; one that is not there costs a read of one block beside the user's
 */
enum hftl_verify { HFTL_VERIFY_ALWAYS, HFTL_VERIFY_RELOCATION, HFTL_VERIFY_CACHED };

/* Bounds of what cleaning may have in hand at once; see hftl_open_options. */
#define HFTL_RELOCATION_VICTIMS_MAX 4u
#define HFTL_RELOCATION_BLOCKS_MAX 256u

struct hftl_open_options {
    size_t size;    /* sizeof this struct; hftl_open_options_init sets it */
    unsigned flags; /* enum hftl_open_flag */
    enum hftl_verify verify;
    uint64_t write_buffer_bytes;    /* 0: what is needed, and 4 MiB or a quarter band, the less */
    uint64_t recovery_memory_bytes; /* bound of what tells newer from older; 0: 64 MiB */
    hftl_log_fn log;                /* NULL: silent */
    void *log_arg;
    /* Bands that cleaning empties at once, and blocks of each that it reads at once. 0: 3 and 64;
     * at most HFTL_RELOCATION_VICTIMS_MAX and HFTL_RELOCATION_BLOCKS_MAX. Memory: victims x blocks
     * x (a block, its OOB and 0.2 KiB), and a block for each victim; on a medium where holes are
     * read as well (read_gap_blocks) twice the blocks and OOB. */
    uint32_t relocation_victims, relocation_blocks;
    /* Tracing (observe.h): how many of the last records are kept, rounded up to a power of two, 40
     * bytes each (0: 4096; at most HFTL_TRACE_RECORDS_MAX), and the points that are recorded from
     * the start, so that opening can be seen. */
    uint64_t trace_records;
    uint64_t trace_mask;
    const char *name; /* which of several devices on the drive; NULL: as the path says */
    /* CACHED: bound of the memory for identities, allocated at open; 0: 16 MiB. One tail block is
     * kept at least, and no more than the device has. */
    uint64_t verify_cache_bytes;
};
#define HFTL_TRACE_RECORDS_MAX (UINT64_C(1) << 24)
HFTL_PUBLIC void hftl_open_options_init(struct hftl_open_options *options);

/*
 * `path` names a drive that holds one device. Where several share a drive, each on parallel units
 * of its own, "path#name" names one; a path that is there is a path, also with a '#' in it. ABSENT:
 * the drive has no device of that name; INVALID: it has several, and none is named. `why` lists
 * them.
 *
 * Opens the device on `path` and recovers it if it was not closed cleanly; blocks until that is
 * done. A medium that does not answer is waited for, here and in hftl_close, without end: whoever
 * waits may be killed at any moment, as the power may go. options NULL: the defaults. FOREIGN: no
 * hostftl device there; BUSY: another process has it, or part of it; VERSION, CORRUPT, GEOMETRY,
 * IO: see `why`, one sentence naming what and where (why_bytes of room).
 */
HFTL_PUBLIC HFTL_MUST_USE enum hftl_status hftl_open(const char *path,
                                                     const struct hftl_open_options *options,
                                                     struct hftl_device **device, char *why,
                                                     size_t why_bytes);
/* The same on a medium of the caller's own. The medium belongs to the device from then on, and is
 * closed also when opening fails. */
HFTL_PUBLIC HFTL_MUST_USE enum hftl_status hftl_open_media(struct hftl_media *media,
                                                           const struct hftl_open_options *options,
                                                           struct hftl_device **device, char *why,
                                                           size_t why_bytes);
/*
 * Refuses new requests, completes those in flight, flushes, marks the device clean, frees it with
 * its channels. Not OK: it was freed all the same, but not marked clean; the next open recovers.
 */
/* Callbacks that nobody reaped yet run inside hftl_close; no other thread may be in a call. */
HFTL_PUBLIC enum hftl_status hftl_close(struct hftl_device *device);

struct hftl_format_options {
    size_t size;   /* sizeof this struct */
    char name[32]; /* of the device; "" gives "default" */
    /* over-provisioning, 0: 200; what the geometry needs is taken if that is more */
    uint32_t op_permille;
    uint32_t columns; /* zoned: zones written in parallel; 0: chosen */
    /* slices of a write unit: consecutive blocks go to the next column after each. 0: whole units,
     * and small ones are joined to some of 32 KiB. Otherwise it divides the medium's ws_opt into
     * multiples of its ws_min */
    uint32_t interleave;
    bool force;     /* replace a device that is already there */
    bool dry_run;   /* compute and fill in the result, write nothing */
    uint8_t id[16]; /* zeros: random */
    void (*progress)(void *arg, uint64_t done, uint64_t total); /* chunks; may be NULL */
    void *progress_arg;
    hftl_log_fn log;
    void *log_arg;
    /* exported, of 4096 bytes; 0: what op_permille leaves. GEOMETRY when the drive cannot carry so
     * many, INVALID together with op_permille */
    uint64_t blocks;
    uint32_t pu_first, pu_count; /* only these parallel units; 0, 0: all */
};
HFTL_PUBLIC void hftl_format_options_init(struct hftl_format_options *options);

/* What a device is; the same facts for format, info and a served one. Blocks are of 4096 bytes. */
struct hftl_info {
    size_t size;
    uint8_t id[16];
    char name[33];
    enum hftl_media_kind kind;
    uint32_t block_bytes;
    uint64_t blocks;                /* exported */
    uint64_t blocks_media;          /* of the whole medium */
    uint64_t blocks_data;           /* that can hold user data */
    uint32_t op_permille;           /* asked for; 0: blocks were */
    uint32_t op_effective_permille; /* (blocks_data - blocks) / blocks */
    uint32_t columns, bands, band_blocks, bands_free, bands_sealed, bands_reserve;
    uint32_t interleave; /* slices of a write unit; 1: none */
    uint32_t write_unit; /* blocks; the medium's, or several of them */
    uint32_t overlap; /* bands that may be closed while writing goes on: 0 to 2, by open chunks */
    bool identity_in_oob;
    enum hftl_verify verify;
    bool clean;     /* last close was clean (info, and at the time of open) */
    bool read_only; /* with the reason in `reason` */
    uint32_t epoch;
    uint64_t created; /* seconds since 1970 */
    uint64_t blocks_mapped;
    uint64_t memory_bytes; /* allocated by this device */
    struct hftl_media_facts facts;
    char reason[128];
    uint32_t pu_first, pu_count; /* the parallel units of the drive that it has */
    bool in_use;                 /* hftl_list only: a process has it */
    uint32_t in_use_pid;         /* which; 0: not known */
};

/* Makes a device on the medium at `path`, or on the parallel units of it that are given. EXISTS:
 * there is one already and no force. INVALID: force would not help, `why` says why: a device that
 * reaches outside of these parallel units is not replaced, and a name that another device has is
 * not given twice. */
HFTL_PUBLIC HFTL_MUST_USE enum hftl_status hftl_format(const char *path,
                                                       const struct hftl_format_options *options,
                                                       struct hftl_info *info, char *why,
                                                       size_t why_bytes);
/* On a medium of the caller's own, which stays his and open. */
HFTL_PUBLIC HFTL_MUST_USE enum hftl_status hftl_format_media(
    struct hftl_media *media, const struct hftl_format_options *options, struct hftl_info *info,
    char *why, size_t why_bytes);
/* Reads the superblock of the device on `path` and nothing else; writes nothing. Works on a device
 * that needs recovery; BUSY when it is open. */
HFTL_PUBLIC HFTL_MUST_USE enum hftl_status hftl_probe(const char *path, struct hftl_info *info,
                                                      char *why, size_t why_bytes);

/* ---- looking at what is on a drive ---- */

/* For places and lbas that a finding does not have. */
#define HFTL_NOWHERE UINT32_MAX
#define HFTL_NO_LBA UINT64_MAX

struct hftl_place {
    uint32_t chunk, offset;  /* on the medium, in blocks */
    uint32_t band, position; /* as the translation layer counts */
};

/*
 * ERROR  something that was stored is not there, is not what it was, or contradicts something else:
 *        `lba` is no longer safe to read, or would not be after a further fault.
 * NOTE   worth knowing, nothing is wrong: traces of a power cut, what recovery did about them.
 */
enum hftl_finding_level { HFTL_FINDING_ERROR, HFTL_FINDING_NOTE };

struct hftl_finding {
    enum hftl_finding_level level;
    enum hftl_status status;
    struct hftl_place place; /* HFTL_NOWHERE where there is none */
    uint64_t lba;            /* the block of the user's concerned, or HFTL_NO_LBA */
    const char *what;        /* "superblock", "head", "tail", "summary", "data", "identity", ... */
    const char *sentence;    /* lives for the call only */
};

struct hftl_examine_options {
    size_t size;                                                    /* sizeof this struct */
    uint64_t recovery_memory_bytes;                                 /* as in hftl_open_options */
    void (*finding)(void *arg, const struct hftl_finding *finding); /* may be NULL */
    void *finding_arg;
    void (*progress)(void *arg, uint64_t done, uint64_t total); /* blocks; may be NULL */
    void *progress_arg;
};
HFTL_PUBLIC void hftl_examine_options_init(struct hftl_examine_options *options);

struct hftl_examination {
    size_t size;
    uint8_t id[16];
    char name[33];
    bool clean;    /* the last close was */
    bool complete; /* false: recovery refused the device, so its blocks were not looked at */
    uint64_t errors, notes;
    uint64_t blocks;        /* exported */
    uint64_t blocks_mapped; /* lbas that hold data, and what became of them: */
    uint64_t blocks_proven; /* read, and what was written */
    uint64_t blocks_lost;   /* marked as lost before */
    uint64_t blocks_read;   /* of the medium */
    uint32_t bands, bands_read;
};

/*
 * Examines the device on the drive at `path`, all of it: superblocks, recovery, the invariants of
 * what it built, and every block of every band that holds something valid. The drive is opened with
 * HFTL_MEDIA_OPEN_PRIVATE: not a byte of it changes. Reads every band once, twice what has no tail
 * where the medium has no OOB; memory is that of an open device, and 17 bytes a block of one band.
 *
 * OK: it was examined, and result->errors says what came of it. Otherwise it was not: BUSY,
 * FOREIGN, VERSION, GEOMETRY, MEMORY, ...: see `why`. Findings may have come before that.
 */
HFTL_PUBLIC HFTL_MUST_USE enum hftl_status hftl_examine(const char *path,
                                                        const struct hftl_examine_options *options,
                                                        struct hftl_examination *result, char *why,
                                                        size_t why_bytes);

enum hftl_dump_what {
    HFTL_DUMP_BANDS,       /* a line a band: state, generation, how much is written and valid */
    HFTL_DUMP_SUPERBLOCKS, /* every record of both copies, with its verdicts */
    HFTL_DUMP_BAND,        /* a band and all of its blocks */
    HFTL_DUMP_BLOCK,       /* one block of the medium */
    HFTL_DUMP_LBA,         /* every version of an lba that is on the drive */
    HFTL_DUMP_TRIMS,       /* every trim page that is on the drive */
    HFTL_DUMP_ALL          /* superblocks, bands, every block */
};

struct hftl_dump_item {
    const char *what; /* "superblock", "band", "data", "head", ... or "block": nobody knows */
    bool ok;          /* false: the text says what is wrong */
    struct hftl_place place; /* HFTL_NOWHERE where there is none */
    uint64_t lba;            /* of data and lost blocks; otherwise HFTL_NO_LBA */
    const char *text;        /* one line or several; lives for the call only */
};

struct hftl_dump_options {
    size_t size; /* sizeof this struct */
    enum hftl_dump_what what;
    uint32_t band;          /* BAND */
    uint32_t chunk, offset; /* BLOCK */
    uint64_t lba;           /* LBA */
    void (*item)(void *arg, const struct hftl_dump_item *item);
    void *item_arg;
};
HFTL_PUBLIC void hftl_dump_options_init(struct hftl_dump_options *options);
/*
 * Decodes what is on the drive at `path` and shows it, item by item; nothing of the drive changes.
 * Made for damaged devices: what does not decode is an item that says so, and it goes on. Where
 * recovery refuses the device its bands are known from their heads, and where no superblock can be
 * read, so is the device. RANGE: there is no such band, block or lba. Otherwise as hftl_examine.
 */
HFTL_PUBLIC HFTL_MUST_USE enum hftl_status hftl_dump(const char *path,
                                                     const struct hftl_dump_options *options,
                                                     char *why, size_t why_bytes);
/* All devices on the drive `path`, in use or not; one call of `each` for each, with what its
 * superblock says at the moment, and `in_use`. Of one that cannot be opened `reason` says why.
 * Takes and writes nothing. No device: OK, without a call. */
HFTL_PUBLIC HFTL_MUST_USE enum hftl_status hftl_list(const char *path,
                                                     void (*each)(void *arg,
                                                                  const struct hftl_info *info),
                                                     void *arg, char *why, size_t why_bytes);

/* ---- running ---- */

/* Facts of an open device; a snapshot. Any thread. info->size: the caller's sizeof, or 0. */
HFTL_PUBLIC void hftl_get_info(struct hftl_device *device, struct hftl_info *info);

/* Caller's loop only: a descriptor that is readable when hftl_step has work. */
HFTL_PUBLIC int hftl_fd(const struct hftl_device *device);
/* Caller's loop only: does what can be done without waiting, within a budget. True: call again
 * soon. */
HFTL_PUBLIC bool hftl_step(struct hftl_device *device);

/* A channel holds up to `depth` requests in flight (rounded up to a power of two; 0: 256). Channels
 * whose requests have to wait take turns, of 32 blocks each. NULL: no memory. */
HFTL_PUBLIC struct hftl_channel *hftl_channel_open(struct hftl_device *device, uint32_t depth);
/* Nothing may be in flight. */
HFTL_PUBLIC void hftl_channel_close(struct hftl_channel *channel);
/*
 * Checks and hands over. OK: `done` will be called exactly once, from hftl_reap. Anything else: it
 * will not be called. AGAIN: `depth` requests are in flight. INVALID, UNALIGNED, RANGE: the request
 * makes no sense; nothing happened.
 */
HFTL_PUBLIC HFTL_MUST_USE enum hftl_status hftl_submit(struct hftl_channel *channel,
                                                       struct hftl_request *request);
/* Runs up to `max` callbacks (0: all there are); returns how many. Never blocks. */
HFTL_PUBLIC unsigned hftl_reap(struct hftl_channel *channel, unsigned max);
HFTL_PUBLIC int hftl_channel_fd(const struct hftl_channel *channel);

/* ---- one request at a time ---- */
/* Submit and wait, on a channel of the caller's. Callbacks of other requests on it may run. */

/* `done` and `arg` are taken. The status is the request's, or that of submitting it. */
HFTL_PUBLIC HFTL_MUST_USE enum hftl_status hftl_run(struct hftl_channel *channel,
                                                    struct hftl_request *request);
/* `blocks` * 4096 bytes at `data`. */
HFTL_PUBLIC HFTL_MUST_USE enum hftl_status hftl_read(struct hftl_channel *channel, uint64_t lba,
                                                     uint64_t blocks, void *data);
HFTL_PUBLIC HFTL_MUST_USE enum hftl_status hftl_write(struct hftl_channel *channel, uint64_t lba,
                                                      uint64_t blocks, const void *data,
                                                      unsigned flags);
HFTL_PUBLIC HFTL_MUST_USE enum hftl_status hftl_trim(struct hftl_channel *channel, uint64_t lba,
                                                     uint64_t blocks, unsigned flags);
HFTL_PUBLIC HFTL_MUST_USE enum hftl_status hftl_flush(struct hftl_channel *channel);
HFTL_PUBLIC HFTL_MUST_USE enum hftl_status hftl_flush_bands(struct hftl_channel *channel);

/* ---- cleaning ---- */

/*
 * LIMITS: what share of the write rate users get as free bands run out. Four levels, from the most
 * severe on; the first whose `bands_free` is not below the number of free bands is in force.
 *
 *   critical   hardly a band is left            (default 0 %: only cleaning writes)
 *   high, low  users slow down                  (default 20 %, 50 %)
 *   start      cleaning runs from here down     (default 100 %)
 *
 * Rate means blocks, not time: while a limit of p percent is in force, users' blocks are at most
 *      p / (100 - p)  of the blocks that cleaning moves
 * (64 of them may be saved up). A limit is lifted as long as cleaning has nothing under way: no
 * band is being emptied or erased. So a write may wait, but never for ever, at 0 % too.
 * Beside the limits, while cleaning runs and less than two and a half bands of space are left or
 * coming, users' writes are admitted in proportion to what cleaning gains, so that they do not wait
 * for whole bands. Below the floor of info.bands_reserve free bands users get no new band, whatever
 * the limits are. Reads, trims and flushes are not limited.
 */
enum hftl_limit_level {
    HFTL_LIMIT_CRITICAL,
    HFTL_LIMIT_HIGH,
    HFTL_LIMIT_LOW,
    HFTL_LIMIT_START,
    HFTL_LIMIT_COUNT
};
struct hftl_limit {
    uint32_t bands_free; /* in force at so many free bands and fewer; one being erased is one */
    uint32_t percent;    /* of the write rate that users get; 100: no limit */
};
struct hftl_limits {
    size_t size; /* sizeof this struct */
    struct hftl_limit level[HFTL_LIMIT_COUNT];
};
/* Any thread. limits->size: the caller's sizeof, or 0. */
HFTL_PUBLIC void hftl_get_limits(struct hftl_device *device, struct hftl_limits *limits);
/*
 * Any thread; at once, until the device is closed. INVALID, with a sentence in `why`: bands_free
 * and percent must not fall from critical to start, percent is at most 100, bands_free below
 * info.bands, and cleaning must start at info.bands_reserve free bands or more.
 */
HFTL_PUBLIC HFTL_MUST_USE enum hftl_status hftl_set_limits(struct hftl_device *device,
                                                           const struct hftl_limits *limits,
                                                           char *why, size_t why_bytes);
/*
 * Which band is cleaned next: "merit" (the default: invalid / (valid + 1) x age), "greedy" (what
 * frees most), "cost-benefit" ((1 - u) / (2 u) x age, u the share of the band that is valid), or
 * "fifo" (the eldest). When so few bands are free that users get none it is always "greedy". Any
 * thread. INVALID: no policy of that name. The name that is returned is static.
 */
HFTL_PUBLIC HFTL_MUST_USE enum hftl_status hftl_set_policy(struct hftl_device *device,
                                                           const char *name);
HFTL_PUBLIC const char *hftl_get_policy(struct hftl_device *device);
/*
 * Paused: no further band is chosen for cleaning; those in hand are finished. Any thread. But
 * overwriting never fails for want of space (C11): when writes wait and free bands are down to the
 * critical limit, or users get no band (info.bands_reserve; or crashes left too many bands that are
 * emptied first), cleaning goes on until they do not.
 */
HFTL_PUBLIC HFTL_MUST_USE enum hftl_status hftl_pause_cleaning(struct hftl_device *device,
                                                               bool paused);
HFTL_PUBLIC bool hftl_cleaning_is_paused(struct hftl_device *device);

/* ---- what it costs ---- */

/*
 * What a block that goes to or from the medium is. LOST marks are counted with what moved them;
 * everything a closing or opening device reads or writes besides is METADATA and PAD.
 */
#define HFTL_IO_LIST(X)                                                                            \
    X(USER, "user")             /* users' blocks, at their request */                              \
    X(RELOCATION, "relocation") /* users' blocks that cleaning moves */                            \
    X(METADATA, "metadata")     /* heads, tails, summaries, trim pages, superblocks */             \
    X(PAD, "pad")               /* nothing: fills up to what the medium takes */

enum hftl_io_kind {
#define HFTL_IO_ENUM(name, text) HFTL_IO_##name,
    HFTL_IO_LIST(HFTL_IO_ENUM)
#undef HFTL_IO_ENUM
        HFTL_IO_COUNT
};

struct hftl_io_count {
    uint64_t operations; /* that succeeded; one with blocks of several kinds is of its first's */
    uint64_t blocks;     /* in them, each by its own kind */
    uint64_t errors;     /* operations that failed; their blocks are not counted */
};

/*
 * Counters since open; an operation of the medium is counted when it lands. So written[].blocks add
 * up to what the medium took, at any moment when nothing is in flight, and
 *     WAF = sum of written[].blocks / written[HFTL_IO_USER].blocks.
 */
struct hftl_stats {
    size_t size;
    uint64_t requests[HFTL_VERB_COUNT], failed[HFTL_VERB_COUNT];
    uint64_t user_blocks_read, user_blocks_written, user_blocks_trimmed;
    struct hftl_io_count written[HFTL_IO_COUNT], read[HFTL_IO_COUNT];
    uint64_t blocks_read_buffer; /* of user_blocks_read: still in the write buffer */
    uint64_t media_reads, media_writes, media_resets, media_flushes; /* landed, also failed ones */
    uint64_t bands_opened, bands_closed, bands_erased, victims;
    uint64_t mismatches, blocks_lost, read_errors, write_errors;
    uint64_t stalls;                        /* writes that had to wait for space */
    uint64_t status[HFTL_STATUS_COUNT];     /* requests by how they ended */
    uint64_t limit_hits[HFTL_LIMIT_COUNT];  /* free bands fell to the limit */
    uint64_t limit_waits[HFTL_LIMIT_COUNT]; /* writes that had to wait because of it */
    uint64_t victims_let_go; /* left half emptied, because bands for them ran short */
    uint64_t media_again;    /* operations that the medium had no room for at first */
    uint64_t stall_ns; /* time in which the first write of the queue could not go on; a stall that
                        * lasts is counted up to now */
    /* verify CACHED: tail blocks wanted that were there or on their way, that had to be read, and
     * that another one took the place of */
    uint64_t verify_hits, verify_misses, verify_evictions;
    /* records of traces (observe.h), and how many of them others took the place of; a reader that
     * comes too late has lost those, its cursor says which */
    uint64_t trace_recorded, trace_overwritten;
};
HFTL_PUBLIC void hftl_get_stats(struct hftl_device *device, struct hftl_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
