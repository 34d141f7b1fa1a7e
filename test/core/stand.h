/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stand.h - the real engine on the real memory medium behind the guard, for tests of core and
 * lifecycle.
 *
 *      test --> device --> guard --> tap --> mem --> store (outlives a crash)
 *
 * OWNS      the store, the world that it lends the engine, the contents that blocks should have.
 * PROMISES  device_check() holds after every step; all memory was given back at a close or crash;
 *           the guard stops the process at a breach of media.h by either side.
 *
 * The tap is a medium around a medium that notes every operation, and can make one fail or keep it
 * back until it is let go.
 */
#ifndef HOSTFTL_TEST_CORE_STAND_H
#define HOSTFTL_TEST_CORE_STAND_H

#include "test/unit.h"

#include "base/prng.h"
#include "core/device.h"
#include "core/engine.h"
#include "media/guard.h"
#include "media/mem.h"

#include <sys/uio.h>

#define TAP_NOTES_MAX 65536u
#define TAP_HELD_MAX 256u
#define ANY_CHUNK UINT32_MAX

struct tap_note {
    enum hftl_media_verb verb;
    uint32_t chunk, offset, blocks;
    bool landed; /* a note of landing rather than of being sent */
};

struct tap {
    struct hftl_media media;
    struct hftl_media *inner;
    struct tap_note *notes; /* newest TAP_NOTES_MAX at most: tests clear them */
    uint32_t note_count;
    /* The next `fail_count` operations of the verb (on the chunk) land with `fail_status`; a read
     * that is to fail with HFTL_OK lies: it hands over something else. */
    uint32_t fail_count, fail_after, fail_chunk;
    enum hftl_media_verb fail_verb;
    enum hftl_status fail_status;
    struct hftl_media_op *failed[TAP_HELD_MAX];
    uint32_t failed_count;
    /* Operations whose bit (1 << verb) is set are kept back. */
    unsigned hold_verbs;
    const struct band *hold_band; /* not NULL: writes of other bands pass */
    struct hftl_media_op *held[TAP_HELD_MAX];
    uint32_t held_count;
    int quiet[2];
};

struct stand {
    struct mem_store *store;
    struct hftl_media *mem, *guard;
    struct tap *tap;
    struct world world;
    struct device *device;
    struct device_options options; /* of the next open; world and complete are filled in */
    struct hftl_format_options format;
    struct why why;
    struct hftl_info info; /* of the format */
    /* the world */
    uint64_t bytes, pieces, allocations;
    uint64_t fail_at;   /* this allocation (1 is the first) gets NULL; 0: none */
    uint64_t fail_from; /* this one and all later ones; 0: none */
    uint64_t now_ns, epoch_seconds;
    struct prng prng;
    char log[16][256]; /* the newest lines */
    uint32_t log_lines;
    bool unchecked; /* no device_check after each step: for long tests */
    uint32_t completed;
    uint64_t *expected; /* version of each lba, as stand_write and stand_trim left it; 0: zeros */
    uint64_t expected_count;
};

struct ask {
    struct hftl_request request;
    struct iovec iov[16];
    bool answered;
    uint32_t turn; /* how many were answered before it */
};

/* Odd geometries, all of 512-byte blocks unless the name says otherwise. */
struct stand_shape {
    const char *name;
    struct hftl_media_facts facts;
    uint32_t columns, interleave;
};
unsigned stand_shapes(void);
const struct stand_shape *stand_shape(unsigned index);
const struct stand_shape *stand_shape_named(const char *name);

void stand_init(struct stand *stand, const struct stand_shape *shape);
/* The same, formatted and open. */
void stand_begin(struct stand *stand, const char *shape);
/* Closes what is open and gives everything back. */
void stand_end(struct stand *stand);

void stand_attach(struct stand *stand);
/* Gives up the handles; operations in flight never land. */
void stand_detach(struct stand *stand);
enum hftl_status stand_try_format(struct stand *stand);
void stand_format(struct stand *stand);
enum hftl_status stand_try_open(struct stand *stand);
void stand_open(struct stand *stand);
enum hftl_status stand_try_close(struct stand *stand);
void stand_close(struct stand *stand);
void stand_reopen(struct stand *stand);
/* The host dies; with `power` the drive loses, by the seed, what was not flushed. */
void stand_crash(struct stand *stand, bool power, uint64_t seed);

/* device_check, and the test fails with its sentence. */
void stand_check(struct stand *stand);
/* One step and a check. */
bool stand_step(struct stand *stand);
/* Until nothing moves any more. */
void stand_settle(struct stand *stand);

void stand_ask(struct stand *stand, struct ask *ask, enum hftl_verb verb, unsigned flags,
               uint64_t lba, uint64_t blocks, void *data);
enum hftl_status stand_wait(struct stand *stand, struct ask *ask);
enum hftl_status stand_do(struct stand *stand, enum hftl_verb verb, unsigned flags, uint64_t lba,
                          uint64_t blocks, void *data);
/* Blocks with a content that names lba and version; version 0: zeros. */
void stand_fill(const struct stand *stand, uint8_t *data, uint64_t lba, uint64_t blocks,
                uint64_t version);
bool stand_holds(const struct stand *stand, const uint8_t *data, uint64_t lba, uint64_t version);
void stand_write(struct stand *stand, uint64_t lba, uint64_t blocks, uint64_t version);
void stand_write_fua(struct stand *stand, uint64_t lba, uint64_t blocks, uint64_t version);
void stand_trim(struct stand *stand, uint64_t lba, uint64_t blocks);
void stand_flush(struct stand *stand);
/* The status of reading one block. */
enum hftl_status stand_read_status(struct stand *stand, uint64_t lba);
void stand_expect(struct stand *stand, uint64_t lba, uint64_t blocks, uint64_t version);
/* All of the device is as written. */
void stand_verify(struct stand *stand);
/* The whole device once, flushed: `version` everywhere. */
void stand_write_all(struct stand *stand, uint64_t version);

/* Overwrites lbas from `first` on, one after the other, until `done` says so; at most `most` of
 * them. */
bool stand_churn(struct stand *stand, uint64_t first, uint64_t most,
                 bool (*done)(struct stand *stand));
/* The identity of the block that the lba is mapped to, wherever it is kept; it must be on the
 * medium, or in a band that is being written. */
struct ident stand_ident(struct stand *stand, uint64_t lba);

uint32_t stand_bands_in(const struct stand *stand, enum band_state state);
/* The bytes on the medium of what the lba's map entry points to; NULL: not written there yet. */
uint8_t *stand_media_block(struct stand *stand, uint64_t lba);
struct band *stand_band_of(struct stand *stand, uint64_t lba, uint32_t *position);
/* A kept line of the engine's log contains the text. */
bool stand_logged(const struct stand *stand, const char *text);

void tap_clear(struct tap *tap);
void tap_fail(struct tap *tap, enum hftl_media_verb verb, uint32_t chunk, uint32_t count,
              enum hftl_status status);
void tap_hold(struct tap *tap, enum hftl_media_verb verb);
/* Lets go what is kept back, in order, and keeps nothing any more. */
void tap_release(struct tap *tap);
/* The first that is kept back lands with this status instead. */
void tap_refuse_first(struct tap *tap, enum hftl_status status);
uint32_t tap_count(const struct tap *tap, enum hftl_media_verb verb);

#endif
