/* SPDX-License-Identifier: BSD-3-Clause */
/* From a path or a stranger's medium to the engine and the lifecycle: what the public calls check
 * and say on the way. */
#include "front/open.h"

#include "front/host.h"
#include "front/sizes.h"

#include <stdio.h>
#include <string.h>

#define SAID_BYTES 4608 /* the longest path, and a sentence */

void open_tell(enum hftl_status status, const char *path, const struct why *why, char *text,
               size_t text_bytes)
{
    const char *sentence = why->text[0] ? why->text : hftl_status_text(status);

    if (!text || text_bytes == 0)
        return;
    if (status == HFTL_OK)
        text[0] = 0;
    else if (path && path[0])
        snprintf(text, text_bytes, "%s: %s", path, sentence);
    else
        snprintf(text, text_bytes, "%s", sentence);
}

/* Users' blocks are 4096 bytes and the engine counts in the medium's: outside the simulator these
 * are the same. */
static enum hftl_status check_medium(const struct hftl_media *medium, struct why *why)
{
    const char *nonsense = hftl_media_facts_nonsense(&medium->facts);

    if (nonsense)
        return why_say(why, HFTL_GEOMETRY, "%s", nonsense);
    if (medium->facts.block_bytes != HFTL_BLOCK_BYTES)
        return why_say(why, HFTL_GEOMETRY,
                       "the medium has blocks of %u bytes; only %u are supported",
                       medium->facts.block_bytes, HFTL_BLOCK_BYTES);
    return HFTL_OK;
}

/* "PATH: sentence" without its path, which may be longer than the room for why. */
static const char *without_path(const char *sentence, const char *path)
{
    size_t length = strlen(path);

    if (strncmp(sentence, path, length) == 0 && strncmp(sentence + length, ": ", 2) == 0)
        return sentence + length + 2;
    return sentence;
}

enum hftl_status open_path(const char *path, unsigned flags, struct hftl_media **medium,
                           struct why *why)
{
    char said[SAID_BYTES] = "";
    enum hftl_status status;

    if (!path || !path[0])
        return why_say(why, HFTL_INVALID, "no path");
    status = hftl_media_open(path, flags, medium, said, sizeof said);
    if (status != HFTL_OK)
        return why_say(why, status, "%s", without_path(said, path));
    status = check_medium(*medium, why);
    if (status != HFTL_OK)
        (*medium)->ops->close(*medium);
    return status;
}

enum hftl_status hftl_open(const char *path, const struct hftl_open_options *options,
                           struct hftl_device **device, char *why, size_t why_bytes)
{
    struct hftl_open_options known;
    struct hftl_media *medium;
    struct why reason = {0};
    enum hftl_status status;

    if (device)
        *device = NULL;
    status = sizes_take_open(&known, options, &reason);
    if (status == HFTL_OK && !device)
        status = why_say(&reason, HFTL_INVALID, "no place for the device");
    if (status == HFTL_OK)
        status =
            open_path(path, (known.flags & HFTL_OPEN_READ_ONLY) ? HFTL_MEDIA_OPEN_READ_ONLY : 0,
                      &medium, &reason);
    if (status == HFTL_OK)
        status = host_open(medium, &known, device, &reason);
    open_tell(status, path, &reason, why, why_bytes);
    return status;
}

enum hftl_status hftl_open_media(struct hftl_media *media, const struct hftl_open_options *options,
                                 struct hftl_device **device, char *why, size_t why_bytes)
{
    struct hftl_open_options known;
    struct why reason = {0};
    enum hftl_status status;

    if (device)
        *device = NULL;
    status = sizes_take_open(&known, options, &reason);
    if (status == HFTL_OK && (!device || !media))
        status = why_say(&reason, HFTL_INVALID, "no medium, or no place for the device");
    if (status == HFTL_OK)
        status = check_medium(media, &reason);
    if (status == HFTL_OK)
        status = host_open(media, &known, device, &reason);
    else if (media)
        media->ops->close(media);
    open_tell(status, NULL, &reason, why, why_bytes);
    return status;
}

/* The medium stays open. */
static enum hftl_status format_medium(struct hftl_media *medium,
                                      const struct hftl_format_options *known,
                                      struct hftl_info *info, struct why *why)
{
    struct live live;
    struct world world;
    struct hftl_info result;
    enum hftl_status status = check_medium(medium, why);

    if (status != HFTL_OK)
        return status;
    live_init(&live, known->log, known->log_arg);
    world = live_world(&live);
    memset(&result, 0, sizeof result);
    status = device_format(medium, &world, known, &result, why);
    if (status == HFTL_OK)
        sizes_give_info(info, &result);
    return status;
}

/* A medium that is opened for writing may write by that alone, as an emulated drive does: so what
 * is refused is refused in a dry run before. */
static enum hftl_status format_path(const char *path, struct hftl_format_options *known,
                                    bool dry_run, struct hftl_info *info, struct why *why)
{
    struct hftl_media *medium = NULL;
    enum hftl_status status =
        open_path(path, dry_run ? HFTL_MEDIA_OPEN_READ_ONLY : 0, &medium, why);

    if (status != HFTL_OK)
        return status;
    known->dry_run = dry_run;
    status = format_medium(medium, known, info, why);
    medium->ops->close(medium);
    return status;
}

enum hftl_status hftl_format(const char *path, const struct hftl_format_options *options,
                             struct hftl_info *info, char *why, size_t why_bytes)
{
    struct hftl_format_options known;
    struct why reason = {0};
    enum hftl_status status = sizes_take_format(&known, options, &reason);
    bool dry_run = known.dry_run;

    if (status == HFTL_OK)
        status = format_path(path, &known, true, info, &reason);
    if (status == HFTL_OK && !dry_run)
        status = format_path(path, &known, false, info, &reason);
    open_tell(status, path, &reason, why, why_bytes);
    return status;
}

enum hftl_status hftl_format_media(struct hftl_media *media,
                                   const struct hftl_format_options *options,
                                   struct hftl_info *info, char *why, size_t why_bytes)
{
    struct hftl_format_options known;
    struct why reason = {0};
    enum hftl_status status = sizes_take_format(&known, options, &reason);

    if (status == HFTL_OK && !media)
        status = why_say(&reason, HFTL_INVALID, "no medium");
    if (status == HFTL_OK)
        status = format_medium(media, &known, info, &reason);
    open_tell(status, NULL, &reason, why, why_bytes);
    return status;
}

enum hftl_status hftl_probe(const char *path, struct hftl_info *info, char *why, size_t why_bytes)
{
    struct hftl_media *medium = NULL;
    struct why reason = {0};
    struct hftl_info result;
    struct live live;
    struct world world;
    enum hftl_status status = open_path(path, HFTL_MEDIA_OPEN_READ_ONLY, &medium, &reason);

    if (status == HFTL_OK) {
        live_init(&live, NULL, NULL);
        world = live_world(&live);
        memset(&result, 0, sizeof result);
        status = device_probe(medium, &world, NULL, &result, &reason);
        medium->ops->close(medium);
    }
    if (status == HFTL_OK)
        sizes_give_info(info, &result);
    open_tell(status, path, &reason, why, why_bytes);
    return status;
}
