/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hold.h - one writer, or readers: the lock on a file or device that is a medium.
 *
 * The lock belongs to the open file, so it is gone when the last process that shares it is. The
 * kernel may need a moment for that with a process that was killed with I/O under way, and whoever
 * restarts after a kill must not be told that the dead have the drive: so the lock is waited for
 * while the one who holds it, by what the medium says, does not run.
 */
#ifndef HOSTFTL_MEDIA_HOLD_H
#define HOSTFTL_MEDIA_HOLD_H

#include <stdint.h>

/*
 * `command` is F_OFD_SETLK or F_OFD_GETLK (take it, or look whether it could be taken), `type`
 * F_RDLCK or F_WRLCK. `find_holder` reads who wrote last that he has it (0: nobody known); NULL: do
 * not wait. 0, EAGAIN (somebody has it) or another errno.
 */
int hold_file(int fd, int command, short type, uint32_t (*find_holder)(int fd));

#endif
