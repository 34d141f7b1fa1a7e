/* SPDX-License-Identifier: BSD-3-Clause */
/* Looking at a drive without changing it: opened privately, so recovery may do what it wants. */
#include "front/live.h"
#include "front/open.h"
#include "front/sizes.h"
#include "lifecycle/dump.h"
#include "lifecycle/examine.h"

static enum hftl_status examine_medium(struct hftl_media *medium,
                                       const struct hftl_examine_options *known,
                                       struct hftl_examination *result, struct why *why)
{
    struct examine examine = {.options = known, .result = result};
    struct live live;
    struct world world;

    live_init(&live, examine_take_log, &examine);
    world = live_world(&live);
    return device_examine(&examine, medium, &world, why);
}

enum hftl_status hftl_examine(const char *path, const struct hftl_examine_options *options,
                              struct hftl_examination *result, char *why, size_t why_bytes)
{
    struct hftl_examine_options known;
    struct hftl_examination found = {.size = sizeof found};
    struct hftl_media *medium = NULL;
    struct why reason = {0};
    enum hftl_status status = sizes_take_examine(&known, options, &reason);

    if (status == HFTL_OK)
        status = open_path(path, HFTL_MEDIA_OPEN_PRIVATE, &medium, &reason);
    if (status == HFTL_OK) {
        status = examine_medium(medium, &known, &found, &reason);
        medium->ops->close(medium);
    }
    if (status == HFTL_OK)
        sizes_give_examination(result, &found);
    open_tell(status, path, &reason, why, why_bytes);
    return status;
}

enum hftl_status hftl_dump(const char *path, const struct hftl_dump_options *options, char *why,
                           size_t why_bytes)
{
    struct hftl_dump_options known;
    struct hftl_media *medium = NULL;
    struct why reason = {0};
    struct live live;
    enum hftl_status status = sizes_take_dump(&known, options, &reason);

    if (status == HFTL_OK)
        status = open_path(path, HFTL_MEDIA_OPEN_PRIVATE, &medium, &reason);
    if (status == HFTL_OK) {
        live_init(&live, NULL, NULL);
        struct world world = live_world(&live);
        status = device_dump(medium, &world, &known, &reason);
        medium->ops->close(medium);
    }
    open_tell(status, path, &reason, why, why_bytes);
    return status;
}
