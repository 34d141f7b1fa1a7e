/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nbdkit.h - starts an NBD server.
 *
 * OWNS      the way from a parsed command line to a running nbdkit: its plugin, its socket, the
 *           line that says when it is ready.
 * PROMISES  The socket is bound before, and handed over as systemd would (LISTEN_FDS), so clients
 *           may connect at once and wait. The ready line comes once, when the server greets, which
 *           it does once the device is open.
 *
 *     hostftl serve --(bind, listen)--(fork)--> nbdkit plugin.so: greets, serves
 *           '--> supervise.h: waits for its greeting, prints the line, starts it again
 *
 *     Without restart this process becomes nbdkit (execvp): its signals, exit code and pid are
 *     nbdkit's, and a process that is nobody's child, the herald, waits for the greeting.
 *
 *     With daemon either of them goes into the background first, and the process that was started
 *     is one more herald, whose exit code says whether the server is ready.
 */
#ifndef HOSTFTL_TOOL_NBDKIT_H
#define HOSTFTL_TOOL_NBDKIT_H

#include "tool/tool.h"

#define NBDKIT_CONFIG_MAX 8u

struct nbdkit_service {
    const char *plugin;                    /* file name: "nbdkit-hostftl-plugin.so" */
    const char *drive;                     /* as given; handed to the plugin as drive=, absolute */
    const char *socket;                    /* its path */
    const char *config[NBDKIT_CONFIG_MAX]; /* further key=value, ended by NULL */
    bool removes_socket;                   /* the plugin: it takes socket=PATH */
    bool read_only;
    bool daemon;
    bool restart;    /* after a crash, see supervise.h */
    const char *log; /* file for messages, NULL: the standard error */
};

/* Takes "unix:PATH" apart: the path, or NULL after a complaint (tool_usage). */
const char *nbdkit_parse_address(struct tool *tool, const char *text);

/* With daemon, returns when it is ready; else when it has ended. An exit code. */
int nbdkit_serve(const struct tool *tool, const struct nbdkit_service *service);

#endif
