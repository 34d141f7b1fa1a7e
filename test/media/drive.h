/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drive.h - what the tests of media stand on: drives of many shapes behind several media,
 * operations done one at a time, and data that says where it belongs.
 */
#ifndef HOSTFTL_TEST_MEDIA_DRIVE_H
#define HOSTFTL_TEST_MEDIA_DRIVE_H

#include "media/emu.h"
#include "media/flat.h"
#include "media/guard.h"
#include "media/mem.h"

#define PATH_BYTES 256
#define WHY_BYTES 256

/* One op, submitted, waited for through fd(), landed. */
enum hftl_status do_op(struct hftl_media *media, struct hftl_media_op *op);
enum hftl_status do_simple(struct hftl_media *media, enum hftl_media_verb verb, uint32_t chunk);
struct hftl_chunk do_report(struct hftl_media *media, uint32_t chunk);
/* Data that says chunk, offset and life (any number), OOB too. */
enum hftl_status do_write(struct hftl_media *media, uint32_t chunk, uint32_t offset,
                          uint32_t blocks, uint32_t life);
enum hftl_status do_append(struct hftl_media *media, uint32_t chunk, uint32_t blocks, uint32_t life,
                           uint32_t *offset);
/* *right: whether what was read is what do_write wrote there. */
enum hftl_status do_read(struct hftl_media *media, uint32_t chunk, uint32_t offset, uint32_t blocks,
                         uint32_t life, bool *right);
/* How many blocks of a chunk can be read now. */
uint32_t count_readable(const struct hftl_media_facts *facts, const struct hftl_chunk *chunk);
/* Waits until reap has something or a second passed; lands up to max. */
unsigned wait_reap(struct hftl_media *media, unsigned max);

void fill_blocks(const struct hftl_media_facts *facts, uint32_t chunk, uint32_t offset,
                 uint32_t blocks, uint32_t life, uint8_t *data, uint8_t *oob);
bool check_blocks(const struct hftl_media_facts *facts, uint32_t chunk, uint32_t offset,
                  uint32_t blocks, uint32_t life, const uint8_t *data, const uint8_t *oob);

/* Geometries; ends with one whose name is NULL. */
struct shape {
    const char *name;
    struct emu_create_options options;
    uint64_t flat_bytes; /* not 0: a flat medium, and this the size of its file */
    struct flat_create_options flat;
};
extern const struct shape shapes[];

/* A path for a drive of this test, in a folder that is removed when the program ends. */
void make_path(char path[PATH_BYTES], const char *name);

#endif
