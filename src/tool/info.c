/* SPDX-License-Identifier: BSD-3-Clause */
/* info.c - hostftl info: what a device is, read from its superblock; nothing is written. */
#include <libsmartcols.h>
#include <stdlib.h>
#include <string.h>

#include <hostftl/hostftl.h>

#include "tool/facts.h"
#include "tool/units.h"

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

/* ---- several on one drive -------------------------------------------------------------------- */

struct devices {
    struct hftl_info *list;
    size_t count;
};

static void keep(void *arg, const struct hftl_info *info)
{
    struct devices *devices = arg;
    size_t bytes = (devices->count + 1) * sizeof *devices->list;

    devices->list = tool_made(realloc(devices->list, bytes));
    devices->list[devices->count++] = *info;
}

static void print_json(const struct tool *tool, const char *path, const struct devices *devices)
{
    json_t *data = tool_made(json_object());
    json_t *rows = tool_made(json_array());

    for (size_t i = 0; i < devices->count; i++) {
        const struct hftl_info *info = &devices->list[i];
        json_t *row = tool_made(json_object());

        tool_put(row, "name", tool_text(info->name));
        tool_put(row, "pu_first", json_integer(info->pu_first));
        tool_put(row, "pu_count", json_integer(info->pu_count));
        tool_put(row, "bytes", json_integer((json_int_t)(info->blocks * HFTL_BLOCK_BYTES)));
        tool_put(row, "clean", json_boolean(info->clean));
        tool_put(row, "in_use", json_boolean(info->in_use));
        tool_put(row, "pid", json_integer(info->in_use_pid));
        tool_put(row, "defect", info->reason[0] == '\0' ? json_null() : tool_text(info->reason));
        if (json_array_append_new(rows, row) != 0)
            tool_made(NULL);
    }
    tool_put(data, "path", tool_text(path));
    tool_put(data, "devices", rows);
    tool_print_json(tool, "data", data);
}

static void add_line(struct libscols_table *table, const struct hftl_info *info)
{
    char pus[32], pid[24], bytes[24];
    const char *texts[] = {
        info->name,
        pus,
        units_bytes(info->blocks * HFTL_BLOCK_BYTES, bytes, sizeof bytes),
        info->clean ? "yes" : "no",
        info->in_use ? pid : "-",
        info->reason[0] == '\0' ? "-" : info->reason,
    };
    struct libscols_line *line = tool_made(scols_table_new_line(table, NULL));

    (void)snprintf(pus, sizeof pus, "%u-%u", info->pu_first, info->pu_first + info->pu_count - 1);
    (void)snprintf(pid, sizeof pid, "%u", info->in_use_pid);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (scols_line_set_data(line, i, texts[i]) != 0)
            tool_made(NULL);
}

static void print_human(const struct devices *devices)
{
    static const char *const names[] = {"NAME", "PUS", "SIZE", "CLEAN", "USED BY", "DEFECT"};
    struct libscols_table *table = tool_made(scols_new_table());

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        tool_made(scols_table_new_column(table, names[i], 0, i == 2 ? SCOLS_FL_RIGHT : 0));
    for (size_t i = 0; i < devices->count; i++)
        add_line(table, &devices->list[i]);
    (void)scols_print_table(table);
    scols_unref_table(table);
}

/* True: there are several, and they were shown. */
static bool show_several(const struct tool *tool, const char *path)
{
    struct devices devices = {NULL, 0};
    char why[TOOL_WHY_BYTES] = "";

    /* What is wrong with the path shows once more when the one device is asked for. */
    (void)!hftl_list(path, keep, &devices, why, sizeof why);
    bool several = devices.count > 1;
    if (several && tool->output == TOOL_JSON)
        print_json(tool, path, &devices);
    else if (several && !tool->quiet)
        print_human(&devices);
    free(devices.list);
    return several;
}

static int run(struct tool *tool, void *settings)
{
    const struct info *asked = settings;
    struct hftl_info info = {.size = sizeof info};
    char why[TOOL_WHY_BYTES] = "";

    if (show_several(tool, asked->path))
        return TOOL_OK;
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
           "works on a device that was not closed cleanly, and not while it is served. Where "
           "several devices share the drive, lists them, served or not; DRIVE#NAME is one of them.",
    .parse = parse,
    .settings_bytes = sizeof(struct info),
    .run = run,
};
