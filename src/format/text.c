/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

struct text text_start(char *to, size_t bytes)
{
    if (bytes > 0)
        to[0] = '\0';
    return (struct text){.at = to, .left = bytes};
}

void text_add(struct text *text, const char *format, ...)
{
    if (text->left == 0)
        return;

    va_list arguments;
    va_start(arguments, format);
    int wanted = vsnprintf(text->at, text->left, format, arguments);
    va_end(arguments);

    size_t used = wanted < 0 ? 0 : (size_t)wanted;
    if (used >= text->left)
        used = text->left - 1u;
    text->at += used;
    text->left -= used;
}

void text_add_epoch(struct text *text, uint64_t number)
{
    text_add(text, "%" PRIu32 ".%" PRIu32, (uint32_t)(number >> 32), (uint32_t)number);
}

void text_add_hex(struct text *text, const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        text_add(text, "%02x", (unsigned)bytes[i]);
}
