/* SPDX-License-Identifier: BSD-3-Clause */
/* meter.c - see meter.h. */
#include "tool/meter.h"

#include <stdlib.h>

#include <hostftl/types.h>

#include "base/must.h"

struct meter {
    struct hftl_media media; /* first: it is one */
    struct hftl_media *inner;
    uint64_t operations[HFTL_MEDIA_VERB_COUNT];
    uint64_t bytes[HFTL_MEDIA_VERB_COUNT];
};

static struct meter *meter_of(struct hftl_media *media)
{
    return (struct meter *)media;
}

static bool moves_blocks(enum hftl_media_verb verb)
{
    return verb == HFTL_MEDIA_READ || verb == HFTL_MEDIA_WRITE || verb == HFTL_MEDIA_APPEND;
}

static void submit(struct hftl_media *media, struct hftl_media_op **ops, unsigned count)
{
    struct meter *meter = meter_of(media);

    for (unsigned i = 0; i < count; i++) {
        enum hftl_media_verb verb = ops[i]->verb;

        must(verb < HFTL_MEDIA_VERB_COUNT);
        meter->operations[verb]++;
        if (moves_blocks(verb))
            meter->bytes[verb] += (uint64_t)ops[i]->blocks * media->facts.block_bytes;
    }
    meter->inner->ops->submit(meter->inner, ops, count);
}

static unsigned reap(struct hftl_media *media, unsigned max)
{
    struct hftl_media *inner = meter_of(media)->inner;

    return inner->ops->reap(inner, max);
}

static int ready_fd(struct hftl_media *media)
{
    struct hftl_media *inner = meter_of(media)->inner;

    return inner->ops->fd(inner);
}

static void close_all(struct hftl_media *media)
{
    struct meter *meter = meter_of(media);

    meter->inner->ops->close(meter->inner);
    free(meter);
}

static const struct hftl_media_ops meter_ops = {
    .name = "meter",
    .submit = submit,
    .reap = reap,
    .fd = ready_fd,
    .close = close_all,
};

enum hftl_status meter_open(struct hftl_media *inner, struct hftl_media **made)
{
    struct meter *meter = calloc(1, sizeof *meter);

    if (meter == NULL)
        return HFTL_MEMORY;
    meter->media.ops = &meter_ops;
    meter->media.facts = inner->facts;
    meter->inner = inner;
    *made = &meter->media;
    return HFTL_OK;
}

void meter_read(const struct hftl_media *media, struct meter_counts *counts)
{
    const struct meter *meter = (const struct meter *)media;

    must(media->ops == &meter_ops);
    for (unsigned i = 0; i < HFTL_MEDIA_VERB_COUNT; i++) {
        counts->operations[i] = meter->operations[i];
        counts->blocks[i] = meter->bytes[i] / HFTL_BLOCK_BYTES;
    }
}
