/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lives.h - devices on emulated drives in files that were used by processes which then died, or
 * closed them. What the tests of check and dump look at.
 *
 * OWNS      nothing: an image is a file, and each life of its device is a process of its own, which
 *           a seed tells what to do and when to die.
 * PROMISES  the real engine, on the real emulated drive: what died in a process's memory is the
 *           drive's volatile cache. Random writes of 1 to 16 blocks, some with FUA, trims, flushes;
 *           enough of them that bands are cleaned and erased.
 */
#ifndef HOSTFTL_TEST_FRONT_LIVES_H
#define HOSTFTL_TEST_FRONT_LIVES_H

#include "base/prng.h"
#include "media/emu.h"
#include "test/unit.h"

#include <hostftl/hostftl.h>

struct drive_shape {
    const char *name;
    uint32_t columns; /* zoned; 0: chosen */
    struct emu_create_options options;
};
extern const struct drive_shape drive_shapes[];
extern const unsigned drive_shape_count;

struct life {
    uint64_t seed;
    unsigned requests;
    unsigned dies_after; /* turns of the engine or of who waits; 0: it closes cleanly */
    uint64_t spared;     /* an lba that is left alone, or HFTL_NO_LBA */
    bool fill;           /* writes every lba once, to begin with */
};
enum life_end { LIFE_CLOSED, LIFE_DIED };

/* A new drive with a device on it at `path`, whatever is there. */
void image_make(const char *path, const struct drive_shape *shape, bool outlives_host,
                uint64_t seed);
enum life_end image_live(const char *path, const struct life *life);
uint32_t image_hash(const char *path);

/* A path in a folder that is removed when the program ends. */
const char *image_path(const char *name);

/* hftl_examine, and what it said. */
#define FINDINGS_KEPT 64
struct said {
    struct hftl_examination result;
    struct hftl_finding findings[FINDINGS_KEPT]; /* `what` is static; sentence: below */
    char sentences[FINDINGS_KEPT][320];
    unsigned count;
};
void image_examine(const char *path, struct said *said);
void said_print(const struct said *said);

#endif
