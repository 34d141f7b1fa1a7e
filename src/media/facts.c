/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * facts.c - do the facts of a medium make sense?
 *
 * Everything above computes with these numbers in 32 bits where the result fits; the limits here
 * are what makes it fit. A drive is untrusted input: every product is taken in 64 bits, and each
 * factor is bounded before it is multiplied.
 */
#include <hostftl/media.h>

#define CHUNKS_MAX (1u << 24)
#define CHUNK_BLOCKS_MAX (1u << 30)
#define BLOCKS_MAX (1ull << 40)
#define OOB_BYTES_MAX 4096u
#define FLAGS_KNOWN                                                                                \
    ((uint32_t)HFTL_MEDIA_CAN_QUEUE | (uint32_t)HFTL_MEDIA_CAN_APPEND |                            \
     (uint32_t)HFTL_MEDIA_NEEDS_ERASE | (uint32_t)HFTL_MEDIA_CAN_RESET_OPEN |                      \
     (uint32_t)HFTL_MEDIA_CAN_FINISH)

static const char *find_in_block(const struct hftl_media_facts *f)
{
    if (f->size < sizeof *f)
        return "the facts come from another version of the library";
    if (f->kind != HFTL_KIND_OCSSD && f->kind != HFTL_KIND_ZONED && f->kind != HFTL_KIND_FLAT)
        return "the kind of medium is not known";
    if (f->flags & ~FLAGS_KNOWN)
        return "a flag of the medium is not known";
    if (f->block_bytes < 512 || f->block_bytes > 4096 || (f->block_bytes & (f->block_bytes - 1)))
        return "the block size is not a power of two between 512 and 4096 bytes";
    if (f->oob_bytes != 0 && f->oob_bytes < 16)
        return "fewer than 16 out-of-band bytes a block (0 means none)";
    if (f->oob_bytes > OOB_BYTES_MAX)
        return "more than 4096 out-of-band bytes a block";
    return NULL;
}

static const char *find_in_shape(const struct hftl_media_facts *f)
{
    if (f->groups == 0 || f->pus_per_group == 0 || f->chunks_per_pu == 0)
        return "a medium without groups, parallel units or chunks";
    if (f->groups > CHUNKS_MAX || f->pus_per_group > CHUNKS_MAX || f->chunks_per_pu > CHUNKS_MAX)
        return "more than 2^24 chunks";
    uint64_t pus = (uint64_t)f->groups * f->pus_per_group;
    if (pus > CHUNKS_MAX || pus * f->chunks_per_pu > CHUNKS_MAX)
        return "more than 2^24 chunks";
    if (f->kind == HFTL_KIND_ZONED && pus != 1)
        return "a zoned drive has one group and one parallel unit";
    if (f->chunk_blocks == 0)
        return "chunks without blocks";
    if (f->chunk_blocks > CHUNK_BLOCKS_MAX)
        return "more than 2^30 blocks a chunk";
    if (pus * f->chunks_per_pu * f->chunk_blocks > BLOCKS_MAX)
        return "more than 2^40 blocks in all";
    return NULL;
}

static const char *find_in_writing(const struct hftl_media_facts *f)
{
    if (f->ws_min == 0 || f->ws_opt == 0)
        return "a write unit of no blocks";
    if (f->ws_opt % f->ws_min)
        return "the best write (ws_opt) is not a multiple of the smallest (ws_min)";
    if (f->chunk_blocks % f->ws_min)
        return "the chunk's capacity is not a multiple of the smallest write (ws_min)";
    if (f->chunk_blocks / 2 < f->ws_opt)
        return "a chunk holds less than two write units (ws_opt)";
    if (f->mw_cunits >= f->chunk_blocks)
        return "no block of an open chunk is ever readable (mw_cunits reaches the capacity)";
    if (f->atomic_blocks > f->chunk_blocks)
        return "the atomic write is longer than a chunk";
    if (f->transfer_blocks_max < f->ws_opt)
        return "the longest transfer is shorter than a write unit (ws_opt)";
    if (f->read_gap_blocks >= f->chunk_blocks)
        return "a gap that is read in vain is as long as a chunk (read_gap_blocks)";
    if (f->open_max != 0 && f->active_max != 0 && f->open_max > f->active_max)
        return "more chunks may be open than active";
    return NULL;
}

const char *hftl_media_facts_nonsense(const struct hftl_media_facts *facts)
{
    const char *wrong = find_in_block(facts);
    if (!wrong)
        wrong = find_in_shape(facts);
    if (!wrong)
        wrong = find_in_writing(facts);
    return wrong;
}
