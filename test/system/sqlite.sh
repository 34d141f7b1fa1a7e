#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A database that commits while the server is killed, over and over: every commit that was
# acknowledged is there after the next start, and the database is sound. The writer notes each
# acknowledged commit elsewhere. synchronous=FULL, with a write-ahead log and with a journal that is
# kept: with one that is deleted SQLite does not sync the folder, so the last commit may be undone
# on any disk (that takes synchronous=EXTRA). 5 times for each kind of drive, 50 with HFTL_CI=1.
# shellcheck source-path=SCRIPTDIR source=lib.bash
. "$(dirname "$0")/lib.bash"
need_file_systems
"$python" -c 'import sqlite3' 2>/dev/null || skip "python3 has no sqlite3"

times=5
[ "${HFTL_CI:-0}" != 1 ] || times=50
[ -z "${HFTL_TIMES:-}" ] || times=$HFTL_TIMES

cat >"$folder/writer.py" <<'PYTHON'
import os, sqlite3, sys
path, notes, first, mode = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
note = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
db = sqlite3.connect(path, isolation_level=None, timeout=5)
db.execute(f"PRAGMA journal_mode={mode}")
db.execute("PRAGMA synchronous=FULL")
db.execute("CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY, body BLOB, twice INTEGER)")
n = first
while True:
    db.execute("BEGIN")
    db.execute("INSERT INTO t VALUES (?, randomblob(?), ?)", (n, 100 + n * 37 % 9000, 2 * n))
    db.execute("UPDATE t SET body = randomblob(500) WHERE n = ?", (n // 2,))
    db.execute("COMMIT")
    os.write(note, b"%d\n" % n)
    n += 1
PYTHON
cat >"$folder/reader.py" <<'PYTHON'
import sqlite3, sys
path, notes = sys.argv[1:]
wanted = {int(line) for line in open(notes)}
db = sqlite3.connect(path)
there = dict(db.execute("SELECT n, twice FROM t"))
lost = sorted(wanted - there.keys())
if lost:
    sys.exit(f"{len(lost)} of {len(wanted)} acknowledged commits are lost, the first is {lost[0]}")
if any(twice != 2 * n for n, twice in there.items()):
    sys.exit("a row is not what was committed")
sound = [row[0] for row in db.execute("PRAGMA integrity_check")]
if sound != ["ok"]:
    sys.exit(f"integrity_check: {sound[:5]}")
print(max(there, default=0))
PYTHON

# once KIND ROUND IMAGE: commits until the server is killed, then looks.
once() {
    local kind=$1 round=$2 image=$3 writer mode=PERSIST
    [ $((round % 2)) -eq 0 ] || mode=WAL
    "$python" "$folder/writer.py" "$folder/mnt/db" "$folder/notes.$kind" "$next" "$mode" \
        2>"$folder/writer.log" &
    writer=$!
    disown "$writer"
    # The first has to make the table, however slow the machine is.
    wait_for 60 test -s "$folder/notes.$kind" || fail "$kind: nothing is committed"
    sleep "0.$((RANDOM % 7 + 2))"
    gone "$writer" && fail "$kind, round $round: the writer ended: $(cat "$folder/writer.log")"
    kill_server
    wait_for 60 gone "$writer" || { kill -KILL "$writer"; fail "$kind: the writer hangs"; }
    detach
    serve "$image"
    attach
    mount_disk
    next=$(timeout 60 "$python" "$folder/reader.py" "$folder/mnt/db" "$folder/notes.$kind") ||
        fail "$kind, round $round ($mode)"
    next=$((next + 1))
}

try() {
    local kind=$1 image=$folder/$1.img round
    shift
    drive "$image" --kind "$kind" --size 256M "$@"
    next=1
    serve "$image"
    attach
    timeout 120 mkfs.ext4 -q "$loop" || fail "$kind: mkfs.ext4"
    mount_disk
    : >"$folder/notes.$kind"
    for ((round = 0; round < times; round++)); do
        once "$kind" "$round" "$image"
    done
    unmount_disk
    timeout 120 e2fsck -fn "$loop" >"$folder/fsck" 2>&1 ||
        { cat "$folder/fsck"; fail "$kind: fsck"; }
    detach
    stop_server
    echo "$kind: $times kills, $(wc -l <"$folder/notes.$kind") acknowledged commits, none lost"
    [ "$(wc -l <"$folder/notes.$kind")" -ge "$times" ] ||
        fail "$kind: hardly anything was committed"
}

try zoned
try ocssd --oob 16
