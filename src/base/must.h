/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * must.h - for the one kind of wrong that is ours: an edge that does not exist, a bound that cannot
 * be passed. Always compiled in. It prints where, what and two values, then stops the process; the
 * medium is then in the state of a crash, from which the next open recovers.
 * The world failing or lying is never a must(): that is a status.
 */
#ifndef HOSTFTL_BASE_MUST_H
#define HOSTFTL_BASE_MUST_H

_Noreturn void must_failed(const char *file, int line, const char *text, unsigned long long a,
                           unsigned long long b);

#define must(cond) ((cond) ? (void)0 : must_failed(__FILE__, __LINE__, #cond, 0, 0))
/* The same with two numbers that explain the failure. */
#define must_show(cond, a, b)                                                                      \
    ((cond) ? (void)0                                                                              \
            : must_failed(__FILE__, __LINE__, #cond, (unsigned long long)(a),                      \
                          (unsigned long long)(b)))

#endif
