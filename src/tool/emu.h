/* SPDX-License-Identifier: BSD-3-Clause */
/* emu.h - what the verbs `hostftl emu ...` share. */
#ifndef HOSTFTL_TOOL_EMU_H
#define HOSTFTL_TOOL_EMU_H

#include "media/emu.h"
#include "tool/sheet.h"

/* Settings of a verb that takes a drive's path and nothing else. */
struct emu_asked {
    const char *path;
};
/* Parses that one argument. `settings` is a struct emu_asked or begins with one. */
error_t emu_parse_path(struct tool *tool, void *settings, int key, char *arg,
                       const struct argp_state *state);
/* TOOL_OK, or a failure that was told. Free with emu_inspection_free. */
int emu_look(const struct tool *tool, const char *path, struct emu_inspection *inspection);
/* Prints what a drive is. */
void emu_print(const struct tool *tool, const char *path, const struct emu_inspection *inspection);

#endif
