/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stack_bottom.c - what is at the bottom of a stack: a drive in a file, or one in memory.
 *
 * The environment sets what the text does not:
 *
 *     HFTL_NO_URING=1      threads instead of io_uring
 *     HFTL_EMU_CACHE=N     bytes of volatile cache of an emulated drive
 *     HFTL_EMU_NO_FSYNC=1  the death of the host need not be survived
 *     HFTL_EMU_SEED=N      what leaves the volatile cache when
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "media/emu.h"
#include "media/flat.h"
#include "media/mem.h"
#include "media/overlay.h"
#include "media/stack_parts.h"

static bool read_switch(const char *name)
{
    const char *value = getenv(name);
    return value && *value && strcmp(value, "0") != 0;
}

/* False: the variable is there and is no number. */
static bool read_number(const char *name, bool *given, uint64_t *number)
{
    const char *value = getenv(name);
    *given = value && *value;
    if (!*given)
        return true;
    char *end = NULL;
    errno = 0;
    *number = strtoull(value, &end, 0);
    return errno == 0 && end != value && *end == '\0' && *value != '-';
}

static enum hftl_status read_environment(struct emu_open_options *options, const struct say *to)
{
    bool given = false;
    options->no_uring = read_switch("HFTL_NO_URING");
    options->no_fsync = read_switch("HFTL_EMU_NO_FSYNC");
    if (!read_number("HFTL_EMU_CACHE", &options->cache_given, &options->cache_bytes))
        return say(to, HFTL_INVALID, "HFTL_EMU_CACHE is not a number of bytes: %s",
                   getenv("HFTL_EMU_CACHE"));
    if (!read_number("HFTL_EMU_SEED", &given, &options->seed))
        return say(to, HFTL_INVALID, "HFTL_EMU_SEED is not a number: %s", getenv("HFTL_EMU_SEED"));
    return HFTL_OK;
}

static enum hftl_status read_emu_words(struct emu_open_options *options, struct words *words)
{
    uint64_t cache = UINT64_MAX;
    enum hftl_status status = words_bytes(words, "cache", &cache);
    if (status == HFTL_OK)
        status = words_number(words, "seed", UINT64_MAX, &options->seed);
    if (status == HFTL_OK)
        status = words_switch(words, "no-fsync", &options->no_fsync);
    if (status == HFTL_OK)
        status = words_switch(words, "no-uring", &options->no_uring);
    if (status == HFTL_OK)
        status = words_end(words);
    if (cache != UINT64_MAX) {
        options->cache_given = true;
        options->cache_bytes = cache;
    }
    return status;
}

/* An overlay around a drive that was opened for it. */
static enum hftl_status cover(const char *path, struct hftl_media *drive,
                              const struct hftl_media_facts *facts, struct hftl_media **media,
                              const struct say *to)
{
    enum hftl_status status = overlay_open(drive, facts, media);
    if (status == HFTL_OK)
        return HFTL_OK;
    drive->ops->close(drive);
    return say(to, status, "%s: cannot hold its changes in memory: %s", path,
               hftl_status_text(status));
}

static enum hftl_status open_emu(const char *path, struct words *words,
                                 const struct hftl_media_open_options *asked,
                                 struct hftl_media **media, const struct say *to)
{
    bool look = (asked->flags & HFTL_MEDIA_OPEN_LOOK) != 0;
    bool private = (asked->flags & HFTL_MEDIA_OPEN_PRIVATE) != 0 && !look;
    struct emu_open_options options = {.size = sizeof options};
    struct hftl_media *drive;
    enum hftl_status status = read_environment(&options, to);
    if (status == HFTL_OK && words)
        status = read_emu_words(&options, words);
    if (status != HFTL_OK)
        return status;
    options.read_only = private || look || (asked->flags & HFTL_MEDIA_OPEN_READ_ONLY) != 0;
    options.all_readable = private;
    options.look = look;
    options.format = (asked->flags & HFTL_MEDIA_OPEN_FORMAT) != 0;
    options.pu_first = asked->pu_first;
    options.pu_count = asked->pu_count;
    status = emu_open(path, &options, &drive, to->why, to->why_bytes);
    if (status != HFTL_OK || !private) {
        *media = drive;
        return status;
    }
    struct hftl_media_facts facts = drive->facts;
    facts.mw_cunits = emu_header_of(drive)->facts.mw_cunits;
    return cover(path, drive, &facts, media, to);
}

static enum hftl_status read_flat_words(struct flat_open_options *options, struct words *words)
{
    bool around = false, through = false;
    enum hftl_status status = words_switch(words, "no-uring", &options->no_uring);
    if (status == HFTL_OK)
        status = words_switch(words, "direct", &around);
    if (status == HFTL_OK)
        status = words_switch(words, "buffered", &through);
    if (status == HFTL_OK)
        status = words_end(words);
    if (status == HFTL_OK && around && through)
        status = words_complain(words, words->at, "either 'direct' or 'buffered'");
    if (around || through)
        options->cache = around ? FLAT_CACHE_AROUND : FLAT_CACHE_THROUGH;
    return status;
}

static enum hftl_status open_flat(const char *path, struct words *words,
                                  const struct hftl_media_open_options *asked,
                                  struct hftl_media **media, const struct say *to)
{
    bool look = (asked->flags & HFTL_MEDIA_OPEN_LOOK) != 0;
    bool private = (asked->flags & HFTL_MEDIA_OPEN_PRIVATE) != 0 && !look;
    struct flat_open_options options = {.size = sizeof options};
    struct hftl_media *drive;
    enum hftl_status status = HFTL_OK;
    options.no_uring = read_switch("HFTL_NO_URING");
    options.read_only = private || look || (asked->flags & HFTL_MEDIA_OPEN_READ_ONLY) != 0;
    options.look = look;
    if (asked->pu_first != 0 || asked->pu_count > 1)
        return say(to, HFTL_INVALID, "%s: parallel units %u-%llu: a flat medium has 0-0", path,
                   asked->pu_first, (unsigned long long)asked->pu_first + asked->pu_count - 1);
    if (words)
        status = read_flat_words(&options, words);
    if (status == HFTL_OK)
        status = flat_open(path, &options, &drive, to->why, to->why_bytes);
    if (status != HFTL_OK)
        return status;
    *media = drive;
    return private ? cover(path, drive, &drive->facts, media, to) : HFTL_OK;
}

static bool is_block_device(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISBLK(st.st_mode);
}

enum hftl_status stack_open_file(const char *path, enum stack_kind kind, struct words *words,
                                 const struct hftl_media_open_options *options,
                                 struct hftl_media **media, const struct say *to)
{
    if (kind == STACK_FLAT || (kind == STACK_ANY && flat_is(path)))
        return open_flat(path, words, options, media, to);
    if (kind == STACK_ANY && is_block_device(path))
        return say(to, HFTL_FOREIGN, "%s: a block device that is no flat medium", path);
    return open_emu(path, words, options, media, to);
}

bool stack_find_holder(const char *text, uint32_t pu_first, uint32_t pu_count,
                       struct holder *holder)
{
    const struct say nobody = {NULL, 0};
    struct stack_bottom bottom;
    if (stack_find_bottom(text, &bottom, &nobody) != HFTL_OK || !bottom.path)
        return false;
    bool flat = bottom.kind == STACK_FLAT || (bottom.kind == STACK_ANY && flat_is(bottom.path));
    return flat ? flat_find_holder(bottom.path, holder)
                : emu_find_holder(bottom.path, pu_first, pu_count, holder);
}

/* A drive's dimensions, as far as they are given; the rest is chosen. */
static enum hftl_status read_dimensions(struct emu_create_options *plan, struct words *words)
{
    const struct {
        const char *key;
        uint32_t *out;
    } dimensions[] = {
        {"groups", &plan->groups},
        {"pus", &plan->pus_per_group},
        {"chunks", &plan->chunks_per_pu},
        {"chunk-blocks", &plan->chunk_blocks},
    };
    enum hftl_status status = HFTL_OK;
    for (size_t i = 0; i < sizeof dimensions / sizeof dimensions[0] && status == HFTL_OK; i++) {
        uint64_t number = 0;
        status = words_number(words, dimensions[i].key, UINT32_MAX - 1, &number);
        *dimensions[i].out = (uint32_t)number;
    }
    return status;
}

/* "64M,kind=zoned": the first word is the size. */
enum hftl_status stack_open_mem(struct words *words, struct hftl_media **media)
{
    static const char *const kinds[] = {"ocssd", "zoned", NULL};
    struct emu_create_options plan = {.size = sizeof plan, .seed = 1};
    struct emu_header header;
    unsigned kind = 0;
    bool append = false;
    struct word size = {.key = "size", .value = words->name, .at = words->at};
    if (words->count == WORDS_MAX)
        return words_complain(words, words->at, "too many options");
    words->words[words->count++] = size;
    words->name = "mem";
    enum hftl_status status = words_bytes(words, "size", &plan.bytes);
    if (status == HFTL_OK)
        status = words_choice(words, "kind", kinds, &kind);
    if (status == HFTL_OK)
        status = words_switch(words, "append", &append);
    if (status == HFTL_OK)
        status = read_dimensions(&plan, words);
    if (status == HFTL_OK)
        status = words_end(words);
    if (status != HFTL_OK)
        return status;
    plan.kind = kind == 0 ? HFTL_KIND_OCSSD : HFTL_KIND_ZONED;
    if (plan.kind == HFTL_KIND_ZONED)
        plan.zone_blocks = plan.chunk_blocks; /* no need for zones that end in nothing */
    plan.flags_set = append ? HFTL_MEDIA_CAN_APPEND : 0;
    status = emu_plan(&plan, &header, words->to->why, words->to->why_bytes);
    if (status != HFTL_OK)
        return status;
    struct mem_options options = {.size = sizeof options, .facts = header.facts};
    return mem_open(&options, media, words->to->why, words->to->why_bytes);
}
