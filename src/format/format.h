/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * format.h - the numbers that every record of the media format shares. FORMAT.md is the law; the
 * rules cited here and in the other headers of this folder (S1, L1, U1, ...) are numbered there.
 *
 * WHAT THIS FOLDER IS
 *   Bytes <-> structs. Pure functions: no I/O, no allocation, no clock. Each record has a plain
 *   struct and x_encode, x_decode, x_to_text.
 *
 * WHAT IT PROMISES
 *   An encoder writes every byte of the block it is given; what has no meaning is zero. A decoder
 *   believes nothing: it applies the rules of its record in their order, looks at no byte outside
 *   the block, and fills its struct only when it answers HFTL_OK. The statuses are distinct:
 *
 *       FOREIGN      S1      not such a record at all (magic or kind)
 *       VERSION      S2      such a record, of another version of the format
 *       CORRUPT      S3, S6  a checksum, a count, a reserved byte or a value without meaning
 *       MISMATCH     S4, S5  intact, but of another device, another place or another generation
 *       UNSUPPORTED  P3      intact, but needs a feature that this version does not have
 *       TRUNCATED    P4      a superblock record longer than the bytes that were handed in
 *
 *   An encoder that is given a value that does not fit its field is a defect of ours: must().
 *
 * WHAT IT DOES NOT KNOW
 *   Where blocks are, who reads them, what the newest version of anything is. Rules that need more
 *   than one record (H2's "equals the superblock's", I2, I4) are functions the caller calls.
 */
#ifndef HOSTFTL_FORMAT_FORMAT_H
#define HOSTFTL_FORMAT_FORMAT_H

#include <hostftl/types.h>

#define FORMAT_VERSION 1u

#define FORMAT_BLOCK_BYTES_MIN 512u
#define FORMAT_BLOCK_BYTES_MAX 4096u
#define FORMAT_ID_BYTES 16u
#define FORMAT_IDENT_BYTES 16u
#define FORMAT_STAMP_BYTES 64u
#define FORMAT_LAYOUT_BYTES 208u
#define FORMAT_WITNESS_BYTES 72u
#define FORMAT_MARK_BYTES 16u
#define FORMAT_REGION_BYTES 16u
#define FORMAT_HEAD_BYTES 408u       /* what has a meaning; the rest of the block is zero */
#define FORMAT_SUPERBLOCK_BYTES 512u /* without verdicts */
#define FORMAT_VERDICT_BYTES 16u     /* without its columns */
#define FORMAT_SUMMARY_IDENTS_AT (FORMAT_STAMP_BYTES + FORMAT_WITNESS_BYTES)
#define FORMAT_TAIL_IDENTS_AT FORMAT_STAMP_BYTES
#define FORMAT_TRIM_BITMAP_AT FORMAT_STAMP_BYTES

/* Limits, section 11. */
#define FORMAT_COLUMNS_MAX 256u
#define FORMAT_MASK_BYTES (FORMAT_COLUMNS_MAX / 8u)
#define FORMAT_NAME_BYTES 32u
#define FORMAT_REGIONS 5u
#define FORMAT_STREAMS 4u      /* slots: the streams' open bands, then those being closed */
#define FORMAT_STREAMS_USED 2u /* 0 user, 1 relocation */
#define FORMAT_EXPORTED_MAX (UINT64_C(1) << 35)
#define FORMAT_PHYSICAL_MAX (UINT64_C(1) << 40) /* 4 PiB of 4 KiB */
#define FORMAT_BAND_NONE UINT32_C(0xffffffff)
#define FORMAT_SUPERBLOCK_SEARCH_CHUNKS 8u /* good chunks of each PU a reader looks at */

/* seq = epoch (24 bits) above a counter (32 bits). */
#define FORMAT_SEQ_BITS 56u
#define FORMAT_SEQ_MAX ((UINT64_C(1) << FORMAT_SEQ_BITS) - 1u)
#define FORMAT_EPOCH_MAX ((UINT32_C(1) << 24) - 1u)
#define FORMAT_LBA_BITS 36u
#define FORMAT_LBA_MAX ((UINT64_C(1) << FORMAT_LBA_BITS) - 1u)

/* What a physical block is. 0 and 9-15 are invalid: neither erased nor all-ones OOB decodes. */
enum ident_kind {
    IDENT_DATA = 1,
    IDENT_MAP = 2, /* reserved; refused by version 1 */
    IDENT_TRIM = 3,
    IDENT_LOST = 4,
    IDENT_PAD = 5,
    IDENT_SUMMARY = 6,
    IDENT_HEAD = 7,
    IDENT_TAIL = 8,
};

/*
 * What all records of one device need to be written or judged. The owner of the device keeps one
 * for its life.
 */
struct format_context {
    uint8_t id[FORMAT_ID_BYTES];
    uint64_t salt;
    uint32_t block_bytes; /* 512 .. 4096, a power of two */
    bool any_device;      /* superblock and head only: id and salt not known yet, S4 is skipped */
};

/* Where a record is looked for (S5): the stamp's place and position, whatever they mean to it. */
struct format_place {
    uint32_t place;    /* superblock: copy (0, 1); head: band */
    uint32_t position; /* superblock: offset in the chunk; head: position in the band */
};

/* A position of a band in one of its lives. As a slot of a witness: everything below it. */
struct band_mark {
    uint32_t band; /* FORMAT_BAND_NONE: nothing; then the others are 0 */
    uint32_t position;
    uint64_t generation;
};

static inline hftl_seq format_seq(uint32_t epoch, uint32_t counter)
{
    return (hftl_seq){(uint64_t)epoch << 32 | counter};
}

/* Of a band's life: the same shape, so it is unique because the epoch is (O6). */
static inline uint64_t format_generation(uint32_t epoch, uint32_t count)
{
    return (uint64_t)epoch << 32 | count;
}

static inline uint32_t format_seq_epoch(hftl_seq seq)
{
    return (uint32_t)(seq.n >> 32);
}

static inline bool format_block_bytes_valid(uint32_t block_bytes)
{
    return block_bytes >= FORMAT_BLOCK_BYTES_MIN && block_bytes <= FORMAT_BLOCK_BYTES_MAX &&
           (block_bytes & (block_bytes - 1u)) == 0;
}

/* N of section 5: identities that fit in a summary. */
static inline uint32_t summary_idents_max(uint32_t block_bytes)
{
    return (block_bytes - FORMAT_SUMMARY_IDENTS_AT) / FORMAT_IDENT_BYTES;
}

/* M of section 6: identities that fit in a tail block. */
static inline uint32_t tail_idents_max(uint32_t block_bytes)
{
    return (block_bytes - FORMAT_TAIL_IDENTS_AT) / FORMAT_IDENT_BYTES;
}

/* B of section 7: lbas of a trim page. */
static inline uint32_t trim_page_lbas(uint32_t block_bytes)
{
    return (block_bytes - FORMAT_TRIM_BITMAP_AT) * 8u;
}

/*
 * T of section 1: the smallest multiple of ws_min with T * M >= band_blocks - T. `band_blocks` is
 * w * c of this band's own columns. In 64 bits: the answer can exceed a tiny band, and then the
 * geometry cannot carry a device (layout_check says so).
 */
static inline uint64_t tail_blocks(uint32_t band_blocks, uint32_t block_bytes, uint32_t ws_min)
{
    uint64_t per_tail_block = (uint64_t)tail_idents_max(block_bytes) + 1u;
    uint64_t least = (band_blocks + per_tail_block - 1u) / per_tail_block;
    return (least + ws_min - 1u) / ws_min * ws_min;
}

#endif
