/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stack.h - from the text that names a stack of media to the media. The grammar is in media.h.
 *
 * OWNS      nothing. Parses in place, and opens from the innermost to the outermost.
 * PROMISES  a text that names no stack is a path, whatever colons and commas it has. An error in a
 *           stack names the byte, counted from 1, and what is there. When something fails nothing
 *           stays open.
 * IGNORES   what the media do.
 */
#ifndef HOSTFTL_MEDIA_STACK_H
#define HOSTFTL_MEDIA_STACK_H

#include <hostftl/media.h>

#include "media/hold.h"
#include "media/say.h"

#define STACK_DEPTH_MAX 16u

/* `options` as of hftl_media_open_pus. */
HFTL_MUST_USE enum hftl_status stack_open(const char *text,
                                          const struct hftl_media_open_options *options,
                                          struct hftl_media **media, const struct say *to);

/* One wrapper, as it stands in a stack ("fault=write,nth=3"), around `inner`. Not OK: the inner
 * medium is still the caller's. */
HFTL_MUST_USE enum hftl_status stack_wrap(const char *text, struct hftl_media *inner,
                                          struct hftl_media **media, const struct say *to);

enum stack_kind { STACK_ANY, STACK_EMU, STACK_FLAT, STACK_MEM };
/* What is at the bottom: its kind as the text says (ANY: a path without one), and its path, within
 * `text` (NULL: it has none). INVALID with a sentence: the text does not parse. */
struct stack_bottom {
    enum stack_kind kind;
    const char *path;
    bool wrapped; /* something is around it */
};
HFTL_MUST_USE enum hftl_status stack_find_bottom(const char *text, struct stack_bottom *bottom,
                                                 const struct say *to);

/* Has a process some of these PUs (0, 0: all) of the drive at the bottom for writing? */
bool stack_find_holder(const char *text, uint32_t pu_first, uint32_t pu_count,
                       struct holder *holder);

/*
 * The same stack, its relative paths beginning with `folder` (an absolute one): for a process that
 * goes elsewhere before it opens. The caller frees it. NULL: no memory. A text that does not parse
 * comes back as it is.
 */
HFTL_MUST_USE char *stack_absolute(const char *text, const char *folder);

#endif
