/* SPDX-License-Identifier: BSD-3-Clause */
#include "lifecycle/neighbours.h"

#include "base/bytes.h"

#include <stdio.h>
#include <string.h>

#define PLACE_BYTES 48u

static uint32_t pus_of(const struct layout *layout)
{
    return layout->groups * layout->pus_per_group;
}

static bool has_all_pus(const struct layout *layout)
{
    return layout->pu_count == pus_of(layout);
}

static bool lies_inside(const struct layout *inner, const struct layout *outer)
{
    return inner->pu_first >= outer->pu_first && (uint64_t)inner->pu_first + inner->pu_count <=
                                                     (uint64_t)outer->pu_first + outer->pu_count;
}

/* ", on parallel units 2-5"; nothing where there is only one. */
static const char *name_place(const struct layout *layout, char text[PLACE_BYTES])
{
    text[0] = '\0';
    if (pus_of(layout) > 1)
        (void)snprintf(text, PLACE_BYTES, ", on parallel units %u-%u", layout->pu_first,
                       layout->pu_first + layout->pu_count - 1);
    return text;
}

static enum hftl_status judge_strange(const struct instances *all, const struct layout *layout,
                                      bool force, struct why *why)
{
    enum hftl_status status = all->strange_count > 0 ? all->strange[0].status : HFTL_OK;
    for (uint32_t i = 0; i < all->count && status == HFTL_OK; i++)
        if (!all->list[i].placed)
            status = all->list[i].status;
    if (status == HFTL_OK && all->crowded)
        status = HFTL_CORRUPT;
    if (status == HFTL_OK || (force && has_all_pus(layout)))
        return HFTL_OK;
    if (status == HFTL_IO)
        return why_say(why, status,
                       "whether a hostftl device is there already cannot be known (%s): only a "
                       "forced format of the whole drive replaces what is there",
                       hftl_status_text(status));
    if (has_all_pus(layout))
        return why_say(why, HFTL_EXISTS, "what is there looks like a hostftl device (%s)",
                       hftl_status_text(status));
    return why_say(
        why, HFTL_INVALID,
        "what is there looks like a hostftl device (%s), and which parallel units it has "
        "cannot be known: only a forced format of the whole drive replaces it",
        hftl_status_text(status));
}

static bool has_retired_copy(const struct instance *instance)
{
    return instance->found.copies[0].state.state == HFTL_CHUNK_READ_ONLY ||
           instance->found.copies[1].state.state == HFTL_CHUNK_READ_ONLY;
}

static enum hftl_status judge_overlapping(const struct instance *instance,
                                          const struct layout *layout, bool force, struct why *why)
{
    const struct layout *theirs = &instance->found.record.layout;
    char place[PLACE_BYTES];
    if (has_retired_copy(instance))
        return why_say(why, HFTL_GEOMETRY,
                       "a read-only chunk holds the superblock of another device: it cannot be "
                       "erased and would be found again");
    if (!force)
        return why_say(why, HFTL_EXISTS, "there is a hostftl device \"%s\" already%s", theirs->name,
                       name_place(theirs, place));
    if (lies_inside(theirs, layout))
        return HFTL_OK;
    return why_say(
        why, HFTL_INVALID,
        "the device \"%s\"%s, reaches outside of those given, and part of it is never "
        "destroyed: give %u-%u at least, or others",
        theirs->name, name_place(theirs, place), min_u32(theirs->pu_first, layout->pu_first),
        max_u32(theirs->pu_first + theirs->pu_count, layout->pu_first + layout->pu_count) - 1);
}

enum hftl_status neighbours_judge(const struct instances *all, const struct layout *layout,
                                  bool force, struct why *why)
{
    char place[PLACE_BYTES];
    enum hftl_status status = HFTL_OK;
    for (uint32_t i = 0; i < all->count && status == HFTL_OK; i++) {
        const struct instance *instance = &all->list[i];
        const struct layout *theirs = &instance->found.record.layout;
        if (!instance->placed)
            continue;
        if (layout_share_pus(theirs, layout))
            status = judge_overlapping(instance, layout, force, why);
        else if (strcmp(theirs->name, layout->name) == 0)
            status = why_say(why, HFTL_INVALID,
                             "a device of the drive is named \"%s\" already%s: give another name",
                             theirs->name, name_place(theirs, place));
    }
    return status == HFTL_OK ? judge_strange(all, layout, force, why) : status;
}

bool neighbours_first_chunk(const struct instances *all, const struct layout *layout, uint32_t n,
                            uint32_t *chunk)
{
    if (n < all->strange_count) {
        *chunk = all->strange[n].chunk;
        return true;
    }
    n -= all->strange_count;
    for (uint32_t i = 0; i < all->count; i++) {
        const struct layout *theirs = &all->list[i].found.record.layout;
        if (!all->list[i].placed || !layout_share_pus(theirs, layout))
            continue;
        if (n < 2) {
            *chunk = theirs->superblock_chunk[n];
            return true;
        }
        n -= 2;
    }
    return false;
}
