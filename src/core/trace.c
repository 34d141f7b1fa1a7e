/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/trace.h"

#include "core/engine.h"

#define PROBE_OF(name, probe, at, argument, meaning) PROBE_LISTENERS(probe)
PROBE_WORD volatile unsigned short probe_listeners = 0;
HFTL_TRACE_LIST(PROBE_OF)
#undef PROBE_OF

_Static_assert(HFTL_TRACE_COUNT < 64, "a point's bit must fit in the mask");

static void hit_probe(enum hftl_trace_point point, uint64_t id, uint64_t at, uint64_t argument)
{
    (void)id, (void)at, (void)argument;
    switch (point) {
#define HIT(name, probe, at_text, argument_text, meaning)                                          \
    case HFTL_TRACE_##name:                                                                        \
        PROBE(probe, id, at, argument);                                                            \
        break;
        HFTL_TRACE_LIST(HIT)
#undef HIT
    case HFTL_TRACE_COUNT:
        break;
    }
}

void trace_hit(struct device *device, enum hftl_trace_point point, uint64_t id, uint64_t at,
               uint64_t argument)
{
    struct recorder *recorder = &device->trace.recorder;
    hit_probe(point, id, at, argument);
    if ((recorder_wanted(recorder) >> point & 1) == 0)
        return;
    const uint64_t words[RECORDER_WORDS] = {device->world.now(device->world.arg), point, id, at,
                                            argument};
    recorder_add(recorder, words);
}

/* The pair of points of an operation: going out and, one further, landing. */
static enum hftl_trace_point point_of(const struct hftl_media_op *op, enum hftl_io_kind kind)
{
    switch (op->verb) {
    case HFTL_MEDIA_READ:
        return kind == HFTL_IO_USER         ? HFTL_TRACE_READ_SUBMIT
               : kind == HFTL_IO_RELOCATION ? HFTL_TRACE_MOVE_READ_SUBMIT
                                            : HFTL_TRACE_META_READ_SUBMIT;
    case HFTL_MEDIA_WRITE:
    case HFTL_MEDIA_APPEND:
        return kind == HFTL_IO_USER         ? HFTL_TRACE_WRITE_SUBMIT
               : kind == HFTL_IO_RELOCATION ? HFTL_TRACE_MOVE_WRITE_SUBMIT
                                            : HFTL_TRACE_META_WRITE_SUBMIT;
    case HFTL_MEDIA_RESET:
        return HFTL_TRACE_ERASE_SUBMIT;
    case HFTL_MEDIA_FLUSH:
        return HFTL_TRACE_SYNC_SUBMIT;
    default: /* reports and the like: they cost nothing worth a record */
        return HFTL_TRACE_COUNT;
    }
}

static uint64_t block_of(const struct device *device, const struct hftl_media_op *op)
{
    uint64_t block = (uint64_t)op->chunk * device->geometry.chunk_blocks;
    return op->verb == HFTL_MEDIA_RESET ? block : block + op->offset;
}

void trace_submit(struct device *device, const struct hftl_media_op *op, struct io io)
{
    if (!trace_is_watched(&device->trace))
        return;
    enum hftl_trace_point point = point_of(op, io.kind);
    if (point != HFTL_TRACE_COUNT)
        trace_hit(device, point, io.id, block_of(device, op),
                  op->verb == HFTL_MEDIA_RESET ? op->chunk : op->blocks);
}

void trace_land(struct device *device, const struct hftl_media_op *op, struct io io)
{
    if (!trace_is_watched(&device->trace))
        return;
    enum hftl_trace_point point = point_of(op, io.kind);
    if (point != HFTL_TRACE_COUNT)
        trace_hit(device, (enum hftl_trace_point)(point + 1), io.id, block_of(device, op),
                  op->status);
}

const char *hftl_trace_name(uint64_t point)
{
    static const char *const names[] = {
#define NAME(name, probe, at, argument, meaning) #probe,
        HFTL_TRACE_LIST(NAME)
#undef NAME
    };
    return point < HFTL_TRACE_COUNT ? names[point] : NULL;
}
