#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The simulator for as long as one likes: HFTL_SOAK_SECONDS (1800), HFTL_SOAK_SEED (the day's).
set -euo pipefail
seconds=${HFTL_SOAK_SECONDS:-1800}
seed=${HFTL_SOAK_SEED:-$(date +%Y%m%d)}
echo "seed $seed; again with HFTL_SOAK_SEED=$seed"
"$HFTL_BUILD/hostftl-sim" --seed "$seed" --budget $((seconds * 2 / 3))
"$HFTL_BUILD/hostftl-sim" model --seed "$seed" --acts 1000 --budget $((seconds / 3))
