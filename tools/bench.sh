#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Runs every benchmark of a build folder, one after the other: bench.sh FOLDER
set -euo pipefail
shopt -s nullglob

[ $# -eq 1 ] || { echo "usage: bench.sh FOLDER" >&2; exit 2; }
found=0
for program in "$1"/bench/bench-*; do
    [ -f "$program" ] && [ -x "$program" ] || continue
    found=1
    echo "== $(basename "$program")"
    "$program"
done
[ "$found" -eq 1 ] || echo "bench: there are no benchmarks yet"
