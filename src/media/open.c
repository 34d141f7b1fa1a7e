/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * open.c - hftl_media_open: which medium is it, and the wrappers that the environment asks for.
 *
 *     HFTL_GUARD=1         the guard around it, as in builds with -DHFTL_GUARD
 *     HFTL_NO_URING=1      threads instead of io_uring
 *     HFTL_EMU_CACHE=N     bytes of volatile cache of an emulated drive
 *     HFTL_EMU_NO_FSYNC=1  the death of the host need not be survived
 *     HFTL_EMU_SEED=N      what leaves the volatile cache when
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "media/emu.h"
#include "media/guard.h"
#include "media/overlay.h"
#include "media/say.h"

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

static bool wants_guard(void)
{
#ifdef HFTL_GUARD
    return true;
#else
    return read_switch("HFTL_GUARD");
#endif
}

/* An emulated drive, whose changes are forgotten. */
static enum hftl_status open_private(const char *path, struct emu_open_options *options,
                                     struct hftl_media **media, const struct say *to)
{
    struct hftl_media *drive;
    options->read_only = true;
    options->all_readable = true;
    enum hftl_status status = emu_open(path, options, &drive, to->why, to->why_bytes);
    if (status != HFTL_OK)
        return status;
    struct hftl_media_facts facts = drive->facts;
    facts.mw_cunits = emu_header_of(drive)->facts.mw_cunits;
    status = overlay_open(drive, &facts, media);
    if (status == HFTL_OK)
        return HFTL_OK;
    drive->ops->close(drive);
    return say(to, status, "%s: cannot hold its changes in memory: %s", path,
               hftl_status_text(status));
}

static enum hftl_status open_guard(const char *path, struct hftl_media **media,
                                   const struct say *to)
{
    struct hftl_media *inner = *media;
    enum hftl_status status = guard_open(inner, NULL, media);
    if (status == HFTL_OK)
        return HFTL_OK;
    inner->ops->close(inner);
    return say(to, status, "%s: no guard around it: %s", path, hftl_status_text(status));
}

enum hftl_status hftl_media_open(const char *path, unsigned flags, struct hftl_media **media,
                                 char *why, size_t why_bytes)
{
    const struct say to = {why, why_bytes};
    struct emu_open_options options = {.size = sizeof options};
    if (flags & ~(HFTL_MEDIA_OPEN_READ_ONLY | HFTL_MEDIA_OPEN_PRIVATE))
        return say(&to, HFTL_INVALID, "%s: opened with a flag that is not known", path);
    options.read_only = (flags & HFTL_MEDIA_OPEN_READ_ONLY) != 0;
    enum hftl_status status = read_environment(&options, &to);
    if (status == HFTL_OK && (flags & HFTL_MEDIA_OPEN_PRIVATE) != 0)
        status = open_private(path, &options, media, &to);
    else if (status == HFTL_OK)
        status = emu_open(path, &options, media, why, why_bytes);
    if (status == HFTL_OK && wants_guard())
        status = open_guard(path, media, &to);
    return status;
}
