/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * unit.h - what every unit test includes: cmocka, with the headers that it wants before it, and a
 * way to see that must() stops what has to be stopped.
 */
#ifndef HOSTFTL_TEST_UNIT_H
#define HOSTFTL_TEST_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* True when act(arg), done in a process of its own, ends in abort(). What it prints is dropped. */
bool aborts(void (*act)(void *arg), void *arg);

#endif
