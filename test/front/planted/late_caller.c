/* SPDX-License-Identifier: BSD-3-Clause */
/* Planted: a channel is freed though somebody is still about to ring it. */
#include "front/channel.h"
#undef atomic_load
#define atomic_load(p) ((void)(p), 0u)
#include "front/channel.c"
