/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * supervise.h - keeps a server going: one bad client must not stop it for the others.
 *
 * OWNS      a server's process and the listening socket, which outlives it: clients that come while
 *           it is being started again wait in the socket's queue.
 * PROMISES  - a server that was ended by a signal, or that ended unasked after it was ready, is
 *             started again, at most SUPERVISE_RESTARTS_MAX times in SUPERVISE_SECONDS.
 *           - a server that ends with an exit code before it is ready has said why: a device that
 *             is busy or foreign stays so, it is not started again.
 *           - SIGTERM, SIGINT, SIGQUIT and SIGHUP reach the server as SIGTERM: it ends in order.
 *           - no server outlives this process, whatever ends it: the kernel sends it SIGTERM.
 * IGNORES   what the server serves. It greets as NBD does, that is all.
 *
 *              start()                greets                 asked to stop
 *     (none) ---------> starting ----------------> ready ----------------------> ended, exit 0
 *                       |  ^                         |
 *      exit: exit 1 <---+--'<------------------------'  a signal, an unasked exit: again, or exit 1
 */
#ifndef HOSTFTL_TOOL_SUPERVISE_H
#define HOSTFTL_TOOL_SUPERVISE_H

#include "tool/tool.h"

#define SUPERVISE_RESTARTS_MAX 5u
#define SUPERVISE_SECONDS 60
/* Exit code of a child that could not become the server, and said so. */
#define SUPERVISE_NO_EXEC 127

struct supervised {
    const struct tool *tool;
    const char *name;          /* of what is served, for messages */
    const char *socket;        /* its path; removed at the end */
    bool untold;               /* whoever started this process tells of a failed start itself */
    void (*become)(void *arg); /* in the child: execs the server, or ends with SUPERVISE_NO_EXEC */
    void (*ready)(void *arg);  /* the server greeted for the first time */
    void *arg;
};

/* Until the server has ended for good: an exit code. `listening` is closed then. */
int supervise(const struct supervised *what, int listening);

#endif
