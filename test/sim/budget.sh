#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A swarm with a budget of processor time ends, and its seed and number of runs make it again: the
# last three lines are the same.
set -euo pipefail
sim=$HFTL_BUILD/hostftl-sim

bounded=$(timeout 60 "$sim" swarm --seed 0xb4d6 --budget 1 | tail -n 3)
echo "$bounded"
runs=$(sed -n 's/^runs \([0-9]*\),.*/\1/p' <<<"$bounded")
[ "$runs" -ge 1 ] || { echo "no run in a second"; exit 1; }
again=$(timeout 60 "$sim" swarm --seed 0xb4d6 --runs "$runs" | tail -n 3)
[ "$again" = "$bounded" ] || { echo "not the same again:"; echo "$again"; exit 1; }
timeout 60 "$sim" swarm --seed 0xb4d6 --runs 1 --budget 30 | grep -q '^runs 1,' ||
    { echo "not one run, where one was asked for"; exit 1; }
