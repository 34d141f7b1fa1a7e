/* SPDX-License-Identifier: BSD-3-Clause */
/* Planted: a client rings first and queues its channel then (against W1). */
#include "front/bell.h"

static bool ring_early(struct bell *bell)
{
    return bell_ring(bell);
}

#define bell_ring(bell) ((void)(bell))
#undef atomic_compare_exchange_weak
#define atomic_compare_exchange_weak(p, e, v)                                                      \
    (ring_early(&host->doorbell),                                                                  \
     AT_A_POINT(__atomic_compare_exchange_n(p, e, v, 1, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)))
#include "front/loop.c"
