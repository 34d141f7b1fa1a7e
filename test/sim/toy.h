/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * toy.h - the simplest engine that keeps its promises, and can be made to break one on purpose.
 *
 * A log without cleaning on a medium with OOB: one block at a time, each with {crc, kind, lba, seq}
 * beside it; opening reads everything and believes the newest. It needs a medium that never fills.
 * The tests of the simulator see it accepted as it is, and caught in each lie.
 */
#ifndef HOSTFTL_TEST_SIM_TOY_H
#define HOSTFTL_TEST_SIM_TOY_H

#include "sim/shapes.h"
#include "sim/stories.h"

#define TOY_LIE_LIST(X)                                                                            \
    X(NONE)                                                                                        \
    X(FLUSH_DOES_NOTHING) /* answered without a flush of the medium */                             \
    X(FUA_DOES_NOTHING)                                                                            \
    X(TRIM_IN_MEMORY)       /* forgotten at the next open */                                       \
    X(BELIEVES_TORN_BLOCKS) /* opening does not look at the crc */                                 \
    X(OLDER_WINS)           /* opening takes the oldest version of a block */                      \
    X(NO_FLUSH_AT_OPEN)     /* what the host's death left volatile is served, not kept */          \
    X(STALE_READ)           /* a read may return the version before */                             \
    X(WRONG_BLOCK)          /* a read may return the neighbour */                                  \
    X(FAILS_A_READ)         /* an I/O error for nothing */                                         \
    X(LOST_UPDATE)          /* a write in eight is answered and forgotten */                       \
    X(GOES_BACK)            /* every second read sees the version before */                        \
    X(FORGETS_A_TRIM)       /* reads go on as if it had not been */                                \
    X(NEVER_ANSWERS)        /* a write in a hundred */                                             \
    X(DAWDLES)              /* it does other things first, and does not come to an end */          \
    X(ANSWERS_TWICE)                                                                               \
    X(LEAKS)                                                                                       \
    X(WRITES_OUT_OF_ORDER) /* breaks R1 */

enum toy_lie {
#define TOY_LIE_ENUM(name) TOY_##name,
    TOY_LIE_LIST(TOY_LIE_ENUM)
#undef TOY_LIE_ENUM
        TOY_LIE_COUNT
};

const char *toy_lie_name(enum toy_lie lie);
extern enum toy_lie toy_lie; /* the one in force */
extern const struct engine engine_toy;
/* A medium large enough, and a story short enough, for a device that never cleans. */
extern const struct shape toy_shape;
extern const struct story toy_story;

#endif
