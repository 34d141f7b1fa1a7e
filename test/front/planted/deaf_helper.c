/* SPDX-License-Identifier: BSD-3-Clause */
/* Planted: a helper leaves without a word to the doorbell. Who rings takes the engine for awake. */
#include "front/bell.h"
#include "front/host.h"

static void listen_at_home(struct hftl_device *host)
{
    if (!host->threaded || fibre_current() == (unsigned)host->thread)
        bell_listen(&host->doorbell);
}

#define bell_listen(bell) listen_at_home(host)
#include "front/loop.c"
