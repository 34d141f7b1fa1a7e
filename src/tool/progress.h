/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * progress.h - how far long work is.
 *
 * On a terminal (standard error) one line that is rewritten, with the time left; with -o json one
 * line of JSON a second on the standard output; otherwise nothing. Work that ends within a second
 * shows nothing at all.
 */
#ifndef HOSTFTL_TOOL_PROGRESS_H
#define HOSTFTL_TOOL_PROGRESS_H

#include "tool/tool.h"

struct progress {
    const struct tool *tool;
    const char *what; /* "chunks" */
    uint64_t started_ns;
    uint64_t shown_ns; /* when it was shown last */
    bool line;         /* a line stands on the terminal */
};

void progress_begin(struct progress *progress, const struct tool *tool, const char *what);
/* May be called as often as one likes. Its signature is that of hftl_format_options.progress. */
void progress_step(void *progress, uint64_t done, uint64_t total);
/* Takes the line off the terminal. */
void progress_end(struct progress *progress);

/* Seconds left, guessed from what has passed; UINT64_MAX when nothing can be said yet. */
uint64_t progress_seconds_left(uint64_t passed_ns, uint64_t done, uint64_t total);

#endif
