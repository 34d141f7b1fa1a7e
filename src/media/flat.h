/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flat.h - an ordinary file or block device as a medium that is written front to back.
 *
 * OWNS      one file or device: a header, a state area, chunks of data. It has no write pointers of
 *           its own, so the state area keeps them (flat_format.h).
 * PROMISES  the contract of media.h, by these means:
 *
 *           A write goes to its place at once and past the page cache where that is possible. It is
 *           durable when the state area says so, and the state area says so only after the data was
 *           synced: a FLUSH is a sync of the data, then a durable write of the few state pages that
 *           changed. So after a cut each chunk has exactly what was flushed, the shortest prefix
 *           that M6 allows, whatever the device kept or tore behind it.
 *           RESET makes the chunk FREE in the state area, durably (M5), then tells the device that
 *           its bytes need not be kept. What is still there afterwards is behind the write pointer,
 *           so old data never passes for new.
 *           FINISH is a flush that also says FULL.
 *
 *           Nothing is written without knowing that it is ours: flat_create refuses what has
 *           contents, and flat_open what has no valid header. One process at a time has it for
 *           writing (a lock, and O_EXCL on a block device), readers share.
 * IGNORES   what the bytes mean; how a device does what is asked of it.
 *
 * A failing device: a write lands with what it said and the write pointer stays. After a failed
 * sync or state page nobody knows what is there, so every later FLUSH, FINISH and RESET fails until
 * the medium is opened again.
 */
#ifndef HOSTFTL_MEDIA_FLAT_H
#define HOSTFTL_MEDIA_FLAT_H

#include "media/fileio.h"
#include "media/flat_format.h"
#include "media/hold.h"

/* Everything 0 but size gives what suits the device. */
struct flat_create_options {
    uint32_t size;             /* sizeof this struct */
    uint64_t write_unit_bytes; /* no write is smaller; 0: the device may be written in blocks */
    uint64_t chunk_bytes;
    bool overwrite; /* whatever is there is lost */
};

enum flat_cache { FLAT_CACHE_AUTO, FLAT_CACHE_AROUND, FLAT_CACHE_THROUGH };

struct flat_open_options {
    uint32_t size; /* sizeof this struct */
    bool read_only;
    bool look; /* read_only: takes nothing, and what is read may change meanwhile */
    bool no_uring;
    /* The page cache. AUTO: around it on a block device, through it in a file. */
    enum flat_cache cache;
    /* For tests that play the disk below; or NULL. */
    void (*watch)(void *arg, const struct fileio_job *job, bool done);
    void *watch_arg;
};

/* What would be made of the file or device, without writing. ABSENT, FORBIDDEN, GEOMETRY,
 * UNSUPPORTED, INVALID, IO. */
HFTL_MUST_USE enum hftl_status flat_plan(const char *path,
                                         const struct flat_create_options *options,
                                         struct flat_header *header, char *why, size_t why_bytes);

/* Makes the file or device a flat medium, all chunks FREE; its size does not change. A cut before
 * the end leaves no flat medium. As flat_plan, and BUSY, EXISTS (it has contents), SPACE. */
HFTL_MUST_USE enum hftl_status flat_create(const char *path,
                                           const struct flat_create_options *options, char *why,
                                           size_t why_bytes);

/* True when the file or device begins as a flat medium does. Never waits, never writes. */
bool flat_is(const char *path);

/* options may be NULL. ABSENT, FORBIDDEN, FOREIGN, VERSION, CORRUPT, TRUNCATED, UNSUPPORTED, BUSY,
 * MEMORY, IO. Close with ops->close, which flushes. */
HFTL_MUST_USE enum hftl_status flat_open(const char *path, const struct flat_open_options *options,
                                         struct hftl_media **media, char *why, size_t why_bytes);

/* Has a process it for writing? */
bool flat_find_holder(const char *path, struct holder *holder);

/* As SIGKILL, without the process: ops in flight never land. */
void flat_abandon(struct hftl_media *media);

#endif
