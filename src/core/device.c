/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/device.h"

#include "base/must.h"
#include "base/mutant.h"
#include "core/engine.h"

#include <string.h>

/* Errands stepped in one turn, so that a long chain of them does not keep requests waiting. */
#define TURN_ERRANDS_MAX 64u
/* Times that a medium with nothing in flight may say that it has no room, against M8. */
#define AGAIN_TRIES_MAX 8u

/* The counter is 32 bits of the seq; at half of it the next epoch is asked for (O6). */
static void reserve_epoch(struct device *device)
{
    struct super *super = &device->super;
    if (device->epoch_durable > device->epoch || super->busy || device->epoch >= FORMAT_EPOCH_MAX)
        return;
    super->record.epoch = device->epoch + 1;
    super_write(device);
}

bool device_next_seq_late(struct device *device, uint64_t *seq)
{
    reserve_epoch(device);
    if (device->counter >= UINT32_MAX) {
        if (device->epoch_durable == device->epoch) {
            if (device->epoch >= FORMAT_EPOCH_MAX)
                device_degrade(device, HFTL_READ_ONLY, "sequence numbers are used up");
            return false;
        }
        device->epoch++;
        trace(device, EPOCH, 0, 0, device->epoch);
        device->counter = 0;
        device->generation_count = 0;
        device->flush.count = 0;
    }
    device->counter++;
    *seq = (uint64_t)device->epoch << 32 | device->counter;
    return true;
}

void device_push(struct device *device)
{
    if (device->outbox_count == 0)
        return;
    unsigned count = device->outbox_count;
    device->outbox_count = 0;
    device->medium->ops->submit(device->medium, device->outbox, count);
}

static void put(struct device *device, struct hftl_media_op *op)
{
    device->media_in_flight++;
    device->outbox[device->outbox_count++] = op;
    if (device->outbox_count == OUTBOX_MAX)
        device_push(device);
}

void device_send(struct device *device, struct hftl_media_op *op, struct io io)
{
    trace_submit(device, op, io);
    put(device, op);
}

static void send_again(struct device *device)
{
    struct hftl_media_op *op = device->again, *next;
    device->again = NULL;
    device->again_end = &device->again;
    device->media_in_flight -= device->again_count;
    device->again_count = 0;
    for (; op != NULL; op = next) {
        next = op->link;
        put(device, op);
    }
}

static void note_landing(struct device *device, const struct hftl_media_op *op, struct io io,
                         const uint8_t *kinds)
{
    if (kinds == NULL)
        stats_count(&device->stats, op, io.kind);
    else
        stats_count_mixed(&device->stats, op, kinds);
    trace_land(device, op, io);
}

bool device_land(struct device *device, struct hftl_media_op *op, struct io io,
                 const uint8_t *kinds)
{
    if (op->status == HFTL_AGAIN && device->again_tries < AGAIN_TRIES_MAX) {
        device->stats.media_again++;
        op->link = NULL;
        *device->again_end = op;
        device->again_end = &op->link;
        device->again_count++;
        return true;
    }
    note_landing(device, op, io, kinds);
    device->media_in_flight--;
    if (op->status == HFTL_AGAIN)
        return false;
    device->again_tries = 0;
    if (device->again != NULL)
        send_again(device); /* there is room now */
    return false;
}

/* All that the medium was given has landed, and some of it had no room: nothing that is in flight
 * will wake it. By M8 the medium takes it now; if it does not, not for ever. */
static void send_stranded(struct device *device)
{
    if (device->again == NULL ||
        device->media_in_flight > device->again_count + device->outbox_count)
        return;
    device->again_tries++;
    send_again(device);
}

bool device_turn(struct device *device)
{
    unsigned landed = device->medium->ops->reap(device->medium, OUTBOX_MAX);
    unsigned stepped = 0;
    struct list_link *link;
    while (stepped < TURN_ERRANDS_MAX && (link = list_pop_front(&device->ready)) != NULL) {
        struct errand *errand = list_of(link, struct errand, link);
        errand->step(device, errand);
        stepped++;
    }
    send_stranded(device);
    device_push(device);
    return landed > 0 || stepped > 0;
}

/* Counts it among those just before it when it took as long as they did, as most do. */
static void note_done(struct device *device, struct done *done, enum hftl_verb verb,
                      uint64_t taken_ns)
{
    if (done->verb != verb || done->taken_ns != taken_ns) {
        stats_done(device, done);
        *done = (struct done){verb, taken_ns, 0};
    }
    done->count++;
}

static bool deliver(struct device *device)
{
    bool any = false;
    struct done done = {.count = 0};
    /* All at once: who gets a request may submit it again, to where it likes. */
    struct list_link *link = device->completed.head.next, *end = &device->completed.head, *next;
    list_init(&device->completed);
    for (; link != end; link = next) {
        struct request *request = list_of(link, struct request, link);
        next = link->next;
        struct hftl_request *public = request_public(request);
        device->requests_in_flight--;
        any = true;
        if (public->status == HFTL_OK)
            note_done(device, &done, public->verb, request->taken_ns);
        device->complete(device->complete_arg, public);
    }
    stats_done(device, &done);
    device->now_known = false; /* who comes next comes later */
    return any;
}

/* C12: requests wait, for a slot or in a flush, and nothing is left that could move: no victim,
 * nothing to erase, no write under way. */
static bool is_stuck(const struct device *device)
{
    return !device->read_only && !device->closing && device->media_in_flight == 0 &&
           list_is_empty(&device->ready) && list_is_empty(&device->completed) &&
           device->requests_in_flight > 0 && !device->writes_more;
}

bool device_step(struct device *device)
{
    device->now_known = false;
    bool busy = device_turn(device);
    if (!list_is_empty(&device->reads))
        read_pump(device);
    if (!list_is_empty(&device->writes))
        request_pump(device);
    device_push(device);
    relocation_resume(device); /* who waits now is not stuck while a mover rests */
    if (!busy && flush_bands_is_stuck(device))
        flush_bands_fail_all(device, HFTL_SPACE);
    if (!busy && is_stuck(device) && !relocation_try_again(device))
        device_degrade(device, HFTL_SPACE, "no band can be freed");
    bool delivered = deliver(device);
    relocation_resume(device);
    bool more = device->writes_more && !device->read_only && !list_is_empty(&device->writes);
    return busy || delivered || more || !list_is_empty(&device->ready);
}

bool device_is_idle(const struct device *device)
{
    return device->requests_in_flight == 0 && device->media_in_flight == 0 &&
           list_is_empty(&device->ready);
}

void device_submit(struct device *device, struct hftl_request *request)
{
    request_submit(device, &device->nobody, request);
}

void device_submit_from(struct device *device, struct sender *sender, struct hftl_request *request)
{
    request_submit(device, sender, request);
}

struct recorder *device_recorder(struct device *device)
{
    return &device->trace.recorder;
}

void device_get_limits(const struct device *device, struct hftl_limits *limits)
{
    limits->size = sizeof(*limits);
    memcpy(limits->level, device->limits.level, sizeof(limits->level));
}

enum hftl_status device_set_limits(struct device *device, const struct hftl_limits *limits,
                                   struct why *why)
{
    enum hftl_status status = limits_validate(device, limits, why);
    if (status != HFTL_OK)
        return status;
    limits_set(device, limits);
    relocation_consider(device);
    return HFTL_OK;
}

enum hftl_status device_set_policy(struct device *device, const char *name)
{
    const struct victim_policy *policy = victim_policy_find(name);
    if (policy == NULL)
        return HFTL_INVALID;
    device->relocation.policy = policy;
    return HFTL_OK;
}

const char *device_get_policy(const struct device *device)
{
    return device->relocation.policy->name;
}

void device_pause_cleaning(struct device *device, bool paused)
{
    device->relocation.paused = paused;
    relocation_consider(device);
}

bool device_cleaning_is_paused(const struct device *device)
{
    return device->relocation.paused;
}

static uint64_t count_data_blocks(const struct device *device)
{
    uint64_t blocks = 0;
    for (uint32_t i = 0; i < device->geometry.bands; i++)
        if (device->bands[i].state != BAND_RETIRED)
            blocks += geometry_data_blocks(&device->geometry, device->bands[i].width);
    return blocks;
}

void device_get_info(const struct device *device, struct hftl_info *info)
{
    const struct layout *layout = &device->layout;
    layout_to_info(layout, &device->medium->facts, info);
    memcpy(info->id, device->format.id, sizeof(info->id));
    info->blocks_data = count_data_blocks(device);
    info->op_effective_permille =
        (uint32_t)((info->blocks_data - info->blocks) * 1000u / info->blocks);
    info->bands_free = device->bands_free;
    info->bands_sealed = device->bands_sealed;
    info->verify = device->verify;
    info->clean = device->was_clean;
    info->read_only = device->read_only;
    info->epoch = device->epoch;
    info->blocks_mapped = device->map.mapped;
    info->memory_bytes = device->memory_bytes;
    memcpy(info->reason, device->reason, sizeof(info->reason));
}

void layout_to_info(const struct layout *layout, const struct hftl_media_facts *facts,
                    struct hftl_info *info)
{
    memset(info, 0, sizeof(*info));
    info->size = sizeof(*info);
    memcpy(info->name, layout->name, sizeof(layout->name));
    info->kind = layout->media_kind;
    info->block_bytes = layout->block_bytes;
    info->blocks = layout->exported_blocks;
    info->blocks_media = (uint64_t)hftl_media_chunks(facts) * facts->chunk_blocks;
    info->op_permille = layout->op_permille;
    info->pu_first = layout->pu_first;
    info->pu_count = layout->pu_count;
    info->columns = layout->columns;
    info->bands = layout->bands;
    info->band_blocks = layout->band_stride;
    info->bands_reserve = BANDS_RESERVE;
    info->interleave = layout->interleave;
    info->write_unit = layout->ws_opt;
    info->overlap = geometry_overlap(layout, facts);
    info->identity_in_oob = layout->ident_place == IDENT_IN_OOB;
    info->created = layout->created;
    info->facts = *facts;
}

const struct hftl_media_facts *device_facts(const struct device *device)
{
    return &device->medium->facts;
}

uint64_t device_blocks(const struct device *device)
{
    return device->geometry.blocks;
}
