/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * emu_cache.c - the volatile cache. See emu_drive.h for what is where.
 *
 * Slots have a fixed place in their chunk (slot s covers blocks s * slot_blocks and on), so that a
 * write is at most a copy per slot and a chunk's slots are a list in the order of its blocks.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/bytes.h"
#include "media/emu_drive.h"

enum { SLOT_BYTES_AIM = 65536, PIECES_MAX = 64 };

static void add_chunk(struct emu_set *set, uint32_t chunk, uint32_t *at)
{
    if (*at != EMU_NOWHERE)
        return;
    *at = set->count;
    set->chunks[set->count++] = chunk;
}

void emu_set_dirty(struct emu *emu, uint32_t chunk)
{
    struct emu_chunk *c = &emu->chunks[chunk];
    if (c->file_wp < emu->ledger.chunks[chunk].wp) {
        add_chunk(&emu->dirty, chunk, &c->dirty_at);
    } else if (c->dirty_at != EMU_NOWHERE) {
        uint32_t last = emu->dirty.chunks[--emu->dirty.count];
        emu->dirty.chunks[c->dirty_at] = last;
        emu->chunks[last].dirty_at = c->dirty_at;
        c->dirty_at = EMU_NOWHERE;
    }
}

void emu_set_unsynced(struct emu *emu, uint32_t chunk)
{
    struct emu_chunk *c = &emu->chunks[chunk];
    if (c->durable < c->file_wp) {
        add_chunk(&emu->unsynced, chunk, &c->unsynced_at);
    } else if (c->unsynced_at != EMU_NOWHERE) {
        uint32_t last = emu->unsynced.chunks[--emu->unsynced.count];
        emu->unsynced.chunks[c->unsynced_at] = last;
        emu->chunks[last].unsynced_at = c->unsynced_at;
        c->unsynced_at = EMU_NOWHERE;
    }
}

enum hftl_status emu_cache_create(struct emu *emu, uint64_t bytes)
{
    const struct hftl_media_facts *f = &emu->media.facts;
    struct emu_cache *cache = &emu->cache;
    cache->free_first = EMU_NOWHERE;
    uint32_t aim = SLOT_BYTES_AIM / f->block_bytes;
    cache->slot_blocks = max_u32(1, aim / f->ws_min) * f->ws_min;
    cache->slot_bytes = (size_t)cache->slot_blocks * (f->block_bytes + f->oob_bytes);
    cache->slot_bytes = round_up_u64(cache->slot_bytes, 64);
    uint64_t count = bytes / cache->slot_bytes;
    if (count == 0)
        return HFTL_OK;
    cache->slot_count = (uint32_t)min_u64(count, EMU_NOWHERE - 1);
    /* Pages of it are taken when they are first used. */
    void *memory = mmap(NULL, cache->slot_count * cache->slot_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return HFTL_MEMORY;
    cache->bytes = memory;
    cache->next = malloc(cache->slot_count * sizeof *cache->next);
    if (!cache->next)
        return HFTL_MEMORY;
    for (uint32_t i = 0; i < cache->slot_count; i++)
        cache->next[i] = i + 1 < cache->slot_count ? i + 1 : EMU_NOWHERE;
    cache->free_first = 0;
    cache->free_count = cache->slot_count;
    return HFTL_OK;
}

void emu_cache_destroy(struct emu *emu)
{
    if (emu->cache.bytes)
        munmap(emu->cache.bytes, emu->cache.slot_count * emu->cache.slot_bytes);
    free(emu->cache.next);
}

static uint32_t count_slots(const struct emu *emu, uint32_t from, uint32_t upto)
{
    uint32_t per = emu->cache.slot_blocks;
    return div_round_up_u32(upto, per) - from / per;
}

bool emu_cache_fits(const struct emu *emu, uint32_t blocks)
{
    return blocks / emu->cache.slot_blocks + 2 <= emu->cache.slot_count;
}

static void free_first_slot(struct emu *emu, struct emu_chunk *c)
{
    struct emu_cache *cache = &emu->cache;
    uint32_t slot = c->slot_first;
    c->slot_first = cache->next[slot];
    if (c->slot_first == EMU_NOWHERE)
        c->slot_last = EMU_NOWHERE;
    cache->next[slot] = cache->free_first;
    cache->free_first = slot;
    cache->free_count++;
}

static void add_slot(struct emu *emu, struct emu_chunk *c)
{
    struct emu_cache *cache = &emu->cache;
    uint32_t slot = cache->free_first;
    must(slot != EMU_NOWHERE);
    cache->free_first = cache->next[slot];
    cache->free_count--;
    cache->next[slot] = EMU_NOWHERE;
    if (c->slot_last == EMU_NOWHERE)
        c->slot_first = slot;
    else
        cache->next[c->slot_last] = slot;
    c->slot_last = slot;
}

/* The next run of blocks that lies in one slot. */
struct piece {
    uint8_t *data, *oob;
    uint32_t blocks;
};

static struct piece find_piece(const struct emu *emu, uint32_t slot, uint32_t offset,
                               uint32_t blocks)
{
    const struct hftl_media_facts *f = &emu->media.facts;
    const struct emu_cache *cache = &emu->cache;
    uint8_t *bytes = cache->bytes + slot * cache->slot_bytes;
    uint32_t in_slot = offset % cache->slot_blocks;
    return (struct piece){
        .data = bytes + (size_t)in_slot * f->block_bytes,
        .oob = bytes + (size_t)cache->slot_blocks * f->block_bytes + (size_t)in_slot * f->oob_bytes,
        .blocks = min_u32(blocks, cache->slot_blocks - in_slot),
    };
}

void emu_cache_hold(struct emu *emu, const struct hftl_media_op *op)
{
    const struct hftl_media_facts *f = &emu->media.facts;
    struct emu_chunk *c = &emu->chunks[op->chunk];
    const uint8_t *data = op->data, *oob = op->oob;
    uint32_t offset = emu->ledger.chunks[op->chunk].wp;
    uint32_t left = op->blocks;
    while (left > 0) {
        if (c->slot_last == EMU_NOWHERE || offset % emu->cache.slot_blocks == 0)
            add_slot(emu, c);
        struct piece piece = find_piece(emu, c->slot_last, offset, left);
        memcpy(piece.data, data, (size_t)piece.blocks * f->block_bytes);
        data += (size_t)piece.blocks * f->block_bytes;
        size_t oob_bytes = (size_t)piece.blocks * f->oob_bytes;
        if (oob) {
            memcpy(piece.oob, oob, oob_bytes);
            oob += oob_bytes;
        } else {
            memset(piece.oob, 0, oob_bytes);
        }
        offset += piece.blocks;
        left -= piece.blocks;
    }
}

/* The slot that holds `offset`; D2 says that there is one. */
static uint32_t find_slot(const struct emu *emu, uint32_t chunk, uint32_t offset)
{
    const struct emu_chunk *c = &emu->chunks[chunk];
    uint32_t slot = c->slot_first;
    uint32_t steps = offset / emu->cache.slot_blocks - c->file_wp / emu->cache.slot_blocks;
    while (steps-- > 0) {
        must(slot != EMU_NOWHERE);
        slot = emu->cache.next[slot];
    }
    must(slot != EMU_NOWHERE);
    return slot;
}

void emu_cache_read(const struct emu *emu, uint32_t chunk, uint32_t offset, uint32_t blocks,
                    struct hftl_media_op *op)
{
    const struct hftl_media_facts *f = &emu->media.facts;
    uint32_t slot = find_slot(emu, chunk, offset);
    while (blocks > 0) {
        struct piece piece = find_piece(emu, slot, offset, blocks);
        size_t at = offset - op->offset;
        memcpy((uint8_t *)op->data + at * f->block_bytes, piece.data,
               (size_t)piece.blocks * f->block_bytes);
        if (op->oob && f->oob_bytes != 0)
            memcpy((uint8_t *)op->oob + at * f->oob_bytes, piece.oob,
                   (size_t)piece.blocks * f->oob_bytes);
        offset += piece.blocks;
        blocks -= piece.blocks;
        slot = emu->cache.next[slot];
    }
}

/* 0 or an errno; all of it or not. */
static int write_pieces(int fd, struct iovec *pieces, int count, uint64_t at)
{
    while (count > 0) {
        ssize_t n = pwritev(fd, pieces, count, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : EIO;
        at += (uint64_t)n;
        while (count > 0 && (size_t)n >= pieces->iov_len) {
            n -= (ssize_t)pieces->iov_len;
            pieces++;
            count--;
        }
        if (count > 0) {
            pieces->iov_base = (char *)pieces->iov_base + n;
            pieces->iov_len -= (size_t)n;
        }
    }
    return 0;
}

/* Writes the blocks of up to PIECES_MAX slots; *upto is where it stopped. 0 or an errno. */
static int write_run(struct emu *emu, uint32_t chunk, uint32_t from, uint32_t *upto)
{
    const struct hftl_media_facts *f = &emu->media.facts;
    struct iovec data[PIECES_MAX], oob[PIECES_MAX];
    int count = 0;
    uint32_t slot = find_slot(emu, chunk, from);
    uint32_t offset = from;
    while (offset < *upto && count < PIECES_MAX) {
        struct piece piece = find_piece(emu, slot, offset, *upto - offset);
        data[count] = (struct iovec){piece.data, (size_t)piece.blocks * f->block_bytes};
        oob[count] = (struct iovec){piece.oob, (size_t)piece.blocks * f->oob_bytes};
        count++;
        offset += piece.blocks;
        slot = emu->cache.next[slot];
    }
    *upto = offset;
    int error = write_pieces(emu->file.fd, data, count, emu_data_at(emu, chunk, from));
    if (error == 0 && f->oob_bytes != 0)
        error = write_pieces(emu->file.fd, oob, count, emu_oob_at(emu, chunk, from));
    return error;
}

enum hftl_status emu_cache_spill(struct emu *emu, uint32_t chunk, uint32_t upto)
{
    struct emu_chunk *c = &emu->chunks[chunk];
    uint32_t wp = emu->ledger.chunks[chunk].wp;
    must_show(upto <= wp, upto, wp);
    uint32_t offset = c->file_wp;
    if (offset >= upto)
        return HFTL_OK;
    while (offset < upto) {
        uint32_t end = upto;
        int error = write_run(emu, chunk, offset, &end);
        if (error != 0)
            return status_of_errno(error);
        offset = end;
    }
    uint32_t per = emu->cache.slot_blocks;
    uint32_t gone = upto == wp ? count_slots(emu, c->file_wp, upto) : upto / per - c->file_wp / per;
    while (gone-- > 0)
        free_first_slot(emu, c);
    c->file_wp = upto;
    emu_set_dirty(emu, chunk);
    emu_set_unsynced(emu, chunk);
    emu_note(emu, chunk);
    /* Only now may the file say so (E2). Where it cannot, the next flush says it. */
    (void)!emu_file_write_record(&emu->file, chunk);
    return HFTL_OK;
}

/* A random point in the chunk's cached part, not before `least` blocks of it. */
static uint32_t draw_point(struct emu *emu, uint32_t chunk, uint32_t least)
{
    uint32_t ws_min = emu->media.facts.ws_min;
    uint32_t cached = emu->ledger.chunks[chunk].wp - emu->chunks[chunk].file_wp;
    least = min_u32(least, cached);
    uint32_t choices = (cached - least) / ws_min + 1;
    return emu->chunks[chunk].file_wp + least + (uint32_t)prng_below(&emu->prng, choices) * ws_min;
}

enum hftl_status emu_cache_make_room(struct emu *emu, uint32_t chunk, uint32_t blocks)
{
    uint32_t wp = emu->ledger.chunks[chunk].wp;
    uint32_t wanted = count_slots(emu, wp, wp + blocks);
    if (emu->cache.free_count >= wanted)
        return HFTL_OK;
    wanted = min_u32(emu->cache.slot_count, max_u32(wanted, emu->cache.slot_count / 8));
    while (emu->cache.free_count < wanted && emu->dirty.count > 0) {
        uint32_t victim = emu->dirty.chunks[prng_below(&emu->prng, emu->dirty.count)];
        uint32_t per = emu->cache.slot_blocks;
        uint32_t first = per - emu->chunks[victim].file_wp % per; /* frees a slot at least */
        uint32_t upto = draw_point(emu, victim, first);
        uint32_t before = emu->chunks[victim].file_wp;
        enum hftl_status status = emu_cache_spill(emu, victim, upto);
        if (status != HFTL_OK)
            return status;
        emu->counters.early_blocks += upto - before;
    }
    return HFTL_OK;
}

enum hftl_status emu_cache_spill_all(struct emu *emu)
{
    enum hftl_status worst = HFTL_OK;
    /* From the end: a chunk that leaves the set is replaced by its last. */
    for (uint32_t i = emu->dirty.count; i > 0; i--) {
        uint32_t chunk = emu->dirty.chunks[i - 1];
        enum hftl_status status = emu_cache_spill(emu, chunk, emu->ledger.chunks[chunk].wp);
        if (status != HFTL_OK)
            worst = status;
    }
    return worst;
}

void emu_cache_draw_pace(struct emu *emu, uint32_t chunk)
{
    emu->chunks[chunk].pace = (uint8_t)prng_below(&emu->prng, EMU_PACE_COUNT);
}

void emu_cache_tempt(struct emu *emu, uint32_t chunk)
{
    static const uint64_t one_in[EMU_PACE_COUNT] = {
        [EMU_LAZY] = 0, [EMU_SELDOM] = 64, [EMU_OFTEN] = 24, [EMU_EAGER] = 8};
    struct emu_chunk *c = &emu->chunks[chunk];
    if (c->pace == EMU_LAZY || prng_below(&emu->prng, one_in[c->pace]) != 0)
        return;
    uint32_t before = c->file_wp;
    uint32_t upto = draw_point(emu, chunk, 0);
    if (emu_cache_spill(emu, chunk, upto) == HFTL_OK)
        emu->counters.early_blocks += upto - before;
}

void emu_cache_drop(struct emu *emu, uint32_t chunk)
{
    struct emu_chunk *c = &emu->chunks[chunk];
    while (c->slot_first != EMU_NOWHERE)
        free_first_slot(emu, c);
}
