/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stand.h - what the front is tested on. The same tests run on two stands:
 *
 *   fake_device.c   a RAM disk behind device.h, which can be slow, answer in any order, fail, and
 *                   hold answers back until it is told: the only place where we fake code of ours,
 *                   because the front must keep its promises whatever the engine's timing
 *   real_stand.c    the engine itself on the medium in memory
 */
#ifndef HOSTFTL_TEST_FRONT_STAND_H
#define HOSTFTL_TEST_FRONT_STAND_H

#include <hostftl/hostftl.h>

#include <stdatomic.h>

/* A formatted medium for about `mib` MiB of data. Never NULL. */
struct hftl_media *stand_medium(uint64_t mib);
/* The same with smaller blocks, for the refusal. */
struct hftl_media *stand_small_blocks(void);

/* The fake's manners. Set before opening, `hold` at any time. A real stand knows none: false. */
struct stand_manners {
    uint64_t delay_ns; /* answers come up to this late */
    bool shuffle;      /* in any order */
    bool always_ready; /* the medium has no descriptor */
    enum hftl_status open_fails, close_fails;
    uint64_t bad_lba_first, bad_lba_count;       /* READ of one of these: IO */
    _Atomic bool hold;                           /* nothing is answered */
    void (*called)(void);                        /* within each call of the engine; NULL: none */
    void (*taken)(struct hftl_request *request); /* when the engine is given one; NULL: none */
};
extern struct stand_manners stand;
bool stand_has_manners(void);
/* Media closed so far. */
unsigned stand_closes(void);

#endif
