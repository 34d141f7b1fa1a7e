/* SPDX-License-Identifier: BSD-3-Clause */
/* Planted: whoever leaves the engine to the medium does not have its descriptor watched (H4). */
#include <errno.h>
#include <sys/epoll.h>

static int control(int epoll, int how, int fd, struct epoll_event *event)
{
    return how == EPOLL_CTL_MOD ? 0 : epoll_ctl(epoll, how, fd, event);
}

#define epoll_ctl(epoll, how, fd, event) control(epoll, how, fd, event)
#include "front/loop.c"
