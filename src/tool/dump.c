/* SPDX-License-Identifier: BSD-3-Clause */
/* dump.c - hostftl dump: what is on a drive, decoded. Nothing is written. */
#include <inttypes.h>
#include <string.h>

#include <hostftl/hostftl.h>

#include "tool/tool.h"
#include "tool/units.h"

enum { KEY_SUPERBLOCKS = 256, KEY_BANDS, KEY_BAND, KEY_BLOCK, KEY_LBA, KEY_TRIMS, KEY_ALL };

struct dump {
    const char *path;
    struct hftl_dump_options options;
    const char *chosen; /* the option that says what; NULL: none yet */
};

/* A run. */
struct shown {
    const struct tool *tool;
    uint64_t items, bad;
};

static error_t choose(struct tool *tool, struct dump *dump, enum hftl_dump_what what,
                      const char *option)
{
    if (dump->chosen != NULL)
        return tool_usage(tool, "one thing at a time", option, dump->chosen);
    dump->chosen = option;
    dump->options.what = what;
    return 0;
}

static bool parse_number(const char *text, uint32_t *number)
{
    uint64_t n;

    if (!units_parse_count(text, UINT32_MAX - 1, &n))
        return false;
    *number = (uint32_t)n;
    return true;
}

static error_t parse_block(struct tool *tool, struct dump *dump, char *arg)
{
    char *colon = strchr(arg, ':');
    bool good = colon != NULL;

    if (good) {
        *colon = '\0';
        good = parse_number(arg, &dump->options.chunk) &&
               parse_number(colon + 1, &dump->options.offset);
        *colon = ':';
    }
    if (!good)
        return tool_usage(tool, "not a place on the medium", arg,
                          "write CHUNK:OFFSET, such as 5:0");
    return choose(tool, dump, HFTL_DUMP_BLOCK, "--block");
}

static error_t parse_argument(struct tool *tool, struct dump *dump, int key, char *arg,
                              const struct argp_state *state)
{
    if (key == ARGP_KEY_END) {
        if (dump->path == NULL)
            return tool_usage(tool, "which device?", NULL, "name the drive that holds it");
        return 0;
    }
    if (key != ARGP_KEY_ARG)
        return ARGP_ERR_UNKNOWN;
    if (state->arg_num > 0)
        return tool_usage(tool, "one device at a time", arg, NULL);
    dump->path = arg;
    return 0;
}

static error_t parse(struct tool *tool, void *settings, int key, char *arg,
                     const struct argp_state *state)
{
    struct dump *dump = settings;

    switch (key) {
    case KEY_SUPERBLOCKS:
        return choose(tool, dump, HFTL_DUMP_SUPERBLOCKS, "--superblocks");
    case KEY_BANDS:
        return choose(tool, dump, HFTL_DUMP_BANDS, "--bands");
    case KEY_TRIMS:
        return choose(tool, dump, HFTL_DUMP_TRIMS, "--trims");
    case KEY_ALL:
        return choose(tool, dump, HFTL_DUMP_ALL, "--all");
    case KEY_BAND:
        if (!parse_number(arg, &dump->options.band))
            return tool_usage(tool, "not a band's number", arg, NULL);
        return choose(tool, dump, HFTL_DUMP_BAND, "--band");
    case KEY_LBA:
        if (!units_parse_count(arg, UINT64_MAX - 1, &dump->options.lba))
            return tool_usage(tool, "not an lba", arg, "it is the number of a block of 4096 bytes");
        return choose(tool, dump, HFTL_DUMP_LBA, "--lba");
    case KEY_BLOCK:
        return parse_block(tool, dump, arg);
    default:
        return parse_argument(tool, dump, key, arg, state);
    }
}

/* "5:3 band 4.12 data: ..."; further lines of an item stand under it. */
static void print_human(const struct hftl_dump_item *item)
{
    if (item->place.chunk != HFTL_NOWHERE)
        printf("%" PRIu32 ":", item->place.chunk);
    if (item->place.chunk != HFTL_NOWHERE && item->place.offset != HFTL_NOWHERE)
        printf("%" PRIu32, item->place.offset);
    if (item->place.position != HFTL_NOWHERE)
        printf(" (%" PRIu32 ".%" PRIu32 ")", item->place.band, item->place.position);
    printf("%s%s%s: ", item->place.chunk != HFTL_NOWHERE ? " " : "", item->ok ? "" : "BAD ",
           item->what);
    for (const char *at = item->text; *at != '\0'; at++) {
        putchar(*at);
        if (*at == '\n')
            fputs("    ", stdout);
    }
    putchar('\n');
}

static json_t *number(uint64_t n, uint64_t none)
{
    return n == none ? json_null() : json_integer((json_int_t)n);
}

/* A line an item: a whole drive's dump is never in memory. */
static void print_json(const struct tool *tool, const struct hftl_dump_item *item)
{
    json_t *row = tool_made(json_object());

    tool_put(row, "what", json_string(item->what));
    tool_put(row, "ok", json_boolean(item->ok));
    tool_put(row, "chunk", number(item->place.chunk, HFTL_NOWHERE));
    tool_put(row, "offset", number(item->place.offset, HFTL_NOWHERE));
    tool_put(row, "band", number(item->place.band, HFTL_NOWHERE));
    tool_put(row, "position", number(item->place.position, HFTL_NOWHERE));
    tool_put(row, "lba", number(item->lba, HFTL_NO_LBA));
    tool_put(row, "text", tool_text(item->text));
    tool_print_json(tool, "item", row);
}

static void take(void *arg, const struct hftl_dump_item *item)
{
    struct shown *shown = arg;

    shown->items++;
    shown->bad += !item->ok;
    if (shown->tool->output == TOOL_JSON)
        print_json(shown->tool, item);
    else if (!shown->tool->quiet)
        print_human(item);
}

static int run(struct tool *tool, void *settings)
{
    struct dump *asked = settings;
    struct shown shown = {.tool = tool};
    char why[TOOL_WHY_BYTES] = "";

    tool->lines = true;
    asked->options.size = sizeof asked->options;
    asked->options.item = take;
    asked->options.item_arg = &shown;
    enum hftl_status status = hftl_dump(asked->path, &asked->options, why, sizeof why);
    if (status != HFTL_OK)
        return tool_fail_why(tool, status, why, asked->path);
    if (tool->output == TOOL_JSON) {
        json_t *data = tool_made(json_object());

        tool_put(data, "path", tool_text(asked->path));
        tool_put(data, "items", json_integer((json_int_t)shown.items));
        tool_put(data, "bad", json_integer((json_int_t)shown.bad));
        tool_print_json(tool, "data", data);
    }
    tool_note(tool, "%" PRIu64 " items, %" PRIu64 " of them do not decode", shown.items, shown.bad);
    return TOOL_OK;
}

static const struct argp_option options[] = {
    {"superblocks", KEY_SUPERBLOCKS, NULL, 0, "Every superblock record, with its verdicts", 0},
    {"bands", KEY_BANDS, NULL, 0, "A line a band (the default)", 0},
    {"band", KEY_BAND, "N", 0, "A band and all of its blocks", 0},
    {"block", KEY_BLOCK, "PLACE", 0, "One block of the medium: CHUNK:OFFSET", 0},
    {"lba", KEY_LBA, "N", 0, "Every version of an lba that is on the drive", 0},
    {"trims", KEY_TRIMS, NULL, 0, "Every trim page that is on the drive", 0},
    {"all", KEY_ALL, NULL, 0, "Superblocks, bands, and every block", 0},
    {NULL, 0, NULL, 0, NULL, 0},
};

const struct verb verb_dump = {
    .name = "dump",
    .summary = "Show what is on a drive, decoded; writes nothing",
    .arguments = "DEVICE",
    .doc =
        "Shows what the hostftl device on DEVICE consists of, decoded and verified, also when it "
        "is damaged. Not a byte of the drive changes.",
    .options = options,
    .parse = parse,
    .settings_bytes = sizeof(struct dump),
    .run = run,
};
