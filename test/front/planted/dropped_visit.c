/* SPDX-License-Identifier: BSD-3-Clause */
/* Planted: a visit that comes during the close is not done, and reported as if it was. */
#include "core/device.h"
#define HFTL_CLOSING HFTL_OK
#include "front/host.c"
