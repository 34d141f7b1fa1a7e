#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Cuts the power of every story on every drive, as often as fits into 48 seconds of processor time.
# Two at a time, each with chances of its own.
set -euo pipefail
seconds=${HFTL_SIM_SECONDS:-48} status=0 pids=()

for seed in 1 2; do
    "$HFTL_BUILD/hostftl-sim" --budget "$(((seconds + 1) / 2))" --seed "$seed" &
    pids+=($!)
done
for pid in "${pids[@]}"; do
    wait "$pid" || status=$?
done
exit "$status"
