/* SPDX-License-Identifier: BSD-3-Clause */
/* rpc_facts.c - what a served device is and what it has done, as JSON. */
#include "front/rpc_methods.h"

#include <hostftl/observe.h>

#include <stdio.h>
#include <string.h>

static const char *const verbs[] = {
#define VERB_TEXT(name, text) text,
    HFTL_VERB_LIST(VERB_TEXT)
#undef VERB_TEXT
};
static const char *const kinds[] = {
#define KIND_TEXT(name, text) text,
    HFTL_IO_LIST(KIND_TEXT)
#undef KIND_TEXT
};
static const char *const states[] = {
#define STATE_TEXT(name, text) text,
    HFTL_BAND_STATE_LIST(STATE_TEXT)
#undef STATE_TEXT
};
static const char *const levels[HFTL_LIMIT_COUNT] = {"critical", "high", "low", "start"};

/* Objects that could not be made, for want of memory, are NULL, and stay so through all this. */
static void put(json_t *object, const char *key, json_t *value)
{
    (void)json_object_set_new(object, key, value);
}

static void put_count(json_t *object, const char *key, uint64_t value)
{
    put(object, key, json_integer((json_int_t)value));
}

static json_t *counts_of(const uint32_t *counts, unsigned count)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < count; i++)
        json_array_append_new(list, json_integer(counts[i]));
    return list;
}

/* ---- info ------------------------------------------------------------------------------------ */

static json_t *hex(const uint8_t id[16])
{
    char text[33];

    for (unsigned i = 0; i < 16; i++)
        snprintf(text + 2 * i, 3, "%02x", id[i]);
    return json_string(text);
}

static const char *kind_text(enum hftl_media_kind kind)
{
    return kind == HFTL_KIND_OCSSD ? "ocssd" : kind == HFTL_KIND_ZONED ? "zoned" : "flat";
}

static json_t *medium_of(const struct hftl_media_facts *facts)
{
    json_t *medium = json_object();

    put(medium, "kind", json_string(kind_text(facts->kind)));
    put(medium, "id", hex(facts->id));
    put_count(medium, "block_bytes", facts->block_bytes);
    put_count(medium, "oob_bytes", facts->oob_bytes);
    put_count(medium, "groups", facts->groups);
    put_count(medium, "pus_per_group", facts->pus_per_group);
    put_count(medium, "chunks_per_pu", facts->chunks_per_pu);
    put_count(medium, "chunk_blocks", facts->chunk_blocks);
    put_count(medium, "ws_min", facts->ws_min);
    put_count(medium, "ws_opt", facts->ws_opt);
    put_count(medium, "mw_cunits", facts->mw_cunits);
    put_count(medium, "open_max", facts->open_max);
    put_count(medium, "active_max", facts->active_max);
    put_count(medium, "reset_limit", facts->reset_limit);
    put(medium, "volatile_cache", json_boolean(facts->volatile_cache));
    return medium;
}

json_t *rpc_info(const struct rpc_target *target, const json_t *params, struct rpc_error *error)
{
    struct hftl_info info = {.size = sizeof info};
    json_t *drive = json_string(target->drive); /* NULL: its name is not UTF-8 */
    json_t *result = json_object();

    (void)params;
    (void)error;
    hftl_get_info(target->device, &info);
    put(result, "path", drive ? drive : json_null());
    put(result, "name", json_string(info.name));
    put(result, "id", hex(info.id));
    put_count(result, "bytes", info.blocks * HFTL_BLOCK_BYTES);
    put_count(result, "blocks", info.blocks);
    put_count(result, "blocks_mapped", info.blocks_mapped);
    put_count(result, "blocks_data", info.blocks_data);
    put_count(result, "blocks_media", info.blocks_media);
    put_count(result, "op_permille", info.op_permille);
    put_count(result, "op_effective_permille", info.op_effective_permille);
    put_count(result, "columns", info.columns);
    put_count(result, "bands", info.bands);
    put_count(result, "band_blocks", info.band_blocks);
    put_count(result, "bands_free", info.bands_free);
    put_count(result, "bands_sealed", info.bands_sealed);
    put_count(result, "bands_reserve", info.bands_reserve);
    put(result, "identity", json_string(info.identity_in_oob ? "oob" : "summary"));
    put(result, "was_clean", json_boolean(info.clean));
    put(result, "read_only", json_boolean(info.read_only));
    put(result, "reason", json_string(info.reason));
    put_count(result, "epoch", info.epoch);
    put_count(result, "created", info.created);
    put_count(result, "memory_bytes", info.memory_bytes);
    put(result, "medium", medium_of(&info.facts));
    return result;
}

/* ---- stats ----------------------------------------------------------------------------------- */

static json_t *requests_of(const struct hftl_stats *stats)
{
    json_t *requests = json_object();

    for (unsigned i = 0; i < HFTL_VERB_COUNT; i++)
        put(requests, verbs[i],
            json_pack("{s:I, s:I}", "count", (json_int_t)stats->requests[i], "failed",
                      (json_int_t)stats->failed[i]));
    return requests;
}

static json_t *io_of(const struct hftl_io_count *counts)
{
    json_t *io = json_object();
    struct hftl_io_count all = {0};

    for (unsigned i = 0; i < HFTL_IO_COUNT; i++) {
        put(io, kinds[i],
            json_pack("{s:I, s:I, s:I}", "operations", (json_int_t)counts[i].operations, "blocks",
                      (json_int_t)counts[i].blocks, "errors", (json_int_t)counts[i].errors));
        all.operations += counts[i].operations;
        all.blocks += counts[i].blocks;
        all.errors += counts[i].errors;
    }
    put(io, "total",
        json_pack("{s:I, s:I, s:I}", "operations", (json_int_t)all.operations, "blocks",
                  (json_int_t)all.blocks, "errors", (json_int_t)all.errors));
    return io;
}

static json_t *waf_of(const struct hftl_stats *stats)
{
    uint64_t blocks = 0;

    for (unsigned i = 0; i < HFTL_IO_COUNT; i++)
        blocks += stats->written[i].blocks;
    if (stats->written[HFTL_IO_USER].blocks == 0)
        return json_null();
    return json_real((double)blocks / (double)stats->written[HFTL_IO_USER].blocks);
}

static json_t *limits_of(const struct hftl_stats *stats)
{
    json_t *limits = json_object();

    for (unsigned i = 0; i < HFTL_LIMIT_COUNT; i++)
        put(limits, levels[i],
            json_pack("{s:I, s:I}", "hits", (json_int_t)stats->limit_hits[i], "waits",
                      (json_int_t)stats->limit_waits[i]));
    return limits;
}

/* Only those that happened: most of them never do. */
static json_t *ends_of(const struct hftl_stats *stats)
{
    json_t *ends = json_object();

    for (unsigned i = 0; i < HFTL_STATUS_COUNT; i++)
        if (stats->status[i] > 0)
            put_count(ends, hftl_status_name((enum hftl_status)i), stats->status[i]);
    return ends;
}

json_t *rpc_stats(const struct rpc_target *target, const json_t *params, struct rpc_error *error)
{
    struct hftl_stats s = {.size = sizeof s};
    json_t *result = json_object();

    (void)params;
    (void)error;
    hftl_get_stats(target->device, &s);
    put(result, "waf", waf_of(&s));
    put(result, "user",
        json_pack("{s:I, s:I, s:I, s:I}", "blocks_written", (json_int_t)s.user_blocks_written,
                  "blocks_read", (json_int_t)s.user_blocks_read, "blocks_trimmed",
                  (json_int_t)s.user_blocks_trimmed, "blocks_read_buffer",
                  (json_int_t)s.blocks_read_buffer));
    put(result, "written", io_of(s.written));
    put(result, "read", io_of(s.read));
    put(result, "requests", requests_of(&s));
    put(result, "ends", ends_of(&s));
    put(result, "medium",
        json_pack("{s:I, s:I, s:I, s:I, s:I}", "reads", (json_int_t)s.media_reads, "writes",
                  (json_int_t)s.media_writes, "resets", (json_int_t)s.media_resets, "flushes",
                  (json_int_t)s.media_flushes, "again", (json_int_t)s.media_again));
    put(result, "bands",
        json_pack("{s:I, s:I, s:I, s:I, s:I}", "opened", (json_int_t)s.bands_opened, "closed",
                  (json_int_t)s.bands_closed, "erased", (json_int_t)s.bands_erased, "victims",
                  (json_int_t)s.victims, "victims_let_go", (json_int_t)s.victims_let_go));
    put(result, "errors",
        json_pack("{s:I, s:I, s:I, s:I}", "mismatches", (json_int_t)s.mismatches, "blocks_lost",
                  (json_int_t)s.blocks_lost, "reads", (json_int_t)s.read_errors, "writes",
                  (json_int_t)s.write_errors));
    put(result, "verify",
        json_pack("{s:I, s:I, s:I}", "hits", (json_int_t)s.verify_hits, "misses",
                  (json_int_t)s.verify_misses, "evictions", (json_int_t)s.verify_evictions));
    put(result, "trace",
        json_pack("{s:I, s:I}", "recorded", (json_int_t)s.trace_recorded, "overwritten",
                  (json_int_t)s.trace_overwritten));
    put(result, "stalls",
        json_pack("{s:I, s:I}", "count", (json_int_t)s.stalls, "ns", (json_int_t)s.stall_ns));
    put(result, "limits", limits_of(&s));
    return result;
}

/* ---- latency --------------------------------------------------------------------------------- */

static json_t *latency_of(struct hftl_device *device, enum hftl_verb verb)
{
    struct hftl_latency l = {.size = sizeof l};

    hftl_get_latency(device, verb, &l);
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "count", (json_int_t)l.count,
                     "min_ns", (json_int_t)l.min_ns, "mean_ns", (json_int_t)l.mean_ns, "p50_ns",
                     (json_int_t)l.p50_ns, "p99_ns", (json_int_t)l.p99_ns, "p999_ns",
                     (json_int_t)l.p999_ns, "p9999_ns", (json_int_t)l.p9999_ns, "max_ns",
                     (json_int_t)l.max_ns);
}

json_t *rpc_latency(const struct rpc_target *target, const json_t *params, struct rpc_error *error)
{
    const json_t *given = json_object_get(params, "verb");
    const char *wanted = json_string_value(given);
    json_t *result = json_object();

    for (unsigned i = 0; i < HFTL_VERB_COUNT; i++)
        if (!given || (wanted && strcmp(wanted, verbs[i]) == 0))
            put(result, verbs[i], latency_of(target->device, (enum hftl_verb)i));
    if (json_object_size(result) > 0)
        return result;
    json_decref(result);
    return rpc_refuse(error, RPC_PARAMS, HFTL_INVALID,
                      "verb: write read, write, flush, trim, write-zeroes, extents or "
                      "flush-bands");
}

/* ---- bands ----------------------------------------------------------------------------------- */

json_t *rpc_bands(const struct rpc_target *target, const json_t *params, struct rpc_error *error)
{
    struct hftl_bands bands = {.size = sizeof bands};
    json_t *count = json_object(), *result = json_object();

    (void)params;
    (void)error;
    hftl_get_bands(target->device, &bands);
    for (unsigned i = 0; i < HFTL_BAND_STATE_COUNT; i++)
        put_count(count, states[i], bands.count[i]);
    put(result, "count", count);
    put(result, "valid_share", counts_of(bands.valid_share, HFTL_SHARE_STEPS));
    put(result, "wear",
        json_pack("{s:i, s:f, s:i, s:i, s:o}", "min", (int)bands.wear_min, "mean", bands.wear_mean,
                  "max", (int)bands.wear_max, "step", (int)bands.wear_step, "bands",
                  counts_of(bands.wear_bands, HFTL_WEAR_STEPS)));
    put(result, "debt",
        json_pack("{s:I, s:b}", "blocks", (json_int_t)bands.debt_blocks, "is_payable",
                  bands.debt_is_payable));
    put_count(result, "aside", bands.aside);
    return result;
}
