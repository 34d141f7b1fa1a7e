/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>

void must_failed(const char *file, int line, const char *text, unsigned long long a,
                 unsigned long long b)
{
    fprintf(stderr, "hostftl: %s:%d: must hold: %s (%llu, %llu)\n", file, line, text, a, b);
    abort();
}
