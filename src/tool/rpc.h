/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rpc.h - the other end of a served device's management socket (hostftl-rpc(7)).
 *
 * OWNS      a connection; from a device's path to its socket, from calls to results.
 * PROMISES  when nobody serves the device, the message says what to start; a server that does not
 *           answer is given up after RPC_PATIENCE_SECONDS.
 * IGNORES   what methods there are.
 */
#ifndef HOSTFTL_TOOL_RPC_H
#define HOSTFTL_TOOL_RPC_H

#include "tool/tool.h"

#define RPC_PATIENCE_SECONDS 30
#define RPC_KEY 0x200
#define RPC_OPTIONS                                                                                \
    {                                                                                              \
        "rpc", RPC_KEY, "PATH", 0,                                                                 \
            "Where the management socket is, if the server was told (default: DEVICE.rpc)", 0      \
    }

struct rpc_link;

/* Connects to whoever serves `device`; `socket` NULL: at the usual place. NULL after a complaint
 * (tool_fail). */
struct rpc_link *rpc_connect(const struct tool *tool, const char *device, const char *socket);
void rpc_close(struct rpc_link *link);

/* Calls a method; takes `params` over (NULL: none). The result, or NULL after a complaint. */
json_t *rpc_call(const struct tool *tool, struct rpc_link *link, const char *method,
                 json_t *params);

#endif
