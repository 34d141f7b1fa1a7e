/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/bytes.h"
#include "base/crc.h"
#include "format/head.h"
#include "format/summary.h"
#include "format/superblock.h"
#include "format/tail.h"
#include "fuzz/image.h"
#include "sim/nand_inside.h"

#include <string.h>

enum deed {
    SET_BYTE,
    FLIP_BYTE,
    SET_WORD,
    SET_NUMBER,   /* eight bytes, small or large */
    SET_IDENT,    /* in OOB, or of a summary's or tail's list */
    COPY_BLOCK,   /* of another chunk, same offset: `value` names it */
    COPY_WITHIN,  /* another block of the chunk */
    ERASE_BLOCK,  /* zeros, or what erased cells read as */
    CUT_SHORT,    /* the write pointer goes down */
    FORGET_CHUNK, /* it is FREE */
    LOSE_CHUNK,   /* OFFLINE or READ_ONLY */
    SPOIL,        /* cannot be read */
    FORGE_MARK,   /* the newest records call the chunk's band open, as after a clean close */
    DEEDS
};

/* Where numbers are that somebody counts with: of the stamp, the layout, and what follows it in a
 * superblock record, a head, a summary. */
static const uint16_t fields[] = {
    8,   10,  32,  36,  40,  44,  48,  52,  56,  60,  64,  65,  66,  68,  72,  76,  80,  84,  88,
    92,  96,  100, 104, 108, 112, 116, 120, 124, 128, 130, 132, 136, 140, 144, 146, 148, 152, 156,
    160, 164, 168, 172, 180, 188, 224, 264, 272, 274, 276, 280, 288, 296, 300, 304, 312, 316, 320,
    324, 332, 360, 364, 368, 376, 392, 408, 424, 432, 436, 440, 448, 464, 480, 496, 500,
};

struct edit {
    enum deed deed;
    uint32_t chunk, block, at;
    uint16_t value;
};

struct editing {
    struct nand *nand;
    const struct base *base;
    bool fix;
};

static uint8_t *data_of(const struct editing *e, uint32_t chunk, uint32_t block)
{
    const struct hftl_media_facts *f = &nand_media(e->nand)->facts;
    return nand_page_own(e->nand, &e->nand->cells[chunk])->data + (size_t)block * f->block_bytes;
}

static uint8_t *oob_of(const struct editing *e, uint32_t chunk, uint32_t block)
{
    const struct hftl_media_facts *f = &nand_media(e->nand)->facts;
    return nand_page_own(e->nand, &e->nand->cells[chunk])->oob + (size_t)block * f->oob_bytes;
}

/* ---- where a block is, as its device sees it ------------------------------------------------- */

struct seat {
    uint32_t band, width, position;
    uint64_t generation;
};

static const uint8_t *peek(const struct editing *e, uint32_t chunk, uint32_t block)
{
    const struct nand_cell *cell = &e->nand->cells[chunk];
    size_t bytes = nand_media(e->nand)->facts.block_bytes;
    return cell->page && block < cell->real ? cell->page->data + block * bytes : NULL;
}

/* The head in this chunk is believed as far as it decodes. */
static bool find_seat(const struct editing *e, uint32_t chunk, uint32_t block, struct seat *seat)
{
    const uint8_t *first = peek(e, chunk, 0);
    struct head head;
    if (!first || stamp_kind_of(first) != STAMP_HEAD)
        return false;
    struct format_place where = {get_u32(first + 40), get_u32(first + 44)};
    if (head_decode(&e->base->ctx, &where, first, &head) != HFTL_OK ||
        head.band >= e->base->layout.bands || head_columns(&head) > e->base->layout.columns)
        return false;
    uint32_t index = 0;
    for (uint32_t column = 0; column < head.column; column++)
        index += head_has_column(&head, column);
    *seat = (struct seat){
        .band = head.band, .width = head_columns(&head), .generation = head.generation};
    seat->position =
        geometry_position(&e->base->geometry, seat->width, (struct place){index, block});
    return true;
}

/* The block of this band at the position; NULL: none of its chunks is known to hold it. */
static const uint8_t *block_at(const struct editing *e, const struct seat *seat, uint32_t position)
{
    const struct layout *layout = &e->base->layout;
    if (position >= seat->width * layout->chunk_blocks || seat->width != layout->columns)
        return NULL;
    struct place place = geometry_place(&e->base->geometry, seat->width, position);
    return peek(e, layout_band_chunk(layout, seat->band, place.column), place.offset);
}

/* ---- checksums ------------------------------------------------------------------------------- */

/* An identity that agrees with the block that it speaks of. */
static void fix_ident(const struct editing *e, const struct seat *seat, uint32_t position,
                      const uint8_t *data, uint8_t *bytes)
{
    struct ident ident;
    if (!data || ident_decode(bytes, &ident) != HFTL_OK)
        return;
    uint64_t salt = ident_place_salt(&e->base->ctx, seat->generation,
                                     geometry_pba(&e->base->geometry, seat->band, position));
    ident.crc = ident_crc(&ident, crc32c(0, data, e->base->ctx.block_bytes), salt);
    ident_encode(&ident, bytes);
}

static void fix_list(const struct editing *e, uint8_t *block, const struct seat *seat, uint32_t at,
                     uint32_t first)
{
    uint32_t count = get_u32(block + 56);
    uint32_t most = (e->base->ctx.block_bytes - at) / FORMAT_IDENT_BYTES;
    for (uint32_t i = 0; i < count && i < most; i++)
        fix_ident(e, seat, first + i, block_at(e, seat, first + i),
                  block + at + (size_t)i * FORMAT_IDENT_BYTES);
}

static void fix_record(const struct editing *e, uint8_t *block, enum stamp_kind kind,
                       uint32_t blocks_left)
{
    size_t bytes = e->base->ctx.block_bytes;
    if (kind == STAMP_SUPERBLOCK) {
        uint32_t count = get_u32(block + 56);
        if (count >= bytes && count % bytes == 0 && count / bytes <= blocks_left)
            bytes = count;
    }
    stamp_seal(&e->base->ctx, kind, block, bytes);
}

static void fix_block(const struct editing *e, uint32_t chunk, uint32_t at)
{
    const struct nand_cell *cell = &e->nand->cells[chunk];
    const struct geometry *g = &e->base->geometry;
    struct seat seat;
    if (at >= cell->real)
        return;
    uint8_t *block = data_of(e, chunk, at);
    enum stamp_kind kind = stamp_kind_of(block);
    bool seated = find_seat(e, chunk, at, &seat);
    if (seated && kind == STAMP_SUMMARY)
        fix_list(e, block, &seat, FORMAT_SUMMARY_IDENTS_AT, seat.position - get_u32(block + 56));
    if (seated && kind == STAMP_TAIL && seat.position >= geometry_tail(g, seat.width))
        fix_list(e, block, &seat, FORMAT_TAIL_IDENTS_AT,
                 (seat.position - geometry_tail(g, seat.width)) * g->tail_max);
    if (kind != 0)
        fix_record(e, block, kind, cell->real - at);
    if (g->oob && find_seat(e, chunk, at, &seat)) /* again: it may be the head that was edited */
        fix_ident(e, &seat, seat.position, block, oob_of(e, chunk, at));
}

/* ---- deeds ----------------------------------------------------------------------------------- */

/* A drive keeps its own limits. */
static bool within_limits(const struct nand *nand)
{
    const struct hftl_media_facts *f = &nand->media.facts;
    uint32_t open = 0, active = 0;
    for (uint32_t i = 0; i < nand->count; i++) {
        enum hftl_chunk_state state = nand->cells[i].chunk.state;
        open += state == HFTL_CHUNK_OPEN;
        active += state == HFTL_CHUNK_OPEN || state == HFTL_CHUNK_PAUSED;
    }
    return (f->open_max == 0 || open <= f->open_max) &&
           (f->active_max == 0 || active <= f->active_max);
}

static void set_pointer(const struct editing *e, uint32_t chunk, uint32_t wp)
{
    struct nand_cell *cell = &e->nand->cells[chunk];
    const struct nand_cell before = *cell;
    if (cell->chunk.state == HFTL_CHUNK_OFFLINE || cell->chunk.state == HFTL_CHUNK_READ_ONLY)
        return;
    cell->flaky_from = cell->flaky_to = 0; /* of what is written there later all can be read */
    cell->chunk.wp = cell->real = cell->reach = cell->durable = wp;
    cell->chunk.state = wp == 0 ? HFTL_CHUNK_FREE : HFTL_CHUNK_OPEN;
    if (!within_limits(e->nand))
        *cell = before;
}

static void lose(const struct editing *e, const struct edit *edit)
{
    struct nand_cell *cell = &e->nand->cells[edit->chunk];
    bool gone = (edit->value & 1u) != 0;
    if (!gone && cell->chunk.state != HFTL_CHUNK_FULL)
        return; /* what can be written is retired by OFFLINE here */
    cell->chunk.state = gone ? HFTL_CHUNK_OFFLINE : HFTL_CHUNK_READ_ONLY;
}

static void set_number(const struct edit *edit, uint8_t *at)
{
    uint64_t low = edit->value & 0xfffu;
    switch (edit->value >> 12 & 3u) {
    case 0:
        put_u64(at, low);
        break;
    case 1:
        put_u64(at, get_u64(at) + low - 0x800u);
        break;
    case 2:
        put_u64(at, UINT64_MAX - low);
        break;
    default:
        put_u64(at, low << 32 | get_u32(at));
    }
}

static void edit_ident(const struct editing *e, const struct edit *edit)
{
    uint32_t oob = nand_media(e->nand)->facts.oob_bytes;
    uint8_t *bytes = oob ? oob_of(e, edit->chunk, edit->block)
                         : data_of(e, edit->chunk, edit->block) + FORMAT_SUMMARY_IDENTS_AT +
                               edit->at / 16u % 23u * FORMAT_IDENT_BYTES;
    bytes[edit->at % FORMAT_IDENT_BYTES] = (uint8_t)edit->value;
}

static void copy_from(const struct editing *e, const struct edit *edit, uint32_t chunk,
                      uint32_t block)
{
    const struct hftl_media_facts *f = &nand_media(e->nand)->facts;
    const struct nand_cell *from = &e->nand->cells[chunk];
    if (block >= from->real)
        return;
    memcpy(data_of(e, edit->chunk, edit->block), data_of(e, chunk, block), f->block_bytes);
    memcpy(oob_of(e, edit->chunk, edit->block), oob_of(e, chunk, block), f->oob_bytes);
}

static void change_block(const struct editing *e, const struct edit *edit)
{
    uint32_t block_bytes = nand_media(e->nand)->facts.block_bytes;
    uint8_t *block = data_of(e, edit->chunk, edit->block);
    switch (edit->deed) {
    case SET_BYTE:
        block[edit->at % block_bytes] = (uint8_t)edit->value;
        break;
    case FLIP_BYTE:
        block[edit->at % block_bytes] ^= (uint8_t)(edit->value | 1u);
        break;
    case SET_WORD:
        put_u32(block + edit->at % (block_bytes - 4), edit->value);
        break;
    case SET_NUMBER:
        set_number(edit, block + edit->at % (block_bytes - 8));
        break;
    case SET_IDENT:
        edit_ident(e, edit);
        break;
    case COPY_BLOCK:
        copy_from(e, edit, edit->value % e->nand->count, edit->block);
        break;
    case COPY_WITHIN:
        copy_from(e, edit, edit->chunk, edit->value % e->base->layout.chunk_blocks);
        break;
    default: /* ERASE_BLOCK */
        memset(block, (edit->value & 1u) != 0 ? 0xff : 0, block_bytes);
        memset(oob_of(e, edit->chunk, edit->block), 0, nand_media(e->nand)->facts.oob_bytes);
    }
    if (e->fix)
        fix_block(e, edit->chunk, edit->block);
}

#define AT_STATE 300u
#define AT_OPEN 360u

/* As many blocks of the band as its chunks have. */
static uint32_t blocks_of(const struct editing *e, const struct seat *seat)
{
    uint32_t blocks = 0;
    for (uint32_t column = 0; column < e->base->layout.columns; column++)
        blocks += e->nand->cells[layout_band_chunk(&e->base->layout, seat->band, column)].real;
    return blocks;
}

/* A band may then be open twice, or in its tail, or be one that is sealed: bits 0-1 of `value` are
 * the stream's slot, the others move the position, or keep it. */
static void forge_mark(const struct editing *e, const struct edit *edit)
{
    struct seat seat;
    if (!find_seat(e, edit->chunk, 0, &seat))
        return;
    uint32_t position = blocks_of(e, &seat);
    if ((edit->value & 4u) != 0)
        position += (edit->value >> 3 & 63u) - 32u;
    for (unsigned copy = 0; copy < 2; copy++) {
        uint32_t chunk = e->base->layout.superblock_chunk[copy];
        uint32_t at = e->nand->cells[chunk].real;
        while (at > 0 && stamp_kind_of(peek(e, chunk, at - 1)) != STAMP_SUPERBLOCK)
            at--;
        if (at == 0)
            continue;
        uint8_t *record = data_of(e, chunk, at - 1);
        uint8_t *mark = record + AT_OPEN + (edit->value & 3u) * FORMAT_MARK_BYTES;
        put_u32(record + AT_STATE, SUPERBLOCK_CLEAN);
        put_u32(mark, seat.band);
        put_u32(mark + 4, position);
        put_u64(mark + 8, seat.generation);
        fix_block(e, chunk, at - 1);
    }
}

static void apply(const struct editing *e, const struct edit *edit)
{
    struct nand_cell *cell = &e->nand->cells[edit->chunk];
    uint32_t ws_min = nand_media(e->nand)->facts.ws_min;
    switch (edit->deed) {
    case CUT_SHORT:
        set_pointer(e, edit->chunk, edit->block / ws_min * ws_min);
        break;
    case FORGET_CHUNK:
        set_pointer(e, edit->chunk, 0);
        break;
    case LOSE_CHUNK:
        lose(e, edit);
        break;
    case SPOIL:
        cell->flaky_from = edit->block;
        /* Not what will be written later: nobody could keep that. */
        cell->flaky_to = min_u32(cell->real, edit->block + 1 + edit->value % 4u);
        break;
    case FORGE_MARK:
        if (e->fix)
            forge_mark(e, edit);
        break;
    default:
        change_block(e, edit);
    }
}

#define SUPERBLOCKS_FROM 192u /* chunk numbers of edits that mean superblocks */

/* The newest record of a copy but `older`, from its end backwards; its real end: there is none. */
static uint32_t find_record(const struct editing *e, uint32_t chunk, uint32_t older)
{
    uint32_t real = e->nand->cells[chunk].real;
    for (uint32_t at = real; at > 0; at--)
        if (stamp_kind_of(peek(e, chunk, at - 1)) == STAMP_SUPERBLOCK && older-- == 0)
            return at - 1;
    return real;
}

/* Superblocks are few and matter most, and only their newest records count: an edit of a number in
 * one copy's, or in both. */
static void edit_superblock(const struct editing *e, struct edit *edit, uint8_t what)
{
    uint32_t older = edit->block % 8u == 0;
    for (unsigned copy = 0; copy < 2; copy++) {
        if ((what & 2u) == 0 && copy != (what & 1u))
            continue;
        edit->chunk = e->base->layout.superblock_chunk[copy];
        edit->block = find_record(e, edit->chunk, older);
        if (edit->block < e->nand->cells[edit->chunk].real)
            apply(e, edit);
    }
}

void image_edit(struct nand *nand, const struct base *base, struct input *input, bool fix)
{
    const struct editing e = {nand, base, fix};
    uint8_t deed = take_u8(input), what = take_u8(input);
    struct edit edit = {.deed = (enum deed)((deed & 0x7fu) % DEEDS),
                        .chunk = what % nand->count,
                        .block = take_u16(input),
                        .at = take_u16(input),
                        .value = take_u16(input)};
    if ((edit.at & 0x8000u) != 0)
        edit.at = fields[edit.at % (sizeof fields / sizeof fields[0])];
    if (what >= SUPERBLOCKS_FROM && edit.deed != FORGE_MARK) {
        edit_superblock(&e, &edit, what);
        return;
    }
    const struct nand_cell *cell = &nand->cells[edit.chunk];
    if (cell->real == 0 || !cell->page)
        return;
    edit.block %= cell->real;
    if ((deed & 0x80u) != 0)
        edit.block = cell->real - 1u - edit.block;
    apply(&e, &edit);
}
