/* SPDX-License-Identifier: BSD-3-Clause */
/* tool.c - failing, noting and JSON, the same way for every verb. */
#include "tool/tool.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void *tool_made(void *made)
{
    if (made != NULL)
        return made;
    fputs("hostftl: out of memory\n", stderr);
    exit(TOOL_FAILED);
}

void tool_put(json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, tool_made(value)) != 0)
        tool_made(NULL);
}

void tool_print_json(const struct tool *tool, const char *part, json_t *data)
{
    json_t *head = tool_made(json_object());
    json_t *envelope = tool_made(json_object());
    /* Progress is read line by line while it comes; the result is read by people too. */
    size_t flags = part[0] == 'p' || tool->lines ? JSON_COMPACT : JSON_INDENT(2);

    tool_put(head, "version", json_string(TOOL_VERSION));
    tool_put(head, "schema", json_integer(TOOL_SCHEMA));
    tool_put(head, "verb", json_string(tool->verb));
    tool_put(envelope, "hostftl", head);
    tool_put(envelope, part, data);
    (void)json_dumpf(envelope, stdout, flags);
    putchar('\n');
    (void)fflush(stdout);
    json_decref(envelope);
}

/* Does the sentence begin with the place, or have it as words of its own? */
static bool names(const char *sentence, const char *where)
{
    size_t length = strlen(where);

    for (const char *at = strstr(sentence, where); at != NULL; at = strstr(at + 1, where)) {
        bool begins = at == sentence || at[-1] == ' ';

        if (begins && (at[length] == '\0' || strchr(":;, ", at[length]) != NULL))
            return true;
    }
    return false;
}

/* Joins the parts that are there with ": ". */
static void join(char *line, size_t bytes, const struct failure *failure)
{
    const char *parts[] = {failure->what, failure->where, failure->todo};
    size_t used = 0;

    line[0] = '\0';
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (parts[i] == NULL || parts[i][0] == '\0' || used >= bytes)
            continue;
        if (i == 1 && names(line, parts[i]))
            continue; /* the sentence names the place already */
        int n = snprintf(line + used, bytes - used, "%s%s", used == 0 ? "" : ": ", parts[i]);
        used += n < 0 ? 0 : (size_t)n;
    }
}

/* The bytes of the character at `s`; 0 when it is none. */
static size_t character_bytes(const char *s, size_t left)
{
    for (size_t n = 1; n <= 4 && n <= left; n++) {
        json_t *made = json_stringn(s, n);

        json_decref(made);
        if (made != NULL)
            return n;
    }
    return 0;
}

json_t *tool_text(const char *s)
{
    static const char replacement[] = "\xEF\xBF\xBD";
    json_t *made = json_string(s);
    size_t left = strlen(s);
    size_t used = 0;

    if (made != NULL)
        return made;
    char *clean = tool_made(malloc(left * 3 + 1));
    while (left > 0) {
        size_t n = character_bytes(s, left);

        memcpy(clean + used, n > 0 ? s : replacement, n > 0 ? n : 3);
        used += n > 0 ? n : 3;
        s += n > 0 ? n : 1;
        left -= n > 0 ? n : 1;
    }
    made = tool_made(json_stringn(clean, used));
    free(clean);
    return made;
}

/* One line, whatever is in a name: neither its newlines nor its escapes get to the terminal. */
static void print_line(const char *line)
{
    for (; *line != '\0'; line++) {
        if ((unsigned char)*line < ' ' || *line == 127)
            fprintf(stderr, "\\x%02x", (unsigned char)*line);
        else
            fputc(*line, stderr);
    }
    fputc('\n', stderr);
}

/* `path`: what programs are told that it was about, or NULL. */
static void tell(const struct tool *tool, const struct failure *failure, const char *path)
{
    char line[2 * TOOL_WHY_BYTES];
    const char *verb = tool->verb;

    join(line, sizeof line, failure);
    fprintf(stderr, "hostftl: %s%s", verb, verb[0] == '\0' ? "" : ": ");
    print_line(line);
    if (tool->output == TOOL_JSON) {
        json_t *error = tool_made(json_object());

        tool_put(error, "status", json_string(hftl_status_name(failure->status)));
        tool_put(error, "errno", json_integer(hftl_status_errno(failure->status)));
        tool_put(error, "message", tool_text(line));
        tool_put(error, "path", path == NULL ? json_null() : tool_text(path));
        tool_print_json(tool, "error", error);
    }
}

int tool_fail(const struct tool *tool, const struct failure *failure)
{
    tell(tool, failure, failure->where);
    return TOOL_FAILED;
}

int tool_fail_why(const struct tool *tool, enum hftl_status status, const char *why,
                  const char *path)
{
    return tool_fail(tool, &(struct failure){
                               status,
                               why[0] != '\0' ? why : hftl_status_text(status),
                               path,
                               tool_todo(status),
                           });
}

error_t tool_usage(struct tool *tool, const char *what, const char *where, const char *todo)
{
    tool->usage_exit = TOOL_USAGE;
    tell(tool, &(struct failure){HFTL_INVALID, what, where, todo}, NULL);
    return EINVAL;
}

enum hftl_status tool_status_of_errno(int err)
{
    switch (err) {
    case EACCES:
    case EPERM:
        return HFTL_FORBIDDEN;
    case ENOENT:
    case ENOTDIR:
        return HFTL_ABSENT;
    case EEXIST:
        return HFTL_EXISTS;
    case EBUSY:
    case EADDRINUSE:
        return HFTL_BUSY;
    case ENOSPC:
    case EDQUOT:
        return HFTL_SPACE;
    case ENOMEM:
        return HFTL_MEMORY;
    case EINVAL:
    case ENAMETOOLONG:
        return HFTL_INVALID;
    case EROFS:
        return HFTL_READ_ONLY;
    default:
        return HFTL_IO;
    }
}

const char *tool_todo(enum hftl_status status)
{
    switch (status) {
    case HFTL_BUSY:
        return "stop whoever uses it (a running 'hostftl serve'?) and try again";
    case HFTL_FOREIGN:
        return "'hostftl format' makes a device on an emulated drive, which 'hostftl emu create' "
               "makes";
    case HFTL_VERSION:
        return "use the hostftl that wrote it";
    case HFTL_CORRUPT:
        return "keep a copy of the drive before trying anything else";
    case HFTL_TRUNCATED:
        return "restore the file to its full length";
    case HFTL_FORBIDDEN:
        return "check the permissions of the file and its folder";
    case HFTL_SPACE:
        return "make room on the file system that holds the file";
    case HFTL_EXISTS:
        return "--force replaces it and loses what it holds";
    default:
        return NULL;
    }
}

void tool_note(const struct tool *tool, const char *format, ...)
{
    va_list list;

    if (!tool->verbose)
        return;
    fprintf(stderr, "hostftl: %s: ", tool->verb);
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fputc('\n', stderr);
}

void tool_log(void *arg, enum hftl_log_level level, const char *message)
{
    const struct tool *tool = arg;
    static const char *const names[] = {"error: ", "warning: ", "", ""};

    if (level > HFTL_LOG_WARN && !tool->verbose)
        return;
    if (level > HFTL_LOG_ERROR && tool->quiet)
        return;
    fprintf(stderr, "hostftl: %s: %s%s\n", tool->verb, names[level], message);
}
