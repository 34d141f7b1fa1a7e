/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tail_cache.h - the identities of closed bands, as many as a bound of memory allows: verify
 * `cached` reads them from the bands' tails instead of keeping the crc of every lba.
 *
 *      a read is sent            tail_cache_expect: its tail block is fetched beside it
 *      its data lands            tail_cache_ident: the 16 bytes, or the read waits for them
 *
 * I own        tail blocks in memory, at most `count`, allocated at open; the reads that wait.
 * I promise    what is given out belongs to the life of the band that the reader reads (K1); a read
 *              that waits goes on (read_go_on) when its tail block is here, or with the status that
 *              says why it cannot be had; each of them, once.
 * I ignore     bands that are still written or sealed: their identities are in memory already.
 *
 *               expect, ident                   landed, decoded
 *      EMPTY ------------------> LOADING ---------------------------> HELD
 *        ^                         | cannot be read, twice              | the least recently used,
 *        '-------------------------'<-----------------------------------'  when another one comes
 *
 * INVARIANTS
 *   K1  an entry answers only for its band, generation and index: a band erased and written again
 *       has another generation.
 *   K2  an entry is in `idle` unless it is LOADING; EMPTY ones first, then the least recently used.
 *   K3  while it is LOADING it is a reader of its band, which therefore is not erased.
 *   K4  `hungry` has reads only while `idle` is empty: then all are LOADING, and one will land.
 */
#ifndef HOSTFTL_CORE_TAIL_CACHE_H
#define HOSTFTL_CORE_TAIL_CACHE_H

#include "base/list.h"
#include "core/trace.h"
#include "core/world.h"

#include <hostftl/media.h>

#define TAIL_CACHE_BYTES_DEFAULT (UINT64_C(16) << 20)

struct device;
struct band;
struct read_part;
struct geometry;

enum tail_entry_state { TAIL_EMPTY, TAIL_LOADING, TAIL_HELD };

struct tail_entry {
    struct list_link link; /* K2 */
    struct list waiting;   /* read parts */
    struct device *device;
    enum tail_entry_state state;
    bool retried;
    uint32_t next; /* in its bucket, as number + 1; 0: the last */
    struct band *band;
    uint64_t generation;
    uint32_t index; /* of the tail block in its band */
    uint8_t *block;
    struct hftl_media_op op;
    struct io io;
};

struct tail_cache {
    uint32_t count; /* 0: there is none */
    struct tail_entry *entries;
    uint32_t *buckets; /* entry's number + 1; 0: empty */
    uint32_t buckets_mask;
    struct list idle;
    struct list hungry; /* read parts that got no entry */
};

/* Entries for so many bytes: at least one, no more than there are tail blocks. */
uint32_t tail_cache_entries(const struct geometry *g, uint64_t bytes);
/* A power of two. */
uint32_t tail_cache_buckets(uint32_t entries);
/* entries, their blocks and buckets are allocated. */
void tail_cache_init(struct device *device);
/* The tail blocks for `blocks` positions of a closed band will be wanted. Never waits. */
void tail_cache_expect(struct device *device, struct band *band, uint32_t position,
                       uint32_t blocks);
/* The identity of a position of a closed band, 16 bytes, valid until the next call; or NULL: `part`
 * waits, and read_go_on is called for it. */
const uint8_t *tail_cache_ident(struct device *device, struct band *band, uint32_t position,
                                struct read_part *part);
/* K1-K4. */
HFTL_MUST_USE enum hftl_status tail_cache_check(const struct device *device, struct why *why);

#endif
