/* SPDX-License-Identifier: BSD-3-Clause */
/* Planted: who would help, but finds somebody with the engine, takes it that he will look again,
 * and does not ring. */
#include "front/host.h"

static void help_or_not(struct hftl_device *host, struct hftl_channel *own)
{
    if (fibre_trylock(&host->lock) != 0)
        return;
    fibre_unlock(&host->lock);
    host_help(host, own);
}

#define host_help(host, own) help_or_not(host, own)
#include "front/sync.c"
