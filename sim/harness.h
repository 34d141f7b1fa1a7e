/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * harness.h - one device in the other world: a nand below it, an oracle beside it, requests in it.
 *
 * OWNS      the device, its world, and the requests in flight with their memory. Not the nand and
 *           not the oracle: those outlive a crash.
 * PROMISES  every answer was shown to the oracle; device_check() held after every `check_every`
 *           steps and whenever a wait ended; the device gave back all memory. Progress (C12): time
 *           passes only when the device has nothing to do; a request is answered, and a device
 *           without requests idle, within LAPS_MAX times what the drive needs to be erased, written
 *           and read once; requests that wait while nothing lands any more are a failure at once,
 *           but where a unit was told to stand still: `stuck`. An error, a refusal and a
 *           read-only device need a cause: that the nand failed an operation or holds other bytes,
 *           or that memory was refused; and a reason. So does a closing of bands that is refused
 *           (SPACE): the device is short of bands, cleaning left alone finds none either, and the
 *           drive is half full at least, but for bands that the nand's bytes keep from cleaning.
 * IGNORES   which requests make sense to send: that is a story's.
 *
 *      harness_open --> harness_send, harness_step ... --> harness_close   everything durable
 *                                                     '--> harness_crash   then cut the nand
 *
 * Memory of a write is overwritten as soon as the device answered, memory of a read before it is
 * handed over.
 */
#ifndef HOSTFTL_SIM_HARNESS_H
#define HOSTFTL_SIM_HARNESS_H

#include "core/turns.h"
#include "sim/engine.h"
#include "sim/history.h"
#include "sim/nand.h"
#include "sim/oracle.h"
#include "sim/tuning.h"
#include "sim/world.h"

#include <setjmp.h>
#include <sys/uio.h>

#define HARNESS_DEPTH_MAX 64u
#define HARNESS_BLOCKS_MAX 32u /* of one request */

/* Who judges what was read: 0 is the oracle alone. */
enum harness_judges {
    HARNESS_ORACLE = 1, /* otherwise it only follows */
    HARNESS_HISTORY = 2,
};

struct harness_options {
    const struct engine *engine;
    struct nand *nand;
    uint64_t seed;
    uint64_t recovery_memory_bytes;
    uint32_t depth;       /* requests in flight; at most HARNESS_DEPTH_MAX */
    uint32_t check_every; /* steps between two device_check; 0: only when a wait ends */
    enum hftl_verify verify;
    uint64_t verify_cache_bytes;
    uint32_t op_permille;  /* of format; 0: default */
    uint32_t columns;      /* of format; 0: chosen */
    uint32_t interleave;   /* of format; 0: not asked for */
    uint32_t numbers_left; /* of each life's sequence numbers; 0: all */
    uint32_t batch;        /* blocks of relocation, where the tuning does not say; 0: default */
    struct tuning tuning;  /* of each life */
    unsigned judges;       /* of enum harness_judges */
    bool may_stand_still;  /* requests are not answered while a unit of the nand stands still */
    bool traced;           /* `trace` has what was read in it */
    bool verbose;
};

#define SENDERS 3u

struct harness;
struct harness_slot {
    struct harness *harness;
    struct hftl_request request;
    struct oracle_ticket ticket;
    struct history_request past;
    uint64_t since_ns;
    uint64_t harmed_reads; /* nand_harm().reads when it was handed over */
    struct iovec iov[2];
    uint8_t *memory;
    bool used;
};

struct harness {
    struct harness_options options;
    struct oracle *oracle;   /* NULL until the device's size is known */
    struct history *history; /* NULL: nobody asked for it */
    struct device *device;   /* NULL: not open */
    struct sim_world world;
    struct prng prng;
    struct failure failure;
    struct harness_slot slots[HARNESS_DEPTH_MAX];
    struct sender senders[SENDERS]; /* the slots are shared out among them */
    uint8_t *memory;
    uint32_t in_flight;
    uint64_t steps, answers;
    struct nand_harm harm; /* when this life began */
    bool has_lost;       /* for good: what was done to the nand may have cost blocks (note_harm) */
    bool refused;        /* in this step, for want of bands */
    uint64_t longest_ns; /* that an answer, or idleness, took */
    bool still;          /* after the last step: nothing will happen until a request comes */
    bool stuck;          /* a unit stands still, and who waits waits for ever: only a crash helps */
    jmp_buf *exit;       /* out of an opening or closing that waits so */
    uint64_t trace;      /* all answers, in order, folded */
    bool sums_up;        /* `seen` is kept */
    uint64_t seen;       /* all blocks that were read, and all failures to, in no order: a sum */
    void (*moment)(void *arg); /* harness_watch */
    void *moment_arg;
};

/* `oracle` may be NULL: nothing was ever formatted, and harness_open makes one. */
void harness_init(struct harness *harness, const struct harness_options *options,
                  struct oracle *oracle);
/* Gives the memory back; the device must be closed or crashed. Not the oracle. */
void harness_free(struct harness *harness);

/* Makes a device if there was none (or a cut left none in the middle of a format), and opens it;
 * checks it. False: see failure, and `stuck`. */
bool harness_open(struct harness *harness);

/* Calls `moment` wherever a cut may find something else than before: the medium takes or has done
 * an operation, or a promise was just made: a flush or FUA write was answered, and judged. */
void harness_watch(struct harness *harness, void (*moment)(void *arg), void *arg);

uint64_t harness_blocks(const struct harness *harness);
/* Steps until a slot is free, then hands a request over. `blocks` <= HARNESS_BLOCKS_MAX. Here and
 * below: does nothing when stuck. */
void harness_send(struct harness *harness, enum hftl_verb verb, unsigned flags, uint64_t lba,
                  uint64_t blocks);
/* One device_step, and device_check when it is due. Time passes if there was nothing to do. */
void harness_step(struct harness *harness);
/* When stuck: reads of `tries` blocks, one by one. One that asks nothing of the unit that stands
 * still must be answered (C10). With HFTL_VERIFY_CACHED there is no telling: none. */
void harness_probe(struct harness *harness, unsigned tries);
/* Steps until everything was answered; then checks. */
void harness_drain(struct harness *harness);
/* Steps until the device says that it is idle. */
void harness_settle(struct harness *harness);
/* Reads and judges blocks [first, first + count); the whole device; checks. */
void harness_verify_range(struct harness *harness, uint64_t first, uint64_t count);
void harness_verify(struct harness *harness);

/* Drains, closes, tells the oracle, looks for leaks; or is stuck. */
void harness_close(struct harness *harness);
/* Drains, closes, formats over the device, and opens the new one. False: see failure. */
bool harness_format(struct harness *harness);
/* The host dies here. The nand forgets nothing yet: nand_cut it. */
void harness_crash(struct harness *harness);

#endif
