/* SPDX-License-Identifier: BSD-3-Clause */
/* sheet.c - see sheet.h. The JSON object and the table grow together. */
#include "tool/sheet.h"

#include <inttypes.h>
#include <libsmartcols.h>
#include <stdlib.h>
#include <time.h>

#include "tool/units.h"

struct sheet {
    json_t *root;
    json_t *here; /* root, or the section's object; borrowed */
    struct libscols_table *table;
};

enum { COLUMN_LABEL, COLUMN_VALUE };

struct sheet *sheet_new(void)
{
    struct sheet *sheet = tool_made(calloc(1, sizeof *sheet));

    sheet->root = tool_made(json_object());
    sheet->here = sheet->root;
    sheet->table = tool_made(scols_new_table());
    (void)scols_table_enable_noheadings(sheet->table, 1);
    tool_made(scols_table_new_column(sheet->table, "label", 0, 0));
    tool_made(scols_table_new_column(sheet->table, "value", 0, 0));
    return sheet;
}

static void add(struct sheet *sheet, const char *key, const char *label, json_t *value,
                const char *text)
{
    struct libscols_line *line = tool_made(scols_table_new_line(sheet->table, NULL));
    char indented[64];

    tool_put(sheet->here, key, value);
    (void)snprintf(indented, sizeof indented, "%s%s", sheet->here == sheet->root ? "" : "  ",
                   label);
    if (scols_line_set_data(line, COLUMN_LABEL, indented) != 0 ||
        scols_line_set_data(line, COLUMN_VALUE, text) != 0)
        tool_made(NULL);
}

void sheet_section(struct sheet *sheet, const char *key, const char *label)
{
    sheet->here = sheet->root;
    if (key == NULL)
        return;
    json_t *object = tool_made(json_object());
    add(sheet, key, label, object, "");
    sheet->here = object;
}

void sheet_text(struct sheet *sheet, const char *key, const char *label, const char *value)
{
    add(sheet, key, label, tool_text(value), value);
}

void sheet_count(struct sheet *sheet, const char *key, const char *label, uint64_t value)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%" PRIu64, value);
    add(sheet, key, label, json_integer((json_int_t)value), text);
}

void sheet_bytes(struct sheet *sheet, const char *key, const char *label, uint64_t value)
{
    char text[24];

    add(sheet, key, label, json_integer((json_int_t)value), units_bytes(value, text, sizeof text));
}

void sheet_limit(struct sheet *sheet, const char *key, const char *label, uint64_t value,
                 const char *none)
{
    if (value == 0)
        add(sheet, key, label, json_integer(0), none);
    else
        sheet_count(sheet, key, label, value);
}

void sheet_permille(struct sheet *sheet, const char *key, const char *label, uint32_t value)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%u.%u %%", value / 10, value % 10);
    add(sheet, key, label, json_integer(value), text);
}

void sheet_real(struct sheet *sheet, const char *key, const char *label, double value)
{
    char text[32];

    (void)snprintf(text, sizeof text, "%.2f", value);
    add(sheet, key, label, json_real(value), text);
}

void sheet_flag(struct sheet *sheet, const char *key, const char *label, bool value)
{
    add(sheet, key, label, json_boolean(value), value ? "yes" : "no");
}

void sheet_time(struct sheet *sheet, const char *key, const char *label, uint64_t value)
{
    char text[40] = "?";
    time_t seconds = (time_t)value;
    struct tm parts;

    if (localtime_r(&seconds, &parts) != NULL)
        (void)strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
    add(sheet, key, label, json_integer((json_int_t)value), text);
}

void sheet_id(struct sheet *sheet, const char *key, const char *label, const uint8_t id[16])
{
    char text[33];

    for (size_t i = 0; i < 16; i++)
        (void)snprintf(text + 2 * i, 3, "%02x", id[i]);
    add(sheet, key, label, json_string(text), text);
}

void sheet_value(struct sheet *sheet, const char *key, const char *label, json_t *value,
                 const char *text)
{
    add(sheet, key, label, value, text);
}

void sheet_json(struct sheet *sheet, const char *key, json_t *value)
{
    tool_put(sheet->here, key, value);
}

json_t *sheet_data(const struct sheet *sheet)
{
    return sheet->root;
}

void sheet_print(struct sheet *sheet, const struct tool *tool, const char *title)
{
    if (tool->output == TOOL_JSON) {
        tool_print_json(tool, "data", sheet->root);
    } else {
        if (!tool->quiet && title != NULL)
            printf("%s\n", title);
        if (!tool->quiet)
            (void)scols_print_table(sheet->table);
        json_decref(sheet->root);
    }
    scols_unref_table(sheet->table);
    free(sheet);
}
