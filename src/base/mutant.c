/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/mutant.h"

#ifdef HFTL_MUTANTS
#include <stddef.h>
#include <string.h>

static const char *chosen;

void mutant_set(const char *name)
{
    chosen = name;
}

bool mutant_is(const char *name)
{
    return chosen != NULL && strcmp(chosen, name) == 0;
}
#else
/* ISO C wants something in a file. */
typedef int mutant_nothing;
#endif
