#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Runs that once failed (seeds.txt) pass. As many at a time as there are processors.
set -euo pipefail
sim=$HFTL_BUILD/hostftl-sim runs=0 failed=0 most=$(nproc)

run() {
    local out
    out=$(timeout 120 "$sim" "$@" 2>&1 </dev/null) && return
    echo "$out" | tail -n 20
    echo "fails again: hostftl-sim $*"
    return 1
}

while read -ra words; do
    [ ${#words[@]} -gt 0 ] && [ "${words[0]}" != "#" ] || continue
    if [ "$runs" -ge "$most" ]; then
        wait -n || failed=$((failed + 1))
    fi
    runs=$((runs + 1))
    run "${words[@]}" &
done <"$HFTL_SOURCE/test/sim/seeds.txt"
for ((left = runs < most ? runs : most; left > 0; left--)); do
    wait -n || failed=$((failed + 1))
done
echo "$runs runs, $failed failed"
[ "$runs" -gt 0 ] && [ "$failed" -eq 0 ]
