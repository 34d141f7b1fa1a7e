/* SPDX-License-Identifier: BSD-3-Clause */
/* Planted: the close leaves behind what was submitted and not handed over yet. */
#define loop_take_all(host) ((void)(host))
#include "front/host.c"
