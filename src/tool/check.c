/* SPDX-License-Identifier: BSD-3-Clause */
/* check.c - hostftl check: is everything on the drive that should be? Nothing is written. */
#include <inttypes.h>

#include <hostftl/hostftl.h>

#include "tool/progress.h"
#include "tool/units.h"

#define LIMIT_DEFAULT 100u

enum { KEY_LIMIT = 256 };

struct check {
    const char *path;
    uint64_t limit; /* findings of each level that are shown; 0: all */
    bool limited;   /* one was given */
};

/* A run. */
struct shown {
    const struct tool *tool;
    struct progress progress;
    uint64_t limit;
    uint64_t seen[2]; /* by level */
    json_t *findings;
};

static error_t parse(struct tool *tool, void *settings, int key, char *arg,
                     const struct argp_state *state)
{
    struct check *check = settings;

    switch (key) {
    case KEY_LIMIT:
        if (!units_parse_count(arg, UINT64_MAX, &check->limit))
            return tool_usage(tool, "not a number of findings", arg, "0 shows all");
        check->limited = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            return tool_usage(tool, "one device at a time", arg, NULL);
        check->path = arg;
        return 0;
    case ARGP_KEY_END:
        if (check->path == NULL)
            return tool_usage(tool, "which device?", NULL, "name the drive that holds it");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* "chunk 5, block 3 (band 4, position 12): ", or as much as there is. */
static void print_place(const struct hftl_place *place)
{
    bool medium = place->chunk != HFTL_NOWHERE;
    bool band = place->band != HFTL_NOWHERE && place->position != HFTL_NOWHERE;

    if (medium)
        printf("chunk %" PRIu32 ", block %" PRIu32, place->chunk, place->offset);
    if (medium && band)
        printf(" (band %" PRIu32 ", position %" PRIu32 ")", place->band, place->position);
    if (medium)
        fputs(": ", stdout);
}

static json_t *place_number(uint32_t number)
{
    return number == HFTL_NOWHERE ? json_null() : json_integer((json_int_t)number);
}

static void keep(struct shown *shown, const struct hftl_finding *finding)
{
    json_t *row = tool_made(json_object());
    bool error = finding->level == HFTL_FINDING_ERROR;

    tool_put(row, "level", json_string(error ? "error" : "note"));
    tool_put(row, "what", json_string(finding->what));
    tool_put(row, "status", json_string(hftl_status_name(finding->status)));
    tool_put(row, "chunk", place_number(finding->place.chunk));
    tool_put(row, "offset", place_number(finding->place.offset));
    tool_put(row, "band", place_number(finding->place.band));
    tool_put(row, "position", place_number(finding->place.position));
    tool_put(row, "lba",
             finding->lba == HFTL_NO_LBA ? json_null() : json_integer((json_int_t)finding->lba));
    tool_put(row, "text", tool_text(finding->sentence));
    if (json_array_append_new(shown->findings, row) != 0)
        tool_made(NULL);
}

/* Notes are for those who ask (-v), and for programs. */
static void take(void *arg, const struct hftl_finding *finding)
{
    struct shown *shown = arg;
    const struct tool *tool = shown->tool;
    bool error = finding->level == HFTL_FINDING_ERROR;
    uint64_t nth = ++shown->seen[error ? 0 : 1];

    if (shown->limit > 0 && nth > shown->limit)
        return;
    if (tool->output == TOOL_JSON) {
        keep(shown, finding);
        return;
    }
    if (tool->quiet || (!error && !tool->verbose))
        return;
    progress_end(&shown->progress);
    fputs(error ? "error: " : "note: ", stdout);
    print_place(&finding->place);
    puts(finding->sentence);
}

static void step(void *arg, uint64_t done, uint64_t total)
{
    struct shown *shown = arg;

    progress_step(&shown->progress, done, total);
}

static uint64_t unshown(const struct shown *shown, unsigned level)
{
    return shown->limit > 0 && shown->seen[level] > shown->limit ? shown->seen[level] - shown->limit
                                                                 : 0;
}

static void put_count(json_t *object, const char *key, uint64_t count)
{
    tool_put(object, key, json_integer((json_int_t)count));
}

static void print_json(struct shown *shown, const struct check *asked,
                       const struct hftl_examination *result)
{
    json_t *data = tool_made(json_object());

    tool_put(data, "path", tool_text(asked->path));
    tool_put(data, "name", tool_text(result->name));
    tool_put(data, "clean", json_boolean(result->clean));
    tool_put(data, "complete", json_boolean(result->complete));
    put_count(data, "errors", result->errors);
    put_count(data, "notes", result->notes);
    put_count(data, "blocks", result->blocks);
    put_count(data, "blocks_mapped", result->blocks_mapped);
    put_count(data, "blocks_proven", result->blocks_proven);
    put_count(data, "blocks_lost", result->blocks_lost);
    put_count(data, "blocks_read", result->blocks_read);
    put_count(data, "bands", result->bands);
    put_count(data, "bands_read", result->bands_read);
    put_count(data, "findings_left_out", unshown(shown, 0) + unshown(shown, 1));
    tool_put(data, "findings", shown->findings);
    tool_print_json(shown->tool, "data", data);
}

static void print_human(const struct shown *shown, const struct check *asked,
                        const struct hftl_examination *result)
{
    const struct tool *tool = shown->tool;

    if (tool->quiet)
        return;
    if (unshown(shown, 0) > 0)
        printf("%" PRIu64 " more errors are not shown: --limit 0 shows all\n", unshown(shown, 0));
    if (tool->verbose && unshown(shown, 1) > 0)
        printf("%" PRIu64 " more notes are not shown: --limit 0 shows all\n", unshown(shown, 1));
    printf("%s: %s", asked->path, result->clean ? "closed cleanly" : "not closed cleanly");
    if (result->complete)
        printf("; of %" PRIu64 " blocks that hold data %" PRIu64 " are proven readable",
               result->blocks_mapped, result->blocks_proven);
    else
        fputs("; its blocks were not looked at", stdout);
    printf("; %" PRIu64 " errors, %" PRIu64 " notes%s\n", result->errors, result->notes,
           result->notes > 0 && !tool->verbose ? " (-v shows them)" : "");
}

static int run(struct tool *tool, void *settings)
{
    const struct check *asked = settings;
    struct shown shown = {.tool = tool, .limit = asked->limited ? asked->limit : LIMIT_DEFAULT};
    struct hftl_examine_options options;
    struct hftl_examination result = {.size = sizeof result};
    char why[TOOL_WHY_BYTES] = "";

    shown.findings = tool_made(json_array());
    hftl_examine_options_init(&options);
    options.finding = take;
    options.finding_arg = &shown;
    options.progress = step;
    options.progress_arg = &shown;
    progress_begin(&shown.progress, tool, "blocks");
    enum hftl_status status = hftl_examine(asked->path, &options, &result, why, sizeof why);
    progress_end(&shown.progress);
    if (status != HFTL_OK) {
        json_decref(shown.findings);
        (void)tool_fail_why(tool, status, why, asked->path);
        return TOOL_OPERATIONAL;
    }
    if (tool->output == TOOL_JSON) {
        print_json(&shown, asked, &result);
    } else {
        print_human(&shown, asked, &result);
        json_decref(shown.findings);
    }
    return result.errors > 0 ? TOOL_ERRORS_LEFT : TOOL_OK;
}

static const struct argp_option options[] = {
    {"limit", KEY_LIMIT, "N", 0, "Errors, and notes, that are shown at most; default 100, 0: all",
     0},
    {NULL, 0, NULL, 0, NULL, 0},
};

const struct verb verb_check = {
    .name = "check",
    .summary = "Prove that everything a device holds is there; writes nothing",
    .arguments = "DEVICE",
    .doc = "Checks the hostftl device on DEVICE: superblocks, recovery, and every block that it "
           "holds. Not a byte of the drive changes: what recovery would write stays in memory. "
           "Exit codes are those of fsck(8).",
    .options = options,
    .parse = parse,
    .settings_bytes = sizeof(struct check),
    .run = run,
};
