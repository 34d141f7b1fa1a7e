/* SPDX-License-Identifier: BSD-3-Clause */
#define _POSIX_C_SOURCE 200809L

#include "test/core/stand.h"

#include "base/bytes.h"
#include "base/must.h"
#include "format/format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STEPS_MAX 2000000u

/* groups, PUs a group, chunks a PU, blocks a chunk; ws_min, ws_opt, mw_cunits */
#define OCSSD(can, oob, g, p, c, b, min, opt, mw)                                                  \
    {                                                                                              \
        .size = sizeof(struct hftl_media_facts), .kind = HFTL_KIND_OCSSD,                          \
        .flags = HFTL_MEDIA_NEEDS_ERASE | (can), .block_bytes = 512, .oob_bytes = (oob),           \
        .groups = (g), .pus_per_group = (p), .chunks_per_pu = (c), .chunk_blocks = (b),            \
        .ws_min = (min), .ws_opt = (opt), .mw_cunits = (mw), .transfer_blocks_max = 64,            \
        .volatile_cache = true                                                                     \
    }
#define ZONED(can, z, b, min, opt, most)                                                           \
    {                                                                                              \
        .size = sizeof(struct hftl_media_facts), .kind = HFTL_KIND_ZONED,                          \
        .flags = HFTL_MEDIA_NEEDS_ERASE | HFTL_MEDIA_CAN_RESET_OPEN | (can), .block_bytes = 512,   \
        .groups = 1, .pus_per_group = 1, .chunks_per_pu = (z), .chunk_blocks = (b),                \
        .ws_min = (min), .ws_opt = (opt), .open_max = (most), .active_max = (most),                \
        .transfer_blocks_max = 64, .volatile_cache = true                                          \
    }
#define RESET_OPEN HFTL_MEDIA_CAN_RESET_OPEN
#define FINISH HFTL_MEDIA_CAN_FINISH

static const struct stand_shape shapes[] = {
    {"two PUs", OCSSD(RESET_OPEN, 16, 1, 2, 24, 48, 2, 4, 8), 0, 1},
    {"one PU", OCSSD(RESET_OPEN, 16, 1, 1, 24, 64, 4, 8, 8), 0, 1},
    {"three PUs", OCSSD(0, 32, 3, 1, 24, 40, 2, 4, 12), 0, 1},
    {"units of seven", OCSSD(RESET_OPEN, 16, 1, 3, 22, 35, 7, 7, 7), 0, 1},
    {"ragged chunks", OCSSD(RESET_OPEN, 24, 1, 3, 22, 44, 4, 12, 8), 0, 1},
    {"units of 24", OCSSD(0, 64, 2, 1, 20, 120, 24, 24, 24), 0, 1},
    {"bare", OCSSD(RESET_OPEN, 0, 1, 2, 24, 60, 2, 6, 6), 0, 1},
    {"bare, window beyond a unit", OCSSD(0, 0, 1, 2, 24, 66, 2, 4, 14), 0, 1},
    {"zoned", ZONED(FINISH, 40, 50, 1, 4, 14), 1, 1},
    {"zoned, two columns", ZONED(0, 44, 46, 1, 8, 14), 2, 1},
    {"zoned, three columns", ZONED(FINISH, 62, 45, 3, 6, 14), 3, 1},
    {"three slices, ragged", OCSSD(RESET_OPEN, 16, 1, 3, 22, 44, 2, 12, 8), 0, 3},
    {"bare slices", OCSSD(0, 0, 1, 2, 24, 66, 2, 8, 10), 0, 2},
    {"zoned, units of two joined", ZONED(FINISH, 44, 70, 1, 4, 14), 2, 0},
    {"zoned, slices of one block", ZONED(FINISH, 44, 46, 1, 6, 14), 2, 6},
};

unsigned stand_shapes(void)
{
    return sizeof(shapes) / sizeof(shapes[0]);
}

const struct stand_shape *stand_shape(unsigned index)
{
    return &shapes[index];
}

const struct stand_shape *stand_shape_named(const char *name)
{
    for (unsigned i = 0; i < stand_shapes(); i++)
        if (strcmp(shapes[i].name, name) == 0)
            return &shapes[i];
    fail_msg("no shape %s", name);
    return NULL;
}

/* ---- the tap ---- */

static struct tap *tap_of(const struct hftl_media *media)
{
    return (struct tap *)(uintptr_t)media;
}

static void note(struct tap *tap, const struct hftl_media_op *op)
{
    if (tap->note_count == TAP_NOTES_MAX)
        tap->note_count = 0;
    tap->notes[tap->note_count++] =
        (struct tap_note){op->verb, op->chunk, op->offset, op->blocks, false};
}

static bool has_to_fail(struct tap *tap, const struct hftl_media_op *op)
{
    if (tap->fail_count == 0 || op->verb != tap->fail_verb ||
        (tap->fail_chunk != ANY_CHUNK && op->chunk != tap->fail_chunk))
        return false;
    if (tap->fail_after > 0) {
        tap->fail_after--;
        return false;
    }
    tap->fail_count--;
    return true;
}

static bool has_to_wait(const struct tap *tap, const struct hftl_media_op *op)
{
    if ((tap->hold_verbs & 1u << op->verb) == 0)
        return false;
    if (tap->hold_band == NULL || op->verb != HFTL_MEDIA_WRITE)
        return true;
    for (uint32_t i = 0; i < tap->hold_band->width; i++)
        if (tap->hold_band->chunks[i] == op->chunk)
            return true;
    return false;
}

static void submit_ops(struct hftl_media *media, struct hftl_media_op **ops, unsigned count)
{
    struct tap *tap = tap_of(media);
    for (unsigned i = 0; i < count; i++) {
        struct hftl_media_op *op = ops[i];
        note(tap, op);
        if (has_to_fail(tap, op)) {
            must(tap->failed_count < TAP_HELD_MAX);
            op->status = tap->fail_status;
            if (op->verb == HFTL_MEDIA_READ && op->status == HFTL_OK)
                memset(op->data, 0x5a, (size_t)op->blocks * media->facts.block_bytes);
            tap->failed[tap->failed_count++] = op;
        } else if (has_to_wait(tap, op)) {
            must(tap->held_count < TAP_HELD_MAX);
            tap->held[tap->held_count++] = op;
        } else {
            tap->inner->ops->submit(tap->inner, &op, 1);
        }
    }
}

static unsigned reap_ops(struct hftl_media *media, unsigned max)
{
    struct tap *tap = tap_of(media);
    unsigned landed = 0;
    while (landed < max && tap->failed_count > 0) {
        struct hftl_media_op *op = tap->failed[0];
        tap->failed_count--;
        memmove(tap->failed, tap->failed + 1, tap->failed_count * sizeof(tap->failed[0]));
        landed++;
        op->land(op);
    }
    return landed + tap->inner->ops->reap(tap->inner, max - landed);
}

/* A pipe that nobody writes to: while operations are kept back there may be nothing to reap. */
static int find_fd(struct hftl_media *media)
{
    return tap_of(media)->held_count > 0 ? tap_of(media)->quiet[0] : -1;
}

static void free_tap(struct tap *tap)
{
    close(tap->quiet[0]);
    close(tap->quiet[1]);
    free(tap->notes);
    free(tap);
}

static void close_tap(struct hftl_media *media)
{
    struct tap *tap = tap_of(media);
    tap->inner->ops->close(tap->inner);
    free_tap(tap);
}

static const struct hftl_media_ops tap_ops = {
    .name = "tap",
    .submit = submit_ops,
    .reap = reap_ops,
    .fd = find_fd,
    .close = close_tap,
};

void tap_clear(struct tap *tap)
{
    tap->note_count = 0;
}

void tap_fail(struct tap *tap, enum hftl_media_verb verb, uint32_t chunk, uint32_t count,
              enum hftl_status status)
{
    tap->fail_verb = verb;
    tap->fail_chunk = chunk;
    tap->fail_count = count;
    tap->fail_after = 0;
    tap->fail_status = status;
}

void tap_hold(struct tap *tap, enum hftl_media_verb verb)
{
    tap->hold_verbs |= 1u << verb;
}

void tap_release(struct tap *tap)
{
    uint32_t count = tap->held_count;
    tap->hold_verbs = 0;
    tap->hold_band = NULL;
    tap->held_count = 0;
    for (uint32_t i = 0; i < count; i++)
        tap->inner->ops->submit(tap->inner, &tap->held[i], 1);
}

void tap_refuse_first(struct tap *tap, enum hftl_status status)
{
    must(tap->held_count > 0);
    struct hftl_media_op *op = tap->held[0];
    tap->held_count--;
    memmove(tap->held, tap->held + 1, tap->held_count * sizeof(tap->held[0]));
    op->status = status;
    tap->failed[tap->failed_count++] = op;
}

uint32_t tap_count(const struct tap *tap, enum hftl_media_verb verb)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < tap->note_count; i++)
        count += tap->notes[i].verb == verb;
    return count;
}

/* ---- the world ---- */

static uint64_t tell_now(void *arg)
{
    struct stand *stand = arg;
    return stand->now_ns += 1000;
}

static uint64_t tell_clock(void *arg)
{
    return ((struct stand *)arg)->epoch_seconds;
}

static uint64_t draw(void *arg)
{
    return prng_next(&((struct stand *)arg)->prng);
}

static void *lend(void *arg, size_t bytes)
{
    struct stand *stand = arg;
    uint64_t number = ++stand->allocations;
    if (number == stand->fail_at || (stand->fail_from != 0 && number >= stand->fail_from))
        return NULL;
    void *memory = calloc(1, bytes);
    must(memory != NULL);
    stand->bytes += bytes;
    stand->pieces++;
    return memory;
}

static void take_back(void *arg, void *memory, size_t bytes)
{
    struct stand *stand = arg;
    must(memory != NULL && stand->bytes >= bytes && stand->pieces > 0);
    stand->bytes -= bytes;
    stand->pieces--;
    free(memory);
}

static void wait_for(void *arg, struct hftl_media *medium)
{
    (void)arg;
    (void)medium;
}

static void keep_line(void *arg, enum hftl_log_level level, const char *message)
{
    struct stand *stand = arg;
    if (level == HFTL_LOG_DEBUG)
        return;
    snprintf(stand->log[stand->log_lines++ % 16], sizeof(stand->log[0]), "%s", message);
    if (getenv("STAND_LOG") != NULL)
        fprintf(stderr, "    %s\n", message);
}

bool stand_logged(const struct stand *stand, const char *text)
{
    for (unsigned i = 0; i < 16; i++)
        if (strstr(stand->log[i], text) != NULL)
            return true;
    return false;
}

static void answer(void *arg, struct hftl_request *request)
{
    struct stand *stand = arg;
    struct ask *ask = request->arg;
    assert_false(ask->answered); /* exactly once */
    ask->answered = true;
    ask->turn = stand->completed++;
}

/* ---- a stand's life ---- */

void stand_init(struct stand *stand, const struct stand_shape *shape)
{
    memset(stand, 0, sizeof(*stand));
    prng_seed(&stand->prng, 1);
    stand->epoch_seconds = 1700000000;
    stand->world = (struct world){.arg = stand,
                                  .now = tell_now,
                                  .clock = tell_clock,
                                  .random = draw,
                                  .alloc = lend,
                                  .release = take_back,
                                  .wait = wait_for,
                                  .log = keep_line};
    hftl_format_options_init(&stand->format);
    stand->format.columns = shape->columns;
    stand->format.interleave = shape->interleave;
    struct mem_options options = {.size = sizeof(options), .facts = shape->facts};
    char text[200] = "";
    if (mem_store_create(&options, &stand->store, text, sizeof(text)) != HFTL_OK)
        fail_msg("%s: %s", shape->name, text);
    stand_attach(stand);
}

void stand_attach(struct stand *stand)
{
    assert_int_equal(mem_attach(stand->store, &stand->mem), HFTL_OK);
    stand->tap = calloc(1, sizeof(*stand->tap));
    stand->tap->notes = calloc(TAP_NOTES_MAX, sizeof(struct tap_note));
    stand->tap->media = (struct hftl_media){.ops = &tap_ops, .facts = stand->mem->facts};
    stand->tap->inner = stand->mem;
    assert_int_equal(pipe(stand->tap->quiet), 0);
    struct guard_options options = {.size = sizeof(options)};
    assert_int_equal(guard_open(&stand->tap->media, &options, &stand->guard), HFTL_OK);
    tap_clear(stand->tap);
}

void stand_detach(struct stand *stand)
{
    if (stand->guard == NULL)
        return;
    (void)guard_abandon(stand->guard);
    mem_abandon(stand->mem);
    free_tap(stand->tap);
    stand->guard = NULL;
    stand->tap = NULL;
}

void stand_begin(struct stand *stand, const char *shape)
{
    stand_init(stand, stand_shape_named(shape));
    stand_format(stand);
    stand_open(stand);
}

void stand_end(struct stand *stand)
{
    if (stand->device != NULL)
        (void)stand_try_close(stand);
    stand_detach(stand);
    mem_store_destroy(stand->store);
    free(stand->expected);
    assert_int_equal(stand->bytes, 0);
    assert_int_equal(stand->pieces, 0);
}

enum hftl_status stand_try_format(struct stand *stand)
{
    stand->why.text[0] = '\0';
    return device_format(stand->guard, &stand->world, &stand->format, &stand->info, &stand->why);
}

void stand_format(struct stand *stand)
{
    if (stand_try_format(stand) != HFTL_OK)
        fail_msg("format: %s", stand->why.text);
    free(stand->expected);
    stand->expected_count = stand->info.blocks;
    stand->expected = calloc(stand->expected_count, sizeof(uint64_t));
}

enum hftl_status stand_try_open(struct stand *stand)
{
    stand->why.text[0] = '\0';
    stand->options.world = stand->world;
    stand->options.complete = answer;
    stand->options.complete_arg = stand;
    return device_open(stand->guard, &stand->options, &stand->device, &stand->why);
}

void stand_check(struct stand *stand)
{
    struct why why = {""};
    if (device_check(stand->device, &why) != HFTL_OK)
        fail_msg("%s", why.text);
}

void stand_open(struct stand *stand)
{
    if (stand_try_open(stand) != HFTL_OK)
        fail_msg("open: %s", stand->why.text);
    stand_check(stand);
}

enum hftl_status stand_try_close(struct stand *stand)
{
    enum hftl_status status = device_close(stand->device);
    stand->device = NULL;
    assert_int_equal(stand->bytes, 0);
    assert_int_equal(stand->pieces, 0);
    return status;
}

void stand_close(struct stand *stand)
{
    enum hftl_status status = stand_try_close(stand);
    if (status != HFTL_OK)
        fail_msg("close: %s (%s)", hftl_status_text(status),
                 stand->log[(stand->log_lines + 15) % 16]);
}

void stand_reopen(struct stand *stand)
{
    stand_close(stand);
    stand_open(stand);
}

/* On this medium an operation took effect when it was sent, so to land what is in flight changes
 * nothing but the memory of an engine that is about to die. What the tap kept back never
 * happened. */
static void land_all(struct stand *stand)
{
    struct tap *tap = stand->tap;
    struct guard_counts counts;
    must(tap->failed_count + tap->held_count <= TAP_HELD_MAX);
    for (uint32_t i = 0; i < tap->held_count; i++) {
        tap->held[i]->status = HFTL_IO;
        tap->failed[tap->failed_count++] = tap->held[i];
    }
    tap->held_count = 0;
    for (guard_count(stand->guard, &counts); counts.in_flight > 0;
         guard_count(stand->guard, &counts))
        stand->guard->ops->reap(stand->guard, OUTBOX_MAX);
}

void stand_crash(struct stand *stand, bool power, uint64_t seed)
{
    if (stand->device != NULL) {
        land_all(stand);
        device_discard(stand->device);
    }
    stand->device = NULL;
    stand_detach(stand);
    assert_int_equal(stand->bytes, 0);
    if (power)
        mem_cut(stand->store, seed);
    stand_attach(stand);
}

/* ---- steps and requests ---- */

bool stand_step(struct stand *stand)
{
    bool more = device_step(stand->device);
    if (!stand->unchecked)
        stand_check(stand);
    return more;
}

void stand_settle(struct stand *stand)
{
    for (uint32_t steps = 0;; steps++) {
        struct guard_counts counts;
        if (steps > STEPS_MAX)
            fail_msg("the engine runs in a circle");
        bool more = stand_step(stand);
        guard_count(stand->guard, &counts);
        if (!more && counts.in_flight == stand->tap->held_count)
            return;
    }
}

void stand_ask(struct stand *stand, struct ask *ask, enum hftl_verb verb, unsigned flags,
               uint64_t lba, uint64_t blocks, void *data)
{
    memset(ask, 0, sizeof(*ask));
    ask->iov[0] = (struct iovec){data, (size_t)(blocks * stand->device->geometry.block_bytes)};
    ask->request = (struct hftl_request){.verb = verb,
                                         .flags = flags,
                                         .lba = lba,
                                         .blocks = blocks,
                                         .iov = ask->iov,
                                         .iov_count = 1,
                                         .arg = ask,
                                         .status = HFTL_STATUS_COUNT};
    device_submit(stand->device, &ask->request);
    assert_false(ask->answered);
}

enum hftl_status stand_wait(struct stand *stand, struct ask *ask)
{
    uint32_t idle = 0;
    for (uint32_t steps = 0; !ask->answered; steps++) {
        if (steps > STEPS_MAX)
            fail_msg("a request is not answered in %u steps", STEPS_MAX);
        idle = stand_step(stand) ? 0 : idle + 1;
        if (idle > 3)
            fail_msg("%s of %llu blocks at %llu: never answered, nothing moves",
                     ask->request.verb == HFTL_WRITE ? "a write" : "a request",
                     (unsigned long long)ask->request.blocks, (unsigned long long)ask->request.lba);
    }
    return ask->request.status;
}

enum hftl_status stand_do(struct stand *stand, enum hftl_verb verb, unsigned flags, uint64_t lba,
                          uint64_t blocks, void *data)
{
    struct ask ask;
    stand_ask(stand, &ask, verb, flags, lba, blocks, data);
    return stand_wait(stand, &ask);
}

void stand_fill(const struct stand *stand, uint8_t *data, uint64_t lba, uint64_t blocks,
                uint64_t version)
{
    uint32_t bytes = stand->tap->media.facts.block_bytes;
    memset(data, 0, (size_t)blocks * bytes);
    for (uint64_t i = 0; version != 0 && i < blocks; i++)
        for (uint32_t at = 0; at < bytes; at += 64) {
            put_u64(data + i * bytes + at, lba + i);
            put_u64(data + i * bytes + at + 8, version);
            put_u64(data + i * bytes + at + 16, (lba + i + at) * UINT64_C(0x9E3779B97F4A7C15));
        }
}

bool stand_holds(const struct stand *stand, const uint8_t *data, uint64_t lba, uint64_t version)
{
    uint8_t right[HFTL_BLOCK_BYTES];
    stand_fill(stand, right, lba, 1, version);
    return memcmp(right, data, stand->tap->media.facts.block_bytes) == 0;
}

static void write_version(struct stand *stand, unsigned flags, uint64_t lba, uint64_t blocks,
                          uint64_t version)
{
    uint8_t *data = calloc((size_t)blocks, stand->tap->media.facts.block_bytes);
    stand_fill(stand, data, lba, blocks, version);
    enum hftl_status status = stand_do(stand, HFTL_WRITE, flags, lba, blocks, data);
    free(data);
    if (status != HFTL_OK)
        fail_msg("writing lba %llu: %s", (unsigned long long)lba, hftl_status_text(status));
    for (uint64_t i = 0; i < blocks; i++)
        stand->expected[lba + i] = version;
}

void stand_write(struct stand *stand, uint64_t lba, uint64_t blocks, uint64_t version)
{
    write_version(stand, 0, lba, blocks, version);
}

void stand_write_fua(struct stand *stand, uint64_t lba, uint64_t blocks, uint64_t version)
{
    write_version(stand, HFTL_FUA, lba, blocks, version);
}

void stand_trim(struct stand *stand, uint64_t lba, uint64_t blocks)
{
    assert_int_equal(stand_do(stand, HFTL_TRIM, 0, lba, blocks, NULL), HFTL_OK);
    memset(stand->expected + lba, 0, (size_t)blocks * sizeof(uint64_t));
}

void stand_flush(struct stand *stand)
{
    assert_int_equal(stand_do(stand, HFTL_FLUSH, 0, 0, 0, NULL), HFTL_OK);
}

enum hftl_status stand_read_status(struct stand *stand, uint64_t lba)
{
    uint8_t data[HFTL_BLOCK_BYTES];
    return stand_do(stand, HFTL_READ, 0, lba, 1, data);
}

void stand_expect(struct stand *stand, uint64_t lba, uint64_t blocks, uint64_t version)
{
    uint32_t bytes = stand->tap->media.facts.block_bytes;
    uint8_t *data = malloc((size_t)blocks * bytes);
    memset(data, 0xa5, (size_t)blocks * bytes);
    enum hftl_status status = stand_do(stand, HFTL_READ, 0, lba, blocks, data);
    uint64_t wrong = 0;
    while (wrong < blocks && stand_holds(stand, data + wrong * bytes, lba + wrong, version))
        wrong++;
    uint64_t found = wrong < blocks ? get_u64(data + wrong * bytes + 8) : 0;
    free(data);
    if (status != HFTL_OK || wrong < blocks)
        fail_msg("lba %llu: %s; expected version %llu, found %llu",
                 (unsigned long long)(lba + wrong), hftl_status_text(status),
                 (unsigned long long)version, (unsigned long long)found);
}

void stand_verify(struct stand *stand)
{
    for (uint64_t lba = 0; lba < stand->expected_count;) {
        uint64_t blocks = 1;
        while (blocks < 64 && lba + blocks < stand->expected_count &&
               stand->expected[lba + blocks] == stand->expected[lba])
            blocks++;
        stand_expect(stand, lba, blocks, stand->expected[lba]);
        lba += blocks;
    }
}

void stand_write_all(struct stand *stand, uint64_t version)
{
    for (uint64_t lba = 0; lba < stand->expected_count; lba += 64)
        stand_write(stand, lba, min_u64(64, stand->expected_count - lba), version);
    stand_flush(stand);
}

bool stand_churn(struct stand *stand, uint64_t first, uint64_t most,
                 bool (*done)(struct stand *stand))
{
    uint64_t room = stand->expected_count - first;
    for (uint64_t i = 0; i < most; i++) {
        if (done(stand))
            return true;
        uint64_t lba = first + i % room;
        stand_write(stand, lba, 1, (stand->expected[lba] & 0xffff) + 1);
    }
    return done(stand);
}

/* ---- looking inside ---- */

static bool find_in_tail(struct stand *stand, const struct band *band, uint32_t position,
                         struct ident *ident)
{
    const struct geometry *g = &stand->device->geometry;
    struct hftl_media_op op;
    band_locate(stand->device, band, geometry_tail(g, band->width) + position / g->tail_max, &op);
    const uint8_t *block = mem_block(stand->store, op.chunk, op.offset);
    return ident_decode(block + FORMAT_TAIL_IDENTS_AT +
                            (size_t)(position % g->tail_max) * FORMAT_IDENT_BYTES,
                        ident) == HFTL_OK;
}

struct ident stand_ident(struct stand *stand, uint64_t lba)
{
    uint32_t position;
    struct ident ident = {.seq = 0};
    const struct band *band = stand_band_of(stand, lba, &position);
    struct stream *stream = stream_of_band(stand->device, band);
    const uint8_t *kept = band->idents != NULL ? band->idents
                          : stream != NULL     ? stream_pen(stream, band)->idents
                                               : NULL;
    bool found = kept != NULL
                     ? ident_decode(kept + (size_t)position * FORMAT_IDENT_BYTES, &ident) == HFTL_OK
                     : find_in_tail(stand, band, position, &ident);
    assert_true(found);
    return ident;
}

uint32_t stand_bands_in(const struct stand *stand, enum band_state state)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < stand->device->geometry.bands; i++)
        count += stand->device->bands[i].state == state;
    return count;
}

struct band *stand_band_of(struct stand *stand, uint64_t lba, uint32_t *position)
{
    hftl_pba pba = map_get(stand->device, (hftl_lba){lba});
    assert_false(map_is_none(pba));
    return band_of(stand->device, pba, position);
}

uint8_t *stand_media_block(struct stand *stand, uint64_t lba)
{
    uint32_t position;
    struct hftl_media_op op;
    const struct band *band = stand_band_of(stand, lba, &position);
    band_locate(stand->device, band, position, &op);
    return mem_block(stand->store, op.chunk, op.offset);
}
