/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bell.h - wakes one listener that sleeps on a descriptor, and costs nothing when it is awake.
 *
 * I own      an eventfd, and who knows what about it.
 * I promise  a ring after the listener began to listen makes the descriptor readable; rings while
 *            it is awake, and all rings but the first while it listens, are one atomic operation.
 * I ignore   what the ring is about. The listener looks at its queues itself.
 *
 *                    bell_listen                      first bell_ring: write(fd)
 *      AWAKE  ------------------------>  LISTENING  --------------------------->  RUNG
 *        ^  <-- bell_ring: RUNG too,                                               |
 *        |      but nothing is written    bell_awake (or bell_listen: LISTENING)   |
 *        '------------------------------------------------------------------------'
 *
 * Nothing is missed, because both sides change the same word by read-modify-write. Either the ring
 * comes after bell_listen in that word's order: then the ringer sees LISTENING and writes. Or
 * before: then bell_listen has read the ringer's value and sees what was queued before the ring.
 * Hence the two rules:
 *
 *   W1  a ringer queues first and rings then;
 *   W2  a listener calls bell_listen first, then looks at its queues once more, then sleeps.
 *
 * The write comes a little after the change of the word, so the listener may find a ring whose
 * write is still on its way. It counts those (`owed`) and reads them off later; a descriptor that
 * stays readable for ever with nothing to do would be a busy loop in somebody's poll().
 */
#ifndef HOSTFTL_FRONT_BELL_H
#define HOSTFTL_FRONT_BELL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define BELL_RUNG 1u
#define BELL_AWAKE 2u

struct bell {
    _Atomic unsigned state; /* 0: LISTENING */
    int fd;
    uint64_t owed; /* the listener's: writes announced, not read yet */
};

/* False: no descriptor to be had. The bell begins LISTENING. */
bool bell_init(struct bell *bell);
void bell_free(struct bell *bell);

/* Any thread. True when it had to write. */
bool bell_ring(struct bell *bell);

/* The listener's two. bell_listen obliges to W2. */
void bell_listen(struct bell *bell);
void bell_awake(struct bell *bell);

#endif
