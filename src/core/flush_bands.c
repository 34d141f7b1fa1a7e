/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/flush_bands.h"

#include "core/engine.h"

enum deed { IDLE, PAD, CLOSE };

static struct band_mark mark_of(const struct pen *pen)
{
    if (pen->band == NULL || pen->position == 0)
        return (struct band_mark){.band = FORMAT_BAND_NONE};
    return (struct band_mark){.band = pen->band->index, .generation = pen->band->generation};
}

/* The band of the mark, in the life that was noted. */
static bool is_in(const struct pen *pen, const struct band_mark *mark)
{
    return pen->band != NULL && pen->band->index == mark->band &&
           pen->band->generation == mark->generation;
}

static void start_round(struct device *device)
{
    struct flush_bands *round = &device->flush_bands;
    list_splice_back(&round->riding, &round->waiting);
    for (unsigned i = 0; i < STREAMS; i++) {
        round->open[i] = mark_of(device->streams[i].open);
        round->closing[i] = mark_of(device->streams[i].closing);
    }
    round->errand.at = PAD;
}

/* False: waiting. */
static bool pad_stream(struct device *device, unsigned kind)
{
    struct flush_bands *round = &device->flush_bands;
    struct stream *stream = &device->streams[kind];
    while (is_in(stream->open, &round->open[kind]) && stream->open->band->state == BAND_OPEN) {
        if (device->bands_free < BANDS_RESERVE) { /* N1 */
            errand_wait(&round->errand, &device->band_waiters);
            return false;
        }
        if (!stream_pad(stream)) {
            errand_wait(&round->errand, &stream->waiting);
            return false;
        }
    }
    return true;
}

static bool pad_all(struct device *device)
{
    for (unsigned i = 0; i < STREAMS; i++)
        if (!pad_stream(device, i))
            return false;
    return true;
}

static bool are_closed(struct device *device)
{
    struct flush_bands *round = &device->flush_bands;
    for (unsigned i = 0; i < STREAMS; i++) {
        struct stream *stream = &device->streams[i];
        for (unsigned pen = 0; pen < 2; pen++) {
            if (!is_in(&stream->pens[pen], &round->open[i]) &&
                !is_in(&stream->pens[pen], &round->closing[i]))
                continue;
            errand_wait(&round->errand, &stream->waiting);
            return false;
        }
    }
    return true;
}

static void end_riders(struct device *device, enum hftl_status status)
{
    struct list_link *link;
    while ((link = list_pop_front(&device->flush_bands.riding)) != NULL)
        request_end(device, list_of(link, struct request, link), status);
}

static void step(struct device *device, struct errand *errand)
{
    if (device->read_only) /* all were told (flush_bands_fail_all) */
        return;
    for (;;) {
        switch ((enum deed)errand->at) {
        case IDLE:
            if (list_is_empty(&device->flush_bands.waiting))
                return;
            start_round(device);
            break;
        case PAD:
            if (!pad_all(device))
                return;
            errand->at = CLOSE;
            break;
        case CLOSE:
            if (!are_closed(device))
                return;
            end_riders(device, HFTL_OK);
            errand->at = IDLE;
            break;
        }
    }
}

void flush_bands_init(struct device *device)
{
    struct flush_bands *round = &device->flush_bands;
    errand_init(&round->errand, device, "flush bands", step);
    list_init(&round->waiting);
    list_init(&round->riding);
}

void flush_bands_join(struct device *device, struct request *request)
{
    list_push_back(&device->flush_bands.waiting, &request->link);
    if (device->flush_bands.errand.at == IDLE)
        errand_wake(&device->flush_bands.errand);
}

bool flush_bands_is_stuck(const struct device *device)
{
    return !device->read_only && device->flush_bands.errand.at != IDLE &&
           device->media_in_flight == 0 && list_is_empty(&device->ready);
}

void flush_bands_fail_all(struct device *device, enum hftl_status status)
{
    struct flush_bands *round = &device->flush_bands;
    struct list_link *link;
    end_riders(device, status);
    while ((link = list_pop_front(&round->waiting)) != NULL)
        request_end(device, list_of(link, struct request, link), status);
    if (link_is_linked(&round->errand.link))
        list_remove(&round->errand.link);
    round->errand.at = IDLE;
}
