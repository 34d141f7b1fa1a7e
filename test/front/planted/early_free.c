/* SPDX-License-Identifier: BSD-3-Clause */
/* Planted: a channel is freed though it may still be among those that wait for the engine. */
#define loop_forget(host, channel) list_remove(&(channel)->link)
#include "front/host.c"
