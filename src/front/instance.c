/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "front/instance.h"

#include "front/live.h"
#include "media/stack.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SAID_BYTES 4608 /* the longest path, and a sentence */
#define TRIES_MAX 8u    /* formats that may come between looking and taking */

/* ---- names ----------------------------------------------------------------------------------- */

static bool is_there(const char *text)
{
    const struct say nobody = {NULL, 0};
    struct stack_bottom bottom;
    struct stat st;

    return stack_find_bottom(text, &bottom, &nobody) == HFTL_OK && bottom.path != NULL &&
           stat(bottom.path, &st) == 0;
}

enum hftl_status instance_name_take(struct instance_name *name, const char *device, struct why *why)
{
    memset(name, 0, sizeof *name);
    if (!device || !device[0])
        return why_say(why, HFTL_INVALID, "no path");
    name->drive = strdup(device);
    if (!name->drive)
        return why_say(why, HFTL_MEMORY, "no memory for the path");
    char *hash = strrchr(name->drive, '#');
    if (!hash || hash == name->drive || hash[1] == 0 || strchr(hash, '/') || is_there(device))
        return HFTL_OK;
    *hash = 0;
    name->name = hash + 1;
    return HFTL_OK;
}

void instance_name_free(struct instance_name *name)
{
    free(name->drive);
    memset(name, 0, sizeof *name);
}

/* ---- drives ---------------------------------------------------------------------------------- */

/* Users' blocks are 4096 bytes and the engine counts in the medium's: outside the simulator these
 * are the same. */
enum hftl_status instance_check_medium(const struct hftl_media *medium, struct why *why)
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

enum hftl_status instance_open_drive(const char *drive,
                                     const struct hftl_media_open_options *options,
                                     struct hftl_media **medium, struct why *why)
{
    char said[SAID_BYTES] = "";
    enum hftl_status status;

    if (!drive || !drive[0])
        return why_say(why, HFTL_INVALID, "no path");
    status = hftl_media_open_pus(drive, options, medium, said, sizeof said);
    if (status != HFTL_OK)
        return why_say(why, status, "%s", without_path(said, drive));
    status = instance_check_medium(*medium, why);
    if (status != HFTL_OK)
        (*medium)->ops->close(*medium);
    return status;
}

/* ---- the protocol ---------------------------------------------------------------------------- */

static enum hftl_status probe(struct hftl_media *medium, const char *name, struct hftl_info *info,
                              struct why *why)
{
    struct live live;
    struct world world;

    live_init(&live, NULL, NULL);
    world = live_world(&live);
    memset(info, 0, sizeof *info);
    return device_probe(medium, &world, name, info, why);
}

enum hftl_status instance_look(const struct instance_name *name, struct hftl_info *chosen,
                               struct why *why)
{
    const struct hftl_media_open_options options = {
        .size = sizeof options, .flags = HFTL_MEDIA_OPEN_READ_ONLY | HFTL_MEDIA_OPEN_LOOK};
    struct hftl_media *medium;
    enum hftl_status status = instance_open_drive(name->drive, &options, &medium, why);

    if (status != HFTL_OK)
        return status;
    status = probe(medium, name->name, chosen, why);
    medium->ops->close(medium);
    return status;
}

static bool is_same(const struct hftl_info *a, const struct hftl_info *b)
{
    return memcmp(a->id, b->id, sizeof a->id) == 0 && a->pu_first == b->pu_first &&
           a->pu_count == b->pu_count;
}

enum hftl_status instance_take(const struct instance_name *name, unsigned flags,
                               const struct hftl_info *chosen, struct hftl_media **medium,
                               struct why *why)
{
    struct hftl_media_open_options options = {.size = sizeof options, .flags = flags};
    struct hftl_info now;
    bool whole = chosen->pu_count == hftl_media_pus(&chosen->facts);
    enum hftl_status status;

    if (!whole) {
        options.pu_first = chosen->pu_first;
        options.pu_count = chosen->pu_count;
    }
    status = instance_open_drive(name->drive, &options, medium, why);
    /* Who has the whole drive opens whatever of that name is on it; nothing is there that it has
     * not taken. */
    if (status != HFTL_OK || whole)
        return status;
    status = probe(*medium, chosen->name, &now, why);
    if (status == HFTL_OK && is_same(&now, chosen))
        return HFTL_OK;
    (*medium)->ops->close(*medium);
    return status == HFTL_IO || status == HFTL_MEMORY ? status : HFTL_AGAIN;
}

enum hftl_status instance_open(const struct instance_name *name, unsigned flags,
                               struct hftl_media **medium, struct hftl_info *chosen,
                               struct why *why)
{
    for (unsigned tries = 0; tries < TRIES_MAX; tries++) {
        enum hftl_status status = instance_look(name, chosen, why);

        if (status == HFTL_OK)
            status = instance_take(name, flags, chosen, medium, why);
        if (status != HFTL_AGAIN)
            return status;
    }
    return why_say(why, HFTL_BUSY, "devices are made and removed there all the time");
}
