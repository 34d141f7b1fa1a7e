/* SPDX-License-Identifier: BSD-3-Clause */
/* emu_create.c - hostftl emu create: makes an emulated drive in a file. */
#include <string.h>
#include <sys/random.h>

#include "tool/emu.h"
#include "tool/units.h"

#define SIZE_DEFAULT (UINT64_C(1) << 30)
#define BLOCK_DEFAULT 4096u
#define SEED_MAX ((UINT64_C(1) << 53) - 1) /* every reader of JSON can hold it */

enum {
    KEY_KIND = 256,
    KEY_SIZE,
    KEY_BLOCK_BYTES,
    KEY_OOB,
    KEY_GROUPS,
    KEY_PUS,
    KEY_CHUNKS,
    KEY_CHUNK_BLOCKS,
    KEY_WS_MIN,
    KEY_WS_OPT,
    KEY_MW_CUNITS,
    KEY_ZONES,
    KEY_ZONE_SIZE,
    KEY_ZONE_CAPACITY,
    KEY_MAX_OPEN,
    KEY_MAX_ACTIVE,
    KEY_RESET_LIMIT,
    KEY_BAD_CHUNKS,
    KEY_SHORT_CHUNKS,
    KEY_SEED,
    KEY_VOLATILE,
    KEY_OUTLIVES_HOST,
    KEY_NO_FSYNC,
    KEY_FORCE,
    KEY_APPEND,
};

struct create {
    const char *path;
    struct emu_create_options drive;
    uint64_t zone_bytes, zone_capacity_bytes; /* 0: not given */
    const char *ocssd_only, *zoned_only;      /* the option given that only this kind has */
};

enum who { BOTH, OCSSD, ZONED };

/* Options that are one number. */
static const struct number {
    int key;
    size_t offset;
    bool zero_is_none; /* 0 on the command line is "none"; in the struct 0 is "choose" */
    enum who who;
    const char *name;
} numbers[] = {
#define FIELD(member) offsetof(struct emu_create_options, member)
    {KEY_BLOCK_BYTES, FIELD(block_bytes), false, BOTH, "--block-bytes"},
    {KEY_OOB, FIELD(oob_bytes), true, BOTH, "--oob"},
    {KEY_GROUPS, FIELD(groups), false, OCSSD, "--groups"},
    {KEY_PUS, FIELD(pus_per_group), false, OCSSD, "--pus"},
    {KEY_CHUNKS, FIELD(chunks_per_pu), false, OCSSD, "--chunks"},
    {KEY_CHUNK_BLOCKS, FIELD(chunk_blocks), false, OCSSD, "--chunk-blocks"},
    {KEY_WS_MIN, FIELD(ws_min), false, BOTH, "--ws-min"},
    {KEY_WS_OPT, FIELD(ws_opt), false, BOTH, "--ws-opt"},
    {KEY_MW_CUNITS, FIELD(mw_cunits), true, BOTH, "--mw-cunits"},
    {KEY_ZONES, FIELD(chunks_per_pu), false, ZONED, "--zones"},
    {KEY_MAX_OPEN, FIELD(open_max), true, BOTH, "--max-open"},
    {KEY_MAX_ACTIVE, FIELD(active_max), true, BOTH, "--max-active"},
    {KEY_RESET_LIMIT, FIELD(reset_limit), false, BOTH, "--reset-limit"},
    {KEY_BAD_CHUNKS, FIELD(bad_chunks), false, BOTH, "--bad-chunks"},
    {KEY_SHORT_CHUNKS, FIELD(short_chunks), false, BOTH, "--short-chunks"},
#undef FIELD
};

static const char *size_name(int key)
{
    switch (key) {
    case KEY_SIZE:
        return "--size";
    case KEY_ZONE_SIZE:
        return "--zone-size";
    case KEY_ZONE_CAPACITY:
        return "--zone-capacity";
    default:
        return "--volatile";
    }
}

static error_t bad_size(struct tool *tool, int key, const char *arg)
{
    char given[128];

    (void)snprintf(given, sizeof given, "%s=%s", size_name(key), arg);
    return tool_usage(tool, "not a size", given,
                      "write bytes, or a number with K, M, G, T or P (1G is 2^30 bytes)");
}

static error_t parse_number(struct tool *tool, struct create *create, int key, const char *arg)
{
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        const struct number *number = &numbers[i];
        uint64_t n;

        if (number->key != key)
            continue;
        if (!units_parse_count(arg, EMU_NONE - 1, &n))
            return tool_usage(tool, "not a number", arg, number->name);
        if (n == 0 && !number->zero_is_none && key != KEY_BAD_CHUNKS && key != KEY_SHORT_CHUNKS &&
            key != KEY_RESET_LIMIT)
            return tool_usage(tool, "must be at least 1", number->name, NULL);
        uint32_t value = n == 0 && number->zero_is_none ? EMU_NONE : (uint32_t)n;
        memcpy((char *)&create->drive + number->offset, &value, sizeof value);
        if (number->who == OCSSD)
            create->ocssd_only = number->name;
        if (number->who == ZONED)
            create->zoned_only = number->name;
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static error_t parse_size(struct tool *tool, struct create *create, int key, const char *arg)
{
    uint64_t bytes;

    if (!units_parse_bytes(arg, &bytes))
        return bad_size(tool, key, arg);
    if (bytes == 0 && key != KEY_VOLATILE)
        return tool_usage(tool, "must be more than 0", size_name(key), NULL);
    switch (key) {
    case KEY_SIZE:
        create->drive.bytes = bytes;
        break;
    case KEY_ZONE_SIZE:
        create->zone_bytes = bytes;
        create->zoned_only = "--zone-size";
        break;
    case KEY_ZONE_CAPACITY:
        create->zone_capacity_bytes = bytes;
        create->zoned_only = "--zone-capacity";
        break;
    default:
        create->drive.cache_given = true;
        create->drive.cache_bytes = bytes;
        break;
    }
    return 0;
}

static error_t parse_kind(struct tool *tool, struct create *create, const char *arg)
{
    if (strcmp(arg, "ocssd") == 0)
        create->drive.kind = HFTL_KIND_OCSSD;
    else if (strcmp(arg, "zoned") == 0)
        create->drive.kind = HFTL_KIND_ZONED;
    else
        return tool_usage(tool, "no such kind of drive", arg, "use ocssd or zoned");
    return 0;
}

/* Bytes of a zone to blocks. NULL, or what is wrong with them. */
static const char *to_blocks(const struct create *create, uint64_t bytes, uint32_t *blocks)
{
    uint64_t block = create->drive.block_bytes != 0 ? create->drive.block_bytes : BLOCK_DEFAULT;

    *blocks = (uint32_t)(bytes / block);
    if (bytes / block >= EMU_NONE)
        return "2^32 blocks or more";
    return bytes % block == 0 ? NULL : "not a whole number of blocks";
}

static error_t check_end(struct tool *tool, struct create *create)
{
    struct emu_create_options *drive = &create->drive;

    if (create->path == NULL)
        return tool_usage(tool, "where?", NULL, "name the file that is to hold the drive");
    if (drive->kind == 0)
        return tool_usage(tool, "which kind of drive?", "--kind", "ocssd or zoned");
    if (drive->kind == HFTL_KIND_ZONED && create->ocssd_only != NULL)
        return tool_usage(tool, "only an ocssd drive has this", create->ocssd_only,
                          "see --zones, --zone-size and --zone-capacity");
    if (drive->kind == HFTL_KIND_OCSSD && create->zoned_only != NULL)
        return tool_usage(tool, "only a zoned drive has this", create->zoned_only,
                          "see --chunks and --chunk-blocks");
    const char *wrong = to_blocks(create, create->zone_bytes, &drive->zone_blocks);
    if (wrong != NULL)
        return tool_usage(tool, wrong, "--zone-size", NULL);
    if (create->zone_capacity_bytes != 0)
        wrong = to_blocks(create, create->zone_capacity_bytes, &drive->chunk_blocks);
    if (wrong != NULL)
        return tool_usage(tool, wrong, "--zone-capacity", NULL);
    if (drive->zone_blocks != 0 && drive->chunk_blocks == 0)
        drive->chunk_blocks = drive->zone_blocks;
    if (drive->bytes == 0 && drive->chunks_per_pu == 0)
        drive->bytes = SIZE_DEFAULT;
    return 0;
}

static error_t parse(struct tool *tool, void *settings, int key, char *arg,
                     const struct argp_state *state)
{
    struct create *create = settings;

    switch (key) {
    case KEY_KIND:
        return parse_kind(tool, create, arg);
    case KEY_SIZE:
    case KEY_ZONE_SIZE:
    case KEY_ZONE_CAPACITY:
    case KEY_VOLATILE:
        return parse_size(tool, create, key, arg);
    case KEY_SEED:
        if (!units_parse_count(arg, SEED_MAX, &create->drive.seed))
            return tool_usage(tool, "not a seed", arg, "write a number below 2^53");
        return 0;
    case KEY_OUTLIVES_HOST:
        create->drive.outlives_host = true;
        return 0;
    case KEY_NO_FSYNC:
        create->drive.no_fsync = true;
        return 0;
    case KEY_APPEND:
        create->drive.flags_set |= HFTL_MEDIA_CAN_APPEND;
        create->zoned_only = "--append";
        return 0;
    case KEY_FORCE:
        create->drive.overwrite = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            return tool_usage(tool, "one drive at a time", arg, NULL);
        create->path = arg;
        return 0;
    case ARGP_KEY_END:
        return check_end(tool, create);
    default:
        return parse_number(tool, create, key, arg);
    }
}

static int run(struct tool *tool, void *settings)
{
    struct create *create = settings;
    struct emu_inspection inspection;
    char why[TOOL_WHY_BYTES] = "";

    create->drive.size = sizeof create->drive;
    if (create->drive.seed == 0 && getrandom(&create->drive.seed, sizeof create->drive.seed, 0) > 0)
        create->drive.seed &= SEED_MAX;
    enum hftl_status status = emu_create(create->path, &create->drive, why, sizeof why);
    if (status != HFTL_OK)
        return tool_fail_why(tool, status, why, create->path);
    int code = emu_look(tool, create->path, &inspection);
    if (code != TOOL_OK)
        return code;
    emu_print(tool, create->path, &inspection);
    emu_inspection_free(&inspection);
    return TOOL_OK;
}

static const struct argp_option options[] = {
    {NULL, 0, NULL, 0, "The drive:", 1},
    {"kind", KEY_KIND, "KIND", 0, "ocssd (Open-Channel SSD) or zoned", 0},
    {"size", KEY_SIZE, "SIZE", 0, "At most this much; 1G where no dimensions are given", 0},
    {"block-bytes", KEY_BLOCK_BYTES, "N", 0, "Bytes of a block, 512 to 4096; default 4096", 0},
    {"oob", KEY_OOB, "N", 0, "Out-of-band bytes of a block; 0 for none", 0},
    {"ws-min", KEY_WS_MIN, "N", 0, "Smallest write, blocks", 0},
    {"ws-opt", KEY_WS_OPT, "N", 0, "Best write, blocks", 0},
    {"mw-cunits", KEY_MW_CUNITS, "N", 0,
     "Blocks behind the write pointer that are not readable yet; 0 for none", 0},
    {"max-open", KEY_MAX_OPEN, "N", 0, "Chunks open at a time; 0 for no limit", 0},
    {"max-active", KEY_MAX_ACTIVE, "N", 0, "Chunks open or paused at a time; 0 for no limit", 0},
    {NULL, 0, NULL, 0, "An Open-Channel SSD:", 2},
    {"groups", KEY_GROUPS, "N", 0, "Groups", 0},
    {"pus", KEY_PUS, "N", 0, "Parallel units of a group", 0},
    {"chunks", KEY_CHUNKS, "N", 0, "Chunks of a parallel unit", 0},
    {"chunk-blocks", KEY_CHUNK_BLOCKS, "N", 0, "Blocks of a chunk", 0},
    {NULL, 0, NULL, 0, "A zoned drive:", 3},
    {"zones", KEY_ZONES, "N", 0, "Zones", 0},
    {"zone-size", KEY_ZONE_SIZE, "SIZE", 0, "Distance from zone to zone", 0},
    {"zone-capacity", KEY_ZONE_CAPACITY, "SIZE", 0,
     "Usable part of a zone; default all of --zone-size", 0},
    {"append", KEY_APPEND, NULL, 0, "It takes appends: writes that the drive places", 0},
    {NULL, 0, NULL, 0, "Its defects:", 4},
    {"bad-chunks", KEY_BAD_CHUNKS, "N", 0, "Chunks that are offline from the start", 0},
    {"short-chunks", KEY_SHORT_CHUNKS, "N", 0, "Chunks of less capacity", 0},
    {"reset-limit", KEY_RESET_LIMIT, "N", 0, "Resets a chunk is good for; 0 for not known", 0},
    {"seed", KEY_SEED, "N", 0, "Decides all that is left to chance; 0, the default, for any", 0},
    {NULL, 0, NULL, 0, "When the power goes:", 5},
    {"volatile", KEY_VOLATILE, "SIZE", 0,
     "Volatile cache, lost when the process is killed; default 8M, 0 for none", 0},
    {"outlives-host", KEY_OUTLIVES_HOST, NULL, 0,
     "The death of the process leaves all that it wrote, flushed or not", 0},
    {"no-fsync", KEY_NO_FSYNC, NULL, 0,
     "Do not sync the file: faster, does not survive the death of this machine", 0},
    {NULL, 0, NULL, 0, "", 6},
    {"force", KEY_FORCE, NULL, 0, "Replace a file that is there, and what it holds", 0},
    {NULL, 0, NULL, 0, NULL, 0},
};

const struct verb verb_emu_create = {
    .name = "emu create",
    .summary = "Make an emulated drive in a file",
    .arguments = "DRIVE",
    .doc = "Makes an emulated drive in the file DRIVE, which must not be there yet. What is not "
           "given is "
           "chosen to go with the rest.",
    .options = options,
    .parse = parse,
    .settings_bytes = sizeof(struct create),
    .run = run,
};
