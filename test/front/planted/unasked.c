/* SPDX-License-Identifier: BSD-3-Clause */
/* Planted: while the medium's descriptor is watched already, who leaves operations to it does not
 * ask for it again (H4). */
#include "front/host.h"

static int ask_unless_watched(struct hftl_device *host)
{
    return host->watched ? -1 : host->medium->ops->fd(host->medium);
}

#define fd(medium) fd == NULL ? -1 : ask_unless_watched(host)
#include "front/loop.c"
