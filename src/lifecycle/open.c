/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * open.c - opening a device, after a clean close or after anything else. Every step may be cut and
 * the whole begun again: until the new record is durable nothing but pads is written, and what is
 * decided is decided by what is on the medium.
 */
#include "base/bytes.h"
#include "base/must.h"
#include "base/mutant.h"
#include "lifecycle/await.h"
#include "lifecycle/opening.h"
#include "lifecycle/steps.h"

#include <stdio.h>
#include <string.h>

#define SCRATCH_BLOCKS 64u

/* 9.4.1: the host may have died while the drive lived; what is believed now must stay. */
static enum hftl_status flush_medium(void *arg)
{
    struct opening *o = arg;
    enum hftl_status status = mutant("opening-does-not-flush") ? HFTL_OK : blocking_flush(&o->b);
    if (status != HFTL_OK)
        return why_say(o->why, status, "flushing the medium: %s", hftl_status_text(status));
    return HFTL_OK;
}

static enum hftl_status find_superblock(void *arg)
{
    struct opening *o = arg;
    return superfind(&o->b, o->options->name, &o->found, o->why);
}

/* As if the caller had asked for it: nothing at all is written. */
static void take_read_only(struct opening *o)
{
    o->read_only_options = *o->options;
    o->read_only_options.read_only = true;
    o->options = &o->read_only_options;
}

static enum hftl_status check_features(void *arg)
{
    struct opening *o = arg;
    bool clean = (o->found.record.state & SUPERBLOCK_CLEAN) != 0;
    if (superblock_read_only(&o->found.record) && !o->options->read_only) {
        take_read_only(o);
        world_log(o->b.world, HFTL_LOG_WARN, "opened read-only: the superblock says so");
    }
    if (o->options->read_only && !clean)
        return why_say(o->why, HFTL_READ_ONLY,
                       "the device was not closed cleanly: open it for writing once to recover it");
    if (o->found.record.epoch >= FORMAT_EPOCH_MAX)
        return why_say(o->why, HFTL_UNSUPPORTED, "opened %u times: no epochs are left",
                       FORMAT_EPOCH_MAX);
    o->clean = clean;
    return HFTL_OK;
}

static enum hftl_status take_verdicts(struct opening *o)
{
    struct device *device = o->device;
    struct verdict_walk walk = verdict_walk_start(&o->found.record, o->found.bytes);
    uint32_t accepted[FORMAT_COLUMNS_MAX];
    uint32_t columns = device->geometry.columns;
    struct verdict verdict;
    o->earlier = build_alloc(device, (o->found.record.verdict_count + 1) * sizeof(struct verdict));
    o->earlier_accepted = build_alloc(device, ((size_t)o->found.record.verdict_count + 1) *
                                                  columns * sizeof(uint32_t));
    if (o->earlier == NULL || o->earlier_accepted == NULL)
        return why_say(o->why, HFTL_MEMORY, "no memory for verdicts");
    while (verdict_next(&walk, &verdict, accepted)) {
        uint32_t *mine = o->earlier_accepted + (size_t)o->earlier_count * columns;
        memcpy(mine, accepted, verdict.columns * sizeof(uint32_t));
        verdict.accepted = mine;
        o->earlier[o->earlier_count++] = verdict;
    }
    return HFTL_OK;
}

static enum hftl_status build(void *arg)
{
    struct opening *o = arg;
    struct device *device = build_bare(o->b.medium, o->b.world);
    if (device == NULL)
        return why_say(o->why, HFTL_MEMORY, "no memory for a device");
    o->device = device;
    device->stats = *o->b.stats;
    o->b.stats = &device->stats;
    enum hftl_status status = build_super(device, &o->found.record.layout, o->found.record.id);
    if (status == HFTL_OK)
        status = build_rest(device, o->options);
    const struct geometry *g = &device->geometry;
    uint32_t chunks = hftl_media_chunks(&o->b.medium->facts);
    o->scratch_blocks = max_u32(SCRATCH_BLOCKS, g->ws_opt);
    o->mark_room = 2 * g->bands + 2 * FORMAT_STREAMS;
    o->chunks = build_alloc(device, chunks * sizeof(struct hftl_chunk));
    o->sightings = build_alloc(device, g->bands * sizeof(struct sighting));
    o->scans = build_alloc(device, g->bands * sizeof(struct scan));
    o->marks = build_alloc(device, o->mark_room * sizeof(struct band_mark));
    o->block = build_alloc(device, (size_t)o->scratch_blocks * g->block_bytes);
    o->trial = build_alloc(device, g->block_bytes);
    o->oob = build_alloc(device, (size_t)o->scratch_blocks * g->oob_bytes + 1);
    if (status != HFTL_OK || o->chunks == NULL || o->sightings == NULL || o->scans == NULL ||
        o->marks == NULL || o->block == NULL || o->trial == NULL || o->oob == NULL ||
        ahead_start(o) != HFTL_OK)
        return why_say(o->why, HFTL_MEMORY, "no memory: the map of %llu blocks needs %llu bytes",
                       (unsigned long long)g->blocks, (unsigned long long)g->blocks * 4);
    device->super.copies[0] = o->found.copies[0];
    device->super.copies[1] = o->found.copies[1];
    return take_verdicts(o);
}

/*
 * A copy that holds the record ends with it. A cut may tear the record that comes next in one copy
 * and not in both (O4): where something follows in both, that was a record of a later life, which
 * cannot be read any more, and what a clean close said is history.
 */
static bool record_is_last(const struct opening *o)
{
    uint32_t run = super_run_blocks(&o->device->geometry, o->found.bytes_size);
    for (unsigned i = 0; i < 2; i++) {
        const struct super_copy *copy = &o->found.copies[i];
        uint32_t end = min_u32(copy->state.wp, o->device->geometry.chunk_blocks);
        if (copy->newest == o->found.record.number && end <= o->found.newest_at[i] + run)
            return true;
    }
    return false;
}

static enum hftl_status report_chunks(void *arg)
{
    struct opening *o = arg;
    const struct layout *layout = &o->device->layout; /* other PUs are none of its business */
    uint32_t first = layout->pu_first * layout->chunks_per_pu;
    enum hftl_status status =
        blocking_report(&o->b, first, layout->pu_count * layout->chunks_per_pu, o->chunks + first);
    if (status != HFTL_OK)
        return why_say(o->why, status, "reporting chunks: %s", hftl_status_text(status));
    if (o->clean && !record_is_last(o)) {
        device_log(o->device, HFTL_LOG_WARN,
                   "superblock records newer than that of the last clean close cannot be read: the "
                   "device is recovered as after a cut");
        o->clean = false;
    }
    o->clean = o->clean && bands_clean_marks_hold(o);
    return HFTL_OK;
}

static enum hftl_status pad_open_chunks(void *arg)
{
    struct opening *o = arg;
    if (o->clean)
        return HFTL_OK;
    if (o->options->read_only)
        return why_say(o->why, HFTL_READ_ONLY,
                       "the medium is not as the clean close left it: open "
                       "it for writing once to recover it");
    enum hftl_status status = bands_pad_open_chunks(o);
    return status != HFTL_OK ? status : bands_leave_slots(o);
}

/* What closed bands hold goes into the map on the way. */
static enum hftl_status classify_bands(void *arg)
{
    enum hftl_status status = merge_start(arg);
    return status == HFTL_OK ? bands_classify(arg) : status;
}

static enum hftl_status read_sealed_bands(void *arg)
{
    struct opening *o = arg;
    enum hftl_status status = HFTL_OK;
    for (uint32_t i = 0; i < o->scan_count && status == HFTL_OK; i++)
        status = scan_start(o, &o->scans[i]);
    for (uint32_t i = 0; i < o->scan_count && status == HFTL_OK; i++)
        status = scan_read(o, &o->scans[i]);
    for (uint32_t i = 0; i < o->scan_count && status == HFTL_OK; i++)
        scan_judge(o, &o->scans[i]);
    return status;
}

static enum hftl_status build_map(void *arg)
{
    return merge_map(arg);
}

static void resume_stream(struct opening *o, struct scan *scan)
{
    struct device *device = o->device;
    struct band *band = scan->band;
    const struct sighting *seen = &o->sightings[band->index];
    struct stream *stream = &device->streams[seen->stream];
    uint32_t position = o->found.record.open[seen->stream].position;
    band_load(device, band, BAND_OPEN);
    stream_resume(stream, band, position);
    if (!mutant("resume-without-identities"))
        memcpy(stream->open->idents, scan->idents, (size_t)position * FORMAT_IDENT_BYTES);
    stream->open->seq_highest = (uint64_t)o->found.record.epoch << 32 | UINT32_MAX;
    build_free(device, scan->idents);
}

static void load_band(struct opening *o, struct band *band)
{
    struct device *device = o->device;
    const struct sighting *seen = &o->sightings[band->index];
    struct scan *scan = seen->scan == 0 ? NULL : &o->scans[seen->scan - 1];
    if (!seen->head)
        return;
    if (scan != NULL && scan->resumed) {
        resume_stream(o, scan);
        return;
    }
    if (band->valid == 0) {
        band_load(device, band, BAND_EMPTIED);
        return;
    }
    if (scan != NULL)
        band->idents = scan->idents;
    band_load(device, band, scan != NULL ? BAND_SEALED : BAND_CLOSED);
}

static enum hftl_status load_bands(void *arg)
{
    struct opening *o = arg;
    for (uint32_t i = 0; i < o->device->geometry.bands; i++)
        load_band(o, &o->device->bands[i]);
    band_index_warm(o->device);
    for (uint32_t i = 0; i < o->scan_count; i++)
        scan_end(o, &o->scans[i]);
    return HFTL_OK;
}

/* One more verdict; accepted NULL: nothing of what is there. */
static void add_verdict(struct super *super, const struct band *band, uint64_t generation,
                        const uint32_t *accepted)
{
    super->verdicts[super->verdict_count++] =
        (struct verdict){.band = band->index,
                         .columns = max_u32(1, band->width),
                         .generation = generation,
                         .accepted = accepted != NULL ? accepted : super->accepted};
}

/* O12, O14: every sealed band, also one from which nothing is believed, and every band that could
 * not be read: it is rejected in whatever life it turns out to be. */
static void list_verdicts(struct opening *o)
{
    struct device *device = o->device;
    uint64_t bound = (uint64_t)(device->epoch - 1) << 32 | GENERATION_BOUND;
    for (uint32_t i = 0; i < o->scan_count; i++) {
        const struct scan *scan = &o->scans[i];
        if (!scan->resumed && !mutant("verdict-not-durable"))
            add_verdict(&device->super, scan->band, scan->band->generation, scan->accepted);
    }
    for (uint32_t i = 0; i < device->geometry.bands; i++)
        if (o->sightings[i].unknown && device->bands[i].state == BAND_EMPTIED)
            add_verdict(&device->super, &device->bands[i], bound, NULL);
}

static enum hftl_status write_verdicts(struct opening *o)
{
    struct device *device = o->device;
    struct super *super = &device->super;
    super->verdicts = build_alloc(device, device->geometry.bands * sizeof(struct verdict));
    super->accepted = build_alloc(device, device->geometry.columns * sizeof(uint32_t));
    if (super->verdicts == NULL || super->accepted == NULL)
        return why_say(o->why, HFTL_MEMORY, "no memory for verdicts");
    list_verdicts(o);
    struct verdict_list list = {.verdicts = super->verdicts, .count = super->verdict_count};
    uint64_t bytes = superblock_bytes(device->geometry.block_bytes, &list);
    uint64_t run = (uint64_t)super_run_blocks(&device->geometry, bytes);
    if (run * device->geometry.block_bytes <= super->bytes_room)
        return HFTL_OK;
    super->verdict_count = 0;
    device_degrade(device, HFTL_SPACE, "%u verdicts do not fit in the superblock", list.count);
    return HFTL_OK;
}

/* O6 and O12 in one record: the new epoch and the verdicts, before anything is served or
 * written. */
static enum hftl_status write_record(void *arg)
{
    struct opening *o = arg;
    struct device *device = o->device;
    uint32_t epoch = max_u32(o->found.record.epoch, o->epoch_seen);
    device->was_clean = o->clean;
    if (epoch >= FORMAT_EPOCH_MAX)
        return why_say(o->why, HFTL_UNSUPPORTED, "epoch %u was seen: no epochs are left", epoch);
    device->epoch = mutant("seq-without-epoch") ? 1 : epoch + 1;
    device->super.record = o->found.record;
    device->super.record.epoch = device->epoch;
    device->super.record.state = o->found.record.state & SUPERBLOCK_READ_ONLY;
    for (unsigned i = 0; i < FORMAT_STREAMS; i++)
        device->super.record.open[i] = (struct band_mark){.band = FORMAT_BAND_NONE};
    device->epoch_durable = device->epoch;
    device->witness = o->witness; /* what was flushed before stays flushed */
    enum hftl_status status = write_verdicts(o);
    if (status != HFTL_OK || o->options->read_only)
        return status;
    /* If neither copy takes it the device is read-only now: nothing was and nothing will be
     * written, and what can be read is there. */
    if (super_write_now(device) != HFTL_OK)
        device_log(device, HFTL_LOG_ERROR, "opened read-only: no superblock copy can be written");
    return HFTL_OK;
}

static enum hftl_status release_chunks(void *arg)
{
    struct opening *o = arg;
    /* Read-only, perhaps because the verdicts did not fit: then nothing may be finished (O13). */
    if (o->device->read_only)
        return HFTL_OK;
    /* The verdict is durable, so what can be read may be served: a chunk that will not be closed
     * costs write access, not the device (C13). */
    enum hftl_status status = bands_release_chunks(o);
    if (status != HFTL_OK)
        device_degrade(o->device, status, "%s", o->why->text);
    return HFTL_OK;
}

static const struct step steps[] = {
    {"flush the medium", flush_medium}, {"find the superblock", find_superblock},
    {"check features", check_features}, {"allocate", build},
    {"report chunks", report_chunks},   {"pad open chunks", pad_open_chunks},
    {"classify bands", classify_bands}, {"read sealed bands", read_sealed_bands},
    {"build the map", build_map},       {"load bands", load_bands},
    {"write the record", write_record}, {"release chunks", release_chunks},
};

/* Steps before "allocate" have nowhere to be recorded. */
static void note_step(void *arg, unsigned index, enum hftl_status status)
{
    struct opening *o = arg;
    if (o->device != NULL)
        trace(o->device, RECOVERY_STEP, index + (o->options->read_only ? 1 : 0), 0, status);
}

static void drop_scratch(struct opening *o)
{
    struct device *device = o->device;
    build_free(device, o->chunks);
    build_free(device, o->sightings);
    build_free(device, o->marks);
    build_free(device, o->block);
    build_free(device, o->oob);
    build_free(device, o->trial);
    ahead_end(o);
    build_free(device, o->earlier);
    build_free(device, o->earlier_accepted);
    build_free(device, o->scans);
}

enum hftl_status device_open(struct hftl_media *medium, const struct device_options *options,
                             struct device **device, struct why *why)
{
    struct hftl_stats stats = {0}; /* until there is a device to count in */
    struct opening o = {.b = {medium, &options->world, &stats, NULL},
                        .options = options,
                        .why = why,
                        .witness = witness_none()};
    const char *nonsense = hftl_media_facts_nonsense(&medium->facts);
    *device = NULL;
    if (nonsense != NULL)
        return why_say(why, HFTL_GEOMETRY, "%s", nonsense);
    enum hftl_status status =
        steps_run(&options->world, steps + (options->read_only ? 1 : 0),
                  sizeof(steps) / sizeof(steps[0]) - (options->read_only ? 1 : 0), &o, note_step);
    superfind_free(&o.b, &o.found);
    if (status != HFTL_OK) {
        if (o.device != NULL)
            ahead_end(&o);
        if (o.device != NULL && !mutant("leak-when-opening-fails"))
            device_discard(o.device);
        return status;
    }
    drop_scratch(&o);
    relocation_consider(o.device);
    erase_consider(o.device);
    *device = o.device;
    return HFTL_OK;
}

static void info_of(const struct found *found, const struct hftl_media_facts *facts,
                    struct hftl_info *info)
{
    layout_to_info(&found->record.layout, facts, info);
    memcpy(info->id, found->record.id, sizeof(info->id));
    info->clean = (found->record.state & SUPERBLOCK_CLEAN) != 0;
    info->read_only = superblock_read_only(&found->record);
    info->epoch = found->record.epoch;
    info->bands_sealed = found->record.verdict_count;
}

enum hftl_status device_probe(struct hftl_media *medium, const struct world *world,
                              const char *name, struct hftl_info *info, struct why *why)
{
    struct blocking b = {medium, world, NULL, NULL};
    struct found found;
    const char *nonsense = hftl_media_facts_nonsense(&medium->facts);
    if (nonsense != NULL)
        return why_say(why, HFTL_GEOMETRY, "%s", nonsense);
    enum hftl_status status = superfind(&b, name, &found, why);
    if (status != HFTL_OK)
        return status;
    info_of(&found, &medium->facts, info);
    superfind_free(&b, &found);
    return HFTL_OK;
}

enum hftl_status device_list(struct hftl_media *medium, const struct world *world,
                             void (*each)(void *arg, const struct hftl_info *info), void *arg,
                             struct why *why)
{
    struct blocking b = {medium, world, NULL, NULL};
    struct instances all;
    struct hftl_info info;
    const char *nonsense = hftl_media_facts_nonsense(&medium->facts);
    if (nonsense != NULL)
        return why_say(why, HFTL_GEOMETRY, "%s", nonsense);
    enum hftl_status status = superfind_all(&b, &all, why);
    if (status != HFTL_OK)
        return status;
    for (uint32_t i = 0; i < all.count; i++) {
        const struct instance *instance = &all.list[i];
        info_of(&instance->found, &medium->facts, &info);
        if (instance->status != HFTL_OK)
            (void)snprintf(info.reason, sizeof(info.reason), "%.127s", instance->why.text);
        each(arg, &info);
    }
    superfind_all_free(&b, &all);
    return HFTL_OK;
}
