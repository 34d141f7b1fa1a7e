#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Runs the tests of a build folder and sums up: the last line is "N passed, N failed, N skipped".
#   check.sh FOLDER [arguments of meson test, such as --suite core]
# Skipped tests are listed with their reason: the last line that they printed.
set -euo pipefail

[ $# -ge 1 ] || { echo "usage: check.sh FOLDER [arguments of meson test]" >&2; exit 2; }
folder=$1
shift
log=$folder/meson-logs/testlog.json
rm -f "$log"

status=0
meson test -C "$folder" --no-rebuild --print-errorlogs --num-processes "$(nproc)" "$@" || status=$?

# No log: meson found no test, or did not get as far as running one.
if [ ! -s "$log" ]; then
    echo "0 passed, $((status != 0)) failed, 0 skipped"
    exit "$status"
fi

jq -r 'select(.result == "SKIP") | "skipped: \(.name): \(
    (.stdout // "") | split("\n") | map(select(. != "")) | last // "no reason given")"' "$log"

# What the simulator tried and found, and which mutants were caught by what.
jq -r 'select(.name | test("sim")) | (.stdout // "") | split("\n")[] |
    select(test("^(cuts|lists|mutants) [0-9]| (caught|survives) +[0-9]"))' "$log"

count() {
    jq -s --arg results "$1" '
        [.[] | select(.result as $r | $results | split(" ") | index($r))] | length' "$log"
}
passed=$(count "OK EXPECTEDFAIL")
skipped=$(count "SKIP IGNORED")
failed=$(($(jq -s length "$log") - passed - skipped))
[ "$status" -eq 0 ] || [ "$failed" -gt 0 ] || failed=1
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
