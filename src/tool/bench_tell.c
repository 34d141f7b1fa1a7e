/* SPDX-License-Identifier: BSD-3-Clause */
/* bench_tell.c - from counts to metrics, and the telling of them. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "tool/bench.h"
#include "tool/facts.h"
#include "tool/sheet.h"
#include "tool/units.h"

enum unit { COUNT, BYTES, NS, RATIO };

static const struct {
    const char *key, *label;
    enum unit unit;
} metrics[] = {
#define ROW(key, label, unit) {#key, label, unit},
    BENCH_METRICS(ROW)
#undef ROW
};

static double ratio(uint64_t part, uint64_t whole)
{
    return whole == 0 ? NAN : (double)part / (double)whole;
}

static uint64_t blocks_into_medium(const struct meter_counts *door)
{
    return door->blocks[HFTL_MEDIA_WRITE] + door->blocks[HFTL_MEDIA_APPEND];
}

double bench_waf(const struct bench_run *run)
{
    return ratio(blocks_into_medium(&run->delta.door), run->load.blocks_written);
}

static void measure_latency(double *five, const struct histogram *latency)
{
    static const double percents[] = {50, 99, 99.9, 99.99};

    for (unsigned i = 0; i < 4; i++)
        five[i] = latency->count == 0 ? NAN : (double)histogram_percentile(latency, percents[i]);
    five[4] = latency->count == 0 ? NAN : (double)histogram_max(latency);
}

/* This thread's time, in floors of what was read and written: WAF is in it, trims are not. */
static double count_floors(const struct bench *bench, const struct load_result *load)
{
    const struct bench_floor *floor = &bench->floor;
    double write_ns = bench->asked->workload->fresh ? floor->fresh_ns : floor->write_ns;
    double ns =
        (double)load->blocks_written * write_ns + (double)load->blocks_read * floor->read_ns;

    return !floor->measured || ns <= 0 ? NAN : (double)load->thread_ns / ns;
}

void bench_measure(const struct bench *bench, struct bench_run *run)
{
    const struct load_result *load = &run->load;
    const struct hftl_stats *stats = &run->delta.stats;
    const uint64_t *door = run->delta.door.operations;
    uint64_t operations = 0;
    uint64_t user = load->blocks_written;
    double seconds = (double)load->elapsed_ns / 1e9;
    double *m = run->metrics;

    for (unsigned i = 0; i < LOAD_VERB_COUNT; i++)
        operations += load->counts[i];
    m[BENCH_operations_per_second] = operations == 0 ? NAN : (double)operations / seconds;
    uint64_t moved = load->blocks_read + load->blocks_written;
    m[BENCH_bytes_per_second] = moved == 0 ? NAN : (double)(moved * HFTL_BLOCK_BYTES) / seconds;
    m[BENCH_cpu_ns_per_operation] = ratio(load->cpu_ns, operations);
    m[BENCH_thread_ns_per_operation] = ratio(load->thread_ns, operations);
    m[BENCH_cpu_per_floor] = count_floors(bench, load);
    measure_latency(&m[BENCH_read_p50_ns], &load->latency_ns[LOAD_READ]);
    measure_latency(&m[BENCH_write_p50_ns], &load->latency_ns[LOAD_WRITE]);
    measure_latency(&m[BENCH_trim_p50_ns], &load->latency_ns[LOAD_TRIM]);
    measure_latency(&m[BENCH_flush_p50_ns], &load->latency_ns[LOAD_FLUSH]);
    m[BENCH_waf] = bench_waf(run);
    m[BENCH_waf_user] = ratio(stats->written[HFTL_IO_USER].blocks, user);
    m[BENCH_waf_relocation] = ratio(stats->written[HFTL_IO_RELOCATION].blocks, user);
    m[BENCH_waf_meta] = ratio(stats->written[HFTL_IO_METADATA].blocks, user);
    m[BENCH_waf_pad] = ratio(stats->written[HFTL_IO_PAD].blocks, user);
    m[BENCH_medium_reads_per_operation] = ratio(door[HFTL_MEDIA_READ], operations);
    m[BENCH_medium_writes_per_operation] =
        ratio(door[HFTL_MEDIA_WRITE] + door[HFTL_MEDIA_APPEND], operations);
    m[BENCH_medium_resets_per_operation] = ratio(door[HFTL_MEDIA_RESET], operations);
    m[BENCH_medium_flushes_per_operation] = ratio(door[HFTL_MEDIA_FLUSH], operations);
}

/* ---- over the runs --------------------------------------------------------------------------- */

struct range {
    double median, least, most;
};

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

/* False: no run has it. */
static bool find_range(const struct bench *bench, enum bench_metric metric, struct range *range)
{
    double values[BENCH_RUNS_MAX];
    uint32_t n = 0;

    for (uint32_t i = 0; i < bench->run_count; i++) {
        double value = bench->runs[i].metrics[metric];

        if (!isnan(value))
            values[n++] = value;
    }
    if (n == 0)
        return false;
    qsort(values, n, sizeof values[0], compare);
    *range = (struct range){(values[(n - 1) / 2] + values[n / 2]) / 2, values[0], values[n - 1]};
    return true;
}

/* ---- for programs ---------------------------------------------------------------------------- */

static json_t *number(double value)
{
    return isnan(value) ? json_null() : json_real(value);
}

static json_t *tell_ranges(const struct bench *bench)
{
    json_t *all = tool_made(json_object());

    for (enum bench_metric i = 0; i < BENCH_METRIC_COUNT; i++) {
        struct range range = {NAN, NAN, NAN};
        json_t *one = tool_made(json_object());

        (void)find_range(bench, i, &range);
        tool_put(one, "median", number(range.median));
        tool_put(one, "lowest", number(range.least));
        tool_put(one, "highest", number(range.most));
        tool_put(all, metrics[i].key, one);
    }
    return all;
}

static json_t *tell_counts(const struct bench_run *run)
{
    const struct load_result *load = &run->load;
    const struct hftl_stats *stats = &run->delta.stats;
    const struct meter_counts *door = &run->delta.door;
    const struct {
        const char *key;
        uint64_t value;
    } rows[] = {
        {"reads", load->counts[LOAD_READ]},
        {"writes", load->counts[LOAD_WRITE]},
        {"trims", load->counts[LOAD_TRIM]},
        {"flushes", load->counts[LOAD_FLUSH]},
        {"failed", load->failed},
        {"user_blocks_read", load->blocks_read},
        {"user_blocks_written", load->blocks_written},
        {"user_blocks_trimmed", load->blocks_trimmed},
        {"blocks_written_user", stats->written[HFTL_IO_USER].blocks},
        {"blocks_written_relocation", stats->written[HFTL_IO_RELOCATION].blocks},
        {"blocks_written_meta", stats->written[HFTL_IO_METADATA].blocks},
        {"blocks_written_pad", stats->written[HFTL_IO_PAD].blocks},
        {"medium_blocks_written", blocks_into_medium(door)},
        {"medium_blocks_read", door->blocks[HFTL_MEDIA_READ]},
        {"medium_reads", door->operations[HFTL_MEDIA_READ]},
        {"medium_writes", door->operations[HFTL_MEDIA_WRITE] + door->operations[HFTL_MEDIA_APPEND]},
        {"medium_resets", door->operations[HFTL_MEDIA_RESET]},
        {"medium_flushes", door->operations[HFTL_MEDIA_FLUSH]},
        {"bands_closed", stats->bands_closed},
        {"bands_erased", stats->bands_erased},
        {"stalls", stats->stalls},
    };
    json_t *counts = tool_made(json_object());

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        tool_put(counts, rows[i].key, json_integer((json_int_t)rows[i].value));
    return counts;
}

static void append(json_t *array, json_t *value)
{
    if (json_array_append_new(array, value) != 0)
        tool_made(NULL);
}

/* [[nanoseconds, requests that took at most these, and more than those of the element before]] */
static json_t *tell_histogram(const struct histogram *latency)
{
    json_t *slots = tool_made(json_array());

    for (uint32_t i = 0; i < HISTOGRAM_SLOTS; i++) {
        if (latency->slots[i] == 0)
            continue;
        uint64_t top = histogram_top(i) < latency->max ? histogram_top(i) : latency->max;
        json_t *pair = tool_made(json_array());

        append(pair, tool_made(json_integer((json_int_t)top)));
        append(pair, tool_made(json_integer((json_int_t)latency->slots[i])));
        append(slots, pair);
    }
    return slots;
}

static json_t *tell_latency(const struct load_result *load)
{
    static const char *const verbs[] = {"read", "write", "trim", "flush"};
    json_t *latency = tool_made(json_object());

    for (unsigned i = 0; i < LOAD_VERB_COUNT; i++)
        tool_put(latency, verbs[i], tell_histogram(&load->latency_ns[i]));
    return latency;
}

static json_t *tell_series(const struct load_series *series)
{
    json_t *one = tool_made(json_object());
    json_t *counts = tool_made(json_array());

    for (uint32_t i = 0; i < series->count; i++)
        append(counts, tool_made(json_integer((json_int_t)series->counts[i])));
    tool_put(one, "step_ns", json_integer((json_int_t)series->step_ns));
    tool_put(one, "requests", counts);
    return one;
}

static json_t *tell_runs(const struct bench *bench)
{
    json_t *runs = tool_made(json_array());

    for (uint32_t i = 0; i < bench->run_count; i++) {
        const struct bench_run *run = &bench->runs[i];
        json_t *one = tool_made(json_object());
        json_t *values = tool_made(json_object());

        for (enum bench_metric k = 0; k < BENCH_METRIC_COUNT; k++)
            tool_put(values, metrics[k].key, number(run->metrics[k]));
        tool_put(one, "seconds", json_real((double)run->load.elapsed_ns / 1e9));
        tool_put(one, "counts", tell_counts(run));
        tool_put(one, "metrics", values);
        tool_put(one, "latency", tell_latency(&run->load));
        tool_put(one, "series", tell_series(&run->load.series));
        append(runs, one);
    }
    return runs;
}

/* ---- for people ------------------------------------------------------------------------------ */

static const char *text_of(double value, enum unit unit, char *text, size_t bytes)
{
    char size[24];

    switch (unit) {
    case COUNT:
        (void)snprintf(text, bytes, "%.0f", value);
        break;
    case BYTES:
        (void)snprintf(text, bytes, "%s", units_bytes((uint64_t)value, size, sizeof size));
        break;
    case NS:
        (void)snprintf(text, bytes, value < 1e6 ? "%.1f us" : "%.2f ms",
                       value < 1e6 ? value / 1e3 : value / 1e6);
        break;
    case RATIO:
        (void)snprintf(text, bytes, "%.3f", value);
        break;
    }
    return text;
}

static void print_ranges(const struct bench *bench)
{
    char texts[3][40];
    struct range range;

    printf("\n%-29s %14s %14s %14s\n", "", "median", "lowest", "highest");
    for (enum bench_metric i = 0; i < BENCH_METRIC_COUNT; i++) {
        if (!find_range(bench, i, &range))
            continue;
        printf("%-29s %14s %14s %14s\n", metrics[i].label,
               text_of(range.median, metrics[i].unit, texts[0], sizeof texts[0]),
               text_of(range.least, metrics[i].unit, texts[1], sizeof texts[1]),
               text_of(range.most, metrics[i].unit, texts[2], sizeof texts[2]));
    }
}

/* ---- both ------------------------------------------------------------------------------------ */

/* Figures without their machine mean nothing. */
static void add_machine(struct sheet *sheet)
{
    struct utsname names;
    char line[256];
    char model[128] = "unknown";
    FILE *file = fopen("/proc/cpuinfo", "re");

    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "model name : %127[^\n]", model) == 1)
            break;
    }
    if (file != NULL)
        (void)fclose(file);
    sheet_section(sheet, "machine", "Machine");
    sheet_text(sheet, "processor", "Processor", model);
    sheet_count(sheet, "processors", "Processors", (uint64_t)sysconf(_SC_NPROCESSORS_ONLN));
    sheet_text(sheet, "kernel", "Kernel", uname(&names) == 0 ? names.release : "unknown");
    sheet_section(sheet, NULL, NULL);
}

static void add_before(struct sheet *sheet, const struct bench *bench)
{
    static const char *const words[] = {"none", "fill", "steady"};
    double mean = 0;
    uint32_t n = bench->windows < BENCH_WINDOWS_STEADY ? bench->windows : BENCH_WINDOWS_STEADY;

    sheet_section(sheet, "precondition", "Preconditioning");
    sheet_text(sheet, "kind", "Kind", words[bench->before]);
    if (bench->before != BENCH_STEADY) {
        sheet_section(sheet, NULL, NULL);
        return;
    }
    for (uint32_t i = bench->windows - n; i < bench->windows; i++)
        mean += bench->window_wafs[i] / n;
    sheet_flag(sheet, "steady", "Became steady", bench->steady);
    sheet_count(sheet, "windows", "Windows (a quarter of the device each)", bench->windows);
    if (bench->windows > 0)
        sheet_real(sheet, "waf", "WAF of the last four", mean);
    else
        sheet_json(sheet, "waf", json_null());
    json_t *wafs = tool_made(json_array());
    for (uint32_t i = 0; i < bench->windows; i++)
        append(wafs, tool_made(json_real(bench->window_wafs[i])));
    sheet_json(sheet, "window_wafs", wafs);
    sheet_section(sheet, NULL, NULL);
}

/* Since bench_forget_peak(): getrusage would not know of that. */
static uint64_t peak_bytes(void)
{
    char line[256];
    unsigned long kib = 0;
    FILE *file = fopen("/proc/self/status", "re");

    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "VmHWM: %lu", &kib) == 1)
            break;
    }
    if (file != NULL)
        (void)fclose(file);
    return (uint64_t)kib * 1024;
}

static void add_floor(struct sheet *sheet, const struct bench_floor *floor)
{
    sheet_section(sheet, "floor", "Floor of a block: copy, CRC, the bare medium");
    if (floor->measured) {
        sheet_bytes(sheet, "bytes", "Measured in", floor->bytes);
        sheet_real(sheet, "write_ns", "Write, ns", floor->write_ns);
        sheet_real(sheet, "fresh_ns", "Write of a new medium, ns", floor->fresh_ns);
        sheet_real(sheet, "read_ns", "Read, ns", floor->read_ns);
        sheet_real(sheet, "copy_ns", "The copy alone, ns", floor->copy_ns);
        sheet_real(sheet, "crc_ns", "The CRC alone, ns", floor->crc_ns);
    }
    sheet_flag(sheet, "measured", "Measured", floor->measured);
    sheet_section(sheet, NULL, NULL);
}

static const char *text_places(const struct bench_asked *asked, char *text, size_t bytes)
{
    struct chooser_shape places = bench_places(asked);
    static const char *const words[] = {"in order", "once", "uniform", "zipf"};

    if (places.kind != CHOOSER_HOT)
        return words[places.kind];
    (void)snprintf(text, bytes, "%u:%u", places.hot_draws_percent, places.hot_places_percent);
    return text;
}

int bench_tell(struct bench *bench)
{
    const struct bench_asked *asked = bench->asked;
    struct sheet *sheet = sheet_new();
    char text[24];

    sheet_text(sheet, "medium", "Medium", asked->medium != NULL ? asked->medium : asked->device);
    sheet_text(sheet, "medium_kind", "Its kind", facts_kind_text(bench->info.kind));
    sheet_bytes(sheet, "bytes", "Device", bench->info.blocks * HFTL_BLOCK_BYTES);
    sheet_permille(sheet, "op_effective_permille", "Spare space",
                   bench->info.op_effective_permille);
    sheet_count(sheet, "bands", "Bands", bench->info.bands);
    sheet_count(sheet, "band_blocks", "Blocks of a band", bench->info.band_blocks);
    sheet_text(sheet, "workload", "Workload", asked->workload->name);
    sheet_bytes(sheet, "request_bytes", "Bytes a request", asked->request_bytes);
    sheet_count(sheet, "depth", "Requests in flight", asked->depth);
    sheet_text(sheet, "distribution", "Distribution", text_places(asked, text, sizeof text));
    sheet_count(sheet, "seed", "Seed", asked->seed);
    add_before(sheet, bench);
    sheet_bytes(sheet, "memory_bytes", "Engine's memory", bench->info.memory_bytes);
    sheet_real(sheet, "memory_bytes_per_block", "  of it a block exported, bytes",
               (double)bench->info.memory_bytes / (double)bench->info.blocks);
    sheet_bytes(sheet, "peak_bytes", "Process's memory, most", peak_bytes());
    add_floor(sheet, &bench->floor);
    add_machine(sheet);
    sheet_count(sheet, "run_count", "Runs", bench->run_count);
    sheet_text(sheet, "version", "Version", TOOL_VERSION);
    sheet_flag(sheet, "interrupted", "Interrupted", bench->interrupted);
    sheet_json(sheet, "runs", tell_runs(bench));
    sheet_json(sheet, "metrics", tell_ranges(bench));
    int code = bench_report_write(bench, sheet_data(sheet));
    sheet_print(sheet, bench->tool, NULL);
    if (bench->tool->output != TOOL_JSON && !bench->tool->quiet && bench->run_count > 0)
        print_ranges(bench);
    return code;
}
