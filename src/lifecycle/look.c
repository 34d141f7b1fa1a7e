/* SPDX-License-Identifier: BSD-3-Clause */
#include "lifecycle/look.h"

#include "base/bytes.h"
#include "base/crc.h"
#include "base/must.h"
#include "format/head.h"
#include "format/lost.h"
#include "format/summary.h"
#include "format/trim_page.h"
#include "lifecycle/build.h"

#include <string.h>

#define RUN_BLOCKS 64u

enum hftl_status look_start(struct look *look, const struct blocking *b, struct device *device)
{
    const struct geometry *g = &device->geometry;
    uint32_t count = hftl_media_chunks(&b->medium->facts);
    *look = (struct look){.b = *b, .device = device};
    look->chunks = build_alloc(device, count * sizeof(struct hftl_chunk));
    look->idents = build_alloc(device, (size_t)g->stride * FORMAT_IDENT_BYTES);
    look->sources = build_alloc(device, g->stride);
    look->data = build_alloc(device, (size_t)RUN_BLOCKS * g->block_bytes);
    look->oob = build_alloc(device, (size_t)RUN_BLOCKS * g->oob_bytes + 1);
    look->spare = build_alloc(device, g->block_bytes);
    look->spare_oob = build_alloc(device, g->oob_bytes + 1);
    if (look->chunks == NULL || look->idents == NULL || look->sources == NULL ||
        look->data == NULL || look->oob == NULL || look->spare == NULL || look->spare_oob == NULL)
        return HFTL_MEMORY;
    return blocking_report(b, 0, count, look->chunks);
}

uint32_t look_readable(const struct look *look, uint32_t chunk)
{
    const struct hftl_chunk *c = &look->chunks[chunk];
    uint32_t window = look->b.medium->facts.mw_cunits;
    switch (c->state) {
    case HFTL_CHUNK_FULL:
    case HFTL_CHUNK_READ_ONLY:
        return min_u32(c->wp, look->device->geometry.chunk_blocks);
    case HFTL_CHUNK_OPEN:
    case HFTL_CHUNK_PAUSED:
        return c->wp > window ? c->wp - window : 0;
    default:
        return 0;
    }
}

uint64_t look_count(const struct look *look, const struct band *band)
{
    uint64_t blocks = 0;
    for (uint32_t i = 0; i < band->width; i++)
        blocks += look_readable(look, band->chunks[i]);
    return blocks;
}

/* ---- reading ---- */

static enum hftl_status load(const struct look *look, const struct look_block *at, uint32_t blocks,
                             uint8_t *data, uint8_t *oob)
{
    return blocking_read(&look->b,
                         (struct hftl_media_op){.chunk = at->chunk,
                                                .offset = at->offset,
                                                .blocks = blocks,
                                                .data = data,
                                                .oob = look->device->geometry.oob ? oob : NULL});
}

static void show(struct look *look, uint32_t column, const struct look_block *run, uint32_t blocks,
                 look_fn each, void *arg)
{
    const struct geometry *g = &look->device->geometry;
    enum hftl_status whole = load(look, run, blocks, look->data, look->oob);
    for (uint32_t i = 0; i < blocks; i++) {
        struct look_block block = {.chunk = run->chunk, .offset = run->offset + i};
        struct place place = {column, block.offset};
        block.position = geometry_position(g, look->band->width, place);
        uint8_t *data = look->data + (size_t)i * g->block_bytes;
        uint8_t *oob = look->oob + (size_t)i * g->oob_bytes;
        if (whole != HFTL_OK)
            block.read = load(look, &block, 1, data, oob);
        if (block.read != HFTL_OK)
            block.read = load(look, &block, 1, data, oob);
        if (block.read == HFTL_OK) {
            block.data = data;
            block.oob = g->oob ? oob : NULL;
        }
        each(arg, &block);
    }
}

void look_walk(struct look *look, look_fn each, void *arg)
{
    const struct band *band = look->band;
    for (uint32_t column = 0; column < band->width; column++) {
        uint32_t end = look_readable(look, band->chunks[column]);
        for (uint32_t at = 0; at < end; at += RUN_BLOCKS) {
            struct look_block run = {.chunk = band->chunks[column], .offset = at};
            show(look, column, &run, min_u32(RUN_BLOCKS, end - at), each, arg);
        }
    }
}

bool look_again(struct look *look, struct look_block *block)
{
    block->read = load(look, block, 1, look->spare, look->spare_oob);
    bool good = block->read == HFTL_OK;
    block->data = good ? look->spare : NULL;
    block->oob = good && look->device->geometry.oob ? look->spare_oob : NULL;
    return good;
}

/* ---- identities ---- */

void look_begin(struct look *look, const struct band *band)
{
    const struct geometry *g = &look->device->geometry;
    look->band = band;
    memset(look->idents, 0, (size_t)g->stride * FORMAT_IDENT_BYTES);
    memset(look->sources, LOOK_NOBODY, g->stride);
}

static bool is_nothing(const uint8_t *bytes)
{
    static const uint8_t nothing[FORMAT_IDENT_BYTES];
    return memcmp(bytes, nothing, sizeof(nothing)) == 0;
}

static void take(struct look *look, uint32_t position, const uint8_t *bytes, enum look_source from)
{
    memcpy(look->idents + (size_t)position * FORMAT_IDENT_BYTES, bytes, FORMAT_IDENT_BYTES);
    look->sources[position] = (uint8_t)from;
}

static enum hftl_status decode_summary(const struct look *look, const struct look_block *block,
                                       struct summary *summary)
{
    struct band_mark at = {look->band->index, block->position, look->band->generation};
    return summary_decode(&look->device->format, &at, block->data, summary);
}

/* Nobody names the last summary but itself; it has just proved what it is. */
static void take_summary(struct look *look, const struct look_block *block)
{
    struct summary summary;
    struct ident own = {.kind = IDENT_SUMMARY};
    uint8_t bytes[FORMAT_IDENT_BYTES];
    if (decode_summary(look, block, &summary) != HFTL_OK)
        return;
    for (uint32_t i = 0; i < summary.count; i++)
        take(look, block->position - summary.count + i,
             summary.idents + (size_t)i * FORMAT_IDENT_BYTES, LOOK_SUMMARY);
    own.crc = ident_crc(&own, crc32c(0, block->data, look->device->geometry.block_bytes),
                        band_salt(look->device, look->band, block->position));
    ident_encode(&own, bytes);
    take(look, block->position, bytes, LOOK_SUMMARY);
}

static void take_if_summary(void *arg, const struct look_block *block)
{
    if (block->read == HFTL_OK)
        take_summary(arg, block);
}

void look_take_own(struct look *look)
{
    if (!look->device->geometry.oob)
        look_walk(look, take_if_summary, look);
}

void look_take_believed(struct look *look)
{
    uint32_t blocks = look->band->width * look->device->geometry.chunk_blocks;
    for (uint32_t i = 0; look->band->idents != NULL && i < blocks; i++) {
        const uint8_t *bytes = look->band->idents + (size_t)i * FORMAT_IDENT_BYTES;
        take(look, i, bytes, is_nothing(bytes) ? LOOK_REJECTED : LOOK_RECOVERY);
    }
}

/* ---- the tail ---- */

static struct tail_place tail_place_of(const struct look *look, uint32_t index)
{
    const struct geometry *g = &look->device->geometry;
    return (struct tail_place){.band = look->band->index,
                               .generation = look->band->generation,
                               .band_blocks = look->band->width * g->chunk_blocks,
                               .ws_min = g->ws_min,
                               .index = index};
}

bool look_tail_index(const struct look *look, uint32_t position, uint32_t *index)
{
    struct tail_place place = tail_place_of(look, 0);
    uint32_t block_bytes = look->device->geometry.block_bytes;
    uint32_t first = tail_first(&place, block_bytes);
    if (position < first || position >= place.band_blocks)
        return false;
    place.index = *index = position - first;
    return tail_idents(&place, block_bytes) > 0;
}

enum hftl_status look_tail_decode(const struct look *look, uint32_t index, const uint8_t *data,
                                  struct tail *tail)
{
    struct tail_place place = tail_place_of(look, index);
    return tail_decode(&look->device->format, &place, data, tail);
}

/* A band that was taken up after a clean close has no identities of the pads that could not be read
 * then: its tail says nothing of them. */
static void take_tail_idents(struct look *look, uint32_t first, const struct tail *tail)
{
    for (uint32_t i = 0; i < tail->count; i++) {
        const uint8_t *bytes = tail->idents + (size_t)i * FORMAT_IDENT_BYTES;
        if (!is_nothing(bytes))
            take(look, first + i, bytes, LOOK_TAIL);
    }
}

static enum hftl_status load_tail(struct look *look, struct look_block *block, uint32_t index,
                                  struct tail *tail)
{
    struct hftl_media_op op = {.blocks = 0};
    enum hftl_status status = HFTL_TRUNCATED;
    band_locate(look->device, look->band, block->position, &op);
    block->chunk = op.chunk;
    block->offset = op.offset;
    if (block->offset >= look_readable(look, block->chunk))
        return status;
    for (unsigned tries = 0; tries < 2 && status != HFTL_OK; tries++)
        status = look_again(look, block) ? look_tail_decode(look, index, block->data, tail)
                                         : block->read;
    return status;
}

bool look_take_tail(struct look *look, look_bad_fn bad, void *arg)
{
    const struct geometry *g = &look->device->geometry;
    uint32_t blocks = look->band->width * g->chunk_blocks, index;
    bool good = true;
    for (uint32_t at = geometry_tail(g, look->band->width); at < blocks; at++) {
        struct look_block block = {.position = at};
        struct tail tail;
        if (!look_tail_index(look, at, &index))
            break;
        enum hftl_status status = load_tail(look, &block, index, &tail);
        if (status == HFTL_OK)
            take_tail_idents(look, index * g->tail_max, &tail);
        if (status != HFTL_OK && bad != NULL)
            bad(arg, &block, status);
        good = good && status == HFTL_OK;
    }
    return good;
}

/* ---- judging ---- */

static bool head_is_of(const struct look *look, const struct look_block *block)
{
    struct format_place where = {.place = look->band->index, .position = block->position};
    struct head head;
    struct place place =
        geometry_place(&look->device->geometry, look->band->width, block->position);
    return head_decode(&look->device->format, &where, block->data, &head) == HFTL_OK &&
           head.generation == look->band->generation &&
           head.column == look->band->columns[place.column] &&
           layout_equal(&head.layout, &look->device->layout);
}

/* What the block holds inside, once data and identity agree. NULL: all is well. */
static const char *find_fault_inside(struct look *look, const struct look_block *block,
                                     const struct ident *ident)
{
    const struct format_context *format = &look->device->format;
    struct summary summary;
    struct trim_page page;
    struct lost lost;
    struct tail tail;
    uint32_t index;
    switch (ident->kind) {
    case IDENT_HEAD:
        return head_is_of(look, block) ? NULL : "is whole, but is no head of this band";
    case IDENT_SUMMARY:
        return decode_summary(look, block, &summary) == HFTL_OK ? NULL : "does not decode";
    case IDENT_TRIM:
        return trim_page_decode(format, ident, block->data, &page) == HFTL_OK ? NULL
                                                                              : "does not decode";
    case IDENT_LOST:
        return lost_decode(format, ident, block->data, &lost) == HFTL_OK ? NULL : "does not decode";
    case IDENT_TAIL:
        return look_tail_index(look, block->position, &index) &&
                       look_tail_decode(look, index, block->data, &tail) == HFTL_OK
                   ? NULL
                   : "does not decode";
    default:
        return NULL;
    }
}

static bool data_agrees(const struct look *look, const struct look_block *block,
                        const struct ident *ident)
{
    uint64_t salt = band_salt(look->device, look->band, block->position);
    uint32_t crc = crc32c(0, block->data, look->device->geometry.block_bytes);
    return ident_data_crc(ident, salt) == crc; /* of a lost block too: not ident_verifies */
}

/* Identities are nowhere else where there is no OOB, and the tail names all but itself. */
static void judge_unnamed(struct look *look, const struct look_block *block,
                          struct look_verdict *verdict)
{
    struct tail tail;
    uint32_t index;
    verdict->status = HFTL_ABSENT;
    verdict->wrong = "nobody says what it is";
    if (block->read != HFTL_OK || !look_tail_index(look, block->position, &index) ||
        look_tail_decode(look, index, block->data, &tail) != HFTL_OK)
        return;
    verdict->ident = (struct ident){.kind = IDENT_TAIL};
    verdict->what = "tail";
    verdict->named = true;
    verdict->status = HFTL_OK;
}

static const char *text_of(enum ident_kind kind)
{
    switch (kind) {
    case IDENT_TRIM:
        return "trim page";
    case IDENT_LOST:
        return "lost block";
    default:
        return ident_kind_text(kind);
    }
}

struct look_verdict look_judge(struct look *look, const struct look_block *block)
{
    const uint8_t *bytes = look->idents + (size_t)block->position * FORMAT_IDENT_BYTES;
    if (look->sources[block->position] == LOOK_NOBODY && block->oob != NULL)
        take(look, block->position, block->oob, LOOK_OOB);
    struct look_verdict verdict = {.what = "block", .source = look->sources[block->position]};
    struct ident *ident = &verdict.ident;
    verdict.named = verdict.source != LOOK_NOBODY && verdict.source != LOOK_REJECTED &&
                    ident_decode(bytes, ident) == HFTL_OK &&
                    layout_holds_ident(&look->device->layout, ident);
    if (!verdict.named) {
        judge_unnamed(look, block, &verdict);
        return verdict;
    }
    verdict.what = text_of(ident->kind);
    verdict.status = block->read;
    verdict.wrong = "cannot be read from the medium";
    if (verdict.status != HFTL_OK)
        return verdict;
    verdict.status = HFTL_MISMATCH;
    verdict.wrong = "does not agree with its identity";
    if (!data_agrees(look, block, ident))
        return verdict;
    verdict.wrong = find_fault_inside(look, block, ident);
    verdict.status = verdict.wrong == NULL ? HFTL_OK : HFTL_CORRUPT;
    return verdict;
}

bool look_summary_agrees(const struct look *look, const struct look_block *block,
                         uint32_t *position)
{
    struct summary summary;
    if (decode_summary(look, block, &summary) != HFTL_OK)
        return true;
    for (uint32_t i = 0; i < summary.count; i++) {
        *position = block->position - summary.count + i;
        if (memcmp(summary.idents + (size_t)i * FORMAT_IDENT_BYTES,
                   look->idents + (size_t)*position * FORMAT_IDENT_BYTES, FORMAT_IDENT_BYTES) != 0)
            return false;
    }
    return true;
}

/* ---- heads ---- */

void look_take_head(struct look *look, struct band *band, const struct head *head)
{
    band->generation = head->generation;
    band->width = 0;
    for (uint32_t column = 0; column < look->device->geometry.columns; column++) {
        if (!head_has_column(head, column))
            continue;
        band->columns[band->width] = (uint16_t)column;
        band->chunks[band->width++] = layout_band_chunk(&look->device->layout, band->index, column);
    }
}

bool look_find_head(struct look *look, const struct band *band, struct head *head)
{
    bool found = false;
    for (uint32_t column = 0; column < look->device->geometry.columns; column++) {
        struct look_block block = {
            .chunk = layout_band_chunk(&look->device->layout, band->index, column)};
        struct head mine;
        if (look_readable(look, block.chunk) == 0 || !look_again(look, &block))
            continue;
        struct format_place where = {.place = band->index, .position = get_u32(block.data + 44)};
        if (head_decode(&look->device->format, &where, block.data, &mine) != HFTL_OK ||
            !layout_equal(&mine.layout, &look->device->layout) ||
            (found && mine.generation <= head->generation))
            continue;
        *head = mine;
        found = true;
    }
    return found;
}
