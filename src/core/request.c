/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/request.h"

#include "base/bitmap.h"
#include "base/bytes.h"
#include "base/crc.h"
#include "base/must.h"
#include "base/mutant.h"
#include "core/engine.h"

#include <string.h>
#include <sys/uio.h>

/* Blocks trimmed in one go before others get their turn. */
#define TRIM_BUDGET 65536u
/* Blocks that are accepted as one run. */
#define WRITE_RUN_MAX 8u
/* Blocks written in one go before others get their turn. */
#define WRITE_BUDGET 4096u

_Static_assert(sizeof(struct request) <= sizeof(((struct hftl_request *)0)->internal),
               "the engine's part of a request does not fit");

struct hftl_request *request_public(struct request *request)
{
    return (struct hftl_request *)(void *)((char *)request -
                                           offsetof(struct hftl_request, internal));
}

static struct request *core_of(struct hftl_request *public)
{
    return (struct request *)(void *)public->internal;
}

void request_end(struct device *device, struct request *request, enum hftl_status status)
{
    struct hftl_request *public = request_public(request);
    public->status = request->status != HFTL_OK ? (enum hftl_status)request->status : status;
    if (public->status != HFTL_OK)
        device->stats.failed[public->verb]++;
    trace(device, REQUEST_END, request->id, public->lba, public->status);
    device->stats.status[public->status]++;
    list_push_back(&device->completed, &request->link);
}

/* The same for a write or trim in the queue that succeeded, as nearly all do. */
static inline void end_accepted(struct device *device, struct request *request)
{
    struct hftl_request *public = request_public(request);
    public->status = HFTL_OK;
    trace(device, REQUEST_END, request->id, public->lba, HFTL_OK);
    device->stats.status[HFTL_OK]++;
    list_move_back(&device->completed, &request->link);
}

/* ---- iovecs: where block `progress` of the request is ---- */

uint8_t *request_memory(const struct request *request, const struct hftl_request *public)
{
    return (uint8_t *)public->iov[request->iov_index].iov_base + request->iov_at;
}

/* Bytes from there on without a gap. */
uint64_t request_contiguous(const struct request *request, const struct hftl_request *public)
{
    return public->iov[request->iov_index].iov_len - request->iov_at;
}

static void skip_empty(struct request *request, const struct hftl_request *public)
{
    while (request->iov_index < public->iov_count &&
           request->iov_at == public->iov[request->iov_index].iov_len) {
        request->iov_index++;
        request->iov_at = 0;
    }
}

void request_advance(struct request *request, const struct hftl_request *public, uint64_t blocks,
                     uint32_t block_bytes)
{
    request->progress += blocks;
    request->iov_at += blocks * block_bytes;
    if (request->progress < public->blocks)
        skip_empty(request, public);
}

/* ---- writes and trims ---- */

/* What users may write until streams and limits have to be asked again: for several small requests
 * once, and once for blocks of a large one. */
struct intake {
    struct slot slot;
    enum hftl_limit_level level; /* what slows them down */
    bool paced;
};

/* The trim page of the range is being made: what is written to it has to wait (flush.c). */
static bool is_held(const struct device *device, uint32_t range)
{
    return device->flush.holding && bitmap_get(device->map.held, range);
}

/* How many blocks the limits let through. */
static uint32_t admit(struct device *device, const struct request *request, struct intake *intake)
{
    intake->level = limits_in_force(device);
    uint32_t most = limits_admit(device, intake->level);
    if (most == 0) {
        /* counted once a request */
        device->stats.limit_waits[intake->level] += request->parts == 0;
        return 0;
    }
    intake->paced = pace_is_in_force(device);
    return intake->paced ? min_u32(most, pace_admit(device)) : most;
}

static bool ask(struct device *device, const struct request *request, struct intake *intake)
{
    uint32_t most = admit(device, request, intake);
    return most > 0 && stream_take(&device->streams[STREAM_USER], FOR_USER,
                                   min_u32(most, WRITE_RUN_MAX), &intake->slot);
}

/* Blocks of the request that lie in a row in the user's memory, and in the lba's range. */
static uint32_t count_in_a_row(const struct device *device, const struct request *request,
                               hftl_lba lba, uint32_t range)
{
    const struct hftl_request *public = request_public((struct request *)(uintptr_t)request);
    uint64_t left = public->blocks - request->progress;
    if (left == 1)
        return 1;
    uint64_t in_range = (uint64_t)(range + 1) * device->geometry.trim_lbas - lba.n;
    uint64_t in_memory = request_contiguous(request, public) / device->geometry.block_bytes;
    return (uint32_t)min_u64(in_memory, min_u64(left, in_range));
}

/* fill_slots of one block, as most requests are: what is for many would cost as much again. */
static uint32_t fill_slot(struct device *device, const struct request *request,
                          struct intake *intake)
{
    const struct hftl_request *public = request_public((struct request *)(uintptr_t)request);
    struct stream *stream = &device->streams[STREAM_USER];
    struct slot *slot = &intake->slot;
    hftl_lba lba = {public->lba + request->progress};
    uint64_t seq;
    if (!device_next_seq(device, &seq))
        return 0;
    uint32_t crc =
        crc32c_copy(slot->data, request_memory(request, public), device->geometry.block_bytes);
    device->user_clock++;
    stream->appended = device->user_clock;
    struct band *band = slot->band;
    /* made here, so that it need not be in memory during the copy */
    struct ident ident = {.seq = seq, .lba = lba.n, .kind = IDENT_DATA};
    hftl_pba pba = stream_commit_data(stream, slot, &ident, crc);
    trace(device, WRITE_FILL, request->id, lba.n, pba.n);
    map_set_user_block(device, band, lba, pba, crc);
    return 1;
}

/* Fills slots with blocks in a row; fewer of them when sequence numbers run out. */
static uint32_t fill_slots(struct device *device, const struct request *request, uint32_t most,
                           struct slot *slot)
{
    const struct hftl_request *public = request_public((struct request *)(uintptr_t)request);
    struct stream *stream = &device->streams[STREAM_USER];
    uint32_t block_bytes = device->geometry.block_bytes;
    const uint8_t *from = request_memory(request, public);
    struct ident first = {.lba = public->lba + request->progress, .kind = IDENT_DATA};
    uint32_t crc[WRITE_RUN_MAX];
    struct map_run run = {slot->band, {first.lba}, slot->pba, 0, crc};
    run.blocks = device_next_seqs(device, most, &first.seq);
    if (run.blocks == 0)
        return 0;
    for (uint32_t i = 0; i < run.blocks; i++) {
        size_t at = (size_t)i * block_bytes;
        crc[i] = crc32c_copy(slot->data + at, from + at, block_bytes);
        trace(device, WRITE_FILL, request->id, first.lba + i, slot->pba.n + i);
    }
    device->user_clock += run.blocks;
    stream->appended = device->user_clock;
    stream_commit_run(stream, slot, &first, crc, run.blocks);
    map_set_run(device, &run, MAP_BY_USER);
    return run.blocks;
}

/* Accepts as many blocks as fit in a row, `most` at most; 0: the request has to wait. */
static uint32_t write_run(struct device *device, struct request *request, uint32_t most,
                          struct intake *intake)
{
    const struct hftl_request *public = request_public(request);
    hftl_lba lba = {public->lba + request->progress};
    uint32_t range = geometry_range(&device->geometry, lba);
    if (is_held(device, range) || (intake->slot.blocks == 0 && !ask(device, request, intake)))
        return 0;
    most = min_u32(most, intake->slot.blocks);
    most = min_u32(most, count_in_a_row(device, request, lba, range));
    uint32_t blocks = most == 1 ? fill_slot(device, request, intake)
                                : fill_slots(device, request, most, &intake->slot);
    map_note_written(device, range);
    device->stats.user_blocks_written += blocks;
    limits_charge(device, intake->level, blocks);
    if (intake->paced)
        pace_charge(device, blocks);
    request_advance(request, public, blocks, device->geometry.block_bytes);
    return blocks;
}

/* A trim uses no slot, but the trim pages that follow do: it waits when writes would. */
static bool trim_block(struct device *device, struct request *request, hftl_lba lba)
{
    if (is_held(device, geometry_range(&device->geometry, lba)) || stream_users_wait(device) ||
        (device->bands_free <= 1 && !stream_has_page_room(device, 1)))
        return false;
    if (!mutant("trim-without-a-clock"))
        device->user_clock++;
    if (map_clear(device, lba))
        device->stats.user_blocks_trimmed++;
    request->progress++;
    return true;
}

enum accepted { ACCEPTED_ALL, ACCEPTED_TURN, ACCEPTED_LESS };

/* ALL of it; its TURN's share; or LESS: nothing more is accepted now. */
static enum accepted accept(struct device *device, struct turn_queue *queue,
                            struct request *request, uint32_t *budget, struct intake *intake)
{
    const struct hftl_request *public = request_public(request);
    while (request->progress < public->blocks) {
        hftl_lba lba = {public->lba + request->progress};
        if (*budget == 0) {
            device->writes_more = true;
            return ACCEPTED_LESS;
        }
        bool writes = public->verb == HFTL_WRITE;
        uint32_t done =
            writes ? write_run(device, request, *budget, intake) : trim_block(device, request, lba);
        if (done == 0) {
            if (request->parts == 0 && relocation_is_due(device))
                relocation_consider(device); /* somebody waits now (L5) */
            device->stats.stalls += request->parts == 0;
            stats_stall(device, lba);
            request->parts = 1; /* counted once */
            return ACCEPTED_LESS;
        }
        stats_go_on(device, lba);
        *budget -= done;
        if (writes)
            turns_spend(queue, done);
        else
            turns_spend_trim(queue);
        if (request->progress < public->blocks && turns_is_over(&device->writes, queue))
            return ACCEPTED_TURN;
    }
    return ACCEPTED_ALL;
}

/* A write or trim that was accepted. False: it is to ride in a flush. */
static inline bool leave_queue(struct device *device, struct request *request)
{
    request->parts = 0;
    if ((request_public(request)->flags & HFTL_FUA) == 0 || mutant("fua-answered-at-once")) {
        end_accepted(device, request);
        return true;
    }
    list_remove(&request->link);
    return false;
}

bool request_pump(struct device *device)
{
    struct turn_queue *queue;
    uint32_t budget = WRITE_BUDGET;
    struct intake intake = {.slot.blocks = 0};
    device->writes_more = false;
    if (device->read_only)
        return false;
    while ((queue = turns_first(&device->writes)) != NULL) {
        struct request *request = list_of(turns_request(queue), struct request, link);
        if (request_public(request)->verb != HFTL_WRITE && budget == WRITE_BUDGET)
            budget = TRIM_BUDGET;
        enum accepted accepted = accept(device, queue, request, &budget, &intake);
        if (accepted == ACCEPTED_LESS || device->read_only) /* nobody is in the line any more */
            break;
        bool rides = accepted == ACCEPTED_ALL && !leave_queue(device, request);
        turns_pass(&device->writes, queue);
        if (rides)
            flush_join(device, request);
    }
    return device->writes_more;
}

void request_fail_writes(struct device *device, enum hftl_status status)
{
    struct turn_queue *queue;
    stats_go_on(device, (hftl_lba){0}); /* to their end, but it is no stall any more */
    while ((queue = turns_first(&device->writes)) != NULL) {
        struct list_link *link = list_pop_front(&queue->requests);
        turns_pass(&device->writes, queue);
        request_end(device, list_of(link, struct request, link), status);
    }
}

/* ---- extents ---- */

static void answer_extents(struct device *device, struct request *request)
{
    struct hftl_request *public = request_public(request);
    uint32_t room = public->extent_count, used = 0;
    for (uint64_t i = 0; i < public->blocks; i++) {
        bool mapped = !map_is_none(map_get(device, (hftl_lba){public->lba + i}));
        if (used > 0 && public->extents[used - 1].mapped == mapped) {
            public->extents[used - 1].blocks++;
            continue;
        }
        if (used == room)
            break;
        public->extents[used++] = (struct hftl_extent){.blocks = 1, .mapped = mapped};
    }
    public->extent_count = used;
    request_end(device, request, HFTL_OK);
}

/* ---- coming in ---- */

static enum hftl_status check(const struct device *device, const struct hftl_request *public)
{
    if ((unsigned)public->verb >= HFTL_VERB_COUNT)
        return HFTL_INVALID;
    if (public->verb == HFTL_FLUSH)
        return HFTL_OK;
    if (public->verb == HFTL_FLUSH_BANDS)
        return device->read_only ? HFTL_READ_ONLY : HFTL_OK;
    if (public->blocks == 0)
        return HFTL_INVALID;
    if (public->lba >= device->geometry.blocks ||
        public->blocks > device->geometry.blocks - public->lba)
        return HFTL_RANGE;
    bool writes = public->verb == HFTL_WRITE || public->verb == HFTL_TRIM ||
                  public->verb == HFTL_WRITE_ZEROES;
    return writes && device->read_only ? HFTL_READ_ONLY : HFTL_OK;
}

static void trace_accept(struct device *device, const struct request *request,
                         const struct hftl_request *public)
{
    if (public->verb == HFTL_READ)
        trace(device, READ_ACCEPT, request->id, public->lba, public->blocks);
    else if (public->verb == HFTL_WRITE)
        trace(device, WRITE_ACCEPT, request->id, public->lba, public->blocks);
    else if (public->verb == HFTL_TRIM || public->verb == HFTL_WRITE_ZEROES)
        trace(device, TRIM_ACCEPT, request->id, public->lba, public->blocks);
    else if (public->verb == HFTL_FLUSH || public->verb == HFTL_FLUSH_BANDS)
        trace(device, FLUSH_ACCEPT, request->id, 0, public->verb == HFTL_FLUSH_BANDS);
}

static void start(struct device *device, struct sender *sender, struct request *request)
{
    const struct hftl_request *public = request_public(request);
    switch (public->verb) {
    case HFTL_READ:
        device->stats.user_blocks_read += public->blocks;
        read_start(device, sender, request);
        break;
    case HFTL_FLUSH:
        if (device->flush.failed != HFTL_OK)
            request_end(device, request, HFTL_FLUSH_FAILED); /* F2 */
        else if (device->read_only)
            request_end(device, request, HFTL_OK); /* nothing was accepted that is not durable */
        else
            flush_join(device, request);
        break;
    case HFTL_FLUSH_BANDS:
        flush_bands_join(device, request);
        break;
    case HFTL_EXTENTS:
        answer_extents(device, request);
        break;
    default:
        map_fetch(&device->map, (hftl_lba){public->lba}); /* accepted when others came, too */
        turns_add(&device->writes, &sender->writes, &request->link);
        device->writes_more = true;
        break;
    }
}

void request_submit(struct device *device, struct sender *sender, struct hftl_request *public)
{
    struct request *request = core_of(public);
    *request = (struct request){.id = trace_id(&device->trace), .taken_ns = device_now(device)};
    link_init(&request->link);
    device->requests_in_flight++;
    enum hftl_status status = check(device, public);
    if (status != HFTL_INVALID)
        device->stats.requests[public->verb]++;
    if (status != HFTL_OK) {
        public->verb = status == HFTL_INVALID && (unsigned)public->verb >= HFTL_VERB_COUNT
                           ? HFTL_READ
                           : public->verb;
        request_end(device, request, status);
        return;
    }
    bool moves_data = public->verb == HFTL_READ || public->verb == HFTL_WRITE;
    if (moves_data && public->iov->iov_len == 0)
        skip_empty(request, public);
    if (trace_is_watched(&device->trace))
        trace_accept(device, request, public);
    start(device, sender, request);
}
