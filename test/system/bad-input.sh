#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What should not be: requests that make no sense, files that are no drives, damaged, truncated and
# foreign ones, a second server, a full disk below, clients that vanish, geometries that cannot be.
# Each ends with a clear message and the right exit code, none with a hang, and the server goes on.
# shellcheck source-path=SCRIPTDIR source=lib.bash
. "$(dirname "$0")/lib.bash"
need jq mkfs.ext4
need_libnbd
cd "$folder"

# refused CODE TEXT ARGS...: hostftl ARGS ends with CODE and one line that has TEXT.
refused() {
    local code=$1 text=$2 got=0 said
    shift 2
    said=$(timeout 30 "$hostftl" "$@" 2>&1 >/dev/null </dev/null) || got=$?
    [ "$got" -eq "$code" ] || fail "hostftl $*: exit code $got, not $code: $said"
    grep -qiE -- "$text" <<<"$said" || fail "hostftl $*: no \"$text\" in: $said"
}

# status TEXT ARGS...: it fails with this status in its JSON.
status() {
    local text=$1 got
    shift
    got=$(timeout 30 "$hostftl" "$@" -o json 2>/dev/null </dev/null | jq -r .error.status) || true
    grep -qxE "$text" <<<"$got" || fail "hostftl $*: status $got, not $text"
}

# flip FILE OFFSET: one bit.
flip() {
    "$python" - "$1" "$2" <<'PYTHON'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(int(sys.argv[2]))
    byte = f.read(1)[0]
    f.seek(int(sys.argv[2]))
    f.write(bytes([byte ^ 1]))
PYTHON
}

# set_version FILE OFFSET VERSION: of the record there, with the checksum that goes with it.
set_version() {
    "$python" - "$@" <<'PYTHON'
import struct, sys
def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF
assert crc32c(b"123456789") == 0xE3069283
at, version = int(sys.argv[2]), int(sys.argv[3])
with open(sys.argv[1], "r+b") as f:
    f.seek(at)
    stamp = f.read(64)
    f.seek(at)
    record = bytearray(f.read(struct.unpack_from("<I", stamp, 56)[0]))
    crc = struct.unpack_from("<I", record, 12)[0]
    struct.pack_into("<I", record, 12, 0)
    if crc32c(record) != crc:
        sys.exit(f"{sys.argv[1]}: the record at {at} is not whole")
    struct.pack_into("<H", record, 8, version)
    struct.pack_into("<I", record, 12, crc32c(record))
    f.seek(at)
    f.write(record)
PYTHON
}

# Where superblock records are in a drive's file, a line each.
superblocks() { grep -obUaP 'HFTLSUPR' "$1" | cut -d: -f1; }

cat >client.py <<'PYTHON'
"""A client that does what it should not, and after each deed looks whether the server is well."""
import errno, nbd, os, socket, struct, sys
uri, path = sys.argv[1:3]

def connect():
    h = nbd.NBD()
    h.set_strict_mode(0)
    h.connect_uri(uri)
    return h

h = connect()
size = h.get_size()
page = bytes(4096)

def well():
    other = connect()
    other.pwrite(b"w" * 4096, 8192)
    other.flush()
    assert other.pread(4096, 8192) == b"w" * 4096
    other.shutdown()

def refuses(what, act, *errors):
    try:
        act()
    except nbd.Error as e:
        assert e.errnum in errors, (what, e.string, e.errnum)
    else:
        raise AssertionError(f"{what}: was not refused")
    well()

refuses("half a block", lambda: h.pwrite(bytes(512), 0), errno.EINVAL)
refuses("between blocks", lambda: h.pwrite(page, 512), errno.EINVAL)
refuses("half a block read", lambda: h.pread(100, 0), errno.EINVAL)
refuses("half a block trimmed", lambda: h.trim(1000, 4096), errno.EINVAL)
refuses("half a block zeroed", lambda: h.zero(1000, 4096), errno.EINVAL)
beyond = (errno.EINVAL, errno.ENOSPC, errno.EIO)
refuses("write behind the end", lambda: h.pwrite(page, size), *beyond)
refuses("write across the end", lambda: h.pwrite(page * 2, size - 4096), *beyond)
refuses("read behind the end", lambda: h.pread(4096, size), *beyond)
refuses("trim across the end", lambda: h.trim(8192, size - 4096), *beyond)
refuses("an address near 2^63", lambda: h.pread(4096, (1 << 63) - 4096), *beyond)
h.flush()

def raw():
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(10)
    s.connect(path)
    return s

# Clients that vanish: before a word, within the handshake, within a write.
raw().close()
s = raw(); s.recv(18); s.send(struct.pack(">I", 1) + b"IHAVE"); s.close()
s = raw(); s.recv(18)
s.send(struct.pack(">I", 3) + b"IHAVEOPT" + struct.pack(">II", 1, 0)); s.recv(10)
s.send(struct.pack(">IHHQQI", 0x25609513, 0, 1, 7, 0, 1 << 20) + bytes(5000)); s.close()
well()
# Noise instead of words, and a request that is none.
s = raw(); s.recv(18); s.send(os.urandom(4096)); s.close()
well()
if len(sys.argv) == 3:
    sys.exit(0)
# Many at a time, gone with requests in flight.
for _ in range(20):
    c = connect()
    for i in range(16):
        c.aio_pwrite(nbd.Buffer.from_bytearray(bytearray(65536)), (i * 16 + 1000) * 4096)
    c.poll(0)
    del c
well()
PYTHON

# nbdkit 1.32, that of Debian 12, has a defect: when a client goes while several of its requests are
# under way, one thread closes the socket and another one, about to answer, ends the process by an
# assertion. The server is started again then: its last client waits, and finds it well.
vanish() {
    timeout 60 "$python" client.py "$uri" "$socket" vanish 2>client.log ||
        timeout 60 "$python" client.py "$uri" "$socket" 2>client.log ||
        fail "$(tail -n 5 client.log)"
    gone "$server" && fail "the server is gone"
    ! grep -q 'Assertion .sock >= 0. failed' "$folder/server.log" ||
        echo "note: nbdkit $(nbdkit --version | cut -d' ' -f2) ended by its own assertion" \
            "when clients vanished; it was started again"
}

drive good.img --kind zoned --size 64M
serve good.img
timeout 120 "$python" client.py "$uri" "$socket" 2>client.log || fail "$(tail -n 5 client.log)"
vanish
echo "senseless requests and vanishing clients: refused, and the server goes on"

# The drive and the path are taken while it serves.
refused 1 'in use' serve good.img --nbd unix:other
refused 1 'in use' format --force good.img
refused 1 'in use' info good.img
refused 1 'in use' emu create --force --kind zoned --size 64M good.img
drive other.img --kind ocssd --size 64M
refused 1 'socket path in use' serve other.img --nbd "unix:$socket"
status BUSY serve other.img --nbd "unix:$socket"
timeout 20 "$python" client.py "$uri" "$socket" 2>client.log || fail "$(tail -n 5 client.log)"
kill_server
[ -S "$socket" ] || fail "no stale socket to be replaced"
serve good.img
stop_server
refused 1 'no socket' serve good.img --nbd unix:good.img
refused 1 '' serve good.img --nbd "unix:$folder/no/folder/s"
refused 1 'may have' serve good.img --nbd "unix:$(printf 'x%.0s' {1..200})"
echo "a second server, a path in use: refused"

# Files that are no drives.
head -c 1M /dev/urandom >noise
: >empty
truncate -s 64M ext4
mkfs.ext4 -q ext4
for file in noise empty /dev/null . ext4; do
    for verb in info format "emu info" "emu zones" "emu serve-raw --nbd unix:x" \
        "serve --nbd unix:x"; do
        read -ra words <<<"$verb"
        refused 1 '' "${words[@]}" "$file"
    done
done
refused 1 'ext4' format ext4
status 'EXISTS' format ext4
status 'FOREIGN' info noise
status 'FOREIGN' info noise
cp good.img version.img && printf 2 | dd of=version.img bs=1 seek=7 conv=notrunc status=none
status VERSION info version.img
status VERSION serve version.img --nbd unix:x
for verb in info "serve --nbd unix:x" format; do
    read -ra words <<<"$verb"
    cp good.img short.img && truncate -s 20M short.img
    status TRUNCATED "${words[@]}" short.img
    cp good.img flipped.img && flip flipped.img 20
    status CORRUPT "${words[@]}" flipped.img
done
echo "what is no drive, another version's, truncated, damaged: refused"

# The device's own superblock: a damaged copy is repaired, all damaged is refused, as is another
# version.
[ "$(superblocks good.img | wc -l)" -ge 2 ] || fail "no two superblock records found"
cp good.img one.img
flip one.img $(($(superblocks one.img | tail -n 1) + 100))
serve one.img
timeout 20 "$python" client.py "$uri" "$socket" 2>client.log || fail "$(tail -n 5 client.log)"
stop_server
cp good.img all.img
for at in $(superblocks all.img); do
    flip all.img $((at + 100))
done
status 'CORRUPT|FOREIGN' info all.img
status 'CORRUPT|FOREIGN' serve all.img --nbd unix:x
# A version that only a damaged record claims is damage; a record that is whole is to be believed.
cp good.img damaged.img
for at in $(superblocks damaged.img); do
    printf '\x63' | dd of=damaged.img bs=1 seek=$((at + 8)) conv=notrunc status=none
done
status 'CORRUPT|FOREIGN' info damaged.img
refused 1 '' format damaged.img
cp good.img newer.img
for at in $(superblocks newer.img); do
    set_version newer.img "$at" 99
done
status 'VERSION' info newer.img
status 'VERSION' serve newer.img --nbd unix:x
refused 1 '' format newer.img
echo "superblocks: one damaged is repaired, all damaged or of another version are refused"

# Geometries that cannot be: refused, and nothing is left.
nonsense=(
    "--kind ocssd --ws-min 3 --ws-opt 4" "--kind ocssd --size 1" "--kind zoned --size 4096"
    "--kind zoned --block-bytes 1000" "--kind zoned --block-bytes 8192"
    "--kind ocssd --oob 4294967294"
    "--kind ocssd --groups 4294967294 --pus 4294967294 --chunks 4294967294"
    "--kind zoned --zones 4294967294 --zone-size 1G"
    "--kind zoned --zone-size 1M --zone-capacity 2M"
    "--kind zoned --zones 1 --zone-size 64M --max-open 9 --max-active 3 --ws-opt 4000000"
    "--kind ocssd --size 64M --bad-chunks 4000000" "--kind ocssd --size 64M --mw-cunits 4000000000"
    "--kind zoned --size 16777215T" "--kind zoned --ws-min 4294967294 --ws-opt 4294967294"
)
for line in "${nonsense[@]}"; do
    read -ra words <<<"$line"
    code=0
    said=$(timeout 20 "$hostftl" emu create "${words[@]}" nonsense.img 2>&1 >/dev/null) || code=$?
    [ "$code" -eq 1 ] || [ "$code" -eq 16 ] || fail "emu create $line: exit code $code: $said"
    grep -q '^hostftl: emu create: ' <<<"$said" || fail "emu create $line: said $said"
    [ ! -e nonsense.img ] || fail "emu create $line: left a file"
done
"$hostftl" emu create -q --kind zoned --size 16M --zones 4 --zone-size 4M few.img
refused 1 '' format few.img
status GEOMETRY format few.img
echo "${#nonsense[@]} geometries that cannot be: refused, and nothing is left"

# The disk under the image is full: errors, no hang; with room again, all that was flushed is there.
if [ "$(id -u)" -ne 0 ]; then
    echo "a full disk under the image: not tried without root"
    exit 0
fi
more_cleaning() { umount -l "$folder/small" 2>/dev/null; }
mkdir small
mount -t tmpfs -o size=24M tmpfs small
drive small/full.img --kind zoned --size 128M
serve small/full.img
cat >fill.py <<'PYTHON'
"""Writes until it fails, notes what was flushed; or checks that."""
import nbd, struct, sys
uri, notes, what = sys.argv[1:]
h = nbd.NBD()
h.connect_uri(uri)
blocks = h.get_size() // 4096
if what == "write":
    try:
        for lba in range(0, blocks, 16):
            h.pwrite(struct.pack("<Q", lba) * (16 * 512), lba * 4096)
            if lba % 256 == 0:
                h.flush()
                print(lba, file=open(notes, "w"))
        sys.exit("the disk below was never full")
    except nbd.Error as e:
        print(f"after {lba} blocks: {e.errno}")
else:
    last = int(open(notes).read())
    for lba in range(0, last + 16, 16):
        if h.pread(65536, lba * 4096) != struct.pack("<Q", lba) * (16 * 512):
            sys.exit(f"block {lba} of {last} flushed ones is not what was written")
    print(f"{last + 16} blocks are there")
PYTHON
timeout 100 "$python" fill.py "$uri" flushed write || fail "full disk: the client"
gone "$server" && fail "full disk: the server is gone"
kill -TERM "$server"
wait_for 60 gone "$server" || fail "full disk: the server does not end"
wait "$server" 2>/dev/null || true
server=0
mount -o remount,size=200M small
serve small/full.img
timeout 60 "$python" fill.py "$uri" flushed check || fail "full disk: after there was room again"
stop_server
echo "a full disk under the image: errors, and all that was flushed is there"
