/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drive.h - a device in memory, kept busy at a constant depth with places that were drawn before.
 *
 * OWNS      a device on a medium of its own, a channel, and the requests.
 * PROMISES  between two requests of a slot there is a store of the next place and its submission,
 *           nothing else: what is counted around drive_run() is the library, and the medium.
 * IGNORES   what is measured, and how.
 */
#ifndef HOSTFTL_BENCH_DRIVE_H
#define HOSTFTL_BENCH_DRIVE_H

#include <hostftl/hostftl.h>
#include <sys/uio.h>

#define DRIVE_DEPTH 32u

struct drive;

struct drive_slot {
    struct hftl_request request;
    struct iovec iov;
    struct drive *drive;
};

struct drive {
    struct hftl_device *device;
    struct hftl_channel *channel;
    struct hftl_info info;
    struct drive_slot slots[DRIVE_DEPTH];
    uint8_t *memory;
    const uint32_t *places; /* of the run: first blocks, in units of its request's */
    uint64_t left;          /* of the run: not begun */
    uint32_t blocks;        /* of the run: of a request */
    uint32_t in_flight;
};

#define DRIVE_BLOCKS_MAX 32u

/* A new device on the medium that `spec` names. Ends the program when that cannot be. */
void drive_open(struct drive *drive, const char *spec, uint32_t op_permille);
/* `verb` at each of `count` places, of `blocks` blocks each, until all are back. */
void drive_run(struct drive *drive, enum hftl_verb verb, const uint32_t *places, uint64_t count,
               uint32_t blocks);
void drive_flush(struct drive *drive);
void drive_close(struct drive *drive);

/* The numbers 0 .. n - 1 in a random order; the caller frees it. */
uint32_t *draw_order(uint32_t n, uint64_t seed);
/* `count` numbers 0 .. n - 1, each at random. */
uint32_t *draw_places(uint64_t count, uint32_t n, uint64_t seed);

#endif
