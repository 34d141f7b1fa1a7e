/* SPDX-License-Identifier: BSD-3-Clause */
/* Planted: visitors come in without the lock. */
#define host_enter(host) ((void)(host))
#define host_leave(host) ((void)(host))
#include "front/observe.c"
