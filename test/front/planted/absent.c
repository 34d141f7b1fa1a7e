/* SPDX-License-Identifier: BSD-3-Clause */
/* Planted: the engine's thread sleeps, and is still said to be away for a moment only: helpers
 * leave it what is left, without a word. */
#include "front/bell.h"
#include "front/host.h"

static void listen_as_if_away(struct hftl_device *host)
{
    bell_listen(&host->doorbell);
    if (host->threaded && fibre_current() == (unsigned)host->thread)
        host->away = true;
}

#define bell_listen(bell) listen_as_if_away(host)
#include "front/loop.c"
