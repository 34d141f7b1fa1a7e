/* SPDX-License-Identifier: BSD-3-Clause */
/* ctl.c - hostftl ctl: one call to a served device, whatever its methods are. */
#include <stdlib.h>
#include <string.h>

#include <hostftl/hostftl.h>

#include "tool/rpc.h"

struct settings {
    const char *device;
    const char *method;
    const char *rpc;
    json_t *params;
};

/* What is JSON is taken as JSON, anything else as a string: a name needs no quotation marks. */
static json_t *value_of(const char *text)
{
    json_error_t where;
    json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &where);

    return value != NULL ? value : tool_text(text);
}

static error_t take_param(struct tool *tool, struct settings *own, const char *arg)
{
    const char *equals = strchr(arg, '=');
    char *key;

    if (equals == NULL || equals == arg)
        return tool_usage(tool, "not a parameter", arg, "write NAME=VALUE");
    if (own->params == NULL)
        own->params = tool_made(json_object());
    key = tool_made(strndup(arg, (size_t)(equals - arg)));
    if (json_object_set_new(own->params, key, value_of(equals + 1)) != 0) {
        free(key);
        return tool_usage(tool, "not a parameter", arg, "write NAME=VALUE, in UTF-8");
    }
    free(key);
    return 0;
}

static error_t parse(struct tool *tool, void *settings, int key, char *arg,
                     const struct argp_state *state)
{
    struct settings *own = settings;

    switch (key) {
    case RPC_KEY:
        own->rpc = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num == 0)
            own->device = arg;
        else if (state->arg_num == 1)
            own->method = arg;
        else
            return take_param(tool, own, arg);
        return 0;
    case ARGP_KEY_END:
        if (own->device == NULL)
            return tool_usage(tool, "which device?", NULL, "name the drive that holds it");
        if (own->method == NULL)
            return tool_usage(tool, "which method?", NULL, "'version' lists them");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void print_scalar(const json_t *value)
{
    char *text;

    if (json_is_string(value)) {
        puts(json_string_value(value));
        return;
    }
    text = tool_made(json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(6)));
    puts(text);
    free(text);
}

/* A fact a line; what has members, at most one level of them, is indented; lists stand in one line
 * each. */
static void print_members(const json_t *object, const char *indent)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        printf("%s%s: ", indent, key);
        print_scalar(value);
    }
}

static void print_list(const char *key, const json_t *list)
{
    size_t index;
    json_t *value;

    printf("%s:\n", key);
    json_array_foreach(list, index, value)
    {
        printf("  ");
        print_scalar(value);
    }
}

static void print_people(const json_t *result)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)result, key, value)
    {
        if (json_is_object(value)) {
            printf("%s:\n", key);
            print_members(value, "  ");
        } else if (json_is_array(value)) {
            print_list(key, value);
        } else {
            printf("%s: ", key);
            print_scalar(value);
        }
    }
}

static int run(struct tool *tool, void *settings)
{
    struct settings *own = settings;
    struct rpc_link *link = rpc_connect(tool, own->device, own->rpc);
    json_t *data, *result;

    if (link == NULL) {
        json_decref(own->params);
        return TOOL_FAILED;
    }
    result = rpc_call(tool, link, own->method, own->params);
    rpc_close(link);
    if (result == NULL)
        return TOOL_FAILED;
    if (tool->output == TOOL_JSON) {
        data = tool_made(json_object());
        tool_put(data, "method", tool_text(own->method));
        tool_put(data, "result", json_incref(result));
        tool_print_json(tool, "data", data);
    } else if (!tool->quiet) {
        print_people(result);
    }
    json_decref(result);
    return TOOL_OK;
}

static const struct argp_option options[] = {
    RPC_OPTIONS,
    {NULL, 0, NULL, 0, NULL, 0},
};

const struct verb verb_ctl = {
    .name = "ctl",
    .summary = "Ask or tell a served device something",
    .arguments = "DEVICE METHOD [NAME=VALUE...]",
    .doc = "Calls a method of the management socket of a device that 'hostftl serve' serves, and "
           "prints the result. 'version' lists the methods; hostftl-rpc(7) describes them. A VALUE "
           "that is JSON is taken as JSON, anything else as a string.",
    .options = options,
    .parse = parse,
    .settings_bytes = sizeof(struct settings),
    .run = run,
};
