/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * read.c - users' reads: each block is zeros, a copy from the write buffer, or read from the
 * medium, neighbours in one operation, straight into the user's memory, and verified there.
 */
#include "base/bytes.h"
#include "base/crc.h"
#include "base/must.h"
#include "base/mutant.h"
#include "core/engine.h"
#include "format/stamp.h"

#include <string.h>

/* ---- verifying ---- */

/* Which block of the read is the user's `index`th. */
static uint32_t at_of(const struct read_part *part, uint32_t index)
{
    return part->bridge == NULL ? index : part->bridge->at[index];
}

static const uint8_t *block_of(const struct read_part *part, uint32_t index)
{
    return (const uint8_t *)part->op.data +
           (size_t)at_of(part, index) * part->device->geometry.block_bytes;
}

static enum hftl_status verify_ident(const struct read_part *part, uint32_t index,
                                     const uint8_t *bytes)
{
    const struct device *device = part->device;
    uint32_t block_bytes = device->geometry.block_bytes;
    struct ident ident;
    if (ident_decode(bytes, &ident) != HFTL_OK || ident.lba != part->lba.n + index)
        return HFTL_MISMATCH;
    if (ident.kind == IDENT_LOST)
        return HFTL_LOST;
    uint64_t salt = band_salt(device, part->band, part->position + at_of(part, index));
    bool good = ident.kind == IDENT_DATA &&
                ident_verifies(&ident, crc32c(0, block_of(part, index), block_bytes), salt);
    return good ? HFTL_OK : HFTL_MISMATCH;
}

/* Where nothing but the block itself is there to say so. The salted crc keeps users from faking
 * it. */
static bool looks_lost(const struct device *device, const uint8_t *data)
{
    struct stamp stamp;
    struct stamp_expected expected = {.kind = STAMP_LOST};
    return stamp_decode(&device->format, &expected, data, device->geometry.block_bytes, &stamp) ==
           HFTL_OK;
}

static enum hftl_status verify_crc(const struct read_part *part, uint32_t index)
{
    const struct device *device = part->device;
    const uint8_t *data = block_of(part, index);
    bool good = device->map.crc == NULL || mutant("data-crc-not-checked") ||
                part->crc[index] == crc32c(0, data, device->geometry.block_bytes);
    if (good && device->map.crc != NULL)
        return HFTL_OK;
    if (looks_lost(device, data))
        return HFTL_LOST;
    return good ? HFTL_OK : HFTL_MISMATCH;
}

/* Those of a band that is written or sealed are in memory; NULL: they are in its tail. */
static const uint8_t *idents_in_memory(struct device *device, const struct band *band)
{
    if (band->idents != NULL)
        return band->idents;
    struct stream *stream = stream_of_band(device, band);
    return stream == NULL ? NULL : stream_pen(stream, band)->idents;
}

/* False: the part waits for the identity, and comes back with it. */
static bool verify_block(struct read_part *part, uint32_t index, enum hftl_status *status)
{
    struct device *device = part->device;
    uint32_t position = part->position + at_of(part, index);
    const uint8_t *ident;
    if (device->geometry.oob) {
        ident = part->oob + (size_t)index * device->geometry.oob_bytes;
    } else if (device->tail_cache.count == 0) {
        *status = verify_crc(part, index);
        return true;
    } else if ((ident = idents_in_memory(device, part->band)) != NULL) {
        ident += (size_t)position * FORMAT_IDENT_BYTES;
    } else {
        ident = tail_cache_ident(device, part->band, position, part);
        if (ident == NULL)
            return false;
    }
    *status = verify_ident(part, index, ident);
    return true;
}

/* The same. */
static bool verify(struct read_part *part, enum hftl_status *status)
{
    for (*status = part->op.status; part->verified < part->blocks && *status == HFTL_OK;
         part->verified++)
        if (!verify_block(part, part->verified, status))
            return false;
    return true;
}

/* ---- one read of the medium ---- */

static void maybe_end(struct device *device, struct request *request)
{
    if (request->walked && request->parts == 0)
        request_end(device, request, HFTL_OK);
}

static void count_failure(struct device *device, const struct read_part *part,
                          enum hftl_status status)
{
    if (status == HFTL_MISMATCH)
        device->stats.mismatches++;
    else if (status != HFTL_LOST)
        device->stats.read_errors++;
    device_log(device, HFTL_LOG_ERROR, "reading lba %llu (%u blocks) from chunk %u at block %u: %s",
               (unsigned long long)part->lba.n, part->blocks, part->op.chunk, part->op.offset,
               hftl_status_text(status));
}

/* What came in over a bridge goes to where it is wanted. */
static void leave_bridge(struct device *device, struct read_part *part, enum hftl_status status)
{
    uint32_t block_bytes = device->geometry.block_bytes;
    struct bridge *bridge = part->bridge;
    for (uint32_t i = 0; i < part->blocks && status == HFTL_OK; i++)
        memcpy(bridge->memory + (size_t)i * block_bytes, block_of(part, i), block_bytes);
    part->bridge = NULL;
    list_push_back(&device->bridges_free, &bridge->link);
}

static void end_part(struct device *device, struct read_part *part, enum hftl_status status)
{
    struct request *request = part->request;
    if (part->bridge != NULL)
        leave_bridge(device, part, status);
    if (status != HFTL_OK && !mutant("failed-read-served")) {
        count_failure(device, part, status);
        if (request->status == HFTL_OK)
            request->status = (uint32_t)status;
    }
    band_read_end(device, part->band);
    list_push_back(&device->parts_free, &part->link);
    request->parts--;
    maybe_end(device, request);
}

void read_go_on(struct device *device, struct read_part *part, enum hftl_status status)
{
    if (status == HFTL_OK && !verify(part, &status))
        return;
    if (status != HFTL_OK && status != HFTL_LOST && !part->retried &&
        !mutant("bad-read-not-repeated")) {
        part->retried = true; /* once: a transient error is not the user's business */
        part->verified = 0;
        device_send(device, &part->op, part->io);
        return;
    }
    end_part(device, part, status);
}

static void land_part(struct hftl_media_op *op)
{
    struct read_part *part = list_of(op, struct read_part, op);
    if (!device_land(part->device, op, part->io, NULL))
        read_go_on(part->device, part, HFTL_OK);
}

static const struct unit *find_buffered(const struct device *device, const struct band *band,
                                        uint32_t position)
{
    for (unsigned i = 0; i < STREAMS; i++) {
        const struct unit *unit = stream_find(&device->streams[i], band, position);
        if (unit != NULL)
            return unit;
    }
    return NULL;
}

/*
 * How many blocks from here lie side by side on the medium and in the user's memory; *span of the
 * medium's. They differ where a summary lies between, and is read over a bridge: one read more
 * would cost more than one block more.
 */
static uint32_t count_run(struct device *device, struct read_part *part, uint64_t most,
                          uint32_t *span)
{
    uint64_t room =
        min_u64(device->medium->facts.transfer_blocks_max,
                geometry_side_by_side(&device->geometry, part->band->width, part->position));
    uint64_t pba = map_get(device, part->lba).n;
    uint32_t run = 1, gaps = 0;
    for (*span = 1; run < most && *span < room; run++) {
        uint64_t gap = map_get(device, (hftl_lba){part->lba.n + run}).n - (pba + *span);
        bool bridged = gap == 1 && gaps < BRIDGE_GAPS_MAX && *span + 1 < room &&
                       (part->bridge != NULL || !list_is_empty(&device->bridges_free));
        if ((gap != 0 && !bridged) ||
            find_buffered(device, part->band, part->position + *span + (uint32_t)gap) != NULL)
            break;
        if (bridged && part->bridge == NULL) {
            part->bridge = list_of(list_pop_front(&device->bridges_free), struct bridge, link);
            for (uint32_t i = 0; i < run; i++)
                part->bridge->at[i] = (uint8_t)i;
        }
        gaps += bridged;
        *span += (uint32_t)gap;
        if (part->bridge != NULL)
            part->bridge->at[run] = (uint8_t)*span;
        *span += 1;
    }
    return run;
}

static void send_part(struct device *device, struct request *request, hftl_lba lba,
                      struct band *band, uint32_t position)
{
    struct hftl_request *public = request_public(request);
    const struct geometry *g = &device->geometry;
    struct read_part *part = list_of(list_pop_front(&device->parts_free), struct read_part, link);
    uint8_t *memory = request_memory(request, public);
    uint64_t most = min_u64(public->blocks - request->progress,
                            request_contiguous(request, public) / g->block_bytes);
    uint32_t span;
    part->request = request;
    part->band = band;
    part->position = position;
    part->lba = lba;
    part->retried = false;
    part->verified = 0;
    part->blocks = count_run(device, part, min_u64(most, READ_RUN_MAX), &span);
    if (part->bridge != NULL)
        part->bridge->memory = memory;
    for (uint32_t i = 0; device->map.crc != NULL && i < part->blocks; i++)
        part->crc[i] = device->map.crc[lba.n + i];
    part->op = (struct hftl_media_op){.verb = HFTL_MEDIA_READ,
                                      .blocks = span,
                                      .data = part->bridge != NULL ? part->bridge->data : memory,
                                      .oob = g->oob ? part->oob : NULL,
                                      .land = land_part,
                                      .owner = part};
    band_locate(device, band, position, &part->op);
    band_read_begin(band);
    if (device->tail_cache.count > 0 && idents_in_memory(device, band) == NULL)
        tail_cache_expect(device, band, position, span);
    request->parts++;
    request_advance(request, public, part->blocks, g->block_bytes);
    part->io = (struct io){HFTL_IO_USER, request->id};
    device_send(device, &part->op, part->io);
}

/* ---- walking a request ---- */

/* A copy from the write buffer, when the block is there. */
static bool copy_buffered(struct device *device, struct request *request, struct band *band,
                          uint32_t position)
{
    uint32_t block_bytes = device->geometry.block_bytes;
    const struct unit *unit = find_buffered(device, band, position);
    if (unit == NULL)
        return false;
    struct ident ident;
    enum hftl_status known =
        ident_decode(unit->pen->idents + (size_t)position * FORMAT_IDENT_BYTES, &ident);
    must(known == HFTL_OK);
    if (ident.kind == IDENT_LOST && request->status == HFTL_OK)
        request->status = HFTL_LOST;
    struct hftl_request *public = request_public(request);
    memcpy(request_memory(request, public), unit_block(unit, position), block_bytes);
    request_advance(request, public, 1, block_bytes);
    trace(device, READ_BUFFER, request->id, public->lba + request->progress - 1, 0);
    device->stats.blocks_read_buffer++;
    return true;
}

/* False: no read part is free. */
static bool read_block(struct device *device, struct request *request)
{
    struct hftl_request *public = request_public(request);
    hftl_lba lba = {public->lba + request->progress};
    hftl_pba pba = map_get(device, lba);
    uint32_t position;
    if (map_is_none(pba)) {
        trace(device, READ_ZEROES, request->id, lba.n, 0);
        memset(request_memory(request, public), 0, device->geometry.block_bytes);
        request_advance(request, public, 1, device->geometry.block_bytes);
        return true;
    }
    struct band *band = band_of(device, pba, &position);
    if (copy_buffered(device, request, band, position))
        return true;
    if (list_is_empty(&device->parts_free))
        return false;
    send_part(device, request, lba, band, position);
    return true;
}

/* False: it waits for a part. */
static bool walk(struct device *device, struct request *request)
{
    while (request->progress < request_public(request)->blocks)
        if (!read_block(device, request))
            return false;
    return true;
}

static void note_walked(struct device *device, struct request *request)
{
    request->walked = true;
    maybe_end(device, request);
}

void read_start(struct device *device, struct sender *sender, struct request *request)
{
    if (list_is_empty(&device->reads) && walk(device, request)) /* nobody is before it */
        note_walked(device, request);
    else
        turns_add(&device->reads, &sender->reads, &request->link);
}

void read_pump(struct device *device)
{
    struct turn_queue *queue;
    while ((queue = turns_first(&device->reads)) != NULL) {
        struct request *request = list_of(turns_request(queue), struct request, link);
        if (!walk(device, request))
            return;
        list_remove(&request->link);
        turns_spend(queue, request_public(request)->blocks);
        turns_pass(&device->reads, queue);
        note_walked(device, request);
    }
}
