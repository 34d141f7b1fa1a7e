#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What a served device says of itself, under load: by its schema, and in the end exactly what the
# drive below it counted. Probes are there; traces are recorded, read, and off again; cleaning
# pauses and goes on.
# shellcheck source-path=SCRIPTDIR source=lib.bash
. "$(dirname "$0")/lib.bash"
need fio jq readelf
fio --enghelp 2>/dev/null | grep -qw nbd || skip "this fio has no engine nbd"
"$python" -c 'import jsonschema' 2>/dev/null || skip "python3-jsonschema is not installed"

cd "$folder" # fio leaves files where it runs
points=$(grep -cE '^ *X\([A-Z_]+, [a-z_]+, "' "$source_folder/include/hostftl/observe.h")

stats() { timeout 20 "$hostftl" stats -o json "$image" || fail "stats"; }
ctl() { timeout 60 "$hostftl" ctl -o json "$image" "$@" || fail "ctl $*"; }

validate() {
    "$python" - "$source_folder/doc/schema/stats.json" "$1" <<'PYTHON' || fail "not by its schema"
import json, sys
import jsonschema
jsonschema.validate(json.load(open(sys.argv[2])), json.load(open(sys.argv[1])))
PYTHON
}

list_probes() {
    local file count
    for file in "$hostftl" "$build/libhostftl.so" "$build/nbdkit-hostftl-plugin.so"; do
        [ -e "$file" ] || fail "there is no $file"
        count=$(readelf -n "$file" | grep -A1 'Provider: hostftl' | grep -c 'Name: ' || true)
        [ "$count" -gt 0 ] || { echo "built without probes"; return; }
        [ "$count" -ge "$points" ] || fail "$file has $count probes for $points points"
    done
    if command -v bpftrace >/dev/null; then
        bpftrace -l "usdt:$hostftl:*" | grep -q 'hostftl:flush_begin' || fail "bpftrace sees none"
    fi
    echo "$points points are probes"
}

# [blocks written, blocks read, resets], as the drive has them. (Not flushes: an emulated drive ends
# several with one.)
drive_counts() {
    timeout 20 "$hostftl" emu info -o json "$image" |
        jq -c '.data.counters | [.blocks_written, .blocks_read, .resets]'
}
device_counts() {
    jq -c '.data.stats | [.written.total.blocks, .read.total.blocks, .medium.resets]' "$1"
}

# Nothing moves: two looks, and the drive's own in between, agree. What the drive counted since
# $before is then what the device says.
agree_with_drive() {
    local of_device of_drive
    ctl flush >/dev/null
    stats >one.json
    of_drive=$(drive_counts)
    stats >two.json
    of_device=$(device_counts one.json)
    [ "$of_device" = "$(device_counts two.json)" ] || return 1
    of_drive=$(jq -nc --argjson now "$of_drive" --argjson before "$before" \
        '[range(3) | $now[.] - $before[.]]')
    said="the device says $of_device, the drive $of_drive"
    [ "$of_device" = "$of_drive" ]
}

under_load() {
    local errors
    for _ in 1 2 3 4 5 6; do
        stats >loaded.json
        validate loaded.json
        sleep 0.3
    done
    [ "$(jq '.data.stats.written.user.blocks' loaded.json)" -gt 0 ] || fail "nothing was written"
    [ "$(jq '.data.latency.write.count' loaded.json)" -gt 0 ] || fail "no latencies"
    timeout 20 "$hostftl" stats "$image" >human || fail "stats"
    grep -q 'WAF  *[0-9]' human || fail "no WAF for people"
    [ "$(ctl cleaning.pause | jq .data.result.paused)" = true ] || fail "not paused"
    ctl cleaning.resume >/dev/null
    ctl trace.set points=all >/dev/null
    sleep 0.2
    [ "$(ctl trace.read count=512 | jq '.data.result.records | length')" = 512 ] || fail "no traces"
    ctl trace.set points=none >/dev/null
    errors=$(ctl check | jq .data.result.ok)
    [ "$errors" = true ] || fail "the check found something under load"
}

# The load is of so many seconds: on a busy machine too few for anything to be cleaned.
until_cleaned() {
    for _ in 1 2 3 4 5 6 7 8; do
        stats >cleaned.json
        [ "$(jq '.data.stats.written.relocation.blocks' cleaned.json)" -eq 0 ] || return 0
        timeout 120 fio --name=load --ioengine=nbd --uri="$uri" --rw=randwrite --norandommap \
            --bs=4k --iodepth=16 --size=64M --output="$folder/fio.out" 2>"$folder/fio.log" ||
            fail "fio: $(tail -n 3 "$folder/fio.log")"
    done
}

try() {
    local kind=$1 load
    image=$folder/$1.img
    shift
    drive "$image" --kind "$kind" --size 128M "$@"
    before=$(drive_counts)
    serve "$image"
    timeout 120 fio --name=load --ioengine=nbd --uri="$uri" --rw=randrw --rwmixwrite=80 \
        --norandommap --bs=4k --iodepth=16 --size=64M --time_based --runtime=6 --fsync=200 \
        --output="$folder/fio.out" 2>"$folder/fio.log" &
    load=$!
    sleep 0.5
    under_load
    wait "$load" || fail "fio: $(tail -n 3 "$folder/fio.log")"
    until_cleaned
    wait_for 30 agree_with_drive || fail "$said"
    [ "$(jq '.data.stats | .written.total.blocks / .written.user.blocks == .waf' one.json)" = \
        true ] ||
        fail "the WAF is another one: $(jq .data.stats.waf one.json)"
    [ "$(jq '.data.stats.written.relocation.blocks' two.json)" -gt 0 ] || fail "nothing was cleaned"
    [ "$(jq '.data.stats | .written.user.blocks == .user.blocks_written' one.json)" = true ] ||
        fail "users wrote another number of blocks"
    echo "$kind: $said, WAF $(jq .data.stats.waf one.json)"
    stop_server
    [ ! -e "$image.rpc" ] || fail "the socket is left"
    timeout 20 "$hostftl" stats "$image" 2>refused && fail "stats of a device that nobody serves"
    grep -q "nobody serves this device.*hostftl serve" refused || fail "$(cat refused)"
}

list_probes
try zoned
try ocssd --oob 16 --ws-min 4 --ws-opt 24
# After a crash: what recovery reads and pads is counted too.
image=$folder/zoned.img
serve "$image"
timeout 60 fio --name=load --ioengine=nbd --uri="$uri" --rw=randwrite --bs=4k --iodepth=16 \
    --size=32M --output="$folder/fio.out" 2>"$folder/fio.log" || fail "fio"
kill_server
[ -S "$image.rpc" ] || fail "no socket was left by SIGKILL"
before=$(drive_counts)
serve "$image"
wait_for 30 agree_with_drive || fail "after a crash: $said"
echo "after a crash: $said"
stop_server
