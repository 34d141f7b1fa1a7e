#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The scripts that search refuse nonsense (2), and make nothing of it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

refuse() {
    local status=0
    timeout 60 "$HFTL_SOURCE/tools/$1" "${@:2}" >"$folder/said" 2>&1 || status=$?
    [ "$status" -eq 2 ] && [ -s "$folder/said" ] && [ ! -e "$folder/build" ] ||
        { echo "$*: exit status $status"; cat "$folder/said"; exit 1; }
}

refuse explore.sh
refuse explore.sh "$folder/nowhere"
refuse explore.sh "$folder" short
refuse fuzz.sh
refuse fuzz.sh "$folder/build"
for seconds in 0 -1 x 1.5 '' 99999999 '1 image'; do
    refuse fuzz.sh "$folder/build" "$seconds" image
done
refuse fuzz.sh "$folder/build" 9 nothing
refuse fuzz.sh "$folder/build" 9 image nothing
printf '#!/bin/sh\necho "{}"\n' >"$folder/hostftl-sim"
chmod +x "$folder/hostftl-sim"
refuse explore.sh "$folder" longer
[ ! -e "$folder/explore-longer.json" ] || { echo "it began to search"; exit 1; }
