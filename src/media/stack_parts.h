/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stack_parts.h - between stack.c (the chain) and the files that open its links.
 */
#ifndef HOSTFTL_MEDIA_STACK_PARTS_H
#define HOSTFTL_MEDIA_STACK_PARTS_H

#include <hostftl/media.h>

#include "media/stack.h"
#include "media/words.h"

/* stack_wrap.c */
bool stack_is_wrapper(const char *name, size_t length);
/* Puts the wrapper that the words name around `inner`, which stays the caller's on failure. */
HFTL_MUST_USE enum hftl_status stack_wrap_words(struct words *words, struct hftl_media *inner,
                                                struct hftl_media **media);

/* stack_bottom.c. Kind ANY looks what is in the file; `words` may be NULL. */
HFTL_MUST_USE enum hftl_status stack_open_file(const char *path, enum stack_kind kind,
                                               struct words *words,
                                               const struct hftl_media_open_options *options,
                                               struct hftl_media **media, const struct say *to);
HFTL_MUST_USE enum hftl_status stack_open_mem(struct words *words, struct hftl_media **media);

#endif
