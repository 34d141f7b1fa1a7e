/* SPDX-License-Identifier: BSD-3-Clause */
/* emu_info.c - hostftl emu info: what an emulated drive is, also while it is in use. */
#include "tool/emu.h"
#include "tool/facts.h"

#include <stdlib.h>

error_t emu_parse_path(struct tool *tool, void *settings, int key, char *arg,
                       const struct argp_state *state)
{
    struct emu_asked *asked = settings;

    switch (key) {
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            return tool_usage(tool, "one drive at a time", arg, NULL);
        asked->path = arg;
        return 0;
    case ARGP_KEY_END:
        if (asked->path == NULL)
            return tool_usage(tool, "which drive?", NULL, "name the file of the emulated drive");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int emu_look(const struct tool *tool, const char *path, struct emu_inspection *inspection)
{
    char why[TOOL_WHY_BYTES] = "";
    enum hftl_status status = emu_inspect(path, inspection, why, sizeof why);

    return status == HFTL_OK ? TOOL_OK : tool_fail_why(tool, status, why, path);
}

static void add_states(struct sheet *sheet, const struct emu_inspection *inspection)
{
    static const char *const labels[] = {"Free", "Open", "Paused", "Full", "Read-only", "Offline"};
    static const char *const keys[] = {"free", "open", "paused", "full", "read_only", "offline"};

    _Static_assert(sizeof keys / sizeof keys[0] == HFTL_CHUNK_STATE_COUNT, "a word for each state");
    sheet_section(sheet, "chunks", "Chunks");
    for (size_t i = 0; i < HFTL_CHUNK_STATE_COUNT; i++)
        sheet_count(sheet, keys[i], labels[i], inspection->state_counts[i]);
    sheet_section(sheet, "wear", "Wear");
    sheet_count(sheet, "min", "Least", inspection->wear_min);
    sheet_real(sheet, "mean", "Mean", inspection->wear_mean);
    sheet_count(sheet, "max", "Most", inspection->wear_max);
}

static void add_counters(struct sheet *sheet, const struct emu_counters *counters)
{
    sheet_section(sheet, "counters", "Since it was made");
    sheet_count(sheet, "blocks_written", "Blocks written", counters->blocks_written);
    sheet_count(sheet, "blocks_read", "Blocks read", counters->blocks_read);
    sheet_count(sheet, "resets", "Resets", counters->resets);
    sheet_count(sheet, "flushes", "Flushes", counters->flushes);
    sheet_count(sheet, "predefined_reads", "Reads of nothing", counters->predefined_reads);
    sheet_count(sheet, "early_blocks", "Blocks out of the cache early", counters->early_blocks);
}

/* "0-3 by 4711, 4-7 by 4712": PUs and processes. */
static void add_holders(struct sheet *sheet, const struct emu_inspection *inspection)
{
    json_t *rows = tool_made(json_array());
    size_t room = 48 * (size_t)inspection->holder_count + 8, used = 0;
    char *text = tool_made(calloc(1, room));

    for (uint32_t i = 0; i < inspection->holder_count; i++) {
        const struct holder *holder = &inspection->holders[i];
        json_t *row = tool_made(json_object());

        tool_put(row, "pu_first", json_integer(holder->pu_first));
        tool_put(row, "pu_count", json_integer(holder->pu_count));
        tool_put(row, "pid", json_integer(holder->pid));
        if (json_array_append_new(rows, row) != 0)
            tool_made(NULL);
        used += (size_t)snprintf(text + used, room - used, "%s%u-%u by %u", i == 0 ? "" : ", ",
                                 holder->pu_first, holder->pu_first + holder->pu_count - 1,
                                 holder->pid);
    }
    sheet_value(sheet, "holders", "Parallel units in use", rows, used == 0 ? "none" : text);
    free(text);
}

static void add_file(struct sheet *sheet, const struct emu_inspection *inspection)
{
    const struct emu_header *header = &inspection->header;

    sheet_bytes(sheet, "file_bytes", "File", inspection->layout.file_bytes);
    sheet_bytes(sheet, "disk_bytes", "On disk", inspection->disk_bytes);
    sheet_bytes(sheet, "cache_bytes", "Volatile cache", header->cache_bytes);
    sheet_flag(sheet, "outlives_host", "Outlives the host", header->outlives_host);
    sheet_flag(sheet, "fsync", "Synced to disk", !header->no_fsync);
    sheet_flag(sheet, "reads_predefined", "Unreadable reads as 0xFF", header->reads_predefined);
    sheet_count(sheet, "zone_blocks", "Distance of chunks, blocks", header->zone_blocks);
    sheet_count(sheet, "seed", "Seed", header->seed);
    sheet_flag(sheet, "in_use", "In use", inspection->in_use);
    sheet_count(sheet, "pid", "Process (last)",
                inspection->in_use ? inspection->in_use_pid : inspection->session.pid);
    add_holders(sheet, inspection);
    sheet_flag(sheet, "clean", "Closed in order", inspection->session.clean);
    sheet_count(sheet, "opens", "Opened, times", inspection->session.opens);
}

void emu_print(const struct tool *tool, const char *path, const struct emu_inspection *inspection)
{
    struct sheet *sheet = sheet_new();

    sheet_text(sheet, "path", "Emulated drive", path);
    add_file(sheet, inspection);
    facts_add_medium(sheet, &inspection->header.facts);
    add_states(sheet, inspection);
    add_counters(sheet, &inspection->session.counters);
    sheet_print(sheet, tool, NULL);
}

static int run(struct tool *tool, void *settings)
{
    const struct emu_asked *asked = settings;
    struct emu_inspection inspection;
    int code = emu_look(tool, asked->path, &inspection);

    if (code != TOOL_OK)
        return code;
    emu_print(tool, asked->path, &inspection);
    emu_inspection_free(&inspection);
    return TOOL_OK;
}

const struct verb verb_emu_info = {
    .name = "emu info",
    .summary = "Show what an emulated drive is, its wear and its counters",
    .arguments = "DRIVE",
    .doc =
        "Shows the geometry, the state, the wear and the counters of an emulated drive. While the "
        "drive is in use, the counters are those of its last flush or so.",
    .parse = emu_parse_path,
    .settings_bytes = sizeof(struct emu_asked),
    .run = run,
};
