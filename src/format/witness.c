/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/witness.h"

#include "base/bytes.h"
#include "base/must.h"
#include "format/text.h"

#include <inttypes.h>

#define AT_FLUSH 0u
#define AT_SLOTS 8u

_Static_assert(AT_SLOTS + FORMAT_STREAMS * FORMAT_MARK_BYTES == FORMAT_WITNESS_BYTES,
               "the witness's fields fill it");

static bool is_unused_and_empty(const struct band_mark *mark)
{
    return mark->band == FORMAT_BAND_NONE && mark->position == 0 && mark->generation == 0;
}

static bool is_whole(const struct band_mark *mark)
{
    return mark->band != FORMAT_BAND_NONE || is_unused_and_empty(mark);
}

struct witness witness_none(void)
{
    struct witness none = {.flush = 0};
    for (unsigned i = 0; i < FORMAT_STREAMS; i++)
        none.slots[i].band = FORMAT_BAND_NONE;
    return none;
}

void band_mark_encode(const struct band_mark *mark, uint8_t bytes[FORMAT_MARK_BYTES])
{
    must_show(is_whole(mark), mark->position, mark->generation);
    put_u32(bytes, mark->band);
    put_u32(bytes + 4, mark->position);
    put_u64(bytes + 8, mark->generation);
}

enum hftl_status band_mark_decode(const uint8_t bytes[FORMAT_MARK_BYTES], struct band_mark *mark)
{
    struct band_mark read = {
        .band = get_u32(bytes),
        .position = get_u32(bytes + 4),
        .generation = get_u64(bytes + 8),
    };
    if (!is_whole(&read))
        return HFTL_CORRUPT;
    *mark = read;
    return HFTL_OK;
}

void witness_encode(const struct witness *witness, uint8_t bytes[FORMAT_WITNESS_BYTES])
{
    must_show(witness->flush <= FORMAT_SEQ_MAX, witness->flush, 0);
    put_u64(bytes + AT_FLUSH, witness->flush);
    for (unsigned i = 0; i < FORMAT_STREAMS; i++)
        band_mark_encode(&witness->slots[i], bytes + AT_SLOTS + i * FORMAT_MARK_BYTES);
}

enum hftl_status witness_decode(const uint8_t bytes[FORMAT_WITNESS_BYTES], struct witness *witness)
{
    struct witness read = {.flush = get_u64(bytes + AT_FLUSH)};
    if (read.flush > FORMAT_SEQ_MAX)
        return HFTL_CORRUPT;
    for (unsigned i = 0; i < FORMAT_STREAMS; i++) {
        enum hftl_status status =
            band_mark_decode(bytes + AT_SLOTS + i * FORMAT_MARK_BYTES, &read.slots[i]);
        if (status != HFTL_OK)
            return status;
    }
    *witness = read;
    return HFTL_OK;
}

void witness_to_text(const struct witness *witness, char *text, size_t text_bytes)
{
    struct text out = text_start(text, text_bytes);
    text_add(&out, "flush ");
    text_add_epoch(&out, witness->flush);
    for (unsigned i = 0; i < FORMAT_STREAMS; i++) {
        const struct band_mark *slot = &witness->slots[i];
        if (slot->band == FORMAT_BAND_NONE)
            continue;
        text_add(&out, ", stream %u%s: band %" PRIu32 " generation ", i % FORMAT_STREAMS_USED,
                 i < FORMAT_STREAMS_USED ? "" : " (closing)", slot->band);
        text_add_epoch(&out, slot->generation);
        text_add(&out, " below %" PRIu32, slot->position);
    }
}
