/* SPDX-License-Identifier: BSD-3-Clause */
/* From a path or a stranger's medium to the engine and the lifecycle: what the public calls check
 * and say on the way. */
#include "front/open.h"

#include "front/host.h"
#include "front/instance.h"
#include "front/sizes.h"
#include "media/stack.h"

#include <stdio.h>
#include <string.h>

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

enum hftl_status open_path(const char *path, unsigned flags, struct hftl_media **medium,
                           struct why *why)
{
    const struct hftl_media_open_options whole = {.size = sizeof whole, .flags = flags};
    struct instance_name name;
    struct hftl_info chosen;
    enum hftl_status status = instance_name_take(&name, path, why);

    if (status == HFTL_OK)
        status = instance_open(&name, flags, medium, &chosen, why);
    bool unread = status == HFTL_CORRUPT || status == HFTL_IO || status == HFTL_FOREIGN ||
                  status == HFTL_VERSION || status == HFTL_UNSUPPORTED;
    if (unread && !name.name)
        status = instance_open_drive(path, &whole, medium, why);
    instance_name_free(&name);
    return status;
}

/* "drive#name" or the options may say which device; both must not disagree. */
static enum hftl_status take_name(struct instance_name *name, const char *path, const char *also,
                                  struct why *why)
{
    enum hftl_status status = instance_name_take(name, path, why);

    if (status != HFTL_OK || !also)
        return status;
    if (name->name && strcmp(name->name, also) != 0)
        return why_say(why, HFTL_INVALID, "the path names another device than '%s'", also);
    name->name = also;
    return HFTL_OK;
}

enum hftl_status hftl_open(const char *path, const struct hftl_open_options *options,
                           struct hftl_device **device, char *why, size_t why_bytes)
{
    struct hftl_open_options known;
    struct instance_name name = {0};
    struct hftl_info chosen;
    struct hftl_media *medium;
    struct why reason = {0};
    enum hftl_status status;

    if (device)
        *device = NULL;
    status = sizes_take_open(&known, options, &reason);
    if (status == HFTL_OK && !device)
        status = why_say(&reason, HFTL_INVALID, "no place for the device");
    if (status == HFTL_OK)
        status = take_name(&name, path, known.name, &reason);
    if (status == HFTL_OK)
        status =
            instance_open(&name, known.flags & HFTL_OPEN_READ_ONLY ? HFTL_MEDIA_OPEN_READ_ONLY : 0,
                          &medium, &chosen, &reason);
    known.name = chosen.name;
    if (status == HFTL_OK)
        status = host_open(medium, &known, device, &reason);
    instance_name_free(&name);
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
        status = instance_check_medium(media, &reason);
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
    enum hftl_status status = instance_check_medium(medium, why);

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

static enum hftl_status say_busy(const struct holder *holder, const struct hftl_media *medium,
                                 struct why *why)
{
    char part[64] = "", who[40] = "another process";

    if (holder->pu_count < hftl_media_pus(&medium->facts))
        snprintf(part, sizeof part, "its parallel units %u-%u are ", holder->pu_first,
                 holder->pu_first + holder->pu_count - 1);
    if (holder->pid != 0)
        snprintf(who, sizeof who, "process %u", holder->pid);
    return why_say(why, HFTL_BUSY, "%sin use by %s", part, who);
}

/*
 * What would be refused, found out without taking anything: of two that only look, neither keeps
 * the other from formatting. It sees the whole drive, also what is others'. `taken`: the PUs are
 * ours already.
 */
static enum hftl_status try_format(const char *path, const struct hftl_format_options *known,
                                   bool taken, struct hftl_info *info, struct why *why)
{
    const struct hftl_media_open_options options = {
        .size = sizeof options, .flags = HFTL_MEDIA_OPEN_READ_ONLY | HFTL_MEDIA_OPEN_LOOK};
    struct hftl_format_options dry = *known;
    struct hftl_media *medium;
    struct holder holder;
    enum hftl_status status = instance_open_drive(path, &options, &medium, why);

    if (status != HFTL_OK)
        return status;
    dry.dry_run = true;
    status = format_medium(medium, &dry, info, why);
    /* What is in use is said first: nothing helps against it but to stop who uses it. */
    if (!taken && status != HFTL_INVALID && status != HFTL_GEOMETRY &&
        stack_find_holder(path, known->pu_first, known->pu_count, &holder))
        status = say_busy(&holder, medium, why);
    medium->ops->close(medium);
    return status;
}

/* A medium that is opened for writing may write by that alone, as an emulated drive does: so what
 * is refused was refused before. Now once more, because what others have in common with these PUs
 * does not change any more (media.h, THE PROTOCOL). */
static enum hftl_status take_and_format(const char *path, const struct hftl_format_options *known,
                                        struct hftl_info *info, struct why *why)
{
    const struct hftl_media_open_options options = {.size = sizeof options,
                                                    .flags = HFTL_MEDIA_OPEN_FORMAT,
                                                    .pu_first = known->pu_first,
                                                    .pu_count = known->pu_count};
    struct hftl_media *medium;
    enum hftl_status status = instance_open_drive(path, &options, &medium, why);

    if (status != HFTL_OK)
        return status;
    status = try_format(path, known, true, NULL, why);
    if (status == HFTL_OK)
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

    if (status == HFTL_OK)
        status = try_format(path, &known, false, info, &reason);
    if (status == HFTL_OK && !known.dry_run)
        status = take_and_format(path, &known, info, &reason);
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
    struct instance_name name;
    struct why reason = {0};
    struct hftl_info result;
    struct live live;
    struct world world;
    enum hftl_status status = instance_name_take(&name, path, &reason);

    if (status == HFTL_OK)
        status = instance_open(&name, HFTL_MEDIA_OPEN_READ_ONLY, &medium, &result, &reason);
    if (status == HFTL_OK) { /* once more: now nobody changes it */
        live_init(&live, NULL, NULL);
        world = live_world(&live);
        memset(&result, 0, sizeof result);
        status = device_probe(medium, &world, name.name, &result, &reason);
        medium->ops->close(medium);
    }
    if (status == HFTL_OK)
        sizes_give_info(info, &result);
    instance_name_free(&name);
    open_tell(status, path, &reason, why, why_bytes);
    return status;
}

/* On the way from the engine's list to the caller. */
struct listing {
    const char *path;
    void (*each)(void *arg, const struct hftl_info *info);
    void *arg;
};

static void pass_on(void *arg, const struct hftl_info *info)
{
    const struct listing *listing = arg;
    struct hftl_info known = *info;
    struct holder holder = {0};

    known.in_use = stack_find_holder(listing->path, known.pu_first, known.pu_count, &holder);
    known.in_use_pid = holder.pid;
    listing->each(listing->arg, &known);
}

enum hftl_status hftl_list(const char *path, void (*each)(void *arg, const struct hftl_info *info),
                           void *arg, char *why, size_t why_bytes)
{
    const struct hftl_media_open_options options = {
        .size = sizeof options, .flags = HFTL_MEDIA_OPEN_READ_ONLY | HFTL_MEDIA_OPEN_LOOK};
    struct listing listing = {path, each, arg};
    struct hftl_media *medium = NULL;
    struct why reason = {0};
    struct live live;
    struct world world;
    enum hftl_status status = instance_open_drive(path, &options, &medium, &reason);

    if (status == HFTL_OK) {
        live_init(&live, NULL, NULL);
        world = live_world(&live);
        status = device_list(medium, &world, pass_on, &listing, &reason);
        medium->ops->close(medium);
    }
    open_tell(status, path, &reason, why, why_bytes);
    return status;
}
