/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * emu_file.h - the file below an emulated drive: claimed, read and believed, its table kept.
 *
 * OWNS      the descriptor with its locks, header, layout, sessions, and the table's bytes as they
 *           are to be in the file.
 * PROMISES  what is claimed is whole: every byte of metadata of these PUs passed its checks. Of
 *           other PUs nothing is written, and what is read of them may be old.
 * IGNORES   what is in flight, the cache, when anything is durable.
 *
 * THE TABLE in memory is never ahead of the data in the file (E2), so any part of it may be written
 * at any time. emu_file_note changes it there, emu_file_write_record and _write_table bring it to
 * the file: single records while data trickles out, whole pages after a flush of many chunks (of a
 * page that is shared with another process, our part).
 *
 * LOCKS are on bytes of the file that stand for something:
 *
 *     0 .. PUs - 1      byte n is PU n: for writing, or shared by readers
 *     EMU_FORMAT_BYTE   the right to make and remove devices on the drive
 */
#ifndef HOSTFTL_MEDIA_EMU_FILE_H
#define HOSTFTL_MEDIA_EMU_FILE_H

#include "media/emu_format.h"
#include "media/hold.h"
#include "media/say.h"

#define EMU_FORMAT_BYTE (UINT64_C(1) << 40)

struct emu_file {
    int fd;
    bool read_only;
    struct emu_header header;
    struct emu_layout layout;
    uint32_t pu_first, pu_count;  /* claimed, or all when nothing is */
    struct emu_session *sessions; /* of all PUs, as they were found */
    struct emu_session session;   /* of those claimed, with the first one's account */
    uint8_t *table;               /* all records */
    uint64_t *changed;            /* bit per page of the table: differs from the file */
};

/* 0, or -1 with errno; complete, not interrupted. */
int emu_file_write_all(int fd, const void *bytes, size_t count, uint64_t at);
int emu_file_read_all(int fd, void *bytes, size_t count, uint64_t at);

/* Of this run of the host; zeros when it cannot be known. */
void emu_file_boot_id(uint8_t id[16]);

/* All of the drive at `path`, to replace it: BUSY with a sentence when some process has any of it.
 * `*fd` holds it until it is closed; -1: it cannot be opened, and rename will tell. */
HFTL_MUST_USE enum hftl_status emu_file_claim_all(const char *path, int *fd, const struct say *to);

enum emu_file_how { EMU_CLAIM_WRITE, EMU_CLAIM_READ, EMU_CLAIM_NONE };

struct emu_claim {
    enum emu_file_how how;
    uint32_t pu_first, pu_count; /* 0, 0: all */
    bool format;                 /* and the right to format, which is waited for */
};

/* Claims, reads and checks what is claimed; with EMU_CLAIM_NONE, everything. On failure nothing is
 * left to close. INVALID: no such PUs. */
HFTL_MUST_USE enum hftl_status emu_file_open_pus(struct emu_file *file, const char *path,
                                                 const struct emu_claim *claim,
                                                 const struct say *to);
/* The same for the whole drive. */
HFTL_MUST_USE enum hftl_status emu_file_open(struct emu_file *file, const char *path,
                                             enum emu_file_how how, const struct say *to);
void emu_file_close(struct emu_file *file);

/* The record of a chunk as the table has it. */
HFTL_MUST_USE enum hftl_status emu_file_record(const struct emu_file *file, uint32_t chunk,
                                               struct emu_record *record);
/* Reads the record anew, in case another process has changed it. CORRUPT, IO. */
HFTL_MUST_USE enum hftl_status emu_file_reload(struct emu_file *file, uint32_t chunk,
                                               struct emu_record *record);
void emu_file_note(struct emu_file *file, uint32_t chunk, const struct emu_record *record);
/* All of these: 0 or an errno. */
HFTL_MUST_USE int emu_file_write_record(struct emu_file *file, uint32_t chunk);
HFTL_MUST_USE int emu_file_write_table(struct emu_file *file);
HFTL_MUST_USE int emu_file_write_session(struct emu_file *file);

/* Another process has some of these PUs for writing: the first of them, and its id, or 0 when that
 * is not known. */
bool emu_file_is_claimed(const struct emu_file *file, uint32_t pu_first, uint32_t pu_count,
                         struct holder *holder);

#endif
