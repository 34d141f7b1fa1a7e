/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mutant.h - planted bugs. In a test build (-Dmutants=true) one of them can be switched on by name,
 * and the tests must then fail: a promise whose breaking nobody notices is not tested. In every
 * other build mutant() is a constant false and the planted code is gone.
 */
#ifndef HOSTFTL_BASE_MUTANT_H
#define HOSTFTL_BASE_MUTANT_H

#include <stdbool.h>

#ifdef HFTL_MUTANTS
/* NULL: none. The name must live as long as it is set. */
void mutant_set(const char *name);
bool mutant_is(const char *name);
#define mutant(name) mutant_is(name)
#else
#define mutant(name) false
#endif

#endif
