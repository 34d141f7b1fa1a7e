/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flat_file.h - the file or device below a flat medium: claimed, measured, its header and state
 * believed.
 *
 * OWNS      the descriptor with its lock, the header, the records and the pages' generations.
 * PROMISES  what is opened is whole: all metadata passed its checks, and every chunk lies within
 *           the file or device.
 * IGNORES   what is in flight.
 */
#ifndef HOSTFTL_MEDIA_FLAT_FILE_H
#define HOSTFTL_MEDIA_FLAT_FILE_H

#include "media/flat_format.h"
#include "media/say.h"

enum { FLAT_READS, FLAT_WRITES, FLAT_LOOKS };

struct flat_file {
    int fd;
    bool block_device, direct;
    uint64_t bytes;         /* of the file or device */
    uint64_t optimal_bytes; /* the device's best I/O, 0: it does not say */
    uint32_t physical_bytes;
    struct flat_header header;
    struct flat_record *records;
    uint64_t *generations; /* per page: of the newest copy */
};

/* Opens, claims and measures. On failure nothing is left to close. */
HFTL_MUST_USE enum hftl_status flat_file_open(struct flat_file *file, const char *path, int how,
                                              const struct say *to);
/* Reads header and state; says who holds it, when it is open for writing. */
HFTL_MUST_USE enum hftl_status flat_file_load(struct flat_file *file, const char *path, bool claim,
                                              const struct say *to);
/* From here on past the page cache; a file system that cannot is taken as it is. */
void flat_file_go_direct(struct flat_file *file);
void flat_file_close(struct flat_file *file);

/* Chunks on this page. */
uint32_t flat_file_page_records(const struct flat_file *file, uint32_t page);

/* Aligned for any device; the caller frees them. NULL: no memory. */
HFTL_MUST_USE void *flat_take_bytes(size_t count);

#endif
