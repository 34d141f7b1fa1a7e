/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * victim.h - which band to clean. A policy is a pure function of what is known of one band; the
 * table lets users choose one by name, and the simulator compare them on the code that ships.
 *
 * With u = valid / capacity, the share of a band that must be moved to free the rest:
 *
 *   merit         invalid / (valid + 1) * (age + 1)
 *                 gain over cost, more for what has been left alone for long. The default.
 *   greedy        invalid
 *                 what frees most at once. Also taken, whatever the policy, when bands are short.
 *   cost-benefit  (1 - u) / (2 u) * (age + 1)
 *                 Kawaguchi, Nishioka and Motoda, A Flash-Memory Based File System (USENIX 1995):
 *                 2 u is the cost of reading and of writing what is valid. The log-structured file
 *                 system's own (Rosenblum and Ousterhout, 1991) divides by 1 + u, because it reads
 *                 whole segments; here only valid blocks are read. At u = 0 the cost is taken as
 *                 that of a quarter of a block, so that it stays finite.
 *   fifo          age + 1
 *                 the eldest band that is worth it: each block is moved in turn, wear is level.
 *
 * All of them give 0 to a band without invalid blocks.
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

extern const struct victim_policy victim_merit, victim_greedy, victim_cost_benefit, victim_fifo;

/* The policies in a fixed order, the default first; NULL: there are no more. */
const struct victim_policy *victim_policy_at(unsigned index);
/* NULL: no policy of that name. */
const struct victim_policy *victim_policy_find(const char *name);

#endif
