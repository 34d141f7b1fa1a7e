/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * samples.h - records with fixed values, records with random ones, and the two questions that every
 * record is asked: is each single flipped bit refused, and are these the bytes?
 *
 * The fixed values are in doc/format-dump.txt and in golden.c: changing one changes both.
 */
#ifndef HOSTFTL_TEST_FORMAT_SAMPLES_H
#define HOSTFTL_TEST_FORMAT_SAMPLES_H

#include "base/prng.h"
#include "format/head.h"
#include "format/stamp.h"
#include "format/summary.h"
#include "format/superblock.h"
#include "format/tail.h"
#include "format/trim_page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define BLOCK 512u /* of all fixed samples */

/* Zoned, 12 zones of 64 blocks, two columns, four bands. */
struct format_context sample_context(void);
struct hftl_media_facts sample_facts(void);
struct layout sample_layout(void);

/* The same on an Open-Channel drive with OOB: PUs 1 and 2 of 4, 8 chunks each. */
struct hftl_media_facts sample_facts_ocssd(void);
struct layout sample_layout_ocssd(void);

struct head sample_head(void);

/* Identities of positions 8 to 14 of band 3; of each kind that is written, except tail. */
#define SAMPLE_IDENTS 7u
void sample_idents(uint8_t *packed);

/* Of SAMPLE_IDENTS; the identities are put where `packed` says. */
struct summary sample_summary(uint8_t *packed);

struct superblock sample_superblock(void);
struct verdict_list sample_verdicts(void);

/* A random identity that ident_decode takes. */
struct ident random_ident(struct prng *prng);
struct format_context random_context(struct prng *prng);
struct witness random_witness(struct prng *prng, const struct layout *layout);
uint32_t random_u32(struct prng *prng);
void random_bytes(struct prng *prng, uint8_t *bytes, size_t count);

/*
 * A copy of a good record with `count` bytes at `at` overwritten by `value`, little-endian, and
 * sealed again: what a writer with a defect, or an attacker who knows the salt, would have written.
 */
struct forgery {
    enum stamp_kind kind;
    size_t at;
    size_t count;
    uint64_t value;
};
void forge(const struct format_context *ctx, const struct forgery *forgery, uint8_t *record,
           size_t record_bytes);

/* Flips each bit of the record alone; decode must never say OK. */
typedef enum hftl_status (*decode_fn)(const uint8_t *record, void *argument);
void assert_every_flip_refused(uint8_t *record, size_t bytes, decode_fn decode, void *argument);

/* The record is these hex digits (spaces and line ends do not count), then zeros. */
void assert_bytes(const uint8_t *record, size_t bytes, const char *hex);

#endif
