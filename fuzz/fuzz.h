/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz.h - what the fuzz targets share.
 *
 * A target is one function, LLVMFuzzerTestOneInput. It is built twice: with libFuzzer, which makes
 * up inputs (a build with -Dfuzz=true, clang), and with standalone.c, which runs the inputs that
 * are kept in fuzz/seeds and fuzz/found (every build; suite "fuzz").
 *
 * A finding is a failed must(), of the product or of the target, or what a sanitizer stops.
 *
 * CHECKSUMS. Nearly every changed byte ends at a checksum. So targets compute them anew after the
 * change (fix), except for one input in eight, where the checksum has to find it.
 */
#ifndef HOSTFTL_FUZZ_FUZZ_H
#define HOSTFTL_FUZZ_FUZZ_H

#include "base/must.h"
#include "format/layout.h"
#include "format/stamp.h"

#include <hostftl/media.h>

/* The fuzzer's name for it. Always 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is left of an input; behind its end are zeros. */
struct input {
    const uint8_t *at;
    size_t left;
};

static inline uint8_t take_u8(struct input *input)
{
    if (input->left == 0)
        return 0;
    input->left--;
    return *input->at++;
}

static inline uint16_t take_u16(struct input *input)
{
    uint8_t low = take_u8(input);
    return (uint16_t)(low | take_u8(input) << 8);
}

static inline uint32_t take_u32(struct input *input)
{
    uint32_t low = take_u16(input);
    return low | (uint32_t)take_u16(input) << 16;
}

/* The first byte of an input says whether checksums are computed anew. */
static inline bool wants_fix(uint8_t control)
{
    return (control & 7u) != 0;
}

/* A copy of `bytes` of the rest, filled up with zeros, in memory of exactly that size, so that a
 * sanitizer sees each access beyond it. free() it. */
uint8_t *fuzz_copy(struct input *input, size_t bytes);

/* Magic, version and kind as they should be, device id, and the checksum over all of it. */
void fix_stamp(const struct format_context *ctx, enum stamp_kind kind, uint8_t *record,
               size_t bytes);

/* The kind whose magic the block begins with; 0: none. */
enum stamp_kind stamp_kind_of(const uint8_t *block);

/* The facts of a drive that this layout would fit, as far as a layout has them. */
struct hftl_media_facts facts_of_layout(const struct layout *layout);

/* What everybody does with a layout that came from a medium: checks it, and counts on it if it
 * fits. */
void use_layout(const struct layout *layout);

#endif
