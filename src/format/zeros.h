/* SPDX-License-Identifier: BSD-3-Clause */
/* zeros.h - S6: reserved bytes are zero, and somebody looks. Seen by this folder alone. */
#ifndef HOSTFTL_FORMAT_ZEROS_H
#define HOSTFTL_FORMAT_ZEROS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool all_zero(const uint8_t *bytes, size_t count)
{
    uint8_t any = 0;
    for (size_t i = 0; i < count; i++)
        any = (uint8_t)(any | bytes[i]);
    return any == 0;
}

#endif
