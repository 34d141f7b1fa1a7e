/* SPDX-License-Identifier: BSD-3-Clause */
#include "sim/harness.h"

#include "base/must.h"
#include "core/request.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Steps without an answer after which a device runs in a circle. Cleaning may need a few thousand.
 * Time is what bounds it otherwise. */
#define STEPS_MAX 60000u
/* The longest that was seen is said in doc/testing.md. */
#define LAPS_MAX 4u
/* What the formula of hftl_bands leaves out, open bands, is much where there are only a few. */
#define DEBT_BANDS_MIN 16u
/* Bands beside the superblock's chunks: so narrow that they may not be worth it half empty. */
#define NARROW_BANDS_MAX 2u
/* Those that both streams write and close at once, and one between states. */
#define OPEN_BANDS_MAX 5u
#define WRITE_BUFFER_BYTES (64u * 1024)

static void give_up(void *arg)
{
    struct harness *h = arg;
    must_show((h->exit != NULL && h->options.may_stand_still) || !"it stands still",
              nand_in_flight(h->options.nand), nand_in_vain(h->options.nand));
    longjmp(*h->exit, 1);
}

/* Lets the engine open or close. False: the drive stands still, and it would wait for ever. Whoever
 * waits then can only be killed: the engine ends here, with all that it has. */
static bool wait_for(struct harness *h, void (*act)(struct harness *h, void *arg), void *arg)
{
    jmp_buf exit;
    if (setjmp(exit) == 0) {
        h->exit = &exit;
        act(h, arg);
        h->exit = NULL;
        return true;
    }
    h->exit = NULL;
    h->device = NULL;
    h->stuck = true;
    sim_world_take_all(&h->world);
    return false;
}

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
    harness->world.give_up = give_up;
    harness->world.give_up_arg = harness;
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
    history_destroy(harness->history);
    harness->memory = NULL;
    harness->history = NULL;
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

/* ---- progress -------------------------------------------------------------------------------- */

static uint64_t now(const struct harness *h)
{
    return nand_now(h->options.nand);
}

static void say_state(struct harness *h, const char *what)
{
    char flight[200];
    const struct harness_slot *oldest = NULL;
    for (uint32_t i = 0; i < h->options.depth; i++)
        if (h->slots[i].used && (!oldest || h->slots[i].since_ns < oldest->since_ns))
            oldest = &h->slots[i];
    nand_flight_text(h->options.nand, flight, sizeof flight);
    failure_say(&h->failure,
                "%s at %" PRIu64 " us: %" PRIu32 " requests wait, the first (verb %d, lba %" PRIu64
                ", %" PRIu64 " blocks) for %" PRIu64 " us; %" PRIu32
                " operations in flight, %" PRIu32 " of them never land: %s",
                what, now(h) / 1000, h->in_flight, oldest ? (int)oldest->ticket.verb : -1,
                oldest ? oldest->ticket.lba : 0, oldest ? oldest->ticket.blocks : 0,
                oldest ? (now(h) - oldest->since_ns) / 1000 : 0, nand_in_flight(h->options.nand),
                nand_in_vain(h->options.nand), flight);
}

/* Nothing happens any more, and something should. */
static void stand_still(struct harness *h)
{
    if (h->options.may_stand_still && nand_stands_still(h->options.nand))
        h->stuck = true;
    else
        say_state(h, nand_in_vain(h->options.nand) ? "the drive stands still"
                                                   : "the device stands still");
}

/* Since then something has been waited for. */
static void bound_time(struct harness *h, uint64_t since_ns, const char *what)
{
    uint64_t took = now(h) - since_ns;
    if (took > h->longest_ns)
        h->longest_ns = took;
    if (took > LAPS_MAX * nand_lap_ns(h->options.nand))
        say_state(h, what);
}

/* ---- answers --------------------------------------------------------------------------------- */

/* Something was done to the device that errors may come from. */
static bool was_harmed(const struct harness *h)
{
    struct nand_harm harm = nand_harm(h->options.nand);
    return harm.reads + harm.others + harm.bits + harm.lies + h->world.refused > 0;
}

/* For less than this no block may be lost, nor fail to be read: two bad reads in one life, of which
 * one could be the second try of the other; a chunk that is gone; a bit that flipped at rest.
 * Writes, erases and flushes that fail cost nothing that can be read. What was lost once stays
 * lost, whatever becomes of the nand. */
static void note_harm(struct harness *h)
{
    struct nand_harm harm = nand_harm(h->options.nand);
    h->has_lost |= harm.reads > h->harm.reads + 1 || harm.gone + harm.bits + harm.lies > 0;
}

/* A closing of bands is refused: may it be? What is left of bands that are open or being closed,
 * that is kept back, or whose tails cannot be read, is room that nobody can use: so many bands. The
 * rest is at least half full, or cleaning would have something to do. */
static bool lacks_bands(const struct harness *h, const struct hftl_info *info)
{
    struct hftl_bands bands = {.size = sizeof bands};
    if (h->options.engine->get_bands)
        h->options.engine->get_bands(h->device, &bands);
    uint64_t unused = info->bands_reserve + OPEN_BANDS_MAX + (h->has_lost ? bands.aside : 0);
    unused *= info->band_blocks;
    bool full = 2 * oracle_held(h->oracle) + unused >= info->blocks_data;
    return info->bands_free < info->bands_reserve && (full || h->options.tuning.paused);
}

/* What keeps a block from being read while its request is under way: nothing that befell another
 * (C10). */
static bool was_struck(const struct harness *h, const struct harness_slot *slot)
{
    struct nand_harm harm = nand_harm(h->options.nand);
    return harm.reads > slot->harmed_reads + 1 || harm.gone + harm.bits + harm.lies > 0;
}

static unsigned find_causes(struct harness *h, const struct harness_slot *slot)
{
    struct hftl_info info = {.size = sizeof info};
    note_harm(h);
    unsigned causes = h->has_lost ? ORACLE_HARMED : 0;
    if (was_struck(h, slot))
        causes |= ORACLE_STRUCK;
    h->options.engine->get_info(h->device, &info);
    if (nand_harm(h->options.nand).others > h->harm.others)
        causes |= ORACLE_FAILED;
    if (info.read_only && info.reason[0] && was_harmed(h))
        causes |= ORACLE_READ_ONLY;
    if (lacks_bands(h, &info))
        causes |= ORACLE_NO_BANDS;
    return causes;
}

/* Each block that was read, or why it could not be, in any order. */
static void note_seen(struct harness *h, const struct oracle_ticket *t, enum hftl_status status,
                      const uint8_t *data)
{
    uint32_t bytes = oracle_block_bytes(h->oracle);
    for (uint64_t i = 0; h->sums_up && t->verb == HFTL_READ && i < t->blocks; i++) {
        uint64_t seen = nand_fold(t->lba + i, &status, sizeof status);
        h->seen += status == HFTL_OK ? nand_fold(seen, data + i * bytes, bytes) : seen;
    }
}

/* The oracle follows, whoever judges. */
static void judge(struct harness *h, struct harness_slot *slot, enum hftl_status status)
{
    struct failure nobody_cares = {0};
    const struct oracle_ticket *t = &slot->ticket;
    bool silent = h->options.judges && !(h->options.judges & HARNESS_ORACLE);
    note_seen(h, t, status, slot->memory);
    h->refused |= status == HFTL_SPACE && t->verb == HFTL_FLUSH_BANDS;
    oracle_answer(h->oracle, t, status, slot->memory, status == HFTL_OK ? 0 : find_causes(h, slot),
                  silent ? &nobody_cares : &h->failure);
    if (!h->history)
        return;
    if (oracle_forgives_old(h->oracle)) { /* whatever was read says nothing */
        history_answer(h->history, &slot->past, HFTL_IO, NULL, &nobody_cares);
        return;
    }
    uint32_t values[HARNESS_BLOCKS_MAX], bytes = oracle_block_bytes(h->oracle);
    for (uint64_t i = 0; t->verb == HFTL_READ && status == HFTL_OK && i < t->blocks; i++)
        values[i] = oracle_number(h->oracle, t->lba + i, slot->memory + i * bytes);
    history_answer(h->history, &slot->past, status, values, &h->failure);
}

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
    judge(h, slot, request->status);
    bound_time(h, slot->since_ns, "a request is answered late,");
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
    if (status != HFTL_OK && !(was_harmed(h) && why.text[0]))
        failure_say(&h->failure, "format fails: %s: %s", hftl_status_name(status), why.text);
    if (h->world.blocks)
        failure_say(&h->failure, "format leaks %" PRIu64 " bytes", h->world.bytes);
    return status == HFTL_OK;
}

/* No device is what a cut in a format may leave; where faults are, a reason will do. */
static bool is_excused(const struct harness *h, enum hftl_status status, const struct why *why)
{
    if (was_harmed(h) && why->text[0])
        return true;
    return h->oracle && oracle_is_formatting(h->oracle) &&
           (status == HFTL_FOREIGN || status == HFTL_CORRUPT);
}

struct opening {
    struct why why;
    enum hftl_status status;
};

static void let_open(struct harness *h, void *arg)
{
    struct opening *o = arg;
    struct device_options options = {.world = h->world.world,
                                     .complete = take_answer,
                                     .complete_arg = h,
                                     .verify = h->options.verify,
                                     .verify_cache_bytes = h->options.verify_cache_bytes,
                                     .write_buffer_bytes = WRITE_BUFFER_BYTES,
                                     .recovery_memory_bytes = h->options.recovery_memory_bytes,
                                     .relocation_victims = h->options.tuning.victims,
                                     .relocation_blocks = h->options.tuning.blocks};
    if (options.relocation_blocks == 0)
        options.relocation_blocks = h->options.batch;
    o->status = h->options.engine->open(nand_media(h->options.nand), &options, &h->device, &o->why);
}

/* False: not open, and a failure, excused or stuck. */
static bool open_device(struct harness *h)
{
    struct opening o = {.status = HFTL_OK};
    if (!wait_for(h, let_open, &o))
        return false;
    for (unsigned i = 0; i < SENDERS; i++) /* what was sent in the life before is forgotten */
        sender_init(&h->senders[i]);
    if (o.status == HFTL_OK)
        return true;
    h->device = NULL;
    if (!is_excused(h, o.status, &o.why))
        failure_say(&h->failure, "open fails: %s: %s", hftl_status_name(o.status), o.why.text);
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

static void follow(struct harness *h, uint64_t blocks)
{
    bool known = h->oracle == NULL;
    if (known)
        h->oracle = oracle_create(blocks, nand_media(h->options.nand)->facts.block_bytes,
                                  (uint32_t)h->options.seed);
    if (h->history || !(h->options.judges & HARNESS_HISTORY))
        return;
    h->history = history_create(blocks);
    if (!known)
        history_forget(h->history, oracle_newest(h->oracle));
}

bool harness_open(struct harness *harness)
{
    struct harness *h = harness;
    must(h->device == NULL);
    h->world.nand = h->options.nand;
    if (!h->oracle && !make_device(h))
        return false;
    note_harm(h); /* of the life before, and of this one's beginnings */
    h->harm = nand_harm(h->options.nand);
    if (!open_device(h)) {
        bool formatting = h->oracle && oracle_is_formatting(h->oracle);
        if (h->failure.failed || h->stuck || !formatting || was_harmed(h))
            return false;
        if (!make_device(h) || !open_device(h))
            return false;
    }
    uint64_t blocks = h->options.engine->blocks(h->device);
    struct hftl_info info = {.size = sizeof info};
    h->options.engine->get_info(h->device, &info);
    if (info.read_only && !(was_harmed(h) && info.reason[0]))
        failure_say(&h->failure, "opens read-only: %s", info.reason);
    tune_device(h, &info);
    if (h->options.numbers_left && h->options.engine->grow_old && !info.read_only)
        h->options.engine->grow_old(h->device, h->options.numbers_left);
    follow(h, blocks);
    /* One bad read is made good by a second; of metadata that cannot be read at all FORMAT.md, 12
     * says what follows. */
    if (nand_harm(h->options.nand).reads > h->harm.reads + 1)
        oracle_forgive_old(h->oracle);
    if (oracle_is_formatting(h->oracle))
        oracle_format_ends(h->oracle, info.id, was_harmed(h) ? blocks : 0);
    if (blocks != oracle_blocks(h->oracle))
        failure_say(&h->failure, "opens with %" PRIu64 " blocks, had %" PRIu64, blocks,
                    oracle_blocks(h->oracle));
    check_device(h);
    return !h->failure.failed;
}

/* ---- requests -------------------------------------------------------------------------------- */

static void take_step(struct harness *h)
{
    bool busy = h->options.engine->step(h->device);
    h->steps++;
    h->still = !busy && !nand_pass(nand_media(h->options.nand));
    if (h->options.check_every && h->steps % h->options.check_every == 0)
        check_device(h);
}

static void wait_until_idle(struct harness *h)
{
    uint64_t since_ns = now(h);
    for (uint32_t i = 0; !h->options.engine->is_idle(h->device) && !h->failure.failed && !h->stuck;
         i++) {
        take_step(h);
        if (h->still && !h->options.engine->is_idle(h->device))
            stand_still(h);
        if (i > STEPS_MAX)
            say_state(h, "it is not idle,");
        bound_time(h, since_ns, "cleaning does not end,");
    }
}

/* Nobody asks for anything now. If that is all it takes to have the bands, it was no reason. */
static void doubt_refusal(struct harness *h)
{
    struct hftl_info info = {.size = sizeof info};
    h->refused = false;
    if (h->in_flight > 0)
        return;
    wait_until_idle(h);
    if (h->failure.failed || h->stuck)
        return;
    h->options.engine->get_info(h->device, &info);
    if (info.bands_free >= info.bands_reserve && !info.read_only)
        failure_say(&h->failure,
                    "bands are not closed for want of bands, and left alone it has %" PRIu32,
                    info.bands_free);
}

void harness_step(struct harness *harness)
{
    take_step(harness);
    if (harness->refused)
        doubt_refusal(harness);
}

static void wait_until(struct harness *h, uint32_t in_flight)
{
    uint64_t answers = h->answers, since = h->steps, since_ns = now(h);
    while (h->in_flight > in_flight && !h->failure.failed && !h->stuck) {
        harness_step(h);
        if (h->answers != answers) {
            answers = h->answers;
            since = h->steps;
            since_ns = now(h);
        }
        if (h->still && h->in_flight > in_flight)
            stand_still(h);
        if (h->steps - since > STEPS_MAX)
            say_state(h, "it runs in a circle,");
        bound_time(h, since_ns, "nothing is answered,");
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

/* There is a free slot. */
static struct harness_slot *hand_over(struct harness *h, enum hftl_verb verb, unsigned flags,
                                      uint64_t lba, uint64_t blocks)
{
    struct harness_slot *slot = h->slots;
    while (slot->used)
        slot++;
    slot->used = true;
    h->in_flight++;
    slot->request = (struct hftl_request){
        .verb = verb, .flags = flags, .lba = lba, .blocks = blocks, .arg = slot};
    slot->since_ns = now(h);
    slot->harmed_reads = nand_harm(h->options.nand).reads;
    oracle_issue(h->oracle, &slot->ticket, verb, flags, lba, blocks);
    slot->past = (struct history_request){
        .verb = verb, .lba = lba, .blocks = blocks, .number = slot->ticket.version};
    if (h->history)
        history_invoke(h->history, &slot->past);
    if (verb == HFTL_READ || verb == HFTL_WRITE) {
        must_show(blocks > 0 && blocks <= HARNESS_BLOCKS_MAX, blocks, lba);
        prepare(h, slot);
    }
    uint64_t answers = h->answers;
    struct sender *sender = &h->senders[(size_t)(slot - h->slots) % SENDERS];
    h->options.engine->submit(h->device, sender, &slot->request);
    if (h->answers != answers)
        failure_say(&h->failure, "a request is answered inside device_submit");
    return slot;
}

void harness_send(struct harness *harness, enum hftl_verb verb, unsigned flags, uint64_t lba,
                  uint64_t blocks)
{
    struct harness *h = harness;
    wait_until(h, h->options.depth - 1);
    if (h->failure.failed || h->stuck)
        return;
    hand_over(h, verb, flags, lba, blocks);
}

void harness_probe(struct harness *harness, unsigned tries)
{
    struct harness *h = harness;
    /* A read may wait for a tail that another one wants; on a single unit it asks for that unit.
     * And where as many reads as the engine sends at a time wait in vain, the next is not sent. */
    if (h->options.verify == HFTL_VERIFY_CACHED || nand_units(h->options.nand) == 1)
        return;
    while (tries-- > 0 && h->in_flight < h->options.depth && !h->failure.failed) {
        uint32_t vain = nand_in_vain(h->options.nand);
        uint64_t lba = prng_below(&h->prng, harness_blocks(h));
        const struct harness_slot *slot = hand_over(h, HFTL_READ, 0, lba, 1);
        for (h->still = false; slot->used && !h->still && !h->failure.failed;)
            harness_step(h);
        if (slot->used && nand_in_vain(h->options.nand) == vain && vain < READS_MAX)
            say_state(h, "a read waits that asks nothing of the unit that stands still,");
    }
}

void harness_drain(struct harness *harness)
{
    wait_until(harness, 0);
    if (!harness->failure.failed)
        check_device(harness);
}

/* Bands that are not half full though more are wanted; what is nearly all valid is not worth it. */
static uint32_t bands_in_debt(struct harness *h, struct hftl_bands *bands)
{
    struct hftl_info info = {.size = sizeof info};
    uint32_t half_empty = 0;
    *bands = (struct hftl_bands){.size = sizeof *bands};
    if (!h->options.engine->get_bands || h->options.tuning.paused || h->options.tuning.limited)
        return 0;
    h->options.engine->get_info(h->device, &info);
    h->options.engine->get_bands(h->device, bands);
    for (unsigned step = 0; step < HFTL_SHARE_STEPS / 2; step++)
        half_empty += bands->valid_share[step];
    bool in_debt = bands->debt_blocks > 0 && bands->debt_is_payable;
    in_debt = in_debt && !info.read_only && info.bands >= DEBT_BANDS_MIN;
    return in_debt && half_empty > NARROW_BANDS_MAX ? half_empty : 0;
}

/* A band that was put aside until the next flush is in nobody's debt before it. */
void harness_settle(struct harness *harness)
{
    struct harness *h = harness;
    struct hftl_bands bands;
    harness_drain(h);
    wait_until_idle(h);
    if (h->failure.failed || h->stuck || bands_in_debt(h, &bands) == 0)
        return;
    harness_send(h, HFTL_FLUSH, 0, 0, 0);
    harness_drain(h);
    wait_until_idle(h);
    if (h->failure.failed || h->stuck)
        return;
    uint32_t count = bands_in_debt(h, &bands);
    if (count > 0)
        failure_say(&h->failure,
                    "idle with a debt of %" PRIu64 " blocks, %" PRIu32 " bands are not half full",
                    bands.debt_blocks, count);
}

void harness_verify_range(struct harness *harness, uint64_t first, uint64_t count)
{
    const struct harness *h = harness;
    for (uint64_t at = first; at < first + count && !h->failure.failed && !h->stuck;) {
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

static void let_close(struct harness *h, void *arg)
{
    enum hftl_status *status = arg;
    *status = h->options.engine->close(h->device);
}

void harness_close(struct harness *harness)
{
    struct harness *h = harness;
    enum hftl_status status = HFTL_OK;
    harness_drain(h);
    if (h->failure.failed)
        harness_crash(h);
    if (h->failure.failed || h->stuck || !wait_for(h, let_close, &status))
        return;
    h->device = NULL;
    if (status != HFTL_OK && !was_harmed(h))
        failure_say(&h->failure, "close fails: %s", hftl_status_name(status));
    if (nand_in_flight(h->options.nand))
        failure_say(&h->failure, "close leaves %" PRIu32 " operations in flight",
                    nand_in_flight(h->options.nand));
    if (status == HFTL_OK)
        oracle_close(h->oracle);
    else
        oracle_crash(h->oracle);
    if (status != HFTL_OK && h->history)
        history_cut(h->history);
    look_for_leaks(h, "close");
}

bool harness_format(struct harness *harness)
{
    struct harness *h = harness;
    struct hftl_info info = {.size = sizeof info};
    h->options.engine->get_info(h->device, &info);
    harness_close(h);
    if (h->failure.failed || h->stuck)
        return false;
    oracle_format_begins(h->oracle, info.id);
    if (h->history)
        history_forget(h->history, oracle_newest(h->oracle));
    return make_device(h) && harness_open(h);
}

void harness_crash(struct harness *harness)
{
    struct harness *h = harness;
    if (h->device)
        h->options.engine->discard(h->device);
    h->device = NULL;
    note_harm(h);
    for (uint32_t i = 0; i < h->options.depth; i++)
        h->slots[i].used = false;
    h->in_flight = 0;
    h->stuck = false;
    h->refused = false;
    if (h->oracle)
        oracle_crash(h->oracle);
    if (h->history)
        history_cut(h->history);
    look_for_leaks(h, "discard");
}
