/* SPDX-License-Identifier: BSD-3-Clause */
/* Planted: a channel that had its turn, and has more, is the next again. */
#include "base/list.h"
#define list_push_back(list, link) list_push_front(list, link)
#include "front/loop.c"
