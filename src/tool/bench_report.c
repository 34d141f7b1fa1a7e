/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench_report.c - what was measured, as a page with plots: one file that loads nothing.
 *
 * The page (report/page.html) is part of this program, with uPlot in it; what is told to programs
 * as JSON is put into it, and it draws itself from that.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* A page of an earlier bench may be replaced; the drive that is measured, however named, not. */
static bool may_be_replaced(int fd)
{
    static const char begins[] = "<!DOCTYPE html>";
    char found[sizeof begins - 1];
    struct stat stat;

    if (fstat(fd, &stat) != 0 || S_ISBLK(stat.st_mode))
        return false;
    if (!S_ISREG(stat.st_mode) || stat.st_size == 0)
        return true;
    return pread(fd, found, sizeof found, 0) == (ssize_t)sizeof found &&
           memcmp(found, begins, sizeof found) == 0;
}

/* For reading as well where that can be, to see what would be replaced. */
static int open_untouched(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_NOCTTY | O_CLOEXEC, 0666);

    return fd >= 0 ? fd : open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
}

int bench_report_open(struct bench *bench)
{
    if (bench->asked->report == NULL)
        return TOOL_OK;
    int fd = open_untouched(bench->asked->report);
    if (fd >= 0 && !may_be_replaced(fd)) {
        (void)close(fd);
        return tool_fail(bench->tool,
                         &(struct failure){HFTL_EXISTS, "what is there is not a report",
                                           bench->asked->report, "name another file"});
    }
    bench->report = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (bench->report != NULL)
        return TOOL_OK;
    int code = cannot(bench, "the report cannot be made");
    if (fd >= 0)
        (void)close(fd);
    return code;
}

int bench_report_write(struct bench *bench, json_t *data)
{
    const char *page = (const char *)report_page;
    const char *mark = memmem(page, report_page_bytes, MARK, strlen(MARK));
    FILE *file = bench->report;

    if (file == NULL)
        return TOOL_OK;
    struct stat stat;
    if (fstat(fileno(file), &stat) == 0 && S_ISREG(stat.st_mode) && ftruncate(fileno(file), 0) != 0)
        return cannot(bench, "the report cannot be replaced");
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
