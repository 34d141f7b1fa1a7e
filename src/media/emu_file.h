/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * emu_file.h - the file below an emulated drive: claimed, read and believed, its table kept.
 *
 * OWNS      the descriptor with its lock, header, layout, session, and the table's bytes as they
 *           are to be in the file.
 * PROMISES  a file that is opened is whole: every byte of metadata passed its checks.
 * IGNORES   what is in flight, the cache, when anything is durable.
 *
 * THE TABLE in memory is never ahead of the data in the file (E2), so any part of it may be written
 * at any time. emu_file_note changes it there, emu_file_write_record and _write_table bring it to
 * the file: single records while data trickles out, whole pages after a flush of many chunks.
 */
#ifndef HOSTFTL_MEDIA_EMU_FILE_H
#define HOSTFTL_MEDIA_EMU_FILE_H

#include "media/emu_format.h"
#include "media/say.h"

struct emu_file {
    int fd;
    bool read_only;
    struct emu_header header;
    struct emu_layout layout;
    struct emu_session session;
    uint8_t *table;    /* all records */
    uint64_t *changed; /* bit per page of the table: differs from the file */
};

/* 0, or -1 with errno; complete, not interrupted. */
int emu_file_write_all(int fd, const void *bytes, size_t count, uint64_t at);
int emu_file_read_all(int fd, void *bytes, size_t count, uint64_t at);

/* Of this run of the host; zeros when it cannot be known. */
void emu_file_boot_id(uint8_t id[16]);

/* BUSY with a sentence when some process has the drive at `path`. */
HFTL_MUST_USE enum hftl_status emu_file_check_unclaimed(const char *path, const struct say *to);

enum emu_file_claim { EMU_CLAIM_WRITE, EMU_CLAIM_READ, EMU_CLAIM_NONE };

/* Claims, reads and checks everything. On failure nothing is left to close. */
HFTL_MUST_USE enum hftl_status emu_file_open(struct emu_file *file, const char *path,
                                             enum emu_file_claim claim, const struct say *to);
void emu_file_close(struct emu_file *file);

/* The record of a chunk as the table has it. */
HFTL_MUST_USE enum hftl_status emu_file_record(const struct emu_file *file, uint32_t chunk,
                                               struct emu_record *record);
void emu_file_note(struct emu_file *file, uint32_t chunk, const struct emu_record *record);
/* All of these: 0 or an errno. */
HFTL_MUST_USE int emu_file_write_record(struct emu_file *file, uint32_t chunk);
HFTL_MUST_USE int emu_file_write_table(struct emu_file *file);
HFTL_MUST_USE int emu_file_write_session(struct emu_file *file);

/* Another process has it: its id, or 0 when that is not known. */
bool emu_file_is_claimed(const struct emu_file *file, uint32_t *pid);

#endif
