/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rpc.h - the management socket of a served device: JSON-RPC 2.0, one message a line, over a Unix
 * socket. What may be asked is in hostftl-rpc(7).
 *
 * OWNS      the socket's file, two threads, the clients' connections.
 * PROMISES  - only the owner of the process may connect: the file has mode 0600 from its first
 *             moment. It is removed at the end, unless somebody put another one in its place.
 *           - whatever clients send, or do not send, costs the device nothing but the calls
 *             themselves; and the process at most RPC_CLIENTS_MAX times the memory of one line and
 *             one answer.
 *           - calls of one connection are answered in their order.
 * IGNORES   what the calls do (rpc_methods.c), and NBD.
 *
 * A CONNECTION
 *
 *      reading ----- a line -----> calling ------ answer -----> writing --- all of it ---> reading
 *         |  line too long, end                                   | the peer is gone
 *         '----------------------> closed <-----------------------'
 *
 *   R1  what a client sends is not read while its last answer has not been taken: a client that
 *       does not read stops itself, and nobody else.
 *   R2  one line of each client in a turn.
 *   R3  with RPC_CLIENTS_MAX connections a further one takes the place of the one that was silent
 *       for longest: nobody is locked out by connections that do nothing.
 *   R4  calls that wait for the drive are made by a second thread, one after the other, at most
 *       RPC_WAITING_MAX in all: whoever asks something else meanwhile is answered. A connection
 *       whose call is made there, or waits for a place there, is not read.
 */
#ifndef HOSTFTL_FRONT_RPC_H
#define HOSTFTL_FRONT_RPC_H

#include <hostftl/hostftl.h>

#define RPC_CLIENTS_MAX 32u
#define RPC_WAITING_MAX 16u
#define RPC_LINE_BYTES_MAX (64u << 10)
#define RPC_ANSWER_BYTES_MAX (1u << 20)

struct rpc;

/* Listens at `path` and serves the device until rpc_stop. `drive` is its name for people; both
 * strings must outlive the server. NULL: a sentence in `why` without the path. */
struct rpc *rpc_start(const char *path, struct hftl_device *device, const char *drive, char *why,
                      size_t why_bytes);
/* Before the device is closed. The call under way, if there is one, is finished. NULL: nothing. */
void rpc_stop(struct rpc *rpc);

/* ---- between the files of rpc ---------------------------------------------------------------- */

/* rpc_socket.c. A listening socket, or -1 and why. */
int rpc_listen(const char *path, char *why, size_t why_bytes);

/* rpc_call.c. What calls are made on. */
struct rpc_target {
    struct hftl_device *device;
    struct hftl_channel *channel;
    const char *drive;
};
/* The answer to a line, with its newline, in memory that the caller frees; NULL: there is none to
 * be given (notifications), or no memory. */
char *rpc_answer(const struct rpc_target *target, const char *line, size_t bytes,
                 size_t *answer_bytes);
/* Does a call in it wait for the drive? */
bool rpc_waits(const char *line, size_t bytes);
/* The answer to a line that is too long to be looked at. */
char *rpc_answer_too_long(size_t *answer_bytes);

/* rpc_waiter.c. R4; `slot` is whose line it is. `wake` gets 1 added when an answer is there. */
struct rpc_waiter;
enum rpc_taken { RPC_TAKEN, RPC_FULL, RPC_NO_MEMORY };
/* NULL: no memory, or no thread. */
struct rpc_waiter *rpc_waiter_start(const struct rpc_target *target, int wake);
enum rpc_taken rpc_waiter_take(struct rpc_waiter *waiter, unsigned slot, const char *line,
                               size_t bytes);
/* Nobody wants this one's answer any more. */
void rpc_waiter_forget(struct rpc_waiter *waiter, unsigned slot);
/* The next answer (which may be NULL, as rpc_answer's); false: none yet. */
bool rpc_waiter_done(struct rpc_waiter *waiter, unsigned *slot, char **answer, size_t *bytes);
/* The call under way is finished, those that wait are not made. NULL: nothing. */
void rpc_waiter_stop(struct rpc_waiter *waiter);

#endif
