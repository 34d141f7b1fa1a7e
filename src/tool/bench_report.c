/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench_report.c - what was measured, as a page with plots: one file that loads nothing.
 *
 * The page (report/page.html) is part of this program, with uPlot in it; what is told to programs
 * as JSON is put into it, and it draws itself from that.
 */
#include <errno.h>
#include <string.h>

#include "tool/bench.h"

#define MARK "@DATA@"

/* Made of report/ by tools/embed.py. */
extern const unsigned char report_page[];
extern const size_t report_page_bytes;

/* Text in a page's script must not end it: "<" is written as JavaScript's escape of it. */
static void write_data(FILE *file, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '<')
            (void)fputs("\\u003c", file);
        else
            (void)fputc(*c, file);
    }
}

static int cannot(const struct bench *bench, const char *what)
{
    return tool_fail(bench->tool, &(struct failure){tool_status_of_errno(errno), what,
                                                    bench->asked->report, strerror(errno)});
}

int bench_report_open(struct bench *bench)
{
    if (bench->asked->report == NULL)
        return TOOL_OK;
    bench->report = fopen(bench->asked->report, "we");
    return bench->report != NULL ? TOOL_OK : cannot(bench, "the report cannot be made");
}

int bench_report_write(struct bench *bench, json_t *data)
{
    const char *page = (const char *)report_page;
    const char *mark = memmem(page, report_page_bytes, MARK, strlen(MARK));
    FILE *file = bench->report;

    if (file == NULL)
        return TOOL_OK;
    char *text = tool_made(json_dumps(data, JSON_COMPACT));
    const char *rest = mark + strlen(MARK);
    (void)fwrite(page, 1, (size_t)(mark - page), file);
    write_data(file, text);
    (void)fwrite(rest, 1, report_page_bytes - (size_t)(rest - page), file);
    free(text);
    bool whole = ferror(file) == 0;
    whole = fclose(file) == 0 && whole;
    bench->report = NULL;
    return whole ? TOOL_OK : cannot(bench, "the report is not whole");
}
