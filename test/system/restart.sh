#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A server that crashes is started again on the same socket: all that was flushed is there, clients
# that come meanwhile wait. Not for ever: five times in a minute. What ends in order stays ended, a
# start that fails is not repeated, and no server outlives the one that watches over it.
# shellcheck source-path=SCRIPTDIR source=lib.bash
. "$(dirname "$0")/lib.bash"
need jq
need_libnbd
cd "$folder"
log=$folder/server.log

cat >client.py <<'PYTHON'
"""client.py URI NOTES write|check: numbers blocks, notes what a flush covered."""
import nbd, random, struct, sys, time
uri, notes, what = sys.argv[1:]
h = nbd.NBD()
h.connect_uri(uri)
if what == "write":
    note, last, n = open(notes, "a"), {}, time.time_ns()  # above all earlier writers' numbers
    while True:
        n += 1
        lba = random.randrange(4000)
        h.pwrite(struct.pack("<QQ", n, lba) * 256, lba * 4096)
        last[lba] = n
        if n % 16 == 0:
            h.flush()
            note.write("".join(f"{a} {b}\n" for a, b in last.items()))
            note.flush()
            last.clear()
durable = dict(map(int, line.split()) for line in open(notes))
for lba, n in durable.items():
    data = h.pread(4096, lba * 4096)
    seen, where = struct.unpack_from("<QQ", data)
    if seen < n or where != lba or data != data[:16] * 256:
        sys.exit(f"block {lba}: {n} was flushed, {seen} of block {where} is there")
if not durable:
    sys.exit("nothing was flushed")
print(len(durable))
PYTHON

is_clean() { [ "$("$hostftl" info -o json "$1" | jq .data.clean)" = true ]; }
others() { local now; now=$(engine); [ "$now" != "$server" ] && [ "$now" != "$1" ]; }
said() { [ "$(grep -c -- "$2" "$log")" -ge "$1" ]; }

has_flushed() { [ "$(wc -l <notes)" -gt $((before + 500)) ]; }

# crash SIGNAL: the engine, while a client writes; what was flushed is there.
crash() {
    local pid writer before
    pid=$(engine)
    [ "$pid" -ne "$server" ] || fail "nobody watches over the server"
    before=$(wc -l <notes)
    "$python" client.py "$uri" notes write 2>/dev/null &
    writer=$!
    wait_for 20 has_flushed || fail "$1: the client flushed nothing"
    kill "-$1" "$pid"
    wait "$writer" 2>/dev/null || true
    timeout 60 "$python" client.py "$uri" notes check >flushed || fail "$1: after the restart"
    others "$pid" || fail "$1: there is no new server"
}

touch notes
drive a.img --kind zoned --size 64M
serve a.img
crash ABRT
said 1 'ended by signal 6 .*flushed is safe; starting it again (1 of at most 5' ||
    fail "no clear message"
crash KILL
crash SEGV
wait_for 20 said 3 'ready again after' || fail "the log does not say that it is ready again"
[ "$(wc -l <ready)" -eq 1 ] || fail "the ready line was not printed once"
# One that ends in order, but unasked, comes back too: the device was closed, nothing is lost.
pid=$(engine)
kill -TERM "$pid"
wait_for 20 others "$pid" || fail "a server that ended unasked was not started again"
wait_for 20 said 4 'ready again after' || fail "not ready again"
said 1 'exit code 0: unasked; nothing is lost' || fail "no clear message of an unasked end"
stop_server
is_clean a.img || fail "not clean after SIGTERM"
[ ! -e "$socket" ] || fail "the socket is left behind"
echo "crashes: started again, $(cat flushed) flushed blocks there; then closed cleanly"

# The sixth crash within a minute is too much.
serve a.img
: >"$log"
for i in 1 2 3 4 5; do
    pid=$(engine)
    kill -ABRT "$pid"
    wait_for 20 others "$pid" || fail "restart $i"
    wait_for 20 said "$i" 'ready again' || fail "restart $i: not ready"
done
kill -ABRT "$(engine)"
wait_for 20 gone "$server" || fail "there is no limit"
code=0
wait "$server" || code=$?
server=0
[ "$code" -eq 1 ] || fail "given up with exit code $code"
said 1 'started again 5 times within 60 seconds: given up' || fail "does not say why it gave up"
echo "a server that crashes over and over: given up after five restarts"

# Signals to the one that watches: all end it in order, also while a client is connected.
for signal in INT HUP TERM; do
    serve a.img
    "$python" client.py "$uri" notes write 2>/dev/null &
    writer=$!
    sleep 0.3
    kill "-$signal" "$server"
    wait_for 20 gone "$server" || fail "$signal does not end it"
    wait "$server" || fail "$signal: ended with $?"
    wait "$writer" 2>/dev/null || true
    server=0
    is_clean a.img || fail "$signal: not clean"
done
# A client that asks and takes no answer, as one does that is stopped: it is cut off.
cat >silent.py <<'PYTHON'
import nbd, sys, time
h = nbd.NBD()
h.connect_uri(sys.argv[1])
h.pwrite(b"s" * 4096, 5000 * 4096)
for i in range(16):
    h.aio_pread(nbd.Buffer(1 << 20), i << 20)
print("asked", flush=True)
time.sleep(60)
PYTHON
serve a.img
"$python" silent.py "$uri" >asked &
writer=$!
wait_for 20 test -s asked || fail "the silent client did not ask"
kill -TERM "$server"
wait_for 30 gone "$server" || fail "a client that takes no answers keeps the server from ending"
kill "$writer" 2>/dev/null || true
wait "$server" || fail "a client that takes no answers: ended with $?"
wait "$writer" 2>/dev/null || true
server=0
is_clean a.img || fail "a client that takes no answers: not clean"
# SIGKILL: the engine must not stay behind, with the device and without a keeper.
serve a.img
pid=$(engine)
disown "$server"
kill -KILL "$server"
wait_for 20 gone "$pid" || fail "the engine outlived who watches over it"
server=0
is_clean a.img || fail "not closed cleanly when its keeper was killed"
echo "SIGINT, SIGHUP, SIGTERM, and SIGKILL of the keeper: closed cleanly"

# A start that fails is not repeated: damage shows when the device is opened, not before.
: >"$log"
cp a.img b.img
serve b.img
kill_server
code=0
timeout 60 "$hostftl" serve --read-only --nbd "unix:$socket" b.img >ready 2>>"$log" || code=$?
[ "$code" -eq 1 ] || fail "a start that fails: exit code $code"
[ ! -s ready ] || fail "a start that fails: said $(cat ready)"
! grep -q 'starting it again' "$log" || fail "a start that fails was repeated"
said 1 'ended before it was ready' || fail "a start that fails: no message"
[ ! -e "$socket" ] || fail "a start that fails leaves its socket"

# In the background; JSON; the number is that of the one to be stopped.
: >"$log"
pid=$("$hostftl" serve a.img --nbd "unix:$socket" --daemon --log "$log" -o json | jq .data.pid)
server=$pid
kill -ABRT "$(engine)"
wait_for 20 said 1 'ready again' || fail "--daemon: not started again"
timeout 60 "$python" client.py "$uri" notes check >/dev/null || fail "--daemon: after the restart"
kill -TERM "$server"
wait_for 20 gone "$server" || fail "--daemon: does not end"
server=0
is_clean a.img || fail "--daemon: not clean"

# Without: the process is the server, and its end is the end.
serve a.img --no-restart
[ "$(engine)" -eq "$server" ] || fail "--no-restart: there is a second process"
disown "$server"
kill -ABRT "$server"
wait_for 20 gone "$server" || fail "--no-restart: started again"
server=0
echo "failed starts, --daemon and --no-restart: as the manual says"
