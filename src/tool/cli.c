/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cli.c - from a verb's table to a parsed command line.
 *
 * argp parses and writes the help. Its own error messages are switched off (ARGP_NO_ERRS), because
 * they neither have our form nor reach a reader of JSON; that also switches off its --help, so help
 * is an option of ours.
 */
#include "tool/tool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KEY_HELP '?'

struct call {
    const struct verb *verb;
    struct tool tool;
    void *settings;
    bool helped;
};

static const struct argp_option common_options[] = {
    {NULL, 0, NULL, 0, "Common options:", -2},
    {"output", 'o', "FORMAT", 0, "How results are printed: human (default) or json", 0},
    {"verbose", 'v', NULL, 0, "Say more on the standard error", 0},
    {"quiet", 'q', NULL, 0, "Print nothing but errors (and JSON)", 0},
    {"help", KEY_HELP, NULL, 0, "Print this help and exit", 0},
    {NULL, 0, NULL, 0, NULL, 0},
};

static error_t parse_common(int key, char *arg, struct argp_state *state)
{
    struct call *call = state->input;
    struct tool *tool = &call->tool;

    switch (key) {
    case 'o':
        if (strcmp(arg, "json") == 0)
            tool->output = TOOL_JSON;
        else if (strcmp(arg, "human") == 0)
            tool->output = TOOL_HUMAN;
        else
            return tool_usage(tool, "no such output format", arg, "use human or json");
        return 0;
    case 'v':
        tool->verbose = true;
        return 0;
    case 'q':
        tool->quiet = true;
        return 0;
    case KEY_HELP:
        verb_help(call->verb, stdout);
        call->helped = true;
        return ECANCELED;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static bool is_option(const struct argp_option *option)
{
    return option->name != NULL;
}

/* Does `text` ("--size", "--size=1G", "-o") name an option of this table? */
static bool names_option(const struct argp_option *options, const char *text)
{
    const char *end = strchrnul(text, '=');

    for (; options != NULL && (options->name != NULL || options->doc != NULL); options++) {
        if (!is_option(options))
            continue;
        if (text[0] == '-' && text[1] == options->key && text[2] == '\0')
            return true;
        if (strncmp(text, "--", 2) == 0 && strlen(options->name) == (size_t)(end - text - 2) &&
            strncmp(text + 2, options->name, (size_t)(end - text - 2)) == 0)
            return true;
    }
    return false;
}

/* argp refused something without a word; find out what it was. */
static void refuse(struct call *call, const struct argp_state *state)
{
    const char *text = state->next > 0 ? state->argv[state->next - 1] : NULL;
    char todo[128];

    if ((text == NULL || text[0] != '-') && state->next < state->argc)
        text = state->argv[state->next];
    (void)snprintf(todo, sizeof todo, "see 'hostftl %s --help'", call->verb->name);
    if (text != NULL &&
        (names_option(common_options, text) || names_option(call->verb->options, text)))
        (void)tool_usage(&call->tool,
                         strchr(text, '=') == NULL ? "this option needs a value"
                                                   : "this option takes no value",
                         text, todo);
    else
        (void)tool_usage(&call->tool, "no such option", text, todo);
}

static error_t parse_verb(int key, char *arg, struct argp_state *state)
{
    struct call *call = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = call;
        return 0;
    case ARGP_KEY_ERROR:
        if (!call->helped && call->tool.usage_exit == 0)
            refuse(call, state);
        return 0;
    default:
        return call->verb->parse(&call->tool, call->settings, key, arg, state);
    }
}

static const struct argp common_argp = {.options = common_options, .parser = parse_common};
static const struct argp_child children[] = {{&common_argp, 0, NULL, 0}, {NULL, 0, NULL, 0}};

static struct argp argp_of(const struct verb *verb)
{
    return (struct argp){
        .options = verb->options,
        .parser = parse_verb,
        .args_doc = verb->arguments,
        .doc = verb->doc,
        .children = children,
    };
}

void verb_help(const struct verb *verb, FILE *out)
{
    struct argp argp = argp_of(verb);
    char name[64];

    (void)snprintf(name, sizeof name, "hostftl %s", verb->name);
    argp_help(&argp, out, ARGP_HELP_USAGE | ARGP_HELP_PRE_DOC | ARGP_HELP_LONG | ARGP_HELP_POST_DOC,
              name);
}

static void list(const struct argp_option *options, FILE *out)
{
    for (; options != NULL && (options->name != NULL || options->doc != NULL); options++) {
        if (!is_option(options) || (options->flags & OPTION_HIDDEN) != 0)
            continue;
        if (options->key > ' ' && options->key < 127)
            fprintf(out, "-%c ", options->key);
        fprintf(out, "--%s", options->name);
        if (options->arg != NULL)
            fprintf(out, "=%s", options->arg);
        fputc('\n', out);
    }
}

void verb_list_options(const struct verb *verb, FILE *out)
{
    list(verb->options, out);
    list(common_options, out);
}

enum tool_output verb_wanted_output(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *next = i + 1 < argc ? argv[i + 1] : "";

        if (strcmp(argv[i], "--output=json") == 0 || strcmp(argv[i], "-ojson") == 0)
            return TOOL_JSON;
        if ((strcmp(argv[i], "-o") == 0 || strcmp(argv[i], "--output") == 0) &&
            strcmp(next, "json") == 0)
            return TOOL_JSON;
    }
    return TOOL_HUMAN;
}

int verb_run(const struct verb *verb, int argc, char **argv)
{
    struct argp argp = argp_of(verb);
    struct call call = {
        .verb = verb,
        .tool = {.verb = verb->name, .output = verb_wanted_output(argc, argv)},
        .settings = tool_made(calloc(1, verb->settings_bytes)),
    };
    int code;

    error_t err =
        argp_parse(&argp, argc, argv, ARGP_NO_ERRS | ARGP_NO_HELP | ARGP_NO_EXIT, NULL, &call);
    if (call.helped)
        code = TOOL_OK;
    else if (err != 0)
        code = TOOL_USAGE;
    else
        code = verb->run(&call.tool, call.settings);
    free(call.settings);
    return code;
}
