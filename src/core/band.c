/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/band.h"

#include "base/must.h"
#include "base/mutant.h"
#include "core/engine.h"
#include "format/ident.h"

static const char *const state_texts[] = {
#define BAND_STATE_TEXT(name, text) text,
    BAND_STATE_LIST(BAND_STATE_TEXT)
#undef BAND_STATE_TEXT
};

const char *band_state_text(enum band_state state)
{
    return state < BAND_STATE_COUNT ? state_texts[state] : "?";
}

#define TO(name) (1u << BAND_##name)
static const unsigned edges[BAND_STATE_COUNT] = {
    [BAND_FREE] = TO(OPEN) | TO(RETIRED),
    [BAND_OPEN] = TO(FULL),
    [BAND_FULL] = TO(CLOSED),
    [BAND_CLOSED] = TO(EMPTIED),
    [BAND_SEALED] = TO(EMPTIED),
    [BAND_EMPTIED] = TO(ERASING),
    [BAND_ERASING] = TO(FREE) | TO(RETIRED),
    [BAND_RETIRED] = 0,
};

static void count(struct device *device, enum band_state state, int by)
{
    uint32_t *counter = state == BAND_FREE      ? &device->bands_free
                        : state == BAND_SEALED  ? &device->bands_sealed
                        : state == BAND_EMPTIED ? &device->bands_emptied
                                                : NULL;
    if (counter != NULL)
        *counter += (uint32_t)by;
}

static void check_entered(const struct device *device, const struct band *band)
{
    switch (band->state) {
    case BAND_FREE:
    case BAND_RETIRED:
        must_show(band->valid == 0, band->index, band->valid); /* B2 */
        break;
    case BAND_EMPTIED:
        must_show(band->valid == 0, band->index, band->valid);
        break;
    case BAND_ERASING: /* B4 */
        must_show(band->valid == 0 && band->readers == 0, band->index, band->readers);
        if (!mutant("flush-before-erase-missing") && !mutant("erase-while-overwrite-volatile"))
            must_show(band_is_durably_empty(device, band), band->index, band->user_mark);
        break;
    default:
        break;
    }
}

void band_enter(struct device *device, struct band *band, enum band_state state)
{
    must_show((edges[band->state] & (1u << state)) != 0, band->state, state);
    trace(device, BAND_STATE, 0, band->index, (uint64_t)band->state << 8 | state);
    count(device, band->state, -1);
    band_index_remove(device, band);
    band->state = state;
    if (state == BAND_EMPTIED) {
        band->aside = false;
        device->erase.emptied_blocks += geometry_data_blocks(&device->geometry, band->width);
    }
    count(device, state, 1);
    check_entered(device, band);
    band_index_put(device, band);
    if (state == BAND_FREE)
        errand_wake_all(&device->band_waiters);
    else if (state == BAND_OPEN)
        limits_note_taken(device);
    if (state == BAND_EMPTIED) {
        erase_consider(device);
        /* A mover that waits for a band may have this one in hand, with nothing left to move: it
         * has to let it go before it can be erased. */
        errand_wake_all(&device->band_waiters);
    }
}

void band_load(struct device *device, struct band *band, enum band_state state)
{
    must(band->state == BAND_FREE);
    band->state = state;
    count(device, state, 1);
    band_index_put(device, band);
}

struct band *band_of(struct device *device, hftl_pba pba, uint32_t *position)
{
    uint64_t index = pba.n / device->geometry.stride;
    must_show(index < device->geometry.bands, pba.n, device->geometry.bands);
    *position = (uint32_t)(pba.n % device->geometry.stride);
    return &device->bands[index];
}

void band_locate(const struct device *device, const struct band *band, uint32_t position,
                 struct hftl_media_op *op)
{
    struct place place = geometry_place(&device->geometry, band->width, position);
    op->chunk = band->chunks[place.column];
    op->offset = place.offset;
}

uint64_t band_salt(const struct device *device, const struct band *band, uint32_t position)
{
    return ident_place_salt(&device->format, band->generation,
                            geometry_pba(&device->geometry, band->index, position));
}

void band_gain(struct device *device, struct band *band, uint32_t blocks)
{
    (void)device;
    must_show(band->state != BAND_FREE && band->state != BAND_EMPTIED &&
                  band->state != BAND_ERASING && band->state != BAND_RETIRED,
              band->index, band->state);
    band->valid += blocks;
}

void band_drop(struct device *device, struct band *band, bool by_relocation)
{
    must_show(band->valid > 0, band->index, band->state);
    band->valid--;
    if (by_relocation)
        band->relocation_mark = device->relocation_clock;
    else
        band->user_mark = device->user_clock;
    if (band->valid == 0 && (band->state == BAND_CLOSED || band->state == BAND_SEALED))
        band_enter(device, band, BAND_EMPTIED);
    else if (band->state == BAND_CLOSED)
        band_index_move(device, band);
}

void band_read_begin(struct band *band)
{
    band->readers++;
}

void band_read_end(struct device *device, struct band *band)
{
    must_show(band->readers > 0, band->index, band->state);
    band->readers--;
    if (band->readers == 0 && band->state == BAND_EMPTIED)
        erase_consider(device);
}

struct band *band_pick_free(struct device *device)
{
    struct heap_node *top = device->index.free.top;
    return top == NULL ? NULL : list_of(top, struct band, node);
}

bool band_is_durably_empty(const struct device *device, const struct band *band)
{
    return band->user_mark <= device->user_durable &&
           band->relocation_mark <= device->relocation_durable;
}
