/* SPDX-License-Identifier: BSD-3-Clause */
#include "front/sizes.h"

#include <string.h>

#define TRACE_RECORDS_DEFAULT 4096u

void hftl_open_options_init(struct hftl_open_options *options)
{
    if (!options)
        return;
    memset(options, 0, sizeof *options);
    options->size = sizeof *options;
}

void hftl_format_options_init(struct hftl_format_options *options)
{
    if (!options)
        return;
    memset(options, 0, sizeof *options);
    options->size = sizeof *options;
}

void hftl_examine_options_init(struct hftl_examine_options *options)
{
    if (!options)
        return;
    memset(options, 0, sizeof *options);
    options->size = sizeof *options;
}

void hftl_dump_options_init(struct hftl_dump_options *options)
{
    if (!options)
        return;
    memset(options, 0, sizeof *options);
    options->size = sizeof *options;
}

/* `known`, of known_bytes, has its defaults; what is given goes over them. */
static enum hftl_status take(void *known, size_t known_bytes, const void *given, size_t given_bytes,
                             struct why *why)
{
    const unsigned char *bytes = given;

    if (given_bytes < sizeof(size_t))
        return why_say(why, HFTL_INVALID, "the options' size is %zu: use the _init function",
                       given_bytes);
    for (size_t i = known_bytes; i < given_bytes; i++)
        if (bytes[i] != 0)
            return why_say(why, HFTL_UNSUPPORTED,
                           "the options ask for something that a newer libhostftl knows (byte %zu)",
                           i);
    memcpy(known, given, given_bytes < known_bytes ? given_bytes : known_bytes);
    memcpy(known, &known_bytes, sizeof known_bytes);
    return HFTL_OK;
}

enum hftl_status sizes_take_open(struct hftl_open_options *known,
                                 const struct hftl_open_options *given, struct why *why)
{
    const unsigned flags = HFTL_OPEN_THREAD | HFTL_OPEN_READ_ONLY | HFTL_OPEN_HELP;
    enum hftl_status status;

    hftl_open_options_init(known);
    known->trace_records = TRACE_RECORDS_DEFAULT;
    if (!given)
        return HFTL_OK;
    status = take(known, sizeof *known, given, given->size, why);
    if (status != HFTL_OK)
        return status;
    if (known->flags & ~flags)
        return why_say(why, HFTL_INVALID, "unknown open flags 0x%x", known->flags & ~flags);
    if ((unsigned)known->verify > HFTL_VERIFY_CACHED)
        return why_say(why, HFTL_INVALID, "unknown way to verify: %u", (unsigned)known->verify);
    if (known->relocation_victims > HFTL_RELOCATION_VICTIMS_MAX ||
        known->relocation_blocks > HFTL_RELOCATION_BLOCKS_MAX)
        return why_say(why, HFTL_INVALID, "cleaning takes at most %u bands and %u blocks at once",
                       HFTL_RELOCATION_VICTIMS_MAX, HFTL_RELOCATION_BLOCKS_MAX);
    if (known->trace_mask & ~HFTL_TRACE_ALL)
        return why_say(why, HFTL_INVALID, "the trace mask 0x%llx has bits of no point",
                       (unsigned long long)known->trace_mask);
    if (known->trace_records > HFTL_TRACE_RECORDS_MAX)
        return why_say(why, HFTL_INVALID, "at most %llu trace records are kept",
                       (unsigned long long)HFTL_TRACE_RECORDS_MAX);
    if (known->trace_records == 0)
        known->trace_records = TRACE_RECORDS_DEFAULT;
    return HFTL_OK;
}

enum hftl_status sizes_take_format(struct hftl_format_options *known,
                                   const struct hftl_format_options *given, struct why *why)
{
    enum hftl_status status;

    hftl_format_options_init(known);
    if (!given)
        return HFTL_OK;
    status = take(known, sizeof *known, given, given->size, why);
    if (status != HFTL_OK)
        return status;
    if (!memchr(known->name, 0, sizeof known->name))
        return why_say(why, HFTL_INVALID, "a device's name has at most %zu bytes",
                       sizeof known->name - 1);
    return HFTL_OK;
}

enum hftl_status sizes_take_limits(struct hftl_limits *known, const struct hftl_limits *given,
                                   struct why *why)
{
    if (given->size < sizeof *known)
        return why_say(why, HFTL_INVALID, "the limits' size is %zu: it should be %zu", given->size,
                       sizeof *known);
    return take(known, sizeof *known, given, given->size, why);
}

enum hftl_status sizes_take_examine(struct hftl_examine_options *known,
                                    const struct hftl_examine_options *given, struct why *why)
{
    hftl_examine_options_init(known);
    return given ? take(known, sizeof *known, given, given->size, why) : HFTL_OK;
}

enum hftl_status sizes_take_dump(struct hftl_dump_options *known,
                                 const struct hftl_dump_options *given, struct why *why)
{
    enum hftl_status status;

    hftl_dump_options_init(known);
    if (!given)
        return HFTL_OK;
    status = take(known, sizeof *known, given, given->size, why);
    if (status == HFTL_OK && (unsigned)known->what > HFTL_DUMP_ALL)
        return why_say(why, HFTL_INVALID, "unknown thing to dump: %u", (unsigned)known->what);
    return status;
}

static void give(void *given, const void *known, size_t known_bytes)
{
    size_t room;

    memcpy(&room, given, sizeof room);
    if (room == 0 || room > known_bytes)
        room = known_bytes;
    if (room < sizeof room)
        return;
    memcpy(given, known, room);
    memcpy(given, &room, sizeof room);
}

void sizes_give_info(struct hftl_info *given, const struct hftl_info *known)
{
    if (given)
        give(given, known, sizeof *known);
}

void sizes_give_limits(struct hftl_limits *given, const struct hftl_limits *known)
{
    if (given)
        give(given, known, sizeof *known);
}

void sizes_give_stats(struct hftl_stats *given, const struct hftl_stats *known)
{
    if (given)
        give(given, known, sizeof *known);
}

void sizes_give_latency(struct hftl_latency *given, const struct hftl_latency *known)
{
    if (given)
        give(given, known, sizeof *known);
}

void sizes_give_bands(struct hftl_bands *given, const struct hftl_bands *known)
{
    if (given)
        give(given, known, sizeof *known);
}

void sizes_give_examination(struct hftl_examination *given, const struct hftl_examination *known)
{
    if (given)
        give(given, known, sizeof *known);
}
