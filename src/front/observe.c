/* SPDX-License-Identifier: BSD-3-Clause */
/* Looking into an open device (observe.h): visits to the engine, and its recorder without one. */
#define _GNU_SOURCE
#include "base/recorder.h"
#include "front/host.h"
#include "front/sizes.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

/* A record in memory is the public one, word for word. */
_Static_assert(sizeof(struct hftl_trace_record) == RECORDER_WORDS * sizeof(uint64_t),
               "records differ in size");
_Static_assert(sizeof(struct hftl_trace_cursor) == sizeof(struct recorder_cursor),
               "cursors differ in size");

void hftl_get_latency(struct hftl_device *host, enum hftl_verb verb, struct hftl_latency *latency)
{
    struct hftl_latency known = {.size = sizeof known};

    if (!host || !latency)
        return;
    if ((unsigned)verb < HFTL_VERB_COUNT) {
        host_enter(host);
        if (host->engine)
            device_get_latency(host->engine, verb, &known);
        host_leave(host);
    }
    sizes_give_latency(latency, &known);
}

void hftl_get_bands(struct hftl_device *host, struct hftl_bands *bands)
{
    struct hftl_bands known = {.size = sizeof known};

    if (!host || !bands)
        return;
    host_enter(host);
    if (host->engine)
        device_get_bands(host->engine, &known);
    host_leave(host);
    sizes_give_bands(bands, &known);
}

enum hftl_status hftl_check(struct hftl_device *host, char *why, size_t why_bytes)
{
    struct why reason = {0};
    enum hftl_status status = HFTL_CLOSING;

    if (!host)
        return HFTL_INVALID;
    host_enter(host);
    if (host->engine)
        status = device_check(host->engine, &reason);
    host_leave(host);
    if (why && why_bytes > 0)
        snprintf(why, why_bytes, "%s",
                 status == HFTL_OK || reason.text[0] ? reason.text : hftl_status_text(status));
    return status;
}

enum hftl_status hftl_trace_set(struct hftl_device *host, uint64_t mask)
{
    if (!host || (mask & ~HFTL_TRACE_ALL) != 0)
        return HFTL_INVALID;
    recorder_want(host->recorder, mask);
    return HFTL_OK;
}

uint64_t hftl_trace_get(const struct hftl_device *host)
{
    return host ? recorder_wanted(host->recorder) : 0;
}

/* As many at a time as fit on the stack. */
#define TRACE_BATCH 128u

static void give_records(struct hftl_trace_record *records, uint64_t (*words)[RECORDER_WORDS],
                         size_t count)
{
    for (size_t i = 0; i < count; i++)
        records[i] = (struct hftl_trace_record){.time_ns = words[i][0],
                                                .point = words[i][1],
                                                .id = words[i][2],
                                                .at = words[i][3],
                                                .argument = words[i][4]};
}

size_t hftl_trace_read(const struct hftl_device *host, struct hftl_trace_cursor *cursor,
                       struct hftl_trace_record *records, size_t count)
{
    uint64_t words[TRACE_BATCH][RECORDER_WORDS];
    struct recorder_cursor at;
    size_t given = 0, got;

    if (!host || !cursor || (!records && count > 0))
        return 0;
    at = (struct recorder_cursor){.next = cursor->next, .lost = cursor->lost};
    do {
        size_t most = count - given < TRACE_BATCH ? count - given : TRACE_BATCH;
        got = recorder_read(host->recorder, &at, words, most);
        give_records(records + given, words, got);
        given += got;
    } while (got > 0 && given < count);
    *cursor = (struct hftl_trace_cursor){.next = at.next, .lost = at.lost};
    return given;
}

/* ---- where the management socket is ---------------------------------------------------------- */

/* The path without symbolic links, and where its device's name begins: "" without one. A file may
 * have a '#' in its own name, so what is there as it is written comes first. */
static char *resolve(const char *path, const char **name)
{
    const char *mark = strrchr(path, '#');
    char *real = realpath(path, NULL);
    char *drive;

    *name = "";
    if (real || !mark || mark == path)
        return real;
    drive = strndup(path, (size_t)(mark - path));
    if (drive)
        real = realpath(drive, NULL);
    free(drive);
    *name = mark;
    return real;
}

enum hftl_status hftl_rpc_path(const char *path, char *rpc, size_t bytes)
{
    const size_t longest = sizeof((struct sockaddr_un *)0)->sun_path;
    const char *name;
    char *real;
    int length;

    if (!path || !rpc || bytes == 0)
        return HFTL_INVALID;
    rpc[0] = 0;
    real = resolve(path, &name);
    if (!real)
        return errno == ENOMEM ? HFTL_MEMORY : HFTL_ABSENT;
    length = snprintf(rpc, bytes, "%s%s.rpc", real, name);
    free(real);
    return length > 0 && (size_t)length < bytes && (size_t)length < longest ? HFTL_OK : HFTL_RANGE;
}
