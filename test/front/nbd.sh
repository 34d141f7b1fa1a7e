#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# nbd.sh PLUGIN DRIVE [SCRATCH]: serves DRIVE, whose content is lost, and looks at it as
# clients do: what is advertised, copies, block status, FUA, discard, fio's verification over
# several connections, misaligned requests, a second opener, clients that die, the end by SIGTERM.
# Used on the fake engine (nbd-fake.sh) and on the real one (test/system/nbd-plugin.sh).
set -eu

plugin=$1 drive=$2
scratch=${3:-$(mktemp -d)}
socket=$scratch/nbd.sock
uri="nbd+unix:///?socket=$socket"
server=

for tool in nbdkit nbdinfo nbdcopy qemu-img qemu-io fio; do
    if ! command -v $tool >/dev/null; then
        echo "skipped: no $tool here"
        exit 77
    fi
done

say() { echo "-- $*"; }
die()
{
    echo "nbd.sh: $*" >&2
    if [ -f "$scratch/server.log" ]; then tail -20 "$scratch/server.log" >&2; fi
    exit 1
}

stop_server()
{
    [ -n "$server" ] || return 0
    kill -TERM "$server" 2>/dev/null || true
    wait "$server" && ended=0 || ended=$?
    server=
    rm -f "$socket"
    return "$ended"
}

# nbdkit before 1.34 may stop itself when a client dies with replies under way: a defect of its own,
# for us a crash, from which the next start recovers.
revive_server()
{
    if kill -0 "$server" 2>/dev/null; then return 0; fi
    grep -q 'raw_send_socket: Assertion' "$scratch/server.log" ||
        die "the server died with a client"
    say "(nbdkit stopped itself: its own defect, mended in 1.34; the device recovers)"
    wait "$server" 2>/dev/null || true
    rm -f "$socket"
    before=
    start_server "$plugin" drive="$drive"
}

start_server()
{
    nbdkit -f -U "$socket" "$@" 2>"$scratch/server.log" &
    server=$!
    for _ in $(seq 100); do
        [ -S "$socket" ] && return 0
        kill -0 "$server" 2>/dev/null || die "the server ended"
        sleep 0.1
    done
    die "the server does not listen"
}

trap 'stop_server || true; [ "${3:-}" ] || rm -rf "$scratch"' EXIT

say "what is advertised"
start_server "$plugin" drive="$drive"
for can in flush fua trim zero fast-zero multi-conn structured; do
    timeout 10 nbdinfo --can $can "$uri" || die "not advertised: $can"
done
timeout 10 nbdinfo --can cache "$uri" && die "advertised: cache"
timeout 10 nbdinfo --is rotational "$uri" && die "advertised: rotational"
timeout 10 nbdinfo --is read-only "$uri" && die "advertised: read-only"
timeout 10 nbdinfo --json "$uri" >"$scratch/info.json"
for fact in '"block_size_minimum": 4096' '"block_size_preferred": 4096' \
    '"block_size_maximum": 33554432'; do
    grep -q "$fact" "$scratch/info.json" || die "not in nbdinfo: $fact"
done
size=$(timeout 10 nbdinfo --size "$uri")
[ "$size" -ge 12582912 ] || die "only $size bytes"

say "copies"
half=$((size / 2 / 1048576 * 1048576))
head -c "$half" /dev/urandom >"$scratch/random"
timeout 60 nbdcopy --connections=4 "$scratch/random" "$uri"
timeout 60 nbdcopy --connections=4 "$uri" "$scratch/back"
cmp -n "$half" "$scratch/random" "$scratch/back" || die "nbdcopy: not what was copied"
[ "$(stat -c %s "$scratch/back")" -eq "$size" ] || die "nbdcopy: the size differs"
timeout 60 qemu-img convert -n -f raw -O raw "$scratch/back" "$uri"
timeout 60 qemu-img compare -f raw -F raw "$scratch/back" "$uri" >/dev/null ||
    die "qemu-img: not what was converted"

say "block status, FUA, discard, zeros"
io()
{
    timeout 20 qemu-io -f raw "$uri" "$@" >"$scratch/io.log" 2>&1 || true
    if grep -qE 'failed|Pattern verification|rror' "$scratch/io.log"; then
        cat "$scratch/io.log"
        die "qemu-io $*"
    fi
}
io -c 'write -f -P 0x5a 64k 64k' -c 'read -P 0x5a 64k 64k'
io -c 'discard 0 1M' -c 'read -P 0 0 1M' -c 'write -P 7 8k 4k' -c 'write -z 12k 4k' \
    -c 'read -P 7 8k 4k' -c 'read -P 0 12k 4k' -c flush
timeout 20 nbdinfo --map "$uri" >"$scratch/map"
awk 'NR == 1 && ($1 != 0 || $2 != 8192 || $3 != 3) { exit 1 }
     NR == 2 && ($1 != 8192 || $2 != 4096 || $3 != 0) { exit 1 }
     NR == 3 && ($1 != 12288 || $3 != 3) { exit 1 }' "$scratch/map" ||
    { head -5 "$scratch/map"; die "the map is not what was written"; }

say "requests that are not whole blocks"
io -c 'read 512 512' # qemu reads whole blocks itself, for it was told the minimum
if /usr/bin/python3 -c 'import nbd' 2>/dev/null; then
    timeout 10 /usr/bin/python3 - "$uri" <<'PY' || die "misaligned, but no EINVAL"
import errno, nbd, sys
h = nbd.NBD()
h.set_strict_mode(0)
h.connect_uri(sys.argv[1])
for act in (lambda: h.pread(512, 0), lambda: h.pwrite(bytes(4096), 512), lambda: h.trim(512, 0)):
    try:
        act()
        sys.exit(1)
    except nbd.Error as e:
        if e.errnum != errno.EINVAL:
            sys.exit(2)
h.pread(4096, 0)
PY
fi

say "fio verifies what it wrote, over four connections"
cat >"$scratch/job.fio" <<FIO
[global]
ioengine=nbd
uri=$uri
rw=randrw
bsrange=4k-64k
blockalign=4k
iodepth=16
verify=crc32c
verify_fatal=1
size=2m
io_size=8m
fsync=50
[a]
offset=0
[b]
offset=2m
[c]
offset=4m
[d]
offset=6m
FIO
(cd "$scratch" && timeout 120 fio --output=fio.log job.fio) || {
    cat "$scratch/fio.log"
    die "fio"
}

say "a second opener is refused, by name"
if timeout 10 nbdkit -f -U "$scratch/second.sock" "$plugin" drive="$drive" \
    2>"$scratch/second.log"; then
    die "two servers have one drive"
fi
grep -q "$drive.*in use" "$scratch/second.log" || die "unclear: $(cat "$scratch/second.log")"

say "clients that die"
before=
for round in 1 2 3 4 5 6; do
    timeout 20 nbdcopy --connections=4 "$scratch/random" "$uri" &
    client=$!
    sleep "0.0$round"
    kill -KILL "$(pgrep -P $client nbdcopy || echo $client)" 2>/dev/null || true
    wait $client || true
    sleep 0.3
    revive_server
    timeout 10 nbdinfo --size "$uri" >/dev/null || die "no answer after a client died"
    files=$(find "/proc/$server/fd" -mindepth 1 | wc -l)
    before=${before:-$files}
done
# Channels stay in the pool, at most one for each of the 64 threads of four connections.
[ "$files" -le $((before + 64)) ] || die "descriptors leak: $before, now $files"
timeout 60 nbdcopy --flush "$scratch/random" "$uri"
for round in 1 2 3 4 5 6; do
    timeout 20 nbdcopy --connections=4 "$uri" "$scratch/back" &
    client=$!
    sleep "0.0$round"
    kill -KILL "$(pgrep -P $client nbdcopy || echo $client)" 2>/dev/null || true
    wait $client || true
    sleep 0.3
    revive_server
done
timeout 60 nbdcopy "$uri" "$scratch/back"
cmp -n "$half" "$scratch/random" "$scratch/back" || die "wrong data after clients died"

say "SIGTERM, and what was flushed is there again"
timeout 60 nbdcopy --flush "$scratch/random" "$uri"
stop_server || die "the server ended with $ended"
if [ -s "$scratch/server.log" ] && grep -q 'not closed cleanly' "$scratch/server.log"; then
    die "not closed cleanly"
fi
for verify in relocation cached cached:64K; do
    start_server "$plugin" drive="$drive" verify="$verify"
    timeout 60 nbdcopy "$uri" "$scratch/back"
    cmp -n "$half" "$scratch/random" "$scratch/back" || die "wrong data after a restart"
    stop_server || die "the server ended with $ended"
done

if /usr/bin/python3 -c 'import nbd' 2>/dev/null; then
    say "SIGTERM while a client is connected"
    start_server "$plugin" drive="$drive"
    timeout 30 /usr/bin/python3 - "$uri" "$server" <<'PY' || die "the server waits for its client"
import nbd, os, signal, sys, time
h = nbd.NBD()
h.connect_uri(sys.argv[1])
time.sleep(0.3)
assert h.pread(4096, 0)
pid = int(sys.argv[2])
os.kill(pid, signal.SIGTERM)
for _ in range(200):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            if stat.read().rsplit(")", 1)[1].split()[0] == "Z":
                sys.exit(0)
    except OSError: # reaped already
        sys.exit(0)
    time.sleep(0.1)
sys.exit(1)
PY
    stop_server || die "the server ended with $ended"
    grep -q 'not closed cleanly' "$scratch/server.log" && die "not closed cleanly"
fi

say "read-only"
start_server "$plugin" drive="$drive" read-only=true
timeout 10 nbdinfo --is read-only "$uri" || die "read-only=true, but clients may write"
timeout 60 nbdcopy "$uri" "$scratch/back"
cmp -n "$half" "$scratch/random" "$scratch/back" || die "wrong data when read-only"
stop_server || die "the server ended with $ended"

say "a client that needs smaller blocks"
start_server --filter=blocksize "$plugin" drive="$drive" minblock=4096
if /usr/bin/python3 -c 'import nbd' 2>/dev/null; then
    timeout 10 /usr/bin/python3 - "$uri" <<'PY' || die "the blocksize filter"
import nbd, sys
h = nbd.NBD()
h.set_strict_mode(0)
h.connect_uri(sys.argv[1])
h.pwrite(b"x" * 512, 1024)
assert h.pread(512, 1024) == b"x" * 512
PY
fi
stop_server || die "the server ended with $ended"

say "mistakes are told before the server goes into the background"
for arguments in "drive=$scratch/absent" "drive=$drive verify=sometimes" \
    "drive=$drive verify=cached:0" "drive=$drive verify=cached:some" "" \
    "drive=$drive drive=$drive" "drive=$drive colour=red" "drive=$drive read-only=perhaps"; do
    # shellcheck disable=SC2086
    if timeout 10 nbdkit -U "$scratch/never.sock" "$plugin" $arguments \
        2>"$scratch/mistake.log"; then
        die "accepted: $arguments"
    fi
    [ -s "$scratch/mistake.log" ] || die "no word about: $arguments"
done
say "all well"
