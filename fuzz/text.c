/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * text.c - what people type: sizes, counts, ranges, percents, and the text that names a medium.
 *
 *   byte 0      which of them
 *   the rest    the text, ended by the end of the input or a zero
 *
 * No file is opened: of the media those in memory are, where the text does not name a file either.
 */
#include "fuzz/fuzz.h"
#include "media/mem.h"
#include "media/stack.h"
#include "tool/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 3000u

static void try_bytes(const char *text)
{
    uint64_t bytes, again;
    char printed[64];
    if (!units_parse_bytes(text, &bytes))
        return;
    snprintf(printed, sizeof printed, "%" PRIu64, bytes);
    must(units_parse_bytes(printed, &again) && again == bytes);
    must(strlen(units_bytes(bytes, printed, sizeof printed)) > 0);
}

static void try_numbers(const char *text)
{
    uint64_t count;
    uint32_t first, number, permille;
    enum hftl_verify verify;
    if (units_parse_count(text, 1000, &count))
        must(count <= 1000);
    if (units_parse_range(text, &first, &number))
        must(number > 0 && first + (uint64_t)number <= UINT32_MAX);
    if (units_parse_permille(text, 400, &permille))
        must(permille <= 400);
    if (units_parse_verify(text, &verify, &count))
        must(verify <= HFTL_VERIFY_CACHED && (count == 0 || verify == HFTL_VERIFY_CACHED));
}

static void try_bottom(const char *text)
{
    char why[512];
    struct stack_bottom bottom = {.kind = STACK_ANY};
    const struct say to = {why, sizeof why};
    why[0] = '\0';
    enum hftl_status status = stack_find_bottom(text, &bottom, &to);
    must(status == HFTL_OK || why[0] != '\0');
    char *absolute = stack_absolute(text, "/some/where, with: odd=signs\\");
    must(absolute != NULL);
    char *twice = stack_absolute(absolute, "/other");
    must(twice != NULL);
    if (status == HFTL_OK) {
        struct stack_bottom moved;
        must(strcmp(twice, absolute) == 0);
        must(stack_find_bottom(absolute, &moved, &to) == HFTL_OK);
        must(moved.kind == bottom.kind && moved.wrapped == bottom.wrapped);
        must((moved.path == NULL) == (bottom.path == NULL));
        must(moved.path == NULL || moved.path[0] == '/');
    }
    free(absolute);
    free(twice);
}

static bool names_a_file(const char *text)
{
    struct stack_bottom bottom;
    const struct say nobody = {NULL, 0};
    return stack_find_bottom(text, &bottom, &nobody) != HFTL_OK || bottom.kind != STACK_MEM ||
           strstr(text, "trace") != NULL;
}

static void try_open(const char *text)
{
    char why[512];
    const struct say to = {why, sizeof why};
    struct hftl_media_open_options options = {.size = sizeof options};
    struct hftl_media *media = NULL;
    if (names_a_file(text))
        return;
    why[0] = '\0';
    enum hftl_status status = stack_open(text, &options, &media, &to);
    must(status == HFTL_OK || why[0] != '\0' || status == HFTL_MEMORY);
    if (status != HFTL_OK)
        return;
    must(hftl_media_facts_nonsense(&media->facts) == NULL);
    media->ops->close(media);
}

static void try_wrapper(const char *text)
{
    char why[512];
    const struct say to = {why, sizeof why};
    const struct mem_options options = {.size = sizeof options,
                                        .facts = mem_facts(HFTL_KIND_OCSSD)};
    struct hftl_media *inner, *media = NULL;
    if (strstr(text, "trace") != NULL)
        return;
    must(mem_open(&options, &inner, why, sizeof why) == HFTL_OK);
    why[0] = '\0';
    enum hftl_status status = stack_wrap(text, inner, &media, &to);
    must(status == HFTL_OK || why[0] != '\0' || status == HFTL_MEMORY);
    if (status != HFTL_OK)
        media = inner;
    media->ops->close(media);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    uint8_t control = take_u8(&input);
    if (input.left > TEXT_MAX)
        return 0;
    size_t length = input.left;
    char *text = (char *)fuzz_copy(&input, length + 1);
    switch (control % 5u) {
    case 0:
        try_bytes(text);
        break;
    case 1:
        try_numbers(text);
        break;
    case 2:
        try_bottom(text);
        break;
    case 3:
        try_open(text);
        break;
    default:
        try_wrapper(text);
    }
    free(text);
    return 0;
}
