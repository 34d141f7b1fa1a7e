/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hold.h - one writer, or readers: the lock on a file or device that is a medium, or on a part of
 * it.
 *
 * The lock belongs to the open file, so it is gone when the last process that shares it is. The
 * kernel may need a moment for that with a process that was killed with I/O under way, and whoever
 * restarts after a kill must not be told that the dead have the drive: so the lock is waited for
 * while the one who holds it, by what the medium says, does not run.
 */
#ifndef HOSTFTL_MEDIA_HOLD_H
#define HOSTFTL_MEDIA_HOLD_H

#include <stdint.h>

/* Who has parallel units for writing. */
struct holder {
    uint32_t pu_first, pu_count;
    uint32_t pid; /* 0: not known */
};

/* The bytes of the file that stand for what is locked; count 0: from `first` on for ever. They need
 * not be there, and say nothing about what is read or written at their place. */
struct hold_span {
    uint64_t first, count;
};

/*
 * All of the span or nothing, at once: two that overlap never both get their part.
 * `command` is F_OFD_SETLK or F_OFD_GETLK (take it, or look whether it could be taken), `type`
 * F_RDLCK or F_WRLCK. `find_holder` reads who wrote last that he has the byte `at` (0: nobody
 * known); NULL: do not wait. 0, EAGAIN (somebody has a part of it: the span is then his, as far as
 * one of his locks goes) or another errno.
 */
int hold_file(int fd, int command, short type, struct hold_span *span,
              uint32_t (*find_holder)(int fd, uint64_t at));

#endif
