/* SPDX-License-Identifier: BSD-3-Clause */
/* nbdkit_heard.c - see nbdkit_heard.h. */
#include "front/nbdkit_heard.h"

#include <poll.h>
#include <stdatomic.h>
#include <unistd.h>

static _Atomic uint64_t left_out;

bool heard_now(uint64_t *unheard)
{
    struct pollfd err = {.fd = STDERR_FILENO, .events = POLLOUT};

    /* A closed or broken one is ready too: writing fails, and does not wait. */
    if (poll(&err, 1, 0) == 0) {
        atomic_fetch_add_explicit(&left_out, 1, memory_order_relaxed);
        return false;
    }
    *unheard = atomic_exchange_explicit(&left_out, 0, memory_order_relaxed);
    return true;
}
