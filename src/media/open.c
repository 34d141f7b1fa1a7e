/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * open.c - hftl_media_open: a stack (stack.h), and around it the guard where somebody wants one:
 * with HFTL_GUARD=1 in the environment, and always in builds with -DHFTL_GUARD.
 */
#include <stdlib.h>
#include <string.h>

#include "media/guard.h"
#include "media/stack.h"

static bool wants_guard(void)
{
#ifdef HFTL_GUARD
    return true;
#else
    const char *value = getenv("HFTL_GUARD");
    return value && *value && strcmp(value, "0") != 0;
#endif
}

enum hftl_status hftl_media_open(const char *path, unsigned flags, struct hftl_media **media,
                                 char *why, size_t why_bytes)
{
    const struct hftl_media_open_options options = {.size = sizeof options, .flags = flags};
    return hftl_media_open_pus(path, &options, media, why, why_bytes);
}

enum hftl_status hftl_media_open_pus(const char *path,
                                     const struct hftl_media_open_options *options,
                                     struct hftl_media **media, char *why, size_t why_bytes)
{
    const unsigned known = HFTL_MEDIA_OPEN_READ_ONLY | HFTL_MEDIA_OPEN_PRIVATE |
                           HFTL_MEDIA_OPEN_LOOK | HFTL_MEDIA_OPEN_FORMAT;
    const struct say to = {why, why_bytes};
    if (options->size != sizeof *options || (options->flags & ~known) != 0)
        return say(&to, HFTL_INVALID, "%s: opened with an option that is not known", path);
    enum hftl_status status = stack_open(path, options, media, &to);
    /* A drive that changes behind one's back is not what a guard expects. */
    if (status != HFTL_OK || !wants_guard() || (options->flags & HFTL_MEDIA_OPEN_LOOK) != 0)
        return status;
    struct hftl_media *inner = *media;
    status = guard_open(inner, NULL, media);
    if (status == HFTL_OK)
        return HFTL_OK;
    inner->ops->close(inner);
    return say(&to, status, "%s: no guard around it: %s", path, hftl_status_text(status));
}
