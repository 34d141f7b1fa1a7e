/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * image.c - a damaged or forged drive is examined, dumped, opened, used, closed and opened again.
 *
 *   byte 0       fuzz.h; bits 3-4: LOOK_, bits 5-7: USE_ below
 *   byte 1       which base
 *   byte 2       bits 0-4: edits of eight bytes (image.h)
 *   the rest     requests of four bytes: verb and flags, lba 2, blocks; at most 100
 *
 * Everything ends in a clean success or a clean error, without a rule of the medium broken (nand
 * stops the process at one) and without a leak. Beyond that, from inside out:
 *
 *   device_check holds after the open and at the end.
 *   Every request is answered. What was written in this life and answered OK is read back.
 *   What closed in order opens again.
 *   If it is no forgery (no checksum was computed anew): a block that is read without an error is
 *   zeros or something that was once written to that lba (C7), and after the second open every
 *   block is as it was before (C6). A forger can have two identities of a block disagree. Where
 *   reads are not checked, a damaged block is read as it is, until it is moved and found lost. A
 *   block that could not be read by its identity in OOB may be moved by the one in the tail, and
 *   then be read: if it is the newest.
 */
#include "fuzz/image.h"
#include "lifecycle/dump.h"
#include "lifecycle/examine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_BITS 24u /* before it is opened: 16 is examined, 24 is dumped */
#define LOOK_EXAMINE 16u
#define LOOK_DUMP 24u
#define USE_READ_ONLY 32u
#define USE_REOPEN 64u
#define USE_CUT 128u /* instead of a close */

#define REQUESTS_MAX 100u
#define REQUEST_BLOCKS_MAX 8u
#define DEPTH 8u
#define RUN 32u
#define STEPS_MAX 100000u

/* What is known of an lba in this life. */
enum known { BEFORE, WRITTEN, UNSURE };

struct ask {
    struct hftl_request request;
    struct iovec iov;
    struct hftl_extent extents[4];
    uint8_t data[REQUEST_BLOCKS_MAX * FORMAT_BLOCK_BYTES_MAX];
    bool used;
};

struct run {
    const struct base *base;
    struct device *device;
    struct sim_world sim;
    struct ask slots[DEPTH];
    uint32_t in_flight;
    uint64_t blocks, version;
    uint8_t *known;     /* enum known, a byte an lba */
    uint64_t *versions; /* that was written in this life */
    bool forged;
    bool checked; /* reads are: what is damaged is not served */
};

static void note_answer(void *arg, struct hftl_request *request)
{
    struct run *run = arg;
    struct ask *slot = request->arg;
    must(slot->used);
    slot->used = false;
    run->in_flight--;
    bool changes = request->verb == HFTL_WRITE || request->verb == HFTL_TRIM ||
                   request->verb == HFTL_WRITE_ZEROES;
    for (uint64_t i = 0; changes && request->status != HFTL_OK && i < request->blocks; i++)
        if (request->lba + i < run->blocks)
            run->known[request->lba + i] = UNSURE;
}

static void wait_until(struct run *run, uint32_t in_flight)
{
    for (uint32_t i = 0; run->in_flight > in_flight; i++) {
        must_show(i < STEPS_MAX, run->in_flight, run->blocks); /* C12 */
        (void)device_step(run->device);
    }
}

static bool meets(const struct run *run, uint64_t lba, uint64_t blocks)
{
    for (uint32_t i = 0; i < DEPTH; i++) {
        const struct hftl_request *r = &run->slots[i].request;
        if (run->slots[i].used && lba < r->lba + r->blocks && r->lba < lba + blocks)
            return true;
    }
    return false;
}

static struct ask *take_slot(struct run *run)
{
    wait_until(run, DEPTH - 1);
    struct ask *slot = run->slots;
    while (slot->used)
        slot++;
    slot->used = true;
    run->in_flight++;
    return slot;
}

static void submit(struct run *run, struct ask *slot, const struct hftl_request *request)
{
    uint32_t bytes = run->base->ctx.block_bytes;
    slot->request = *request;
    slot->request.arg = slot;
    slot->iov = (struct iovec){slot->data, (size_t)request->blocks * bytes};
    if (request->verb == HFTL_READ || request->verb == HFTL_WRITE) {
        slot->request.iov = &slot->iov;
        slot->request.iov_count = 1;
    }
    if (request->verb == HFTL_EXTENTS) {
        slot->request.extents = slot->extents;
        slot->request.extent_count = 4;
    }
    bool changes = request->verb == HFTL_WRITE || request->verb == HFTL_TRIM ||
                   request->verb == HFTL_WRITE_ZEROES;
    uint64_t version = request->verb == HFTL_WRITE ? ++run->version : 0;
    for (uint64_t i = 0; changes && i < request->blocks; i++) {
        image_fill(slot->data + i * bytes, bytes, request->lba + i, version);
        if (request->lba + i >= run->blocks)
            continue;
        run->known[request->lba + i] = WRITTEN;
        run->versions[request->lba + i] = version;
    }
    device_submit(run->device, &slot->request);
}

static void send(struct run *run, struct input *input)
{
    static const enum hftl_verb verbs[] = {HFTL_WRITE, HFTL_WRITE, HFTL_WRITE,        HFTL_READ,
                                           HFTL_TRIM,  HFTL_FLUSH, HFTL_WRITE_ZEROES, HFTL_EXTENTS};
    uint8_t what = take_u8(input);
    struct hftl_request request = {.verb = verbs[what & 7u], .lba = take_u16(input)};
    request.flags = (what & 8u) != 0 && request.verb == HFTL_WRITE ? HFTL_FUA : 0;
    request.blocks = 1u + take_u8(input) % REQUEST_BLOCKS_MAX;
    if (run->blocks <= REQUEST_BLOCKS_MAX)
        return;
    request.lba %= run->blocks - REQUEST_BLOCKS_MAX;
    if (request.verb == HFTL_FLUSH)
        request.lba = request.blocks = 0;
    if (meets(run, request.lba, request.blocks))
        wait_until(run, 0);
    submit(run, take_slot(run), &request);
    if ((what & 16u) != 0)
        wait_until(run, 0);
}

/* ---- judging --------------------------------------------------------------------------------- */

/* What a read of one block came to; two of them are the same or they are not. */
struct reading {
    bool good;
    uint64_t lba, version; /* as the content says */
};

static void judge(const struct run *run, uint64_t lba, const uint8_t *block,
                  struct reading *reading)
{
    uint64_t version;
    bool is = image_is(block, run->base->ctx.block_bytes, lba, &version);
    reading->good = true;
    memcpy(&reading->lba, block, 8);
    memcpy(&reading->version, block + 8, 8);
    must_show(is || run->forged || !run->checked, lba, reading->lba); /* C7 */
    if (run->known[lba] == WRITTEN)
        must_show(is && version == run->versions[lba], lba, version);
}

static enum hftl_status read_some(struct run *run, uint64_t lba, uint64_t blocks, uint8_t *data)
{
    struct iovec iov = {data, (size_t)blocks * run->base->ctx.block_bytes};
    struct ask *slot = take_slot(run);
    slot->request = (struct hftl_request){.verb = HFTL_READ, .lba = lba, .blocks = blocks};
    slot->request.arg = slot;
    slot->request.iov = &iov;
    slot->request.iov_count = 1;
    device_submit(run->device, &slot->request);
    wait_until(run, 0);
    return slot->request.status;
}

static bool is_touched(const struct run *run, uint64_t lba, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        if (run->known[lba + i] != BEFORE)
            return true;
    return false;
}

/* All blocks, or those where something was written; a run that has a bad one is read block by
 * block. */
static void read_all(struct run *run, struct reading *readings, bool all)
{
    uint32_t bytes = run->base->ctx.block_bytes;
    uint8_t *data = malloc((size_t)RUN * bytes);
    must(data != NULL);
    for (uint64_t lba = 0; lba < run->blocks; lba += RUN) {
        uint64_t count = run->blocks - lba < RUN ? run->blocks - lba : RUN;
        if (!all && !is_touched(run, lba, count))
            continue;
        bool whole = read_some(run, lba, count, data) == HFTL_OK;
        for (uint64_t i = 0; i < count; i++) {
            enum hftl_status status =
                whole ? HFTL_OK : read_some(run, lba + i, 1, data + i * bytes);
            if (status == HFTL_OK)
                judge(run, lba + i, data + i * bytes, &readings[lba + i]);
            else
                must_show(run->known[lba + i] != WRITTEN, lba + i, status);
        }
    }
    free(data);
}

static void check(const struct run *run)
{
    struct why why = {""};
    enum hftl_status status = device_check(run->device, &why);
    if (status != HFTL_OK)
        must_show(!why.text, status, run->base->acts);
}

/* ---- a life ---------------------------------------------------------------------------------- */

static bool is_read_only(const struct run *run)
{
    struct hftl_info info = {.size = sizeof info};
    device_get_info(run->device, &info);
    return info.read_only;
}

/* C6 */
static void must_be_same(const struct run *run, uint64_t lba, const struct reading *a,
                         const struct reading *b)
{
    if (!run->checked && a->good && !b->good)
        return;
    bool moved = !a->good && b->good && run->base->shape->facts.oob_bytes > 0;
    if (moved && (run->known[lba] == UNSURE || b->version == run->base->versions[lba]))
        return;
    must_show(a->good == b->good, lba, a->good);
    must_show(a->lba == b->lba && a->version == b->version, a->version, b->version);
}

static void compare_again(struct run *run, struct nand *nand, const struct reading *before)
{
    struct reading *after = calloc(run->blocks, sizeof *after);
    must(after != NULL);
    image_world(&run->sim);
    must(image_open(nand, run->base, &run->sim, &run->device, false, note_answer, run) == HFTL_OK);
    must(device_blocks(run->device) == run->blocks);
    check(run);
    read_all(run, after, true);
    for (uint64_t i = 0; i < run->blocks && !run->forged; i++)
        must_be_same(run, i, &before[i], &after[i]);
    device_discard(run->device);
    must(run->sim.blocks == 0);
    free(after);
}

static void crash(struct run *run, struct nand *nand, uint8_t control)
{
    device_discard(run->device);
    must(run->sim.blocks == 0);
    nand_cut(nand, (enum nand_cut)(control % NAND_CUT_FLAKY), control);
    image_world(&run->sim);
    if (image_open(nand, run->base, &run->sim, &run->device, false, note_answer, run) != HFTL_OK)
        return;
    check(run);
    device_discard(run->device);
    must(run->sim.blocks == 0);
}

static void use(struct run *run, struct nand *nand, struct input *input, uint8_t control)
{
    run->blocks = device_blocks(run->device);
    run->known = calloc(run->blocks, 1);
    run->versions = calloc(run->blocks, sizeof *run->versions);
    run->version = UINT64_C(1) << 40; /* above all of the history */
    struct reading *before = calloc(run->blocks, sizeof *before);
    must(run->known != NULL && run->versions != NULL && before != NULL);
    check(run);
    for (uint32_t i = 0; i < REQUESTS_MAX && input->left > 0; i++)
        send(run, input);
    if ((control & USE_CUT) != 0) {
        run->in_flight = 0; /* these are never answered */
        crash(run, nand, control);
    } else {
        wait_until(run, 0);
        check(run);
        read_all(run, before, (control & USE_REOPEN) != 0);
        bool writable = !is_read_only(run);
        bool closed = device_close(run->device) == HFTL_OK;
        must(run->sim.blocks == 0);
        if (closed && writable && (control & USE_REOPEN) != 0)
            compare_again(run, nand, before);
    }
    free(before);
    free(run->known);
    free(run->versions);
}

/* ---- looking without opening ----------------------------------------------------------------- */

static void ignore_item(void *arg, const struct hftl_dump_item *item)
{
    must(item->what != NULL && item->text != NULL);
    *(uint64_t *)arg += strlen(item->text);
}

/* Errors that name a mapped lba, and those that may stand for several. */
struct said {
    uint64_t lbas, others;
};

static void take_finding(void *arg, const struct hftl_finding *finding)
{
    struct said *said = arg;
    must(finding->sentence != NULL && finding->sentence[0] != '\0');
    if (finding->level == HFTL_FINDING_ERROR && finding->lba != HFTL_NO_LBA)
        said->lbas++;
    else if (finding->level == HFTL_FINDING_ERROR && strcmp(finding->what, "superblock") != 0)
        said->others++;
    if (getenv("HFTL_VERBOSE") != NULL)
        fprintf(stderr, "    %s\n", finding->sentence);
}

/* The world's log has no argument of its own. */
static struct examine *examined;

static void take_log(void *arg, enum hftl_log_level level, const char *message)
{
    (void)arg;
    examine_take_log(examined, level, message);
}

static void examine(const struct nand *nand)
{
    struct nand *copy = nand_fork(nand);
    struct sim_world sim;
    struct why why = {""};
    struct said said = {0, 0};
    struct hftl_examine_options options = {
        .size = sizeof options, .finding = take_finding, .finding_arg = &said};
    struct hftl_examination result = {.size = sizeof result};
    struct examine examine = {.options = &options, .result = &result};

    image_world(&sim);
    struct world world = sim.world;
    world.log = take_log;
    examined = &examine;
    if (device_examine(&examine, nand_media(copy), &world, &why) == HFTL_OK)
        must_show(!result.complete || said.others > 0 ||
                      result.blocks_proven + result.blocks_lost + said.lbas >= result.blocks_mapped,
                  result.blocks_mapped, result.blocks_proven);
    must(sim.blocks == 0);
    nand_destroy(copy);
}

static void dump(const struct nand *nand)
{
    struct nand *copy = nand_fork(nand);
    struct sim_world sim;
    struct why why = {""};
    uint64_t seen = 0;
    struct hftl_dump_options options = {
        .size = sizeof options, .what = HFTL_DUMP_ALL, .item = ignore_item, .item_arg = &seen};

    image_world(&sim);
    (void)!device_dump(nand_media(copy), &sim.world, &options, &why);
    must(sim.blocks == 0);
    nand_destroy(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    uint8_t control = take_u8(&input);
    const struct base *base = base_get(take_u8(&input));
    uint32_t edits = take_u8(&input) & 31u;
    struct nand *nand = nand_fork(base->nand);
    struct run *run = calloc(1, sizeof *run);

    must(run != NULL);
    run->base = base;
    run->forged = wants_fix(control);
    run->checked = shape_checks_reads(base->shape);
    for (uint32_t i = 0; i < edits && input.left >= EDIT_BYTES; i++)
        image_edit(nand, base, &input, run->forged);
    nand_check(nand);
    if ((control & LOOK_BITS) == LOOK_EXAMINE)
        examine(nand);
    if ((control & LOOK_BITS) == LOOK_DUMP)
        dump(nand);
    image_world(&run->sim);
    if (image_open(nand, base, &run->sim, &run->device, (control & USE_READ_ONLY) != 0, note_answer,
                   run) == HFTL_OK)
        use(run, nand, &input, control);
    must_show(run->sim.blocks == 0, run->sim.bytes, run->sim.blocks);
    free(run);
    nand_destroy(nand);
    return 0;
}
