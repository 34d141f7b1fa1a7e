/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sheet.h - the result of a verb: facts with a label for people and a key for programs.
 *
 * PROMISES  the same facts in both forms, because each is added once.
 *
 *     people                               programs
 *     Name                default          {"name": "default",
 *     Size                100.0 MiB         "bytes": 104857600,
 *     Medium                                "medium": {
 *       Parallel units    4                   "pus": 4}}
 *
 * Running out of memory ends the process with a message (tool_made).
 */
#ifndef HOSTFTL_TOOL_SHEET_H
#define HOSTFTL_TOOL_SHEET_H

#include "tool/tool.h"

struct sheet;

struct sheet *sheet_new(void);

/* What is added after this stands under a heading: a nested object. NULL, NULL: at the top
 * again. */
void sheet_section(struct sheet *sheet, const char *key, const char *label);

void sheet_text(struct sheet *sheet, const char *key, const char *label, const char *value);
void sheet_count(struct sheet *sheet, const char *key, const char *label, uint64_t value);
/* JSON: the number of bytes. */
void sheet_bytes(struct sheet *sheet, const char *key, const char *label, uint64_t value);
/* 0 means that there is none: people read `none`, programs 0. */
void sheet_limit(struct sheet *sheet, const char *key, const char *label, uint64_t value,
                 const char *none);
void sheet_permille(struct sheet *sheet, const char *key, const char *label, uint32_t value);
void sheet_real(struct sheet *sheet, const char *key, const char *label, double value);
void sheet_flag(struct sheet *sheet, const char *key, const char *label, bool value);
/* Seconds since 1970; people read local time. */
void sheet_time(struct sheet *sheet, const char *key, const char *label, uint64_t value);
/* 16 bytes as hexadecimal digits. */
void sheet_id(struct sheet *sheet, const char *key, const char *label, const uint8_t id[16]);
/* What the two forms write differently; takes `value` over. */
void sheet_value(struct sheet *sheet, const char *key, const char *label, json_t *value,
                 const char *text);
/* For programs only; takes `value` over. */
void sheet_json(struct sheet *sheet, const char *key, json_t *value);

/* All facts so far, for programs; borrowed. */
json_t *sheet_data(const struct sheet *sheet);
/* Prints it as the tool's output wants (people: not when quiet) and frees it. `title` is a line
 * above the table for people, or NULL. */
void sheet_print(struct sheet *sheet, const struct tool *tool, const char *title);

#endif
