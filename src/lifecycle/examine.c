/* SPDX-License-Identifier: BSD-3-Clause */
#include "lifecycle/examine.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SENTENCE_BYTES 320

struct hftl_finding examine_nowhere(const char *what)
{
    return (struct hftl_finding){
        .place = {HFTL_NOWHERE, HFTL_NOWHERE, HFTL_NOWHERE, HFTL_NOWHERE},
        .lba = HFTL_NO_LBA,
        .what = what,
    };
}

void examine_say(struct examine *e, enum hftl_finding_level level, enum hftl_status status,
                 const struct hftl_finding *finding, const char *format, ...)
{
    char sentence[SENTENCE_BYTES];
    struct hftl_finding whole = *finding;
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof(sentence), format, args);
    va_end(args);
    whole.level = level;
    whole.status = status;
    whole.sentence = sentence;
    if (level == HFTL_FINDING_ERROR)
        e->result->errors++;
    else
        e->result->notes++;
    if (e->options->finding != NULL)
        e->options->finding(e->options->finding_arg, &whole);
}

/* A warning says what recovery found and coped with: if it is damage, the bands' turn will show
 * where. */
void examine_take_log(void *arg, enum hftl_log_level level, const char *message)
{
    struct examine *e = arg;
    struct hftl_finding nowhere = examine_nowhere("opening");
    if (!e->opening || level > HFTL_LOG_WARN)
        return;
    examine_say(e, level == HFTL_LOG_ERROR ? HFTL_FINDING_ERROR : HFTL_FINDING_NOTE, HFTL_CORRUPT,
                &nowhere, "%s", message);
}

static void complete_nothing(void *arg, struct hftl_request *request)
{
    (void)arg;
    (void)request;
}

/* OK although it was refused: then there is no device, and a finding says why. */
static enum hftl_status open_device(struct examine *e, struct why *why)
{
    struct device_options options = {
        .world = *e->b.world,
        .complete = complete_nothing,
        .verify = HFTL_VERIFY_RELOCATION, /* crcs of every lba are not needed */
        .recovery_memory_bytes = e->options->recovery_memory_bytes,
    };
    struct hftl_finding nowhere = examine_nowhere("opening");
    uint64_t errors = e->result->errors;
    e->opening = true;
    enum hftl_status status = device_open(e->b.medium, &options, &e->device, why);
    e->opening = false;
    if (status == HFTL_MEMORY)
        return status;
    if (status != HFTL_OK)
        examine_say(e, HFTL_FINDING_ERROR, status, &nowhere, "the device cannot be opened: %s",
                    why->text);
    else if (e->device->read_only && errors == e->result->errors)
        examine_say(e,
                    superblock_read_only(&e->found.record) ? HFTL_FINDING_NOTE : HFTL_FINDING_ERROR,
                    HFTL_READ_ONLY, &nowhere, "the device opens read-only: %s",
                    e->device->reason[0] != 0 ? e->device->reason : "its superblock says so");
    return HFTL_OK;
}

static void check_invariants(struct examine *e)
{
    struct hftl_finding nowhere = examine_nowhere("invariant");
    struct why why = {0};
    if (device_check(e->device, &why) != HFTL_OK)
        examine_say(e, HFTL_FINDING_ERROR, HFTL_CORRUPT, &nowhere, "%s", why.text);
}

/* Every mapped lba was met in the band it points to, whatever was wrong with others. */
static void check_all_met(struct examine *e)
{
    struct hftl_finding nowhere = examine_nowhere("map");
    const struct hftl_examination *r = e->result;
    uint64_t met = r->blocks_proven + r->blocks_lost + e->told;
    if (met < r->blocks_mapped)
        examine_say(e, HFTL_FINDING_ERROR, HFTL_CORRUPT, &nowhere,
                    "of %llu mapped lbas only %llu were met where the map says",
                    (unsigned long long)r->blocks_mapped, (unsigned long long)met);
}

static enum hftl_status examine_opened(struct examine *e, struct why *why)
{
    struct hftl_info info = {.size = sizeof(info)};
    device_get_info(e->device, &info);
    e->result->blocks_mapped = info.blocks_mapped;
    e->result->bands = info.bands;
    check_invariants(e);
    enum hftl_status status = look_start(&e->look, &e->b, e->device);
    if (status != HFTL_OK)
        return why_say(why, status, "reporting chunks: %s", hftl_status_text(status));
    examine_bands(e);
    check_all_met(e);
    e->result->complete = true;
    return HFTL_OK;
}

static void tell_device(struct examine *e)
{
    const struct superblock *record = &e->found.record;
    struct hftl_finding nowhere = examine_nowhere("superblock");
    memcpy(e->result->id, record->id, sizeof(e->result->id));
    memcpy(e->result->name, record->layout.name, sizeof(e->result->name));
    e->result->blocks = record->layout.exported_blocks;
    e->result->clean = (record->state & SUPERBLOCK_CLEAN) != 0;
    if (!e->result->clean)
        examine_say(e, HFTL_FINDING_NOTE, HFTL_OK, &nowhere,
                    "the device was not closed cleanly; the next open recovers it");
}

enum hftl_status device_examine(struct examine *e, struct hftl_media *medium,
                                const struct world *world, struct why *why)
{
    struct hftl_finding nowhere = examine_nowhere("superblock");
    e->b = (struct blocking){.medium = medium, .world = world};
    enum hftl_status status = superfind(&e->b, NULL, &e->found, why);
    if (status == HFTL_CORRUPT || status == HFTL_IO) {
        /* There is a device, and it cannot be opened: that is a result. */
        examine_say(e, HFTL_FINDING_ERROR, status, &nowhere, "%s", why->text);
        return HFTL_OK;
    }
    if (status != HFTL_OK)
        return status;
    tell_device(e);
    status = examine_superblocks(e);
    if (status != HFTL_OK)
        (void)why_say(why, status, "reading the superblock copies: %s", hftl_status_text(status));
    if (status == HFTL_OK)
        status = open_device(e, why);
    if (status == HFTL_OK && e->device != NULL)
        status = examine_opened(e, why);
    if (e->device != NULL)
        device_discard(e->device);
    superfind_free(&e->b, &e->found);
    return status;
}
