#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Random requests and crashes on random drives; all invariants after every step. Two at a time, each
# with chances of its own.
set -euo pipefail
seconds=${HFTL_SIM_SECONDS:-15} status=0 pids=()

for seed in 1 2; do
    "$HFTL_BUILD/hostftl-sim" model --budget "$(((seconds + 1) / 2))" --seed "$seed" &
    pids+=($!)
done
for pid in "${pids[@]}"; do
    wait "$pid" || status=$?
done
exit "$status"
