/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "test/front/lives.h"

#include "base/crc.h"
#include "core/device.h"
#include "front/live.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLOTS 16
#define BLOCKS_MAX 16u
#define DIED 7
#define TRIM_MAX 300u

#define OCSSD(g, p, c, b)                                                                          \
    .size = sizeof(struct emu_create_options), .kind = HFTL_KIND_OCSSD, .groups = (g),             \
    .pus_per_group = (p), .chunks_per_pu = (c), .chunk_blocks = (b)
#define ZONED(n, b)                                                                                \
    .size = sizeof(struct emu_create_options), .kind = HFTL_KIND_ZONED, .chunks_per_pu = (n),      \
    .chunk_blocks = (b)

/* All of about 16 MiB. */
const struct drive_shape drive_shapes[] = {
    {"zoned, one column", 1, {ZONED(32, 128)}},
    {"zoned, two columns", 2, {ZONED(64, 56), .zone_blocks = 64}},
    {"zoned, four columns, units of 4", 4, {ZONED(64, 64), .ws_min = 4, .ws_opt = 8}},
    {"zoned, OOB", 2, {ZONED(40, 96), .ws_min = 12, .ws_opt = 12, .oob_bytes = 64}},
    {"ocssd, four PUs", 0, {OCSSD(2, 2, 16, 64), .ws_min = 4, .ws_opt = 8, .mw_cunits = 16}},
    {"ocssd, three PUs, units of 24",
     0,
     {OCSSD(1, 3, 14, 96), .ws_min = 24, .ws_opt = 24, .mw_cunits = 24, .oob_bytes = 16}},
    {"ocssd, two PUs, bad chunks",
     0,
     {OCSSD(1, 2, 32, 64), .ws_min = 1, .ws_opt = 4, .mw_cunits = EMU_NONE, .bad_chunks = 3}},
};
const unsigned drive_shape_count = sizeof(drive_shapes) / sizeof(drive_shapes[0]);

/* ---- files ---- */

static char folder[256];
static char path_made[320];
static pid_t owner;

static void remove_folder(void)
{
    if (getpid() != owner)
        return;
    (void)unlink(path_made);
    (void)rmdir(folder);
}

const char *image_path(const char *name)
{
    if (path_made[0] == 0) {
        /* In memory, where there is such a place: thousands of small files are made. */
        const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
        (void)snprintf(folder, sizeof(folder), "%s/hostftl-lives-XXXXXX", parent);
        if (mkdtemp(folder) == NULL)
            abort();
        owner = getpid();
        (void)atexit(remove_folder);
    }
    (void)snprintf(path_made, sizeof(path_made), "%s/%s", folder, name);
    return path_made;
}

uint32_t image_hash(const char *path)
{
    static uint8_t bytes[1 << 18];
    uint32_t hash = 0;
    ssize_t got;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    while ((got = read(fd, bytes, sizeof(bytes))) > 0)
        hash = crc32c(hash, bytes, (size_t)got);
    assert_true(got == 0);
    (void)close(fd);
    return hash;
}

void image_make(const char *path, const struct drive_shape *shape, bool outlives_host,
                uint64_t seed)
{
    struct emu_create_options options = shape->options;
    struct hftl_format_options format;
    char why[512] = "";
    options.size = sizeof(options);
    options.overwrite = true;
    options.no_fsync = true;
    options.outlives_host = outlives_host;
    options.seed = seed;
    if (emu_create(path, &options, why, sizeof(why)) != HFTL_OK)
        fail_msg("%s: %s", shape->name, why);
    hftl_format_options_init(&format);
    format.columns = shape->columns;
    if (hftl_format(path, &format, NULL, why, sizeof(why)) != HFTL_OK)
        fail_msg("%s: %s", shape->name, why);
}

/* ---- a life ---- */

struct slot {
    struct hftl_request request;
    struct iovec iov;
    uint8_t data[BLOCKS_MAX * HFTL_BLOCK_BYTES];
    bool busy;
};

struct engine {
    struct live live; /* first: the world's argument */
    const struct life *life;
    struct hftl_media *medium;
    struct device *device;
    struct prng prng;
    unsigned turns;
    struct slot slots[SLOTS];
};

/* Here the power goes: what is in the drive's cache is in this process's memory. */
static void take_turn(struct engine *engine)
{
    if (++engine->turns == engine->life->dies_after)
        _exit(DIED);
}

static void wait_for_medium(void *arg, struct hftl_media *medium)
{
    struct pollfd ready = {.fd = medium->ops->fd(medium), .events = POLLIN};
    take_turn(arg);
    (void)poll(&ready, 1, 1000);
}

static void complete(void *arg, struct hftl_request *request)
{
    struct slot *slot = request->arg;
    (void)arg;
    if (request->status != HFTL_OK && request->status != HFTL_LOST)
        _exit(100 + (int)request->status);
    slot->busy = false;
}

static void step(struct engine *engine)
{
    take_turn(engine);
    if (!device_step(engine->device) && !device_is_idle(engine->device))
        wait_for_medium(engine, engine->medium);
}

static struct slot *get_slot(struct engine *engine)
{
    for (unsigned i = 0;; i = (i + 1) % SLOTS) {
        if (!engine->slots[i].busy)
            return &engine->slots[i];
        if (i == SLOTS - 1)
            step(engine);
    }
}

static void ask(struct engine *engine, enum hftl_verb verb, uint64_t lba, uint64_t blocks)
{
    struct slot *slot = get_slot(engine);
    bool fua = verb == HFTL_WRITE && prng_chance(&engine->prng, 1, 20);
    uint64_t spared = engine->life->spared;
    if (spared >= lba && spared < lba + blocks)
        return;
    slot->busy = true;
    slot->request = (struct hftl_request){.verb = verb, .flags = fua ? HFTL_FUA : 0, .lba = lba};
    slot->request.blocks = blocks;
    slot->request.arg = slot;
    if (verb == HFTL_WRITE) {
        for (uint64_t i = 0; i < blocks; i++)
            memcpy(slot->data + i * HFTL_BLOCK_BYTES, &engine->prng, sizeof(engine->prng));
        slot->iov = (struct iovec){slot->data, blocks * HFTL_BLOCK_BYTES};
        slot->request.iov = &slot->iov;
        slot->request.iov_count = 1;
    }
    device_submit(engine->device, &slot->request);
}

static void ask_by_chance(struct engine *engine)
{
    uint64_t blocks = device_blocks(engine->device);
    uint64_t what = prng_below(&engine->prng, 100);
    /* Half of all goes to an eighth, so that bands differ in what they keep. */
    uint64_t first = prng_below(&engine->prng, what % 2 == 0 ? blocks : blocks / 8);
    uint64_t most = what < 90 ? BLOCKS_MAX : TRIM_MAX;
    uint64_t count = 1 + prng_below(&engine->prng, most);
    if (count > blocks - first)
        count = blocks - first;
    if (what >= 97)
        ask(engine, HFTL_FLUSH, 0, 0);
    else
        ask(engine, what < 90 ? HFTL_WRITE : HFTL_TRIM, first, count);
}

static void work(struct engine *engine)
{
    uint64_t blocks = device_blocks(engine->device);
    for (uint64_t lba = 0; engine->life->fill && lba < blocks; lba += BLOCKS_MAX)
        ask(engine, HFTL_WRITE, lba, blocks - lba < BLOCKS_MAX ? blocks - lba : BLOCKS_MAX);
    for (unsigned i = 0; i < engine->life->requests; i++)
        ask_by_chance(engine);
}

static int live(const char *path, const struct life *life)
{
    struct engine *engine = calloc(1, sizeof(*engine));
    struct emu_open_options options = {
        .size = sizeof(options), .no_uring = true, .no_fsync = true, .seed = life->seed};
    struct device_options device = {.complete = complete};
    struct why why;
    char text[256];
    engine->life = life;
    prng_seed(&engine->prng, life->seed);
    live_init(&engine->live, NULL, NULL);
    device.world = live_world(&engine->live);
    device.world.wait = wait_for_medium;
    if (emu_open(path, &options, &engine->medium, text, sizeof(text)) != HFTL_OK ||
        device_open(engine->medium, &device, &engine->device, &why) != HFTL_OK)
        return 1;
    work(engine);
    if (device_close(engine->device) != HFTL_OK)
        return 2;
    engine->medium->ops->close(engine->medium);
    free(engine);
    return 0;
}

enum life_end image_live(const char *path, const struct life *life)
{
    int code = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)alarm(60);
        _exit(live(path, life));
    }
    assert_int_equal(waitpid(child, &code, 0), child);
    if (!WIFEXITED(code) || (WEXITSTATUS(code) != 0 && WEXITSTATUS(code) != DIED))
        fail_msg("seed %llu: the life ended with 0x%x", (unsigned long long)life->seed, code);
    return WEXITSTATUS(code) == DIED ? LIFE_DIED : LIFE_CLOSED;
}

/* ---- examining ---- */

static void take(void *arg, const struct hftl_finding *finding)
{
    struct said *said = arg;
    if (said->count == FINDINGS_KEPT)
        return;
    said->findings[said->count] = *finding;
    (void)snprintf(said->sentences[said->count], sizeof(said->sentences[0]), "%s",
                   finding->sentence);
    said->findings[said->count].sentence = said->sentences[said->count];
    said->count++;
}

void image_examine(const char *path, struct said *said)
{
    struct hftl_examine_options options;
    char why[512] = "";
    memset(said, 0, sizeof(*said));
    hftl_examine_options_init(&options);
    options.finding = take;
    options.finding_arg = said;
    said->result.size = sizeof(said->result);
    if (hftl_examine(path, &options, &said->result, why, sizeof(why)) != HFTL_OK)
        fail_msg("%s", why);
}

void said_print(const struct said *said)
{
    for (unsigned i = 0; i < said->count; i++) {
        const struct hftl_finding *f = &said->findings[i];
        print_message("%s: %s, chunk %d block %d, band %d position %d: %s\n",
                      f->level == HFTL_FINDING_ERROR ? "error" : "note", f->what,
                      (int)f->place.chunk, (int)f->place.offset, (int)f->place.band,
                      (int)f->place.position, f->sentence);
    }
}
