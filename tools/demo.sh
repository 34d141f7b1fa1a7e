#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The main job, on an emulated zoned drive, step by step, in about a minute. Everything is in one
# folder under /tmp, and is taken down at the end or on ctrl-C. With root, FUSE and loop devices it
# shows a file system and a database; without, it goes as far as NBD clients can and says so.
# shellcheck source-path=SCRIPTDIR source=../test/system/lib.bash
. "$(dirname "$0")/../test/system/lib.bash"

if [ -t 1 ]; then
    bold=$'\e[1m' dim=$'\e[2m' good=$'\e[32m' bad=$'\e[31m' plain=$'\e[0m'
else
    bold='' dim='' good='' bad='' plain=''
fi
image=$folder/drive.img
steps=0
begin=$SECONDS

step() {
    steps=$((steps + 1))
    printf '\n%s%d. %s%s\n' "$bold" "$steps" "$*" "$plain"
}
say() { printf '   %s\n' "$*"; }
well() { printf '   %s%s%s\n' "$good" "$*" "$plain"; }
badly() { printf '   %s%s%s\n' "$bad" "$*" "$plain"; }
indent() { sed -u "s/^/   /"; }
# What is typed; folders and the build's path are left out for the eye.
typed() { printf '   %s$ %s%s\n' "$dim" "$*" "$plain"; }

emu_count() { "$hostftl" emu info -o json "$image" | jq ".data.$1"; }

make_drive() {
    step "A drive that only takes sequential writes (emulated, with a volatile cache)"
    typed hostftl emu create --kind zoned --size 512M drive.img
    "$hostftl" emu create --kind zoned --size 512M "$image" |
        grep -E '^(  Kind|  Size|  Zones|  Zone cap|  Open at|Volatile)' | indent
}

raw_server() {
    typed hostftl emu serve-raw drive.img --nbd unix:socket
    "$hostftl" emu serve-raw "$image" --nbd "unix:$socket" >"$folder/ready" 2>"$folder/raw.log" &
    server=$!
    wait_for 20 is_ready || fail "serve-raw was not ready"
}

show_raw_log() {
    say "and the drive said:"
    grep -m 2 -o 'write of .*' "$folder/raw.log" | indent
}

fail_raw_mkfs() {
    step "A file system on it as it is: fails"
    raw_server
    attach
    typed mkfs.ext4 "$loop"
    if timeout --foreground 60 mkfs.ext4 -q "$loop" >"$folder/mkfs" 2>&1; then
        fail "mkfs.ext4 worked on a drive that only takes sequential writes"
    fi
    badly "$(tail -n 1 "$folder/mkfs")"
    show_raw_log
    detach
    stop_server
    "$hostftl" emu create -q --force --kind zoned --size 512M "$image"
}

fail_raw_write() {
    step "A write that is not at a write pointer: fails"
    raw_server
    typed "nbdsh -u URI -c 'h.pwrite(b\"x\" * 4096, 409600)'"
    local code="import nbd; h = nbd.NBD(); h.connect_uri('$uri'); h.pwrite(b'x' * 4096, 409600)"
    if "$python" -c "$code" 2>"$folder/raw-write"; then
        fail "the drive took a random write"
    fi
    badly "$(tail -n 1 "$folder/raw-write")"
    show_raw_log
    stop_server
}

make_device() {
    step "hostftl on it: an ordinary disk"
    typed hostftl format drive.img
    "$hostftl" format "$image" >"$folder/format"
    grep -E '^(Size|Spare space  |Bands  |Columns)' "$folder/format" | indent
    typed hostftl serve drive.img --nbd unix:socket
    serve "$image"
    sed "s#$folder/##g" "$folder/ready" | indent
}

cat >"$folder/writer.py" <<'PYTHON'
import os, sqlite3, sys
note = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA journal_mode=WAL")
db.execute("PRAGMA synchronous=FULL")
db.execute("CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY, body BLOB)")
n = db.execute("SELECT coalesce(max(n), 0) FROM t").fetchone()[0]
while len(sys.argv) < 4 or n < int(sys.argv[3]):
    n += 1
    db.execute("INSERT INTO t VALUES (?, randomblob(3000))", (n,))
    os.write(note, b"%d\n" % n)
PYTHON
cat >"$folder/reader.py" <<'PYTHON'
import sqlite3, sys
wanted = {int(line) for line in open(sys.argv[2])}
db = sqlite3.connect(sys.argv[1])
there = {row[0] for row in db.execute("SELECT n FROM t")}
print(f"{len(wanted)} acknowledged, {len(wanted - there)} of them lost, integrity: "
      + db.execute("PRAGMA integrity_check").fetchone()[0])
sys.exit(bool(wanted - there))
PYTHON

use_file_system() {
    step "ext4, files, and a database that commits"
    attach
    typed mkfs.ext4 "$loop" "&& mount $loop mnt"
    timeout --foreground 60 mkfs.ext4 -q "$loop" || fail "mkfs.ext4"
    mount_disk
    df -h --output=size,avail,fstype "$folder/mnt" | indent
    cp -r "$source_folder/include" "$source_folder/src" "$folder/mnt/"
    (cd "$folder/mnt" && find . -name '*.[ch]' -exec sha256sum {} +) >"$folder/sums"
    timeout --foreground 30 "$python" "$folder/writer.py" "$folder/mnt/db" "$folder/notes" 300 ||
        fail "SQLite"
    sync -f "$folder/mnt"
    well "$(wc -l <"$folder/sums") files and 300 SQLite transactions (synchronous=FULL)"
}

# crash PID: the server's process, not the one that watches over it.
crash() {
    typed kill -9 "$1"
    kill -KILL "$1" || fail "the server was gone before it was killed"
    wait_for 20 gone "$1" || fail "the server outlived SIGKILL"
}

show_restart() {
    step "It is started again, on the same socket, and recovers"
    wait_for 60 grep -q 'ready again' "$folder/server.log" || fail "the server did not come again"
    grep -oE 'the server was ended by signal[^:]*|ready again after .*' "$folder/server.log" |
        indent
}

kill_and_recover() {
    local writer pid
    step "kill -9 of the server while the database commits"
    pid=$(engine)
    "$python" "$folder/writer.py" "$folder/mnt/db" "$folder/notes" 2>/dev/null &
    writer=$!
    disown "$writer"
    sleep 1.5
    crash "$pid"
    wait_for 30 gone "$writer" || kill -KILL "$writer"
    badly "the server is gone, and with it the drive's volatile cache"
    detach

    show_restart
    attach
    mount_disk
    unmount_disk
    typed e2fsck -fn "$loop"
    timeout --foreground 60 e2fsck -fn "$loop" >"$folder/fsck" 2>&1 ||
        { cat "$folder/fsck"; fail "fsck"; }
    tail -n 1 "$folder/fsck" | sed "s#^.*/##" | indent
    mount_disk
    (cd "$folder/mnt" && sha256sum --quiet -c "$folder/sums") || fail "a file is not as it was"
    well "fsck clean, $(wc -l <"$folder/sums") files as they were"
    local said
    said=$(timeout --foreground 60 "$python" "$folder/reader.py" "$folder"/{mnt/db,notes}) ||
        fail "transactions: $said"
    well "transactions: $said"
}

cat >"$folder/client.py" <<'PYTHON'
# Writes numbered blocks at random, notes each flush that was acknowledged; or checks what was
# noted.
import nbd, os, random, struct, sys
uri, notes, what = sys.argv[1:4]
h = nbd.NBD()
h.connect_uri(uri)
blocks = h.get_size() // 4096
if what == "write":
    note = open(notes, "w")
    last = {}
    for n in range(1, 1 << 40):
        lba = random.randrange(min(blocks, 20000))
        h.pwrite(struct.pack("<QQ", n, lba) * 256, lba * 4096)
        last[lba] = n
        if n % 16 == 0:
            h.flush()
            note.write("".join(f"{a} {b}\n" for a, b in last.items()))
            note.flush()
            last.clear()
durable = {}
for line in open(notes):
    lba, n = map(int, line.split())
    durable[lba] = n
lost = 0
for lba, n in durable.items():
    data = h.pread(4096, lba * 4096)
    seen, where = struct.unpack_from("<QQ", data)
    lost += seen < n or where != lba or data != bytes(data[:16]) * 256
print(f"{len(durable)} blocks flushed, {lost} of them lost")
sys.exit(lost > 0)
PYTHON

kill_and_recover_blocks() {
    local writer pid said
    step "kill -9 of the server while a client writes and flushes"
    pid=$(engine)
    "$python" "$folder/client.py" "$uri" "$folder/notes" write 2>/dev/null &
    writer=$!
    disown "$writer"
    sleep 2
    crash "$pid"
    wait_for 30 gone "$writer" || kill -KILL "$writer"
    badly "the server is gone, and with it the drive's volatile cache"
    show_restart
    said=$(timeout --foreground 60 "$python" "$folder/client.py" "$uri" "$folder/notes" check) ||
        fail "$said"
    well "$said"
}

# price TARGET...: random overwrites by fio, and what the drive was given meanwhile.
price() {
    step "The price: random overwrites of 4 KiB"
    if ! command -v fio >/dev/null; then
        say "fio is not installed: no figures"
        return
    fi
    stop_clean
    local written resets user
    written=$(emu_count counters.blocks_written)
    resets=$(emu_count counters.resets)
    serve "$image"
    start_again
    typed fio --rw=randwrite --bs=4k --iodepth=8 "$1" ...
    timeout --foreground 80 fio --name=price --rw=randwrite --bs=4k --iodepth=8 \
        --time_based --runtime=8 --output-format=json --output="$folder/fio.json" \
        "$@" >/dev/null 2>"$folder/fio.log" ||
        { cat "$folder/fio.log"; fail "fio"; }
    user=$(user_blocks)
    stop_clean
    written=$(($(emu_count counters.blocks_written) - written))
    resets=$(($(emu_count counters.resets) - resets))
    [ "$user" -gt 0 ] || fail "nothing was written"
    jq -r '.jobs[0].write | "   writes    \(.iops | floor) a second; latency 50 % below " +
        "\(.clat_ns.percentile["50.000000"] / 1000 | floor) us, 99 % below " +
        "\(.clat_ns.percentile["99.000000"] / 1000 | floor) us (this machine, emulated drive)"' \
        "$folder/fio.json"
    say "user      $user blocks"
    say "medium    $written blocks, $resets zones reset"
    well "WAF       $(jq -n "$written / $user * 100 | round / 100")" \
        "(blocks to the medium / blocks of the user)"
    say "          of these eight seconds only: a device that is overwritten for longer may settle"
    say "          at another figure"
    say "wear      $(emu_count wear.min) to $(emu_count wear.max) resets a zone, mean" \
        "$(emu_count wear.mean | jq '. * 100 | round / 100')"
}

# With a file system, what the user wrote is what the kernel sent to the disk: journal included.
with_files() {
    fail_raw_mkfs
    make_device
    use_file_system
    kill_and_recover
    stop_clean() {
        detach
        stop_server
    }
    start_again() {
        attach
        mount_disk
        sectors_before=$(sectors)
    }
    user_blocks() {
        unmount_disk
        echo $((($(sectors) - sectors_before) / 8))
    }
    sectors() { awk '{ print $7 }' "/sys/block/${loop#/dev/}/stat"; }
    local sectors_before=0
    local size
    size=$(df --output=avail -BM "$folder/mnt" | tail -n 1 | tr -dc 0-9)
    dd if=/dev/urandom of="$folder/mnt/file" bs=1M count=$((size * 3 / 4)) conv=fsync status=none
    price --filename="$folder/mnt/file" --direct=1 --ioengine=libaio
}

with_clients() {
    say "${bold}No file system here: $1. NBD clients instead.${plain}"
    need_libnbd
    fail_raw_write
    make_device
    kill_and_recover_blocks
    stop_clean() { stop_server; }
    start_again() { :; }
    user_blocks() { jq '.jobs[0].write.total_ios' "$folder/fio.json"; }
    price --ioengine=nbd --uri="$uri" --size=256M
}

why_no_file_systems() {
    (trap - EXIT && need_file_systems)
}

need jq nbdkit
printf '%shostftl: an ordinary, power-safe disk on a drive that only takes sequential writes%s\n' \
    "$bold" "$plain"
make_drive
if reason=$(why_no_file_systems); then
    with_files
else
    with_clients "$reason"
fi
printf '\n%sDone in %d seconds; nothing is left behind.%s Try: hostftl --help\n' \
    "$bold" $((SECONDS - begin)) "$plain"
