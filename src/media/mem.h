/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mem.h - a medium in memory, for tests and measurements.
 *
 * OWNS      a store: chunk states, wear, data and OOB of one imagined drive. A store outlives the
 *           handles that are attached to it one after the other, so a test can close and reopen.
 * PROMISES  the contract of media.h with every rule enforced; memory for a chunk's data is taken at
 *           its first write and given back at its reset (a few are kept for the next chunk, since
 *           fresh memory costs more than the copy), so a huge drive that is little written costs
 *           little (60 bytes a chunk).
 * IGNORES   files, time: what is submitted takes effect at once and lands at the next reap, in the
 *           order of submission. fd() is -1.
 *
 * Reads of blocks that are not readable land RULE_READ. A write that finds no memory lands MEMORY
 * and the chunk is unchanged.
 */
#ifndef HOSTFTL_MEDIA_MEM_H
#define HOSTFTL_MEDIA_MEM_H

#include <hostftl/media.h>

struct mem_store;

struct mem_options {
    uint32_t size; /* sizeof this struct */
    struct hftl_media_facts facts;
};

/* A small ordinary drive of the kind, 16 MiB, to be changed field by field. */
struct hftl_media_facts mem_facts(enum hftl_media_kind kind);

/* GEOMETRY (why says what), MEMORY. */
HFTL_MUST_USE enum hftl_status mem_store_create(const struct mem_options *options,
                                                struct mem_store **store, char *why,
                                                size_t why_bytes);
/* Nothing is attached. */
void mem_store_destroy(struct mem_store *store);

/* One handle at a time: BUSY. Its close leaves the store as it is. */
HFTL_MUST_USE enum hftl_status mem_attach(struct mem_store *store, struct hftl_media **media);

/* A store of its own that goes with the handle. */
HFTL_MUST_USE enum hftl_status mem_open(const struct mem_options *options,
                                        struct hftl_media **media, char *why, size_t why_bytes);

/*
 * Power cut: each chunk keeps, by the seed, some prefix of what was not flushed (M6, at ws_min). On
 * a medium without volatile_cache nothing is lost. Nothing is attached.
 */
void mem_cut(struct mem_store *store, uint64_t seed);
/* The owner of the handle is gone in the middle of things: frees it, ops in flight never land. */
void mem_abandon(struct hftl_media *media);

/* The drive's own decision (M7): READ_ONLY or OFFLINE. At any time. */
void mem_retire(struct mem_store *store, uint32_t chunk, enum hftl_chunk_state state);
/* A chunk that has less capacity from the factory. It is FREE, and nothing is attached. */
void mem_shorten(struct mem_store *store, uint32_t chunk, uint32_t capacity);
/* The store behind a handle of mem_open or mem_attach. */
struct mem_store *mem_store_of(struct hftl_media *media);
/* Where the block's bytes are, for tests that corrupt them; NULL: the chunk has no memory. */
uint8_t *mem_block(struct mem_store *store, uint32_t chunk, uint32_t offset);
uint8_t *mem_block_oob(struct mem_store *store, uint32_t chunk, uint32_t offset);

#endif
