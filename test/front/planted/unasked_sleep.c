/* SPDX-License-Identifier: BSD-3-Clause */
/* Planted: without helpers the medium's descriptor is asked for once, at the open, and not before
 * each sleep. */
#include "front/host.h"

static int ask_for_helpers(struct hftl_device *host)
{
    bool opening = host->epoll < 0;
    return opening || host->helped ? host->medium->ops->fd(host->medium) : -1;
}

#define fd(medium) fd == NULL ? -1 : ask_for_helpers(host)
#include "front/loop.c"
