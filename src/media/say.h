/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * say.h - the sentence that goes with a status when something cannot be opened or made.
 */
#ifndef HOSTFTL_MEDIA_SAY_H
#define HOSTFTL_MEDIA_SAY_H

#include <hostftl/types.h>

struct say {
    char *why; /* may be NULL: nobody listens */
    size_t why_bytes;
};

/* Writes the sentence (cut off where it does not fit) and returns `status`. */
__attribute__((format(printf, 3, 4))) enum hftl_status say(const struct say *say,
                                                           enum hftl_status status,
                                                           const char *format, ...);

/* The status for an errno of the operating system. */
enum hftl_status status_of_errno(int error);

#endif
