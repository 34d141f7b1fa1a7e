/* SPDX-License-Identifier: BSD-3-Clause */
/* Planted: a helper runs the engine while somebody else does. */
#undef pthread_mutex_trylock
#define pthread_mutex_trylock(mutex) (fibre_trylock(mutex), 0)
#include "front/loop.c"
