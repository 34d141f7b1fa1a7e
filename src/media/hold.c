/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "media/hold.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { PAUSE_MS = 5, TRIES_MAX = 400 };

static int lock_once(int fd, int command, short type, struct hold_span *span)
{
    struct flock lock = {.l_type = type,
                         .l_whence = SEEK_SET,
                         .l_start = (off_t)span->first,
                         .l_len = (off_t)span->count};
    int error = fcntl(fd, command, &lock) == 0 ? 0 : errno == EACCES ? EAGAIN : errno;
    if (error == EAGAIN) /* who? If he has gone meanwhile, the span stays as it is */
        (void)!fcntl(fd, F_OFD_GETLK, &lock);
    else if (error == 0 && command == F_OFD_GETLK && lock.l_type != F_UNLCK)
        error = EAGAIN;
    if (error == EAGAIN && lock.l_type != F_UNLCK)
        *span = (struct hold_span){(uint64_t)lock.l_start, (uint64_t)lock.l_len};
    return error;
}

/* A zombie does not run; a process that cannot be seen from here is taken for dead too. */
static bool is_running(uint32_t pid)
{
    char path[40], state = 'Z';
    snprintf(path, sizeof path, "/proc/%u/stat", pid);
    FILE *from = fopen(path, "re");
    if (!from)
        return access("/proc/self/stat", F_OK) != 0; /* no /proc: nothing is known */
    int c = fgetc(from);
    while (c != EOF && c != ')')
        c = fgetc(from);
    if (fgetc(from) == ' ')
        state = (char)fgetc(from);
    fclose(from);
    return state != 'Z' && state != 'X';
}

int hold_file(int fd, int command, short type, struct hold_span *span,
              uint32_t (*find_holder)(int fd, uint64_t at))
{
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
    struct hold_span theirs = *span;
    int error = lock_once(fd, command, type, &theirs);
    for (int tries = 0; find_holder && error == EAGAIN && tries < TRIES_MAX; tries++) {
        uint32_t holder = find_holder(fd, theirs.first > span->first ? theirs.first : span->first);
        if (holder == 0 || is_running(holder))
            break;
        nanosleep(&pause, NULL);
        theirs = *span;
        error = lock_once(fd, command, type, &theirs);
    }
    if (error == EAGAIN)
        *span = theirs;
    return error;
}
