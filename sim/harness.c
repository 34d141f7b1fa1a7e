/* SPDX-License-Identifier: BSD-3-Clause */
#include "sim/harness.h"

#include "base/must.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Steps without an answer after which a device has stopped. Cleaning may need a few thousand. */
#define STEPS_MAX 60000u
#define WRITE_BUFFER_BYTES (64u * 1024)

void harness_init(struct harness *harness, const struct harness_options *options,
                  struct oracle *oracle)
{
    const struct hftl_media_facts *f = &nand_media(options->nand)->facts;
    size_t room = (size_t)HARNESS_BLOCKS_MAX * f->block_bytes;
    memset(harness, 0, sizeof *harness);
    harness->options = *options;
    harness->oracle = oracle;
    must_show(options->depth > 0 && options->depth <= HARNESS_DEPTH_MAX, options->depth, 0);
    prng_seed(&harness->prng, options->seed ^ UINT64_C(0x4a12));
    sim_world_init(&harness->world, options->seed);
    harness->world.verbose = options->verbose;
    harness->memory = malloc(room * options->depth);
    must(harness->memory != NULL);
    for (uint32_t i = 0; i < options->depth; i++) {
        harness->slots[i].harness = harness;
        harness->slots[i].memory = harness->memory + room * i;
    }
}

void harness_free(struct harness *harness)
{
    must(harness->device == NULL);
    free(harness->memory);
    harness->memory = NULL;
}

static void on_media(void *arg, uint64_t index, enum nand_moment moment,
                     const struct hftl_media_op *op)
{
    struct harness *h = arg;
    (void)index;
    (void)moment;
    (void)op;
    h->moment(h->moment_arg);
}

void harness_watch(struct harness *h, void (*moment)(void *arg), void *arg)
{
    h->moment = moment;
    h->moment_arg = arg;
    nand_watch(h->options.nand, on_media, h);
}

uint64_t harness_blocks(const struct harness *harness)
{
    return oracle_blocks(harness->oracle);
}

/* ---- answers --------------------------------------------------------------------------------- */

static void take_answer(void *arg, struct hftl_request *request)
{
    struct harness *h = arg;
    struct harness_slot *slot = request->arg;
    if (!slot->used) {
        failure_say(&h->failure, "a request is answered twice");
        return;
    }
    bool data = request->verb == HFTL_READ || request->verb == HFTL_WRITE;
    size_t bytes = data ? request->blocks * oracle_block_bytes(h->oracle) : 0;
    oracle_answer(h->oracle, &slot->ticket, request->status, slot->memory, h->options.faults,
                  &h->failure);
    const uint64_t words[] = {slot->ticket.verb, slot->ticket.lba, slot->ticket.blocks,
                              (uint64_t)request->status};
    h->trace = nand_fold(h->trace, words, sizeof words);
    if (h->options.traced && request->verb == HFTL_READ)
        h->trace = nand_fold(h->trace, slot->memory, bytes);
    memset(slot->memory, 0xa5, bytes);
    slot->used = false;
    h->in_flight--;
    h->answers++;
    if (h->moment && (slot->ticket.verb == HFTL_FLUSH || (slot->ticket.flags & HFTL_FUA)))
        h->moment(h->moment_arg);
}

/* ---- open ------------------------------------------------------------------------------------ */

static bool make_device(struct harness *h)
{
    struct hftl_format_options options = {.size = sizeof options, .name = "sim", .force = true};
    struct hftl_info info = {.size = sizeof info};
    struct why why = {""};
    options.op_permille = h->options.op_permille;
    options.columns = h->options.columns;
    options.interleave = h->options.interleave;
    enum hftl_status status = h->options.engine->format(nand_media(h->options.nand),
                                                        &h->world.world, &options, &info, &why);
    if (status != HFTL_OK && !(h->options.faults && why.text[0]))
        failure_say(&h->failure, "format fails: %s: %s", hftl_status_name(status), why.text);
    if (h->world.blocks)
        failure_say(&h->failure, "format leaks %" PRIu64 " bytes", h->world.bytes);
    return status == HFTL_OK;
}

/* No device is what a cut in a format may leave; where faults are, a reason will do. */
static bool is_excused(const struct harness *h, enum hftl_status status, const struct why *why)
{
    if (h->options.faults && why->text[0])
        return true;
    return h->oracle && oracle_is_formatting(h->oracle) &&
           (status == HFTL_FOREIGN || status == HFTL_CORRUPT);
}

/* False: not open, and either a failure or excused. */
static bool open_device(struct harness *h)
{
    struct why why = {""};
    struct device_options options = {.world = h->world.world,
                                     .complete = take_answer,
                                     .complete_arg = h,
                                     .verify = h->options.verify,
                                     .verify_cache_bytes = h->options.verify_cache_bytes,
                                     .write_buffer_bytes = WRITE_BUFFER_BYTES,
                                     .recovery_memory_bytes = h->options.recovery_memory_bytes,
                                     .relocation_victims = h->options.tuning.victims,
                                     .relocation_blocks = h->options.tuning.blocks};
    enum hftl_status status =
        h->options.engine->open(nand_media(h->options.nand), &options, &h->device, &why);
    if (status == HFTL_OK)
        return true;
    h->device = NULL;
    if (!is_excused(h, status, &why))
        failure_say(&h->failure, "open fails: %s: %s", hftl_status_name(status), why.text);
    if (h->world.blocks)
        failure_say(&h->failure, "open leaks %" PRIu64 " bytes", h->world.bytes);
    return false;
}

static void check_device(struct harness *h)
{
    struct why why = {""};
    if (h->options.engine->check(h->device, &why) != HFTL_OK)
        failure_say(&h->failure, "device_check: %s", why.text);
}

static void tune_device(struct harness *h, const struct hftl_info *info)
{
    const struct engine *engine = h->options.engine;
    const struct tuning *tuning = &h->options.tuning;
    struct hftl_limits limits = tuning->limits;
    struct why why = {""};
    if (engine->set_limits == NULL)
        return;
    tuning_fit(&limits, info->bands, info->bands_reserve);
    if (tuning->limited && engine->set_limits(h->device, &limits, &why) != HFTL_OK)
        failure_say(&h->failure, "limits are refused: %s", why.text);
    if (tuning->policy != NULL && engine->set_policy(h->device, tuning->policy) != HFTL_OK)
        failure_say(&h->failure, "there is no policy %s", tuning->policy);
    engine->pause_cleaning(h->device, tuning->paused);
}

bool harness_open(struct harness *harness)
{
    struct harness *h = harness;
    must(h->device == NULL);
    if (!h->oracle && !make_device(h))
        return false;
    uint64_t spoiled = nand_reads_spoiled(h->options.nand);
    if (!open_device(h)) {
        bool formatting = h->oracle && oracle_is_formatting(h->oracle);
        if (h->failure.failed || !formatting || h->options.faults)
            return false;
        if (!make_device(h) || !open_device(h))
            return false;
    }
    uint64_t blocks = h->options.engine->blocks(h->device);
    struct hftl_info info = {.size = sizeof info};
    h->options.engine->get_info(h->device, &info);
    if (info.read_only && !(h->options.faults && info.reason[0]))
        failure_say(&h->failure, "opens read-only: %s", info.reason);
    tune_device(h, &info);
    if (!h->oracle)
        h->oracle = oracle_create(blocks, nand_media(h->options.nand)->facts.block_bytes,
                                  (uint32_t)h->options.seed);
    /* One bad read is made good by a second; of metadata that cannot be read at all FORMAT.md, 12
     * says what follows. */
    if (nand_reads_spoiled(h->options.nand) > spoiled + 1)
        oracle_forgive_old(h->oracle);
    if (oracle_is_formatting(h->oracle))
        oracle_format_ends(h->oracle, info.id, h->options.faults ? blocks : 0);
    if (blocks != oracle_blocks(h->oracle))
        failure_say(&h->failure, "opens with %" PRIu64 " blocks, had %" PRIu64, blocks,
                    oracle_blocks(h->oracle));
    check_device(h);
    return !h->failure.failed;
}

/* ---- requests -------------------------------------------------------------------------------- */

void harness_step(struct harness *harness)
{
    struct harness *h = harness;
    (void)h->options.engine->step(h->device);
    h->steps++;
    if (h->options.check_every && h->steps % h->options.check_every == 0)
        check_device(h);
}

static void wait_until(struct harness *h, uint32_t in_flight)
{
    uint64_t answers = h->answers, since = h->steps;
    while (h->in_flight > in_flight && !h->failure.failed) {
        harness_step(h);
        if (h->answers != answers) {
            answers = h->answers;
            since = h->steps;
        }
        if (h->steps - since > STEPS_MAX)
            failure_say(&h->failure, "%" PRIu32 " requests are not answered in %u steps",
                        h->in_flight, STEPS_MAX);
    }
}

/* The memory of a request, in one piece or two. */
static void prepare(struct harness *h, struct harness_slot *slot)
{
    struct hftl_request *r = &slot->request;
    size_t block = oracle_block_bytes(h->oracle), bytes = r->blocks * block;
    slot->iov[0] = (struct iovec){slot->memory, bytes};
    r->iov = slot->iov;
    r->iov_count = 1;
    if (r->blocks > 1 && prng_chance(&h->prng, 1, 4)) {
        size_t head = block * (1 + prng_below(&h->prng, r->blocks - 1));
        slot->iov[0].iov_len = head;
        slot->iov[1] = (struct iovec){slot->memory + head, bytes - head};
        r->iov_count = 2;
    }
    if (r->verb == HFTL_READ)
        memset(slot->memory, 0xee, bytes);
    for (uint64_t i = 0; r->verb == HFTL_WRITE && i < r->blocks; i++)
        oracle_fill(h->oracle, &slot->ticket, i, slot->memory + i * block);
}

void harness_send(struct harness *harness, enum hftl_verb verb, unsigned flags, uint64_t lba,
                  uint64_t blocks)
{
    struct harness *h = harness;
    wait_until(h, h->options.depth - 1);
    if (h->failure.failed)
        return;
    struct harness_slot *slot = h->slots;
    while (slot->used)
        slot++;
    slot->used = true;
    h->in_flight++;
    slot->request = (struct hftl_request){
        .verb = verb, .flags = flags, .lba = lba, .blocks = blocks, .arg = slot};
    oracle_issue(h->oracle, &slot->ticket, verb, flags, lba, blocks);
    if (verb == HFTL_READ || verb == HFTL_WRITE) {
        must_show(blocks > 0 && blocks <= HARNESS_BLOCKS_MAX, blocks, lba);
        prepare(h, slot);
    }
    uint64_t answers = h->answers;
    h->options.engine->submit(h->device, &slot->request);
    if (h->answers != answers)
        failure_say(&h->failure, "a request is answered inside device_submit");
}

void harness_drain(struct harness *harness)
{
    wait_until(harness, 0);
    if (!harness->failure.failed)
        check_device(harness);
}

void harness_settle(struct harness *harness)
{
    struct harness *h = harness;
    harness_drain(h);
    for (uint32_t i = 0; !h->options.engine->is_idle(h->device) && !h->failure.failed; i++) {
        harness_step(h);
        if (i > STEPS_MAX)
            failure_say(&h->failure, "not idle after %u steps without requests", STEPS_MAX);
    }
}

void harness_verify_range(struct harness *harness, uint64_t first, uint64_t count)
{
    const struct harness *h = harness;
    for (uint64_t at = first; at < first + count && !h->failure.failed;) {
        uint64_t blocks = first + count - at;
        if (blocks > HARNESS_BLOCKS_MAX)
            blocks = HARNESS_BLOCKS_MAX;
        harness_send(harness, HFTL_READ, 0, at, blocks);
        at += blocks;
    }
    harness_drain(harness);
}

void harness_verify(struct harness *harness)
{
    harness_verify_range(harness, 0, harness_blocks(harness));
}

/* ---- the end --------------------------------------------------------------------------------- */

static void look_for_leaks(struct harness *h, const char *after)
{
    if (h->world.blocks)
        failure_say(&h->failure, "%s leaks %" PRIu64 " bytes in %" PRIu64 " pieces", after,
                    h->world.bytes, h->world.blocks);
}

void harness_close(struct harness *harness)
{
    struct harness *h = harness;
    harness_drain(h);
    if (h->failure.failed) {
        harness_crash(h);
        return;
    }
    enum hftl_status status = h->options.engine->close(h->device);
    h->device = NULL;
    if (status != HFTL_OK && !h->options.faults)
        failure_say(&h->failure, "close fails: %s", hftl_status_name(status));
    if (nand_in_flight(h->options.nand))
        failure_say(&h->failure, "close leaves %" PRIu32 " operations in flight",
                    nand_in_flight(h->options.nand));
    if (status == HFTL_OK)
        oracle_close(h->oracle);
    else
        oracle_crash(h->oracle);
    look_for_leaks(h, "close");
}

bool harness_format(struct harness *harness)
{
    struct harness *h = harness;
    struct hftl_info info = {.size = sizeof info};
    h->options.engine->get_info(h->device, &info);
    harness_close(h);
    if (h->failure.failed)
        return false;
    oracle_format_begins(h->oracle, info.id);
    return make_device(h) && harness_open(h);
}

void harness_crash(struct harness *harness)
{
    struct harness *h = harness;
    if (h->device)
        h->options.engine->discard(h->device);
    h->device = NULL;
    for (uint32_t i = 0; i < h->options.depth; i++)
        h->slots[i].used = false;
    h->in_flight = 0;
    if (h->oracle)
        oracle_crash(h->oracle);
    look_for_leaks(h, "discard");
}
