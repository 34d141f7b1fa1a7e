/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nbdkit-hostftl-send.so - keeps nbdkit before 1.34 alive when a client dies. For LD_PRELOAD;
 * needed with Debian 12, without effect elsewhere.
 *
 * In such an nbdkit, when sending a reply fails, the connection's socket is forgotten, and the next
 * thread with a reply to the same client finds none and stops the process with an assertion. One
 * client that is killed while it reads takes the server away from all others.
 *
 * So sending to a client that is gone does not fail here: the reply is thrown away, for nobody
 * waits for it. nbdkit learns of the client's end where it reads requests, and closes the
 * connection then, in good order. Nothing else in the process sends to anybody who would have to
 * know.
 */
#define _GNU_SOURCE
#include <hostftl/types.h>

#include <errno.h>
#include <sys/socket.h>

HFTL_PUBLIC ssize_t send(int fd, const void *data, size_t bytes, int flags)
{
    ssize_t sent = sendto(fd, data, bytes, flags, NULL, 0);

    if (sent < 0 && (errno == EPIPE || errno == ECONNRESET || errno == ETIMEDOUT))
        return (ssize_t)bytes;
    return sent;
}
