#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What other people's NBD clients see: the flags that promise durability, sizes, copies that come
# back as they went in, several connections.
# shellcheck source-path=SCRIPTDIR source=lib.bash
. "$(dirname "$0")/lib.bash"
need nbdinfo nbdcopy qemu-img qemu-io jq
need_libnbd

image=$folder/drive.img
drive "$image" --kind zoned --size 192M
serve "$image"

# A client that is not told of flush and FUA never sends them, and fsync silently does nothing.
timeout 20 nbdinfo --json "$uri" >"$folder/info" || fail "nbdinfo"
for flag in can_flush can_fua can_trim can_zero can_multi_conn; do
    [ "$(jq ".exports[0].$flag" "$folder/info")" = true ] || fail "nbdinfo: $flag is not offered"
done
[ "$(jq '.exports[0].is_read_only' "$folder/info")" = false ] || fail "nbdinfo: read-only"
[ "$(jq '.exports[0]["block_size_minimum"]' "$folder/info")" = 4096 ] || fail "nbdinfo: block size"
size=$(jq '.exports[0]["export-size"]' "$folder/info")
stop_server
[ "$("$hostftl" info -o json "$image" | jq .data.bytes)" = "$size" ] || fail "info has another size"
serve "$image"

# nbdcopy, both ways; several connections are its default.
head -c 64M /dev/urandom >"$folder/data"
truncate -s "$size" "$folder/data"
timeout 60 nbdcopy --flush "$folder/data" "$uri" || fail "nbdcopy to the device"
timeout 60 nbdcopy "$uri" "$folder/back" || fail "nbdcopy from the device"
cmp "$folder/data" "$folder/back" || fail "nbdcopy: not what was written"

# Zeros read as zeros and are known to be: trimmed blocks are holes.
timeout 20 nbdinfo --map "$uri" >"$folder/map" || fail "nbdinfo --map"
grep -q 'hole,zero' "$folder/map" || fail "nbdinfo --map shows no hole: $(cat "$folder/map")"

timeout 60 qemu-img convert -n -W -m 8 -f raw -O raw "$folder/data" "$uri" ||
    fail "qemu-img convert"
timeout 60 qemu-img compare -f raw -F raw "$folder/data" "$uri" >/dev/null ||
    fail "qemu-img compare"
for command in "write -P 0x5a 1M 64k" "write -f -P 0x5b 2M 4k" "read -P 0x5a 1M 64k" \
    "read -P 0x5b 2M 4k" "discard 1M 64k" "read -P 0 1M 64k" "write -z 2M 4k" \
    "read -P 0 2M 4k" flush; do
    timeout 20 qemu-io -f raw -c "$command" "$uri" >"$folder/qemu-io" 2>&1 ||
        fail "qemu-io: $command"
    ! grep -qiE 'fail|error' "$folder/qemu-io" || fail "qemu-io: $command: $(cat "$folder/qemu-io")"
done

# A flush on one connection covers what was answered on the others: that is what multi-conn
# promises.
cat >"$folder/connections.py" <<'PYTHON'
import nbd, sys
uri, what = sys.argv[1:]
clients = []
for _ in range(8):
    h = nbd.NBD()
    h.connect_uri(uri)
    clients.append(h)
base = 32 << 20
if what == "write":
    for i in range(800):
        clients[i % 7].pwrite(i.to_bytes(4, "little") * 1024, base + i * 4096)
    clients[7].flush()
    for i in range(0, 800, 10):
        clients[i % 7].pwrite(b"\xff" * 4096, base + i * 4096, nbd.CMD_FLAG_FUA)
else:
    for i in range(800):
        wanted = b"\xff" * 4096 if i % 10 == 0 else i.to_bytes(4, "little") * 1024
        if clients[i % 8].pread(4096, base + i * 4096) != wanted:
            sys.exit(f"block {i} is not what was flushed")
PYTHON
timeout 60 "$python" "$folder/connections.py" "$uri" write || fail "eight connections: write"
kill_server
serve "$image"
timeout 60 "$python" "$folder/connections.py" "$uri" read || fail "flush or FUA did not hold"
stop_server
# Read-only: reads, refuses to write, is still clean afterwards, and nothing was written.
sum=$(sha256sum <"$image")
serve "$image" --read-only
timeout 20 nbdinfo --json "$uri" | jq -e '.exports[0].is_read_only' >/dev/null ||
    fail "not read-only"
timeout 60 "$python" "$folder/connections.py" "$uri" read || fail "read-only: read"
! timeout 20 qemu-io -f raw -c "write 0 4k" "$uri" >/dev/null 2>&1 || fail "read-only: wrote"
stop_server
[ "$("$hostftl" info -o json "$image" | jq .data.clean)" = true ] || fail "read-only: not clean"
[ "$sum" = "$(sha256sum <"$image")" ] || fail "read-only: the drive's file is not as it was"
serve "$image"
kill_server
! timeout 20 "$hostftl" serve --read-only --nbd "unix:$socket" "$image" >/dev/null 2>&1 ||
    fail "read-only: served a device that was not closed cleanly"
echo "nbdinfo, nbdcopy, qemu-img, qemu-io, eight connections: as promised"
