/* SPDX-License-Identifier: BSD-3-Clause */
/* rpc_server.c - the thread and its connections; see rpc.h. */
#define _GNU_SOURCE
#include "front/rpc.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_BYTES_FIRST 1024u
/* Descriptors ran out: how long nobody is let in. */
#define NO_ROOM_MS 200

struct client {
    int fd; /* -1: nobody */
    char *in;
    size_t in_used, in_room;
    char *out; /* NULL: nothing to be sent */
    size_t out_used, out_sent;
    uint64_t turn; /* the last one in which it said something */
    bool last;     /* closed after this answer */
    bool busy;     /* its call is with the waiter */
    bool held;     /* it waits for a place there */
};

struct rpc {
    struct rpc_target target;
    const char *path;
    struct stat file; /* of the socket, to know it again */
    int listening, wake;
    _Atomic bool stopped;
    pthread_t thread;
    struct rpc_waiter *waiter;
    uint64_t turn;
    bool no_room;
    struct client clients[RPC_CLIENTS_MAX];
};

/* ---- one connection -------------------------------------------------------------------------- */

static unsigned slot_of(const struct rpc *rpc, const struct client *client)
{
    return (unsigned)(client - rpc->clients);
}

static void drop(struct rpc *rpc, struct client *client)
{
    if (client->busy)
        rpc_waiter_forget(rpc->waiter, slot_of(rpc, client));
    close(client->fd);
    free(client->in);
    free(client->out);
    *client = (struct client){.fd = -1};
}

static size_t line_bytes(const struct client *client)
{
    const char *end = client->in_used == 0 ? NULL : memchr(client->in, '\n', client->in_used);
    return end ? (size_t)(end - client->in) + 1 : 0;
}

/* False: the peer is gone. What does not go now goes when poll says so. */
static bool write_out(struct client *client)
{
    while (client->out && client->out_sent < client->out_used) {
        ssize_t n = send(client->fd, client->out + client->out_sent,
                         client->out_used - client->out_sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK;
        client->out_sent += (size_t)n;
    }
    free(client->out);
    client->out = NULL;
    return !client->last;
}

static bool make_room(struct client *client)
{
    size_t room = client->in_room == 0 ? LINE_BYTES_FIRST : client->in_room * 2;
    char *more;

    if (client->in_used < client->in_room || client->in_room == RPC_LINE_BYTES_MAX)
        return true;
    more = realloc(client->in, room);
    if (!more)
        return false;
    client->in = more;
    client->in_room = room;
    return true;
}

/* False: the peer is gone, or there is no memory for it. */
static bool read_in(struct rpc *rpc, struct client *client)
{
    ssize_t n;

    if (!make_room(client))
        return false;
    do
        n = recv(client->fd, client->in + client->in_used, client->in_room - client->in_used,
                 MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK;
    client->in_used += (size_t)n;
    client->turn = rpc->turn;
    return n > 0;
}

/* The first line is answered, or given to the waiter, and taken out (R2, R4). False: there is no
 * memory for it. */
static bool answer_line(struct rpc *rpc, struct client *client, size_t bytes)
{
    enum rpc_taken taken = RPC_TAKEN;

    if (rpc_waits(client->in, bytes - 1)) {
        taken = rpc_waiter_take(rpc->waiter, slot_of(rpc, client), client->in, bytes - 1);
        client->busy = taken == RPC_TAKEN;
    } else {
        client->out = rpc_answer(&rpc->target, client->in, bytes - 1, &client->out_used);
        client->out_sent = 0;
    }
    client->held = taken == RPC_FULL;
    if (taken != RPC_TAKEN)
        return taken == RPC_FULL;
    client->in_used -= bytes;
    memmove(client->in, client->in + bytes, client->in_used);
    return true;
}

/* False: drop it. */
static bool attend(struct rpc *rpc, struct client *client, short events)
{
    size_t bytes;

    if (!write_out(client))
        return false;
    if (client->out || client->busy)
        return true; /* R1, R4 */
    if (line_bytes(client) == 0 && events & (POLLIN | POLLHUP | POLLERR) && !read_in(rpc, client))
        return false;
    bytes = line_bytes(client);
    if (bytes > 0 && !answer_line(rpc, client, bytes))
        return false;
    if (bytes == 0 && client->in_used == RPC_LINE_BYTES_MAX) {
        client->out = rpc_answer_too_long(&client->out_used);
        client->out_sent = 0;
        client->last = true;
    }
    return write_out(client);
}

/* ---- all of them ----------------------------------------------------------------------------- */

/* A free place, or that of whoever was silent for longest (R3). */
static struct client *find_place(struct rpc *rpc)
{
    struct client *oldest = NULL;

    for (unsigned i = 0; i < RPC_CLIENTS_MAX; i++) {
        struct client *client = &rpc->clients[i];
        if (client->fd < 0)
            return client;
        if (!client->busy && (!oldest || client->turn < oldest->turn))
            oldest = client; /* there is one: fewer than all may be busy */
    }
    drop(rpc, oldest);
    return oldest;
}

static void let_in(struct rpc *rpc)
{
    int fd = accept4(rpc->listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct client *client;

    if (fd < 0) {
        rpc->no_room = errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS;
        return;
    }
    client = find_place(rpc);
    *client = (struct client){.fd = fd, .turn = ++rpc->turn}; /* younger than all before it */
}

/* What to wait for. Returns the timeout. */
static int prepare(struct rpc *rpc, struct pollfd *polled)
{
    int timeout = rpc->no_room ? NO_ROOM_MS : -1;

    polled[0] = (struct pollfd){.fd = rpc->wake, .events = POLLIN};
    polled[1] = (struct pollfd){.fd = rpc->no_room ? -1 : rpc->listening, .events = POLLIN};
    for (unsigned i = 0; i < RPC_CLIENTS_MAX; i++) {
        const struct client *client = &rpc->clients[i];
        polled[2 + i] = (struct pollfd){.fd = client->busy || client->held ? -1 : client->fd,
                                        .events = client->out ? POLLOUT : POLLIN};
        if (polled[2 + i].fd >= 0 && !client->out && line_bytes(client) > 0)
            timeout = 0; /* it waits for its turn, not for its peer */
    }
    rpc->no_room = false;
    return timeout;
}

/* Answers of the waiter's go out; there is a place for another line. */
static void take_answers(struct rpc *rpc)
{
    uint64_t count;
    char *answer;
    size_t bytes;
    unsigned slot;

    (void)!read(rpc->wake, &count, sizeof count);
    while (rpc_waiter_done(rpc->waiter, &slot, &answer, &bytes)) {
        struct client *client = &rpc->clients[slot];
        client->busy = false;
        client->out = answer;
        client->out_used = bytes;
        client->out_sent = 0;
    }
    for (unsigned i = 0; i < RPC_CLIENTS_MAX; i++)
        rpc->clients[i].held = false;
}

static void *serve(void *arg)
{
    struct rpc *rpc = arg;
    struct pollfd polled[2 + RPC_CLIENTS_MAX];

    while (!atomic_load(&rpc->stopped)) {
        int timeout = prepare(rpc, polled);
        if (poll(polled, 2 + RPC_CLIENTS_MAX, timeout) < 0)
            continue; /* interrupted */
        rpc->turn++;
        for (unsigned i = 0; i < RPC_CLIENTS_MAX; i++) {
            struct client *client = &rpc->clients[i];
            bool there = polled[2 + i].fd >= 0;
            if (there && (polled[2 + i].revents || line_bytes(client) > 0) &&
                !attend(rpc, client, polled[2 + i].revents))
                drop(rpc, client);
        }
        if (polled[0].revents & POLLIN)
            take_answers(rpc);
        if (polled[1].revents & POLLIN)
            let_in(rpc);
    }
    return NULL;
}

/* ---- from outside ---------------------------------------------------------------------------- */

/* The process's signals are for others. */
static int start_thread(struct rpc *rpc)
{
    sigset_t all, before;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&rpc->thread, NULL, serve, rpc);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error == 0)
        pthread_setname_np(rpc->thread, "hostftl-rpc");
    return error;
}

/* Somebody may have put something of his own in its place. */
static void remove_file(const struct rpc *rpc)
{
    struct stat now;

    if (lstat(rpc->path, &now) == 0 && now.st_dev == rpc->file.st_dev &&
        now.st_ino == rpc->file.st_ino)
        unlink(rpc->path);
}

static void free_rpc(struct rpc *rpc)
{
    if (rpc->listening >= 0) {
        remove_file(rpc);
        close(rpc->listening);
    }
    if (rpc->wake >= 0)
        close(rpc->wake);
    hftl_channel_close(rpc->target.channel);
    free(rpc);
}

struct rpc *rpc_start(const char *path, struct hftl_device *device, const char *drive, char *why,
                      size_t why_bytes)
{
    struct rpc *rpc = calloc(1, sizeof *rpc);
    int error = ENOMEM;

    if (!rpc) {
        snprintf(why, why_bytes, "no memory");
        return NULL;
    }
    for (unsigned i = 0; i < RPC_CLIENTS_MAX; i++)
        rpc->clients[i].fd = -1;
    rpc->path = path;
    rpc->target = (struct rpc_target){.device = device, .drive = drive};
    rpc->target.channel = hftl_channel_open(device, 1);
    rpc->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    rpc->listening = rpc_listen(path, why, why_bytes);
    if (rpc->listening >= 0) {
        if (lstat(path, &rpc->file) == 0 && rpc->wake >= 0 && rpc->target.channel)
            rpc->waiter = rpc_waiter_start(&rpc->target, rpc->wake);
        if (rpc->waiter)
            error = start_thread(rpc);
        if (error == 0)
            return rpc;
        rpc_waiter_stop(rpc->waiter);
        snprintf(why, why_bytes, "no thread or descriptor for it: %s", strerror(error));
    }
    free_rpc(rpc);
    return NULL;
}

void rpc_stop(struct rpc *rpc)
{
    uint64_t one = 1;

    if (!rpc)
        return;
    atomic_store(&rpc->stopped, true);
    (void)!write(rpc->wake, &one, sizeof one); /* never full */
    pthread_join(rpc->thread, NULL);
    for (unsigned i = 0; i < RPC_CLIENTS_MAX; i++)
        if (rpc->clients[i].fd >= 0)
            drop(rpc, &rpc->clients[i]);
    rpc_waiter_stop(rpc->waiter);
    free_rpc(rpc);
}
