/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * world.h - everything the engine may ask of the outside, in one table given at open.
 *
 * The core never blocks, starts no thread, reads no clock, draws no randomness and allocates
 * nothing after open. Whoever runs it lends it these. The live world is src/front/host; the
 * simulated one is sim/world, where one seed decides everything.
 */
#ifndef HOSTFTL_CORE_WORLD_H
#define HOSTFTL_CORE_WORLD_H

#include <hostftl/media.h>
#include <hostftl/types.h>

struct world {
    void *arg;                     /* first argument of each */
    uint64_t (*now)(void *arg);    /* nanoseconds, monotonic */
    uint64_t (*clock)(void *arg);  /* seconds since 1970; only for `created` */
    uint64_t (*random)(void *arg); /* 64 bits */
    /* Zeroed memory or NULL. Called by format and open only. */
    void *(*alloc)(void *arg, size_t bytes);
    void (*release)(void *arg, void *memory, size_t bytes);
    /* Most of this piece, of what alloc gave, will be used, and in no order: large pages are worth
     * having. A hint; NULL: nobody takes it. */
    void (*spread)(void *arg, void *memory, size_t bytes);
    /* Only lifecycle waits: returns when the medium may have something to reap (poll on its fd). */
    void (*wait)(void *arg, struct hftl_media *medium);
    void (*log)(void *arg, enum hftl_log_level level, const char *message);
};

/* A sentence for a person: what failed, where, and what to do. */
struct why {
    char text[256];
};
/* Sets the text and returns `status`, so that `return why_say(why, HFTL_CORRUPT, ...)` reads
 * well. */
enum hftl_status why_say(struct why *why, enum hftl_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* One line to the world's log. */
void world_log(const struct world *world, enum hftl_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
