/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rpc_call.c - JSON-RPC 2.0 from a line to its answer: one call or a batch of them, notifications
 * (no id, no answer), and the errors of the protocol. Nothing that was read is believed.
 */
#include "front/rpc_methods.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Calls of a batch. */
#define BATCH_MAX 64u

json_t *rpc_refuse(struct rpc_error *error, enum rpc_code code, enum hftl_status status,
                   const char *format, ...)
{
    va_list args;

    error->code = code;
    error->status = status;
    va_start(args, format);
    vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    return NULL;
}

/* Takes the references to id and result over. `result` NULL: the error. */
static json_t *make_answer(json_t *id, json_t *result, const struct rpc_error *error)
{
    if (result)
        return json_pack("{s:s, s:o, s:o}", "jsonrpc", "2.0", "id", id, "result", result);
    return json_pack("{s:s, s:o, s:{s:i, s:s, s:{s:s, s:i}}}", "jsonrpc", "2.0", "id", id, "error",
                     "code", (int)error->code, "message", error->message, "data", "status",
                     hftl_status_name(error->status), "errno", hftl_status_errno(error->status));
}

static json_t *make_error(json_t *id, enum rpc_code code, const char *message)
{
    struct rpc_error error = {0};

    (void)rpc_refuse(&error, code, HFTL_INVALID, "%s", message);
    return make_answer(id, NULL, &error);
}

static const struct rpc_method *find_method(const char *name)
{
    for (unsigned i = 0; i < rpc_method_count; i++)
        if (strcmp(rpc_methods[i].name, name) == 0)
            return &rpc_methods[i];
    return NULL;
}

static bool takes(const struct rpc_method *method, const char *param)
{
    const char *at = method->params;
    size_t length = strlen(param);

    while (*at) {
        size_t n = strcspn(at, " ");
        if (n == length && strncmp(at, param, n) == 0)
            return true;
        at += n + 1;
    }
    return false;
}

/* A name that a client sent, short and without what a terminal or a log would not take. */
static const char *printable(const char *text, char *room, size_t bytes)
{
    size_t n = 0;

    for (; text[n] && n + 1 < bytes; n++)
        room[n] = (unsigned char)text[n] < ' ' || (unsigned char)text[n] > '~' ? '?' : text[n];
    room[n] = 0;
    return room;
}

static json_t *run(const struct rpc_target *target, const char *name, const json_t *params,
                   struct rpc_error *error)
{
    const struct rpc_method *method = find_method(name);
    char room[64];
    const char *key;
    json_t *value;

    if (!method)
        return rpc_refuse(error, RPC_METHOD, HFTL_INVALID, "no such method: %s",
                          printable(name, room, sizeof room));
    if (params && !json_is_object(params))
        return rpc_refuse(error, RPC_PARAMS, HFTL_INVALID, "parameters go by name: send an object");
    json_object_foreach(
        (json_t *)(uintptr_t)params, key,
        value) if (!takes(method, key)) return rpc_refuse(error, RPC_PARAMS, HFTL_INVALID,
                                                          "%s takes no parameter %s", name,
                                                          printable(key, room, sizeof room));
    return method->call(target, params, error);
}

static bool is_id(const json_t *id)
{
    return !id || json_is_string(id) || json_is_number(id) || json_is_null(id);
}

/* One call. NULL: it was a notification. */
static json_t *call(const struct rpc_target *target, const json_t *request)
{
    struct rpc_error error = {.code = RPC_INTERNAL};
    const char *version = json_string_value(json_object_get(request, "jsonrpc"));
    const char *name = json_string_value(json_object_get(request, "method"));
    json_t *id = json_object_get(request, "id");
    json_t *result;

    if (!json_is_object(request) || !version || strcmp(version, "2.0") != 0 || !name || !is_id(id))
        return make_error(is_id(id) && id ? json_incref(id) : json_null(), RPC_REQUEST,
                          "not a request of JSON-RPC 2.0");
    (void)rpc_refuse(&error, RPC_INTERNAL, HFTL_MEMORY, "no memory");
    result = run(target, name, json_object_get(request, "params"), &error);
    if (id)
        return make_answer(json_incref(id), result, &error);
    json_decref(result);
    return NULL;
}

/* ---- text ------------------------------------------------------------------------------------ */

struct text {
    char *bytes; /* NULL: no memory */
    size_t used;
};

static void add_bytes(struct text *text, const char *bytes, size_t count)
{
    char *more = realloc(text->bytes, text->used + count + 1);

    if (!more) {
        free(text->bytes);
        *text = (struct text){0};
        return;
    }
    text->bytes = more;
    memcpy(text->bytes + text->used, bytes, count);
    text->used += count;
    text->bytes[text->used] = 0;
}

/* Takes `answer` over. */
static void add_answer(struct text *text, json_t *answer)
{
    char *dumped = answer ? json_dumps(answer, JSON_COMPACT) : NULL;

    if (dumped)
        add_bytes(text, dumped, strlen(dumped));
    free(dumped);
    json_decref(answer);
}

/* The answers to a batch, those that there are; more than RPC_ANSWER_BYTES_MAX are not asked
 * for. */
static void call_batch(const struct rpc_target *target, const json_t *batch, struct text *text)
{
    size_t index;
    json_t *request;

    json_array_foreach(batch, index, request)
    {
        bool full = text->used > RPC_ANSWER_BYTES_MAX / 2;
        json_t *id = json_object_get(request, "id");
        json_t *answer;
        if (full && (!id || !is_id(id)))
            continue;
        answer = full ? make_error(json_incref(id), RPC_REQUEST,
                                   "not called: the answers before it are too long")
                      : call(target, request);
        if (!answer)
            continue;
        add_bytes(text, text->used == 0 ? "[" : ",", 1);
        add_answer(text, answer);
    }
    if (text->used > 0)
        add_bytes(text, "]", 1);
}

static char *finish(struct text *text, size_t *answer_bytes)
{
    if (text->used > 0)
        add_bytes(text, "\n", 1);
    *answer_bytes = text->used;
    return text->bytes;
}

char *rpc_answer(const struct rpc_target *target, const char *line, size_t bytes,
                 size_t *answer_bytes)
{
    json_error_t where;
    json_t *message = json_loadb(line, bytes, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &where);
    struct text text = {0};
    json_t *answer = NULL;

    if (!message)
        answer = make_error(json_null(), RPC_PARSE, "the line is no JSON");
    else if (!json_is_array(message))
        answer = call(target, message);
    else if (json_array_size(message) == 0 || json_array_size(message) > BATCH_MAX)
        answer = make_error(json_null(), RPC_REQUEST, "a batch has 1 to 64 calls");
    else
        call_batch(target, message, &text);
    json_decref(message);
    if (answer)
        add_answer(&text, answer);
    return finish(&text, answer_bytes);
}

static bool call_waits(const json_t *request)
{
    const char *name = json_string_value(json_object_get(request, "method"));
    const struct rpc_method *method = name ? find_method(name) : NULL;

    return method && method->waits;
}

bool rpc_waits(const char *line, size_t bytes)
{
    json_error_t where;
    json_t *message = json_loadb(line, bytes, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &where);
    bool waits = call_waits(message);
    size_t index;
    json_t *request;

    json_array_foreach(message, index, request) waits = waits || call_waits(request);
    json_decref(message);
    return waits;
}

char *rpc_answer_too_long(size_t *answer_bytes)
{
    struct text text = {0};

    add_answer(&text, make_error(json_null(), RPC_REQUEST, "a line has at most 65536 bytes"));
    return finish(&text, answer_bytes);
}
