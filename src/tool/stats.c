/* SPDX-License-Identifier: BSD-3-Clause */
/* stats.c - hostftl stats: what a served device does and what that costs, once or again and
 * again. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <hostftl/hostftl.h>

#include "tool/rpc.h"
#include "tool/sheet.h"
#include "tool/units.h"

#define SECONDS_MAX 86400u

enum { KEY_WATCH = RPC_KEY + 1 };

struct settings {
    const char *device;
    const char *rpc;
    bool watch;
    uint64_t seconds; /* between two looks */
};

static error_t take_seconds(struct tool *tool, struct settings *own, const char *arg)
{
    if (!units_parse_count(arg, SECONDS_MAX, &own->seconds) || own->seconds == 0)
        return tool_usage(tool, "not a number of seconds", arg, "write 1 to 86400");
    return 0;
}

static error_t parse(struct tool *tool, void *settings, int key, char *arg,
                     const struct argp_state *state)
{
    struct settings *own = settings;

    switch (key) {
    case RPC_KEY:
        own->rpc = arg;
        return 0;
    case KEY_WATCH:
        own->watch = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 1)
            return tool_usage(tool, "one device at a time", arg, NULL);
        if (state->arg_num == 1)
            return take_seconds(tool, own, arg);
        own->device = arg;
        return 0;
    case ARGP_KEY_END:
        if (own->device == NULL)
            return tool_usage(tool, "which device?", NULL, "name the drive that holds it");
        if (own->seconds != 0 && !own->watch)
            return tool_usage(tool, "one device at a time", NULL,
                              "SECONDS are for --watch: 'hostftl stats DEVICE --watch 5'");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- asking ---------------------------------------------------------------------------------- */

/* One look: what each method said, under its name. NULL after a complaint. */
static json_t *look(const struct tool *tool, struct rpc_link *link)
{
    static const char *const methods[] = {"info",  "stats",      "latency",
                                          "bands", "policy.get", "limits.get"};
    json_t *seen = tool_made(json_object());

    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        json_t *result = rpc_call(tool, link, methods[i], NULL);

        if (result == NULL) {
            json_decref(seen);
            return NULL;
        }
        tool_put(seen, methods[i], result);
    }
    return seen;
}

static json_t *at(const json_t *object, const char *a, const char *b, const char *c)
{
    json_t *found = json_object_get(object, a);

    found = b == NULL ? found : json_object_get(found, b);
    return c == NULL ? found : json_object_get(found, c);
}

static uint64_t count_at(const json_t *object, const char *a, const char *b, const char *c)
{
    return (uint64_t)json_integer_value(at(object, a, b, c));
}

/* ---- for programs ---------------------------------------------------------------------------- */

/* Of the info only what tells which device it is and how it stands. */
static json_t *device_of(const json_t *seen)
{
    static const char *const members[] = {"path",          "name",      "id",     "blocks",
                                          "blocks_mapped", "read_only", "reason", "memory_bytes"};
    json_t *device = tool_made(json_object());

    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        tool_put(device, members[i], json_incref(at(seen, "info", members[i], NULL)));
    return device;
}

static json_t *cleaning_of(const json_t *seen)
{
    json_t *cleaning = tool_made(json_object());

    tool_put(cleaning, "policy", json_incref(at(seen, "policy.get", "policy", NULL)));
    tool_put(cleaning, "paused", json_incref(at(seen, "policy.get", "paused", NULL)));
    tool_put(cleaning, "limits", json_incref(at(seen, "limits.get", NULL, NULL)));
    tool_put(cleaning, "debt", json_incref(at(seen, "bands", "debt", NULL)));
    tool_put(cleaning, "aside", json_incref(at(seen, "bands", "aside", NULL)));
    return cleaning;
}

static void print_json(const struct tool *tool, const json_t *seen)
{
    json_t *data = tool_made(json_object());

    tool_put(data, "time", json_integer((json_int_t)time(NULL)));
    tool_put(data, "device", device_of(seen));
    tool_put(data, "stats", json_incref(at(seen, "stats", NULL, NULL)));
    tool_put(data, "latency", json_incref(at(seen, "latency", NULL, NULL)));
    tool_put(data, "bands", json_incref(at(seen, "bands", "count", NULL)));
    tool_put(data, "valid_share", json_incref(at(seen, "bands", "valid_share", NULL)));
    tool_put(data, "wear", json_incref(at(seen, "bands", "wear", NULL)));
    tool_put(data, "cleaning", cleaning_of(seen));
    tool_print_json(tool, "data", data);
}

/* ---- for people ------------------------------------------------------------------------------ */

static const char *short_time(uint64_t ns, char *text, size_t bytes)
{
    if (ns < 10000)
        (void)snprintf(text, bytes, "%" PRIu64 " ns", ns);
    else if (ns < 10000000)
        (void)snprintf(text, bytes, "%" PRIu64 " us", ns / 1000);
    else
        (void)snprintf(text, bytes, "%" PRIu64 " ms", ns / 1000000);
    return text;
}

static void print_device(const json_t *seen)
{
    const json_t *waf = at(seen, "stats", "waf", NULL);

    printf("%s (%s)%s%s\n", json_string_value(at(seen, "info", "path", NULL)),
           json_string_value(at(seen, "info", "name", NULL)),
           json_is_true(at(seen, "info", "read_only", NULL)) ? ": read-only: " : "",
           json_string_value(at(seen, "info", "reason", NULL)));
    if (json_is_null(waf))
        printf("WAF        -: nothing was written yet\n");
    else
        printf("WAF        %.3f\n", json_real_value(waf));
    printf("Mapped     %" PRIu64 " of %" PRIu64 " blocks\n",
           count_at(seen, "info", "blocks_mapped", NULL), count_at(seen, "info", "blocks", NULL));
}

static void print_io(const json_t *seen)
{
    static const char *const kinds[] = {"user", "relocation", "metadata", "pad", "total"};

    printf("\n%-13s %14s %12s %8s %14s %12s %8s\n", "Medium", "blocks written", "operations",
           "errors", "blocks read", "operations", "errors");
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const json_t *written = at(seen, "stats", "written", kinds[i]);
        const json_t *read = at(seen, "stats", "read", kinds[i]);

        printf("  %-11s %14" PRIu64 " %12" PRIu64 " %8" PRIu64 " %14" PRIu64 " %12" PRIu64
               " %8" PRIu64 "\n",
               kinds[i], count_at(written, "blocks", NULL, NULL),
               count_at(written, "operations", NULL, NULL), count_at(written, "errors", NULL, NULL),
               count_at(read, "blocks", NULL, NULL), count_at(read, "operations", NULL, NULL),
               count_at(read, "errors", NULL, NULL));
    }
    printf("  %-11s %14" PRIu64 "   flushes %" PRIu64 "\n", "resets",
           count_at(seen, "stats", "medium", "resets"),
           count_at(seen, "stats", "medium", "flushes"));
}

static void print_verify(const json_t *seen)
{
    const json_t *verify = at(seen, "stats", "verify", NULL);

    if (count_at(verify, "hits", NULL, NULL) + count_at(verify, "misses", NULL, NULL) > 0)
        printf("  %-11s %14" PRIu64 " tails at hand, %" PRIu64 " read, %" PRIu64 " given up\n",
               "verify", count_at(verify, "hits", NULL, NULL),
               count_at(verify, "misses", NULL, NULL), count_at(verify, "evictions", NULL, NULL));
}

static void print_trace(const json_t *seen)
{
    const json_t *trace = at(seen, "stats", "trace", NULL);
    uint64_t recorded = count_at(trace, "recorded", NULL, NULL);

    if (recorded > 0)
        printf("  %-11s %14" PRIu64 " records, %" PRIu64 " of them overwritten\n", "trace",
               recorded, count_at(trace, "overwritten", NULL, NULL));
}

static void print_latency(const json_t *seen)
{
    static const char *const columns[] = {"min_ns",  "mean_ns",  "p50_ns", "p99_ns",
                                          "p999_ns", "p9999_ns", "max_ns"};
    const char *verb;
    json_t *latency;
    char text[32];

    printf("\n%-13s %9s %9s %9s %9s %9s %9s %9s %9s\n", "Latency", "requests", "min", "mean",
           "50 %", "99 %", "99.9 %", "99.99 %", "max");
    json_object_foreach(at(seen, "latency", NULL, NULL), verb, latency)
    {
        if (count_at(latency, "count", NULL, NULL) == 0)
            continue;
        printf("  %-11s %9" PRIu64, verb, count_at(latency, "count", NULL, NULL));
        for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
            printf(" %9s",
                   short_time(count_at(latency, columns[i], NULL, NULL), text, sizeof text));
        putchar('\n');
    }
}

/* A row of counts under its name. */
static void print_row(const char *name, const json_t *list)
{
    size_t index;
    json_t *value;

    printf("  %-11s", name);
    json_array_foreach(list, index, value)
        printf(" %" JSON_INTEGER_FORMAT, json_integer_value(value));
    putchar('\n');
}

static void print_bands(const json_t *seen)
{
    const char *state;
    json_t *count;

    printf("\nBands\n  %-11s", "by state");
    json_object_foreach(at(seen, "bands", "count", NULL), state,
                        count) if (json_integer_value(count) > 0)
        printf(" %s %" JSON_INTEGER_FORMAT, state, json_integer_value(count));
    putchar('\n');
    print_row("by valid", at(seen, "bands", "valid_share", NULL));
    print_row("by wear", at(seen, "bands", "wear", "bands"));
    printf("  %-11s min %" PRIu64 ", mean %.1f, max %" PRIu64 " resets\n", "wear",
           count_at(seen, "bands", "wear", "min"),
           json_real_value(at(seen, "bands", "wear", "mean")),
           count_at(seen, "bands", "wear", "max"));
}

static void print_cleaning(const json_t *seen)
{
    static const char *const levels[] = {"critical", "high", "low", "start"};
    char text[32];

    printf("\nCleaning\n  %-11s %s%s\n", "policy",
           json_string_value(at(seen, "policy.get", "policy", NULL)),
           json_is_true(at(seen, "policy.get", "paused", NULL)) ? ", paused" : "");
    printf("  %-11s %" PRIu64 " blocks to move%s\n", "debt",
           count_at(seen, "bands", "debt", "blocks"),
           json_is_true(at(seen, "bands", "debt", "is_payable")) ? "" : ", and that is not enough");
    if (count_at(seen, "bands", "aside", NULL) > 0)
        printf("  %-11s %" PRIu64 " bands that cannot be cleaned; the log names them\n",
               "set aside", count_at(seen, "bands", "aside", NULL));
    printf("  %-11s %" PRIu64 " writes, %s\n", "stalls", count_at(seen, "stats", "stalls", "count"),
           short_time(count_at(seen, "stats", "stalls", "ns"), text, sizeof text));
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
        printf("  %-11s at %" PRIu64 " free bands %" PRIu64 " %%: reached %" PRIu64
               " times, %" PRIu64 " writes waited\n",
               levels[i], count_at(seen, "limits.get", levels[i], "bands_free"),
               count_at(seen, "limits.get", levels[i], "percent"),
               count_at(at(seen, "stats", "limits", levels[i]), "hits", NULL, NULL),
               count_at(at(seen, "stats", "limits", levels[i]), "waits", NULL, NULL));
}

static void print_people(const json_t *seen)
{
    print_device(seen);
    print_io(seen);
    print_verify(seen);
    print_trace(seen);
    print_latency(seen);
    print_bands(seen);
    print_cleaning(seen);
}

/* ---- the verb -------------------------------------------------------------------------------- */

static void sleep_until(struct timespec *next, uint64_t seconds)
{
    next->tv_sec += (time_t)seconds;
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, next, NULL) != 0)
        ;
}

static int run(struct tool *tool, void *settings)
{
    const struct settings *own = settings;
    struct rpc_link *link = rpc_connect(tool, own->device, own->rpc);
    bool redraw = own->watch && tool->output == TOOL_HUMAN && isatty(STDOUT_FILENO) == 1;
    struct timespec next;
    json_t *seen;

    if (link == NULL)
        return TOOL_FAILED;
    if (own->watch && !redraw)
        tool->output = TOOL_JSON;
    tool->lines = own->watch;
    (void)clock_gettime(CLOCK_MONOTONIC, &next);
    while ((seen = look(tool, link)) != NULL) {
        if (redraw)
            fputs("\033[H\033[2J", stdout);
        if (tool->output == TOOL_JSON)
            print_json(tool, seen);
        else if (!tool->quiet)
            print_people(seen);
        json_decref(seen);
        if (fflush(stdout) != 0 || !own->watch)
            break; /* nobody reads any more, or once is enough */
        sleep_until(&next, own->seconds == 0 ? 1 : own->seconds);
    }
    rpc_close(link);
    return seen == NULL ? TOOL_FAILED : TOOL_OK;
}

static const struct argp_option options[] = {
    RPC_OPTIONS,
    {"watch", KEY_WATCH, NULL, 0,
     "Look again every second, or every SECONDS: drawn anew on a terminal, else a line of JSON", 0},
    {NULL, 0, NULL, 0, NULL, 0},
};

const struct verb verb_stats = {
    .name = "stats",
    .summary = "Show what a served device does and what it costs",
    .arguments = "DEVICE [SECONDS]",
    .doc = "Shows the counters of a device that 'hostftl serve' serves: write amplification, what "
           "went to and from the medium and why, latencies, bands, wear, cleaning. The device goes "
           "on meanwhile.",
    .options = options,
    .parse = parse,
    .settings_bytes = sizeof(struct settings),
    .run = run,
};
