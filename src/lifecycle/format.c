/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * format.c - makes a device on a medium, or on some PUs of it: chooses the layout, erases all of
 * these PUs, writes the first superblock records. A cut before the records are there leaves them
 * without a device. Other PUs are neither written nor erased.
 */
#include "base/bytes.h"
#include "base/mutant.h"
#include "lifecycle/await.h"
#include "lifecycle/build.h"
#include "lifecycle/neighbours.h"

#include <string.h>

#define OP_PERMILLE_DEFAULT 200u
#define OP_PERMILLE_MAX 9000u
#define BANDS_LEAST 8u
#define VERDICTS_LEAST 24u /* that fit in a superblock record: SEALED_MAX and some crashes more */
#define COLUMNS_CHOSEN_MAX 4u
/* What a write unit costs beside its blocks is shared by all of them: it is made as large as this.
 * A chunk still has so many of them. */
#define UNIT_BYTES 32768u
#define CHUNK_UNITS_LEAST 8u
#define BANDS_GOOD 60u /* the reserve and the open bands are then a tenth of them */

struct formatting {
    struct blocking b;
    const struct hftl_format_options *options;
    struct why *why;
    struct hftl_chunk *chunks; /* of the whole drive, and so is the count */
    uint32_t chunk_count;
    struct layout layout;
    uint64_t data_blocks;
    struct instances neighbours;
};

static const struct hftl_media_facts *facts_of(const struct formatting *f)
{
    return &f->b.medium->facts;
}

static bool is_good(const struct formatting *f, uint32_t chunk)
{
    const struct hftl_chunk *c = &f->chunks[chunk];
    return c->state != HFTL_CHUNK_OFFLINE && c->state != HFTL_CHUNK_READ_ONLY &&
           c->capacity == facts_of(f)->chunk_blocks;
}

/* The first good chunk of a PU, from its n-th on; chunk_count: none among the searched. */
static uint32_t good_chunk(const struct formatting *f, uint32_t pu, uint32_t from)
{
    uint32_t per_pu = facts_of(f)->chunks_per_pu;
    uint32_t good = 0;
    for (uint32_t i = 0; i < per_pu && good < FORMAT_SUPERBLOCK_SEARCH_CHUNKS; i++) {
        uint32_t chunk = pu * per_pu + i;
        if (!is_good(f, chunk))
            continue;
        if (good++ >= from)
            return chunk;
    }
    return f->chunk_count;
}

static enum hftl_status place_superblocks(struct formatting *f)
{
    uint32_t first = f->layout.pu_first;
    bool alone = f->layout.pu_count == 1;
    f->layout.superblock_chunk[0] = good_chunk(f, first, 0);
    f->layout.superblock_chunk[1] = good_chunk(f, alone ? first : first + 1, alone ? 1 : 0);
    if (f->layout.superblock_chunk[0] == f->chunk_count ||
        f->layout.superblock_chunk[1] == f->chunk_count)
        return why_say(f->why, HFTL_GEOMETRY,
                       "no good chunk for a superblock among the first %u of a parallel unit",
                       FORMAT_SUPERBLOCK_SEARCH_CHUNKS);
    return HFTL_OK;
}

static uint32_t zones_for_bands(const struct formatting *f)
{
    return f->chunk_count - f->layout.superblock_chunk[1] - 1;
}

static uint32_t choose_columns(const struct formatting *f)
{
    uint32_t columns = COLUMNS_CHOSEN_MAX;
    while (columns > 1 &&
           (zones_for_bands(f) / columns < BANDS_GOOD ||
            geometry_chunks_open(columns, 0) > geometry_open_limit(&f->layout, facts_of(f))))
        columns--;
    return columns;
}

static enum hftl_status choose_bands(struct formatting *f)
{
    struct layout *layout = &f->layout;
    const struct hftl_media_facts *facts = facts_of(f);
    bool oc = facts->kind == HFTL_KIND_OCSSD;
    layout->columns = oc                         ? layout->pu_count
                      : f->options->columns != 0 ? f->options->columns
                                                 : choose_columns(f);
    layout->bands = oc ? facts->chunks_per_pu : zones_for_bands(f) / layout->columns;
    if (layout->columns > FORMAT_COLUMNS_MAX)
        return why_say(f->why, HFTL_GEOMETRY, "%u columns: at most %u", layout->columns,
                       FORMAT_COLUMNS_MAX);
    /* Overlap is given up before columns are, and not asked for here: opening finds out. */
    uint32_t open = geometry_chunks_open(layout->columns, 0);
    if (open > geometry_open_limit(layout, facts))
        return why_say(f->why, HFTL_GEOMETRY,
                       "%u columns need %u open chunks (2 for superblocks, %u streams of %u); the "
                       "drive allows %u",
                       layout->columns, open, FORMAT_STREAMS_USED, layout->columns,
                       geometry_open_limit(layout, facts));
    /* Heads in a row, each at the begin of a slice of one block, leave no place for a summary. */
    if (layout->ident_place == IDENT_IN_SUMMARY && layout->ws_opt == layout->interleave &&
        layout->columns + 1 >= layout->summary_idents)
        return why_say(f->why, HFTL_GEOMETRY, "%u columns of slices of one block: at most %u",
                       layout->columns, layout->summary_idents - 2);
    return HFTL_OK;
}

/* Unless slices are asked for: as many of the drive's small write units as make one worth its
 * bookkeeping, where its chunks have enough of those. */
static uint32_t choose_unit(const struct hftl_media_facts *facts, uint32_t slices)
{
    uint32_t most = min_u32(UNIT_BYTES / facts->block_bytes, facts->transfer_blocks_max);
    most = min_u32(most, facts->chunk_blocks / CHUNK_UNITS_LEAST);
    return slices == 0 ? max_u32(1, most / facts->ws_opt) * facts->ws_opt : facts->ws_opt;
}

static enum hftl_status choose_interleave(struct formatting *f)
{
    const struct hftl_media_facts *facts = facts_of(f);
    uint32_t slices = max_u32(1, f->options->interleave);
    f->layout.ws_opt = choose_unit(facts, f->options->interleave);
    f->layout.interleave = slices;
    if (slices > UINT16_MAX || facts->ws_opt % slices != 0 ||
        facts->ws_opt / slices % facts->ws_min != 0)
        return why_say(f->why, HFTL_GEOMETRY,
                       "interleave %u: a write unit of %u blocks (ws_opt) does not divide into as "
                       "many slices that are multiples of %u (ws_min)",
                       slices, facts->ws_opt, facts->ws_min);
    return HFTL_OK;
}

/* Good chunks of a band: its width if it were opened now. */
static uint32_t width_of(const struct formatting *f, uint32_t band)
{
    uint32_t width = 0;
    for (uint32_t column = 0; column < f->layout.columns; column++)
        width += is_good(f, layout_band_chunk(&f->layout, band, column)) &&
                 layout_band_chunk(&f->layout, band, column) != f->layout.superblock_chunk[0] &&
                 layout_band_chunk(&f->layout, band, column) != f->layout.superblock_chunk[1];
    return width;
}

/* A size was asked for: it is taken as it is, or refused with the most that could be had. */
static enum hftl_status take_blocks(struct formatting *f)
{
    uint64_t most = min_u64(f->layout.exported_blocks, FORMAT_EXPORTED_MAX);
    if (f->options->blocks > most)
        return why_say(f->why, HFTL_GEOMETRY,
                       "%llu blocks were asked for: at most %llu can be exported of %llu data "
                       "blocks",
                       (unsigned long long)f->options->blocks, (unsigned long long)most,
                       (unsigned long long)f->data_blocks);
    f->layout.exported_blocks = f->options->blocks;
    f->layout.op_permille = 0; /* nobody asked for it */
    return HFTL_OK;
}

/*
 * What can be promised. Of the bands four are never counted on: the reserve (BANDS_RESERVE) and the
 * relocation stream's open band; of the rest a tenth stays free, or a twentieth (geometry.slack),
 * so that every victim frees something. Where that leaves more, the over-provisioning asked for
 * decides.
 */
static enum hftl_status choose_capacity(struct formatting *f)
{
    struct geometry g;
    uint64_t data = 0, largest = 0, bands = 0;
    uint32_t op = f->options->op_permille == 0 ? OP_PERMILLE_DEFAULT : f->options->op_permille;
    f->layout.exported_blocks = 1;
    geometry_init(&g, &f->layout);
    for (uint32_t band = 0; band < f->layout.bands; band++) {
        uint32_t width = width_of(f, band);
        uint64_t blocks = width == 0 ? 0 : geometry_data_blocks(&g, width);
        data += blocks;
        bands += blocks > 0;
        largest = max_u64(largest, blocks);
    }
    f->data_blocks = data;
    f->layout.op_permille = op;
    uint64_t fixed = (BANDS_RESERVE + 1) * largest;
    if (bands < BANDS_LEAST || data <= fixed)
        return why_say(f->why, HFTL_GEOMETRY,
                       "%llu bands of at most %llu data blocks: at least %u bands are needed "
                       "(smaller zones or fewer columns give more)",
                       (unsigned long long)bands, (unsigned long long)largest, BANDS_LEAST);
    uint64_t exported = (data - fixed) * (g.slack - 1) / g.slack;
    if (f->options->blocks == 0)
        exported = min_u64(data * 1000u / (1000u + op), exported);
    uint64_t pages = exported / g.trim_lbas + 1;
    if (exported <= pages + 1)
        return why_say(f->why, HFTL_GEOMETRY, "nothing is left to export of %llu data blocks",
                       (unsigned long long)data);
    f->layout.exported_blocks = exported - pages;
    return f->options->blocks == 0 ? HFTL_OK : take_blocks(f);
}

static enum hftl_status check_limits(struct formatting *f)
{
    uint64_t physical = (uint64_t)f->layout.bands * f->layout.band_stride;
    char text[200];
    struct geometry g;
    geometry_init(&g, &f->layout);
    uint64_t verdicts = (uint64_t)min_u32(f->layout.bands, VERDICTS_LEAST) *
                        (FORMAT_VERDICT_BYTES + 4u * (uint64_t)f->layout.columns);
    if (super_run_blocks(&g, FORMAT_SUPERBLOCK_BYTES + verdicts) > g.chunk_blocks)
        return why_say(
            f->why, HFTL_GEOMETRY,
            "chunks of %u blocks cannot hold a superblock record with its verdicts and the %u "
            "blocks after it that make it readable",
            g.chunk_blocks, g.mw_cunits);
    if (physical > FORMAT_PHYSICAL_MAX)
        return why_say(f->why, HFTL_GEOMETRY, "%llu physical blocks: at most %llu (4 PiB of 4 KiB)",
                       (unsigned long long)physical, (unsigned long long)FORMAT_PHYSICAL_MAX);
    if (layout_check(&f->layout, facts_of(f), text, sizeof(text)) != HFTL_OK)
        return why_say(f->why, HFTL_GEOMETRY, "%s", text);
    return HFTL_OK;
}

/* 0, 0: all of them. */
static enum hftl_status take_pus(struct formatting *f)
{
    uint32_t pus = hftl_media_pus(facts_of(f));
    uint32_t first = f->options->pu_first, count = f->options->pu_count;
    if (count == 0 && first == 0)
        count = pus;
    if (count == 0)
        return why_say(f->why, HFTL_INVALID, "no parallel units from %u on are given", first);
    if (first >= pus || count > pus - first)
        return why_say(f->why, HFTL_INVALID, "parallel units %u-%llu: the drive has 0-%u", first,
                       (unsigned long long)first + count - 1, pus - 1);
    f->layout.pu_first = first;
    f->layout.pu_count = count;
    return HFTL_OK;
}

static enum hftl_status choose_layout(struct formatting *f)
{
    const struct world *world = f->b.world;
    struct layout *layout = &f->layout;
    const char *nonsense = hftl_media_facts_nonsense(facts_of(f));
    if (nonsense != NULL)
        return why_say(f->why, HFTL_GEOMETRY, "%s", nonsense);
    layout_take_facts(layout, facts_of(f));
    enum hftl_status status = take_pus(f);
    if (status != HFTL_OK)
        return status;
    layout->salt = world->random(world->arg);
    layout->created = world->clock(world->arg);
    memcpy(layout->name, f->options->name, sizeof(f->options->name) - 1);
    if (layout->name[0] == '\0')
        memcpy(layout->name, "default", sizeof("default"));
    if (f->options->op_permille > OP_PERMILLE_MAX)
        return why_say(f->why, HFTL_INVALID, "over-provisioning of %u.%u %%: at most %u %%",
                       f->options->op_permille / 10, f->options->op_permille % 10,
                       OP_PERMILLE_MAX / 10);
    if (f->options->op_permille != 0 && f->options->blocks != 0)
        return why_say(f->why, HFTL_INVALID,
                       "both blocks and over-provisioning: the one follows from the other");
    status = place_superblocks(f);
    if (status == HFTL_OK)
        status = choose_interleave(f);
    if (status == HFTL_OK)
        status = choose_bands(f);
    if (status != HFTL_OK)
        return status;
    layout_set_regions(layout);
    status = choose_capacity(f);
    return status == HFTL_OK ? check_limits(f) : status;
}

/* ---- writing ---- */

/* Not a good one only: what is left partly written in a chunk of another capacity holds a slot of
 * the drive as well. But format does not fail for one that nothing will be written to. */
static enum hftl_status erase_chunk(struct formatting *f, uint32_t chunk)
{
    const struct hftl_media_facts *facts = facts_of(f);
    struct hftl_chunk *c = &f->chunks[chunk];
    enum hftl_status status = HFTL_OK;
    if (c->state == HFTL_CHUNK_OFFLINE || c->state == HFTL_CHUNK_READ_ONLY ||
        c->state == HFTL_CHUNK_FREE)
        return HFTL_OK;
    bool padded = c->state != HFTL_CHUNK_FULL && (facts->flags & HFTL_MEDIA_CAN_RESET_OPEN) == 0;
    bool finished = (facts->flags & HFTL_MEDIA_CAN_FINISH) != 0;
    if (!is_good(f, chunk) && padded && !finished && (c->capacity - c->wp) % facts->ws_min != 0)
        return HFTL_OK; /* it cannot be filled */
    if (padded)
        status = finished ? blocking_chunk(&f->b, HFTL_MEDIA_FINISH, chunk)
                          : blocking_pad(&f->b, chunk, c->wp, c->capacity - c->wp);
    if (status == HFTL_OK)
        status = blocking_chunk(&f->b, HFTL_MEDIA_RESET, chunk);
    if (status == HFTL_OK)
        return HFTL_OK;
    if (is_good(f, chunk))
        return why_say(f->why, status, "erasing chunk %u: %s", chunk, hftl_status_text(status));
    world_log(f->b.world, HFTL_LOG_WARN, "chunk %u of another capacity cannot be erased: %s", chunk,
              hftl_status_text(status));
    return HFTL_OK;
}

/* A superblock's chunk, which is erased before any other. */
static enum hftl_status erase_early(struct formatting *f, uint32_t chunk)
{
    enum hftl_status status = erase_chunk(f, chunk);
    f->chunks[chunk].state = HFTL_CHUNK_FREE;
    return status;
}

/* The superblocks first, those of all that is replaced: from there on there is no device rather
 * than half of one. */
static enum hftl_status erase_superblocks(struct formatting *f)
{
    enum hftl_status status = HFTL_OK;
    uint32_t chunk;
    if (mutant("format-erases-bands-first"))
        return status;
    for (uint32_t n = 0; status == HFTL_OK; n++) {
        if (!neighbours_first_chunk(&f->neighbours, &f->layout, n, &chunk))
            break;
        if (is_good(f, chunk))
            status = erase_early(f, chunk);
    }
    for (unsigned copy = 0; copy < 2 && status == HFTL_OK; copy++)
        status = erase_early(f, f->layout.superblock_chunk[copy]);
    return status;
}

/* O18: all of its PUs, and nothing of others. */
static enum hftl_status erase_all(struct formatting *f)
{
    uint32_t per_pu = facts_of(f)->chunks_per_pu;
    uint32_t first = f->layout.pu_first * per_pu, count = f->layout.pu_count * per_pu;
    enum hftl_status status = erase_superblocks(f);
    for (uint32_t i = 0; i < count && status == HFTL_OK; i++) {
        status = erase_chunk(f, first + i);
        if (f->options->progress != NULL)
            f->options->progress(f->options->progress_arg, i + 1, count);
    }
    if (status != HFTL_OK)
        return status;
    status = blocking_flush(&f->b);
    if (status != HFTL_OK)
        return why_say(f->why, status, "flushing the medium: %s", hftl_status_text(status));
    return HFTL_OK;
}

static void choose_id(const struct formatting *f, uint8_t id[16])
{
    static const uint8_t none[16];
    if (memcmp(f->options->id, none, sizeof(none)) != 0) {
        memcpy(id, f->options->id, 16);
        return;
    }
    for (unsigned i = 0; i < 16; i += 8)
        put_u64(id + i, f->b.world->random(f->b.world->arg));
    id[6] = (uint8_t)((id[6] & 0x0fu) | 0x40u); /* a random uuid, version 4 */
    id[8] = (uint8_t)((id[8] & 0x3fu) | 0x80u);
}

static enum hftl_status write_first(struct formatting *f, struct hftl_info *info)
{
    uint8_t id[16];
    choose_id(f, id);
    memcpy(info->id, id, sizeof(id));
    if (f->options->dry_run)
        return HFTL_OK;
    enum hftl_status status = erase_all(f);
    if (status != HFTL_OK)
        return status;
    struct device *device = build_bare(f->b.medium, f->b.world);
    if (device == NULL)
        return why_say(f->why, HFTL_MEMORY, "no memory");
    status = build_super(device, &f->layout, id);
    if (status == HFTL_OK) {
        device->super.record.state = SUPERBLOCK_CLEAN;
        status = super_write_now(device);
        if (status == HFTL_OK && (device->super.copies[0].dead || device->super.copies[1].dead))
            status = HFTL_IO;
    }
    if (status != HFTL_OK)
        why_say(f->why, status, "writing the superblock: %s", hftl_status_text(status));
    device_discard(device);
    return status;
}

static enum hftl_status judge_neighbours(struct formatting *f)
{
    enum hftl_status status = superfind_all(&f->b, &f->neighbours, f->why);
    if (status != HFTL_OK)
        return why_say(f->why, status, "looking for a device that is there already: %s",
                       hftl_status_text(status));
    return neighbours_judge(&f->neighbours, &f->layout, f->options->force, f->why);
}

static enum hftl_status run(struct formatting *f, struct hftl_info *info)
{
    enum hftl_status status = blocking_report(&f->b, 0, f->chunk_count, f->chunks);
    if (status != HFTL_OK)
        return why_say(f->why, status, "reporting chunks: %s", hftl_status_text(status));
    status = choose_layout(f);
    if (status == HFTL_OK)
        status = judge_neighbours(f);
    if (status != HFTL_OK)
        return status;
    layout_to_info(&f->layout, facts_of(f), info);
    info->blocks_data = f->data_blocks;
    info->op_effective_permille =
        (uint32_t)min_u64((info->blocks_data - info->blocks) * 1000u / info->blocks, UINT32_MAX);
    info->bands_free = f->layout.bands;
    info->clean = true;
    return write_first(f, info);
}

enum hftl_status device_format(struct hftl_media *medium, const struct world *world,
                               const struct hftl_format_options *options, struct hftl_info *info,
                               struct why *why)
{
    struct formatting f = {.b = {medium, world, NULL, NULL},
                           .options = options,
                           .why = why,
                           .chunk_count = hftl_media_chunks(&medium->facts)};
    const char *nonsense = hftl_media_facts_nonsense(&medium->facts);
    if (nonsense != NULL)
        return why_say(why, HFTL_GEOMETRY, "%s", nonsense);
    size_t bytes = f.chunk_count * sizeof(struct hftl_chunk);
    f.chunks = world->alloc(world->arg, bytes);
    if (f.chunks == NULL)
        return why_say(why, HFTL_MEMORY, "no memory for %u chunks", f.chunk_count);
    struct hftl_info scratch;
    enum hftl_status status = run(&f, info == NULL ? &scratch : info);
    superfind_all_free(&f.b, &f.neighbours);
    world->release(world->arg, f.chunks, bytes);
    return status;
}
