/* SPDX-License-Identifier: BSD-3-Clause */
/* bench.c - hostftl bench: what a device does, measured in this process, without a server. */
#include "tool/bench.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/progress.h"
#include "tool/units.h"

#define MEDIUM_DEFAULT "mem:256M,kind=zoned"
#define DEPTH_MAX 4096u
#define OP_PERMILLE_MAX 9000u /* what the library takes */
#define REQUEST_BYTES_MAX (UINT64_C(1) << 20)
#define SEED_MAX ((UINT64_C(1) << 53) - 1) /* every reader of JSON can hold it */
#define SECONDS_DEFAULT 5u
#define SECONDS_MAX 1000000u
#define MESSAGES_MAX 8u
#define FILL_BLOCKS 64u /* of a request that fills: 256 KiB */
#define FILL_DEPTH 32u

enum {
    KEY_MEDIUM = 256,
    KEY_WORKLOAD,
    KEY_DEPTH,
    KEY_BLOCK_SIZE,
    KEY_SECONDS,
    KEY_COUNT,
    KEY_RUNS,
    KEY_SEED,
    KEY_DISTRIBUTION,
    KEY_PRECONDITION,
    KEY_OP,
    KEY_REPORT,
    KEY_FORCE,
    KEY_VERIFY,
};

static const struct bench_workload workloads[] = {
    {"fresh-write", {0, 0, false}, BENCH_IN_ORDER, BENCH_NONE, true},
    {"fresh-random-write", {0, 0, false}, BENCH_ONCE, BENCH_NONE, true},
    {"sequential-write", {0, 0, false}, BENCH_IN_ORDER, BENCH_STEADY, false},
    {"sequential-read", {1000, 0, false}, BENCH_IN_ORDER, BENCH_FILL, false},
    {"random-write", {0, 0, false}, BENCH_AS_ASKED, BENCH_STEADY, false},
    {"random-read", {1000, 0, false}, BENCH_AS_ASKED, BENCH_FILL, false},
    {"mixed", {700, 0, false}, BENCH_AS_ASKED, BENCH_STEADY, false},
    {"trim-mix", {200, 100, false}, BENCH_AS_ASKED, BENCH_STEADY, false},
    {"fsync", {0, 0, true}, BENCH_AS_ASKED, BENCH_STEADY, false},
};
#define WORKLOADS                                                                                  \
    "fresh-write, fresh-random-write, sequential-write, sequential-read, random-write, "           \
    "random-read, mixed, trim-mix or fsync"

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

/* ---- the command line ------------------------------------------------------------------------ */

static error_t parse_number(struct tool *tool, const char *arg, uint64_t max, uint64_t *n)
{
    if (units_parse_count(arg, max, n) && *n > 0)
        return 0;
    char todo[64];
    (void)snprintf(todo, sizeof todo, "write 1 to %llu", (unsigned long long)max);
    return tool_usage(tool, "not a number that can be taken", arg, todo);
}

static error_t parse_workload(struct tool *tool, struct bench_asked *asked, const char *arg)
{
    for (size_t i = 0; i < sizeof workloads / sizeof workloads[0]; i++) {
        if (strcmp(arg, workloads[i].name) == 0)
            asked->workload = &workloads[i];
    }
    if (asked->workload != NULL && strcmp(asked->workload->name, arg) == 0)
        return 0;
    return tool_usage(tool, "no such workload", arg, "use " WORKLOADS);
}

static error_t parse_before(struct tool *tool, struct bench_asked *asked, const char *arg)
{
    static const char *const words[] = {"none", "fill", "steady"};

    for (enum bench_before i = BENCH_NONE; i <= BENCH_STEADY; i++) {
        if (strcmp(arg, words[i]) != 0)
            continue;
        asked->before = i;
        asked->before_given = true;
        return 0;
    }
    return tool_usage(tool, "no such preconditioning", arg, "use none, fill or steady");
}

static error_t parse_size(struct tool *tool, struct bench_asked *asked, const char *arg)
{
    if (units_parse_bytes(arg, &asked->request_bytes) && asked->request_bytes > 0 &&
        asked->request_bytes % HFTL_BLOCK_BYTES == 0 && asked->request_bytes <= REQUEST_BYTES_MAX)
        return 0;
    return tool_usage(tool, "not a size of requests", arg, "write a multiple of 4K, 1M at most");
}

/* "90:10" */
static bool parse_hot(const char *arg, struct chooser_shape *places)
{
    char draws[8] = "";
    const char *colon = strchr(arg, ':');
    uint64_t n;

    if (colon == NULL || (size_t)(colon - arg) >= sizeof draws)
        return false;
    memcpy(draws, arg, (size_t)(colon - arg));
    if (!units_parse_count(draws, 99, &n) || n == 0)
        return false;
    places->hot_draws_percent = (uint32_t)n;
    if (!units_parse_count(colon + 1, 99, &n) || n == 0)
        return false;
    places->hot_places_percent = (uint32_t)n;
    return true;
}

static error_t parse_distribution(struct tool *tool, struct bench_asked *asked, const char *arg)
{
    asked->places.kind = CHOOSER_UNIFORM;
    if (strcmp(arg, "zipf") == 0)
        asked->places.kind = CHOOSER_ZIPF;
    else if (parse_hot(arg, &asked->places))
        asked->places.kind = CHOOSER_HOT;
    else if (strcmp(arg, "uniform") != 0)
        return tool_usage(tool, "no such distribution", arg,
                          "use uniform, zipf, or as 90:10 percent of requests : of places");
    return 0;
}

static error_t parse_op(struct tool *tool, struct bench_asked *asked, const char *arg)
{
    if (units_parse_permille(arg, OP_PERMILLE_MAX, &asked->op_permille) && asked->op_permille > 0)
        return 0;
    return tool_usage(tool, "not a percentage", arg, "write 0.1 to 900, such as 20 or 12.5");
}

static error_t check_end(struct tool *tool, struct bench_asked *asked)
{
    if (asked->device != NULL && asked->medium != NULL)
        return tool_usage(tool, "a device that is there, or a medium for a new one, not both",
                          asked->device, NULL);
    if (asked->device != NULL && asked->op_permille != 0)
        return tool_usage(tool, "a device that is there has its spare space", "--op",
                          "use --medium");
    if (asked->device == NULL && (asked->medium == NULL || strcmp(asked->medium, "mem") == 0))
        asked->medium = MEDIUM_DEFAULT;
    if (asked->places.kind == CHOOSER_IN_ORDER)
        asked->places.kind = CHOOSER_UNIFORM;
    if (asked->workload == NULL)
        (void)parse_workload(tool, asked, "random-write");
    if (asked->workload->fresh && asked->device != NULL)
        return tool_usage(tool, "only a new device is fresh", asked->device, "use --medium");
    if (asked->count != 0 && asked->seconds != 0)
        return tool_usage(tool, "a run ends after a time or a count, not both", "--count", NULL);
    if (asked->request_bytes == 0)
        asked->request_bytes = HFTL_BLOCK_BYTES;
    if (asked->depth == 0)
        asked->depth = 32;
    if (asked->seed == 0)
        asked->seed = 1;
    if (asked->runs == 0)
        asked->runs = 3;
    return 0;
}

static error_t parse(struct tool *tool, void *settings, int key, char *arg,
                     const struct argp_state *state)
{
    struct bench_asked *asked = settings;

    switch (key) {
    case KEY_MEDIUM:
        asked->medium = arg;
        return 0;
    case KEY_WORKLOAD:
        return parse_workload(tool, asked, arg);
    case KEY_DEPTH:
        return parse_number(tool, arg, DEPTH_MAX, &asked->depth);
    case KEY_BLOCK_SIZE:
        return parse_size(tool, asked, arg);
    case KEY_SECONDS:
        return parse_number(tool, arg, SECONDS_MAX, &asked->seconds);
    case KEY_COUNT:
        return parse_number(tool, arg, SEED_MAX, &asked->count);
    case KEY_RUNS:
        return parse_number(tool, arg, BENCH_RUNS_MAX, &asked->runs);
    case KEY_SEED:
        return parse_number(tool, arg, SEED_MAX, &asked->seed);
    case KEY_DISTRIBUTION:
        return parse_distribution(tool, asked, arg);
    case KEY_PRECONDITION:
        return parse_before(tool, asked, arg);
    case KEY_OP:
        return parse_op(tool, asked, arg);
    case KEY_REPORT:
        asked->report = arg;
        return 0;
    case KEY_FORCE:
        asked->force = true;
        return 0;
    case KEY_VERIFY:
        if (units_parse_verify(arg, &asked->verify, &asked->verify_cache_bytes))
            return 0;
        return tool_usage(tool, "no such way to verify reads", arg,
                          "use always, cached, cached:SIZE or relocation");
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            return tool_usage(tool, "one device at a time", arg, NULL);
        asked->device = arg;
        return 0;
    case ARGP_KEY_END:
        return check_end(tool, asked);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* A drive that fails each read would fill the screen: the engine's messages are cut off. */
static void log_some(void *arg, enum hftl_log_level level, const char *message)
{
    struct bench *bench = arg;

    if (level <= HFTL_LOG_WARN && !bench->tool->verbose && bench->messages++ >= MESSAGES_MAX)
        return;
    tool_log((void *)(uintptr_t)bench->tool, level, message);
    if (level <= HFTL_LOG_WARN && bench->messages == MESSAGES_MAX)
        fprintf(stderr, "hostftl: bench: further messages only with -v\n");
}

/* ---- opening and closing --------------------------------------------------------------------- */

static bool only_reads(const struct bench_asked *asked)
{
    return asked->workload->mix.reads_permille == 1000;
}

/* Formats the medium unless a device that is there was named. */
static enum hftl_status format(const struct bench *bench, struct hftl_media *media, bool again,
                               char *why)
{
    struct hftl_format_options options;
    struct hftl_info info = {.size = sizeof info};

    if (bench->asked->medium == NULL)
        return HFTL_OK;
    hftl_format_options_init(&options);
    options.force = bench->asked->force || again;
    options.op_permille = bench->asked->op_permille;
    return hftl_format_media(media, &options, &info, why, TOOL_WHY_BYTES);
}

/* One of several devices that share a drive: only its parallel units are taken. */
static enum hftl_status open_named(const char *path, const char *hash, unsigned flags,
                                   struct hftl_media **media, char *why)
{
    struct hftl_media_open_options options = {.size = sizeof options, .flags = flags};
    struct hftl_info info = {.size = sizeof info};
    enum hftl_status status = hftl_probe(path, &info, why, TOOL_WHY_BYTES);
    if (status != HFTL_OK)
        return status;
    char *drive = strndup(path, (size_t)(hash - path));
    if (drive == NULL)
        return HFTL_MEMORY;
    options.pu_first = info.pu_first;
    options.pu_count = info.pu_count;
    status = hftl_media_open_pus(drive, &options, media, why, TOOL_WHY_BYTES);
    free(drive);
    return status;
}

static enum hftl_status open_medium(const struct bench_asked *asked, unsigned flags,
                                    struct hftl_media **media, char *why)
{
    const char *path = asked->medium != NULL ? asked->medium : asked->device;
    const char *hash = asked->medium != NULL ? NULL : strrchr(path, '#');
    if (hash != NULL && access(path, F_OK) != 0) /* a path that is there is a path */
        return open_named(path, hash, flags, media, why);
    return hftl_media_open(path, flags, media, why, TOOL_WHY_BYTES);
}

/* `again`: what is there is this bench's own. */
static int open_device(struct bench *bench, bool again)
{
    const struct bench_asked *asked = bench->asked;
    const char *path = asked->medium != NULL ? asked->medium : asked->device;
    bool look_only = asked->medium == NULL && !asked->force;
    struct hftl_open_options options;
    struct hftl_media *media;
    char why[TOOL_WHY_BYTES] = "";

    hftl_open_options_init(&options);
    options.flags = look_only ? HFTL_OPEN_READ_ONLY : 0;
    options.verify = asked->verify;
    options.verify_cache_bytes = asked->verify_cache_bytes;
    options.log = log_some;
    options.log_arg = bench;
    enum hftl_status status =
        open_medium(asked, look_only ? HFTL_MEDIA_OPEN_READ_ONLY : 0, &media, why);
    if (status != HFTL_OK)
        return tool_fail_why(bench->tool, status, why, path);
    bench->meter = media; /* until there is one around it */
    status = meter_open(media, &bench->meter);
    if (status == HFTL_OK && !again) {
        bench_floor_measure(&bench->floor, &media->facts);
        bench_forget_peak();
    }
    if (status == HFTL_OK)
        status = format(bench, bench->meter, again, why);
    if (status != HFTL_OK) {
        bench->meter->ops->close(bench->meter);
        return tool_fail_why(bench->tool, status, why, path);
    }
    status = hftl_open_media(bench->meter, &options, &bench->device, why, sizeof why);
    if (status != HFTL_OK)
        return tool_fail_why(bench->tool, status, why, path);
    bench->info.size = sizeof bench->info;
    hftl_get_info(bench->device, &bench->info);
    return TOOL_OK;
}

static int close_device(struct bench *bench)
{
    if (bench->device == NULL)
        return TOOL_OK;
    enum hftl_status status = hftl_close(bench->device);
    bench->device = NULL;
    if (status == HFTL_OK)
        return TOOL_OK;
    return tool_fail(bench->tool, &(struct failure){status, "the device was not closed in order",
                                                    NULL, hftl_status_text(status)});
}

/* ---- measuring ------------------------------------------------------------------------------- */

static void read_counts(const struct bench *bench, struct bench_delta *counts)
{
    memset(counts, 0, sizeof *counts);
    counts->stats.size = sizeof counts->stats;
    hftl_get_stats(bench->device, &counts->stats);
    meter_read(bench->meter, &counts->door);
}

/* `now` becomes what was added since `before`. */
static void subtract(struct bench_delta *now, const struct bench_delta *before)
{
#define SUBTRACT(member) now->stats.member -= before->stats.member
    SUBTRACT(bands_closed);
    SUBTRACT(bands_erased);
    SUBTRACT(stalls);
#undef SUBTRACT
    for (unsigned i = 0; i < HFTL_IO_COUNT; i++)
        now->stats.written[i].blocks -= before->stats.written[i].blocks;
    for (unsigned i = 0; i < HFTL_MEDIA_VERB_COUNT; i++) {
        now->door.operations[i] -= before->door.operations[i];
        now->door.blocks[i] -= before->door.blocks[i];
    }
}

/* One run of a load, and what it added to the counts. */
static void measure(struct bench *bench, struct load *load, const struct load_end *end,
                    struct bench_run *run)
{
    struct bench_delta before;

    read_counts(bench, &before);
    load_run(load, end, &run->load);
    read_counts(bench, &run->delta);
    subtract(&run->delta, &before);
    bench->interrupted = stop != 0;
}

struct chooser_shape bench_places(const struct bench_asked *asked)
{
    switch (asked->workload->order) {
    case BENCH_IN_ORDER:
        return (struct chooser_shape){.kind = CHOOSER_IN_ORDER};
    case BENCH_ONCE:
        return (struct chooser_shape){.kind = CHOOSER_ONCE};
    default:
        return asked->places;
    }
}

static struct load_options load_options(const struct bench *bench)
{
    return (struct load_options){
        .device = bench->device,
        .mix = bench->asked->workload->mix,
        .places = bench_places(bench->asked),
        .request_blocks = (uint32_t)(bench->asked->request_bytes / HFTL_BLOCK_BYTES),
        .depth = (uint32_t)bench->asked->depth,
        .seed = bench->asked->seed,
        .stop = &stop,
    };
}

static int failed(const struct bench *bench, enum hftl_status error)
{
    return tool_fail(bench->tool,
                     &(struct failure){error, "requests failed", NULL, hftl_status_text(error)});
}

static int no_memory(const struct bench *bench)
{
    return tool_fail(bench->tool, &(struct failure){HFTL_MEMORY, "no memory for the requests", NULL,
                                                    "fewer or smaller ones may do"});
}

/* Each block once, in order. */
static int fill(struct bench *bench, struct bench_run *run)
{
    struct load_options options = load_options(bench);
    struct progress progress;

    options.mix = (struct load_mix){0};
    options.places = (struct chooser_shape){.kind = CHOOSER_IN_ORDER};
    options.request_blocks = FILL_BLOCKS;
    options.depth = FILL_DEPTH;
    options.progress = progress_step;
    options.progress_arg = &progress;
    struct load *load = load_open(&options);
    if (load == NULL)
        return no_memory(bench);
    const struct load_end end = {.count = (bench->info.blocks + FILL_BLOCKS - 1) / FILL_BLOCKS};
    progress_begin(&progress, bench->tool, "requests to fill it");
    measure(bench, load, &end, run);
    progress_end(&progress);
    load_close(load);
    return run->load.failed == 0 ? TOOL_OK : failed(bench, run->load.error);
}

static bool is_steady(const struct bench *bench)
{
    double least, most, sum = 0;

    if (bench->windows < BENCH_WINDOWS_STEADY)
        return false;
    const double *last = &bench->window_wafs[bench->windows - BENCH_WINDOWS_STEADY];
    least = most = last[0];
    for (unsigned i = 0; i < BENCH_WINDOWS_STEADY; i++) {
        least = last[i] < least ? last[i] : least;
        most = last[i] > most ? last[i] : most;
        sum += last[i];
    }
    return (most - least) * 1000 <= BENCH_STEADY_PERMILLE * sum / BENCH_WINDOWS_STEADY;
}

/* Overwrites as the workload writes, until the price of it stays as it is. */
static int settle(struct bench *bench, struct bench_run *run)
{
    struct load_options options = load_options(bench);
    struct progress progress;
    int code = TOOL_OK;

    options.mix = (struct load_mix){0};
    options.depth = options.depth < FILL_DEPTH ? FILL_DEPTH : options.depth;
    options.seed = ~options.seed; /* not what the runs will write */
    struct load *load = load_open(&options);
    if (load == NULL)
        return no_memory(bench);
    uint64_t requests = bench->info.blocks / options.request_blocks / BENCH_WINDOWS_A_DEVICE;
    const struct load_end end = {.count = requests + 1};
    progress_begin(&progress, bench->tool, "windows at most until WAF is steady");
    while (code == TOOL_OK && !bench->interrupted && !bench->steady &&
           bench->windows < BENCH_WINDOWS_MAX) {
        measure(bench, load, &end, run);
        if (run->load.failed != 0)
            code = failed(bench, run->load.error);
        if (bench->interrupted)
            break; /* less than a window */
        bench->window_wafs[bench->windows++] = bench_waf(run);
        bench->steady = is_steady(bench);
        progress_step(&progress, bench->windows, BENCH_WINDOWS_MAX);
    }
    progress_end(&progress);
    load_close(load);
    return code;
}

static int precondition(struct bench *bench, struct bench_run *run)
{
    int code = TOOL_OK;

    if (bench->before != BENCH_NONE)
        code = fill(bench, run);
    if (code == TOOL_OK && bench->before == BENCH_STEADY && !bench->interrupted)
        code = settle(bench, run);
    return code;
}

/* The runs, one after the other; of a new device, each of its own. */
static int run_all(struct bench *bench, struct progress *progress)
{
    const struct bench_asked *asked = bench->asked;
    struct load_options options = load_options(bench);
    struct load_end end = {.count = asked->count, .ns = asked->seconds * 1000000000};
    struct load *load = NULL;
    int code = TOOL_OK;

    options.progress = progress_step;
    options.progress_arg = progress;
    uint64_t places = (bench->info.blocks + options.request_blocks - 1) / options.request_blocks;
    if (asked->workload->fresh && (end.count == 0 || end.count > places))
        end.count = places;
    else if (end.count == 0 && end.ns == 0)
        end.ns = SECONDS_DEFAULT * UINT64_C(1000000000);
    while (code == TOOL_OK && bench->run_count < asked->runs && !bench->interrupted) {
        struct bench_run *run = &bench->runs[bench->run_count];

        if (load == NULL)
            load = load_open(&options);
        if (load == NULL)
            return no_memory(bench);
        measure(bench, load, &end, run);
        bench_measure(bench, run);
        bench->run_count++;
        if (!asked->workload->fresh || bench->run_count == asked->runs)
            continue;
        load_close(load);
        load = NULL;
        code = close_device(bench);
        if (code == TOOL_OK)
            code = open_device(bench, true);
        options.device = bench->device;
    }
    if (load != NULL)
        load_close(load);
    return code;
}

/* Destroying what is there must be asked for. */
static int check_consent(const struct bench *bench)
{
    const struct bench_asked *asked = bench->asked;
    struct hftl_info info = {.size = sizeof info};
    char why[TOOL_WHY_BYTES] = "";

    if (asked->force)
        return TOOL_OK;
    if (asked->medium != NULL) {
        /* Formatting refuses too, but not before the drive was opened for writing. */
        if (hftl_probe(asked->medium, &info, why, sizeof why) != HFTL_OK)
            return TOOL_OK;
        return tool_fail_why(bench->tool, HFTL_EXISTS, "there is a hostftl device", asked->medium);
    }
    if (only_reads(asked) && bench->before == BENCH_NONE)
        return TOOL_OK;
    return tool_fail(bench->tool,
                     &(struct failure){HFTL_EXISTS, "this would overwrite what the device holds",
                                       asked->device,
                                       "--force does; reads alone (sequential-read, random-read) "
                                       "need no consent"});
}

/* With fewer, WAF says more of the bands that are open than of the spare space. */
#define BANDS_FEW 200u

/* In words and in the exit code: a figure that is not what was asked for must not pass for it. */
static int judge(const struct bench *bench)
{
    uint64_t failures = 0;

    for (uint32_t i = 0; i < bench->run_count; i++)
        failures += bench->runs[i].load.failed;
    if (bench->interrupted)
        fprintf(stderr, "hostftl: bench: interrupted: the figures are of what was done\n");
    if (failures > 0)
        fprintf(stderr, "hostftl: bench: %llu requests failed\n", (unsigned long long)failures);
    if (bench->before == BENCH_STEADY && !bench->steady && !bench->interrupted)
        fprintf(stderr, "hostftl: bench: warning: WAF did not become steady within %u windows\n",
                bench->windows);
    if (bench->before == BENCH_STEADY && bench->info.bands < BANDS_FEW)
        fprintf(stderr,
                "hostftl: bench: warning: the device has %u bands, and much of its spare space is "
                "in open ones: WAF would be less with more\n",
                bench->info.bands);
    return bench->interrupted || failures > 0 ? TOOL_FAILED : TOOL_OK;
}

/*
 * The process keeps memory that it has had once. A drive in memory would otherwise get each page of
 * it from the kernel anew, and the layer would be charged with that.
 */
static void keep_memory(void)
{
    (void)mallopt(M_MMAP_MAX, 0);
    (void)mallopt(M_TRIM_THRESHOLD, INT_MAX);
}

static int run(struct tool *tool, void *settings)
{
    const struct bench_asked *asked = settings;
    struct bench bench = {.tool = tool, .asked = asked, .before = asked->workload->before};
    struct sigaction action = {.sa_handler = on_signal};
    struct progress progress;

    if (asked->before_given)
        bench.before = asked->before;
    else if (asked->device != NULL && only_reads(asked) && !asked->force)
        bench.before = BENCH_NONE;
    int code = check_consent(&bench);
    if (code != TOOL_OK)
        return code;
    if (asked->medium != NULL && strstr(asked->medium, "mem:") != NULL)
        keep_memory();
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    bench.runs = tool_made(calloc(asked->runs, sizeof *bench.runs));
    code = bench_report_open(&bench);
    if (code == TOOL_OK)
        code = open_device(&bench, false);
    if (code == TOOL_OK)
        code = precondition(&bench, &bench.runs[0]);
    if (code == TOOL_OK) {
        progress_begin(&progress, tool, asked->count != 0 ? "requests" : "milliseconds");
        code = run_all(&bench, &progress);
        progress_end(&progress);
    }
    if (bench.device != NULL)
        hftl_get_info(bench.device, &bench.info);
    int closed = close_device(&bench);
    code = code != TOOL_OK ? code : closed;
    if (code == TOOL_OK)
        code = bench_tell(&bench);
    if (code == TOOL_OK)
        code = judge(&bench);
    if (bench.report != NULL)
        (void)fclose(bench.report); /* nothing was measured: it stays empty */
    free(bench.runs);
    return code;
}

static const struct argp_option options[] = {
    {"medium", KEY_MEDIUM, "MEDIUM", 0, "Make a new device on this medium; default " MEDIUM_DEFAULT,
     0},
    {"workload", KEY_WORKLOAD, "NAME", 0, WORKLOADS "; default random-write", 0},
    {"qd", KEY_DEPTH, "N", 0, "Requests in flight; default 32", 0},
    {"block-size", KEY_BLOCK_SIZE, "SIZE", 0, "Bytes of a request; default 4K", 0},
    {"seconds", KEY_SECONDS, "N", 0, "A run's time; default 5", 0},
    {"count", KEY_COUNT, "N", 0, "A run's requests, instead of a time", 0},
    {"runs", KEY_RUNS, "N", 0, "How many runs; default 3", 0},
    {"seed", KEY_SEED, "N", 0, "Decides all that is left to chance; default 1", 0},
    {"distribution", KEY_DISTRIBUTION, "NAME", 0,
     "Of random places: uniform (default), zipf, or as 90:10 percent of requests to percent of "
     "places",
     0},
    {"precondition", KEY_PRECONDITION, "HOW", 0,
     "none, fill, or steady: overwritten until WAF is; default what the workload needs", 0},
    {"op", KEY_OP, "PERCENT", 0, "Spare space of a new device, of what it exports; default 20", 0},
    {"report", KEY_REPORT, "FILE", 0, "Also write a page with plots: one HTML file", 0},
    {"verify", KEY_VERIFY, "HOW", 0,
     "Where there is no OOB: verify reads always (default), cached, cached:SIZE, or on relocation",
     0},
    {"force", KEY_FORCE, NULL, 0, "Overwrite what is there, and lose it", 0},
    {NULL, 0, NULL, 0, NULL, 0},
};

const struct verb verb_bench = {
    .name = "bench",
    .summary = "Measure what a device does, in this process",
    .arguments = "[DEVICE]",
    .doc = "Measures throughput, latency, processor time and write amplification of a device, "
           "without a server. A device that is there is only read, unless --force is given; "
           "--medium makes a new one.",
    .options = options,
    .parse = parse,
    .settings_bytes = sizeof(struct bench_asked),
    .run = run,
};
