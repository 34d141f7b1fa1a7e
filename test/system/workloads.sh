#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The workloads that a translation layer for Open-Channel drives is commonly held to, sizes cut
# down, over NBD with every block verified: large and small writes at queue depths of 1 and 128,
# restoring a device, a dirty shutdown, creating, deleting and restoring by management, fio jobs.
# shellcheck source-path=SCRIPTDIR source=lib.bash
. "$(dirname "$0")/lib.bash"
need fio jq nbdcopy
fio --enghelp 2>/dev/null | grep -qw nbd || skip "this fio has no engine nbd"
need_libnbd
cd "$folder"

# job NAME OPTIONS...: fio over NBD.
job() {
    local what=$1
    shift
    timeout 120 fio --name="$what" --ioengine=nbd --uri="$uri" --randseed=11 \
        --serialize_overlap=1 --output="$folder/fio.out" "$@" 2>"$folder/fio.log" ||
        { tail -n 20 fio.out fio.log; fail "$kind: $what: fio ended with $?"; }
}

# verified NAME OPTIONS...: every block that is written is read and compared.
verified() { job "$@" --verify=crc32c --verify_fatal=1 --verify_dump=1 --verify_state_save=0; }

benchmarks() {
    verified "68-KiB-random-write-1" --rw=randwrite --bs=68k --iodepth=1 --size=60M
    verified "4-KiB-random-write-128" --rw=randwrite --bs=4k --iodepth=128 --size=32M
    verified "verify-128" --rw=randwrite --bs=4k --iodepth=128 --size=32M --verify_backlog=512
}

jobs() {
    verified "randw-verify" --rw=randwrite --bs=68k --iodepth=1 --size=64M --io_size=48M
    verified "randw-verify-two-jobs" --numjobs=2 --offset_increment=50% --rw=randwrite --bs=4k \
        --iodepth=8 --size=24M
    verified "randw-verify-128" --rw=randwrite --bs=4k --iodepth=128 --size=32M
    verified "sequential-fill" --rw=write --bs=128k --iodepth=8 --size=100%
    job "mixed-70-30" --rw=randrw --rwmixread=70 --bs=4k --iodepth=32 --size=64M --io_size=32M
    job "random-read" --rw=randread --bs=4k --iodepth=32 --size=64M --io_size=32M
    job "random-write" --rw=randwrite --bs=4k --iodepth=32 --size=64M --io_size=32M
}

# What was written before a clean close is what is read after it, all of it.
restore() {
    nbdcopy "$uri" before
    stop_server
    serve "$image"
    nbdcopy "$uri" after
    cmp before after || fail "$kind: a restored device reads otherwise"
    rm after
}

# A client that knows what it flushed: writes, flushes, writes on until the server is killed.
cat >dirty.py <<'PYTHON'
import hashlib, nbd, os, sys
uri, what = sys.argv[1:]
h = nbd.NBD()
h.connect_uri(uri)
block = lambda lba, version: hashlib.sha256(b"%d %d" % (lba, version)).digest() * 128
if what == "write":
    for lba in range(0, 4000, 2):
        h.pwrite(block(lba, 1), lba * 4096)
    h.flush()
    for lba in range(1000, 3000, 2):
        h.pwrite(block(lba, 2), lba * 4096, nbd.CMD_FLAG_FUA)
    print("flushed", flush=True)
    version = 3
    while True:
        for lba in range(0, 1000, 2):
            h.pwrite(block(lba, version), lba * 4096)
        version += 1
for lba in range(0, 4000, 2):
    got = h.pread(4096, lba * 4096)
    allowed = [block(lba, 2)] if 1000 <= lba < 3000 else [block(lba, 1)]
    if lba < 1000:
        allowed += [block(lba, v) for v in range(3, 3000)] if got != allowed[0] else []
    if got not in allowed:
        sys.exit(f"block {lba} is no version that may be there")
PYTHON

dirty_shutdown() {
    "$python" dirty.py "$uri" write >flushed 2>/dev/null &
    local writer=$!
    wait_for 60 grep -q flushed flushed || fail "$kind: the writer did not get as far as a flush"
    sleep 1
    kill_server
    wait_for 60 gone "$writer" || kill "$writer"
    wait "$writer" 2>/dev/null || true
    serve "$image"
    timeout 120 "$python" dirty.py "$uri" check || fail "$kind: after a dirty shutdown"
}

# Create, delete, restore: a device that was closed comes back under its id; one that is formatted
# over has another id and is empty.
management() {
    local id
    stop_server
    id=$("$hostftl" info -o json "$image" | jq -r .data.id)
    ! "$hostftl" format -q "$image" 2>/dev/null || fail "$kind: formatted over a device unasked"
    [ "$("$hostftl" info -o json "$image" | jq -r .data.id)" = "$id" ] || fail "$kind: another id"
    timeout 60 "$hostftl" format -q --force "$image" || fail "$kind: format --force"
    [ "$("$hostftl" info -o json "$image" | jq -r .data.id)" != "$id" ] || fail "$kind: the old id"
    serve "$image"
    nbdcopy "$uri" after
    tr -d '\0' <after | head -c 1 | wc -c | grep -qx 0 || fail "$kind: a new device is not empty"
    rm after
}

try() {
    kind=$1
    image=$folder/$1.img
    drive "$image" --kind "$1" --size 192M "${@:2}"
    serve "$image"
    benchmarks
    jobs
    restore
    dirty_shutdown
    management
    stop_server
    rm "$image"
    echo "$kind: 3 benchmarks, 7 jobs, a restore, a dirty shutdown, create and delete"
}

try zoned
try ocssd --oob 16 --ws-min 4 --ws-opt 24
