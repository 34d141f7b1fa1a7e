/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rpc_methods.h - what can be asked of a served device. One table; a method gets its parameters as
 * an object and gives a result, or an error.
 *
 * A method takes only the parameters that its row names: a misspelt one is refused, not ignored.
 */
#ifndef HOSTFTL_FRONT_RPC_METHODS_H
#define HOSTFTL_FRONT_RPC_METHODS_H

#include "front/rpc.h"

#include <jansson.h>

/* The codes of JSON-RPC, and one of ours: the library refused or failed. */
enum rpc_code {
    RPC_PARSE = -32700,
    RPC_REQUEST = -32600,
    RPC_METHOD = -32601,
    RPC_PARAMS = -32602,
    RPC_INTERNAL = -32603,
    RPC_FAILED = -32000,
};

struct rpc_error {
    enum rpc_code code;
    enum hftl_status status; /* its name goes with the error, as data */
    char message[320];
};

struct rpc_method {
    const char *name;
    const char *params; /* names, with a space after each; "" none */
    /* The result; NULL: the error is set (or there was no memory, when its code is 0). */
    json_t *(*call)(const struct rpc_target *target, const json_t *params, struct rpc_error *error);
    bool waits; /* for the drive; only these use the target's channel (rpc.h, R4) */
};

extern const struct rpc_method rpc_methods[];
extern const unsigned rpc_method_count;

/* Sets the error; returns NULL, so that `return rpc_refuse(...)` reads well. */
json_t *rpc_refuse(struct rpc_error *error, enum rpc_code code, enum hftl_status status,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));

/* rpc_facts.c: what looks and changes nothing. */
json_t *rpc_info(const struct rpc_target *target, const json_t *params, struct rpc_error *error);
json_t *rpc_stats(const struct rpc_target *target, const json_t *params, struct rpc_error *error);
json_t *rpc_latency(const struct rpc_target *target, const json_t *params, struct rpc_error *error);
json_t *rpc_bands(const struct rpc_target *target, const json_t *params, struct rpc_error *error);

/* rpc_trace.c */
json_t *rpc_trace_set(const struct rpc_target *target, const json_t *params,
                      struct rpc_error *error);
json_t *rpc_trace_read(const struct rpc_target *target, const json_t *params,
                       struct rpc_error *error);

/* rpc_cleaning.c */
json_t *rpc_limits_get(const struct rpc_target *target, const json_t *params,
                       struct rpc_error *error);
json_t *rpc_limits_set(const struct rpc_target *target, const json_t *params,
                       struct rpc_error *error);
json_t *rpc_policy_get(const struct rpc_target *target, const json_t *params,
                       struct rpc_error *error);
json_t *rpc_policy_set(const struct rpc_target *target, const json_t *params,
                       struct rpc_error *error);
json_t *rpc_pause(const struct rpc_target *target, const json_t *params, struct rpc_error *error);
json_t *rpc_resume(const struct rpc_target *target, const json_t *params, struct rpc_error *error);

#endif
