/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/erase.h"

#include "base/bitmap.h"
#include "base/bytes.h"
#include "base/must.h"
#include "base/mutant.h"
#include "core/engine.h"

enum deed { PICK, REPORT, RESET, SYNC };

/* Emptied bands that wait for durability before a flush is asked for on their behalf alone: a flush
 * pads, and padding for every band would eat what cleaning gains on small bands. */
#define EMPTIED_PATIENCE 4u

static bool may_erase(const struct device *device, const struct band *band)
{
    if (band->state != BAND_EMPTIED || (band->readers > 0 && !mutant("erased-under-a-reader")))
        return false;
    if (mutant("flush-before-erase-missing"))
        return true;
    if (mutant("erase-while-overwrite-volatile"))
        return band->relocation_mark <= device->relocation_durable;
    return band_is_durably_empty(device, band);
}

static struct band *pick_band(struct device *device)
{
    if (device->bands_emptied == 0 || (device->closing && relocation_is_idle(device)))
        return NULL;
    for (uint32_t i = 0; i < device->geometry.bands; i++)
        if (may_erase(device, &device->bands[i]))
            return &device->bands[i];
    return NULL;
}

/* Relocation cannot go on, or has nothing to do, until something is erased. */
static bool relocation_is_stuck(const struct device *device)
{
    const struct stream *stream = &device->streams[STREAM_RELOCATION];
    /* The band that it closes makes its copies durable by itself. */
    return relocation_is_idle(device) || (device->bands_free <= 1 && stream_band(stream) == NULL &&
                                          stream->closing->band == NULL);
}

/* Bands that recovery sealed are read whole at every open until they are erased. */
static bool has_emptied_sealed(const struct device *device)
{
    for (uint32_t i = 0; i < device->geometry.bands; i++)
        if (device->bands[i].state == BAND_EMPTIED && device->bands[i].idents != NULL)
            return true;
    return false;
}

/* What emptied the band is durable, or will be without anybody asking: a round of both streams is
 * asked for or under way, or relocation's band is being closed. */
static bool will_be_durable(const struct device *device, const struct band *band)
{
    const struct flush *flush = &device->flush;
    const struct pen *closing = device->streams[STREAM_RELOCATION].closing;
    uint64_t user = device->user_durable, relocation = device->relocation_durable;
    if (flush->asked && flush->asked_relocation)
        return true;
    if (!flush_is_idle(device))
        user = max_u64(user, flush->user_target);
    if (!flush_is_idle(device) && flush->with_relocation)
        relocation = max_u64(relocation, flush->relocation_target);
    if (closing->band != NULL)
        relocation = max_u64(relocation, closing->appended);
    return band->user_mark <= user && band->relocation_mark <= relocation;
}

uint32_t erase_coming(const struct device *device)
{
    uint32_t coming = device->erase.band != NULL;
    for (uint32_t i = 0; device->bands_emptied > 0 && i < device->geometry.bands; i++)
        coming +=
            device->bands[i].state == BAND_EMPTIED && will_be_durable(device, &device->bands[i]);
    return coming;
}

/* What waits for its readers only is not helped by a flush, nor by one after it. */
static bool has_volatile(const struct device *device)
{
    for (uint32_t i = 0; i < device->geometry.bands; i++)
        if (device->bands[i].state == BAND_EMPTIED && !will_be_durable(device, &device->bands[i]))
            return true;
    return false;
}

static void ask_for_durability(struct device *device)
{
    if (device->bands_emptied == 0 || !has_volatile(device) ||
        (device->closing && relocation_is_idle(device)))
        return;
    if (device->bands_free + erase_coming(device) >
            device->limits.level[HFTL_LIMIT_START].bands_free &&
        !(relocation_is_idle(device) && has_emptied_sealed(device)))
        return;
    if (device->bands_emptied >= EMPTIED_PATIENCE || relocation_is_stuck(device))
        flush_ask(device, true);
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
    bitmap_clear(device->relocation.set_aside, band->index);
    if (status == HFTL_OK) {
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
