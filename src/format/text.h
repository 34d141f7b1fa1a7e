/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * text.h - how the x_to_text functions of this folder write: each text_add goes on where the last
 * one stopped; what does not fit is cut, and the text is always ended. Seen by this folder alone.
 */
#ifndef HOSTFTL_FORMAT_TEXT_H
#define HOSTFTL_FORMAT_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct text {
    char *at;
    size_t left; /* with the byte for the end; 0: nowhere to write */
};

/* bytes may be 0; then `to` is not touched. */
struct text text_start(char *to, size_t bytes);

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void text_add(struct text *text, const char *format, ...);

/* A seq, a generation or a flush number: "epoch.count". */
void text_add_epoch(struct text *text, uint64_t number);

/* Two hex digits a byte. */
void text_add_hex(struct text *text, const uint8_t *bytes, size_t count);

#endif
