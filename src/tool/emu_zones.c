/* SPDX-License-Identifier: BSD-3-Clause */
/* emu_zones.c - hostftl emu zones: a row for each chunk, which is a zone on a zoned drive. */
#include <inttypes.h>
#include <libsmartcols.h>
#include <string.h>

#include "tool/emu.h"
#include "tool/facts.h"
#include "tool/units.h"

enum { KEY_STATE = 256 };

struct zones {
    struct emu_asked asked; /* first, for emu_parse_path */
    const char *state;      /* only those; NULL: all */
};

enum {
    COLUMN_CHUNK,
    COLUMN_PU,
    COLUMN_STATE,
    COLUMN_WP,
    COLUMN_DURABLE,
    COLUMN_CAPACITY,
    COLUMN_WEAR,
    COLUMN_COUNT
};

static bool is_state(const char *text)
{
    for (enum hftl_chunk_state s = 0; s < HFTL_CHUNK_STATE_COUNT; s++) {
        if (strcmp(text, facts_state_text(s)) == 0)
            return true;
    }
    return false;
}

static error_t parse(struct tool *tool, void *settings, int key, char *arg,
                     const struct argp_state *state)
{
    struct zones *zones = settings;

    if (key != KEY_STATE)
        return emu_parse_path(tool, &zones->asked, key, arg, state);
    if (!is_state(arg))
        return tool_usage(tool, "no such state of a chunk", arg,
                          "use free, open, paused, full, read-only or offline");
    zones->state = arg;
    return 0;
}

static bool wanted(const struct zones *zones, const struct emu_record *record)
{
    return zones->state == NULL || strcmp(zones->state, facts_state_text(record->chunk.state)) == 0;
}

static void set(struct libscols_line *line, size_t column, uint64_t value)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%" PRIu64, value);
    if (scols_line_set_data(line, column, text) != 0)
        tool_made(NULL);
}

static void print_human(const struct zones *zones, const struct emu_inspection *inspection)
{
    static const char *const names[COLUMN_COUNT] = {"CHUNK",   "PU",       "STATE", "WP",
                                                    "DURABLE", "CAPACITY", "WEAR"};
    struct libscols_table *table = tool_made(scols_new_table());

    for (size_t i = 0; i < COLUMN_COUNT; i++)
        tool_made(
            scols_table_new_column(table, names[i], 0, i == COLUMN_STATE ? 0 : SCOLS_FL_RIGHT));
    for (uint32_t i = 0; i < inspection->layout.chunk_count; i++) {
        const struct emu_record *record = &inspection->chunks[i];

        if (!wanted(zones, record))
            continue;
        struct libscols_line *line = tool_made(scols_table_new_line(table, NULL));
        set(line, COLUMN_CHUNK, i);
        set(line, COLUMN_PU, i / inspection->header.facts.chunks_per_pu);
        if (scols_line_set_data(line, COLUMN_STATE, facts_state_text(record->chunk.state)) != 0)
            tool_made(NULL);
        set(line, COLUMN_WP, record->chunk.wp);
        set(line, COLUMN_DURABLE, record->durable);
        set(line, COLUMN_CAPACITY, record->chunk.capacity);
        set(line, COLUMN_WEAR, record->chunk.wear);
    }
    (void)scols_print_table(table);
    scols_unref_table(table);
}

static void print_json(const struct tool *tool, const struct zones *zones,
                       const struct emu_inspection *inspection)
{
    json_t *data = tool_made(json_object());
    json_t *rows = tool_made(json_array());

    for (uint32_t i = 0; i < inspection->layout.chunk_count; i++) {
        const struct emu_record *record = &inspection->chunks[i];

        if (!wanted(zones, record))
            continue;
        json_t *row = tool_made(json_object());
        tool_put(row, "chunk", json_integer(i));
        tool_put(row, "pu", json_integer(i / inspection->header.facts.chunks_per_pu));
        tool_put(row, "state", json_string(facts_state_text(record->chunk.state)));
        tool_put(row, "wp", json_integer(record->chunk.wp));
        tool_put(row, "durable", json_integer(record->durable));
        tool_put(row, "capacity", json_integer(record->chunk.capacity));
        tool_put(row, "wear", json_integer(record->chunk.wear));
        if (json_array_append_new(rows, row) != 0)
            tool_made(NULL);
    }
    tool_put(data, "path", tool_text(zones->asked.path));
    tool_put(data, "kind", json_string(facts_kind_text(inspection->header.facts.kind)));
    tool_put(data, "chunks", rows);
    tool_print_json(tool, "data", data);
}

static int run(struct tool *tool, void *settings)
{
    const struct zones *zones = settings;
    struct emu_inspection inspection;
    int code = emu_look(tool, zones->asked.path, &inspection);

    if (code != TOOL_OK)
        return code;
    if (tool->output == TOOL_JSON)
        print_json(tool, zones, &inspection);
    else if (!tool->quiet)
        print_human(zones, &inspection);
    emu_inspection_free(&inspection);
    return TOOL_OK;
}

static const struct argp_option options[] = {
    {"state", KEY_STATE, "STATE", 0,
     "Only chunks in this state: free, open, paused, full, read-only or offline", 0},
    {NULL, 0, NULL, 0, NULL, 0},
};

const struct verb verb_emu_zones = {
    .name = "emu zones",
    .summary = "List the chunks or zones of an emulated drive",
    .arguments = "DRIVE",
    .doc = "Lists the chunks (zones) of an emulated drive: state, write pointer, how far what was "
           "written is durable, capacity, all in blocks, and how often the chunk was reset.",
    .options = options,
    .parse = parse,
    .settings_bytes = sizeof(struct zones),
    .run = run,
};
