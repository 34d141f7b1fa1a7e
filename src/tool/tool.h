/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tool.h - what every verb of the program hostftl stands on.
 *
 * OWNS      the meaning of the common options, the one way to fail, the envelope around JSON.
 * PROMISES  a verb is a table (struct verb) and two functions; `hostftl VERB --help`, the list of
 *           options and the parser come from the same table, so they cannot disagree.
 *           With -o json exactly one envelope goes to the standard output, failure or not (and
 *           before it one line a second while long work is under way).
 * IGNORES   what verbs do.
 *
 *     hostftl emu create --size 1G drive.img
 *             '---------'   '------------'
 *             verb: one     its own options and the common ones, parsed into its settings,
 *             or two words  which run() gets
 */
#ifndef HOSTFTL_TOOL_H
#define HOSTFTL_TOOL_H

#include <argp.h>
#include <jansson.h>
#include <stdio.h>

#include <hostftl/types.h>

#define TOOL_SCHEMA 1       /* rises when a reader of the JSON would have to change */
#define TOOL_WHY_BYTES 4608 /* for the library's sentences: the longest path, and some words */

/* Documented in hostftl(1); `check` has those of fsck(8), and never corrects. */
enum tool_exit {
    TOOL_OK = 0,
    TOOL_FAILED = 1,
    TOOL_ERRORS_LEFT = 4,
    TOOL_OPERATIONAL = 8,
    TOOL_USAGE = 16
};

enum tool_output { TOOL_HUMAN, TOOL_JSON };

/* One run of one verb. */
struct tool {
    const char *verb; /* "emu create"; "" before it is known */
    enum tool_output output;
    bool verbose;
    bool quiet;
    bool lines;     /* JSON: an envelope is a line */
    int usage_exit; /* TOOL_USAGE once an option or argument was refused, else 0 */
};

/* A verb. Everything is static; the framework allocates settings_bytes zeroed bytes for a run. */
struct verb {
    const char *name;
    const char *summary;               /* one line of hostftl --help */
    const char *arguments;             /* "DEVICE" */
    const char *doc;                   /* shown by --help */
    const struct argp_option *options; /* NULL: only the common ones */
    /*
     * One option, argument (ARGP_KEY_ARG), or the end (ARGP_KEY_END). ARGP_ERR_UNKNOWN for what it
     * does not know; EINVAL after tool_usage() for what it refuses.
     */
    error_t (*parse)(struct tool *tool, void *settings, int key, char *arg,
                     const struct argp_state *state);
    size_t settings_bytes;
    int (*run)(struct tool *tool, void *settings); /* an exit code */
};

extern const struct verb verb_emu_create, verb_emu_info, verb_emu_zones, verb_emu_serve_raw;
extern const struct verb verb_bench, verb_check, verb_ctl, verb_dump, verb_format, verb_info;
extern const struct verb verb_serve, verb_stats;

/* Parses argv (argv[0] is skipped) and runs the verb. Returns the exit code. */
int verb_run(const struct verb *verb, int argc, char **argv);
/* What -o asks for, wherever it is: errors before it must know already that JSON is wanted. */
enum tool_output verb_wanted_output(int argc, char **argv);
/* What --help prints. */
void verb_help(const struct verb *verb, FILE *out);
/* The parser's options, one a line: "-o --output=FORMAT". For completion and for the manual's
 * test. */
void verb_list_options(const struct verb *verb, FILE *out);

/*
 * The one way to fail. Prints `hostftl: VERB: WHAT: WHERE: REMEDY` (without the parts that are
 * NULL) on the standard error, and with -o json the error envelope on the standard output.
 */
struct failure {
    enum hftl_status status;
    const char *what;  /* what went wrong: a clause without a full stop */
    const char *where; /* a path */
    const char *todo;  /* what to do about it */
};
int tool_fail(const struct tool *tool, const struct failure *failure); /* returns TOOL_FAILED */
/* The same for what the library said of `path`: its status and its sentence ("": the status'
 * text). */
int tool_fail_why(const struct tool *tool, enum hftl_status status, const char *why,
                  const char *path);
/* Refuses the command line: returns EINVAL, for parse(). `where` is an option or an argument: a
 * program is told of no path. */
error_t tool_usage(struct tool *tool, const char *what, const char *where, const char *todo);
/* A system call failed: the status that errno comes nearest to. */
enum hftl_status tool_status_of_errno(int err);
/* What usually helps against a status; NULL when nothing general can be said. */
const char *tool_todo(enum hftl_status status);

/* Takes `data` over, prints it in an envelope under `part` ("data", "progress", "error"). */
void tool_print_json(const struct tool *tool, const char *part, json_t *data);

/* A message for -v, on the standard error. */
void tool_note(const struct tool *tool, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Library messages: warnings and errors always, the rest with -v. `arg` is the struct tool. */
void tool_log(void *arg, enum hftl_log_level level, const char *message);

/* For what only fails without memory: ends the process with a message when `made` is NULL. */
void *tool_made(void *made);
/* A string for JSON, never NULL. Bytes that are not UTF-8, as names of files may have them, become
 * U+FFFD. */
json_t *tool_text(const char *s);
/* Adds a member to an object; takes `value` over. */
void tool_put(json_t *object, const char *key, json_t *value);

#endif
