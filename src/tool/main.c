/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * main.c - finds the verb.
 *
 *     hostftl VERB ...            hostftl emu VERB ...
 *     hostftl help [VERB]         hostftl --help, --version
 */
#include "tool/tool.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORD_BYTES_MAX 32u

static const struct verb *const verbs[] = {
    &verb_emu_create, &verb_emu_info, &verb_emu_zones, &verb_emu_serve_raw,
    &verb_format,     &verb_info,     &verb_serve,     &verb_stats,
    &verb_ctl,        &verb_bench,    &verb_check,     &verb_dump,
};
#define VERB_COUNT (sizeof verbs / sizeof verbs[0])

static void print_help(FILE *out)
{
    fputs("Usage: hostftl VERB [OPTION...] [ARGUMENT...]\n"
          "An ordinary, power-safe block device on a drive that only takes sequential writes.\n\n",
          out);
    for (size_t i = 0; i < VERB_COUNT; i++)
        fprintf(out, "  %-15s %s\n", verbs[i]->name, verbs[i]->summary);
    fputs("  help VERB       How to use a verb; the same as hostftl VERB --help\n\n"
          "  -?, --help      Print this help and exit\n"
          "  -V, --version   Print the version and exit\n\n"
          "Exit codes: 0 done, 1 failed, 16 the command line makes no sense. See hostftl(1).\n",
          out);
}

/* The number of single-letter changes between two words (Levenshtein). */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[WORD_BYTES_MAX + 1];
    size_t length = strlen(b);

    if (strlen(a) > WORD_BYTES_MAX || length > WORD_BYTES_MAX)
        return WORD_BYTES_MAX;
    for (size_t j = 0; j <= length; j++)
        row[j] = (unsigned)j;
    for (size_t i = 0; a[i] != '\0'; i++) {
        unsigned corner = row[0];

        row[0] = (unsigned)i + 1;
        for (size_t j = 0; j < length; j++) {
            unsigned best = corner + (a[i] != b[j]);

            if (row[j + 1] + 1 < best)
                best = row[j + 1] + 1;
            if (row[j] + 1 < best)
                best = row[j] + 1;
            corner = row[j + 1];
            row[j + 1] = best;
        }
    }
    return row[length];
}

static int unknown_verb(const char *name, int argc, char **argv)
{
    struct tool tool = {.verb = "", .output = verb_wanted_output(argc, argv)};
    const char *nearest = NULL;
    unsigned least = 4;
    char todo[96] = "see 'hostftl --help'";

    for (size_t i = 0; i < VERB_COUNT; i++) {
        unsigned d = distance(name, verbs[i]->name);

        if (d < least) {
            least = d;
            nearest = verbs[i]->name;
        }
    }
    if (nearest != NULL)
        (void)snprintf(todo, sizeof todo, "did you mean 'hostftl %s'?", nearest);
    (void)tool_usage(&tool, "no such verb", name, todo);
    return TOOL_USAGE;
}

/* The verb that argv[1] or argv[1] and argv[2] name; *words says how many. `name` gets what was
 * tried. */
static const struct verb *find(int argc, char **argv, int *words, char *name, size_t name_bytes)
{
    for (*words = argc > 2 ? 2 : 1; *words > 0; --*words) {
        (void)snprintf(name, name_bytes, "%s%s%s", argv[1], *words == 2 ? " " : "",
                       *words == 2 ? argv[2] : "");
        for (size_t i = 0; i < VERB_COUNT; i++) {
            if (strcmp(verbs[i]->name, name) == 0)
                return verbs[i];
        }
    }
    /* "emu" alone is a family: show what was asked of it. */
    if (argc > 2 && strcmp(argv[1], "emu") == 0 && argv[2][0] != '-')
        (void)snprintf(name, name_bytes, "emu %s", argv[2]);
    return NULL;
}

/* hostftl help [--options] [VERB] */
static int help(int argc, char **argv)
{
    bool options = argc > 1 && strcmp(argv[1], "--options") == 0;
    char name[64];
    int words;

    if (options) {
        argc--;
        argv++;
    }
    if (argc < 2) {
        print_help(stdout);
        return TOOL_OK;
    }
    const struct verb *verb = find(argc, argv, &words, name, sizeof name);
    if (verb == NULL)
        return unknown_verb(name, argc, argv);
    if (options)
        verb_list_options(verb, stdout);
    else
        verb_help(verb, stdout);
    return TOOL_OK;
}

/* A full disk or a closed pipe behind the standard output is a failure like any other. */
static int flushed(int code)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return code;
    fputs("hostftl: cannot write to the standard output\n", stderr);
    return code == TOOL_OK ? TOOL_FAILED : code;
}

/*
 * Who starts us with closed descriptors would get a drive or a socket as its standard error, and
 * nbdkit refuses to run so. Nothing is written to what stands in for the output: that still fails.
 */
static void keep_standard_descriptors(void)
{
    static const int modes[] = {O_RDONLY, O_RDONLY, O_RDWR};

    for (int fd = 0; fd < 3; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", modes[fd]) != fd)
            _exit(TOOL_FAILED);
    }
}

int main(int argc, char **argv)
{
    char name[64];
    int words;

    keep_standard_descriptors();
    if (argc < 2) {
        print_help(stderr);
        return TOOL_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-?") == 0) {
        print_help(stdout);
        return flushed(TOOL_OK);
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        puts("hostftl " TOOL_VERSION);
        return flushed(TOOL_OK);
    }
    if (strcmp(argv[1], "help") == 0)
        return flushed(help(argc - 1, argv + 1));

    const struct verb *verb = find(argc, argv, &words, name, sizeof name);
    if (verb == NULL)
        return unknown_verb(name, argc, argv);
    return flushed(verb_run(verb, argc - words, argv + words));
}
