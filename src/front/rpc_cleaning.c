/* SPDX-License-Identifier: BSD-3-Clause */
/* rpc_cleaning.c - limits, policy, pause: what an operator may change while the device works. */
#include "front/rpc_methods.h"

#include <stdio.h>

static const char *const levels[HFTL_LIMIT_COUNT] = {"critical", "high", "low", "start"};

json_t *rpc_limits_get(const struct rpc_target *target, const json_t *params,
                       struct rpc_error *error)
{
    struct hftl_limits limits = {.size = sizeof limits};
    json_t *result = json_object();

    (void)params;
    (void)error;
    hftl_get_limits(target->device, &limits);
    for (unsigned i = 0; i < HFTL_LIMIT_COUNT; i++)
        json_object_set_new(result, levels[i],
                            json_pack("{s:i, s:i}", "bands_free", (int)limits.level[i].bands_free,
                                      "percent", (int)limits.level[i].percent));
    return result;
}

/* A member that is not there leaves what is; false: it is no number that a limit can have. */
static bool take_number(const json_t *object, const char *key, uint32_t *number)
{
    const json_t *value = json_object_get(object, key);

    if (!value)
        return true;
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        json_integer_value(value) > UINT32_MAX)
        return false;
    *number = (uint32_t)json_integer_value(value);
    return true;
}

static bool take_limit(const json_t *object, struct hftl_limit *limit)
{
    size_t known = json_object_get(object, "bands_free") ? 1 : 0;

    known += json_object_get(object, "percent") ? 1 : 0;
    return json_is_object(object) && json_object_size(object) == known &&
           take_number(object, "bands_free", &limit->bands_free) &&
           take_number(object, "percent", &limit->percent);
}

json_t *rpc_limits_set(const struct rpc_target *target, const json_t *params,
                       struct rpc_error *error)
{
    struct hftl_limits limits = {.size = sizeof limits};
    char why[256] = "";
    enum hftl_status status;

    hftl_get_limits(target->device, &limits);
    for (unsigned i = 0; i < HFTL_LIMIT_COUNT; i++) {
        const json_t *given = json_object_get(params, levels[i]);
        if (given && !take_limit(given, &limits.level[i]))
            return rpc_refuse(error, RPC_PARAMS, HFTL_INVALID,
                              "%s: write {\"bands_free\": NUMBER, \"percent\": NUMBER}", levels[i]);
    }
    status = hftl_set_limits(target->device, &limits, why, sizeof why);
    if (status != HFTL_OK)
        return rpc_refuse(error, status == HFTL_INVALID ? RPC_PARAMS : RPC_FAILED, status, "%s",
                          why);
    return rpc_limits_get(target, NULL, error);
}

json_t *rpc_policy_get(const struct rpc_target *target, const json_t *params,
                       struct rpc_error *error)
{
    (void)params;
    (void)error;
    return json_pack("{s:s, s:b}", "policy", hftl_get_policy(target->device), "paused",
                     hftl_cleaning_is_paused(target->device));
}

json_t *rpc_policy_set(const struct rpc_target *target, const json_t *params,
                       struct rpc_error *error)
{
    const char *name = json_string_value(json_object_get(params, "policy"));
    enum hftl_status status;

    if (!name)
        return rpc_refuse(error, RPC_PARAMS, HFTL_INVALID, "policy: name one");
    status = hftl_set_policy(target->device, name);
    if (status == HFTL_INVALID)
        return rpc_refuse(error, RPC_PARAMS, status,
                          "no such policy: write merit, greedy, cost-benefit or fifo");
    if (status != HFTL_OK)
        return rpc_refuse(error, RPC_FAILED, status, "%s", hftl_status_text(status));
    return rpc_policy_get(target, NULL, error);
}

static json_t *set_paused(const struct rpc_target *target, bool paused, struct rpc_error *error)
{
    enum hftl_status status = hftl_pause_cleaning(target->device, paused);

    if (status != HFTL_OK)
        return rpc_refuse(error, RPC_FAILED, status, "%s", hftl_status_text(status));
    return rpc_policy_get(target, NULL, error);
}

json_t *rpc_pause(const struct rpc_target *target, const json_t *params, struct rpc_error *error)
{
    (void)params;
    return set_paused(target, true, error);
}

json_t *rpc_resume(const struct rpc_target *target, const json_t *params, struct rpc_error *error)
{
    (void)params;
    return set_paused(target, false, error);
}
