#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A device on an ordinary file, and as root on a loop device: made by one command, found by its path
# alone, behind wrappers, and after SIGKILL at any moment all that was flushed is there.
# shellcheck source-path=SCRIPTDIR source=lib.bash
. "$(dirname "$0")/lib.bash"
need jq
need_libnbd
cd "$folder"

cat >client.py <<'PYTHON'
"""client.py URI NOTES SECONDS: writes numbered blocks; notes what a flush covered. 0: checks."""
import nbd, random, struct, sys, time
uri, notes, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
h = nbd.NBD()
h.connect_uri(uri)
until, last, n = time.monotonic() + seconds, {}, time.time_ns()
note = open(notes, "a")
while time.monotonic() < until:
    n += 1
    lba = random.randrange(3000)
    h.pwrite(struct.pack("<QQ", n, lba) * 256, lba * 4096)
    last[lba] = n
    if n % 16 == 0:
        h.flush()
        note.write("".join(f"{a} {b}\n" for a, b in last.items()))
        note.flush()
        last.clear()
if seconds == 0:
    durable = dict(map(int, line.split()) for line in open(notes))
    for lba, n in durable.items():
        data = h.pread(4096, lba * 4096)
        seen, where = struct.unpack_from("<QQ", data)
        if seen < n or where != lba or data != data[:16] * 256:
            sys.exit(f"block {lba}: {n} was flushed, {seen} of block {where} is there")
    if not durable:
        sys.exit("nothing was flushed")
PYTHON

# looks PATH: a device that was cut is recovered without changing a byte of it.
looks() {
    local before
    before=$(sha256sum <"$1")
    serve "overlay:$1"
    timeout 60 "$python" client.py "$uri" notes 0 || fail "$1: recovered privately"
    stop_server
    [ "$(sha256sum <"$1")" = "$before" ] || fail "$1 was changed through an overlay"
}

info() { timeout 20 "$hostftl" info -o json "$1" | jq -r "$2"; }

# cuts PATH SERVE...: kills the engine under load, three times.
cuts() {
    local path=$1 round
    shift
    rm -f notes
    for round in 1 2 3; do
        serve "$@"
        timeout 60 "$python" client.py "$uri" notes 20 2>/dev/null &
        sleep 1.5
        kill_server
        wait "$!" 2>/dev/null || true
        looks "$path"
        serve "$@"
        timeout 60 "$python" client.py "$uri" notes 0 || fail "$path: after cut $round"
        stop_server
    done
    [ "$(info "$path" .data.clean)" = true ] || fail "$path: not closed cleanly"
}

truncate -s 64M file.img
timeout 60 "$hostftl" format -q flat:file.img --write-unit 64K || fail "format of a file"
[ "$(info file.img .data.medium.kind)" = flat ] || fail "the file is not known by its path"
[ "$(info file.img .data.medium.ws_min)" = 16 ] || fail "the write unit was not taken"
timeout 60 "$hostftl" format -q flat:file.img 2>err && fail "a device was overwritten unasked"
grep -q -- --force err || fail "the message does not name --force"
cuts file.img file.img
cuts file.img --media trace=trace.txt:delay,program=100us,read=20us:flat:file.img
grep -q ' write .* OK ' trace.txt || fail "nothing was traced"

drive emu.img --kind zoned --size 64M
cuts emu.img emu.img

printf 'somebody wrote this' >text
truncate -s 64M text
timeout 60 "$hostftl" format -q flat:text 2>err && fail "a foreign file was overwritten"
[ "$(head -c 19 text)" = 'somebody wrote this' ] || fail "a refused file was changed"

[ "$(id -u)" -eq 0 ] || skip "a file works; a block device needs root"
truncate -s 64M disk.img
mkfs.ext4 -q disk.img
loop=$(losetup --find --show disk.img) || skip "a file works; there is no loop device"
timeout 60 "$hostftl" format -q "flat:$loop" 2>err && fail "a file system was overwritten"
grep -q ext4 err || fail "the message does not name the file system"
timeout 60 "$hostftl" format -q --force "flat:$loop" || fail "format of a block device"
cuts "$loop" "$loop"
echo "a flat device survives SIGKILL, in a file, behind wrappers and on a block device"
