/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * types.h - the words that every other header speaks.
 *
 * Three kinds of number look alike and must never be mixed, so each is a struct with one field and
 * the compiler refuses to confuse them:
 *
 *   hftl_lba   which block of the user's address space        (0 .. exported blocks - 1)
 *   hftl_pba   which physical block of the medium, as the translation layer counts them
 *   hftl_seq   when: the sequence number of a user write; it travels with the block for ever
 *
 * One list names everything that can go wrong. It gives the enum, the text, the errno that a caller
 * of the public interface sees, and the line in the manual (hostftl(3), ERRORS).
 */
#ifndef HOSTFTL_TYPES_H
#define HOSTFTL_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* clang-format off */
typedef struct { uint64_t n; } hftl_lba;
typedef struct { uint64_t n; } hftl_pba;
typedef struct { uint64_t n; } hftl_seq;
/* clang-format on */

/* Bytes of a block as users see them. A medium may have smaller blocks (the simulator does). */
#define HFTL_BLOCK_BYTES 4096u

/*
 * X(name, errno, text). Three kinds of wrong: the request (the caller must change something), the
 * world failing (a device refused or a resource ran out), the world lying (what was read is not
 * what was written). "We are wrong" is not here: that is must(), which stops the process.
 */
#define HFTL_STATUS_LIST(X)                                                                        \
    X(OK, 0, "success")                                                                            \
    /* the request */                                                                              \
    X(INVALID, EINVAL, "invalid argument")                                                         \
    X(UNALIGNED, EINVAL, "not a multiple of the block size")                                       \
    X(RANGE, ENXIO, "beyond the end of the device")                                                \
    X(BUSY, EBUSY, "in use by another process")                                                    \
    X(EXISTS, EEXIST, "already there")                                                             \
    X(ABSENT, ENOENT, "no such file or device")                                                    \
    X(FORBIDDEN, EACCES, "permission denied")                                                      \
    X(READ_ONLY, EROFS, "the device is read-only")                                                 \
    X(CLOSING, ESHUTDOWN, "the device is being closed")                                            \
    X(UNSUPPORTED, EOPNOTSUPP, "not supported by this device or version")                          \
    X(GEOMETRY, EINVAL, "the geometry cannot carry a device")                                      \
    X(AGAIN, EAGAIN, "the queue is full")                                                          \
    /* the world fails */                                                                          \
    X(MEMORY, ENOMEM, "out of memory")                                                             \
    X(SPACE, ENOSPC, "no space left")                                                              \
    X(IO, EIO, "the device reported an I/O error")                                                 \
    X(OFFLINE, EIO, "the chunk is offline")                                                        \
    X(CLOSED_EARLY, EIO, "the drive closed the chunk before it was full")                          \
    X(WRITE_SKIPPED, EIO, "the write unit failed; the chunk goes on after it")                     \
    X(FLUSH_FAILED, EIO, "an earlier flush failed; see the loss list")                             \
    /* a rule of the medium was broken: a defect of ours */                                        \
    X(RULE_ORDER, EIO, "rule broken: a write that does not start at the write pointer")            \
    X(RULE_ALIGN, EIO, "rule broken: a write that is not a multiple of ws_min")                    \
    X(RULE_BOUNDS, EIO, "rule broken: an address beyond the chunk's capacity")                     \
    X(RULE_STATE, EIO, "rule broken: the chunk's state does not allow this operation")             \
    X(RULE_OPEN_LIMIT, EIO, "rule broken: more chunks open or active than the drive allows")       \
    X(RULE_READ, EIO, "rule broken: a read of blocks that are not readable yet")                   \
    X(RULE_FLIGHT, EIO, "rule broken: two writes in flight in one chunk")                          \
    /* the world lies */                                                                           \
    X(FOREIGN, EMEDIUMTYPE, "not a hostftl device")                                                \
    X(VERSION, EPROTONOSUPPORT, "written by another version of the format")                        \
    X(CORRUPT, EILSEQ, "metadata that fails its checks")                                           \
    X(MISMATCH, EIO, "the block read is not the block that was written")                           \
    X(LOST, EIO, "the block was lost and has not been written again")                              \
    X(TRUNCATED, EIO, "the file is shorter than its header says")                                  \
    X(ROLLBACK, EIO, "the device lost flushed data")

enum hftl_status {
#define HFTL_STATUS_ENUM(name, err, text) HFTL_##name,
    HFTL_STATUS_LIST(HFTL_STATUS_ENUM)
#undef HFTL_STATUS_ENUM
        HFTL_STATUS_COUNT
};

#if defined(__GNUC__)
#define HFTL_MUST_USE __attribute__((warn_unused_result))
#define HFTL_PUBLIC __attribute__((visibility("default")))
#else
#define HFTL_MUST_USE
#define HFTL_PUBLIC
#endif

/* Static text, never NULL; an unknown number has a text too. */
HFTL_PUBLIC const char *hftl_status_text(enum hftl_status status);
/* The short name, for logs and JSON: "RULE_ORDER". Static, never NULL. */
HFTL_PUBLIC const char *hftl_status_name(enum hftl_status status);
/* A positive errno, 0 for HFTL_OK. */
HFTL_PUBLIC int hftl_status_errno(enum hftl_status status);

/* Where messages go. `message` is one line without its end and lives only for the call. The hook
 * must not call the library. */
enum hftl_log_level { HFTL_LOG_ERROR, HFTL_LOG_WARN, HFTL_LOG_INFO, HFTL_LOG_DEBUG };
typedef void (*hftl_log_fn)(void *arg, enum hftl_log_level level, const char *message);

#ifdef __cplusplus
}
#endif
#endif
