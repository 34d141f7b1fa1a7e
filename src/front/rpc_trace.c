/* SPDX-License-Identifier: BSD-3-Clause */
/* rpc_trace.c - which points are recorded, and the records. */
#include "front/rpc_methods.h"

#include <hostftl/observe.h>

#include <string.h>

/* Records of one answer, so that it has a bound. */
#define RECORDS_MAX 512u
#define RECORDS_DEFAULT 256u

static json_t *points_of(uint64_t mask)
{
    json_t *points = json_array();

    for (uint64_t point = 0; point < HFTL_TRACE_COUNT; point++)
        if (mask >> point & 1)
            json_array_append_new(points, json_string(hftl_trace_name(point)));
    return json_pack("{s:o}", "points", points);
}

/* A point's bit; 0: no such point. */
static uint64_t bit_of(const char *name)
{
    for (uint64_t point = 0; point < HFTL_TRACE_COUNT; point++)
        if (strcmp(hftl_trace_name(point), name) == 0)
            return UINT64_C(1) << point;
    return 0;
}

/* "all", "none", a name, or a list of names. */
static bool take_points(const json_t *given, uint64_t *mask)
{
    const char *word = json_string_value(given);
    size_t index;
    json_t *value;

    *mask = 0;
    if (word && strcmp(word, "none") == 0)
        return true;
    if (word) {
        *mask = strcmp(word, "all") == 0 ? HFTL_TRACE_ALL : bit_of(word);
        return *mask != 0;
    }
    if (!json_is_array(given))
        return false;
    json_array_foreach(given, index, value)
    {
        uint64_t bit = json_is_string(value) ? bit_of(json_string_value(value)) : 0;
        if (bit == 0)
            return false;
        *mask |= bit;
    }
    return true;
}

json_t *rpc_trace_set(const struct rpc_target *target, const json_t *params,
                      struct rpc_error *error)
{
    const json_t *given = json_object_get(params, "points");
    uint64_t mask;
    enum hftl_status status;

    if (!given)
        return points_of(hftl_trace_get(target->device));
    if (!take_points(given, &mask))
        return rpc_refuse(error, RPC_PARAMS, HFTL_INVALID,
                          "points: write \"all\", \"none\", a point's name, or a list of names");
    status = hftl_trace_set(target->device, mask);
    if (status != HFTL_OK)
        return rpc_refuse(error, RPC_FAILED, status, "%s", hftl_status_text(status));
    return points_of(mask);
}

static bool take_count(const json_t *params, const char *key, uint64_t *count)
{
    const json_t *value = json_object_get(params, key);

    if (!value)
        return true;
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *count = (uint64_t)json_integer_value(value);
    return true;
}

json_t *rpc_trace_read(const struct rpc_target *target, const json_t *params,
                       struct rpc_error *error)
{
    struct hftl_trace_record records[RECORDS_MAX];
    struct hftl_trace_cursor cursor = {0};
    uint64_t count = RECORDS_DEFAULT;
    json_t *list = json_array();
    size_t got;

    if (!take_count(params, "next", &cursor.next) || !take_count(params, "lost", &cursor.lost) ||
        !take_count(params, "count", &count) || count == 0 || count > RECORDS_MAX) {
        json_decref(list);
        return rpc_refuse(error, RPC_PARAMS, HFTL_INVALID,
                          "next, lost: as the last answer had them; count: 1 to %u", RECORDS_MAX);
    }
    got = hftl_trace_read(target->device, &cursor, records, count);
    for (size_t i = 0; i < got; i++) {
        const struct hftl_trace_record *record = &records[i];
        json_array_append_new(list, json_pack("{s:I, s:s, s:I, s:I, s:I}", "time_ns",
                                              (json_int_t)record->time_ns, "point",
                                              hftl_trace_name(record->point), "id",
                                              (json_int_t)record->id, "at", (json_int_t)record->at,
                                              "argument", (json_int_t)record->argument));
    }
    return json_pack("{s:I, s:I, s:o}", "next", (json_int_t)cursor.next, "lost",
                     (json_int_t)cursor.lost, "records", list);
}
