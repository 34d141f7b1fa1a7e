/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stories.h - what users do to a device, each a story that can be entered again after any crash.
 *
 * A story: open or create, see how far it got, go on, verify. How far it got is what the device
 * holds: a story first fills a part of it front to back, and after a crash goes on filling at the
 * first block that holds nothing; then it does its own mixture of requests.
 *
 * OWNS      the choice of requests.
 * IGNORES   media and cuts: sim/explore runs a story and cuts its power.
 */
#ifndef HOSTFTL_SIM_STORIES_H
#define HOSTFTL_SIM_STORIES_H

#include "sim/harness.h"

/* Shares are in any unit; they are relative to their sum. */
struct story {
    const char *name, *text;
    uint32_t requests;     /* of one telling */
    uint32_t fill_percent; /* of the device, first, front to back */
    uint32_t span_percent; /* of the device: where the mixture happens */
    uint32_t hot_percent;  /* of the requests go to the first eighth of the span */
    uint32_t blocks_max;   /* of one request */
    uint32_t writes, reads, trims, zeroes, flushes, closes; /* shares; closes: flushes of bands */
    uint32_t fua_percent;                                   /* of writes, trims, write-zeroes */
    uint32_t reopen_every;       /* requests between a close and the next; 0: never */
    uint32_t format_every;       /* requests between one format and the next; 0: never */
    uint32_t sequential_percent; /* of the requests follow the one before, around the span */
    uint32_t depth;              /* requests in flight */
};

unsigned story_count(void);
const struct story *story_at(unsigned index);
/* NULL: no such name. */
const struct story *story_find(const char *name);

struct telling {
    const struct story *story;
    struct harness *harness; /* open */
    struct prng prng;
    uint64_t filled; /* blocks from the start that were written once */
    uint64_t next;   /* lba where a sequential request goes */
    uint32_t told;   /* requests of the mixture so far */
};

/* Enters: sees how far the story got. The same seed tells it the same way from there. */
void story_enter(struct telling *telling, const struct story *story, struct harness *harness,
                 uint64_t seed);
/* One request of the fill, or of the mixture, or a close and open, or a format. */
void story_go_on(struct telling *telling);
/* Everything was told. */
bool story_ends(const struct telling *telling);

#endif
