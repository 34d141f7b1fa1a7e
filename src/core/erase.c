/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/erase.h"

#include "base/bytes.h"
#include "base/must.h"
#include "base/mutant.h"
#include "core/engine.h"

enum deed { PICK, REPORT, RESET, SYNC };

/* Emptied bands that wait for durability before a flush is asked for on their behalf alone: a flush
 * pads, and padding for every band would eat what cleaning gains on small bands. */
#define EMPTIED_PATIENCE 4u
/* For a user who finds no band one is enough, where a flush pads less than this part of it; for one
 * who may find none when his is full, half of this part. */
#define FLUSH_SHARE 32u

static bool may_erase(const struct device *device, const struct band *band)
{
    if (band->readers > 0 && !mutant("erased-under-a-reader"))
        return false;
    if (mutant("flush-before-erase-missing"))
        return true;
    if (mutant("erase-while-overwrite-volatile"))
        return band->relocation_mark <= device->relocation_durable;
    return band_is_durably_empty(device, band);
}

/* Past those with readers only. */
static struct band *pick_of(struct device *device, const struct list *list)
{
    for (struct list_link *link = list_first(list); link != NULL; link = list_next(list, link)) {
        struct band *band = list_of(link, struct band, link);
        if (may_erase(device, band))
            return band;
    }
    return NULL;
}

static struct band *pick_band(struct device *device)
{
    if (device->bands_emptied == 0 || (device->closing && relocation_is_idle(device)))
        return NULL;
    struct band *band = pick_of(device, &device->index.ready);
    if (band == NULL &&
        (mutant("flush-before-erase-missing") || mutant("erase-while-overwrite-volatile")))
        band = pick_of(device, &device->index.user_volatile);
    if (band == NULL && mutant("flush-before-erase-missing"))
        band = pick_of(device, &device->index.relocation_volatile);
    return band;
}

/* Relocation cannot go on, or has nothing to do, until something is erased. */
static bool relocation_is_stuck(const struct device *device)
{
    const struct stream *stream = &device->streams[STREAM_RELOCATION];
    /* The band that it closes makes its copies durable by itself. */
    return relocation_is_idle(device) ||
           ((device->bands_free <= 1 || !stream_relocation_may_open(device)) &&
            stream_band(stream) == NULL && stream->closing->band == NULL);
}

/* Up to where what emptied bands will be durable without anybody asking. */
struct coming {
    uint64_t user, relocation;
};

/* A round of both streams is asked for or under way, or relocation's band is being closed. */
static struct coming coming_of(const struct device *device)
{
    const struct flush *flush = &device->flush;
    const struct pen *closing = device->streams[STREAM_RELOCATION].closing;
    struct coming coming = {device->user_durable, device->relocation_durable};
    if (flush->asked && flush->asked_relocation)
        return (struct coming){UINT64_MAX, UINT64_MAX};
    if (!flush_is_idle(device))
        coming.user = max_u64(coming.user, flush->user_target);
    if (!flush_is_idle(device) && flush->with_relocation)
        coming.relocation = max_u64(coming.relocation, flush->relocation_target);
    if (closing->band != NULL)
        coming.relocation = max_u64(coming.relocation, closing->appended);
    return coming;
}

/* Of a list in the order of their marks those that will be durable, `most` at most. Those passed
 * over wait for the other stream's clock as well: victims that users emptied meanwhile, so few. */
static uint32_t count_coming(const struct list *list, struct coming coming, uint32_t most)
{
    uint32_t count = 0;
    for (struct list_link *link = list_first(list); link != NULL && count < most;
         link = list_next(list, link)) {
        const struct band *band = list_of(link, struct band, link);
        uint64_t mark =
            band->shelf == SHELF_USER_VOLATILE ? band->user_mark : band->relocation_mark;
        if (mark > (band->shelf == SHELF_USER_VOLATILE ? coming.user : coming.relocation))
            break;
        count += band->user_mark <= coming.user && band->relocation_mark <= coming.relocation;
    }
    return count;
}

uint32_t erase_coming(const struct device *device, uint32_t most)
{
    const struct band_index *index = &device->index;
    struct coming coming = coming_of(device);
    uint32_t count = (device->erase.band != NULL) + index->ready_count;
    if (count < most)
        count += count_coming(&index->user_volatile, coming, most - count);
    if (count < most)
        count += count_coming(&index->relocation_volatile, coming, most - count);
    return min_u32(count, most);
}

static uint64_t last_mark(const struct list *list)
{
    if (list_is_empty(list))
        return 0;
    const struct band *band = list_of(list->head.prev, struct band, link);
    return band->shelf == SHELF_USER_VOLATILE ? band->user_mark : band->relocation_mark;
}

/* Some emptied band will not be durable by itself. What waits for its readers only is not helped by
 * a flush, nor by one after it. */
static bool has_volatile(const struct device *device)
{
    const struct band_index *index = &device->index;
    struct coming coming = coming_of(device);
    uint64_t relocation = last_mark(&index->relocation_volatile);
    if (!list_is_empty(&index->user_volatile))
        relocation = max_u64(relocation, index->relocation_mark_max);
    return last_mark(&index->user_volatile) > coming.user || relocation > coming.relocation;
}

/* More bands are free, or kept for users, or will be soon, than cleaning keeps. */
bool erase_is_enough(const struct device *device)
{
    uint32_t start = device->limits.level[HFTL_LIMIT_START].bands_free;
    uint32_t free = device->bands_free + (device->streams[STREAM_USER].kept != NULL);
    uint32_t wanted = free > start ? 0 : start + 1 - free;
    return erase_coming(device, wanted) >= wanted;
}

/* What emptying bands has gained: their blocks, less those that were moved out of them, and those
 * that were filled with nothing. */
static int64_t count_gained(const struct device *device)
{
    return (int64_t)(device->erase.emptied_blocks - device->relocation_clock -
                     device->stats.written[HFTL_IO_PAD].blocks);
}

/* Users get no band, now or when theirs is full, or relocation may take the last that they would
 * get; and what a round of both streams pads is little of a band, and of what was gained since the
 * last one that was asked for. */
static bool is_wanted(const struct device *device)
{
    const struct geometry *g = &device->geometry;
    uint32_t pads = 2 * g->ws_min + 2, band = geometry_data_blocks(g, g->columns);
    if (device->bands_free > BANDS_RESERVE + 1 || band < FLUSH_SHARE * pads)
        return false;
    if (device->bands_free <= BANDS_RESERVE && !list_is_empty(&device->writes) &&
        stream_band(&device->streams[STREAM_USER]) == NULL)
        return true;
    return band >= 2 * FLUSH_SHARE * pads &&
           count_gained(device) - device->erase.gained >= (int64_t)(FLUSH_SHARE / 2 * pads);
}

static void ask_for_durability(struct device *device)
{
    if (device->bands_emptied == 0 || !has_volatile(device) ||
        (device->closing && relocation_is_idle(device)))
        return;
    /* Bands that recovery sealed are read whole at every open until they are erased. */
    if (erase_is_enough(device) &&
        !(relocation_is_idle(device) && device->index.emptied_sealed > 0))
        return;
    if (device->bands_emptied >= EMPTIED_PATIENCE || relocation_is_stuck(device) ||
        is_wanted(device)) {
        device->erase.gained = count_gained(device);
        flush_ask(device, true);
    }
}

static void send_reports(struct device *device)
{
    struct erase *erase = &device->erase;
    erase->errand.at = REPORT;
    for (uint32_t i = 0; i < erase->band->width; i++) {
        erase->ops[i].op = (struct hftl_media_op){.verb = HFTL_MEDIA_REPORT,
                                                  .chunk = erase->band->chunks[i],
                                                  .blocks = 1,
                                                  .out.report = &erase->reports[i]};
        errand_send(&erase->errand, &erase->ops[i]);
    }
}

static void retry_reports(struct device *device)
{
    device->erase.report_retried = true;
    send_reports(device);
}

/* O9: whatever is not FREE. */
static void send_resets(struct device *device)
{
    struct erase *erase = &device->erase;
    must_show(erase->band->state == BAND_ERASING && erase->band->generation == erase->generation,
              erase->band->index, erase->generation); /* X1 */
    erase->errand.at = RESET;
    for (uint32_t i = 0; i < erase->band->width; i++) {
        if (erase->reports[i].state == HFTL_CHUNK_FREE)
            continue;
        erase->ops[i].op =
            (struct hftl_media_op){.verb = HFTL_MEDIA_RESET, .chunk = erase->band->chunks[i]};
        erase->band->wear = max_u32(erase->band->wear, erase->reports[i].wear + 1);
        errand_send(&erase->errand, &erase->ops[i]);
    }
}

static void sync_medium(struct device *device)
{
    struct erase *erase = &device->erase;
    erase->errand.at = SYNC;
    erase->ops[0].op = (struct hftl_media_op){.verb = HFTL_MEDIA_FLUSH};
    errand_send(&erase->errand, &erase->ops[0]);
}

static void finish(struct device *device, enum hftl_status status)
{
    struct erase *erase = &device->erase;
    struct band *band = erase->band;
    erase->band = NULL;
    erase->errand.at = PICK;
    band->idents = NULL;
    if (status == HFTL_OK || mutant("failed-erase-is-free")) {
        device->stats.bands_erased++;
        band_enter(device, band, BAND_FREE);
    } else {
        device_log(device, HFTL_LOG_ERROR, "band %u is retired: its erase failed: %s", band->index,
                   hftl_status_text(status));
        band_enter(device, band, BAND_RETIRED);
        relocation_consider(device); /* it had counted on this one */
    }
}

/* False: waiting, or nothing to do. */
static bool go_on(struct device *device)
{
    struct erase *erase = &device->erase;
    enum hftl_status status = errand_take_status(&erase->errand);
    switch ((enum deed)erase->errand.at) {
    case PICK:
        erase->band = pick_band(device);
        if (erase->band == NULL) {
            ask_for_durability(device);
            return false;
        }
        erase->generation = erase->band->generation;
        band_enter(device, erase->band, BAND_ERASING);
        erase->report_retried = false;
        send_reports(device);
        return false;
    case REPORT:
        if (status == HFTL_OK)
            send_resets(device);
        else if (!erase->report_retried)
            retry_reports(device);
        else
            finish(device, status);
        return erase->errand.in_flight == 0;
    case RESET:
        if (status == HFTL_OK)
            sync_medium(device);
        else
            finish(device, status);
        return erase->errand.in_flight == 0;
    case SYNC:
        if (status != HFTL_OK) { /* whoever flushes next must hear of it (C8) */
            device->flush.failed = status;
            device_degrade(device, status, "flushing the medium after an erase");
            return false;
        }
        finish(device, status);
        return true;
    }
    return false;
}

static void step(struct device *device, struct errand *errand)
{
    (void)errand;
    if (device->read_only)
        return;
    while (go_on(device))
        continue;
}

void erase_init(struct device *device)
{
    errand_init(&device->erase.errand, device, "erase", step);
}

bool erase_is_at_work(const struct device *device)
{
    return device->erase.band != NULL || link_is_linked(&device->erase.errand.link) ||
           flush_covers_relocation(device);
}

void erase_consider(struct device *device)
{
    if (device->erase.errand.at == PICK)
        errand_wake(&device->erase.errand);
}
