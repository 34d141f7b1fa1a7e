/* SPDX-License-Identifier: BSD-3-Clause */
/* serve.h - the options that `hostftl serve` and `hostftl emu serve-raw` share. */
#ifndef HOSTFTL_TOOL_SERVE_H
#define HOSTFTL_TOOL_SERVE_H

#include "tool/nbdkit.h"

enum { SERVE_KEY_NBD = 256, SERVE_KEY_DAEMON, SERVE_KEY_READ_ONLY, SERVE_KEY_LOG, SERVE_KEY_OWN };

#define SERVE_OPTIONS                                                                              \
    {"nbd", SERVE_KEY_NBD, "ADDRESS", 0, "Where: unix:PATH, a socket for its owner only", 0},      \
        {"read-only", SERVE_KEY_READ_ONLY, NULL, 0, "Refuse writes and write nothing", 0},         \
        {"daemon", SERVE_KEY_DAEMON, NULL, 0, "Return when ready; serve in the background", 0},    \
    {                                                                                              \
        "log", SERVE_KEY_LOG, "FILE", 0, "Append messages to FILE", 0                              \
    }

/* Parses those, and DEVICE. `service` must have its plugin already. */
error_t serve_parse(struct tool *tool, struct nbdkit_service *service, int key, char *arg,
                    const struct argp_state *state);

#endif
