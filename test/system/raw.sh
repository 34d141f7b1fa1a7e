#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# An emulated drive served as it is keeps its rules: writes only at the write pointer, resets
# only of whole chunks, errors that name the rule; and what was flushed survives the end of the
# server.
# shellcheck source-path=SCRIPTDIR source=lib.bash
. "$(dirname "$0")/lib.bash"
need
need_libnbd

cat >"$folder/raw.py" <<'PYTHON'
"""raw.py URI KIND ZONES write|check: ZONES is what `emu zones -o json` said of the new drive."""
import errno, json, nbd, sys
uri, kind, zones, what = sys.argv[1:]
chunks = json.load(open(zones))["data"]["chunks"]
blocks = chunks[0]["capacity"]
good = [c["chunk"] for c in chunks if c["state"] == "free"][:4]
offline = [c["chunk"] for c in chunks if c["state"] == "offline"]
h = nbd.NBD()
h.set_strict_mode(0)
h.connect_uri(uri)
at = lambda chunk, block: (chunk * blocks + block) * 4096
page = lambda n, count=1: bytes([n]) * (4096 * count)

def refuses(error, act, *args):
    try:
        act(*args)
    except nbd.Error as e:
        assert e.errnum == error, e.string
    else:
        raise AssertionError(f"was not refused: {args[1:]}")

if what == "check":
    assert h.pread(4096 * 8, at(good[1], 0)) == page(2, 8)
    sys.exit(0)

unit = 48  # whole write units of every drive here
for n in range(0, blocks, unit):
    h.pwrite(page(1, min(unit, blocks - n)), at(good[0], n))
h.pwrite(page(2, 2 * unit), at(good[1], 0))
h.flush()
assert h.pread(4096 * unit, at(good[0], blocks - unit)) == page(1, unit)
assert h.pread(8192, at(good[1], 0)) == page(2, 2)
assert h.pread(8192, at(good[2], 5)) == bytes(8192), "what was not written reads as zeros"
refuses(errno.EIO, h.pwrite, page(3, unit), at(good[1], 0))
refuses(errno.EIO, h.pwrite, page(3, unit), at(good[1], unit))
refuses(errno.EIO, h.pwrite, page(3, unit), at(good[1], 3 * unit))
refuses(errno.EIO, h.pwrite, page(3, unit), at(good[0], 0))
refuses(errno.EINVAL, h.pwrite, bytes(512), at(good[2], 0))
refuses(errno.EINVAL, h.trim, 4096, at(good[0], 0))
refuses(errno.EINVAL, h.trim, blocks * 4096, at(good[0], 1))
for chunk in offline:
    refuses(errno.EIO, h.pwrite, page(3, unit), at(chunk, 0))
    refuses(errno.EIO, h.pread, 4096, at(chunk, 0))
if kind == "ocssd":  # written, but not readable yet
    refuses(errno.EIO, h.pread, 4096, at(good[1], 2 * unit - 1))
h.trim(blocks * 4096, at(good[0], 0))
h.trim(blocks * 4096, at(good[3], 0))  # it is free already
assert h.pread(8192, at(good[0], 0)) == bytes(8192), "a chunk that was reset reads as zeros"
h.pwrite(page(4, unit), at(good[0], 0))
PYTHON

serve_raw() {
    : >"$folder/ready"
    "$hostftl" emu serve-raw "$1" --nbd "unix:$socket" >"$folder/ready" 2>"$folder/server.log" &
    server=$!
    wait_for 20 is_ready || fail "the server was not ready"
    [ -s "$folder/ready" ] || fail "the server ended before it was ready"
}

# A client that stays connected does not hold the end up, and no socket is left.
cat >"$folder/stay.py" <<'PYTHON'
import nbd, sys
h = nbd.NBD()
h.connect_uri(sys.argv[1])
print("connected", flush=True)
sys.stdin.read()
PYTHON
stop_with_a_client() {
    local signal=$1 code=0 begin
    serve_raw "$2"
    : >"$folder/stays"
    sleep 60 | "$python" "$folder/stay.py" "$uri" >"$folder/stays" 2>/dev/null &
    wait_for 20 test -s "$folder/stays" || fail "the client did not connect"
    begin=$SECONDS
    kill "-$signal" "$server"
    wait_for 20 gone "$server" || fail "$signal: the server waits for its client"
    wait "$server" || code=$?
    server=0
    [ "$code" -eq 0 ] || fail "$signal: the server ended with $code"
    [ ! -e "$socket" ] || fail "$signal: the socket is left"
    [ "$(timeout 20 "$hostftl" emu info -o json "$2" | jq .data.clean)" = true ] ||
        fail "$signal: the drive was not closed in order"
    echo "$signal: ended with a client connected, after $((SECONDS - begin)) s"
}

try() {
    local kind=$1 image=$folder/$1.img
    shift
    timeout 30 "$hostftl" emu create -q "$image" --kind "$kind" "$@" || fail "emu create"
    "$hostftl" emu zones -o json "$image" >"$folder/zones"
    serve_raw "$image"
    timeout 60 "$python" "$folder/raw.py" "$uri" "$kind" "$folder/zones" write || fail "$kind"
    grep -q 'rule broken: a write that does not start at the write pointer' "$folder/server.log" ||
        fail "$kind: the message does not name the rule"
    kill_server
    serve_raw "$image"
    timeout 60 "$python" "$folder/raw.py" "$uri" "$kind" "$folder/zones" check ||
        fail "$kind: what was flushed is gone after SIGKILL"
    stop_server
    echo "$kind: its rules are kept"
}

try zoned --size 64M --bad-chunks 60 --seed 3
try ocssd --groups 1 --pus 2 --chunks 16 --chunk-blocks 480 --ws-min 4 --ws-opt 24 --mw-cunits 24
stop_with_a_client TERM "$folder/zoned.img"
stop_with_a_client INT "$folder/zoned.img"
