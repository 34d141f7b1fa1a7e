#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# How much of the engine the tests run: a build with counters in it, the tests, and a line a room
# with the share of lines and branches. Exit status 1: core, format or lifecycle is below the bar.
#   coverage.sh FOLDER     the report in detail is left in FOLDER/coverage.html and coverage.json
set -euo pipefail
cd "$(dirname "$0")/.."

lines_least=90 # per cent, of each of:
rooms_held='core format lifecycle'
folder=${1:-build-coverage}
command -v gcovr >/dev/null || { echo "coverage: gcovr is not installed" >&2; exit 2; }

[ -f "$folder/build.ninja" ] || meson setup "$folder" -Db_coverage=true -Db_lto=false \
    -Doptimization=1 -Dwerror=false >"$folder-setup.log" 2>&1 ||
    { cat "$folder-setup.log" >&2; exit 2; }
rm -f "$folder-setup.log"
ninja -C "$folder" -j "$(nproc)" --quiet
find "$folder" -name '*.gcda' -delete
tools/check.sh "$folder" --suite base --suite format --suite core --suite lifecycle \
    --suite media --suite front --suite sim >"$folder/coverage.log" 2>&1 ||
    { tail -n 60 "$folder/coverage.log"; echo "coverage: tests fail" >&2; exit 1; }

gcovr --root . --object-directory "$folder" --filter 'src/' --exclude 'src/tool/' \
    --gcov-ignore-parse-errors --exclude-unreachable-branches --exclude-throw-branches \
    --json-summary "$folder/coverage.json" --html-details "$folder/coverage.html" \
    "$folder" >/dev/null 2>"$folder/gcovr.log" || { cat "$folder/gcovr.log" >&2; exit 2; }

python3 - "$folder/coverage.json" "$lines_least" "$rooms_held" <<'PYTHON'
import json, sys
rooms = {}
for f in json.load(open(sys.argv[1]))["files"]:
    parts = f["filename"].split("/")
    if parts[0] != "src" or len(parts) < 3:
        continue
    room = rooms.setdefault(parts[1], [0, 0, 0, 0])
    for i, key in enumerate(("line_covered", "line_total", "branch_covered", "branch_total")):
        room[i] += f[key]
print(f"{'room':<12}{'lines':>8}{'':>14}{'branches':>10}")
low = []
for name, (lines, of, branches, of_branches) in sorted(rooms.items()):
    share = 100 * lines / max(1, of)
    branch_share = 100 * branches / max(1, of_branches)
    print(f"{name:<12}{share:7.1f} %  {lines:>5}/{of:<5}{branch_share:9.1f} %")
    if name in sys.argv[3].split() and share < float(sys.argv[2]):
        low.append(name)
if low:
    sys.exit(f"coverage: below {sys.argv[2]} % of lines: {', '.join(low)}")
PYTHON
