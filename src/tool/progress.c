/* SPDX-License-Identifier: BSD-3-Clause */
/* progress.c - see progress.h. */
#include "tool/progress.h"

#include <inttypes.h>
#include <time.h>
#include <unistd.h>

#include "tool/units.h"

#define SECOND_NS UINT64_C(1000000000)

static uint64_t now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND_NS + (uint64_t)t.tv_nsec;
}

void progress_begin(struct progress *progress, const struct tool *tool, const char *what)
{
    *progress = (struct progress){.tool = tool, .what = what, .started_ns = now_ns()};
    progress->shown_ns = progress->started_ns;
}

uint64_t progress_seconds_left(uint64_t passed_ns, uint64_t done, uint64_t total)
{
    if (done == 0 || done > total)
        return UINT64_MAX;
    return (uint64_t)((double)passed_ns / (double)done * (double)(total - done) /
                      (double)SECOND_NS);
}

static void show_json(const struct progress *progress, uint64_t done, uint64_t total, uint64_t left)
{
    json_t *data = tool_made(json_object());

    tool_put(data, "what", json_string(progress->what));
    tool_put(data, "done", json_integer((json_int_t)done));
    tool_put(data, "total", json_integer((json_int_t)total));
    tool_put(data, "seconds_left",
             left == UINT64_MAX ? json_null() : json_integer((json_int_t)left));
    tool_print_json(progress->tool, "progress", data);
}

static void show_line(struct progress *progress, uint64_t done, uint64_t total, uint64_t left)
{
    char text[32];

    fprintf(stderr, "\r%s: %" PRIu64 " of %" PRIu64 " %s, %s left \033[K", progress->tool->verb,
            done, total, progress->what,
            left == UINT64_MAX ? "?" : units_seconds(left, text, sizeof text));
    (void)fflush(stderr);
    progress->line = true;
}

void progress_step(void *arg, uint64_t done, uint64_t total)
{
    struct progress *progress = arg;
    uint64_t now = now_ns();
    bool json = progress->tool->output == TOOL_JSON;

    /* A terminal may be told five times a second, a program once. */
    if (now - progress->shown_ns < (json || !progress->line ? SECOND_NS : SECOND_NS / 5))
        return;
    progress->shown_ns = now;
    uint64_t left = progress_seconds_left(now - progress->started_ns, done, total);
    if (json)
        show_json(progress, done, total, left);
    else if (!progress->tool->quiet && isatty(STDERR_FILENO) == 1)
        show_line(progress, done, total, left);
}

void progress_end(struct progress *progress)
{
    if (progress->line)
        fputs("\r\033[K", stderr);
    progress->line = false;
}
