/* SPDX-License-Identifier: BSD-3-Clause */
/* rpc_methods.c - the table, and the methods that are a line or two. */
#include "front/rpc_methods.h"

#include <hostftl/observe.h>

#include <stdio.h>

static json_t *get_version(const struct rpc_target *target, const json_t *params,
                           struct rpc_error *error)
{
    json_t *names = json_array();

    (void)target;
    (void)params;
    (void)error;
    for (unsigned i = 0; i < rpc_method_count; i++)
        json_array_append_new(names, json_string(rpc_methods[i].name));
    return json_pack("{s:s, s:i, s:o}", "hostftl", RPC_VERSION_TEXT, "schema", 1, "methods", names);
}

static json_t *check(const struct rpc_target *target, const json_t *params, struct rpc_error *error)
{
    char why[256] = "";
    enum hftl_status status = hftl_check(target->device, why, sizeof why);

    (void)params;
    if (status != HFTL_OK && status != HFTL_CORRUPT)
        return rpc_refuse(error, RPC_FAILED, status, "%s", why);
    return json_pack("{s:b, s:s}", "ok", status == HFTL_OK, "why", why);
}

static json_t *end_flush(enum hftl_status status, struct rpc_error *error)
{
    if (status == HFTL_OK)
        return json_object();
    return rpc_refuse(error, RPC_FAILED, status, "%s", hftl_status_text(status));
}

static json_t *flush(const struct rpc_target *target, const json_t *params, struct rpc_error *error)
{
    (void)params;
    return end_flush(hftl_flush(target->channel), error);
}

static json_t *flush_bands(const struct rpc_target *target, const json_t *params,
                           struct rpc_error *error)
{
    (void)params;
    return end_flush(hftl_flush_bands(target->channel), error);
}

const struct rpc_method rpc_methods[] = {
    {"version", "", get_version, false},
    {"info", "", rpc_info, false},
    {"stats", "", rpc_stats, false},
    {"latency", "verb ", rpc_latency, false},
    {"bands", "", rpc_bands, false},
    {"check", "", check, false},
    {"flush", "", flush, true},
    {"flush.bands", "", flush_bands, true},
    {"limits.get", "", rpc_limits_get, false},
    {"limits.set", "critical high low start ", rpc_limits_set, false},
    {"policy.get", "", rpc_policy_get, false},
    {"policy.set", "policy ", rpc_policy_set, false},
    {"cleaning.pause", "", rpc_pause, false},
    {"cleaning.resume", "", rpc_resume, false},
    {"trace.set", "points ", rpc_trace_set, false},
    {"trace.read", "next lost count ", rpc_trace_read, false},
};
const unsigned rpc_method_count = sizeof rpc_methods / sizeof rpc_methods[0];
