/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/ring.h"

#include "base/must.h"

void ring_init(struct ring *ring, struct ring_slot *slots, uint32_t capacity)
{
    must_show(capacity > 0 && (capacity & (capacity - 1)) == 0, capacity, 0);
    ring->slots = slots;
    ring->mask = capacity - 1;
    ring->head = 0;
    ring->tail = 0;
    for (uint32_t i = 0; i < capacity; i++)
        atomic_init(&slots[i].item, NULL);
}
