/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * errand.h - an errand is something the engine does that waits for I/O on the way: a flush, the
 * relocation of a band, its erase. One struct, one step function with a switch on the next deed.
 *
 *               errand_wake                       step returns with
 *      IDLE  ----------------->  READY  --run-->  operations in flight --last one lands--> READY
 *                                  ^                or in a wait list  --errand_wake_all-> READY
 *                                  '--------------  or nothing (it ended: IDLE)
 *
 * INVARIANTS
 *   E1  an errand is in at most one list: the ready list or one wait list.
 *   E2  it is stepped only from device_step, never from a completion: completions only wake.
 *   E3  it is not stepped while operations of its own are in flight.
 *
 * `status` keeps the first failure among its operations; the step reads and clears it.
 */
#ifndef HOSTFTL_CORE_ERRAND_H
#define HOSTFTL_CORE_ERRAND_H

#include "base/list.h"
#include "core/trace.h"

#include <hostftl/media.h>

struct device;

struct errand {
    struct list_link link;
    void (*step)(struct device *device, struct errand *errand);
    struct device *device;
    const char *name;
    uint32_t in_flight;
    int at; /* the next deed; what it means is the errand's own */
    enum hftl_status status;
};

struct errand_op {
    struct hftl_media_op op;
    struct errand *errand;
    struct io io;
};

void errand_init(struct errand *errand, struct device *device, const char *name,
                 void (*step)(struct device *, struct errand *));
/* To be stepped soon. Nothing happens when it is ready already or has operations in flight. */
void errand_wake(struct errand *errand);
/* In `list` until errand_wake_all(list). */
void errand_wait(struct errand *errand, struct list *list);
void errand_wake_all(struct list *list);
/* Sends the operation for the errand; fills in land and owner. The errand is woken when the last of
 * its operations has landed. */
void errand_send(struct errand *errand, struct errand_op *op);
/* The same for blocks of users' that are moved; errand_send's are metadata. */
void errand_send_moved(struct errand *errand, struct errand_op *op);
/* The first failure since the last call. */
enum hftl_status errand_take_status(struct errand *errand);

#endif
