/* SPDX-License-Identifier: BSD-3-Clause */
/* Planted: the engine's thread does not say that it wants the lock. */
#include "front/host.h"
#undef atomic_store
#define atomic_store(at, value) ((void)(value))
#include "front/loop.c"
