/* SPDX-License-Identifier: BSD-3-Clause */
#include "front/bell.h"

#include "base/must.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

bool bell_init(struct bell *bell)
{
    atomic_init(&bell->state, 0);
    bell->owed = 0;
    bell->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return bell->fd >= 0;
}

void bell_free(struct bell *bell)
{
    if (bell->fd >= 0)
        close(bell->fd);
    bell->fd = -1;
}

bool bell_ring(struct bell *bell)
{
    uint64_t one = 1;
    ssize_t written;

    if (atomic_fetch_or(&bell->state, BELL_RUNG) != 0)
        return false;
    do
        written = write(bell->fd, &one, sizeof one);
    while (written < 0 && errno == EINTR);
    /* The counter holds 2^64 - 2 rings: it is never full, and nothing else can fail. */
    must_show(written == (ssize_t)sizeof one, written, errno);
    return true;
}

/*
 * Reads first, changes the word then. The other way round a ring could come in between and its
 * write be read off here, though the listener goes on to sleep.
 */
static void change(struct bell *bell, unsigned state)
{
    uint64_t rings = 0;

    if (bell->owed > 0 || atomic_load(&bell->state) == BELL_RUNG)
        if (read(bell->fd, &rings, sizeof rings) != (ssize_t)sizeof rings)
            rings = 0; /* still on its way: owed */
    if (atomic_exchange(&bell->state, state) == BELL_RUNG)
        bell->owed++;
    must_show(rings <= bell->owed, rings, bell->owed);
    bell->owed -= rings;
}

void bell_listen(struct bell *bell)
{
    change(bell, 0);
}

void bell_awake(struct bell *bell)
{
    change(bell, BELL_AWAKE);
}
