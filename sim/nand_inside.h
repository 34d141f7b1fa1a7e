/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nand_inside.h - what nand.c (operations), nand_cut.c and nand_exact.c (power), nand_fault.c and
 * nand_time.c share. For nobody else.
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
    uint64_t hash;   /* of the first hash_blocks blocks; 0: not known */
    uint32_t hash_blocks;
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
    bool broken; /* a write failed: those behind it fail too, until the chunk is reported (M3) */
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
    uint32_t chunk, delay, unit; /* delay: reaps; unit: of what a chunk is for */
    uint64_t serial, due_ns;
    struct nand_flush *flush;
};

#define NAND_UNITS_MAX 16u

struct nand_clock { /* nand_time.c */
    uint64_t now_ns;
    uint64_t unit_free_ns[NAND_UNITS_MAX], channel_free_ns[NAND_UNITS_MAX];
    uint64_t written_ns; /* when the last write submitted so far is done */
    uint32_t still;      /* a unit; NAND_UNITS_MAX: none */
    uint32_t still_next; /* the unit that will be, at still_at; NAND_UNITS_MAX: none */
    uint64_t still_at;   /* a serial */
};

struct nand {
    struct hftl_media media;
    struct nand_options options;
    uint32_t count;
    struct nand_cell *cells;
    struct nand_flight *flight; /* in the order of submission */
    uint32_t flight_count, flight_room;
    struct nand_flush *flush_free;
    struct hftl_media_op **refused; /* for want of room (M8); they land at the next reap */
    uint32_t refused_count, refused_room;
    uint64_t serial;
    struct prng prng;
    struct nand_clock clock;
    nand_watch_fn watch;
    void *watch_arg;
    uint64_t moments;
    struct nand_fault fault;
    uint64_t fault_from; /* the serial that `at` counts from */
    struct nand_harm harm;
    uint64_t trace;      /* everything that happened, folded */
    uint32_t idle_reaps; /* in a row, with nothing in flight */
    bool reaping;
};

/* Operations in flight will never land; their owners are gone. */
void nand_forget(struct nand *nand);

struct nand_page *nand_page_new(const struct hftl_media_facts *facts);
void nand_page_drop(struct nand_page *page);
/* Makes the cell's page its own, empty if it had none. It is about to change. */
struct nand_page *nand_page_own(struct nand *nand, struct nand_cell *cell);

/* nand_time.c, for nand.c */
void nand_clock_begin(struct nand *nand);
/* Nothing is under way any more; time goes on from where it was. */
void nand_clock_forget(struct nand *nand);
/* Sets when it is due. */
void nand_schedule(struct nand *nand, struct nand_flight *flight);
bool nand_is_due(const struct nand *nand, const struct nand_flight *flight);
/* A reap is over. */
void nand_clock_reaped(struct nand *nand, unsigned landed);

/* nand_fault.c, for nand.c */
bool nand_fault_strikes(const struct nand *nand, const struct nand_flight *flight);
void nand_land_fault(struct nand *nand, struct nand_flight *flight);
void nand_refuse_write(struct nand_cell *cell, struct hftl_media_op *op);
/* nand.c: what an operation in flight holds is given back, and, if so, what it does is done. */
void nand_land_effect(struct nand *nand, struct nand_flight *flight, bool done);

/* nand_cut.c, for nand_exact.c and nand_fault.c */
void nand_fill_garbage(struct prng *prng, uint8_t *bytes, size_t count);
void nand_wake(struct nand *nand, struct nand_cell *cell);
void nand_erase_now(struct nand *nand, struct nand_cell *cell);
void nand_finish_now(struct nand *nand, struct nand_cell *cell);
void nand_finish_surplus(struct nand *nand, struct prng *prng);

#endif
