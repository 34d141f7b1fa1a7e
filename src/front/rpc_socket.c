/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rpc_socket.c - a socket's file that is the owner's alone from its first moment.
 *
 * Not with umask(2): that is the whole process's, and other threads make files too. On Linux the
 * file gets the mode that the socket has when it is bound, and a socket that is not bound yet can
 * be given one.
 */
#define _GNU_SOURCE
#include "front/rpc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 128

static int refuse(char *why, size_t why_bytes, const char *sentence)
{
    snprintf(why, why_bytes, "%s", sentence);
    return -1;
}

static int fail(char *why, size_t why_bytes, const char *what)
{
    snprintf(why, why_bytes, "%s: %s", what, strerror(errno));
    return -1;
}

/* The folder of `path`, locked, so that two servers do not clear and bind at one time; -1. */
static int lock_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    int fd;

    if (!folder)
        return -1;
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(folder);
    if (fd >= 0)
        flock(fd, LOCK_EX); /* some file systems have no locks: then without */
    return fd;
}

/* Without a word to whoever listens: a connection of another type is refused by the kernel, with
 * ECONNREFUSED where nothing is bound to the file any more, otherwise where a stream is. */
static bool is_stale(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool stale;

    if (fd < 0)
        return false; /* not known: leave it alone */
    stale = connect(fd, (const struct sockaddr *)address, sizeof *address) != 0 &&
            (errno == ECONNREFUSED || errno == ENOENT);
    close(fd);
    return stale;
}

/* 0: nothing stands at the path now. */
static int clear(const struct sockaddr_un *address, char *why, size_t why_bytes)
{
    struct stat stat;

    if (lstat(address->sun_path, &stat) != 0)
        return 0; /* bind will say if it is something else than absent */
    if (!S_ISSOCK(stat.st_mode))
        return refuse(why, why_bytes, "it exists and is no socket");
    if (!is_stale(address))
        return refuse(why, why_bytes, "somebody listens there");
    if (unlink(address->sun_path) != 0)
        return fail(why, why_bytes, "a socket that nobody listens to cannot be removed");
    return 0;
}

static int bind_private(const struct sockaddr_un *address, char *why, size_t why_bytes)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return fail(why, why_bytes, "no socket to be had");
    if (fchmod(fd, 0600) != 0)
        (void)fail(why, why_bytes, "the socket does not take a mode");
    else if (bind(fd, (const struct sockaddr *)address, sizeof *address) != 0)
        (void)fail(why, why_bytes, "it cannot be bound");
    else if (listen(fd, BACKLOG) != 0)
        (void)fail(why, why_bytes, "it cannot be listened to");
    else
        return fd;
    close(fd);
    return -1;
}

int rpc_listen(const char *path, char *why, size_t why_bytes)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int folder, fd = -1;

    if (!path[0] || strlen(path) >= sizeof address.sun_path) {
        snprintf(why, why_bytes, "the path of a socket may have %zu bytes",
                 sizeof address.sun_path - 1);
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path));
    folder = lock_folder(path);
    if (folder < 0)
        return fail(why, why_bytes, "its folder cannot be opened");
    if (clear(&address, why, why_bytes) == 0)
        fd = bind_private(&address, why, why_bytes);
    close(folder);
    return fd;
}
