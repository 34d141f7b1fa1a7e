/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * close.c - a clean close: what is in flight completes, everything is flushed, open bands are
 * padded until every block can be read, and a record says where they are (9.6).
 */
#include "base/bytes.h"
#include "base/mutant.h"
#include "lifecycle/await.h"
#include "lifecycle/blocking.h"
#include "lifecycle/build.h"

static bool requests_are_done(struct device *device)
{
    return device->requests_in_flight == 0;
}

/* No errand has work under way. */
static bool is_quiet(struct device *device)
{
    return device->media_in_flight == 0 && list_is_empty(&device->ready) && !device->super.busy &&
           relocation_is_idle(device) && device->erase.band == NULL && flush_is_idle(device) &&
           stream_is_settled(&device->streams[STREAM_USER]) &&
           stream_is_settled(&device->streams[STREAM_RELOCATION]);
}

/* Pads needed after the last block that matters until it can be read on every chunk. */
static uint32_t pads_needed(const struct device *device, const struct stream *stream)
{
    const struct geometry *g = &device->geometry;
    if (g->mw_cunits == 0 || stream_band(stream) == NULL)
        return 0;
    return stream_band(stream)->width * (round_up_u32(g->mw_cunits, g->ws_opt) + g->ws_opt);
}

/* Stops early when the band's end comes first: a closed band can be read whole. */
static void pad_stream(struct device *device, struct stream *stream)
{
    const struct band *band = stream_band(stream);
    uint32_t left = pads_needed(device, stream);
    while (left > 0 && stream_band(stream) == band && band->state == BAND_OPEN &&
           !device->read_only) {
        if (stream_pad(stream))
            left--;
        else if (!device_step(device)) {
            if (device->media_in_flight == 0)
                return;
            device->world.wait(device->world.arg, device->medium);
        }
    }
}

static enum hftl_status write_clean_record(struct device *device)
{
    struct superblock *record = &device->super.record;
    record->state = SUPERBLOCK_CLEAN;
    record->epoch = device->epoch_durable;
    for (unsigned i = 0; i < STREAMS; i++) {
        const struct pen *pen = device->streams[i].open;
        record->open[i] = (struct band_mark){.band = FORMAT_BAND_NONE};
        if (pen->band != NULL)
            record->open[i] =
                (struct band_mark){pen->band->index, pen->position, pen->band->generation};
    }
    return super_write_now(device);
}

static enum hftl_status become_quiet(struct device *device)
{
    flush_ask(device, true);
    if (!device_await(device, is_quiet) && !device->read_only)
        device_degrade(device, HFTL_SPACE, "closing: work is left that cannot go on");
    return device->read_only ? HFTL_READ_ONLY : HFTL_OK;
}

static void answer_all(struct device *device)
{
    if (device_await(device, requests_are_done))
        return;
    device_degrade(device, HFTL_SPACE, "closing: requests are left that cannot go on");
    (void)device_await(device, requests_are_done);
}

/* Relocation could go on in another band than the one it has, or has no victim half moved. */
static bool has_target(struct device *device)
{
    return device->bands_free > 0 || relocation_is_idle(device);
}

/*
 * The pads of a close may eat the room that relocation's band had for the rest of its victim. With
 * no other band free the next life would find it full, the victim not empty, and nothing to clean
 * with: so cleaning goes on until a band is free.
 */
static void leave_a_target(struct device *device)
{
    (void)device_await(device, has_target);
}

static enum hftl_status close_clean(struct device *device)
{
    answer_all(device);
    leave_a_target(device);
    device->closing = true;
    /* First all that matters, trim pages too; then the pads that make it readable. */
    enum hftl_status status = become_quiet(device);
    for (unsigned i = 0; i < STREAMS && status == HFTL_OK; i++)
        pad_stream(device, &device->streams[i]);
    if (status == HFTL_OK)
        status = become_quiet(device);
    if (status != HFTL_OK)
        return status;
    /* A tail written last is still volatile, and the record must not outlive what it vouches
     * for. */
    struct blocking b = {device->medium, &device->world, &device->stats, NULL};
    status = mutant("clean-record-without-flush") ? HFTL_OK : blocking_flush(&b);
    return status == HFTL_OK ? write_clean_record(device) : status;
}

enum hftl_status device_close(struct device *device)
{
    enum hftl_status status = HFTL_OK;
    if (!device->opened_read_only)
        status = close_clean(device);
    else
        answer_all(device);
    device_discard(device);
    return status;
}
