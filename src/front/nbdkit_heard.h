/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nbdkit_heard.h - whether somebody takes what the server says.
 *
 * OWNS      the count of messages that were left out.
 * PROMISES  a server whose standard error is a pipe that nobody empties goes on serving. A drive
 *           that fails says a line for each block, and a write to a full pipe waits for ever.
 * IGNORES   what is said. Threads that say something in the same moment may each take the last
 *           room; a pipe has room for many lines when it has any.
 */
#ifndef HOSTFTL_FRONT_NBDKIT_HEARD_H
#define HOSTFTL_FRONT_NBDKIT_HEARD_H

#include <stdbool.h>
#include <stdint.h>

/*
 * True: a line of less than 4 KiB can be written to standard error now, and `unheard` is how many
 * could not since the last time that one could. False: it is counted, and must not be written.
 * For any thread. A system call.
 */
bool heard_now(uint64_t *unheard);

#endif
