/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nand_inside.h - what nand.c (operations) and nand_cut.c (power) share. For nobody else.
 */
#ifndef HOSTFTL_SIM_NAND_INSIDE_H
#define HOSTFTL_SIM_NAND_INSIDE_H

#include "base/prng.h"
#include "sim/nand.h"

/* The contents of a chunk; shared by forks until one of them writes. */
struct nand_page {
    uint32_t refs;
    uint8_t *data;   /* chunk_blocks * block_bytes */
    uint8_t *oob;    /* chunk_blocks * oob_bytes */
    uint8_t *starts; /* per block: 1 where a write began; says what "one write" is to a torn cut */
};

struct nand_cell {
    struct nand_page *page; /* NULL: erased */
    struct hftl_chunk chunk;
    uint32_t durable, reach; /* N1; in a chunk finished early, `real` says where its data ends */
    uint32_t real;           /* blocks that have contents, of a FULL chunk */
    uint32_t life;           /* resets: a flush of an earlier life says nothing of this one */
    uint32_t reads, writes;  /* in flight */
    bool reset, finish;      /* in flight */
    uint32_t flaky_from, flaky_to; /* in this power cycle reads of these blocks fail */
};

struct nand_flush { /* what a flush in flight will make durable */
    struct nand_flush *next;
    struct {
        uint32_t wp, life;
    } at[];
};

struct nand_flight { /* nothing here needs the op, so that its owner may die */
    struct hftl_media_op *op;
    enum hftl_media_verb verb;
    uint32_t chunk, delay;
    uint64_t serial;
    struct nand_flush *flush;
};

struct nand {
    struct hftl_media media;
    struct nand_options options;
    uint32_t count;
    struct nand_cell *cells;
    struct nand_flight *flight; /* in the order of submission */
    uint32_t flight_count, flight_room;
    struct nand_flush *flush_free;
    uint64_t serial;
    struct prng prng;
    nand_watch_fn watch;
    void *watch_arg;
    uint64_t moments;
    uint32_t idle_reaps; /* in a row, with nothing in flight */
    bool reaping;
};

/* Operations in flight will never land; their owners are gone. */
void nand_forget(struct nand *nand);

struct nand_page *nand_page_new(const struct hftl_media_facts *facts);
void nand_page_drop(struct nand_page *page);
/* Makes the cell's page its own, empty if it had none. */
struct nand_page *nand_page_own(struct nand *nand, struct nand_cell *cell);

#endif
