/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "media/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/must.h"
#include "media/rules.h"
#include "media/say.h"
#include "media/wrap.h"

struct trace {
    struct wrap wrap;
    struct trace_options options;
    FILE *file;
    uint64_t opened_ns;
    uint64_t lost;
    bool unwritten; /* something is in the file's buffer */
};

void trace_encode(const struct trace_record *record, uint8_t bytes[TRACE_RECORD_BYTES])
{
    memset(bytes, 0, TRACE_RECORD_BYTES);
    put_u64(bytes, record->time_ns);
    put_u64(bytes + 8, record->latency_ns);
    put_u32(bytes + 16, record->chunk);
    put_u32(bytes + 20, record->offset);
    put_u32(bytes + 24, record->blocks);
    put_u16(bytes + 28, (uint16_t)record->verb);
    put_u16(bytes + 30, (uint16_t)record->status);
}

void trace_decode(const uint8_t bytes[TRACE_RECORD_BYTES], struct trace_record *record)
{
    *record = (struct trace_record){
        .time_ns = get_u64(bytes),
        .latency_ns = get_u64(bytes + 8),
        .chunk = get_u32(bytes + 16),
        .offset = get_u32(bytes + 20),
        .blocks = get_u32(bytes + 24),
        .verb = (enum hftl_media_verb)get_u16(bytes + 28),
        .status = (enum hftl_status)get_u16(bytes + 30),
    };
}

static bool write_record(struct trace *trace, const struct trace_record *r)
{
    uint8_t bytes[TRACE_RECORD_BYTES];
    if (trace->options.binary) {
        trace_encode(r, bytes);
        return fwrite(bytes, sizeof bytes, 1, trace->file) == 1;
    }
    return fprintf(trace->file, "%" PRIu64 " %s %u %u %u %s %" PRIu64 "\n", r->time_ns,
                   rules_verb_text(r->verb), r->chunk, r->offset, r->blocks,
                   hftl_status_name(r->status), r->latency_ns) > 0;
}

static void note_op(struct trace *trace, const struct wrap_twin *twin)
{
    const struct hftl_media_op *op = &twin->op;
    struct trace_record record = {
        .time_ns = twin->begun_ns - trace->opened_ns,
        .latency_ns = media_clock_now(trace->options.clock) - twin->begun_ns,
        .chunk = op->chunk,
        .offset = op->offset,
        .blocks = op->blocks,
        .verb = op->verb,
        .status = op->status,
    };
    if (trace->options.record)
        trace->options.record(trace->options.arg, &record);
    if (!trace->file)
        return;
    trace->unwritten = true;
    if (!write_record(trace, &record)) {
        trace->lost++;
        clearerr(trace->file);
    }
}

static void finish_op(struct hftl_media_op *op)
{
    struct wrap_twin *twin = (struct wrap_twin *)op;
    struct trace *trace = op->owner;
    note_op(trace, twin);
    wrap_return(&trace->wrap, twin);
}

static void submit_ops(struct hftl_media *media, struct hftl_media_op **ops, unsigned count)
{
    struct trace *trace = (struct trace *)media;
    for (unsigned i = 0; i < count; i++) {
        enum hftl_status status = wrap_take(&trace->wrap, ops[i]);
        struct wrap_twin *twin = wrap_twin(&trace->wrap, ops[i], finish_op);
        if (!twin) {
            wrap_done(&trace->wrap, ops[i], HFTL_MEMORY);
            continue;
        }
        twin->begun_ns = media_clock_now(trace->options.clock);
        twin->op.status = status;
        if (status != HFTL_OK) {
            finish_op(&twin->op);
            continue;
        }
        wrap_send(&trace->wrap, twin);
    }
    wrap_settle(&trace->wrap);
}

static void write_out(struct trace *trace)
{
    if (!trace->unwritten)
        return;
    trace->unwritten = false;
    if (fflush(trace->file) != 0)
        trace->lost++;
}

static unsigned reap_ops(struct hftl_media *media, unsigned max)
{
    struct trace *trace = (struct trace *)media;
    wrap_reap_inner(&trace->wrap, max);
    unsigned landed = wrap_land(&trace->wrap, max);
    if (landed == 0)
        write_out(trace);
    return landed;
}

static void free_trace(struct trace *trace)
{
    if (trace->file)
        fclose(trace->file);
    wrap_free(&trace->wrap);
    free(trace);
}

static void close_media(struct hftl_media *media)
{
    struct trace *trace = (struct trace *)media;
    struct hftl_media *inner = trace->wrap.inner;
    must_show(trace->wrap.in_flight == 0, trace->wrap.in_flight, 0);
    free_trace(trace);
    inner->ops->close(inner);
}

static const struct hftl_media_ops trace_ops = {
    .name = "trace",
    .submit = submit_ops,
    .reap = reap_ops,
    .fd = wrap_fd,
    .close = close_media,
};

static enum hftl_status begin_file(struct trace *trace)
{
    if (!trace->options.path)
        return HFTL_OK;
    trace->file = fopen(trace->options.path, "we");
    if (!trace->file)
        return status_of_errno(errno);
    if (trace->options.binary)
        fwrite(TRACE_MAGIC, 8, 1, trace->file);
    else
        fputs("# time_ns verb chunk offset blocks status latency_ns\n", trace->file);
    trace->unwritten = true;
    trace->options.path = NULL; /* the caller's string, used up */
    return HFTL_OK;
}

enum hftl_status trace_open(struct hftl_media *inner, const struct trace_options *options,
                            struct hftl_media **media)
{
    must(options->size == sizeof *options);
    struct trace *trace = calloc(1, sizeof *trace);
    if (!trace)
        return HFTL_MEMORY;
    trace->options = *options;
    trace->opened_ns = media_clock_now(options->clock);
    enum hftl_status status = wrap_init(&trace->wrap, &trace_ops, inner, false);
    if (status != HFTL_OK) {
        free(trace);
        return status;
    }
    status = begin_file(trace);
    if (status != HFTL_OK) {
        free_trace(trace);
        return status;
    }
    *media = &trace->wrap.media;
    return HFTL_OK;
}

uint64_t trace_lost(const struct hftl_media *media)
{
    return ((const struct trace *)media)->lost;
}
