#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Runs that once failed (seeds.txt) pass.
set -euo pipefail
sim=$HFTL_BUILD/hostftl-sim runs=0 failed=0

while read -ra words; do
    [ ${#words[@]} -gt 0 ] && [ "${words[0]}" != "#" ] || continue
    runs=$((runs + 1))
    if ! out=$(timeout 120 "$sim" "${words[@]}" 2>&1 </dev/null); then
        echo "$out" | tail -n 20
        echo "fails again: hostftl-sim ${words[*]}"
        failed=$((failed + 1))
    fi
done <"$HFTL_SOURCE/test/sim/seeds.txt"
echo "$runs runs, $failed failed"
[ "$runs" -gt 0 ] && [ "$failed" -eq 0 ]
