/* SPDX-License-Identifier: BSD-3-Clause */
/* serve.c - hostftl serve: the device as an NBD export. */
#include "tool/serve.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hostftl/hostftl.h>

#include "tool/units.h"

enum { KEY_VERIFY = SERVE_KEY_OWN, KEY_NO_RESTART, KEY_MEDIA, KEY_RPC };

/* The settings: the service, and the options that only this verb has. */
struct settings {
    struct nbdkit_service service; /* first: what serve_parse() takes */
    bool verify_given;
    enum hftl_verify verify;
    uint64_t verify_cache_bytes;
    bool no_restart;
    bool media; /* --media says which drive */
    const char *rpc;
};

error_t serve_parse(struct tool *tool, struct nbdkit_service *service, int key, char *arg,
                    const struct argp_state *state)
{
    switch (key) {
    case SERVE_KEY_NBD:
        service->socket = nbdkit_parse_address(tool, arg);
        return service->socket == NULL ? EINVAL : 0;
    case SERVE_KEY_DAEMON:
        service->daemon = true;
        return 0;
    case SERVE_KEY_READ_ONLY:
        service->read_only = true;
        return 0;
    case SERVE_KEY_LOG:
        service->log = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            return tool_usage(tool, "one device at a time", arg, NULL);
        service->drive = arg;
        return 0;
    case ARGP_KEY_END:
        if (service->drive == NULL)
            return tool_usage(tool, "which device?", NULL, "name the drive that holds it");
        if (service->socket == NULL)
            return tool_usage(tool, "where is it to be served?", "--nbd", "write --nbd unix:PATH");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse(struct tool *tool, void *settings, int key, char *arg,
                     const struct argp_state *state)
{
    struct settings *own = settings;

    switch (key) {
    case KEY_NO_RESTART:
        own->no_restart = true;
        return 0;
    case KEY_RPC:
        if (arg[0] == '\0')
            return tool_usage(tool, "not a place for a socket", "--rpc", "write a path or none");
        own->rpc = arg;
        return 0;
    case KEY_VERIFY:
        own->verify_given = true;
        if (units_parse_verify(arg, &own->verify, &own->verify_cache_bytes))
            return 0;
        return tool_usage(tool, "no such way to verify reads", arg,
                          "use always, cached, cached:SIZE or relocation");
    case KEY_MEDIA:
        if (own->media)
            return tool_usage(tool, "one device at a time", arg, NULL);
        own->media = true;
        own->service.drive = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (own->media)
            return tool_usage(tool, "a device, or --media, not both", arg, NULL);
        return serve_parse(tool, &own->service, key, arg, state);
    default:
        return serve_parse(tool, &own->service, key, arg, state);
    }
}

/* For the plugin. The caller frees. */
static char *verify_config(const struct settings *own)
{
    char *made = NULL;
    int n = own->verify == HFTL_VERIFY_ALWAYS       ? asprintf(&made, "verify=always")
            : own->verify == HFTL_VERIFY_RELOCATION ? asprintf(&made, "verify=relocation")
            : own->verify_cache_bytes == 0
                ? asprintf(&made, "verify=cached")
                : asprintf(&made, "verify=cached:%" PRIu64, own->verify_cache_bytes);
    if (n < 0)
        tool_made(NULL);
    return made;
}

/* For the plugin, whose folder may be another one. The caller frees. */
static char *rpc_config(const char *path)
{
    char folder[PATH_MAX];
    char *made = NULL;

    if (path[0] == '/' || strcmp(path, "none") == 0 || getcwd(folder, sizeof folder) == NULL)
        folder[0] = '\0';
    if (asprintf(&made, "rpc=%s%s%s", folder, folder[0] == '\0' ? "" : "/", path) < 0)
        tool_made(NULL);
    return made;
}

static int run(struct tool *tool, void *settings)
{
    struct settings *own = settings;
    struct nbdkit_service *service = &own->service;
    struct hftl_info info = {.size = sizeof info};
    unsigned n = 0;
    char *rpc = NULL, *verify = NULL;
    char why[TOOL_WHY_BYTES] = "";

    /* nbdkit would say so too, but later, in its own words and not as JSON. */
    enum hftl_status status = hftl_probe(service->drive, &info, why, sizeof why);
    if (status != HFTL_OK)
        return tool_fail_why(tool, status, why, service->drive);
    service->plugin = "nbdkit-hostftl-plugin.so";
    service->restart = !own->no_restart;
    if (own->verify_given)
        service->config[n++] = verify = verify_config(own);
    /* nbdkit's own --readonly would only refuse clients: recovery and closing would still write. */
    if (service->read_only)
        service->config[n++] = "read-only=true";
    if (own->rpc != NULL)
        service->config[n++] = rpc = rpc_config(own->rpc);
    int code = nbdkit_serve(tool, service);
    free(rpc);
    free(verify);
    return code;
}

static const struct argp_option options[] = {
    SERVE_OPTIONS,
    {"verify", KEY_VERIFY, "HOW", 0,
     "Where the drive has no OOB: verify reads always (default), cached or cached:SIZE, or only on "
     "relocation",
     0},
    {"media", KEY_MEDIA, "STACK", 0, "Instead of DEVICE: a stack of media, see hostftl-media(7)",
     0},
    {"rpc", KEY_RPC, "PATH", 0,
     "Where the management socket is, or none for none (default: DEVICE.rpc)", 0},
    {"no-restart", KEY_NO_RESTART, NULL, 0,
     "Become the server, instead of watching over it and starting it again after a crash", 0},
    {NULL, 0, NULL, 0, NULL, 0},
};

const struct verb verb_serve = {
    .name = "serve",
    .summary = "Serve a device over NBD",
    .arguments = "DEVICE\n--media=STACK",
    .doc =
        "Opens the hostftl device on DEVICE, recovers it if it was not closed cleanly, and serves "
        "it "
        "over NBD (nbdkit) until it is told to stop by SIGTERM or SIGINT. Prints one line with the "
        "NBD URI when it is ready. A server that crashes is started again on the same socket.",
    .options = options,
    .parse = parse,
    .settings_bytes = sizeof(struct settings),
    .run = run,
};
