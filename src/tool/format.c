/* SPDX-License-Identifier: BSD-3-Clause */
/* format.c - hostftl format: makes a device, where nobody loses anything by it. */
#include <errno.h>
#include <string.h>

#include <hostftl/hostftl.h>

#include "format/format.h"
#include "media/emu.h"
#include "media/flat.h"
#include "media/mem.h"
#include "media/stack.h"
#include "tool/claim.h"
#include "tool/facts.h"
#include "tool/progress.h"
#include "tool/units.h"

#define OP_PERMILLE_MAX 9000u /* what the library takes */

_Static_assert(FORMAT_COLUMNS_MAX == 256, "the message says so");

enum {
    KEY_NAME = 256,
    KEY_OP,
    KEY_COLUMNS,
    KEY_INTERLEAVE,
    KEY_FORCE,
    KEY_DRY_RUN,
    KEY_UNIT,
    KEY_CHUNK,
    KEY_BLOCKS,
    KEY_CAPACITY,
    KEY_PUS
};

struct format {
    const char *path; /* or a stack of media */
    struct stack_bottom bottom;
    struct flat_create_options flat; /* when the bottom is to be a flat medium */
    struct hftl_format_options options;
};

/* The name is used in DEVICE#NAME and in messages. */
static error_t parse_name(struct tool *tool, struct format *format, const char *arg)
{
    size_t length = strlen(arg);

    if (length == 0 || length >= sizeof format->options.name)
        return tool_usage(tool, "a name has 1 to 31 bytes", arg, NULL);
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)arg[i] <= ' ' || arg[i] == '#' || arg[i] == '/' || arg[i] == 127)
            return tool_usage(tool, "a name has no spaces, '#' or '/'", arg, NULL);
    }
    memcpy(format->options.name, arg, length + 1);
    return 0;
}

static bool is_flat_given(const struct format *format)
{
    return format->flat.write_unit_bytes != 0 || format->flat.chunk_bytes != 0;
}

/* What the path or stack has at its bottom, and whether the options go with it. */
static error_t check_stack(struct tool *tool, struct format *format)
{
    char why[256] = "";
    const struct say to = {why, sizeof why};

    if (stack_find_bottom(format->path, &format->bottom, &to) != HFTL_OK)
        return tool_usage(tool, why, NULL, "see hostftl-media(7)");
    if (format->bottom.kind != STACK_FLAT && is_flat_given(format))
        return tool_usage(tool, "--write-unit and --chunk-size are for a flat medium", format->path,
                          "write flat:PATH");
    return 0;
}

static error_t take_blocks(struct tool *tool, struct format *format, uint64_t blocks,
                           const char *arg)
{
    if (format->options.blocks != 0)
        return tool_usage(tool, "the size is given twice", arg, NULL);
    format->options.blocks = blocks;
    return 0;
}

static error_t parse_size(struct tool *tool, struct format *format, int key, const char *arg)
{
    uint64_t n;

    if (key == KEY_BLOCKS)
        return units_parse_count(arg, FORMAT_EXPORTED_MAX, &n) && n != 0
                   ? take_blocks(tool, format, n, arg)
                   : tool_usage(tool, "not a number of blocks", arg, "write 1 to 2^35");
    if (!units_parse_bytes(arg, &n) || n == 0 || n % HFTL_BLOCK_BYTES != 0)
        return tool_usage(tool, "not a size", arg, "write a multiple of 4096 bytes, such as 100G");
    return take_blocks(tool, format, n / HFTL_BLOCK_BYTES, arg);
}

/* What is there after the last argument. */
static error_t check_whole(struct tool *tool, struct format *format)
{
    if (format->path == NULL)
        return tool_usage(tool, "which device?", NULL, "name the drive that is to hold it");
    if (format->options.blocks != 0 && format->options.op_permille != 0)
        return tool_usage(tool, "--op or a size, not both", NULL, "the one follows from the other");
    return check_stack(tool, format);
}

static error_t parse(struct tool *tool, void *settings, int key, char *arg,
                     const struct argp_state *state)
{
    struct format *format = settings;
    uint64_t n;

    switch (key) {
    case KEY_NAME:
        return parse_name(tool, format, arg);
    case KEY_OP:
        if (!units_parse_permille(arg, OP_PERMILLE_MAX, &format->options.op_permille) ||
            format->options.op_permille == 0)
            return tool_usage(tool, "not a percentage", arg,
                              "write 0.1 to 900, such as 20 or 12.5");
        return 0;
    case KEY_COLUMNS:
        if (!units_parse_count(arg, FORMAT_COLUMNS_MAX, &n) || n == 0)
            return tool_usage(tool, "not a number of columns", arg, "write 1 to 256");
        format->options.columns = (uint32_t)n;
        return 0;
    case KEY_BLOCKS:
    case KEY_CAPACITY:
        return parse_size(tool, format, key, arg);
    case KEY_PUS:
        if (!units_parse_range(arg, &format->options.pu_first, &format->options.pu_count))
            return tool_usage(tool, "not a range of parallel units", arg,
                              "write the first and the last, such as 0-3");
        return 0;
    case KEY_UNIT:
    case KEY_CHUNK:
        if (!units_parse_bytes(arg, &n) || n == 0 || n % HFTL_BLOCK_BYTES != 0)
            return tool_usage(tool, "not a size", arg,
                              "write a multiple of 4096 bytes, such as 128K");
        *(key == KEY_UNIT ? &format->flat.write_unit_bytes : &format->flat.chunk_bytes) = n;
        return 0;
    case KEY_INTERLEAVE:
        if (!units_parse_count(arg, UINT16_MAX, &n) || n == 0)
            return tool_usage(tool, "not a number of slices", arg,
                              "write how many parts a write unit is divided into");
        format->options.interleave = (uint32_t)n;
        return 0;
    case KEY_FORCE:
        format->options.force = true;
        return 0;
    case KEY_DRY_RUN:
        format->options.dry_run = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            return tool_usage(tool, "one device at a time", arg, NULL);
        format->path = arg;
        return 0;
    case ARGP_KEY_END:
        return check_whole(tool, format);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Something else is there. What --force replaces is a medium: only flat:PATH makes one of it. */
static int refuse_signature(const struct tool *tool, const struct format *format, const char *why)
{
    const char *path = format->bottom.path;

    if (format->bottom.kind == STACK_FLAT)
        return tool_fail_why(tool, HFTL_EXISTS, why, path);
    return tool_fail(
        tool, &(struct failure){HFTL_EXISTS, why, path,
                                "with flat: before the path, and --force, a medium is made of it, "
                                "and what it holds is lost"});
}

/*
 * Refuses what is in use, and what holds something else than a medium of ours that libblkid knows.
 * Why not look for signatures in a medium of ours? Because what lies at their place there is some
 * user's block, or a header of ours.
 */
static int check(const struct tool *tool, const struct format *format)
{
    const char *path = format->bottom.path;
    struct emu_inspection inspection;
    char why[TOOL_WHY_BYTES] = "";

    if (path == NULL) /* a drive in memory */
        return TOOL_OK;
    enum hftl_status status = claim_check_use(path, why, sizeof why);
    if (status != HFTL_OK)
        return tool_fail_why(tool, status, why, path);
    if (format->bottom.kind != STACK_FLAT &&
        emu_inspect(path, &inspection, why, sizeof why) == HFTL_OK) {
        emu_inspection_free(&inspection);
        return TOOL_OK;
    }
    if (format->options.force || flat_is(path))
        return TOOL_OK;
    status = claim_check_signature(path, why, sizeof why);
    if (status == HFTL_EXISTS)
        return refuse_signature(tool, format, why);
    return status == HFTL_OK ? TOOL_OK : tool_fail_why(tool, status, why, path);
}

/* What is damaged can be replaced, what is in use cannot. */
static bool is_damaged(const char *path)
{
    struct flat_open_options options = {.size = sizeof options, .read_only = true};
    struct hftl_media *media;

    enum hftl_status status = flat_open(path, &options, &media, NULL, 0);
    if (status == HFTL_OK)
        media->ops->close(media);
    return status == HFTL_CORRUPT || status == HFTL_VERSION || status == HFTL_TRUNCATED;
}

/* "flat:PATH": the file or device is made a flat medium where it is none, or where it is to become
 * another. *missing: a dry run made none, so there is nothing to look at. */
static int prepare_flat(const struct tool *tool, struct format *format, bool *missing)
{
    const char *path = format->bottom.path;
    char why[TOOL_WHY_BYTES] = "";

    *missing = false;
    if (format->bottom.kind != STACK_FLAT)
        return TOOL_OK;
    bool is = flat_is(path);
    if (is && is_flat_given(format) && !format->options.force)
        return tool_fail(tool, &(struct failure){HFTL_EXISTS, "it is a flat medium already", path,
                                                 "--force makes it anew, and loses what it holds"});
    if (is && !is_flat_given(format) && !(format->options.force && is_damaged(path)))
        return TOOL_OK;
    *missing = format->options.dry_run;
    if (*missing)
        return TOOL_OK;
    format->flat.size = sizeof format->flat;
    format->flat.overwrite = format->options.force;
    enum hftl_status status = flat_create(path, &format->flat, why, sizeof why);
    return status == HFTL_OK ? TOOL_OK : tool_fail_why(tool, status, why, path);
}

/* What formatting would give on a flat medium that is not there: it is tried in memory. */
static enum hftl_status try_flat(struct format *format, const struct hftl_format_options *options,
                                 struct hftl_info *info, char *why, size_t why_bytes)
{
    struct flat_header header;
    struct hftl_media *media;

    format->flat.size = sizeof format->flat;
    enum hftl_status status =
        flat_plan(format->bottom.path, &format->flat, &header, why, why_bytes);
    if (status != HFTL_OK)
        return status;
    struct mem_options mem = {.size = sizeof mem, .facts = header.facts};
    status = mem_open(&mem, &media, why, why_bytes);
    if (status != HFTL_OK)
        return status;
    status = hftl_format_media(media, options, info, why, why_bytes);
    media->ops->close(media);
    return status;
}

static void print_result(const struct tool *tool, const struct format *format,
                         const struct hftl_info *info)
{
    struct sheet *sheet = sheet_new();

    sheet_text(sheet, "path", "Drive", format->path);
    sheet_flag(sheet, "dry_run", "Dry run", format->options.dry_run);
    facts_add_new(sheet, info);
    sheet_print(sheet, tool,
                format->options.dry_run ? "nothing was written; this is what would be made:"
                                        : NULL);
}

static int run(struct tool *tool, void *settings)
{
    struct format *format = settings;
    struct hftl_format_options options;
    struct hftl_info info = {.size = sizeof info};
    struct progress progress;
    char why[TOOL_WHY_BYTES] = "";
    bool missing;

    int code = check(tool, format);
    if (code == TOOL_OK)
        code = prepare_flat(tool, format, &missing);
    if (code != TOOL_OK)
        return code;
    hftl_format_options_init(&options);
    memcpy(options.name, format->options.name, sizeof options.name);
    options.op_permille = format->options.op_permille;
    options.blocks = format->options.blocks;
    options.columns = format->options.columns;
    options.interleave = format->options.interleave;
    options.pu_first = format->options.pu_first;
    options.pu_count = format->options.pu_count;
    options.force = format->options.force;
    options.dry_run = format->options.dry_run;
    options.progress = progress_step;
    options.progress_arg = &progress;
    options.log = tool_log;
    options.log_arg = tool;

    progress_begin(&progress, tool, "chunks");
    enum hftl_status status = missing ? try_flat(format, &options, &info, why, sizeof why)
                                      : hftl_format(format->path, &options, &info, why, sizeof why);
    progress_end(&progress);
    if (status != HFTL_OK)
        return tool_fail_why(tool, status, why, format->path);
    print_result(tool, format, &info);
    return TOOL_OK;
}

static const struct argp_option options[] = {
    {"name", KEY_NAME, "NAME", 0, "Name of the device; default \"default\"", 0},
    {"op", KEY_OP, "PERCENT", 0,
     "Spare space (over-provisioning), in percent of the exported size; default 20", 0},
    {"blocks", KEY_BLOCKS, "N", 0, "Export N blocks of 4096 bytes, and no more", 0},
    {"capacity", KEY_CAPACITY, "SIZE", 0, "The same, as a size", 0},
    {"columns", KEY_COLUMNS, "N", 0, "Zones written in parallel; default chosen", 0},
    {"interleave", KEY_INTERLEAVE, "N", 0,
     "Slices of the drive's write unit; default 1, and small units are joined", 0},
    {"pus", KEY_PUS, "RANGE", 0,
     "Only these parallel units of the drive, so that several devices share it; default all", 0},
    {"write-unit", KEY_UNIT, "SIZE", 0,
     "With flat:PATH: no write is smaller; default what the device asks for", 0},
    {"chunk-size", KEY_CHUNK, "SIZE", 0, "With flat:PATH: what is reclaimed at a time", 0},
    {"force", KEY_FORCE, NULL, 0, "Replace what is there, and lose it", 0},
    {"dry-run", KEY_DRY_RUN, NULL, 0, "Say what would be made, write nothing", 0},
    {NULL, 0, NULL, 0, NULL, 0},
};

const struct verb verb_format = {
    .name = "format",
    .summary = "Make a hostftl device on a drive",
    .arguments = "DEVICE",
    .doc = "Makes a hostftl device on a drive; flat:PATH makes an ordinary file or block device a "
           "drive. "
           "Refuses a drive that is in use, that holds a hostftl "
           "device, or in which libblkid finds a signature.",
    .options = options,
    .parse = parse,
    .settings_bytes = sizeof(struct format),
    .run = run,
};
