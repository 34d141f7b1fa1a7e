/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nand_fault.c - a medium that fails: the n-th operation, in each way that media.h allows.
 */
#include "base/must.h"
#include "sim/nand_inside.h"

const char *nand_fault_name(enum nand_fault_kind kind)
{
    static const char *const names[] = {
#define NAME(name, text) #name,
        NAND_FAULT_LIST(NAME)
#undef NAME
    };
    return (unsigned)kind < NAND_FAULT_COUNT ? names[kind] : "?";
}

static bool applies(enum nand_fault_kind kind, enum hftl_media_verb verb)
{
    bool write = verb == HFTL_MEDIA_WRITE, reset = verb == HFTL_MEDIA_RESET;
    bool finish = verb == HFTL_MEDIA_FINISH;
    switch (kind) {
    case NAND_FAULT_FAIL:
        return verb != HFTL_MEDIA_EVENT;
    case NAND_FAULT_DONE:
        return write || reset || finish || verb == HFTL_MEDIA_FLUSH;
    case NAND_FAULT_HALF:
    case NAND_FAULT_HOLE:
    case NAND_FAULT_CLOSED:
        return write;
    case NAND_FAULT_READ_ONLY:
        return write || reset || finish;
    case NAND_FAULT_OFFLINE:
        return write || reset || verb == HFTL_MEDIA_READ;
    case NAND_FAULT_LIE:
        return verb == HFTL_MEDIA_FLUSH;
    default:
        return verb == HFTL_MEDIA_READ;
    }
}

void nand_set_fault(struct nand *nand, const struct nand_fault *fault)
{
    nand->fault = *fault;
    nand->fault.struck = false;
    nand->fault_from = nand->serial;
}

bool nand_fault_struck(const struct nand *nand)
{
    return nand->fault.struck;
}

struct nand_harm nand_harm(const struct nand *nand)
{
    return nand->harm;
}

uint64_t nand_operations(const struct nand *nand)
{
    return nand->serial;
}

bool nand_fault_strikes(const struct nand *nand, const struct nand_flight *flight)
{
    const struct nand_fault *fault = &nand->fault;
    uint64_t at = nand->fault_from + fault->at;
    if (!fault->armed || !applies(fault->kind, flight->verb))
        return false;
    return fault->forever ? flight->serial >= at : flight->serial == at;
}

static uint32_t moved_by(const struct nand *nand, const struct hftl_media_op *op,
                         enum nand_fault_kind kind)
{
    uint32_t ws_min = nand->media.facts.ws_min;
    if (kind == NAND_FAULT_DONE || kind == NAND_FAULT_HOLE)
        return op->blocks;
    if (kind == NAND_FAULT_HALF || kind == NAND_FAULT_CLOSED)
        return op->blocks / ws_min / 2 * ws_min;
    return 0;
}

static void fail_write(struct nand *nand, struct nand_cell *cell, const struct hftl_media_op *op,
                       enum nand_fault_kind kind)
{
    uint64_t seed = op->offset;
    uint32_t moved = moved_by(nand, op, kind);
    cell->writes--;
    cell->broken = true;
    cell->real = op->offset + moved;
    if (kind == NAND_FAULT_HOLE) {
        const struct hftl_media_facts *f = &nand->media.facts;
        struct nand_page *page = nand_page_own(nand, cell);
        struct prng prng;
        prng_seed(&prng, seed);
        nand_fill_garbage(&prng, page->data + (size_t)op->offset * f->block_bytes,
                          (size_t)op->blocks * f->block_bytes);
        nand_fill_garbage(&prng, page->oob + (size_t)op->offset * f->oob_bytes,
                          (size_t)op->blocks * f->oob_bytes);
    }
    uint32_t wear = cell->chunk.wear;
    nand_wake(nand, cell);
    cell->chunk.wear = wear;
    if (cell->chunk.state == HFTL_CHUNK_PAUSED)
        cell->chunk.state = HFTL_CHUNK_OPEN;
    if (kind == NAND_FAULT_CLOSED)
        nand_finish_now(nand, cell);
    if (!nand->media.facts.volatile_cache)
        cell->durable = cell->real;
}

/* A write behind a failed one; the op is not there any more to say what it was. */
void nand_refuse_write(struct nand_cell *cell, struct hftl_media_op *op)
{
    cell->writes--;
    op->status = HFTL_IO;
}

/* One bit of any of the blocks, or of its OOB. */
static void spoil_read(const struct nand *nand, struct hftl_media_op *op, uint64_t serial)
{
    const struct hftl_media_facts *f = &nand->media.facts;
    uint32_t oob_bytes = op->oob ? f->oob_bytes : 0;
    struct prng prng;
    prng_seed(&prng, serial);
    size_t block = (size_t)prng_below(&prng, op->blocks);
    size_t byte = (size_t)prng_below(&prng, f->block_bytes + 4 * oob_bytes);
    uint8_t *data = op->data, *oob = op->oob;
    if (byte < f->block_bytes)
        data[block * f->block_bytes + byte] ^= 0x10;
    else
        oob[block * oob_bytes + (byte - f->block_bytes) % oob_bytes] ^= 0x10;
    op->status = HFTL_OK;
}

void nand_land_fault(struct nand *nand, struct nand_flight *flight)
{
    struct hftl_media_op *op = flight->op;
    struct nand_cell *cell = &nand->cells[op->chunk < nand->count ? op->chunk : 0];
    enum nand_fault_kind kind = nand->fault.kind;
    nand->fault.struck = true;
    nand->harm.reads += op->verb == HFTL_MEDIA_READ;
    nand->harm.lies += kind == NAND_FAULT_LIE;
    nand->harm.others +=
        (op->verb != HFTL_MEDIA_READ && kind != NAND_FAULT_LIE) || kind == NAND_FAULT_OFFLINE;
    nand->harm.gone += kind == NAND_FAULT_OFFLINE;
    op->status = kind == NAND_FAULT_OFFLINE     ? HFTL_OFFLINE
                 : kind == NAND_FAULT_READ_ONLY ? HFTL_READ_ONLY
                 : kind == NAND_FAULT_CLOSED    ? HFTL_CLOSED_EARLY
                 : kind == NAND_FAULT_HOLE      ? HFTL_WRITE_SKIPPED
                                                : HFTL_IO;
    if (op->verb == HFTL_MEDIA_WRITE)
        fail_write(nand, cell, op, kind);
    else if (op->verb != HFTL_MEDIA_REPORT)
        nand_land_effect(nand, flight, kind == NAND_FAULT_DONE || kind == NAND_FAULT_ROT);
    if (kind == NAND_FAULT_LIE)
        op->status = HFTL_OK;
    if (kind == NAND_FAULT_ROT)
        spoil_read(nand, op, flight->serial);
    if (kind == NAND_FAULT_OFFLINE)
        cell->chunk.state = HFTL_CHUNK_OFFLINE;
    if (kind == NAND_FAULT_READ_ONLY)
        cell->chunk.state = HFTL_CHUNK_READ_ONLY;
}

void nand_flip(struct nand *nand, const struct nand_place *place, uint8_t mask)
{
    const struct hftl_media_facts *f = &nand->media.facts;
    struct nand_cell *cell = &nand->cells[place->chunk];
    must_show(place->chunk < nand->count && place->block < cell->real, place->chunk, place->block);
    struct nand_page *page = nand_page_own(nand, cell);
    uint32_t byte = place->byte;
    nand->harm.bits++;
    must_show(byte < f->block_bytes + f->oob_bytes, byte, f->block_bytes);
    if (byte < f->block_bytes)
        page->data[(size_t)place->block * f->block_bytes + byte] ^= mask;
    else
        page->oob[(size_t)place->block * f->oob_bytes + byte - f->block_bytes] ^= mask;
}

uint32_t nand_blocks_there(const struct nand *nand, uint32_t chunk)
{
    must_show(chunk < nand->count, chunk, nand->count);
    return nand->cells[chunk].real;
}

const void *nand_block(const struct nand *nand, uint32_t chunk, uint32_t block)
{
    must_show(block < nand_blocks_there(nand, chunk), chunk, block);
    return nand->cells[chunk].page->data + (size_t)block * nand->media.facts.block_bytes;
}
