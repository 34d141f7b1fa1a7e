/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * victim.h - which band to clean. A policy is a pure function; the table lets the simulator compare
 * them on the code that ships.
 */
#ifndef HOSTFTL_CORE_VICTIM_H
#define HOSTFTL_CORE_VICTIM_H

#include <stdbool.h>
#include <stdint.h>

/* What a policy may know of a candidate. */
struct victim_view {
    uint32_t valid;    /* blocks to move */
    uint32_t capacity; /* data blocks it could hold: invalid = capacity - valid, at least 0 */
    uint64_t age;      /* bands opened since it was */
    uint32_t wear;
};

struct victim_policy {
    const char *name;
    /* Higher is better; 0: not worth cleaning. */
    double (*score)(const struct victim_view *view);
};

/* invalid / (valid + 1) * age */
extern const struct victim_policy victim_merit;
/* invalid: what frees most at once; used when free bands are at the critical limit. */
extern const struct victim_policy victim_greedy;

#endif
