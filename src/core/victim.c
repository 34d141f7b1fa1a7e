/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/victim.h"

#include <stddef.h>
#include <string.h>

static uint32_t count_invalid(const struct victim_view *view)
{
    return view->capacity > view->valid ? view->capacity - view->valid : 0;
}

static double score_merit(const struct victim_view *view)
{
    return (double)count_invalid(view) / ((double)view->valid + 1.0) * ((double)view->age + 1.0);
}

static double score_greedy(const struct victim_view *view)
{
    return (double)count_invalid(view);
}

static double score_cost_benefit(const struct victim_view *view)
{
    double benefit = (double)count_invalid(view);
    double cost = view->valid > 0 ? 2.0 * (double)view->valid : 0.5;
    return benefit / cost * ((double)view->age + 1.0);
}

static double score_fifo(const struct victim_view *view)
{
    return count_invalid(view) > 0 ? (double)view->age + 1.0 : 0.0;
}

const struct victim_policy victim_merit = {"merit", score_merit};
const struct victim_policy victim_greedy = {"greedy", score_greedy};
const struct victim_policy victim_cost_benefit = {"cost-benefit", score_cost_benefit};
const struct victim_policy victim_fifo = {"fifo", score_fifo};

static const struct victim_policy *const policies[] = {&victim_merit, &victim_greedy,
                                                       &victim_cost_benefit, &victim_fifo};

const struct victim_policy *victim_policy_at(unsigned index)
{
    return index < sizeof(policies) / sizeof(policies[0]) ? policies[index] : NULL;
}

const struct victim_policy *victim_policy_find(const char *name)
{
    const struct victim_policy *policy;
    for (unsigned i = 0; (policy = victim_policy_at(i)) != NULL; i++)
        if (strcmp(policy->name, name) == 0)
            return policy;
    return NULL;
}
