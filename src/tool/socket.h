/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * socket.h - a Unix socket that only its owner may use, and the first words of NBD over it.
 *
 * PROMISES  between two runs of hostftl no race: looking whether anybody listens (who does not
 *           notice), taking a stale file away, binding and listening happen under a lock on the
 *           folder. The file has mode 0600 from its first moment.
 */
#ifndef HOSTFTL_TOOL_SOCKET_H
#define HOSTFTL_TOOL_SOCKET_H

#include <stddef.h>

#include <hostftl/types.h>

/* Listens at `path`. The descriptor, or -1 with *status and a sentence in `why`: BUSY when somebody
 * listens there, EXISTS when something that is no socket stands there. */
int socket_listen(const char *path, enum hftl_status *status, char *why, size_t why_bytes);

/* Connects; -1 and errno. Waits while the listener's queue is full. */
int socket_connect(const char *path);
/* The same, but never waits: EAGAIN while the queue is full. What is read from it later waits for a
 * while only (SO_RCVTIMEO). */
int socket_connect_now(const char *path);

/* On a connection: waits for an NBD server's greeting and takes leave politely. True: it is there
 * and serves. False: whoever listened went away, or speaks something else. */
bool socket_greeted(int fd);

/* "nbd+unix:///?socket=PATH", escaped. False: no room. */
bool socket_uri(const char *path, char *uri, size_t uri_bytes);

#endif
