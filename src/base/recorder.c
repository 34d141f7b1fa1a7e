/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/recorder.h"

void recorder_init(struct recorder *recorder, struct recorder_slot *slots, uint64_t capacity)
{
    recorder->slots = slots;
    recorder->capacity = capacity;
    atomic_init(&recorder->mask, 0);
    atomic_init(&recorder->begun, 0);
    atomic_init(&recorder->ended, 0);
}

void recorder_want(struct recorder *recorder, uint64_t mask)
{
    atomic_store_explicit(&recorder->mask, mask, memory_order_relaxed);
}

void recorder_add(struct recorder *recorder, const uint64_t words[RECORDER_WORDS])
{
    if (recorder->capacity == 0)
        return;
    uint64_t number = atomic_load_explicit(&recorder->ended, memory_order_relaxed);
    struct recorder_slot *slot = &recorder->slots[number & (recorder->capacity - 1)];
    atomic_store_explicit(&recorder->begun, number + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release); /* R2 */
    for (unsigned i = 0; i < RECORDER_WORDS; i++)
        atomic_store_explicit(&slot->words[i], words[i], memory_order_relaxed);
    atomic_store_explicit(&recorder->ended, number + 1, memory_order_release);
}

static void lose_until(struct recorder_cursor *cursor, uint64_t oldest)
{
    if (cursor->next >= oldest)
        return;
    cursor->lost += oldest - cursor->next;
    cursor->next = oldest;
}

/* The oldest number that is there for sure when `top` records were begun or ended. */
static uint64_t oldest_of(const struct recorder *recorder, uint64_t top)
{
    return top > recorder->capacity ? top - recorder->capacity : 0;
}

uint64_t recorder_count(const struct recorder *recorder, uint64_t *overwritten)
{
    uint64_t ended = atomic_load_explicit(&recorder->ended, memory_order_acquire);
    *overwritten = oldest_of(recorder, ended);
    return ended;
}

size_t recorder_read(const struct recorder *recorder, struct recorder_cursor *cursor,
                     uint64_t (*records)[RECORDER_WORDS], size_t count)
{
    uint64_t ended = atomic_load_explicit(&recorder->ended, memory_order_acquire);
    if (cursor->next > ended) /* of another recorder, or made up */
        cursor->next = ended;
    lose_until(cursor, oldest_of(recorder, ended));
    uint64_t first = cursor->next;
    size_t copied = count < ended - first ? count : (size_t)(ended - first);
    for (size_t i = 0; i < copied; i++) {
        const struct recorder_slot *slot = &recorder->slots[(first + i) & (recorder->capacity - 1)];
        for (unsigned w = 0; w < RECORDER_WORDS; w++)
            records[i][w] = atomic_load_explicit(&slot->words[w], memory_order_relaxed);
    }
    atomic_thread_fence(memory_order_acquire); /* R2 */
    uint64_t begun = atomic_load_explicit(&recorder->begun, memory_order_relaxed);
    uint64_t oldest = oldest_of(recorder, begun);
    size_t torn = oldest > first ? (size_t)(oldest - first) : 0;
    if (torn > copied)
        torn = copied;
    cursor->next += copied;
    cursor->lost += torn;
    for (size_t i = torn; torn > 0 && i < copied; i++)
        for (unsigned w = 0; w < RECORDER_WORDS; w++)
            records[i - torn][w] = records[i][w];
    return copied - torn;
}
