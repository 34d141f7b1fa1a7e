/* SPDX-License-Identifier: BSD-3-Clause */
/* socket.c - see socket.h. */
#include "tool/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "tool/tool.h"

#define BACKLOG 128
#define PATIENCE_SECONDS 5

/* False: the path is longer than a socket's address can be. */
static bool address_of(const char *path, struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (path[0] == '\0' || strlen(path) >= sizeof address->sun_path)
        return false;
    memcpy(address->sun_path, path, strlen(path));
    return true;
}

static int dial(const char *path, int type, int flags)
{
    struct sockaddr_un address;
    int fd;

    if (!address_of(path, &address)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = socket(AF_UNIX, type | SOCK_CLOEXEC | flags, 0);
    if (fd < 0)
        return -1;
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    int err = errno;
    (void)close(fd);
    errno = err;
    return -1;
}

int socket_connect(const char *path)
{
    return dial(path, SOCK_STREAM, 0);
}

int socket_connect_now(const char *path)
{
    static const struct timeval patience = {.tv_sec = PATIENCE_SECONDS};
    int fd = dial(path, SOCK_STREAM, SOCK_NONBLOCK);

    if (fd < 0)
        return -1;
    (void)fcntl(fd, F_SETFL, 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return fd;
}

/*
 * Whether a socket is bound there, without a word to whoever listens: a connection of another type
 * is refused by the kernel, with EPROTOTYPE where there is a stream socket, with ECONNREFUSED where
 * nothing is bound to the file any more.
 */
static bool is_stale(const char *path)
{
    int fd = dial(path, SOCK_DGRAM, 0);
    int err = errno;

    if (fd >= 0)
        (void)close(fd);
    return fd < 0 && err == ECONNREFUSED;
}

/* Takes away a socket that nobody listens to. HFTL_OK: nothing stands at `path` now. */
static enum hftl_status clear(const char *path, char *why, size_t why_bytes)
{
    struct stat stat;

    if (lstat(path, &stat) != 0)
        return HFTL_OK; /* bind will say if that is not because it is absent */
    if (!S_ISSOCK(stat.st_mode)) {
        (void)snprintf(why, why_bytes, "%s exists and is no socket; name another path", path);
        return HFTL_INVALID;
    }
    if (!is_stale(path)) {
        (void)snprintf(why, why_bytes,
                       "socket path in use: somebody listens at %s; stop that server or name "
                       "another path",
                       path);
        return HFTL_BUSY;
    }
    if (unlink(path) == 0)
        return HFTL_OK;
    (void)snprintf(why, why_bytes, "cannot remove the stale socket %s: %s", path, strerror(errno));
    return tool_status_of_errno(errno);
}

static int bind_and_listen(const char *path)
{
    struct sockaddr_un address;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    mode_t mask;
    int err;

    if (fd < 0 || !address_of(path, &address))
        goto failed;
    mask = umask(0177); /* the file is born with mode 0600 */
    int bound = bind(fd, (const struct sockaddr *)&address, sizeof address);
    err = errno;
    (void)umask(mask);
    errno = err;
    if (bound != 0)
        goto failed;
    if (listen(fd, BACKLOG) == 0)
        return fd;
failed:
    err = errno;
    if (fd >= 0)
        (void)close(fd);
    errno = err;
    return -1;
}

/* The folder of `path`, locked; -1 and errno. */
static int lock_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash == NULL ? strdup(".") : strndup(path, (size_t)(slash - path) + 1);
    int fd;

    tool_made(folder);
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(folder);
    if (fd >= 0)
        (void)flock(fd, LOCK_EX); /* best effort: some file systems have no locks */
    return fd;
}

int socket_listen(const char *path, enum hftl_status *status, char *why, size_t why_bytes)
{
    struct sockaddr_un address;
    int folder;
    int fd = -1;

    if (!address_of(path, &address)) {
        *status = HFTL_INVALID;
        (void)snprintf(why, why_bytes, "the path of a socket may have %zu bytes: %s",
                       sizeof address.sun_path - 1, path);
        return -1;
    }
    folder = lock_folder(path);
    if (folder < 0) {
        *status = tool_status_of_errno(errno);
        (void)snprintf(why, why_bytes, "cannot open the folder of %s: %s", path, strerror(errno));
        return -1;
    }
    *status = clear(path, why, why_bytes);
    if (*status == HFTL_OK) {
        fd = bind_and_listen(path);
        if (fd < 0) {
            *status = tool_status_of_errno(errno);
            (void)snprintf(why, why_bytes, "cannot listen at %s: %s", path, strerror(errno));
        }
    }
    (void)close(folder);
    return fd;
}

/* All of it, or false at the end of the stream. */
static bool receive(int fd, uint8_t *bytes, size_t count)
{
    while (count > 0) {
        ssize_t n = read(fd, bytes, count);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes += n;
        count -= (size_t)n;
    }
    return true;
}

bool socket_greeted(int fd)
{
    /* Flags: fixed newstyle, as the server offered. Option 2 is NBD_OPT_ABORT, without data. */
    static const uint8_t leave[] = {0,   0,   0, 1, 'I', 'H', 'A', 'V', 'E', 'O',
                                    'P', 'T', 0, 0, 0,   2,   0,   0,   0,   0};
    uint8_t greeting[18];
    uint8_t rest[64];

    if (!receive(fd, greeting, sizeof greeting) || memcmp(greeting, "NBDMAGICIHAVEOPT", 16) != 0)
        return false;
    if (send(fd, leave, sizeof leave, MSG_NOSIGNAL) == (ssize_t)sizeof leave) {
        while (read(fd, rest, sizeof rest) > 0)
            ;
    }
    return true;
}

bool socket_uri(const char *path, char *uri, size_t uri_bytes)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
    int used = snprintf(uri, uri_bytes, "nbd+unix:///?socket=");

    for (; *path != '\0'; path++) {
        if (used < 0 || (size_t)used + 4 > uri_bytes)
            return false;
        if (strchr(plain, *path) != NULL)
            used += snprintf(uri + used, uri_bytes - (size_t)used, "%c", *path);
        else
            used += snprintf(uri + used, uri_bytes - (size_t)used, "%%%02X", (unsigned char)*path);
    }
    return true;
}
