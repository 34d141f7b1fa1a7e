/* SPDX-License-Identifier: BSD-3-Clause */
/* facts.c - see facts.h. */
#include "tool/facts.h"

const char *facts_kind_text(enum hftl_media_kind kind)
{
    switch (kind) {
    case HFTL_KIND_OCSSD:
        return "ocssd";
    case HFTL_KIND_ZONED:
        return "zoned";
    case HFTL_KIND_FLAT:
        return "flat";
    }
    return "?";
}

const char *facts_state_text(enum hftl_chunk_state state)
{
    static const char *const texts[] = {
#define STATE_TEXT(name, text) text,
        HFTL_CHUNK_STATE_LIST(STATE_TEXT)
#undef STATE_TEXT
    };

    return (unsigned)state < HFTL_CHUNK_STATE_COUNT ? texts[state] : "?";
}

static void add_flags(struct sheet *sheet, const struct hftl_media_facts *facts)
{
    sheet_flag(sheet, "can_queue", "Writes queue", (facts->flags & HFTL_MEDIA_CAN_QUEUE) != 0);
    sheet_flag(sheet, "can_append", "Append", (facts->flags & HFTL_MEDIA_CAN_APPEND) != 0);
    sheet_flag(sheet, "needs_erase", "Needs erase", (facts->flags & HFTL_MEDIA_NEEDS_ERASE) != 0);
    sheet_flag(sheet, "can_reset_open", "Reset of open",
               (facts->flags & HFTL_MEDIA_CAN_RESET_OPEN) != 0);
    sheet_flag(sheet, "can_finish", "Finish", (facts->flags & HFTL_MEDIA_CAN_FINISH) != 0);
}

void facts_add_medium(struct sheet *sheet, const struct hftl_media_facts *facts)
{
    uint64_t chunks = hftl_media_chunks(facts);

    sheet_section(sheet, "medium", "Medium");
    sheet_text(sheet, "kind", "Kind", facts_kind_text(facts->kind));
    sheet_id(sheet, "id", "Id", facts->id);
    sheet_bytes(sheet, "bytes", "Size", chunks * facts->chunk_blocks * facts->block_bytes);
    sheet_count(sheet, "block_bytes", "Block, bytes", facts->block_bytes);
    sheet_limit(sheet, "oob_bytes", "OOB, bytes a block", facts->oob_bytes, "none");
    sheet_count(sheet, "groups", "Groups", facts->groups);
    sheet_count(sheet, "pus_per_group", "Parallel units", facts->pus_per_group);
    sheet_count(sheet, "chunks_per_pu", facts->kind == HFTL_KIND_ZONED ? "Zones" : "Chunks a PU",
                facts->chunks_per_pu);
    sheet_count(sheet, "chunk_blocks",
                facts->kind == HFTL_KIND_ZONED ? "Zone capacity, blocks" : "Chunk, blocks",
                facts->chunk_blocks);
    sheet_count(sheet, "ws_min", "Smallest write", facts->ws_min);
    sheet_count(sheet, "ws_opt", "Best write", facts->ws_opt);
    sheet_limit(sheet, "mw_cunits", "Unreadable tail", facts->mw_cunits, "none");
    sheet_limit(sheet, "open_max", "Open at most", facts->open_max, "no limit");
    sheet_limit(sheet, "active_max", "Active at most", facts->active_max, "no limit");
    sheet_limit(sheet, "atomic_blocks", "Atomic write", facts->atomic_blocks, "none");
    sheet_count(sheet, "transfer_blocks_max", "Longest transfer", facts->transfer_blocks_max);
    sheet_limit(sheet, "reset_limit", "Resets a chunk", facts->reset_limit, "not known");
    sheet_flag(sheet, "volatile_cache", "Volatile cache", facts->volatile_cache);
    add_flags(sheet, facts);
    sheet_section(sheet, NULL, NULL);
}

static void add_layout(struct sheet *sheet, const struct hftl_info *info)
{
    sheet_text(sheet, "name", "Name", info->name);
    sheet_id(sheet, "id", "Id", info->id);
    sheet_bytes(sheet, "bytes", "Size", info->blocks * HFTL_BLOCK_BYTES);
    sheet_count(sheet, "blocks", "Blocks", info->blocks);
    sheet_count(sheet, "blocks_media", "Blocks of the medium", info->blocks_media);
    sheet_permille(sheet, "op_permille", "Spare space asked", info->op_permille);
    sheet_count(sheet, "pu_first", "First parallel unit", info->pu_first);
    sheet_count(sheet, "pu_count", "Parallel units", info->pu_count);
    sheet_count(sheet, "columns", "Columns", info->columns);
    sheet_count(sheet, "bands", "Bands", info->bands);
    sheet_count(sheet, "band_blocks", "Band, blocks", info->band_blocks);
    sheet_count(sheet, "bands_reserve", "Bands in reserve", info->bands_reserve);
    sheet_count(sheet, "write_unit", "Write unit, blocks", info->write_unit);
    sheet_count(sheet, "interleave", "Slices of a write unit", info->interleave);
    sheet_count(sheet, "overlap", "Bands closed while writing goes on", info->overlap);
    sheet_text(sheet, "identity", "Identity of blocks", info->identity_in_oob ? "oob" : "summary");
    sheet_time(sheet, "created", "Made", info->created);
}

void facts_add_new(struct sheet *sheet, const struct hftl_info *info)
{
    add_layout(sheet, info);
    sheet_count(sheet, "blocks_data", "Blocks for data", info->blocks_data);
    sheet_permille(sheet, "op_effective_permille", "Spare space", info->op_effective_permille);
    sheet_count(sheet, "bands_free", "Bands free", info->bands_free);
    facts_add_medium(sheet, &info->facts);
}

void facts_add_probed(struct sheet *sheet, const struct hftl_info *info)
{
    add_layout(sheet, info);
    sheet_flag(sheet, "clean", "Closed cleanly", info->clean);
    sheet_flag(sheet, "read_only", "Read-only", info->read_only);
    sheet_count(sheet, "epoch", "Epoch", info->epoch);
    facts_add_medium(sheet, &info->facts);
}
