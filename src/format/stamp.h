/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stamp.h - the 64 bytes at the start of every metadata block (FORMAT.md, 3). Used by the records
 * of this folder; others read a stamp
 * alone only to name its version.
 *
 *   0 magic 8 | 8 version 2 | 10 kind 2 | 12 crc 4 | 16 device id 16 | 32 number 8 | 40 place 4
 *   44 position 4 | 48 seq 8 | 56 count 4 | 60 reserved 4
 *
 * RULES, in this order; nothing else of the record is used before:
 *   S1  magic and kind                      FOREIGN
 *   S2  version                             VERSION
 *   S3  crc                                 CORRUPT
 *   S4  device id                           MISMATCH
 *   S5  place, position (and number where the reader knows it: the generation)   MISMATCH
 *   S6  reserved bytes zero, seq in 56 bits CORRUPT (counts are judged by each record)
 *
 * The crc covers the whole record with its own field as zero. Superblock and head start it from 0,
 * the others from the crc of the 8 salt bytes, so that a user who can write any block cannot
 * compose one that passes for metadata.
 */
#ifndef HOSTFTL_FORMAT_STAMP_H
#define HOSTFTL_FORMAT_STAMP_H

#include "format/format.h"

enum stamp_kind {
    STAMP_TRIM = IDENT_TRIM,
    STAMP_LOST = IDENT_LOST,
    STAMP_SUMMARY = IDENT_SUMMARY,
    STAMP_HEAD = IDENT_HEAD,
    STAMP_TAIL = IDENT_TAIL,
    STAMP_SUPERBLOCK = 16,
};

struct stamp {
    enum stamp_kind kind;
    uint8_t id[FORMAT_ID_BYTES];
    uint64_t number;   /* superblock: record number; head, summary, tail: generation */
    uint32_t place;    /* superblock: copy; head, summary, tail: band; trim page: range */
    uint32_t position; /* superblock: offset in the chunk; head, summary, tail: position */
    uint64_t seq;
    uint32_t count;
};

/* What a reader knows before it reads. */
struct stamp_expected {
    enum stamp_kind kind;
    uint32_t place;
    uint32_t position;
    bool number_known;
    uint64_t number;
};

/* Writes the 64 bytes with a crc of 0, and ctx's device id whatever stamp->id says. */
void stamp_encode(const struct format_context *ctx, const struct stamp *stamp, uint8_t *record);

/* The last act of every encoder: puts the crc of the whole record into its stamp. */
void stamp_seal(const struct format_context *ctx, enum stamp_kind kind, uint8_t *record,
                size_t record_bytes);

/* S1-S6. `record_bytes` is what the crc covers; at least 64. */
HFTL_MUST_USE enum hftl_status stamp_decode(const struct format_context *ctx,
                                            const struct stamp_expected *expected,
                                            const uint8_t *record, size_t record_bytes,
                                            struct stamp *stamp);

/* S1 and S2 alone, of the first 64 bytes: for who must know a count before the crc can be taken. */
HFTL_MUST_USE enum hftl_status stamp_peek(const uint8_t record[FORMAT_STAMP_BYTES],
                                          enum stamp_kind kind);

/* The version a stamp claims: S2's message names both. Not verified. */
uint16_t stamp_version(const uint8_t record[FORMAT_STAMP_BYTES]);

void stamp_to_text(const struct stamp *stamp, char *text, size_t text_bytes);

#endif
