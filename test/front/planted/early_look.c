/* SPDX-License-Identifier: BSD-3-Clause */
/* Planted: the engine looks whether something came, and only then says that it goes to sleep. Who
 * submits in between does not ring. */
#include "front/bell.h"

static void listen_late(struct bell *bell)
{
    bell_listen(bell);
}

#define bell_listen(bell) ((void)(bell))
#undef epoll_wait
#define epoll_wait(fd, events, most, ms)                                                           \
    (listen_late(&host->doorbell), fibre_epoll(fd, events, most))
#include "front/loop.c"
