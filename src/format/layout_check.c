/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * layout_check.c - L1 to L5. The first check that fails is named, and the later groups
 * run only when the earlier ones passed, because they rest on them. A product of two fields
 * is taken in 64 bits, which holds it; a third factor goes through mul_overflows_u64.
 */
#include "base/bytes.h"
#include "format/layout.h"
#include "format/text.h"

#include <inttypes.h>

struct finding {
    struct text why;
    bool bad;
};

/* A fact of the medium that the layout repeats. */
static void same(struct finding *finding, const char *field, uint64_t ours, uint64_t mediums)
{
    if (finding->bad || ours == mediums)
        return;
    finding->bad = true;
    text_add(&finding->why, "%s: the layout says %" PRIu64 ", the medium %" PRIu64, field, ours,
             mediums);
}

/* A field that follows from others. */
static void follows(struct finding *finding, const char *field, uint64_t ours, uint64_t right)
{
    if (finding->bad || ours == right)
        return;
    finding->bad = true;
    text_add(&finding->why, "%s: the layout says %" PRIu64 ", its other fields make it %" PRIu64,
             field, ours, right);
}

static void within(struct finding *finding, const char *field, uint64_t ours, uint64_t limit)
{
    if (finding->bad || ours <= limit)
        return;
    finding->bad = true;
    text_add(&finding->why, "%s: the layout says %" PRIu64 ", at most %" PRIu64 " can be", field,
             ours, limit);
}

static void at_least(struct finding *finding, const char *field, uint64_t ours, uint64_t limit)
{
    if (finding->bad || ours >= limit)
        return;
    finding->bad = true;
    text_add(&finding->why, "%s: the layout says %" PRIu64 ", at least %" PRIu64 " must be", field,
             ours, limit);
}

/* Chunks of the medium as the layout has it; 0 when the product is beyond all limits. */
static uint64_t chunks_of(const struct layout *layout)
{
    uint64_t pus = (uint64_t)layout->groups * layout->pus_per_group;
    uint64_t chunks;
    return mul_overflows_u64(pus, layout->chunks_per_pu, &chunks) || chunks > UINT32_MAX ? 0
                                                                                         : chunks;
}

static void check_facts(struct finding *finding, const struct layout *layout,
                        const struct hftl_media_facts *facts)
{
    same(finding, "media kind", layout->media_kind, facts->kind);
    same(finding, "block bytes", layout->block_bytes, facts->block_bytes);
    same(finding, "OOB bytes", layout->oob_bytes, facts->oob_bytes);
    same(finding, "groups", layout->groups, facts->groups);
    same(finding, "PUs per group", layout->pus_per_group, facts->pus_per_group);
    same(finding, "chunks per PU", layout->chunks_per_pu, facts->chunks_per_pu);
    same(finding, "chunk blocks", layout->chunk_blocks, facts->chunk_blocks);
    same(finding, "ws_min", layout->ws_min, facts->ws_min);
    same(finding, "mw_cunits", layout->mw_cunits, facts->mw_cunits);
    at_least(finding, "ws_min", layout->ws_min, 1);
    at_least(finding, "chunk blocks", layout->chunk_blocks, 1);
    if (!finding->bad)
        follows(finding, "chunk blocks as a multiple of ws_min", layout->chunk_blocks,
                layout->chunk_blocks / layout->ws_min * layout->ws_min); /* L3 */
    at_least(finding, "chunks of the medium", chunks_of(layout), 1);
}

/* L5 */
static void check_unit(struct finding *finding, const struct layout *layout,
                       const struct hftl_media_facts *facts)
{
    at_least(finding, "ws_opt", layout->ws_opt, facts->ws_opt);
    if (finding->bad || layout->ws_opt == facts->ws_opt)
        return;
    same(finding, "ws_opt", layout->ws_opt, layout->ws_opt / facts->ws_opt * facts->ws_opt);
    within(finding, "ws_opt", layout->ws_opt, layout->chunk_blocks / 2);
}

/* L4: the nearest that does. */
static void check_interleave(struct finding *finding, const struct layout *layout)
{
    at_least(finding, "interleave", layout->interleave, 1);
    if (finding->bad)
        return;
    uint32_t slice = layout->ws_opt / layout->interleave / layout->ws_min * layout->ws_min;
    follows(finding, "ws_opt as interleave slices of whole ws_min", layout->ws_opt,
            (uint64_t)slice * layout->interleave);
}

static void check_identities(struct finding *finding, const struct layout *layout)
{
    bool oob = layout->ident_place == IDENT_IN_OOB;

    if (oob)
        at_least(finding, "OOB bytes", layout->oob_bytes, FORMAT_IDENT_BYTES);
    follows(finding, "identities in a summary", layout->summary_idents,
            oob ? 0 : summary_idents_max(layout->block_bytes));
}

static void check_bands(struct finding *finding, const struct layout *layout)
{
    uint64_t stride = (uint64_t)layout->columns * layout->chunk_blocks;
    uint64_t pus = (uint64_t)layout->groups * layout->pus_per_group;
    uint64_t blocks;

    at_least(finding, "columns", layout->columns, 1);
    within(finding, "columns", layout->columns, FORMAT_COLUMNS_MAX);
    at_least(finding, "PUs of the instance", layout->pu_count, 1);
    within(finding, "last PU of the instance", (uint64_t)layout->pu_first + layout->pu_count, pus);
    if (layout->media_kind == HFTL_KIND_OCSSD) {
        follows(finding, "columns", layout->columns, layout->pu_count);
        within(finding, "bands", layout->bands, layout->chunks_per_pu);
    }
    within(finding, "blocks of a band", stride, UINT32_MAX);
    follows(finding, "band stride", layout->band_stride, stride);
    at_least(finding, "bands", layout->bands, 1);
    if (finding->bad)
        return;
    if (mul_overflows_u64(stride, layout->bands, &blocks))
        blocks = UINT64_MAX;
    within(finding, "blocks of all bands", blocks, FORMAT_PHYSICAL_MAX);
    at_least(finding, "exported blocks", layout->exported_blocks, 1);
    within(finding, "exported blocks", layout->exported_blocks, FORMAT_EXPORTED_MAX);
    within(finding, "exported blocks", layout->exported_blocks, blocks);
    within(finding, "blocks of a tail",
           tail_blocks(layout->band_stride, layout->block_bytes, layout->ws_min),
           layout->band_stride - 1u);
    within(finding, "blocks of the tail of a band with one column", /* when the others are bad */
           tail_blocks(layout->chunk_blocks, layout->block_bytes, layout->ws_min),
           layout->chunk_blocks - 1u);
}

/* On an Open-Channel drive the superblock chunks are cut out of the bands' region. */
static bool may_share(const struct layout *layout, const struct region *a, const struct region *b)
{
    if (layout->media_kind != HFTL_KIND_OCSSD)
        return false;
    bool a_superblock = a->type == REGION_SUPERBLOCK_A || a->type == REGION_SUPERBLOCK_B;
    bool b_superblock = b->type == REGION_SUPERBLOCK_A || b->type == REGION_SUPERBLOCK_B;
    return (a_superblock && b->type == REGION_BANDS) || (b_superblock && a->type == REGION_BANDS);
}

/* L2 for region i against the medium and the regions before it. */
static void check_region(struct finding *finding, const struct layout *layout, unsigned i)
{
    const struct region *region = &layout->regions[i];
    uint64_t end = (uint64_t)region->chunk_first + region->chunk_count;

    if (region->type == REGION_UNUSED) {
        follows(finding, "numbers of an unused region",
                (uint64_t)region->version | region->chunk_first | region->chunk_count |
                    region->parameter,
                0);
        return;
    }
    at_least(finding, "chunks of a region", region->chunk_count, 1);
    within(finding, "end of a region", end, chunks_of(layout));
    for (unsigned j = 0; j < i; j++) {
        const struct region *other = &layout->regions[j];
        uint64_t other_end = (uint64_t)other->chunk_first + other->chunk_count;
        if (other->type == REGION_UNUSED || may_share(layout, region, other))
            continue;
        if (other->chunk_first < end) /* it begins below our end: we begin behind its end */
            at_least(finding, "begin of a region that overlaps", region->chunk_first, other_end);
    }
}

/* The regions that every device has, once each, in the version we know. */
static void check_known_region(struct finding *finding, const struct layout *layout,
                               enum region_type type)
{
    uint64_t found = 0;
    for (unsigned i = 0; i < FORMAT_REGIONS; i++)
        found += layout->regions[i].type == (uint16_t)type;
    follows(finding,
            type == REGION_BANDS          ? "regions of bands"
            : type == REGION_SUPERBLOCK_A ? "regions of superblock A"
                                          : "regions of superblock B",
            found, 1);
    if (!finding->bad)
        follows(finding, "version of a region", layout_region(layout, type)->version,
                REGION_VERSION);
}

static void check_superblock_region(struct finding *finding, const struct layout *layout,
                                    unsigned copy)
{
    const struct region *region =
        layout_region(layout, copy == 0 ? REGION_SUPERBLOCK_A : REGION_SUPERBLOCK_B);
    const char *field = copy == 0 ? "superblock chunk A" : "superblock chunk B";
    uint64_t chunk = layout->superblock_chunk[copy];

    follows(finding, field, chunk, region->chunk_first);
    follows(finding, "chunks of a superblock region", region->chunk_count, 1);
    follows(finding, "parameter of a superblock region", region->parameter, 0);
    if (layout->media_kind == HFTL_KIND_OCSSD) { /* in a PU of the instance */
        at_least(finding, field, chunk, (uint64_t)layout->pu_first * layout->chunks_per_pu);
        within(finding, field, chunk + 1u,
               ((uint64_t)layout->pu_first + layout->pu_count) * layout->chunks_per_pu);
    }
}

static void check_regions(struct finding *finding, const struct layout *layout)
{
    for (unsigned i = 0; i < FORMAT_REGIONS; i++)
        check_region(finding, layout, i);
    check_known_region(finding, layout, REGION_SUPERBLOCK_A);
    check_known_region(finding, layout, REGION_SUPERBLOCK_B);
    check_known_region(finding, layout, REGION_BANDS);
    if (finding->bad)
        return;

    const struct region *bands = layout_region(layout, REGION_BANDS);
    check_superblock_region(finding, layout, 0);
    check_superblock_region(finding, layout, 1);
    follows(finding, "columns in the region of the bands", bands->parameter, layout->columns);
    if (layout->media_kind == HFTL_KIND_OCSSD) {
        follows(finding, "first chunk of the bands", bands->chunk_first,
                (uint64_t)layout->pu_first * layout->chunks_per_pu);
        follows(finding, "chunks of the bands", bands->chunk_count,
                (uint64_t)layout->pu_count * layout->chunks_per_pu);
    } else {
        at_least(finding, "chunks of the bands", bands->chunk_count,
                 (uint64_t)layout->bands * layout->columns);
    }
}

enum hftl_status layout_check(const struct layout *layout, const struct hftl_media_facts *facts,
                              char *why, size_t why_bytes)
{
    struct finding finding = {.why = text_start(why, why_bytes)};

    check_facts(&finding, layout, facts);
    if (!finding.bad)
        check_unit(&finding, layout, facts);
    if (!finding.bad)
        check_interleave(&finding, layout);
    if (!finding.bad)
        check_identities(&finding, layout);
    if (!finding.bad)
        check_bands(&finding, layout);
    if (!finding.bad)
        check_regions(&finding, layout);
    return finding.bad ? HFTL_GEOMETRY : HFTL_OK;
}
