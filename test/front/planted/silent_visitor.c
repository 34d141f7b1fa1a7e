/* SPDX-License-Identifier: BSD-3-Clause */
/* Planted: a visitor leaves without a word to the engine that let him in. */
#undef pthread_cond_signal
#define pthread_cond_signal(gate) ((void)(gate))
#include "front/host.c"
