#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Searches with the fuzz targets (fuzz/fuzz.h): fuzz.sh FOLDER SECONDS [TARGET...]
# FOLDER is a build of its own, made here: libFuzzer, ASan, UBSan. A canary comes first: a planted
# defect that has to be found within a minute. Then each target has SECONDS of processor time (on a
# loaded machine it takes longer, at most four times as long), beginning with the inputs in
# fuzz/seeds and fuzz/found and those of earlier runs (FOLDER/corpus). What stops a target is kept
# in FOLDER/artifacts; to keep it for ever, mend what it shows and move it to fuzz/found/TARGET.
set -euo pipefail

all=(superblock head records config text image)
[ $# -ge 2 ] && [[ $2 =~ ^[1-9][0-9]{0,6}$ ]] ||
    { echo "usage: fuzz.sh FOLDER SECONDS [TARGET...]" >&2; exit 2; }
top=$(cd "$(dirname "$0")/.." && pwd)
folder=$1 seconds=$2
shift 2
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=("${all[@]}")
for target in "${targets[@]}"; do
    [[ " ${all[*]} " == *" $target "* ]] ||
        { echo "fuzz.sh: there is no target '$target', but ${all[*]}" >&2; exit 2; }
done
seed=${HFTL_SEED:-$((RANDOM * 32768 + RANDOM + 1))}
export ASAN_OPTIONS=allocator_may_return_null=1:detect_leaks=1
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1

build() {
    [ -f "$folder/build.ninja" ] || CC=clang-14 meson setup "$folder" "$top" -Dfuzz=true \
        -Dprobes=disabled -Db_sanitize=address,undefined -Db_lundef=false -Db_pie=false \
        -Dwerror=false -Dc_args='-fno-sanitize-recover=undefined -Wno-string-conversion' \
        >"$folder-setup.log" 2>&1 ||
        { cat "$folder-setup.log" >&2; return 1; }
    rm -f "$folder-setup.log"
    local programs=(fuzz/fuzz-canary)
    for target in "${targets[@]}"; do programs+=("fuzz/fuzz-$target"); done
    ninja -C "$folder" -j "$(nproc)" --quiet "${programs[@]}"
}

# search TARGET SECONDS SEED: what libFuzzer says is in $folder/TARGET.log; sets $used, in ms.
search() {
    local target=$1 kept=() corpus=$folder/corpus/$1 status=0 user system
    mkdir -p "$corpus" "$folder/artifacts"
    for kind in seeds found; do
        [ ! -d "$top/fuzz/$kind/$target" ] || kept+=("$top/fuzz/$kind/$target")
    done
    local TIMEFORMAT='%3U %3S'
    { time timeout --kill-after=10 $(($2 + 120)) "$folder/fuzz/fuzz-$target" "$corpus" \
        "${kept[@]}" -max_total_time="$2" -seed="$3" -max_len=4096 -timeout=20 \
        -rss_limit_mb=3000 -print_final_stats=1 -artifact_prefix="$folder/artifacts/$target-" \
        >"$folder/$target.log" 2>&1; } 2>"$folder/$target.time" || status=$?
    read -r user system <"$folder/$target.time"
    used=$((10#${user/./} + 10#${system/./}))
    return "$status"
}

# try TARGET: in rounds, since libFuzzer counts the seconds that pass and not those it had.
try() {
    local target=$1 spent=0 inputs=0 round=0 began=$SECONDS left n
    while left=$(((seconds * 1000 - spent + 999) / 1000)) && [ "$left" -gt 0 ] &&
        [ $((SECONDS - began)) -lt $((4 * seconds)) ]; do
        if ! search "$target" "$left" $((seed + round)); then
            echo "$target: FOUND something in round $round:"
            tail -n 40 "$folder/$target.log"
            return 1
        fi
        n=$(sed -n 's/^stat::number_of_executed_units: *//p' "$folder/$target.log")
        inputs=$((inputs + ${n:-0})) spent=$((spent + used)) round=$((round + 1))
    done
    echo "$target: $inputs inputs in $((spent / 1000)) s of processor time, nothing found"
}

build
echo "seed $seed; again with HFTL_SEED=$seed"
began=$SECONDS
rm -rf "$folder/corpus/canary"
if search canary 60 "$seed"; then
    echo "canary: the planted defect was not found"
    exit 1
fi
grep -q 'canary.c:.*must hold' "$folder/canary.log" || { tail -n 20 "$folder/canary.log"; exit 1; }
echo "canary: found after $((SECONDS - began)) s"
failed=0
for target in "${targets[@]}"; do
    try "$target" || failed=1
done
exit "$failed"
