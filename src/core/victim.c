/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/victim.h"

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

const struct victim_policy victim_merit = {"merit", score_merit};
const struct victim_policy victim_greedy = {"greedy", score_greedy};
