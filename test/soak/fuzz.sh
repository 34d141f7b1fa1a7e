#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Each fuzz target for HFTL_SOAK_SECONDS / 6 (of 1800); goes on with what it found before.
set -euo pipefail
"$HFTL_SOURCE/tools/fuzz.sh" "$HFTL_BUILD-fuzz" $((${HFTL_SOAK_SECONDS:-1800} / 6))
