/* SPDX-License-Identifier: BSD-3-Clause */
#include "media/overlay.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/must.h"
#include "media/ledger.h"
#include "media/wrap.h"

enum { PIECE_BLOCKS = 64 };

struct overlay_chunk {
    uint32_t base;    /* blocks below it are the inner medium's */
    uint8_t **pieces; /* PIECE_BLOCKS of data, then their OOB, each; NULL until written */
};

struct overlay {
    struct wrap wrap;
    struct ledger ledger;
    struct overlay_chunk *chunks;
    uint64_t bytes;
};

static size_t count_piece_bytes(const struct overlay *overlay)
{
    const struct hftl_media_facts *f = &overlay->wrap.media.facts;
    return (size_t)PIECE_BLOCKS * (f->block_bytes + f->oob_bytes);
}

static uint32_t count_pieces(const struct overlay *overlay)
{
    return div_round_up_u32(overlay->wrap.media.facts.chunk_blocks, PIECE_BLOCKS);
}

static void forget_chunk(struct overlay *overlay, struct overlay_chunk *c)
{
    for (uint32_t i = 0; c->pieces && i < count_pieces(overlay); i++) {
        overlay->bytes -= c->pieces[i] ? count_piece_bytes(overlay) : 0;
        free(c->pieces[i]);
    }
    free(c->pieces);
    c->pieces = NULL;
}

/* Memory for all of [from, from + blocks). */
static enum hftl_status make_pieces(struct overlay *overlay, struct overlay_chunk *c, uint32_t from,
                                    uint32_t blocks)
{
    if (!c->pieces)
        c->pieces = calloc(count_pieces(overlay), sizeof *c->pieces);
    if (!c->pieces)
        return HFTL_MEMORY;
    for (uint32_t i = from / PIECE_BLOCKS; i <= (from + blocks - 1) / PIECE_BLOCKS; i++) {
        if (c->pieces[i])
            continue;
        c->pieces[i] = malloc(count_piece_bytes(overlay));
        if (!c->pieces[i])
            return HFTL_MEMORY;
        overlay->bytes += count_piece_bytes(overlay);
    }
    return HFTL_OK;
}

/* One run of blocks within a piece. */
struct run {
    uint8_t *data, *oob;
    uint32_t blocks;
};

static struct run find_run(const struct overlay *overlay, const struct overlay_chunk *c,
                           uint32_t offset, uint32_t blocks)
{
    const struct hftl_media_facts *f = &overlay->wrap.media.facts;
    uint8_t *piece = c->pieces[offset / PIECE_BLOCKS];
    uint32_t at = offset % PIECE_BLOCKS;
    return (struct run){
        .data = piece + (size_t)at * f->block_bytes,
        .oob = piece + (size_t)PIECE_BLOCKS * f->block_bytes + (size_t)at * f->oob_bytes,
        .blocks = min_u32(blocks, PIECE_BLOCKS - at),
    };
}

static enum hftl_status write_blocks(struct overlay *overlay, struct hftl_media_op *op)
{
    const struct hftl_media_facts *f = &overlay->wrap.media.facts;
    struct overlay_chunk *c = &overlay->chunks[op->chunk];
    uint32_t wp = overlay->ledger.chunks[op->chunk].wp;
    enum hftl_status status = make_pieces(overlay, c, wp, op->blocks);
    if (status != HFTL_OK) {
        ledger_fail_write(&overlay->ledger, op->chunk);
        return status;
    }
    op->offset = wp; /* R7 */
    uint32_t done = 0;
    while (done < op->blocks) {
        struct run run = find_run(overlay, c, wp + done, op->blocks - done);
        memcpy(run.data, (uint8_t *)op->data + (size_t)done * f->block_bytes,
               (size_t)run.blocks * f->block_bytes);
        if (op->oob && f->oob_bytes != 0)
            memcpy(run.oob, (uint8_t *)op->oob + (size_t)done * f->oob_bytes,
                   (size_t)run.blocks * f->oob_bytes);
        else
            memset(run.oob, 0, (size_t)run.blocks * f->oob_bytes);
        done += run.blocks;
    }
    ledger_write(&overlay->ledger, op->chunk, op->blocks);
    return HFTL_OK;
}

/* The blocks of the read from the `skip`-th on, all of them in memory. */
static void read_memory(const struct overlay *overlay, struct hftl_media_op *op, uint32_t skip)
{
    const struct hftl_media_facts *f = &overlay->wrap.media.facts;
    const struct overlay_chunk *c = &overlay->chunks[op->chunk];
    while (skip < op->blocks) {
        struct run run = find_run(overlay, c, op->offset + skip, op->blocks - skip);
        memcpy((uint8_t *)op->data + (size_t)skip * f->block_bytes, run.data,
               (size_t)run.blocks * f->block_bytes);
        if (op->oob && f->oob_bytes != 0)
            memcpy((uint8_t *)op->oob + (size_t)skip * f->oob_bytes, run.oob,
                   (size_t)run.blocks * f->oob_bytes);
        skip += run.blocks;
    }
}

static void finish_read(struct hftl_media_op *op)
{
    struct wrap_twin *twin = (struct wrap_twin *)op;
    wrap_return(op->owner, twin);
}

static void read_blocks(struct overlay *overlay, struct hftl_media_op *op)
{
    uint32_t base = overlay->chunks[op->chunk].base;
    uint32_t below = base > op->offset ? min_u32(base - op->offset, op->blocks) : 0;
    read_memory(overlay, op, below);
    if (below == 0) {
        wrap_done(&overlay->wrap, op, HFTL_OK);
        return;
    }
    struct wrap_twin *twin = wrap_twin(&overlay->wrap, op, finish_read);
    if (!twin) {
        wrap_done(&overlay->wrap, op, HFTL_MEMORY);
        return;
    }
    twin->op.blocks = below;
    wrap_send(&overlay->wrap, twin);
}

static void submit_op(struct overlay *overlay, struct hftl_media_op *op)
{
    enum hftl_status status = ledger_judge(&overlay->ledger, op);
    enum hftl_status clash = wrap_take(&overlay->wrap, op);
    ledger_depart(&overlay->ledger, op);
    if (status == HFTL_OK)
        status = clash;
    if (status == HFTL_OK && op->verb == HFTL_MEDIA_READ) {
        read_blocks(overlay, op);
        return;
    }
    if (status == HFTL_OK && (op->verb == HFTL_MEDIA_WRITE || op->verb == HFTL_MEDIA_APPEND))
        status = write_blocks(overlay, op);
    else if (status == HFTL_OK && op->verb == HFTL_MEDIA_EVENT)
        status = HFTL_AGAIN;
    if (status == HFTL_OK && op->verb == HFTL_MEDIA_RESET) {
        forget_chunk(overlay, &overlay->chunks[op->chunk]);
        overlay->chunks[op->chunk].base = 0;
        ledger_reset(&overlay->ledger, op->chunk);
    }
    if (status == HFTL_OK && op->verb == HFTL_MEDIA_FINISH)
        ledger_finish(&overlay->ledger, op->chunk);
    wrap_done(&overlay->wrap, op, status);
}

static void submit_ops(struct hftl_media *media, struct hftl_media_op **ops, unsigned count)
{
    struct overlay *overlay = (struct overlay *)media;
    for (unsigned i = 0; i < count; i++)
        submit_op(overlay, ops[i]);
    wrap_settle(&overlay->wrap);
}

static void note_arrival(struct wrap *wrap, struct hftl_media_op *op)
{
    struct overlay *overlay = (struct overlay *)wrap;
    ledger_arrive(&overlay->ledger, op);
    if (op->verb == HFTL_MEDIA_REPORT && op->status == HFTL_OK)
        memcpy(op->out.report, &overlay->ledger.chunks[op->chunk],
               op->blocks * sizeof *op->out.report);
}

static unsigned reap_ops(struct hftl_media *media, unsigned max)
{
    struct wrap *wrap = (struct wrap *)media;
    wrap_reap_inner(wrap, max);
    return wrap_land(wrap, max);
}

static void free_overlay(struct overlay *overlay)
{
    for (uint32_t i = 0; overlay->chunks && i < overlay->ledger.chunk_count; i++)
        forget_chunk(overlay, &overlay->chunks[i]);
    free(overlay->chunks);
    ledger_destroy(&overlay->ledger);
    wrap_free(&overlay->wrap);
    free(overlay);
}

static void close_media(struct hftl_media *media)
{
    struct overlay *overlay = (struct overlay *)media;
    struct hftl_media *inner = overlay->wrap.inner;
    must_show(overlay->wrap.in_flight == 0, overlay->wrap.in_flight, 0);
    free_overlay(overlay);
    inner->ops->close(inner);
}

static const struct hftl_media_ops overlay_ops = {
    .name = "overlay",
    .submit = submit_ops,
    .reap = reap_ops,
    .fd = wrap_fd,
    .close = close_media,
};

static enum hftl_status adopt_chunks(struct overlay *overlay)
{
    enum hftl_status status = ledger_create(&overlay->ledger, &overlay->wrap.media.facts);
    if (status != HFTL_OK)
        return status;
    overlay->chunks = calloc(overlay->ledger.chunk_count, sizeof *overlay->chunks);
    if (!overlay->chunks)
        return HFTL_MEMORY;
    status = wrap_report_all(overlay->wrap.inner, overlay->ledger.chunks);
    if (status != HFTL_OK)
        return status;
    for (uint32_t i = 0; i < overlay->ledger.chunk_count; i++)
        overlay->chunks[i].base = overlay->ledger.chunks[i].wp;
    return ledger_recount(&overlay->ledger) ? HFTL_OK : HFTL_CORRUPT;
}

enum hftl_status overlay_open(struct hftl_media *inner, const struct hftl_media_facts *facts,
                              struct hftl_media **media)
{
    must_show(inner->facts.mw_cunits == 0, inner->facts.mw_cunits, facts->mw_cunits);
    must(hftl_media_chunks(&inner->facts) == hftl_media_chunks(facts));
    struct overlay *overlay = calloc(1, sizeof *overlay);
    if (!overlay)
        return HFTL_MEMORY;
    enum hftl_status status = wrap_init(&overlay->wrap, &overlay_ops, inner, false);
    if (status != HFTL_OK) {
        free(overlay);
        return status;
    }
    overlay->wrap.media.facts = *facts;
    overlay->wrap.landing = note_arrival;
    status = adopt_chunks(overlay);
    if (status != HFTL_OK) {
        free_overlay(overlay);
        return status;
    }
    *media = &overlay->wrap.media;
    return HFTL_OK;
}

uint64_t overlay_bytes(const struct hftl_media *media)
{
    return ((const struct overlay *)media)->bytes;
}
