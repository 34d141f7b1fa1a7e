/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * superblock.h - one record of the superblock's log (FORMAT.md, 9.1).
 *
 *   0 stamp | 64 layout 208 | 272 features 3 x 8 | 296 epoch 4 | 300 state 4
 *   304 next generation 8 | 312 cache id 16 | 328 cache generation 8 | 336 cache state 4
 *   340 reserved 4 | 344 map root 16
 *   360 open bands 4 x 16 | 424 witness 72 | 496 verdicts 4 | 500 lost lbas 4 | 504 reserved 8
 *   512 verdicts: band 4, columns 4, generation 8, accepted 4 x columns | zeros to whole blocks
 *
 * How a reader takes a record whose length it does not know:
 *
 *     read one block                            -> superblock_peek: its bytes
 *     read that much                            -> superblock_decode
 *     verdict_walk_start, verdict_next until false
 *
 * RULES
 *   P1  S1-S6 with the copy and the offset as found.                superblock_decode
 *   P2  L1, L2.                              the caller: layout_check(&superblock.layout, facts)
 *   P3  features: an unknown incompatible bit is refused (UNSUPPORTED), and so are the state bits
 *       reserved for an upgrade; an unknown read-only compatible bit: superblock_read_only.
 *   P4  count is within the chunk, verdicts within the count.       superblock_decode
 * The count must be used before S3 can be judged: it is first bounded by what the caller handed in.
 * A verdict names a band and columns of the layout and lengths within a chunk, or it is CORRUPT.
 */
#ifndef HOSTFTL_FORMAT_SUPERBLOCK_H
#define HOSTFTL_FORMAT_SUPERBLOCK_H

#include "format/format.h"
#include "format/layout.h"
#include "format/witness.h"

#define SUPERBLOCK_CLEAN 1u     /* state bit 0 */
#define SUPERBLOCK_READ_ONLY 2u /* state bit 1: by decision */

/* Bits of `compatible` that are reserved; version 1 ignores all. */
#define FEATURE_SECOND_TAIL (UINT64_C(1) << 0)
#define FEATURE_OVERLAPPING_SUMMARIES (UINT64_C(1) << 1)
#define FEATURE_TWO_TRIM_PAGES (UINT64_C(1) << 2)

/* Bits of `incompatible` that are reserved; version 1 knows none and refuses all. */
#define FEATURE_PREFIX_ORDER (UINT64_C(1) << 0)
#define FEATURE_ATOMIC_WRITES (UINT64_C(1) << 1)
#define FEATURE_CHECKSUM_64 (UINT64_C(1) << 2)
#define FEATURE_SHARDS (UINT64_C(1) << 3)
#define FEATURE_CACHE_DEVICE (UINT64_C(1) << 4)
#define FEATURE_INCOMPATIBLE_KNOWN UINT64_C(0)
#define FEATURE_READ_ONLY_KNOWN UINT64_C(0)

/* What recovery accepted of a sealed band; rejected once is rejected for ever (O12). */
struct verdict {
    uint32_t band;
    uint32_t columns; /* 1 .. the layout's */
    uint64_t generation;
    const uint32_t *accepted; /* blocks accepted, one for each of the columns */
};

struct verdict_list {
    const struct verdict *verdicts;
    uint32_t count;
};

struct superblock {
    uint8_t id[FORMAT_ID_BYTES]; /* decoded; encode writes the context's */
    uint32_t copy;               /* 0 = A, 1 = B */
    uint32_t offset;             /* block in the chunk */
    uint64_t number;             /* rises by one with each record */
    uint64_t seq;                /* last given */
    uint32_t bytes;              /* decoded; encode computes it */
    struct layout layout;
    uint64_t features_compatible;
    uint64_t features_read_only;
    uint64_t features_incompatible;
    uint32_t epoch;
    uint32_t state;                    /* SUPERBLOCK_ bits */
    uint64_t generation_next;          /* for information */
    uint8_t cache_id[FORMAT_ID_BYTES]; /* zeros: no cache */
    uint64_t cache_generation;
    uint32_t cache_state;
    struct band_mark open[FORMAT_STREAMS]; /* of a clean close */
    struct witness witness;
    uint32_t verdict_count; /* decoded; encode takes the list's */
};

/* Bytes of a record with these verdicts, whole blocks. 64 bits: more than a chunk may come out. */
uint64_t superblock_bytes(uint32_t block_bytes, const struct verdict_list *verdicts);

/* `record` has exactly superblock_bytes(). */
void superblock_encode(const struct format_context *ctx, const struct superblock *superblock,
                       const struct verdict_list *verdicts, uint8_t *record, size_t record_bytes);

/*
 * S1, S2 and a plausible count of the first block; nothing is proved yet. CORRUPT when the count is
 * not a number of whole blocks of at least 512 bytes.
 */
HFTL_MUST_USE enum hftl_status superblock_peek(const struct format_context *ctx,
                                               const uint8_t *block, uint32_t *record_bytes);

/* P1, P3, P4. `bytes` >= one block; TRUNCATED when the record goes on beyond them. */
HFTL_MUST_USE enum hftl_status superblock_decode(const struct format_context *ctx,
                                                 const struct format_place *where,
                                                 const uint8_t *record, size_t bytes,
                                                 struct superblock *superblock);

/* True when a read-only compatible feature is not known, or bit 1 of the state says so. */
bool superblock_read_only(const struct superblock *superblock);

/* Iteration over the verdicts of a record that superblock_decode accepted; the record must live. */
struct verdict_walk {
    const uint8_t *at;
    uint32_t left;
};

struct verdict_walk verdict_walk_start(const struct superblock *superblock, const uint8_t *record);

/* False after the last. `accepted` takes the lengths; verdict->accepted points to it. */
bool verdict_next(struct verdict_walk *walk, struct verdict *verdict,
                  uint32_t accepted[FORMAT_COLUMNS_MAX]);

/* Without the verdicts. */
void superblock_to_text(const struct superblock *superblock, char *text, size_t text_bytes);
void verdict_to_text(const struct verdict *verdict, char *text, size_t text_bytes);

#endif
