#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# fio writes in several patterns over NBD and verifies every block by its checksum: at once, and
# again after a clean restart.
# shellcheck source-path=SCRIPTDIR source=lib.bash
. "$(dirname "$0")/lib.bash"
need fio
fio --enghelp 2>/dev/null | grep -qw nbd || skip "this fio has no engine nbd"

cd "$folder" # fio leaves files where it runs

# pattern NAME OPTIONS...: fio with verification. Where a pattern writes a block again while it is
# being written, no disk promises an order, and fio would take the older one for a mistake (it does
# so with "nbdkit memory" too): serialize_overlap keeps it from that.
pattern() {
    local what=$1
    shift
    timeout 120 fio --name="$what" --ioengine=nbd --uri="$uri" --verify=crc32c --verify_fatal=1 \
        --verify_dump=1 --verify_state_save=0 --serialize_overlap=1 --randseed=7 \
        --output="$folder/fio.out" "$@" 2>"$folder/fio.log" || not_verified "$what" $?
}

# Says all there is to know, and keeps it: a wrong block is the worst thing that can happen here.
not_verified() {
    local kept
    kept=$(mktemp -d "${TMPDIR:-/tmp}/hostftl-fio-kept-XXXXXX")
    tail -n 20 "$folder/fio.out" "$folder/fio.log"
    cp --sparse=always "$folder"/fio.* "$folder"/server.log "$folder"/*.img "$folder"/*_fail \
        "$folder"/*.received "$folder"/*.expected "$kept/" 2>/dev/null || true
    fail "$kind: $1: fio ended with $2 (124: too slow); the drive and the messages are in $kept"
}

patterns=(
    "sequential --rw=write --bs=128k --iodepth=4 --size=96M"
    "random --rw=randwrite --bs=4k --iodepth=32 --size=64M"
    "mixed-sizes --rw=randwrite --bsrange=4k-256k --blockalign=4k --iodepth=8 --size=64M"
    "hot-and-cold --rw=randwrite --random_distribution=zipf:1.2 --bs=4k --iodepth=16 --size=64M"
    "with-flushes --rw=randwrite --bs=4k --iodepth=4 --fsync=8 --size=32M --io_size=16M"
    "readers-and-writers --rw=randrw --rwmixread=50 --bs=8k --iodepth=16 --size=64M"
)

try() {
    kind=$1
    local image=$folder/$1.img line words
    shift
    drive "$image" --kind "$kind" --size 192M "$@"
    for line in "${patterns[@]}"; do
        read -ra words <<<"$line"
        serve "$image"
        pattern "${words[@]}"
        stop_server
    done
    # Written in one life of the server, verified in the next.
    serve "$image"
    pattern written-before --rw=randwrite --bs=4k --iodepth=16 --size=64M --do_verify=0
    stop_server
    serve "$image"
    pattern written-before --rw=randwrite --bs=4k --iodepth=16 --size=64M --verify_only
    stop_server
    echo "$kind: ${#patterns[@]} patterns verified, one across a restart"
}

try zoned
try ocssd --oob 16 --ws-min 4 --ws-opt 24
