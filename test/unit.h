/* SPDX-License-Identifier: BSD-3-Clause */
/* cmocka.h with the headers that it wants before it. */
#ifndef HOSTFTL_TEST_UNIT_H
#define HOSTFTL_TEST_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
