/* SPDX-License-Identifier: BSD-3-Clause */
/* info.c - hostftl info: what a device is, read from its superblock; nothing is written. */
#include <hostftl/hostftl.h>

#include "tool/facts.h"

struct info {
    const char *path;
};

static error_t parse(struct tool *tool, void *settings, int key, char *arg,
                     const struct argp_state *state)
{
    struct info *info = settings;

    switch (key) {
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            return tool_usage(tool, "one device at a time", arg, NULL);
        info->path = arg;
        return 0;
    case ARGP_KEY_END:
        if (info->path == NULL)
            return tool_usage(tool, "which device?", NULL, "name the drive that holds it");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int run(struct tool *tool, void *settings)
{
    const struct info *asked = settings;
    struct hftl_info info = {.size = sizeof info};
    char why[TOOL_WHY_BYTES] = "";

    enum hftl_status status = hftl_probe(asked->path, &info, why, sizeof why);
    if (status != HFTL_OK)
        return tool_fail_why(tool, status, why, asked->path);
    struct sheet *sheet = sheet_new();
    sheet_text(sheet, "path", "Drive", asked->path);
    facts_add_probed(sheet, &info);
    sheet_print(sheet, tool, NULL);
    return TOOL_OK;
}

const struct verb verb_info = {
    .name = "info",
    .summary = "Show what a device is: size, bands, medium, state",
    .arguments = "DEVICE",
    .doc = "Shows what the hostftl device on DEVICE is. Reads its superblock, writes nothing; "
           "works on "
           "a device that was not closed cleanly, and not while it is served.",
    .parse = parse,
    .settings_bytes = sizeof(struct info),
    .run = run,
};
