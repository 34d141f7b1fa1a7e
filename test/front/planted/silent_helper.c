/* SPDX-License-Identifier: BSD-3-Clause */
/* Planted: who would help, but finds somebody with the engine, takes it that he will look again,
 * and does not ring. */
#include "front/host.h"

static void help_or_not(struct hftl_device *host)
{
    if (fibre_trylock(&host->lock) != 0)
        return;
    fibre_unlock(&host->lock);
    host_help(host);
}

#define host_help(host) help_or_not(host)
#include "front/sync.c"
