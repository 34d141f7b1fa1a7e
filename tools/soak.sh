#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Runs the long tests of a build folder: soak.sh FOLDER
# A long test is a program test/soak/NAME.sh; each prints its seed, and how to run it again.
set -euo pipefail
shopt -s nullglob

[ $# -eq 1 ] || { echo "usage: soak.sh FOLDER" >&2; exit 2; }
top=$(cd "$(dirname "$0")/.." && pwd)
"$top"/tools/explore.sh "$1" long
stories=("$top"/test/soak/*.sh)
[ ${#stories[@]} -gt 0 ] || { echo "soak: there are no long tests yet"; exit 0; }
HFTL_BUILD=$(cd "$1" && pwd)
export HFTL_BUILD HFTL_SOURCE=$top HOSTFTL=$HFTL_BUILD/hostftl
for story in "${stories[@]}"; do
    echo "== $(basename "$story" .sh)"
    "$story"
done
