/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/layout.h"

#include "base/bytes.h"
#include "base/must.h"
#include "format/text.h"
#include "format/zeros.h"

#include <inttypes.h>
#include <string.h>

#define AT_MEDIA_KIND 0u
#define AT_IDENT_PLACE 1u
#define AT_BLOCK_BYTES 2u
#define AT_WORDS 4u /* 13 fields of 4 bytes, in the order of the struct */
#define WORDS 13u
#define AT_EXPORTED 56u
#define AT_OP 64u
#define AT_INTERLEAVE 66u
#define AT_SUMMARY_IDENTS 68u
#define AT_SUPERBLOCK_CHUNK 72u
#define AT_REGIONS 80u
#define AT_NAME 160u
#define AT_CREATED 192u
#define AT_SALT 200u

_Static_assert(AT_WORDS + 4u * WORDS == AT_EXPORTED, "words, then exported blocks");
_Static_assert(AT_REGIONS + FORMAT_REGIONS * FORMAT_REGION_BYTES == AT_NAME, "regions, then name");
_Static_assert(AT_NAME + FORMAT_NAME_BYTES == AT_CREATED, "name, then created");
_Static_assert(AT_SALT + 8u == FORMAT_LAYOUT_BYTES, "the layout's fields fill it");

static bool is_open_channel(const struct layout *layout)
{
    return layout->media_kind == HFTL_KIND_OCSSD;
}

void layout_take_facts(struct layout *layout, const struct hftl_media_facts *facts)
{
    bool oob = facts->oob_bytes >= FORMAT_IDENT_BYTES;

    layout->media_kind = facts->kind;
    layout->ident_place = oob ? IDENT_IN_OOB : IDENT_IN_SUMMARY;
    layout->block_bytes = facts->block_bytes;
    layout->oob_bytes = facts->oob_bytes;
    layout->groups = facts->groups;
    layout->pus_per_group = facts->pus_per_group;
    layout->chunks_per_pu = facts->chunks_per_pu;
    layout->chunk_blocks = facts->chunk_blocks;
    layout->ws_min = facts->ws_min;
    layout->ws_opt = facts->ws_opt;
    layout->mw_cunits = facts->mw_cunits;
    layout->summary_idents = oob ? 0 : summary_idents_max(facts->block_bytes);
}

void layout_set_regions(struct layout *layout)
{
    uint32_t first = max_u32(layout->superblock_chunk[0], layout->superblock_chunk[1]) + 1u;
    uint64_t count = (uint64_t)layout->bands * layout->columns;
    uint64_t stride = (uint64_t)layout->columns * layout->chunk_blocks;

    if (is_open_channel(layout)) {
        first = layout->pu_first * layout->chunks_per_pu;
        count = (uint64_t)layout->pu_count * layout->chunks_per_pu;
    }
    must_show(count <= UINT32_MAX && stride <= UINT32_MAX, count, stride);
    layout->band_stride = (uint32_t)stride;
    memset(layout->regions, 0, sizeof layout->regions);
    for (uint16_t copy = 0; copy < 2; copy++) {
        layout->regions[copy] = (struct region){
            .type = (uint16_t)(REGION_SUPERBLOCK_A + copy),
            .version = REGION_VERSION,
            .chunk_first = layout->superblock_chunk[copy],
            .chunk_count = 1,
        };
    }
    layout->regions[2] = (struct region){
        .type = REGION_BANDS,
        .version = REGION_VERSION,
        .chunk_first = first,
        .chunk_count = (uint32_t)count,
        .parameter = layout->columns,
    };
}

const struct region *layout_region(const struct layout *layout, enum region_type type)
{
    for (unsigned i = 0; i < FORMAT_REGIONS; i++) {
        if (layout->regions[i].type == type)
            return &layout->regions[i];
    }
    return NULL;
}

uint64_t layout_trim_ranges(const struct layout *layout)
{
    uint64_t lbas = trim_page_lbas(layout->block_bytes);
    return layout->exported_blocks / lbas + (layout->exported_blocks % lbas != 0);
}

bool layout_holds_ident(const struct layout *layout, const struct ident *ident)
{
    switch (ident->kind) {
    case IDENT_DATA:
    case IDENT_LOST:
        return ident->lba < layout->exported_blocks;
    case IDENT_TRIM:
        return ident->lba < layout_trim_ranges(layout);
    case IDENT_HEAD:
        return ident->lba < layout->columns;
    case IDENT_PAD:
    case IDENT_SUMMARY:
    case IDENT_TAIL:
        return ident->lba == 0;
    case IDENT_MAP:
        break;
    }
    return false;
}

bool layout_holds_mark(const struct layout *layout, const struct band_mark *mark)
{
    return mark->band == FORMAT_BAND_NONE ||
           (mark->band < layout->bands && mark->position <= layout->band_stride);
}

/* The 4-byte fields from byte 4 on, in their order on the medium. */
static void list_words(const struct layout *layout, uint32_t words[WORDS])
{
    const uint32_t list[WORDS] = {
        layout->oob_bytes,    layout->groups,   layout->pus_per_group, layout->chunks_per_pu,
        layout->chunk_blocks, layout->ws_min,   layout->ws_opt,        layout->mw_cunits,
        layout->columns,      layout->pu_first, layout->pu_count,      layout->bands,
        layout->band_stride,
    };
    memcpy(words, list, sizeof list);
}

static void take_words(struct layout *layout, const uint32_t words[WORDS])
{
    uint32_t *const fields[WORDS] = {
        &layout->oob_bytes,    &layout->groups,   &layout->pus_per_group, &layout->chunks_per_pu,
        &layout->chunk_blocks, &layout->ws_min,   &layout->ws_opt,        &layout->mw_cunits,
        &layout->columns,      &layout->pu_first, &layout->pu_count,      &layout->bands,
        &layout->band_stride,
    };
    for (unsigned i = 0; i < WORDS; i++)
        *fields[i] = words[i];
}

bool layout_equal(const struct layout *a, const struct layout *b)
{
    uint8_t a_bytes[FORMAT_LAYOUT_BYTES];
    uint8_t b_bytes[FORMAT_LAYOUT_BYTES];

    layout_encode(a, a_bytes);
    layout_encode(b, b_bytes);
    return memcmp(a_bytes, b_bytes, sizeof a_bytes) == 0;
}

bool layout_share_pus(const struct layout *a, const struct layout *b)
{
    return a->pu_first < (uint64_t)b->pu_first + b->pu_count &&
           b->pu_first < (uint64_t)a->pu_first + a->pu_count;
}

/* In C11 itself there is no strnlen. */
static size_t name_length(const char name[FORMAT_NAME_BYTES + 1])
{
    const char *end = memchr(name, 0, FORMAT_NAME_BYTES + 1u);
    must(end != NULL);
    return (size_t)(end - name);
}

void layout_encode(const struct layout *layout, uint8_t bytes[FORMAT_LAYOUT_BYTES])
{
    uint32_t words[WORDS];
    size_t name_bytes = name_length(layout->name);

    must_show(format_block_bytes_valid(layout->block_bytes), layout->block_bytes, 0);
    memset(bytes, 0, FORMAT_LAYOUT_BYTES);
    bytes[AT_MEDIA_KIND] = (uint8_t)layout->media_kind;
    bytes[AT_IDENT_PLACE] = (uint8_t)layout->ident_place;
    put_u16(bytes + AT_BLOCK_BYTES, (uint16_t)layout->block_bytes);
    list_words(layout, words);
    for (unsigned i = 0; i < WORDS; i++)
        put_u32(bytes + AT_WORDS + 4u * i, words[i]);
    put_u64(bytes + AT_EXPORTED, layout->exported_blocks);
    must_show(layout->op_permille <= UINT16_MAX && layout->interleave <= UINT16_MAX,
              layout->op_permille, layout->interleave);
    put_u16(bytes + AT_OP, (uint16_t)layout->op_permille);
    put_u16(bytes + AT_INTERLEAVE, (uint16_t)layout->interleave);
    put_u32(bytes + AT_SUMMARY_IDENTS, layout->summary_idents);
    put_u32(bytes + AT_SUPERBLOCK_CHUNK, layout->superblock_chunk[0]);
    put_u32(bytes + AT_SUPERBLOCK_CHUNK + 4u, layout->superblock_chunk[1]);
    for (unsigned i = 0; i < FORMAT_REGIONS; i++) {
        uint8_t *at = bytes + AT_REGIONS + i * FORMAT_REGION_BYTES;
        put_u16(at, layout->regions[i].type);
        put_u16(at + 2, layout->regions[i].version);
        put_u32(at + 4, layout->regions[i].chunk_first);
        put_u32(at + 8, layout->regions[i].chunk_count);
        put_u32(at + 12, layout->regions[i].parameter);
    }
    memcpy(bytes + AT_NAME, layout->name, name_bytes);
    put_u64(bytes + AT_CREATED, layout->created);
    put_u64(bytes + AT_SALT, layout->salt);
}

/* Bytes of the UTF-8 character at `at`, or 0: cut, overlong, a surrogate, a control character. */
static size_t character_bytes(const uint8_t *at, size_t left)
{
    size_t count = at[0] < 0x80u ? 1u : at[0] < 0xe0u ? 2u : at[0] < 0xf0u ? 3u : 4u;
    uint32_t code = at[0] & (count == 1u ? 0x7fu : 0xffu >> (count + 1u));
    static const uint32_t least[] = {0, 0x20u, 0xa0u, 0x800u, 0x10000u};

    if ((at[0] >= 0x80u && at[0] < 0xc0u) || at[0] >= 0xf8u || count > left)
        return 0;
    for (size_t i = 1; i < count; i++) {
        if ((at[i] & 0xc0u) != 0x80u)
            return 0;
        code = code << 6 | (at[i] & 0x3fu);
    }
    bool surrogate = code >= 0xd800u && code <= 0xdfffu;
    return code < least[count] || code == 0x7fu || code > 0x10ffffu || surrogate ? 0 : count;
}

/* A name is printed on terminals, so it holds characters and nothing else. */
static bool name_makes_sense(const uint8_t name[FORMAT_NAME_BYTES])
{
    size_t at = 0;
    while (at < FORMAT_NAME_BYTES && name[at] != 0) {
        size_t count = character_bytes(name + at, FORMAT_NAME_BYTES - at);
        if (count == 0)
            return false;
        at += count;
    }
    return all_zero(name + at, FORMAT_NAME_BYTES - at);
}

static bool fields_make_sense(const struct layout *layout)
{
    if (layout->media_kind < HFTL_KIND_OCSSD || layout->media_kind > HFTL_KIND_FLAT)
        return false;
    if (layout->ident_place != IDENT_IN_OOB && layout->ident_place != IDENT_IN_SUMMARY)
        return false;
    if (!format_block_bytes_valid(layout->block_bytes) || layout->chunk_blocks == 0)
        return false;
    return layout->columns > 0 && layout->columns <= FORMAT_COLUMNS_MAX && layout->ws_min > 0 &&
           layout->interleave > 0;
}

static void decode_region(const uint8_t *at, struct region *region)
{
    region->type = get_u16(at);
    region->version = get_u16(at + 2);
    region->chunk_first = get_u32(at + 4);
    region->chunk_count = get_u32(at + 8);
    region->parameter = get_u32(at + 12);
}

enum hftl_status layout_decode(const uint8_t bytes[FORMAT_LAYOUT_BYTES], struct layout *layout)
{
    struct layout read = {
        .media_kind = (enum hftl_media_kind)bytes[AT_MEDIA_KIND],
        .ident_place = (enum ident_place)bytes[AT_IDENT_PLACE],
        .block_bytes = get_u16(bytes + AT_BLOCK_BYTES),
        .exported_blocks = get_u64(bytes + AT_EXPORTED),
        .op_permille = get_u16(bytes + AT_OP),
        .interleave = get_u16(bytes + AT_INTERLEAVE),
        .summary_idents = get_u32(bytes + AT_SUMMARY_IDENTS),
        .superblock_chunk = {get_u32(bytes + AT_SUPERBLOCK_CHUNK),
                             get_u32(bytes + AT_SUPERBLOCK_CHUNK + 4u)},
        .created = get_u64(bytes + AT_CREATED),
        .salt = get_u64(bytes + AT_SALT),
    };
    uint32_t words[WORDS];

    for (unsigned i = 0; i < WORDS; i++)
        words[i] = get_u32(bytes + AT_WORDS + 4u * i);
    take_words(&read, words);
    for (unsigned i = 0; i < FORMAT_REGIONS; i++)
        decode_region(bytes + AT_REGIONS + i * FORMAT_REGION_BYTES, &read.regions[i]);
    if (!fields_make_sense(&read) || !name_makes_sense(bytes + AT_NAME))
        return HFTL_CORRUPT;
    memcpy(read.name, bytes + AT_NAME, FORMAT_NAME_BYTES);
    *layout = read;
    return HFTL_OK;
}

static const char *kind_text(enum hftl_media_kind kind)
{
    return kind == HFTL_KIND_OCSSD ? "Open-Channel" : kind == HFTL_KIND_ZONED ? "zoned" : "flat";
}

void layout_to_text(const struct layout *layout, char *text, size_t text_bytes)
{
    struct text out = text_start(text, text_bytes);

    text_add(&out, "device \"%s\" on %s medium, identities in %s", layout->name,
             kind_text(layout->media_kind),
             layout->ident_place == IDENT_IN_OOB ? "OOB" : "summaries");
    text_add(&out, "\nblocks of %" PRIu32 " bytes + %" PRIu32 " OOB, chunks of %" PRIu32 " blocks",
             layout->block_bytes, layout->oob_bytes, layout->chunk_blocks);
    text_add(&out, "\n%" PRIu32 " groups x %" PRIu32 " PUs x %" PRIu32 " chunks", layout->groups,
             layout->pus_per_group, layout->chunks_per_pu);
    text_add(&out, ", ws_min %" PRIu32 ", ws_opt %" PRIu32 ", mw_cunits %" PRIu32, layout->ws_min,
             layout->ws_opt, layout->mw_cunits);
    text_add(&out, ", interleave %" PRIu32, layout->interleave);
    text_add(&out, "\nPUs %" PRIu32 " + %" PRIu32 ", superblock chunks %" PRIu32 " and %" PRIu32,
             layout->pu_first, layout->pu_count, layout->superblock_chunk[0],
             layout->superblock_chunk[1]);
    text_add(&out, "\n%" PRIu32 " bands of %" PRIu32 " columns, %" PRIu32 " blocks each",
             layout->bands, layout->columns, layout->band_stride);
    text_add(&out, "\n%" PRIu64 " blocks exported, over-provisioning %" PRIu32 ".%" PRIu32 "%%",
             layout->exported_blocks, layout->op_permille / 10u, layout->op_permille % 10u);
    for (unsigned i = 0; i < FORMAT_REGIONS; i++) {
        const struct region *region = &layout->regions[i];
        if (region->type == REGION_UNUSED)
            continue;
        text_add(&out, "\nregion type %u version %u: chunks %" PRIu32 " + %" PRIu32,
                 (unsigned)region->type, (unsigned)region->version, region->chunk_first,
                 region->chunk_count);
        text_add(&out, ", parameter %" PRIu32, region->parameter);
    }
}
