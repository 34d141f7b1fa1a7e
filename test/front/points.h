/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * points.h - included before the front's sources, it lets a scheduler decide at every atomic
 * operation who goes on (fibres.c). All of them are in one order then: what a weaker memory model
 * allows besides is for ThreadSanitizer and the comments at each operation.
 */
#ifndef HOSTFTL_TEST_FRONT_POINTS_H
#define HOSTFTL_TEST_FRONT_POINTS_H

#include <stdatomic.h>

/* Between two steps of a fibre; elsewhere nothing happens. */
void fibre_point(void);

#undef atomic_load
#undef atomic_load_explicit
#undef atomic_store
#undef atomic_store_explicit
#undef atomic_exchange
#undef atomic_exchange_explicit
#undef atomic_fetch_add
#undef atomic_fetch_add_explicit
#undef atomic_fetch_sub
#undef atomic_fetch_sub_explicit
#undef atomic_fetch_or
#undef atomic_compare_exchange_weak
#undef atomic_compare_exchange_weak_explicit

#define AT_A_POINT(operation) (fibre_point(), operation)
#define atomic_load(p) AT_A_POINT(__atomic_load_n(p, __ATOMIC_SEQ_CST))
#define atomic_load_explicit(p, order) AT_A_POINT(__atomic_load_n(p, order))
#define atomic_store(p, v) AT_A_POINT(__atomic_store_n(p, v, __ATOMIC_SEQ_CST))
#define atomic_store_explicit(p, v, order) AT_A_POINT(__atomic_store_n(p, v, order))
#define atomic_exchange(p, v) AT_A_POINT(__atomic_exchange_n(p, v, __ATOMIC_SEQ_CST))
#define atomic_exchange_explicit(p, v, order) AT_A_POINT(__atomic_exchange_n(p, v, order))
#define atomic_fetch_add(p, v) AT_A_POINT(__atomic_fetch_add(p, v, __ATOMIC_SEQ_CST))
#define atomic_fetch_add_explicit(p, v, order) AT_A_POINT(__atomic_fetch_add(p, v, order))
#define atomic_fetch_sub(p, v) AT_A_POINT(__atomic_fetch_sub(p, v, __ATOMIC_SEQ_CST))
#define atomic_fetch_sub_explicit(p, v, order) AT_A_POINT(__atomic_fetch_sub(p, v, order))
#define atomic_fetch_or(p, v) AT_A_POINT(__atomic_fetch_or(p, v, __ATOMIC_SEQ_CST))
#define atomic_compare_exchange_weak(p, e, v)                                                      \
    AT_A_POINT(__atomic_compare_exchange_n(p, e, v, 1, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
#define atomic_compare_exchange_weak_explicit(p, e, v, yes, no)                                    \
    AT_A_POINT(__atomic_compare_exchange_n(p, e, v, 1, yes, no))

#endif
