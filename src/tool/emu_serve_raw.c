/* SPDX-License-Identifier: BSD-3-Clause */
/* emu_serve_raw.c - hostftl emu serve-raw: an emulated drive as it is, write-pointer rule and
 * all. */
#include "tool/emu.h"
#include "tool/serve.h"

static error_t parse(struct tool *tool, void *settings, int key, char *arg,
                     const struct argp_state *state)
{
    return serve_parse(tool, settings, key, arg, state);
}

static int run(struct tool *tool, void *settings)
{
    struct nbdkit_service *service = settings;
    struct emu_inspection inspection;
    int code = emu_look(tool, service->drive, &inspection);

    if (code != TOOL_OK)
        return code;
    bool in_use = inspection.in_use;
    emu_inspection_free(&inspection);
    if (in_use)
        return tool_fail_why(tool, HFTL_BUSY, "", service->drive);
    service->plugin = "nbdkit-hostftl-raw-plugin.so";
    /* This process becomes the server, so that killing it is a power cut: nobody is left to remove
     * the socket but the plugin. */
    service->removes_socket = true;
    return nbdkit_serve(tool, service);
}

static const struct argp_option options[] = {
    SERVE_OPTIONS,
    {NULL, 0, NULL, 0, NULL, 0},
};

const struct verb verb_emu_serve_raw = {
    .name = "emu serve-raw",
    .summary = "Serve an emulated drive as it is, its rules enforced, over NBD",
    .arguments = "DRIVE",
    .doc = "Serves the chunks (zones) of an emulated drive, one after the other, over NBD. A write "
           "that "
           "does not start at a write pointer is refused; what was not written reads as zeros; "
           "trimming a whole chunk resets it. Ordinary file systems fail on it: that is what it is "
           "for.",
    .options = options,
    .parse = parse,
    .settings_bytes = sizeof(struct nbdkit_service),
    .run = run,
};
