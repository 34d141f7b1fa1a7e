/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nbdkit_farewell.h - lets clients go when the server is told to end.
 *
 * After SIGTERM nbdkit takes no new connection and waits until the clients that it has are gone. A
 * kernel's client never goes by itself: the server would stand there until somebody loses patience
 * and sends SIGKILL, and every planned stop would be a crash.
 *
 * OWNS      one thread, asleep, and handlers of SIGTERM, SIGINT and SIGQUIT that wake it and then
 *           call nbdkit's own.
 * PROMISES  then every connection's receiving side is shut: requests that were received are
 *           finished, no more are read, and nbdkit sees the connection's end. A client that then
 *           does not take its answers, stopped or in bad faith, keeps nbdkit writing to it for
 *           ever: after five seconds give_up() is called, and what is still connected is cut off.
 * IGNORES   requests, devices.
 *
 * nbdkit does not say which descriptors its clients have, so all connected stream sockets of the
 * process are taken; there are no others in an NBD server.
 */
#ifndef HOSTFTL_FRONT_NBDKIT_FAREWELL_H
#define HOSTFTL_FRONT_NBDKIT_FAREWELL_H

/*
 * 0, or an errno. After nbdkit has forked and set its signal handlers. give_up() runs at most once,
 * on the thread, while nbdkit's threads still wait for clients, and leaves nothing to be done but
 * to end. Why not cut off first, and let nbdkit end as ever? Because nbdkit 1.32, cut off while it
 * writes, may end by an assertion instead.
 */
int farewell_start(void (*give_up)(void));
/* When all connections are gone. Nothing happens when it was not started. */
void farewell_stop(void);

#endif
