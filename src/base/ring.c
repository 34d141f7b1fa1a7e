/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/ring.h"

#include "base/must.h"

void ring_init(struct ring *ring, struct ring_slot *slots, uint32_t capacity)
{
    must_show(capacity > 0 && (capacity & (capacity - 1)) == 0, capacity, 0);
    ring->slots = slots;
    ring->mask = capacity - 1;
    ring->lap_shift = (uint32_t)__builtin_ctz(capacity);
    ring->tail = 0;
    for (uint32_t i = 0; i < capacity; i++) {
        atomic_init(&slots[i].turn, 0);
        slots[i].item = NULL;
    }
    atomic_init(&ring->head, 0);
}

bool ring_push(struct ring *ring, void *item)
{
    uint64_t place = atomic_load_explicit(&ring->head, memory_order_relaxed);
    /* Each further round means that another producer got its place: the crowd always advances. */
    for (;;) {
        struct ring_slot *slot = &ring->slots[place & ring->mask];
        uint64_t free_turn = 2 * (place >> ring->lap_shift);
        /* Acquire: the consumer is done with the item that was here a lap ago. */
        uint64_t turn = atomic_load_explicit(&slot->turn, memory_order_acquire);

        if (turn == free_turn) {
            if (!atomic_compare_exchange_weak_explicit(&ring->head, &place, place + 1,
                                                       memory_order_relaxed, memory_order_relaxed))
                continue; /* `place` is now the newer head */
            slot->item = item;
            atomic_store_explicit(&slot->turn, free_turn + 1, memory_order_release); /* Q2 */
            return true;
        }
        /*
         * Full, or `place` is stale. A slot that is ahead of us was claimed by somebody whose step
         * of the head happened before the turn that we have read, so this load sees it.
         */
        uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
        if (head == place)
            return false; /* Q4 */
        place = head;
    }
}

bool ring_pop(struct ring *ring, void **item)
{
    struct ring_slot *slot = &ring->slots[ring->tail & ring->mask];
    uint64_t taken_turn = 2 * (ring->tail >> ring->lap_shift) + 1;

    if (atomic_load_explicit(&slot->turn, memory_order_acquire) != taken_turn)
        return false;
    *item = slot->item;
    atomic_store_explicit(&slot->turn, taken_turn + 1, memory_order_release);
    ring->tail++;
    return true;
}
